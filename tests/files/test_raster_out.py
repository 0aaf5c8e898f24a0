"""Rasters as written, read back by rasterio: where they lie, what they say, and that nothing half-written is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio

from gridgis.errors import Cancelled, DataError, WorkspaceError
from gridgis.files import rasters_out
from gridgis.files.rasters_out import write_raster
from gridgis.lattice import Lattice

LATTICE = Lattice.covering((500_000, 3_366_000, 500_000 + 1300 * 100, 3_366_000 + 1100 * 100), 100, "EPSG:4547")


def values(lattice: Lattice = LATTICE) -> np.ndarray:
    found = np.random.default_rng(0).random(lattice.shape)
    found[:3] = np.nan
    return found


def test_a_raster_lies_where_its_cells_lie_and_says_what_it_shows(tmp_path: Path) -> None:
    file = tmp_path / "density.tif"
    write_raster(file, values(), lattice=LATTICE, description="密度", unit="km-2", tags={"bandwidth_m": "500"})
    with rasterio.open(file) as read:
        assert pyproj.CRS.from_wkt(read.crs.to_wkt()) == LATTICE.crs
        assert tuple(read.bounds) == LATTICE.total_bounds
        assert read.descriptions == ("密度",)
        assert read.units == ("km-2",)
        assert read.tags()["bandwidth_m"] == "500"
        assert "synthetic" not in read.tags()
        assert np.isnan(read.nodata)
        band = read.read(1, masked=True)
        x, y = LATTICE.centre([700], [20])
        assert next(read.sample([(x[0], y[0])]))[0] == np.float32(values()[700, 20])
    np.testing.assert_array_equal(band.mask, np.isnan(values()))
    np.testing.assert_allclose(band.compressed(), values()[3:].ravel(), rtol=1e-7)


def test_a_raster_is_cloud_optimised(tmp_path: Path) -> None:
    file = tmp_path / "density.tif"
    write_raster(file, values(), lattice=LATTICE, description="d", unit="km-2")
    with rasterio.open(file) as read:
        assert read.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert read.profile["tiled"]
        assert read.block_shapes == [(512, 512)]
        assert read.overviews(1) == [2, 4]
        half = read.read(1, out_shape=(550, 650))
    np.testing.assert_allclose(half[100, 100], values()[200:202, 200:202].mean(), rtol=1e-6)


def test_synthetic_data_is_marked_in_both_languages(tmp_path: Path) -> None:
    file = tmp_path / "density.tif"
    write_raster(file, values(), lattice=LATTICE, description="d", unit="km-2", synthetic=True)
    with rasterio.open(file) as read:
        tags = read.tags()
    assert tags["synthetic"] == "yes"
    assert "虚构" in tags["note"]
    assert "invented" in tags["note"]


def test_whole_numbers_stay_whole_and_one_cell_is_enough(tmp_path: Path) -> None:
    lattice = Lattice.covering((0, 0, 300, 200), 100, "EPSG:4547")
    classes = np.array([[-3, 0, 3], [1, 2, -1]], dtype=np.int8)
    write_raster(tmp_path / "classes.tif", classes, lattice=lattice, description="class", unit="")
    with rasterio.open(tmp_path / "classes.tif") as read:
        assert read.dtypes == ("int32",)
        np.testing.assert_array_equal(read.read(1), classes)
    one = Lattice.covering((0, 0, 100, 100), 100, "EPSG:4547")
    write_raster(tmp_path / "one.tiff", np.array([[2.5]]), lattice=one, description="d", unit="km-2")
    with rasterio.open(tmp_path / "one.tiff") as read:
        assert read.read(1).item() == 2.5


def test_what_cannot_be_written_leaves_the_old_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "density.tif"
    write_raster(file, values(), lattice=LATTICE, description="old", unit="km-2")
    before = file.read_bytes()

    def broken(*args: object, **options: object) -> None:
        raise rasterio.errors.RasterioIOError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(rasters_out.rasterio.shutil, "copy", broken)
        with pytest.raises(WorkspaceError, match="disk full"):
            write_raster(file, values() * 2, lattice=LATTICE, description="new", unit="km-2")

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_raster(file, values() * 2, lattice=LATTICE, description="new", unit="km-2", progress=stop)
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["density.tif"]


def test_other_endings_shapes_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.tif"):
        write_raster(tmp_path / "density.png", values(), lattice=LATTICE, description="d", unit="")
    with pytest.raises(DataError, match="2 × 2"):
        write_raster(tmp_path / "density.tif", np.ones((2, 2)), lattice=LATTICE, description="d", unit="")
    with pytest.raises(WorkspaceError, match="nowhere"):
        write_raster(tmp_path / "nowhere" / "density.tif", values(), lattice=LATTICE, description="d", unit="")
