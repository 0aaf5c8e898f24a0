"""`reach` and `patrol` on the command line: the sample workspace, tables in both languages, files, wrong usage and wrong data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

import gridgis
from gridgis import toy
from gridgis.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_reach_of_the_sample_adds_up(miaoling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = said(capsys, "reach", "-w", miaoling, "--out", tmp_path / "gaps.gpkg")
    assert document["synthetic"]
    assert document["from"] == "stations"
    assert document["sources"]["used"] == 7
    assert len(document["sources"]["not_open"]) == 9
    assert document["total"]["buildings"] == 7098
    assert document["total"]["residents"] == 30_340
    for part in ("by_area", "by_grid", "by_source"):
        assert sum(row["buildings_within"] for row in document[part]) == document["total"]["buildings_within"]
    assert document["gaps"]["buildings"] == 7098 - document["total"]["buildings_within"]
    assert len(gpd.read_file(tmp_path / "gaps.gpkg", layer="service_gaps")) == document["gaps"]["buildings"]
    nearer = said(capsys, "reach", "-w", miaoling, "--minutes", "5", "--from", "officers")
    farther = said(capsys, "reach", "-w", miaoling, "--minutes", "10", "--from", "officers", "--speed", "6")
    assert nearer["total"]["buildings_within"] < farther["total"]["buildings_within"]


def test_rounds_of_the_sample_are_proved(miaoling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = said(capsys, "patrol", "-w", miaoling, "--out", tmp_path / "rounds.gpkg")
    total = document["total"]
    assert total["grids"] == total["exact"] == len(document["grids"]) == 170
    assert total["round_m"] == pytest.approx(sum(row["round_m"] for row in document["grids"]))
    rounds = gpd.read_file(tmp_path / "rounds.gpkg").set_index("code")
    walked = rounds[rounds["streets_m"] > 0]
    assert walked.length.tolist() == pytest.approx(walked["round_m"].tolist())
    area = said(capsys, "patrol", "-w", miaoling, "--area", "420703102205")
    assert {row["code"]: row["round_m"] for row in area["grids"]} == pytest.approx(
        {row["code"]: row["round_m"] for row in document["grids"] if row["area_code"] == "420703102205"}
    )


@pytest.mark.parametrize(("lang", "words"), [("en", ("Share of residents", "proved")), ("zh", ("居民可达率", "证明"))])
def test_people_get_tables(miaoling: Path, capsys: pytest.CaptureFixture[str], lang: str, words: tuple[str, str]) -> None:
    assert main(["reach", "-w", str(miaoling), "--area", "420703102205", "--lang", lang]) == 0
    assert words[0] in capsys.readouterr().out
    assert main(["patrol", "-w", str(miaoling), "--area", "420703102205", "--lang", lang]) == 0
    assert words[1] in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["reach", "--minutes", "0"], ["reach", "--from", "home"], ["patrol", "--speed", "-1"], ["patrol", "--minutes", "5"]],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("lang", "words"), [("en", "Import the roads first"), ("zh", "请先导入道路")])
def test_a_town_without_roads_is_1_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, words: str
) -> None:
    file = tmp_path / "town.gpkg"
    with gridgis.create_workspace(str(file), crs=toy.CRS) as ws, ws.write(who="t", why="t") as write:
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    for command in ("reach", "patrol"):
        assert main([command, "-w", str(file), "--as-of", "2012-12-31", "--json", "--lang", lang]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert words in told.err
