"""What the sample's incidents tell: the published numbers, and patterns that an analyst can find."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

Town = Mapping[str, gpd.GeoDataFrame]


@pytest.fixture(scope="module")
def incidents(town: Town) -> gpd.GeoDataFrame:
    return town["incidents"]


@pytest.fixture(scope="module")
def reports(incidents: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return incidents[~incidents["category"].isin(["矛盾纠纷", "民生服务"])]


def test_year_has_62_disputes_and_23_services_for_117_people(incidents: gpd.GeoDataFrame) -> None:
    count = incidents["category"].value_counts()
    assert (count["矛盾纠纷"], count["民生服务"]) == (62, 23)
    assert incidents["served"].sum() == 117
    assert (incidents["served"].notna() == (incidents["category"] == "民生服务")).all()
    assert count.drop(["矛盾纠纷", "民生服务"]).sum() > 300


def test_times_are_of_2012_in_beijing_time_and_ids_follow_them(incidents: gpd.GeoDataFrame) -> None:
    times = incidents["occurred_at"]
    assert str(times.dt.tz) == "Asia/Shanghai"
    assert times.is_monotonic_increasing
    assert set(times.dt.year) == {2012}
    assert incidents.index[0] == "SJ2012-0001"
    assert incidents.index.is_monotonic_increasing


def test_most_lie_in_grids_that_were_open_by_then(town: Town, incidents: gpd.GeoDataFrame) -> None:
    opened = pd.to_datetime(town["grids"]["station"].map(town["stations"]["opened_on"])).dt.tz_localize("Asia/Shanghai")
    home = incidents.sjoin(town["grids"][["geometry"]], predicate="within").groupby(level=0)["code"].first()
    known = incidents["occurred_at"] >= home.map(opened).reindex(incidents.index)
    assert 0.9 < known.mean() < 1


def test_reports_at_the_building_site_grow_over_the_year(town: Town, reports: gpd.GeoDataFrame) -> None:
    towers = town["buildings"].query("kind == 'tower'")
    site = towers.geometry.union_all().centroid
    near = reports[reports.distance(site) < 500]
    assert len(near) > 80
    by_quarter = near["occurred_at"].dt.quarter.value_counts().reindex([1, 2, 3, 4], fill_value=0)
    assert by_quarter[1] < by_quarter[2] < by_quarter[3] < by_quarter[4]
    assert by_quarter[4] > 2 * by_quarter[3]
    elsewhere = reports[reports.distance(site) > 2000]["occurred_at"].dt.quarter.value_counts()
    assert elsewhere[4] < 1.5 * elsewhere[3]


def test_reports_at_the_lake_come_in_summer(town: Town, reports: gpd.GeoDataFrame) -> None:
    lake = town["water"].query("kind == 'lake'").geometry.iloc[0]
    near = reports[reports.distance(lake) < 120]
    assert len(near) > 40
    assert near["occurred_at"].dt.month.between(6, 9).mean() > 0.75
    far = reports[reports.distance(lake) > 1000]
    assert far["occurred_at"].dt.month.between(6, 9).mean() < 0.5
    assert not reports.within(lake).any()


def test_hours_and_weekdays_have_a_rhythm(incidents: gpd.GeoDataFrame) -> None:
    hour, day = incidents["occurred_at"].dt.hour, incidents["occurred_at"].dt.day_of_week
    at_work = incidents["category"].isin(["环境", "安全隐患", "民生服务"])
    assert hour[at_work].between(8, 17).mean() > 0.75
    order = hour[incidents["category"] == "治安"]
    assert (order.ge(18) | order.lt(6)).mean() > 0.5
    disputes = incidents["category"] == "矛盾纠纷"
    assert np.mean(day[disputes] >= 5) > np.mean(day[at_work] >= 5)
