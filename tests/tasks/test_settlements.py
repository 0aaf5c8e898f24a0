"""Natural villages into a workspace and from a file: what is kept, what is told, what is refused."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from gridgis import toy
from gridgis.errors import Cancelled, CrsError, DataError
from gridgis.store import create_workspace
from gridgis.tasks import settlements
from gridgis.text import LANGS

X, Y = toy.ORIGIN


def layers(file: Path) -> dict[str, int]:
    return {str(name): int(pyogrio.read_info(file, layer=name)["features"]) for name, _ in pyogrio.list_layers(file)}


def test_a_workspace_gets_its_natural_villages_and_keeps_given_names(workspace_url: str) -> None:
    with create_workspace(workspace_url, crs=toy.CRS) as ws:
        with pytest.raises(DataError, match="gridgis import buildings"):
            settlements.build_natural_villages(ws)
        with ws.write(who="test", why="test") as write:
            write.upsert("areas", toy.areas())
            write.upsert("buildings", toy.buildings())
        report = settlements.build_natural_villages(ws, distance_m=15, min_buildings=4, who="Li")
        first = ws.read("natural_villages")
        assert first["name"].tolist() == ["West 1", "East 1"]
        assert first["buildings"].tolist() == [4, 5]
        assert first["population"].tolist() == [12, 15]
        assert report.to_json()["scattered"] == 3
        assert all(report.message(lang) for lang in LANGS)
        # somebody names one; another distance makes more villages
        with ws.write(who="Wang", why="its name") as write:
            write.upsert("natural_villages", first.assign(name=["王家湾", "East 1"]))
        again = settlements.build_natural_villages(ws, distance_m=15, min_buildings=2)
        assert ws.read("natural_villages")["name"].tolist() == ["王家湾", "West 2", "East 1"]
        assert again.kept_names == 1


def test_places_name_the_villages(workspace_url: str) -> None:
    places = gpd.GeoDataFrame({"name": ["老屋湾"]}, index=["p"], geometry=[shapely.Point(X + 40, Y + 40)], crs=toy.CRS)
    with create_workspace(workspace_url, crs=toy.CRS) as ws:
        with ws.write(who="test", why="test") as write:
            write.upsert("areas", toy.areas())
            write.upsert("buildings", toy.buildings())
            write.upsert("places", places.rename_axis("id"))
        settlements.build_natural_villages(ws, distance_m=15, min_buildings=4)
        assert ws.read("natural_villages")["name"].tolist() == ["老屋湾", "East 1"]


def test_stopping_leaves_the_layer_as_it_was(geopackage_url: str) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with create_workspace(geopackage_url, crs=toy.CRS) as ws:
        with ws.write(who="test", why="test") as write:
            write.upsert("buildings", toy.buildings())
        settlements.build_natural_villages(ws, distance_m=15)
        before = ws.revision
        with pytest.raises(Cancelled):
            settlements.build_natural_villages(ws, distance_m=1, progress=stop)
        assert (ws.revision, ws.count("natural_villages")) == (before, 1)


def test_the_finnish_town_to_a_geopackage(tmp_path: Path) -> None:
    pytest.importorskip("pyrosm")
    source = Path(str(resources.files("pyrosm"))) / "data" / "test.osm.pbf"
    if not source.exists():
        pytest.skip("this pyrosm carries no test.osm.pbf")
    out = tmp_path / "villages.gpkg"
    report = settlements.villages_file(source, out)
    told = report.to_json()
    assert told["buildings"] + told["scattered"] == 2193  # 22 of the 2,215 are a line there and back
    assert layers(out) == {"natural_villages": told["villages"], "scattered_houses": told["scattered"]}
    villages = gpd.read_file(out, layer="natural_villages")
    assert villages.crs.to_epsg() == 32635
    assert villages["buildings"].sum() == told["buildings"]
    assert villages["code"].is_unique


def test_mercator_is_not_measured_in_but_left_for_metres(tmp_path: Path) -> None:
    momepy = pytest.importorskip("momepy")
    source = Path(momepy.datasets.get_path("bubenec"))
    report = settlements.villages_file(source, tmp_path / "v.gpkg", layer="buildings", distance_m=30)
    assert report.found.villages.crs.to_epsg() == 32633
    with pytest.raises(CrsError):
        settlements.villages_file(source, tmp_path / "w.gpkg", layer="buildings", work_crs="EPSG:3857")


def test_the_input_a_workspace_and_other_endings_are_not_overwritten(tmp_path: Path, geopackage_url: str) -> None:
    source = tmp_path / "b.gpkg"
    toy.buildings().reset_index().to_file(source, layer="buildings")
    create_workspace(geopackage_url, crs=toy.CRS).close()
    before = Path(geopackage_url).read_bytes()
    for out in (source, Path(geopackage_url), tmp_path / "v.shp"):
        with pytest.raises(DataError):
            settlements.villages_file(source, out)
    assert Path(geopackage_url).read_bytes() == before
    assert len(gpd.read_file(source)) == 12


def test_land_use_and_rasters_stand_in_for_buildings(geopackage_url: str, tmp_path: Path) -> None:
    land = tmp_path / "land.gpkg"
    toy.grids().reset_index()[["code", "geometry"]].to_file(land)
    with create_workspace(geopackage_url, crs=toy.CRS) as ws:
        with ws.write(who="test", why="test") as write:
            write.upsert("areas", toy.areas())
        settlements.build_natural_villages(ws, landuse=land, distance_m=5)
        villages = ws.read("natural_villages")
    assert len(villages) == 1
    assert villages["buildings"].isna().all()
