"""Divide an area into grids of equal work: several plans to choose from, and the one chosen put into a draft."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.balance import Plan, Plans, balance
from gridgis.errors import DataError
from gridgis.progress import Progress, silent
from gridgis.redraw.figures import FREE, figures
from gridgis.redraw.opening import open_partition
from gridgis.store import Workspace
from gridgis.tasks import proposing
from gridgis.tasks.balance_units import Ground, ground_of
from gridgis.tasks.plan_state import DEFAULT_PLAN, PlanState

HOUSEHOLDS: Final = (300.0, 500.0)
"""Households of a grid where neither a number nor a range is asked for."""
ONE_WEIGHT: Final[Mapping[str, float]] = MappingProxyType({"households": 1.0})

# a vertex less than this off its neighbours' line, as the m² of the three, is the corner of a unit on a straight border
_STRAIGHT_M2: Final = 1e-6
_COUNTS: Final = ("area_m2", "households", "population", "buildings", "incidents")


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What was asked for."""

    layer: str
    """Layer of the units."""
    weights: Mapping[str, float]
    """Factor of each weight in the load of a grid."""
    k: int | None
    """Number of grids; None: as many as the bounds want."""
    low: float | None
    """Lower bound of the load."""
    high: float | None
    """Upper bound."""
    mix_villages: bool
    """Whether a grid may hold ground of several villages."""
    exclaves: bool
    """Whether a grid may have several parts."""
    seed: int
    """Of all randomness."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Plans for an area that keep all hard rules, not yet in any draft."""

    wish: Wish
    """What was asked for."""
    ground: Ground
    """The units, their work, and the draft they were read from."""
    plans: Plans
    """Best first; none is beaten by another in balance, compactness and change at once."""
    seconds: float
    """Time of all, seconds."""

    def plan(self, which: int = 1) -> Plan:
        """One of the plans, from 1; `DataError` for a number there is not."""
        if not 1 <= which <= len(self.plans.plans):
            raise DataError("balancing.no_plan", which=which, count=len(self.plans.plans))
        return self.plans.plans[which - 1]

    def grids(self, which: int = 1) -> gpd.GeoDataFrame:
        """The grids of a plan, index `code`: today's code where a grid keeps it, else `+1`, `+2`, … for a new one."""
        chosen = self.plan(which).assignment
        shapes = np.asarray(self.ground.partition.frame().geometry.loc[chosen.index].array, dtype=object)
        codes = sorted(set(chosen), key=_by_number)
        at = pd.Categorical(chosen, categories=codes).codes
        made = np.array([shapely.coverage_union_all(shapes[at == part]) for part in range(len(codes))], dtype=object)
        made = shapely.coverage_simplify(made, _STRAIGHT_M2, simplify_boundary=False)
        crs = self.ground.partition.crs
        return gpd.GeoDataFrame(geometry=gpd.GeoSeries(made, index=pd.Index(codes, name="code"), crs=crs))

    def table(self, which: int = 1) -> pd.DataFrame:
        """Every grid of a plan, index `code`: the sheet's `load`, `units`, `compactness`, `in_bounds`, `contiguous`, `kept`, and
        `area_m2`, `households`, `population`, `buildings`, `incidents` as the plan will show them once it is accepted.
        """
        grids, part = self.grids(which), self.ground.partition
        home = gpd.GeoDataFrame(geometry=[part.outline], index=pd.Index([self.ground.area], name="code"), crs=part.crs)
        counted = figures(open_partition(grids, home), self.ground.facts, base=self.ground.draft.base).drop(index=FREE)
        rules = self.plan(which).sheet.grids
        named = ["load", "units", "compactness", "in_bounds", "contiguous", *(["kept"] if "kept" in rules else [])]
        return rules[named].join(counted[list(_COUNTS)]).loc[grids.index].rename_axis("code")

    def rules(self, which: int = 1) -> pd.DataFrame:
        """Rule by rule how a plan keeps the principles of division, index `rule`: `hard`, `kept`, `of`, `share` (0–1).

        `bounds`, `contiguous`, `one_village` count grids, `assigned` and `stay` units, `whole` natural villages, `streets`
        metres of border between grids; `even` is one minus the loads' relative standard deviation, `compact` the mean
        Polsby-Popper score. Rules that mean nothing here (no grids today, no natural villages) are left out.
        """
        sheet = self.plan(which).sheet
        many, units, stay = len(sheet.grids), len(self.ground.units), self.changes(which)["units"]
        street = 0.0 if math.isnan(sheet.street_share) else sheet.street_share * sheet.cut_m
        single = not self.wish.mix_villages
        rows = [
            ("bounds", True, sheet.grids["in_bounds"].sum(), many), ("contiguous", True, sheet.grids["contiguous"].sum(), many),
            ("assigned", True, units - sheet.unassigned, units), ("one_village", single, many - sheet.mixed, many),
            ("even", False, 1.0 - sheet.deviation, 1.0), ("compact", False, sheet.compactness, 1.0),
            ("whole", False, sheet.whole_kept, sheet.whole_total), ("streets", False, street, sheet.cut_m),
            ("stay", False, stay["stay"], stay["of"]),
        ]  # fmt: skip
        table = pd.DataFrame(rows, columns=["rule", "hard", "kept", "of"]).set_index("rule")
        table[["kept", "of"]] = table[["kept", "of"]].astype(float)
        table = table[table["of"] > 0]
        return table.assign(share=table["kept"] / table["of"])

    def changes(self, which: int = 1) -> dict[str, Any]:
        """What a plan changes against the draft's grids: units that stay, and grids kept, new and gone by code."""
        chosen, today = self.plan(which).assignment, self.ground.today
        codes, before = set(chosen), set(self.ground.draft.rows)
        stay = 0 if today is None else int((chosen == today.reindex(chosen.index)).sum())
        held = 0 if today is None else int(today.notna().sum())
        return {
            "units": {"stay": stay, "of": held, "share": stay / held if held else None},
            "grids": {"kept": sorted(codes & before), "new": len(codes - before), "gone": sorted(before - codes)},
        }

    def to_json(self, which: int = 1) -> dict[str, Any]:
        """What was asked for, the rules kept, scores, changes, all plans side by side and every grid, for `--json`."""
        wish, sheet = self.wish, self.plan(which).sheet
        told = sheet.to_json()
        return {
            "area": self.ground.area,
            "units": {"layer": wish.layer, "count": len(self.ground.units), "uncovered_m2": self.ground.uncovered_m2},
            "weights": dict(wish.weights),
            "incident_years": self.ground.years,
            "seed": wish.seed,
            "k": len(sheet.grids),
            "bounds": told["bounds"],
            "contiguous": sheet.contiguous,
            "unassigned": sheet.unassigned,
            "mixed": sheet.mixed,
            "load": told["load"],
            "rules": [{"rule": rule, **row} for rule, row in self.rules(which).to_dict("index").items()],
            "scores": {name: told[name] for name in ("deviation", "spread", "compactness", "cut_m", "street_share", "whole")},
            "changes": {**self.changes(which), "moved_load": told["change"]["moved_load"]},
            "locked": list(self.ground.locked),
            "chosen": which,
            "plans": self.plans.to_json(),
            "grids": [{"code": code, **_plain(row)} for code, row in self.table(which).to_dict("index").items()],
            "seconds": self.seconds,
        }


def draw(
    ws: Workspace,
    *,
    area: str,
    units: str = "unit_cells",
    weights: Mapping[str, float] = ONE_WEIGHT,
    k: int | None = None,
    low: float | None = None,
    high: float | None = None,
    stations: bool = False,
    barriers: Collection[str] = (),
    mix_villages: bool = False,
    exclaves: bool = False,
    prefer: str | None = None,
    plan: str = DEFAULT_PLAN,
    seed: int = 1,
    progress: Progress = silent,
) -> Proposal:
    """Divide an area into connected grids of equal work; nothing is written.

    Today's grids are those of the draft: a grid keeps its code where most of its ground stays, and grids locked in the draft stay
    as they are. People, households and incidents of a unit are those an edit would carry to it, so the loads are the figures the
    draft will show, up to whole persons.

    Parameters
    ----------
    ws
        An open workspace.
    area
        Code of the area.
    units
        What grids are put together from: one of `balance_units.UNIT_LAYERS`.
    weights
        Factor of each of `balance_units.WEIGHTS` in the load of a grid.
    k, low, high
        Number of grids, and bounds of the load; with none of them and households alone: 300 to 500.
    stations
        Whether each station gets a grid of its own.
    barriers
        What a grid does not cross without a bridge: of `balance_units.BARRIERS`.
    mix_villages
        Whether a grid may hold ground of several villages.
    exclaves
        Whether a grid may have several parts.
    prefer
        What plans are to be good at first: `even`, `compact`, `stay` or `both`. None: the least faults together; where there are
        grids today, `stay` if both bounds are given, else `both`.
    plan
        The draft.
    seed
        The same seed gives the same plans.
    progress
        Told how far the search is, and can stop it.

    Raises
    ------
    InfeasibleError
        If there is no plan: it says which bound fails, and the nearest bounds that have one.
    DataError
        If the area or a name is unknown, or units or figures are missing.
    """
    began = time.perf_counter()
    if k is None and low is None and high is None and set(weights) == {"households"}:
        low, high = HOUSEHOLDS
    progress("balancing.stage_read", 0, 1)
    ground = ground_of(ws, area, layer=units, weights=weights, plan=plan, barriers=barriers, exclaves=exclaves)
    found = balance(
        ground.units, weights=weights, k=k, low=low, high=high, seeds=_seeds(ground) if stations else None,
        locked=ground.locked, current=ground.today, mix_groups=mix_villages, prefer=prefer,
        rng=np.random.default_rng(seed), progress=progress,
    )  # fmt: skip
    wish = Wish(units, MappingProxyType(dict(weights)), k, low, high, mix_villages, exclaves, seed)
    return Proposal(wish, ground, found, round(time.perf_counter() - began, 3))


def accept(
    ws: Workspace,
    proposal: Proposal,
    *,
    which: int = 1,
    who: str,
    why: str = "",
    at: dt.datetime | None = None,
) -> PlanState:
    """Put one of the plans into the draft it was drawn on, as one step that can be undone.

    Grids that keep their code keep name, officer and station; new ones get the next free codes.

    Raises
    ------
    ConflictError
        If the draft was changed after the proposal was drawn.
    DataError
        If a rule of grids is broken; nothing was changed.
    """
    wish, state = proposal.wish, proposal.ground.state
    asked = {"weights": dict(wish.weights), "k": wish.k, "low": wish.low, "high": wish.high, "seed": wish.seed, "which": which}
    return proposing.put(
        ws, proposal.grids(which), area=proposal.ground.area, method="balance", told={"asked": asked}, keep_codes=True,
        exclaves=wish.exclaves, plan=state.name, rev=state.rev, who=who, why=why, at=at,
    )  # fmt: skip


def _seeds(ground: Ground) -> list[str]:
    """The unit each station of the area stands in, locked grids left out."""
    posts = ground.facts.stations
    if posts is None:
        return []
    _, unit = posts.inside(ground.partition.shapes, ground.partition.outline)
    return sorted({ground.partition.codes[at] for at in unit} - set(ground.locked))


def _by_number(code: str) -> tuple[int, int, str]:
    """Codes in order, new grids last, by number."""
    fresh = code.removeprefix("+")
    return (int(fresh != code), int(fresh), "") if fresh.isdecimal() and len(fresh) < 6 else (0, 0, code)


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row for JSON: what means nothing is null."""
    return {str(name): None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
