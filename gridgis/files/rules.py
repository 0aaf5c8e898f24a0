"""What rows must be to each other and to the workspace: unique, known areas and stations, inside them, not shifted."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis import datum as datums
from gridgis.files.cleaning import Problem
from gridgis.files.values import Bools

# Of a grid's ground, the share that may lie outside its area before it is told, and before it is refused.
_OUTSIDE_TOLD: Final = 0.001
_OUTSIDE_REFUSED: Final = 0.5
_LEAST_M2: Final = 1.0
# A shift is suspected when it leaves less than half of what is outside inside, and at least this many or this share.
_SHIFT_ROWS: Final = 3
_SHIFT_SHARE: Final = 0.01
# Layers this far from every area of the workspace are probably in another CRS.
_FAR_M: Final = 100_000.0


def duplicates(keys: pd.Series, column: str) -> list[Problem]:
    """Keys that stand in more than one row: every row of such a key but the first."""
    again = (keys.duplicated() & keys.notna()).to_numpy(dtype=bool)
    return [Problem("duplicate", np.flatnonzero(again), column, tuple(map(str, keys[again])))] if again.any() else []


def resolve_areas(codes: pd.Series, areas: pd.DataFrame | None, column: str) -> tuple[pd.Series, list[Problem]]:
    """Area codes as the workspace has them, and those it does not have.

    A 9-digit town code and its 12-digit form ending in 000 are the same; a name stands for the only area so called.
    """
    return _resolve(codes, areas, column, "unknown_area")


def resolve_stations(codes: pd.Series, stations: pd.DataFrame | None, column: str) -> tuple[pd.Series, list[Problem]]:
    """Station codes as the workspace has them (also by the name of the only station so called), and unknown ones."""
    return _resolve(codes, stations, column, "unknown_station")


def parents(frame: pd.DataFrame, existing: pd.DataFrame | None, column: str) -> tuple[pd.Series, list[Problem]]:
    """The parent of each area: the given one if file or workspace has it, else the longest known one its code starts with.

    `frame` has code, level and perhaps parent. A given parent that is nowhere is a warning and left out.
    """
    known = set(frame["code"].dropna()) | (set() if existing is None else set(existing.index))
    own = frame["code"].astype(object)
    given = frame["parent"] if "parent" in frame.columns else pd.Series(None, index=frame.index, dtype=object)
    padded = given.map(lambda code: code if code in known else _other_form(code, known), na_action="ignore")
    lost = (given.notna() & ~padded.isin(known)).to_numpy(dtype=bool)
    result = [
        parent if isinstance(parent, str) and parent in known and parent != code else _prefix_parent(code, level, known)
        for code, level, parent in zip(own, frame["level"], padded, strict=True)
    ]
    shown = tuple(map(str, given[lost]))
    problems = [Problem("unknown_parent", np.flatnonzero(lost), column, shown)] if lost.any() else []
    return pd.Series(result, index=frame.index, dtype=object), problems


def inside_areas(shapes: gpd.GeoSeries, codes: pd.Series, areas: gpd.GeoDataFrame | None) -> list[Problem]:
    """Polygons outside the area their row names: over half of them is an error, over 0.1 % and 1 m² a warning."""
    if areas is None or areas.empty:
        return []
    own = _own_areas(codes, areas)
    values = shapes.to_numpy()
    use = ~shapely.is_missing(values) & ~shapely.is_missing(own)
    outside = np.zeros(len(values))
    size = np.where(use, shapely.area(values), 0.0)
    outside[use] = _outside_m2(values[use], own[use])
    share = np.divide(outside, size, out=np.zeros_like(outside), where=size > 0)
    refused = share > _OUTSIDE_REFUSED
    told = (share > _OUTSIDE_TOLD) & (outside > _LEAST_M2) & ~refused
    problems = []
    for rule, rows in (("outside_area", refused), ("reaches_outside", told)):
        if rows.any():
            shown = tuple(f"{code}: {m2:,.0f} m²" for code, m2 in zip(codes[rows], outside[rows], strict=True))
            problems.append(Problem(rule, np.flatnonzero(rows), "", shown))
    return problems


def far_away(shapes: gpd.GeoSeries, areas: gpd.GeoDataFrame | None) -> list[Problem]:
    """A warning if every row is over 100 km from all areas of the workspace: probably the wrong CRS."""
    if areas is None or areas.empty or not np.isfinite(shapes.total_bounds).all():
        return []
    metres = float(shapely.distance(shapely.box(*shapes.total_bounds), shapely.box(*areas.total_bounds)))
    if metres <= _FAR_M:
        return []
    return [Problem("far_away", np.array([], dtype=np.int64), "", (), {"km": f"{metres / 1000:,.0f}"})]


def shifted(shapes: gpd.GeoSeries, codes: pd.Series | None, areas: gpd.GeoDataFrame | None) -> list[Problem]:
    """A warning if the rows fit the areas clearly better once a GCJ-02 or BD-09 shift is undone.

    Points fit when they are inside an area; polygons by the square metres inside the area their row names, or inside any.
    """
    values = shapes[shapes.notna()]
    if areas is None or areas.empty or values.empty:
        return []
    probe = gpd.GeoSeries(values if len(values) <= 5000 else values.sample(5000, random_state=0), crs=shapes.crs)
    own = None if codes is None else _own_areas(codes.loc[probe.index], areas)
    if own is None or shapely.is_missing(own).all():
        own = np.full(len(probe), shapely.union_all(areas.geometry.to_numpy()), dtype=object)
    now, total = _misfit(probe, own)
    least = max(total * _SHIFT_SHARE, _SHIFT_ROWS if (shapely.get_dimensions(probe.to_numpy()) == 0).all() else 0.0)
    best: tuple[float, str] | None = None
    for kind in ("gcj02", "bd09"):
        then, _ = _misfit(datums.unshift(probe, datum=datums.check_datum(kind)), own)
        if now - then > least and then < now / 2 and (best is None or then < best[0]):
            best = (then, kind)
    if best is None:
        return []
    extra = {"datum": best[1], "outside": f"{now / total:.0%}", "then": f"{best[0] / total:.0%}"}
    return [Problem("shifted", np.array([], dtype=np.int64), "", (), extra)]


def overlapping(shapes: gpd.GeoSeries, keys: pd.Series, wanted: Bools, others: gpd.GeoSeries) -> list[Problem]:
    """Warnings for valid grids (`wanted`) that lie on each other or on grids the workspace keeps, by over 1 m²."""
    values = shapes.to_numpy()
    use = np.flatnonzero(wanted & ~shapely.is_missing(values))
    mine = values[use]
    theirs = np.concatenate([mine, others.to_numpy()])
    names = np.concatenate([keys.to_numpy()[use], others.index.to_numpy()]).astype(object)
    left, right = shapely.STRtree(theirs).query(mine, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    common = shapely.area(shapely.intersection(theirs[left], theirs[right]))
    real = common > _LEAST_M2
    if not real.any():
        return []
    shown = tuple(f"{names[b]}: {m2:,.0f} m²" for b, m2 in zip(right[real], common[real], strict=True))
    return [Problem("overlap", use[left[real]], "", shown)]


def _resolve(codes: pd.Series, known: pd.DataFrame | None, column: str, rule: str) -> tuple[pd.Series, list[Problem]]:
    if known is None:
        known = pd.DataFrame({"name": []})
    index = set(known.index)
    names = known["name"].dropna() if "name" in known.columns else pd.Series(dtype=object)
    by_name = {str(name): str(code) for code, name in names[~names.duplicated(keep=False)].items()}

    def one(code: str) -> str:
        if code in index:
            return code
        other = _other_form(code, index)
        return other if other in index else by_name.get(code, code)

    found = codes.map({code: one(code) for code in codes.dropna().unique()}, na_action="ignore").astype(object)
    lost = (found.notna() & ~found.isin(index)).to_numpy(dtype=bool)
    problems = [Problem(rule, np.flatnonzero(lost), column, tuple(map(str, codes[lost])))] if lost.any() else []
    return found.where(found.notna(), None), problems


def _other_form(code: str, known: set[str]) -> str:
    for other in (code + "000", code.removesuffix("000"), code + "000000", code.removesuffix("000000")):
        if other in known:
            return other
    return code


def _prefix_parent(code: object, level: object, known: set[str]) -> str | None:
    if not isinstance(code, str) or level not in {"town", "village"}:
        return None
    wishes = (code[:9], code[:9] + "000") if level == "village" else ()
    found = (wish for wish in (*wishes, code[:6], code[:6] + "000000") if wish in known and wish != code)
    return next(found, None)


def _own_areas(codes: pd.Series, areas: gpd.GeoDataFrame) -> NDArray[np.object_]:
    at = areas.index.get_indexer(pd.Index(codes.astype(object)))
    shapes = np.full(len(areas) + 1, None, dtype=object)  # the last one for unknown areas, whose place is -1
    shapes[:-1] = areas.geometry.to_numpy()
    own: NDArray[np.object_] = shapes[at]
    return own


def _misfit(shapes: gpd.GeoSeries, own: NDArray[np.object_]) -> tuple[float, float]:
    values = shapes.to_numpy()
    use = ~shapely.is_missing(own)
    values, own = values[use], own[use]
    if (shapely.get_dimensions(values) < 2).all():
        shapely.prepare(own)
        return float((~shapely.intersects(own, values)).sum()), float(len(values))
    total = shapely.area(values)
    return float(_outside_m2(values, own).sum()), float(max(total.sum(), 1e-9))


def _outside_m2(values: NDArray[np.object_], own: NDArray[np.object_]) -> NDArray[np.float64]:
    """Square metres of the plane each polygon has outside its own ground."""
    shapely.prepare(own)
    out = ~shapely.covers(own, values)  # most are inside, and that is quickly seen
    outside = np.zeros(len(values))
    outside[out] = shapely.area(values[out]) - shapely.area(shapely.intersection(values[out], own[out]))
    return np.maximum(outside, 0.0)
