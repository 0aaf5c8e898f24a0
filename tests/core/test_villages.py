"""Natural villages: who belongs together, what the outline holds, and that neither depends on the order of rows."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.apportion import Raster
from gridgis.errors import CrsError, DataError
from gridgis.outlines import Outline, clusters, outlines
from gridgis.village_names import is_made_name, keep_names, made_name, numbered, place_names
from gridgis.villages import NaturalVillages, from_landuse, from_raster, natural_villages

X, Y = toy.ORIGIN


def houses(*corners: tuple[float, float], size: float = 10) -> gpd.GeoDataFrame:
    shapes = [shapely.box(X + x, Y + y, X + x + size, Y + y + size) for x, y in corners]
    return gpd.GeoDataFrame({"population": 1}, index=[f"B{i}" for i in range(len(shapes))], geometry=shapes, crs=toy.CRS)


def assert_sound(found: NaturalVillages, buildings: gpd.GeoDataFrame) -> None:
    """What holds for every result: one valid polygon each, disjoint, every building in its own and in no other."""
    polygons = found.villages.geometry
    assert polygons.is_valid.all()
    assert (polygons.geom_type == "Polygon").all()
    first, second = shapely.STRtree(polygons.to_numpy()).query(polygons.to_numpy(), predicate="intersects")
    assert (
        shapely.area(
            shapely.intersection(polygons.to_numpy()[first[first < second]], polygons.to_numpy()[second[first < second]])
        ).sum()
        == 0
    )
    members = found.membership.dropna()
    own = polygons.loc[members].to_numpy()
    mine = buildings.geometry.loc[members.index].to_numpy()
    mine = np.where(shapely.is_valid(mine), mine, shapely.make_valid(mine))
    assert shapely.covers(own, mine).all()
    assert found.villages["buildings"].tolist() == members.value_counts().reindex(found.villages.index).tolist()
    scattered = shapely.make_valid(found.scattered.geometry.to_numpy())
    village, _ = shapely.STRtree(scattered).query(polygons.to_numpy(), predicate="intersects")
    assert len(village) == 0
    assert len(members) + len(found.scattered) == (~buildings.geometry.is_empty & buildings.geometry.notna()).sum()


def by_brute_force(shapes: np.ndarray, distance: float) -> list[frozenset[int]]:
    """Clusters by comparing every pair, joined by flooding."""
    near = shapely.distance(shapes[:, None], shapes[None, :]) <= distance
    left, found = set(range(len(shapes))), []
    while left:
        group, border = set(), {min(left)}
        while border:
            group |= border
            border = {j for i in border for j in np.flatnonzero(near[i]).tolist()} - group
        found.append(frozenset(group))
        left -= group
    return found


corners = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(corners, st.integers(1, 60))
def test_clusters_are_those_of_comparing_every_pair(places: list[tuple[int, int]], distance: int) -> None:
    shapes = houses(*places).geometry.to_numpy()
    label = clusters(shapes, distance_m=distance)
    found = [frozenset(np.flatnonzero(label == one).tolist()) for one in range(label.max() + 1)]
    assert found == by_brute_force(shapes, distance)


@settings(max_examples=40, deadline=None)
@given(corners, st.sampled_from([5, 20, 50]), st.integers(1, 4), st.randoms(use_true_random=False))
def test_result_is_sound_and_does_not_depend_on_the_order_of_rows(places, distance, fewest, random) -> None:  # type: ignore[no-untyped-def]
    buildings = houses(*places)
    found = natural_villages(buildings, distance_m=distance, min_buildings=fewest, areas=toy.areas().iloc[1:])
    assert_sound(found, buildings)
    order = list(buildings.index)
    random.shuffle(order)
    again = natural_villages(buildings.loc[order], distance_m=distance, min_buildings=fewest, areas=toy.areas().iloc[1:])
    assert again.villages.drop(columns="geometry").equals(found.villages.drop(columns="geometry"))
    assert again.villages.geometry.to_wkb().tolist() == found.villages.geometry.to_wkb().tolist()
    assert again.membership.reindex(found.membership.index).equals(found.membership)


def test_distance_counts_between_walls_and_includes_its_end() -> None:
    # walls 20 m apart, middles 30 m
    pair = houses((0, 0), (30, 0))
    assert len(natural_villages(pair, distance_m=20, min_buildings=2).villages) == 1
    assert len(natural_villages(pair, distance_m=19.99, min_buildings=2).villages) == 0


def test_outline_of_a_row_of_houses_is_the_row() -> None:
    # three houses 10 m apart: 50 m x 10 m; a disc of 50 m radius sinks 0.25 m into a gap of 10 m
    outline = natural_villages(houses((0, 0), (20, 0), (40, 0)), distance_m=50, min_buildings=3).villages.geometry.iloc[0]
    assert outline.covers(shapely.box(X, Y + 0.26, X + 50, Y + 9.74))
    assert shapely.box(X - 0.5, Y - 0.5, X + 50.5, Y + 10.5).covers(outline)


def test_a_yard_is_filled_up_to_the_stated_size_and_kept_beyond() -> None:
    ring = [(x, y) for x in range(0, 121, 12) for y in range(0, 121, 12) if x in (0, 120) or y in (0, 120)]
    small = natural_villages(houses(*ring), distance_m=10, hole_m2=13_000).villages.geometry.iloc[0]
    large = natural_villages(houses(*ring), distance_m=10, hole_m2=5_000).villages.geometry.iloc[0]
    assert len(small.interiors) == 0
    assert len(large.interiors) == 1
    assert small.area - large.area == pytest.approx(110 * 110, rel=0.03)


def test_a_yard_in_which_a_strangers_house_stands_is_kept() -> None:
    ring = [(x, y) for x in range(0, 121, 12) for y in range(0, 121, 12) if x in (0, 120) or y in (0, 120)]
    found = natural_villages(houses(*ring, (60, 60)), distance_m=10, hole_m2=1e9)
    assert len(found.scattered) == 1
    assert not found.villages.geometry.iloc[0].intersects(found.scattered.geometry.iloc[0])


def test_parts_that_closing_leaves_apart_are_tied_together() -> None:
    # two houses corner to corner, as far apart as they may be
    found = natural_villages(houses((0, 0), (45, 45)), distance_m=50, min_buildings=2)
    assert found.villages.geometry.iloc[0].geom_type == "Polygon"


def test_people_and_households_of_the_houses_are_added_up() -> None:
    found = natural_villages(toy.buildings(), distance_m=15, min_buildings=4)
    assert found.villages["population"].tolist() == [12, 15]
    assert found.villages["households"].tolist() == [4, 5]


def test_villages_end_at_the_areas_line_where_that_is_asked() -> None:
    across = houses((215, 0), (230, 0), (255, 0), (270, 0))
    areas = toy.areas().iloc[1:]
    assert len(natural_villages(across, distance_m=20, min_buildings=2, areas=areas).villages) == 1
    split = natural_villages(across, distance_m=20, min_buildings=2, areas=areas, split_at_areas=True).villages
    assert split["area_code"].tolist() == [toy.WEST, toy.EAST]
    assert split["buildings"].tolist() == [2, 2]


def test_null_and_empty_footprints_belong_nowhere() -> None:
    buildings = houses((0, 0), (15, 0), (30, 0))
    buildings.loc[["B0", "B1"], "geometry"] = [None, shapely.Polygon()]
    found = natural_villages(buildings, min_buildings=1)
    assert found.membership.isna().tolist() == [True, True, False]
    assert len(found.scattered) == 0


def test_no_buildings_are_no_villages() -> None:
    found = natural_villages(houses().iloc[:0])
    assert len(found.villages) == 0
    assert found.villages.crs == toy.CRS


@pytest.mark.parametrize("option", [{"distance_m": -1}, {"min_buildings": 0}, {"distance_m": float("nan")}])
def test_senseless_options_are_refused(option: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(option))):
        natural_villages(toy.buildings(), **option)  # type: ignore[arg-type]


def test_degrees_and_mercator_are_refused() -> None:
    for crs in (4326, 3857):
        with pytest.raises(CrsError):
            natural_villages(toy.buildings().to_crs(crs))


# --- numbers and names -----------------------------------------------------------------------------------------------


def test_villages_are_numbered_from_west_to_east_then_from_north_to_south() -> None:
    shapes = houses((0, 0), (100, 0), (0, 100), (50, 50))
    table = numbered(shapes["population"].astype(str).replace("1", toy.WEST), shapes.geometry)
    assert table["number"].to_dict() == {"B2": 1, "B0": 2, "B3": 3, "B1": 4}
    assert table["code"]["B3"] == toy.WEST + "003"


def test_a_place_names_the_village_it_lies_in_and_one_only() -> None:
    shapes = houses((0, 0), (200, 0), (400, 0), size=100).geometry
    places = gpd.GeoDataFrame(
        {"name": ["王家湾", "李家湾", None]},
        geometry=[shapely.Point(X + 90, Y + 50), shapely.Point(X + 320, Y + 50), shapely.Point(X + 450, Y + 50)],
        crs=toy.CRS,
    )
    assert place_names(shapes, places, reach_m=50).tolist() == ["王家湾", "李家湾", None]


def test_made_names_say_the_area_and_are_known_as_made() -> None:
    for area in ("庙岭村", "恒大社区", "West", None, "村"):
        assert is_made_name(made_name(area, 12))
    assert not is_made_name("大屋李湾")
    assert made_name("恒大社区", 2) == "恒大2湾"


def test_names_somebody_gave_stay_with_the_ground() -> None:
    old = houses((0, 0), (200, 0), (400, 0), size=100).assign(name=["王家湾", "West 2", "李家湾"])
    new = houses((190, 0), (5, 5), size=100).assign(name=["West 1", "West 2"])
    assert keep_names(new, old).tolist() == ["West 1", "王家湾"]


# --- other sources ---------------------------------------------------------------------------------------------------


def test_land_use_within_reach_is_one_village_and_small_ground_none() -> None:
    land = houses((0, 0), (130, 0), size=100)
    land.loc["B2"] = {"population": 1, "geometry": shapely.box(X + 800, Y, X + 820, Y + 20)}
    found = from_landuse(land, distance_m=40, min_area_m2=5_000)
    assert found.membership.isna().tolist() == [False, False, True]
    assert len(found.villages) == 1
    assert found.villages["area_m2"].iloc[0] == pytest.approx(23_000, rel=0.05)


def test_raster_villages_are_the_patches_over_the_threshold() -> None:
    people = np.zeros((30, 40))
    people[5:10, 5:10], people[20, 20], people[25, 30:35] = 4, 4, np.nan
    raster = Raster(people, (X, Y, X + 400, Y + 300), pyproj.CRS(toy.CRS))
    found = from_raster(raster, toy.areas().iloc[1:], threshold=1, min_area_m2=1_000, distance_m=5)
    assert found.villages["population"].tolist() == pytest.approx([100])
    assert found.villages["area_m2"].iloc[0] == pytest.approx(2_500, rel=0.02)


# --- real input ------------------------------------------------------------------------------------------------------


def test_the_finnish_town_of_2215_buildings() -> None:
    pytest.importorskip("pyrosm")
    file = Path(str(resources.files("pyrosm"))) / "data" / "test.osm.pbf"
    if not file.exists():
        pytest.skip("this pyrosm carries no test.osm.pbf")
    parts = pyogrio.read_dataframe(file, layer="multipolygons", on_invalid="ignore")
    buildings = parts[parts["building"].notna() & parts.geometry.notna()].to_crs(32635)
    assert len(buildings) == 2215
    found = natural_villages(buildings)
    assert_sound(found, buildings)
    shapes = shapely.make_valid(buildings.geometry.to_numpy())
    sizes = sorted(len(group) for group in by_brute_force_tree(shapes, 50))
    assert sorted(found.villages["buildings"]) == [size for size in sizes if size >= 5]
    assert len(found.scattered) == sum(size for size in sizes if size < 5)


def by_brute_force_tree(shapes: np.ndarray, distance: float) -> list[frozenset[int]]:
    """As `by_brute_force` on a few thousand shapes, neighbours from GEOS's own distance query."""
    first, second = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=distance)
    near: dict[int, set[int]] = {}
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        near.setdefault(a, set()).add(b)
    left, found = set(range(len(shapes))), []
    while left:
        group, border = set(), {min(left)}
        while border:
            group |= border
            border = set().union(*(near[i] for i in border)) - group
        found.append(frozenset(group))
        left -= group
    return found


def test_bubenec_is_refused_in_mercator_and_found_in_metres() -> None:
    momepy = pytest.importorskip("momepy")
    buildings = gpd.read_file(momepy.datasets.get_path("bubenec"), layer="buildings")
    with pytest.raises(CrsError):
        natural_villages(buildings)
    metric = buildings.to_crs(buildings.estimate_utm_crs())
    found = natural_villages(metric, distance_m=30)
    assert_sound(found, metric)
    assert found.villages["buildings"].sum() + len(found.scattered) == 144


def test_a_hundred_houses_in_reach_of_each_other_are_outlined_as_one() -> None:
    rng = np.random.default_rng(7)
    shapes = houses(*map(tuple, rng.uniform(0, 200, (100, 2)).tolist())).geometry.to_numpy()
    outline = outlines(shapes, np.zeros(100, dtype=np.intp), np.zeros(1, dtype=np.intp), Outline(400, 1e9, 4))[0]
    hull = shapely.convex_hull(shapely.union_all(shapes))
    assert outline.area == pytest.approx(hull.area, rel=0.12)
