"""Results of hot spots as files, in the format the ending names: cells for QGIS and Excel, rasters, curves and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.files.live import is_workspace
from gridgis.files.rasters_out import write_raster
from gridgis.files.writing import write_csv, write_frame
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_heat import HeatReport
from gridgis.tasks.hotspot_maps import CompareReport, ScoreReport
from gridgis.tasks.hotspot_polygons import PolygonReport
from gridgis.tasks.hotspot_series import EmergingReport, WhenReport
from gridgis.tasks.hotspotting import LAYER, GiReport, MoranReport

Report = GiReport | MoranReport | HeatReport | EmergingReport | CompareReport | ScoreReport | WhenReport | PolygonReport

_CELLS: Final = (".gpkg", ".geojson", ".parquet", ".fgb", ".zip", ".csv", ".xlsx")
# method -> what it can be written as; the first is what people use
ENDINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "gi": (*_CELLS, ".tif"),
        "moran": (*_CELLS, ".tif"),
        "emerging": (*_CELLS, ".tif"),
        "density": (".tif", ".tiff"),
        "compare": _CELLS,
        "score": _CELLS,
        "when": (".csv", ".xlsx"),
    }
)


def check_output(file: str | Path | None, method: str) -> None:
    """Refuse a file that cannot be written before anything is computed.

    Raises
    ------
    DataError
        If the ending is none of `ENDINGS`, or the file is a workspace.

    Examples
    --------
    >>> check_output("out.gpkg", "gi")
    """
    if file is None:
        return
    path = Path(file)
    if path.suffix.lower() not in ENDINGS[method]:
        raise DataError("export.ending", file=path.name, endings=", ".join(ENDINGS[method]))
    if is_workspace(path):
        raise DataError("hotspot_tasks.workspace_target", file=path.name)


def write_result(report: Report, file: str | Path, *, progress: Progress = silent) -> Path:
    """Write a result; an old file makes way once the new one is whole.

    1. A density map is a GeoTIFF; Gi*, Moran's I and patterns are one too where the ending is .tif (z; codes of patterns).
    2. A score as .csv or .xlsx is its curve, else the map's cells; when is a table.
    3. All others are the cells, in a layer `hotspots`.

    Parameters
    ----------
    report
        From `hotspotting`, `hotspot_heat`, `hotspot_series` or `hotspot_maps`.
    file
        Its ending is one of `ENDINGS`.
    """
    path = Path(file)
    suffix = path.suffix.lower()
    if isinstance(report, HeatReport):
        report.write(path, progress=progress)
    elif isinstance(report, WhenReport):
        _table(path, report.frame(), report.incidents.synthetic)
    elif isinstance(report, ScoreReport) and suffix in {".csv", ".xlsx"}:
        _table(path, report.score.curve, report.synthetic)
    elif suffix == ".tif" and isinstance(report, (GiReport, MoranReport, EmergingReport)):
        _raster(path, report, progress)
    else:
        if suffix == ".tif":
            raise DataError("export.ending", file=path.name, endings=", ".join(_CELLS))
        progress("hotspot_tasks.stage_write", 0, 1)
        if isinstance(report, (CompareReport, ScoreReport)):
            synthetic = report.synthetic
        else:
            synthetic = (report.incidents if isinstance(report, PolygonReport) else report.laid.incidents).synthetic
        write_frame(path, report.frame(), layer=LAYER, synthetic=synthetic)
        progress("hotspot_tasks.stage_write", 1, 1)
    return path


def _raster(path: Path, report: GiReport | MoranReport | EmergingReport, progress: Progress) -> None:
    values: NDArray[Any]
    if isinstance(report, GiReport):
        values, what = report.result.z, "Gi* z"
    elif isinstance(report, MoranReport):
        values, what = report.result.local_z, "local Moran's I z"
    else:
        values, what = report.result.pattern.astype(np.int32), "pattern code"
    laid = report.laid
    tags = {"band_m": f"{report.band.value:g}", "source": laid.incidents.source, "points_used": str(laid.used)}
    write_raster(
        path, values, lattice=laid.cells.lattice, description=what, unit="1", synthetic=laid.incidents.synthetic, tags=tags,
        progress=progress,
    )  # fmt: skip


def _table(path: Path, table: pd.DataFrame, synthetic: bool) -> None:
    if path.suffix.lower() == ".csv":
        write_csv(path, table.assign(synthetic=True) if synthetic else table)
        return
    rows = table.set_index(pd.RangeIndex(1, len(table) + 1, name="row"))
    write_frame(path, gpd.GeoDataFrame(rows, geometry=np.full(len(rows), None, dtype=object)), layer=LAYER, synthetic=synthetic)
