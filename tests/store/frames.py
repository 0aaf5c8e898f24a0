"""Frames and comparisons for the store's tests."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis import toy

X0, Y0 = toy.ORIGIN


def cells(columns: int, rows: int, *, mark: float = 10_000.0, area: str = toy.WEST, first: int = 1) -> gpd.GeoDataFrame:
    """A block of 100 m cells as the layer unit_cells has them, `mark` in `area_m2`."""
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    west, south = X0 + 100.0 * column.ravel(), Y0 + 100.0 * row.ravel()
    shapes = shapely.box(west, south, west + 100, south + 100)
    frame = gpd.GeoDataFrame(
        {
            "code": [f"{area}{number:06d}" for number in range(first, first + len(shapes))],
            "area_code": area,
            "area_m2": mark,
            "initial_time": pd.Timestamp("2012-03-01 08:00", tz="Asia/Shanghai"),
        },
        geometry=shapes,
        crs=toy.CRS,
    )
    return frame.set_index("code")


def same_frames(read: gpd.GeoDataFrame, written: gpd.GeoDataFrame) -> None:
    """Assert that all columns of `written` came back, value for value and vertex for vertex."""
    assert read.index.tolist() == written.index.tolist()
    assert read.crs == written.crs
    assert shapely.equals_identical(read.geometry.to_numpy(), written.geometry.to_numpy()).all()
    for name in written.columns.drop("geometry"):
        before = written[name].astype(object).where(written[name].notna(), None).tolist()
        after = read[name].astype(object).where(read[name].notna(), None).tolist()
        assert after == before, name


def brute_force(frame: gpd.GeoDataFrame, box: tuple[float, float, float, float]) -> list[str]:
    """Keys of the rows whose own boxes meet a box, computed without any index."""
    west, south, east, north = box
    bounds = frame.geometry.bounds
    meets = (bounds.maxx >= west) & (bounds.minx <= east) & (bounds.maxy >= south) & (bounds.miny <= north)
    return sorted(frame.index[meets])
