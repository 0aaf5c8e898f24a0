"""Which column of a file is which column of a layer: by what the user says, by a saved mapping, by the headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gridgis.errors import DataError
from gridgis.files.tables import fold
from gridgis.layers import Layer

# Columns of our own exports that say how a row came to be, not what it is; an import gives its own.
OWN_COLUMNS: Final = frozenset({"validfrom", "validto", "version", "synthetic", "fid", "centroidlon", "centroidlat"})
# dBase allows ten bytes: the names of longer columns in a shapefile, the same in every export, recognised by an import.
SHORT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"initial_time": "init_time", "occurred_at": "occurred", "description": "descriptn"}
)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How a file's columns are read."""

    fields: Mapping[str, str]
    """Column of the layer → column of the file."""
    constants: Mapping[str, str]
    """Column of the layer → one value for every row."""
    unmapped: tuple[str, ...]
    """Columns of the file that are nothing the layer has."""


def recognise(
    columns: Sequence[str], layer: Layer, *, given: Mapping[str, str] | None = None, saved: Mapping[str, str] | None = None
) -> ColumnMapping:
    """The mapping of a file's columns to a layer's.

    1. `given` counts first: `{"code": "网格号"}`; a value starting with `=` is a constant: `{"level": "=village"}`;
       `-` or nothing leaves the column out.
    2. Then `saved`, where its columns are in the file.
    3. Then headings: the column's name, its short form in shapefiles, then each of `Column.also` in order; an earlier
       heading of any column wins over a later one, and a column of the file is used once.

    Raises
    ------
    DataError
        If `given` names a column the layer or the file does not have.

    Examples
    --------
    >>> from gridgis.layers import LAYERS
    >>> found = recognise(["网格编码", "名称", "所属村", "电话"], LAYERS["grids"])
    >>> dict(found.fields), found.unmapped
    ({'code': '网格编码', 'name': '名称', 'area_code': '所属村'}, ('电话',))
    """
    fields, constants, left_out = _given(columns, layer, given or {})
    by_fold = {fold(name): name for name in reversed(columns)}
    for field, name in (saved or {}).items():
        source = by_fold.get(fold(name))
        open_field = layer.column(field) is not None and field not in {*fields, *constants, *left_out}
        if open_field and source is not None and source not in fields.values():
            fields[field] = source
    wishes = sorted(
        (rank, place, column.name, fold(heading))
        for place, column in enumerate(layer.columns)
        for rank, heading in enumerate((column.name, SHORT_NAMES.get(column.name, column.name), *column.also))
    )
    for _, _, field, heading in wishes:
        source = by_fold.get(heading)
        if source is not None and field not in {*fields, *constants, *left_out} and source not in fields.values():
            fields[field] = source
    order = [column.name for column in layer.columns if column.name in fields]
    used = set(fields.values())
    unmapped = tuple(name for name in columns if name not in used and fold(name) not in OWN_COLUMNS)
    return ColumnMapping({field: fields[field] for field in order}, constants, unmapped)


def _given(columns: Sequence[str], layer: Layer, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], set[str]]:
    fields: dict[str, str] = {}
    constants: dict[str, str] = {}
    left_out: set[str] = set()
    by_fold = {fold(name): name for name in reversed(columns)}
    for field, name in given.items():
        if layer.column(field) is None:
            known = ", ".join(column.name for column in layer.columns)
            raise DataError("files.map_field", layer=layer.name, field=field, known=known)
        if name.startswith("="):
            constants[field] = name[1:]
            continue
        if name in {"", "-"} and name not in columns:
            left_out.add(field)
            continue
        source = name if name in columns else by_fold.get(fold(name))
        if source is None:
            raise DataError("files.map_column", field=field, column=name, columns=", ".join(columns))
        fields[field] = source
    return fields, constants, left_out
