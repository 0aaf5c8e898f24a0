"""Refusals that name commands or modules, said in the words of the planners' page: its own buttons are the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from gridgis.errors import GridgisError
from gridgis.pages import shared
from gridgis.text import Lang, t

_DIRTY: Final = "redraw_opening.dirty"
_COUNTED: Final = ("overlaps", "gaps", "outside", "invalid", "slivers", "misfits")
_HERE: Final[Mapping[str, str]] = {
    "plans.moved": "redrawpage.say_stale",
    "redrawing.conflict": "redrawpage.say_conflict",
    "redrawing.not_approved": "redrawpage.say_not_approved",
    "redrawing.rebase_touched": "redrawpage.say_rebase_touched",
    "redrawing.stale": "redrawpage.say_stale",
    "redrawing.taken_up": "redrawpage.say_taken_up",
    "redrawing.unknown_area": "redrawpage.say_unknown_area",
}


def sentence(error: GridgisError, lang: Lang) -> str:
    """What is said of an error on this page, as plain text.

    >>> sentence(GridgisError("redrawing.unknown_area", area="A"), "en")
    'The area A has no boundary in the workspace. Import its boundary on the page Data, or choose another area.'
    """
    if error.key == _DIRTY:
        counts = {name: int(str(error.values[name])) for name in _COUNTED}
        found = [t(f"redrawpage.dirty_{name}", lang, n=count) for name, count in counts.items() if count]
        return t("redrawpage.say_dirty", lang, found=t("redrawpage.comma", lang).join(found))
    here = _HERE.get(error.key)
    return error.message(lang) if here is None else t(here, lang, **error.values)


def tell(error: GridgisError) -> None:
    """Show what is said of an error."""
    st.error(shared.plain(sentence(error, shared.lang())), icon=":material/error:")
