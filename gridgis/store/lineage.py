"""Lineage: from which grids a grid came, kept for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import sqlalchemy as sa

from gridgis.errors import DataError
from gridgis.layers import Column
from gridgis.store.backend import Backend
from gridgis.store.schema import LINEAGE
from gridgis.store.values import column_series, column_values

KINDS: Final = ("split from", "merged into", "cut from", "restored from")
COLUMNS: Final = (
    Column("code", "code", required=True),
    Column("parent", "code", required=True),
    Column("kind", "text", required=True, values=KINDS),
    Column("on", "date", required=True),
    Column("plan", "text"),
)


def append(backend: Backend, connection: sa.Connection, frame: pd.DataFrame) -> int:
    """Add rows, checked before the first one is written; how many."""
    numbers = [str(number) for number in range(1, len(frame) + 1)]
    columns = {_stored(column): _values(column, frame, numbers) for column in COLUMNS}
    columns["day"] = list(backend.encode("date", columns["day"]))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if rows:
        connection.execute(sa.insert(LINEAGE), rows)
    return len(rows)


def read(backend: Backend, connection: sa.Connection, codes: Sequence[str] | None) -> pd.DataFrame:
    """The rows, oldest first; with `codes` those that name one of them on either side."""
    statement = sa.select(*(LINEAGE.c[_stored(column)] for column in COLUMNS)).order_by(LINEAGE.c.fid)
    if codes is not None:
        sides = (backend.member(LINEAGE.c[side], list(codes)) for side in ("code", "parent"))
        statement = statement.where(sa.or_(*sides))
    rows = connection.execute(statement).all()
    values = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    found = zip(COLUMNS, values, strict=True)
    return pd.DataFrame({column.name: column_series(column.kind, backend.decode(column.kind, part)) for column, part in found})


def _stored(column: Column) -> str:
    return "day" if column.name == "on" else column.name


def _values(column: Column, frame: pd.DataFrame, numbers: Sequence[str]) -> list[Any]:
    if column.name not in frame.columns:
        if column.required:
            there = ", ".join(str(name) for name in frame.columns)
            raise DataError("plans.lineage_column", column=column.name, columns=there)
        return [None] * len(frame)
    values = column_values("lineage", column, frame[column.name], numbers)
    if column.required and None in values:
        raise DataError("store.key_missing", layer="lineage", key=column.name, row=values.index(None) + 1)
    return values
