"""The planners' page: pick an area and a plan, redraw its grids, see the figures follow, publish."""

from __future__ import annotations

import html
from typing import Any, Final

import streamlit as st

from gridgis.errors import DataError, GridgisError
from gridgis.pages import chrome, redraw_choices, redraw_panel, redraw_repair, redraw_words, shared, welcome
from gridgis.pages import redraw_state as state
from gridgis.pages.redraw_choices import editable
from gridgis.redraw.figures import FREE
from gridgis.redraw.operations import from_json
from gridgis.redraw.refusal import Refused
from gridgis.store import Workspace
from gridgis.tasks import redrawing
from gridgis.tasks.redrawing import EditReport
from gridgis.text import percent
from gridgis.web.editor import Answer, View, grid_editor
from gridgis.web.editor_data import operation

_POLL_S: Final = 3.0
_HEIGHT: Final = 640
_NAMED: Final = 6
_STEPS: Final = ("undo", "redo", "lock", "unlock")


def show() -> None:
    """Draw the page."""
    if not welcome.ready():
        return
    chrome.title("redrawpage.title", "redrawpage.hint")
    ws = shared.workspace()
    if state.areas(shared.stamp()).empty:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("redrawpage.no_grids"))}</div>')
        return
    with st.container():  # always there: what stands below keeps its place, and the editor its zoom
        said = state.told()
        if said:
            st.success(shared.plain(said), icon=":material/check_circle:")
    drafts = [plan.name for plan in state.drafts(ws)]
    if not drafts:
        redraw_choices.first(ws)
        return
    plan, area = redraw_choices.choose(drafts)
    with st.container():
        if not editable():
            st.info(shared.say("redrawpage.who_first"), icon=":material/edit_note:")
    _edit(plan, area)
    _watch(plan)


@st.fragment
def _edit(plan: str, area: str) -> None:
    """The editor and what stands below it: an edit redraws these alone."""
    with shared.guarded():
        ws = shared.workspace()
        with st.spinner(shared.say("redrawpage.opening")):
            try:
                desk = state.desk(ws, plan, area)
            except DataError as error:
                if error.key != redraw_repair.NEEDED:
                    raise
                redraw_repair.offer(ws, plan, area, refused=error, editable=editable())
                return
            guides, _ = state.guides(shared.stamp(), area)
        grid_editor(
            View(
                key=f"{plan}\n{area}",
                rev=desk.state.rev,
                ground=desk.ground,
                guides=guides,
                tally=state.tally(shared.stamp(), area),
                figures=desk.rows(),
                totals=_totals(desk),
                balance=(st.session_state.get(state.LOW, 300), st.session_state.get(state.HIGH, 500)),
                locked=[code for code in desk.now.codes if code in desk.state.locked],
                changed=desk.draft.changed,
                editable=editable(),
                undo=bool(desk.state.done),
                redo=bool(desk.state.undone),
                answer=state.answer(),
                notice=shared.say("general.synthetic") if ws.info.synthetic else None,
            ),
            key=state.EDITOR,
            lang=shared.lang(),
            on_operation=_operate,
            height=_HEIGHT,
        )
        redraw_panel.show(ws, desk, editable=editable())


@st.fragment(run_every=_POLL_S)
def _watch(plan: str) -> None:
    """Look now and then whether somebody else changed the plan; only then is the page drawn anew."""
    shown = state.shown_rev(plan)
    try:
        moved = shown is not None and shared.workspace().plan_rev(plan) != shown
    except GridgisError:
        return  # the page itself meets the same error and says it
    if moved:
        st.rerun()


def _operate() -> None:
    """Do what the planner asked for; the answer travels with the next look."""
    asked = st.session_state[state.EDITOR].op
    desk = state.shown()
    if not asked or desk is None or not editable():
        return
    with shared.guarded():
        state.answered(_answer(shared.workspace(), desk, asked))


def _answer(ws: Workspace, desk: state.Desk, asked: dict[str, Any]) -> Answer:
    mark = str(asked.get("n"))
    try:
        done = _do(ws, desk, asked)
    except Refused as refusal:
        place = None if refusal.bounds is None else desk.ground.degrees(refusal.bounds)
        return Answer(mark, False, refusal.message(shared.lang()), place)
    except GridgisError as error:
        return Answer(mark, False, redraw_words.sentence(error, shared.lang()))
    return Answer(mark, True, *done)


def _do(ws: Workspace, desk: state.Desk, asked: dict[str, Any]) -> tuple[str, None, list[str] | None]:
    """Do one thing; what is said about it, no place, and what to select."""
    plan, what, rev = desk.state.name, str(asked.get("do")), int(asked.get("rev") or 0)
    signed: dict[str, Any] = {"plan": plan, "who": shared.author(), "why": state.reason(), "rev": rev}
    if what in _STEPS:
        if what in ("undo", "redo"):
            state.keep((redrawing.undo if what == "undo" else redrawing.redo)(ws, **signed))
        else:
            state.keep(redrawing.lock(ws, [str(code) for code in asked["grids"]], on=what == "lock", **signed))
        return shared.say(f"redrawpage.done_{what}"), None, None
    area, stamp = desk.now.area, shared.stamp()
    _, cells = state.guides(stamp, area)
    op = from_json(operation(desk.ground, asked, cells=dict(cells.geometry)))
    report = redrawing.edit(ws, op, area=area, state=desk.state, facts=state.facts(stamp, area), **signed)
    state.keep_edit(report)
    changed = [code for code, role in report.roles.items() if role != "touched"]
    named = (
        ""
        if len(changed) > _NAMED
        else shared.say("redrawpage.done_grids", names=", ".join(_name(desk, report, code) for code in changed))
    )
    words = " ".join([shared.say("redrawpage.done", rev=report.rev, changed=named).strip(), *report.messages(shared.lang())])
    new = [code for code, role in report.roles.items() if role == "created"]
    return words, None, new or None


def _name(desk: state.Desk, report: EditReport, code: str) -> str:
    """What a grid is called, also one that is gone."""
    rows = {**desk.draft.rows, **report.state.areas[report.area].rows}
    return str(rows.get(code, {}).get("name") or code)


def _totals(desk: state.Desk) -> list[tuple[str, str, str | None]]:
    """Figures of the whole area, each with what the plan changed of it."""

    def shares(table: Any, column: str) -> float | None:
        total = table[column].sum(min_count=1)
        held = table.drop(index=FREE, errors="ignore")[column].sum(min_count=1)
        return float(held / total) if total and total == total else None

    rows: list[tuple[str, str, str | None]] = []
    for name, column in (("total_area", "area_m2"), ("total_people", "population")):
        before, now = shares(desk.before, column), shares(desk.figures, column)
        moved = None if before is None or now is None or percent(before) == percent(now) else f"{percent(before)} →"
        rows.append((shared.say(f"redrawpage.{name}"), percent(now), moved))
    count = len(desk.now.codes)
    more = count - len(desk.base.codes)
    rows.append((shared.say("redrawpage.total_grids"), shared.number(count), _signed(more)))
    for column in ("households", "population", "incidents"):
        before_sum, now_sum = (_sum(table, column) for table in (desk.before, desk.figures))
        change = None if before_sum is None or now_sum is None else now_sum - before_sum
        rows.append((shared.say(f"redrawpage.total_{column}"), shared.number(now_sum), _signed(change)))
    return rows


def _sum(table: Any, column: str) -> float | None:
    total = table.drop(index=FREE, errors="ignore")[column].sum(min_count=1)
    return None if total != total else float(total)


def _signed(change: float | None) -> str | None:
    if not change:
        return None
    return f"{'+' if change > 0 else '−'}{shared.number(abs(change))}"
