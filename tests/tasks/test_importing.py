"""Imports from the file to the stored row: what is recognised, what is refused and how, and that a refusal changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
import pickle

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
from shapely import affinity

from gridgis import datum, toy
from gridgis.errors import CrsError, DataError
from gridgis.layers import LAYERS
from gridgis.tasks.importing import ImportOptions, Rejected, plan_import, run_import, saved_mapping
from gridgis.text import LANGS, catalogue
from tests.support import shared

AT = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


def load(ws, layer, file, **options):
    return run_import(ws, plan_import(ws, layer, [file], options=ImportOptions(**options)), who="test", why="test", at=AT)


def write(frame, file):
    frame.reset_index().to_file(file)
    return file


def filled(ws):
    """The toy town's areas and stations in a workspace."""
    with ws.write(who="test", why="test", at=AT) as change:
        change.set_crs(toy.CRS)
        change.upsert("areas", toy.areas())
        change.upsert("stations", toy.stations())
    return ws


def rules(plan):
    return sorted(plan.counts)


def state(ws):
    return {name: ws.read(name).to_wkt().to_csv() for name in LAYERS}, ws.revision, len(ws.log())


def test_the_first_geometry_fixes_the_crs_of_an_automatic_workspace_in_the_same_transaction(each_ws, tmp_path):
    file = write(toy.areas().to_crs(4490), tmp_path / "areas.geojson")
    plan = plan_import(each_ws, "areas", [file])
    assert plan.sets_crs
    assert each_ws.info.crs is None  # nothing is written by planning
    report = run_import(each_ws, plan, who="test", why="first", at=AT)
    assert (report.inserted, report.updated, report.unchanged) == (3, 0, 0)
    assert each_ws.info.crs.to_epsg() == 4547
    stored = each_ws.read("areas").geometry
    assert shapely.hausdorff_distance(stored.to_numpy(), toy.areas().geometry.reindex(stored.index).to_numpy()).max() < 1e-3


def test_importing_again_by_code_updates_instead_of_doubling(each_town, tmp_path):
    file = write(toy.grids(), tmp_path / "grids.gpkg")
    assert load(each_town, "grids", file).inserted == 3
    assert load(each_town, "grids", file).unchanged == 3
    renamed = write(toy.grids().assign(officer=["Li", "Wang", "Chen"]), tmp_path / "again.gpkg")
    report = load(each_town, "grids", renamed)
    assert (report.inserted, report.updated, report.unchanged) == (0, 1, 2)
    assert each_town.read("grids").loc["G3", "officer"] == "Chen"


def test_chinese_headings_of_a_gbk_table_are_recognised(town, tmp_path):
    file = tmp_path / "站.csv"
    text = "站点编码,名称,所属村,启用日期,批次,经度,纬度,联系电话\nS9,庙岭站,West,2012年3月1日,一,114.001,30.415,123\n"
    file.write_text(text, encoding="gbk")
    plan = plan_import(town, "stations", [file])
    assert dict(plan.mapping) == {
        "code": "站点编码",
        "name": "名称",
        "area_code": "所属村",
        "opened_on": "启用日期",
        "batch": "批次",
    }
    assert plan.unmapped == ("联系电话",)
    run_import(town, plan, who="test", at=AT)
    row = town.read("stations").loc["S9"]
    assert (row["name"], row["area_code"], row["opened_on"], row["batch"]) == ("庙岭站", toy.WEST, dt.date(2012, 3, 1), "一")


def test_a_workbook_of_grids_with_title_merged_cells_and_numbers_as_text_is_read(town, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["某镇网格登记表"],
        ["网格编号", "网格名称", "所属村", "网格员", "户数", "人口", "wkt"],
        [
            420000100201001,
            "一网格",
            "West",
            "李",
            "1,234",
            "３５",
            "POLYGON ((114 30.414,114.001 30.414,114.001 30.415,114 30.415,114 30.414))",
        ],
        [
            420000100201002,
            "二网格",
            None,
            "王",
            12,
            40,
            "POLYGON ((114.001 30.414,114.002 30.414,114.002 30.415,114.001 30.415,114.001 30.414))",
        ],
    ):
        sheet.append(row)
    sheet.merge_cells("A1:F1")
    sheet.merge_cells("C3:C4")
    file = tmp_path / "grids.xlsx"
    book.save(file)
    load(town, "grids", file)
    grids = town.read("grids")
    assert grids.index.tolist() == ["420000100201001", "420000100201002"]
    assert grids["area_code"].tolist() == [toy.WEST, toy.WEST]
    assert grids["households"].tolist() == [1234, 12]
    assert grids["population"].tolist() == [35, 40]


def bad_grids():
    grids = toy.grids().assign(households=[1, 2, 3]).astype({"households": object})
    bow_tie = shapely.Polygon([(500000, 3366000), (500100, 3366100), (500100, 3366000), (500000, 3366100)])
    return {
        "duplicate": grids.rename(index={"G2": "G1"}),
        "no_key": grids.rename(index={"G2": None}),
        "malformed": grids.rename(index={"G2": "G 2"}),
        "digits_lost": grids.rename(index={"G2": "4.20703E+11"}),
        "unknown_area": grids.assign(area_code=[toy.WEST, "999999999999", toy.EAST]),
        "unknown_station": grids.assign(station=["S1", "S9", "S2"]),
        "missing": grids.assign(area_code=[toy.WEST, None, toy.EAST]),
        "outside_area": grids.assign(area_code=[toy.WEST, toy.EAST, toy.EAST]),
        "no_number": grids.assign(households=["1", "约300户", "3"]),
        "negative": grids.assign(households=[1, -2, 3]),
        "no_such_date": grids.assign(opened_on=["2012-03-01", "2012-02-30", None]),
        "no_date": grids.assign(opened_on=["2012-03-01", "spring", None]),
        "unknown_word": grids.assign(state=["valid", "maybe", "valid"]),
        "invalid_shape": grids.set_geometry([grids.geometry.iloc[0], bow_tie, grids.geometry.iloc[2]], crs=toy.CRS),
        "no_geometry": grids.set_geometry([grids.geometry.iloc[0], None, grids.geometry.iloc[2]], crs=toy.CRS),
        "wrong_shape": grids.set_geometry(
            [grids.geometry.iloc[0], shapely.Point(500200, 3366100), grids.geometry.iloc[2]], crs=toy.CRS
        ),
    }


@pytest.mark.parametrize("rule", list(bad_grids()))
def test_a_bad_row_is_named_with_its_remedy_and_changes_nothing(town, tmp_path, rule):
    file = write(bad_grids()[rule], tmp_path / "grids.geojson")
    before = state(town)
    plan = plan_import(town, "grids", [file])
    assert plan.errors == 1
    finding = plan.findings[0]
    assert (finding.rule, finding.file, finding.row, finding.severity) == (rule, "grids.geojson", 1, "error")
    with pytest.raises(Rejected) as caught:
        run_import(town, plan, who="test", at=AT)
    for lang in LANGS:
        assert "grids.geojson" in caught.value.message(lang)
        assert finding.remedy(lang) in caught.value.message(lang)
    assert state(town) == before
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_bad_rows_can_be_left_out_into_a_report_that_says_why(each_town, tmp_path):
    file = write(bad_grids()["no_number"], tmp_path / "grids.geojson")
    report = load(each_town, "grids", file, on_error="skip")
    assert (report.inserted, report.rejected) == (2, 1)
    assert sorted(each_town.read("grids").index) == ["G1", "G3"]
    with report.report_file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["row"], row["rule"], row["column_"] if "column_" in row else row["column"]) for row in rows] == [
        ("1", "no_number", "households")
    ]
    assert "约300户" in rows[0]["problem"]
    assert rows[0]["code"] == "G2"


def test_a_self_crossing_outline_is_repaired_on_request_and_the_change_is_told(town, tmp_path):
    file = write(bad_grids()["invalid_shape"], tmp_path / "grids.geojson")
    report = load(town, "grids", file, repair=True)
    told = [finding for finding in report.plan.findings if finding.rule == "repaired"]
    assert [finding.row for finding in told] == [1]
    assert "5,000" in told[0].message("en")  # two triangles of 100 m × 50 m / 2
    assert town.read("grids").geometry.is_valid.all()


def test_a_grid_reaching_outside_its_area_is_told_with_its_square_metres(town, tmp_path):
    grids = toy.grids()
    wide = grids.set_geometry([affinity.translate(grids.geometry.iloc[0], -10, 0), *grids.geometry.iloc[1:]], crs=toy.CRS)
    plan = plan_import(town, "grids", [write(wide, tmp_path / "grids.gpkg")])
    assert plan.errors == 0
    assert [(f.rule, f.value) for f in plan.findings] == [("reaches_outside", f"{toy.WEST}: 3,000 m²")]  # 10 m × 300 m


def test_overlapping_grids_are_told(town, tmp_path):
    grids = toy.grids()
    wide = grids.set_geometry(
        [shapely.union(grids.geometry.iloc[0], affinity.translate(grids.geometry.iloc[0], 10, 0)), *grids.geometry.iloc[1:]],
        crs=toy.CRS,
    )
    plan = plan_import(town, "grids", [write(wide, tmp_path / "grids.gpkg")])
    assert [(f.rule, f.value) for f in plan.findings] == [("overlap", "G2: 3,000 m²")]


def shifted(frame, kind):
    return frame.to_crs(4326).set_geometry(datum.shift(frame.to_crs(4326).geometry, datum=kind))


@pytest.mark.parametrize("kind", ["gcj02", "bd09"])
def test_shifted_coordinates_called_wgs84_are_suspected_and_can_be_put_right(town, tmp_path, kind):
    file = write(shifted(toy.buildings(), kind), tmp_path / "houses.geojson")
    suspicion = [f for f in plan_import(town, "buildings", [file]).findings if f.rule == "shifted"]
    assert len(suspicion) == 1
    assert f"--datum {kind}" in suspicion[0].remedy("en")
    load(town, "buildings", file, datum=kind)
    stored = town.read("buildings")
    assert stored.geometry.distance(toy.buildings().geometry.reindex(stored.index)).max() < 1e-3


def test_coordinates_in_their_place_are_not_suspected(town, tmp_path):
    assert plan_import(town, "buildings", [write(toy.buildings(), tmp_path / "houses.gpkg")]).counts == {}


def test_rows_far_from_every_area_are_suspected_of_another_crs(town, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,发生时间,经度,纬度\n1,2012-03-01,121.5,31.2\n")
    assert rules(plan_import(town, "incidents", [file])) == ["far_away"]


def test_levels_follow_from_codes_and_parents_from_prefixes(ws, tmp_path):
    codes = ["420703", "420703102000", "420703102201", "420703102202"]
    shapes = [shapely.box(114 + i / 100, 30, 114.01 + i / 100, 30.01) for i in range(4)]
    frame = gpd.GeoDataFrame({"编码": codes, "名称": list("abcd")}, geometry=shapes, crs=4326)
    frame.to_file(tmp_path / "a.geojson")
    load(ws, "areas", tmp_path / "a.geojson")
    areas = ws.read("areas")
    assert areas["level"].to_dict() == dict(zip(codes, ["county", "town", "village", "village"], strict=True))
    assert areas["parent"].fillna("").to_dict() == dict(zip(codes, ["", "420703", "420703102000", "420703102000"], strict=True))


def test_a_code_too_short_among_good_ones_is_malformed(ws, tmp_path):
    codes = ["420703102201", "420703102202", "42070310220"]
    frame = gpd.GeoDataFrame(
        {"code": codes, "name": list("abc"), "level": "village"}, geometry=[shapely.box(114, 30, 114.1, 30.1)] * 3, crs=4326
    )
    frame.to_file(tmp_path / "a.geojson")
    assert [(f.rule, f.row, f.value) for f in plan_import(ws, "areas", [tmp_path / "a.geojson"]).findings] == [
        ("code_length", 2, "42070310220")
    ]


def test_a_constant_fills_a_column_the_file_has_not(ws, tmp_path):
    frame = gpd.GeoDataFrame({"code": ["A1"], "name": ["a"]}, geometry=[shapely.box(114, 30, 114.1, 30.1)], crs=4326)
    frame.to_file(tmp_path / "a.geojson")
    assert rules(plan_import(ws, "areas", [tmp_path / "a.geojson"])) == ["no_level"]
    load(ws, "areas", tmp_path / "a.geojson", map={"level": "=village"})
    assert ws.read("areas")["level"].tolist() == ["village"]


def test_mappings_are_given_saved_and_used_again(each_ws, tmp_path):
    file = tmp_path / "a.geojson"
    gpd.GeoDataFrame({"甲": ["420703"], "乙": ["a"]}, geometry=[shapely.box(114, 30, 114.1, 30.1)], crs=4326).to_file(file)
    with pytest.raises(DataError, match="no column for code, name"):
        plan_import(each_ws, "areas", [file])
    with pytest.raises(DataError, match='no column "丙"'):
        plan_import(each_ws, "areas", [file], options=ImportOptions(map={"code": "丙"}))
    with pytest.raises(DataError, match='no column "colour"'):
        plan_import(each_ws, "areas", [file], options=ImportOptions(map={"colour": "甲"}))
    load(each_ws, "areas", file, map={"code": "甲", "name": "乙"}, save_mapping=True)
    assert saved_mapping(each_ws, "areas") == {"code": "甲", "name": "乙"}
    assert load(each_ws, "areas", file).unchanged == 1


def test_ids_made_from_geometry_are_the_same_next_time_whatever_ring_it_starts_on(ws, tmp_path):
    houses = toy.buildings().reset_index(drop=True)
    houses.to_file(tmp_path / "a.gpkg")
    houses.set_geometry(houses.geometry.reverse()).iloc[::-1].to_file(tmp_path / "b.gpkg")
    first = load(ws, "buildings", tmp_path / "a.gpkg")
    assert first.inserted == 12
    assert first.plan.counts == {"made_id": 1}
    again = load(ws, "buildings", tmp_path / "b.gpkg")
    assert (again.inserted, len(ws.read("buildings"))) == (0, 12)


def incidents(tmp_path, *times, places=None):
    file = tmp_path / "incidents.csv"
    places = places or ["114.001,30.415"] * len(times)
    lines = [f"{number},{time},{place}" for number, (time, place) in enumerate(zip(times, places, strict=True), start=1)]
    file.write_text("\n".join(["案件编号,发生时间,经度,纬度", *lines]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2012-03-01 08:30", "2012-03-01T00:30"),
        ("2012/3/1 8:30:00", "2012-03-01T00:30"),
        ("2012年3月1日 8时30分", "2012-03-01T00:30"),
        ("2012年3月1日 下午8点30分", "2012-03-01T12:30"),
        ("2012-03-01T08:30:00Z", "2012-03-01T08:30"),
        ("2012-03-01T08:30:00+02:00", "2012-03-01T06:30"),
        ("20120301083000", "2012-03-01T00:30"),
        ("2012-03-01", "2012-02-29T16:00"),
        ("13/03/2012 08:30", "2012-03-13T00:30"),
    ],
)
def test_times_are_instants_in_utc(town, tmp_path, text, utc):
    load(town, "incidents", incidents(tmp_path, text))
    assert town.read("incidents")["occurred_at"].iloc[0] == pd.Timestamp(utc, tz="UTC")


def test_the_time_zone_can_be_given_and_hours_that_never_were_are_refused(town, tmp_path):
    file = incidents(tmp_path, "2012-07-01 12:00", "2012-03-25 01:30")  # London put its clocks forward at 01:00
    plan = plan_import(town, "incidents", [file], options=ImportOptions(time_zone="Europe/London", on_error="skip"))
    assert [(f.rule, f.row) for f in plan.findings] == [("no_such_time", 3)]
    assert plan.frame["occurred_at"].tolist() == [pd.Timestamp("2012-07-01T11:00", tz="UTC")]
    with pytest.raises(DataError, match="no time zone"):
        plan_import(town, "incidents", [file], options=ImportOptions(time_zone="Mars/Base"))


@pytest.mark.parametrize(
    "text", ["2012-02-30", "2012-13-01", "2012-03-01 25:10", "2012年2月30日", "20120230", "03/04/2012", "yesterday", ""]
)
def test_impossible_and_ambiguous_times_are_refused(town, tmp_path, text):
    plan = plan_import(town, "incidents", [incidents(tmp_path, text)])
    assert plan.errors == 1
    assert plan.findings[0].row == 2


def test_incidents_without_a_place_or_at_zero_are_kept_off_the_map(each_town, tmp_path):
    file = incidents(tmp_path, *["2012-03-01"] * 3, places=[",", "0,0", "114.001,30.415"])
    report = load(each_town, "incidents", file)
    assert report.inserted == 3
    assert report.plan.counts == {"no_place": 1, "zero_place": 1}
    assert each_town.read("incidents").geometry.isna().tolist().count(True) == 2


def test_any_other_column_of_incidents_is_kept_and_markup_stays_text(each_town, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        "id,发生时间,描述,天气,经度,纬度\n1,2012-03-01,<script>alert(1)</script>,晴,114.001,30.415\n", encoding="utf-8"
    )
    load(each_town, "incidents", file)
    row = each_town.read("incidents").iloc[0]
    assert row["description"] == "<script>alert(1)</script>"
    assert row["天气"] == "晴"


def test_stations_may_come_without_geometry(ws, town, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(f"编码,名称,村代码\nS7,七站,{toy.WEST}\n", encoding="utf-8")
    load(town, "stations", file)
    assert town.read("stations").geometry.isna().loc["S7"]


@pytest.mark.parametrize("options", [{"datum": "beijing54"}, {"x": "经度"}, {"crs": "EPSG:999999"}])
def test_wrong_options_are_refused(town, tmp_path, options):
    with pytest.raises((DataError, CrsError)):
        plan_import(town, "incidents", [incidents(tmp_path, "2012-03-01")], options=ImportOptions(**options))


def test_swapped_axes_can_be_exchanged(town, tmp_path):
    file = incidents(tmp_path, "2012-03-01", places=["30.415,114.001"])
    with pytest.raises(CrsError, match="exchanged"):
        plan_import(town, "incidents", [file])
    assert load(town, "incidents", file, swap_xy=True).inserted == 1


def test_several_files_are_one_import_and_duplicates_across_them_are_found(town, tmp_path):
    files = [write(toy.grids().iloc[:2], tmp_path / "a.gpkg"), write(toy.grids().iloc[1:], tmp_path / "b.geojson")]
    plan = plan_import(town, "grids", files)
    assert [(f.rule, f.file, f.row) for f in plan.findings] == [("duplicate", "b.geojson", 0)]


def test_a_file_that_says_it_is_synthetic_marks_the_workspace(each_ws, tmp_path):
    file = write(toy.areas().assign(synthetic=True), tmp_path / "a.gpkg")
    assert not each_ws.info.synthetic
    load(each_ws, "areas", file)
    assert each_ws.info.synthetic


def test_a_plan_made_before_another_change_is_checked_again(town, tmp_path):
    plan = plan_import(town, "grids", [write(toy.grids(), tmp_path / "grids.gpkg")])
    with town.write(who="other", why="other", at=AT) as change:
        change.retire("stations", ["S2"], valid_to=dt.date(2012, 12, 31))
    assert plan.ok
    with pytest.raises(Rejected, match="no station S2"):
        run_import(town, plan, who="test", at=AT)
    assert len(town.read("grids")) == 0


def test_a_failure_while_writing_leaves_no_report_and_no_row(town, tmp_path):
    plan = plan_import(
        town, "grids", [write(bad_grids()["no_number"], tmp_path / "grids.geojson")], options=ImportOptions(on_error="skip")
    )
    before = state(town)

    class Stop(Exception):
        pass

    class Broken:
        def __init__(self, ws):
            self.ws = ws

        def __getattr__(self, name):
            return getattr(self.ws, name)

        def write(self, **_):
            raise Stop

    with pytest.raises(Stop):
        run_import(Broken(town), plan, who="test", at=AT)
    assert state(town) == before
    assert not list(tmp_path.glob("*.rejected.csv"))


def test_the_report_is_plain_json(town, tmp_path):
    document = load(town, "grids", write(toy.grids(), tmp_path / "grids.gpkg")).to_json()
    assert json.loads(json.dumps(document))["inserted"] == 3


def test_every_rule_has_a_message_and_a_remedy_in_both_languages():
    from gridgis.files.cleaning import RULES

    for lang in LANGS:
        for rule in RULES:
            assert f"import.{rule}" in catalogue(lang)
            assert f"import.{rule}_fix" in catalogue(lang)


def test_haidian_and_taipei_are_imported_as_they_come(each_ws):
    report = load(each_ws, "areas", shared("beijing_subdistricts/haidian-all.geojson"))
    assert report.inserted == 29
    assert each_ws.info.crs.to_epsg() == 4548
    assert set(each_ws.read("areas")["level"]) == {"town"}
    villages = plan_import(
        None, "areas", [shared("taiwan_villages/villages-10t.json")],
        options=ImportOptions(layer="villages", crs="EPSG:3824", map={"level": "=village"}),
    )  # fmt: skip
    assert villages.counts == {"invalid_shape": 7}


def test_a_month_of_police_reports_is_imported(each_ws):
    report = load(
        each_ws, "incidents", shared("west_yorkshire_police/2016-07-west-yorkshire-street.csv"), time_zone="Europe/London"
    )
    assert report.inserted == 27176
    assert report.plan.counts["no_place"] == 1347  # as counted in the data set's description for three months: 3,771
    assert each_ws.read("incidents").index.is_unique
