"""What a program proposes for an area, made ready to be looked at: grids with their figures, rules kept, changes, all plans."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

import gridgis
from gridgis.balance import Sheet, sheet
from gridgis.blocks import BlockGrids, as_grids
from gridgis.errors import DataError
from gridgis.progress import Progress
from gridgis.redraw.figures import FREE, figures
from gridgis.redraw.opening import open_partition
from gridgis.store import Workspace
from gridgis.tasks import balancing, blocking, plan_state, proposing
from gridgis.tasks.balancing import Proposal
from gridgis.tasks.plan_state import AreaDraft, PlanState

Kind = Literal["balance", "block"]
KINDS: Final[tuple[Kind, ...]] = ("balance", "block")
_COUNTS: Final = ("area_m2", "households", "population", "buildings", "incidents")


@dataclass(frozen=True, slots=True)
class Target:
    """What a proposal is for; nothing of it is shown anywhere else."""

    url: str
    """The workspace."""
    file: int
    """Tells its file from another one under the same name."""
    plan: str
    area: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the planner asked for."""

    kind: Kind
    target_m2: float = 10_000.0
    """Size of a unit grid in dense places; of `block` alone, as all that follows is of `balance`."""
    units: str = "unit_cells"
    weights: tuple[tuple[str, float], ...] = (("households", 1.0),)
    k: int | None = None
    low: float | None = None
    high: float | None = None
    stations: bool = False
    barriers: tuple[str, ...] = ()
    mix_villages: bool = False
    exclaves: bool = False
    prefer: str | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One dot on the chart and one row of the list."""

    taste: str
    """What it was searched for; empty for today's grids."""
    deviation: float
    """Standard deviation of the loads divided by their mean."""
    compactness: float
    """Mean Polsby-Popper score."""
    stay: float | None
    """Share of the units that stay in their grid; None without grids today."""
    grids: int
    least: float
    """Smallest load."""
    most: float
    """Largest load."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One way to divide the area."""

    grids: gpd.GeoDataFrame
    """Index `code`; `name`, `is_new`, the figures and what the method knows of each (`load`, `units`, `kept`, `klass`, …)."""
    rules: pd.DataFrame
    """Index `rule`: `hard`, `kept`, `of`, `unit`, `share`; NaN where there was nothing to count."""
    kept: tuple[str, ...]
    """Codes of grids that go on."""
    gone: tuple[str, ...]
    """Codes of grids that end."""
    score: Score | None = None
    """Of `balance`."""

    @property
    def new(self) -> int:
        """Number of grids that get a new code."""
        return int(self.grids["is_new"].sum())


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A proposal as the page shows it."""

    target: Target
    asked: Asked
    rev: int
    """Number of the plan's log it was drawn on."""
    options: tuple[Option, ...]
    """Best first; at least one."""
    beaten: tuple[Score, ...]
    """Found on the way and worse in every respect."""
    today: Score | None
    """The grids there are; None without any, and of `block`."""
    before: gpd.GeoDataFrame
    """The grids there are, index `code`."""
    classes: pd.DataFrame | None
    """Of `block`: by class of ground the number and sizes of cells."""
    cut: Mapping[str, int]
    """Of `block`: buildings in more than one cell, by reason."""
    source: Proposal | BlockGrids
    """What it was made from."""
    seconds: float
    """Time of all."""

    @property
    def units(self) -> int:
        """Of `balance`: number of units the grids are put together from."""
        return len(self.source.ground.units) if isinstance(self.source, Proposal) else 0

    def option(self, which: int) -> Option:
        """One of the options, from 1; the first for a number there is not."""
        return self.options[which - 1 if 1 <= which <= len(self.options) else 0]


def draw(asked: Asked, target: Target, progress: Progress) -> Drawn:
    """Do the work in a workspace of its own, for it runs in a thread of its own."""
    with gridgis.open_workspace(target.url) as ws:
        return (_balance if asked.kind == "balance" else _block)(ws, asked, target, progress)


def accept(ws: Workspace, drawn: Drawn, *, which: int, who: str, why: str) -> PlanState:
    """Put one of the options into the draft it was drawn on, as one step.

    Raises
    ------
    ConflictError
        If the draft was changed after the proposal was drawn.
    DataError
        If a rule of grids would be broken, or a locked grid lies in the way.
    """
    if isinstance(drawn.source, Proposal):
        return balancing.accept(ws, drawn.source, which=which, who=who, why=why)
    told = {"asked": {"target_m2": drawn.asked.target_m2}}
    return proposing.put(
        ws, as_grids(drawn.source.cells), area=drawn.target.area, method="block", told=told, plan=drawn.target.plan,
        rev=drawn.rev, who=who, why=why,
    )  # fmt: skip


def _balance(ws: Workspace, asked: Asked, target: Target, progress: Progress) -> Drawn:
    found = balancing.draw(
        ws, area=target.area, units=asked.units, weights=dict(asked.weights), k=asked.k, low=asked.low, high=asked.high,
        stations=asked.stations, barriers=asked.barriers, mix_villages=asked.mix_villages, exclaves=asked.exclaves,
        prefer=asked.prefer, plan=target.plan, seed=asked.seed, progress=progress,
    )  # fmt: skip
    count = len(found.plans.plans)
    options = []
    for which in range(1, count + 1):
        progress("proposepage.stage_figures", which - 1, count)
        options.append(_option(found, which))
    return Drawn(
        target, asked, found.ground.state.rev, tuple(options),
        tuple(_score(plan.sheet, plan.taste) for plan in found.plans.beaten), _as_today(found),
        found.ground.draft.now.frame(), None, {}, found, found.seconds,
    )  # fmt: skip


def _option(found: Proposal, which: int) -> Option:
    plan, changes = found.plan(which), found.changes(which)["grids"]
    table = found.table(which)
    grids = found.grids(which).join(table)
    return Option(
        _named(grids, found.ground.draft), found.rules(which).assign(unit=""), tuple(changes["kept"]), tuple(changes["gone"]),
        _score(plan.sheet, plan.taste),
    )  # fmt: skip


def _named(grids: gpd.GeoDataFrame, draft: AreaDraft) -> gpd.GeoDataFrame:
    """Grids with the names of those that go on."""
    known = draft.rows
    names = [str(known[code].get("name") or "") if code in known else "" for code in grids.index]
    return grids.assign(name=names, is_new=[code not in known for code in grids.index])


def _score(sheet_: Sheet, taste: str) -> Score:
    loads = sheet_.grids["load"]
    stay = None if math.isnan(sheet_.kept_share) else sheet_.kept_share
    return Score(
        taste, sheet_.deviation, sheet_.compactness, stay, len(loads), float(loads.min()), float(loads.max())
    )  # fmt: skip


def _as_today(found: Proposal) -> Score | None:
    """The grids there are, measured like the proposals: each unit in the grid that holds most of it."""
    ground, wish = found.ground, found.wish
    if ground.today is None or ground.today.isna().all():
        return None
    weights = dict(wish.weights)
    return _score(sheet(ground.units, ground.today, current=ground.today, weights=weights, mix_groups=True), "")


def _block(ws: Workspace, asked: Asked, target: Target, progress: Progress) -> Drawn:
    state = plan_state.current(ws, target.plan)
    home, live = plan_state.live(ws, target.area)
    draft = state.areas.get(target.area) or plan_state.drafted(target.area, live, home)
    if locked := sorted(state.locked & set(draft.rows)):
        raise DataError("redrawing.locked", grids=", ".join(locked), plan=target.plan)
    began = time.perf_counter()
    drawn = blocking.draw(ws, areas=home, target_m2=asked.target_m2, code="plain", progress=progress)
    progress("proposepage.stage_figures", 0, 1)
    cells = as_grids(drawn.cells)
    counted = figures(open_partition(cells, home), plan_state.gather(ws, target.area), base=draft.base).drop(index=FREE)
    extra = drawn.cells[["klass"]].join(counted[list(_COUNTS)])
    grids = cells[["name", "geometry"]].join(extra).assign(compactness=_compactness(cells), is_new=True)
    option = Option(grids, drawn.sheet, (), tuple(sorted(draft.rows)))
    cut = {str(reason): int(count) for reason, count in drawn.cut_buildings["reason"].value_counts().items()}
    return Drawn(
        target, asked, state.rev, (option,), (), None, draft.now.frame(), drawn.report.by_class, cut, drawn,
        round(time.perf_counter() - began, 3),
    )  # fmt: skip


def _compactness(frame: gpd.GeoDataFrame) -> pd.Series:
    return pd.Series(4 * np.pi * frame.area / frame.length**2, index=frame.index)


def with_bounds(asked: Asked, low: float, high: float) -> Asked:
    """The same wish with a range for each grid instead of what was asked for.

    >>> with_bounds(Asked("balance", k=3), 300.0, 500.0).k is None
    True
    """
    return replace(asked, k=None, low=low, high=high)


def bounds_near(values: Mapping[str, Any]) -> tuple[float, float] | None:
    """The nearest bounds an error knows a plan for, widened to round numbers; None where it knows none.

    >>> bounds_near({"nearest_low": 275.4, "nearest_high": 500.0}), bounds_near({"nearest_high": float("inf")})
    ((275.0, 500.0), None)
    """
    low, high = values.get("nearest_low"), values.get("nearest_high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None
    unit = 1.0 if high >= 10 else 100.0
    return math.floor(float(low) * unit) / unit, math.ceil(float(high) * unit) / unit
