"""What frames every page: title, look, header with pages and language, the notice on synthetic data, the foot."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import streamlit as st
from PIL import Image, ImageDraw

from gridgis.errors import GridgisError
from gridgis.maps import MapLayer
from gridgis.maps.basemap import from_settings
from gridgis.maps.spec import Bounds
from gridgis.pages import shared
from gridgis.store import WorkspaceInfo
from gridgis.text import LANGS
from gridgis.web.component import grid_map

_ICONS: Final = {
    "overview": ":material/monitoring:",
    "data": ":material/database:",
    "grids": ":material/grid_on:",
    "hotspots": ":material/local_fire_department:",
    "redraw": ":material/edit_location_alt:",
    "settings": ":material/tune:",
}
_LANG_NAMES: Final = {"zh": "中文", "en": "English"}
# what Streamlit writes itself, in English only, is overwritten by these variables of the style sheet
_OWN_WORDS: Final = ("drop_here", "browse")


def configure() -> None:
    """Page title, width and style: the first call of every run."""
    st.set_page_config(page_title=shared.say("pages.title"), page_icon=_icon(), layout="wide", initial_sidebar_state="collapsed")
    st.html(_style())


def header(pages: Mapping[str, st.Page], current: str) -> None:
    """The bar at the top: whose platform this is, the pages, the language."""
    info = _info()
    with st.container(horizontal=True, key="gp_header", vertical_alignment="center", gap="small"):
        st.html(brand(info.name if info else ""), width="content")
        with st.container(horizontal=True, key="gp_nav", vertical_alignment="center", gap="small", width="content"):
            for name, page in pages.items():
                with st.container(key=f"gp_nav_{name}{'_here' if name == current else ''}", width="content"):
                    st.page_link(page, label=shared.say(f"pages.{name}"), icon=_ICONS[name], query_params={"lang": shared.lang()})
        _language()
    if info is not None and info.synthetic:
        st.html(f'<div class="gp-synthetic" role="note">{html.escape(shared.say("general.synthetic"))}</div>')


def brand(place: str) -> str:
    """The name of the platform and of the place it serves, as HTML."""
    line = f"<span>{html.escape(place)}</span>" if place else ""
    return f'<div class="gp-brand"><b>{html.escape(shared.say("pages.title"))}</b>{line}</div>'


def footer() -> None:
    """The last line: version and workspace."""
    words = shared.say("pages.foot", version=_version(), workspace=Path(shared.workspace_url()).name)
    st.html(f'<div class="gp-foot">{html.escape(words)}</div>')


def title(key: str, hint: str | None = None) -> None:
    """The heading of a page and, under it, what the page is for."""
    line = f"<p>{html.escape(shared.say(hint))}</p>" if hint else ""
    st.html(f'<div class="gp-title"><h1>{html.escape(shared.say(key))}</h1>{line}</div>')


def section(key: str, hint: str | None = None, /, **values: object) -> None:
    """The heading of a part of a page."""
    line = f"<p>{html.escape(shared.say(hint, **values))}</p>" if hint else ""
    st.html(f'<div class="gp-section"><h2>{html.escape(shared.say(key))}</h2>{line}</div>')


def _style() -> str:
    words = "".join(f'--gp-{word.replace("_", "-")}:"{_css(shared.say(f"pages.{word}"))}";' for word in _OWN_WORDS)
    sheet = (resources.files("gridgis.pages") / "style.css").read_text(encoding="utf-8")
    return f"<style>:root{{{words}}}\n{sheet}</style>"


def plot(layers: Sequence[MapLayer], *, key: str, height: int, bounds: Bounds | None = None) -> None:
    """A map as every page draws it: in the session's language, marked when synthetic, on the base map of the settings.

    A click opens a popup in the browser and computes nothing. `bounds` in degrees is what it opens with; none: everything.
    """
    ws = shared.workspace()
    notice = shared.say("general.synthetic") if ws.info.synthetic else None
    base = from_settings(ws.settings())
    grid_map(layers, key=key, lang=shared.lang(), height=height, bounds=bounds, notice=notice, base=base, selectable=False)


def _language() -> None:
    if "lang" not in st.session_state:
        st.session_state["lang"] = shared.lang()
    chosen = st.segmented_control(
        shared.say("pages.language"),
        LANGS,
        format_func=_LANG_NAMES.__getitem__,
        key="lang",
        required=True,
        label_visibility="collapsed",
    )
    # the address keeps the language, so that a link opens in it
    if chosen and st.query_params.get("lang") != chosen:
        st.query_params["lang"] = chosen


@cache
def _icon() -> Image.Image:
    """Nine cells, some of them covered: drawn here, because Streamlit fetches named icons for the tab from outside."""
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for row in range(3):
        for column in range(3):
            x, y = 4 + 20 * column, 4 + 20 * row
            draw.rectangle((x, y, x + 15, y + 15), fill="#1F5F8B" if row + column < 3 else "#B9D8E3")
    return image


def _version() -> str:
    try:
        return version("gridgis")
    except PackageNotFoundError:
        return ""  # run from a folder that was never installed


def _info() -> WorkspaceInfo | None:
    try:
        return shared.workspace().info if shared.workspace_exists() else None
    except GridgisError:
        return None  # the page below says what is wrong, the header only frames it


def _css(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("<", "\\3c ")
