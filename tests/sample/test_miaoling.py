"""The sample's layers: they fit together to the last square metre and person, and look like a town."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridgis.layers import LAYERS
from gridgis.redraw.invariants import broken
from gridgis.redraw.opening import open_partition
from gridgis.villages import natural_villages
from tests.sample.conftest import inside, middles

Town = Mapping[str, gpd.GeoDataFrame]

# append to 420703102; 900 is ours
CODES = {
    "201": "安城村", "202": "长林朱村", "203": "大廖村", "204": "大屋村", "205": "大雄村", "206": "大叶村", "207": "红莲村",
    "208": "黄泥畈村", "209": "脉岭村", "210": "庙岭村", "211": "桐岭村", "212": "吴力村", "213": "栈咀村", "214": "中份村",
    "501": "扇子湖", "900": "恒大社区",
}  # fmt: skip


def test_columns_and_keys_are_those_of_the_layer_table(town: Town) -> None:
    assert set(town) == set(LAYERS) - {"unit_cells"}
    for name, frame in town.items():
        layer = LAYERS[name]
        assert frame.index.name == layer.key
        assert frame.index.is_unique
        known = {column.name for column in layer.columns}
        needed = {column.name for column in layer.columns if column.required} - {layer.key}
        assert needed <= set(frame.columns) <= known | {"geometry", "served"}, name
        assert frame[list(needed)].notna().all(axis=None)
        assert frame.crs.to_epsg() == 4547
        assert frame.geometry.is_valid.all()
        assert not frame.geometry.is_empty.any()
        for column in layer.columns:
            if column.values and column.name in frame:
                assert set(frame[column.name]) <= set(column.values)


def test_villages_have_their_real_names_and_codes(town: Town) -> None:
    areas = town["areas"]
    assert areas["name"].to_dict() == {"420703102": "庙岭镇"} | {f"420703102{code}": name for code, name in CODES.items()}
    assert (areas["parent"].iloc[1:] == "420703102").all()


def test_borders_are_shared_to_the_last_digit(town: Town) -> None:
    areas, grids = town["areas"], town["grids"]
    villages = areas[areas["level"] == "village"]
    assert shapely.coverage_is_valid(villages.geometry.to_numpy())
    assert shapely.coverage_is_valid(grids.geometry.to_numpy())
    for code, own in grids.groupby("area_code"):
        assert shapely.union_all(own.geometry.to_numpy()).symmetric_difference(villages.geometry[code]).area < 1e-6
        assert own.area.sum() == pytest.approx(villages.geometry[code].area, rel=1e-12)
    whole = areas.geometry["420703102"]
    assert villages.area.sum() == pytest.approx(whole.area, rel=1e-12)
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0


def test_every_village_opens_for_redrawing_as_it_is(town: Town) -> None:
    villages = town["areas"][town["areas"]["level"] == "village"]
    for code in villages.index:
        some = town["grids"][town["grids"]["area_code"] == code]
        opened = open_partition(some, villages.loc[[code]])
        assert all(ours is theirs for ours, theirs in zip(opened.shapes, some.geometry, strict=True)), code
        assert opened.outline is villages.geometry[code]
        assert broken(opened) == ()


def test_borders_wind(town: Town) -> None:
    # a village of straight sides would be little longer around than its convex hull
    villages = town["areas"].iloc[1:]
    assert (villages.length / villages.geometry.convex_hull.length).min() > 1.02
    assert villages.geometry.map(lambda shape: len(shape.exterior.coords)).min() > 60


def test_residents_of_buildings_add_up_to_their_villages(town: Town) -> None:
    areas, buildings = town["areas"], town["buildings"]
    points = middles(buildings)
    for code, village in areas.iterrows():
        at_home = inside(points, village.geometry)
        assert buildings.loc[at_home, "population"].sum() == village["population"], code
        assert buildings.loc[at_home, "households"].sum() == village["households"], code
    assert (buildings["households"] >= 1).all()
    assert (buildings["population"] >= buildings["households"]).all()
    assert 3 < buildings["population"].sum() / buildings["households"].sum() < 4


def test_every_building_stands_in_one_grid_and_no_line_cuts_it(town: Town) -> None:
    grids, buildings = town["grids"], town["buildings"]
    building, _ = shapely.STRtree(grids.geometry.to_numpy()).query(buildings.geometry.to_numpy(), predicate="within")
    assert sorted(building) == list(range(len(buildings)))


def test_every_grid_has_people_and_one_officer_nobody_is_called(town: Town) -> None:
    grids, buildings = town["grids"], town["buildings"]
    building, grid = shapely.STRtree(grids.geometry.to_numpy()).query(buildings.geometry.to_numpy(), predicate="within")
    people = np.bincount(grid, weights=buildings["population"].to_numpy()[building], minlength=len(grids))
    assert people.min() > 0
    assert grids["officer"].is_unique
    assert grids["officer"].str.fullmatch(r".某[甲乙丙丁戊己庚辛壬癸]").all()
    assert (grids["station"].map(town["stations"]["area_code"]) == grids["area_code"]).all()
    assert (grids.area > 40_000).all()


def test_no_house_stands_on_a_road_or_in_water(town: Town) -> None:
    buildings = town["buildings"].geometry.to_numpy()
    width = town["roads"]["kind"].map({"primary": 16, "secondary": 10, "tertiary": 7, "lane": 4})
    carriageway = town["roads"].buffer(width / 2).to_numpy()
    assert shapely.STRtree(carriageway).query(buildings, predicate="intersects").size == 0
    assert shapely.STRtree(town["water"].geometry.to_numpy()).query(buildings, predicate="intersects").size == 0
    assert shapely.STRtree(buildings).query(buildings, predicate="overlaps").size == 0


def test_every_building_is_near_a_road(town: Town) -> None:
    roads = shapely.STRtree(town["roads"].geometry.to_numpy())
    _, distance = roads.query_nearest(town["buildings"].geometry.to_numpy(), return_distance=True, all_matches=False)
    hamlets = town["buildings"].geometry.to_numpy()
    assert len(distance) == len(hamlets)
    assert np.quantile(distance, 0.9) < 200


def test_roads_hang_together(town: Town) -> None:
    # every road ends on another one, at a dead end or on the town's line: drawn half a metre wide, they are few pieces
    lines = town["roads"].geometry
    pieces = shapely.get_parts(shapely.union_all(lines.buffer(0.5).to_numpy()))
    largest = max(piece.area for piece in pieces)
    assert largest / sum(piece.area for piece in pieces) > 0.9


def test_lake_lies_in_the_town_and_everything_else_too(town: Town) -> None:
    outline = town["areas"].geometry["420703102"].buffer(0.05)
    for name, frame in town.items():
        assert frame.geometry.within(outline).all(), name
    lake = town["water"].query("kind == 'lake'")
    assert lake["name"].tolist() == ["扇子湖"]
    assert 2e6 < lake.area.iloc[0] < 9e6


def test_natural_villages_are_those_gridgis_builds_and_keep_their_names(town: Town) -> None:
    areas, villages = town["areas"], town["natural_villages"]
    found = natural_villages(town["buildings"], areas=areas.query("level == 'village'"), places=town["places"])
    assert found.villages["name"].to_dict() == villages["name"].to_dict()
    assert villages["name"].is_unique
    assert villages["population"].sum() + found.scattered["population"].sum() == town["buildings"]["population"].sum()
    towers = town["buildings"].query("kind == 'tower'")
    assert len(towers) > 10
    assert set(towers.index) <= set(found.scattered.index)


def digest(town: Town) -> str:
    text = hashlib.sha256()
    for name in sorted(town):
        frame = town[name]
        text.update(b"".join(frame.geometry.to_wkb()))
        text.update(frame.drop(columns="geometry").to_csv().encode())
    return text.hexdigest()


def test_same_seed_gives_the_same_town_in_another_process(town: Town) -> None:
    code = "from gridgis.sample import miaoling; from tests.sample.test_miaoling import digest; print(digest(miaoling()))"
    again = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "99"}
    )
    assert again.stdout.strip() == digest(town)


def test_another_seed_gives_another_landscape_with_the_same_sums(town: Town) -> None:
    from gridgis.sample import miaoling

    other = miaoling(seed=7)
    assert not other["areas"].geometry.iloc[0].equals(town["areas"].geometry.iloc[0])
    assert other["areas"]["population"].equals(town["areas"]["population"])
    assert [len(other[name]) for name in ("areas", "grids", "stations", "natural_villages")] == [17, 170, 16, 143]
    assert shapely.coverage_is_valid(other["grids"].geometry.to_numpy())


def test_readme_of_the_data_tells_every_layer_with_its_columns(town: Town) -> None:
    text = (Path(__file__).resolve().parents[2] / "data" / "README.md").read_text("utf-8")
    told = {row.split("|")[1].strip(" `"): row.split("|") for row in text.splitlines() if row.startswith("| `")}
    assert set(told) == set(LAYERS)
    for name, frame in town.items():
        columns = [frame.index.name, *frame.columns.drop("geometry")]
        assert sorted(part.strip() for part in told[name][3].split(",")) == sorted(columns), name
        rows = told[name][2].strip()
        if not rows.startswith("about"):
            assert int(rows) == len(frame)
