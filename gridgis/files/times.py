"""Dates and times as people and programs write them, to instants; what the calendar does not have is told, never moved."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from gridgis.errors import DataError
from gridgis.files.values import Bools, Parsed

_ISO: Final = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s?(?:Z|[+-]\d{2}:?\d{2}(?::\d{2})?|[+-]\d{2})?)?"
_ZONED: Final = r".*:\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2}){0,2})"
_TIME: Final = (
    r"(?:[T\s,]*(?P<half>上午|下午|AM|PM)?\s*(?P<hour>\d{1,2})\s*[:时点]\s*(?:(?P<minute>\d{1,2})\s*"
    r"(?:[:分]\s*(?:(?P<second>\d{1,2})(?:\.\d+)?\s*秒?)?)?)?\s*(?P<half2>AM|PM)?)?"
)
_PATTERNS: Final = (
    re.compile(r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?" + _TIME, re.IGNORECASE),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[T ]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})?)?"),
    re.compile(r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*月?"),
)
_DAY_FIRST: Final = re.compile(r"(?P<a>\d{1,2})[/.-](?P<b>\d{1,2})[/.-](?P<year>\d{4})" + _TIME, re.IGNORECASE)
_EMPTY: Final = frozenset({"", "-", "--", "—", "/", "无", "null", "none", "nan", "nat", "n/a", "<null>"})
_EXCEL_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001  (a table program's dates have no zone)
_EXCEL_DAYS: Final = (10_000, 80_000)
_YEARS: Final = (1800, 2200)


def check_zone(name: str) -> ZoneInfo:
    """The time zone of that name; `DataError` if there is none.

    >>> check_zone("Asia/Shanghai").key
    'Asia/Shanghai'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError("files.unknown_zone", zone=name[:60]) from error


def instants(values: pd.Series, *, time_zone: str = "Asia/Shanghai") -> Parsed:
    """Times as instants in UTC (datetime64, microseconds); one without a zone is a clock's time in `time_zone`.

    Reasons: `no_date` (no date, or one written so that day and month cannot be told apart), `no_such_date` (2012-02-30,
    25:10), `no_such_time` (an hour the clocks skipped). A time the clocks showed twice is the first. A day is its
    midnight, a month its first day.

    >>> parsed = instants(pd.Series(["2012-03-01 08:00", "2012年3月1日", "2012-02-30"]))
    >>> parsed.column.dt.hour.tolist()[:2], {reason: rows.tolist() for reason, rows in parsed.bad.items()}
    ([0.0, 16.0], {'no_such_date': [False, False, True]})
    """
    zone = check_zone(time_zone)
    clock, utc, bad = _clock(values)
    local = pd.DatetimeIndex(clock)
    placed = local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="NaT")
    skipped = np.asarray(placed.isna(), dtype=bool) & np.asarray(local.notna(), dtype=bool)
    if skipped.any():
        bad["no_such_time"] = skipped
    both = pd.Series(placed.tz_convert("UTC"), index=values.index).astype("datetime64[us, UTC]")
    return Parsed(both.where(utc.isna(), utc), bad)


def days(values: pd.Series, *, time_zone: str = "Asia/Shanghai") -> Parsed:
    """Dates without a time (a time of day is dropped, an instant taken to its day in `time_zone`); reasons as above.

    >>> days(pd.Series(["20120301", "2012/3/1 0:00", None])).column.tolist()
    [datetime.date(2012, 3, 1), datetime.date(2012, 3, 1), None]
    """
    clock, utc, bad = _clock(values)
    local = utc.dt.tz_convert(check_zone(time_zone)).dt.tz_localize(None)
    both = clock.where(clock.notna(), local)
    dates = both.dt.date.astype(object)
    return Parsed(dates.where(both.notna(), None), bad)


def _clock(values: pd.Series) -> tuple[pd.Series, pd.Series, dict[str, Bools]]:
    """Clock times without zone, instants of those with one, and which rows are neither by reason."""
    clock = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    utc = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us, UTC]")
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return clock, values.astype("datetime64[us, UTC]"), {}
    if pd.api.types.is_datetime64_dtype(values):
        return values.astype("datetime64[us]"), utc, {}
    places, distinct = pd.factorize(values)
    items = pd.Series(distinct, dtype=object)
    text = items.map(lambda item: isinstance(item, str))
    iso = text & items.where(text, "").astype("string").str.strip().str.fullmatch(_ISO).fillna(False).astype(bool)
    zoned = iso & items.where(iso, "").astype("string").str.strip().str.fullmatch(_ZONED).fillna(False).astype(bool)
    plain_items = pd.Series(pd.NaT, index=items.index, dtype="datetime64[us]")
    zoned_items = pd.Series(pd.NaT, index=items.index, dtype="datetime64[us, UTC]")
    first = iso & ~zoned
    plain_items[first] = pd.to_datetime(items[first].str.strip(), format="ISO8601", errors="coerce").astype("datetime64[us]")
    zoned_items[zoned] = pd.to_datetime(items[zoned].str.strip(), format="ISO8601", errors="coerce", utc=True).astype(
        "datetime64[us, UTC]"
    )
    reasons = np.full(len(items) + 1, None, dtype=object)  # the last one for null, whose place is -1
    day_first = _day_first(items[text & ~iso])
    for at in np.flatnonzero((plain_items.isna() & zoned_items.isna()).to_numpy()).tolist():
        value, reasons[at] = _one(items[at], day_first)
        if value is not None:
            (plain_items if value.tzinfo is None else zoned_items).iloc[at] = value
    here = places >= 0
    clock[here] = plain_items.to_numpy()[places[here]]
    utc[here] = pd.DatetimeIndex(zoned_items)[places[here]]
    row_reasons = reasons[places]
    bad = {
        str(reason): np.asarray(row_reasons == reason, dtype=bool)
        for reason in ("no_date", "no_such_date")
        if (reasons == reason).any()
    }
    return clock, utc, bad


def _one(value: Any, day_first: bool | None) -> tuple[dt.datetime | None, str | None]:
    if isinstance(value, dt.datetime):
        return (None, None) if pd.isna(value) else (value, None)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day), None  # noqa: DTZ001
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        if _EXCEL_DAYS[0] <= value <= _EXCEL_DAYS[1]:
            return _EXCEL_EPOCH + dt.timedelta(seconds=round(float(value) * 86400)), None
        value = str(int(value)) if float(value).is_integer() else str(value)
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if text.casefold() in _EMPTY:
        return None, None
    for pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found:
            return _made({name: part for name, part in found.groupdict().items() if part})
    found = _DAY_FIRST.fullmatch(text)
    if found and day_first is not None:
        parts = {name: part for name, part in found.groupdict().items() if part}
        first, second = parts.pop("a"), parts.pop("b")
        return _made(parts | {"day": first if day_first else second, "month": second if day_first else first})
    if re.fullmatch(_ISO, text):
        return None, "no_such_date"
    return None, "no_date"


def _made(parts: dict[str, str]) -> tuple[dt.datetime | None, str | None]:
    half = (parts.get("half") or parts.get("half2") or "").upper()
    hour = int(parts.get("hour", 0))
    if half and hour <= 12:
        hour = hour % 12 + (12 if half in {"下午", "PM"} else 0)
    year = int(parts["year"])
    try:
        made = dt.datetime(  # noqa: DTZ001  (the zone is put on for the whole column)
            year, int(parts["month"]), int(parts.get("day", 1)), hour, int(parts.get("minute", 0)), int(parts.get("second", 0))
        )
    except ValueError:
        return None, "no_such_date"
    return (made, None) if _YEARS[0] <= year <= _YEARS[1] else (None, "no_such_date")


def _day_first(items: pd.Series) -> bool | None:
    """Whether 03/04/2012-like dates of a column have the day first; None if nothing in the column tells."""
    found = [match for match in (_DAY_FIRST.fullmatch(str(item).strip()) for item in items) if match]
    day_must = any(int(match["a"]) > 12 for match in found)
    month_must = any(int(match["b"]) > 12 for match in found)
    return None if day_must == month_must else day_must
