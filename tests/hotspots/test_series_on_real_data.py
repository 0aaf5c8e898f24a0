"""Cubes, hours and emerging hot spots on real incidents: New York's stolen cars, Chicago's homicides, West Yorkshire's ties."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from gridgis.hotspots.cells import CellSet, cells_around, cells_within
from gridgis.hotspots.emergence import emerging
from gridgis.hotspots.rhythm import when
from gridgis.hotspots.space_time import Cube, cube
from tests.support import shared

NEW_YORK, CHICAGO = "America/New_York", "America/Chicago"


@cache
def thefts() -> pd.DataFrame:
    frame = pd.read_parquet(shared("nyc_vehicle_thefts/nycvehiclethefts.parquet"))
    for name in ("date_single", "date_start", "date_end"):
        frame[name] = pd.to_datetime(frame[name].replace("", None), format="ISO8601")
    return frame


def theft_cube(frame: pd.DataFrame) -> Cube:
    area = gpd.read_file(shared("nyc_vehicle_thefts/borough.geojson")).to_crs(32618)
    places = gpd.GeoSeries(gpd.points_from_xy(frame["longitude"], frame["latitude"]), crs=4326).to_crs(32618)
    cells = cells_within(area, cell_m=1000)
    return cube(cells, places.x, places.y, frame["date_single"], zone=NEW_YORK, period="month")


def test_thefts_by_month_are_those_pandas_counts() -> None:
    frame = thefts()
    made = theft_cube(frame)
    months = frame["date_single"].dt.strftime("%Y-%m").value_counts().sort_index()
    whole = months.loc[list(made.labels)]
    assert made.periods()["count"].to_numpy() == pytest.approx(whole.to_numpy(), abs=3)  # a few lie off the boroughs' land
    assert made.report.counted + sum(made.report.left_out.values()) == len(frame)
    assert set(made.labels) >= {f"{year}-{month:02d}" for year in (2015, 2016) for month in range(1, 13)}


def test_hours_of_thefts_known_to_the_minute_are_plain_counts_and_intervals_keep_the_total() -> None:
    frame = thefts()
    known = frame[frame["date_end"].isna()]["date_start"]
    found = when(known, zone=NEW_YORK)
    assert found.by_hour["count"].tolist() == known.dt.hour.value_counts().reindex(range(24), fill_value=0).tolist()
    assert found.by_weekday["count"].tolist() == (known.dt.day_of_week.value_counts().reindex(range(7), fill_value=0).tolist())
    spread = when(frame["date_start"], zone=NEW_YORK, until=frame["date_end"])
    assert spread.used + sum(spread.left_out.values()) == len(frame)
    assert spread.by_hour_weekday.to_numpy().sum() == pytest.approx(spread.used, rel=1e-12)
    # cars vanish at night: the six hours to 4 a.m. outweigh the six of the working day
    assert spread.by_hour["count"][[22, 23, 0, 1, 2, 3]].sum() > 1.5 * spread.by_hour["count"][range(9, 15)].sum()


def test_shuffling_the_thefts_over_cells_and_months_leaves_no_pattern_and_the_real_ones_have_some() -> None:
    made = theft_cube(thefts())
    real = emerging(made.cells, made.counts, band_m=2000)
    assert np.count_nonzero(real.pattern) > 0.05 * made.cells.size
    shuffled = made.counts.copy()
    flat = shuffled[:, made.cells.mask]
    shuffled[:, made.cells.mask] = np.random.default_rng(1).permutation(flat.ravel()).reshape(flat.shape)
    for permutations in (0, 99):
        noise = emerging(made.cells, shuffled, band_m=2000, permutations=permutations, rng=np.random.default_rng(2))
        assert np.count_nonzero(noise.pattern) <= 0.01 * made.cells.size


def test_homicides_by_weekday_are_those_pandas_counts() -> None:
    frame = pd.read_csv(shared("chicago_homicides/chicago-homicides-2001-2018.csv"))
    times = pd.to_datetime(frame["Date"], format="%m/%d/%Y %I:%M:%S %p")  # Chicago's clock, whatever the file says
    found = when(times, zone=CHICAGO)
    assert found.by_weekday["count"].tolist() == times.dt.day_of_week.value_counts().sort_index().tolist()
    assert found.by_month["count"].tolist() == times.dt.month.value_counts().sort_index().tolist()


def test_homicides_by_quarter_leave_out_the_quarter_that_has_only_begun() -> None:
    frame = pd.read_csv(shared("chicago_homicides/chicago-homicides-2001-2018.csv"))
    times = pd.to_datetime(frame["Date"], format="%m/%d/%Y %I:%M:%S %p")
    area = gpd.read_file(shared("chicago_homicides/chicago-community-areas.geojson")).to_crs(32616)
    places = gpd.GeoSeries(gpd.points_from_xy(frame["Longitude"], frame["Latitude"]), crs=4326).to_crs(32616)
    made = cube(cells_within(area, cell_m=1000), places.x, places.y, times, zone=CHICAGO, period="quarter")
    assert (made.labels[0], made.labels[-1], made.report.incomplete) == ("2001-Q1", "2018-Q2", ("2018-Q3",))
    found = emerging(made.cells, made.counts, band_m=2000)
    # the south and west sides are hot; homicides are too rare for cold spots in a quarter
    assert found.pattern_counts()["sporadic_hot"] > 10
    assert sum(number for key, number in found.pattern_counts().items() if key.endswith("_cold")) == 0


def july(year: int) -> Path:
    """The incidents of a July in West Yorkshire: they come with crime-sim-toolkit."""
    spec = importlib.util.find_spec("crime_sim_toolkit")
    if spec is None or not spec.submodule_search_locations:
        return shared(f"west_yorkshire_police/{year}-07-west-yorkshire-street.csv")
    folder = Path(spec.submodule_search_locations[0], "tests", "testing_data", "test_policedata", f"{year}-07")
    return next(folder.glob("*west-yorkshire-street.csv"))


def test_three_julys_are_months_with_gaps_between_and_the_result_says_so() -> None:
    frame = pd.concat([pd.read_csv(july(year), usecols=["Month", "Longitude", "Latitude"]) for year in (2016, 2017, 2018)])
    assert len(frame) == 87_348
    places = gpd.GeoSeries(gpd.points_from_xy(frame["Longitude"], frame["Latitude"]), crs=4326).to_crs(27700)
    cells: CellSet = cells_around(places.x, places.y, cell_m=1000, crs=27700)
    made = cube(cells, places.x, places.y, pd.to_datetime(frame["Month"], format="%Y-%m"), zone="Europe/London")
    assert made.report.left_out["no_place"] == 3771
    assert made.report.counted == 87_348 - 3771
    assert (len(made.labels), len(made.report.empty)) == (25, 22)
    keys = [key for key, _ in emerging(made.cells, made.counts, band_m=1500).notes]
    assert keys == ["patterns.note_empty_periods"]
