"""Streets by zone: by hand, and conservation on random streets and zones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import CrsError
from gridgis.reach.network import walk_network
from gridgis.reach.streets import divide, street_metres


def streets(*lines: list[tuple[float, float]]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=4547)


def zones(*boxes: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.box(*one) for one in boxes], index=[f"Z{k}" for k in range(len(boxes))], crs=4547)


QUARTERS = zones((0, 0, 100, 100), (100, 0, 200, 100), (0, 100, 100, 200), (100, 100, 200, 200))


def test_a_street_is_cut_where_its_zone_changes_and_what_lies_outside_belongs_to_nobody() -> None:
    parts, owner = divide(walk_network(streets([(-50, 50), (250, 50)])), QUARTERS)
    assert parts.length_m.tolist() == [50, 100, 100, 50]
    assert owner.tolist() == [-1, 0, 1, -1]
    assert parts.xy[parts.v[:-1]].tolist() == parts.xy[parts.u[1:]].tolist() == [[0, 50], [100, 50], [200, 50]]


def test_a_street_on_a_border_belongs_to_the_zone_north_or_east_of_it_and_counts_once() -> None:
    cross = walk_network(streets([(0, 100), (100, 100), (200, 100)], [(100, 0), (100, 100), (100, 200)]))
    assert street_metres(cross, QUARTERS).to_dict() == {"Z0": 0, "Z1": 100, "Z2": 100, "Z3": 200}
    # drawn the other way, and with zones in another order, the same
    back = walk_network(streets([(200, 100), (100, 100), (0, 100)], [(100, 200), (100, 100), (100, 0)]))
    turned = street_metres(back, QUARTERS.iloc[::-1])
    assert turned.to_dict() == {"Z3": 200, "Z2": 100, "Z1": 100, "Z0": 0}
    # the outermost border has no zone beyond it
    assert street_metres(walk_network(streets([(0, 200), (200, 200)])), QUARTERS).to_dict() == {
        "Z0": 0,
        "Z1": 0,
        "Z2": 100,
        "Z3": 100,
    }


def test_a_street_that_winds_about_a_border_by_millimetres_is_not_torn() -> None:
    wavy = [(x, 100 + (0.004 if k % 2 else -0.004)) for k, x in enumerate(np.linspace(10, 90, 41))]
    network = walk_network(streets(wavy))
    parts, owner = divide(network, QUARTERS)
    assert owner.tolist() == [2]
    assert parts is network


def test_a_border_drawn_beside_its_street_can_be_told_to_follow_it() -> None:
    # a border between two zones that winds about the street by 3 m
    places = [(x, 100 + (3 if k % 2 else -3)) for k, x in enumerate(range(0, 201, 20))]
    south = shapely.Polygon([(0, 0), *places, (200, 0)])
    north = shapely.Polygon([(0, 200), *places, (200, 200)])
    ground = gpd.GeoDataFrame(geometry=[south, north], index=["S", "N"], crs=4547)
    network = walk_network(streets([(0, 100), (200, 100)], [(55, 98), (55, 20)]))
    assert len(divide(network, ground)[0].u) > 8
    parts, owner = divide(network, ground, border_m=5)
    assert owner.tolist() == [1, 0]
    assert parts is network
    assert street_metres(network, ground, border_m=5).to_dict() == {"S": 78, "N": 200}


def test_zones_without_ground_or_streets_have_no_metres_and_another_crs_is_refused() -> None:
    ground = gpd.GeoDataFrame(geometry=[None, shapely.box(500, 500, 600, 600), shapely.box(0, 0, 50, 50)], crs=4547)
    network = walk_network(streets([(0, 10), (100, 10)]))
    assert street_metres(network, ground).tolist() == [0, 0, 50]
    with pytest.raises(CrsError, match="EPSG:4548"):
        street_metres(network, ground.set_crs(4548, allow_override=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_no_metre_is_lost_or_counted_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # whole tens make many streets run along borders and through corners
    ends = np.round(rng.uniform(-40, 240, (12, 2, 2)), -1)
    lines = [line.tolist() for line in ends if not (line[0] == line[1]).all()]
    network = walk_network(streets(*lines))
    parts, owner = divide(network, QUARTERS)
    assert parts.length_m.sum() == pytest.approx(network.length_m.sum())
    assert shapely.length(parts.lines) == pytest.approx(parts.length_m, abs=1e-6)
    assert shapely.get_coordinates(shapely.get_point(parts.lines, 0)) == pytest.approx(parts.xy[parts.u], abs=1e-6)
    assert shapely.get_coordinates(shapely.get_point(parts.lines, -1)) == pytest.approx(parts.xy[parts.v], abs=1e-6)
    inside = shapely.length(shapely.intersection(network.lines, shapely.box(0, 0, 200, 200))).sum()
    assert street_metres(network, QUARTERS).sum() == pytest.approx(inside, abs=0.2 * len(parts.u))
    # strictly inside a zone, shapely's own clipping is the judge
    for zone, shape in enumerate(QUARTERS.geometry):
        ours = shapely.length(shapely.intersection(parts.lines[owner == zone], shape.buffer(0.1))).sum()
        assert ours == pytest.approx(parts.length_m[owner == zone].sum(), abs=1e-6)
