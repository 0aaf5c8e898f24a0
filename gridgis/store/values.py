"""Values between frames and tables: a column of a frame as checked Python values, and such values as a column again."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from gridgis.errors import DataError
from gridgis.layers import Column, Kind

_INSTANT_UNIT: Final = "ms"
V = TypeVar("V")
W = TypeVar("W")


def column_values(layer: str, column: Column, series: pd.Series[Any], keys: Sequence[str]) -> list[Any]:
    """A column as Python values of its kind, None where a value is missing.

    `code` and `text` give str, `int` int, `float` float, `date` date, `time` an aware datetime in UTC, cut to the
    millisecond. Raises `DataError` naming the layer, the row's key and the value that is none of that kind.

    >>> column_values("grids", Column("opened_on", "date"), pd.Series(["2012-03-01", None]), ["G1", "G2"])
    [datetime.date(2012, 3, 1), None]
    """
    if column.kind == "time":
        return _instants(layer, column, series, keys)
    objects = series.astype(object)
    values: list[Any] = objects.where(objects.notna().to_numpy(), None).tolist()
    convert = _CONVERT[column.kind]
    wanted = _PLAIN[column.kind]
    for row, value in enumerate(values):
        if value is None or type(value) is wanted:
            continue
        try:
            values[row] = convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _bad(layer, column, keys[row], value) from error
    if column.kind == "float":
        _refuse_infinite(layer, column, values, keys)
    if column.values:  # noqa: PD011 - the allowed values, no array
        _refuse_unlisted(layer, column, values, keys)
    return values


def column_series(kind: Kind, values: Sequence[Any]) -> pd.Series[Any]:
    """Python values of a kind as a column: `str`, `int64` (or `Int64` with gaps), `float64`, dates as objects, UTC times.

    >>> column_series("int", [1, None]).dtype
    Int64Dtype()
    """
    match kind:
        case "code" | "text":
            return pd.Series(values, dtype="str")
        case "int":
            return pd.Series(values, dtype="Int64" if None in values else "int64")
        case "float":
            return pd.Series(values, dtype="float64")
        case "date":
            return pd.Series(values, dtype=object)
        case "time":
            return pd.Series(pd.DatetimeIndex(_naive(values)).tz_localize("UTC"))


def by_distinct(values: Sequence[V | None], convert: Callable[[V], W]) -> list[W | None]:
    """Every value converted, each different one once: columns of dates repeat a few values a million times.

    >>> by_distinct(["1", None, "1"], int)
    [1, None, 1]
    """
    known: dict[V | None, W | None] = {value: None if value is None else convert(value) for value in set(values)}
    return [known[value] for value in values]


def instant_text(moment: dt.datetime) -> str:
    """A moment as GeoPackage writes it: UTC, milliseconds, Z.

    >>> instant_text(dt.datetime(2012, 3, 1, 8, tzinfo=dt.UTC))
    '2012-03-01T08:00:00.000Z'
    """
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_value(text: str) -> dt.datetime:
    """A moment from ISO text, whoever wrote it; without a zone it is taken as UTC, as GeoPackage has it.

    >>> instant_value("2012-03-01T08:00:00Z")
    datetime.datetime(2012, 3, 1, 8, 0, tzinfo=datetime.timezone.utc)
    """
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def floor_ms(moment: dt.datetime) -> dt.datetime:
    """A moment in UTC, cut to the millisecond.

    >>> floor_ms(dt.datetime(2012, 3, 1, microsecond=1999, tzinfo=dt.UTC)).microsecond
    1000
    """
    utc = moment.astimezone(dt.UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers and text as they are, dates and times as ISO text, missing as None.

    >>> plain(np.int64(3)), plain(dt.date(2012, 3, 1)), plain(float("nan"))
    (3, '2012-03-01', None)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dt.datetime):
        return instant_text(value) if value.tzinfo else value.isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(item) for item in value]
    return str(value)


def _instants(layer: str, column: Column, series: pd.Series[Any], keys: Sequence[str]) -> list[Any]:
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        values = [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)]
        for row, value in enumerate(values):
            if value is None:
                continue
            moment = _moment(value)
            if moment is None:
                raise _bad(layer, column, keys[row], value)
            if moment.tzinfo is None:
                raise DataError("store.naive_time", layer=layer, column=column.name, key=keys[row], value=value)
            values[row] = floor_ms(moment.to_pydatetime() if isinstance(moment, pd.Timestamp) else moment)
        return values
    codes, moments = pd.factorize(series.dt.tz_convert("UTC").dt.floor(_INSTANT_UNIT), use_na_sentinel=True)
    distinct: list[Any] = [*(moment.to_pydatetime() for moment in pd.DatetimeIndex(moments)), None]
    return [distinct[code] for code in codes.tolist()]


def _moment(value: Any) -> dt.datetime | None:
    if not isinstance(value, str):
        return value if isinstance(value, dt.datetime) else None
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        return None


def _naive(values: Sequence[Any]) -> Any:
    texts = by_distinct(values, lambda moment: np.datetime64(moment.replace(tzinfo=None), "ms"))
    return np.array([np.datetime64("NaT") if text is None else text for text in texts], dtype="datetime64[ms]")


def _text(value: Any) -> str:
    return str(value.item() if isinstance(value, np.generic) else value)


def _whole(value: Any) -> int:
    if isinstance(value, str | bool) or float(value) != int(value):
        raise ValueError(value)
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, str | bool):
        raise TypeError(value)
    return float(value)


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime | np.datetime64):
        return pd.Timestamp(value).date()
    if isinstance(value, str):
        return dt.date.fromisoformat(value)
    if isinstance(value, dt.date):
        return value
    raise TypeError(value)


_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "code": _text, "text": _text, "int": _whole, "float": _real, "date": _day,
}  # fmt: skip
_PLAIN: Final[Mapping[str, type]] = {"code": str, "text": str, "int": int, "float": float, "date": dt.date}


def _refuse_infinite(layer: str, column: Column, values: Sequence[float | None], keys: Sequence[str]) -> None:
    for row, value in enumerate(values):
        if value is not None and math.isinf(value):
            raise _bad(layer, column, keys[row], value)


def _refuse_unlisted(layer: str, column: Column, values: Sequence[str | None], keys: Sequence[str]) -> None:
    unlisted = set(values) - set(column.values) - {None}
    if unlisted:
        row = next(row for row, value in enumerate(values) if value in unlisted)
        raise DataError(
            "store.unlisted", layer=layer, column=column.name, key=keys[row], value=values[row], allowed=", ".join(column.values)
        )


def _bad(layer: str, column: Column, key: str, value: object) -> DataError:
    return DataError("store.bad_value", layer=layer, column=column.name, key=key, value=repr(value)[:80], kind=column.kind)
