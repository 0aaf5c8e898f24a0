"""Put grids that were drawn by a program into a draft plan, in place of an area's grids, as one step a planner can undo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.errors import ConflictError, DataError
from gridgis.redraw.figures import figures
from gridgis.redraw.invariants import broken
from gridgis.redraw.numbering import next_code, next_name
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition
from gridgis.store import NewEntry, Workspace, images_of, rows_of
from gridgis.tasks.plan_state import DEFAULT_PLAN, AreaDraft, PlanState, current, drafted, gather, load, take_up, with_registers
from gridgis.tasks.redrawing import append

# a grid comes from another if so much of its ground was the other's
_MUCH = 0.05
# ground is the same if what differs is thinner than this, metres: rounding, which opening a partition mends
_THIN_M = 1e-7


def put(
    ws: Workspace,
    proposed: gpd.GeoDataFrame,
    *,
    area: str,
    method: str,
    told: Mapping[str, Any] | None = None,
    keep_codes: bool = False,
    exclaves: bool = False,
    plan: str = DEFAULT_PLAN,
    rev: int | None = None,
    who: str,
    why: str = "",
    at: dt.datetime | None = None,
) -> PlanState:
    """Let proposed grids take the place of all grids of an area in a plan; nothing is live until the plan is published.

    Each new grid gets the next free code and a name after the pattern of the area, and comes from the grids that held its
    ground. Registered people are shared out over the grids as after an edit by hand.

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
    told
        More for the log: what was asked for.
    keep_codes
        Whether a proposed grid whose index is the code of a grid of the plan is that grid on other ground, with its
        officer and station; False: all of them are new.
    exclaves
        Whether a grid may have several parts.
    plan
        Name of the draft; the one called `default` is made when first used.
    rev
        Number of the plan the proposal was drawn on; None: whatever it is now.
    who, why, at
        For the log.

    Returns
    -------
    PlanState
        The plan with the proposal as its last step; `entries[-1].op["codes"]` says which code each proposed grid got.

    Raises
    ------
    DataError
        If the ground of a locked grid would change, or the proposal breaks a rule of grids; nothing was changed.
    ConflictError
        If somebody else wrote to the plan meanwhile.
    """
    state = current(ws, plan)
    if rev is not None and state.rev != rev:
        raise ConflictError("redrawing.proposal_stale", plan=plan, rev=rev, now=state.rev)
    opening: list[NewEntry] = []
    draft = state.areas.get(area)
    entry, live_grids, home = take_up(ws, area)
    if draft is None:
        opening, draft = [entry], drafted(area, live_grids, home)
    codes, names = _numbered(ws, proposed, draft, area, keep_codes=keep_codes)
    same = _same_ground(proposed, codes, draft.now)
    if changed := sorted((state.locked & set(draft.rows)) - same):
        raise DataError("redrawing.locked", grids=", ".join(changed), plan=plan)
    rows = _rows(proposed, codes, names, draft, same, area)
    partition = open_partition(rows, home)
    if problems := broken(partition, exclaves=exclaves):
        raise DataError("redrawing.proposal_broken", area=area, problem=problems[0].phrase)
    counted = figures(partition, gather(ws, area), base=draft.base)
    drawn = {code: image for code, image in with_registers(images_of(partition.frame()), counted).items() if code not in same}
    gone = [code for code in draft.rows if code not in partition.codes]
    log: dict[str, Any] = {"do": "propose", "method": method, "lineage": _lineage(rows, draft.now.frame())}
    log |= {"codes": dict(zip(map(str, proposed.index), codes, strict=True)), **(told or {})}
    step = NewEntry("edit", area=area, op=log, images={**dict.fromkeys(gone), **drawn})
    append(ws, plan, [*opening, step], rev=state.rev, who=who, why=why, at=at)
    return load(ws, plan)


def _numbered(
    ws: Workspace, proposed: gpd.GeoDataFrame, draft: AreaDraft, area: str, *, keep_codes: bool
) -> tuple[list[str], list[str | None]]:
    """The code and the name of every proposed grid: its own where it keeps them, else the next free ones."""
    taken = ws.used_codes("grids") | ws.drafted_codes()
    known = {code: row.get("name") for code, row in draft.rows.items()}
    codes: list[str] = []
    names: list[str | None] = []
    for given in map(str, proposed.index):
        if keep_codes and given in known:
            codes.append(given)
            names.append(known[given])
            continue
        code = next_code([*known, *codes], taken=taken, area=area)
        names.append(next_name([*known.values(), *names], code, area=area))
        codes.append(code)
    return codes, names


def _same_ground(proposed: gpd.GeoDataFrame, codes: list[str], now: Partition) -> frozenset[str]:
    """Codes whose ground stays what it is in the plan."""
    kept = [code for code in codes if code in now.codes]
    before = np.array([now.shape(code) for code in kept], dtype=object)
    after = np.asarray(proposed.geometry.set_axis(codes).loc[kept].array, dtype=object)
    off = shapely.area(shapely.symmetric_difference(before, after))
    return frozenset(np.array(kept, dtype=object)[off <= _THIN_M * shapely.length(before)])


def _rows(
    proposed: gpd.GeoDataFrame,
    codes: list[str],
    names: list[str | None],
    draft: AreaDraft,
    same: frozenset[str],
    area: str,
) -> gpd.GeoDataFrame:
    """The grids of the area with the proposal in place: those that keep their code keep the rest of their row as well."""
    new = proposed.set_axis(pd.Index(codes, name="code"))
    given = [name for name in ("station", "officer", "batch") if name in proposed.columns]
    frame = gpd.GeoDataFrame(new[given], geometry=new.geometry.to_numpy(), crs=proposed.crs)
    frame = frame.assign(name=pd.Series(names, index=frame.index, dtype=object), area_code=area, state="valid")
    old = rows_of(draft.rows, crs=proposed.crs)
    kept = old.loc[[code for code in codes if code in old.index]]
    moved = [code for code in kept.index if code not in same]
    shapes = kept.geometry.copy()
    shapes[moved] = frame.geometry[moved]
    kept = kept.set_geometry(shapes)
    fresh = frame.drop(index=kept.index)
    if kept.empty:
        return fresh
    return gpd.GeoDataFrame(pd.concat([kept, fresh]), geometry=kept.geometry.name, crs=proposed.crs).loc[codes]


def _lineage(rows: gpd.GeoDataFrame, before: gpd.GeoDataFrame) -> list[list[str]]:
    """Each new grid with the old ones that held a twentieth of its ground or more, and each old one that ends with its heir."""
    if before.empty:
        return []
    both = gpd.overlay(
        rows[["geometry"]].reset_index(names="new"), before[["geometry"]].reset_index(names="old"), keep_geom_type=True
    )
    m2 = both.area
    much = m2 >= _MUCH * m2.groupby(both["new"]).transform("sum")
    most = m2 == m2.groupby(both["old"]).transform("max")
    fresh, ended = ~both["new"].isin(before.index), ~both["old"].isin(rows.index)
    told = [[str(new), "split from", str(old)] for new, old in zip(both["new"], both["old"], strict=True)]
    split = fresh & (much | (most & ended))
    heirs = ended & most & ~fresh
    merged = [[str(old), "merged into", str(new)] for new, old in zip(both["new"], both["old"], strict=True)]
    return [told[at] for at in np.flatnonzero(split)] + [merged[at] for at in np.flatnonzero(heirs)]
