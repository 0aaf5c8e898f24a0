"""What a page shows before there is anything to show: make a workspace, then what to import first."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

import gridgis
from gridgis.pages import chrome, jobs, shared
from gridgis.store import Workspace
from gridgis.tasks import demo

_STEPS: Final = ("areas", "grids", "stations", "buildings")
_JOB: Final = "demo"


def ready(ws_layers: Sequence[str] = ()) -> bool:
    """Whether the workspace is there and none of the layers is empty; else says what to do and returns False."""
    if not shared.workspace_exists():
        _create()
        return False
    ws = shared.workspace()
    if all(ws.count(layer) for layer in ws_layers):
        return True
    _empty(ws)
    return False


def _create() -> None:
    chrome.title("pages.welcome_title")
    file = Path(shared.workspace_url()).name
    st.html(f'<p class="gp-lead">{html.escape(shared.say("pages.welcome_hint", file=file))}</p>')
    _finish()
    busy = jobs.running(_JOB)
    left, right = st.columns(2, gap="medium")
    with left.container(border=True, height="stretch"):
        st.html(f"<p>{html.escape(shared.say('pages.welcome_sample_hint'))}</p>")
        if st.button(shared.say("pages.welcome_sample"), type="primary", key="make_sample", disabled=busy):
            url = shared.workspace_url()
            jobs.start(_JOB, lambda progress: demo.build_demo(url, progress=progress).close())
            st.rerun()
    with right.container(border=True, height="stretch"):
        st.html(f"<p>{html.escape(shared.say('pages.welcome_new_hint'))}</p>")
        name = st.text_input(
            shared.say("pages.welcome_name"), key="new_name", placeholder=shared.say("pages.welcome_name_placeholder")
        )
        if st.button(shared.say("pages.welcome_new"), key="make_empty", disabled=busy):
            gridgis.create_workspace(shared.workspace_url(), name=name.strip()).close()
            st.rerun()
    jobs.watch(_JOB)


def _finish() -> None:
    job = jobs.finished(_JOB)
    if job is None:
        return
    jobs.forget(_JOB)
    if job.error is not None:
        shared.tell(job.error)
    else:
        st.rerun()


def _empty(ws: Workspace) -> None:
    chrome.title("pages.empty_title")
    st.html(f'<p class="gp-lead">{html.escape(shared.say("pages.empty_hint"))}</p>')
    rows = []
    for number, layer in enumerate(_STEPS, start=1):
        count = ws.count(layer)
        state = shared.say("pages.have", count=shared.number(count)) if count else shared.say("pages.have_none")
        words = html.escape(shared.say(f"pages.empty_{layer}"))
        rows.append(
            f'<li class="{"done" if count else "todo"}"><b>{number}</b><span>{words}</span><em>{html.escape(state)}</em></li>'
        )
    st.html(f'<ol class="gp-steps">{"".join(rows)}</ol>')
    if st.button(shared.say("pages.empty_go"), type="primary", key="go_import", icon=":material/upload_file:"):
        shared.go("data")
