"""The rules that always hold, on random towns: a partition, one community each, no building cut without need, codes in order."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings

from gridgis.blocks import CLASSES, BlockGrids, block_grids
from gridgis.topology import is_seamless
from tests.blocks.towns import CRS, Town, towns
from tests.core.territories import assert_noded

LARGE_M2 = CLASSES[0].high * 10_000  # a building larger than the largest cell of the densest class may be cut


def drawn(town: Town) -> BlockGrids:
    return block_grids(town.areas, streets=town.streets, water=town.water, buildings=town.buildings)


def assert_hard_rules(areas: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, cells: gpd.GeoDataFrame) -> None:
    shapes = cells.geometry.to_numpy()
    assert (shapely.get_type_id(shapes) == 3).all()
    assert shapely.is_valid(shapes).all()
    # a partition, by GEOS's overlay and by vertices equal bit for bit
    assert_noded(shapes)
    assert is_seamless(cells, areas)
    ground = shapely.union_all(areas.geometry.to_numpy())
    assert shapely.symmetric_difference(shapely.union_all(shapes), ground).area < 1e-4
    # one community each
    own = areas.geometry.loc[cells["area_code"]].to_numpy()
    assert shapely.difference(shapes, own).tolist() == [] or shapely.area(shapely.difference(shapes, own)).max() < 1e-4
    assert set(cells["area_code"]) == set(areas.index)
    # inside each community every building lies in one cell
    for code, ground in areas.geometry.items():
        mine = shapes[(cells["area_code"] == code).to_numpy()]
        for house in buildings.geometry:
            if house.area <= LARGE_M2:
                parts = shapely.area(shapely.intersection(mine, house))
                pieces = shapely.get_parts(shapely.intersection(house, ground))
                # a house that the community's border parts may lie in as many cells as it has pieces there
                assert (parts > 0.1).sum() <= max(1, (shapely.area(pieces) > 0.1).sum()), house.wkt


def assert_codes_in_order(cells: gpd.GeoDataFrame) -> None:
    assert cells.index.is_unique
    assert cells.index.is_monotonic_increasing
    for code, own in cells.groupby("area_code"):
        assert own.index.tolist() == [f"{code}{number:03}" for number in range(1, len(own) + 1)]
        y, x = own.centroid.y.to_numpy().round(3), own.centroid.x.to_numpy().round(3)
        row = -np.floor(y / 100)
        assert (np.diff(row) >= 0).all()
        assert (np.diff(x)[np.diff(row) == 0] >= 0).all()


@given(towns())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_hard_rules_hold_on_random_towns(town: Town) -> None:
    result = drawn(town)
    assert_hard_rules(town.areas, town.buildings, result.cells)
    assert_codes_in_order(result.cells)
    hard = result.sheet[result.sheet["hard"]]
    assert (hard["kept"] == hard["of"]).all() or np.allclose(hard["kept"], hard["of"], rtol=1e-9)
    assert "avoidable" not in set(result.cut_buildings["reason"])


@given(towns())
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_order_of_rows_changes_nothing(town: Town) -> None:
    turned = Town(town.areas.iloc[::-1], town.streets.iloc[::-1], town.buildings.iloc[::-1], town.water.iloc[::-1])
    assert drawn(turned).cells.geometry.geom_equals(drawn(town).cells.geometry).all()


def test_a_crs_in_degrees_is_refused() -> None:
    square = gpd.GeoDataFrame(index=["420100001201"], geometry=[shapely.box(114, 30, 115, 31)], crs=4490)
    with pytest.raises(ValueError, match="EPSG:4490"):
        block_grids(square, streets=gpd.GeoDataFrame(geometry=[], crs=CRS))
