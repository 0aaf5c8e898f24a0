"""What a write does to the rows it meets, decided before anything is written: insert, correct, change, or nothing.

A *correction* replaces the latest row in place: the record was wrong. A *change* closes the latest row on a day and
opens the next one: the world is different from that day on. Both raise the row's version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from gridgis.errors import ConflictError, DataError
from gridgis.layers import Layer
from gridgis.store.batch import Batch, Record

Pair = tuple[Record, Record]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a write did, in rows."""

    inserted: int = 0
    """Rows that are new."""
    updated: int = 0
    """Rows that were corrected or changed."""
    unchanged: int = 0
    """Rows that were there already, the same."""
    deleted: int = 0
    """Rows that made way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, row by row."""

    inserts: list[Record] = field(default_factory=list)
    """New rows, whole."""
    corrections: list[Pair] = field(default_factory=list)
    """Rows before and after, to be replaced in place."""
    changes: list[Pair] = field(default_factory=list)
    """Rows before (closed) and after (opened), to be kept both."""
    unchanged: int = 0
    """Rows that stay."""

    def counts(self) -> Counts:
        """The plan in numbers."""
        return Counts(len(self.inserts), len(self.corrections) + len(self.changes), self.unchanged)


def plan_upsert(batch: Batch, latest: Mapping[str, Record], *, valid_from: dt.date | None) -> Plan:
    """Insert keys that are new; correct rows that differ, or change them if a day is given; leave the others.

    Columns the batch does not have keep their values.
    """
    layer, plan, unchanged = batch.layer, Plan(), 0
    _refuse_closed(batch)
    same_shape = _same_shapes(batch, latest)
    for row, key in enumerate(batch.keys):
        given = batch.record(row)
        given.pop("version", None)
        given.pop("valid_to", None)
        own_start = given.pop("valid_from", None)
        old = latest.get(key)
        if old is None:
            plan.inserts.append(_opened(layer, given, own_start or valid_from))
            continue
        if valid_from is None and own_start is not None:
            given["valid_from"] = own_start
        new = _merged(old, given)
        if same_shape[row] and _same(old, new):
            unchanged += 1
        elif layer.history and valid_from is not None:
            plan.changes.append(_succession(layer, old, new, valid_from))
        else:
            plan.corrections.append((old, _raised(layer, new)))
    return Plan(plan.inserts, plan.corrections, plan.changes, unchanged)


def plan_update(batch: Batch, latest: Mapping[str, Record], *, valid_from: dt.date | None) -> Plan:
    """Correct existing rows, or change them from a day on, where their version is still the one that was read.

    Raises `ConflictError` for a row that somebody else has written since, `DataError` for a key that is not there.
    """
    layer, plan = batch.layer, Plan()
    _refuse_closed(batch)
    if "version" not in batch.columns:
        raise DataError("store.version_missing", layer=layer.name)
    for row, key in enumerate(batch.keys):
        given = batch.record(row)
        read = given.pop("version")
        given.pop("valid_to", None)
        old = latest.get(key)
        if old is None:
            raise DataError("store.key_unknown", layer=layer.name, key=key)
        if old["version"] != read:
            raise ConflictError("store.stale", layer=layer.name, key=key, read=read, now=old["version"])
        if valid_from is None:
            plan.corrections.append((old, _raised(layer, _merged(old, given))))
        else:
            given.pop("valid_from", None)
            plan.changes.append(_succession(layer, old, _merged(old, given), valid_from))
    return plan


def close(layer: Layer, record: Record, valid_to: dt.date) -> Record:
    """The row with its last day set; `DataError` if it would end before it began."""
    _refuse_backward(layer, record, valid_to)
    return {**record, "valid_to": valid_to}


def _opened(layer: Layer, given: Record, valid_from: dt.date | None) -> Record:
    record: Record = {column.name: None for column in layer.columns} | {"geometry": None, "extra": {}} | given
    if record["extra"] is None:
        record["extra"] = {}
    if layer.history:
        record |= {"valid_from": valid_from, "valid_to": None, "version": 1}
    if layer.geometry_required and record["geometry"] is None:
        raise DataError("store.no_geometry", layer=layer.name, key=record[layer.key])
    return record


def _merged(old: Record, given: Record) -> Record:
    return {**old, **given, "extra": {**old["extra"], **(given.get("extra") or {})}}


def _raised(layer: Layer, record: Record) -> Record:
    return {**record, "version": record["version"] + 1} if layer.history else record


def _succession(layer: Layer, old: Record, new: Record, valid_from: dt.date) -> Pair:
    closed = close(layer, old, valid_from)
    return closed, {**new, "valid_from": valid_from, "valid_to": None, "version": old["version"] + 1}


def _same(old: Record, new: Record) -> bool:
    return all(old[name] == value for name, value in new.items() if name != "geometry")


def _same_shapes(batch: Batch, latest: Mapping[str, Record]) -> Sequence[Any]:
    if batch.geometry is None:
        return [True] * len(batch.keys)
    before = np.empty(len(batch.keys), dtype=object)
    for row, key in enumerate(batch.keys):
        old = latest.get(key)
        before[row] = None if old is None else old["geometry"]
    neither = shapely.is_missing(before) & shapely.is_missing(batch.geometry)
    same: list[bool] = (shapely.equals_identical(before, batch.geometry) | neither).tolist()
    return same


def _refuse_closed(batch: Batch) -> None:
    for key, day in zip(batch.keys, batch.columns.get("valid_to", []), strict=False):
        if day is not None:
            raise DataError("store.closed_row", layer=batch.layer.name, key=key, day=day)


def _refuse_backward(layer: Layer, record: Record, day: dt.date) -> None:
    start = record["valid_from"]
    if start is not None and day <= start:
        raise DataError("store.before_start", layer=layer.name, key=record[layer.key], day=day, start=start)
