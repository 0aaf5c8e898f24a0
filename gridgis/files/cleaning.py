"""Raw rows to a layer's columns: each value read as its column's kind, and everything that is wrong with a row, by rule.

Rules are a table (`RULES`): what is an error keeps a row out, a warning only tells. Each rule's message and remedy are
`import.<rule>` and `import.<rule>_fix` in the catalogues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.files import times, values
from gridgis.files.mapping import ColumnMapping
from gridgis.files.raw import Raw
from gridgis.files.tables import fold
from gridgis.files.values import Bools, Parsed
from gridgis.layers import Column, Layer

Severity = Literal["error", "warning"]

RULES: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        # values
        "digits_lost": "error", "malformed": "error", "no_number": "error", "negative": "error", "fraction": "error",
        "unknown_word": "error", "no_date": "error", "no_such_date": "error", "no_such_time": "error",
        "no_key": "error", "missing": "error", "missing_text": "warning", "code_length": "error", "no_level": "error",
        # geometry
        "no_geometry": "error", "no_place": "warning", "zero_place": "warning", "out_of_range": "error",
        "wrong_shape": "error", "invalid_shape": "error", "repaired": "warning",
        # between rows and layers
        "duplicate": "error", "unknown_area": "error", "unknown_station": "error", "unknown_parent": "warning",
        "outside_area": "error", "reaches_outside": "warning", "far_away": "warning", "overlap": "warning",
        "shifted": "warning", "synthetic": "warning", "made_id": "warning",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule broken by some rows."""

    rule: str
    """Name in `RULES`."""
    rows: NDArray[np.int64]
    """Positions in the frame; empty for the whole file."""
    column: str = ""
    """Heading in the file, where one column is at fault."""
    shown: tuple[str, ...] = ()
    """The offending value of each row, cut to 60 characters."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else the message says, the same for all rows."""

    @property
    def severity(self) -> Severity:
        """Whether it keeps the rows out."""
        return RULES[self.rule]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The rows of one file in a layer's terms."""

    frame: pd.DataFrame
    """The layer's columns (those the file has) and, for incidents, all others; index as in the file."""
    shapes: gpd.GeoSeries | None
    """Geometry on the same index; null where a row has none."""
    problems: tuple[Problem, ...]


def clean(raw: Raw, layer: Layer, mapping: ColumnMapping, *, time_zone: str = "Asia/Shanghai") -> Cleaned:
    """The rows of a placed file as columns of a layer, with the problems of their values.

    Codes and words become text, numbers floats, dates `datetime.date`, times instants in UTC; what cannot be read is null
    and a problem. `level` of areas follows from the code when the file has no such column: 12 digits ending in 000 000 a
    county, in 000 a town, else a village; 9 digits a town; 6 a county. Rows without an id get one made from their
    geometry (buildings, roads, water, places) or from the whole row (incidents), the same at every import.

    Raises
    ------
    DataError
        If a required column is missing.
    """
    missing = [
        column.name
        for column in layer.columns
        if column.required
        and column.name not in mapping.fields
        and column.name not in mapping.constants
        and not _derived(layer, column)
    ]
    if missing:
        found = ", ".join(map(str, raw.frame.columns))
        raise DataError("files.missing_columns", file=raw.file, layer=layer.name, missing=", ".join(missing), columns=found)
    columns: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for column in layer.columns:
        if column.name in mapping.constants:
            source = pd.Series(mapping.constants[column.name], index=raw.frame.index, dtype=object)
        elif column.name in mapping.fields:
            source = _hashable(raw.frame[mapping.fields[column.name]])
        else:
            continue
        parsed = _read(source, column, time_zone, raw.escaped)
        columns[column.name] = parsed.column
        heading = mapping.fields.get(column.name, column.name)
        problems += [problem(reason, rows, heading, source, allowed=_allowed(column)) for reason, rows in parsed.bad.items()]
        problems += _nulls(parsed, column, layer, heading)
    frame = pd.DataFrame(columns, index=raw.frame.index)
    if layer.name == "incidents":
        frame = _with_others(frame, raw, mapping.unmapped)
    if layer.name == "areas":
        frame, more = _with_level(frame)
        problems += more
    if layer.key not in frame.columns or frame[layer.key].isna().any():
        frame, more = _with_ids(frame, raw, layer)
        problems += more
    return Cleaned(frame, raw.shapes, tuple(problems))


def problem(rule: str, rows: Bools, column: str, source: pd.Series | None, **extra: Any) -> Problem:
    """A rule broken by the rows of a mask, showing their values in `source`."""
    at = np.flatnonzero(rows)
    shown = () if source is None else tuple(str(value)[:60] for value in source.iloc[at])
    more = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in extra.items()}
    return Problem(rule, at, column, shown, more)


def bad_rows(problems: Sequence[Problem], size: int) -> Bools:
    """Which of `size` rows an error keeps out."""
    out = np.zeros(size, dtype=bool)
    for found in problems:
        if found.severity == "error":
            out[found.rows] = True
    return out


def geometry_ids(shapes: gpd.GeoSeries) -> NDArray[np.object_]:
    """An id of 16 hexadecimal digits for each geometry: the hash of its normalised form in degrees rounded to 10⁻⁸ (1 mm).

    The same geometry has the same id whatever ring it starts on; null geometry has None.

    >>> a = gpd.GeoSeries([shapely.box(0, 0, 1, 1), shapely.Polygon([(1, 1), (0, 1), (0, 0), (1, 0)]), None], crs=4326)
    >>> ids = geometry_ids(a)
    >>> bool(ids[0] == ids[1]), len(ids[0]), ids[2]
    (True, 16, None)
    """
    degrees = shapes if shapes.crs is None or shapes.crs.is_geographic else shapes.to_crs("EPSG:4326")

    def rounded(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(coordinates, 8) + 0.0  # no negative zero

    even = shapely.normalize(shapely.transform(degrees.to_numpy(), rounded))
    blobs = shapely.to_wkb(even, byte_order=1, include_srid=False)
    return np.array([None if b is None else hashlib.blake2b(b, digest_size=8).hexdigest() for b in blobs], dtype=object)


def _derived(layer: Layer, column: Column) -> bool:
    return (layer.name == "areas" and column.name == "level") or (layer.name == "incidents" and column.name == "id")


_READERS: Final[Mapping[str, Callable[[pd.Series], Parsed]]] = MappingProxyType(
    {"code": values.codes, "int": lambda column: values.numbers(column, whole=True), "float": values.numbers}
)


def _read(source: pd.Series, column: Column, time_zone: str, escaped: bool) -> Parsed:
    if _allowed(column):
        return values.words(source, column.name, _allowed(column))
    if column.kind == "text":
        return values.texts(source, escaped=escaped)
    if column.kind == "date":
        return times.days(source, time_zone=time_zone)
    if column.kind == "time":
        return times.instants(source, time_zone=time_zone)
    return _READERS[column.kind](source)


def _nulls(parsed: Parsed, column: Column, layer: Layer, heading: str) -> list[Problem]:
    empty = np.array(parsed.column.isna(), dtype=bool)
    for rows in parsed.bad.values():
        empty &= ~rows
    if (not column.required and column.name != layer.key) or not empty.any():
        return []
    if column.name == layer.key:
        return [] if _makes_ids(layer) else [problem("no_key", empty, heading, None)]
    rule = "missing" if column.kind in {"code", "time"} or _allowed(column) else "missing_text"
    return [problem(rule, empty, heading, None)]


def _allowed(column: Column) -> tuple[str, ...]:
    return column.values  # noqa: PD011  (a field of ours, no array)


def _makes_ids(layer: Layer) -> bool:
    return layer.key == "id"


def _with_level(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    code = frame["code"].astype("string")
    derived = pd.Series(None, index=frame.index, dtype=object)
    size = code.str.len()
    digits = code.str.fullmatch(r"\d+").fillna(False).astype(bool)
    derived[digits & (size == 12)] = "village"
    derived[digits & ((size == 9) | ((size == 12) & code.str.endswith("000")))] = "town"
    county = (size == 6) | ((size == 12) & code.str.endswith("000000")) | ((size == 9) & code.str.endswith("000"))
    derived[digits & county.fillna(False)] = "county"
    given = frame["level"] if "level" in frame.columns else pd.Series(None, index=frame.index, dtype=object)
    level = given.where(given.notna(), derived)
    open_rows = (level.isna() & code.notna()).to_numpy(dtype=bool) & ("level" not in frame.columns)
    problems = [problem("no_level", open_rows, "code", frame["code"])] if open_rows.any() else []
    # where most codes are statistical ones, a code of another length is a slip of the keyboard
    known = digits & size.isin([6, 9, 12]).fillna(False)
    odd = digits & ~known & ~open_rows
    if known.sum() > odd.sum() and odd.any():
        problems.append(problem("code_length", odd.to_numpy(dtype=bool), "code", frame["code"]))
    return frame.assign(level=level), problems


def _with_ids(frame: pd.DataFrame, raw: Raw, layer: Layer) -> tuple[pd.DataFrame, list[Problem]]:
    if not _makes_ids(layer):
        return frame, []
    made: pd.Series
    if layer.name == "incidents" or raw.shapes is None:
        row_hash = pd.util.hash_pandas_object(raw.frame.astype("string").fillna(""), index=False, hash_key="gridgis-incident")
        place = pd.Series(geometry_ids(raw.shapes), index=raw.frame.index).fillna("") if raw.shapes is not None else ""
        text = row_hash.map(lambda number: f"{number:016x}") + place
        made = text.map(lambda value: hashlib.blake2b(value.encode(), digest_size=8).hexdigest())
    else:
        made = pd.Series(geometry_ids(raw.shapes), index=raw.frame.index, dtype=object)
    # equal rows are told apart by their order
    nth = made.groupby(made).cumcount()
    made = made.where(nth == 0, made + "-" + (nth + 1).astype(str))
    given = frame[layer.key] if layer.key in frame.columns else pd.Series(None, index=frame.index, dtype=object)
    lacking = given.isna().to_numpy(dtype=bool)
    result = frame.assign(**{layer.key: given.where(~lacking, made).astype(object)})
    result = result[[layer.key, *[name for name in result.columns if name != layer.key]]]
    return result, [Problem("made_id", np.array([], dtype=np.int64), "", (), {"count": int(lacking.sum())})]


def _with_others(frame: pd.DataFrame, raw: Raw, unmapped: Sequence[str]) -> pd.DataFrame:
    taken = {fold(name) for name in frame.columns} | {"geometry", "geom", "rowid", "ogcfid", "extra"}
    others: dict[str, pd.Series] = {}
    for name in unmapped:
        if fold(name) in taken:
            continue
        taken.add(fold(name))
        column = _hashable(raw.frame[name])
        others[name] = column if pd.api.types.is_numeric_dtype(column) else values.texts(column, escaped=raw.escaped).column
    return pd.concat([frame, pd.DataFrame(others, index=frame.index)], axis=1)


def _hashable(column: pd.Series) -> pd.Series:
    if column.dtype != object:
        return column
    return column.map(lambda value: str(value) if isinstance(value, (list, dict, np.ndarray)) else value)
