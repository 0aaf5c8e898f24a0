"""Plans of redraw: named drafts, each an append-only log that nothing enters but at the revision its writer knew."""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import pandas as pd
import shapely
import sqlalchemy as sa

from gridgis.errors import ConflictError, DataError
from gridgis.store import lineage
from gridgis.store.backend import Backend
from gridgis.store.images import Images
from gridgis.store.log import Author
from gridgis.store.reading import layer_named
from gridgis.store.schema import LATEST, LINEAGE, PAST, PLAN_ENTRIES, PLANS
from gridgis.store.values import instant_text, plain

PlanState = Literal["draft", "published", "discarded"]
EntryKind = Literal[
    "base", "edit", "undo", "redo", "lock", "unlock", "rebase", "repair", "approve", "publish", "discard", "revert"
]


@dataclass(frozen=True, slots=True)
class EntryRule:
    """What an entry of a kind is, and what it cannot be without."""

    says: str
    """What it means, in words."""
    needs: tuple[str, ...] = ()
    """Fields that may not be missing."""


KINDS: Final[Mapping[EntryKind, EntryRule]] = MappingProxyType(
    {
        "base": EntryRule("rows of an area as they were when the plan took it up", ("images",)),
        "edit": EntryRule("an operation, and the rows of every grid it touched, afterwards", ("op", "images")),
        "undo": EntryRule("an edit is taken back", ("target",)),
        "redo": EntryRule("an edit that was taken back holds again", ("target",)),
        "lock": EntryRule("grids are finished: no operation may touch them"),
        "unlock": EntryRule("grids may be touched again"),
        "rebase": EntryRule("the live rows changed under the plan: rows of an area as they are now"),
        "repair": EntryRule("dirty borders made a coverage, and the rows it touched, afterwards"),
        "approve": EntryRule("a second person agrees"),
        "publish": EntryRule("the plan became the live grids"),
        "discard": EntryRule("the plan was given up"),
        "revert": EntryRule("a published plan is taken back by this one"),
    }
)


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan, without its entries."""

    name: str
    """Its name, unique in the workspace."""
    state: PlanState
    """`draft` can be edited; the other two are final."""
    rev: int
    """Number of its last entry, 0 before the first; every change of the plan raises it."""
    created_at: dt.datetime
    """When it was made, UTC."""
    created_by: str
    """Who made it."""
    note: str
    """What it is for; may be empty."""
    published_on: dt.date | None
    """The day from which its grids hold; None unless it is published."""
    published_by: str | None
    """Who published it."""
    published_at: dt.datetime | None
    """When that was done, UTC."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry on its way into a plan; author, reason and moment are those of the write."""

    kind: EntryKind
    """What it is; see `KINDS`."""
    area: str | None = None
    """Code of the area it is about."""
    op: Mapping[str, Any] | None = None
    """The operation as JSON has it."""
    images: Images | None = None
    """Rows by code as they are afterwards, None for a code that is gone; None as a whole if no row changed."""
    target: int | None = None
    """Number of the entry that is undone or redone."""
    why: str | None = None
    """Its own reason; None for that of the write."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """An entry of a plan, as it was appended."""

    seq: int
    """Its number, from 1 without gaps."""
    kind: EntryKind
    """What it is; see `KINDS`."""
    at: dt.datetime
    """When, UTC."""
    who: str
    """Its author."""
    why: str
    """The reason given."""
    area: str | None
    """Code of the area it is about."""
    op: dict[str, Any] | None
    """The operation as JSON has it."""
    images: Images | None
    """Rows by code as they are afterwards (`images.rows_of` makes a frame of them), None for a code that is gone."""
    target: int | None
    """Number of the entry that is undone or redone."""


class PlanReading:
    """What a workspace says of its plans."""

    _backend: Backend

    def plans(self) -> tuple[PlanRow, ...]:
        """All plans, in the order they were made."""
        with self._backend.reading() as connection:
            return _plans(self._backend, connection)

    def plan(self, name: str) -> PlanRow:
        """One plan; `DataError`, with the names there are, if there is none of that name."""
        with self._backend.reading() as connection:
            return _plan(self._backend, connection, name)

    def plan_rev(self, name: str) -> int:
        """Number of a plan's last entry: what a page asks for to see whether it is up to date."""
        with self._backend.reading() as connection:
            rev = connection.execute(sa.select(PLANS.c.rev).where(PLANS.c.name == name)).scalar()
            return int(rev) if rev is not None else _plan(self._backend, connection, name).rev

    def plan_entries(self, name: str, *, since: int = 0) -> tuple[PlanEntry, ...]:
        """The entries of a plan with numbers above `since`, oldest first."""
        with self._backend.reading() as connection:
            return _entries(self._backend, connection, name, since)

    def drafted_codes(self) -> frozenset[str]:
        """Every code an edit of some draft named: no new grid of another plan should get it."""
        with self._backend.reading() as connection:
            return _drafted(self._backend, connection)

    def used_codes(self, layer: str) -> frozenset[str]:
        """Every code a layer that keeps history ever had, in the latest rows or the past ones: none is given again."""
        key = layer_named(layer).key
        with self._backend.reading() as connection:
            tables = (LATEST[layer], PAST[layer])
            return frozenset(code for table in tables for code in connection.execute(sa.select(table.c[key])).scalars())

    def lineage(self, *, codes: Sequence[str] | None = None) -> pd.DataFrame:
        """Where grids came from: columns code, parent, kind, on (the day it took effect), plan; oldest first.

        A row reads "`code` was `kind` `parent`". With `codes`, the rows that name one of them on either side.
        """
        with self._backend.reading() as connection:
            return lineage.read(self._backend, connection, codes)


class PlanWriting(ABC):
    """What a write does to plans: with its guarantees, but the workspace's revision and change log stay as they are."""

    _backend: Backend
    _connection: sa.Connection
    _author: Author
    _touched: dict[str, sa.Table]

    @abstractmethod
    def _operation(self) -> AbstractContextManager[None]: ...

    def plan(self, name: str) -> PlanRow:
        """A plan as this transaction has left it so far; see `Workspace.plan`."""
        return _plan(self._backend, self._connection, name)

    def plan_entries(self, name: str, *, since: int = 0) -> tuple[PlanEntry, ...]:
        """Entries as this transaction has left them so far; see `Workspace.plan_entries`."""
        return _entries(self._backend, self._connection, name, since)

    def add_plan(self, name: str, *, note: str = "") -> PlanRow:
        """A new, empty draft; `DataError` if the name is blank or taken, by a closed plan too."""
        with self._operation():
            if not name.strip():
                raise DataError("plans.no_name")
            taken = next((plan for plan in _plans(self._backend, self._connection) if plan.name == name), None)
            if taken is not None:
                raise DataError("plans.taken", plan=name, who=taken.created_by)
            (at,) = self._backend.encode("time", [self._author.at])
            row = {"name": name, "state": "draft", "rev": 0, "note": note, "created_at": at, "created_by": self._author.who}
            self._connection.execute(sa.insert(PLANS).values(row))
            self._touched[PLANS.name] = PLANS
            return self.plan(name)

    def append_plan(self, name: str, entries: Sequence[NewEntry], *, rev: int) -> int:
        """Add entries to a draft whose last entry has the number `rev`; the number of the last one added.

        Raises
        ------
        ConflictError
            If somebody appended since: nothing was added; read the plan again and repeat the edit.
        DataError
            If the plan is no draft, or an entry lacks what its kind needs.
        """
        with self._operation():
            plan = _draft(self._backend, self._connection, name)
            if plan.rev != rev:
                raise _moved(self._backend, self._connection, plan, rev)
            (at,) = self._backend.encode("time", [self._author.at])
            rows = [
                {"plan": name, "seq": seq, "at": at, "who": self._author.who, "why": self._author.why} | _fields(name, seq, entry)
                for seq, entry in enumerate(entries, start=rev + 1)
            ]
            if not rows:
                return rev
            self._connection.execute(sa.insert(PLAN_ENTRIES), rows)
            self._connection.execute(sa.update(PLANS).where(PLANS.c.name == name).values(rev=rev + len(rows)))
            self._touched |= {table.name: table for table in (PLANS, PLAN_ENTRIES)}
            return rev + len(rows)

    def close_plan(self, name: str, *, state: Literal["published", "discarded"], on: dt.date | None = None) -> None:
        """End a draft for good; a published one with the day from which its grids hold."""
        with self._operation():
            _draft(self._backend, self._connection, name)
            values: dict[str, Any] = {"state": state}
            if state == "published":
                if on is None:
                    raise DataError("plans.no_day", plan=name)
                (day,), (at,) = self._backend.encode("date", [on]), self._backend.encode("time", [self._author.at])
                values |= {"published_on": day, "published_at": at, "published_by": self._author.who}
            self._connection.execute(sa.update(PLANS).where(PLANS.c.name == name).values(values))
            self._touched[PLANS.name] = PLANS

    def add_lineage(self, frame: pd.DataFrame) -> int:
        """Add rows of code, parent, kind, on and (it may be missing) plan; how many. They are never changed again."""
        with self._operation():
            count = lineage.append(self._backend, self._connection, frame)
            if count:
                self._touched[LINEAGE.name] = LINEAGE
            return count


# reading


def _plans(backend: Backend, connection: sa.Connection, name: str | None = None) -> tuple[PlanRow, ...]:
    statement = sa.select(*(PLANS.c[field] for field in PlanRow.__dataclass_fields__)).order_by(PLANS.c.fid)
    if name is not None:
        statement = statement.where(PLANS.c.name == name)
    found = []
    for row in connection.execute(statement).mappings():
        created, published = backend.decode("time", [row["created_at"], row["published_at"]])
        (day,) = backend.decode("date", [row["published_on"]])
        times = {"created_at": _utc(created), "published_at": _utc(published), "published_on": day}
        found.append(PlanRow(**{**row, **times}))
    return tuple(found)


def _plan(backend: Backend, connection: sa.Connection, name: str) -> PlanRow:
    found = _plans(backend, connection, name)
    if found:
        return found[0]
    there = [plan.name for plan in _plans(backend, connection)]
    raise DataError("plans.unknown", plan=name, plans=", ".join(there)) if there else DataError("plans.none", plan=name)


def _draft(backend: Backend, connection: sa.Connection, name: str) -> PlanRow:
    plan = _plan(backend, connection, name)
    if plan.state != "draft":
        raise DataError(f"plans.is_{plan.state}", plan=name)
    return plan


def _entries(backend: Backend, connection: sa.Connection, name: str, since: int) -> tuple[PlanEntry, ...]:
    _plan(backend, connection, name)
    columns = [PLAN_ENTRIES.c[field] for field in PlanEntry.__dataclass_fields__]
    statement = sa.select(*columns).where(PLAN_ENTRIES.c.plan == name, PLAN_ENTRIES.c.seq > since).order_by(PLAN_ENTRIES.c.seq)
    rows = connection.execute(statement).all()
    times = backend.decode("time", [row.at for row in rows])
    return tuple(
        PlanEntry(
            seq=row.seq,
            kind=cast("EntryKind", row.kind),
            at=cast("dt.datetime", _utc(at)),
            who=row.who,
            why=row.why,
            area=row.area,
            op=json.loads(row.op) if row.op else None,
            images=json.loads(row.images) if row.images else None,
            target=row.target,
        )
        for row, at in zip(rows, times, strict=True)
    )


def _drafted(backend: Backend, connection: sa.Connection) -> frozenset[str]:
    if backend.kind == "geopackage":
        codes = sa.func.json_each(PLAN_ENTRIES.c.images).table_valued("key")
    else:
        codes = sa.func.json_object_keys(sa.cast(PLAN_ENTRIES.c.images, sa.JSON)).table_valued("key").render_derived()
    drafts = sa.and_(PLANS.c.name == PLAN_ENTRIES.c.plan, PLANS.c.state == "draft")
    edits = (PLAN_ENTRIES.c.images.is_not(None), PLAN_ENTRIES.c.kind != "base")
    statement = (
        sa.select(codes.c.key).distinct().select_from(PLAN_ENTRIES.join(PLANS, drafts).join(codes, sa.true())).where(*edits)
    )
    return frozenset(connection.execute(statement).scalars())


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return None if moment is None else moment.astimezone(dt.UTC)


# writing


def _moved(backend: Backend, connection: sa.Connection, plan: PlanRow, expected: int) -> ConflictError:
    who, at = plan.created_by, plan.created_at
    last = _entries(backend, connection, plan.name, plan.rev - 1)
    if last:
        who, at = last[-1].who, last[-1].at
    return ConflictError("plans.moved", plan=plan.name, expected=expected, found=plan.rev, who=who, at=instant_text(at))


def _fields(plan: str, seq: int, entry: NewEntry) -> dict[str, Any]:
    """What an entry says, as the table takes it."""
    rule = KINDS.get(entry.kind)
    if rule is None:
        raise DataError("plans.unknown_kind", plan=plan, kind=entry.kind, kinds=", ".join(KINDS))
    missing = [name for name in rule.needs if getattr(entry, name) is None]
    if missing:
        raise DataError("plans.lacks", plan=plan, seq=seq, kind=entry.kind, field=missing[0])
    if entry.target is not None and not 0 < entry.target < seq:
        raise DataError("plans.bad_target", plan=plan, seq=seq, kind=entry.kind, target=entry.target)
    fields: dict[str, Any] = {"kind": entry.kind, "area": entry.area, "target": entry.target}
    if entry.why is not None:
        fields["why"] = entry.why
    return fields | {name: _text(plan, seq, name, value) for name, value in (("op", entry.op), ("images", entry.images))}


def _text(plan: str, seq: int, field: str, value: Mapping[str, Any] | None) -> str | None:
    if value is None:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:  # a number that is none, or a value JSON has no word for
        raise DataError("plans.bad_value", plan=plan, seq=seq, field=field, reason=str(error)) from error


def _plain(value: Any) -> Any:
    return shapely.to_wkb(value, hex=True) if isinstance(value, shapely.Geometry) else plain(value)
