"""The grids page: build unit grids and natural villages, look at their codes, areas and map."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Final, TypedDict

import streamlit as st

import gridgis
from gridgis.codes import CellCode
from gridgis.pages import answers, charts, chrome, drawing, jobs, shared, tables, welcome
from gridgis.pages.tables import Column
from gridgis.progress import Progress
from gridgis.store import Workspace
from gridgis.tasks import gridding, settlements

_SHOWN: Final = 200
_CODES: Final[tuple[CellCode, ...]] = ("15", "long")
_UNDER: Final = ("water", "areas", "roads")


class Told(TypedDict):
    """What every build is told besides its numbers."""

    who: str
    why: str
    progress: Progress


def show() -> None:
    """Draw the page."""
    if not welcome.ready():
        return
    chrome.title("gridpage.title", "gridpage.hint")
    part = st.segmented_control(
        shared.say("gridpage.title"),
        ("cells", "villages"),
        format_func=lambda name: shared.say(f"gridpage.part_{name}"),
        default="cells",
        required=True,
        key="grid_part",
        label_visibility="collapsed",
    )
    if part == "villages":
        _villages()
    else:
        _cells()


def _cells() -> None:
    ws = shared.workspace()
    st.html(f'<p class="gp-lead">{html.escape(shared.say("gridpage.cells_hint"))}</p>')
    if not ws.count("areas"):
        _missing("gridpage.need_areas")
        return
    one, two = st.columns([1, 2], gap="medium")
    cell_m = one.number_input(shared.say("gridpage.cell_m"), min_value=20, max_value=1000, value=100, step=10, key="cell_m")
    code = two.selectbox(
        shared.say("gridpage.code"), _CODES, format_func=lambda kind: shared.say(f"gridpage.code_{kind}"), key="cell_code"
    )
    count = ws.count("unit_cells")
    _build("cells", count, lambda ws, told: gridding.build_unit_grids(ws, cell_m=int(cell_m), code=code, **told))
    if count:
        _cell_figures(count)
    else:
        _missing("gridpage.none_cells")


def _villages() -> None:
    ws = shared.workspace()
    st.html(f'<p class="gp-lead">{html.escape(shared.say("gridpage.villages_hint"))}</p>')
    if not ws.count("buildings"):
        _missing("gridpage.need_buildings")
        return
    one, two = st.columns(2, gap="medium")
    distance_m = one.number_input(
        shared.say("gridpage.distance_m"), min_value=1.0, max_value=500.0, value=50.0, step=5.0, format="%g", key="distance_m"
    )
    least = two.number_input(
        shared.say("gridpage.min_buildings"), min_value=1, max_value=1000, value=5, step=1, key="min_buildings"
    )
    count = ws.count("natural_villages")
    _build(
        "villages",
        count,
        lambda ws, told: settlements.build_natural_villages(ws, distance_m=float(distance_m), min_buildings=int(least), **told),
    )
    if count:
        _village_figures(count)
    else:
        _missing("gridpage.none_villages")


def _build(kind: str, count: int, work: Callable[[Workspace, Told], object]) -> None:
    """The build button, its progress and its outcome."""
    label = shared.say(f"gridpage.rebuild_{kind}", count=shared.number(count)) if count else shared.say(f"gridpage.build_{kind}")
    if st.button(label, key=f"build_{kind}", type="primary", disabled=jobs.running(kind), icon=":material/grid_on:"):
        url, who, why = shared.workspace_url(), shared.author(), shared.say("gridpage.why")

        def task(progress: Progress) -> float:
            begun = time.monotonic()
            with gridgis.open_workspace(url) as ws:
                work(ws, {"who": who, "why": why, "progress": progress})
            return time.monotonic() - begun

        jobs.start(kind, task)
        st.rerun()
    job = jobs.finished(kind)
    jobs.watch(kind)
    if job is None:
        return
    if job.error is not None:
        shared.tell(job.error)
    else:
        words = shared.say(f"gridpage.done_{kind}", count=shared.number(count), seconds=shared.number(job.result, digits=1))
        st.success(words, icon=":material/check_circle:")


def _cell_figures(count: int) -> None:
    lang = shared.lang()
    spread = answers.cell_areas(shared.stamp())
    st.html(
        tables.figures(
            (
                (shared.say("gridpage.figure_count"), shared.number(count)),
                (shared.say("gridpage.figure_median"), f"{shared.number(spread.median_m2)} m²"),
                (shared.say("gridpage.figure_within"), tables.value_text(spread.within, "percent", lang, digits=2)),
                (shared.say("gridpage.figure_total"), f"{shared.number(spread.total_m2 / 1e6, digits=2)} km²"),
            )
        )
    )
    with st.container(key="gp_stack_figures"):
        left, right = st.columns([1.45, 1], gap="medium")
    with left:
        chrome.section("gridpage.map")
        _map("unit_cells")
    with right:
        chrome.section("gridpage.histogram")
        label = shared.say("gridpage.histogram_label")
        st.html(charts.as_picture(charts.histogram(spread.edges, spread.counts, label=label, unit="m²"), label, small=True))
        chrome.section("gridpage.codes")
        wanted = st.text_input(
            shared.say("gridpage.filter_code"), key="cell_filter", placeholder=shared.say("gridpage.filter_placeholder")
        )
        found = spread.find(wanted)
        st.caption(
            shared.say("gridpage.codes_hint", shown=shared.number(min(_SHOWN, len(found))), count=shared.number(len(found)))
        )
        columns = [
            Column("code", shared.say("datapage.column_code"), "code"),
            Column("area_m2", shared.say("datapage.column_area_m2"), "number", digits=0),
        ]
        st.html(tables.table(found.head(_SHOWN), columns, lang, height_px=260, label=shared.say("gridpage.codes")))


def _village_figures(count: int) -> None:
    lang = shared.lang()
    frame = answers.villages(shared.stamp())
    st.html(
        tables.figures(
            (
                (shared.say("gridpage.figure_villages"), shared.number(count)),
                (shared.say("gridpage.figure_buildings"), shared.number(frame["buildings"].sum(min_count=1))),
                (shared.say("gridpage.figure_people"), shared.number(frame["population"].sum(min_count=1))),
            )
        )
    )
    with st.container(key="gp_stack_figures"):
        left, right = st.columns([1.45, 1], gap="medium")
    with left:
        chrome.section("gridpage.map")
        _map("natural_villages", "buildings")
    with right:
        chrome.section("gridpage.part_villages")
        columns = [
            Column("name", shared.say("datapage.column_name")),
            Column("area_name", shared.say("datapage.column_area_code")),
            Column("buildings", shared.say("datapage.column_buildings"), "int"),
            Column("population", shared.say("datapage.column_population"), "int"),
        ]
        st.html(tables.table(frame, columns, lang, height_px=520, label=shared.say("gridpage.part_villages")))


def _map(*layers: str) -> None:
    ws = shared.workspace()
    names = [name for name in (*_UNDER, *layers) if ws.count(name)]
    drawn = [drawing.workspace_layer(ws.url, name, ws.revision, shared.lang()) for name in names]
    chrome.plot(drawn, key=f"grids_map_{layers[0]}", height=560)


def _missing(key: str) -> None:
    st.html(f'<div class="gp-empty">{html.escape(shared.say(key))}</div>')
