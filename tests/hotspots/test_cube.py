"""The space-time cube: periods of the calendar, edges of the span, time zones, and every point accounted for."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import DataError
from gridgis.hotspots.cells import CellSet, cells_around
from gridgis.hotspots.space_time import Cube, cube

ZONE = "Asia/Shanghai"
CELLS = cells_around([0, 250], [0, 150], cell_m=100, crs="EPSG:4547")  # 2 rows, 3 columns


def made(times: object, **options: object) -> Cube:
    index = pd.DatetimeIndex(pd.to_datetime(times, format="ISO8601"))  # type: ignore[call-overload]
    return cube(CELLS, np.full(len(index), 50.0), np.full(len(index), 50.0), index, **{"zone": ZONE, **options})  # type: ignore[arg-type]


def starts(found: Cube) -> list[str]:
    return [str(edge.date()) for edge in found.edges]


@pytest.mark.parametrize(
    ("period", "edges", "labels"),
    [
        ("day", ["2024-02-28", "2024-02-29", "2024-03-01"], ("2024-02-28", "2024-02-29")),
        ("week", ["2024-02-26", "2024-03-04"], ("2024-W09",)),
        ("month", ["2024-02-01", "2024-03-01"], ("2024-02",)),
        ("quarter", ["2024-01-01", "2024-04-01"], ("2024-Q1",)),
        ("year", ["2024-01-01", "2025-01-01"], ("2024",)),
        (2, ["2024-02-28", "2024-03-01"], ("2024-02-28",)),
        ("1d", ["2024-02-28", "2024-02-29", "2024-03-01"], ("2024-02-28", "2024-02-29")),
    ],
)
def test_periods_follow_the_calendar(period: str | int, edges: list[str], labels: tuple[str, ...]) -> None:
    found = made(["2024-02-28 00:00", "2024-02-29 23:59"], period=period, incomplete="keep")
    assert starts(found) == edges
    assert found.labels == labels
    assert found.counts.sum() == 2


def test_weeks_of_the_turn_of_the_year_bear_the_number_of_the_iso_calendar() -> None:
    found = made(["2020-12-31", "2021-01-01", "2021-01-04"], period="week", incomplete="keep")
    assert found.labels == ("2020-W53", "2021-W01")
    assert found.counts.sum(axis=(1, 2)).tolist() == [2, 1]


def test_a_period_begins_at_midnight_of_the_time_zone() -> None:
    instants = ["2024-01-31 15:59:59Z", "2024-01-31 16:00:00Z"]  # a second before and at midnight in Shanghai
    assert made(instants, incomplete="keep").counts.sum(axis=(1, 2)).tolist() == [1, 1]
    assert made(instants, incomplete="keep", zone="UTC").counts.sum(axis=(1, 2)).tolist() == [2]


def test_days_of_23_and_25_hours_are_days() -> None:
    hours = pd.date_range("2024-03-30", "2024-04-02", freq="h", tz="Europe/London", inclusive="left")
    found = made(hours, period="day", zone="Europe/London")
    assert found.counts.sum(axis=(1, 2)).tolist() == [24, 23, 24]
    hours = pd.date_range("2024-10-26", "2024-10-29", freq="h", tz="Europe/London", inclusive="left")
    assert made(hours, period="day", zone="Europe/London").counts.sum(axis=(1, 2)).tolist() == [24, 25, 24]


def test_a_midnight_that_the_clock_skips_is_the_next_there_is() -> None:
    # in São Paulo of 2018 clocks went from 23:59 of 3 November to 01:00 of the 4th
    found = made(["2018-11-03 23:59", "2018-11-04 01:00"], period="day", zone="America/Sao_Paulo", incomplete="keep")
    assert found.counts.sum(axis=(1, 2)).tolist() == [1, 1]
    assert str(found.edges[1]) == "2018-11-04 01:00:00-02:00"


def test_half_months_at_both_ends_are_dropped_and_told() -> None:
    times = pd.date_range("2024-01-20", "2024-04-10", freq="6h")
    found = made(times)
    assert found.labels == ("2024-02", "2024-03")
    assert found.report.incomplete == ("2024-01", "2024-04")
    assert found.report.left_out["first_period"] == 12 * 4
    assert found.report.left_out["last_period"] == 9 * 4 + 1
    kept = made(times, incomplete="keep")
    assert kept.labels == ("2024-01", "2024-02", "2024-03", "2024-04")
    assert kept.report.incomplete == ("2024-01", "2024-04")
    assert kept.report.counted == len(times)


def test_a_gap_at_the_edge_that_chance_would_leave_is_no_sign_of_a_half_period() -> None:
    # one incident in nine days: that none falls into the first five and the last four says nothing
    times = ["2024-01-06", "2024-01-14 12:00", "2024-01-23", "2024-02-02", "2024-02-12", "2024-02-25"]
    assert made(times).labels == ("2024-01", "2024-02")


def test_a_day_does_not_make_a_month() -> None:
    times = pd.date_range("2024-01-02 12:00", "2024-03-30 12:00", freq="h")
    assert made(times).labels == ("2024-01", "2024-02", "2024-03")
    assert made(times[times < "2024-03-29"]).report.incomplete == ("2024-03",)


def test_what_was_asked_for_decides_what_is_whole() -> None:
    times = pd.date_range("2024-01-20", "2024-04-10", freq="6h")
    found = made(times, since=dt.date(2024, 1, 1), until=dt.date(2024, 4, 1))
    assert found.labels == ("2024-01", "2024-02", "2024-03")
    assert found.report.incomplete == ()
    assert found.report.left_out["after"] == 9 * 4 + 1
    found = made(times, since=dt.date(2024, 2, 10), until=dt.date(2024, 4, 1))
    assert (found.labels, found.report.incomplete) == (("2024-03",), ("2024-02",))
    assert found.report.left_out["before"] == 21 * 4
    assert found.report.left_out["first_period"] == 20 * 4


@pytest.mark.parametrize(
    ("times", "period", "labels"),
    [
        (pd.date_range("2016-01-01", "2016-04-01", freq="MS"), "month", ("2016-01", "2016-02", "2016-03", "2016-04")),
        (pd.date_range("2016-01-01", "2016-06-01", freq="MS"), "quarter", ("2016-Q1", "2016-Q2")),
        (pd.to_datetime(["2014-01-01", "2015-01-01", "2016-01-01"]), "year", ("2014", "2015", "2016")),
        (pd.date_range("2016-02-01", "2016-02-29", freq="D"), "month", ("2016-02",)),
    ],
)
def test_stamps_of_months_years_and_days_stand_for_the_whole(
    times: pd.DatetimeIndex, period: str, labels: tuple[str, ...]
) -> None:
    found = made(times.repeat(50), period=period)
    assert found.labels == labels
    assert found.report.incomplete == ()


def test_periods_of_days_end_with_the_latest_day_or_begin_with_the_first_asked_for() -> None:
    times = pd.date_range("2024-01-01", "2024-01-24", freq="D").repeat(9)
    assert starts(made(times, period=10)) == ["2024-01-05", "2024-01-15", "2024-01-25"]
    assert starts(made(times, period="10d", since=dt.date(2024, 1, 1))) == ["2024-01-01", "2024-01-11", "2024-01-21"]


def test_a_few_stray_dates_do_not_stretch_the_cube_over_years() -> None:
    regular = pd.date_range("2024-01-01", "2024-07-01", freq="6h", inclusive="left")
    stray = pd.DatetimeIndex(["2010-07-28", "2011-11-02 14:00", "2013-12-31 23:00", "2031-01-01"])
    found = made(regular.append(stray))
    assert found.labels == ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06")
    assert (found.report.left_out["first_period"], found.report.left_out["last_period"], found.report.stray) == (3, 1, 4)
    assert found.report.incomplete == ()
    # what is asked for is done, and nothing is thrown away when all is to be kept
    assert made(regular.append(stray), since=dt.date(2010, 1, 1)).labels[0] == "2010-01"
    kept = made(regular.append(stray), incomplete="keep")
    assert (kept.report.counted, len(kept.labels)) == (len(regular) + 4, 247)
    assert len(kept.report.empty) == 247 - 6 - 4


def test_a_half_period_behind_stray_dates_is_incomplete_too() -> None:
    times = pd.date_range("2024-01-20", "2024-07-01", freq="6h", inclusive="left")
    found = made(times.append(pd.DatetimeIndex(["2010-07-28"])))
    assert (found.labels[0], found.report.incomplete, found.report.stray) == ("2024-02", ("2024-01",), 1)


def test_few_points_are_never_stray() -> None:
    assert made(["2024-01-01", "2024-03-05", "2024-03-07", "2024-03-31"]).report.stray == 0


def test_every_point_is_counted_or_accounted_for() -> None:
    mask = np.array([[True, True, True], [True, False, True]])
    cells = CellSet(CELLS.lattice, mask)
    times = pd.DatetimeIndex(
        ["2023-12-31", "2024-01-01", "2024-01-02", "2024-01-31 23:59:59", "2024-02-01", "2024-03-01", None, None]
    )
    x = np.array([50, 50, 150, 100, 9999, 50, 50, 50.0])
    y = np.array([50, 50, 50, 100, 50, 50, 50, np.nan])
    found = cube(cells, x, y, times, zone=ZONE, since=dt.date(2024, 1, 1), until=dt.date(2024, 3, 1))
    assert found.report.left_out == {
        "no_time": 2, "before": 1, "after": 1, "first_period": 0, "last_period": 0, "no_place": 2
    }  # fmt: skip
    assert found.report.counted == 2
    assert found.counts.tolist() == [[[0, 1, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]]
    assert found.report.to_json()["counted"] + sum(found.report.left_out.values()) == len(times)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["day", "week", "month", "quarter", "year", 3, 10]),
    st.sampled_from(["drop", "keep"]),
    st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_any_points_add_up_and_lie_in_their_periods(seed: int, period: str | int, incomplete: str, zone: str) -> None:
    rng = np.random.default_rng(seed)
    seconds = rng.integers(1_700_000_000, 1_760_000_000, 80)
    times = pd.DatetimeIndex(pd.to_datetime(seconds, unit="s", utc=True)).where(rng.random(80) > 0.1)
    x, y = rng.uniform(-100, 400, 80), rng.uniform(-100, 300, 80)
    if period == "year" and incomplete == "drop":
        period = "quarter"  # two years of points hold no whole year
    found = cube(CELLS, x, y, times, zone=zone, period=period, incomplete=incomplete)  # type: ignore[arg-type]
    assert found.counts.sum() == found.report.counted
    assert found.report.counted + sum(found.report.left_out.values()) == 80
    inside = (x >= 0) & (x < 300) & (y >= 0) & (y < 200)
    for number, layer in enumerate(found.counts):
        within = (times >= found.edges[number]) & (times < found.edges[number + 1])
        assert layer.sum() == np.count_nonzero(within & inside)
    local = found.edges.tz_convert(zoneinfo.ZoneInfo(zone))
    assert (local == local.normalize()).all()


def test_weights_are_added_and_points_counted() -> None:
    times = pd.DatetimeIndex(["2024-01-01", "2024-01-31", "2024-02-10", "2024-02-29"])
    weights = np.array([0.5, 2.0, 1.0, 0.25])
    found = cube(CELLS, [50, 50, 150, 50], [50, 50, 50, 50], times, zone=ZONE, weights=weights)
    assert found.counts[:, 1, :2].tolist() == [[2.5, 0.0], [0.25, 1.0]]
    assert found.report.counted == 4


def test_the_table_of_periods_says_their_days_and_counts() -> None:
    table = made(["2024-01-01", "2024-02-01", "2024-02-29"]).periods()
    assert table.index.tolist() == ["2024-01", "2024-02"]
    assert table["days"].tolist() == [31, 29]
    assert table["count"].tolist() == [1, 2]
    assert (table["end"].iloc[:-1].array == table["start"].iloc[1:].array).all()


@pytest.mark.parametrize(
    ("times", "options", "key"),
    [
        (["2024-01-01"], {"period": "fortnight"}, "when.period"),
        (["2024-01-01"], {"period": 0}, "when.period"),
        ([None], {}, "when.no_times"),
        (["2024-01-01"], {"since": dt.date(2025, 1, 1)}, "when.no_times"),
        (["2024-01-01"], {"since": dt.date(2025, 1, 1), "until": dt.date(2025, 1, 1)}, "when.span"),
        (["2024-01-01"], {"zone": "Asia/Atlantis"}, "when.zone"),
        (["1700-01-01", "2250-01-01"], {"period": "day", "cells": 4000}, "when.too_many_bins"),
    ],
)
def test_refuses_what_makes_no_sense(times: list[str | None], options: dict[str, object], key: str) -> None:
    side = options.pop("cells", None)
    cells = CELLS if side is None else cells_around([0, 400_000], [0, 400_000], cell_m=100, crs="EPSG:4547")
    index = pd.DatetimeIndex(pd.to_datetime(times))  # type: ignore[call-overload]
    with pytest.raises(DataError) as caught:
        cube(cells, [50.0] * len(times), [50.0] * len(times), index, **{"zone": ZONE, **options})  # type: ignore[arg-type]
    assert caught.value.key == key


def test_a_span_without_a_whole_period_says_so() -> None:
    times = pd.date_range("2024-01-10", "2024-02-20", freq="6h")
    with pytest.raises(DataError, match="2024-01, 2024-02"):
        made(times)


def test_points_and_times_belong_together() -> None:
    with pytest.raises(DataError, match="2 points and 1 time do"):
        cube(CELLS, [1, 2], [1, 2], pd.DatetimeIndex(["2024-01-01"]), zone=ZONE)
