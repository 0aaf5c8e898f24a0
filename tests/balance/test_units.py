"""Units of polygons: neighbours beside shapely, barriers, bridges, islands and mistakes on squares checked by hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.balance import balance, units_from
from gridgis.errors import CrsError, DataError
from tests.balance.towns import CRS, holds_together, town


def squares(*corners: tuple[float, float]) -> gpd.GeoDataFrame:
    shapes = [shapely.box(x * 100, y * 100, x * 100 + 100, y * 100 + 100) for x, y in corners]
    return gpd.GeoDataFrame({"households": 1.0}, geometry=shapes, index=list("abcdefgh"[: len(shapes)]), crs=CRS)


def lines(*ends: list[tuple[float, float]]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in ends], crs=CRS)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10_000))
def test_neighbours_and_borders_are_those_of_shapely(side: int, seed: int) -> None:
    frame = town(side, seed=seed, gone=0.2)
    units = units_from(frame, weights=["households"])
    found = {(row.left, row.right): row.length_m for row in units.pairs.itertuples()}
    shapes = frame.geometry.to_numpy()
    expected = {
        (a, b): border
        for a in range(len(shapes))
        for b in range(a + 1, len(shapes))
        if (border := shapely.intersection(shapes[a], shapes[b]).length) > 0
    }
    assert found == pytest.approx(expected)
    assert units.perimeter_m == pytest.approx(frame.length.to_numpy())
    assert shapely.contains(shapes, shapely.points(units.xy)).all()


def test_a_river_parts_what_a_bridge_joins() -> None:
    frame = squares((0, 0), (1, 0), (0, 1), (1, 1))
    river = lines([(100, -50), (100, 250)])
    parted = units_from(frame, weights=["households"], barriers=river)
    assert parted.barriers.tolist() == [True, False, False, True]  # a|b and c|d; a|c and b|d lie on one bank each
    bridge = lines([(60, 150), (140, 150)])
    joined = units_from(frame, weights=["households"], barriers=river, bridges=bridge)
    assert joined.barriers.tolist() == [True, False, False, False]
    road_beside = lines([(20, 20), (20, 180)])
    assert units_from(frame, weights=["households"], barriers=river, bridges=road_beside).barriers.tolist() == [
        True,
        False,
        False,
        True,
    ]
    best = balance(parted, k=2, rng=np.random.default_rng(1)).best
    assert holds_together(parted, best.assignment)
    assert best.assignment.tolist() == ["1", "2", "1", "2"]


def test_a_wide_river_of_water_between_inner_points_is_a_barrier_too() -> None:
    frame = squares((0, 0), (1, 0))
    water = gpd.GeoDataFrame(geometry=[shapely.box(70, -10, 90, 110)], crs=CRS)
    assert units_from(frame, weights=["households"], barriers=water).barriers.tolist() == [True]


def test_units_a_river_runs_through_stand_on_the_bank_that_has_most_of_them() -> None:
    frame = squares((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1))
    river = lines([(140, -50), (130, 50), (145, 120), (135, 250)])  # through both squares in the middle, west of their middles
    units = units_from(frame, weights=["households"], barriers=river)
    barred = {tuple(pair) for pair in units.pairs.loc[units.barriers, ["left", "right"]].to_numpy().tolist()}
    assert barred == {(0, 1), (3, 4)}  # from the western squares to those in the middle


def test_a_stream_that_ends_between_two_units_does_not_part_them() -> None:
    frame = squares((0, 0), (1, 0))
    assert units_from(frame, weights=["households"], barriers=lines([(150, 100), (150, 40)])).barriers.tolist() == [False]


def test_units_under_water_hang_on_one_shore() -> None:
    frame = squares(*((x, 0) for x in range(5)))
    lake = gpd.GeoDataFrame(geometry=[shapely.box(95, -10, 405, 110)], crs=CRS)
    units = units_from(frame, weights=["households"], barriers=lake)
    assert len(units.barriers) == 4
    assert units.barriers.sum() == 1  # one crossing stays closed, and every square of the lake can be held by somebody


def test_islands_are_joined_to_their_nearest_neighbour_where_wanted() -> None:
    frame = squares((0, 0), (1, 0), (4, 0), (9, 0))
    alone = units_from(frame, weights=["households"])
    assert len(alone.pairs) == 1
    linked = units_from(frame, weights=["households"], link_islands=True)
    ends = linked.pairs.loc[linked.pairs["linked"], ["left", "right"]].to_numpy().tolist()
    assert ends == [[1, 2], [2, 3]]
    assert linked.pairs.loc[linked.pairs["linked"], "length_m"].eq(0).all()
    village = pd.Series(["v", "v", "w", "v"], index=frame.index)
    by_village = units_from(frame, weights=["households"], groups=village, link_islands=True)
    assert by_village.pairs.loc[by_village.pairs["linked"], ["left", "right"]].to_numpy().tolist() == [[1, 3]]


def test_a_river_is_no_sea_an_unbridged_bank_is_not_linked_across_it() -> None:
    frame = squares((0, 0), (1, 0))
    units = units_from(frame, weights=["households"], barriers=lines([(100, -50), (100, 150)]), link_islands=True)
    assert units.barriers.tolist() == [True]
    assert not units.pairs["linked"].any()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda f: f.assign(households=np.nan), "balance.bad_weight"),
        (lambda f: f.assign(households=-1.0), "balance.bad_weight"),
        (lambda f: f.drop(columns="households"), "balance.no_weight"),
        (lambda f: f.set_axis(["a", "a"]), "balance.twice"),
        (lambda f: f.set_geometry([shapely.Polygon(), f.geometry.iloc[1]]), "balance.no_shape"),
    ],
)
def test_units_that_cannot_be_are_refused(change: object, key: str) -> None:
    with pytest.raises(DataError) as caught:
        units_from(change(squares((0, 0), (1, 0))), weights=["households"])  # type: ignore[operator]
    assert caught.value.key == key
    assert "{" not in caught.value.message("zh") + caught.value.message("en")


def test_degrees_are_refused() -> None:
    with pytest.raises(CrsError):
        units_from(squares((0, 0)).set_crs(4326, allow_override=True), weights=["households"])
