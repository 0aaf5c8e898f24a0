"""Coverage of a workspace: the toy town's figures, worked out by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract

from gridgis import toy
from gridgis.errors import DataError
from gridgis.store import Workspace, create_workspace
from gridgis.tasks import covering
from gridgis.text import LANGS
from tests.support import shared

OPEN = dt.date(2012, 3, 1)
END = dt.date(2012, 12, 31)
X, Y = toy.ORIGIN


def box(left: float, bottom: float, right: float, top: float) -> shapely.Polygon:
    return shapely.box(X + left, Y + bottom, X + right, Y + top)


def filled(ws: Workspace, **layers: gpd.GeoDataFrame) -> Workspace:
    with ws.write(who="test", why="test") as write:
        for name in ("areas", "stations", "grids", "buildings", "natural_villages"):
            if name in layers:
                write.upsert(name, layers[name])
    return ws


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workspace]:
    with create_workspace(str(tmp_path / "w.gpkg"), name="Toy", crs=toy.CRS) as ws:
        yield ws


@pytest.fixture
def ws(empty: Workspace) -> Workspace:
    villages = gpd.GeoDataFrame(
        {"code": ["V1", "V2", "V3"], "name": ["A", "B", "C"]},
        # V1 holds the 4 houses of G1; V2 two of G2 and, across the line, two of G3; V3 three of G3
        geometry=[box(10, 10, 60, 60), box(160, 140, 210, 170), box(260, 10, 330, 60)],
        crs=toy.CRS,
    ).set_index("code")
    return filled(
        empty,
        areas=toy.areas(),
        stations=toy.stations(),
        grids=toy.grids(),
        buildings=toy.buildings(),
        natural_villages=villages,
    )


def test_headline_is_the_toy_towns_arithmetic(ws: Workspace) -> None:
    told = covering.coverage(ws, as_of=END).to_json()
    assert told["as_of"] == "2012-12-31"
    assert told["area"] == {"code": toy.TOWN, "name": "Toy"}
    assert told["synthetic"] is False
    measures = told["measures"]
    assert measures["area"]["covered"] == pytest.approx(75_000, rel=1e-7)
    assert measures["area"]["total"] == pytest.approx(120_000, rel=1e-7)
    assert measures["area"]["percent"] == 62.5
    counts = {
        name: (one["covered"], one["total"], one["unit"], one["percent"]) for name, one in measures.items() if name != "area"
    }
    assert counts == {
        "population": (18, 36, "people", 50.0),
        "households": (6, 12, "households", 50.0),
        "natural_villages": (2, 3, "natural_villages", 66.7),
        "grids": (2, 3, "grids", 66.7),
        "stations": (1, 2, "stations", 50.0),
        "officers": (2, 3, "officers", 66.7),
    }
    assert all(type(value) is int for covered, total, _, _ in counts.values() for value in (covered, total))
    assert measures["population"]["source_key"] == "coverage.source_buildings"
    assert told["notes"] == []


def test_nothing_is_covered_the_day_before_and_the_total_stays(ws: Workspace) -> None:
    measures = covering.coverage(ws, as_of=OPEN - dt.timedelta(days=1)).measures
    assert [measures[name].covered for name in ("area", "population", "natural_villages", "grids", "stations")] == [0] * 5
    assert measures["population"].total == 36


def test_by_village_adds_up_to_the_town(ws: Workspace) -> None:
    report = covering.coverage(ws, by="area", as_of=END)
    rows = {row["code"]: row["measures"] for row in report.to_json()["by"]}
    assert list(rows) == [toy.WEST, toy.EAST]
    assert rows[toy.WEST]["area"]["percent"] == 100.0
    assert rows[toy.EAST]["area"]["covered"] == 0
    assert (rows[toy.WEST]["grids"]["covered"], rows[toy.EAST]["grids"]["total"]) == (2, 1)
    assert rows[toy.WEST]["population"]["share_of_total"] == 0.5
    for name in ("area", "population", "households", "natural_villages", "grids", "stations", "officers"):
        assert sum(row[name]["total"] for row in rows.values()) == pytest.approx(report.measures[name].total)
        assert sum(row[name]["covered"] for row in rows.values()) == pytest.approx(report.measures[name].covered)


@pytest.mark.parametrize(("by", "codes"), [("station", ["S1", "S2"]), ("batch", ["1", "2"]), ("town", [toy.TOWN])])
def test_by_station_batch_and_town(ws: Workspace, by: covering.By, codes: list[str]) -> None:
    rows = covering.coverage(ws, by=by, as_of=END).to_json()["by"]
    assert [row["code"] for row in rows] == codes
    if by != "town":
        assert [row["measures"]["population"]["percent"] for row in rows] == [100.0, 0.0]
        assert [row["measures"]["grids"]["total"] for row in rows] == [2, 1]
        assert rows[0]["name"] == ("West station" if by == "station" else "1")


def test_a_report_holds_for_the_workspaces_own_date_unless_another_is_asked(ws: Workspace) -> None:
    assert covering.report_date(ws, today=dt.date(2026, 1, 1)) == dt.date(2026, 1, 1)
    with ws.write(who="test", why="fix the date") as write:
        write.set_setting("as_of", "2012-02-01")
    assert covering.coverage(ws, today=END).as_of == dt.date(2012, 2, 1)
    assert covering.coverage(ws, as_of=OPEN, today=END).as_of == OPEN


def test_moving_one_grid_moves_the_figures(ws: Workspace) -> None:
    grids = ws.read("grids")
    grids.loc["G2", "geometry"] = box(150, 0, 250, 150)
    with ws.write(who="test", why="shrink") as write:
        write.correct("grids", grids.loc[["G2"]])
    measures = covering.coverage(ws, as_of=END).measures
    assert measures["area"].covered == pytest.approx(60_000, rel=1e-7)
    assert measures["population"].covered == 12


def test_a_retired_grid_covers_until_the_day_it_ended(ws: Workspace) -> None:
    with ws.write(who="test", why="close") as write:
        write.retire("grids", ["G1"], valid_to=dt.date(2012, 6, 1))
    assert covering.coverage(ws, as_of=dt.date(2012, 5, 31)).measures["grids"].covered == 2
    measures = covering.coverage(ws, as_of=dt.date(2012, 6, 1)).measures
    assert (measures["grids"].covered, measures["grids"].total, measures["population"].covered) == (1, 2, 6)


def test_missing_data_is_null_with_a_reason_and_never_zero(empty: Workspace) -> None:
    measures = covering.coverage(filled(empty, areas=toy.areas()), as_of=END).to_json()["measures"]
    assert measures["area"]["covered"] == 0
    for name in ("population", "households", "natural_villages", "grids", "stations", "officers"):
        assert measures[name]["covered"] is None
        assert measures[name]["total"] is None
        assert measures[name]["percent"] is None
        assert measures[name]["reason"]


def test_a_workspace_without_areas_says_what_to_do(empty: Workspace) -> None:
    with pytest.raises(DataError, match="gridgis import areas"):
        covering.coverage(empty, as_of=END)


def test_without_a_town_the_villages_together_are_the_total(empty: Workspace) -> None:
    report = covering.coverage(filled(empty, areas=toy.areas().iloc[1:], grids=toy.grids()), as_of=END)
    assert report.measures["area"].total == pytest.approx(120_000, rel=1e-7)
    assert report.area.code == toy.TOWN
    assert report.area.name == "Toy"


def test_overlaps_excess_repairs_and_unknown_stations_are_counted_once_and_told(empty: Workspace) -> None:
    grids = gpd.GeoDataFrame(
        {
            "code": ["a", "b", "c"],
            "name": ["a", "b", "c"],
            "area_code": toy.WEST,
            "state": "valid",
            "station": [None, None, "S9"],
        },
        geometry=[box(0, 0, 150, 300), box(100, 100, 600, 200), box(0, 0, 400, 300)],
        crs=toy.CRS,
    ).set_index("code")
    report = covering.coverage(filled(empty, areas=toy.areas(), grids=grids), as_of=END)
    assert report.measures["area"].covered == pytest.approx(45_000 + 25_000, rel=1e-7)
    notes = {note.kind: note for note in report.notes}
    assert set(notes) == {"overlap", "outside", "unknown_station"}
    assert notes["overlap"].items[0]["area_m2"] == pytest.approx(5_000, rel=1e-6)
    assert notes["outside"].items[0]["area_m2"] == pytest.approx(20_000, rel=1e-6)
    assert notes["unknown_station"].items == ({"grids": ["c"], "station": "S9"},)
    assert all(note.message(lang) for note in report.notes for lang in LANGS)


def test_trend_steps_on_every_opening_and_ends_on_the_report_date(ws: Workspace) -> None:
    with ws.write(who="test", why="second batch") as write:
        stations = ws.read("stations")
        stations["opened_on"] = [OPEN, dt.date(2012, 9, 1)]
        write.correct("stations", stations)
    frame = covering.trend(ws, until=END)
    assert frame["date"].tolist() == [OPEN, dt.date(2012, 9, 1), END]
    assert frame["area_share"].round(6).tolist() == [0.625, 1.0, 1.0]
    assert frame["population_covered"].tolist() == [18, 36, 36]
    assert covering.trend(ws, until=OPEN)["date"].tolist() == [OPEN]


def test_blind_spots_hold_the_people_outside_and_vanish_when_all_is_open(ws: Workspace) -> None:
    blind = covering.blind_spots(ws, as_of=END)
    assert blind[["kind", "code", "buildings", "population"]].to_numpy().tolist() == [
        ["natural_village", "V3", 5, 15],
        ["scattered", toy.EAST, 1, 3],
    ]
    assert blind["population"].sum() == 36 - 18
    with ws.write(who="test", why="open all") as write:
        stations = ws.read("stations")
        stations["opened_on"] = OPEN
        write.correct("stations", stations)
    assert len(covering.blind_spots(ws, as_of=END)) == 0


def test_population_from_a_raster_counts_partial_pixels(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "people.tif"
    options = {"driver": "GTiff", "height": 3, "width": 4, "count": 1, "dtype": "float32", "crs": toy.CRS}
    with rasterio.open(file, "w", transform=Affine(100, 0, X, 0, -100, Y + 300), **options) as target:
        target.write(np.full((3, 4), 12.0, dtype="float32"), 1)
    people = covering.coverage(ws, as_of=END, raster=file).measures["population"]
    # the west grids reach to x = 250: two columns and a half of four
    assert (people.covered, people.total) == (pytest.approx(90), pytest.approx(144))
    assert people.source == "coverage.source_raster"


# --- two files -------------------------------------------------------------------------------------------------------


def test_two_files_give_the_union_inside_and_say_what_they_do_not_know(tmp_path: Path) -> None:
    grids = gpd.GeoDataFrame(
        {"code": ["a", "b", "c"]},
        geometry=[
            box(0, 0, 150, 300),
            box(100, 100, 600, 200),
            shapely.Polygon([(X + 200, Y + 200), (X + 300, Y + 300), (X + 300, Y + 200), (X + 200, Y + 300)]),
        ],
        crs=toy.CRS,
    )
    toy.areas().iloc[:1].reset_index().to_file(tmp_path / "a.gpkg")
    grids.to_file(tmp_path / "b.gpkg")
    report = covering.coverage_files(tmp_path / "a.gpkg", tmp_path / "b.gpkg")
    told = report.to_json()
    assert told["measures"]["area"]["covered"] == pytest.approx(45_000 + 25_000 + 5_000, rel=1e-7)
    assert told["area"] == {"code": toy.TOWN, "name": "Toy"}
    assert {note["kind"] for note in told["notes"]} == {"overlap", "outside", "repaired"}
    assert told["measures"]["grids"]["covered"] == 3
    assert told["measures"]["population"]["reason_key"] == "coverage.no_population"


def test_two_files_take_people_from_the_areas_own_column(tmp_path: Path) -> None:
    areas = toy.areas().iloc[1:].reset_index().assign(人口=[1000, 50])
    areas.to_file(tmp_path / "a.gpkg")
    toy.grids().loc[["G1"]].reset_index().to_file(tmp_path / "b.gpkg")
    people = covering.coverage_files(tmp_path / "a.gpkg", tmp_path / "b.gpkg").measures["population"]
    assert (people.covered, people.total) == (pytest.approx(600), 1050)


def test_azores_people_in_some_towns_equal_exactextract(tmp_path: Path) -> None:
    raster, towns = shared("population_rasters/gpw_count.tif"), shared("population_rasters/concelhos.gpkg")
    some = gpd.read_file(towns).iloc[:2]
    some.to_file(tmp_path / "b.gpkg")
    people = covering.coverage_files(towns, tmp_path / "b.gpkg", population=raster).measures["population"]
    found = exact_extract(str(raster), gpd.read_file(towns), ["sum"], output="pandas")["sum"]
    assert (people.covered, people.total) == pytest.approx((found.iloc[:2].sum(), found.sum()), rel=1e-6)


def test_houses_without_people_are_told(ws: Workspace) -> None:
    with ws.write(who="test", why="unknown") as write:
        houses = ws.read("buildings")
        houses.loc["B01", "population"] = None
        write.upsert("buildings", houses)
    report = covering.coverage(ws, as_of=END)
    assert report.measures["population"].total == 33
    assert [note.message("en") for note in report.notes] == ["Buildings without a number of people: 1 of 12; they count as none."]


def test_a_total_without_polygons_is_refused(tmp_path: Path) -> None:
    toy.stations().reset_index()[["code", "geometry"]].to_file(tmp_path / "a.gpkg")
    toy.grids().reset_index().to_file(tmp_path / "b.gpkg")
    with pytest.raises(DataError, match=r"a\.gpkg"):
        covering.coverage_files(tmp_path / "a.gpkg", tmp_path / "b.gpkg")


def test_frame_is_a_layer_of_the_parts(ws: Workspace) -> None:
    frame = covering.coverage(ws, by="area", as_of=END).frame()
    assert isinstance(frame, gpd.GeoDataFrame)
    assert frame["area_share"].round(6).tolist() == [1.0, 0.0]
    assert pd.api.types.is_float_dtype(frame["grids_covered"])
