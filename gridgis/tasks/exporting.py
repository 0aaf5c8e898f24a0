"""Export a layer to a file, in the format its ending names, as it is or as it was on a date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridgis.errors import DataError, WorkspaceError
from gridgis.files.writing import write_frame
from gridgis.layers import LAYERS
from gridgis.progress import Progress, silent
from gridgis.text import Lang

if TYPE_CHECKING:
    from gridgis.store import Workspace


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    layer: str
    file: Path
    rows: int
    as_of: dt.date | None
    """The date the rows are valid on; None: the latest ones."""
    synthetic: bool
    """Whether the file is marked as synthetic."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        day = None if self.as_of is None else self.as_of.isoformat()
        return {"layer": self.layer, "file": str(self.file), "rows": self.rows, "as_of": day, "synthetic": self.synthetic}


def export_layer(
    ws: Workspace,
    layer: str,
    file: str | Path,
    *,
    as_of: dt.date | None = None,
    headings: Lang = "en",
    progress: Progress = silent,
) -> ExportReport:
    """Write a layer to a file; an old file of that name makes way once the new one is whole.

    Parameters
    ----------
    ws
        The workspace.
    layer
        Name of the layer.
    file
        Ends in .gpkg, .geojson, .parquet, .fgb, .shp, .zip (a zipped shapefile), .csv or .xlsx.
    as_of
        Only rows valid on that date; None: the latest ones.
    headings
        Language of the headings of .csv and .xlsx.

    Raises
    ------
    DataError
        If the layer is unknown or has no rows, or the ending is no format.
    WorkspaceError
        If the file cannot be written, or is the workspace itself.
    """
    if layer not in LAYERS:
        raise DataError("import.unknown_layer", layer=layer, known=", ".join(LAYERS))
    path = Path(file)
    if ws.info.kind == "geopackage" and path.exists() and Path(ws.info.url).exists() and path.samefile(ws.info.url):
        raise WorkspaceError("export.workspace_file", file=str(path))
    progress("export.stage_write", 0, 1)
    frame = ws.read(layer, as_of=as_of)
    if frame.empty:
        raise DataError("export.empty", layer=layer)
    write_frame(path, frame, layer=layer, synthetic=ws.info.synthetic, headings=headings)
    progress("export.stage_write", 1, 1)
    return ExportReport(layer, path, len(frame), as_of, ws.info.synthetic)
