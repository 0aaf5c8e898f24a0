"""The sample: Miaoling town, Ezhou, at the end of 2012. Real names and codes, published sums, synthetic geometry.

Every published figure has to come out of the layers by computation; none is written down here. What the generator is
told is in `plan`. One seed gives one town, on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from gridgis.sample import events, hamlets, plan, roads, territory
from gridgis.sample import terrain as ground
from gridgis.sample.canvas import Bools, Floats, Ints, outlines
from gridgis.sample.terrain import CANVAS
from gridgis.villages import natural_villages


@dataclass(frozen=True, slots=True)
class _Town:
    """Everything made, before it becomes layers."""

    terrain: ground.Terrain
    seats: Floats
    sites: hamlets.Sites
    network: roads.Network
    buildings: hamlets.Buildings
    ponds: list[shapely.Polygon]
    grids: NDArray[np.object_]
    """Outlines of the grids, in the plan's order of villages."""
    villages: NDArray[np.object_]
    """Outlines of the villages: each the union of its grids, so that borders are shared to the last digit."""
    outline: shapely.Polygon


def miaoling(*, seed: int = 2012) -> Mapping[str, gpd.GeoDataFrame]:
    """The layers of the sample, each indexed by its key, in EPSG:4547.

    Parameters
    ----------
    seed
        Seed of the generator; another seed makes another landscape with the same villages, sums and names.

    Returns
    -------
    Mapping
        `areas` (the town and its 16 villages), `grids` (one officer each), `stations` (`opened_on` null: wired, not
        open), `buildings` (households and residents), `natural_villages`, `roads`, `water`, `places`, `incidents`; the
        columns are those of `gridgis.layers`. Areas of grids add up to their village's, those of villages to the
        town's, without gap or overlap; residents of buildings add up to the village's `population`.

    Examples
    --------
    >>> town = miaoling()
    >>> {name: len(layer) for name, layer in town.items() if name in ("areas", "grids", "stations", "natural_villages")}
    {'areas': 17, 'grids': 170, 'stations': 16, 'natural_villages': 143}
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    town = _make(rng)
    buildings = _buildings(rng, town)
    areas, grids, places = _areas(town, buildings), _grids(town), _places(rng, town)
    buildings = buildings.drop(columns="area_code")
    scene = events.Ground(buildings, grids, town.terrain.shore, town.sites.estate)
    return {
        "areas": areas,
        "grids": grids,
        "stations": _stations(town),
        "buildings": buildings,
        "natural_villages": _natural_villages(areas, buildings, places),
        "roads": _roads(town),
        "water": _water(town),
        "places": places,
        "incidents": events.incidents(rng, scene),
    }


def _make(rng: np.random.Generator) -> _Town:
    terrain = ground.terrain(rng)
    seats = territory.village_seats(rng, terrain)
    village = territory.village_cells(rng, terrain, seats)
    estate = hamlets.estate_site(terrain, village)
    effort = roads.road_effort(rng, terrain)
    around = effort + 60 * hamlets.estate_cells(estate)
    network = roads.main_roads(around, seats)
    sites = hamlets.sites(rng, terrain, village, seats, network.cells, estate)
    roads.add_lanes(network, around, sites.centre)
    roads.add_estate(network, around, hamlets.estate_streets(estate), hamlets.estate_gate(estate))
    buildings = hamlets.build(rng, terrain, sites, network)
    grid = territory.grid_cells(rng, terrain, village, _built_up(buildings), network.cells | terrain.stream)
    hamlets.add_farmsteads(rng, terrain, grid, network, buildings)
    ponds = hamlets.ponds(rng, terrain, sites, network, buildings)
    shapes = np.array(outlines(CANVAS, grid, simplify_m=territory.SIMPLIFY_M))
    last = np.cumsum([0, *(spec.grids for spec in plan.VILLAGES)])
    villages = np.array([shapely.coverage_union_all(shapes[a:b]) for a, b in pairwise(last)])
    outline = cast("shapely.Polygon", shapely.coverage_union_all(villages))
    return _Town(terrain, seats, sites, network, buildings, ponds, shapes, villages, outline)


def _built_up(buildings: hamlets.Buildings) -> Bools:
    middle = _centres(buildings.shape)
    cells = np.zeros(CANVAS.shape, dtype=bool)
    cells.ravel()[CANVAS.cell_of(middle[:, 0], middle[:, 1])] = True
    return np.asarray(ndimage.distance_transform_edt(~cells) * CANVAS.cell_m <= 60)


def _centres(shapes: list[shapely.Polygon]) -> Floats:
    return np.asarray(shapely.get_coordinates(shapely.centroid(np.array(shapes))))


def _reading_order(points: Floats, band_m: float = 700.0) -> Ints:
    # as one reads a map: bands from north to south, in each from west to east
    return np.lexsort((points[:, 0], -np.floor(points[:, 1] / band_m)))


def _frame(rows: Mapping[str, object], shapes: object, key: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(dict(rows), geometry=shapes, crs=plan.CRS).set_index(key)


def _areas(town: _Town, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    people = buildings.groupby("area_code")[["population", "households"]].sum()
    codes = [plan.TOWN, *(spec.code for spec in plan.VILLAGES)]
    rows = {
        "code": codes,
        "name": [plan.TOWN_NAME, *(spec.name for spec in plan.VILLAGES)],
        "level": ["town"] + ["village"] * len(plan.VILLAGES),
        "parent": [None, *([plan.TOWN] * len(plan.VILLAGES))],
        "population": [people["population"].sum(), *people["population"].reindex(codes[1:])],
        "households": [people["households"].sum(), *people["households"].reindex(codes[1:])],
        "kind": ["town", *(spec.kind for spec in plan.VILLAGES)],
    }
    return _frame(rows, [town.outline, *town.villages], "code")


def _grids(town: _Town) -> gpd.GeoDataFrame:
    rows: dict[str, list[str]] = {name: [] for name in ("code", "name", "area_code", "station", "officer", "batch", "state")}
    shapes: list[shapely.Geometry] = []
    first = 0
    for spec in plan.VILLAGES:
        own = town.grids[first : first + spec.grids]
        for number, place in enumerate(_reading_order(_centres(list(own))), start=1):
            count = len(shapes)
            surname = plan.SURNAMES[count // len(plan.STEMS) % len(plan.SURNAMES)]
            values = (
                f"{spec.code}G{number:02d}",
                f"{spec.short}{number:02d}网格",
                spec.code,
                f"{spec.code}S",
                f"{surname}某{plan.STEMS[count % len(plan.STEMS)]}",
                spec.batch,
                "valid",
            )
            for column, value in zip(rows.values(), values, strict=True):
                column.append(value)
            shapes.append(own[place])
        first += spec.grids
    return _frame(rows, shapes, "code")


def _stations(town: _Town) -> gpd.GeoDataFrame:
    rows = {
        "code": [f"{spec.code}S" for spec in plan.VILLAGES],
        "name": [f"{spec.name}网格管理站" for spec in plan.VILLAGES],
        "area_code": [spec.code for spec in plan.VILLAGES],
        "opened_on": pd.Series([spec.opened_on for spec in plan.VILLAGES], dtype=object),
        "batch": [spec.batch for spec in plan.VILLAGES],
    }
    return _frame(rows, shapely.points(np.round(town.seats + np.array([22.0, 14.0]), 1)), "code")


def _buildings(rng: np.random.Generator, town: _Town) -> gpd.GeoDataFrame:
    made = town.buildings
    households, people = hamlets.residents(rng, made)
    order = np.lexsort((np.array(made.hamlet), np.array(made.village)))
    rows = {
        "id": [f"B{number + 1:05d}" for number in range(len(order))],
        "kind": np.array(made.kind)[order],
        "households": households[order],
        "population": people[order],
        "area_code": np.array([spec.code for spec in plan.VILLAGES])[np.array(made.village)[order]],
    }
    return _frame(rows, np.array(made.shape)[order], "id")


def _natural_villages(areas: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, places: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The natural villages as `gridgis.villages` finds them in the buildings, which is how they were laid out."""
    named = places[places["kind"] == "hamlet"]
    found = natural_villages(buildings, areas=areas[areas["level"] == "village"], places=named).villages
    return found[["name", "buildings", "population", "area_code", "geometry"]]


def _names(rng: np.random.Generator, sites: hamlets.Sites) -> list[str]:
    # the largest hamlet bears its village's name; the others a surname and a variety, each pair once
    pairs = [surname + variety for variety in plan.VARIETIES for surname in plan.SURNAMES]
    shuffled = iter([pairs[place] for place in np.argsort(rng.random(len(pairs)), kind="stable")])
    out = [next(shuffled) for _ in sites.village]
    for number, spec in enumerate(plan.VILLAGES):
        own = np.flatnonzero(sites.village == number)
        seat = f"{spec.short}街" if spec.code == plan.MARKET else f"{spec.short}湾"
        out[own[np.argmax(sites.houses[own])]] = seat
    return out


def _roads(town: _Town) -> gpd.GeoDataFrame:
    lines = gpd.GeoDataFrame({"name": town.network.names, "kind": town.network.kinds}, geometry=town.network.lines, crs=plan.CRS)
    lines = lines.clip(town.outline, sort=True).explode(index_parts=False, ignore_index=True)
    lines = lines[lines.geom_type.eq("LineString") & (lines.length > 5)].reset_index(drop=True)
    lines.index = pd.Index([f"R{number + 1:04d}" for number in range(len(lines))], name="id")
    return lines


def _water(town: _Town) -> gpd.GeoDataFrame:
    inside = [shapely.intersection(line, town.outline) for line in town.terrain.streams]
    streams = [part for line in inside for part in shapely.get_parts(line) if part.length > 50]
    ponds = [pond for pond in town.ponds if town.outline.covers(pond)]
    shapes = [shapely.intersection(town.terrain.shore, town.outline), *ponds, *streams]
    rows = {
        "id": [f"W{number + 1:04d}" for number in range(len(shapes))],
        "name": ["扇子湖", *([None] * (len(shapes) - 1))],
        "kind": ["lake", *(["pond"] * len(ponds)), *(["stream"] * len(streams))],
    }
    return _frame(rows, shapes, "id")


def _places(rng: np.random.Generator, town: _Town) -> gpd.GeoDataFrame:
    """Points with a name: every hamlet, so that natural villages keep their names when they are built anew, and hills."""
    spots = np.asarray(shapely.points(np.round(town.sites.centre, 1)))
    named = _names(rng, town.sites)
    summits = [shapely.Point(np.round(ground.at_km([at])[0], 1)) for _, at, _, _ in plan.HILLS]
    hills = [(name, point) for (name, *_), point in zip(plan.HILLS, summits, strict=True) if town.outline.covers(point)]
    names = [*named, *(name for name, _ in hills)]
    rows = {
        "id": [f"P{number + 1:04d}" for number in range(len(names))],
        "name": names,
        "kind": ["hamlet"] * len(named) + ["hill"] * len(hills),
    }
    return _frame(rows, np.array([*spots.tolist(), *(point for _, point in hills)]), "id")
