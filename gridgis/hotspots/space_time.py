"""The space-time cube: how many points lie in each cell in each period of the calendar."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.hotspots.cells import CellSet, count
from gridgis.hotspots.clock import Times, localize, named_zone, wall_times

Floats = NDArray[np.float64]

# name -> (frequency of its starts, frequency of its spans, how a label is written), in the words of pandas
PERIODS: Final[Mapping[str, tuple[str, str, str]]] = {
    "day": ("D", "D", "%Y-%m-%d"),
    "week": ("W-MON", "W-SUN", "%G-W%V"),
    "month": ("MS", "M", "%Y-%m"),
    "quarter": ("QS", "Q", "%Y-Q{quarter}"),
    "year": ("YS", "Y", "%Y"),
}
# beyond this many bins (periods × rows × columns) memory is the limit
MOST_BINS: Final = 400_000_000
# an edge of a period counts as unobserved if chance leaves so long a gap in less than one case of a thousand
_GAPS: Final = -math.log(0.001)
# and if it is more than this share of the period: a day does not make a month
_SHARE: Final = 0.05
# a period at an end is thin with less than this share of the usual number, where that is at least `_REGULAR`
_THIN: Final = 0.1
_REGULAR: Final = 10
_DAY: Final = pd.Timedelta(days=1)
_INSTANT: Final = pd.Timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CubeReport:
    """What of the points is in the cube and what is not; `counted` and the numbers left out add up to all points."""

    counted: int
    """Points in the cube."""
    left_out: Mapping[str, int]
    """Why → points: `no_time`; `before`, `after` the asked span; `first_period`, `last_period` (at an end: incomplete, or stray);
    `no_place` (outside every cell, or without coordinates)."""
    incomplete: tuple[str, ...]
    """Labels of the first and the last period if the points do not span them whole."""
    dropped: bool
    """Whether incomplete periods were left out of the cube."""
    empty: tuple[str, ...]
    """Labels of the periods of the cube in which no point has a time, inside the cells or outside: gaps in the data, likely."""
    stray: int
    """Of those left out at the ends, how many lie in thin periods far from the others."""
    doubtful_times: int
    """Times without a zone that the clock showed twice or never."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "counted": self.counted,
            "left_out": dict(self.left_out),
            "incomplete_periods": list(self.incomplete),
            "incomplete_dropped": self.dropped,
            "empty_periods": list(self.empty),
            "stray": self.stray,
            "doubtful_times": self.doubtful_times,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Counts per period and cell, and the periods they belong to."""

    cells: CellSet
    """Where the counts lie."""
    counts: Floats
    """Shape (periods, rows, columns): points, or the sum of their weights; 0 where there is no cell."""
    edges: pd.DatetimeIndex
    """Start of every period and end of the last: shape (periods + 1,), aware, in the cube's time zone."""
    period: str
    """`day`, `week`, `month`, `quarter`, `year` or a number of days such as `10d`."""
    report: CubeReport
    """What was counted and what was not."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of every period, such as `2016-01`, `2016-W03`, `2016-Q1`, or its first day."""
        return tuple(_label(start, self.period) for start in self.edges[:-1])

    def periods(self) -> pd.DataFrame:
        """One row per period, indexed by label: start, end (the next one's start), days, count."""
        index = pd.Index(self.labels, name="period")
        days = (self.edges[1:] - self.edges[:-1]) / _DAY
        table = {"start": self.edges[:-1], "end": self.edges[1:], "days": days, "count": self.counts.sum(axis=(1, 2))}
        return pd.DataFrame(table, index=index)


def cube(
    cells: CellSet,
    x: ArrayLike,
    y: ArrayLike,
    times: Times,
    *,
    zone: str,
    period: str | int = "month",
    since: dt.date | None = None,
    until: dt.date | None = None,
    weights: ArrayLike | None = None,
    incomplete: Literal["drop", "keep"] = "drop",
) -> Cube:
    """Points counted per period of the calendar and cell.

    Periods begin at midnight in the time zone: weeks on Mondays, quarters in January, April, July and October. Periods of n
    days are counted forwards from `since`; without it backwards from the end, so that the latest is whole.

    The first and the last period are incomplete if `since` or `until` lies inside them. Where these are not given, the
    points tell: an edge counts as unobserved if chance would leave so long a time without any point in less than one case
    of a thousand at the points' own mean rate. Times that are all midnights, firsts of a month or firsts of a year stand
    for the whole day, month or year. Periods at such an end that hold less than a tenth of the usual number of points (the
    median of those that hold any, if it is 10 or more) are no periods of the data: a few stray dates do not stretch the cube
    over years. They go with the incomplete ones.

    Parameters
    ----------
    cells
        Where to count.
    x, y
        Coordinates in the lattice's system, shape (n,); NaN: no place.
    times
        Shape (n,); times without a zone are `zone`'s clock; NaT: no time.
    zone
        Name of the time zone whose days count, such as `Asia/Shanghai`.
    period
        `day`, `week`, `month`, `quarter`, `year`, or a number of days (`10` or `10d`).
    since, until
        First day, and first day that no longer counts; None: as far as the points go.
    weights
        Shape (n,); None: every point counts 1.
    incomplete
        `drop` leaves incomplete first and last periods out and reports it: a half month among months looks like a fall.

    Raises
    ------
    DataError
        If no point has a time, no period is whole, or the cube would not fit in memory.

    Examples
    --------
    >>> from gridgis.hotspots.cells import cells_around
    >>> cells = cells_around([0, 150], [0, 0], cell_m=100, crs="EPSG:4547")
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-31", "2024-02-29", "2024-03-01", None])
    >>> made = cube(cells, [0, 1, 150, 150, 0], [0] * 5, days, zone="Asia/Shanghai", until=dt.date(2024, 3, 2))
    >>> made.labels, made.counts.tolist()
    (('2024-01', '2024-02'), [[[2.0, 0.0]], [[0.0, 1.0]]])
    >>> made.report.left_out["last_period"], made.report.left_out["no_time"]
    (1, 1)
    """
    px, py = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    wall = wall_times(times, zone=zone)
    if not len(px) == len(py) == len(wall.index) or (w is not None and len(w) != len(px)):
        raise DataError("when.lengths", points=len(px), times=len(wall.index))
    name = _period_name(period)
    left_out = _outside(wall.index, zone, since, until)
    asked = wall.known & ~left_out["before"] & ~left_out["after"]
    edges, missing = _span(wall.index[asked], name, zone, since, until)
    place = _period_of(wall.index, edges)
    strayed = np.zeros(len(asked), dtype=np.bool_)
    if incomplete == "drop":
        strayed[asked] = _stragglers(place[asked], len(edges) - 1, since, until)
        if strayed.any():
            edges, missing = _span(wall.index[asked & ~strayed], name, zone, since, until)
            place = _period_of(wall.index, edges)
    labels = tuple(label for label, gap in zip((_label(edges[0], name), _label(edges[-2], name)), missing, strict=True) if gap)
    if incomplete == "drop":
        edges, place = edges[int(missing[0]) : len(edges) - int(missing[1])], place - int(missing[0])
        if len(edges) < 2:
            raise DataError("when.no_whole_period", period=name, labels=", ".join(dict.fromkeys(labels)))
    if (len(edges) - 1) * cells.mask.size > MOST_BINS:
        raise DataError("when.too_many_bins", periods=len(edges) - 1, rows=cells.mask.shape[0], columns=cells.mask.shape[1])
    inside = asked & (place >= 0) & (place < len(edges) - 1)
    counts, counted = _counts(cells, px, py, w, np.where(inside, place, -1), len(edges) - 1)
    numbers = {
        "no_time": int((~wall.known).sum()),
        "before": int(left_out["before"].sum()),
        "after": int(left_out["after"].sum()),
        "first_period": int((asked & (place < 0)).sum()),
        "last_period": int((asked & (place >= len(edges) - 1)).sum()),
        "no_place": int(inside.sum()) - counted,
    }
    filled = np.bincount(place[inside], minlength=len(edges) - 1)
    empty = tuple(_label(edges[number], name) for number in np.flatnonzero(filled == 0).tolist())
    report = CubeReport(
        counted=counted,
        left_out=numbers,
        incomplete=tuple(dict.fromkeys(labels)),
        dropped=incomplete == "drop",
        empty=empty,
        stray=int(strayed.sum()),
        doubtful_times=wall.doubtful,
    )
    return Cube(cells, counts, edges, name, report)


def _period_name(period: str | int) -> str:
    """`day` … `year`, or `{n}d`."""
    text = f"{period}d" if isinstance(period, int) else str(period).strip().lower()
    days = re.fullmatch(r"([0-9]{1,4})d", text)
    if text in PERIODS:
        return text
    if days is None or int(days[1]) < 1:
        raise DataError("when.period", period=period)
    return "day" if int(days[1]) == 1 else f"{int(days[1])}d"


def _outside(times: pd.DatetimeIndex, zone: str, since: dt.date | None, until: dt.date | None) -> dict[str, NDArray[np.bool_]]:
    """Which times lie before and after the span that was asked for."""
    if since is not None and until is not None and since >= until:
        raise DataError("when.span", since=since, until=until)
    none = np.zeros(len(times), dtype=np.bool_)
    return {
        "before": none if since is None else np.asarray(times < _midnight(since, zone)),
        "after": none if until is None else np.asarray(times >= _midnight(until, zone)),
    }


def _midnight(day: dt.date, zone: str) -> pd.Timestamp:
    return pd.Timestamp(localize(pd.DatetimeIndex([day]), named_zone(zone))[0])


def _span(
    times: pd.DatetimeIndex, name: str, zone: str, since: dt.date | None, until: dt.date | None
) -> tuple[pd.DatetimeIndex, tuple[bool, bool]]:
    """Edges of the periods that hold the times, and whether the first and the last are incomplete."""
    if not len(times):
        raise DataError("when.no_times")
    first, last = times.min(), times.max()
    covered = _stands_for(times, last)
    start, end = (None if day is None else _midnight(day, zone) for day in (since, until))
    wall = [(given or found).tz_localize(None) for given, found in ((start, first), (end, covered))]
    edges = localize(_edges(wall[0], wall[1], name, forwards=since is not None), named_zone(zone))
    quiet = _GAPS * (last - first) / max(len(times) - 1, 1)
    before, after = first - edges[0], edges[-1] - covered
    missing = (
        bool(start > edges[0]) if start is not None else before > max(quiet, _SHARE * (edges[1] - edges[0])),
        bool(end < edges[-1]) if end is not None else after > max(quiet, _SHARE * (edges[-1] - edges[-2])),
    )
    return edges, missing


def _period_of(times: pd.DatetimeIndex, edges: pd.DatetimeIndex) -> NDArray[np.intp]:
    """In which period each time lies: −1 before the first, the number of periods after the last."""
    return np.searchsorted(edges.asi8, times.as_unit(edges.unit).asi8, side="right") - 1


def _stragglers(place: NDArray[np.intp], periods: int, since: dt.date | None, until: dt.date | None) -> NDArray[np.bool_]:
    """Which points, given their periods, lie in thin periods at an end that was not asked for."""
    filled = np.bincount(place, minlength=periods)
    usual = float(np.median(filled[filled > 0]))
    if usual < _REGULAR:
        return np.zeros(len(place), dtype=np.bool_)
    regular = np.flatnonzero(filled >= usual * _THIN)
    low, high = (regular[0] if since is None else 0), (regular[-1] if until is None else len(filled))
    return np.asarray((place < low) | (place > high))


def _stands_for(times: pd.DatetimeIndex, last: pd.Timestamp) -> pd.Timestamp:
    """The end of what the last time stands for: of its year, month or day if all times are firsts of one, else just after."""
    # a look at the seconds alone spares most data the way to the wall clock
    if (times.as_unit("us").asi8 % 60_000_000).any():
        return last + _INSTANT
    plain, local = times.tz_localize(None), last.tz_localize(None)
    if not (plain == plain.normalize()).all():
        return last + _INSTANT
    month, day = np.asarray(times.month), np.asarray(times.day)
    step = pd.DateOffset(days=1)
    if (day == 1).all():
        step = pd.DateOffset(years=1) if (month == 1).all() and len(times.year.unique()) > 1 else pd.DateOffset(months=1)
    return pd.Timestamp(localize(pd.DatetimeIndex([local + step]), named_zone(str(last.tz)))[0])


def _edges(first: pd.Timestamp, end: pd.Timestamp, name: str, *, forwards: bool) -> pd.DatetimeIndex:
    """Starts of the periods from the one that holds `first` to the first that begins at `end` or later; wall clock."""
    if name in PERIODS:
        starts, spans, _ = PERIODS[name]
        start = pd.Period(first, freq=spans).start_time
        stop = pd.Period(end, freq=spans).end_time.normalize() + _DAY
        edges = pd.date_range(start, stop, freq=starts)
        return edges[: int(edges.searchsorted(max(end, first + _INSTANT))) + 1]
    step = int(name[:-1]) * _DAY
    start, stop = first.normalize(), end.normalize() if end == end.normalize() else end.normalize() + _DAY
    periods = max(math.ceil((stop - start) / step), 1)
    anchor = start if forwards else stop - periods * step
    return pd.DatetimeIndex([anchor + step * number for number in range(periods + 1)])


def _counts(cells: CellSet, x: Floats, y: Floats, w: Floats | None, place: NDArray[np.intp], periods: int) -> tuple[Floats, int]:
    """Counts per period and cell, and how many points have a cell."""
    counts = np.zeros((periods, *cells.mask.shape))
    # numbers of 16 bits are sorted without comparing them
    kind = np.int16 if periods < np.iinfo(np.int16).max else np.int64
    order = np.argsort(place.astype(kind), kind="stable")
    bounds = np.searchsorted(place[order], np.arange(periods + 1))
    counted = 0
    for number in range(periods):
        own = order[bounds[number] : bounds[number + 1]]
        plain = count(cells, x[own], y[own])
        counted += int(plain.sum())
        counts[number] = plain if w is None else count(cells, x[own], y[own], weights=w[own])
    return counts, counted


def _label(start: pd.Timestamp, name: str) -> str:
    pattern = PERIODS[name][2] if name in PERIODS else "%Y-%m-%d"
    return str(start.strftime(pattern.replace("{quarter}", str(start.quarter))))
