"""Grids that fit are opened as they are, missing vertices are woven in, defects are named, repairs are told."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from gridgis import toy
from gridgis.errors import CrsError, DataError
from gridgis.redraw.fitting import left_over
from gridgis.redraw.opening import Defect, defects, open_partition, repair
from gridgis.redraw.partition import Partition
from tests.core.territories import territories

CRS = 4547
SHIFT = np.array([500_000.0, 3_366_000.0])


def moved(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, lambda xy: xy + SHIFT)


def grids(**shapes: shapely.Geometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[moved(shape) for shape in shapes.values()], index=list(shapes), crs=CRS)


def area(shape: shapely.Geometry) -> gpd.GeoDataFrame:
    return grids(A=shape)


def assert_partition(partition: Partition) -> None:
    """Valid polygons whose directed segments, with those of the free ground, cancel to the outline's, bit for bit."""
    everything = np.concatenate([partition.shapes, partition.free])
    assert shapely.is_valid(everything).all()
    assert len(left_over(everything, partition.outline)) == 0
    total = shapely.area(everything).sum()
    assert total == pytest.approx(partition.outline.area, rel=1e-12)


def kinds(found: tuple[Defect, ...]) -> list[tuple[str, tuple[str, ...], float]]:
    return [(defect.kind, defect.codes, round(defect.area_m2, 3)) for defect in found]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_grids_that_fit_come_back_as_the_same_objects() -> None:
    layer, town = toy.grids(), toy.areas().loc[[toy.TOWN]]
    noded = area(Polygon([(0, 0), (150, 0), (250, 0), (400, 0), (400, 300), (250, 300), (150, 300), (0, 300)]))
    opened = open_partition(layer, noded)
    assert all(ours is theirs for ours, theirs in zip(opened.shapes, layer.geometry, strict=True))
    assert opened.outline is noded.geometry.iloc[0]
    assert len(opened.free) == 0
    assert_partition(opened)
    assert opened.attributes["officer"].tolist() == ["Li", "Wang", "Zhao"]
    # the town's own outline is a plain rectangle: it gets the four corners it lacks, the grids stay as they are
    woven = open_partition(layer, town)
    assert all(ours is theirs for ours, theirs in zip(woven.shapes, layer.geometry, strict=True))
    assert set(shapely.get_coordinates(woven.outline)[:, 0] - SHIFT[0]) == {0, 150, 250, 400}
    assert_partition(woven)


def test_vertices_that_lack_on_one_side_are_woven_in() -> None:
    layer = grids(left=box(0, 0, 10, 20), low=box(10, 0, 20, 7), high=box(10, 7, 20, 20))
    opened = open_partition(layer, area(box(0, 0, 20, 20)))
    assert_partition(opened)
    assert [10.0, 7.0] in (shapely.get_coordinates(opened.shape("left")) - SHIFT).tolist()
    assert opened.shape("low") is layer.geometry["low"]
    assert shapely.area(opened.shapes).tolist() == layer.area.tolist()


def test_differences_of_rounding_are_one_vertex_and_the_outline_stays() -> None:
    near = 10 + 3e-8
    layer = grids(left=box(0, 0, near, 20), right=box(10, 0, 20, 20))
    opened = open_partition(layer, area(Polygon([(0, 0), (10, 0), (20, 0), (20, 20), (0, 20)])))
    assert_partition(opened)
    assert [10.0, 0.0] in (shapely.get_coordinates(opened.shape("left")) - SHIFT).tolist()
    assert abs(shapely.area(opened.shapes) - layer.area).max() < 1e-5


def test_ground_nobody_holds_is_free_if_wide_and_a_gap_if_narrow() -> None:
    town = area(box(0, 0, 100, 100))
    lake = grids(ring=box(0, 0, 100, 100).difference(box(40, 40, 60, 60)))
    opened = open_partition(lake, town)
    assert [ground.area for ground in opened.free] == [400.0]
    assert_partition(opened)
    assert len(open_partition(grids(a=box(0, 0, 100, 40), b=box(0, 60, 100, 100)), town).free) == 1
    # 0.9 m × 100 m: mean width 0.892 m
    crack = grids(a=box(0, 0, 100, 40), b=box(0, 40.9, 100, 100))
    assert kinds(defects(crack, town)) == [("gap", ("a", "b"), 90.0)]
    with pytest.raises(DataError, match=r"0 overlaps, 1 narrow gap, .*a/b 90\.00 m²"):
        open_partition(crack, town)
    assert len(open_partition(crack, town, crack_width_m=0.5).free) == 1


@pytest.mark.parametrize(
    "grid", [box(0, 20, 50, 80), box(20, 20, 100, 100), box(0, 20, 100, 80), Polygon([(0, 50), (50, 20), (50, 80)])]
)
def test_a_grid_that_meets_the_outline_between_its_vertices_leaves_free_ground_beside_it(grid: Polygon) -> None:
    square = box(0, 0, 100, 100)
    opened = open_partition(grids(G1=grid), area(square))
    assert_partition(opened)
    free = shapely.union_all(opened.free)
    assert shapely.symmetric_difference(free, moved(square.difference(grid))).area == 0
    assert all(shape.geom_type == "Polygon" for shape in opened.free)


def test_an_area_without_grids_is_free_ground() -> None:
    opened = open_partition(toy.grids().iloc[:0], toy.areas().loc[[toy.WEST]])
    assert opened.codes == ()
    assert [ground.area for ground in opened.free] == [75000.0]


def test_a_grid_in_the_hole_of_another_and_an_island_area_fit() -> None:
    hole = box(30, 30, 60, 60)
    islands = shapely.MultiPolygon([box(0, 0, 100, 100), box(200, 0, 300, 100)])
    layer = grids(ring=box(0, 0, 100, 100).difference(hole), plug=hole, far=box(200, 0, 300, 100))
    opened = open_partition(layer, area(islands))
    assert opened.shapes.tolist() == layer.geometry.tolist()
    assert_partition(opened)


@settings(max_examples=60, deadline=None)
@given(territories(), st.randoms())
def test_what_fits_opens_whatever_vertices_it_lacks(shapes: np.ndarray, random: object) -> None:
    """Independent answer: cells that fit, and the same with vertices on straight edges added at random."""

    def thickened(shape: shapely.Geometry) -> shapely.Geometry:
        length = random.choice([0, 20, 50])  # type: ignore[attr-defined]
        return shapely.segmentize(shape, length) if length else shape

    outline = shapely.union_all(shapes).envelope
    codes = [f"G{at}" for at in range(len(shapes))]
    layer = gpd.GeoDataFrame(geometry=[thickened(shape) for shape in shapes], index=codes, crs=CRS)
    opened = open_partition(layer, gpd.GeoDataFrame(geometry=[outline], index=["A"], crs=CRS), crack_width_m=0.0)
    assert_partition(opened)
    assert abs(shapely.area(opened.shapes) - shapely.area(shapes)).max() < 1e-3
    free = shapely.area(shapely.difference(outline, shapely.union_all(shapes)))
    assert shapely.area(opened.free).sum() == pytest.approx(free, abs=1e-3)


# --- defects ---------------------------------------------------------------------------------------------------------


def test_each_defect_is_named_with_grids_area_and_place() -> None:
    layer = grids(
        a=box(0, 0, 52, 100),  # 2 m over b
        b=box(50, 0, 100, 100).union(box(100, 40, 105, 50)),  # and 50 m² outside
        c=box(0, 100, 100, 200).difference(box(20, 150, 20.4, 190)),
        thread=box(20, 150, 20.4, 190),  # one thin grid, which may be meant
        d=shapely.MultiPolygon([box(0, 200, 40, 300), box(41, 200, 41.3, 300)]),
        bow=Polygon([(50, 200), (100, 300), (100, 200), (50, 300)]),
    )
    found = defects(layer, area(box(0, 0, 100, 300)))
    assert [(kind, codes) for kind, codes, _ in kinds(found)][:3] == [
        ("overlap", ("a", "b")), ("gap", ("c", "d")), ("outside", ("b",)),
    ]  # fmt: skip
    by_kind = {defect.kind: defect for defect in found}
    assert by_kind["overlap"].area_m2 == pytest.approx(200)
    assert by_kind["overlap"].place.equals(moved(box(50, 0, 52, 100)))
    assert by_kind["outside"].area_m2 == pytest.approx(50)
    assert by_kind["gap"].place.equals(moved(box(40, 200, 41, 300)))
    assert by_kind["invalid"].reason.startswith("Self-intersection")
    assert by_kind["invalid"].place.equals(moved(shapely.Point(75, 250)))
    assert [(d.codes, d.blocks, round(d.area_m2, 6)) for d in found if d.kind == "sliver"] == [
        (("d",), True, 30.0), (("thread",), False, 16.0),
    ]  # fmt: skip
    assert [(d.codes, d.blocks) for d in found if d.kind == "torn"] == [(("bow",), False), (("d",), False)]


def test_what_is_dirty_is_refused_in_both_languages() -> None:
    layer = grids(a=box(0, 0, 60, 100), b=box(50, 0, 100, 100))
    with pytest.raises(DataError) as refused:
        open_partition(layer, area(box(0, 0, 100, 100)))
    assert "1 overlap," in str(refused.value)
    assert "a/b 1,000.00 m²" in str(refused.value)
    assert "重叠 1 处" in refused.value.message("zh")


def test_what_has_to_be_there_is_asked_for() -> None:
    with pytest.raises(DataError, match="3 were given"):
        open_partition(toy.grids(), toy.areas())
    with pytest.raises(DataError, match="more than once among the grids: G1"):
        open_partition(toy.grids().iloc[[0, 0, 1]], toy.areas().iloc[[0]])
    with pytest.raises(DataError, match="crosses itself"):
        open_partition(toy.grids(), area(Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])))
    with pytest.raises(CrsError):
        open_partition(toy.grids().to_crs(4490), toy.areas().iloc[[0]].to_crs(4490))
    empty = grids(a=box(0, 0, 10, 10), b=Polygon())
    assert [(d.kind, d.codes) for d in defects(empty, area(box(0, 0, 10, 10)))] == [("invalid", ("b",))]


# --- repair ----------------------------------------------------------------------------------------------------------


def test_a_repair_tells_what_each_grid_won_and_lost() -> None:
    layer = grids(a=box(0, 0, 52, 100), b=box(50, 0, 100.0, 99.5), c=box(0, 100, 105, 200))
    town = area(box(0, 0, 100, 200))
    for keep, loser in (("first", "b"), ("smallest", "a"), ("largest", "b")):
        done = repair(layer, town, keep=keep)  # type: ignore[arg-type]
        assert_partition(done.partition)
        assert len(done.partition.free) == 0
        assert done.partition.outline.equals(town.geometry.iloc[0])
        lost = done.moved["lost_m2"].round(3).to_dict()
        # the 2 m × 100 m claimed twice, less the half metre that only a claims up there
        assert lost[loser] == pytest.approx(200 if loser == "a" else 199, abs=1.0)
        assert lost["c"] == 500.0
        gained = done.moved["gained_m2"].sum()
        assert gained == pytest.approx(24, abs=1.1)  # the crack over b, 48 m (50 m) × 0.5 m
    assert [note.message("en").split(":")[0] for note in done.notes] == [
        "Ground outside the area was cut off", "Ground claimed twice stayed with the largest grid",
        "Gaps narrower than 1.00 m were given to the neighbour with the longest border on them",
    ]  # fmt: skip
    assert all(note.message("zh") for note in done.notes)
    assert kinds(defects(done.partition.frame(), town)) == []


def test_a_repair_of_what_fits_moves_nothing() -> None:
    layer = toy.grids()
    done = repair(layer, toy.areas().iloc[[0]])
    assert all(ours is theirs for ours, theirs in zip(done.partition.shapes, layer.geometry, strict=True))
    assert len(done.moved) == 0
    assert done.notes == ()


def test_a_grid_outside_the_area_cannot_be_repaired() -> None:
    with pytest.raises(DataError, match="Nothing would be left of these grids: far"):
        repair(grids(a=box(0, 0, 10, 10), far=box(90, 0, 99, 9)), area(box(0, 0, 10, 10)))


@st.composite
def shaken(draw: st.DrawFn) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Cells of a square whose corners were each drawn anew, cell by cell: overlaps, cracks, and ground outside."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = shapely.MultiPoint(rng.random((draw(st.integers(2, 12)), 2)) * 700)
    square = box(0, 0, 700, 700)
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square)), square)
    cells = cells[shapely.area(cells) > 100]
    by = draw(st.sampled_from([1e-7, 1e-4, 0.01, 0.2]))

    def shake(cell: shapely.Polygon) -> shapely.Polygon:
        xy = shapely.get_coordinates(cell)[:-1]
        return shapely.Polygon(xy + rng.uniform(-by, by, xy.shape))

    wild = [moved(shake(cell)) for cell in cells]
    return gpd.GeoDataFrame(geometry=wild, index=[f"G{i}" for i in range(len(cells))], crs=CRS), area(square)


@settings(max_examples=40, deadline=None)
@given(shaken())
def test_what_was_shaken_is_repaired_to_a_partition(layer_town: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]) -> None:
    layer, town = layer_town
    done = repair(layer, town, gap_width_m=2.0)
    assert_partition(done.partition)
    assert shapely.area(shapely.symmetric_difference(done.partition.outline, town.geometry.iloc[0])) < 1e-4
    changed = shapely.area(shapely.symmetric_difference(done.partition.shapes, shapely.make_valid(layer.geometry.to_numpy())))
    told = done.moved.sum(axis=1).reindex(layer.index, fill_value=0.0).to_numpy()
    assert told == pytest.approx(changed, rel=1e-3, abs=1e-2)


@pytest.mark.postgis
def test_postgis_measures_the_same_overlaps_and_the_same_union(postgis_server: str) -> None:
    rng = np.random.default_rng(5)
    square = box(0, 0, 2000, 2000)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(rng.random((30, 2)) * 2000), extend_to=square))
    cells = [
        moved(cell.intersection(square).buffer(size, join_style="mitre"))
        for cell, size in zip(cells, rng.uniform(-2, 3, 30), strict=True)
    ]
    layer = gpd.GeoDataFrame(geometry=cells, index=[f"G{i:02d}" for i in range(30)], crs=CRS)
    town = area(square)
    found = defects(layer, town)
    done = repair(layer, town, gap_width_m=10.0)
    with psycopg.connect(postgis_server, autocommit=True) as judge:
        for table, frame in (("dirty", layer), ("clean", done.partition.frame())):
            judge.execute(f"CREATE TEMP TABLE {table} (code text, geom geometry)")
            with judge.cursor() as cursor:
                rows = list(zip(frame.index, frame.geometry.to_wkb(), strict=True))
                cursor.executemany(f"INSERT INTO {table} VALUES (%s, ST_GeomFromWKB(%s))", rows)
        pairs = """SELECT a.code, b.code, ST_Area(ST_Intersection(a.geom, b.geom)) FROM {0} a JOIN {0} b
                   ON a.code < b.code AND ST_Intersects(a.geom, b.geom) AND ST_Area(ST_Intersection(a.geom, b.geom)) > 1e-6"""
        theirs = {(a, b): m2 for a, b, m2 in judge.execute(pairs.format("dirty")).fetchall()}
        ours = {defect.codes: shapely.area(defect.place) for defect in found if defect.kind == "overlap"}
        assert ours.keys() == theirs.keys()
        assert [ours[pair] for pair in theirs] == pytest.approx(list(theirs.values()), rel=1e-6)
        assert judge.execute(pairs.format("clean")).fetchall() == []
        summed, union = judge.execute("SELECT sum(ST_Area(geom)), ST_Area(ST_Union(geom)) FROM clean").fetchone()  # type: ignore[misc]
        free = shapely.area(done.partition.free).sum()
        assert summed == pytest.approx(union, rel=1e-10)
        assert union + free == pytest.approx(4_000_000, rel=1e-10)
