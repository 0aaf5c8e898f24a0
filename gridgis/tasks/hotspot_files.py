"""Hot spots as files for other programs: a GeoPackage for QGIS, a GeoTIFF of the heat map, a table of cells."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
from rasterio.io import MemoryFile

from gridgis.hotspots.emergence import EmergingResult
from gridgis.hotspots.moran_i import QUADRANTS
from gridgis.tasks.hotspot_views import Against, HotSpots


def cell_frame(spots: HotSpots, *, found: EmergingResult | None = None, before: Against | None = None) -> gpd.GeoDataFrame:
    """Every cell with all that is known of it, index `cell_id` in reading order.

    Columns: `count, gi_z, p_value, q_value, class, moran_i, moran_p, moran_q, quadrant`; with patterns over time `pattern,
    trend_z, trend_p, hot_periods`; with an earlier time `change`.
    """
    frame = spots.gi.frame()
    take = spots.cells.take
    quadrants = np.array(QUADRANTS, dtype=object)
    frame = frame.assign(
        count=frame["count"].astype(int),
        moran_i=take(spots.moran.local_i),
        moran_p=take(spots.moran.local_p),
        moran_q=take(spots.moran.local_q),
        quadrant=quadrants[take(spots.moran.klass).astype(int)],
    )
    if found is not None:
        told = found.frame()
        for column in ("pattern", "trend_z", "trend_p", "hot_periods"):
            frame[column] = told[column].to_numpy()
    if before is not None:
        frame["change"] = before.comparison.places["change"].reindex(frame.index).to_numpy()
    return gpd.GeoDataFrame(frame[[*frame.columns.drop(["geometry"]), "geometry"]])


def geopackage(
    spots: HotSpots, about: Mapping[str, str], *, found: EmergingResult | None = None, before: Against | None = None
) -> bytes:
    """Layers `hotspots` (cells), `spots` (places), `area`, and a table `about` with the parameters in words."""
    cells = cell_frame(spots, found=found, before=before).reset_index()
    places = spots.spots.reset_index()
    points = gpd.GeoDataFrame(
        places.drop(columns=["x", "y", "row", "column"]), geometry=gpd.points_from_xy(places["x"], places["y"]), crs=cells.crs
    )
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / "hotspots.gpkg"
        pyogrio.write_dataframe(cells, file, layer="hotspots", driver="GPKG")
        if len(points):
            pyogrio.write_dataframe(points, file, layer="spots", driver="GPKG")
        if len(spots.territory):
            area = spots.territory[["name", spots.territory.geometry.name]].reset_index()
            pyogrio.write_dataframe(area, file, layer="area", driver="GPKG")
        table = pd.DataFrame(about.items(), columns=["key", "value"])
        pyogrio.write_dataframe(table, file, layer="about", driver="GPKG")
        return file.read_bytes()


def geotiff(spots: HotSpots, about: Mapping[str, str]) -> bytes:
    """The heat map as a cloud-optimised GeoTIFF: float32, incidents per km², NaN outside the area."""
    heat = spots.heat
    rows, columns = heat.lattice.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="COG", height=rows, width=columns, count=1, dtype="float32", nodata=float("nan"), compress="deflate",
            crs=rasterio.CRS.from_wkt(heat.lattice.crs.to_wkt()), transform=heat.lattice.transform,
        ) as image:  # fmt: skip
            image.write(np.float32(heat.values), 1)
            image.set_band_description(1, "incidents per km2")
            image.update_tags(**about)
        return bytes(memory.read())


def csv(spots: HotSpots, *, found: EmergingResult | None = None, before: Against | None = None) -> bytes:
    """The cells as CSV in UTF-8 with a byte-order mark, for Excel's sake: their middle in metres, and all columns."""
    frame = cell_frame(spots, found=found, before=before)
    x, y = spots.cells.lattice.centre(*spots.cells.places())
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    table.insert(0, "x", x)
    table.insert(1, "y", y)
    return table.to_csv(lineterminator="\r\n").encode("utf-8-sig")
