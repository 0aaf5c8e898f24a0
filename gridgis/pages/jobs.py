"""Long work beside the page: a thread with progress and a cancel button, so that a click elsewhere does not kill it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from gridgis.errors import Cancelled
from gridgis.pages import shared
from gridgis.progress import Progress


@dataclass(slots=True)
class Job:
    """One piece of work: what it is, how far it is, and what came out."""

    stage: str = ""
    """Message key of the stage it is in; empty before the first."""
    done: int = 0
    total: int = 0
    result: Any = None
    """What the work returned; None while it runs or when it failed."""
    error: BaseException | None = None
    told: bool = False
    """Whether the page has taken note that it ended."""
    finished: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def listen(self, stage: str, done: int, total: int) -> None:
        """The progress listener given to the work; it carries the wish to stop."""
        if self.stop.is_set():
            raise Cancelled
        self.stage, self.done, self.total = stage, done, total

    def run(self, work: Callable[[Progress], object]) -> None:
        """Do the work and keep its result or its error."""
        try:
            self.result = work(self.listen)
        except Exception as error:  # the thread's outermost door: the page shows it
            self.error = error
        finally:
            self.finished.set()


def start(name: str, work: Callable[[Progress], object]) -> Job:
    """Begin `work(progress)` in a thread of its own; it opens its own workspace, for connections belong to one thread."""
    job = Job()
    st.session_state[_slot(name)] = job
    thread = threading.Thread(target=job.run, args=(work,), name=f"gridgis-{name}", daemon=True)
    add_script_run_ctx(thread, get_script_run_ctx())
    thread.start()
    return job


def running(name: str) -> bool:
    """Whether work of that name is under way in this session."""
    job = st.session_state.get(_slot(name))
    return job is not None and not job.finished.is_set()


def finished(name: str) -> Job | None:
    """The work of that name once it has ended; None before."""
    job: Job | None = st.session_state.get(_slot(name))
    if job is None or not job.finished.is_set():
        return None
    job.told = True
    return job


def forget(name: str) -> None:
    """Clear away work that has been shown."""
    st.session_state.pop(_slot(name), None)


def watch(name: str) -> None:
    """While work runs: a bar, its stage and a cancel button, refreshed without redrawing the page.

    To be called after `finished`: work that ended between the two calls has the page drawn again.
    """
    job: Job | None = st.session_state.get(_slot(name))
    if job is None or job.told:
        return
    if job.finished.is_set():
        st.rerun()
    _bar(name)


@st.fragment(run_every=0.5)
def _bar(name: str) -> None:
    job: Job | None = st.session_state.get(_slot(name))
    if job is None or job.finished.is_set():
        st.rerun()
        return
    words = shared.say(job.stage) if job.stage else shared.say("pages.working")
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    with st.container(horizontal=True, key=f"gp_job_{name}", vertical_alignment="center"):
        st.progress(share, text=words)
        if st.button(shared.say("pages.cancel"), key=f"cancel_{name}", disabled=job.stop.is_set()):
            job.stop.set()


def _slot(name: str) -> str:
    return f"job_{name}"
