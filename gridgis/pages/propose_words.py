"""Why nothing could be proposed, in the words of the planners' page: its pages and buttons are the way out, not commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gridgis.errors import GridgisError
from gridgis.pages import redraw_words
from gridgis.text import Lang, t

_HERE: Final[Mapping[str, str]] = {
    "blocks.no_streets": "proposepage.say_no_streets",
    "blocks.not_kept": "proposepage.say_not_kept",
    "balancing.no_unit_cells": "proposepage.say_no_unit_cells",
    "balancing.no_natural_villages": "proposepage.say_no_natural_villages",
    "balancing.no_areas": "proposepage.say_no_areas",
    "balancing.no_grids": "proposepage.say_no_grids",
    "balancing.no_streets": "proposepage.say_balance_streets",
    "balancing.not_counted": "proposepage.say_not_counted",
}
_FROM_ON: Final = " …"


def sentence(error: GridgisError, lang: Lang, *, place: str | None = None) -> str:
    """What is said of an error here, as plain text; `place` is what ground without a name of its own is called.

    The search knows ground only by its first unit, `U1 …`; where it is all of an area, the area's name says more.

    >>> sentence(GridgisError("balancing.not_counted", weight="households", area="A"), "en")[:41]
    'Nothing tells how many households there a'
    """
    here = _HERE.get(error.key)
    if here is None:
        if place is not None and str(error.values.get("place", "")).endswith(_FROM_ON):
            error = GridgisError(error.key, **{**error.values, "place": place})
        return redraw_words.sentence(error, lang)
    values = dict(error.values)
    if "weight" in values:
        name = t(f"proposepage.weight_{values['weight']}", lang)
        values["weight"] = name.lower() if lang == "en" else name
    return t(here, lang, **values)
