"""What runs in processes of its own: writers that are killed, and writers that hold the lock."""

from __future__ import annotations

import datetime as dt
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import shapely

import gridgis
from gridgis import toy
from gridgis.errors import ConflictError
from gridgis.store import NewEntry, Workspace, images_of, migrations
from gridgis.tasks import plans
from tests.store.frames import cells


def replace_for_ever(url: str, ready: Connection) -> None:
    """Replace all cells again and again, each generation with its own mark and a part edited row by row."""
    with gridgis.open_workspace(url) as workspace:
        generation = workspace.revision
        ready.send("ready")
        while True:
            generation += 1
            with workspace.write(who="worker", why=str(generation)) as write:
                write.replace("unit_cells", cells(80, 50, mark=float(generation)))
                write.upsert("unit_cells", cells(40, 1, mark=float(generation), area=toy.EAST))


def edit_for_ever(url: str, ready: Connection) -> None:
    """Change all grids again and again, a day later each time."""
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        day = max((day for day in workspace.read("grids")["valid_from"] if day), default=dt.date(2012, 1, 1))
        while True:
            day += dt.timedelta(days=1)
            with workspace.write(who="worker", why="shift") as write:
                write.upsert("grids", toy.grids().assign(officer=str(workspace.revision + 1)), valid_from=day)
                write.set_setting("generation", str(workspace.revision + 1))


def open_slowly(url: str, ready: Connection, folder: str, head: str) -> None:
    """Open with a program that knows a newer schema: a migration."""
    migrations.FOLDER, migrations.HEAD = Path(folder), head
    ready.send("ready")
    gridgis.open_workspace(url).close()


def create_for_ever(url: str, ready: Connection) -> None:
    """Make the same workspace over and over, under names that count up."""
    ready.send("ready")
    number = 0
    while True:
        number += 1
        gridgis.create_workspace(url.format(number), crs=toy.CRS).close()


def hold(url: str, ready: Connection, seconds: float) -> None:
    """Write something and hold the right to write for a while before committing."""
    with gridgis.open_workspace(url) as workspace, workspace.write(who="holder", why="slow") as write:
        write.upsert("grids", pd.DataFrame({"code": ["G1"], "officer": ["held"]}))
        ready.send("ready")
        time.sleep(seconds)


def read_for_a_while(url: str, ready: Connection, seconds: float) -> None:
    """Read whole layers for a while; the longest wait is sent back."""
    longest = 0.0
    with gridgis.open_workspace(url) as workspace:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            marks = set(workspace.table("unit_cells", columns=["area_m2"])["area_m2"])
            if len(marks) > 1:
                ready.send(f"mixed: {sorted(marks)}")
                return
            longest = max(longest, time.monotonic() - start)
    ready.send(longest)


def append_for_ever(url: str, ready: Connection, plan: str, name: str) -> None:
    """Append pairs of entries to a plan again and again; the revision of each goes back once it is safe."""
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        number = 0
        while True:
            number += 1
            rev = append_pair(workspace, plan, f"{name}-{number}")
            ready.send((f"{name}-{number}", rev))


def append_some(url: str, ready: Connection, plan: str, name: str, times: int) -> None:
    """Append pairs of entries `times` times, looking again after every refusal; what was done goes back at the end."""
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        ready.recv()  # all begin together
        done = {f"{name}-{number}": append_pair(workspace, plan, f"{name}-{number}") for number in range(times)}
    ready.send(done)
    ready.recv()


def append_pair(workspace: Workspace, plan: str, token: str) -> int:
    """Append an edit and its undoing under one reason, whoever else does the same; the revision reached."""
    while True:
        rev = workspace.plan_rev(plan)
        image = {"code": token, "geometry": shapely.to_wkb(toy.grids().geometry.iloc[0], hex=True)}
        entries = [NewEntry("edit", op={"do": token}, images={token: image}), NewEntry("undo", target=rev + 1)]
        try:
            with workspace.write(who=token.split("-")[0], why=token, wait_s=60) as write:
                return write.append_plan(plan, entries, rev=rev)
        except ConflictError as error:
            if error.key != "plans.moved":
                raise


def publish_for_ever(url: str, ready: Connection) -> None:
    """Make a plan and publish it in one write, again and again, a day later each time; its name goes back once it is safe."""
    with gridgis.open_workspace(url) as workspace:
        number = len(workspace.plans())
        ready.send("ready")
        while True:
            number += 1
            plan, day = f"plan {number}", dt.date(2020, 1, 1) + dt.timedelta(days=number)
            with workspace.write(who="worker", why="begin") as write:
                write.add_plan(plan)
                write.append_plan(plan, [NewEntry("base", images=images_of(write.read("grids")))], rev=0)
            with workspace.write(who="worker", why="publish") as write:
                write.change("grids", write.read("grids").assign(officer=plan), valid_from=day)
                row = {"code": "G1", "parent": "G2", "kind": "cut from", "on": day, "plan": plan}
                write.add_lineage(pd.DataFrame([row]))
                write.append_plan(plan, [NewEntry("publish")], rev=1)
                write.close_plan(plan, state="published", on=day)
            ready.send(plan)


def publish_plan(url: str, ready: Connection, plan: str, day: str) -> None:
    """Publish a plan that is ready for it, and say so."""
    with gridgis.open_workspace(url) as workspace:
        ready.send("ready")
        start = time.monotonic()
        plans.publish(workspace, plan, on=dt.date.fromisoformat(day), who="worker")
        ready.send(time.monotonic() - start)
        ready.recv()
