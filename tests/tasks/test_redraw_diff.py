"""Two states of the toy town compared, with figures by hand."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pytest
import shapely

from gridgis import toy
from gridgis.errors import DataError
from gridgis.maps.changes import changes_map, layers_of
from gridgis.redraw.operations import Merge, Retire, Split
from gridgis.store import Workspace
from gridgis.tasks import covering, plans, redraw_diff, redrawing
from gridgis.text import LANGS, Lang, t

X, Y = toy.ORIGIN
ON = dt.date(2013, 1, 1)


def filled(ws: Workspace) -> Workspace:
    with ws.write(who="test", why="test") as write:
        write.set_crs(toy.CRS)
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    redrawing.edit(ws, Split("G1", ((X - 1, Y + 100), (X + 151, Y + 100))), plan="default", who="Li", why="two officers")
    return ws


def numbers(measure: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in measure.items() if isinstance(value, (int, float))}


def test_a_plan_is_compared_with_the_live_grids(each_town: Workspace) -> None:
    told = redraw_diff.diff(each_town, "live", "default").to_json()
    grids = {row["code"]: row for row in told["grids"]}
    assert {code: row["happened"] for code, row in grids.items()} == {"G1": "changed", "G2": "border", "G4": "new"}
    assert grids["G1"]["population"] == {"before": 12.0, "after": 0.0}
    (moved,) = told["moved"]
    assert (moved["from"], moved["to"], moved["households"]) == ("G1", "G4", 4.0)
    assert moved["area_m2"] == pytest.approx(15_000, rel=1e-6)
    assert told["totals"]["population"] == {"before": 18.0, "after": 18.0}
    assert told["coverage"]["area_m2"]["after"]["share"] == pytest.approx(0.625)  # the east station is not open
    assert [row["officer"] for row in told["officers"]] == ["Li"]


def test_days_before_and_after_a_publication_differ_by_what_was_published(town: Workspace) -> None:
    redrawing.edit(town, Merge(("G1", "G2")), plan="default", who="Li", why="too little work")
    plans.publish(town, "default", on=ON, who="Li")
    told = redraw_diff.diff(town, "2012-12-31", "live").to_json()
    assert told["areas"] == [toy.WEST]
    assert {row["code"]: row["happened"] for row in told["grids"]} == {"G1": "changed", "G2": "retired", "G4": "new"}
    with pytest.raises(DataError, match="neither live"):
        redraw_diff.diff(town, "live", "nothing")


@pytest.mark.parametrize("lang", LANGS)
def test_the_workbook_and_the_map_hold_the_same_figures(town: Workspace, tmp_path: Path, lang: Lang) -> None:
    report = redraw_diff.diff(town, "live", "default")
    book = openpyxl.load_workbook(report.write_xlsx(tmp_path / "changes.xlsx", lang))
    names = ("grids", "moved", "officers", "totals", "coverage")
    assert book.sheetnames == [t(f"redraw_diff.sheet_{name}", lang) for name in names]
    grids = {row[0]: row for row in book[book.sheetnames[0]].values}
    assert grids["G4"][1] == {"en": "new", "zh": "新增"}[lang]
    whole = list(book[book.sheetnames[4]].values)[1]
    assert whole[:3] == (toy.TOWN, "Toy", t("cli.measure_area", lang))
    assert whole[5] == pytest.approx(62.5)
    moved = list(book[book.sheetnames[1]].values)
    assert moved[0][0] == t("redraw_diff.column_source", lang)
    assert moved[1][:2] == ("G1", "G4")
    layer = gpd.read_file(report.write_map(tmp_path / "moved.geojson"))
    assert layer.crs == 4326
    sizes = dict(zip(zip(layer["layer"], layer["label"], strict=True), layer.to_crs(toy.CRS).area, strict=True))
    assert sizes == pytest.approx(
        {
            ("moved", "G1 → G4"): 15_000, ("before", "Grid 1"): 45_000, ("before", "Grid 2"): 30_000,
            ("after", "Grid 1"): 30_000, ("after", "Grid 2"): 30_000, ("after", "Grid 4"): 15_000,
        }, rel=1e-6,
    )  # fmt: skip
    assert layer.set_index("label").loc["Grid 4", ["layer", "population"]].tolist() == ["after", 12.0]


def test_the_map_in_the_workspaces_system_has_a_layer_for_each_side(town: Workspace, tmp_path: Path) -> None:
    file = redraw_diff.diff(town, "live", "default").write_map(tmp_path / "changes.gpkg")
    assert set(gpd.list_layers(file)["name"]) == {"moved", "before", "after"}
    after = gpd.read_file(file, layer="after").set_index("code")
    assert after.crs == toy.CRS
    assert after.geometry.area.round(3).to_dict() == pytest.approx({"G1": 30_000, "G2": 30_000, "G4": 15_000})
    assert after.reset_index().set_index("code")["happened"].to_dict() == {"G1": "changed", "G2": "border", "G4": "new"}


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_of_the_map_has_grids_before_and_after_and_what_moved(town: Workspace, lang: Lang) -> None:
    redrawing.edit(town, Retire("G2", to="free"), plan="default", who="Li", why="nobody lives there")
    with town.write(who="test", why="a sample") as write:
        write.set_info(synthetic=True)
    report = redraw_diff.diff(town, "live", "default")
    layers = {layer.name: layer.data for layer in layers_of(report, lang) if isinstance(layer.data, gpd.GeoDataFrame)}
    codes = {name: sorted(data["code"]) for name, data in layers.items() if "code" in data}
    assert codes == {"before": ["G1", "G2"], "after": ["G1", "G4"]}
    nobody = t("redraw_diff.nobody", lang)
    assert sorted(layers["moved"]["label"]) == ["G1 → G4", f"G2 → {nobody}"]
    page = changes_map(report, lang)
    assert "live → default" in page
    assert "62.5 % → 37.5 %" in page
    assert json.dumps(t("general.synthetic", lang)) in page
    assert report.to_json()["synthetic"] is True


def test_no_english_word_is_left_in_the_chinese_workbook(town: Workspace, tmp_path: Path) -> None:
    redrawing.edit(town, Retire("G2", to="free"), plan="default", who="Li", why="nobody lives there")
    with town.write(who="test", why="from a day on") as write:
        write.change("grids", town.read("grids").loc[["G1"]].assign(name="one", officer="Chen"), valid_from=ON)
    own = {"Grid", "Li", "Wang", "Zhao", "Chen", "Toy", "West", "East", "m", "G"}
    for first, second in (("live", "default"), ("2012-12-31", "live")):
        book = openpyxl.load_workbook(redraw_diff.diff(town, first, second).write_xlsx(tmp_path / "changes.xlsx", "zh"))
        cells = [value for sheet in book for row in sheet.values for value in row if isinstance(value, str)]
        assert {word for value in cells for word in re.findall("[A-Za-z]+", value)} <= own


def test_two_states_that_are_the_same_differ_in_nothing_and_have_the_coverage_that_coverage_tells(each_town: Workspace) -> None:
    report = redraw_diff.diff(each_town, "live", "live")
    told = report.to_json()
    assert (told["areas"], told["grids"], told["moved"], told["officers"]) == ([], [], [], [])
    own = covering.coverage(each_town).to_json()
    assert told["coverage"]["as_of"] == {"before": own["as_of"], "after": own["as_of"]}
    for name, measure in own["measures"].items():
        assert told["coverage"]["town"]["measures"][name] == {"before": measure, "after": measure}


def test_what_a_plan_would_cover_is_what_coverage_tells_once_it_is_published(town: Workspace) -> None:
    with town.write(who="test", why="a census") as write:
        write.correct("grids", town.read("grids").assign(population=[101.0, 50.0, 40.0]))
    plans.create(town, "fewer", who="Li")
    redrawing.edit(town, Retire("G2", to="free"), plan="fewer", who="Li", why="nobody lives there")
    told = redraw_diff.diff(town, "live", "fewer").to_json()["coverage"]
    before = covering.coverage(town, by="area").to_json()
    plans.publish(town, "fewer", on=ON, who="Li")
    after = covering.coverage(town, by="area").to_json()
    (west,) = told["areas"]
    for side, own in (("before", before), ("after", after)):
        part = next(part for part in own["by"] if part["code"] == toy.WEST)
        for name, measure in own["measures"].items():
            assert told["town"]["measures"][name][side] == measure
            mine = {k: v for k, v in part["measures"][name].items() if k != "share_of_total"}
            # ellipsoidal areas of one zone and of many differ in the last digits
            told_numbers, own_numbers = numbers(west["measures"][name][side]), numbers(mine)
            assert told_numbers == pytest.approx(own_numbers, rel=1e-11)
            assert {**west["measures"][name][side], **own_numbers} == mine
    assert west["measures"]["area"]["after"]["percent"] == 60.0  # G1 alone: 150 of 250 m
    # days before and after say the same as the plan did
    days = redraw_diff.diff(town, "2012-12-31", "2013-01-01").to_json()["coverage"]["areas"][0]["measures"]
    assert days["area"] == west["measures"]["area"]


def test_grids_that_begin_in_the_future_are_judged_on_the_day_they_begin(town: Workspace) -> None:
    redrawing.edit(town, Retire("G2", to="free"), plan="default", who="Li", why="nobody lives there")
    plans.publish(town, "default", on=dt.date(2099, 1, 1), who="Li")
    redrawing.edit(town, Split("G1", ((X + 75, Y + 99), (X + 75, Y + 301))), plan="default-2", who="Li", why="two officers")
    told = redraw_diff.diff(town, "live", "default-2").to_json()["coverage"]
    assert told["as_of"]["after"] == told["as_of"]["before"] >= "2013-01-01"
    assert told["area_m2"]["after"]["share"] == pytest.approx(told["area_m2"]["before"]["share"])


def test_a_grid_that_went_to_another_area_shows_in_both(town: Workspace) -> None:
    whole = town.read("grids")
    east = whole.loc[["G2"]].assign(area_code=toy.EAST)
    areas = town.read("areas").loc[[toy.WEST, toy.EAST]]
    first, second = whole.geometry["G1"], shapely.union_all([whole.geometry["G2"], whole.geometry["G3"]])
    with town.write(who="test", why="new line between the villages") as write:
        write.change("areas", areas.set_geometry([first, second]), valid_from=ON)
        write.change("grids", east, valid_from=ON)
    report = redraw_diff.diff(town, "2012-12-31", "live")
    assert set(report.found.areas) == {toy.WEST, toy.EAST}


def test_registers_of_live_grids_are_read_against_the_live_grids(town: Workspace) -> None:
    with town.write(who="test", why="a census") as write:
        write.correct("grids", town.read("grids").loc[["G3"]].assign(population=40.0))
    edit = Split("G3", ((X + 325, Y - 1), (X + 325, Y + 301)))
    plans.create(town, "east", who="Li")
    redrawing.edit(town, edit, plan="east", who="Li", why="two officers")
    with town.write(who="test", why="a later census") as write:
        write.correct("grids", town.read("grids").loc[["G3"]].assign(population=50.0))
    # the other plan has not taken up the east village: its side is the live grids with their register of now
    told = redraw_diff.diff(town, "default", "east").to_json()
    east = {row["code"]: row["population"] for row in told["grids"] if row["code"] in ("G3", "G5")}
    assert east["G3"]["before"] == 50.0
    assert east["G3"]["after"] + east["G5"]["after"] == 50.0


def test_a_change_of_name_is_told_as_one_of_details(town: Workspace) -> None:
    with town.write(who="test", why="from a day on") as write:
        write.change("areas", town.read("areas").loc[[toy.WEST]].assign(name="West side"), valid_from=ON)
        write.change("grids", town.read("grids").loc[["G1"]].assign(name="one"), valid_from=ON)
    assert redraw_diff.diff(town, "2012-12-31", "live").to_json()["grids"][0]["happened"] == "attributes"
