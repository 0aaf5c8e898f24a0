"""Lines are woven into borders so that everything meets in common vertices; faces are what they cut out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from gridgis.redraw.faces import border_lengths, dissolve, faces
from gridgis.redraw.noding import Woven, insert_vertices, map_rings, rounded, weave, without_spikes
from gridgis.redraw.partition import OUTLINE_SNAP_M, Partition, frozen_shapes
from gridgis.redraw.refusal import Refused
from tests.redraw.grounds import at, crooked, crossroads, ground, nested, on_millimetres, town


def members(partition: Partition) -> np.ndarray:
    return frozen_shapes([*partition.shapes, *partition.free, partition.outline])


def woven(partition: Partition, *lines: list[tuple[float, float]]) -> Woven:
    """Lines by metres from the toy town's corner, woven in."""
    every = members(partition)
    return weave(every, [np.array([at(*xy) for xy in line]) for line in lines], outline=len(every) - 1)


def points(shape: shapely.Geometry) -> set[tuple[float, float]]:
    return set(map(tuple, shapely.get_coordinates(shape).tolist()))


# --- weaving, rule by rule -------------------------------------------------------------------------------------------


def test_a_crossing_becomes_a_vertex_of_everything_that_meets_there() -> None:
    done = woven(town(), [(100, 100), (200, 100)])
    crossing = at(150, 100)
    assert [crossing in points(shape) for shape in done.members] == [True, True, False, False]
    assert done.changed == {0, 1}
    assert [at(100, 100), crossing] in [sorted(map(tuple, line)) for line in done.lines.tolist()]
    assert len(done.lines) == 2


def test_a_vertex_of_a_line_within_a_millimetre_of_a_vertex_is_that_vertex() -> None:
    done = woven(crossroads(), [(200.0007, 199.9995), (250, 250)])
    assert at(200, 200) in points(shapely.MultiLineString(list(done.lines)))
    assert done.changed == frozenset()


def test_a_vertex_of_a_line_within_a_millimetre_of_a_border_lies_on_it() -> None:
    done = woven(town(), [(149.9992, 100), (100, 150)])
    spot = at(149.999, 100)  # where the line begins, rounded: the border bends to it by a millimetre
    assert all(spot in points(done.members[i]) for i in (0, 1))
    far = woven(town(), [(149.9978, 100), (100, 150)])
    assert far.changed == frozenset()


def test_a_line_that_passes_a_vertex_within_a_millimetre_goes_through_it() -> None:
    done = woven(crossroads(), [(150, 150.0008), (250, 250.0008)])
    assert at(200, 200) in points(shapely.MultiLineString(list(done.lines)))
    assert done.changed == frozenset()


def test_a_crossing_is_rounded_to_a_millimetre_and_on_the_outline_to_a_nanometre() -> None:
    done = woven(town(), [(100, 50), (200, 83.3333333)])
    new = points(done.members[0]) - points(town().shapes[0])
    assert new == {at(150, 66.667)}
    slanting = crooked(3)
    west, south, east, north = slanting.outline.bounds
    done = weave(
        members(slanting), [np.array([(west - 1, south - 1), (east + 1, north + 1)])], outline=len(members(slanting)) - 1
    )
    fresh = points(done.members[-1]) - points(slanting.outline)
    assert fresh
    for x, y in fresh:
        assert (x / OUTLINE_SNAP_M).is_integer()
        assert (y / OUTLINE_SNAP_M).is_integer()
        assert slanting.outline.boundary.distance(shapely.Point(x, y)) < 2e-9
    assert not all(on_millimetres(fresh))


def test_lines_that_cross_each_other_meet_in_a_vertex() -> None:
    done = woven(town(), [(20, 20), (80, 80)], [(20, 80), (80, 20)])
    assert len(done.lines) == 4
    assert all(at(50, 50) in map(tuple, line) for line in done.lines.tolist())


def test_no_line_changes_nothing() -> None:
    every = members(town())
    done = weave(every, [], outline=3)
    assert done.members is every
    assert done.lines.shape == (0, 2, 2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(-420_000, 420_000), st.integers(-420_000, 420_000)), min_size=2, max_size=5),
)
def test_what_is_woven_meets_in_common_vertices_only(seed: int, spots: list[tuple[int, int]]) -> None:
    before = crooked(seed)
    x, y = at(0, 0)
    line = np.array([(x + right / 1000, y + up / 1000) for right, up in spots])
    every = members(before)
    try:
        done = weave(every, [line], outline=len(every) - 1)
    except Refused:  # borders would come within a millimetre
        reject()
    assert shapely.coverage_is_valid(done.members[:-1])
    assert shapely.area(shapely.symmetric_difference(every, done.members)).max() <= 0.001 * before.outline.length
    assert done.members[-1].area == pytest.approx(every[-1].area, abs=1e-6)
    assert all(points(old) <= points(new) for old, new in zip(every, done.members, strict=True))
    if len(done.lines) == 0:
        return
    rings = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(done.members)), return_index=True)
    borders = [
        pair
        for pair, a, b in zip(np.stack([rings[0][:-1], rings[0][1:]], axis=1), rings[1][:-1], rings[1][1:], strict=True)
        if a == b
    ]
    segments = shapely.linestrings(np.concatenate([np.array(borders), done.lines]))
    own = segments[len(borders) :]
    first, second = shapely.STRtree(segments).query(own, predicate="crosses")
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        ends = points(own[i]) & points(segments[j])
        assert ends, (own[i].wkt, segments[j].wkt)  # they meet in an end both have


# --- faces -----------------------------------------------------------------------------------------------------------


def cut(partition: Partition, position: int, *lines: list[tuple[float, float]]) -> list[float]:
    done = woven(partition, *lines)
    return sorted(round(face.area, 6) for face in faces(done.members[position], done.lines))


def test_two_lines_across_cut_four_faces() -> None:
    assert cut(town(), 0, [(-5, 100), (200, 100)], [(50, -5), (50, 305)]) == [5000.0, 10000.0, 10000.0, 20000.0]


def test_a_line_that_ends_inside_cuts_nothing_and_its_end_beyond_a_crossing_neither() -> None:
    assert cut(town(), 0, [(-5, 100), (75, 100)]) == [45000.0]
    assert cut(town(), 0, [(-5, 100), (75, 100)], [(75, -5), (75, 305)]) == [7500.0, 15000.0, 22500.0]


def test_a_hole_is_no_face() -> None:
    # G1 of the nested grids is a ring: a line through its hole cuts it in two, a closed one around the hole likewise
    assert cut(nested(), 0, [(-5, 150), (305, 150)]) == [40000.0, 40000.0]
    around = [(50, 50), (250, 50), (250, 250), (50, 250), (50, 50)]
    assert cut(nested(), 0, around) == [30000.0, 50000.0]


def test_parts_of_a_grid_are_faces_of_their_own() -> None:
    two = shapely.MultiPolygon([ground(0, 0, 10, 10), ground(20, 0, 30, 10)])
    assert sorted(face.area for face in faces(two, np.zeros((0, 2, 2)))) == [100.0, 100.0]


def test_a_union_keeps_the_outer_segments_bit_for_bit() -> None:
    before = crooked(5)
    whole = dissolve(before.shapes[:3])
    assert whole.area == pytest.approx(shapely.area(before.shapes[:3]).sum(), rel=1e-12)
    assert points(whole) <= set().union(*(points(shape) for shape in before.shapes[:3]))
    assert dissolve([before.shapes[0]]) is before.shapes[0]


def test_common_borders_are_measured_by_hand() -> None:
    squares = dict(zip(crossroads().codes, crossroads().shapes, strict=True))
    centre = squares.pop("G5")
    assert border_lengths(centre, squares) == {"G4": 100.0, "G6": 100.0, "G8": 100.0}  # corners have no length
    ring, west, east = nested().shapes
    assert border_lengths(east, {"ring": ring, "west": west}) == {"ring": 200.0, "west": 100.0}


# --- rings -----------------------------------------------------------------------------------------------------------

A, B, C, D, E = (0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0), (5.0, 0.0)


@pytest.mark.parametrize(
    ("ring", "expected"),
    [
        ([A, B, C, D, A], [A, B, C, D, A]),
        ([A, B, B, C, D, D, A], [A, B, C, D, A]),  # repeated
        ([A, B, E, B, C, D, A], [A, B, C, D, A]),  # there and back
        ([B, A, E, A, B, C, D, B], [B, C, D, B]),  # there and back at the beginning, to the triangle left
        ([A, B, A], []),
        ([A, B, C, B, A], []),
        ([A, A, A], []),
    ],
)
def test_spikes_and_repetitions_are_taken_out(ring: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    found = without_spikes(ring)
    assert len(found) == len(expected)
    assert {frozenset(pair) for pair in pairwise(found)} == {frozenset(pair) for pair in pairwise(expected)}


def test_a_polygon_nothing_changes_is_the_same_object() -> None:
    square = ground(0, 0, 10, 10)
    assert map_rings(square, lambda ring: ring) is square
    assert insert_vertices(square, {((1.0, 2.0), (3.0, 4.0)): [(2.0, 3.0)]}) is square


def test_vertices_are_put_in_as_the_ring_runs() -> None:
    for square in (shapely.box(0, 0, 2, 2), shapely.box(0, 0, 2, 2, ccw=False)):
        done = insert_vertices(square, {((0.0, 0.0), (2.0, 0.0)): [(0.5, 0.0), (1.5, 0.0)]})
        assert done.is_valid
        assert (done.area, shapely.get_num_coordinates(done)) == (4.0, 7)


@given(st.floats(-5e6, 5e6, allow_nan=False))
def test_rounding_is_that_of_the_decimal_number_and_happens_once(value: float) -> None:
    x, y = rounded(value, -value)
    assert x == float(f"{x:.3f}")
    assert abs(x - value) <= 0.0005 + 1e-9
    assert rounded(x, y) == (x, y)
    assert y == -x
