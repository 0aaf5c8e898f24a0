"""Sums of Gaussian kernels at the centres of a lattice's cells, over all points however far."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.hotspots.kernels_density import FARTHEST, Floats, gaussian_rows, sort_into_bins
from gridgis.hotspots.stripes import centres, in_stripes
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

_STAGE: Final = "density.stage_sum"


def gaussian_sum(
    x: Floats,
    y: Floats,
    weight: Floats,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    wanted: NDArray[np.bool_],
    progress: Progress = silent,
) -> Floats:
    """Σ weight · exp(−r² / 2h²) over all points at each cell's centre, shape (rows, columns).

    Within 1e-6 of each value of direct summation, down to 1e-270 of the highest.

    Parameters
    ----------
    x, y, weight
        Points, shape (n,) each; weights 0 or more.
    bandwidth_m
        h, metres.
    wanted
        Cells whose values must be right, shape (rows, columns).

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 200, 100), 100, "EPSG:4547")
    >>> at, wanted = np.array([50.0]), np.ones((1, 2), dtype=bool)
    >>> gaussian_sum(at, at, np.ones(1), lattice=lattice, bandwidth_m=100.0, wanted=wanted).round(6).tolist()
    [[1.0, 0.606531]]
    """
    west, south, east, north = lattice.total_bounds
    reach_m = FARTHEST * bandwidth_m
    near = (x > west - reach_m) & (x < east + reach_m) & (y > south - reach_m) & (y < north + reach_m) & (weight > 0)
    x, y, weight = x[near], y[near], weight[near]
    out = np.zeros(lattice.shape)
    row = np.clip(np.floor((north - y) / lattice.cell_m), -1, lattice.rows).astype(np.int64)
    order, starts = sort_into_bins(row + 1, lattice.rows + 2)
    xs, ys, ws = x[order], y[order], weight[order]
    cx, cy = centres(lattice)
    reach = min(math.ceil(reach_m / lattice.cell_m) + 1, lattice.rows + 1)

    def work(first: int, end: int) -> None:
        gaussian_rows(xs, ys, ws, bandwidth_m, starts, reach, cx, cy, out, first, end)

    in_stripes(work, lattice.rows, stage=_STAGE, progress=progress)
    return out
