"""The planners' editor as one Streamlit component: shows an area's grids, gives back one small operation for each edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from gridgis.maps.folium_map import asset, styles
from gridgis.text import Lang, catalogue, t
from gridgis.web import cache as published
from gridgis.web import component
from gridgis.web.editor_data import Ground, Guides, Tally
from gridgis.web.routes import PLACE

_MAP_WORDS: Final = ("zoom_in", "zoom_out", "whole", "map_label", "close", "failed")
_SCRIPTS: Final = (
    "layers",
    "dom",
    "editor_ground",
    "editor_snap",
    "editor_tally",
    "editor_canvas",
    "editor_tools",
    "editor_panel",
    "editor",
)
_HTML: Final = (
    '<div class="ge-root" data-state="loading"><div class="ge-bar" role="toolbar"></div><div class="ge-body">'
    '<div class="ge-stage gg-map" data-state="loading"><div class="gg-canvas" role="application" tabindex="0"></div>'
    '<div class="gg-tools ge-zoom ge-over"></div><div class="ge-hud" hidden></div><div class="ge-legend ge-over"></div>'
    '<div class="ge-hint" role="status"></div><div class="gg-foot" hidden></div></div>'
    '<div class="ge-side"><div class="ge-refusal" role="alert" hidden></div><div class="ge-totals"></div>'
    '<section class="ge-touched" hidden></section><section class="ge-table"></section></div></div></div>'
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the browser's last operation."""

    n: str
    """The operation's own mark."""
    good: bool
    """Whether it was done."""
    text: str
    """What is said about it, in the reader's language."""
    place: Sequence[float] | None = None
    """Where it would break a rule: west, south, east, north in degrees."""
    pick: Sequence[str] | None = None
    """Codes to select now; None leaves the selection."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything the editor shows."""

    key: str
    """Plan and area: another key begins with a fresh view, selection and tool."""
    rev: int
    """The plan's revision; comes back with each operation."""
    ground: Ground
    """Grids, free ground and outline."""
    guides: Guides | None
    """What edits snap to."""
    figures: Mapping[str, Mapping[str, float | None]]
    """Figures by code: `households`, `population`, `incidents`, `area_m2`."""
    totals: Sequence[tuple[str, str, str | None]]
    """Figures of the area: name, value, change."""
    balance: tuple[float, float]
    """Households a grid should have, ends included."""
    locked: Sequence[str] = ()
    """Finished grids."""
    changed: Sequence[str] = ()
    """Grids that are not as they are live."""
    editable: bool = True
    undo: bool = False
    redo: bool = False
    answer: Answer | None = None
    notice: str | None = None
    """A line at the foot of the map."""
    tally: Tally | None = None
    """What is counted while a border is dragged; None: only areas follow then."""
    columns: Sequence[str] = field(default=("households", "population", "incidents", "area_m2"))
    """Of `figures`, in the order they are sent."""


def grid_editor(view: View, *, key: str, lang: Lang, on_operation: Callable[[], None], height: int = 640) -> None:
    """Draw the editor; map, zoom, selection and tool survive a rerun as long as `key` stays.

    The ground travels by an address of our own where our routes answer, so that a rerun that changes nothing sends a few
    kilobytes; under plain `streamlit run` it travels with the page.

    Parameters
    ----------
    view
        What is shown.
    key
        Identifies the editor on its page; the operation lies in `st.session_state[key].op` when `on_operation` is called.
    lang
        Language of buttons and messages.
    on_operation
        Called before the rerun that an operation causes.
    height
        Pixels of the map.

    Raises
    ------
    DataError
        If the map's script was not fetched at set-up.
    """
    data = {
        "key": view.key,
        "rev": view.rev,
        "ground": _sent(view.ground.token, view.ground.document),
        "guides": None if view.guides is None else _sent(view.guides.token, view.guides.document),
        "tally": None if view.tally is None else _sent(view.tally.token, view.tally.document),
        "figures": {
            "columns": list(view.columns),
            "rows": {code: [row.get(column) for column in view.columns] for code, row in view.figures.items() if code},
        },
        "totals": [list(total) for total in view.totals],
        "range": list(view.balance),
        "locked": list(view.locked),
        "changed": list(view.changed),
        "editable": view.editable,
        "undo": view.undo,
        "redo": view.redo,
        "answer": None if view.answer is None else _said(view.answer),
        "notice": view.notice,
        "height": int(height),
        "lang": lang,
        "text": _words(lang),
        "leaflet": component.leaflet(),
    }
    _component()(key=key, data=data, on_op_change=on_operation)


@cache
def _words(lang: Lang) -> dict[str, str]:
    """Every message of the editor's own group, and those it shares with other maps, by its name."""
    own = (key for key in catalogue(lang) if key.startswith("editor."))
    return {key.split(".", 1)[1]: t(key, lang) for key in (*own, *(f"maps.{word}" for word in _MAP_WORDS))}


def _said(answer: Answer) -> dict[str, Any]:
    place, pick = answer.place, answer.pick
    return {
        "n": answer.n,
        "good": answer.good,
        "text": answer.text,
        "place": None if place is None else list(place),
        "pick": None if pick is None else list(pick),
    }


def _sent(token: str, document: str) -> dict[str, str]:
    prefix = component.route_prefix()
    if prefix is None:
        return {"token": token, "inline": document}
    published.packed(("editor", token), document.encode)
    return {"token": token, "url": f"{prefix}{PLACE}/editor/{token}"}


@cache
def _component() -> ComponentRenderer:
    script = "\n".join(asset(f"{name}.js") for name in _SCRIPTS)
    return st.components.v2.component(
        "gridgis_editor", html=_HTML, css=styles() + asset("editor.css"), js=script, isolate_styles=False
    )
