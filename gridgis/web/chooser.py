"""Pictures and tables of which a reader picks a part with a click: one small Streamlit component without any library."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from gridgis.maps.folium_map import asset

_HTML: Final = '<div class="gp-chooser"></div>'
_CSS: Final = """
.gp-chooser [data-plan] { cursor:pointer; outline:none; }
.gp-chooser .gp-dot.over circle:last-of-type { stroke:#1d2a35; stroke-width:2.5; }
.gp-chooser .gp-dot:focus-visible circle:last-of-type { stroke:#1d2a35; stroke-width:2.5; }
.gp-chooser .gp-table tbody tr.over td { background:#eef4f8; }
.gp-chooser .gp-table tbody tr:focus-visible td { background:#e6eff6; }
.gp-chooser .gp-table tbody tr.chosen td { background:#fdf1de; font-weight:600; }
"""


def chooser(markup: str, *, key: str, on_pick: Callable[[], None]) -> None:
    """Show markup; `on_pick` is called when a part with `data-plan` was picked, by mouse or keyboard.

    Parameters
    ----------
    markup
        HTML and SVG made here, every text in it escaped.
    key
        Identifies the component on its page; the number picked lies in `st.session_state[key].picked`.
    on_pick
        Called before the rerun that a pick causes.
    """
    _component()(key=key, data={"html": markup}, on_picked_change=on_pick)


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("gridgis_chooser", html=_HTML, css=_CSS, js=asset("chooser.js"), isolate_styles=False)
