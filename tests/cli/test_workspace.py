"""The commands on a workspace, from the first import to the figures, on the toy town whose figures are known by hand."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

import gridgis
from gridgis import toy
from gridgis.cli import main

Run = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The toy town's layers as files somebody sends: GeoPackage, GeoJSON and a table with Chinese headings."""
    folder = tmp_path / "files"
    folder.mkdir()
    toy.areas().to_file(folder / "areas.gpkg", index=True)
    toy.grids().to_file(folder / "grids.gpkg", index=True)
    toy.buildings().to_file(folder / "buildings.gpkg", index=True)
    stations = toy.stations().reset_index()
    table = stations.drop(columns="geometry").assign(x=stations.geometry.x, y=stations.geometry.y)
    table.columns = ["站点编码", "站点名称", "村代码", "开通日期", "批次", "东", "北"]
    table.to_csv(folder / "网格站.csv", index=False, encoding="gb18030")
    return folder


@pytest.fixture
def run(workspace_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the workspace, in either store, and give its JSON, having checked the exit code."""
    monkeypatch.setenv("GRIDGIS_WORKSPACE", workspace_url)

    def call(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json", "--lang", "en"]) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return json.loads(said.out) if said.out else said.err

    return call


@pytest.fixture
def town(run: Run, files: Path) -> Run:
    """The same, with the toy town imported."""
    run("init", "--name", "Toy", "--crs", toy.CRS)
    run("import", "areas", files / "areas.gpkg")
    run("import", "stations", files / "网格站.csv", "--crs", toy.CRS, "--x", "东", "--y", "北")
    for layer in ("grids", "buildings"):
        run("import", layer, files / f"{layer}.gpkg", "--who", "Li", "--why", "first delivery")
    return run


def test_init_makes_a_workspace_once(run: Run, workspace_url: str) -> None:
    made = run("init", "--name", "庙岭镇")
    kind = "postgis" if "://" in workspace_url else "geopackage"
    assert (made["name"], made["crs"], made["synthetic"], made["kind"]) == ("庙岭镇", None, False, kind)
    assert run("init", "--name", "again", code=1).count("Error:") == 1
    with gridgis.open_workspace(workspace_url) as workspace:
        assert (workspace.info.name, workspace.revision) == ("庙岭镇", made["revision"])


def test_from_files_to_the_figures(town: Run) -> None:
    measures = town("coverage", "--as-of", "2012-12-31")["measures"]
    # station S1 is open with grids G1 and G2, 250 m of the town's 400 m; six of its twelve houses stand there
    assert measures["area"]["percent"] == 62.5
    assert measures["area"]["total"] == pytest.approx(120_000, rel=1e-6)
    assert [measures["population"][part] for part in ("covered", "total", "percent")] == [18, 36, 50.0]
    assert [measures["households"][part] for part in ("covered", "total")] == [6, 12]
    assert [measures["grids"][part] for part in ("covered", "total")] == [2, 3]
    assert [measures["stations"][part] for part in ("covered", "total")] == [1, 2]


def test_the_day_before_the_station_opened_nothing_is_covered(town: Run) -> None:
    assert town("coverage", "--as-of", "2012-02-29")["measures"]["area"]["percent"] == 0.0
    assert town("coverage", "--as-of", "2012-03-01")["measures"]["area"]["percent"] == 62.5


@pytest.mark.parametrize(("by", "codes"), [("area", [toy.WEST, toy.EAST]), ("station", ["S1", "S2"]), ("batch", ["1", "2"])])
def test_the_parts_are_all_there(town: Run, by: str, codes: list[str]) -> None:
    assert [part["code"] for part in town("coverage", "--as-of", "2012-12-31", "--by", by)["by"]] == codes


def test_importing_again_changes_nothing_and_the_log_knows_who_and_why(town: Run, files: Path, workspace_url: str) -> None:
    again = town("import", "grids", files / "grids.gpkg")
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 3)
    with gridgis.open_workspace(workspace_url) as workspace:
        log = workspace.log(layer="grids")
        assert set(log["who"]) == {"Li"}
        assert set(log["why"]) == {"first delivery"}


def test_a_dry_run_tells_and_writes_nothing(run: Run, files: Path, workspace_url: str) -> None:
    run("init")
    told = run("import", "areas", files / "areas.gpkg", "--dry-run")
    assert (told["dry_run"], told["rows"], told["ready"]) == (True, 3, 3)
    with gridgis.open_workspace(workspace_url) as workspace:
        assert workspace.count("areas") == 0


def test_one_bad_row_keeps_everything_out_and_is_named(run: Run, files: Path, workspace_url: str) -> None:
    run("init")
    twice = toy.areas().reset_index()
    twice.loc[2, "code"] = toy.WEST
    twice.to_file(files / "twice.gpkg")
    message = run("import", "areas", files / "twice.gpkg", code=1)
    assert message.count("Error:") == 1
    assert "twice.gpkg" in message
    assert toy.WEST in message
    assert run("import", "areas", files / "twice.gpkg", "--dry-run", code=1)["errors"] > 0
    with gridgis.open_workspace(workspace_url) as workspace:
        assert workspace.count("areas") == 0


def test_cells_and_villages_are_built_and_every_rule_holds(town: Run) -> None:
    assert town("grid", "build", "--who", "Li")["cells"] == 15
    # five houses of G1 and G2's two are further than 50 m apart; the four in G1 make one village, the five in G3 another
    town("villages", "build", "--min-buildings", "4")
    checked = town("check")
    assert (checked["ok"], checked["findings"]) == (True, [])
    assert checked["rows"]["unit_cells"] == 15


def test_a_broken_rule_is_1_with_a_list(town: Run, tmp_path: Path) -> None:
    moved = toy.grids().loc[["G1"]]
    moved.geometry = moved.geometry.translate(30, 0)  # over 30 m of G2
    moved.reset_index().to_file(tmp_path / "moved.gpkg")
    town("import", "grids", tmp_path / "moved.gpkg")
    told = town("check", code=1)
    assert told["rules"]["grid_overlap"] == 1
    assert {tuple(sorted(finding["keys"])) for finding in told["findings"] if finding["rule"] == "grid_overlap"} == {("G1", "G2")}


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "parquet", "fgb", "csv", "xlsx", "zip"])
def test_a_layer_goes_out_in_every_format(town: Run, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"grids.{ending}"
    assert town("export", "grids", out)["rows"] == 3
    assert out.stat().st_size > 0
    if ending in ("gpkg", "geojson", "fgb"):
        assert set(gpd.read_file(out)["code"]) == {"G1", "G2", "G3"}


def test_people_read_tables(town: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--as-of", "2012-12-31", "--by", "station", "--lang", "zh"]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("62.5 %", "2012年12月31日", "网格站", "18", "36", "West station"))
    assert main(["check", "--lang", "zh"]) == 0
    assert "全部规则均符合" in capsys.readouterr().out


def test_a_database_that_is_not_there_is_1_with_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    address = "postgresql://somebody:secret@127.0.0.1:1/none"
    assert main(["check", "-w", address, "--json", "--lang", "en"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("Error:") == 1
    assert "127.0.0.1" in said.err
    assert "secret" not in said.err


# --- the sample, as a user runs it -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Miaoling sample, made by the program itself."""
    file = tmp_path_factory.mktemp("sample") / "t.gpkg"
    made = program("demo", "-w", str(file), "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["synthetic"] is True
    return file


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUTF8": "1", "GRIDGIS_LANG": "en"}
    return subprocess.run(
        [sys.executable, "-m", "gridgis", *arguments], capture_output=True, text=True, check=False, env=environment
    )


def test_the_published_figures_come_out_to_the_last_digit(sample: Path) -> None:
    told = program("coverage", "-w", str(sample), "--json")
    assert (told.returncode, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    measures = document["measures"]
    assert document["area"] == {"code": "420703102", "name": "庙岭镇"}
    assert (document["as_of"], document["synthetic"]) == ("2012-12-31", True)
    assert (measures["area"]["percent"], measures["population"]["percent"]) == (43.6, 48.2)
    assert (measures["grids"]["covered"], measures["grids"]["total"]) == (81, 170)
    assert (measures["natural_villages"]["covered"], measures["population"]["covered"]) == (67, 14624)


def test_the_sample_keeps_every_rule(sample: Path) -> None:
    told = program("check", "-w", str(sample), "--json")
    assert (told.returncode, json.loads(told.stdout)["findings"]) == (0, [])


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gridgis", "demo", "-w", str(tmp_path / "t.gpkg"), "--lang", "en"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):  # until it has begun to write
            if any(tmp_path.iterdir()):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "nothing was changed" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def served(sample: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The app on a free port: the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gridgis", "serve", "-w", str(sample), "--port", str(port), "--lang", "en"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process, f"http://127.0.0.1:{port}"
    if process.poll() is None:
        process.kill()
        process.wait()


def test_serve_tells_its_address_answers_and_ends_on_ctrl_c(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    assert process.stdout is not None
    assert address in process.stdout.readline()
    assert "200" in wait_for(address)
    taken = program("serve", "--port", address.rsplit(":", 1)[1])
    assert taken.returncode == 1
    assert "--port" in taken.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 0
    assert process.stderr is not None
    assert not re.search("Traceback", process.stderr.read())


def wait_for(address: str) -> str:
    """The status of the first answer within 30 s."""
    last = "nothing"
    for _ in range(150):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.status)
        except OSError as error:
            last = str(error)
            time.sleep(0.2)
    return last
