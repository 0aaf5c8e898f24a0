"""What a plan changes against the live grids: table, map, workbook."""

from __future__ import annotations

import functools
import html
import tempfile
from pathlib import Path
from typing import Final

import geopandas as gpd
import streamlit as st

from gridgis.maps import Field, MapLayer, Style
from gridgis.maps.style import categories
from gridgis.pages import chrome, shared, tables
from gridgis.pages import redraw_state as state
from gridgis.pages.answers import Stamp
from gridgis.pages.tables import Column
from gridgis.store import Workspace
from gridgis.tasks import redraw_diff
from gridgis.tasks.redraw_diff import DiffReport
from gridgis.text import Lang, t

_FIGURES: Final = ("households", "population", "incidents", "area_m2")
_HAPPENED: Final = {"new": "#009E73", "retired": "#7A7A7A", "changed": "#D55E00", "border": "#B9D8E3", "attributes": "#CC79A7"}
_LOOK: Final = Style(opacity=0.75, line="#22303A", width=1.0)


def show(ws: Workspace, desk: state.Desk) -> None:
    """Draw the comparison of the plan with the live grids."""
    lang = shared.lang()
    report = _report(shared.stamp(), desk.state.name, desk.state.rev) if desk.state.areas else None
    if report is None or report.found.grids.empty:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("redrawpage.compare_same"))}</div>')
        return
    grids = report.found.grids
    rows = grids.assign(code=grids.index, said=[t(f"redrawpage.happened_{kind}", lang) for kind in grids["happened"]])
    _grids(rows, lang)
    moved = report.found.moved
    moved = moved[~moved["rounding"].astype(bool)]
    if len(moved):
        chrome.section("redrawpage.moved")
        named = moved.assign(**{side: moved[side].replace("", shared.say("redrawpage.nobody")) for side in ("source", "target")})
        columns = [
            Column("source", t("redrawpage.col_from", lang), "code"),
            Column("target", t("redrawpage.col_to", lang), "code"),
        ]
        columns += [Column(name, t(f"redrawpage.figure_{name}", lang), "number", digits=0) for name in _FIGURES]
        st.html(tables.table(named, columns, lang, height_px=260, label=t("redrawpage.moved", lang)))
    _downloads(report, desk.state.name, lang)
    chrome.section("redrawpage.compare_map")
    chrome.plot([_layer(rows, lang)], key="rd_compare_map", height=460)


def _grids(rows: gpd.GeoDataFrame, lang: Lang) -> None:
    columns = [Column("code", t("redrawpage.col_code", lang), "code"), Column("said", t("redrawpage.col_happened", lang), "name")]
    for figure in _FIGURES:
        title = t(f"redrawpage.figure_{figure}", lang)
        columns += [
            Column(f"{figure}_{side}", t(f"redrawpage.col_{side}", lang, figure=title), "number", digits=0)
            for side in ("before", "after")
        ]
    st.html(tables.table(rows, columns, lang, height_px=320, label=t("redrawpage.part_compare", lang)))


def _downloads(report: DiffReport, plan: str, lang: Lang) -> None:
    name = "".join(letter for letter in plan if letter.isalnum() or letter in " -_") or "plan"
    stem = shared.say("redrawpage.file_stem", plan=name)
    with st.container(horizontal=True, key="gp_downloads_rd"):
        for ending, key in ((".xlsx", "download"), (".geojson", "download_map")):
            st.download_button(
                shared.say(f"redrawpage.{key}"),
                data=functools.partial(_file, report, ending, lang),
                file_name=stem + ending,
                key=f"rd_{key}",
                icon=":material/download:",
            )


@st.cache_resource(show_spinner=False, max_entries=8)
def _report(stamp: Stamp, plan: str, rev: int) -> DiffReport:
    return redraw_diff.diff(shared.workspace(), redraw_diff.LIVE, plan)


def _layer(rows: gpd.GeoDataFrame, lang: Lang) -> MapLayer:
    there = [kind for kind in _HAPPENED if (rows["happened"] == kind).any()]
    labels: dict[object, str] = {kind: t(f"redrawpage.happened_{kind}", lang) for kind in there}
    look = categories("happened", labels, colours=[_HAPPENED[kind] for kind in there], base=_LOOK)
    popup = (Field("code", t("redrawpage.col_code", lang)), Field("said", t("redrawpage.col_happened", lang)))
    kept = gpd.GeoDataFrame(rows[["code", "said", "happened"]], geometry=rows.geometry, crs=rows.crs)
    return MapLayer("changed", t("redrawpage.compare_map", lang), kept, look, popup, "code", True)


def _file(report: DiffReport, ending: str, lang: Lang) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / f"diff{ending}"
        if ending == ".xlsx":
            report.write_xlsx(file, lang)
        else:
            report.write_map(file)
        return file.read_bytes()
