"""Real incidents: the account agrees with what is known of the data, and Gi* with PySAL."""

from __future__ import annotations

import warnings
from importlib import resources

import esda
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from gridgis import hotspots
from tests.hotspots.judges import band_weights
from tests.support import shared


@pytest.fixture(scope="module")
def yorkshire() -> gpd.GeoDataFrame:
    """87,348 crimes of July 2016, 2017 and 2018, moved to anonymous snap points; they come with crime-sim-toolkit."""
    folder = resources.files("crime_sim_toolkit") / "tests/testing_data/test_policedata"
    tables = []
    for year in ("2016", "2017", "2018"):
        with (folder / f"{year}-07" / f"{year}-07-west-yorkshire-street.csv").open(encoding="utf-8") as file:
            tables.append(pd.read_csv(file, usecols=["Month", "Longitude", "Latitude", "Crime type"]))
    table = pd.concat(tables, ignore_index=True)
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["Longitude"], table["Latitude"]), crs=4326)


def test_monthly_crimes_on_snap_points_are_all_accounted_for(yorkshire: gpd.GeoDataFrame) -> None:
    points, report = hotspots.read_points(yorkshire, crs="EPSG:27700", start="Month", zone="Europe/London", category="Crime type")
    lacking = int(yorkshire["Longitude"].isna().sum())
    assert report.total == 87_348
    assert report.left_out["no_coordinates"] == lacking > 0
    assert report.used == 87_348 - lacking
    places = yorkshire.dropna(subset="Longitude").groupby(["Longitude", "Latitude"]).size()
    assert report.stacked == places[places > 1].sum()
    assert points.start is not None
    assert points.start.tz_convert("Europe/London").strftime("%Y-%m-%d %H").unique().tolist() == [
        "2016-07-01 00", "2017-07-01 00", "2018-07-01 00",
    ]  # fmt: skip


def test_gi_of_crimes_in_leeds_equals_pysal_and_finds_the_centre(yorkshire: gpd.GeoDataFrame) -> None:
    points, _ = hotspots.read_points(yorkshire, crs="EPSG:27700")
    leeds = points.where((abs(points.x - 430_000) < 10_000) & (abs(points.y - 433_500) < 8_000))
    cells = hotspots.cells_around(leeds.x, leeds.y, cell_m=500, crs=leeds.crs)
    counts = hotspots.count(cells, leeds.x, leeds.y)
    assert counts.sum() == len(leeds) > 20_000
    result = hotspots.gi(cells, counts, band_m=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = band_weights(cells.mask, 200, star=True)  # of cells of 100 m: the same neighbours
        judge = esda.G_Local(counts.ravel(), weights, transform="B", star=True, permutations=0)
    np.testing.assert_allclose(result.z.ravel(), judge.Zs, atol=1e-9)
    row, column = cells.lattice.cell_at([430_000], [433_500])
    assert result.klass[row[0], column[0]] == 3
    assert hotspots.moran(cells, counts, band_m=1000).p < 0.001


def test_homicides_in_chicago_inside_and_outside_are_as_counted_by_others() -> None:
    """The data's own account: 9,265 rows, 3 without coordinates, 9,201 points in the 77 community areas."""
    table = pd.read_csv(shared("chicago_homicides/chicago-homicides-2001-2018.csv"), usecols=["Longitude", "Latitude"])
    areas = gpd.read_file(shared("chicago_homicides/chicago-community-areas.geojson")).to_crs(32616)
    frame = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["Longitude"], table["Latitude"]), crs=4326)
    points, report = hotspots.read_points(frame, area=areas)
    assert (report.total, report.left_out["no_coordinates"], report.used) == (9265, 3, 9201)
    cells = hotspots.cells_within(areas, cell_m=1000)
    assert hotspots.count(cells, points.x, points.y).sum() == 9201
    result = hotspots.gi(cells, hotspots.count(cells, points.x, points.y), band_m=1500)
    assert result.hot > 20
    chance = hotspots.gi(cells, hotspots.count(cells, points.x, points.y), band_m=1500, permutations=999, fdr=False)
    both = (result.klass > 0) & (chance.klass > 0)
    assert both.sum() > 0.8 * result.hot


def test_thefts_in_new_york_lie_in_its_boroughs_every_one() -> None:
    """The data's own account: 35,746 of 35,746 in a borough; times are local and may be intervals."""
    table = pd.read_parquet(shared("nyc_vehicle_thefts/nycvehiclethefts.parquet"))
    boroughs = gpd.read_file(shared("nyc_vehicle_thefts/borough.geojson")).to_crs(32618)
    frame = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["longitude"], table["latitude"]), crs=4326)
    points, report = hotspots.read_points(
        frame, area=boroughs, start="date_start", end="date_end", zone="America/New_York", category="location_category"
    )
    assert report.left_out["outside"] == report.left_out["no_coordinates"] == 0
    interval = table["date_start"].notna()
    assert report.left_out["no_time"] == int((~interval).sum())
    assert report.used == int(interval.sum()) - report.left_out["bad_time"]
    assert report.left_out["bad_time"] < 10
    assert points.end is not None
    assert (points.end >= points.start)[points.end.notna()].all()
