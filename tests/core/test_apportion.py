"""Counts brought from one place to another: totals kept, nothing counted twice, partial pixels exact."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.apportion import NOWHERE, Raster, by_area, by_buildings, count_points, locate, memberships, share_out, zonal_sum
from gridgis.counts import best_counts, from_areas, from_buildings, from_grids, from_raster
from gridgis.errors import DataError
from gridgis.ground import ground
from gridgis.tasks.rasters import read_raster
from tests.support import shared

X, Y = toy.ORIGIN


def squares(columns: int, rows: int, side: float) -> gpd.GeoDataFrame:
    x, y = (axis.ravel() * side for axis in np.meshgrid(np.arange(columns), np.arange(rows)))
    return gpd.GeoDataFrame(geometry=shapely.box(X + x, Y + y, X + x + side, Y + y + side), crs=toy.CRS)


@given(st.integers(0, 10_000), st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_shares_are_whole_add_up_and_keep_the_quota(total: int, weights: list[float]) -> None:
    parts = share_out(total, np.array(weights))
    assert parts.sum() == total
    quota = total * np.array(weights) / sum(weights) if sum(weights) > 0 else np.full(len(weights), total / len(weights))
    assert (np.abs(parts - quota) < 1).all()


def test_largest_remainders_get_what_is_left() -> None:
    # 7 by 3.5 : 2.1 : 1.4 -> quotas 3.5, 2.1, 1.4; one is left and goes to 3.5
    assert share_out(7, np.array([3.5, 2.1, 1.4])).tolist() == [4, 2, 1]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=60))
def test_every_point_of_the_town_is_in_exactly_one_cell_also_on_borders(places: list[tuple[int, int]]) -> None:
    points = np.array([(X + 10 * x, Y + 10 * y) for x, y in places], dtype=float)
    cells = squares(4, 3, 100)
    at = locate(points, cells.geometry.to_numpy())
    assert (at != NOWHERE).all()
    point, cell = memberships(points, cells.geometry.to_numpy())
    assert point.tolist() == list(range(len(points)))
    assert cell.tolist() == at.tolist()
    counted = count_points(gpd.GeoSeries(shapely.points(points), crs=toy.CRS), cells)
    assert counted.sum() == len(points)


def test_points_are_counted_as_a_spatial_join_counts_them() -> None:
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 1000, (5000, 2)) + np.array([X, Y])
    points = gpd.GeoDataFrame({"people": rng.integers(0, 9, 5000)}, geometry=shapely.points(xy), crs=toy.CRS)
    cells = squares(10, 10, 97)
    joined = gpd.sjoin(points, cells, predicate="within")
    wanted = joined.groupby("index_right")["people"].sum().reindex(cells.index, fill_value=0)
    assert count_points(points, cells, values=points["people"]).tolist() == wanted.tolist()


def test_buildings_share_their_villages_people_in_whole_persons() -> None:
    areas = toy.areas().iloc[1:].assign(population=[25, 13])
    given_out = by_buildings(areas, toy.buildings(), "population")
    west = toy.buildings().index[:6]
    assert given_out[west].sum() == 25
    assert given_out.sum() == 38
    assert set(given_out[west]) == {4, 5}


def test_a_village_without_buildings_keeps_its_people_on_its_ground() -> None:
    areas = toy.areas().iloc[1:].assign(population=[25, 13])
    counts = from_areas(areas, "population", buildings=toy.buildings().iloc[:6])
    zones = toy.grids().geometry.to_numpy()
    covered, total = counts.within(zones, ground(toy.grids().loc[["G3"]]))
    assert total.sum() == 38
    assert total[2] == 13
    assert covered.tolist() == [0, 0, 13]


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 5))
def test_counts_by_area_are_conserved_by_any_partition(population: int, columns: int, rows: int) -> None:
    source = gpd.GeoDataFrame({"population": [population]}, geometry=[shapely.box(X, Y, X + 60, Y + 60)], crs=toy.CRS)
    target = gpd.GeoDataFrame(
        geometry=[
            shapely.box(X + 60 / columns * i, Y + 60 / rows * j, X + 60 / columns * (i + 1), Y + 60 / rows * (j + 1))
            for i in range(columns)
            for j in range(rows)
        ],
        crs=toy.CRS,
    )
    assert by_area(source, target, "population").sum() == pytest.approx(population)


def test_overlapping_grids_do_not_count_their_common_people_twice() -> None:
    grids = gpd.GeoDataFrame(
        {"population": [100, 100]}, geometry=[shapely.box(X, Y, X + 100, Y + 100), shapely.box(X + 50, Y, X + 150, Y + 100)],
        crs=toy.CRS,
    )  # fmt: skip
    covered, total = from_grids(grids, "population").within(
        np.array([shapely.box(X, Y, X + 400, Y + 300)]), ground(grids.iloc[:1])
    )
    # the second grid's people are spread over it; half of its ground lies in the first
    assert (covered.tolist(), total.tolist()) == ([150], [200])


def test_the_best_source_is_taken_and_named() -> None:
    areas, grids, buildings = toy.areas(), toy.grids(), toy.buildings()
    town = areas.iloc[:1]
    villages = areas.iloc[1:].assign(population=[10, 20])
    counted = grids.assign(population=[1, 2, 3])
    bare = buildings.drop(columns="population")

    def source(**layers: object) -> str | None:
        found = best_counts("population", town, **layers)  # type: ignore[arg-type]
        return None if found is None else found.source

    assert source(buildings=buildings, grids=counted, areas=[villages]) == "buildings"
    assert source(buildings=bare, grids=counted, areas=[villages]) == "grids"
    assert source(buildings=bare, grids=counted.iloc[:2], areas=[villages]) == "areas_by_buildings", "two grids are no census"
    assert source(buildings=bare, grids=counted.assign(population=[1, None, 3]), areas=[villages]) == "areas_by_buildings"
    assert source(grids=grids, areas=[areas.iloc[1:], town.assign(population=5)]) == "areas_by_area"
    assert source(buildings=bare, grids=grids, areas=[areas]) is None


def test_buildings_without_a_count_are_nobody_and_a_mostly_empty_column_is_no_census() -> None:
    buildings = toy.buildings().astype({"population": float})
    buildings.iloc[:3, buildings.columns.get_loc("population")] = np.nan
    assert from_buildings(buildings, "population").point_values.sum() == 27
    buildings.iloc[:7, buildings.columns.get_loc("population")] = np.nan
    assert best_counts("population", toy.areas(), buildings=buildings) is None


# --- rasters ---------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_partial_pixels_count_by_their_share(box: tuple[int, int, int, int]) -> None:
    left, bottom, width, height = box
    values = np.arange(16.0).reshape(4, 4)
    raster = Raster(values, (X, Y, X + 40, Y + 40), pyproj.CRS(toy.CRS))
    zone = shapely.box(X + left, Y + bottom, X + left + width + 1, Y + bottom + height + 1)
    # by hand: every pixel as a hundred 1 m squares, north first
    fine = np.kron(values, np.ones((10, 10)))[::-1] / 100
    wanted = fine[bottom : bottom + height + 1, left : left + width + 1].sum()
    assert zonal_sum(raster, gpd.GeoSeries([zone], crs=toy.CRS)).iloc[0] == pytest.approx(wanted)


def test_unknown_pixels_count_nothing_and_a_raster_elsewhere_is_an_error() -> None:
    raster = Raster(np.array([[np.nan, 5.0]]), (X, Y, X + 200, Y + 100), pyproj.CRS(toy.CRS))
    assert zonal_sum(raster, toy.areas().iloc[:1]).tolist() == [5]
    away = Raster(raster.counts, (X + 9000, Y, X + 9200, Y + 100), raster.crs)
    with pytest.raises(DataError, match="do not meet"):
        zonal_sum(away, toy.areas())


def test_raster_coverage_of_a_partition_adds_up() -> None:
    raster = Raster(np.arange(12.0).reshape(3, 4), (X, Y, X + 400, Y + 300), pyproj.CRS(toy.CRS))
    counts = from_raster(raster, pyproj.CRS(toy.CRS))
    covered, total = counts.within(toy.grids().geometry.to_numpy(), ground(toy.grids().iloc[:2]))
    assert total.sum() == pytest.approx(66)
    assert covered.tolist() == [pytest.approx(total[0]), pytest.approx(total[1]), 0]


def test_azores_people_of_six_municipalities() -> None:
    raster_file = shared("population_rasters/gpw_count.tif")
    towns = gpd.read_file(shared("population_rasters/concelhos.gpkg"))
    raster = read_raster(raster_file, within=towns)
    found = zonal_sum(raster, towns)
    with rasterio.open(raster_file) as source:
        total = float(source.read(1, masked=True).sum())
    assert total == pytest.approx(145_602.97, abs=0.01)
    # the coast cuts pixels of land and sea, so the towns hold most of it; the towns' union holds exactly their sum
    assert 0.85 * total < found.sum() <= total
    together = zonal_sum(raster, gpd.GeoSeries([towns.union_all()], crs=towns.crs)).iloc[0]
    assert found.sum() == pytest.approx(together, rel=1e-6)
