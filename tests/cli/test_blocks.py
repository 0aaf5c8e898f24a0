"""`grid build --method block` and `import osm` on the command line: the answer, the table, wrong usage, no network."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from gridgis import toy
from gridgis.cli import main
from tests.support import free_port


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy town with one street, as commands make it."""
    path = tmp_path / "town.gpkg"
    monkeypatch.setenv("GRIDGIS_WORKSPACE", str(path))
    x, y = toy.ORIGIN
    way = shapely.LineString([(x + 125, y - 20), (x + 125, y + 320)])
    gpd.GeoDataFrame({"id": ["1"], "highway": ["residential"]}, geometry=[way], crs=toy.CRS).to_file(tmp_path / "roads.gpkg")
    toy.areas().to_file(tmp_path / "areas.gpkg", index=True)
    assert main(["init", "--crs", toy.CRS]) == 0
    for layer in ("areas", "roads"):
        assert main(["import", layer, str(tmp_path / f"{layer}.gpkg")]) == 0
    return path


def test_blocks_print_counts_areas_and_rules(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["grid", "build", "--method", "block", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["method"] == "block"
    assert document["target_m2"] == 10_000
    assert document["area_m2"]["total"] == pytest.approx(120_000, rel=1e-6)
    assert [row["rule"] for row in document["rules"]][:4] == ["seamless", "filled", "one_area", "buildings_whole"]
    assert all(row["kept"] == pytest.approx(row["of"]) for row in document["rules"] if row["hard"])


@pytest.mark.parametrize(("lang", "words"), [("en", "Rule of division"), ("zh", "划分原则")])
def test_people_get_the_sheet_as_a_table(workspace: Path, capsys: pytest.CaptureFixture[str], lang: str, words: str) -> None:
    assert main(["grid", "build", "--method", "block", "--lang", lang]) == 0
    assert words in capsys.readouterr().out


def test_cell_m_is_the_side_of_the_cell_wished_for(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = []
    for side in ("100", "200"):
        capsys.readouterr()
        assert main(["grid", "build", "--method", "block", "--cell-m", side, "--json"]) == 0
        sizes.append(json.loads(capsys.readouterr().out)["area_m2"]["median"])
    assert sizes[1] > 2 * sizes[0]


@pytest.mark.parametrize(
    "arguments",
    [["import", "osm"], ["import", "osm", "x.gpkg", "--area", "1"], ["import", "roads"], ["import", "roads", "x", "--area", "1"]],
)
def test_wrong_usage_is_2(workspace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_without_a_network_osm_is_1_at_once_with_the_way_out(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDGIS_OVERPASS", f"http://127.0.0.1:{free_port()}/api")
    monkeypatch.setenv("GRIDGIS_CACHE", str(tmp_path))
    capsys.readouterr()
    assert main(["import", "osm", "--area", toy.WEST, "--json", "--lang", "en"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("Error:") == 1
    assert "cannot be reached" in said.err
