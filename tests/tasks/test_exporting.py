"""Exports: what comes back from every format is what went out, marked, escaped and whole."""

from __future__ import annotations

import csv
import datetime as dt
import json
import zipfile

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridgis import toy
from gridgis.errors import DataError, WorkspaceError
from gridgis.files import values
from gridgis.files.writing import escape, write_frame
from gridgis.tasks.exporting import export_layer
from gridgis.tasks.importing import plan_import, run_import

AT = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
ENDINGS = ("gpkg", "geojson", "parquet", "fgb", "shp", "zip", "csv", "xlsx")
OWN = ["valid_from", "valid_to", "version"]


def incidents():
    rows = {
        "id": ["1", "2", "3"],
        "occurred_at": pd.to_datetime(
            ["2012-03-01T00:30:00.25Z", "2012-07-01T12:00:00Z", "2012-12-31T23:59:59Z"], format="ISO8601"
        ),
        "category": ["矛盾纠纷", "=SUM(A1)", "<b>民生</b>"],
        "source": ["-5", "'=x", "@home"],
        "description": ["two\nlines", 'quote " and , comma', "+86 139"],
        "weather": ["晴", None, "雨"],
    }
    places = [shapely.Point(500010.5, 3366020.25), shapely.Point(500020, 3366030), None]
    return gpd.GeoDataFrame(rows, geometry=places, crs=toy.CRS).set_index("id")


def filled(ws):
    """The toy town in a workspace, with an officer whose name would be a formula."""
    with ws.write(who="test", why="test", at=AT) as write:
        write.set_crs(toy.CRS)
        write.upsert("areas", toy.areas())
        write.upsert("stations", toy.stations())
        write.upsert("grids", toy.grids().assign(officer=["=1+1", "王 <i>", None], households=[1.5, None, 3.0]))
        write.upsert("buildings", toy.buildings())
        write.upsert("incidents", incidents())
    return ws


def plain(column):
    return column.astype(object).where(column.notna(), None).tolist()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_goes_out_comes_back(each_town, tmp_path, ending):
    for layer in ("areas", "grids", "stations", "buildings", "incidents"):
        file = tmp_path / f"{layer}.{ending}"
        before = each_town.read(layer)
        assert export_layer(each_town, layer, file).rows == len(before)
        plan = plan_import(each_town, layer, [file])
        assert plan.errors == 0
        after = plan.frame.reindex(before.index)
        for column in before.columns.drop(["geometry", *OWN], errors="ignore"):
            if before[column].notna().any() or column in after:
                assert plain(before[column]) == plain(after[column])
        known = before.geometry.notna()
        assert (after.geometry.notna() == known).all()
        there, back = before.geometry[known].to_numpy(), after.geometry[known].to_numpy()
        assert shapely.hausdorff_distance(there, back).max() < 1e-5  # a hundredth of a millimetre
        if ending in {"gpkg", "parquet", "fgb"}:  # a shapefile turns rings round, degrees round coordinates
            report = run_import(each_town, plan, who="test", at=AT)
            assert (report.inserted, report.updated, report.unchanged) == (0, 0, len(before))


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "parquet", "fgb", "shp", "zip", "csv", "xlsx"])
def test_synthetic_data_says_so_in_every_format(town, tmp_path, ending):
    with town.write(who="test", why="test", at=AT) as write:
        write.set_info(synthetic=True)
    file = tmp_path / f"out.{ending}"
    assert export_layer(town, "grids", file).synthetic
    assert plan_import(None, "grids", [file]).synthetic
    if ending == "gpkg":
        layer = pyogrio.read_info(file)
        assert "虚构" in json.dumps(layer["layer_metadata"], ensure_ascii=False) + json.dumps(
            layer["dataset_metadata"], ensure_ascii=False
        )
    if ending == "xlsx":
        book = openpyxl.load_workbook(file)
        assert "invented boundaries" in book["Note"]["A1"].value


def test_real_data_is_not_called_synthetic(town, tmp_path):
    file = tmp_path / "out.csv"
    export_layer(town, "grids", file)
    assert "synthetic" not in file.read_text(encoding="utf-8-sig")
    assert not plan_import(None, "grids", [file]).synthetic


@given(st.text(max_size=12))
def test_an_escaped_text_runs_nowhere_and_comes_back(text):
    safe = escape(text)
    number = safe.lstrip("+-").replace(".", "").isdigit()
    assert number or safe[:1] not in {"=", "+", "-", "@", "\t", "\r"} or safe in {"", " "} or _is_number(safe)
    wanted = values.texts(pd.Series([text], dtype=object)).column.iloc[0]
    if wanted == text:  # outer blanks and control characters are not kept by any import
        assert values.texts(pd.Series([safe], dtype=object), escaped=True).column.iloc[0] == text


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_formulas_are_escaped_in_tables_and_negative_numbers_are_not(town, tmp_path):
    export_layer(town, "incidents", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["category"] for row in rows] == ["矛盾纠纷", "'=SUM(A1)", "<b>民生</b>"]
    assert [row["source"] for row in rows] == ["-5", "''=x", "'@home"]
    assert rows[2]["description"] == "'+86 139"
    export_layer(town, "incidents", tmp_path / "out.xlsx")
    cells = [cell for row in openpyxl.load_workbook(tmp_path / "out.xlsx")["incidents"].iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "'=SUM(A1)" in [cell.value for cell in cells]


def test_a_workbook_is_easy_to_read(town, tmp_path):
    export_layer(town, "grids", tmp_path / "out.xlsx", headings="zh")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["grids"]
    assert sheet.freeze_panes == "A2"
    head = [cell.value for cell in sheet[1]]
    assert {"网格编码", "网格名称", "网格员", "中心经度", "中心纬度"} <= set(head)
    assert sheet.column_dimensions["A"].width >= 8
    centre = sheet.cell(2, head.index("中心经度") + 1).value
    assert abs(centre - 114.0) < 0.01
    assert plan_import(None, "grids", [tmp_path / "out.xlsx"]).errors == 0  # its headings are recognised


def test_geojson_is_in_wgs84_and_names_no_crs(town, tmp_path):
    export_layer(town, "grids", tmp_path / "out.geojson")
    document = json.loads((tmp_path / "out.geojson").read_text(encoding="utf-8"))
    assert "crs" not in document
    lon, lat = document["features"][0]["geometry"]["coordinates"][0][0][:2]
    assert 113.9 < lon < 114.1
    assert 30 < lat < 31


def test_a_shapefile_has_utf8_texts_and_short_names(town, tmp_path):
    export_layer(town, "incidents", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sorted(archive.namelist()) == ["out.cpg", "out.dbf", "out.prj", "out.shp", "out.shx"]
        assert archive.read("out.cpg") == b"UTF-8"
    frame = gpd.read_file(tmp_path / "out.zip")
    assert {"occurred", "descriptn"} <= set(frame.columns)
    assert frame["category"].iloc[0] == "矛盾纠纷"


def test_only_rows_valid_on_the_date_are_exported(each_town, tmp_path):
    with each_town.write(who="test", why="test", at=AT) as write:
        write.retire("grids", ["G3"], valid_to=dt.date(2012, 6, 1))
    assert export_layer(each_town, "grids", tmp_path / "now.csv").rows == 2
    assert export_layer(each_town, "grids", tmp_path / "then.csv", as_of=dt.date(2012, 5, 31)).rows == 3


def test_a_failed_export_leaves_the_old_file_and_no_draft(town, tmp_path):
    file = tmp_path / "out.csv"
    file.write_text("old")

    class Stop(Exception):
        pass

    class Broken(gpd.GeoDataFrame):
        def reset_index(self, *_, **__):
            raise Stop

    with pytest.raises(Stop):
        write_frame(file, Broken(toy.grids()), layer="grids")
    with pytest.raises(WorkspaceError, match="no folder"):
        export_layer(town, "grids", tmp_path / "nowhere" / "out.csv")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_an_old_file_makes_way_and_nothing_is_left_beside(town, tmp_path):
    for ending in ("gpkg", "csv"):
        file = tmp_path / f"out.{ending}"
        export_layer(town, "grids", file)
        export_layer(town, "areas", file)
        assert len(plan_import(None, "areas", [file]).frame) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.gpkg"]


def test_wrong_names_are_refused(town, tmp_path):
    with pytest.raises(DataError, match="no ending"):
        export_layer(town, "grids", tmp_path / "out.docx")
    with pytest.raises(DataError, match="no layer"):
        export_layer(town, "moon", tmp_path / "out.csv")
    with pytest.raises(DataError, match="no rows"):
        export_layer(town, "water", tmp_path / "out.csv")


def test_the_workspace_itself_is_no_target(town):
    if town.info.kind == "geopackage":
        with pytest.raises(WorkspaceError, match="is a workspace"):
            export_layer(town, "grids", town.info.url)
