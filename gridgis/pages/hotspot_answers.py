"""Hot spots computed once per question: short work while the page waits, long work beside it with a bar and a way out."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Final, TypeVar, cast

import streamlit as st

from gridgis.errors import Cancelled
from gridgis.hotspots.emergence import EmergingResult
from gridgis.maps.opening import Kept
from gridgis.pages import jobs, shared
from gridgis.pages.answers import Stamp
from gridgis.progress import Progress
from gridgis.tasks import hotspot_incidents
from gridgis.tasks.hotspot_incidents import Archive
from gridgis.tasks.hotspot_views import Against, Earlier, HotSpots, Request, against, in_period, look, over_time

Value = TypeVar("Value")

_PATIENCE_S: Final = 3.0
"""So long a page waits for work before it shows how far it is."""
_BYTES_KEPT: Final = 512 * 2**20
_STOPPED: Final = "hs_stopped"


def _bytes(answer: object) -> int:
    """About how much memory an answer holds."""
    if isinstance(answer, HotSpots):
        return answer.cells.mask.size * 110 + answer.heat.values.nbytes + len(answer.row) * 64 + 4096
    if isinstance(answer, EmergingResult):
        return answer.counts.nbytes * 6 + 4096
    return 2**20


_answers: Kept[object] = Kept(_BYTES_KEPT, _bytes)


@st.cache_resource(show_spinner=False, max_entries=2)
def incidents(stamp: Stamp) -> Archive:
    """The incidents of the workspace."""
    return hotspot_incidents.read_incidents(shared.workspace())


@st.cache_resource(show_spinner=False, max_entries=2)
def zone(stamp: Stamp) -> str:
    """Where the workspace's hours are local."""
    return hotspot_incidents.time_zone(shared.workspace(), incidents(stamp))


def hot_spots(stamp: Stamp, request: Request) -> HotSpots | None:
    """The answer to a request; None while it is being made, with a bar on the page."""
    known = incidents(stamp)
    return _made((stamp, request), lambda progress: look(known, request, progress=progress))


def one_period(stamp: Stamp, whole: HotSpots, number: int) -> HotSpots:
    """The answer for one period alone."""
    known = incidents(stamp)
    question = (stamp, whole.request, "period", number)
    return cast("HotSpots", _answers.get_or_make(question, lambda: in_period(whole, number, known)))


def patterns(stamp: Stamp, whole: HotSpots) -> EmergingResult | None:
    """The patterns over time; None while they are being made."""
    return _made((stamp, whole.request, "emerging"), lambda progress: over_time(whole, progress=progress))


def earlier(stamp: Stamp, whole: HotSpots, wish: Earlier) -> Against | None:
    """The earlier period and what changed since."""
    if wish == "none":
        return None
    known = incidents(stamp)
    made = _answers.get_or_make((stamp, whole.request, wish), lambda: (against(known, whole, wish),))
    return made[0]  # type: ignore[index,no-any-return]


def _made(question: object, work: Callable[[Progress], Value]) -> Value | None:
    """What was made for a question before, or what is made now; None while it takes long."""
    found = _answers.get(question)
    if found is not None:
        return found  # type: ignore[return-value]
    name = f"hotspots_{abs(hash(question)):x}"
    job = jobs.finished(name)
    if job is None and not jobs.running(name):
        if st.session_state.get(_STOPPED) == name and not _again(name):
            return None
        job = jobs.start(name, lambda progress: _answers.get_or_make(question, lambda: work(progress)))
        with st.spinner(shared.say("hotspage.computing")):
            job.finished.wait(_PATIENCE_S)
    job = jobs.finished(name)
    if job is None:
        jobs.watch(name)
        return None
    jobs.forget(name)
    if isinstance(job.error, Cancelled):
        st.session_state[_STOPPED] = name
        _again(name)
        return None
    if job.error is not None:
        raise job.error
    return job.result  # type: ignore[no-any-return]


def _again(name: str) -> bool:
    """Say that the work was stopped; whether it shall begin anew."""
    st.html(f'<div class="gp-empty">{html.escape(shared.say("hotspage.stopped"))}</div>')
    wish = st.button(shared.say("hotspage.again"), key=f"again_{name}", type="primary", icon=":material/refresh:")
    if wish:
        st.session_state.pop(_STOPPED, None)
    return wish
