"""Which grids and stations are in operation on a date, and on which dates something opened."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def in_operation(grids: pd.DataFrame, stations: pd.DataFrame | None = None, *, as_of: dt.date) -> pd.Series[bool]:
    """Which grids are in operation on a date.

    A grid is in operation when

    1. its `state` is `valid` (a missing state counts as valid),
    2. its row is valid on the date (`valid_from` ≤ date < `valid_to`, a missing end is open),
    3. it has opened: `opened_on` ≤ date; without `opened_on` its station's counts; a station that has no date, or is not
       in `stations`, is not open; a grid with neither date nor station is open while it is valid.

    Parameters
    ----------
    grids
        Columns `state`, `opened_on`, `station`, `valid_from`, `valid_to`; each may be missing.
    stations
        Index: code of the station; columns as for `station_open`. None: no station is known.
    as_of
        The date.

    Returns
    -------
    Series
        `in_operation`, on the index of `grids`.

    Examples
    --------
    >>> from gridgis import toy
    >>> in_operation(toy.grids(), toy.stations(), as_of=dt.date(2012, 3, 1)).to_dict()
    {'G1': True, 'G2': True, 'G3': False}
    >>> in_operation(toy.grids(), toy.stations(), as_of=dt.date(2012, 2, 29)).any()
    np.False_
    """
    opened = opening_days(grids, stations)
    always = _days(grids, "opened_on").isna().to_numpy() & ~_has(grids, "station")
    running = (always | _reached(opened, as_of)) & _valid_on(grids, as_of)
    return pd.Series(running, index=grids.index, name="in_operation")


def planned(grids: pd.DataFrame, *, as_of: dt.date) -> pd.Series[bool]:
    """Which grids there are on a date, open or not: their state is `valid` and their row is valid on the date.

    >>> from gridgis import toy
    >>> planned(toy.grids().assign(state=["valid", "draft", None]), as_of=dt.date(2012, 12, 31)).tolist()
    [True, False, True]
    """
    return pd.Series(_valid_on(grids, as_of), index=grids.index, name="planned")


def station_open(stations: pd.DataFrame, *, as_of: dt.date) -> pd.Series[bool]:
    """Which stations are open on a date: their row is valid and `opened_on` ≤ date; one without a date is not open.

    >>> from gridgis import toy
    >>> station_open(toy.stations(), as_of=dt.date(2012, 12, 31)).to_dict()
    {'S1': True, 'S2': False}
    """
    running = _reached(_days(stations, "opened_on"), as_of) & _valid_on(stations, as_of)
    return pd.Series(running, index=stations.index, name="station_open")


def opening_days(grids: pd.DataFrame, stations: pd.DataFrame | None = None) -> pd.Series[pd.Timestamp]:
    """The day every grid opened or will open: its own, else its station's; NaT where neither says.

    >>> from gridgis import toy
    >>> opening_days(toy.grids(), toy.stations()).isna().tolist()
    [False, False, True]
    """
    own = _days(grids, "opened_on")
    if stations is None or "station" not in grids:
        return own
    station = _days(stations, "opened_on")
    station = station[~station.index.duplicated(keep="last")]
    theirs = station.reindex(grids["station"].astype(object)).to_numpy()
    return own.fillna(pd.Series(theirs, index=grids.index)).rename("opened_on")


def opening_dates(grids: pd.DataFrame, stations: pd.DataFrame | None = None) -> list[dt.date]:
    """All dates on which a grid or a station opened, each once, in order; void and draft grids open nothing.

    >>> from gridgis import toy
    >>> opening_dates(toy.grids(), toy.stations())
    [datetime.date(2012, 3, 1)]
    """
    days = [opening_days(grids, stations)[_state_valid(grids)]]
    if stations is not None:
        days.append(_days(stations, "opened_on"))
    found = pd.concat(days).dropna().unique()
    return sorted(pd.Timestamp(day).date() for day in found)


def _days(frame: pd.DataFrame, column: str) -> pd.Series[pd.Timestamp]:
    values = frame[column] if column in frame else pd.Series(None, index=frame.index, dtype=object)
    return pd.to_datetime(values).astype("datetime64[s]").rename(column)


def _reached(days: pd.Series[pd.Timestamp], as_of: dt.date) -> Bools:
    return (days <= pd.Timestamp(as_of)).to_numpy(dtype=bool)


def _has(frame: pd.DataFrame, column: str) -> Bools:
    if column not in frame:
        return np.zeros(len(frame), dtype=bool)
    values = frame[column]
    return (values.notna() & (values.astype(str).str.strip() != "")).to_numpy(dtype=bool)


def _state_valid(frame: pd.DataFrame) -> Bools:
    if "state" not in frame:
        return np.ones(len(frame), dtype=bool)
    return (frame["state"].isna() | (frame["state"] == "valid")).to_numpy(dtype=bool)


def _valid_on(frame: pd.DataFrame, as_of: dt.date) -> Bools:
    day = pd.Timestamp(as_of)
    begun = _days(frame, "valid_from")
    ended = _days(frame, "valid_to")
    return _state_valid(frame) & ((begun.isna() | (begun <= day)) & (ended.isna() | (day < ended))).to_numpy(dtype=bool)
