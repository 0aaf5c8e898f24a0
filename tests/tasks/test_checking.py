"""Every rule of the check: silent on the toy town, and told with row and place when it is broken."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from shapely import affinity

from gridgis import toy
from gridgis.measure import cell_area
from gridgis.store import open_workspace
from gridgis.tasks.checking import RULES, check
from gridgis.text import LANGS, catalogue

AT = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


def cells():
    """The two villages cut by hand: two cells in each, of 125 m × 300 m and 75 m × 300 m."""
    x, y = toy.ORIGIN
    edges = [(0, 125), (125, 250), (250, 325), (325, 400)]
    shapes = [shapely.box(x + a, y, x + b, y + 300) for a, b in edges]
    codes = [f"{toy.WEST}001", f"{toy.WEST}002", f"{toy.EAST}001", f"{toy.EAST}002"]
    areas = [toy.WEST, toy.WEST, toy.EAST, toy.EAST]
    frame = gpd.GeoDataFrame(
        {"code": codes, "area_code": areas, "initial_time": AT, "state": "valid"}, geometry=shapes, crs=toy.CRS
    )
    return frame.assign(area_m2=cell_area(frame)).set_index("code")


def filled(ws):
    """The toy town in a workspace, with unit cells."""
    with ws.write(who="test", why="test", at=AT) as write:
        write.set_crs(toy.CRS)
        write.upsert("areas", toy.areas())
        write.upsert("stations", toy.stations())
        write.upsert("grids", toy.grids())
        write.upsert("buildings", toy.buildings())
        write.replace("unit_cells", cells())
    return ws


def put(ws, layer, frame):
    with ws.write(who="test", why="break", at=AT) as write:
        if layer == "unit_cells":
            write.replace(layer, frame)
        else:
            write.upsert(layer, frame)


def moved(frame, key, *, east=0.0):
    shapes = frame.geometry.copy()
    shapes[key] = affinity.translate(shapes[key], east, 0)
    return frame.set_geometry(shapes)


def only(frame, key, **values):
    return frame.loc[[key]].assign(**values)


BROKEN = {
    "geometry": (
        "grids",
        lambda: only(toy.grids(), "G1").set_geometry([shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])], crs=toy.CRS),
        "G1",
    ),
    "code_form": ("areas", lambda: only(toy.areas(), toy.EAST).rename(index={toy.EAST: "a b"}), "a b"),
    "cell_code": ("unit_cells", lambda: cells().rename(index={f"{toy.WEST}001": "999999999999001"}), "999999999999001"),
    "required": ("grids", lambda: only(toy.grids(), "G1", area_code=None), "G1"),
    "area_known": ("grids", lambda: only(toy.grids(), "G1", area_code="999999999999"), "G1"),
    "station_known": ("grids", lambda: only(toy.grids(), "G1", station="S9"), "G1"),
    "parent_known": ("areas", lambda: only(toy.areas(), toy.EAST, parent="420000999"), toy.EAST),
    "inside_area": ("grids", lambda: only(moved(toy.grids(), "G1", east=-10), "G1"), "G1"),
    "area_overlap": ("areas", lambda: only(moved(toy.areas(), toy.EAST, east=-10), toy.EAST), toy.EAST),
    "grid_overlap": ("grids", lambda: only(moved(toy.grids(), "G1", east=10), "G1"), "G1"),
    "cell_border": ("unit_cells", lambda: moved(cells(), f"{toy.WEST}001", east=5), f"{toy.WEST}001"),
    "cell_fill": ("unit_cells", lambda: cells().drop(f"{toy.WEST}002"), toy.WEST),
    "cell_area": ("unit_cells", lambda: cells().assign(area_m2=[1.0, *cells()["area_m2"].iloc[1:]]), f"{toy.WEST}001"),
}


def test_a_whole_workspace_has_no_findings(each_town):
    report = check(each_town)
    assert report.ok
    assert list(report.findings) == []
    assert set(report.counts) == set(RULES)
    assert report.rows["grids"] == 3


@pytest.mark.parametrize("rule", list(BROKEN))
def test_a_broken_rule_is_told_with_its_row_and_place(town, rule):
    layer, frame, key = BROKEN[rule]
    put(town, layer, frame())
    report = check(town)
    told = [finding for finding in report.findings if finding.rule == rule]
    assert key in [name for finding in told for name in finding.keys]
    assert not report.ok
    for finding in told:
        if rule != "geometry":
            assert finding.place is not None
            assert abs(finding.place[0] - 114.0) < 0.01
        for lang in LANGS:
            assert finding.message(lang)
            assert finding.remedy(lang)


def test_ground_counts_are_by_hand(each_town):
    put(each_town, "grids", only(moved(toy.grids(), "G1", east=-10), "G1"))
    assert [f.facts["m2"] for f in check(each_town).findings if f.rule == "inside_area"] == ["3,000.0"]  # 10 m × 300 m
    put(each_town, "unit_cells", cells().drop(f"{toy.WEST}002"))
    assert [f.facts["m2"] for f in check(each_town).findings if f.rule == "cell_fill"] == ["37,500.00"]  # 125 m × 300 m


def test_cells_of_areas_that_overlap_may_lie_in_either(each_town):
    put(each_town, "areas", only(moved(toy.areas(), toy.EAST, east=-10), toy.EAST))
    x, y = toy.ORIGIN
    shapes = cells().geometry.copy()
    shapes[f"{toy.EAST}002"] = shapely.box(x + 325, y, x + 390, y + 300)  # the east village ends 10 m earlier now
    kept = cells().set_geometry(shapes)
    put(each_town, "unit_cells", kept.assign(area_m2=cell_area(kept)))
    told = [(finding.rule, finding.facts["m2"]) for finding in check(each_town).findings if finding.rule != "inside_area"]
    assert told == [("area_overlap", "3,000.0")]  # 10 m × 300 m, in the west village's cells


def test_draft_and_void_grids_may_overlap(town):
    put(town, "grids", only(toy.grids(), "G1", state="draft").rename(index={"G1": "G9"}))
    assert check(town).ok


def behind_the_log(town, *statements):
    """What the check tells after another program has written to the file."""
    path = town.info.url
    town.close()
    with sqlite3.connect(path) as live:
        for (name,) in live.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'grids'").fetchall():
            live.execute(f'DROP TRIGGER "{name}"')
        for statement, *values in statements:
            live.execute(statement, values)
    live.close()
    with open_workspace(path) as again:
        return [(f.rule, f.layer, f.keys, f.facts.get("column")) for f in check(again).findings]


def test_a_value_changed_behind_the_log_is_found(town):
    told = behind_the_log(town, ("UPDATE grids SET officer = 'Nobody' WHERE code = 'G1'",))
    assert told == [("log", "grids", ("G1",), "officer")]


def test_a_value_filled_in_behind_the_log_is_found(town):
    told = behind_the_log(town, ("UPDATE grids SET population = 7 WHERE code = 'G2'",))
    assert told == [("log", "grids", ("G2",), "population")]


def test_a_border_moved_behind_the_log_is_found(town):
    told = behind_the_log(town, ("UPDATE grids SET geom = (SELECT geom FROM grids WHERE code = 'G1') WHERE code = 'G2'",))
    assert ("log", "grids", ("G2",), "geometry") in told


def test_a_row_deleted_behind_the_log_is_found(town):
    assert behind_the_log(town, ("DELETE FROM grids WHERE code = 'G1'",)) == [("log_deleted", "grids", ("G1",), None)]


def test_a_layer_emptied_behind_the_log_is_found(town):
    told = behind_the_log(town, ("DELETE FROM grids",))
    assert [rule for rule, *_ in told] == ["log_deleted"] * len(toy.grids())


def test_changes_corrections_and_retirements_leave_log_and_state_in_step(each_town):
    with each_town.write(who="test", why="history", at=AT) as write:
        write.retire("grids", ["G1"], valid_to=dt.date(2013, 2, 1))
        write.change("grids", only(write.read("grids"), "G2", officer="Wu"), valid_from=dt.date(2013, 2, 1))
        write.correct("grids", only(write.read("grids"), "G2", officer="Hu"))
    assert [f for f in check(each_town).findings if f.rule.startswith("log")] == []


def test_the_report_is_plain_json(town):
    put(town, "grids", only(toy.grids(), "G1", station="S9"))
    document = json.loads(json.dumps(check(town).to_json()))
    assert document["ok"] is False
    assert document["rules"]["station_known"] == 1
    assert document["findings"][0]["keys"] == ["G1"]


def test_every_rule_has_a_message_and_a_remedy_in_both_languages():
    for lang in LANGS:
        for rule in RULES:
            assert f"check.{rule}" in catalogue(lang)
            assert f"check.{rule}_fix" in catalogue(lang)


def test_an_empty_workspace_is_whole(ws):
    assert check(ws).ok


def test_incidents_off_the_map_are_no_finding(each_town):
    rows = {"id": ["1"], "occurred_at": pd.to_datetime(["2012-03-01T00:00Z"])}
    put(each_town, "incidents", gpd.GeoDataFrame(rows, geometry=[None], crs=toy.CRS).set_index("id"))
    assert check(each_town).ok
