"""What opening and creating a workspace gives, and what they refuse."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pyproj
import pytest

import gridgis
from gridgis import toy
from gridgis.errors import CrsError, WorkspaceError
from gridgis.layers import LAYERS
from gridgis.store import geopackage, migrations


def test_a_new_workspace_is_empty_and_says_what_it_is(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, name="庙岭", crs=toy.CRS, synthetic=True) as made:
        info = made.info
        assert (info.name, info.crs, info.synthetic, info.schema) == ("庙岭", pyproj.CRS(4547), True, int(migrations.HEAD))
        assert info.kind == ("postgis" if workspace_url.startswith("postgresql") else "geopackage")
        assert made.revision == 0
        assert [made.count(layer) for layer in LAYERS] == [0] * len(LAYERS)
        assert made.bounds("grids") is None
        assert len(made.log()) == 0
        assert dict(made.settings()) == {}
    with gridgis.open_workspace(workspace_url) as opened:
        assert opened.info == info


def test_an_empty_layer_has_its_columns_and_the_system_of_the_workspace(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace:
        for name, layer in LAYERS.items():
            frame = workspace.read(name)
            assert set(frame.columns) >= {column.name for column in layer.columns} - {layer.key} | {"geometry"}
            assert (frame.index.name, frame.crs) == (layer.key, pyproj.CRS(4547))


def test_an_existing_workspace_is_not_made_again(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url, name="first"):
        pass
    with pytest.raises(WorkspaceError) as refused:
        gridgis.create_workspace(workspace_url, name="second")
    assert refused.value.key == "store.exists"
    with gridgis.open_workspace(workspace_url) as workspace:
        assert workspace.info.name == "first"


@pytest.mark.parametrize("name", ["town", "town.txt", "town.sqlite"])
def test_a_file_that_qgis_would_not_open_is_not_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkspaceError) as refused:
        gridgis.create_workspace(tmp_path / name)
    assert refused.value.key == "store.ending"
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_not_there_cannot_be_opened_and_is_not_made(workspace_url: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as refused:
        gridgis.open_workspace(workspace_url)
    assert refused.value.key == "store.missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857", "EPSG:4326"])
def test_a_system_that_cannot_measure_is_refused_and_nothing_is_made(workspace_url: str, crs: str) -> None:
    with pytest.raises(CrsError):
        gridgis.create_workspace(workspace_url, crs=crs)
    with pytest.raises(WorkspaceError):
        gridgis.open_workspace(workspace_url)


def test_a_system_without_a_number_is_kept(workspace_url: str) -> None:
    city = pyproj.CRS("+proj=tmerc +lat_0=0 +lon_0=114.3 +k=1 +x_0=800000 +y_0=-3000000 +ellps=GRS80 +units=m +type=crs")
    with gridgis.create_workspace(workspace_url, crs=city) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("areas", toy.areas().to_crs(city))
    with gridgis.open_workspace(workspace_url) as workspace:
        assert workspace.info.crs == city
        assert workspace.read("areas").to_crs(toy.CRS).area.round(3).tolist() == toy.areas().area.round(3).tolist()


def test_a_failed_creation_leaves_no_file(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("while building")

    with pytest.raises(RuntimeError):
        geopackage.create(tmp_path / "town.gpkg", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_made_by_someone_else_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "town.gpkg"
    with pytest.raises(WorkspaceError) as refused:
        geopackage.create(target, lambda *_: target.write_text("mine"))  # type: ignore[arg-type,return-value]
    assert refused.value.key == "store.exists"
    assert [entry.name for entry in tmp_path.iterdir()] == ["town.gpkg"]
    assert target.read_text() == "mine"


def test_other_files_are_refused_untouched(tmp_path: Path) -> None:
    text = tmp_path / "text.gpkg"
    text.write_text("not a database at all" * 100)
    database = tmp_path / "other.gpkg"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE something (x)")
    connection.close()
    layer = tmp_path / "layer.gpkg"
    toy.grids().to_file(layer, layer="grids")
    expected = {text: "store.not_geopackage", database: "store.not_geopackage", layer: "store.not_gridgis"}
    for path, key in expected.items():
        before = path.read_bytes()
        with pytest.raises(WorkspaceError) as refused:
            gridgis.open_workspace(path)
        assert refused.value.key == key
        assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="does not exist") as refused:
        gridgis.create_workspace(tmp_path / "nowhere" / "town.gpkg")
    assert refused.value.key == "store.no_folder"


def test_on_read_only_media_a_workspace_is_read_but_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "town.gpkg"
    with gridgis.create_workspace(path, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("grids", toy.grids())
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere: the question is answered for it
    path.chmod(stat.S_IRUSR)
    with gridgis.open_workspace(path) as workspace:
        assert workspace.count("grids") == 3
        with pytest.raises(WorkspaceError) as refused, workspace.write(who="t", why="t"):
            pass
        assert refused.value.key == "store.read_only"
    assert [entry.name for entry in tmp_path.iterdir()] == ["town.gpkg"]


def test_a_closed_workspace_is_one_file(tmp_path: Path) -> None:
    with gridgis.create_workspace(tmp_path / "a town.gpkg", crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids())
        workspace.read("grids")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a town.gpkg"]
