"""A comparison of two states of the grids as one self-contained map: grids before and after, and the ground that moved."""

from __future__ import annotations

from typing import Final

import geopandas as gpd

from gridgis.maps.folium_map import self_contained_html
from gridgis.maps.layer import Field, MapLayer
from gridgis.maps.style import Style, categories
from gridgis.tasks.redraw_diff import DiffReport
from gridgis.text import Lang, percent, t

_HAPPENED: Final = {"new": "#009E73", "changed": "#E69F00", "border": "#B9D8E3", "attributes": "#CC79A7", "retired": "#6A2C70"}
_BEFORE: Final = Style(fill="#FFFFFF", opacity=0.0, line="#B03A2E", width=2.5)
_MOVED: Final = Style(fill="#1B4F72", opacity=0.25, line="#1B4F72", width=1.5)


def changes_map(report: DiffReport, lang: Lang) -> str:
    """An HTML file of the difference; opens by a double click and asks no machine for anything.

    Raises `DataError` where nothing differs: there is nothing to draw.
    """
    shares = report.to_json()["coverage"]["town"]["measures"]["area"]
    covered = " → ".join(percent(shares[side]["share"]) for side in ("before", "after"))
    return self_contained_html(
        layers_of(report, lang),
        lang=lang,
        title=f"{report.from_} → {report.to}",
        headline=t("redraw_diff.map_covered", lang, share=covered),
        notice=t("general.synthetic", lang) if report.synthetic else None,
    )


def layers_of(report: DiffReport, lang: Lang) -> list[MapLayer]:
    """The layers of the map, from the ground up: changed grids afterwards, moved ground, outlines before."""
    drawn = report.outlines.assign(said=[t(f"redraw_figures.happened_{word}", lang) for word in report.outlines["happened"]])
    drawn = drawn.set_index("code", drop=False)
    before, after = (drawn[drawn["side"] == side] for side in ("before", "after"))
    there = [word for word in _HAPPENED if (after["happened"] == word).any()]
    labels: dict[object, str] = {word: t(f"redraw_figures.happened_{word}", lang) for word in there}
    look = categories("happened", labels, colours=[_HAPPENED[word] for word in there] or ["#FFFFFF"])
    heads = {"label": "column_name", "code": "column_code", "said": "column_happened"}
    popup = tuple(Field(column, t(f"redraw_diff.{key}", lang)) for column, key in heads.items())
    found = [
        MapLayer("after", t("redraw_diff.map_after", lang), after, look, popup, "label"),
        MapLayer("moved", t("redraw_diff.sheet_moved", lang), _moved(report, lang), _MOVED, _between(lang), "label"),
        MapLayer("before", t("redraw_diff.map_before", lang), before, _BEFORE, popup, "label"),
    ]
    return [layer for layer in found if isinstance(layer.data, gpd.GeoDataFrame) and len(layer.data)]


def _moved(report: DiffReport, lang: Lang) -> gpd.GeoDataFrame:
    nobody = t("redraw_diff.nobody", lang)
    moved = report.moved
    ends = [[code or nobody for code in moved[side]] for side in ("source", "target")]
    return moved.assign(source=ends[0], target=ends[1], label=[f"{one} → {other}" for one, other in zip(*ends, strict=True)])


def _between(lang: Lang) -> tuple[Field, ...]:
    names = ("source", "target", "households", "population")
    return tuple(Field(name, t(f"redraw_diff.column_{name}", lang)) for name in names)
