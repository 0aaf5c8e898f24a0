"""Unit grids: by hand on the toy town, on random territories, on Beijing and inside pip packages' own polygons."""

from __future__ import annotations

import importlib.resources

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from gridgis import toy
from gridgis.crs import choose_crs
from gridgis.cutting import cut
from gridgis.errors import Cancelled, CrsError, DataError
from gridgis.grids import UnitGrid, unit_grid
from gridgis.lattice import Lattice
from gridgis.measure import ellipsoidal_area
from gridgis.merging import join_small
from gridgis.topology import cover
from tests.core.territories import assert_noded, territories
from tests.support import shared

CRS = 4547
X, Y = 500_000, 3_366_000


def villages(*shapes: shapely.Geometry, codes: list[str] | None = None) -> gpd.GeoDataFrame:
    moved = [shapely.transform(shape, lambda xy: xy + np.array([X, Y])) for shape in shapes]
    index = codes or [f"4207031022{i + 1:02d}" for i in range(len(moved))]
    return gpd.GeoDataFrame(geometry=moved, index=index, crs=CRS)


def sizes(grid: UnitGrid) -> dict[str, float]:
    return {str(code)[-3:]: round(area) for code, area in grid.cells["planar_m2"].items()}


def assert_fills(grid: UnitGrid, areas: gpd.GeoDataFrame) -> None:
    cells = grid.cells
    assert cells.index.is_unique
    assert cells.index.is_monotonic_increasing
    assert cells.geometry.is_valid.all()
    assert set(cells.geom_type) == {"Polygon"}
    for code, shape in areas.geometry.items():
        mine = cells[cells["area_code"] == code]
        assert shapely.area(shapely.symmetric_difference(shapely.union_all(mine.geometry.to_numpy()), shape)) < 1e-3
        assert mine["planar_m2"].sum() == pytest.approx(shape.area, rel=1e-9)
    assert_noded(cells.geometry.to_numpy())


def test_the_toy_town_by_hand() -> None:
    grid = unit_grid(toy.areas().query("level == 'village'"))
    # the west village is 250 m wide: its third column is exactly half as wide as a cell, which is not "under half";
    # the east one starts at 250 and has columns of 50 and 100
    west = grid.cells[grid.cells["area_code"] == toy.WEST]
    east = grid.cells[grid.cells["area_code"] == toy.EAST]
    assert west.index.tolist() == [f"{toy.WEST}{i:03d}" for i in range(1, 10)]
    assert west["planar_m2"].tolist() == [10000.0, 10000.0, 5000.0] * 3
    assert east["planar_m2"].tolist() == [5000.0, 10000.0] * 3
    assert west.geometry.iloc[0].bounds == (X, Y + 200, X + 100, Y + 300)  # 001 is the north-west cell
    assert west.geometry.iloc[1].bounds == (X + 100, Y + 200, X + 200, Y + 300)  # then eastwards
    assert west.geometry.iloc[3].bounds == (X, Y + 100, X + 100, Y + 200)  # then the next row south
    assert grid.cells["area_m2"].to_numpy() == pytest.approx(grid.cells["planar_m2"].to_numpy(), rel=1e-7)
    report = grid.report
    assert (report.cells, report.parts, report.merged, report.lonely, report.overlap_m2) == (15, 15, 0, (), 0.0)
    assert report.by_area["cells"].to_dict() == {toy.WEST: 9, toy.EAST: 6}


def test_a_small_part_joins_the_neighbour_with_the_longest_border() -> None:
    # one row: 30 m in column 2 join column 1
    grid = unit_grid(villages(box(0, 0, 230, 100)))
    assert sizes(grid) == {"001": 10000, "002": 13000}
    assert grid.cells.geometry.iloc[1].bounds == (X + 100, Y, X + 230, Y + 100)


def test_a_neighbour_that_would_grow_too_large_comes_after_others() -> None:
    # columns of 40, 100 and 40 m, two rows: column 1 takes one of 40 m and no second; the two in the east join each other
    grid = unit_grid(villages(box(60, 0, 240, 200)))
    assert sorted(sizes(grid).values()) == [8000, 14000, 14000]
    # with one row there is no other neighbour: better too large than a sliver
    grid = unit_grid(villages(box(60, 0, 240, 100)))
    assert sizes(grid) == {"001": 18000}


def test_small_parts_never_join_another_village() -> None:
    # a speck of 20 m × 20 m between two villages stays a cell of its own, and is reported
    speck = box(100, 40, 120, 60)
    west, east = box(0, 0, 100, 100), box(100, 0, 200, 100).difference(speck)
    grid = unit_grid(villages(west, speck, east))
    assert grid.cells["planar_m2"].round().tolist() == [10000, 400, 9600]
    assert grid.report.lonely == ("420703102202001",)


def test_an_exclave_stays_with_its_village() -> None:
    areas = villages(
        shapely.MultiPolygon([box(0, 0, 100, 100), box(300, 0, 330, 30)]), box(100, 0, 400, 100).difference(box(300, 0, 330, 30))
    )
    grid = unit_grid(areas)
    assert_fills(grid, areas)
    assert grid.report.lonely == ("420703102201002",)


def test_two_parts_of_a_village_in_one_cell_are_two_cells_numbered_from_north_to_south() -> None:
    areas = villages(shapely.MultiPolygon([box(0, 0, 100, 20), box(0, 60, 100, 100)]))
    assert unit_grid(areas).cells["planar_m2"].tolist() == [4000.0, 2000.0]


@settings(max_examples=25, deadline=None)
@given(territories(), st.sampled_from([50, 100, 300]), st.randoms(use_true_random=False))
def test_cells_fill_random_territories_whatever_their_order(shapes: np.ndarray, cell_m: int, random: object) -> None:
    codes = [f"4207031022{i:02d}" for i in range(len(shapes))]
    areas = gpd.GeoDataFrame(geometry=shapes, index=codes, crs=CRS)
    grid = unit_grid(areas, cell_m=cell_m)
    assert_fills(grid, areas)
    assert grid.report.parts - grid.report.merged == grid.report.cells == len(grid.cells)
    order = list(range(len(shapes)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = unit_grid(areas.iloc[order], cell_m=cell_m)
    assert again.cells.index.tolist() == grid.cells.index.tolist()
    assert again.cells.equals(grid.cells)


@settings(max_examples=25, deadline=None)
@given(territories())
def test_only_parts_without_a_neighbour_in_their_village_stay_small(shapes: np.ndarray) -> None:
    lattice = Lattice.covering(shapely.total_bounds(shapes).tolist(), 100, CRS)
    pieces = cut(shapes, lattice)
    group = join_small(pieces, lattice)
    assert (group[group] == group).all()
    assert (pieces.owner[group] == pieces.owner).all()
    grid = unit_grid(gpd.GeoDataFrame(geometry=shapes, index=[f"4207031022{i:02d}" for i in range(len(shapes))], crs=CRS))
    small = grid.cells[grid.cells["planar_m2"] < 5000 - 1e-3]
    assert set(small.index) == set(grid.report.lonely)
    for code, cell in small.geometry.items():
        same = grid.cells[grid.cells["area_code"] == grid.cells.loc[code, "area_code"]].drop(code)
        assert same.geometry.intersection(cell.boundary).length.max() < 1e-6 or len(same) == 0


def test_areas_that_overlap_a_little_are_fitted_and_reported() -> None:
    areas = villages(box(0, 0, 300, 300), box(299, 0, 600, 300))
    grid = unit_grid(areas)
    assert grid.report.overlap_m2 == pytest.approx(300.0)
    assert grid.report.moved.round(6).to_dict("index") == {"420703102202": {"gained_m2": 0.0, "lost_m2": 300.0}}
    assert_fills(grid, cover(areas).frame)


def test_areas_that_overlap_a_lot_are_refused_by_name() -> None:
    areas = villages(box(0, 0, 300, 300), box(250, 0, 600, 300)).assign(name=["庙岭村", None])
    with pytest.raises(DataError) as error:
        unit_grid(areas)
    assert "庙岭村 (420703102201)" in str(error.value)
    assert "420703102202" in error.value.message("zh")
    assert "15,000" in str(error.value)


def test_gaps_between_areas_stay_gaps() -> None:
    areas = villages(box(0, 0, 100, 100), box(110, 0, 200, 100))
    assert unit_grid(areas).cells["planar_m2"].tolist() == [10000.0, 9000.0]


def test_three_dimensional_and_foreign_codes() -> None:
    flat = villages(box(0, 0, 100, 100))
    deep = flat.set_geometry(shapely.force_3d(flat.geometry.to_numpy(), z=5.0))
    assert not unit_grid(deep.set_crs(CRS)).cells.has_z.any()
    assert unit_grid(flat.set_axis(["63000010-002"]), code="plain").cells.index.tolist() == ["63000010-002000001"]


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        (None, "no boundary"),
        (shapely.Polygon(), "no boundary"),
        (shapely.Point(X, Y), "Point"),
        (shapely.Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)]), "the line crosses itself"),
    ],
)
def test_shapes_that_cannot_be_cut_are_named(shape: shapely.Geometry | None, word: str) -> None:
    areas = villages(box(0, 0, 100, 100), box(100, 0, 200, 100))
    areas.loc["420703102202", "geometry"] = shape
    with pytest.raises(DataError, match=word) as error:
        unit_grid(areas)
    assert "420703102202" in error.value.message("zh")


def test_what_is_no_use_is_refused() -> None:
    areas = villages(box(0, 0, 100, 100), box(100, 0, 200, 100))
    with pytest.raises(DataError, match="no areas"):
        unit_grid(areas.iloc[:0])
    with pytest.raises(DataError, match="used by 2"):
        unit_grid(areas.set_axis(["420703102201", "420703102201"]))
    with pytest.raises(CrsError, match="EPSG:4547"):
        unit_grid(areas.to_crs(4490))
    with pytest.raises(CrsError, match="Mercator"):
        unit_grid(areas.to_crs(3857))
    with pytest.raises(DataError, match="whole number"):
        unit_grid(areas, cell_m=0)
    with pytest.raises(DataError, match="not 12 digits"):
        unit_grid(areas.set_axis(["A", "B"]))
    with pytest.raises(DataError, match="20,000,000"):
        unit_grid(villages(box(0, 0, 30_000, 10_000)), cell_m=1)
    with pytest.raises(DataError, match="far apart"):
        unit_grid(villages(box(0, 0, 100, 100), box(3_000_000, 3_000_000, 3_000_100, 3_000_100)))


def test_too_many_cells_for_three_digits_names_the_village_and_the_ways_out() -> None:
    areas = villages(box(0, 0, 2500, 4000)).assign(name="庙岭村")
    with pytest.raises(DataError, match=r"庙岭村 \(420703102201\): 1,000"):
        unit_grid(areas)
    assert unit_grid(areas, code="long").cells.index[[0, -1]].tolist() == ["4207031022010001", "4207031022011000"]
    assert len(unit_grid(areas, cell_m=200).cells) == 260  # 12.5 columns: the half ones are no less than half


def test_a_listener_hears_every_stage_and_can_stop() -> None:
    heard: list[str] = []

    def listen(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        heard.append(stage)

    unit_grid(villages(box(0, 0, 230, 100)), progress=listen)
    assert list(dict.fromkeys(heard)) == ["grids.stage_fit", "grids.stage_cut", "grids.stage_join", "grids.stage_code"]

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        unit_grid(villages(box(0, 0, 230, 100)), progress=stop)


def test_input_is_not_touched() -> None:
    areas = toy.areas().query("level == 'village'")
    before = areas.copy(deep=True)
    unit_grid(areas)
    pd.testing.assert_frame_equal(areas, before)


def test_real_tessellation_cells_of_prague_become_unit_grids() -> None:
    file = importlib.resources.files("momepy") / "datasets" / "bubenec.gpkg"
    plots = gpd.read_file(str(file), layer="plots")
    crs = choose_crs(plots)
    # plots become five quarters by their bearing from the middle, as villages are made of plots
    middle = plots.union_all().centroid
    bearing = np.arctan2(plots.centroid.y - middle.y, plots.centroid.x - middle.x)
    quarters = plots.assign(quarter=np.floor((bearing + np.pi) / (2 * np.pi) * 5).clip(0, 4).astype(int))
    areas = quarters.to_crs(crs).dissolve("quarter")[["geometry"]]
    areas.index = [f"4207031022{i:02d}" for i in areas.index]
    grid = unit_grid(areas)
    fitting = cover(areas.sort_index()).frame
    assert_fills(grid, fitting)
    assert grid.cells["area_m2"].sum() == pytest.approx(ellipsoidal_area(fitting).sum(), rel=1e-7)


@pytest.mark.shared
def test_haidian_keeps_every_promise() -> None:
    areas = gpd.read_file(shared("beijing_subdistricts/haidian-all.geojson")).set_index("code").to_crs(4548)
    grid = unit_grid(areas, code="long")
    report = grid.report
    assert 46_000 < report.parts < 47_000
    assert report.share_within >= 0.99
    assert report.lonely == ()
    assert report.overlap_m2 == pytest.approx(470, abs=1)
    assert shapely.coverage_is_valid(grid.cells.geometry.to_numpy())
    fitting = cover(areas.set_axis(areas.index.astype(str)).sort_index()).frame
    union = shapely.coverage_union_all(grid.cells.geometry.to_numpy())
    assert shapely.area(shapely.symmetric_difference(union, shapely.union_all(areas.geometry.to_numpy()))) < 0.01
    expected = ellipsoidal_area(fitting)
    assert report.by_area["area_m2"].to_numpy() == pytest.approx(expected[report.by_area.index].to_numpy(), rel=1e-7)
    assert grid.cells["area_m2"].to_numpy() == pytest.approx(ellipsoidal_area(grid.cells).to_numpy(), rel=1e-7)
