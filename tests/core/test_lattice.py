"""The lattice: points, cells and boxes are exact inverses, edges included."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.transform
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridgis.errors import CrsError, DataError
from gridgis.lattice import Lattice

CRS = "EPSG:4547"


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    cell_m = draw(st.sampled_from([1, 7, 50, 100, 250, 1000]))
    return Lattice(
        crs=Lattice.covering((0, 0, 1, 1), 1, CRS).crs,
        x0=draw(st.integers(-40_000, 400_000)) * cell_m,
        y0=draw(st.integers(-100_000, 100_000)) * cell_m,
        cell_m=cell_m,
        rows=draw(st.integers(1, 3000)),
        columns=draw(st.integers(1, 3000)),
    )


@given(lattices(), st.data())
def test_every_point_of_a_cell_comes_back_to_it_and_its_upper_edges_do_not(lattice: Lattice, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, lattice.rows - 1)), data.draw(st.integers(0, lattice.columns - 1))
    west, south, east, north = lattice.bounds([row], [column])[0]
    assert (east - west, north - south) == (lattice.cell_m, lattice.cell_m)
    last_x, last_y = np.nextafter(east, -np.inf), np.nextafter(north, -np.inf)
    x, y = lattice.centre([row], [column])
    rows, columns = lattice.cell_at([west, last_x, west, last_x, x[0]], [south, last_y, last_y, south, y[0]])
    assert set(rows.tolist()) == {row}
    assert set(columns.tolist()) == {column}
    before_x, before_y = np.nextafter(west, -np.inf), np.nextafter(south, -np.inf)
    rows, columns = lattice.cell_at([before_x, east, west, west], [south, south, before_y, north])
    moved = [(row, column - 1), (row, column + 1), (row + 1, column), (row - 1, column)]
    inside = [0 <= r < lattice.rows and 0 <= c < lattice.columns for r, c in moved]
    expected = [cell if ok else (-1, -1) for cell, ok in zip(moved, inside, strict=True)]
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


@given(lattices(), st.data())
def test_numbers_in_reading_order_are_inverted(lattice: Lattice, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, lattice.rows * lattice.columns - 1))
    row, column = lattice.cell_of([number])
    assert lattice.flat(row, column).tolist() == [number]
    assert lattice.cell_of([-1, lattice.rows * lattice.columns])[0].tolist() == [-1, -1]


@given(st.floats(-1e6, 1e8), st.floats(-1e7, 1e7), st.floats(0, 1e5), st.floats(0, 1e5), st.sampled_from([1, 30, 100, 1000]))
def test_a_covering_lattice_holds_the_box_and_no_line_more(x: float, y: float, w: float, h: float, cell_m: int) -> None:
    lattice = Lattice.covering((x, y, x + w, y + h), cell_m, CRS)
    west, south, east, north = lattice.total_bounds
    assert west <= x < west + cell_m
    assert south <= y < south + cell_m
    assert x + w <= east
    assert y + h <= north
    assert lattice.columns == 1 or east - cell_m < x + w
    assert lattice.rows == 1 or north - cell_m < y + h


def test_rasterio_reads_the_transform_the_same_way() -> None:
    lattice = Lattice.covering((500_030, 3_366_010, 500_620, 3_366_390), 100, CRS)
    rows, columns = np.divmod(np.arange(lattice.rows * lattice.columns), lattice.columns)
    xs, ys = rasterio.transform.xy(lattice.transform, rows, columns)
    x, y = lattice.centre(rows, columns)
    assert np.array_equal(x, xs)
    assert np.array_equal(y, ys)


def test_row_0_is_in_the_north_and_boxes_fill_the_lattice() -> None:
    lattice = Lattice.covering((0, 0, 300, 200), 100, CRS)
    rows, columns = lattice.cell_of(np.arange(6))
    boxes = lattice.boxes(rows, columns)
    assert boxes[0].bounds == (0.0, 100.0, 100.0, 200.0)
    assert shapely.coverage_is_valid(boxes)
    assert shapely.union_all(boxes).equals(shapely.box(0, 0, 300, 200))
    assert all(shapely.is_ccw(shapely.get_exterior_ring(boxes)))


def test_outside_and_missing_points_have_no_cell() -> None:
    lattice = Lattice.covering((0, 0, 300, 200), 100, CRS)
    row, column = lattice.cell_at([np.nan, np.inf, -1, 5], [5, 5, 5, np.nan])
    assert row.tolist() == column.tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("cell_m", [0, -100, 99.5, "100"])
def test_a_side_that_is_no_whole_number_of_metres_is_refused(cell_m: object) -> None:
    with pytest.raises(DataError, match="whole number of metres"):
        Lattice.covering((0, 0, 1, 1), cell_m, CRS)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [(0, 0, np.nan, 1), (0, 0, np.inf, 1), (5, 0, 1, 1)])
def test_bounds_of_nothing_are_refused(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(DataError, match="nothing to lay a lattice over"):
        Lattice.covering(bounds, 100, CRS)


def test_an_origin_off_the_lines_is_refused() -> None:
    crs = Lattice.covering((0, 0, 1, 1), 1, CRS).crs
    with pytest.raises(DataError, match="not a multiple"):
        Lattice(crs, 50, 0, 100, 1, 1)
    with pytest.raises(DataError, match="at least one row"):
        Lattice(crs, 0, 0, 100, 0, 1)


@given(
    st.floats(-1e6, 1e7), st.floats(-1e6, 1e7), st.integers(-5000, 5000), st.integers(-5000, 5000), st.sampled_from([1, 30, 100])
)
def test_lines_may_run_through_any_point_of_whole_metres(x: float, y: float, across: int, up: int, cell_m: int) -> None:
    lattice = Lattice.covering((x, y, x + 999, y + 1), cell_m, CRS, origin=(across, up))
    west, south, east, north = lattice.total_bounds
    assert (west - across) % cell_m == (south - up) % cell_m == 0
    assert west <= x < west + cell_m
    assert south <= y < south + cell_m
    assert east - cell_m < x + 999 <= east
    assert north - cell_m < y + 1 <= north or lattice.rows == 1
    row, column = lattice.cell_at([west, x], [south, y])
    assert row.tolist() == [lattice.rows - 1] * 2
    assert column.tolist() == [0, 0]


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857"])
def test_degrees_and_mercator_are_refused(crs: str) -> None:
    with pytest.raises(CrsError):
        Lattice.covering((0, 0, 1, 1), 100, crs)
