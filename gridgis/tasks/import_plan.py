"""What an import is asked to do, what it would do, and what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import geopandas as gpd
import pandas as pd
import pyproj

from gridgis.crs import crs_name
from gridgis.files.limits import DEFAULT, Limits
from gridgis.files.raw import Note
from gridgis.tasks.findings import Finding, count

OnError = Literal["abort", "skip"]
_PREVIEW_ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read into a layer."""

    layer: str | None = None
    """Layer or sheet inside the file; None: the only one that fits."""
    crs: str | None = None
    """What coordinates are in; None: what the file says, else degrees of WGS 84 if they look like it in a table."""
    datum: str = "wgs84"
    """`wgs84`, `cgcs2000`, `gcj02` or `bd09`."""
    x: str | None = None
    """Column with the easting or longitude; None: found by its heading."""
    y: str | None = None
    """Column with the northing or latitude."""
    map: Mapping[str, str] = field(default_factory=dict)
    """Column of the layer → column of the file, or `=value` for every row, or `-` to leave the column out."""
    time_zone: str = "Asia/Shanghai"
    """Where clocks showed the times that name no zone."""
    on_error: OnError = "abort"
    """`abort`: one bad row keeps everything out; `skip`: bad rows go to a report file."""
    repair: bool = False
    """Whether crossing rings are repaired instead of refused."""
    swap_xy: bool = False
    """Whether x and y are exchanged in the file."""
    encoding: str | None = None
    """Of text files; None: found out."""
    valid_from: dt.date | None = None
    """First day the rows are true (areas, grids, stations); None: since records begin."""
    save_mapping: bool = False
    """Whether the mapping is kept in the workspace for later files of this layer."""
    report: Path | None = None
    """Where bad rows go with `skip`; None: next to the first file, named `<file>.rejected.csv`."""
    limits: Limits = DEFAULT
    """How large a file may be."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do; nothing has been written."""

    layer: str
    files: tuple[Path, ...]
    options: ImportOptions
    frame: gpd.GeoDataFrame
    """The rows that can be imported, index = the layer's key, in the workspace's CRS."""
    mapping: Mapping[str, str]
    """Column of the layer → column of the (first) file."""
    unmapped: tuple[str, ...]
    """Columns of the files that are nothing the layer has: kept with incidents, else left out."""
    findings: tuple[Finding, ...]
    """Errors first; at most 200 of a rule."""
    counts: Mapping[str, int]
    """Rows that break each rule, all of them."""
    notes: tuple[Note, ...]
    """What the reader did or assumed."""
    rows: int
    """Rows read."""
    rejected: pd.DataFrame
    """The rows an error keeps out: `file`, `row`, then their columns as in the file."""
    crs: pyproj.CRS | None
    """The CRS the rows will be stored in; None if nothing has geometry and the workspace has none yet."""
    sets_crs: bool
    """Whether the workspace gets its CRS by this import."""
    synthetic: bool
    """Whether the file says its data is synthetic; the workspace will say so too."""
    revision: int | None
    """The workspace's revision the checks were made against; None without a workspace."""

    @property
    def errors(self) -> int:
        """Rows × rules broken that keep rows out."""
        return count(self.counts, "error")

    @property
    def warnings(self) -> int:
        """Rows × rules that are only told."""
        return count(self.counts, "warning")

    @property
    def ok(self) -> bool:
        """Whether `run_import` would write: no error, or bad rows are to be skipped and some are good."""
        return self.errors == 0 or (self.options.on_error == "skip" and len(self.frame) > 0)

    @property
    def preview(self) -> gpd.GeoDataFrame:
        """The first 50 rows as they would be stored."""
        return self.frame.head(_PREVIEW_ROWS)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; texts in English."""
        return {
            "layer": self.layer, "files": [str(file) for file in self.files], "rows": self.rows, "ready": len(self.frame),
            "errors": self.errors, "warnings": self.warnings, "mapping": dict(self.mapping), "unmapped": list(self.unmapped),
            "crs": None if self.crs is None else crs_name(self.crs), "sets_crs": self.sets_crs, "synthetic": self.synthetic,
            "counts": dict(self.counts), "findings": [finding.to_json() for finding in self.findings],
            "notes": [note.message("en") for note in self.notes],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    plan: ImportPlan
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    report_file: Path | None
    """Where the rejected rows stand; None if there are none."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; texts in English."""
        return self.plan.to_json() | {
            "inserted": self.inserted, "updated": self.updated, "unchanged": self.unchanged, "rejected": self.rejected,
            "report_file": None if self.report_file is None else str(self.report_file),
        }  # fmt: skip
