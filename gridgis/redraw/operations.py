"""Apply an operation to a partition: the one door through which ground changes hands, with every rule checked behind it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields

import shapely

from gridgis.redraw.cutting import reshape, split
from gridgis.redraw.edits import Change, Edit, Lineage, Note
from gridgis.redraw.ground import assign, create, merge, retire
from gridgis.redraw.invariants import broken
from gridgis.redraw.partition import Partition
from gridgis.redraw.refusal import Refused
from gridgis.redraw.verbs import (
    OPERATIONS,
    AddVertex,
    Assign,
    Create,
    DeleteVertex,
    Merge,
    MoveVertex,
    Operation,
    Reshape,
    Retire,
    Split,
    from_json,
    line_of,
    rings_of,
    to_json,
)
from gridgis.redraw.vertices import add_vertex, delete_vertex, move_vertex

__all__ = [
    "OPERATIONS", "AddVertex", "Assign", "Change", "Create", "DeleteVertex", "Edit", "Lineage", "Merge", "MoveVertex", "Note",
    "Operation", "Reshape", "Retire", "Split", "apply", "from_json", "line_of", "rings_of", "to_json",
]  # fmt: skip


def apply(
    partition: Partition,
    op: Operation,
    *,
    taken: Collection[str] = frozenset(),
    anchors: Mapping[str, shapely.Point] | None = None,
) -> Edit:
    """The partition after an operation, and what changed; refused if any rule of `invariants` would be broken.

    Parameters
    ----------
    partition
        What the operation works on; untouched.
    op
        With coordinates in the partition's CRS.
    taken
        Codes outside the partition that were ever given (void, of other areas) or are drafted: new grids get none of them.
    anchors
        Of grids, the point of their station: the part that holds it keeps the code. Grids without one keep the largest part.

    Returns
    -------
    Edit
        `changes` names every grid that is not the same bits; `lineage` where new and gone codes come from and went to;
        `notes` what was done that was not asked for. Population and households are as they stood: `figures` counts them anew.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> edit = apply(town, Merge(("G2", "G3")))
    >>> {code: change.role for code, change in edit.changes.items()}, edit.lineage
    ({'G3': 'retired', 'G2': 'gained'}, (Lineage(code='G3', parent='G2', kind='merged into'),))
    """
    for number in (number for field in fields(op) for number in _numbers(getattr(op, field.name))):
        if not math.isfinite(number):
            raise Refused("redraw.unreadable_operation", do=op.do, place=partition.outline, reason=f"{number} is no coordinate")
    edit = _do(partition, op, frozenset(taken), anchors or {})
    freed = (op.grid,) if isinstance(op, Retire) and op.to == "free" else ()
    problems = broken(
        edit.partition,
        before=partition,
        exclaves=getattr(op, "exclaves", False),
        void=frozenset(taken) - {*partition.codes},
        freed=freed,
    )
    if problems:
        first = problems[0]
        grids = ", ".join(code for code in first.codes if code) or "–"
        raise Refused(
            f"redraw.broken_{first.rule}", codes=(c for c in first.codes if c), place=first.place, grids=grids, **first.facts
        )
    return edit


def _do(partition: Partition, op: Operation, taken: frozenset[str], anchors: Mapping[str, shapely.Point]) -> Edit:
    match op:
        case Split():
            return split(partition, op, taken=taken, anchors=anchors)
        case Merge():
            return merge(partition, op, taken=taken)
        case Reshape():
            return reshape(partition, op, taken=taken, anchors=anchors)
        case Assign():
            return assign(partition, op, taken=taken)
        case Create():
            return create(partition, op, taken=taken)
        case Retire():
            return retire(partition, op, taken=taken)
        case MoveVertex():
            return move_vertex(partition, op)
        case AddVertex():
            return add_vertex(partition, op)
        case DeleteVertex():
            return delete_vertex(partition, op)


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
