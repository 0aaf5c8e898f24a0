"""Two hot-spot maps made alike from files of hot spots, files of points, or the two halves of a period."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from gridgis.errors import DataError
from gridgis.hotspots.auto import choose_cell
from gridgis.hotspots.cells import CellSet, cells_around
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_maps import HotSpotMap, is_map_file, read_map
from gridgis.tasks.hotspot_points import FileColumns, Filters, Incidents, from_file
from gridgis.tasks.hotspotting import SEED, area_m2, gi, lay

Either = HotSpotMap | Incidents


def read_pair(
    before: str | Path,
    after: str | Path,
    *,
    within: str | Path | None = None,
    filters: Filters | None = None,
    columns: FileColumns | None = None,
    work_crs: str | None = None,
    progress: Progress = silent,
) -> tuple[Either, Either]:
    """Two files, each of hot spots (`gridgis hotspots gi` wrote it) or of points, in one system.

    Points are read in the system of the other file's hot spots, else both in that of the first. Options as for `from_file`.
    """
    made = [read_map(file) if is_map_file(file) else None for file in (before, after)]
    fixed = next((one.cells.lattice.crs.to_wkt() for one in made if one is not None), work_crs)

    def read(file: str | Path, crs: str | None) -> Incidents:
        return from_file(file, within=within, filters=filters, columns=columns, work_crs=crs, progress=progress)

    first: Either = made[0] or read(before, fixed)
    if fixed is None and isinstance(first, Incidents):
        fixed = first.points.crs.to_wkt()
    return first, made[1] or read(after, fixed)


def split(incidents: Incidents, day: dt.date) -> tuple[Incidents, Incidents]:
    """The incidents before a day, and those from it on; they need times.

    Raises
    ------
    DataError
        If one half has no incident.
    """
    wish = incidents.filters
    before = incidents.period(wish.since, day - dt.timedelta(days=1))
    after = incidents.period(day, wish.until)
    if not len(before.points) or not len(after.points):
        raise DataError("hotspot_tasks.empty_half", day=day, before=len(before.points), after=len(after.points))
    return before, after


def maps_of(
    before: Either,
    after: Either,
    *,
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    band_m: float | None = None,
    permutations: int = 0,
    seed: int = SEED,
    fdr: bool = True,
    progress: Progress = silent,
) -> tuple[HotSpotMap, HotSpotMap]:
    """Both as maps of the same cells with the same band: those of a map that is there already, else the earlier points'.

    Options as for `hotspotting.gi`.
    """
    made = _cells(before, after, cell_m, origin)
    options: dict[str, Any] = {"permutations": permutations, "seed": seed, "fdr": fdr, "progress": progress}

    def mapped(one: Either, band: float | None) -> HotSpotMap:
        if isinstance(one, HotSpotMap):
            return one
        cells, choice = made
        return HotSpotMap.of(gi(lay(one, cells=cells, choice=choice), band_m=band, **options))

    first = mapped(before, band_m)
    band = first.report.band.value if band_m is None and first.report is not None else band_m
    return first, mapped(after, band)


def _cells(before: Either, after: Either, cell_m: int | None, origin: tuple[float, float] | None) -> tuple[CellSet, Any]:
    if isinstance(before, HotSpotMap):
        return before.cells, None
    if isinstance(after, HotSpotMap):
        return after.cells, None
    points = before.points
    if before.area is not None:
        laid = lay(before, cell_m=cell_m, origin=origin)
        return laid.cells, laid.cell
    choice = None if cell_m is not None else choose_cell(points.x, points.y, area_m2=area_m2(before))
    side = cell_m if choice is None else int(choice.value)
    x, y = (np.concatenate([getattr(one.points, name) for one in (before, after)]) for name in ("x", "y"))
    return cells_around(x, y, cell_m=side or 1, crs=points.crs, origin=origin), choice
