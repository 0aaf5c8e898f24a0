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
# what is read and said does not depend on the store
one_store = pytest.mark.parametrize("workspace_url", ["geopackage"], indirect=True)


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


@pytest.fixture
def said(run: Run, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Run a command as a reader of a language would: what stands on stdout and on stderr."""

    def call(*arguments: object, lang: str, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert main([*map(str, arguments), "--lang", lang]) == code
        told = capsys.readouterr()
        return told.out, told.err

    return call


def test_an_edit_begins_the_plan_it_names_and_says_so(run: Run, tmp_path: Path) -> None:
    line = file(tmp_path, "line.geojson", shapely.LineString([(-5, 100), (155, 100)]))
    short = file(tmp_path, "short.geojson", shapely.LineString([(20, 100), (100, 100)]))
    run("redraw", "split", "--grid", "G1", "--line", short, "--plan", "spring", code=1)
    assert run("redraw", "plans")["plans"] == []  # a refused edit begins nothing
    told = run("redraw", "split", "--grid", "G1", "--line", line, "--plan", "spring")
    assert told["notes"] == ["A new plan was begun: spring."]
    assert run("redraw", "merge", "--grids", "G1,G2", "--plan", "spring")["notes"] == []
    assert "no plan called autumn" in run("redraw", "undo", "--plan", "autumn", code=1)
    run("redraw", "publish", "--on", "2013-01-01", "--plan", "spring")
    assert "is published" in run("redraw", "merge", "--grids", "G1,G9", "--plan", "spring", code=1)


@one_store
def test_an_old_number_of_the_log_is_refused(run: Run) -> None:
    run("redraw", "merge", "--grids", "G1,G2")
    assert run("redraw", "undo", "--rev", 2)["rev"] == 3
    assert "moved on" in run("redraw", "redo", "--rev", 2, code=1)
    assert "after what you saw" in run("redraw", "retire", "--grid", "G2", "--rev", 2, code=1)
    assert run("redraw", "lock", "--grids", "G3", "--rev", 2)["locked"] == ["G3"]
    assert "no grid G8" in run("redraw", "lock", "--grids", "G3,G8", code=1)


@one_store
def test_files_that_hold_something_else_are_told_apart(run: Run, tmp_path: Path) -> None:
    def split(path: Path, code: int = 1) -> Any:
        return run("redraw", "split", "--grid", "G1", "--line", path, code=code)

    across = shapely.LineString([(-5, 100), (155, 100)])
    assert "no line but polygons" in split(file(tmp_path, "p.geojson", shapely.box(0, 0, 9, 9)))
    assert "2 lines that do not continue" in split(
        file(tmp_path, "two.geojson", shapely.MultiLineString([across, [(0, 200), (150, 200)]]))
    )
    lon, lat = (float(v) for v in gpd.GeoSeries([shapely.Point(X, Y)], crs=toy.CRS).to_crs(4326).get_coordinates().iloc[0])
    swapped = tmp_path / "swapped.geojson"
    swapped.write_text(json.dumps({"type": "LineString", "coordinates": [[lat, lon], [lat, lon + 0.001]]}), encoding="utf-8")
    assert "GeoJSON wants longitude first" in split(swapped)
    hand = run("redraw", "assign", "--to", "G2", "--polygon", file(tmp_path, "line.geojson", across), code=1)
    assert "no polygon but lines" in hand
    deep = shapely.force_3d(shapely.LineString([(-5, 100), (50, 100), (155, 100)]), 7.0)
    assert split(file(tmp_path, "deep.gpkg", deep, degrees=False), code=0)["rev"] == 2


@one_store
@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "en",
            (
                "Place: 500060.000, 3366100.000 (EPSG:4547)",
                "Handed ground over",
                "Ground no grid holds: 0 → 45,000 m²",
                "Locked: G1",
            ),
        ),
        ("zh", ("位置：500060.000, 3366100.000（EPSG:4547）", "划转", "无网格负责的范围：0 → 45,000 平方米", "已锁定：G1")),
    ],
)
def test_what_a_planner_reads_is_in_one_language(
    said: Callable[..., tuple[str, str]], tmp_path: Path, lang: str, words: tuple[str, ...]
) -> None:
    place, handed, uncovered, locked = words
    short = file(tmp_path, "short.gpkg", shapely.LineString([(20, 100), (100, 100)]), degrees=False)
    assert place in said("redraw", "split", "--grid", "G1", "--line", short, lang=lang, code=1)[1]
    hand = file(tmp_path, "hand.gpkg", shapely.box(100, 0, 150, 100), degrees=False)
    said("redraw", "assign", "--polygon", hand, "--to", "G2", lang=lang)
    assert handed in said("redraw", "history", lang=lang)[0]
    assert locked in said("redraw", "lock", "--grids", "G1", lang=lang)[0]
    assert uncovered in said("redraw", "retire", "--grid", "G3", "--to", "free", "--plan", "east", lang=lang)[0]
    bow = file(tmp_path, "bow.gpkg", shapely.Polygon([(100, 0), (200, 100), (200, 0), (100, 100)]), degrees=False)
    _, broken = said("redraw", "assign", "--polygon", bow, "--to", "G2", lang=lang, code=1)
    assert {"en": "the line crosses itself at 500150, 3366050", "zh": "边线在 (500150, 3366050) 处自相交叉"}[lang] in broken
    table, _ = said("redraw", "diff", "--to", "default", lang=lang)
    assert {"en": "Covered by grids in operation", "zh": "运行中网格的覆盖率"}[lang] in table
    fit, _ = said("redraw", "defects", "--area", toy.EAST, lang=lang)
    assert {"en": "nothing to repair", "zh": "无需修复"}[lang] in fit


def test_a_rebase_tells_which_codes_it_changed(run: Run, workspace_url: str, tmp_path: Path) -> None:
    line = file(tmp_path, "line.gpkg", shapely.LineString([(200, -5), (200, 305)]), degrees=False)
    run("redraw", "split", "--grid", "G2", "--line", line, "--plan", "later")
    halves = [gpd.GeoSeries([translate(shapely.box(0, y, 150, y + 150), X, Y)], index=["G1"], crs=toy.CRS) for y in (0, 150)]
    with gridgis.open_workspace(workspace_url) as ws:
        rows = ws.read("grids").loc[["G1"]]
        with ws.write(who="Wang", why="by hand") as write:
            write.correct("grids", rows.set_geometry(halves[0]))
            north = rows.set_geometry(halves[1]).drop(columns=["version", "valid_from", "valid_to"])
            write.upsert("grids", north.set_axis(["G4"]))
    assert "G4" in run("redraw", "publish", "--on", "2013-01-01", "--plan", "later", code=1)
    assert run("redraw", "rebase", "--plan", "later") == {"plan": "later", "rev": 3, "moved": True, "renumbered": {"G4": "G5"}}
    assert run("redraw", "rebase", "--plan", "later")["moved"] is False
    assert run("redraw", "publish", "--on", "2013-01-01", "--plan", "later")["created"] == ["G5"]


def test_defects_are_listed_and_repaired_in_a_plan(run: Run) -> None:
    assert run("redraw", "defects", "--area", toy.WEST)["defects"] == []
    done = run("redraw", "repair", "--area", toy.WEST)
    assert done["moved"] == []
    assert run("redraw", "lock", "--grids", "G1")["locked"] == ["G1"]
    assert "locked" in run("redraw", "merge", "--grids", "G1,G2", code=1)
    assert run("redraw", "unlock", "--grids", "G1")["locked"] == []
