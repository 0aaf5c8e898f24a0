"""Everything the leaders' page shows for one date: figures, breakdowns, trend, and the layers of its map."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.coverage import Measure
from gridgis.errors import DataError
from gridgis.operation import in_operation, opening_dates, opening_days, planned, station_open
from gridgis.progress import Progress, silent
from gridgis.tasks import covering
from gridgis.tasks.coverage_report import CoverageNote
from gridgis.tasks.survey import Survey
from gridgis.zones import By

if TYPE_CHECKING:
    from gridgis.store import Workspace

_BREAKDOWNS: Final[tuple[By, ...]] = ("area", "station", "batch")
_CLASSES: Final = 20
_MOST_SPREAD: Final = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """Coverage of a town on a date, ready to be shown and written."""

    place: str
    """Name of the town."""
    as_of: dt.date
    """The date the figures hold for."""
    synthetic: bool
    """Whether the geometry is made up."""
    measures: Mapping[str, Measure]
    """The figures of the whole town by name."""
    tables: Mapping[str, pd.DataFrame]
    """By `area`, `station`, `batch`, where there are any: `code`, `name` (null: of none), `<measure>_covered`, `_total`,
    `_share`; stations also `opened_on` and `batch`."""
    trend: pd.DataFrame
    """As `covering.trend`."""
    notes: tuple[CoverageNote, ...]
    """What a reader should know."""
    layers: Mapping[str, gpd.GeoDataFrame]
    """`villages` (with their figures), `grids_open`, `grids_planned`, `blind_spots`, `natural_villages`, `stations` (with
    `open`); those without geometry are empty."""


@dataclass(frozen=True, slots=True)
class CellAreas:
    """How large the unit cells of a workspace are."""

    cells: pd.DataFrame
    """Index: code; `area_m2`, `area_code`."""
    median_m2: float
    total_m2: float
    within: float
    """Share (0–1) of cells between a half and one and a half times the median."""
    edges: tuple[float, ...]
    """Limits of the classes of the distribution, m², rising; the last class takes in everything above."""
    counts: tuple[int, ...]
    """Cells in each class."""

    def find(self, part: str) -> pd.DataFrame:
        """The cells whose code contains `part`, `code` as a column; all of them for nothing."""
        wanted = part.strip()
        found = self.cells[self.cells.index.str.contains(wanted, regex=False)] if wanted else self.cells
        return found.reset_index()


def overview(
    ws: Workspace, *, as_of: dt.date | None = None, trend: pd.DataFrame | None = None, progress: Progress = silent
) -> Overview:
    """Coverage of a workspace on a date in every breakdown there is, its trend and its map.

    Parameters
    ----------
    ws
        A workspace with areas.
    as_of
        The date; None as in `covering.coverage`.
    trend
        The answer of `covering.trend`, if it is at hand: it is the same for every date.

    Raises
    ------
    DataError
        If there is no area.
    """
    date = covering.report_date(ws, as_of=as_of)
    survey = Survey.read(ws, date, progress=progress)
    reports = {by: report for by in _BREAKDOWNS if (report := _report(survey, by)) is not None}
    whole = reports.get("area") or survey.coverage()
    grids, stations = ws.read("grids", as_of=date), ws.read("stations", as_of=date)
    tables: dict[str, pd.DataFrame] = {by: _table(by, report, stations) for by, report in reports.items()}
    running = in_operation(grids, stations, as_of=date).to_numpy(dtype=bool)
    waiting = planned(grids, as_of=date) & ~running
    named = _named(grids, stations)
    layers = {
        "villages": whole.frame(),
        "grids_open": _placed(named[running]),
        "grids_planned": _placed(named[waiting]),
        "blind_spots": survey.blind_spots(),
        "natural_villages": _placed(ws.read("natural_villages")),
        "stations": _placed(stations.assign(open=station_open(stations, as_of=date))),
    }
    return Overview(
        place=whole.area.name,
        as_of=date,
        synthetic=whole.synthetic,
        measures=whole.measures,
        tables=tables,
        trend=covering.trend(ws, progress=progress) if trend is None else trend,
        notes=whole.notes,
        layers=layers,
    )


def openings(ws: Workspace) -> dict[dt.date, int]:
    """The dates on which something opened, each with the number of grids that opened on it."""
    grids, stations = ws.read("grids"), ws.read("stations")
    days = opening_days(grids, stations)
    return {date: int((days == pd.Timestamp(date)).sum()) for date in opening_dates(grids, stations)}


def cell_areas(ws: Workspace) -> CellAreas:
    """The areas of the unit cells and their distribution in at most 20 equal classes up to about twice the median.

    Raises
    ------
    DataError
        If there are no unit cells.
    """
    frame = ws.read("unit_cells", columns=["area_m2", "area_code"])
    if frame.empty:
        raise DataError("overview.no_cells")
    cells = pd.DataFrame(frame[["area_m2", "area_code"]]).sort_index()
    areas: NDArray[np.float64] = cells["area_m2"].to_numpy(dtype=float)
    median = float(np.median(areas))
    step = _round_step(_MOST_SPREAD * median / _CLASSES)
    edges = step * np.arange(round(_MOST_SPREAD * median / step) + 1)
    counts, _ = np.histogram(np.minimum(areas, edges[-1]), edges)
    within = float(((areas >= median / 2) & (areas <= median * 1.5)).mean())
    return CellAreas(cells, median, float(areas.sum()), within, tuple(edges.tolist()), tuple(counts.tolist()))


def _round_step(about: float) -> float:
    """The number nearest above that is 1, 2 or 5 times a power of ten, so that limits of classes read well.

    >>> _round_step(999.9), _round_step(240.0)
    (1000.0, 500.0)
    """
    power = 10.0 ** np.floor(np.log10(about))
    return float(next(power * times for times in (1, 2, 5, 10) if power * times >= about * (1 - 1e-9)))


def _report(survey: Survey, by: By) -> covering.CoverageReport | None:
    try:
        return survey.coverage(by)
    except DataError as error:
        if error.key == "coverage.no_zone":
            return None
        raise


def _table(by: By, report: covering.CoverageReport, stations: gpd.GeoDataFrame) -> pd.DataFrame:
    frame = report.frame()
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    table.insert(0, "code", table.index.astype(str))
    table["name"] = [name or None for name in table["name"]]
    if by == "station":
        for column in ("opened_on", "batch"):
            if column in stations:
                table[column] = stations[column].reindex(table.index)
    return table.reset_index(drop=True)


def _named(grids: gpd.GeoDataFrame, stations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Grids with the name of their station and the day they open, their own or its."""
    names = stations["name"] if "name" in stations else pd.Series(dtype=object)
    station = grids["station"] if "station" in grids else pd.Series(None, index=grids.index, dtype=object)
    days = opening_days(grids, stations)
    opened = pd.Series([None if pd.isna(day) else day.date() for day in days], index=grids.index, dtype=object)
    return grids.assign(station_name=station.map(names), opened_on=opened)


def _placed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = frame.geometry
    return frame[shapes.notna() & ~shapes.is_empty]
