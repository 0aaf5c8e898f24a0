"""When incidents happen: clocks that change, intervals spread over their hours minute by minute, totals that add up."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import DataError
from gridgis.hotspots.clock import wall_times
from gridgis.hotspots.rhythm import When, month_name, weekday_name, when

LONDON = "Europe/London"


def at(*times: str | None) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(list(times), format="ISO8601"))


def hours(found: When) -> dict[int, float]:
    counts = found.by_hour["count"]
    return {int(hour): round(float(count), 12) for hour, count in counts[counts > 0].items()}


def test_points_in_time_are_counted_by_the_clock_of_the_zone() -> None:
    # Monday 1 July 2024, 16:30 and 23:59 in UTC are Tuesday 00:30 and 07:59 in Shanghai
    found = when(at("2024-07-01 16:30Z", "2024-07-01 23:59Z"), zone="Asia/Shanghai")
    assert hours(found) == {0: 1, 7: 1}
    assert found.by_weekday["count"].tolist() == [0, 2, 0, 0, 0, 0, 0]
    assert found.by_hour_weekday.loc[2, 7] == 1
    assert when(at("2024-07-01 16:30Z"), zone="UTC").by_weekday.loc[1, "count"] == 1


def test_summer_and_winter_time_shift_the_hours() -> None:
    found = when(at("2024-01-10 12:00Z", "2024-07-10 12:00Z"), zone=LONDON)
    assert hours(found) == {12: 1, 13: 1}


def test_an_interval_is_spread_in_proportion_to_its_time_in_each_hour() -> None:
    # 22:40–00:10 is 90 minutes: 20 in hour 22, 60 in hour 23, 10 in the next day's first
    found = when(at("2024-05-31 22:40"), zone="Asia/Shanghai", until=at("2024-06-01 00:10"))
    assert hours(found) == {0: pytest.approx(1 / 9), 22: pytest.approx(2 / 9), 23: pytest.approx(6 / 9)}
    assert found.by_weekday.loc[[5, 6], "count"].tolist() == [pytest.approx(8 / 9), pytest.approx(1 / 9)]
    assert found.by_month.loc[[5, 6], "count"].tolist() == [pytest.approx(8 / 9), pytest.approx(1 / 9)]


def test_an_hour_the_clock_repeats_gets_both_parts_and_one_it_skips_none() -> None:
    # night of 27 October: 00:30 BST to 02:30 GMT is three hours, of which two read 01
    found = when(at("2024-10-26 23:30Z"), zone=LONDON, until=at("2024-10-27 02:30Z"))
    assert hours(found) == {0: pytest.approx(1 / 6), 1: pytest.approx(4 / 6), 2: pytest.approx(1 / 6)}
    # night of 31 March: 00:30 GMT to 02:30 BST is one hour, none of which reads 01
    found = when(at("2024-03-31 00:30Z"), zone=LONDON, until=at("2024-03-31 01:30Z"))
    assert hours(found) == {0: pytest.approx(1 / 2), 2: pytest.approx(1 / 2)}


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"])
def test_hours_that_change_at_odd_minutes_are_cut_there(zone: str) -> None:
    place = zoneinfo.ZoneInfo(zone)
    start, end = dt.datetime(2024, 1, 5, 9, 50, tzinfo=place), dt.datetime(2024, 1, 5, 10, 10, tzinfo=place)
    assert hours(when([start], zone=zone, until=[end])) == {9: 0.5, 10: 0.5}


def minute_by_minute(begin: int, minutes: int, zone: str) -> np.ndarray:
    """The share of an interval in each hour of the week, from the wall clock at the middle of every minute."""
    clock = pd.to_datetime(begin + 60 * np.arange(minutes) + 30, unit="s", utc=True).tz_convert(zone)
    return np.bincount(clock.day_of_week * 24 + clock.hour, minlength=168).reshape(7, 24) / minutes


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(28_400_000, 28_960_000), st.integers(0, 10_080)), min_size=1, max_size=12),
    st.sampled_from(["Asia/Shanghai", LONDON, "Australia/Lord_Howe", "America/St_Johns"]),
    st.integers(0, 2**32 - 1),
)
def test_spreading_equals_counting_minute_by_minute_and_adds_up(spans: list[tuple[int, int]], zone: str, seed: int) -> None:
    begin = np.array([60 * start for start, _ in spans])
    minutes = np.array([length for _, length in spans])
    weights = np.random.default_rng(seed).uniform(0.1, 5.0, len(spans))
    start, end = (pd.DatetimeIndex(pd.to_datetime(s, unit="s", utc=True)) for s in (begin, begin + 60 * minutes))
    found = when(start, zone=zone, until=end, weights=weights)
    expected = sum(w * minute_by_minute(int(b), max(int(m), 1), zone) for b, m, w in zip(begin, minutes, weights, strict=True))
    np.testing.assert_allclose(found.by_hour_weekday.to_numpy(), expected, atol=1e-9)
    for table in (found.by_hour, found.by_weekday, found.by_month):
        assert table["count"].sum() == pytest.approx(weights.sum(), rel=1e-12)
        assert table["share"].sum() == pytest.approx(1.0)
        assert (table["count"] >= 0).all()
    assert found.total == pytest.approx(weights.sum())
    assert found.spread == np.count_nonzero(minutes)


def test_hours_without_any_time_hold_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    start = pd.DatetimeIndex(pd.to_datetime(1_704_067_200 + 86_400 * rng.integers(0, 300, 500) + 8 * 3600, unit="s", utc=True))
    found = when(start, zone="UTC", until=start + pd.to_timedelta(rng.integers(60, 5 * 3600, 500), unit="s"))
    assert (found.by_hour["count"].drop(range(8, 13)) == 0).all()


def test_what_is_unknown_reversed_or_too_long_is_left_out_and_told() -> None:
    start = at("2024-05-01 10:00", None, "2024-05-01 10:00", "2024-05-01 10:00", "2024-05-01 10:00", "2024-05-01 11:00")
    until = at("2024-05-01 10:00", "2024-05-01 11:00", "2024-05-01 09:59", "2024-05-08 10:00", "2024-05-08 10:01", None)
    found = when(start, zone="Asia/Shanghai", until=until)
    assert found.left_out == {"no_time": 1, "reversed": 1, "too_long": 1}
    assert (found.used, found.spread, found.total) == (3, 1, 3.0)
    assert found.used + sum(found.left_out.values()) == len(start)
    assert when(start, zone="Asia/Shanghai", until=until, max_hours=24).left_out["too_long"] == 2


def test_days_are_those_from_the_first_to_the_last_incident() -> None:
    # Monday 1 to Tuesday 9 January: two Mondays and Tuesdays, one of each other day
    found = when(at("2024-01-01 08:00", "2024-01-09 09:00"), zone="Asia/Shanghai")
    assert found.by_weekday["days"].tolist() == [2, 2, 1, 1, 1, 1, 1]
    assert found.by_weekday["per_day"].tolist() == [0.5, 0.5, 0, 0, 0, 0, 0]
    assert found.by_month.loc[1, "days"] == 9
    assert np.isnan(found.by_month.loc[2, "per_day"])
    assert set(found.by_hour["days"]) == {9}


def test_times_without_a_zone_are_the_zones_clock_and_doubtful_ones_are_told() -> None:
    found = when(at("2024-10-27 01:30", "2024-03-31 01:30", "2024-06-01 12:00"), zone=LONDON)
    assert found.doubtful_times == 2
    assert hours(found) == {1: 1, 2: 1, 12: 1}
    wall = wall_times(at("2024-10-27 01:30"), zone=LONDON)
    assert wall.index[0].utcoffset() == dt.timedelta(hours=1)  # the first of the two


def test_takes_times_as_frames_and_lists_hold_them() -> None:
    index = at("2024-05-01 10:00", "2024-05-01 10:30")
    for times in (index, index.to_series(), index.to_numpy(), list(index.to_pydatetime()), index.to_series().astype(object)):
        assert hours(when(times, zone="Asia/Shanghai")) == {10: 2}


@pytest.mark.parametrize(
    ("times", "options", "key"),
    [
        (np.array([1.0, 2.0]), {}, "when.not_times"),
        (["noon"], {}, "when.not_times"),
        (at(None), {}, "when.no_times"),
        (at("2024-05-01 10:00"), {"zone": "Mars/Olympus"}, "when.zone"),
        (at("2024-05-01 10:00"), {"until": at(None, None)}, "when.lengths"),
        (at("2024-05-01 10:00"), {"weights": [1.0, 2.0]}, "when.lengths"),
    ],
)
def test_refuses_what_makes_no_sense(times: object, options: dict[str, object], key: str) -> None:
    with pytest.raises(DataError) as caught:
        when(times, **{"zone": LONDON, **options})  # type: ignore[arg-type]
    assert caught.value.key == key


def test_json_holds_plain_numbers_and_names_are_words() -> None:
    import json

    told = json.loads(json.dumps(when(at("2024-05-01 10:00"), zone=LONDON).to_json()))
    assert (sum(told["by_hour"]), len(told["by_hour_weekday"]), told["zone"]) == (1.0, 7, LONDON)
    assert [weekday_name(day, "en") for day in (1, 7)] == ["Monday", "Sunday"]
    assert {month_name(month, "zh") for month in range(1, 13)} == {f"{month}月" for month in range(1, 13)}
