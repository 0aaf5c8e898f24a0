"""Folium maps that need no network: for notebooks, and as one self-contained HTML file that opens anywhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import folium
from branca.element import Element, Figure, MacroElement
from folium.template import Template

from gridgis.errors import DataError
from gridgis.maps.choose import SHAPES_EXPORTED
from gridgis.maps.layer import MapLayer
from gridgis.maps.spec import inline, together
from gridgis.text import Lang, t

WORDS: Final = ("zoom_in", "zoom_out", "whole", "map_label", "close", "legend", "failed", "empty")
"""Messages the map's script needs."""

_STATIC: Final = Path(__file__).resolve().parent.parent / "web" / "static"
_SCRIPTS: Final = ("shapes.js", "layers.js", "dom.js", "gridmap.js")


class OfflineMap(folium.Map):
    """A Folium map without any of Folium's 10 outside scripts and styles: what it needs is written into the page."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012  Folium declares them so
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class GridLayers(MacroElement):
    """Our layers, legend and popups on a Folium map: the same script the pages use, its data in the file."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        ggOnMap({{ this._parent.get_name() }}, {{ this.data|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "GridLayers"
        self.data = data

    def render(self, **kwargs: object) -> str:
        """Write Leaflet, our script and styles into the head of the page, once."""
        header = cast("Figure", self.get_root()).header
        for name, part in (("gg_style", f"<style>{styles()}</style>"), ("gg_script", f"<script>{scripts()}</script>")):
            header.add_child(Element(_braces(part)), name=name)
        super().render(**kwargs)  # type: ignore[no-untyped-call]
        return ""


def figure(layers: Sequence[MapLayer], *, lang: Lang, height: int | str = 560, notice: str | None = None) -> folium.Map:
    """A Folium map of layers; in a notebook its last line shows it, without a network.

    Parameters
    ----------
    layers
        From the ground up. More than 20,000 shapes in one layer become a picture of them.
    lang
        Language of buttons and popups.
    height
        Pixels, or a share of the page such as `"100%"`.
    notice
        A line at the foot of the map.

    Raises
    ------
    DataError
        If no layer has a place, or the map's script was not fetched at set-up.
    """
    specs = [inline(layer, lang, token=f"layer{at}", shapes_limit=SHAPES_EXPORTED) for at, layer in enumerate(layers)]
    there = [spec for spec in specs if spec is not None]
    bounds = together([spec["bounds"] for spec in there])
    if bounds is None:
        raise DataError("maps.no_map")
    west, south, east, north = bounds
    drawn = OfflineMap(
        location=[(south + north) / 2, (west + east) / 2], tiles=None, height=height, zoom_control=False,
        attribution_control=False, zoom_snap=0.25, min_zoom=2, max_zoom=21, wheel_px_per_zoom_level=90,
    )  # fmt: skip
    data = {
        "layers": there, "bounds": bounds, "height": height, "lang": lang, "notice": notice, "selectable": False,
        "text": {word: t(f"maps.{word}", lang) for word in WORDS}, "base": None,
    }  # fmt: skip
    GridLayers(data).add_to(drawn)
    return drawn


def self_contained_html(
    layers: Sequence[MapLayer],
    *,
    lang: Lang,
    title: str = "",
    headline: str | Sequence[str] = "",
    notice: str | None = None,
) -> str:
    """One HTML file with map, data, script and styles in it: opens by a double click, asks no machine for anything.

    Parameters
    ----------
    layers
        From the ground up; each can be switched in the file. More than 20,000 shapes in one become a picture.
    lang
        Language of the file.
    title
        Title of the page, above the map.
    headline
        Line or lines under the title. All text is shown as text.
    notice
        A line at the foot of the map, such as that the data is synthetic.

    Raises
    ------
    DataError
        If no layer has a place, or the map's script was not fetched at set-up.
    """
    drawn = figure(layers, lang=lang, height="100%", notice=notice)
    root = cast("Figure", drawn.get_root())
    lines = [headline] if isinstance(headline, str) else list(headline)
    words = [f"<h1>{html.escape(title)}</h1>" if title else ""]
    words += [f"<p>{html.escape(line)}</p>" for line in lines if line]
    name = html.escape(title or t("maps.map_label", lang))
    root.header.add_child(Element(_braces(f"<title>{name}</title><style>{_PAGE_STYLE}</style>")), name="gg_page")
    root.html.add_child(Element(_braces(f'<header class="gg-head">{"".join(words)}</header>')), name="gg_head", index=0)
    page: str = root.render()
    return page.replace("<html>", f'<html lang="{"zh-CN" if lang == "zh" else "en"}">', 1)


@cache
def scripts() -> str:
    """Leaflet and our scripts as one plain script; `ggOnMap(map, data)` draws on a map made by Folium."""
    ours = "\n".join(asset(name) for name in _SCRIPTS)
    module = ours.replace("export default function", "function ggComponent")
    return _script_text(asset("vendor/leaflet/leaflet.js") + "\n(() => {\n" + module + "\nwindow.ggOnMap = ggOnMap;\n})();")


@cache
def styles() -> str:
    """Leaflet's styles and ours. Leaflet's pictures are left out: nothing of ours shows them, each would be a request."""
    leaflet = "".join(line for line in asset("vendor/leaflet/leaflet.css").splitlines(keepends=True) if "url(" not in line)
    return leaflet + asset("gridmap.css")


def asset(name: str) -> str:
    """A file of the web side's static folder as text. Raises `DataError` if it was not fetched at set-up."""
    file = _STATIC / name
    if not file.is_file():
        raise DataError("maps.assets_missing")
    return file.read_text(encoding="utf-8")


def _script_text(script: str) -> str:
    """A script that can stand in a page: nothing in it ends the element early."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("//# sourceMappingURL", "// map")


def _braces(text: str) -> str:
    """Text as a template that says just this text."""
    return "{% raw %}" + text.replace("{% endraw %}", "") + "{% endraw %}"


_PAGE_STYLE: Final = (
    "html,body{margin:0;height:100%;font-family:system-ui,'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif;"
    "color:#24323b;background:#fff}body{display:flex;flex-direction:column;box-sizing:border-box;"
    "padding:18px 22px 20px!important}"
    ".gg-head h1{font-size:24px;margin:0 0 6px}.gg-head p{margin:0 0 4px;font-size:15px;color:#44545f;line-height:1.5}"
    ".gg-head{margin-bottom:12px}.gg-map{flex:1;min-height:360px}.gg-map .gg-canvas.folium-map{position:absolute;inset:0;"
    "width:100%!important;height:100%!important}@media print{.gg-tools{display:none!important}}"
)
