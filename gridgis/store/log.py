"""The change log: who did what to which row, when, why, and what it was before and after."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import shapely
import sqlalchemy as sa

from gridgis.store.backend import Backend
from gridgis.store.batch import Record
from gridgis.store.schema import LOG
from gridgis.store.values import plain

Action = Literal["insert", "correct", "change", "retire", "upsert", "replace", "delete", "set"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, why, and when: the same for all entries of one write."""

    who: str
    """The writer's name."""
    why: str
    """The reason given."""
    at: dt.datetime
    """The moment, in UTC."""
    revision: int
    """Number of the write; all its entries share it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change."""

    layer: str
    """Layer, or `settings` or `workspace`."""
    action: Action
    """What was done."""
    key: str | None = None
    """The row, None for an entry about many rows."""
    before: dict[str, Any] | None = None
    """The row before, None where there was none."""
    after: dict[str, Any] | None = None
    """The row after, or the counts of an entry about many rows; None where it is gone."""


def row_image(record: Record) -> dict[str, Any]:
    """A row as the log keeps it: plain values without the missing ones, geometry as hexadecimal WKB.

    >>> row_image({"code": "G1", "geometry": None, "extra": {"a": 1}, "name": None})
    {'code': 'G1', 'a': 1}
    """
    image: dict[str, Any] = {}
    for name, value in record.items():
        if name == "geometry":
            if value is not None:
                image[name] = shapely.to_wkb(value, hex=True)
        elif name == "extra":
            image |= value or {}
        elif (kept := plain(value)) is not None:
            image[name] = kept
    return image


def append(backend: Backend, connection: sa.Connection, author: Author, entries: Sequence[Entry]) -> None:
    """Add entries; nothing can take them away again."""
    if not entries:
        return
    (at,) = backend.encode("time", [author.at])
    rows = [
        {
            "revision": author.revision,
            "at": at,
            "who": author.who,
            "why": author.why,
            "layer": entry.layer,
            "key": entry.key,
            "action": entry.action,
            "before": _text(entry.before),
            "after": _text(entry.after),
        }
        for entry in entries
    ]
    connection.execute(sa.insert(LOG), rows)


def read(backend: Backend, connection: sa.Connection, *, layer: str | None, key: str | None, limit: int | None) -> pd.DataFrame:
    """The entries, oldest first; with `limit` the newest of them."""
    columns = [LOG.c[name] for name in ("revision", "at", "who", "why", "layer", "key", "action", "before", "after")]
    statement = sa.select(*columns).order_by(LOG.c.fid.desc())
    if layer is not None:
        statement = statement.where(LOG.c.layer == layer)
    if key is not None:
        statement = statement.where(LOG.c.key == key)
    if limit is not None:
        statement = statement.limit(limit)
    rows = connection.execute(statement).all()[::-1]
    names = [column.name for column in columns]
    frame = pd.DataFrame(rows, columns=names)
    frame["at"] = pd.DatetimeIndex(pd.to_datetime(list(backend.decode("time", [row.at for row in rows])), utc=True)).as_unit("ms")
    for name in ("before", "after"):
        frame[name] = pd.Series(
            [json.loads(text) if text else None for text in (getattr(row, name) for row in rows)], dtype=object
        )
    # a transaction is told by its revision; it stands last, after the columns people read
    return frame[[*names[1:], "revision"]]


def _text(image: dict[str, Any] | None) -> str | None:
    return None if image is None else json.dumps(image, ensure_ascii=False)
