"""`gridgis redraw` from the split to the published grids, on the toy town in both stores, with files as planners send them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from shapely.affinity import translate

import gridgis
from gridgis import toy
from gridgis.cli import main

Run = Callable[..., Any]
X, Y = toy.ORIGIN


@pytest.fixture
def run(workspace_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the toy town and give its JSON (the message where it is refused), having checked the exit code."""
    monkeypatch.setenv("GRIDGIS_WORKSPACE", workspace_url)
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as ws, ws.write(who="t", why="t") as write:
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())

    def call(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json", "--lang", "en"]) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return json.loads(said.out) if said.out else said.err

    return call


def file(folder: Path, name: str, shape: shapely.Geometry, *, degrees: bool = True) -> Path:
    moved = translate(shape, X, Y)
    frame = gpd.GeoDataFrame(geometry=[moved], crs=toy.CRS)
    path = folder / name
    (frame.to_crs(4326) if degrees else frame).to_file(path)
    return path


def test_a_line_in_degrees_splits_a_grid_and_the_plan_goes_live_on_its_day(run: Run, tmp_path: Path) -> None:
    line = file(tmp_path, "line.geojson", shapely.LineString([(-5, 100), (155, 100)]))
    told = run("redraw", "split", "--grid", "G1", "--line", line, "--plan", "default", "--reason", "two officers", "--who", "Li")
    assert told["plan"] == "default"
    assert told["rev"] == 2
    parts = {grid["code"]: grid["area_m2"]["after"] for grid in told["changed"]}
    assert parts["G1"] == pytest.approx(150 * 200, rel=1e-6)
    assert parts["G4"] == pytest.approx(150 * 100, rel=1e-6)
    assert told["conserved"]["area_m2"]["after"] == pytest.approx(told["conserved"]["area_m2"]["before"], abs=1e-6)
    assert run("redraw", "undo")["undone"] == [2]
    back = run("redraw", "redo")
    assert {grid["code"] for grid in back["changed"]} == {"G1", "G2", "G4"}
    log = run("redraw", "history")["entries"]
    assert [entry["kind"] for entry in log] == ["base", "edit", "undo", "redo"]
    assert log[1]["why"] == "two officers"
    assert log[1]["who"] == "Li"
    assert run("redraw", "publish", "--on", "2013-01-01")["created"] == ["G4"]
    assert run("redraw", "plans")["plans"][0]["state"] == "published"
    assert run("coverage", "--as-of", "2012-12-31")["measures"]["grids"]["total"] == 3
    assert run("coverage", "--as-of", "2013-01-01")["measures"]["grids"]["total"] == 4
    assert run("check")["findings"] == []


def test_every_operation_has_a_command(run: Run, tmp_path: Path) -> None:
    square = file(tmp_path, "square.gpkg", shapely.box(200, 200, 260, 310), degrees=False)
    assert "code" in run("redraw", "create", "--area", toy.WEST, "--polygon", square)["changed"][0]
    hand = file(tmp_path, "hand.gpkg", shapely.box(100, 0, 150, 100), degrees=False)
    assert {"code": "G2", "op": "gained"}.items() <= next(
        grid.items() for grid in run("redraw", "assign", "--polygon", hand, "--to", "G2")["changed"] if grid["code"] == "G2"
    )
    bulge = file(tmp_path, "bulge.gpkg", shapely.LineString([(140, 150), (170, 160), (140, 190)]), degrees=False)
    roles = {grid["code"]: grid["op"] for grid in run("redraw", "reshape", "--area", toy.WEST, "--line", bulge)["changed"]}
    assert roles == {"G1": "gained", "G2": "lost"}
    moved = run("redraw", "move", "--area", toy.WEST, "--at", f"{X + 150},{Y + 100}", "--to", f"{X + 155},{Y + 110}")
    assert {grid["code"] for grid in moved["changed"]} == {"G1", "G2"}
    assert run("redraw", "merge", "--grids", "G2,G4")["changed"][0]["op"] == "retired"
    assert run("redraw", "retire", "--grid", "G2", "--to", "free")["uncovered_m2"]["after"] > 20_000
    assert len(run("redraw", "history")["entries"]) == 7


def test_what_is_refused_says_why_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    short = file(tmp_path, "short.geojson", shapely.LineString([(20, 100), (100, 100)]))
    assert "ends inside grid G1" in run("redraw", "split", "--grid", "G1", "--line", short, code=1)
    assert "no line" in run(
        "redraw", "split", "--grid", "G1", "--line", file(tmp_path, "p.geojson", shapely.box(0, 0, 9, 9)), code=1
    )
    assert "There is no grid" in run("redraw", "merge", "--grids", "G8,G9", code=1)
    assert run("redraw", "plans")["plans"] == []
    run("redraw", "assign", "--to", "G1", code=2)


def test_defects_are_listed_and_repaired_in_a_plan(run: Run) -> None:
    assert run("redraw", "defects", "--area", toy.WEST)["defects"] == []
    done = run("redraw", "repair", "--area", toy.WEST)
    assert done["moved"] == []
    assert run("redraw", "lock", "--grids", "G1")["locked"] == ["G1"]
    assert "locked" in run("redraw", "merge", "--grids", "G1,G2", code=1)
    assert run("redraw", "unlock", "--grids", "G1")["locked"] == []
