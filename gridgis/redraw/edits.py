"""What an operation gives back, and the work sheet that becomes it: who holds which pieces of ground afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.faces import dissolve, faces
from gridgis.redraw.noding import Floats, weave
from gridgis.redraw.numbering import next_code, next_name
from gridgis.redraw.partition import Outline, Partition, Shapes, frozen_shapes
from gridgis.redraw.refusal import Refused

Role = Literal["created", "retired", "gained", "lost", "reshaped", "touched"]
Kind = Literal["split from", "merged into", "cut from"]

FREE = ""
"""Stands for the ground nobody holds where a code is asked for."""
_INHERITED = ("area_code", "station", "batch", "opened_on", "state")


@dataclass(frozen=True, slots=True)
class Change:
    """One grid that is not the same bits afterwards."""

    role: Role
    """`touched`: its border only has a vertex more."""
    before: BaseGeometry | None
    """None: it is new."""
    after: BaseGeometry | None
    """None: it is gone."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a code comes from or went to: `code` `kind` `parent`."""

    code: str
    parent: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Note:
    """Something done that the planner should know: a message key and its values."""

    key: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Edit:
    """The outcome of an operation."""

    partition: Partition
    changes: Mapping[str, Change]
    lineage: tuple[Lineage, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class Sheet:
    """An operation at work: the members of a partition, woven, and the pieces each code ends up with."""

    partition: Partition
    taken: frozenset[str]
    members: Shapes
    """Grids, free ground, the outline: shape (n + m + 1,)."""
    lines: Floats
    pieces: dict[str, list[BaseGeometry]] = field(default_factory=dict)
    """Of codes that change (`""` for free ground): what they hold now."""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Attributes of new codes."""
    gone: set[str] = field(default_factory=set)
    lineage: list[Lineage] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def woven(self, position: int) -> BaseGeometry:
        """A member with the lines' vertices in it."""
        shape: BaseGeometry = self.members[position]
        return shape

    def faces_of(self, code: str) -> list[shapely.Polygon]:
        """What the lines cut a grid (or, for `""`, the free ground) into."""
        if code == FREE:
            count = len(self.partition.codes)
            return [face for shape in self.members[count:-1] for face in faces(shape, self.lines)]
        return faces(self.members[self.partition.position(code)], self.lines)

    def held(self, code: str) -> list[BaseGeometry]:
        """The pieces a code holds now, to be changed in place."""
        if code not in self.pieces:
            count = len(self.partition.codes)
            whole = self.members[count:-1] if code == FREE else [self.members[self.partition.position(code)]]
            self.pieces[code] = list(whole)
        return self.pieces[code]

    def new_grid(self, parent: str | None, *, code: str | None = None, name: str | None = None) -> str:
        """A code and a row for a new grid, after its parent's; None: after most grids of the area."""
        table = self.partition.attributes
        here = [*self.partition.codes, *self.rows]
        if code is None:
            code = next_code(here, taken=self.taken, area=self.partition.area)
        elif code in here or code in self.taken:
            raise Refused("redraw.code_taken", codes=(code,), code=code)
        row: dict[str, Any] = dict.fromkeys(table.columns)
        for column in table.columns.intersection(list(_INHERITED)):
            values = table[column].dropna()
            row[column] = table.loc[parent, column] if parent else (values.mode().iloc[0] if len(values) else None)
        if "name" in table.columns:
            names = [*table["name"], *(other.get("name") for other in self.rows.values())]
            row["name"] = name or next_name(names, code, area=self.partition.area)
        self.rows[code] = row
        return code

    def finish(self, *, exclaves: bool) -> Edit:
        """Put the pieces together."""
        before = self.partition
        shapes: dict[str, BaseGeometry | None] = dict.fromkeys(self.gone)
        for position, code in enumerate(before.codes):
            if code not in self.gone and self.members[position] is not before.shapes[position]:
                shapes[code] = self.members[position]
        free = list(self.members[len(before.codes) : -1])
        for code, pieces in self.pieces.items():
            if code == FREE:
                free = list(shapely.get_parts(dissolve(pieces))) if pieces else []
            elif code not in self.gone:
                if not pieces:
                    raise Refused("redraw.nothing_left", codes=(code,), place=before.shape(code), code=code)
                shapes[code] = dissolve(pieces)
                _require_connected(code, shapes[code], before, exclaves=exclaves)
        after = before.with_ground(
            shapes, free=free, outline=self.members[-1], attributes=_table(before.attributes, self.gone, self.rows)
        )
        moved = self.pieces.keys()
        changes = {code: _change(before, code, shape, moved=code in moved) for code, shape in shapes.items()}
        return Edit(after, MappingProxyType(changes), tuple(self.lineage), tuple(self.notes))


def open_sheet(partition: Partition, taken: Iterable[str], lines: list[Floats]) -> Sheet:
    """A work sheet with lines woven in.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> sheet = open_sheet(partition_of(toy.grids(), area=toy.TOWN), (), [])
    >>> len(sheet.members), sheet.new_grid("G1")
    (4, 'G4')
    """
    members = frozen_shapes([*partition.shapes, *partition.free, partition.outline])
    woven = weave(members, lines, outline=len(members) - 1)
    return Sheet(partition=partition, taken=frozenset(taken), members=woven.members, lines=woven.lines)


def edit_of(before: Partition, shapes: Mapping[str, BaseGeometry], free: Iterable[BaseGeometry], outline: Outline) -> Edit:
    """The edit in which shapes changed their vertices and nothing else.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> edit_of(town, {}, town.free, town.outline).changes
    mappingproxy({})
    """
    after = before.with_ground(shapes, free=free, outline=outline)
    changes = {code: Change("reshaped", before.shape(code), shape) for code, shape in shapes.items()}
    return Edit(after, MappingProxyType(changes))


def _change(before: Partition, code: str, after: BaseGeometry | None, *, moved: bool) -> Change:
    if code not in before.codes:
        return Change("created", None, after)
    old = before.shape(code)
    if after is None:
        return Change("retired", old, None)
    if not moved:
        return Change("touched", old, after)
    # a piece that was given and none taken: what is left lies in what was there, but for the millimetre of rounding
    slack = 0.002 * (old.length + after.length) + 1e-6
    if after.area > old.area and shapely.difference(old, after).area <= slack:
        return Change("gained", old, after)
    if after.area < old.area and shapely.difference(after, old).area <= slack:
        return Change("lost", old, after)
    return Change("reshaped", old, after)


def _require_connected(code: str, shape: BaseGeometry | None, before: Partition, *, exclaves: bool) -> None:
    parts = shapely.get_num_geometries(shape)
    if exclaves or parts == 1 or (code in before.codes and parts <= shapely.get_num_geometries(before.shape(code))):
        return
    pieces = sorted(shapely.get_parts(shape), key=lambda part: float(part.area))
    off = round(sum(float(part.area) for part in pieces[:-1]), 1)
    raise Refused("redraw.torn", codes=(code,), place=pieces[0], code=code, parts=int(parts), area=off)


def _table(table: pd.DataFrame, gone: set[str], rows: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame | None:
    if not gone and not rows:
        return None
    kept = table.drop(index=list(gone)) if gone else table
    if not rows:
        return kept
    new = pd.DataFrame(
        {column: pd.Series([row.get(str(column)) for row in rows.values()], index=list(rows), dtype=object) for column in table},
        index=pd.Index(list(rows), name=table.index.name),
    )
    joined = {
        column: pd.Series([*kept[column], *new[column]], index=[*kept.index, *new.index], dtype=_dtype(kept[column]))
        for column in table
    }
    return pd.DataFrame(joined, index=pd.Index([*kept.index, *new.index], name=table.index.name))


def _dtype(column: pd.Series[Any]) -> Any:
    """The column's own type where it can say "none", else object or float."""
    if column.dtype.kind in "iu" and isinstance(column.dtype, np.dtype):
        return "float64"
    return object if column.dtype == bool else column.dtype
