"""A closed workspace is a GeoPackage as the standard has it: GDAL, geopandas and plain SQL are the judges."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

import gridgis
from gridgis import toy
from gridgis.errors import WorkspaceError
from gridgis.layers import LAYERS
from gridgis.store import geopackage, gpkg_schema
from gridgis.store.schema import LATEST, PAST
from tests.store.frames import X0, Y0, brute_force, cells, same_frames
from tests.support import skip_or_fail

FEATURES = sorted([*LATEST, *(table.name for table in PAST.values())])
TABLES = ["change_log", "lineage", "plan_entries", "plans", "settings", "workspace"]


@pytest.fixture
def closed(geopackage_url: str) -> Path:
    """A closed workspace with the toy town and 3,000 cells."""
    with gridgis.create_workspace(geopackage_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("areas", toy.areas())
        write.upsert("grids", toy.grids())
        write.upsert("stations", toy.stations())
        write.replace("buildings", toy.buildings())
        write.replace("unit_cells", cells(60, 50))
    return Path(geopackage_url)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_geopandas_reads_every_layer_of_a_closed_file(closed: Path) -> None:
    listed = dict(pyogrio.list_layers(closed))
    assert sorted(name for name, kind in listed.items() if kind is not None) == FEATURES
    assert sorted(name for name, kind in listed.items() if kind is None) == TABLES
    for name in FEATURES:
        assert gpd.read_file(closed, layer=name).crs.to_epsg() == 4547
    read = gpd.read_file(closed, layer="unit_cells").set_index("code")
    expected = cells(60, 50)
    assert shapely.equals(read.geometry.to_numpy(), expected.geometry.to_numpy()).all()
    assert read["initial_time"].tolist() == expected["initial_time"].tolist()
    assert gpd.read_file(closed, layer="stations")["opened_on"].dt.date.tolist()[0] == toy.stations()["opened_on"].tolist()[0]


def test_gdal_finds_types_extents_and_systems(closed: Path) -> None:
    if shutil.which("ogrinfo") is None:
        skip_or_fail("ogrinfo is not installed (apt install gdal-bin)")
    done = subprocess.run(["ogrinfo", "-so", "-al", "-ro", str(closed)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "Warning" not in done.stdout
    parts = dict(re.findall(r"Layer name: (\w+)\n(.*?)(?=Layer name|\Z)", done.stdout, re.DOTALL))
    assert set(parts) >= set(FEATURES)
    assert (
        "Geometry: Multi Polygon\nFeature Count: 3000\nExtent: (500000.000000, 3366000.000000) - (506000.000000, 3371000.000000)"
        in (parts["unit_cells"])
    )
    assert "Geometry: Point" in parts["stations"]
    assert "opened_on: Date" in parts["grids"]
    assert "initial_time: DateTime" in parts["unit_cells"]


def test_what_the_standard_asks_for_is_there(closed: Path) -> None:
    assert query(closed, "PRAGMA application_id") == [(int.from_bytes(b"GPKG", "big"),)]
    assert query(closed, "PRAGMA user_version") == [(10300,)]
    assert query(closed, "PRAGMA integrity_check") == [("ok",)]
    assert query(closed, "PRAGMA foreign_key_check") == []
    systems = dict(query(closed, "SELECT srs_id, organization FROM gpkg_spatial_ref_sys"))
    assert systems == {-1: "NONE", 0: "NONE", 4326: "EPSG", 4547: "EPSG"}
    contents = dict(query(closed, "SELECT table_name, data_type FROM gpkg_contents"))
    assert sorted(name for name, kind in contents.items() if kind == "features") == FEATURES
    tables = {name for (name,) in query(closed, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(contents) <= tables
    for name in contents:  # every table of contents has an integer primary key
        columns = query(closed, f"PRAGMA table_info({name})")
        assert [(column[1], column[2]) for column in columns if column[5]] == [("fid", "INTEGER")]
    geometry = query(closed, "SELECT table_name, column_name, srs_id, z, m FROM gpkg_geometry_columns ORDER BY 1")
    assert geometry == [(name, "geom", 4547, 0, 0) for name in FEATURES]
    extensions = query(closed, "SELECT table_name, column_name, extension_name, scope FROM gpkg_extensions ORDER BY 1")
    assert extensions == [(name, "geom", "gpkg_rtree_index", "write-only") for name in FEATURES]


def test_every_blob_is_of_the_declared_type_and_system(closed: Path) -> None:
    codes = {"MULTIPOLYGON": 6, "MULTILINESTRING": 5, "POINT": 1, "GEOMETRY": None}
    declared = dict(query(closed, "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns"))
    seen = 0
    for name, kind in declared.items():
        for (blob,) in query(closed, f"SELECT geom FROM {name} WHERE geom IS NOT NULL"):
            assert isinstance(blob, bytes)
            assert blob[:2] == b"GP"
            assert blob[2] == 0
            assert int.from_bytes(blob[4:8], "little") == 4547
            west, east, south, north = np.frombuffer(blob, "<f8", 4, 8)
            shape = shapely.from_wkb(blob[40:])
            assert shape.bounds == (west, south, east, north)
            assert codes[kind] in (None, int.from_bytes(blob[41:45], "little"))
            seen += 1
    assert seen == 3 + 3 + 2 + 12 + 3000


def test_the_triggers_are_those_gdal_writes(closed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gpkg"
    toy.grids().to_file(other, layer="grids", VERSION="1.3")
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rtree_grids_geom%' ORDER BY name"

    def plain(rows: list[tuple[object, ...]]) -> list[tuple[str, str]]:
        return [(str(name), re.sub(r"\s*([(),;])\s*|\s+", r"\1 ", str(text)).replace(" ", "")) for name, text in rows]

    assert plain(query(closed, sql)) == plain(query(other, sql))


def test_extents_follow_the_rows_up_and_down(closed: Path) -> None:
    def extent(name: str) -> object:
        return query(closed, f"SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = '{name}'")[0]

    assert extent("grids") == tuple(toy.grids().total_bounds)
    assert extent("roads") == (None, None, None, None)
    with gridgis.open_workspace(closed) as workspace, workspace.write(who="t", why="t") as write:
        write.delete("buildings", ["B12"])
        write.replace("unit_cells", cells(0, 0))
    assert extent("buildings") == tuple(toy.buildings().drop(index="B12").total_bounds)
    assert extent("unit_cells") == (None, None, None, None)


def test_an_edit_by_gdal_keeps_the_index_and_reads_back(closed: Path) -> None:
    if shutil.which("ogrinfo") is None:
        skip_or_fail("ogrinfo is not installed (apt install gdal-bin)")
    far = f"ST_GeomFromText('POINT({X0 + 9000} {Y0 + 9000})')"
    for sql in (
        f"UPDATE stations SET geom = {far} WHERE code = 'S1'",
        "UPDATE stations SET geom = NULL WHERE code = 'S2'",
        f"INSERT INTO stations (code, name, version, geom) VALUES ('S3', 'made elsewhere', 1, {far})",
        "DELETE FROM buildings WHERE id = 'B01'",
    ):
        subprocess.run(["ogrinfo", "-dialect", "INDIRECT_SQLITE", "-sql", sql, str(closed)], capture_output=True, check=True)
    check_trees(closed)
    with gridgis.open_workspace(closed) as workspace:
        place = (X0 + 8999, Y0 + 8999, X0 + 9001, Y0 + 9001)
        assert workspace.read("stations", bbox=place).index.tolist() == ["S1", "S3"]
        assert workspace.read("stations").geometry.isna().tolist() == [False, True, False]
        assert workspace.count("buildings") == 11


def test_blobs_of_other_writers_are_read(closed: Path) -> None:
    wkb = shapely.to_wkb(shapely.Point(X0 + 1, Y0 + 2), byte_order=0)
    head = b"GP\x00"
    boxes = {
        b"\x01": b"",  # little-endian header without box
        b"\x00": b"",  # big-endian header without box
        b"\x05": np.array([X0 + 1, X0 + 1, Y0 + 2, Y0 + 2, 0, 0], "<f8").tobytes(),  # box with heights
        b"\x02": np.array([X0 + 1, X0 + 1, Y0 + 2, Y0 + 2], ">f8").tobytes(),  # big-endian box
    }
    empty = head + b"\x11" + b"\x00" * 4 + shapely.to_wkb(shapely.Point())
    connection = geopackage.connect(closed, mode="rw")
    for number, (flags, box) in enumerate(boxes.items()):
        blob = head + flags + b"\x00" * 4 + box + wkb
        connection.execute("INSERT INTO places (id, name, geom) VALUES (?, 'x', ?)", (f"p{number}", blob))
    connection.execute("INSERT INTO places (id, name, geom) VALUES ('empty', 'x', ?)", (empty,))
    connection.close()
    check_trees(closed)
    with gridgis.open_workspace(closed) as workspace:
        read = workspace.read("places")
        assert [shape.coords[0] for shape in read.geometry[:4]] == [(X0 + 1, Y0 + 2)] * 4
        assert read.geometry["empty"].is_empty
        assert len(workspace.read("places", bbox=(X0, Y0, X0 + 5, Y0 + 5))) == 4
        assert workspace.bounds("places") == (X0 + 1, Y0 + 2, X0 + 1, Y0 + 2)


def test_a_layer_of_points_may_hold_multi_points_and_then_says_so(closed: Path) -> None:
    frame = gpd.GeoDataFrame({"id": ["m"], "name": ["x"]}, geometry=[shapely.MultiPoint([(X0, Y0), (X0, Y0 + 1)])], crs=toy.CRS)
    with gridgis.open_workspace(closed) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("places", frame)
    kinds = dict(query(closed, "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns"))
    assert (kinds["places"], kinds["incidents"]) == ("GEOMETRY", "POINT")


def check_trees(path: Path) -> None:
    """Assert that every R-tree is well-formed and indexes exactly the rows with geometry, none outside its box."""
    connection = geopackage.connect(path, mode="rw")
    try:
        for name in FEATURES:
            tree = gpkg_schema.rtree_name(name)
            assert connection.execute(f"SELECT rtreecheck('main', '{tree}')").fetchone() == ("ok",)
            rows = connection.execute(
                f"SELECT fid, ST_MinX(geom), ST_MaxX(geom), ST_MinY(geom), ST_MaxY(geom) FROM {name} "
                "WHERE geom IS NOT NULL AND NOT ST_IsEmpty(geom) ORDER BY fid"
            ).fetchall()
            boxes = connection.execute(f"SELECT id, minx, maxx, miny, maxy FROM {tree} ORDER BY id").fetchall()
            assert [row[0] for row in rows] == [row[0] for row in boxes]
            if rows:
                exact, near = np.array(rows)[:, 1:], np.array(boxes)[:, 1:]
                assert (near[:, [0, 2]] <= exact[:, [0, 2]]).all()
                assert (near[:, [1, 3]] >= exact[:, [1, 3]]).all()
                assert np.abs(near - exact).max() <= 0.5
    finally:
        connection.close()


@pytest.mark.parametrize("first", [0, 60, 2600, 5000])
def test_trees_stay_whole_whatever_mix_of_bulk_and_single_writes(geopackage_url: str, first: int) -> None:
    with gridgis.create_workspace(geopackage_url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="bulk") as write:
            write.replace("unit_cells", cells(100, first // 100 + 1)[:first])
        with workspace.write(who="t", why="single") as write:
            write.upsert("unit_cells", cells(7, 3, area=toy.EAST))
        with workspace.write(who="t", why="part by part") as write:
            write.replace("unit_cells", cells(50, 50, area=toy.EAST), where={"area_code": toy.EAST})
            write.delete("unit_cells", [f"{toy.EAST}{number:06d}" for number in range(1, 2400)])
            write.upsert("unit_cells", cells(70, 50, area=toy.TOWN))
        check_trees(Path(geopackage_url))
        frame = workspace.read("unit_cells")
        assert len(frame) == first + 101 + 3500
        for box in ((X0, Y0, X0 + 500, Y0 + 500), (X0 + 4900, Y0 + 4900, X0 + 5050, Y0 + 5050)):
            assert sorted(workspace.read("unit_cells", bbox=box).index) == brute_force(frame, box)


def test_an_upsert_of_everything_equals_a_replace(tmp_path: Path) -> None:
    frames = []
    for way in ("upsert", "replace"):
        with gridgis.create_workspace(tmp_path / f"{way}.gpkg", crs=toy.CRS) as workspace:
            with workspace.write(who="t", why="t") as write:
                getattr(write, way)("unit_cells", cells(60, 50))
            frames.append(workspace.read("unit_cells"))
    same_frames(frames[0], frames[1])


def test_every_layer_of_the_table_has_its_table() -> None:
    assert set(LATEST) == set(LAYERS)
    assert set(PAST) == {name for name, layer in LAYERS.items() if layer.history}


@pytest.mark.parametrize(
    "written", [b"", b"GP", b"no geometry at all", "POINT (1 2)", b"GP\x00\x03" + bytes(36) + b"\x01l\x00\x00\x00"]
)
def test_geometry_that_another_program_broke_is_told_with_its_row(closed: Path, written: object) -> None:
    connection = sqlite3.connect(closed)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'grids'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    key = str(toy.grids().index[1])
    connection.execute("UPDATE grids SET geom = ? WHERE code = ?", (written, key))
    connection.commit()
    connection.close()
    with gridgis.open_workspace(str(closed)) as workspace:
        assert len(workspace.read("areas")) == len(toy.areas())
        with pytest.raises(WorkspaceError) as told:
            workspace.read("grids")
    assert told.value.key == "store.bad_geometry"
    assert told.value.values["key"] == key
