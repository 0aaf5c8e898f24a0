"""Getis-Ord Gi*: cells and polygons whose neighbourhood holds more, or less, than chance would bring it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.hotspots.band import Band, field, in_blocks, own, window
from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.neighbours import Neighbours, aligned, within_distance
from gridgis.hotspots.permutation import conditional_p, expected_sums
from gridgis.hotspots.significance import classify, false_discovery, two_sided_p
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_COLUMNS: Final = ("gi_z", "p_value", "q_value", "class")


@dataclass(frozen=True, slots=True, eq=False)
class LatticeResult:
    """Gi* of the cells of a lattice; arrays have the lattice's shape, NaN (class 0) where there is no cell or no value."""

    cells: CellSet
    """The cells."""
    band: Band
    """Who is whose neighbour."""
    values: Floats
    """What was judged: counts, or rates."""
    z: Floats
    """Gi*: standard deviations above (below) what chance brings."""
    p: Floats
    """Two-sided p of z, or by permutation."""
    q: Floats
    """Benjamini–Hochberg q over all cells."""
    klass: NDArray[np.int8]
    """−3 … 3 by `significance.CLASSES`."""
    permutations: int = 0
    """How many permutations `p` is from; 0: from the normal distribution."""
    fdr: bool = True
    """Whether the class is by q; else by p."""

    @property
    def hot(self) -> int:
        """Number of cells in a hot class."""
        return int(np.count_nonzero(self.klass > 0))

    @property
    def cold(self) -> int:
        """Number of cells in a cold class."""
        return int(np.count_nonzero(self.klass < 0))

    def frame(self) -> gpd.GeoDataFrame:
        """The cells as squares, index `cell_id` in reading order: `count, gi_z, p_value, q_value, class`."""
        columns = {"count": plain(self.values), "gi_z": self.z, "p_value": self.p, "q_value": self.q, "class": self.klass}
        return self.cells.frame(columns)


def gi(
    cells: CellSet,
    counts: NDArray[Any],
    *,
    band_m: float,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    fdr: bool = True,
    progress: Progress = silent,
) -> LatticeResult:
    """Gi* of every cell: z = (Σⱼ xⱼ − x̄·W) / (S·√((n·W − W²) / (n − 1))), j over the W cells of the band, itself included.

    1. n, x̄ and S (population standard deviation) are over the cells that have a value; a cell without one (outside the mask,
       or NaN) is nobody's neighbour. With binary weights this is Gi* of Ord and Getis (1995), Geographical Analysis 27, 286–306.
    2. p is two-sided: from the normal distribution, or by conditional permutation (`permutation.conditional_p`) where
       `permutations` is given; then prefer that for sparse counts, whose sums are far from normal.
    3. q controls the false discovery rate over all cells (Benjamini–Hochberg).
    4. The class is the sign of z with q, or with p where `fdr` is False. Permutation holds a cell's own value fixed and so
       judges its neighbours alone: where they lie on the other side of what is expected than z, the class is 0.

    Where all values are equal, or the band of a cell holds every cell, nothing differs: z is 0 and p is 1.

    Parameters
    ----------
    cells
        Where there are values.
    counts
        Shape (rows, columns): counts (`cells.count`) or rates; what stands outside the mask is not read.
    band_m
        Distance between the centres of neighbours, metres, the limit included.
    permutations
        0: none; 999 is usual. No p is then below 1/1000, so that over many thousand cells few pass the control of false
        discoveries: take more of them there.
    rng
        Where chance comes from; None: seeded with 0.
    fdr
        Whether classes are by q.

    Examples
    --------
    >>> from gridgis.hotspots.cells import cells_around
    >>> cells = cells_around([0, 499], [0, 499], cell_m=100, crs="EPSG:4547")
    >>> counts = np.zeros((5, 5))
    >>> counts[1:4, 1:4] = 1
    >>> result = gi(cells, counts, band_m=142)
    >>> round(float(result.z[2, 2]), 6), result.hot, result.frame().loc["r2c2", "class"]
    (4.898979, 5, np.int8(3))
    """
    band = Band(cells.lattice.cell_m, band_m)
    values = field(np.asarray(counts), cells.mask)
    mask = cells.mask & np.isfinite(values)
    z = gi_star(values, mask, band, progress=progress)
    side = z
    if permutations:
        shift = float(np.rint(values[mask].mean())) if mask.any() else 0.0  # large values would cost their sums digits
        sums, number = window(values, mask, band, shift=shift, progress=progress)
        x, sizes = values[mask].astype(np.float64) - shift, number[mask].astype(np.int64) - 1
        p, side = np.full(mask.shape, np.nan), z.copy()
        p[mask], side[mask] = _permuted(z[mask], x, sums[mask] - x, sizes, permutations, rng, progress)
    else:
        p = two_sided_p(z)
    q = false_discovery(p)
    klass = classify(side, q if fdr else p)
    return LatticeResult(cells, band, values, z, p, q, klass, permutations, fdr)


def gi_star(
    values: NDArray[Any], mask: Mask, band: Band, *, out: NDArray[Any] | None = None, progress: Progress = silent
) -> NDArray[Any]:
    """The z of Gi* alone, as `gi` has it, for fields of any size: NaN outside the mask, nothing held beyond the result.

    Parameters
    ----------
    values
        Shape (rows, columns), finite inside the mask; float64 and float32 are read as they are, others converted.
    mask
        Which cells there are.
    band
        Who is whose neighbour.
    out
        Array (rows, columns) of float64 or float32 to write into; None: a new one of float64.

    Examples
    --------
    >>> gi_star(np.array([[0.0, 0.0, 9.0]]), np.ones((1, 3), bool), Band(100, 100.0)).round(3).tolist()
    [[-1.414, 0.0, 0.707]]
    """
    from gridgis.hotspots import kernels

    checked, mask = field(values, mask), own(mask)
    z = np.empty(mask.shape) if out is None else out
    if z.shape != mask.shape or z.dtype not in (np.float32, np.float64):
        raise DataError("hotspots.shape", found=f"{z.shape} {z.dtype}", wanted=f"{mask.shape} float64")
    n = int(np.count_nonzero(mask))
    if n == 0:
        z[...] = np.nan
        return z
    mean = _moment(checked, mask, 0.0, 1) / n
    if not np.isfinite(mean):
        raise DataError("hotspots.not_finite")
    deviation = float(np.sqrt(_moment(checked, mask, mean, 2) / n))
    shift = float(np.rint(mean))  # whole numbers stay whole, so that their sums are exact
    # a spread of the size of rounding is none
    moments = (float(n), mean - shift, deviation if deviation > 1e-12 * abs(mean) else 0.0)
    halves = band.halves

    def work(first: int, last: int) -> None:
        kernels.gi_rows(checked, mask, shift, halves, moments, z, first, last)

    in_blocks(work, mask.shape, reach=band.reach, progress=progress)
    return z


def gi_polygons(
    frame: gpd.GeoDataFrame,
    values: pd.Series,
    *,
    band_m: float | None = None,
    neighbours: Neighbours | None = None,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    fdr: bool = True,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Gi* of polygons of any shape, such as grids or villages: as `gi`, on the frame's own index.

    Parameters
    ----------
    frame
        Polygons, projected in metres, unique index.
    values
        What is judged, by index value of `frame`; a polygon without a value (absent or NaN) has no result and is nobody's
        neighbour.
    band_m
        Neighbours are the polygons whose centroids lie within this distance, metres; or
    neighbours
        who is whose neighbour (`neighbours.within_distance`, `touching`, `nearest`), on the same index. One of the two.
    permutations, rng, fdr
        As for `gi`.

    Returns
    -------
    DataFrame
        `value, neighbours` (number, itself not counted)`, gi_z, p_value, q_value, class`.

    Examples
    --------
    >>> from gridgis import toy
    >>> found = gi_polygons(toy.grids(), pd.Series({"G1": 1, "G2": 2, "G3": 9}), band_m=150)
    >>> found["gi_z"].round(3).tolist(), found["class"].tolist()
    ([-1.405, 0.0, 0.843], [0, 0, 0])
    """
    require_metric(frame)
    if (band_m is None) == (neighbours is None):
        raise DataError("hotspots.one_of")
    near = neighbours if neighbours is not None else within_distance(frame, band_m=band_m or 0.0)
    near, x, there = aligned(frame, values, near)
    n = len(x)
    sizes = near.sizes()
    shift = float(np.rint(x.mean())) if n else 0.0
    sums = near.sums(x - shift)
    whole = sums + x - shift
    size = sizes + 1.0
    mean, deviation = (x.mean(), x.std()) if n else (0.0, 0.0)
    spread = deviation * np.sqrt(np.maximum(n * size - size**2, 0.0) / max(n - 1, 1)) * (deviation > 1e-12 * abs(mean))
    z = np.divide(whole - (mean - shift) * size, spread, out=np.zeros(n), where=spread > 0)
    side = z
    if permutations and n:
        p, side = _permuted(z, x - shift, sums, sizes, permutations, rng, progress)
    else:
        p = two_sided_p(z)
    q = false_discovery(p)
    found = pd.DataFrame(index=frame.index)
    found["value"] = values.reindex(frame.index).astype(np.float64)
    found["neighbours"] = _placed(sizes, there, 0)
    for name, column in zip(_COLUMNS, (z, p, q, classify(side, q if fdr else p)), strict=True):
        found[name] = _placed(column, there, 0 if name == "class" else np.nan)
    return found


def _permuted(
    z: Floats, values: Floats, sums: Floats, sizes: NDArray[np.int64], permutations: int,
    rng: np.random.Generator | None, progress: Progress,
) -> tuple[Floats, Floats]:  # fmt: skip
    """The p by permutation, and z where it lies on the side the permutation judges, else 0."""
    p = conditional_p(values, sums, sizes, permutations=permutations, rng=rng, progress=progress)
    return p, np.where((sums - expected_sums(values, sizes)) * z > 0, z, 0.0)


def plain(values: Floats) -> NDArray[Any]:
    """Counts as whole numbers where all are; values as they are where one is not, or is missing.

    >>> plain(np.array([1.0, 2.0])).tolist(), plain(np.array([1.5, 2.0])).tolist()
    ([1, 2], [1.5, 2.0])
    """
    return values.astype(np.int64) if np.array_equal(values, np.rint(values)) and np.isfinite(values).all() else values


def _placed(values: NDArray[Any], there: Mask, empty: float) -> NDArray[Any]:
    placed = np.full(len(there), empty, dtype=values.dtype)
    placed[there] = values
    return placed


def _moment(values: NDArray[Any], mask: Mask, shift: float, power: int) -> float:
    from gridgis.hotspots import kernels

    rows = np.zeros(mask.shape[0])

    def work(first: int, last: int) -> None:
        kernels.moments_of_rows(values, mask, shift, power, rows, first, last)

    in_blocks(work, (mask.shape[0], mask.shape[1]))
    return float(rows.sum())
