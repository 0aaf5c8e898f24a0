"""Coverage of a workspace or of two files: the figures as of a date, their trend, and the blind spots."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import pandas as pd

from gridgis.operation import opening_dates
from gridgis.progress import Progress, silent
from gridgis.tasks.coverage_files import coverage_files
from gridgis.tasks.coverage_report import CoverageNote, CoverageReport, ZoneReport
from gridgis.tasks.survey import Survey
from gridgis.zones import By

if TYPE_CHECKING:
    from gridgis.store import Workspace

__all__ = ["CoverageNote", "CoverageReport", "ZoneReport", "blind_spots", "coverage", "coverage_files", "report_date", "trend"]

_AS_OF_SETTING: Final = "as_of"


def coverage(
    ws: Workspace,
    *,
    by: By | None = None,
    as_of: dt.date | None = None,
    today: dt.date | None = None,
    raster: str | Path | None = None,
    progress: Progress = silent,
) -> CoverageReport:
    """How much of the town the grids in operation on a date cover.

    Parameters
    ----------
    ws
        A workspace with areas.
    by
        Breakdown: `area` (villages, else towns), `town`, `village`, `station` or `batch`; None: the whole alone.
    as_of
        The date; None: the workspace's setting `as_of`, else `today`, else the date where this machine stands.
    raster
        A file of people per pixel to take the population from, instead of the best layer.
    progress
        Told of the stages.

    Raises
    ------
    DataError
        If there is no area, or nothing of that breakdown.
    """
    date = report_date(ws, as_of=as_of, today=today)
    survey = Survey.read(ws, date, raster=raster, progress=progress)
    progress("coverage.stage_measure", 1, 2)
    report = survey.coverage(by)
    progress("coverage.stage_measure", 2, 2)
    return report


def trend(
    ws: Workspace, *, until: dt.date | None = None, today: dt.date | None = None, progress: Progress = silent
) -> pd.DataFrame:
    """Coverage of the town on every date on which a grid or station opened.

    Parameters
    ----------
    ws
        A workspace with areas.
    until
        Last date; None: the date a report has by default. A report of that date is the last row, opening or not.
    progress
        Told of dates done.

    Returns
    -------
    DataFrame
        `date` (datetime.date), and `<measure>_covered`, `_total`, `_share` for every measure; null where data is missing.
    """
    last = report_date(ws, as_of=until, today=today)
    dates = [day for day in opening_dates(ws.read("grids"), ws.read("stations")) if day <= last]
    dates += [last] * (last not in dates)
    rows = []
    survey: Survey | None = None
    for done, date in enumerate(dates):
        progress("coverage.stage_trend", done, len(dates))
        survey = Survey.read(ws, date, before=survey)
        row: dict[str, object] = {"date": date}
        for name, one in survey.reports(survey.total)[0].measures.items():
            row |= {f"{name}_covered": one.covered, f"{name}_total": one.total, f"{name}_share": one.share}
        rows.append(row)
    table = pd.DataFrame(rows)
    numbers = [column for column in table if column != "date"]
    return table.astype(dict.fromkeys(numbers, float))


def blind_spots(
    ws: Workspace, *, as_of: dt.date | None = None, today: dt.date | None = None, progress: Progress = silent
) -> gpd.GeoDataFrame:
    """Built-up ground, houses and residents outside every grid in operation: `gridgis.blindspots.blind_spots`."""
    return Survey.read(ws, report_date(ws, as_of=as_of, today=today), progress=progress).blind_spots()


def report_date(ws: Workspace, *, as_of: dt.date | None = None, today: dt.date | None = None) -> dt.date:
    """The date of a report: the one asked for, else the workspace's setting `as_of`, else today."""
    if as_of is not None:
        return as_of
    fixed = ws.settings().get(_AS_OF_SETTING)
    if fixed:
        return dt.date.fromisoformat(fixed)
    return today or dt.datetime.now().astimezone().date()
