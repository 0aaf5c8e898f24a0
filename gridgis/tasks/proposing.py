"""Put grids that were drawn by a program into a draft plan, in place of an area's grids, as one step a planner can undo."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import pandas as pd

from gridgis.errors import DataError
from gridgis.redraw.figures import figures
from gridgis.redraw.invariants import broken
from gridgis.redraw.numbering import next_code, next_name
from gridgis.redraw.opening import open_partition
from gridgis.store import NewEntry, Workspace, images_of
from gridgis.tasks.plan_state import DEFAULT_PLAN, PlanState, current, drafted, gather, load, take_up, with_registers
from gridgis.tasks.redrawing import append

# a grid comes from another if so much of its ground was the other's
_MUCH = 0.05


def put(
    ws: Workspace,
    proposed: gpd.GeoDataFrame,
    *,
    area: str,
    method: str,
    plan: str = DEFAULT_PLAN,
    who: str,
    why: str = "",
    at: dt.datetime | None = None,
) -> PlanState:
    """Let proposed grids take the place of all grids of an area in a plan; nothing is live until the plan is published.

    Each new grid gets the next free code and a name after the pattern of the area, and comes from the grids that held its
    ground. Registered people are shared out over the new grids as after an edit by hand.

    Parameters
    ----------
    ws
        The workspace.
    proposed
        Polygons that fill the area without gap or overlap, in the workspace's CRS; columns of the grids layer, such as
        `station`, are kept.
    area
        Code of the area.
    method
        What drew them, for the log.
    plan
        Name of the draft; the one called `default` is made when first used.
    who, why, at
        For the log.

    Raises
    ------
    DataError
        If a grid of the area is locked in the plan, or the proposal breaks a rule of grids; nothing was changed.
    ConflictError
        If somebody else wrote to the plan meanwhile.
    """
    state = current(ws, plan)
    opening: list[NewEntry] = []
    draft = state.areas.get(area)
    entry, live_grids, home = take_up(ws, area)
    if draft is None:
        opening, draft = [entry], drafted(area, live_grids, home)
    locked = sorted(state.locked & set(draft.rows))
    if locked:
        raise DataError("redrawing.locked", grids=", ".join(locked), plan=plan)
    rows = _numbered(ws, proposed, draft.rows, area)
    partition = open_partition(rows, home)
    problems = broken(partition)
    if problems:
        raise DataError("redrawing.proposal_broken", area=area, problem=problems[0].message("en"))
    counted = figures(partition, gather(ws, area), base=draft.base)
    lineage = _parents(rows, draft.now.frame())
    images = {**dict.fromkeys(draft.rows), **with_registers(images_of(partition.frame()), counted)}
    told = {"do": "propose", "method": method, "lineage": lineage}
    append(ws, plan, [*opening, NewEntry("edit", area=area, op=told, images=images)], rev=state.rev, who=who, why=why, at=at)
    return load(ws, plan)


def _numbered(ws: Workspace, proposed: gpd.GeoDataFrame, rows: Any, area: str) -> gpd.GeoDataFrame:
    """The proposed grids under new codes and names of the area."""
    taken = ws.used_codes("grids") | ws.drafted_codes()
    codes, names = list(rows), [row.get("name") for row in rows.values()]
    new_codes: list[str] = []
    new_names: list[str] = []
    for _ in range(len(proposed)):
        code = next_code([*codes, *new_codes], taken=taken, area=area)
        new_names.append(next_name([*names, *new_names], code, area=area))
        new_codes.append(code)
    kept = [name for name in ("station", "officer", "batch") if name in proposed.columns]
    columns = pd.DataFrame(proposed[kept]).set_axis(new_codes)
    frame = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(proposed.geometry.to_numpy(), index=new_codes, crs=proposed.crs))
    frame.index.name = "code"
    return frame.assign(name=new_names, area_code=area, state="valid")


def _parents(rows: gpd.GeoDataFrame, before: gpd.GeoDataFrame) -> list[list[str]]:
    """Each new grid with the old ones that held a twentieth of its ground or more; no old one is left out."""
    if before.empty:
        return []
    both = gpd.overlay(
        rows[["geometry"]].reset_index(names="new"), before[["geometry"]].reset_index(names="old"), keep_geom_type=True
    )
    m2 = both.area
    much = m2 >= _MUCH * m2.groupby(both["new"]).transform("sum")
    most = m2 == m2.groupby(both["old"]).transform("max")
    both = both[much | most]
    return [[str(new), "split from", str(old)] for new, old in zip(both["new"], both["old"], strict=True)]
