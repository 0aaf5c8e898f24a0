"""Lattice values as a Cloud-Optimised GeoTIFF, whole or not at all: one cell is one pixel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from gridgis.errors import DataError, WorkspaceError
from gridgis.files.writing import in_place_of
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent
from gridgis.text import t

ENDINGS: Final = (".tif", ".tiff")
_STAGE: Final = "density.stage_write"


def write_raster(
    path: Path,
    values: NDArray[Any],
    *,
    lattice: Lattice,
    description: str,
    unit: str,
    synthetic: bool = False,
    tags: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> None:
    """Write one value per cell as a Cloud-Optimised GeoTIFF: tiles of 512 × 512, overviews by averages, DEFLATE.

    Floats are written as 32-bit floats with NaN as nodata, whole numbers as 32-bit integers without.

    Parameters
    ----------
    path
        Ends in .tif or .tiff. An old file makes way when the new one is finished.
    values
        Shape (rows, columns), row 0 in the north; NaN: no value.
    lattice
        Where the cells lie.
    description
        What the band shows, for QGIS's list of bands.
    unit
        Of the values, such as `km-2`.
    synthetic
        Whether the data is to be marked as synthetic.
    tags
        More tags of the file: parameters, sources.

    Raises
    ------
    DataError
        If the ending is none of these, or the values do not fit the lattice.
    WorkspaceError
        If the folder is missing or cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise DataError("export.ending", file=path.name, endings=", ".join(ENDINGS))
    if values.shape != lattice.shape:
        rows, columns = (*values.shape, 1, 1)[:2]
        raise DataError("density.shape", rows=rows, columns=columns, lattice_rows=lattice.rows, lattice_columns=lattice.columns)
    whole = np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": lattice.columns, "height": lattice.rows, "count": 1, "crs": lattice.crs.to_wkt(),
        "transform": lattice.transform, "dtype": "int32" if whole else "float32", "nodata": None if whole else np.nan,
    }  # fmt: skip
    marks = {"synthetic": "yes", "note": f"{t('general.synthetic', 'zh')} {t('general.synthetic', 'en')}"} if synthetic else {}
    progress(_STAGE, 0, 1)
    try:
        with in_place_of(path) as draft, MemoryFile() as memory:
            with memory.open(**profile) as band:
                band.write(values.astype(profile["dtype"]), 1)
                band.set_band_description(1, description)
                band.units = (unit,)
                band.update_tags(**{**(tags or {}), **marks}, unit=unit, TIFFTAG_IMAGEDESCRIPTION=description)
            with memory.open() as source:
                rasterio.shutil.copy(
                    source, draft, driver="COG", compress="DEFLATE", blocksize=512, predictor="YES",
                    overview_resampling="NEAREST" if whole else "AVERAGE", bigtiff="IF_SAFER",
                )  # fmt: skip
    except RasterioError as error:
        raise WorkspaceError("export.cannot_write", file=str(path), reason=str(error)) from error
    progress(_STAGE, 1, 1)
