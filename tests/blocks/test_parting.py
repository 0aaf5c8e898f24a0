"""Cuts beside shapely's overlay: what a line leaves, the border it makes; parts that fill the polygon and keep houses whole."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gridgis.blocks.chords import chords
from gridgis.blocks.classes import CLASSES, sizes
from gridgis.blocks.network import Lines
from gridgis.blocks.parting import Block, parts_of
from gridgis.blocks.prices import dear_metres

TABLE = sizes(CLASSES, 10_000)
NOTHING = np.array([], dtype=object)
NO_LINES = Lines(NOTHING, np.array([], dtype=np.int64))
LANE, STREET = 4, 2  # positions in network.LINE_CLASSES


def ragged(seed: int) -> tuple[shapely.Polygon, np.ndarray]:
    """A star-shaped polygon with a hole, and houses inside of it."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.random(14)) * 2 * np.pi
    radius = rng.uniform(60, 140, 14)
    outer = shapely.Polygon(np.stack([500 + radius * np.cos(angle), 300 + radius * np.sin(angle)], axis=1))
    polygon = outer.difference(shapely.box(495, 295, 505, 312))
    boxes = [
        shapely.affinity.rotate(shapely.box(x, y, x + 14, y + 9), 20) for x in range(380, 620, 22) for y in range(180, 420, 19)
    ]
    houses = np.array(boxes, dtype=object)
    return polygon, houses[shapely.contains_properly(polygon, houses)]


@pytest.mark.parametrize("seed", range(4))
def test_what_a_line_leaves_is_what_overlay_measures(seed: int) -> None:
    polygon, houses = ragged(seed)
    assert polygon.geom_type == "Polygon"
    places = shapely.get_parts(shapely.union_all(shapely.buffer(houses, 3)))
    found = chords(polygon, houses, parts=3, places=places)
    bare, mass = polygon.difference(shapely.union_all(houses)), shapely.union_all(places)
    for at in np.random.default_rng(seed).choice(len(found.left), 25, replace=False):
        start, end = found.ends[at]
        way = (end - start) / np.hypot(*(end - start))
        aside = 2_000 * np.array([-way[1], way[0]])
        half = shapely.Polygon([start, end, end + aside, start + aside])
        line = shapely.LineString([start, end])
        mine = shapely.contains(half, shapely.centroid(houses))
        assert found.left[at] == pytest.approx(bare.intersection(half).area + shapely.area(houses[mine]).sum(), abs=1e-6)
        # the border goes around each house on the side that does not have it
        struck = shapely.intersects(houses, line)
        walls = [
            shapely.length(shapely.difference(house.boundary, half) if own else shapely.intersection(house.boundary, half))
            for house, own in zip(houses[struck], mine[struck], strict=True)
        ]
        assert found.walls[at] == pytest.approx(sum(walls), abs=1e-6)
        assert found.border[at] == pytest.approx(bare.intersection(line).length + sum(walls), abs=1e-6)
        assert found.edge[at] == pytest.approx(polygon.boundary.intersection(half).length, abs=1e-6)
        assert found.among[at] == pytest.approx(mass.intersection(line).length, abs=1e-6)
        assert found.torn[at] == (len(shapely.get_parts(polygon.intersection(line))) > 1)


@pytest.mark.parametrize("seed", range(4))
def test_parts_fill_the_polygon_and_have_every_house_whole(seed: int) -> None:
    polygon, houses = ragged(seed)
    made = parts_of(Block(polygon, houses, NO_LINES), TABLE, klass=0, parts=3)
    parts = np.array(made.shapes, dtype=object)
    assert np.isfinite(made.price)
    assert len(parts) == 3
    assert shapely.area(parts).sum() == pytest.approx(polygon.area)
    assert shapely.symmetric_difference(shapely.union_all(parts), polygon).area < 1e-6
    held = shapely.area(shapely.intersection(parts[:, None], houses[None, :]))
    assert held.max(axis=0) == pytest.approx(shapely.area(houses))


def test_an_empty_rectangle_is_parted_evenly_however_many_are_wished_for() -> None:
    for many in (2, 3, 5, 7):
        made = parts_of(Block(shapely.box(0, 0, 100 * many, 100), NOTHING, NO_LINES), TABLE, klass=0, parts=many)
        assert shapely.area(np.array(made.shapes)) == pytest.approx(10_000)


def test_a_cut_goes_along_a_lane_that_leaves_about_equal_parts_and_not_along_one_that_does_not() -> None:
    for x, cut in ((105, 105), (130, 100)):
        lane = Lines(np.array([shapely.LineString([(x, -5), (x, 105)])]), np.array([LANE]))
        made = parts_of(Block(shapely.box(0, 0, 200, 100), NOTHING, lane), TABLE, klass=0, parts=2)
        assert sorted(part.bounds[2] for part in made.shapes) == pytest.approx([cut, 200])


def test_a_cut_goes_through_the_gap_between_houses_that_is_nearest_to_equal_parts() -> None:
    # walls from side to side but for gaps of 6 m at x = 60 and x = 92
    houses = shapely.box([0, 63, 95], [0, 0, 0], [57, 89, 200], [100, 100, 100])
    made = parts_of(Block(shapely.box(0, 0, 200, 100), houses, NO_LINES), TABLE, klass=0, parts=2)
    assert 89 <= sorted(part.bounds[2] for part in made.shapes)[0] <= 95


def test_what_costs_too_much_is_given_up() -> None:
    made = parts_of(Block(shapely.box(0, 0, 200, 100), NOTHING, NO_LINES), TABLE, klass=0, parts=2, most=0.1)
    assert made.price == np.inf
    assert len(made.shapes) == 1


def test_outside_dense_places_a_cut_keeps_off_a_hamlet() -> None:
    # 4 ha to be halved; a straight cut in the middle would run between the two rows of a hamlet, 20 m to the west it does not
    rows = np.array([shapely.box(x, y, x + 8, y + 10) for x in (188, 204) for y in range(10, 90, 12)])
    made = parts_of(Block(shapely.box(0, 0, 400, 100), rows, NO_LINES), TABLE, klass=1, parts=2)
    parts = np.array(made.shapes)
    assert sorted(shapely.intersects(parts[:, None], rows[None, :]).sum(axis=1)) == [0, len(rows)]
    assert shapely.area(parts) == pytest.approx(20_000, rel=0.2)


def test_a_border_close_beside_a_street_costs_more_than_one_in_the_open_and_one_on_it_least() -> None:
    prices = []
    for x in (100, 105, 150):
        street = Lines(np.array([shapely.LineString([(x, -5), (x, 105)])]), np.array([STREET]))
        prices.append(float(dear_metres(shapely.box([0, 100], 0, [100, 200], 100), street)[3].sum()))
    on, beside, far = prices
    assert on < far < beside
