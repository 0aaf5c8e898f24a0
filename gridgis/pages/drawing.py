"""How the pages' maps look: which layers, in which order, which colours and popups."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd

from gridgis.layers import LAYERS
from gridgis.maps import Field, LayerRef, MapLayer, Style
from gridgis.maps.style import BLIND, BOUNDARY, BUILDINGS, ROADS, WATER, categories, steps
from gridgis.tasks.overview import Overview
from gridgis.text import Lang, t

_BREAKS = (0.001, 0.25, 0.5, 0.75, 0.999)
_OPEN = Style(fill="#0B3F5E", opacity=0.0, line="#0B3F5E", width=1.1)
_PLANNED = Style(fill="#8A949C", opacity=0.0, line="#98A3AB", width=0.7)
_NATURAL = Style(fill="#E69F00", opacity=0.55, line="#9A6A00", width=0.8)
_STATION = Style(fill="#CC79A7", opacity=1.0, line="#FFFFFF", width=1.5, radius=5.5)
_LOOKS = {
    "areas": BOUNDARY,
    "grids": Style(fill="#418FB0", opacity=0.3, line="#16658A", width=1.0),
    "unit_cells": Style(fill="#418FB0", opacity=0.18, line="#16658A", width=0.6),
    "natural_villages": _NATURAL,
    "stations": _STATION,
    "buildings": BUILDINGS,
    "roads": ROADS,
    "water": WATER,
    "places": Style(fill="#7A5195", opacity=0.9, line="#FFFFFF", width=1.0, radius=4.0),
    "incidents": Style(fill="#D55E00", opacity=0.8, line="#FFFFFF", width=0.8, radius=4.0),
}


def overview(answer: Overview, lang: Lang, *, under: Sequence[MapLayer] = ()) -> list[MapLayer]:
    """The layers of the overview, from the ground up; empty ones are left out.

    `under` goes between the shaded villages and the grids: the workspace's own water and roads.
    """
    coverage = (
        Field("code", t("overview.col_code", lang)),
        Field("area_share", t("overview.col_area_share", lang), share=True),
        Field("population_share", t("overview.col_population_share", lang), share=True),
        Field("grids_covered", t("overview.col_grids_covered", lang)),
        Field("grids_total", t("overview.col_grids_total", lang)),
    )
    grid = (
        Field("code", t("overview.col_code", lang)),
        Field("name", t("overview.col_name", lang)),
        Field("station_name", t("overview.field_station", lang)),
        Field("opened_on", t("overview.col_opened_on", lang)),
    )
    place = (
        Field("name", t("overview.col_name", lang)),
        Field("buildings", t("overview.field_buildings", lang)),
        Field("population", t("overview.field_population", lang)),
    )
    station = (
        Field("name", t("overview.col_name", lang)),
        Field("opened_on", t("overview.col_opened_on", lang)),
        Field("batch", t("overview.col_batch", lang)),
    )
    blind = (Field("kind_text", t("overview.field_kind", lang)), Field("population", t("overview.field_population", lang)))
    shading = steps("area_share", _BREAKS, _bands(lang), base=Style(opacity=0.72, line="#FFFFFF", width=1.2))
    wanted = (
        ("villages", "villages", shading, coverage, "name", True),
        ("grids_open", "open", _OPEN, grid, "name", True),
        ("grids_planned", "planned", _PLANNED, grid, "name", True),
        ("blind_spots", "blind", BLIND, blind, None, True),
        ("natural_villages", "natural", _NATURAL, place, "name", False),
        ("stations", "stations", _stations(lang), station, "name", True),
    )
    drawn = [
        MapLayer(
            name, t(f"overview.layer_{title}", lang), answer.layers[name], style, _there(popup, answer.layers[name]), label, shown
        )
        for name, title, style, popup, label, shown in wanted
        if name in answer.layers and len(answer.layers[name])
    ]
    ground = [layer for layer in drawn if layer.name == "villages"]
    return [*ground, *under, *(layer for layer in drawn if layer.name != "villages")]


def surroundings(url: str, layers: Sequence[str], revision: int, lang: Lang) -> list[MapLayer]:
    """The workspace's own water and roads, where it has any: what a reader finds the way by."""
    there = [name for name in ("water", "roads") if name in layers]
    return [workspace_layer(url, name, revision, lang, visible=name == "water") for name in there]


def workspace_layer(url: str, layer: str, revision: int, lang: Lang, *, visible: bool = True) -> MapLayer:
    """One layer of the workspace as it stands, however large; a click shows the columns it is known by."""
    known = LAYERS[layer]
    popup = tuple(Field(column.name, t(f"datapage.column_{column.name}", lang)) for column in known.columns)
    has_name = any(column.name == "name" for column in known.columns)
    title = t(f"pages.layer_{layer}", lang)
    return MapLayer(layer, title, LayerRef(url, layer, revision), _LOOKS[layer], popup, "name" if has_name else None, visible)


def _stations(lang: Lang) -> Style:
    labels: dict[object, str] = {True: t("overview.station_open", lang), False: t("overview.station_closed", lang)}
    return categories("open", labels, colours=("#B03A7E", "#A9B2B9"), base=_STATION)


def _bands(lang: Lang) -> list[str]:
    return [t(f"overview.band_{number}", lang) for number in range(len(_BREAKS) + 1)]


def _there(popup: tuple[Field, ...], frame: gpd.GeoDataFrame) -> tuple[Field, ...]:
    """The lines of a popup the layer can fill."""
    named = {*frame.columns, frame.index.name}
    return tuple(field for field in popup if field.column in named)
