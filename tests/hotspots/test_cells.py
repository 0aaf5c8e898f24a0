"""Cells within an area, counts in half-open cells, and sums over bands, beside shapely, numpy and plain loops."""

from __future__ import annotations

import math
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gridgis import toy
from gridgis.errors import CrsError, DataError
from gridgis.hotspots import Band, CellSet, cells_around, cells_within, count, neighbour_count, window_sum
from gridgis.lattice import Lattice
from tests.hotspots.judges import CRS, cell_set, fields


def test_cells_are_those_that_share_ground_with_the_area() -> None:
    """The toy's 400 × 300 m on its own lines is 4 × 3 cells, though it touches the 16 around them."""
    cells = cells_within(toy.areas(), cell_m=100)
    assert cells.lattice.total_bounds == (500000, 3366000, 500400, 3366300)
    assert cells.size == 12


def test_an_origin_moves_the_lines() -> None:
    cells = cells_within(toy.areas(), cell_m=100, origin=(500030, -70))
    assert cells.lattice.total_bounds == (499930, 3365930, 500430, 3366330)
    assert cells.size == 20
    with pytest.raises(DataError, match="whole"):
        cells_within(toy.areas(), cell_m=100, origin=(0.5, 0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([7, 50, 333]))
def test_cells_within_are_those_shapely_intersects_with_more_than_a_line(seed: int, cell_m: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [
        shapely.Polygon(rng.integers(-500, 500, (3, 2)) + rng.integers(0, 600, 2)) if rng.random() < 0.5
        else shapely.box(*(low := rng.integers(-10, 10, 2) * cell_m), *(low + rng.integers(1, 6, 2) * cell_m))
        for _ in range(rng.integers(1, 4))
    ]  # fmt: skip
    area = gpd.GeoSeries([shape for shape in shapes if shape.area > 1] or [shapely.box(0, 0, 9, 9)], crs=CRS)
    cells = cells_within(area, cell_m=cell_m)
    whole, lattice = shapely.union_all(area.array), cells.lattice
    row, column = np.indices(lattice.shape)
    boxes = lattice.boxes(row.ravel(), column.ravel())
    expected = shapely.intersects(whole, boxes) & ~shapely.touches(whole, boxes)
    np.testing.assert_array_equal(cells.mask.ravel(), expected)


def test_holes_and_distant_parts_are_seen() -> None:
    ring = shapely.box(0, 0, 900, 900).difference(shapely.box(200, 200, 700, 700))
    cells = cells_within(gpd.GeoSeries([ring, shapely.box(2050, 50, 2060, 60)], crs=CRS), cell_m=100)
    assert cells.size == 81 - 25 + 1
    assert cells.mask[-1, 20]


def test_a_bow_tie_is_repaired_and_an_area_without_polygons_refused() -> None:
    tie = shapely.Polygon([(0, 0), (200, 200), (200, 0), (0, 200)])
    assert cells_within(gpd.GeoSeries([tie, None], crs=CRS), cell_m=100).size == 4
    with pytest.raises(DataError, match="polygon"):
        cells_within(gpd.GeoSeries([shapely.LineString([(0, 0), (9, 9)])], crs=CRS), cell_m=100)
    with pytest.raises(CrsError):
        cells_within(toy.areas().to_crs(4326), cell_m=100)


def test_a_lattice_beyond_memory_is_refused_before_it_is_made() -> None:
    with pytest.raises(DataError, match="larger cells"):
        cells_within(gpd.GeoSeries([shapely.box(0, 0, 1, 1), shapely.box(9e5, 9e5, 9e5 + 1, 9e5 + 1)], crs=CRS), cell_m=1)


def test_every_point_has_a_cell_in_the_lattice_around_them() -> None:
    x, y = np.array([0.0, 300.0, 150.5, np.nan]), np.array([0.0, 200.0, 99.0, 1.0])
    cells = cells_around(x, y, cell_m=100, crs=CRS)
    assert cells.lattice.shape == (3, 4)  # points on the east and north line need a cell beyond it
    assert count(cells, x, y).sum() == 3
    with pytest.raises(DataError, match="no points"):
        cells_around([np.nan], [1.0], cell_m=100, crs=CRS)


# --- counting --------------------------------------------------------------------------------------------------------


def test_points_on_edges_and_corners_count_once_east_and_north() -> None:
    cells = cell_set((2, 2))
    assert count(cells, [100.0], [100.0]).tolist() == [[0, 1], [0, 0]]
    assert count(cells, [0.0, 0.0, 100.0], [0.0, 100.0, 0.0]).tolist() == [[1, 0], [1, 1]]
    # the outer east and north edges belong to cells that are not there
    assert count(cells, [200.0, 50.0], [50.0, 200.0]).sum() == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3, 7, 100]), st.booleans())
def test_counts_are_those_of_the_lattice_one_by_one(seed: int, cell_m: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    origin = tuple(rng.integers(-5, 5, 2).tolist())
    lattice = Lattice.covering((400_000, 3_000_000, 400_000 + 9 * cell_m, 3_000_000 + 5 * cell_m), cell_m, CRS, origin=origin)
    cells = CellSet(lattice, rng.random(lattice.shape) < 0.8)
    x, y = (start + rng.integers(-8, 12 * 4, 500) * cell_m / 4 for start in (lattice.x0, lattice.y0))  # many on edges
    x[::7], y[::11] = np.nextafter(x[::7], -np.inf), np.nextafter(y[::11], np.inf)
    x[3], y[5], x[8] = np.nan, np.inf, -1e300
    weights = rng.random(500) if weighted else None
    expected = np.zeros(lattice.shape)
    row, column = lattice.cell_at(x, y)
    for i in range(500):
        if row[i] >= 0 and cells.mask[row[i], column[i]]:
            expected[row[i], column[i]] += 1 if weights is None else weights[i]
    np.testing.assert_allclose(count(cells, x, y, weights=weights), expected, rtol=1e-12)


def test_a_million_points_count_as_numpy_histogram_counts_them() -> None:
    x, y = np.random.default_rng(1).random((2, 1_000_000)) * 4000
    expected = np.histogram2d(y, x, bins=40, range=[[0, 4000], [0, 4000]])[0][::-1]
    np.testing.assert_array_equal(count(cell_set((40, 40)), x, y), expected)


def test_points_and_weights_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="2, 1"):
        count(cell_set((2, 2)), [1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="as many"):
        count(cell_set((2, 2)), [1.0], [1.0], weights=[1.0, 2.0])


# --- bands -----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(fields(least=1))
def test_window_sums_are_those_of_all_pairs(case: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
    values, mask, band_m = case
    band = Band(100, band_m)
    row, column = np.nonzero(mask)
    near = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2 <= (band_m / 100) ** 2 + 1e-9
    holed = np.where(mask, values, np.nan)
    sums, number = window_sum(holed, mask, band), neighbour_count(mask, band)
    np.testing.assert_allclose(sums[mask], near @ values[mask], rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(number[mask], near.sum(axis=1))
    assert not sums[~mask].any()
    if (values == np.rint(values)).all():
        np.testing.assert_array_equal(sums[mask], near @ values[mask])  # whole numbers are exact


@pytest.mark.parametrize(
    ("band_m", "size"), [(99.0, 1), (100.0, 5), (141.0, 5), (math.sqrt(2) * 100, 9), (200.0, 13), (250.0, 21)]
)
def test_a_band_is_the_disc_of_centres(band_m: float, size: int) -> None:
    band = Band(100, band_m)
    rows, columns = band.offsets()
    assert band.size == len(rows) == size
    assert (np.hypot(rows, columns) * 100 <= band_m * (1 + 1e-9)).all()


def test_the_limit_is_included_whatever_the_cell() -> None:
    for cell_m in (1, 3, 7, 30, 1000):
        for step in (1, 2, 3, 10):
            assert Band(cell_m, cell_m * step).reach == step
            assert Band(cell_m, cell_m * math.hypot(step, step)).halves[0] >= 0
            rows, columns = Band(cell_m, cell_m * math.hypot(step, 1)).offsets()
            assert ((rows == step) & (columns == 1)).any()


def test_a_band_wider_than_the_lattice_takes_every_cell() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert (window_sum(values, np.ones((2, 3), bool), Band(100, 5000.0)) == 15).all()


@pytest.mark.parametrize("band_m", [0.0, -5.0, math.nan, math.inf])
def test_a_band_that_is_none_is_refused(band_m: float) -> None:
    with pytest.raises(DataError, match="over 0"):
        Band(100, band_m)


def test_cells_and_frame_go_back_and_forth() -> None:
    mask = np.array([[True, False], [True, True]])
    cells = cell_set(mask)
    assert cells.ids().tolist() == ["r0c0", "r1c0", "r1c1"]
    values = cells.spread([1.0, 2.0, 3.0])
    assert cells.take(values).tolist() == [1.0, 2.0, 3.0]
    assert math.isnan(values[0, 1])
    frame = cells.frame({"value": values})
    assert frame.area.tolist() == [10_000.0] * 3
    with pytest.raises(DataError, match="2 × 2"):
        CellSet(cells.lattice, np.ones((2, 3), bool))


def test_arrays_that_may_not_be_written_or_lie_in_pieces_are_taken() -> None:
    """pandas hands out read-only arrays; a cut-out of a larger array is in pieces."""
    values, mask = np.arange(80.0).reshape(8, 10), np.ones((8, 10), bool)
    locked = values.copy()
    locked.flags.writeable = False
    band = Band(100, 150.0)
    expected = window_sum(values[::2, ::2].copy(), mask[::2, ::2].copy(), band)
    np.testing.assert_array_equal(window_sum(values[::2, ::2], mask[::2, ::2], band), expected)
    np.testing.assert_array_equal(window_sum(locked, mask, band), window_sum(values, mask, band))
    assert count(cell_set((1, 1)), np.broadcast_to(5.0, (3,)), np.broadcast_to(5.0, (3,))).tolist() == [[3.0]]


def test_loops_are_compiled_anew_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from gridgis.hotspots import kernels

    compile_as_it_is = numba.njit

    def without_folder(*, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")  # what numba says
        return compile_as_it_is(**options)

    monkeypatch.setattr(numba, "njit", without_folder)
    assert kernels.compiled(lambda a: a + 1)(41) == 42
