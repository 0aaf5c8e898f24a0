"""Two states of the toy town compared, with figures by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely

from gridgis import toy
from gridgis.errors import DataError
from gridgis.redraw.operations import Merge, Split
from gridgis.store import Workspace
from gridgis.tasks import plans, redraw_diff, redrawing
from gridgis.text import LANGS, t

X, Y = toy.ORIGIN
ON = dt.date(2013, 1, 1)


def filled(ws: Workspace) -> Workspace:
    with ws.write(who="test", why="test") as write:
        write.set_crs(toy.CRS)
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    redrawing.edit(ws, Split("G1", ((X - 1, Y + 100), (X + 151, Y + 100))), plan="default", who="Li", why="two officers")
    return ws


def test_a_plan_is_compared_with_the_live_grids(each_town: Workspace) -> None:
    told = redraw_diff.diff(each_town, "live", "default").to_json()
    grids = {row["code"]: row for row in told["grids"]}
    assert {code: row["happened"] for code, row in grids.items()} == {"G1": "changed", "G2": "border", "G4": "new"}
    assert grids["G1"]["population"] == {"before": 12.0, "after": 0.0}
    (moved,) = told["moved"]
    assert (moved["from"], moved["to"], moved["households"]) == ("G1", "G4", 4.0)
    assert moved["area_m2"] == pytest.approx(15_000, rel=1e-6)
    assert told["totals"]["population"] == {"before": 18.0, "after": 18.0}
    assert told["coverage"]["area_m2"]["after"]["share"] == pytest.approx(1.0)
    assert [row["officer"] for row in told["officers"]] == ["Li"]


def test_days_before_and_after_a_publication_differ_by_what_was_published(town: Workspace) -> None:
    redrawing.edit(town, Merge(("G1", "G2")), plan="default", who="Li", why="too little work")
    plans.publish(town, "default", on=ON, who="Li")
    told = redraw_diff.diff(town, "2012-12-31", "live").to_json()
    assert told["areas"] == [toy.WEST]
    assert {row["code"]: row["happened"] for row in told["grids"]} == {"G1": "changed", "G2": "retired", "G4": "new"}
    with pytest.raises(DataError, match="are the same"):
        redraw_diff.diff(town, "live", "live")
    with pytest.raises(DataError, match="neither live"):
        redraw_diff.diff(town, "live", "nothing")


@pytest.mark.parametrize("lang", LANGS)
def test_the_workbook_and_the_map_hold_the_same_figures(town: Workspace, tmp_path: Path, lang: str) -> None:
    report = redraw_diff.diff(town, "live", "default")
    book = openpyxl.load_workbook(report.write_xlsx(tmp_path / "changes.xlsx", lang))
    assert book.sheetnames == [t(f"redraw_diff.sheet_{name}", lang) for name in ("grids", "moved", "officers", "totals")]
    moved = list(book[book.sheetnames[1]].values)
    assert moved[0][0] == t("redraw_diff.column_source", lang)
    assert moved[1][:2] == ("G1", "G4")
    layer = gpd.read_file(report.write_map(tmp_path / "moved.geojson"))
    assert layer.crs == 4326
    assert layer.to_crs(toy.CRS).area.tolist() == pytest.approx([15_000], rel=1e-6)


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
