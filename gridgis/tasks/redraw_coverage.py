"""Coverage on both sides of a comparison: what `gridgis coverage` says of the grids, and would say of a plan's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

from gridgis.store import rows_of
from gridgis.tasks.coverage_report import ZoneReport
from gridgis.tasks.covering import report_date
from gridgis.tasks.plan_state import PlanState
from gridgis.tasks.survey import Survey
from gridgis.zones import BY, parts

if TYPE_CHECKING:
    from gridgis.store import Workspace

Side = PlanState | dt.date | None
"""A plan, a day, or None for the latest rows."""


@dataclass(frozen=True, slots=True)
class SideCoverage:
    """Coverage of one side."""

    as_of: dt.date
    """The date on which grids and stations are in operation or not."""
    town: ZoneReport
    """The whole, as `gridgis coverage` has it."""
    areas: tuple[ZoneReport, ...]
    """The areas asked for, by code, as `gridgis coverage --by area` has them."""


def coverage_of(ws: Workspace, sides: Sequence[Side], *, areas: Sequence[str]) -> tuple[SideCoverage, ...]:
    """Coverage of each side, in their order.

    Live grids and plans are judged on the workspace's report date; where live grids begin later than that, on the day the last
    of them begins. A day is judged on itself.

    Parameters
    ----------
    ws
        The workspace.
    sides
        Plans, days, or None for the latest rows.
    areas
        Codes of the areas to be told one by one.
    """
    begun = pd.to_datetime(ws.table("grids", columns=["valid_from"])["valid_from"]).max()
    latest = max(report_date(ws), dt.date.min if pd.isna(begun) else begun.date())
    found = []
    known: Survey | None = None
    for side in sides:
        date = side if isinstance(side, dt.date) else latest
        grids = _planned_grids(ws, side, date) if isinstance(side, PlanState) else None
        known = Survey.read(ws, date, grids=grids, before=known)
        town = known.reports(known.total)[0]
        found.append(SideCoverage(date, town, _by_area(known, areas, town)))
    return tuple(found)


def told(before: SideCoverage, after: SideCoverage) -> dict[str, Any]:
    """Both sides for `--json`: the whole, and area by area."""
    return {
        **{
            name: _held(before.town, after.town, measure) for name, measure in (("area_m2", "area"), ("population", "population"))
        },
        "as_of": {"before": before.as_of.isoformat(), "after": after.as_of.isoformat()},
        "town": _zone(before.town, after.town),
        "areas": [_zone(*pair) for pair in pairs(before, after)],
    }


def pairs(before: SideCoverage, after: SideCoverage) -> list[tuple[ZoneReport, ZoneReport]]:
    """The areas that are on both sides."""
    later = {zone.code: zone for zone in after.areas}
    return [(zone, later[zone.code]) for zone in before.areas if zone.code in later]


def _planned_grids(ws: Workspace, plan: PlanState, date: dt.date) -> gpd.GeoDataFrame:
    """The live grids with those of a plan in the place of what it took up."""
    live = ws.read("grids", as_of=date)
    taken = {code for draft in plan.areas.values() for code in draft.taken}
    live = live[~live["area_code"].isin(list(plan.areas)) & ~live.index.isin(list(taken))]
    rows = {code: image for draft in plan.areas.values() for code, image in draft.rows.items()}
    drawn = rows_of(rows, crs=ws.info.crs)
    both = [frame for frame in (live, drawn) if len(frame)]
    joined: gpd.GeoDataFrame = gpd.GeoDataFrame(pd.concat(both), crs=ws.info.crs) if both else live
    return joined


def _by_area(survey: Survey, codes: Sequence[str], town: ZoneReport) -> tuple[ZoneReport, ...]:
    if list(codes) == [town.code] and len(survey.areas) == 1:
        return (town,)
    found: list[ZoneReport] = []
    for level in (level for level in BY if level in ("village", "town")):
        some = survey.areas.index[survey.areas["level"] == level].intersection(list(codes))
        if len(some):
            zones = parts(level, survey.areas, survey.grids, survey.stations, survey.total)
            found += survey.reports(replace(zones, frame=zones.frame.loc[sorted(map(str, some))]))
    return tuple(sorted(found, key=lambda zone: zone.code or ""))


def _zone(before: ZoneReport, after: ZoneReport) -> dict[str, Any]:
    sides = {"before": before.to_json()["measures"], "after": after.to_json()["measures"]}
    measures = {name: {side: every[name] for side, every in sides.items()} for name in sides["before"]}
    return {"code": after.code, "name": after.name, "measures": measures}


def _held(before: ZoneReport, after: ZoneReport, name: str) -> dict[str, Any]:
    """The short form: what grids in operation cover, of how much."""
    sides = {"before": before.measures[name], "after": after.measures[name]}
    return {side: {"held": one.covered, "total": one.total, "share": one.share} for side, one in sides.items()}
