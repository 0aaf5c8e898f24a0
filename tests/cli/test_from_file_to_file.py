"""Commands from file to file on the toy town, whose figures can be checked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from gridgis import toy
from gridgis.cli import main


@pytest.fixture
def areas_file(tmp_path: Path) -> Path:
    """The two villages of the toy town."""
    file = tmp_path / "areas.gpkg"
    areas = toy.areas()
    areas[areas["level"] == "village"].reset_index().to_file(file)
    return file


def test_a_file_of_villages_becomes_a_file_of_cells(areas_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = areas_file.with_name("cells.gpkg")
    assert main(["grid", str(areas_file), "-o", str(out), "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.err == ""
    # the line at 250 m halves the cells of the third column: 2 + ½ and ½ + 1 columns of three cells
    assert (document["cells"], document["areas"]) == (15, 2)
    assert document["area_m2"]["total"] == pytest.approx(120_000, rel=1e-6)
    cells = gpd.read_file(out)
    assert cells["code"].str.len().eq(15).all()
    assert cells["code"].is_unique
    assert cells.area.sum() == pytest.approx(120_000)
    # west to east, then north to south: 001 is the north-western cell
    first = cells.set_index("code").loc[toy.WEST + "001"].geometry
    assert first.bounds == pytest.approx((500000, 3366200, 500100, 3366300))


def test_people_get_a_table_in_their_language(areas_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = areas_file.with_name("cells.gpkg")
    assert main(["grid", str(areas_file), "-o", str(out), "--lang", "zh"]) == 0
    assert "单元网格数" in (shown := capsys.readouterr().out)
    assert "15" in shown


def test_too_many_cells_are_1_name_the_village_and_leave_no_file(areas_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = areas_file.with_name("cells.gpkg")
    assert main(["grid", str(areas_file), "-o", str(out), "--cell-m", "5", "--json", "--lang", "en"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "West" in said.err
    assert "--cell-code long" in said.err
    assert not out.exists()


def test_a_file_that_is_not_there_is_1_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", str(tmp_path / "none.geojson"), "-o", str(tmp_path / "o.gpkg"), "--lang", "en"]) == 1
    assert "none.geojson" in capsys.readouterr().err


def test_a_town_in_longitude_and_latitude_is_computed_in_metres(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "town.geojson", tmp_path / "cells.gpkg"
    toy.areas().loc[[toy.TOWN]].to_crs("EPSG:4326")[["geometry"]].to_file(file, index=False)
    assert main(["grid", str(file), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["crs"] == "EPSG:4547"
    assert sorted(pyogrio.read_dataframe(out)["code"])[0] == "000001"


def test_ground_counts_once_and_only_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    total, covered = tmp_path / "town.gpkg", tmp_path / "grids.gpkg"
    toy.areas().loc[[toy.TOWN]].to_file(total, index=True)
    opened = toy.grids().loc[["G1", "G2"]].geometry
    x, y = toy.ORIGIN
    # on top of both, outside the town, and a ring that crosses itself inside G1
    more = [
        shapely.box(x + 100, y, x + 200, y + 300),
        shapely.box(x - 80, y, x, y + 300),
        shapely.Polygon([(x, y), (x + 50, y + 50), (x + 50, y), (x, y + 50)]),
    ]
    gpd.GeoDataFrame(geometry=[*opened, *more], crs=toy.CRS).to_file(covered)
    assert main(["coverage", "--total", str(total), "--covered", str(covered), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    area = document["measures"]["area"]
    assert (area["percent"], area["unit"]) == (62.5, "m2")
    assert area["total"] == pytest.approx(120_000, rel=1e-6)
    assert document["as_of"] is None
    assert document["measures"]["population"]["percent"] is None
    assert document["measures"]["population"]["reason"]
    assert document["notes"] != []


def test_houses_become_natural_villages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "houses.gpkg", tmp_path / "villages.gpkg"
    toy.buildings().to_file(file, index=True)
    assert main(["villages", str(file), "-o", str(out), "--min-buildings", "4", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    # the four of G1 and the five of G3 stand 10 m apart; G2's two and the far one are scattered
    assert (document["villages"], document["buildings"], document["scattered"]) == (2, 9, 3)
    assert sorted(gpd.read_file(out, layer="natural_villages")["buildings"]) == [4, 5]
