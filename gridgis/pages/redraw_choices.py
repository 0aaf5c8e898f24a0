"""What a planner chooses before drawing: plan, area, the range of households, who does it and why."""

from __future__ import annotations

import html

import streamlit as st

from gridgis.pages import redraw_plans, shared
from gridgis.pages import redraw_state as state
from gridgis.store import Workspace
from gridgis.tasks import plans

_KEPT = (state.AREA, state.AUTHOR, state.REASON, state.LOW, state.HIGH)


def first(ws: Workspace) -> None:
    """Without a draft: name one, or take a published plan back."""
    st.html(f'<p class="gp-lead">{html.escape(shared.say("redrawpage.no_plan"))}</p>')
    _recall()
    with st.container(border=True):
        with st.container(key="gp_pair_rd_signed"):
            one, two = st.columns(2, gap="small")
        one.text_input(shared.say("redrawpage.author"), key=state.AUTHOR)
        two.text_input(shared.say("redrawpage.reason"), key=state.REASON, placeholder=shared.say("redrawpage.reason_hint"))
        _new(ws)
    _remember()
    if ws.plans():
        st.html(f'<div class="gp-section"><h2>{html.escape(shared.say("redrawpage.part_plans"))}</h2></div>')
        redraw_plans.show(ws, editable=editable())


def choose(drafts: list[str]) -> tuple[str, str]:
    """Draw the choices; the plan's name and the area's code."""
    areas = state.areas(shared.stamp())
    names, counts = areas["name"].to_dict(), areas["count"].astype(int).to_dict()
    _recall()
    for key, value in state.DEFAULTS.items():
        st.session_state.setdefault(key, value)
    wanted = state.wished()
    if wanted in drafts:
        st.session_state[state.PLAN] = wanted
    if st.session_state.get(state.PLAN) not in drafts:
        st.session_state[state.PLAN] = drafts[0]
    with (
        st.container(border=True, key="gp_rd_choices"),
        st.container(horizontal=True, key="gp_rd_row", vertical_alignment="bottom", gap="small"),
    ):
        plan = st.selectbox(shared.say("redrawpage.plan"), drafts, key=state.PLAN, width=170)
        area = st.selectbox(
            shared.say("redrawpage.area"),
            list(areas.index),
            key=state.AREA,
            format_func=lambda code: shared.say("redrawpage.area_option", name=names[code], count=counts[code]),
            width=210,
        )
        st.number_input(shared.say("redrawpage.low"), min_value=0, max_value=100_000, step=50, key=state.LOW, width=112)
        st.number_input(shared.say("redrawpage.high"), min_value=0, max_value=100_000, step=50, key=state.HIGH, width=112)
        st.text_input(shared.say("redrawpage.author"), key=state.AUTHOR, width=130)
        hint = shared.say("redrawpage.reason_hint")
        st.text_input(shared.say("redrawpage.reason"), key=state.REASON, placeholder=hint, width="stretch")
        # another key once there is another plan: what was open is closed
        with st.popover(shared.say("redrawpage.new_plan"), key=f"rd_new_open_{len(shared.workspace().plans())}"):
            _new(shared.workspace())
    _remember()
    with st.container():
        if st.session_state[state.LOW] > st.session_state[state.HIGH]:
            st.warning(shared.say("redrawpage.range_swapped"), icon=":material/error:")
    return str(plan), str(area)


def editable() -> bool:
    """Whether somebody signs for what is done."""
    return all(str(st.session_state.get(key) or "").strip() for key in (state.AUTHOR, state.REASON))


def _new(ws: Workspace) -> None:
    with st.container(key="gp_pair_rd_new"):
        one, two = st.columns(2, gap="small")
    name = one.text_input(shared.say("redrawpage.new_name"), value=shared.say("redrawpage.default_name"), key="rd_new_name")
    note = two.text_input(shared.say("redrawpage.new_note"), key="rd_new_note")
    if st.button(shared.say("redrawpage.create"), type="primary", key="rd_create", disabled=not name.strip()):
        with shared.guarded():
            plans.create(ws, name.strip(), who=shared.author(), note=note.strip())
            state.wish(name.strip())
            st.rerun()


def _recall() -> None:
    """A widget's own key is forgotten on other pages; what was typed once is kept beside it."""
    for key in _KEPT:
        if key not in st.session_state and f"{key}_kept" in st.session_state:
            st.session_state[key] = st.session_state[f"{key}_kept"]


def _remember() -> None:
    for key in _KEPT:
        if key in st.session_state:
            st.session_state[f"{key}_kept"] = st.session_state[key]
