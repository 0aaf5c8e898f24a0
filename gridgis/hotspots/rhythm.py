"""When incidents happen: counts by hour, weekday and month, with aoristic weights where only a from–to interval is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.hotspots.clock import Times, wall_times
from gridgis.text import Lang, t

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# intervals longer than this say nothing about the weekday
LONGEST_HOURS: Final = 168.0
# an interval is cut at every quarter of an hour of UTC: every clock in use changes its hour at one of them
_SLOT_S: Final = 900


@dataclass(frozen=True, slots=True, eq=False)
class When:
    """Incidents by the clock and the calendar of a time zone; every table adds up to `total`."""

    by_hour: pd.DataFrame
    """Index `hour` 0–23: `count`, `share` of the total, `days` that were observed, `per_day`."""
    by_weekday: pd.DataFrame
    """Index `weekday` 1 (Monday) – 7 (Sunday), columns as above."""
    by_month: pd.DataFrame
    """Index `month` 1–12, all years together, columns as above; `days` is how many days of the month were observed."""
    by_hour_weekday: pd.DataFrame
    """Counts: 7 rows (`weekday`), 24 columns (`hour`)."""
    total: float
    """Incidents used, or the sum of their weights."""
    used: int
    """Incidents used."""
    spread: int
    """Of these, how many were spread over an interval."""
    left_out: Mapping[str, int]
    """Why → incidents: `no_time`; `reversed` (the end before the start); `too_long` (over the limit)."""
    doubtful_times: int
    """Times without a zone that the clock showed twice or never."""
    zone: str
    """Name of the time zone."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "zone": self.zone,
            "total": self.total,
            "used": self.used,
            "spread": self.spread,
            "left_out": dict(self.left_out),
            "doubtful_times": self.doubtful_times,
            "by_hour": self.by_hour["count"].tolist(),
            "by_weekday": self.by_weekday["count"].tolist(),
            "by_month": self.by_month["count"].tolist(),
            "by_hour_weekday": self.by_hour_weekday.to_numpy().tolist(),
        }


def when(
    times: Times,
    *,
    zone: str,
    until: Times | None = None,
    weights: ArrayLike | None = None,
    max_hours: float = LONGEST_HOURS,
) -> When:
    """Counts by hour of the day, weekday and month, as the clock of a time zone shows them.

    An incident known only to lie between two times is spread over the interval in proportion to the time in each hour
    (aoristic weight: Ratcliffe 2000, Int. J. Geogr. Inf. Sci. 14, 669–679). Hours are real time: one that a change of the
    clocks repeats gets both its parts, one that it leaves out gets none.

    Parameters
    ----------
    times
        When incidents happened, or the start of their intervals, shape (n,); times without a zone are `zone`'s clock.
    zone
        Name of the time zone, such as `Asia/Shanghai`.
    until
        The ends of the intervals, shape (n,); NaT, or the start itself: the incident happened at its time.
    weights
        Shape (n,); None: every incident counts 1.
    max_hours
        Longer intervals are left out and reported.

    Raises
    ------
    DataError
        If no incident has a time that can be used.

    Examples
    --------
    Half of the time between 22:30 and 23:30 lies in either hour.

    >>> start, end = pd.to_datetime(["2024-05-01 08:15", "2024-05-03 22:30"]), pd.to_datetime([None, "2024-05-03 23:30"])
    >>> found = when(start, zone="Asia/Shanghai", until=end)
    >>> found.by_hour["count"][[8, 22, 23]].tolist(), found.by_weekday["count"][[3, 5]].tolist()
    ([1.0, 0.5, 0.5], [1.0, 1.0])
    """
    starts = wall_times(times, zone=zone)
    ends = None if until is None else wall_times(until, zone=zone)
    length = len(starts.index)
    w = np.ones(length) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(w) != length or (ends is not None and len(ends.index) != length):
        raise DataError("when.lengths", points=length, times=len(w) if ends is None else len(ends.index))
    begin = _seconds(starts.index)
    finish = begin.copy() if ends is None else np.where(ends.known, _seconds(ends.index), begin)
    lasting = finish - begin
    known = starts.known
    turned, long = known & (lasting < 0), known & (lasting > max_hours * 3600)
    used = known & ~turned & ~long
    if not used.any():
        raise DataError("when.no_times")
    slots, amounts = _slots(begin[used], finish[used], w[used])
    clock = pd.DatetimeIndex(pd.to_datetime(slots * _SLOT_S, unit="s", utc=True)).tz_convert(starts.index.tz)
    days = _observed(starts.index[used], finish[used].max())
    cross = np.bincount(clock.day_of_week * 24 + clock.hour, weights=amounts, minlength=168).reshape(7, 24)
    months = np.bincount(clock.month - 1, weights=amounts, minlength=12)
    per_weekday, per_month = (np.bincount(part, minlength=size) for part, size in ((days.day_of_week, 7), (days.month - 1, 12)))
    return When(
        by_hour=_table("hour", np.arange(24), cross.sum(axis=0), np.full(24, len(days))),
        by_weekday=_table("weekday", np.arange(1, 8), cross.sum(axis=1), per_weekday),
        by_month=_table("month", np.arange(1, 13), months, per_month),
        by_hour_weekday=pd.DataFrame(
            cross, index=pd.Index(np.arange(1, 8), name="weekday"), columns=pd.Index(np.arange(24), name="hour")
        ),
        total=float(w[used].sum()),
        used=int(used.sum()),
        spread=int((used & (lasting > 0)).sum()),
        left_out={"no_time": int((~known).sum()), "reversed": int(turned.sum()), "too_long": int(long.sum())},
        doubtful_times=starts.doubtful + (0 if ends is None else ends.doubtful),
        zone=zone,
    )


def weekday_name(weekday: int, lang: Lang) -> str:
    """The name of a weekday, 1 (Monday) – 7 (Sunday).

    >>> weekday_name(1, "zh"), weekday_name(7, "en")
    ('星期一', 'Sunday')
    """
    return t(f"when.weekday_{weekday}", lang)


def month_name(month: int, lang: Lang) -> str:
    """The name of a month, 1–12.

    >>> month_name(3, "zh"), month_name(3, "en")
    ('3月', 'March')
    """
    return t(f"when.month_{month}", lang)


def _seconds(index: pd.DatetimeIndex) -> Floats:
    """Seconds since 1970 in UTC, NaN where there is no time."""
    seconds = index.as_unit("us").asi8 / 1e6
    return np.where(index.notna(), seconds, np.nan)


def _slots(begin: Floats, finish: Floats, w: Floats) -> tuple[Ints, Floats]:
    """The quarters of an hour that get something, in order, and how much."""
    first, last = np.floor(begin / _SLOT_S).astype(np.int64), np.floor(finish / _SLOT_S).astype(np.int64)
    low = int(first.min())
    size = int(last.max()) - low + 2
    amounts = np.zeros(size)
    short = first == last
    amounts += np.bincount(first[short] - low, weights=w[short], minlength=size)
    if not short.all():
        a, b, start, stop = begin[~short], finish[~short], first[~short], last[~short]
        rate = w[~short] / (b - a)
        amounts += np.bincount(start - low, weights=rate * ((start + 1) * _SLOT_S - a), minlength=size)
        amounts += np.bincount(stop - low, weights=rate * (b - stop * _SLOT_S), minlength=size)
        # quarters wholly inside: +rate where they begin, −rate where they end, summed up; where none is open nothing stays
        steps = np.bincount(start + 1 - low, weights=rate, minlength=size) - np.bincount(stop - low, weights=rate, minlength=size)
        opened = np.bincount(start + 1 - low, minlength=size) - np.bincount(stop - low, minlength=size)
        amounts += np.where(np.cumsum(opened) > 0, np.cumsum(steps), 0.0) * _SLOT_S
    there = np.flatnonzero(amounts)
    return there + low, amounts[there]


def _observed(starts: pd.DatetimeIndex, finish: float) -> pd.DatetimeIndex:
    """Every day from the first to the last incident's, in wall-clock dates."""
    end = pd.Timestamp(finish, unit="s", tz="UTC").tz_convert(starts.tz)
    return pd.date_range(starts.min().tz_localize(None).normalize(), end.tz_localize(None).normalize(), freq="D")


def _table(name: str, index: NDArray[Any], counts: NDArray[Any], days: NDArray[Any]) -> pd.DataFrame:
    total = counts.sum()
    share = counts / total if total else np.full(len(counts), np.nan)
    per_day = np.divide(counts, days, out=np.full(len(counts), np.nan), where=days > 0)
    columns = {"count": counts, "share": share, "days": days, "per_day": per_day}
    return pd.DataFrame(columns, index=pd.Index(index, name=name))
