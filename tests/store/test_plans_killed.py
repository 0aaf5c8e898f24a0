"""kill -9 at any moment leaves no half-made entry of a plan and loses none whose writer was told it is safe, in both stores."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection

import pytest

import gridgis
from gridgis import toy
from gridgis.store import NewEntry, PlanEntry, Workspace
from tests.store import workers
from tests.store.processes import kill, running, started
from tests.store.test_killed import check_file, opened_after_kill

KILLS = 120
AT_ONCE = 3
PLAN = "new borders"


def told(connection: Connection) -> Iterator[tuple[str, int]]:
    """What a worker said before it died."""
    try:
        while connection.poll(0):
            yield connection.recv()
    except EOFError:
        return


def check_pairs(entries: tuple[PlanEntry, ...], *, first: int) -> dict[str, int]:
    """Assert that entries are numbered on and come in whole pairs; the last number of each pair by its reason."""
    assert [entry.seq for entry in entries] == list(range(first, first + len(entries)))
    assert len(entries) % 2 == 0
    pairs = {}
    for edit, undo in zip(entries[::2], entries[1::2], strict=True):
        assert (edit.kind, undo.kind, undo.target) == ("edit", "undo", edit.seq)
        assert edit.why == undo.why == (edit.op or {})["do"]
        assert list(edit.images or {}) == [edit.why]
        assert edit.why not in pairs
        pairs[edit.why] = undo.seq
    return pairs


def check_whole(workspace: Workspace, *, since: int) -> dict[str, int]:
    entries = workspace.plan_entries(PLAN, since=since)
    assert workspace.plan_rev(PLAN) == since + len(entries)
    return check_pairs(entries, first=since + 1)


def test_a_killed_append_leaves_whole_entries_and_keeps_every_acknowledged_one(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.add_plan(PLAN)
    moments = random.Random(5)
    safe: dict[str, int] = {}
    kept: dict[str, int] = {}
    rev, unsaid = 0, 0
    for turn in range(KILLS // AT_ONCE):
        with ExitStack() as stack:
            writers = [
                stack.enter_context(running(workers.append_for_ever, workspace_url, PLAN, f"{turn}.{number}"))
                for number in range(AT_ONCE)
            ]
            for _, connection in writers:
                started(connection)
            for process, _ in writers:  # one after the other: the others are in the middle of something
                time.sleep(moments.uniform(0.0, 0.03))
                kill(process)
            safe |= dict(pair for _, connection in writers for pair in told(connection))
        with opened_after_kill(workspace_url) as workspace:
            new = check_whole(workspace, since=rev)
            rev = workspace.plan_rev(PLAN)
        unsaid += len(new.keys() - safe.keys())
        kept |= new
        assert safe.items() <= kept.items()
    check_file(workspace_url)
    assert len(safe) > KILLS  # they did get to write
    assert unsaid <= KILLS  # each may die between its last commit and saying so
    with gridgis.open_workspace(workspace_url) as workspace:
        assert check_whole(workspace, since=0) == kept


@pytest.mark.parametrize(("store", "planners"), [("geopackage", 8), pytest.param("postgis", 20, marks=pytest.mark.postgis)])
def test_planners_who_append_at_once_lose_nothing(request: pytest.FixtureRequest, store: str, planners: int) -> None:
    url: str = request.getfixturevalue(f"{store}_url")
    times = 6
    with gridgis.create_workspace(url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.add_plan(PLAN)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(workers.append_some, url, PLAN, f"p{number}", times)) for number in range(planners)
        ]
        for _, connection in processes:
            started(connection)
        for _, connection in processes:
            connection.send("go")
        done: dict[str, int] = {}
        for _, connection in processes:
            assert connection.poll(120), "a planner did not finish"
            done |= connection.recv()
    with gridgis.open_workspace(url) as workspace:
        assert check_whole(workspace, since=0) == done
    assert len(done) == planners * times


def test_threads_that_share_a_workspace_append_at_once(workspace_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            write.add_plan(PLAN)
        with ThreadPoolExecutor(8) as pool:
            tokens = [f"t{number}" for number in range(40)]
            done = dict(zip(tokens, pool.map(lambda token: workers.append_pair(workspace, PLAN, token), tokens), strict=True))
        assert check_whole(workspace, since=0) == done


def test_a_killed_publication_leaves_grids_lineage_and_plan_old_or_new_together(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("grids", toy.grids())
    moments = random.Random(9)
    published = 0
    for _ in range(20):
        with running(workers.publish_for_ever, workspace_url) as (process, connection):
            started(connection)
            time.sleep(moments.uniform(0.0, 0.12))
            kill(process)
        with opened_after_kill(workspace_url) as workspace:
            plans = workspace.plans()
            done = [plan for plan in plans if plan.state == "published"]
            assert [plan.rev for plan in plans] == [1 if plan.state == "draft" else 2 for plan in plans]
            for draft in [plan for plan in plans if plan.state == "draft"]:
                assert draft == plans[-1]  # the one the kill came into
                with workspace.write(who="test", why="out of the way") as write:
                    write.append_plan(draft.name, [NewEntry("discard")], rev=1)
                    write.close_plan(draft.name, state="discarded")
            names = [plan.name for plan in done]
            assert workspace.lineage()["plan"].tolist() == names
            grids = workspace.read("grids")
            assert set(grids["version"]) == {len(done) + 1}
            assert set(grids["officer"]) == ({names[-1]} if names else {"Li", "Wang", "Zhao"})
            assert set(grids["valid_from"].dropna()) == ({done[-1].published_on} if done else set())
            published = len(done)
    check_file(workspace_url)
    assert published > 5
