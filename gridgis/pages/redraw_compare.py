"""Two states of the grids compared, at first the live ones and the plan: tables, map, workbook."""

from __future__ import annotations

import functools
import html
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import geopandas as gpd
import pandas as pd
import streamlit as st

from gridgis.errors import GridgisError
from gridgis.maps import Field, MapLayer, Style
from gridgis.maps.style import categories
from gridgis.pages import chrome, redraw_words, shared, tables
from gridgis.pages import redraw_state as state
from gridgis.pages.answers import Stamp
from gridgis.pages.tables import Column
from gridgis.store import Workspace
from gridgis.tasks import redraw_diff
from gridgis.tasks.redraw_diff import DiffReport
from gridgis.text import Lang, percent, t

_FIGURES: Final = ("households", "population", "incidents", "area_m2")
_RETIRED: Final = "#6A2C70"
_HAPPENED: Final = {"new": "#009E73", "changed": "#D55E00", "border": "#B9D8E3", "attributes": "#CC79A7"}
_DAY: Final = "\n"
"""The choice of a day, in a list of names: no plan is called so."""
_LOOK: Final = Style(opacity=0.75, line="#22303A", width=1.0)


def show(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    """Draw the comparison of two states of the grids; at first of the live ones with the plan."""
    lang, stamp = shared.lang(), shared.stamp()
    first, second = _sides(ws, desk)
    try:
        report = _report(stamp, first, second, tuple(plan.rev for plan in ws.plans()))
    except GridgisError as error:
        if error.key != "redraw_diff.same":
            redraw_words.tell(error)
            return
        report = None
    if report is None or report.found.grids.empty:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("redrawpage.compare_same"))}</div>')
        return
    grids = report.found.grids
    names = _names(ws, report, desk)
    rows = grids.assign(
        code=grids.index,
        name=[names.get(code, "") for code in grids.index],
        said=[t(f"redraw_figures.happened_{kind}", lang) for kind in grids["happened"]],
    )
    st.html(tables.figures(_totals(report, len(grids))))
    _grids(rows, lang)
    _moved(report, names, lang)
    _officers(report, names, lang)
    _downloads(report, second, lang)
    chrome.section("redrawpage.compare_map")
    chrome.plot(_layers(ws, report, rows, lang), key="rd_compare_map", height=460)


def _sides(ws: Workspace, desk: state.Desk) -> tuple[str, str]:
    """What is compared with what: the live grids, a plan, or a day."""
    known = [plan.name for plan in reversed(ws.plans()) if plan.state != "discarded"]
    named = [redraw_diff.LIVE, *known, _DAY]
    sides = []
    with st.container(horizontal=True, key="gp_rd_sides", vertical_alignment="bottom"):
        for side, at_first in (("from", redraw_diff.LIVE), ("to", desk.state.name)):
            chosen = st.selectbox(
                shared.say(f"redrawpage.compare_{side}"),
                named,
                index=named.index(at_first),
                format_func=_side_name,
                key=f"rd_compare_{side}_{desk.state.name}",
                width=260,
            )
            if chosen == _DAY:
                label = shared.say("redrawpage.compare_date")
                on = st.date_input(label, value=shared.today(), key=f"rd_compare_day_{side}", format="YYYY-MM-DD", width=150)
                chosen = on.isoformat()
            sides.append(str(chosen))
    return sides[0], sides[1]


def _side_name(name: str) -> str:
    if name in (redraw_diff.LIVE, _DAY):
        return shared.say("redrawpage.side_live" if name == redraw_diff.LIVE else "redrawpage.side_date")
    return shared.say("redrawpage.side_plan", plan=name)


def _totals(report: DiffReport, count: int) -> list[tuple[str, str]]:
    """What the difference comes to as a whole: grids, people moved, coverage on both sides."""
    moved = report.found.moved
    rows = [(shared.say("redrawpage.compare_grids"), shared.number(count))]
    for figure, key in (("households", "compare_households"), ("population", "compare_residents")):
        sum_ = moved[figure].sum(min_count=1)
        name = shared.say(f"redrawpage.{key}")
        rows.append((name, "–" if sum_ != sum_ else shared.number(float(sum_))))
    rows.append((shared.say("redrawpage.compare_officers"), shared.number(len(report.found.officers))))
    before, after = (side.town for side in report.coverage)
    for measure in ("area", "population"):
        was, now = (_share(zone.measures[measure].share) for zone in (before, after))
        name = shared.say(f"redrawpage.compare_{measure}", place=after.name)
        rows.append((name, now if was == now else f"{was} → {now}"))
    return rows


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _both(frame: pd.DataFrame, figure: str) -> list[str]:
    """A figure before and after, in one cell; once where it is the same."""
    sides = (frame[f"{figure}_{side}"] for side in ("before", "after"))
    pairs = (tuple("–" if value != value else shared.number(float(value)) for value in pair) for pair in zip(*sides, strict=True))
    return [was if was == now else f"{was} → {now}" for was, now in pairs]


def _names(ws: Workspace, report: DiffReport, desk: state.Desk) -> dict[str, str]:
    """Names of grids by code, where they have one: as they are live, else as the plan has or had them."""
    live = ws.read("grids", columns=["name"], where={"area_code": list(report.found.areas)})["name"].dropna()
    drafts = [draft for area, draft in desk.state.areas.items() if area in report.found.areas]
    rows = {code: row for draft in drafts for side in (draft.taken, draft.rows) for code, row in side.items()}
    return {code: str(row["name"]) for code, row in rows.items() if row.get("name")} | {str(c): str(n) for c, n in live.items()}


def _moved(report: DiffReport, names: Mapping[str, str], lang: Lang) -> None:
    moved = report.found.moved
    moved = moved[~moved["rounding"].astype(bool)]
    if moved.empty:
        return
    chrome.section("redrawpage.moved")
    called = {**names, "": t("redrawpage.nobody", lang)}
    named = moved.assign(**{side: [called.get(code, code) for code in moved[side]] for side in ("source", "target")})
    columns = [Column("source", t("redrawpage.col_from", lang), "name"), Column("target", t("redrawpage.col_to", lang), "name")]
    columns += [Column(name, t(f"redrawpage.figure_{name}", lang), "number", digits=0) for name in _FIGURES]
    st.html(tables.table(named, columns, lang, height_px=260, label=t("redrawpage.moved", lang)))


def _officers(report: DiffReport, names: Mapping[str, str], lang: Lang) -> None:
    """Whose work changes."""
    found = report.found.officers
    if found.empty:
        return
    chrome.section("redrawpage.officers")
    rows = found.assign(
        officer=found.index,
        said=[t(f"redraw_figures.happened_{kind}", lang) for kind in found["happened"]],
        **{
            f"grids_{side}": [", ".join(names.get(code, code) for code in codes) or "–" for codes in found[f"grids_{side}"]]
            for side in ("before", "after")
        },
        **{figure: _both(found, figure) for figure in ("households", "population")},
    )
    columns = [
        Column("officer", t("redrawpage.col_officer", lang), "name"),
        Column("said", t("redrawpage.col_happened", lang), "name"),
    ]
    columns += [Column(f"grids_{side}", t(f"redrawpage.grids_{side}", lang)) for side in ("before", "after")]
    columns += [Column(name, t(f"redrawpage.figure_{name}", lang), "number") for name in ("households", "population")]
    st.html(tables.table(rows, columns, lang, height_px=260, label=t("redrawpage.officers", lang)))


def _grids(rows: gpd.GeoDataFrame, lang: Lang) -> None:
    columns = [Column(name, t(f"redrawpage.col_{name}", lang), "code") for name in ("name", "code")]
    columns += [Column("said", t("redrawpage.col_happened", lang), "name")]
    columns += [Column(figure, t(f"redrawpage.figure_{figure}", lang), "number") for figure in _FIGURES]
    rows = rows.assign(**{figure: _both(rows, figure) for figure in _FIGURES})
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
def _report(stamp: Stamp, first: str, second: str, revs: tuple[int, ...]) -> DiffReport:
    return redraw_diff.diff(shared.workspace(), first, second)


def _layers(ws: Workspace, report: DiffReport, rows: gpd.GeoDataFrame, lang: Lang) -> list[MapLayer]:
    """The grids as they come to lie, and over them the outlines of those that end, amid the live ones."""
    heads = {"name": "col_name", "code": "col_code", "said": "col_happened"}
    popup = tuple(Field(column, t(f"redrawpage.{key}", lang)) for column, key in heads.items())
    live = ws.read("grids", columns=["name", "geometry"], where={"area_code": list(report.found.areas)})
    around = MapLayer("around", t("redrawpage.side_live", lang), live, Style(fill="#FFFFFF", opacity=0.7, line="#8B98A1"))
    ends = rows["happened"] == "retired"
    kept = gpd.GeoDataFrame(rows[["code", "name", "said", "happened"]], geometry=rows.geometry, crs=rows.crs)
    there = [kind for kind in _HAPPENED if (kept["happened"][~ends] == kind).any()]
    labels: dict[object, str] = {kind: t(f"redraw_figures.happened_{kind}", lang) for kind in there}
    look = categories("happened", labels, colours=[_HAPPENED[kind] for kind in there], base=_LOOK)
    layers = [around, MapLayer("changed", t("redrawpage.compare_map", lang), kept[~ends], look, popup, "name")]
    gone = Style(fill=_RETIRED, opacity=0.12, line=_RETIRED, width=2.5)
    if ends.any():
        layers.append(MapLayer("retired", t("redraw_figures.happened_retired", lang), kept[ends], gone, popup, "name"))
    return layers if not ends.all() else [around, layers[-1]]


def _file(report: DiffReport, ending: str, lang: Lang) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / f"diff{ending}"
        if ending == ".xlsx":
            report.write_xlsx(file, lang)
        else:
            report.write_map(file)
        return file.read_bytes()
