"""What the planners' page keeps of proposals: the choices, the work under way, what came out, for each area of each plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from gridgis.errors import Cancelled, GridgisError
from gridgis.pages import jobs, shared
from gridgis.pages import propose_drawing as drawing
from gridgis.pages.propose_drawing import Asked, Drawn, Target
from gridgis.progress import Progress

JOB: Final = "propose"
_PREFIX: Final = "pp_"
_SAVED: Final = "propose_saved"
_OUTCOMES: Final = "propose_outcomes"
_UNDER_WAY: Final = "propose_under_way"
_KEPT: Final = 4
"""Proposals kept in a session; the oldest makes way."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "kind": "balance", "target_m2": 10_000, "weights": ["households"], "size": None, "k": None, "low": None, "high": None,
    "prefer": "", "stations": False, "barriers": [], "mix_villages": False, "exclaves": False, "seed": 1,
}  # fmt: skip
"""What is chosen before anybody chooses; None: it depends on the area."""


@dataclass(slots=True)
class Outcome:
    """What came of one drawing."""

    asked: Asked
    drawn: Drawn | None
    """None when nothing was drawn."""
    error: GridgisError | None = None
    """Why nothing was drawn."""
    unforeseen: str = ""
    """Likewise, for what nobody foresaw: a sentence with the number the log repeats."""
    near: tuple[float, float] | None = None
    """Bounds with which there is a plan, where those asked for have none."""
    stopped: bool = False
    """Whether the planner stopped it."""
    accepted: tuple[int, int] | None = None
    """Number of the step that put it into the draft, and which option it was."""
    serial: int = 0
    """Tells one drawing from the next."""
    which: int = 1
    """The option looked at."""


def target(plan: str, area: str) -> Target:
    """What a proposal drawn here and now is for."""
    url, file, _ = shared.stamp()
    return Target(url, file, plan, area)


def key(name: str) -> str:
    """The session key of a choice's widget."""
    return f"{_PREFIX}{name}"


def get(name: str) -> Any:
    """A choice as it stands."""
    return st.session_state.get(key(name), DEFAULTS.get(name))


def put(name: str, value: Any) -> None:
    """Set a choice from code, before its widget is drawn."""
    st.session_state[key(name)] = value


def recall(usual: Mapping[str, Any]) -> None:
    """Fill choices whose widgets were not on screen: with what was chosen before, else with what is usual in this area."""
    saved: dict[str, Any] = st.session_state.setdefault(_SAVED, {})
    for name, default in {**DEFAULTS, **usual}.items():
        if key(name) not in st.session_state:
            put(name, saved.get(name, default))


def remember(place: Target) -> None:
    """Keep the choices, for a widget's own key is forgotten while it is not on screen; sizes are those of the area."""
    names = [name.removeprefix(_PREFIX) for name in map(str, st.session_state) if name.startswith(_PREFIX)]
    st.session_state[_SAVED] = {name: get(name) for name in names} | {"place": place}


def saved(name: str, default: Any) -> Any:
    """A choice as it was when its widget was last on screen."""
    return st.session_state.get(_SAVED, {}).get(name, default)


def moved(place: Target, names: tuple[str, ...]) -> None:
    """Forget choices that depend on the area when another one is looked at."""
    saved: dict[str, Any] = st.session_state.get(_SAVED, {})
    if saved and saved.get("place") != place:
        for name in names:
            saved.pop(name, None)
            st.session_state.pop(key(name), None)


def start(asked: Asked, place: Target) -> None:
    """Begin to draw, beside the page."""
    st.session_state[_UNDER_WAY] = (asked, place)

    def work(progress: Progress) -> Drawn:
        return drawing.draw(asked, place, progress)

    jobs.start(JOB, work)


def under_way() -> Target | None:
    """What is being drawn for now."""
    known: tuple[Asked, Target] | None = st.session_state.get(_UNDER_WAY)
    return known[1] if known is not None and jobs.running(JOB) else None


def collect() -> None:
    """Take what a drawing that ended came to, and file it under what it was for."""
    job = jobs.finished(JOB)
    known: tuple[Asked, Target] | None = st.session_state.pop(_UNDER_WAY, None) if job is not None else None
    if job is None or known is None:
        return
    jobs.forget(JOB)
    asked, place = known
    outcomes: dict[tuple[Target, str], Outcome] = st.session_state.setdefault(_OUTCOMES, {})
    serial = max((one.serial for one in outcomes.values()), default=0) + 1
    outcomes.pop((place, asked.kind), None)
    outcomes[place, asked.kind] = _outcome(asked, job, serial)
    while len(outcomes) > _KEPT:
        outcomes.pop(next(iter(outcomes)))


def outcome(place: Target, kind: str) -> Outcome | None:
    """What came of the last drawing of a kind for an area of a plan in this session; None without one."""
    found: Outcome | None = st.session_state.get(_OUTCOMES, {}).get((place, kind))
    return found


def _outcome(asked: Asked, job: jobs.Job, serial: int) -> Outcome:
    error = job.error
    if error is None:
        return Outcome(asked, job.result, serial=serial)
    if isinstance(error, GridgisError):
        near = drawing.bounds_near(error.values)
        return Outcome(asked, None, error, near=near, stopped=isinstance(error, Cancelled), serial=serial)
    return Outcome(asked, None, unforeseen=shared.sentence(error), serial=serial)
