"""The judgements behind the rules of `gridgis.tasks.checking`: positions of rows that break an invariant, and by how much."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis import topology
from gridgis.errors import GridgisError
from gridgis.files.values import Bools
from gridgis.layers import Layer
from gridgis.measure import cell_area
from gridgis.redraw.invariants import broken
from gridgis.text import Phrase
from gridgis.validity import why_invalid

if TYPE_CHECKING:
    from gridgis.store import Workspace

_KINDS: Final = {"polygon": (3, 6), "line": (1, 2, 5), "point": (0, 4), "any": (0, 1, 2, 3, 4, 5, 6, 7)}
_LONGEST_CODE: Final = 64
_VILLAGE_DIGITS: Final = 12
# A grid may stand out by this share and this ground before it counts; a cell by rounding only.
_GRID_SHARE: Final = 0.001
_GRID_M2: Final = 1.0
_CELL_M2: Final = 0.01
# Cells fill their area to this share; the rest is rounding of coordinates.
_FILL_SHARE: Final = 1e-9
_FILL_M2: Final = 0.01
# A stated area may differ by rounding to whole square metres.
_STATED_M2: Final = 1.0


def in_force(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The rows with geometry that are valid: state `valid` or none, and without an end."""
    use = frame.geometry.notna()
    if "state" in frame.columns:
        use &= frame["state"].isna() | (frame["state"] == "valid")
    if "end_time" in frame.columns:
        use &= frame["end_time"].isna()
    return frame[use]


def bad_geometry(frame: gpd.GeoDataFrame, layer: Layer) -> dict[int, str | Phrase]:
    """Why the geometry of a row is none the layer can hold, by position."""
    shapes = np.asarray(frame.geometry, dtype=object)
    reasons = np.full(len(shapes), None, dtype=object)
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if layer.geometry_required:
        reasons[missing] = Phrase("check.no_place", {})
    wrong = ~missing & ~np.isin(shapely.get_type_id(shapes), _KINDS[layer.shape])
    reasons[wrong] = [shape.geom_type for shape in shapes[wrong]]
    broken = ~missing & ~wrong & ~shapely.is_valid(shapes)
    for at in np.flatnonzero(broken).tolist():
        reasons[at] = why_invalid(shapes[at])
    return {at: reason for at, reason in enumerate(reasons.tolist()) if reason is not None}


def bad_codes(frame: pd.DataFrame, layer: Layer) -> Bools:
    """Which keys are empty, hold blanks or control characters, or are over 64 characters long."""
    keys = frame.index.to_series().astype("string")
    good = keys.str.fullmatch(rf"\S{{1,{_LONGEST_CODE}}}") & keys.map(lambda key: str(key).isprintable()).astype(bool)
    return ~good.fillna(False).to_numpy(dtype=bool)


def foreign_cell_codes(frame: pd.DataFrame) -> Bools:
    """Which unit cells in an area with a 12-digit code have not that code and at least three digits more."""
    area = frame["area_code"].astype("string")
    code = frame.index.to_series().astype("string")
    statistical = area.str.fullmatch(rf"\d{{{_VILLAGE_DIGITS}}}").fillna(False).to_numpy(dtype=bool)
    starts = (code.str.slice(0, _VILLAGE_DIGITS).to_numpy() == area.to_numpy()) & code.str.fullmatch(
        rf"\d{{{_VILLAGE_DIGITS + 3},}}"
    ).fillna(False).to_numpy(dtype=bool)
    return np.asarray(statistical & ~starts, dtype=bool)


def outside_m2(frame: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, *, exact: bool) -> dict[int, float]:
    """Square metres of the plane a row has outside the area it names, by position, where that is more than is allowed."""
    at = areas.index.get_indexer(pd.Index(frame["area_code"].astype(object)))
    shapes, grounds = np.asarray(frame.geometry, dtype=object), np.asarray(areas.geometry, dtype=object)
    known = at >= 0
    known[known] &= ~shapely.is_missing(grounds[at[known]])
    shapely.prepare(grounds)
    open_rows = np.flatnonzero(known)
    open_rows = open_rows[~shapely.covers(grounds[at[open_rows]], shapes[open_rows])]
    mine, ground = _valid(shapes[open_rows]), _valid(grounds[at[open_rows]])
    outside = shapely.area(mine) - shapely.area(shapely.intersection(mine, ground))
    size = shapely.area(mine)
    told = outside > (_CELL_M2 if exact else np.maximum(_GRID_M2, size * _GRID_SHARE))
    return dict(zip(open_rows[told].tolist(), outside[told].tolist(), strict=True))


def overlaps(frame: gpd.GeoDataFrame) -> Iterator[tuple[int, int, float, Any]]:
    """Pairs of positions of polygons that overlap by over 1 m², with the square metres (ellipsoid) and the common ground."""
    if frame.empty:
        return
    numbered = gpd.GeoDataFrame(geometry=_valid(np.asarray(frame.geometry, dtype=object)), crs=frame.crs)
    found = topology.overlaps(numbered, least_m2=_GRID_M2)
    yield from zip(found["left"].tolist(), found["right"].tolist(), found["area_m2"].tolist(), found.geometry, strict=True)


def level_overlaps(areas: gpd.GeoDataFrame) -> Iterator[tuple[int, int, float, Any]]:
    """The same for areas of one level: a village lies in its town, but two villages share no ground."""
    place = np.flatnonzero(areas.geometry.notna())
    levels = areas["level"].iloc[place] if "level" in areas.columns else pd.Series(None, index=areas.index[place], dtype=object)
    for level in levels.drop_duplicates().tolist():
        same = place[(levels.isna() if pd.isna(level) else levels == level).to_numpy(dtype=bool)]
        for left, right, m2, spot in overlaps(areas.iloc[same]):
            yield int(same[left]), int(same[right]), m2, spot


def torn_cells(frame: gpd.GeoDataFrame) -> list[int]:
    """Positions of unit cells whose border does not match their neighbours': overlaps and cracks between vertices."""
    if frame.empty:
        return []
    shapes = np.asarray(frame.geometry, dtype=object)
    if bool(shapely.coverage_is_valid(shapes)):
        return []
    return [int(at) for at in np.flatnonzero(topology.misfits(frame))]  # GEOS suspects more than is wrong


def unfilled(frame: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> dict[int, float]:
    """By position of the area: its ground less that of its cells, square metres of the plane, where they differ.

    Ground that two areas of one level claim may be in the cells of either.
    """
    at = areas.index.get_indexer(pd.Index(frame["area_code"].astype(object)))
    known = at >= 0
    cells = shapely.area(np.asarray(frame.geometry, dtype=object)[known])
    sums = np.bincount(at[known], weights=cells, minlength=len(areas))
    ground = shapely.area(np.asarray(areas.geometry, dtype=object))
    built = np.bincount(at[known], minlength=len(areas)) > 0
    claimed = np.zeros(len(areas))
    for left, right, _, spot in level_overlaps(areas):
        claimed[[left, right]] += spot.area
    missing = ground - sums
    slack = np.maximum(_FILL_M2, ground * _FILL_SHARE)
    # overlaps too small to be found each still add up
    slack = np.where(claimed > 0, slack + _GRID_M2, slack)
    differs = built & ((missing > claimed + slack) | (missing < -slack))
    return {place: float(ground[place] - sums[place]) for place in np.flatnonzero(differs).tolist()}


def wrong_areas(frame: gpd.GeoDataFrame) -> dict[int, tuple[float, float]]:
    """Unit cells whose `area_m2` is not their area on the ellipsoid to 1 m²: (stated, real) by position."""
    if frame.empty or frame.crs is None or "area_m2" not in frame.columns:
        return {}
    use = frame[frame.geometry.notna()]
    real = cell_area(use).to_numpy()
    stated = use["area_m2"].to_numpy(dtype=float)
    wrong = np.flatnonzero(~(np.abs(stated - real) <= _STATED_M2))
    place = np.flatnonzero(frame.geometry.notna())
    return {int(place[i]): (float(stated[i]), float(real[i])) for i in wrong}


def empty_periods(frame: pd.DataFrame) -> Bools:
    """Which rows end before or on the day they begin."""
    if not {"valid_from", "valid_to"} <= set(frame.columns):
        return np.zeros(len(frame), dtype=bool)
    start = pd.to_datetime(frame["valid_from"], errors="coerce")
    end = pd.to_datetime(frame["valid_to"], errors="coerce")
    return np.asarray((start >= end).fillna(False), dtype=bool)


def unlogged(frame: gpd.GeoDataFrame, log: pd.DataFrame) -> list[tuple[int, str]]:
    """Position and column of rows whose state is not what the last entry of the change log left; `*` for a row without one."""
    after = _last_images(log)
    found = {at: "*" for at, key in enumerate(frame.index) if key not in after}
    entries = [after.get(key, {}) for key in frame.index]
    for name in frame.columns.drop("geometry"):
        for at, (state, entry) in enumerate(zip(frame[name], entries, strict=True)):
            if at not in found and not _same(state, entry.get(name)):
                found[at] = str(name)
    logged = shapely.from_wkb(np.array([entry.get("geometry") for entry in entries], dtype=object))
    drawn = _single(np.asarray(frame.geometry.array, dtype=object))
    # a missing geometry is equal to a missing one here
    differs = ~shapely.equals_identical(drawn, _single(logged)) & ~(shapely.is_missing(drawn) & shapely.is_missing(logged))
    found |= {int(at): "geometry" for at in np.flatnonzero(differs) if at not in found}
    return sorted(found.items())


def deleted(frame: gpd.GeoDataFrame, log: pd.DataFrame) -> gpd.GeoDataFrame:
    """What the change log left and the layer has no longer: keys and geometry of its rows."""
    lost = {key: image for key, image in _last_images(log).items() if key not in frame.index}
    shapes = shapely.from_wkb(np.array([image.get("geometry") for image in lost.values()], dtype=object))
    return gpd.GeoDataFrame(index=pd.Index(list(lost), name=frame.index.name), geometry=list(shapes), crs=frame.crs)


def _last_images(log: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How each row was left by its last entry, by key, without the rows that were retired."""
    last = log.dropna(subset=["key"]).drop_duplicates("key", keep="last")
    last = last[last["action"] != "retire"]
    return dict(zip(last["key"], last["after"], strict=True))


def _single(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Collections of one part as that part: stores write either for the other."""
    alone = (shapely.get_type_id(shapes) > 3) & (shapely.get_num_geometries(shapes) == 1)
    return np.where(alone, shapely.get_geometry(shapes, 0), shapes)


def _same(state: Any, logged: Any) -> bool:
    if state is None or (not isinstance(state, str) and pd.api.types.is_scalar(state) and pd.isna(state)):
        return logged is None or (isinstance(logged, float) and logged != logged)
    if isinstance(state, (dt.date, dt.datetime)):
        return str(logged)[:10] == state.isoformat()[:10]
    if isinstance(state, (int, float, np.integer, np.floating)) and isinstance(logged, (int, float)):
        return bool(np.isclose(float(state), float(logged), rtol=1e-12, atol=0.0))
    return str(state) == str(logged)


def _valid(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    bad = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    if not bad.any():
        return shapes
    mended = shapes.copy()
    mended[bad] = shapely.make_valid(shapes[bad])
    return mended


def broken_plans(ws: Workspace) -> Iterator[tuple[str, Phrase, Any]]:
    """Drafts whose log does not add up to grids that keep every rule: name, what is wrong, where."""
    from gridgis.tasks.plan_state import load

    for plan in ws.plans():
        if plan.state != "draft":
            continue
        try:
            state = load(ws, plan.name)
        except GridgisError as error:
            yield plan.name, error.phrase, shapely.Point()
            continue
        for draft in state.areas.values():
            for found in broken(draft.now, before=draft.base):
                yield plan.name, found.phrase, shapely.Point() if found.place is None else found.place


def lost_lineage(ws: Workspace) -> Iterator[tuple[str, str, str, str]]:
    """Rows of the lineage that name a code the grids never had: code, kind, parent, the code that is missing."""
    known = ws.used_codes("grids")
    for row in ws.lineage()[["code", "kind", "parent"]].itertuples(index=False):
        for code in (row.code, row.parent):
            if code not in known:
                yield str(row.code), str(row.kind), str(row.parent), str(code)
