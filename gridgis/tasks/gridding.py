"""Build unit grids: for the villages of a workspace into its layer, or from a file of areas into a GeoPackage."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyogrio.errors import DataSourceError

from gridgis.codes import CellCode, level_of, listed
from gridgis.crs import crs_name
from gridgis.crs import work_crs as crs_to_work_in
from gridgis.errors import DataError
from gridgis.files import read_any
from gridgis.files.live import check_target
from gridgis.files.mapping import recognise
from gridgis.files.values import codes as parse_codes
from gridgis.files.writing import in_place_of
from gridgis.grids import UnitGrid, unit_grid
from gridgis.layers import LAYERS
from gridgis.merging import LARGE, SMALL
from gridgis.progress import Progress, silent
from gridgis.tasks.blocking import LAYER, lowest_areas, names_of

if TYPE_CHECKING:
    from gridgis.store import Workspace

_QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class GridResult:
    """A unit grid that has been built and kept."""

    grid: UnitGrid
    """The cells, their lattice and the report."""
    names: Mapping[str, str]
    """Area code → name, for areas that have one."""
    code: CellCode
    """How the cells are numbered."""
    file: Path | None
    """The file written; None when the cells are in a workspace."""
    seconds: Mapping[str, float]
    """Time of every stage (`read`, `fit`, `cut`, `join`, `code`, `write`) and of all (`total`), seconds."""

    def to_json(self) -> dict[str, Any]:
        """Counts, distribution of ellipsoidal areas, what was moved, every area's cells, and times, for `--json`."""
        report, lattice = self.grid.report, self.grid.lattice
        area = self.grid.cells["area_m2"]
        nominal = float(lattice.cell_m**2)
        return {
            "file": None if self.file is None else str(self.file),
            "layer": LAYER,
            "crs": crs_name(lattice.crs),
            "cell_m": lattice.cell_m,
            "code": self.code,
            "cells": report.cells,
            "areas": len(report.by_area),
            "parts": report.parts,
            "merged": report.merged,
            "area_m2": {
                "total": float(area.sum()),
                "min": report.smallest_m2,
                "median": report.median_m2,
                "max": report.largest_m2,
                "quantiles": {f"{q:g}": float(value) for q, value in zip(_QUANTILES, area.quantile(_QUANTILES), strict=True)},
                "within": {"from": SMALL * nominal, "to": LARGE * nominal, "share": report.share_within},
            },
            "lonely": list(report.lonely),
            "overlap_m2": report.overlap_m2,
            "moved": [{"code": code, **row} for code, row in report.moved.to_dict("index").items()],
            "by_area": [
                {"code": code, "name": self.names.get(str(code)), "cells": cells, "area_m2": area_m2}
                for code, cells, area_m2 in zip(
                    report.by_area.index, report.by_area["cells"].tolist(), report.by_area["area_m2"].tolist(), strict=True
                )
            ],
            "seconds": dict(self.seconds),
        }


def build_unit_grids(
    ws: Workspace,
    *,
    cell_m: int = 100,
    code: CellCode = "15",
    at: dt.datetime | None = None,
    who: str = "",
    why: str = "",
    progress: Progress = silent,
) -> GridResult:
    """Build the square unit grid of every village and community of a workspace, in place of the layer `unit_cells`.

    Areas of level `village` that are valid on the day of `at` are cut; without any, those of the lowest level there is.

    Parameters
    ----------
    ws
        An open workspace with areas.
    cell_m, code
        As for `grids.unit_grid`.
    at
        The cells' `initial_time`, aware; None: now.
    who, why
        For the change log.
    progress
        Told at every stage and can stop the work; then nothing is changed.

    Returns
    -------
    GridResult
        With `file` None.

    Raises
    ------
    DataError
        If there are no areas, or they cannot be cut (`grids.unit_grid`).
    """
    watch = _Stopwatch(progress)
    watch("grids.stage_read", 0, 1)
    moment = at or dt.datetime.now(dt.UTC).astimezone()
    lowest = lowest_areas(ws, on=moment.date())
    grid = unit_grid(lowest, cell_m=cell_m, code=code, progress=watch)
    rows = grid.cells.assign(initial_time=pd.Timestamp(moment).tz_convert("UTC"), state="valid")
    watch("grids.stage_write", 0, len(rows))
    with ws.write(who=who, why=why, at=moment) as write:
        write.replace(LAYER, rows, progress=watch)
    return GridResult(grid, names_of(lowest), code, None, watch.seconds())


def grid_file(
    area_file: str | Path,
    out: str | Path,
    *,
    cell_m: int = 100,
    code: CellCode = "15",
    layer: str | None = None,
    crs: str | None = None,
    work_crs: str | None = None,
    progress: Progress = silent,
) -> GridResult:
    """Build the unit grid of the areas in a file and write it to a GeoPackage with the one layer `unit_cells`.

    1. The column of codes is recognised by its heading (编码, code …). If all codes are 12 digits (9 for towns, 6 for
       counties), cells are numbered as `code` says.
    2. Other codes are taken as they are, with a number of six digits or more after them.
    3. Without codes the areas are numbered as they stand in the file, `1`, `2`, … (as many digits as the last one has), and
       their cells have that and a number of six digits or more; a single area's cells are just `000001`, `000002`, …

    A file of that name is replaced when the new one is whole; the old one stays if anything goes wrong.

    Parameters
    ----------
    area_file
        Polygons in any file gridgis reads.
    out
        The file to write, ending in `.gpkg`: not the input, and no gridgis workspace.
    cell_m, code
        As for `grids.unit_grid`.
    layer
        Layer inside the file; needed where several would do.
    crs
        What the coordinates are in where the file does not say.
    work_crs
        What to compute and write in; None: the file's own if it is projected in metres and no Mercator, else chosen.
    progress
        Told at every stage and can stop the work.

    Returns
    -------
    GridResult
        With `file`; the layer has `code`, `area_code`, `area_name` where areas have names, `area_m2`, `planar_m2`.

    Raises
    ------
    DataError, CrsError, WorkspaceError
        If the file cannot be read or its areas cannot be cut, or `out` cannot be written.
    """
    source, target = Path(area_file), Path(out)
    check_target(source, target)
    watch = _Stopwatch(progress)
    watch("grids.stage_read", 0, 1)
    frame = read_any(source, layer=layer, crs=crs, target="areas")
    areas, scheme = _with_codes(frame, source, code)
    areas = areas.to_crs(crs_to_work_in(areas, wish=work_crs))
    grid = unit_grid(areas, cell_m=cell_m, code=scheme, progress=watch)
    names = names_of(areas)
    watch("grids.stage_write", 0, 1)
    _write(grid.cells, names, target)
    watch("grids.stage_write", 1, 1)
    return GridResult(grid, names, scheme, target, watch.seconds())


class _Stopwatch:
    """A listener that passes on what it hears and notes when each stage began."""

    def __init__(self, listener: Progress) -> None:
        self.listener = listener
        self.began: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.began.setdefault(stage.rpartition("stage_")[2] if stage.startswith("grids.") else "write", time.perf_counter())
        self.listener(stage, done, total)

    def seconds(self) -> dict[str, float]:
        """Seconds of every stage until the next began, and of all until now."""
        names, starts = list(self.began), [*self.began.values(), time.perf_counter()]
        seconds = {name: round(starts[i + 1] - starts[i], 3) for i, name in enumerate(names)}
        return {**seconds, "total": round(starts[-1] - starts[0], 3)}


def _with_codes(frame: gpd.GeoDataFrame, source: Path, code: CellCode) -> tuple[gpd.GeoDataFrame, CellCode]:
    """The areas of a file, indexed by code, with the scheme their codes allow."""
    if len(frame) == 0:
        raise DataError("grids.no_areas")
    fields = recognise([str(name) for name in frame.columns if name != frame.geometry.name], LAYERS["areas"]).fields
    kept = {"name": frame[fields["name"]].to_numpy()} if "name" in fields else {}
    given = parse_codes(frame[fields["code"]]).column if "code" in fields else pd.Series(None, index=frame.index, dtype=object)
    none = given.isna().to_numpy()
    if none.all():
        width = len(str(len(frame)))
        index = [""] if len(frame) == 1 else [f"{number:0{width}}" for number in range(1, len(frame) + 1)]
        return gpd.GeoDataFrame(
            kept, index=pd.Index(index, name="code"), geometry=frame.geometry.to_numpy(), crs=frame.crs
        ), "plain"
    statistical = level_of(given).isin(["county", "town", "village"]).to_numpy()
    if none.any() or (statistical.any() and not statistical.all()):
        rows = [f"{code} (row {row})" for row, code in given[~statistical].items()]
        raise DataError("grids.not_numbered", file=source.name, codes=listed(np.array(rows, dtype=object)))
    index = pd.Index(given.to_numpy(), name="code")
    areas = gpd.GeoDataFrame(kept, index=index, geometry=frame.geometry.to_numpy(), crs=frame.crs)
    return areas, code if statistical.all() else "plain"


def _write(cells: gpd.GeoDataFrame, names: Mapping[str, str], target: Path) -> None:
    rows = cells.reset_index()
    if names:
        rows.insert(2, "area_name", rows["area_code"].map(names))
    with in_place_of(target) as draft:
        try:
            pyogrio.write_dataframe(
                rows, draft, layer=LAYER, driver="GPKG", geometry_type="Polygon", use_arrow=True, SPATIAL_INDEX="YES"
            )
        except DataSourceError as error:
            raise DataError("grids.not_writable", file=str(target), reason=str(error)) from error
