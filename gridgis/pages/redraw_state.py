"""What the planners' page keeps of a plan: its state at a revision, the figures of the area on screen, the last answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import pandas as pd
import pyproj
import shapely
import streamlit as st

from gridgis.maps.opening import Kept
from gridgis.pages import shared
from gridgis.pages.answers import Stamp
from gridgis.redraw.figures import FREE, Facts, figures
from gridgis.redraw.partition import Partition
from gridgis.store import PlanRow, Workspace
from gridgis.tasks import plan_state
from gridgis.tasks.plan_state import AreaDraft, PlanState
from gridgis.tasks.redrawing import EditReport
from gridgis.web.editor import Answer
from gridgis.web.editor_data import Ground, Guides, Tally, ground_of, make_guides, make_tally

PLAN: Final = "rd_plan"
AREA: Final = "rd_area"
LOW: Final = "rd_low"
HIGH: Final = "rd_high"
REASON: Final = "rd_reason"
AUTHOR: Final = "author"
EDITOR: Final = "rd_editor"
_ANSWER: Final = "rd_answer"
_SHOWN: Final = "rd_shown"
_SHOWN_REV: Final = "rd_shown_rev"
_TOLD: Final = "rd_told"
_WISH: Final = "rd_plan_wanted"
_COLUMNS: Final = ("households", "population", "incidents", "area_m2")
DEFAULTS: Final[Mapping[str, int]] = {LOW: 300, HIGH: 500}


@dataclass(frozen=True, slots=True)
class Desk:
    """One area of one plan as it lies before the planner."""

    state: PlanState
    """The plan at `state.rev`."""
    base: Partition
    """The area as the plan found it."""
    now: Partition
    """The area as the plan has it."""
    ground: Ground
    """`now` for the browser; names of vertices in operations are its."""
    before: pd.DataFrame
    """Figures of `base`."""
    figures: pd.DataFrame
    """Figures of `now`."""
    draft: AreaDraft
    """The area in the plan, or as it stands live where the plan has not touched it."""

    def rows(self) -> dict[str, dict[str, float | None]]:
        """Figures by code for the editor; None where nothing is known."""
        table = self.figures.drop(index=FREE, errors="ignore")[list(_COLUMNS)]
        known = table.astype(object).where(table.notna(), None)
        return {str(code): dict(zip(_COLUMNS, row, strict=True)) for code, row in zip(known.index, known.to_numpy(), strict=True)}


# shared by all sessions of this process: planners who look at the same plan at the same revision see the same values
_STATES: Final[Kept[PlanState]] = Kept(12, lambda _: 1)
_AFTER: Final[Kept[pd.DataFrame]] = Kept(12, lambda _: 1)
_DESKS: Final[Kept[Desk]] = Kept(12, lambda _: 1)


def areas(stamp: Stamp) -> pd.DataFrame:
    """Areas that can be redrawn, index = code: `name`, `count` of grids; those with grids, and those with no area below."""
    return _areas(stamp)


@st.cache_resource(show_spinner=False, max_entries=2)
def _areas(stamp: Stamp) -> pd.DataFrame:
    ws = shared.workspace()
    grids = ws.read("grids", columns=["area_code", "state"])
    count = grids.loc[grids["state"] != "void", "area_code"].value_counts()
    rows = ws.read("areas", columns=["name", "parent"])
    table = pd.DataFrame({"name": rows["name"], "count": count.reindex(rows.index)})
    bounded = ~(rows.geometry.isna() | rows.geometry.is_empty)
    return table[table["count"].notna() | (bounded & ~rows.index.isin(rows["parent"]))].fillna({"count": 0}).sort_index()


def drafts(ws: Workspace) -> list[PlanRow]:
    """Plans that can be edited, the latest first."""
    return [plan for plan in reversed(ws.plans()) if plan.state == "draft"]


@st.cache_resource(show_spinner=False, max_entries=8)
def facts(stamp: Stamp, area: str) -> Facts:
    """What is known at points of an area."""
    return plan_state.gather(shared.workspace(), area)


@st.cache_resource(show_spinner=False, max_entries=8)
def tally(stamp: Stamp, area: str) -> Tally:
    """What is counted in the browser while a border is dragged."""
    return make_tally(facts(stamp, area))


@st.cache_resource(show_spinner=False, max_entries=8)
def _live(stamp: Stamp, area: str) -> AreaDraft:
    """An area no plan has touched yet."""
    home, grids = plan_state.live(shared.workspace(), area)
    return plan_state.drafted(area, grids, home)


@st.cache_resource(show_spinner=False, max_entries=8)
def guides(stamp: Stamp, area: str) -> tuple[Guides, gpd.GeoDataFrame]:
    """What edits of an area may snap to, and its unit cells."""
    ws = shared.workspace()
    outline = ws.read("areas", where={"code": area})
    west, south, east, north = (float(side) for side in outline.total_bounds)
    box = (west, south, east, north)
    near: dict[str, gpd.GeoDataFrame | None] = {}
    for layer in ("roads", "buildings"):
        near[layer] = ws.read(layer, bbox=box, columns=["geometry"]) if ws.count(layer) else None
    cells: gpd.GeoDataFrame = ws.read("unit_cells", where={"area_code": area})
    made = make_guides(roads=near["roads"], buildings=near["buildings"], cells=cells, crs=pyproj.CRS(outline.crs))
    return made, cells


def plan_at_hand(ws: Workspace, plan: str) -> PlanState:
    """The plan as it is now; folded once for all sessions, however many planners look at it."""
    rev = ws.plan_rev(plan)
    state = _STATES.get_or_make((*shared.stamp(), plan, rev), lambda: plan_state.load(ws, plan))
    st.session_state[_SHOWN_REV] = (plan, state.rev)
    return state


def keep(state: PlanState) -> None:
    """Take the state a step left: the next look need not fold the log again."""
    _STATES.get_or_make((*shared.stamp(), state.name, state.rev), lambda: state)


def keep_edit(report: EditReport) -> None:
    """Take the state an edit left, and the figures it reckoned."""
    keep(report.state)
    _AFTER.get_or_make((*shared.stamp(), report.plan, report.state.rev, report.area), lambda: report.after)


def desk(ws: Workspace, plan: str, area: str) -> Desk:
    """The area as it lies before the planner; made once for all sessions."""
    stamp, state = shared.stamp(), plan_at_hand(ws, plan)
    made = _DESKS.get_or_make((*stamp, plan, state.rev, area), lambda: _desk(stamp, state, area))
    st.session_state[_SHOWN] = made
    return made


def _desk(stamp: Stamp, state: PlanState, area: str) -> Desk:
    draft = state.areas.get(area) or _live(stamp, area)
    known, last = facts(stamp, area), shown()
    if last is not None and last.base.area == area and _same_base(last.draft, draft):
        before = last.before
    else:
        before = figures(draft.base, known)
    now = _AFTER.get((*stamp, state.name, state.rev, area))
    if now is None:
        now = figures(draft.now, known, base=draft.base, known=before)
    return Desk(state, draft.base, draft.now, ground_of(draft.now), before, now, draft)


def reason() -> str:
    """The reason the planner gave, for every step."""
    return str(st.session_state.get(REASON) or "").strip()


def shown() -> Desk | None:
    """The desk the planner looked at last."""
    return st.session_state.get(_SHOWN)


def shown_rev(plan: str) -> int | None:
    """The revision this session shows of a plan; None before the first look."""
    known: tuple[str, int] | None = st.session_state.get(_SHOWN_REV)
    return known[1] if known is not None and known[0] == plan else None


def answer() -> Answer | None:
    """What is said about the last operation of this session."""
    return st.session_state.get(_ANSWER)


def answered(given: Answer) -> None:
    """Keep what is said about an operation."""
    st.session_state[_ANSWER] = given


def tell(text: str) -> None:
    """Keep what a step came to, for the page that is drawn after it."""
    st.session_state[_TOLD] = text


def told() -> str | None:
    """What the last step came to, once."""
    text: str | None = st.session_state.pop(_TOLD, None)
    return text


def wish(plan: str) -> None:
    """Let the page that is drawn next show a plan."""
    st.session_state[_WISH] = plan


def wished() -> str | None:
    """The plan that is to be shown, once."""
    plan: str | None = st.session_state.pop(_WISH, None)
    return plan


def _same_base(one: AreaDraft, other: AreaDraft) -> bool:
    """Whether two states of a plan speak of the same live grids, so that their figures before are the same."""
    return one.base is other.base or (
        one.taken == other.taken and one.base.codes == other.base.codes and _ground(one.base) == _ground(other.base)
    )


def _ground(partition: Partition) -> list[bytes]:
    return list(shapely.to_wkb(partition.shapes))
