"""Grids that draw themselves, on the planners' page: ask, watch, compare proposals, take one into the draft."""

from __future__ import annotations

import functools
import html
from typing import Final

import streamlit as st

from gridgis.errors import ConflictError, GridgisError
from gridgis.maps import MapLayer
from gridgis.pages import chrome, jobs, propose_files, propose_form, propose_views, redraw_state, shared
from gridgis.pages import drawing as looks
from gridgis.pages import propose_drawing as drawing
from gridgis.pages import propose_state as kept
from gridgis.pages.propose_drawing import KINDS, Drawn
from gridgis.pages.propose_state import Outcome
from gridgis.pages.propose_words import sentence
from gridgis.store import Workspace
from gridgis.web.chooser import chooser

_STALE: Final = "redrawing.proposal_stale"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAP_HEIGHT: Final = 520


@st.fragment
def show(ws: Workspace, desk: redraw_state.Desk, *, editable: bool) -> None:
    """Draw the part: what is wanted, how far the work is, what came out. A click here draws this part alone anew."""
    with shared.guarded():
        place = kept.target(desk.state.name, desk.now.area)
        kept.collect()
        kept.moved(place, propose_form.local())
        kept.recall(propose_form.usual(ws, desk))
        kind = st.segmented_control(
            shared.say("proposepage.kind"),
            KINDS,
            format_func=lambda name: shared.say(f"proposepage.kind_{name}"),
            key=kept.key("kind"),
            required=True,
            label_visibility="collapsed",
        )
        kind = kind or KINDS[0]
        st.html(f'<p class="gp-lead">{html.escape(shared.say(f"proposepage.lead_{kind}"))}</p>')
        _locked(desk, kind)
        _ask(ws, desk, place, kind)
        kept.remember(place)
        _progress(place)
        found = kept.outcome(place, kind)
        if found is not None and kept.under_way() != place:
            _outcome(ws, desk, found, place)


def _ask(ws: Workspace, desk: redraw_state.Desk, place: drawing.Target, kind: str) -> None:
    if kind == "block":
        if not ws.count("roads"):
            st.html(f'<div class="gp-empty">{html.escape(shared.say("proposepage.no_roads"))}</div>')
            return
        asked, pressed = propose_form.block(desk)
    else:
        asked, pressed = propose_form.balance(ws, desk)
    if pressed:
        kept.start(asked, place)
        st.rerun()


def _locked(desk: redraw_state.Desk, kind: str) -> None:
    """Say what becomes of locked grids, where there are any."""
    locked = [code for code in desk.now.codes if code in desk.state.locked]
    if locked:
        names = [str(desk.draft.rows[code].get("name") or code) for code in locked[:8]] + ["…"] * (len(locked) > 8)
        words = shared.say(f"proposepage.locked_{kind}", grids=shared.say("proposepage.and").join(names))
        st.info(shared.plain(words), icon=":material/lock:")


def _progress(place: drawing.Target) -> None:
    """The bar while something is drawn; it may be for another area than the one looked at."""
    busy = kept.under_way()
    if busy is not None and busy != place:
        st.caption(shared.plain(shared.say("proposepage.elsewhere", area=busy.area, plan=busy.plan)))
    jobs.watch(kept.JOB)


def _outcome(ws: Workspace, desk: redraw_state.Desk, found: Outcome, place: drawing.Target) -> None:
    if found.stopped:
        st.info(shared.say("proposepage.stopped"), icon=":material/cancel:")
    elif found.error is not None or found.unforeseen:
        _refused(found, place, whole=not any(code in desk.state.locked for code in desk.now.codes))
    elif found.drawn is not None:
        _drawn(ws, desk, found, found.drawn)


def _refused(found: Outcome, place: drawing.Target, *, whole: bool) -> None:
    """Why nothing was drawn; where other bounds have a plan, the button that asks for them."""
    name = str(redraw_state.areas(shared.stamp())["name"].get(place.area) or place.area) if whole else None
    words = found.unforeseen if found.error is None else shared.plain(sentence(found.error, shared.lang(), place=name))
    st.error(words, icon=":material/error:")
    asked = found.asked
    if found.near is None or found.near == (asked.low, asked.high):
        return
    low, high = found.near

    def again() -> None:
        propose_form.take_over(low, high)
        kept.start(drawing.with_bounds(asked, low, high), place)

    ends = [shared.number(end, digits=0 if end.is_integer() else 2) for end in found.near]
    label = shared.say("proposepage.take_near", low=ends[0], high=ends[1])
    st.button(label, key="propose_near", on_click=again, icon=":material/straighten:")


def _drawn(ws: Workspace, desk: redraw_state.Desk, found: Outcome, drawn: Drawn) -> None:
    lang = shared.lang()
    key, values = _summary(drawn)
    chrome.section("proposepage.result", key, **values)
    _standing(desk, found, drawn)
    if len(drawn.options) > 1 or drawn.today is not None:
        key = f"propose_chooser_{found.serial}"
        chooser(propose_views.chooser(drawn, found.which, lang), key=key, on_pick=functools.partial(_pick, found, key))
    option = drawn.option(found.which)
    if len(drawn.options) > 1:
        taste = "" if option.score is None else shared.say(f"balancing.taste_{option.score.taste}")
        chrome.section("proposepage.chosen", "proposepage.chosen_line", number=found.which, taste=taste)
    st.html(propose_views.figures(drawn, option, lang))
    frame = propose_views.shown(drawn, option, lang)
    with st.container(key="gp_stack_propose"):
        left, right = st.columns([1.35, 1], gap="medium")
    with left:
        chrome.section("proposepage.map")
        layers = propose_views.layers(drawn, frame, lang, under=_under(ws))
        chrome.plot(layers, key=f"propose_map_{drawn.asked.kind}", height=_MAP_HEIGHT, bounds=propose_views.opening(drawn))
    with right:
        chrome.section("proposepage.sheet")
        st.html(propose_views.rules(drawn, option, lang))
        st.html(propose_views.changes(drawn, option, lang))
    _accepting(ws, desk, found, drawn)
    if drawn.classes is not None:
        chrome.section("proposepage.classes")
        st.html(propose_views.classes(drawn, lang))
    chrome.section("proposepage.table")
    note = propose_views.table_note(frame, lang)
    if note:
        st.caption(note)
    st.html(propose_views.table(drawn, frame, lang))
    _downloads(ws, drawn, found.which)


def _summary(drawn: Drawn) -> tuple[str, dict[str, object]]:
    """What was drawn from what: a message and its values."""
    asked = drawn.asked
    values: dict[str, object] = {"seconds": shared.number(drawn.seconds, digits=1), "rev": drawn.rev}
    if asked.kind == "block":
        return "proposepage.summary_block", values | {"cells": len(drawn.option(1).grids)}
    names = [
        shared.say(f"proposepage.weight_{name}") + ("" if factor == 1 else f" × {factor:g}") for name, factor in asked.weights
    ]
    units = shared.say(f"proposepage.of_{asked.units}", count=drawn.units)
    return "proposepage.summary_balance", values | {"count": len(drawn.options), "units": units, "weights": " + ".join(names)}


def _standing(desk: redraw_state.Desk, found: Outcome, drawn: Drawn) -> None:
    """Whether the proposal still fits the draft: taken, or drawn on a state that is past."""
    step, number = found.accepted or (None, 0)
    if step in desk.state.done:
        st.success(shared.say("proposepage.is_in", number=number, step=step), icon=":material/check_circle:")
    elif step is not None:
        st.info(shared.say("proposepage.taken_back", number=number), icon=":material/undo:")
    if desk.state.rev == drawn.rev:
        return
    if step is None:
        words = shared.say("proposepage.stale", drawn=drawn.rev, now=desk.state.rev)
        st.warning(words, icon=":material/update:")
    again = functools.partial(kept.start, drawn.asked, drawn.target)
    st.button(
        shared.say("proposepage.again"), key="propose_again", on_click=again, disabled=kept.under_way() is not None,
        icon=":material/refresh:",
    )  # fmt: skip


def _pick(found: Outcome, key: str) -> None:
    """Look at the proposal that was clicked."""
    picked = st.session_state[key].picked
    if picked and found.drawn is not None and 1 <= int(picked) <= len(found.drawn.options):
        found.which = int(picked)


def _accepting(ws: Workspace, desk: redraw_state.Desk, found: Outcome, drawn: Drawn) -> None:
    """The button that takes the option into the draft, with its reason."""
    if desk.state.rev != drawn.rev:
        return
    usual = redraw_state.reason()
    with st.container(horizontal=True, key="gp_pp_accept", vertical_alignment="bottom", border=True):
        why = st.text_input(
            shared.say("proposepage.reason"), value=usual, key=f"propose_why_{found.serial}", width="stretch",
            placeholder=shared.say("proposepage.reason_hint"),
        )  # fmt: skip
        several = len(drawn.options) > 1
        label = shared.say("proposepage.accept_number" if several else "proposepage.accept", number=found.which)
        ready = bool(why.strip()) and bool(str(st.session_state.get(redraw_state.AUTHOR) or "").strip())
        if st.button(label, type="primary", key="propose_accept", disabled=not ready, icon=":material/task_alt:"):
            _accept(ws, found, drawn, why.strip())
    st.caption(shared.say("proposepage.accept_hint" if ready else "redrawpage.who_first"))


def _accept(ws: Workspace, found: Outcome, drawn: Drawn, why: str) -> None:
    try:
        state = drawing.accept(ws, drawn, which=found.which, who=shared.author(), why=why)
    except ConflictError as error:
        words = shared.say("proposepage.stale_now") if error.key == _STALE else shared.plain(sentence(error, shared.lang()))
        st.warning(words, icon=":material/update:")
        again = functools.partial(kept.start, drawn.asked, drawn.target)
        st.button(shared.say("proposepage.again"), key="propose_again_now", on_click=again, icon=":material/refresh:")
        return
    except GridgisError as error:
        st.error(shared.plain(sentence(error, shared.lang())), icon=":material/error:")
        return
    redraw_state.keep(state)
    found.accepted = (state.rev, found.which)
    count = len(drawn.option(found.which).grids)
    redraw_state.tell(shared.say("proposepage.accepted", count=count, step=state.rev))
    st.rerun()


def _downloads(ws: Workspace, drawn: Drawn, which: int) -> None:
    lang, synthetic = shared.lang(), ws.info.synthetic
    plan = "".join(letter for letter in drawn.target.plan if letter.isalnum() or letter in " -_") or drawn.target.area
    stem = shared.say("proposepage.file_stem", area=drawn.target.area, plan=plan, number=which)
    made = {
        "xlsx": (_XLSX, functools.partial(propose_files.workbook, drawn, which, lang, synthetic=synthetic)),
        "gpkg": (None, functools.partial(propose_files.shapes, drawn, which, ".gpkg", synthetic=synthetic)),
        "geojson": (None, functools.partial(propose_files.shapes, drawn, which, ".geojson", synthetic=synthetic)),
    }
    with st.container(horizontal=True, key="gp_downloads_pp"):
        for ending, (media, data) in made.items():
            st.download_button(
                shared.say(f"proposepage.download_{ending}"), data=data, file_name=f"{stem}.{ending}", mime=media,
                key=f"propose_{ending}", icon=":material/download:",
            )  # fmt: skip


def _under(ws: Workspace) -> list[MapLayer]:
    there = [name for name in ("water", "roads") if ws.count(name)]
    return looks.surroundings(ws.url, there, ws.revision, shared.lang())
