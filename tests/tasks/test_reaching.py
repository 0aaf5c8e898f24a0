"""Reach and rounds of a workspace: figures by hand on the toy town, files read back, what is refused."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from gridgis import toy
from gridgis.errors import Cancelled, DataError
from gridgis.store import Workspace
from gridgis.tasks import reaching
from gridgis.tasks.reach_files import write_patrol, write_reach

X, Y = toy.ORIGIN
ON = dt.date(2012, 12, 31)
LAYERS = ("areas", "grids", "stations", "buildings", "roads")


def roads() -> gpd.GeoDataFrame:
    """A street of 400 m along the south border, another of 300 m in the west, up to the north."""
    lines = [shapely.LineString([(X, Y), (X + 125, Y), (X + 400, Y)]), shapely.LineString([(X + 125, Y), (X + 125, Y + 300)])]
    return gpd.GeoDataFrame({"kind": "lane"}, geometry=lines, index=pd.Index(["1", "2"], name="id"), crs=toy.CRS)


def filled(ws: Workspace, *, leave: str = "", **frames: gpd.GeoDataFrame) -> Workspace:
    known = {"areas": toy.areas, "grids": toy.grids, "stations": toy.stations, "buildings": toy.buildings, "roads": roads}
    with ws.write(who="Li", why="town") as change:
        change.set_crs(toy.CRS)
        for layer in LAYERS:
            if layer != leave:
                change.upsert(layer, frames.get(layer, known[layer]()))
    return ws


def test_reach_of_the_open_station_by_hand(each_ws: Workspace) -> None:
    ws = filled(each_ws)
    before = ws.revision
    report = reaching.reach(ws, minutes=5, speed_kmh=3.6, on=ON)
    # S1 stands on the west street, 150 m up. A house at (25, 25) is at (25, 0): 150 + 100 + 25 m; a metre is a second
    assert report.places["minutes"].iloc[0] * 60 == pytest.approx(275)
    # (45, 25): 150 + 80 + 25; (25, 45) and (45, 45): the same, 20 m more; (175, 155): 5 m up the west street, 50 m off it
    assert (report.places["minutes"].iloc[[1, 2, 3, 4]] * 60).tolist() == pytest.approx([255, 295, 275, 55])
    assert report.total[["buildings", "buildings_within", "residents_within"]].iloc[0].tolist() == [12, 6, 18]
    document = report.to_json()
    assert document["as_of"] == "2012-12-31"
    assert document["sources"] == {"used": 1, "not_open": ["S2"], "no_place": [], "off": []}
    assert document["streets_m"] == pytest.approx(700, abs=0.1)
    assert [(row["code"], row["buildings_within"], row["residents_within"]) for row in document["by_grid"]] == [
        ("G1", 4, 12), ("G2", 2, 6), ("G3", 0, 0),
    ]  # fmt: skip
    assert {row["code"]: row["residents_share"] for row in document["by_area"]} == {toy.WEST: 1, toy.EAST: 0}
    assert [row["code"] for row in document["by_source"]] == ["S1"]
    assert document["gaps"] == {"buildings": 6, "far": 6, "no_way": 0, "off": 0, "grids": 1}
    assert report.ground["residents"].to_dict() == {"G3": 18}
    assert json.loads(json.dumps(document, default=float))
    assert ws.revision == before


def test_officers_start_at_the_building_in_the_middle_of_their_grid(ws: Workspace) -> None:
    filled(ws, leave="stations")
    report = reaching.reach(ws, sources="officers", minutes=2, speed_kmh=3.6, on=ON)
    assert report.sources_at["name"].tolist() == ["Grid 1", "Grid 2", "Grid 3"]
    places = pd.Series(toy.buildings().geometry.centroid)
    assert all(point.distance(shapely.MultiPoint(list(places))) < 1e-6 for point in report.sources_at.geometry)
    assert report.by_source.index.tolist() == ["G1", "G2", "G3"]
    # the six houses of the east grid: five near the street, one far up in the north
    assert report.by_grid.loc["G3", "buildings_within"] == 5


def test_an_area_is_asked_about_alone_and_stations_outside_still_count(ws: Workspace) -> None:
    filled(ws)
    east = reaching.reach(ws, area=toy.EAST, minutes=60, on=ON)
    assert east.total["buildings"].tolist() == [6]
    assert east.to_json()["area"] == {"code": toy.EAST, "name": "East"}
    assert east.by_grid.index.tolist() == ["G3"]
    assert east.total["buildings_within"].tolist() == [6]
    whole = reaching.reach(ws, area=toy.TOWN, on=ON)
    assert whole.by_area.index.tolist() == [toy.WEST, toy.EAST]


def test_buildings_no_grid_holds_stand_in_the_row_of_their_area(ws: Workspace) -> None:
    filled(ws, grids=toy.grids().iloc[[0, 2]])
    document = reaching.reach(ws, on=ON).to_json()
    assert [(row["code"], row["area_code"], row["buildings"]) for row in document["by_grid"]] == [
        (None, toy.WEST, 2), ("G1", toy.WEST, 4), ("G3", toy.EAST, 6),
    ]  # fmt: skip


def test_people_that_are_not_known_or_too_few_are_null_with_the_reason(ws: Workspace) -> None:
    filled(ws, buildings=toy.buildings().assign(population=None))
    assert reaching.reach(ws, on=ON).to_json()["total"]["reason"] == "no_population"
    with ws.write(who="Li", why="two") as change:
        change.upsert("buildings", toy.buildings().assign(population=[1] * 6 + [3] * 6))
    rows = {row["code"]: row for row in reaching.reach(ws, minutes=60, on=ON).to_json()["by_grid"]}
    assert {code: row["reason"] for code, row in rows.items()} == {"G1": "suppressed", "G2": "suppressed", "G3": None}
    assert reaching.reach(ws, minutes=60, on=ON, suppress_below=0).by_grid["residents"].tolist() == [4, 2, 18]


def test_rounds_by_hand(each_ws: Workspace) -> None:
    ws = filled(each_ws)
    report = reaching.patrol(ws, on=ON, speed_kmh=6)
    # G1: 150 m of the south street and the whole west street, three dead ends; G2 and G3: a stretch with two
    assert report.frame["streets_m"].tolist() == pytest.approx([450, 100, 150], abs=0.1)
    assert report.frame["round_m"].tolist() == pytest.approx([900, 200, 300], abs=0.2)
    total = report.to_json()["total"]
    assert total["hours"] == pytest.approx(1.4 / 6, rel=1e-3)
    assert (total["grids"], total["exact"], total["without_streets"]) == (3, 3, 0)
    assert report.frame.geometry.length.tolist() == pytest.approx(report.frame["round_m"].tolist())
    assert reaching.patrol(ws, area=toy.EAST, on=ON).frame.index.tolist() == ["G3"]


def test_files_hold_what_the_report_says(ws: Workspace, tmp_path: Path) -> None:
    filled(ws)
    report = reaching.reach(ws, minutes=5, speed_kmh=3.6, on=ON)
    package = write_reach(report, tmp_path / "reach.gpkg")
    assert {name for name, _ in pyogrio.list_layers(package)} == {
        "service_gaps", "gap_ground", "grids", "areas", "buildings", "sources",
    }  # fmt: skip
    assert gpd.read_file(package, layer="buildings")["minutes"].tolist() == pytest.approx(report.places["minutes"].tolist())
    gaps = gpd.read_file(package, layer="service_gaps")
    assert gaps["code"].tolist() == report.gaps.index.tolist()
    assert gaps["minutes"].tolist() == pytest.approx(report.gaps["minutes"].tolist())
    assert gpd.read_file(package, layer="gap_ground").area.sum() == pytest.approx(report.ground.area.sum())
    assert gpd.read_file(write_reach(report, tmp_path / "gaps.geojson")).crs.to_epsg() == 4326
    sheets = pd.read_excel(write_reach(report, tmp_path / "reach.xlsx", lang="zh"), sheet_name=None)
    assert list(sheets) == ["合计", "区域", "网格", "网格站", "服务盲区"]
    assert sheets["网格"]["可达居民"].tolist() == [12, 6, 0]
    rounds = reaching.patrol(ws, on=ON)
    lines = gpd.read_file(write_patrol(rounds, tmp_path / "rounds.gpkg"))
    assert lines.length.tolist() == pytest.approx(lines["round_m"].tolist())
    for name in ("rounds.xlsx", "rounds.csv"):
        file = write_patrol(rounds, tmp_path / name)
        table = pd.read_excel(file) if file.suffix == ".xlsx" else pd.read_csv(file)
        assert table.iloc[:, 0].tolist() == ["G1", "G2", "G3"]
        assert "geometry" not in table
    with pytest.raises(DataError, match=r"rounds\.doc"):
        write_patrol(rounds, tmp_path / "rounds.doc")


def test_nothing_beyond_reach_still_makes_a_file(ws: Workspace, tmp_path: Path) -> None:
    filled(ws)
    report = reaching.reach(ws, minutes=600, on=ON)
    assert report.gaps.empty
    package = write_reach(report, tmp_path / "reach.gpkg")
    assert gpd.read_file(package, layer="gap_ground").empty
    write_reach(report, tmp_path / "reach.xlsx")


FAR = roads().set_geometry(roads().geometry.translate(xoff=50_000))
NOBODY = toy.grids().assign(officer=None)
NOWHERE = toy.stations().set_geometry(gpd.GeoSeries([None, None], index=toy.stations().index, crs=toy.CRS))


@pytest.mark.parametrize(
    ("leave", "frames", "asked", "key"),
    [
        ("areas", {}, {}, "grids.no_areas"),
        ("roads", {}, {}, "reach.no_streets"),
        ("buildings", {}, {}, "reach.no_buildings"),
        ("stations", {}, {}, "reach.no_stations"),
        ("", {}, {"on": dt.date(2011, 1, 1)}, "reach.none_open"),
        ("", {"stations": NOWHERE}, {}, "reach.none_placed"),
        ("", {"grids": NOBODY}, {"sources": "officers"}, "reach.no_officers"),
        ("", {"roads": FAR}, {}, "reach.sources_off"),
        ("", {}, {"area": "1"}, "reach.unknown_area"),
        ("", {}, {"minutes": 0}, "reach.minutes"),
        ("", {}, {"minutes": np.nan}, "reach.minutes"),
        ("", {}, {"speed_kmh": 0}, "reach.speed"),
    ],
)
def test_what_cannot_be_reached_is_said_in_both_languages(
    ws: Workspace, leave: str, frames: dict[str, gpd.GeoDataFrame], asked: dict[str, object], key: str
) -> None:
    filled(ws, leave=leave, **frames)
    with pytest.raises(DataError) as refused:
        reaching.reach(ws, **{"on": ON, **asked})  # type: ignore[arg-type]
    assert refused.value.key == key
    assert refused.value.message("en") != refused.value.message("zh")


def test_buildings_far_from_every_street_are_said_to_be(ws: Workspace) -> None:
    houses = toy.buildings()
    filled(ws, buildings=houses.set_geometry(houses.geometry.translate(yoff=5_000)))
    with pytest.raises(DataError) as refused:
        reaching.reach(ws, on=ON)
    assert refused.value.key == "reach.buildings_off"


@pytest.mark.parametrize(
    ("leave", "frames", "key"),
    [("roads", {}, "reach.no_streets"), ("grids", {}, "reach.no_grids"), ("", {"roads": FAR}, "reach.no_streets_in_grids")],
)
def test_without_grids_or_streets_there_is_no_round(
    ws: Workspace, leave: str, frames: dict[str, gpd.GeoDataFrame], key: str
) -> None:
    filled(ws, leave=leave, **frames)
    with pytest.raises(DataError) as refused:
        reaching.patrol(ws, on=ON)
    assert refused.value.key == key


def test_work_can_be_stopped(town: Workspace) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "reach.stage_rounds":
            raise Cancelled("general.cancelled")

    with pytest.raises(Cancelled):
        reaching.patrol(town, on=ON, progress=stop)
