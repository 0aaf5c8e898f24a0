"""Readers never wait, one writer at a time, and the second one is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

import gridgis
from gridgis import toy
from gridgis.errors import ConflictError
from gridgis.store import Workspace
from tests.store import workers
from tests.store.frames import cells
from tests.store.processes import running, started


@pytest.fixture
def workspace(workspace_url: str) -> Iterator[Workspace]:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as made:
        with made.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids())
            write.replace("unit_cells", cells(60, 50))
        yield made


def test_readers_see_the_old_state_at_once_while_a_write_is_open(workspace: Workspace, workspace_url: str) -> None:
    with gridgis.open_workspace(workspace_url) as other, workspace.write(who="t", why="long") as write:
        write.replace("unit_cells", cells(60, 60, mark=2.0))
        write.upsert("grids", toy.grids().assign(officer="new"))
        for reader in (workspace, other):
            start = time.monotonic()
            assert reader.count("unit_cells") == 3000
            assert set(reader.read("grids")["officer"]) == {"Li", "Wang", "Zhao"}
            assert reader.revision == 1
            assert time.monotonic() - start < 15  # a writer holds on for 30 s: nobody waited for it
    assert workspace.count("unit_cells") == 3600


def test_a_second_writer_waits_and_is_told(workspace: Workspace, workspace_url: str) -> None:
    with gridgis.open_workspace(workspace_url) as other, workspace.write(who="t", why="first") as write:
        write.set_setting("a", "1")
        start = time.monotonic()
        with pytest.raises(ConflictError) as refused, other.write(who="u", why="second", wait_s=0.3):
            pass
        assert 0.25 < time.monotonic() - start < 3
        assert refused.value.key == "store.busy"
        assert "0.3" in str(refused.value)
    assert dict(workspace.settings()) == {"a": "1"}


def test_a_second_writer_gets_its_turn_within_the_wait(workspace: Workspace, workspace_url: str) -> None:
    with running(workers.hold, workspace_url, 0.5) as (_, connection):
        started(connection)
        with workspace.write(who="t", why="after the other") as write:
            assert write.read("grids").loc["G1", "officer"] == "held"  # what the first one wrote is seen
            write.upsert("grids", pd.DataFrame({"code": ["G1"], "officer": ["mine"]}))
    assert workspace.read("grids").loc["G1", ["officer", "version"]].tolist() == ["mine", 3]


def test_another_process_reads_whole_states_while_this_one_writes(workspace: Workspace, workspace_url: str) -> None:
    with running(workers.read_for_a_while, workspace_url, 1.5) as (_, connection):
        mark = 1.0
        while not connection.poll(0):
            mark += 1.0
            with workspace.write(who="t", why="t") as write:
                write.replace("unit_cells", cells(60, 50, mark=mark))
        longest = connection.recv()
    assert isinstance(longest, float), longest
    assert longest < 5


def test_threads_share_a_workspace(workspace: Workspace) -> None:
    problems: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                frame = workspace.read("unit_cells")
                assert len(set(frame["area_m2"])) == 1
                assert len(frame) == 3000
        except BaseException as error:  # handed to the main thread
            problems.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for mark in range(2, 8):
        with workspace.write(who="t", why="t") as write:
            write.replace("unit_cells", cells(60, 50, mark=float(mark)))
    done.set()
    for reader in readers:
        reader.join(60)
    assert problems == []


def test_writers_in_threads_take_turns_and_lose_nothing(workspace: Workspace) -> None:
    def add(number: int) -> None:
        with workspace.write(who=f"w{number}", why="count", wait_s=60) as write:
            seen = write.read("grids").loc["G1", "population"]
            write.upsert("grids", pd.DataFrame({"code": ["G1"], "population": [(0 if seen != seen else seen) + 1]}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert workspace.read("grids").loc["G1", "population"] == 20
    assert workspace.revision == 21
