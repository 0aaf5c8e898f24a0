"""Cutting along lattice lines: beside geopandas.overlay, on random territories with holes and exclaves, and by hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from shapely import box

from gridgis.cutting import cut
from gridgis.lattice import Lattice
from gridgis.merging import shapes_of
from tests.core.territories import assert_noded, territories
from tests.support import shared

CRS = 4547


def lattice_over(shapes: np.ndarray, cell_m: int = 100) -> Lattice:
    return Lattice.covering(shapely.total_bounds(shapes).tolist(), cell_m, CRS)


@settings(max_examples=40, deadline=None)
@given(territories())
def test_pieces_fill_their_polygon_lie_in_their_cell_and_meet(shapes: np.ndarray) -> None:
    lattice = lattice_over(shapes)
    pieces = cut(shapes, lattice)
    parts = shapes_of(pieces, lattice)
    assert shapely.is_valid(parts).all()
    assert set(shapely.get_type_id(parts)) == {3}
    for owner, shape in enumerate(shapes):
        mine = parts[pieces.owner == owner]
        assert shapely.area(mine).sum() == pytest.approx(shape.area, abs=1e-4)
        assert shapely.area(shapely.symmetric_difference(shapely.union_all(mine), shape)) < 1e-4
    outside = shapely.difference(parts, lattice.boxes(pieces.row, pieces.column))
    assert shapely.is_empty(outside).all()
    assert_noded(parts)


@settings(max_examples=12, deadline=None)
@given(territories())
def test_the_pieces_are_those_of_an_overlay(shapes: np.ndarray) -> None:
    lattice = lattice_over(shapes)
    cells = np.arange(lattice.rows * lattice.columns)
    boxes = gpd.GeoDataFrame({"cell": cells}, geometry=lattice.boxes(*lattice.cell_of(cells)), crs=CRS)
    areas = gpd.GeoDataFrame({"owner": range(len(shapes))}, geometry=shapes, crs=CRS)
    expected = gpd.overlay(boxes, areas, how="intersection", keep_geom_type=True).explode(ignore_index=True)
    expected = expected[expected.area > 1e-3].assign(m2=lambda f: f.area.round(3)).sort_values(["owner", "cell", "m2"])
    pieces = cut(shapes, lattice)
    found = gpd.GeoDataFrame(
        {"owner": pieces.owner, "cell": lattice.flat(pieces.row, pieces.column)}, geometry=shapes_of(pieces, lattice), crs=CRS
    )
    found = found[found.area > 1e-3].assign(m2=lambda f: f.area.round(3)).sort_values(["owner", "cell", "m2"])
    assert found[["owner", "cell"]].to_numpy().tolist() == expected[["owner", "cell"]].to_numpy().tolist()
    assert found["m2"].to_numpy() == pytest.approx(expected["m2"].to_numpy(), abs=0.002)


def test_a_cell_parted_by_its_village_gives_a_piece_for_every_part_from_north_to_south() -> None:
    comb = box(0, 0, 100, 300).difference(box(0, 120, 90, 140)).difference(box(0, 160, 90, 170))
    lattice = Lattice.covering((0, 0, 100, 300), 100, CRS)
    pieces = cut(np.array([comb]), lattice)
    assert pieces.row.tolist() == [0, 1, 2]  # the comb's back holds the middle cell together
    apart = np.array([shapely.MultiPolygon([box(0, 0, 100, 20), box(0, 60, 40, 80), box(50, 60, 90, 80)])])
    pieces = cut(apart, lattice)
    assert [shape.bounds for shape in pieces.shape] == [
        (0.0, 60.0, 40.0, 80.0), (50.0, 60.0, 90.0, 80.0), (0.0, 0.0, 100.0, 20.0),
    ]  # fmt: skip


def test_borders_along_lattice_lines_cut_nothing_and_whole_cells_have_no_shape() -> None:
    steps = shapely.union_all([box(0, 0, 300, 100), box(0, 100, 200, 200), box(0, 200, 100, 300)])
    pieces = cut(np.array([steps]), Lattice.covering((0, 0, 300, 300), 100, CRS))
    assert list(zip(pieces.row.tolist(), pieces.column.tolist(), strict=True)) == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert shapely.is_missing(pieces.shape).all()


def test_a_vertex_on_a_lattice_line_is_a_vertex_of_both_cells() -> None:
    # the neighbour's corner touches the line x = 100 from the west: the whole cell in the east gets the vertex too
    west = shapely.Polygon([(0, 0), (100, 40), (0, 90)])
    east = box(0, 0, 200, 100).difference(west)
    shapes = np.array([west, east])
    lattice = Lattice.covering((0, 0, 200, 100), 100, CRS)
    pieces = cut(shapes, lattice)
    parts = shapes_of(pieces, lattice)
    right = parts[(pieces.column == 1)]
    assert len(right) == 1
    assert [100.0, 40.0] in shapely.get_coordinates(right).tolist()
    assert shapely.coverage_is_valid(parts)


def test_vertices_a_hair_off_a_line_are_put_on_it() -> None:
    shape = shapely.Polygon([(0, 0), (100.0000004, 0), (99.9999996, 100), (0, 100)])
    pieces = cut(np.array([shape]), Lattice.covering((0, 0, 200, 100), 100, CRS))
    assert pieces.column.tolist() == [0]
    assert pieces.shape[0] is None


def test_a_ring_thinner_than_a_hair_leaves_nothing_and_breaks_nothing() -> None:
    needle = shapely.Polygon([(99.9999999, 10), (100.0000001, 10), (100, 60)])
    shapes = np.array([needle.union(box(300, 0, 350, 50))])
    pieces = cut(shapes, Lattice.covering((0, 0, 400, 100), 100, CRS))
    assert [round(shape.area, 3) for shape in pieces.shape] == [2500.0]


@pytest.mark.shared
def test_haidian_is_cut_as_by_an_overlay() -> None:
    from gridgis.topology import cover

    areas = gpd.read_file(shared("beijing_subdistricts/haidian-all.geojson")).set_index("code").sort_index().to_crs(4548)
    fitting = cover(areas).frame.reset_index()
    five = fitting.iloc[[0, 3, 12, 19, 22]].reset_index(drop=True)  # the overlay of all 29 takes seconds
    shapes = five.geometry.to_numpy()
    lattice = Lattice.covering(five.total_bounds.tolist(), 100, 4548)
    cells = np.arange(lattice.rows * lattice.columns)
    boxes = gpd.GeoDataFrame({"cell": cells}, geometry=lattice.boxes(*lattice.cell_of(cells)), crs=4548)
    expected = gpd.overlay(boxes, five[["code", "geometry"]], how="intersection", keep_geom_type=True)
    pieces = cut(shapes, lattice)
    found = gpd.GeoDataFrame(
        {"code": five["code"].to_numpy()[pieces.owner], "cell": lattice.flat(pieces.row, pieces.column)},
        geometry=shapes_of(pieces, lattice), crs=4548,
    )  # fmt: skip
    ours = found.assign(m2=found.area).groupby(["code", "cell"])["m2"].sum()
    theirs = expected.assign(m2=expected.area).groupby(["code", "cell"])["m2"].sum()
    both = ours.to_frame("ours").join(theirs.rename("theirs"), how="outer").fillna(0.0)
    assert (both["ours"] - both["theirs"]).abs().max() < 1e-4
    assert shapely.coverage_is_valid(found.geometry.to_numpy())
