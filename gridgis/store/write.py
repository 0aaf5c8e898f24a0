"""One transaction on a workspace: everything in it becomes true together, or nothing does."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace as with_values
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
import sqlalchemy as sa

from gridgis.crs import crs_name, work_crs
from gridgis.errors import CrsError, DataError, GridgisError, WorkspaceError
from gridgis.layers import Layer
from gridgis.progress import Progress, silent
from gridgis.store import log
from gridgis.store.backend import CHUNK, Backend, Bounds, Rows, WorkspaceInfo
from gridgis.store.batch import Batch, Record, extra_text, read_batch
from gridgis.store.history import Counts, Pair, Plan, close, plan_update, plan_upsert
from gridgis.store.plans import PlanWriting
from gridgis.store.reading import Query, State, Where, conditions, count_rows, crs_text, kinds_of, layer_named, pieces, read_frame
from gridgis.store.schema import LATEST, PAST, SETTINGS, WORKSPACE

_WRITE_CHUNK: Final = 50_000
_MULTIPOINT: Final = 4


class Write(PlanWriting):
    """The right to write, held from `Workspace.write` until its block ends; not to be kept longer.

    A block that raises leaves no trace. Operations check all their rows before they write the first one.
    """

    def __init__(self, backend: Backend, connection: sa.Connection, state: State, author: log.Author) -> None:
        self._backend = backend
        self._connection = connection
        self._state = state
        self._author = author
        self._entries: list[log.Entry] = []
        self._touched: dict[str, sa.Table] = {}
        self._broken = False

    @property
    def info(self) -> WorkspaceInfo:
        """What the workspace is, as this transaction sees it."""
        return self._state.info

    # reading inside the transaction

    def read(
        self,
        layer: str,
        *,
        as_of: dt.date | None = None,
        bbox: Bounds | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> gpd.GeoDataFrame:
        """Rows as this transaction has left them so far; see `Workspace.read`."""
        query = Query(layer_named(layer), as_of, bbox, columns, where or {})
        return read_frame(self._backend, self._connection, self._state, query)

    def count(self, layer: str, *, as_of: dt.date | None = None, where: Where | None = None) -> int:
        """Number of rows as this transaction has left them so far; see `Workspace.count`."""
        query = Query(layer_named(layer), as_of, where=where or {})
        return count_rows(self._backend, self._connection, self._state, query)

    # the workspace itself

    def set_crs(self, crs: pyproj.CRS | str | int) -> None:
        """Fix the system geometry is stored in; refused once there is geometry in another one."""
        with self._operation():
            text = crs_text(pyproj.CRS.from_user_input(crs))
            wanted = work_crs(wish=text)
            now = self._state.info.crs
            if now == wanted:
                return
            if now is not None and self._has_geometry():
                raise CrsError("store.crs_fixed", crs=crs_name(wanted), workspace=crs_name(now))
            number = self._backend.register_crs(self._connection, wanted)
            self._set_workspace("crs", text, None if now is None else crs_text(now))
            self._connection.execute(sa.update(WORKSPACE).values(srs_id=number))
            self._state = with_values(self._state, info=with_values(self._state.info, crs=wanted), srs_id=number)

    def set_info(self, *, name: str | None = None, synthetic: bool | None = None) -> None:
        """Rename the workspace, or say whether its geometry is synthetic."""
        with self._operation():
            info = self._state.info
            if name is not None and name != info.name:
                self._set_workspace("name", name, info.name)
                info = with_values(info, name=name)
            if synthetic is not None and synthetic != info.synthetic:
                self._set_workspace("synthetic", int(synthetic), int(info.synthetic))
                info = with_values(info, synthetic=synthetic)
            self._state = with_values(self._state, info=info)

    def set_setting(self, key: str, value: str) -> None:
        """Keep a text under a name."""
        with self._operation():
            old = self._connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.key == key)).scalar()
            if old == value:
                return
            if old is None:
                self._connection.execute(sa.insert(SETTINGS).values(key=key, value=value))
            else:
                self._connection.execute(sa.update(SETTINGS).where(SETTINGS.c.key == key).values(value=value))
            before = None if old is None else {"value": old}
            self._entries.append(log.Entry("settings", "set", key, before, {"value": value}))
            self._touched[SETTINGS.name] = SETTINGS

    # rows

    def upsert(
        self, layer: str, frame: pd.DataFrame, *, valid_from: dt.date | None = None, progress: Progress = silent
    ) -> Counts:
        """Insert rows whose key is new, and bring the others up to date by key.

        Columns (and geometry) that the frame does not have keep their values. On a history layer a row that differs is
        corrected in place, or, with `valid_from`, changed from that day on; rows that are the same stay as they are.

        Raises `DataError` for the key of a row that was retired: it is never given again.
        """
        spec = layer_named(layer)
        with self._operation():
            batch = self._batch(spec, frame)
            latest = self._records(spec, batch.keys)
            plan = plan_upsert(batch, latest, valid_from=valid_from)
            self._refuse_retired(spec, [record[spec.key] for record in plan.inserts])
            self._apply(spec, plan, progress)
            if not spec.history:
                self._log_counts(spec, "upsert", plan.counts())
            return plan.counts()

    def replace(self, layer: str, frame: pd.DataFrame, *, where: Where | None = None, progress: Progress = silent) -> Counts:
        """Put a frame in the place of all rows, or of those that match `where`; the quick way for many rows.

        For layers without history. Columns that the frame does not have become empty.
        """
        spec = layer_named(layer)
        if spec.history:
            raise DataError("store.keeps_history", layer=layer)
        table = LATEST[layer]
        with self._operation():
            batch = self._batch(spec, frame)
            if spec.geometry_required and batch.geometry is None and batch.keys:
                raise DataError("store.no_geometry", layer=layer, key=batch.keys[0])
            if where:
                clauses = conditions(self._backend, self._state, Query(spec, where=where), table)
                self._refuse_taken(spec, batch.keys, clauses)
                deleted = self._backend.delete_where(self._connection, table, clauses)
            else:
                deleted = self._backend.delete_all(self._connection, table)
            self._insert_batch(table, batch, progress)
            self._touched[table.name] = table
            counts = Counts(inserted=len(batch.keys), deleted=deleted)
            self._log_counts(spec, "replace", counts)
            return counts

    def correct(self, layer: str, frame: pd.DataFrame) -> Counts:
        """Put right rows of a history layer in place; the frame has the `version` that was read.

        Raises `ConflictError` if a row was written since, `DataError` for a key that is not there.
        """
        return self._update(layer, frame, None)

    def change(self, layer: str, frame: pd.DataFrame, *, valid_from: dt.date) -> Counts:
        """Close rows of a history layer on a day and open their next versions; the frame has the `version` that was read.

        Raises `ConflictError` if a row was written since, `DataError` for a key that is not there or a day that is not
        after the one on which the row began.
        """
        return self._update(layer, frame, valid_from)

    def retire(self, layer: str, keys: Sequence[str], *, valid_to: dt.date) -> int:
        """End rows of a history layer: they are true up to the day before `valid_to`, and their keys are never given again."""
        spec = self._history_layer(layer)
        with self._operation():
            latest = self._records(spec, keys)
            closed = []
            for key in dict.fromkeys(keys):
                if key not in latest:
                    raise DataError("store.key_unknown", layer=layer, key=key)
                closed.append(close(spec, latest[key], valid_to))
            self._insert_records(PAST[layer], spec, closed)
            self._delete_keys(spec, [record[spec.key] for record in closed])
            for record in closed:
                before = log.row_image(latest[record[spec.key]])
                self._entries.append(log.Entry(layer, "retire", record[spec.key], before, log.row_image(record)))
            return len(closed)

    def delete(self, layer: str, keys: Sequence[str]) -> int:
        """Remove rows of a layer without history by key; how many there were."""
        spec = layer_named(layer)
        if spec.history:
            raise DataError("store.keeps_history", layer=layer)
        with self._operation():
            deleted = self._delete_keys(spec, list(dict.fromkeys(keys)))
            self._log_counts(spec, "delete", Counts(deleted=deleted))
            return deleted

    # the end

    def _finish(self) -> None:
        """Write log and revision; called by the workspace before it commits."""
        if self._broken:
            raise WorkspaceError("store.broken", place=self._backend.label)
        if self._entries:  # plans have a log and revisions of their own
            log.append(self._backend, self._connection, self._author, self._entries)
            self._connection.execute(sa.update(WORKSPACE).values(revision=self._author.revision))
        if self._touched:
            self._backend.finish(self._connection, list(self._touched.values()))

    # parts

    @contextmanager
    def _operation(self) -> Iterator[None]:
        try:
            yield
        except GridgisError as error:
            # our own refusals come before the first row is written; a cancelled or failed one may come after
            self._broken = self._broken or not isinstance(error, DataError | CrsError | WorkspaceError)
            raise
        except BaseException:
            self._broken = True
            raise

    def _batch(self, layer: Layer, frame: pd.DataFrame) -> Batch:
        return read_batch(layer, frame, self._state.info.crs)

    def _history_layer(self, layer: str) -> Layer:
        spec = layer_named(layer)
        if not spec.history:
            raise DataError("store.no_history", layer=layer)
        return spec

    def _update(self, layer: str, frame: pd.DataFrame, valid_from: dt.date | None) -> Counts:
        spec = self._history_layer(layer)
        with self._operation():
            batch = self._batch(spec, frame)
            plan = plan_update(batch, self._records(spec, batch.keys), valid_from=valid_from)
            self._apply(spec, plan)
            return plan.counts()

    def _apply(self, layer: Layer, plan: Plan, progress: Progress = silent) -> None:
        table = LATEST[layer.name]
        self._refuse_overlap(layer, plan.corrections)
        self._insert_records(table, layer, plan.inserts, progress)
        if plan.changes:
            self._insert_records(PAST[layer.name], layer, [old for old, _ in plan.changes])
        self._update_records(table, layer, [new for _, new in (*plan.corrections, *plan.changes)])
        if layer.history:
            for record in plan.inserts:
                self._entries.append(log.Entry(layer.name, "insert", record[layer.key], None, log.row_image(record)))
            self._log_pairs(layer, "correct", plan.corrections)
            self._log_pairs(layer, "change", plan.changes)

    def _log_pairs(self, layer: Layer, action: log.Action, pairs: Sequence[Pair]) -> None:
        for old, new in pairs:
            self._entries.append(log.Entry(layer.name, action, new[layer.key], log.row_image(old), log.row_image(new)))

    def _log_counts(self, layer: Layer, action: log.Action, counts: Counts) -> None:
        numbers = {name: getattr(counts, name) for name in ("inserted", "updated", "unchanged", "deleted")}
        if counts.inserted or counts.updated or counts.deleted:
            self._entries.append(log.Entry(layer.name, action, None, None, numbers))

    def _records(self, layer: Layer, keys: Sequence[str]) -> dict[str, Record]:
        """The latest rows of some keys."""
        if not keys:
            return {}
        query = Query(layer, where={layer.key: list(keys)})
        records: dict[str, Record] = {}
        for piece in pieces(self._backend, self._connection, self._state, query):
            names = list(piece.columns)
            for *values, shape, text in zip(*piece.columns.values(), piece.shapes, piece.extra, strict=True):
                record: Record = dict(zip(names, values, strict=True))
                record |= {"geometry": shape, "extra": json.loads(text) if text else {}}
                records[record[layer.key]] = record
        return records

    def _insert_batch(self, table: sa.Table, batch: Batch, progress: Progress) -> None:
        self._loosen(table, batch.layer, batch.geometry)
        total, texts = len(batch.keys), batch.extra_texts()

        def chunks() -> Iterator[Rows]:
            for start in range(0, total, _WRITE_CHUNK):
                part = slice(start, start + _WRITE_CHUNK)
                columns = {name: values[part] for name, values in batch.columns.items()}
                shapes = None if batch.geometry is None else batch.geometry[part]
                yield self._encoded(batch.layer, columns, shapes, texts[part])

        if total:
            self._backend.insert(self._connection, table, chunks(), total, progress)

    def _insert_records(self, table: sa.Table, layer: Layer, records: Sequence[Record], progress: Progress = silent) -> None:
        if not records:
            return
        self._touched[table.name] = table

        def chunks() -> Iterator[Rows]:
            for start in range(0, len(records), _WRITE_CHUNK):
                yield self._encoded_records(table, layer, records[start : start + _WRITE_CHUNK])

        self._backend.insert(self._connection, table, chunks(), len(records), progress)

    def _update_records(self, table: sa.Table, layer: Layer, records: Sequence[Record]) -> None:
        if not records:
            return
        self._touched[table.name] = table
        rows = self._encoded_records(table, layer, records)
        names = [name for name in rows.columns if name != layer.key]
        statement = (
            sa.update(table)
            .where(table.c[layer.key] == sa.bindparam(f"b_{layer.key}"))
            .values({name: sa.bindparam(f"b_{name}") for name in names})
        )
        bound = [f"b_{name}" for name in rows.columns]
        values = zip(*rows.columns.values(), strict=True)
        self._connection.execute(statement, [dict(zip(bound, row, strict=True)) for row in values])

    def _encoded_records(self, table: sa.Table, layer: Layer, records: Sequence[Record]) -> Rows:
        columns = {name: [record[name] for record in records] for name in kinds_of(layer)}
        shapes = np.empty(len(records), dtype=object)
        shapes[:] = [record["geometry"] for record in records]
        self._loosen(table, layer, shapes)
        return self._encoded(layer, columns, shapes, [extra_text(record["extra"]) for record in records])

    def _encoded(self, layer: Layer, columns: Mapping[str, list[Any]], shapes: Any, extra: list[str | None]) -> Rows:
        kinds = kinds_of(layer)
        encoded: dict[str, Sequence[Any]] = {name: self._backend.encode(kinds[name], values) for name, values in columns.items()}
        boxes = None
        if shapes is not None:
            encoded["geom"], boxes = self._backend.encode_geometry(layer, shapes, srs_id=self._state.srs_id)
        if any(extra):
            encoded["extra"] = extra
        return Rows(encoded, boxes)

    def _loosen(self, table: sa.Table, layer: Layer, shapes: Any) -> None:
        if layer.shape == "point" and shapes is not None and (shapely.get_type_id(shapes) == _MULTIPOINT).any():
            self._backend.loosen(self._connection, table)

    def _delete_keys(self, layer: Layer, keys: Sequence[str]) -> int:
        table = LATEST[layer.name]
        if not keys:
            return 0
        self._touched[table.name] = table
        return self._backend.delete_where(self._connection, table, [self._backend.member(table.c[layer.key], keys)])

    def _refuse_retired(self, layer: Layer, keys: Sequence[str]) -> None:
        if not layer.history or not keys:
            return
        column = PAST[layer.name].c[layer.key]
        found = self._connection.execute(sa.select(column).where(self._backend.member(column, keys)).limit(1)).scalar()
        if found is not None:
            raise DataError("store.key_retired", layer=layer.name, key=found)

    def _refuse_overlap(self, layer: Layer, corrections: Sequence[Pair]) -> None:
        moved = {new[layer.key]: new["valid_from"] for old, new in corrections if old.get("valid_from") != new.get("valid_from")}
        if not moved:
            return
        past = PAST[layer.name]
        key, end = past.c[layer.key], sa.func.max(past.c.valid_to)
        ends = self._connection.execute(sa.select(key, end).where(self._backend.member(key, list(moved))).group_by(key)).all()
        for name, stored in ends:
            (last,) = self._backend.decode("date", [stored])
            if last is not None and (moved[name] is None or moved[name] < last):
                raise DataError("store.overlaps_past", layer=layer.name, key=name, day=moved[name] or "–", end=last)

    def _refuse_taken(self, layer: Layer, keys: Sequence[str], clauses: Sequence[sa.ColumnElement[bool]]) -> None:
        column = LATEST[layer.name].c[layer.key]
        for start in range(0, len(keys), CHUNK):
            wanted = self._backend.member(column, keys[start : start + CHUNK])
            stays = sa.not_(sa.func.coalesce(sa.and_(*clauses), sa.false()))
            found = self._connection.execute(sa.select(column).where(wanted, stays).limit(1)).scalar()
            if found is not None:
                raise DataError("store.key_taken", layer=layer.name, key=found)

    def _has_geometry(self) -> bool:
        tables = [*LATEST.values(), *PAST.values()]
        return any(
            self._connection.execute(sa.select(table.c.fid).where(table.c.geom.is_not(None)).limit(1)).first() for table in tables
        )

    def _set_workspace(self, name: str, value: str | int, old: str | int | None) -> None:
        self._connection.execute(sa.update(WORKSPACE).values({name: value}))
        self._entries.append(log.Entry("workspace", "set", name, {"value": old}, {"value": value}))
        self._touched[WORKSPACE.name] = WORKSPACE
