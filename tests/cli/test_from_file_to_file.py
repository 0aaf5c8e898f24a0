"""Commands from file to file on the toy town, whose figures can be checked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest

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
