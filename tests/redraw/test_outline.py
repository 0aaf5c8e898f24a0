"""Lines that meet the area's outline: beside a vertex of it they meet the vertex, and the outline keeps every vertex it had."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.affinity import translate

from gridgis import toy
from gridgis.redraw.invariants import broken
from gridgis.redraw.operations import Assign, Create, Retire, Split, apply, rings_of
from gridgis.redraw.partition import Partition, partition_of

X, Y = toy.ORIGIN[0] + 0.1234567, toy.ORIGIN[1] + 0.7654321


def town() -> Partition:
    """Two grids side by side; no coordinate is a whole millimetre, and the outline bends a little at every tenth metre."""
    x = np.arange(0.0, 200.1, 10.0)
    bottom = np.column_stack([x, 0.3 * np.sin(x)])
    top = np.column_stack([x, 100 + 0.3 * np.cos(x)])[::-1]
    left = [*bottom[:11], *top[-11:]]
    right = [*bottom[10:], *top[:11]]
    shapes = [translate(shapely.Polygon(ring), X, Y) for ring in (left, right)]
    return partition_of(gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=shapes, index=["G1", "G2"], crs=toy.CRS), area="A")


def scattered(seed: int) -> Partition:
    """Eight cells of a crooked outline far from the origin, with every bit of the coordinates in use."""
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 40))
    outline = shapely.Polygon(np.column_stack([np.cos(turn), np.sin(turn)]) * rng.uniform(600, 1000, (40, 1)))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(rng.uniform(-800, 800, (8, 2))), extend_to=outline))
    far = np.array([300654.6144627055, 2771054.1250793743])
    pieces = shapely.coverage_clean([*shapely.intersection(cells, outline)])
    pieces = [max(shapely.get_parts(piece), key=shapely.area) for piece in pieces if not piece.is_empty]
    shapes = [shapely.transform(piece, lambda xy: xy + far) for piece in pieces]
    codes = [f"G{number}" for number in range(1, len(shapes) + 1)]
    return partition_of(gpd.GeoDataFrame({"name": codes}, geometry=shapes, index=codes, crs=toy.CRS), area="A")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("operation", ["assign", "create"])
def test_ground_that_was_freed_at_the_outline_can_be_given_again(operation: str, seed: int) -> None:
    whole = scattered(seed)
    assert broken(whole) == ()
    for code in whole.codes:
        ground = rings_of(whole.shape(code))
        freed = apply(whole, Retire(code, to="free")).partition
        neighbour = next(other for other in freed.codes if shapely.intersection(freed.shape(other), whole.shape(code)).length > 1)
        edit = apply(freed, Assign(ground, neighbour) if operation == "assign" else Create(ground))
        assert sum(shape.area for shape in edit.partition.shapes) == pytest.approx(whole.outline.area, abs=1e-5)
        assert len(edit.partition.free) == 0


@pytest.mark.parametrize("beside_m", [0.0, 0.0002, -0.0004, 0.0009, 0.003, 0.5])
@pytest.mark.parametrize("lean", [0.0, 0.01, -0.3])
def test_a_line_beside_a_vertex_of_the_outline_leaves_the_outline_as_it_was(beside_m: float, lean: float) -> None:
    before = town()
    x, y = X + 50 + beside_m, Y + 0.3 * np.sin(50.0)
    line = ((x - lean * 5, y - 5), (x + lean * 110, y + 110))
    edit = apply(before, Split("G1", line))
    old = set(map(tuple, shapely.get_coordinates(before.outline).tolist()))
    new = set(map(tuple, shapely.get_coordinates(edit.partition.outline).tolist()))
    assert old <= new
    assert edit.partition.outline.area == pytest.approx(before.outline.area, abs=1e-8)
    parts = edit.partition.shape("G1").area + edit.partition.shape("G3").area
    assert parts == pytest.approx(before.shape("G1").area, abs=1e-6)
