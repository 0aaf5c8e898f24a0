"""kill -9 at any moment leaves the state before or after, never between, in both stores."""

from __future__ import annotations

import datetime as dt
import random
import time
from pathlib import Path

import pytest

import gridgis
from gridgis import toy
from gridgis.errors import ConflictError, WorkspaceError
from gridgis.store import Workspace
from tests.store import workers
from tests.store.frames import cells
from tests.store.processes import kill, running, started
from tests.store.test_geopackage_file import check_trees, query

KILLS = 8


def opened_after_kill(url: str) -> Workspace:
    """The workspace, once the server has noticed that its client is gone."""
    workspace = gridgis.open_workspace(url)
    for _ in range(20):
        try:
            with workspace.write(who="test", why="is it free?", wait_s=1):
                return workspace
        except ConflictError:
            continue
    raise AssertionError("the dead writer still holds the lock")


def check_file(url: str) -> None:
    if url.endswith(".gpkg"):
        assert query(Path(url), "PRAGMA integrity_check") == [("ok",)]
        check_trees(Path(url))


def test_a_killed_replace_leaves_one_generation(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="1") as write:
        write.replace("unit_cells", cells(80, 50, mark=1.0))
        write.upsert("unit_cells", cells(40, 1, mark=1.0, area=toy.EAST))
    moments = random.Random(12)
    revisions = []
    for _ in range(KILLS):
        with running(workers.replace_for_ever, workspace_url) as (process, connection):
            started(connection)
            time.sleep(moments.uniform(0.0, 0.5))
            kill(process)
        with opened_after_kill(workspace_url) as workspace:
            frame = workspace.read("unit_cells")
            assert len(frame) == 4040
            assert set(frame["area_m2"]) == {float(workspace.revision)}
            log = workspace.log()
            assert log["revision"].max() == workspace.revision
            assert log["why"].iloc[-1] == str(workspace.revision)
            revisions.append(workspace.revision)
        check_file(workspace_url)
    assert revisions == sorted(revisions)
    assert revisions[-1] > 1  # some writes did get through


def test_a_killed_edit_leaves_rows_past_rows_and_log_together(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("grids", toy.grids())
    moments = random.Random(7)
    for _ in range(KILLS):
        with running(workers.edit_for_ever, workspace_url) as (process, connection):
            started(connection)
            time.sleep(moments.uniform(0.0, 0.3))
            kill(process)
        with opened_after_kill(workspace_url) as workspace:
            latest = workspace.read("grids")
            revision = workspace.revision
            assert latest["version"].nunique() == 1
            log = workspace.log(layer="grids")
            assert len(log) == 3 * latest["version"].iloc[0]  # every version of every grid has its entry
            assert log["revision"].max() == revision
            if revision > 1:
                assert set(latest["officer"]) == {str(revision)}
                assert workspace.settings()["generation"] == str(revision)
            days = {entry["after"].get("valid_from") for entry in log.to_dict("records")} - {None}
            for day in sorted(days)[-2:]:
                assert workspace.count("grids", as_of=dt.date.fromisoformat(day)) == 3
        check_file(workspace_url)


def test_a_killed_creation_leaves_a_whole_workspace_or_none(tmp_path: Path) -> None:
    moments = random.Random(3)
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        with running(workers.create_for_ever, str(folder / "{}.gpkg")) as (process, connection):
            started(connection)
            time.sleep(moments.uniform(0.2, 0.6))
            kill(process)
        for path in folder.glob("[0-9]*.gpkg"):
            with gridgis.open_workspace(path) as workspace:
                assert workspace.count("grids") == 0


def write_and_be_cut_off(workspace: Workspace, other: Workspace) -> None:
    with other._backend.reading() as second, workspace.write(who="t", why="cut off") as write:
        write.upsert("areas", toy.areas())
        backend = write._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        second.exec_driver_sql(f"SELECT pg_terminate_backend({backend})")
        write.upsert("stations", toy.stations())


@pytest.mark.postgis
def test_a_killed_server_process_leaves_the_state_before(postgis_url: str) -> None:
    with gridgis.create_workspace(postgis_url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids())
        with gridgis.open_workspace(postgis_url) as other, pytest.raises(WorkspaceError):
            write_and_be_cut_off(workspace, other)
        # the pool notices and connects anew
        assert (workspace.count("areas"), workspace.count("grids"), workspace.revision) == (0, 3, 1)
        with workspace.write(who="t", why="again") as write:
            write.upsert("areas", toy.areas())
        assert workspace.count("areas") == 3
