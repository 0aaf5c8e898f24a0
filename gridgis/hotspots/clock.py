"""Times as instants, and as a clock on a wall of a time zone shows them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.errors import DataError

Times = pd.DatetimeIndex | pd.Series | NDArray[np.datetime64] | Sequence[dt.datetime]


@dataclass(frozen=True, slots=True, eq=False)
class WallTimes:
    """Instants that know the clock of one time zone."""

    index: pd.DatetimeIndex
    """Aware, in the zone; NaT where a time is missing."""
    doubtful: int
    """Times without a zone that the clock showed twice (the first is taken) or never (moved on by the gap)."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there is a time."""
        return np.asarray(self.index.notna(), dtype=np.bool_)


def named_zone(name: str) -> zoneinfo.ZoneInfo:
    """The time zone of a name such as `Asia/Shanghai`.

    Raises
    ------
    DataError
        If the time zone data base does not know it.

    Examples
    --------
    >>> named_zone("Asia/Shanghai").key
    'Asia/Shanghai'
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError("when.zone", zone=name) from error


def wall_times(times: Times, *, zone: str) -> WallTimes:
    """Times in a time zone: those with a zone of their own are converted, those without are taken as that zone's clock.

    Parameters
    ----------
    times
        Dates with times, any length; NaT where one is missing.
    zone
        Name of the time zone, such as `Asia/Shanghai`.

    Examples
    --------
    >>> found = wall_times(pd.to_datetime(["2024-07-01 16:30Z", None]), zone="Asia/Shanghai")
    >>> str(found.index[0]), found.known.tolist()
    ('2024-07-02 00:30:00+08:00', [True, False])

    On the last Sunday of October clocks in London show 01:30 twice.

    >>> wall_times(pd.to_datetime(["2024-10-27 01:30"]), zone="Europe/London").doubtful
    1
    """
    place = named_zone(zone)
    index = _as_index(times)
    if index.tz is not None:
        return WallTimes(index.tz_convert(place), 0)
    plain = index.tz_localize(place, ambiguous="NaT", nonexistent="NaT")
    doubtful = int(np.count_nonzero(plain.notna() != index.notna()))
    return WallTimes(localize(index, place) if doubtful else plain, doubtful)


def localize(index: pd.DatetimeIndex, place: dt.tzinfo) -> pd.DatetimeIndex:
    """Wall-clock times as instants: of two that show the same the first, and the next one there is for one never shown.

    >>> str(localize(pd.DatetimeIndex(["2024-03-31 01:30"]), named_zone("Europe/London"))[0])
    '2024-03-31 02:00:00+01:00'
    """
    first = np.ones(len(index), dtype=np.bool_)
    return index.tz_localize(place, ambiguous=first, nonexistent="shift_forward")


def _as_index(times: Any) -> pd.DatetimeIndex:
    kind = getattr(times, "dtype", None)
    if kind is not None and not (pd.api.types.is_object_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
        raise DataError("when.not_times", found=str(kind))
    try:
        return pd.DatetimeIndex(times)
    except (TypeError, ValueError) as error:
        raise DataError("when.not_times", found=type(times).__name__) from error
