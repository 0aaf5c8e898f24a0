"""Codes, numbers and times as people type them: by hand, and against Python's own readers on whatever Hypothesis finds."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridgis import toy
from gridgis.files import rules, times, values
from gridgis.files.cleaning import geometry_ids
from gridgis.files.mapping import recognise
from gridgis.layers import LAYERS


def one(read, value, **options):
    parsed = read(pd.Series([value], dtype=object), **options)
    return parsed.column.iloc[0], list(parsed.bad)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("420703102201", "420703102201"),
        (" 420703102201 ", "420703102201"),
        ("４２０７０３", "420703"),
        (420703102201, "420703102201"),
        (420703102201.0, "420703102201"),
        ("420703102201.0", "420703102201"),
        ("'420703", "420703"),
        ("0042", "0042"),
        ("MN-01_a", "MN-01_a"),
        ("庙岭1", "庙岭1"),
        ("1E5A", "1E5A"),
    ],
)
def test_codes_are_text_whatever_a_table_program_made_of_them(value, code):
    assert one(values.codes, value) == (code, [])


@pytest.mark.parametrize("value", ["4.20703E+11", "4.20703e11", "4.2E+14", 4.2070310220100123e17])
def test_codes_that_lost_digits_are_refused(value):
    assert one(values.codes, value) == (None, ["digits_lost"])


@pytest.mark.parametrize("value", ["a b", "a\tb", "a\nb", "x" * 65, "a\x00b"])
def test_what_cannot_be_a_code_is_malformed(value):
    assert one(values.codes, value) == (None, ["malformed"])


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("300", 300),
        ("1,234", 1234),
        ("1,234,567.5", 1234567.5),
        ("３５", 35),
        (" 7 ", 7),
        ("１，２３４", 1234),
        (0, 0),
        ("1e3", 1000),
    ],
)
def test_numbers_are_read_as_people_write_them(value, number):
    assert one(values.numbers, value) == (number, [])


@pytest.mark.parametrize("value", ["约300户", "12,34", "1.234.567", "三百", "3OO", "inf", "12 %", "=1+1"])
def test_texts_that_are_no_numbers_are_refused(value):
    assert one(values.numbers, value)[1] == ["no_number"]


@pytest.mark.parametrize("value", ["", "-", "无", "N/A", "NULL", None, np.nan])
def test_signs_for_nothing_are_null_and_no_error(value):
    number, bad = one(values.numbers, value)
    assert np.isnan(number)
    assert bad == []


def test_below_zero_and_fractions_are_refused_where_they_cannot_be():
    assert one(values.numbers, -1)[1] == ["negative"]
    assert one(values.numbers, 1.5, whole=True)[1] == ["fraction"]
    assert one(values.numbers, 1.5)[1] == []


@given(st.floats(min_value=0, max_value=1e15, allow_nan=False))
def test_every_number_comes_back_however_it_is_written(number):
    assert one(values.numbers, repr(number))[0] == number
    assert one(values.numbers, f"{number:,.3f}")[0] == float(f"{number:.3f}")


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2199, 12, 31)))  # noqa: DTZ001
def test_every_moment_comes_back_however_it_is_written(moment):
    moment = moment.replace(microsecond=0)
    wanted = pd.Timestamp(moment, tz="UTC")
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日 %H时%M分%S秒", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%SZ"):
        text = moment.strftime(pattern) if moment.year >= 1000 else ""
        assert one(times.instants, text, time_zone="UTC") == (wanted, [])


@given(st.integers(1900, 2100), st.integers(1, 14), st.integers(1, 33))
def test_a_date_is_read_exactly_if_the_calendar_has_it(year, month, day):
    try:
        wanted, bad = dt.date(year, month, day), []
    except ValueError:
        wanted, bad = None, ["no_such_date"]
    for text in (
        f"{year}-{month:02}-{day:02}",
        f"{year}/{month}/{day}",
        f"{year}年{month}月{day}日",
        f"{year}{month:02}{day:02}",
    ):
        assert one(times.days, text) == (wanted, bad)


def test_excel_dates_and_serial_numbers_are_dates():
    assert one(times.days, dt.datetime(2012, 3, 1))[0] == dt.date(2012, 3, 1)  # noqa: DTZ001
    assert one(times.days, 40969)[0] == dt.date(2012, 3, 1)
    assert one(times.days, 40969.5)[0] == dt.date(2012, 3, 1)


def test_day_and_month_are_told_apart_by_their_column_or_not_at_all():
    certain = times.days(pd.Series(["03/04/2012", "25/04/2012"]))
    assert certain.column.tolist() == [dt.date(2012, 4, 3), dt.date(2012, 4, 25)]
    american = times.days(pd.Series(["03/04/2012", "04/25/2012"]))
    assert american.column.tolist() == [dt.date(2012, 3, 4), dt.date(2012, 4, 25)]
    assert list(times.days(pd.Series(["03/04/2012", "05/06/2012"])).bad) == ["no_date"]


def test_a_time_the_clocks_showed_twice_is_the_first():
    assert one(times.instants, "2012-10-28 01:30", time_zone="Europe/London")[0] == pd.Timestamp("2012-10-28T00:30Z")


def test_geometry_ids_do_not_hang_on_the_system_or_the_ring():
    houses = toy.buildings().geometry
    here = geometry_ids(houses)
    assert len(set(here)) == 12
    assert (geometry_ids(houses.to_crs(4490)) == here).all()
    assert (geometry_ids(houses.reverse()) == here).all()


def test_names_and_both_forms_of_town_codes_stand_for_an_area():
    areas = pd.DataFrame({"name": ["庙岭镇", "庙岭村", "同名", "同名"]}, index=["420703102000", "420703102210", "1", "2"])
    found, problems = rules.resolve_areas(pd.Series(["420703102", "庙岭村", "同名", "x", None]), areas, "所属")
    assert found.tolist() == ["420703102000", "420703102210", "同名", "x", None]
    assert [(p.rule, p.rows.tolist(), p.shown) for p in problems] == [("unknown_area", [2, 3], ("同名", "x"))]


@pytest.mark.parametrize("layer", list(LAYERS))
def test_every_heading_of_the_table_is_recognised_alone(layer):
    for column in LAYERS[layer].columns:
        for heading in (column.name, *column.also):
            found = recognise([heading], LAYERS[layer]).fields
            assert list(found.values()) == [heading]


def test_headings_count_whatever_their_case_width_blanks_and_units():
    found = recognise(["CODE", " Na me ", "户数（户）", "ＰＯＰ", "Area_Code"], LAYERS["grids"]).fields
    assert dict(found) == {
        "code": "CODE",
        "name": " Na me ",
        "area_code": "Area_Code",
        "population": "ＰＯＰ",
        "households": "户数（户）",
    }


def test_points_on_the_edge_of_their_area_do_not_count_as_shifted():
    areas = toy.areas()
    edge = gpd.GeoSeries([shapely.Point(500000, 3366000 + i) for i in range(50)], crs=toy.CRS)
    assert rules.shifted(edge, None, areas) == []
