"""What the analysts' page shows: hot spots of chosen incidents, of one period among them, against an earlier one, over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis import text
from gridgis.errors import DataError
from gridgis.hotspots import (
    CellSet,
    EmergingResult,
    LatticeResult,
    MoranResult,
    cells_around,
    cells_within,
    count,
    density,
    emerging,
    gi,
    moran,
)
from gridgis.hotspots.auto import Choice, choose_band, choose_bandwidth, choose_cell, given
from gridgis.hotspots.comparing import Comparison, compare
from gridgis.hotspots.points import Points, PointsReport
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_incidents import Archive, Chosen, choose
from gridgis.tasks.hotspot_places import spots_of
from gridgis.tasks.hotspot_points import Filters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Unit = Literal["day", "week", "month", "quarter", "year"]
Earlier = Literal["none", "previous", "year"]

UNITS: Final[tuple[Unit, ...]] = ("day", "week", "month", "quarter", "year")
ENOUGH_PERIODS: Final = 12
"""Periods are the longest of year, quarter, month, week, day of which there are at least so many."""
_FREQUENCY: Final[Mapping[Unit, str]] = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
_MOST_PERIODS: Final = 400
_MOST_BINS: Final = 40_000_000
# heat maps are drawn finer than the cells that are tested, as far as a screen shows it
_FINER: Final = 4
_PER_BANDWIDTH: Final = 24
_HEAT_CELLS: Final = 250_000
_LEAST_HEAT_M: Final = 5
# the seed of permutations: the same question gets the same answer
_SEED: Final = 2012


@dataclass(frozen=True, slots=True)
class Request:
    """A question: which incidents, and how they are looked at; None lets the rules choose."""

    filters: Filters = field(default_factory=Filters)
    cell_m: int | None = None
    """Side of a cell, metres."""
    band_m: float | None = None
    """Distance within which cells are neighbours, metres."""
    bandwidth_m: float | None = None
    """Radius of the heat map's kernel, metres."""
    unit: Unit | None = None
    """Length of a period of the series."""
    permutations: int = 0
    """Random rearrangements behind the p-values; 0: the normal approximation."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A density map."""

    lattice: Lattice
    values: Floats
    """Incidents per km² in the period; NaN outside the area."""


@dataclass(frozen=True, slots=True, eq=False)
class HotSpots:
    """The answer to a request."""

    request: Request
    place: str
    synthetic: bool
    chosen: Chosen
    territory: gpd.GeoDataFrame
    """The area's polygons; empty where the workspace has none."""
    ground: gpd.GeoSeries
    """The same as one shape."""
    cells: CellSet
    counts: Floats
    """Incidents per cell, shape (rows, columns)."""
    row: Ints
    column: Ints
    """Cell of each chosen incident."""
    choices: Mapping[str, Choice]
    """`cell_m`, `band_m`, `bandwidth_m`, each with its reason."""
    gi: LatticeResult
    moran: MoranResult
    heat: Heat
    spots: pd.DataFrame
    """Hot spots, the surest first: see `hotspot_places.spots_of`."""
    unit: Unit
    unit_chosen: bool
    """Whether the rule chose it."""
    periods: pd.PeriodIndex
    """Every period from the first day to the last, those without incidents too."""
    period: Ints
    """Number of each chosen incident's period."""

    @property
    def used(self) -> int:
        """Number of incidents counted in a cell."""
        return int(self.counts[self.cells.mask].sum())

    @property
    def hot_cells(self) -> int:
        """Number of cells in a hot class."""
        return int((self.gi.klass[self.cells.mask] > 0).sum())

    @property
    def cold_cells(self) -> int:
        """Number of cells in a cold class."""
        return int((self.gi.klass[self.cells.mask] < 0).sum())

    @property
    def hot_share(self) -> float | None:
        """Share of the incidents that lies in hot cells; None without incidents."""
        return float(self.counts[self.cells.mask & (self.gi.klass > 0)].sum()) / self.used if self.used else None

    def series(self, place: tuple[int, int] | None = None) -> Ints:
        """Incidents per period, of one cell or of all."""
        return np.bincount(self.period[self._at(place)], minlength=len(self.periods)).astype(np.int64)

    def week(self, place: tuple[int, int] | None = None) -> Ints:
        """Incidents by weekday (rows, Monday first) and hour, shape (7, 24), of one cell or of all."""
        local = self.chosen.local[self._at(place)]
        flat = np.asarray(local.day_of_week, dtype=np.int64) * 24 + np.asarray(local.hour, dtype=np.int64)
        return np.bincount(flat, minlength=168).reshape(7, 24).astype(np.int64)

    def around(self, place: tuple[int, int]) -> tuple[int, int, float]:
        """Cells and incidents within the band of a cell, itself included, and how many an even spread would bring there."""
        rows, columns = self.cells.mask.shape
        down, across = np.arange(rows)[:, None] - place[0], np.arange(columns)[None, :] - place[1]
        reach = self.choices["band_m"].value / self.cells.lattice.cell_m * (1 + 1e-12)
        near = self.cells.mask & (np.hypot(down, across) <= reach)
        number = int(near.sum())
        return number, int(self.counts[near].sum()), number * self.used / self.cells.size

    def _at(self, place: tuple[int, int] | None) -> NDArray[np.bool_]:
        if place is None:
            return np.ones(len(self.row), dtype=bool)
        return np.asarray((self.row == place[0]) & (self.column == place[1]))


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """An earlier period beside the one asked about, on the same cells and with the same parameters."""

    first: dt.date
    last: dt.date
    count: int
    """Incidents of the earlier period."""
    series: Ints
    """Incidents per period, from the first on; as many as the earlier time has."""
    change: Floats
    """Per cell a number of `CHANGES`, shape (rows, columns); NaN where there is no cell."""
    comparison: Comparison


CHANGES: Final = ("stayed", "appeared", "vanished")
"""What became of a hot spot: hot in both periods, only in the later, only in the earlier."""


def warm() -> None:
    """Ask a question of a few made-up incidents, so that the first real one finds libraries and compiled loops loaded."""
    crs, side = pyproj.CRS("EPSG:4547"), 1000.0
    x = 500_000 + np.array([50.0, 150.0, 150.0, 950.0])
    days = pd.DatetimeIndex(["2012-01-01", "2012-02-01", "2012-03-01", "2012-04-01"], tz="UTC")
    points = Points(x, x - 500_000, crs, pd.RangeIndex(4), days)
    box = shapely.box(500_000, 0, 500_000 + side, side)
    areas = gpd.GeoDataFrame({"name": [""], "level": ["town"]}, geometry=[box], crs=crs, index=["1"])
    found = look(Archive(points, PointsReport(4, 4, {}, 0, 0), areas, crs, "", synthetic=True), Request(cell_m=100))
    over_time(found)


def look(incidents: Archive, request: Request, *, progress: Progress = silent) -> HotSpots:
    """Hot spots of a request.

    Raises
    ------
    DataError
        If no incident is left.
    """
    progress("hotspage.stage_choose", 0, 5)
    chosen = choose(incidents, request.filters)
    if not len(chosen.x):
        raise DataError("hotspage.none_left")
    ground = incidents.ground(request.filters.area)
    progress("hotspage.stage_cells", 1, 5)
    cell, cells = _cells(chosen, ground, incidents, request.cell_m)
    counts = count(cells, chosen.x, chosen.y)
    band = choose_band(cells, counts) if request.band_m is None else given("band_m", request.band_m)
    width = choose_bandwidth(chosen.x, chosen.y) if request.bandwidth_m is None else given("bandwidth_m", request.bandwidth_m)
    progress("hotspage.stage_gi", 2, 5)
    found = _gi(cells, counts, band.value, request.permutations, progress)
    progress("hotspage.stage_moran", 3, 5)
    local = moran(
        cells, counts, band_m=band.value, permutations=request.permutations, rng=np.random.default_rng(_SEED), progress=progress
    )
    progress("hotspage.stage_density", 4, 5)
    heat = _heat(cells, ground, chosen.x, chosen.y, width.value)
    unit = request.unit or pick_unit(chosen.first, chosen.last)
    periods = _periods(chosen.first, chosen.last, unit)
    row, column = cells.lattice.cell_at(chosen.x, chosen.y)
    return HotSpots(
        request=request,
        place=incidents.name_of(request.filters.area),
        synthetic=incidents.synthetic,
        chosen=chosen,
        territory=incidents.territory(request.filters.area),
        ground=ground,
        cells=cells,
        counts=counts,
        row=row,
        column=column,
        choices={"cell_m": cell, "band_m": band, "bandwidth_m": width},
        gi=found,
        moran=local,
        heat=heat,
        spots=spots_of(cells, counts, found, incidents.areas),
        unit=unit,
        unit_chosen=request.unit is None,
        periods=periods,
        period=np.asarray(chosen.local.to_period(_FREQUENCY[unit]).asi8 - periods[0].ordinal, dtype=np.int64),
    )


def in_period(spots: HotSpots, number: int, incidents: Archive) -> HotSpots:
    """The same cells and parameters, with the incidents of one period alone; series and week are of that period too."""
    mine = spots.period == number
    x, y = spots.chosen.x[mine], spots.chosen.y[mine]
    counts = count(spots.cells, x, y)
    found = _gi(spots.cells, counts, spots.choices["band_m"].value, 0, silent)
    return replace(
        spots,
        chosen=replace(spots.chosen, x=x, y=y, local=spots.chosen.local[mine]),
        counts=counts,
        row=spots.row[mine],
        column=spots.column[mine],
        gi=found,
        moran=moran(spots.cells, counts, band_m=spots.choices["band_m"].value),
        heat=_heat(spots.cells, spots.ground, x, y, spots.choices["bandwidth_m"].value),
        spots=spots_of(spots.cells, counts, found, incidents.areas),
        period=spots.period[mine],
    )


def over_time(spots: HotSpots, *, progress: Progress = silent) -> EmergingResult:
    """The pattern of every cell over the periods.

    Raises
    ------
    DataError
        If there are too few periods for a trend, or more cells and periods than fit in memory.
    """
    bins = len(spots.periods) * spots.cells.mask.size
    if bins > _MOST_BINS:
        cells, periods = text.number(spots.cells.mask.size), text.number(len(spots.periods))
        raise DataError("hotspage.too_many_bins", cells=cells, periods=periods, limit=text.number(_MOST_BINS))
    progress("hotspage.stage_cube", 0, len(spots.periods))
    cube = np.zeros((len(spots.periods), *spots.cells.mask.shape))
    for at in range(len(spots.periods)):
        mine = spots.period == at
        cube[at] = count(spots.cells, spots.chosen.x[mine], spots.chosen.y[mine])
        progress("hotspage.stage_cube", at + 1, len(spots.periods))
    return emerging(spots.cells, cube, band_m=spots.choices["band_m"].value, progress=progress)


def against(incidents: Archive, spots: HotSpots, earlier: Earlier) -> Against | None:
    """The earlier period and what changed since; None where nothing earlier is asked for or known.

    `previous` is the time of the same length right before, `year` the same days a year earlier.
    """
    window = earlier_window(spots.chosen.first, spots.chosen.last, earlier)
    if window is None:
        return None
    first, last = window
    before = choose(incidents, replace(spots.request.filters, since=first, until=last))
    if not len(before.x):
        return None
    counts = count(spots.cells, before.x, before.y)
    found = _gi(spots.cells, counts, spots.choices["band_m"].value, spots.request.permutations, silent)
    ids = spots.cells.ids()
    then, now = (pd.Series(spots.cells.take(result.klass).astype(int), index=ids) for result in (found, spots.gi))
    told = compare(then, now)
    hot = (told.places["before"] > 0) | (told.places["after"] > 0)
    change = np.where(hot, np.where(told.places["before"] <= 0, 1, np.where(told.places["after"] <= 0, 2, 0)), np.nan)
    periods = _periods(first, last, spots.unit)
    number = np.asarray(before.local.to_period(_FREQUENCY[spots.unit]).asi8 - periods[0].ordinal, dtype=np.int64)
    return Against(
        first, last, int(counts[spots.cells.mask].sum()), np.bincount(number, minlength=len(periods)),
        spots.cells.spread(change), told,
    )  # fmt: skip


def earlier_window(first: dt.date, last: dt.date, earlier: Earlier) -> tuple[dt.date, dt.date] | None:
    """First and last day of the time to compare with.

    Whole months go back by as many months, so that a quarter is compared with a quarter.

    >>> earlier_window(dt.date(2012, 4, 1), dt.date(2012, 6, 30), "previous")
    (datetime.date(2012, 1, 1), datetime.date(2012, 3, 31))
    >>> earlier_window(dt.date(2012, 2, 29), dt.date(2012, 2, 29), "year")
    (datetime.date(2011, 2, 28), datetime.date(2011, 2, 28))
    """
    if earlier == "none":
        return None
    begin, end = pd.Timestamp(first), pd.Timestamp(last) + pd.Timedelta(days=1)
    if begin.day == 1 and end.day == 1:
        months = 12 if earlier == "year" else (end.year - begin.year) * 12 + end.month - begin.month
        back: pd.Timedelta | pd.DateOffset = pd.DateOffset(months=months)
    else:
        back = pd.DateOffset(years=1) if earlier == "year" else end - begin
    before, after = begin - back, (end - pd.Timedelta(days=1)) - back
    if begin.day == 1 and end.day == 1:
        after = (end - back) - pd.Timedelta(days=1)
    return before.date(), after.date()


def pick_unit(first: dt.date, last: dt.date) -> Unit:
    """The longest period of which the time between two days has at least twelve.

    >>> pick_unit(dt.date(2012, 1, 1), dt.date(2012, 12, 31)), pick_unit(dt.date(2014, 1, 1), dt.date(2017, 12, 30))
    ('month', 'quarter')
    """
    return next((unit for unit in reversed(UNITS) if len(_between(first, last, unit)) >= ENOUGH_PERIODS), "day")


def _between(first: dt.date, last: dt.date, unit: Unit) -> pd.PeriodIndex:
    return pd.period_range(pd.Timestamp(first), pd.Timestamp(last), freq=_FREQUENCY[unit])


def _periods(first: dt.date, last: dt.date, unit: Unit) -> pd.PeriodIndex:
    periods = _between(first, last, unit)
    if len(periods) > _MOST_PERIODS:
        raise DataError("hotspage.too_many_periods", count=len(periods), limit=_MOST_PERIODS)
    return periods


def _cells(chosen: Chosen, ground: gpd.GeoSeries, incidents: Archive, wish: int | None) -> tuple[Choice, CellSet]:
    """The cells, in the area or around the points, and why they are as large as they are."""
    if len(ground):
        area_m2 = float(ground.area.sum())
        choice = choose_cell(chosen.x, chosen.y, area_m2=area_m2) if wish is None else given("cell_m", wish)
        return choice, cells_within(ground, cell_m=int(choice.value))
    wide, high = np.ptp(chosen.x), np.ptp(chosen.y)
    area_m2 = float(max(wide, 100.0) * max(high, 100.0))
    choice = choose_cell(chosen.x, chosen.y, area_m2=area_m2) if wish is None else given("cell_m", wish)
    return choice, cells_around(chosen.x, chosen.y, cell_m=int(choice.value), crs=incidents.crs)


def _gi(cells: CellSet, counts: Floats, band_m: float, permutations: int, progress: Progress) -> LatticeResult:
    rng = np.random.default_rng(_SEED)
    return gi(cells, counts, band_m=band_m, permutations=permutations, rng=rng, progress=progress)


def _heat(cells: CellSet, ground: gpd.GeoSeries, x: Floats, y: Floats, bandwidth_m: float) -> Heat:
    """Density on a lattice several times finer than the cells, inside the area."""
    own = cells.lattice
    finest = np.sqrt(own.rows * own.columns * own.cell_m**2 / _HEAT_CELLS)
    side = max(own.cell_m // _FINER, int(np.ceil(max(finest, bandwidth_m / _PER_BANDWIDTH))), min(_LEAST_HEAT_M, own.cell_m))
    points = np.column_stack([x, y])
    if not len(ground):
        lattice = Lattice.covering(own.total_bounds, side, own.crs)
        return Heat(lattice, density(points, lattice=lattice, bandwidth_m=bandwidth_m))
    # a coast of ten thousands of corners corrects no better than one drawn as finely as the map itself
    border = ground.simplify(min(side / 2, bandwidth_m / _PER_BANDWIDTH))
    fine = cells_within(border, cell_m=side)
    values = density(points, lattice=fine.lattice, bandwidth_m=bandwidth_m, area=border, mask=fine.mask)
    return Heat(fine.lattice, values)
