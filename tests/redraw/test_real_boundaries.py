"""Real boundaries: Taiwan's villages, repaired, dissolve to the towns of the same file, and a city of them can be redrawn."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridgis.ground import polygonal
from gridgis.redraw.invariants import broken
from gridgis.redraw.opening import repair
from tests.redraw.walk import walk
from tests.support import shared

METRES = "EPSG:3826"


def layer(name: str) -> gpd.GeoDataFrame:
    file = shared("taiwan_villages/villages-10t.json")
    frame = gpd.read_file(file, layer=name, engine="pyogrio")
    return frame.set_crs(4326, allow_override=True).to_crs(METRES)


@pytest.mark.shared
def test_towns_with_invalid_villages_are_repaired_and_dissolve_to_the_towns_of_the_file() -> None:
    villages, towns = layer("villages"), layer("towns")
    bad = villages[~villages.geometry.is_valid]
    assert len(bad) == 7
    key = "TOWNCODE"
    checked = 0
    for code in sorted(set(bad[key])):
        town = towns[towns[key] == code]
        if len(town) != 1 or not town.geometry.iloc[0].is_valid:
            continue
        own = villages[villages[key] == code]
        grids = gpd.GeoDataFrame(
            geometry=own.geometry.to_numpy(), index=pd.Index([f"V{i:03d}" for i in range(len(own))]), crs=METRES
        )
        area = gpd.GeoDataFrame(geometry=town.geometry.to_numpy(), index=pd.Index([str(code)], name="code"), crs=METRES)
        done = repair(grids, area)
        assert any(defect.kind == "invalid" for defect in done.defects_before)
        assert broken(done.partition, exclaves=True) == ()
        union = shapely.union_all([*done.partition.shapes, *done.partition.free])
        off = shapely.symmetric_difference(union, town.geometry.iloc[0]).area
        assert off < 1e-3, (code, off)
        checked += 1
    assert checked >= 3


@pytest.mark.shared
def test_taipei_is_redrawn_at_random_and_stays_whole() -> None:
    villages = layer("villages")
    taipei = villages[villages["COUNTYNAME"].isin(["台北市", "臺北市"])].reset_index(drop=True)
    assert len(taipei) == 456
    codes = [f"63000G{number:04d}" for number in range(len(taipei))]
    frame = gpd.GeoDataFrame({"name": codes}, geometry=taipei.geometry.to_numpy(), index=codes, crs=METRES)
    city = shapely.union_all(polygonal(taipei.geometry.to_numpy())[0])
    area = gpd.GeoDataFrame(geometry=[city], index=pd.Index(["63000"], name="code"), crs=METRES)
    opened = repair(frame, area).partition
    assert broken(opened, exclaves=True) == ()
    done = walk(opened, steps=150, seed=3)
    assert sum(done.done.values()) > 100
    assert done.partition.outline.area == pytest.approx(opened.outline.area, rel=1e-12)
