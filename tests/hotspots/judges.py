"""What the tests of hot spots share: cell sets from masks, random fields, and the same neighbourhoods for PySAL."""

from __future__ import annotations

import warnings
from typing import Any

import libpysal
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from gridgis.hotspots import CellSet
from gridgis.lattice import Lattice

CELL_M = 100
CRS = "EPSG:4547"


def cell_set(mask: NDArray[np.bool_] | tuple[int, int]) -> CellSet:
    """Cells of 100 m from a mask, or all cells of a shape."""
    there = np.ones(mask, dtype=bool) if isinstance(mask, tuple) else mask
    rows, columns = there.shape
    return CellSet(Lattice.covering((0, 0, columns * CELL_M, rows * CELL_M), CELL_M, CRS), there)


def band_weights(mask: NDArray[np.bool_], band_m: float, *, star: bool = False) -> libpysal.weights.W:
    """PySAL's distance band over the centres of the mask's cells, with the cell itself if `star`."""
    row, column = np.nonzero(mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        centres = np.column_stack([column, row]) * float(CELL_M)
        made = libpysal.weights.DistanceBand(centres, band_m, binary=True, silence_warnings=True)
        return libpysal.weights.fill_diagonal(made, 1.0) if star else made


@st.composite
def fields(draw: st.DrawFn, *, least: int = 2, most: int = 12) -> tuple[NDArray[Any], NDArray[np.bool_], float]:
    """Values, mask and band: counts or real numbers, cells missing at random, bands of 1 to 4 cells."""
    shape = draw(st.tuples(st.integers(least, most), st.integers(least, most)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["sparse", "counts", "real", "outlier"]))
    values = {
        "sparse": lambda: rng.poisson(0.3, shape).astype(float),
        "counts": lambda: rng.poisson(5.0, shape).astype(float),
        "real": lambda: rng.normal(1000.0, 3.0, shape),
        "outlier": lambda: np.where(rng.random(shape) < 0.05, 20_000.0, rng.poisson(1.0, shape).astype(float)),
    }[kind]()
    mask = rng.random(shape) < draw(st.sampled_from([0.5, 0.8, 1.0]))
    band_m = draw(st.sampled_from([100.0, 142.0, 200.0, 250.0, 400.0]))
    return values, mask, band_m


grids_of_counts = arrays.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 9))
