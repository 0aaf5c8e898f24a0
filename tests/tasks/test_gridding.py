"""Unit grids of a workspace and of files: what is written, how cells are numbered, what is refused and left as it was."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from gridgis import toy
from gridgis.errors import Cancelled, CrsError, DataError, WorkspaceError
from gridgis.store import Workspace, create_workspace
from gridgis.tasks.gridding import build_unit_grids, grid_file
from tests.support import shared

AT = dt.datetime(2012, 12, 31, 8, 30, tzinfo=dt.UTC)
SQUARES = [shapely.box(500_000, 3_366_000, 500_200, 3_366_100), shapely.box(500_200, 3_366_000, 500_330, 3_366_100)]


def write(path: Path, shapes: list[shapely.Geometry], **columns: list[object]) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=toy.CRS)
    frame.to_crs(4490).to_file(path) if path.suffix == ".geojson" else frame.to_file(path)
    return path


def fill(ws: Workspace, areas: gpd.GeoDataFrame, valid_from: dt.date | None = None) -> None:
    with ws.write(who="Li", why="areas") as change:
        change.set_crs(toy.CRS)
        change.upsert("areas", areas, valid_from=valid_from)


def codes_in(path: Path) -> list[str]:
    return pyogrio.read_dataframe(path, layer="unit_cells")["code"].tolist()


def test_the_villages_of_a_workspace_get_their_cells(ws: Workspace) -> None:
    fill(ws, toy.areas())
    result = build_unit_grids(ws, at=AT, who="Wang", why="first unit grid")
    cells = ws.read("unit_cells")
    assert len(cells) == result.grid.report.cells == 15
    assert set(cells["area_code"]) == {toy.WEST, toy.EAST}
    assert cells["area_m2"].sum() == pytest.approx(120_000, rel=1e-6)
    assert cells["planar_m2"].sum() == pytest.approx(120_000)
    assert pd.to_datetime(cells["initial_time"], utc=True).unique().tolist() == [pd.Timestamp(AT)]
    assert set(cells["state"]) == {"valid"}
    assert shapely.area(shapely.symmetric_difference(cells.union_all(), toy.areas().union_all())) < 1e-6
    entry = ws.log(layer="unit_cells").iloc[-1]
    assert (entry["who"], entry["why"]) == ("Wang", "first unit grid")


def test_building_again_replaces_and_gives_the_same(ws: Workspace) -> None:
    fill(ws, toy.areas())
    build_unit_grids(ws, at=AT)
    first = ws.read("unit_cells")
    build_unit_grids(ws, cell_m=50, at=AT)
    assert ws.count("unit_cells") == 48
    build_unit_grids(ws, at=AT)
    assert ws.read("unit_cells").geometry.to_dict() == first.geometry.to_dict()


def test_towns_are_cut_where_there_are_no_villages(ws: Workspace) -> None:
    fill(ws, toy.areas().query("level == 'town'"))
    result = build_unit_grids(ws, at=AT)
    assert result.grid.cells.index[0] == toy.TOWN + "000" + "001"
    assert set(ws.read("unit_cells")["area_code"]) == {toy.TOWN}


def test_areas_no_longer_valid_get_no_cells(ws: Workspace) -> None:
    fill(ws, toy.areas(), valid_from=dt.date(2010, 1, 1))
    with ws.write(who="Li", why="joined another town") as change:
        change.retire("areas", [toy.EAST], valid_to=dt.date(2012, 1, 1))
    build_unit_grids(ws, at=AT)
    assert set(ws.read("unit_cells")["area_code"]) == {toy.WEST}


def test_without_areas_nothing_is_built(ws: Workspace) -> None:
    with pytest.raises(DataError, match="no areas"):
        build_unit_grids(ws, at=AT)


def test_stopped_work_leaves_the_cells_there_were(ws: Workspace) -> None:
    fill(ws, toy.areas())
    build_unit_grids(ws, at=AT)
    revision = ws.revision

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "grids.stage_write":
            raise Cancelled

    with pytest.raises(Cancelled):
        build_unit_grids(ws, cell_m=50, at=AT, progress=stop)
    assert (ws.revision, ws.count("unit_cells")) == (revision, 15)


def test_a_file_of_areas_becomes_a_geopackage(tmp_path: Path) -> None:
    source = write(tmp_path / "areas.geojson", SQUARES, 代码=[420703102201, 420703102202], 名称=["安城", "长林朱"])
    result = grid_file(source, tmp_path / "cells.gpkg", work_crs="EPSG:4547")
    cells = pyogrio.read_dataframe(result.file, layer="unit_cells")
    assert cells.columns.tolist() == ["code", "area_code", "area_name", "area_m2", "planar_m2", "geometry"]
    assert cells["code"].tolist() == ["420703102201001", "420703102201002", "420703102202001"]
    assert cells["area_name"].tolist() == ["安城", "安城", "长林朱"]
    assert cells["planar_m2"].tolist() == pytest.approx([10000, 10000, 13000], rel=1e-6)
    assert cells.crs.to_epsg() == 4547
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["areas.geojson", "cells.gpkg"]
    with sqlite3.connect(result.file) as file:
        assert file.execute("SELECT count(*) FROM rtree_unit_cells_geom").fetchone() == (3,)
        assert file.execute("SELECT table_name, geometry_type_name FROM gpkg_geometry_columns").fetchall() == [
            ("unit_cells", "POLYGON")
        ]
    file.close()


def test_the_answer_is_one_json_document(tmp_path: Path) -> None:
    source = write(tmp_path / "areas.gpkg", SQUARES, code=["420703102201", "420703102202"])
    document = json.loads(json.dumps(grid_file(source, tmp_path / "cells.gpkg", code="long").to_json()))
    assert (document["cells"], document["parts"], document["merged"]) == (3, 4, 1)
    assert (document["crs"], document["cell_m"], document["code"]) == ("EPSG:4547", 100, "long")
    assert document["area_m2"]["within"] == {"from": 5000.0, "to": 15000.0, "share": 1.0}
    assert document["area_m2"]["total"] == pytest.approx(33000, rel=1e-6)
    assert [(row["code"], row["cells"]) for row in document["by_area"]] == [("420703102201", 2), ("420703102202", 1)]
    assert set(document["seconds"]) == {"read", "fit", "cut", "join", "code", "write", "total"}


def test_one_area_without_codes_numbers_its_cells(tmp_path: Path) -> None:
    source = write(tmp_path / "area.geojson", [SQUARES[0]])
    grid_file(source, tmp_path / "cells.gpkg")
    assert codes_in(tmp_path / "cells.gpkg")[:2] == ["000001", "000002"]


def test_several_areas_without_codes_are_numbered_as_they_stand(tmp_path: Path) -> None:
    source = write(tmp_path / "areas.gpkg", SQUARES[::-1])
    grid_file(source, tmp_path / "cells.gpkg")
    assert codes_in(tmp_path / "cells.gpkg") == ["1000001", "2000001", "2000002"]


def test_other_codes_are_taken_as_they_are_and_mixtures_refused(tmp_path: Path) -> None:
    other = write(tmp_path / "other.gpkg", SQUARES, code=["63000010-002", "63000010-003"])
    grid_file(other, tmp_path / "cells.gpkg")
    assert codes_in(tmp_path / "cells.gpkg")[0] == "63000010-002000001"
    mixed = write(tmp_path / "mixed.gpkg", SQUARES, code=["420703102201", "A7"])
    with pytest.raises(DataError, match="A7"):
        grid_file(mixed, tmp_path / "mixed_cells.gpkg")
    assert not (tmp_path / "mixed_cells.gpkg").exists()


def test_an_old_file_makes_way_only_for_a_whole_one(tmp_path: Path) -> None:
    source = write(tmp_path / "areas.gpkg", SQUARES, code=["420703102201", "420703102202"])
    out = tmp_path / "cells.gpkg"
    grid_file(source, out)
    before = out.read_bytes()

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "grids.stage_write":
            raise Cancelled

    with pytest.raises(Cancelled):
        grid_file(source, out, cell_m=50, progress=stop)
    with pytest.raises(DataError):
        grid_file(source, out, cell_m=0)
    assert out.read_bytes() == before
    grid_file(source, out, cell_m=50)
    assert len(codes_in(out)) == 14
    assert sorted(path.name for path in tmp_path.iterdir()) == ["areas.gpkg", "cells.gpkg"]


def test_neither_the_input_nor_a_workspace_is_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "areas.gpkg", SQUARES, code=["420703102201", "420703102202"])
    with pytest.raises(DataError, match="the input itself"):
        grid_file(source, source)
    with create_workspace(str(tmp_path / "w.gpkg"), crs=toy.CRS) as ws, pytest.raises(DataError, match="workspace"):
        grid_file(source, ws.url)
    with pytest.raises(DataError, match=r"does not end in \.gpkg"):
        grid_file(source, tmp_path / "cells.shp")
    with pytest.raises(WorkspaceError, match="nowhere"):
        grid_file(source, tmp_path / "nowhere" / "cells.gpkg")


def test_bad_files_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    bowtie = shapely.Polygon([(500_000, 3_366_000), (500_100, 3_366_100), (500_100, 3_366_000), (500_000, 3_366_100)])
    source = write(tmp_path / "bad.gpkg", [bowtie], code=["420703102201"])
    with pytest.raises(DataError, match=r"420703102201.*crosses itself"):
        grid_file(source, tmp_path / "cells.gpkg")
    with pytest.raises(DataError, match="none"):
        grid_file(tmp_path / "none.gpkg", tmp_path / "cells.gpkg")
    with pytest.raises(CrsError, match="Mercator"):
        grid_file(source, tmp_path / "cells.gpkg", work_crs="EPSG:3857")
    assert not (tmp_path / "cells.gpkg").exists()


@pytest.mark.shared
def test_haidian_from_file_to_file(tmp_path: Path) -> None:
    result = grid_file(shared("beijing_subdistricts/haidian-all.geojson"), tmp_path / "h.gpkg", code="long")
    cells = pyogrio.read_dataframe(result.file, layer="unit_cells")
    assert len(cells) == result.to_json()["cells"]
    assert cells["code"].is_unique
    assert cells.crs.to_epsg() == 4548
    assert (cells["code"].str[:12] == cells["area_code"]).all()
    assert cells["code"].str.len().unique().tolist() == [16]
    assert shapely.coverage_is_valid(cells.geometry.to_numpy())
    assert cells["area_m2"].between(5000 - 1, 15000).mean() >= 0.99
    within = pyogrio.read_dataframe(result.file, layer="unit_cells", bbox=(440_000, 4_420_000, 441_000, 4_421_000))
    assert 100 <= len(within) <= 250
    with pytest.raises(DataError, match="苏家坨镇"):
        grid_file(shared("beijing_subdistricts/haidian-all.geojson"), tmp_path / "h.gpkg")


def test_an_area_without_code_or_name_is_called_by_its_row(tmp_path: Path) -> None:
    bow = shapely.Polygon([(500_000, 3_366_000), (500_200, 3_366_200), (500_200, 3_366_000), (500_000, 3_366_200)])
    with pytest.raises(DataError) as told:
        grid_file(write(tmp_path / "bow.gpkg", [bow]), tmp_path / "out.gpkg")
    assert "The boundary of 1 crosses itself" in str(told.value)
