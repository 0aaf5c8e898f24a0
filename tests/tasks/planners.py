"""A planner at work in a process of its own: real operations, committed into a plan that others change at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import gridgis
from gridgis.errors import ConflictError, GridgisError
from gridgis.redraw.operations import apply, from_json
from gridgis.redraw.partition import Partition, partition_of
from gridgis.store import Image, NewEntry, Workspace, images_of, rows_of

PLAN = "new borders"


def partition_now(workspace: Workspace, area: str) -> tuple[Partition, int]:
    """The plan's grids as its log has them, and the number of its last entry."""
    state: dict[str, Image | None] = {}
    entries = workspace.plan_entries(PLAN)
    for entry in entries:
        state |= entry.images or {}
    return partition_of(rows_of(state, crs=workspace.info.crs), area=area), entries[-1].seq


def commit(workspace: Workspace, op: dict[str, Any], *, area: str, who: str, why: str) -> int:
    """Apply an operation to the plan as it is, again after each time somebody was quicker; how often that was."""
    refused = 0
    while True:
        before, rev = partition_now(workspace, area)
        edit = apply(before, from_json(op))
        rows = images_of(edit.partition.frame())
        images = {code: rows.get(code) for code in edit.changes}
        try:
            with workspace.write(who=who, why=why, wait_s=60) as write:
                write.append_plan(PLAN, [NewEntry("edit", area=area, op=op, images=images)], rev=rev)
        except ConflictError as error:
            if error.key != "plans.moved":
                raise
            refused += 1
        else:
            return refused


def work(url: str, ready: Connection, area: str, who: str, operations: Sequence[dict[str, Any]]) -> None:
    """Commit operations one after the other; by reason, what became of each: how often refused, or why for good."""
    found: dict[str, int | str] = {}
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        ready.recv()  # all begin together
        for number, op in enumerate(operations):
            why = f"{who}-{number}"
            try:
                found[why] = commit(workspace, op, area=area, who=who, why=why)
            except GridgisError as error:
                found[why] = error.key
    ready.send(found)
    ready.recv()
