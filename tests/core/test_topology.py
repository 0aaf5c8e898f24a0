"""How polygons fit together: by hand on squares, and real boundaries with known faults."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from gridgis import toy
from gridgis.errors import CrsError, DataError
from gridgis.topology import cover, gaps, is_seamless, misfits, overlaps, polygonal, segments, shared_borders, slivers
from tests.support import shared

CRS = 4547


def frame(**shapes: shapely.Geometry | None) -> gpd.GeoDataFrame:
    moved = [
        None if shape is None else shapely.transform(shape, lambda xy: np.add(xy, [500_000, 3_366_000]))
        for shape in shapes.values()
    ]
    return gpd.GeoDataFrame(geometry=moved, index=list(shapes), crs=CRS)


def test_borders_are_shared_where_segments_are_the_same() -> None:
    layer = frame(
        a=box(0, 0, 10, 10),
        b=shapely.Polygon([(10, 0), (20, 0), (20, 10), (10, 10)]),
        c=box(10, 10, 20, 20),  # touches a in a corner only
        d=box(20, 0, 30, 20),  # lies along b and c without their vertices in common
        e=None,
    )
    assert shared_borders(layer).to_numpy().tolist() == [["a", "b", 10.0], ["b", "c", 10.0]]
    noded = layer.assign(geometry=cover(layer.drop("e")).frame.geometry)
    assert shared_borders(noded).to_numpy().tolist() == [
        ["a", "b", 10.0], ["b", "c", 10.0], ["b", "d", 10.0], ["c", "d", 10.0],
    ]  # fmt: skip


def test_an_enclave_shares_its_whole_border_and_its_own_two_rings_share_none() -> None:
    layer = frame(hole=box(0, 0, 30, 30).difference(box(10, 10, 20, 20)), plug=box(10, 10, 20, 20))
    assert shared_borders(layer).to_numpy().tolist() == [["hole", "plug", 40.0]]


@given(st.integers(2, 6), st.integers(2, 6), st.randoms())
def test_borders_of_a_chessboard_do_not_depend_on_order(rows: int, columns: int, random: object) -> None:
    cells = [box(c, r, c + 1, r + 1) for r in range(rows) for c in range(columns)]
    order = list(range(len(cells)))
    random.shuffle(order)  # type: ignore[attr-defined]
    layer = gpd.GeoDataFrame(geometry=[cells[i] for i in order], index=order, crs=CRS)
    found = shared_borders(layer)
    pairs = {tuple(sorted(pair)) for pair in zip(found["left"], found["right"], strict=True)}
    expected = {(i, i + 1) for i in range(rows * columns) if (i + 1) % columns} | {
        (i, i + columns) for i in range(rows * columns - columns)
    }
    assert pairs == expected
    assert (found["length_m"] == 1).all()


def test_segments_of_both_sides_are_equal_and_run_opposite_ways() -> None:
    left, right = shapely.orient_polygons(np.array([box(0, 0, 1, 1), box(1, 0, 2, 1)]))
    both = segments(np.array([left, right]))
    common = (both.ends == [1.0, 0.0, 1.0, 1.0]).all(axis=1)
    assert both.owner[common].tolist() == [0, 1]
    assert both.forward[common].tolist() in ([True, False], [False, True])


def test_overlaps_are_named_measured_and_placed() -> None:
    layer = frame(a=box(0, 0, 10, 10), b=box(8, 0, 20, 10), c=box(0, 10, 10, 20), d=box(2, 2, 3, 3), e=None)
    found = overlaps(layer)
    assert found[["left", "right"]].to_numpy().tolist() == [["a", "b"], ["a", "d"]]
    assert found["area_m2"].round(4).tolist() == [20.0, 1.0]
    assert found.geometry.iloc[0].equals(frame(x=box(8, 0, 10, 10)).geometry.iloc[0])
    assert found.crs == layer.crs
    assert len(overlaps(toy.grids())) == 0


def test_gaps_are_holes_or_what_is_left_of_the_ground() -> None:
    ring = box(0, 0, 30, 30).difference(box(10, 10, 20, 20))
    layer = frame(ring=ring, island=box(12, 12, 14, 14))
    found = gaps(layer)
    assert found["area_m2"].round(4).tolist() == [96.0]
    ground = frame(all=box(-10, 0, 30, 30))
    assert gaps(layer, ground)["area_m2"].round(4).tolist() == [300.0, 96.0]
    assert len(gaps(toy.grids(), toy.areas())) == 0


def test_slivers_are_thin_or_small_parts() -> None:
    layer = frame(
        square=box(0, 0, 10, 10), thread=box(0, 20, 100, 20.5), both=box(0, 0, 10, 10).union(box(50, 50, 90, 50.1)),
        empty=shapely.Polygon(), none=None,
    )  # fmt: skip
    assert slivers(layer).tolist() == [False, True, True, False, False]
    assert slivers(layer, width_m=0.05).tolist() == [False, False, False, False, False]
    assert slivers(layer, width_m=0.0, least_m2=100.1).tolist() == [True, True, True, False, False]


def test_seamless_means_no_overlap_no_gap_and_the_same_vertices() -> None:
    assert is_seamless(toy.grids(), toy.areas())
    assert not is_seamless(toy.grids().drop("G2"), toy.areas())
    assert not is_seamless(frame(a=box(0, 0, 10, 10), b=box(9, 0, 20, 10)))
    assert not is_seamless(frame(a=box(0, 0, 10, 10), b=box(10, 0, 20, 5), c=box(10, 5, 20, 10)))
    assert not is_seamless(frame(a=box(0, 0, 10, 10), b=box(0, 0, 10, 10)))


def test_misfits_are_overlaps_and_missing_vertices_but_not_rings_that_touch_themselves() -> None:
    layer = frame(
        a=box(0, 0, 10, 10), b=box(10, 0, 20, 5), c=box(10, 5, 20, 10), d=box(20, 0, 30, 10).difference(box(20, 4, 21, 6))
    )
    # a lacks the corner of b and c; b and c lack the corners of the notch in d, which lacks nothing
    assert misfits(layer).to_dict() == {"a": True, "b": True, "c": True, "d": False}
    assert misfits(frame(a=box(0, 0, 10, 10), far=box(90, 0, 99, 9), b=box(9, 0, 20, 10))).tolist() == [True, False, True]
    # a hole touches the outer ring in the corner where the neighbour's border begins: GEOS suspects the neighbour
    holed = shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(10, 10), (6, 8), (8, 6)]])
    wedge = shapely.Polygon([(10, 10), (12, 0), (20, 0), (20, 10)])
    touching = frame(holed=holed, wedge=wedge)
    assert not misfits(touching).any()
    assert is_seamless(touching)


def test_a_repair_says_what_moved() -> None:
    layer = frame(a=box(0, 0, 10, 10), b=box(8, 0, 20, 10), c=box(20, 0, 30, 10).difference(box(19, 3, 20.5, 7)))
    first = cover(layer)
    assert first.moved.to_dict("index") == {"b": {"gained_m2": 0.0, "lost_m2": 20.0}}
    assert first.moved_m2 == 20.0
    closed = cover(layer, gap_width_m=1.0, keep="largest")
    assert closed.moved["lost_m2"].to_dict()["a"] == 20.0
    assert closed.moved["gained_m2"].to_dict()["c"] == 2.0  # its border on the crack is 5 m, that of b 4 m
    assert closed.frame.area.sum() == pytest.approx(300.0)
    assert is_seamless(closed.frame)
    assert layer.geometry.iloc[1].area == 120.0


def test_a_seamless_layer_comes_back_as_it_is() -> None:
    grids = toy.grids()
    covered = cover(grids)
    assert covered.frame is grids
    assert len(covered.moved) == 0
    assert covered.moved_m2 == 0.0


def test_a_polygon_that_would_vanish_is_named() -> None:
    with pytest.raises(DataError, match="inner"):
        cover(frame(a=box(0, 0, 10, 10), inner=box(2, 2, 3, 3)))


def test_only_polygons_are_kept_of_a_mixture() -> None:
    mixture = shapely.GeometryCollection([shapely.Point(0, 0), shapely.MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)])])
    kept = polygonal(np.array([mixture, shapely.LineString([(0, 0), (1, 1)]), box(0, 0, 1, 1), None], dtype=object))
    assert [shape.geom_type for shape in kept[:3]] == ["MultiPolygon", "Polygon", "Polygon"]
    assert [shapely.area(shape) for shape in kept[:3]] == [2.0, 0.0, 1.0]
    assert kept[3] is None


def test_degrees_cannot_measure() -> None:
    for function in (shared_borders, overlaps, gaps, slivers, is_seamless, cover):
        with pytest.raises(CrsError):
            function(toy.grids().to_crs(4490))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=6))
def test_what_is_gained_and_lost_adds_up(boxes: list[tuple[int, int, int, int]]) -> None:
    shapes = {f"r{i}": box(x, y, x + w, y + h) for i, (x, y, w, h) in enumerate(boxes)}
    layer = frame(**shapes)
    union = shapely.union_all(layer.geometry.to_numpy())
    try:
        covered = cover(layer)
    except DataError:  # some polygon lies wholly in others
        return
    assert len(overlaps(covered.frame)) == 0
    assert shapely.area(shapely.symmetric_difference(union, shapely.union_all(covered.frame.geometry.to_numpy()))) < 1e-6
    change = covered.frame.area - layer.area
    told = (covered.moved["gained_m2"] - covered.moved["lost_m2"]).reindex(layer.index, fill_value=0.0)
    assert told.to_numpy() == pytest.approx(change.to_numpy(), abs=1e-5)


@pytest.mark.shared
def test_haidian_overlaps_and_gaps_are_the_known_ones() -> None:
    areas = gpd.read_file(shared("beijing_subdistricts/haidian-all.geojson")).set_index("code").to_crs(4548)
    assert overlaps(areas)["area_m2"].sum() == pytest.approx(470, abs=1)
    assert len(gaps(areas)) == 4
    covered = cover(areas.sort_index())
    assert covered.moved_m2 == pytest.approx(470, abs=1)
    assert is_seamless(covered.frame)
