"""Planners who redraw one area at once: every edit is there once, or refused with a reason, and no ground is lost."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import geopandas as gpd
import pytest
import shapely

import gridgis
from gridgis import toy
from gridgis.redraw.invariants import broken
from gridgis.store import Workspace
from gridgis.tasks import plan_state
from tests.store.processes import running, started
from tests.tasks import planners

X0, Y0 = toy.ORIGIN
SIDE, COLUMNS, ROWS = 100, 6, 4
CODES = [f"G{number:02}" for number in range(1, COLUMNS * ROWS + 1)]


def squares() -> gpd.GeoDataFrame:
    """24 grids of one hectare."""
    corners = [(X0 + SIDE * column, Y0 + SIDE * row) for row in range(ROWS) for column in range(COLUMNS)]
    shapes = [shapely.box(x, y, x + SIDE, y + SIDE) for x, y in corners]
    return gpd.GeoDataFrame({"area_code": toy.WEST}, geometry=shapes, index=CODES, crs=toy.CRS)


def cuts(number: int) -> list[dict[str, Any]]:
    """A grid cut in three, and the last two grids of all merged: what everybody wants and one gets."""
    x, y = X0 + SIDE * (number % COLUMNS), Y0 + SIDE * (number // COLUMNS)
    return [
        {"do": "split", "grid": CODES[number], "line": [[x + 30, y - 1], [x + 30, y + SIDE + 1]]},
        {"do": "merge", "grids": CODES[-2:]},
        {"do": "split", "grid": CODES[number], "line": [[x + 29, y + 40], [x + SIDE + 1, y + 40]]},
    ]


def begin(url: str) -> None:
    with gridgis.create_workspace(url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        ground = shapely.union_all(squares().geometry.to_numpy())
        home = gpd.GeoDataFrame({"name": ["West"], "level": ["village"]}, geometry=[ground], index=[toy.WEST], crs=toy.CRS)
        write.upsert("areas", home.rename_axis("code"))
        write.upsert("grids", squares())
        write.add_plan(planners.PLAN)


def outcomes(url: str, count: int) -> dict[str, str]:
    """What became of every edit of `count` planners who begin together."""
    found: dict[str, str] = {}
    with ExitStack() as stack:
        processes = [stack.enter_context(running(planners.work, url, toy.WEST, f"p{n}", cuts(n))) for n in range(count)]
        for _, connection in processes:
            started(connection)
        for _, connection in processes:
            connection.send("go")
        for _, connection in processes:
            assert connection.poll(120), "a planner did not finish"
            found |= connection.recv()
    return found


def check(workspace: Workspace, found: dict[str, str], count: int) -> None:
    done = {why for why, outcome in found.items() if outcome == "done"}
    entries = workspace.plan_entries(planners.PLAN, since=1)
    assert sorted(entry.why for entry in entries) == sorted(done)  # each once
    assert [entry.seq for entry in entries] == list(range(2, len(entries) + 2))
    contested = {why: outcome for why, outcome in found.items() if why.endswith("-1")}
    assert sorted(contested.values()) == ["done", *["redraw.unknown_grid"] * (count - 1)]
    assert len(done) == 2 * count + 1
    now = plan_state.load(workspace, planners.PLAN).areas[toy.WEST].now
    assert broken(now) == ()
    assert len(now.codes) == len(CODES) + 2 * count - 1
    # a hectare cut at 30 m and 40 m: the largest part keeps the code
    assert [round(now.shape(code).area) for code in CODES[:count]] == [70 * 60] * count
    assert shapely.equals(shapely.union_all(now.shapes), shapely.union_all(squares().geometry))
    assert sum(shape.area for shape in now.shapes) == pytest.approx(len(CODES) * SIDE**2, abs=1e-6)
    assert workspace.read("grids").index.tolist() == CODES  # nothing is live


@pytest.mark.parametrize(("store", "count"), [("geopackage", 8), pytest.param("postgis", 20, marks=pytest.mark.postgis)])
def test_every_edit_of_planners_at_once_is_there_once_or_refused(request: pytest.FixtureRequest, store: str, count: int) -> None:
    url: str = request.getfixturevalue(f"{store}_url")
    begin(url)
    found = outcomes(url, count)
    assert len(found) == 3 * count
    with gridgis.open_workspace(url) as workspace:
        check(workspace, found, count)
