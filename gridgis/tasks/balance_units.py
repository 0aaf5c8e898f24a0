"""Units of a workspace that balanced grids are put together from: their ground, work, today's grids, and what parts them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.balance import Units, units_from
from gridgis.errors import DataError
from gridgis.reach.network import NOT_WALKED, walk_network
from gridgis.reach.streets import street_metres
from gridgis.redraw.facts import Facts
from gridgis.redraw.figures import FREE, figures
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition
from gridgis.store import Workspace
from gridgis.tasks.plan_state import AreaDraft, PlanState, current, drafted, gather, live

Shapes = NDArray[np.object_]

UNIT_LAYERS: Final = ("unit_cells", "natural_villages", "grids", "areas")
"""Layers whose polygons can be units: unit grids, natural villages, today's grids, the areas below an area."""
WEIGHTS: Final = ("households", "population", "buildings", "incidents", "area_m2", "street_m")
"""What work can be measured by; `incidents` are those of a year, `street_m` metres of street to walk."""
BARRIERS: Final = ("water", "roads")
"""What a grid may be told not to cross without a bridge: rivers, canals and lakes; motorways, trunk roads and railways."""

_RIVERS: Final = frozenset({"river", "canal", "riverbank", "lake", "reservoir"})
_WALLS: Final = frozenset({"motorway", "motorway_link", "trunk", "trunk_link", "rail", "railway"})
_MAIN: Final = frozenset({"motorway", "trunk", "primary", "secondary", "tertiary", "residential", "unclassified"})
# ground nobody's unit holds is named from this on, m²: below it is rounding
_SOME_M2: Final = 1.0
_YEAR: Final = dt.timedelta(days=365.25)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The units of an area and all that is known of them."""

    area: str
    """Code of the area."""
    state: PlanState
    """The plan the grids are for, as it was read."""
    draft: AreaDraft
    """The area in that plan: today's grids are its grids."""
    facts: Facts
    """What is known at points."""
    partition: Partition
    """The units, with the same vertices on common borders."""
    units: Units
    """The same as a graph with weights."""
    today: pd.Series | None
    """Today's grid of each unit: the one that holds most of it; None without grids."""
    locked: tuple[str, ...]
    """Grids of the area that stay as they are; each is a unit of its own."""
    years: float
    """What incidents were divided by."""

    @property
    def uncovered_m2(self) -> float:
        """Ground of the area in no unit, m² of the plane."""
        return float(shapely.area(self.partition.free).sum())


def ground_of(
    ws: Workspace,
    area: str,
    *,
    layer: str,
    weights: Collection[str],
    plan: str,
    barriers: Collection[str] = (),
    exclaves: bool = False,
) -> Ground:
    """Read the units of an area and weigh them by what the plan's grids would be told to hold.

    1. The polygons of the layer in the area are cut along the plan's locked grids and opened as a partition.
    2. People, households, buildings and incidents are carried to them from the registers and the houses as an edit does.
    3. A unit's grid of today is the one that holds most of it; its natural village the one that holds most of it.

    Raises
    ------
    DataError
        If the area or a weight is unknown, there are no units, or they overlap or leave cracks.
    """
    _known("layer", [layer], UNIT_LAYERS)
    _known("weight", weights, WEIGHTS)
    _known("barrier", barriers, BARRIERS)
    state = current(ws, plan)
    home, grids = live(ws, area)
    draft = state.areas.get(area) or drafted(area, grids, home)
    locked = tuple(sorted(state.locked & set(draft.rows)))
    shapes = _read(ws, area, layer, draft)
    partition = open_partition(_cut_out(shapes, draft.now, locked), home)
    facts = gather(ws, area)
    counted = figures(partition, facts, base=draft.base).drop(index=FREE)
    years = _years(ws, home)
    table = partition.frame()[["geometry"]].join(counted[["households", "population", "buildings", "incidents", "area_m2"]])
    table["incidents"] /= years
    box = _around(home)
    roads = ws.read("roads", bbox=box, columns=["kind"]) if ws.count("roads") else None
    if "street_m" in weights:
        if roads is None or roads.empty:
            raise DataError("balancing.no_streets", area=area)
        table["street_m"] = street_metres(walk_network(roads), table)
    for name in weights:
        if table[name].isna().any():
            raise DataError("balancing.not_counted", weight=name, area=area)
    villages = _villages(shapes, table) if layer != "areas" else None
    walls, bridges = _parting(ws, roads, box, barriers)
    units = units_from(
        table, weights=list(weights), groups=villages, whole=_whole(ws, table, box), streets=_main(roads),
        barriers=walls, bridges=bridges, link_islands=exclaves,
    )  # fmt: skip
    today = None if not draft.rows else _most(table, draft.now.frame(), least=0.0)
    return Ground(area, state, draft, facts, partition, units, today, locked, years)


def _known(what: str, given: Collection[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise DataError(f"balancing.unknown_{what}", name=name, known=", ".join(known))


def _read(ws: Workspace, area: str, layer: str, draft: AreaDraft) -> gpd.GeoDataFrame:
    """The polygons of a layer that lie in an area, one row a part, with `area_code`."""
    below = _below(ws, area)
    match layer:
        case "grids":
            found = draft.now.frame()[["geometry"]].assign(area_code=area)
        case "areas":
            found = ws.read("areas", where={"parent": area})
            found = found[["geometry"]].assign(area_code=area)
        case _:
            found = ws.read("unit_cells", where={"area_code": below})
            found = found[~found["state"].eq("void").fillna(False)][["area_code", "geometry"]]
    if found.empty:
        name = "unit_cells" if layer == "natural_villages" else layer
        raise DataError(f"balancing.no_{name}", area=area)
    return _parts(_hamlets(ws, found, area) if layer == "natural_villages" else found)


def _hamlets(ws: Workspace, cells: gpd.GeoDataFrame, area: str) -> gpd.GeoDataFrame:
    """Natural villages with the ground around them: the unit grids nearest to each, of the same area."""
    west, south, east, north = (float(side) for side in cells.total_bounds)
    villages = ws.read("natural_villages", bbox=(west, south, east, north))
    if villages.empty:
        raise DataError("balancing.no_natural_villages", area=area)
    shapes = np.asarray(cells.geometry.array, dtype=object)
    cell, nearest = shapely.STRtree(np.asarray(villages.geometry.array, dtype=object)).query_nearest(shapes)
    first = np.unique(cell, return_index=True)[1]  # of villages equally near, the first
    owner = np.asarray(villages.index.astype(str), dtype=object)[nearest[first]]
    home = cells["area_code"].astype(str).to_numpy()
    at, groups = pd.factorize(pd.MultiIndex.from_arrays([owner, home]), sort=True)
    made = np.array([shapely.coverage_union_all(shapes[at == group]) for group in range(len(groups))], dtype=object)
    names = groups.get_level_values(0)
    twice = names.duplicated(keep=False)
    codes = [f"{name}@{where}" if more else name for (name, where), more in zip(groups, twice, strict=True)]
    columns = {"area_code": groups.get_level_values(1)}
    return gpd.GeoDataFrame(columns, geometry=list(made), index=pd.Index(codes, name="code"), crs=cells.crs)


def _below(ws: Workspace, area: str) -> list[str]:
    """An area and all areas below it."""
    parents = ws.read("areas", columns=["parent"])["parent"]
    found, fresh = [area], {area}
    while fresh:
        fresh = set(map(str, parents.index[parents.isin(fresh)])) - set(found)
        found += sorted(fresh)
    return found


def _parts(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One row a polygon: a unit of several parts becomes several, `code`, `code/2`, …"""
    shapes = np.asarray(frame.geometry.array, dtype=object)
    parts, of = shapely.get_parts(shapes, return_index=True)
    number = pd.Series(of).groupby(of).cumcount().to_numpy() + 1
    codes = [str(code) if n == 1 else f"{code}/{n}" for code, n in zip(frame.index[of], number, strict=True)]
    made = frame.iloc[of].set_axis(pd.Index(codes, name="code"))
    return made.set_geometry(gpd.GeoSeries(parts, index=made.index, crs=frame.crs))


def _cut_out(units: gpd.GeoDataFrame, now: Partition, locked: tuple[str, ...]) -> gpd.GeoDataFrame:
    """Units without the ground of locked grids, and these as units of their own."""
    if not locked:
        return units
    fixed = now.frame().loc[list(locked), ["geometry"]]
    taken = shapely.union_all(np.asarray(fixed.geometry.array, dtype=object))
    rest = np.array(units.geometry.array, dtype=object)
    near = shapely.STRtree(rest).query(taken, predicate="intersects")
    rest[near] = shapely.difference(rest[near], taken)
    keep = units.set_geometry(gpd.GeoSeries(rest, index=units.index, crs=units.crs))
    keep = _parts(keep[~keep.geometry.is_empty])
    # a crumb that rounding left beside the locked ground is none of a unit's
    keep = keep[keep.geometry.area > 2e-6 * keep.geometry.length]
    clash = keep.index.isin(fixed.index)
    keep.index = pd.Index([f"{code}/1" if same else code for code, same in zip(keep.index, clash, strict=True)], name="code")
    return gpd.GeoDataFrame(pd.concat([keep[["geometry"]], fixed]), crs=units.crs)


def _years(ws: Workspace, home: gpd.GeoDataFrame) -> float:
    """Years that the incidents of an area span; at least one."""
    if not ws.count("incidents"):
        return 1.0
    when = ws.read("incidents", bbox=_around(home), columns=["occurred_at"])["occurred_at"].dropna()
    return 1.0 if when.empty else max((when.max() - when.min()) / _YEAR, 1.0)


def _around(home: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    west, south, east, north = (float(side) for side in home.total_bounds)
    return west, south, east, north


def _villages(shapes: gpd.GeoDataFrame, table: gpd.GeoDataFrame) -> pd.Series | None:
    """The area each unit belongs to, where there are several."""
    codes = shapes["area_code"].reindex(table.index)
    return None if len(codes.dropna().unique()) < 2 else codes


def _whole(ws: Workspace, table: gpd.GeoDataFrame, box: tuple[float, float, float, float]) -> pd.Series | None:
    """The natural village that holds most of each unit."""
    if not ws.count("natural_villages"):
        return None
    villages = ws.read("natural_villages", bbox=box)
    return None if villages.empty else _most(table, villages, least=0.5)


def _most(units: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, *, least: float) -> pd.Series:
    """The zone that holds most of each unit, and more than a share `least` of it; None where there is none."""
    inner = np.asarray(units.geometry.array, dtype=object)
    outer = np.asarray(zones.geometry.array, dtype=object)
    unit, zone = shapely.STRtree(outer).query(inner, predicate="intersects")
    held = shapely.area(shapely.intersection(inner[unit], outer[zone]))
    order = np.lexsort((zone, -held, unit))
    first = order[np.r_[True, unit[order][1:] != unit[order][:-1]]] if len(order) else order
    first = first[held[first] > least * shapely.area(inner[unit[first]])]
    found = np.full(len(inner), None, dtype=object)
    found[unit[first]] = np.asarray(zones.index.astype(str), dtype=object)[zone[first]]
    return pd.Series(found, index=units.index, dtype=object)


def _main(roads: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
    """Streets that borders should follow: main ones, or all where no kind is known."""
    if roads is None or roads.empty:
        return None
    main = roads[_of_kind(roads, _MAIN)]
    return roads if main.empty else main


def _parting(
    ws: Workspace, roads: gpd.GeoDataFrame | None, box: tuple[float, float, float, float], barriers: Collection[str]
) -> tuple[gpd.GeoDataFrame | None, gpd.GeoDataFrame | None]:
    """Barriers, and the streets that lead across them."""
    found = []
    if "water" in barriers and ws.count("water"):
        water = ws.read("water", bbox=box, columns=["kind"])
        found.append(water[_of_kind(water, _RIVERS)])
    if "roads" in barriers and roads is not None:
        found.append(roads[_of_kind(roads, _WALLS)])
    found = [layer[["geometry"]] for layer in found if not layer.empty]
    if not found:
        return None, None
    wall = gpd.GeoDataFrame(pd.concat(found, ignore_index=True), crs=found[0].crs)
    bridges = None if roads is None else roads[~_of_kind(roads, NOT_WALKED | _WALLS)]
    return wall, bridges


def _of_kind(layer: gpd.GeoDataFrame, kinds: Collection[str]) -> pd.Series:
    """Rows of which one of the kinds (`a;b`) is wanted."""
    text = layer["kind"].astype("string").fillna("")
    return text.map(lambda kind: any(part.strip() in kinds for part in kind.split(";"))).astype(bool)
