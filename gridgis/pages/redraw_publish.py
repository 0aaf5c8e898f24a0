"""The road of a plan into the live grids: approve, publish from a day on, base it anew after others' changes, give it up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import streamlit as st

from gridgis.errors import ConflictError, GridgisError
from gridgis.pages import redraw_state as state
from gridgis.pages import redraw_words, shared
from gridgis.store import Workspace
from gridgis.tasks import plans
from gridgis.text import day

_CONFLICT: Final = "rd_conflict"


def show(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    """The buttons, each with what it does; they wait for a name and a reason."""
    plan = desk.state.name
    st.caption(shared.say("redrawpage.publish_hint"))
    _approval(ws, desk, editable=editable)
    with st.container(horizontal=True, key="gp_rd_publish", vertical_alignment="bottom"):
        on = st.date_input(shared.say("redrawpage.publish_on"), value=shared.today(), key="rd_on", format="YYYY-MM-DD", width=200)
        with st.popover(shared.say("redrawpage.publish"), type="primary", disabled=not editable):
            st.markdown(shared.plain(_summary(desk, on)))
            if st.button(shared.say("redrawpage.publish_do"), type="primary", key="rd_publish", disabled=not editable):
                _step(plan, lambda: _publish(ws, plan, on))
        with st.popover(shared.say("redrawpage.discard"), disabled=not editable):
            st.markdown(shared.plain(shared.say("redrawpage.discard_hint", plan=plan)))
            if st.button(shared.say("redrawpage.discard_sure"), key="rd_discard", disabled=not editable):
                _step(plan, lambda: _discard(ws, plan))
    if st.session_state.get(_CONFLICT) == plan:
        st.info(shared.say("redrawpage.rebase_hint"), icon=":material/sync:")
        if st.button(shared.say("redrawpage.rebase"), key="rd_rebase", disabled=not editable):
            _step(plan, lambda: _rebase(ws, plan))


def _summary(desk: state.Desk, on: dt.date) -> str:
    """What publishing would change, in a sentence."""
    count = {"changed": 0, "new": 0, "retired": 0}
    for draft in desk.state.areas.values():
        for code in draft.changed:
            count["new" if code not in draft.taken else "changed" if code in draft.rows else "retired"] += 1
    return shared.say("redrawpage.publish_sure", plan=desk.state.name, date=day(on, shared.lang()), **count)


def _approval(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    if ws.settings().get(plans.APPROVAL) != "required":
        return
    if plans.approved(desk.state):
        who = next(entry.who for entry in reversed(desk.state.entries) if entry.kind == "approve")
        st.success(shared.plain(shared.say("redrawpage.approved", who=who)), icon=":material/verified:")
        return
    st.info(shared.say("redrawpage.approve_hint"), icon=":material/how_to_reg:")
    if st.button(shared.say("redrawpage.approve"), key="rd_approve", disabled=not editable):
        plan = desk.state.name
        _step(plan, lambda: _approve(ws, plan))


def _step(plan: str, work: Callable[[], str | None]) -> None:
    """Take one step, remember what to say about it and draw the page anew; a conflict offers to base the plan anew."""
    try:
        said = work()
    except ConflictError as error:
        st.session_state[_CONFLICT] = plan
        redraw_words.tell(error)
        return
    except GridgisError as error:
        redraw_words.tell(error)
        return
    st.session_state.pop(_CONFLICT, None)
    if said:
        state.tell(said)
    st.rerun()


def _approve(ws: Workspace, plan: str) -> str:
    who = shared.author()
    state.keep(plans.approve(ws, plan, who=who, why=state.reason()))
    return shared.say("redrawpage.approved", who=who)


def _publish(ws: Workspace, plan: str, on: dt.date) -> str:
    report = plans.publish(ws, plan, on=on, who=shared.author(), why=state.reason())
    return shared.say("redrawpage.published", plan=plan, date=day(report.on, shared.lang()))


def _discard(ws: Workspace, plan: str) -> str:
    plans.discard(ws, plan, who=shared.author(), why=state.reason())
    return shared.say("redrawpage.discarded", plan=plan)


def _rebase(ws: Workspace, plan: str) -> str:
    before = ws.plan_rev(plan)
    rested = plans.rebase(ws, plan, who=shared.author(), why=state.reason())
    state.keep(rested)
    codes = plans.renumbered(rested, since=before)
    told = [shared.say("redrawpage.renumbered", old=old, new=new) for old, new in codes.items()]
    return "\n\n".join([shared.say("redrawpage.rebased"), *told])
