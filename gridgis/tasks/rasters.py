"""A raster file as counts per pixel, read only where it is needed."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import rasterio
import rasterio.windows
from rasterio.errors import RasterioError

from gridgis.apportion import Raster
from gridgis.crs import crs_name
from gridgis.errors import DataError


def read_raster(file: str | Path, *, within: gpd.GeoDataFrame) -> Raster:
    """The part of a raster's first band that meets a frame, with a pixel to spare all round.

    Parameters
    ----------
    file
        Any raster GDAL knows, north-up, with a CRS; values are counts per pixel. Nodata and negative counts are unknown.
    within
        What is needed, in any CRS.

    Raises
    ------
    DataError
        If the file cannot be read, has no CRS, is turned, or lies elsewhere.
    """
    name = Path(file).name
    try:
        with rasterio.open(file) as source:
            if source.crs is None:
                raise DataError("apportion.raster_no_crs", file=name)
            transform = source.transform
            if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
                raise DataError("apportion.raster_turned", file=name)
            crs = pyproj.CRS.from_wkt(source.crs.to_wkt())
            window = _window(source, within.to_crs(crs).total_bounds)
            if window is None:
                raise DataError("apportion.raster_elsewhere", crs=crs_name(crs))
            counts = source.read(1, window=window, masked=True).astype(np.float64).filled(np.nan)
            west, north = transform.c + window.col_off * transform.a, transform.f + window.row_off * transform.e
            east, south = west + window.width * transform.a, north + window.height * transform.e
    except (RasterioError, OSError) as error:
        raise DataError("apportion.raster_unreadable", file=name, reason=str(error)) from error
    counts[~np.isfinite(counts) | (counts < 0)] = np.nan
    return Raster(counts, (west, south, east, north), crs)


def _window(source: rasterio.DatasetReader, box: np.ndarray) -> rasterio.windows.Window | None:
    if not np.isfinite(box).all():
        return None
    transform = source.transform
    columns = (box[[0, 2]] - transform.c) / transform.a
    rows = (box[[3, 1]] - transform.f) / transform.e
    left, right = max(int(np.floor(columns[0])) - 1, 0), min(int(np.ceil(columns[1])) + 1, source.width)
    top, bottom = max(int(np.floor(rows[0])) - 1, 0), min(int(np.ceil(rows[1])) + 1, source.height)
    if left >= right or top >= bottom:
        return None
    return rasterio.windows.Window(left, top, right - left, bottom - top)
