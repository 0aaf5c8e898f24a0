"""Incidents: every row is used or left out for a reason that is counted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.errors import CrsError, DataError
from gridgis.hotspots import inside, read_points
from gridgis.hotspots.points import REASONS

X, Y = toy.ORIGIN


def incidents(places: list[Any], **columns: Any) -> gpd.GeoDataFrame:
    shapes = [None if place is None else shapely.Point(place) if isinstance(place, tuple) else place for place in places]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=toy.CRS)


def test_each_row_is_used_or_counted_under_its_first_reason() -> None:
    frame = incidents(
        [(X + 10, Y + 10), (X + 400, Y + 300), (X + 401, Y), (0, 0), None, shapely.Point(), shapely.box(0, 0, 1, 1),
         (X + 20, Y + 20), (X + 20, Y + 20), (X + 20, Y + 20)],
        when=["2024-05-01T10:00:00+08:00"] * 7 + ["", "31.31.2024", "1800-01-01T00:00:00Z"],
    )  # fmt: skip
    points, report = read_points(frame, area=toy.areas(), start="when", earliest=dt.datetime(1950, 1, 1, tzinfo=dt.UTC))
    assert report.left_out == {"no_coordinates": 3, "zero_zero": 1, "outside": 1, "no_time": 1, "bad_time": 2}
    assert (report.total, report.used) == (10, 2)
    assert points.index.tolist() == [0, 1]  # the edge of the area is inside
    assert points.start is not None
    assert points.start[0] == pd.Timestamp("2024-05-01T02:00:00Z")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["in", "out", "zero", "none", "untimed"]), max_size=30))
def test_the_account_adds_up(kinds: list[str]) -> None:
    place = {"in": (X + 1, Y + 1), "out": (X - 1, Y), "zero": (0, 0), "none": None, "untimed": (X + 2, Y + 2)}
    frame = incidents([place[kind] for kind in kinds], t=["" if kind == "untimed" else "2024-01-01T00:00:00Z" for kind in kinds])
    points, report = read_points(frame, area=toy.areas(), start="t")
    assert len(points) == report.used == kinds.count("in")
    assert report.total == report.used + sum(report.left_out.values()) == len(kinds)
    assert tuple(report.left_out) == REASONS
    assert report.left_out["outside"] == kinds.count("out")


def test_zero_zero_is_seen_before_coordinates_are_moved() -> None:
    degrees = gpd.GeoDataFrame(geometry=gpd.points_from_xy([0, 114.0, 500.0], [0, 30.415, 95.0]), crs="EPSG:4326")
    points, report = read_points(degrees, crs=toy.CRS)
    assert report.left_out["zero_zero"] == 1
    assert report.left_out["no_coordinates"] == 1  # 95° of latitude lies on no map
    assert abs(points.x[0] - X) < 200


def test_duplicates_and_stacked_points_are_told_and_used() -> None:
    here, there = (X + 10, Y + 10), (X + 50, Y + 50)
    frame = incidents([here, here, here, there], kind=["theft", "theft", "fire", "theft"], n=[1, 1, 1, None])
    points, report = read_points(frame, category="kind")
    assert (report.used, report.duplicates, report.stacked) == (4, 1, 3)
    assert points.category is not None
    assert points.category.tolist() == ["theft", "theft", "fire", "theft"]


def test_thousands_of_points_on_one_spot_are_all_used() -> None:
    frame = incidents([(X + 10, Y + 10)] * 5000, id=range(5000))
    _, report = read_points(frame, area=toy.areas())
    assert (report.used, report.duplicates, report.stacked) == (5000, 0, 5000)


def test_local_times_are_read_in_their_zone_and_refused_without_one() -> None:
    frame = incidents([(X, Y)] * 3, t=["2024-01-01 08:00", "2024-07-01", "2024-01-01T00:00:00Z"])
    points, _ = read_points(frame, start="t", zone="Asia/Shanghai")
    assert points.start is not None
    assert points.start.strftime("%d %H:%M").tolist() == ["01 00:00", "30 16:00", "01 00:00"]
    with pytest.raises(DataError, match="time zone"):
        read_points(frame, start="t")
    naive = incidents([(X, Y)], t=[pd.Timestamp("2024-01-01 08:00")])
    points, _ = read_points(naive, start="t", zone="Asia/Shanghai")
    assert points.start is not None
    assert points.start[0] == pd.Timestamp("2024-01-01T00:00:00Z")


def test_hours_the_clock_skips_or_shows_twice_are_times() -> None:
    frame = incidents([(X, Y)] * 2, t=["2024-03-31 02:30", "2024-10-27 02:30"])
    points, report = read_points(frame, start="t", zone="Europe/Berlin")
    assert report.used == 2
    assert points.start is not None
    assert points.start.strftime("%H:%M").tolist() == ["01:00", "00:30"]


def test_an_interval_needs_its_end_after_its_start() -> None:
    begun = pd.to_datetime(["2024-01-02", "2024-01-02", "2024-01-02"]).tz_localize("UTC")
    ended = pd.to_datetime(["2024-01-03", "2024-01-01", None]).tz_localize("UTC")
    points, report = read_points(incidents([(X, Y)] * 3, a=begun, b=ended), start="a", end="b")
    assert report.left_out["bad_time"] == 1
    assert points.end is not None
    assert points.end.isna().tolist() == [False, True]


def test_times_after_the_latest_are_impossible() -> None:
    begun = pd.to_datetime(["2024-01-02", "2044-01-02"]).tz_localize("UTC")
    _, report = read_points(incidents([(X, Y)] * 2, a=begun), start="a", latest=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
    assert report.left_out["bad_time"] == 1


def test_a_multipoint_of_one_point_is_a_point() -> None:
    frame = incidents([shapely.MultiPoint([(X, Y)]), shapely.MultiPoint([(X, Y), (X, Y + 1)])])
    points, report = read_points(frame)
    assert (len(points), report.left_out["no_coordinates"]) == (1, 1)


def test_weights_are_numbers_of_zero_or_more() -> None:
    points, _ = read_points(incidents([(X, Y), (X, Y)], w=["2.5", 0]), weight="w")
    assert points.weight is not None
    assert points.weight.tolist() == [2.5, 0.0]
    for wrong in (-1.0, None, "many"):
        with pytest.raises(DataError, match="row 1"):
            read_points(incidents([(X, Y), (X, Y)], w=[1.0, wrong]), weight="w")


def test_a_missing_column_names_those_there_are() -> None:
    with pytest.raises(DataError, match="kind"):
        read_points(incidents([(X, Y)], kind=["a"]), category="sort")


def test_systems_that_cannot_measure_or_differ_are_refused() -> None:
    frame = incidents([(X, Y)])
    for system in ("EPSG:4490", "EPSG:3857"):
        with pytest.raises(CrsError):
            read_points(frame, crs=system)
    with pytest.raises(CrsError):
        read_points(frame, crs="EPSG:4548", area=toy.areas())
    with pytest.raises(CrsError):
        read_points(gpd.GeoDataFrame(geometry=[shapely.Point(1, 1)]))


def test_many_points_are_in_and_out_as_shapely_says_one_by_one() -> None:
    rng = np.random.default_rng(1)
    ring = [(np.cos(a) * r, np.sin(a) * r) for a, r in zip(np.linspace(0, 6.2, 300), rng.uniform(500, 1000, 300), strict=True)]
    shape = shapely.Polygon(ring, [shapely.box(-50, -50, 50, 50).exterior.coords])
    area = gpd.GeoSeries([shape, shapely.box(1500, 0, 1700, 10)], crs=toy.CRS)
    x, y = rng.uniform(-1800, 1800, (2, 40_000))
    x[:300], y[:300] = np.array(ring).T  # vertices are on the edge: inside
    expected = shapely.intersects_xy(shapely.union_all(area.array), x, y)
    found = inside(area, x, y)
    np.testing.assert_array_equal(found, expected)
    assert found[:300].all()
    assert 0.1 < found.mean() < 0.4


def test_no_rows_are_no_points() -> None:
    points, report = read_points(incidents([], t=pd.Series([], dtype="datetime64[ns, UTC]")), start="t", area=toy.areas())
    assert (len(points), report.total, report.used, report.duplicates) == (0, 0, 0, 0)
