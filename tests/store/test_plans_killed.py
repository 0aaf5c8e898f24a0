"""kill -9 at any moment leaves no half-made entry of a plan and loses none whose writer was told it is safe, in both stores."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

import pytest
import shapely

import gridgis
from gridgis import toy
from gridgis.errors import DataError
from gridgis.redraw.operations import AddVertex, Merge, MoveVertex, Operation, Split
from gridgis.store import NewEntry, PlanEntry, Workspace
from gridgis.tasks import plan_state, plans, redrawing
from tests.store import workers
from tests.store.processes import kill, running, started
from tests.store.test_killed import check_file, opened_after_kill

KILLS = 60
AT_ONCE = 3
PLAN = "new borders"
PUBLICATIONS = 5


def told(connection: Connection) -> Iterator[Any]:
    """What a worker said before it died."""
    try:
        while connection.poll(0):
            yield connection.recv()
    except EOFError:
        return


def wait_for_word(connection: Connection) -> None:
    """Wait until a worker has said something, which is left to be read."""
    assert connection.poll(60), "a worker says nothing"


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
            for process, connection in writers:  # one after the other: the others are in the middle of something
                if turn % 2:
                    wait_for_word(connection)  # on a busy machine many die before they write anything
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
    assert len(safe) >= KILLS // 2  # they did get to write
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
    for turn in range(20):
        with running(workers.publish_for_ever, workspace_url) as (process, connection):
            started(connection)
            if turn % 2:
                wait_for_word(connection)
            time.sleep(moments.uniform(0.0, 0.12))
            kill(process)
            safe = {str(name) for name in told(connection)}
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
            assert safe <= set(names)
            assert workspace.lineage()["plan"].tolist() == names
            grids = workspace.read("grids")
            assert set(grids["version"]) == {len(done) + 1}
            assert set(grids["officer"]) == ({names[-1]} if names else {"Li", "Wang", "Zhao"})
            assert set(grids["valid_from"].dropna()) == ({done[-1].published_on} if done else set())
            published = len(done)
    check_file(workspace_url)
    assert published > 5


# --- a real plan, published by the task -------------------------------------------------------------------------------

Grids = dict[str, tuple[int, str, bytes]]


def at(right: float, up: float) -> tuple[float, float]:
    return toy.ORIGIN[0] + right, toy.ORIGIN[1] + up


def grids_of(workspace: Workspace, *, as_of: dt.date | None = None) -> Grids:
    """Of every grid: version, state and border."""
    frame = workspace.read("grids", as_of=as_of)
    rows = zip(frame.index, frame["version"], frame["state"], frame.geometry.to_wkb(), strict=True)
    return {str(code): (int(version), str(state), border) for code, version, state, border in rows}


def draw(workspace: Workspace, number: int) -> plan_state.PlanState:
    """A draft in which all grids of the west change, one begins and, but for the first time, one ends."""
    plan = f"plan {number}"
    plans.create(workspace, plan, who="Li")
    last = max(workspace.read("grids", where={"area_code": toy.WEST}).index, key=lambda code: int(code[1:]))
    border: Operation = MoveVertex(at(150 - (number - 1) % 20, 100), to=at(150 - number % 20, 100))
    if number == 1:
        border = AddVertex(at(150, 100), to=at(149, 100))
    south = [] if last == "G2" else [Merge(("G1", last))]
    state, facts = None, plan_state.gather(workspace, toy.WEST)
    for op in (border, *south, Split("G1", (at(-1, 20), at(151, 20)), keep=at(1, 200))):
        state = redrawing.edit(workspace, op, area=toy.WEST, plan=plan, who="Li", why="again", state=state, facts=facts).state
    return plan_state.load(workspace, plan)


def kill_publications(url: str, kills: int, *, seed: int) -> Counter[str]:
    """Kill the publication of plan after plan at any moment; what is found must be the old plan or the new, in every table."""
    found: Counter[str] = Counter()
    moments = random.Random(seed)
    with gridgis.create_workspace(url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            for layer in ("areas", "grids"):
                write.upsert(layer, getattr(toy, layer)())
        state = draw(workspace, 1)
        before, revision, rows = grids_of(workspace), workspace.revision, 0
    takes_s = 0.1
    for number in range(1, kills + 2):  # around the moment when half the publications are through
        plan, day = state.name, dt.date(2020, 1, 1) + dt.timedelta(days=number)
        with running(workers.publish_plan, url, plan, day.isoformat()) as (process, connection):
            started(connection)
            if number == 1:  # the first one lives: how long does it take?
                takes_s = float(connection.recv())
                found["not killed"] += 1
            else:
                time.sleep(moments.uniform(0.3, 1.3) * takes_s if number > 2 else 0.0)
            kill(process)
            safe = number == 1 or any(True for _ in told(connection))
        with opened_after_kill(url) as workspace:
            row, after = workspace.plan(plan), grids_of(workspace)
            if row.state == "draft":
                assert not safe
                assert (row.rev, workspace.revision, len(workspace.lineage()), after) == (state.rev, revision, rows, before)
                plans.publish(workspace, plan, on=day, who="Li")  # as if nothing had happened
                row, after = workspace.plan(plan), grids_of(workspace)
                found["old"] += 1
                takes_s *= 1.2
            elif number > 1:
                takes_s /= 1.2
                found["new and told" if safe else "new, not told"] += 1
            assert (row.state, row.rev, row.published_on) == ("published", state.rev + 1, day)
            assert workspace.revision == revision + 1
            check_published(workspace, state.areas[toy.WEST], before, after)
            assert len(workspace.lineage()) == rows + (1 if number == 1 else 2)
            assert grids_of(workspace, as_of=day - dt.timedelta(days=1)) == before
            with pytest.raises(DataError, match="is published and cannot be changed"):
                plans.publish(workspace, plan, on=day, who="Li")
            assert grids_of(workspace) == after
            state = draw(workspace, number + 1)
            before, revision, rows = after, workspace.revision, len(workspace.lineage())
    check_file(url)
    return found


def check_published(workspace: Workspace, draft: plan_state.AreaDraft, before: Grids, after: Grids) -> None:
    """Assert that the live grids are the draft's, each a version on, and that codes of gone ones stay taken."""
    drawn = dict(zip(draft.now.codes, shapely.to_wkb(draft.now.shapes).tolist(), strict=True))
    assert after.keys() == drawn.keys() | {"G3"}
    assert {code: after[code][2] for code in drawn} == drawn
    for code, (version, state, _) in after.items():
        assert (version, state) == (before[code][0] + (code != "G3") if code in before else 1, "valid")
    assert before.keys() <= workspace.used_codes("grids")


def test_a_plan_whose_publication_is_killed_is_a_draft_or_published_and_nothing_between(workspace_url: str) -> None:
    found = kill_publications(workspace_url, PUBLICATIONS, seed=3)
    assert found.total() == PUBLICATIONS + 1
    assert found["old"] > 0
