"""All plans of the workspace, also those that are closed, and the way back from one that was published."""

from __future__ import annotations

import itertools

import pandas as pd
import streamlit as st

from gridgis.errors import GridgisError
from gridgis.pages import redraw_state, redraw_words, shared, tables
from gridgis.pages.tables import Column
from gridgis.store import PlanRow, Workspace
from gridgis.tasks import plans
from gridgis.text import Lang, t


def show(ws: Workspace, *, editable: bool) -> None:
    """Draw the list of plans and, where one was published, what takes it back."""
    found = ws.plans()
    st.html(listed(found, shared.lang()))
    published = [plan.name for plan in reversed(found) if plan.state == "published"]
    if published:
        _take_back(ws, published, {plan.name for plan in found}, editable=editable)


def listed(found: tuple[PlanRow, ...], lang: Lang) -> str:
    """Plans as a table, the latest on top.

    >>> "gp-table" in listed((), "en")
    True
    """
    rows = pd.DataFrame(
        [
            {
                "name": plan.name,
                "state": t(f"redrawpage.plan_{plan.state}", lang),
                "made": plan.created_at.astimezone().date(),
                "who": plan.created_by,
                "rev": plan.rev,
                "on": plan.published_on,
                "note": plan.note,
            }
            for plan in reversed(found)
        ],
        columns=["name", "state", "made", "who", "rev", "on", "note"],
        dtype=object,
    )
    columns = [
        Column("name", t("redrawpage.plan", lang), "name"),
        Column("state", t("redrawpage.col_state", lang), "name"),
        Column("made", t("redrawpage.col_made", lang), "date"),
        Column("who", t("redrawpage.col_who", lang), "name"),
        Column("rev", t("redrawpage.col_steps", lang), "int"),
        Column("on", t("redrawpage.publish_on", lang), "date"),
        Column("note", t("redrawpage.col_note", lang)),
    ]
    return tables.table(rows, columns, lang, height_px=260, label=t("redrawpage.part_plans", lang))


def _take_back(ws: Workspace, published: list[str], taken: set[str], *, editable: bool) -> None:
    with st.container(horizontal=True, key="gp_rd_revert", vertical_alignment="bottom"):
        plan = str(st.selectbox(shared.say("redrawpage.revert_which"), published, key="rd_revert_plan", width=260))
        # another key once there is another plan: what was open is closed
        with st.popover(shared.say("redrawpage.revert"), disabled=not editable, key=f"rd_revert_open_{len(taken)}"):
            st.markdown(shared.plain(shared.say("redrawpage.revert_sure", plan=plan)))
            into = st.text_input(shared.say("redrawpage.new_name"), value=_name(plan, taken), key=f"rd_revert_into_{plan}")
            ready = editable and bool(into.strip())
            if st.button(shared.say("redrawpage.revert_do"), type="primary", key="rd_revert", disabled=not ready):
                _revert(ws, plan, into.strip())
    if not editable:
        st.caption(shared.say("redrawpage.who_first"))


def _revert(ws: Workspace, plan: str, into: str) -> None:
    try:
        redraw_state.keep(plans.revert(ws, plan, into=into, who=shared.author(), why=redraw_state.reason()))
    except GridgisError as error:
        redraw_words.tell(error)
        return
    redraw_state.wish(into)
    redraw_state.tell(shared.say("redrawpage.reverted", plan=plan, into=into))
    st.rerun()


def _name(plan: str, taken: set[str]) -> str:
    """A name nobody gave yet for the plan that takes one back."""
    first = shared.say("redrawpage.revert_name", plan=plan)
    return next(name for number in itertools.count(1) if (name := first if number == 1 else f"{first} {number}") not in taken)
