"""A planner at work in a process of its own: real operations, committed into a plan that others change at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import gridgis
from gridgis.errors import GridgisError
from gridgis.redraw.operations import from_json
from gridgis.tasks import redrawing

PLAN = "new borders"


def work(url: str, ready: Connection, area: str, who: str, operations: Sequence[dict[str, Any]]) -> None:
    """Commit operations one after the other; by reason, what became of each: "done", or why it was refused."""
    found: dict[str, str] = {}
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        ready.recv()  # all begin together
        for number, op in enumerate(operations):
            why = f"{who}-{number}"
            try:
                redrawing.edit(workspace, from_json(op), area=area, plan=PLAN, who=who, why=why)
                found[why] = "done"
            except GridgisError as error:
                found[why] = error.key
    ready.send(found)
    ready.recv()
