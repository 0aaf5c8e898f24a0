"""Moran's I: whether like values lie together on the whole map, and where: among their like, or as outliers among others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.hotspots.band import Band, field, neighbour_count, window
from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.getis_ord import plain
from gridgis.hotspots.neighbours import Neighbours, aligned, within_distance
from gridgis.hotspots.permutation import conditional_p, shuffled_p
from gridgis.hotspots.significance import false_discovery, two_sided_p
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = Literal["row", "binary"]

QUADRANTS: Final[tuple[str, ...]] = ("none", "HH", "LH", "LL", "HL")
"""Own value, then the neighbours': high or low against the mean; the position is the number in arrays, as in PySAL."""
SURE: Final = 0.05
"""The class of a unit is its quadrant where q (without false discovery control: p) is below this."""
# differences from the mean this small against it are none
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Moran:
    """Moran's I of a whole map."""

    i: float
    """About 0 for chance, up to about 1 where like lies by like, below 0 where it alternates."""
    expected: float
    """What chance brings: −1 / (n − 1)."""
    variance: float
    """Variance of I under randomisation: every order of the values is as likely."""
    z: float
    """(i − expected) / √variance; 0 where all values are equal."""
    p: float
    """Two-sided, from the normal distribution, or by permutation of the whole map."""
    n: int
    """Number of units."""
    islands: int
    """Units without neighbours: they count in n and in the mean, and have no part in the sum."""
    permutations: int = 0
    """How many permutations `p` is from; 0: none."""


@dataclass(frozen=True, slots=True, eq=False)
class MoranResult:
    """Global and local Moran's I of the cells of a lattice; arrays have its shape, NaN (quadrant 0) where there is no value."""

    cells: CellSet
    """The cells."""
    band: Band
    """Who is whose neighbour; a cell is none of its own."""
    values: Floats
    """What was judged: counts, or rates."""
    whole: Moran
    """The whole map."""
    local_i: Floats
    """Local I: above 0 among its like, below 0 an outlier."""
    local_z: Floats
    """(local I − expected) / standard deviation, given the cell's own value."""
    local_p: Floats
    """Two-sided p of each cell."""
    local_q: Floats
    """Benjamini–Hochberg q over all cells."""
    quadrant: NDArray[np.int8]
    """Position in `QUADRANTS`; 0 for a cell without neighbours or value."""
    klass: NDArray[np.int8]
    """The quadrant where it is sure (`SURE`), else 0."""

    @property
    def i(self) -> float:
        """Moran's I of the whole map."""
        return self.whole.i

    @property
    def expected(self) -> float:
        """What chance brings."""
        return self.whole.expected

    @property
    def z(self) -> float:
        """How far I is from chance."""
        return self.whole.z

    @property
    def p(self) -> float:
        """Two-sided p of the whole map."""
        return self.whole.p

    def frame(self) -> gpd.GeoDataFrame:
        """The cells as squares, index `cell_id`: `count, moran_i, moran_z, p_value, q_value, quadrant, class` (texts)."""
        names = np.array(QUADRANTS, dtype=object)
        columns = {
            "count": plain(self.values), "moran_i": self.local_i, "moran_z": self.local_z, "p_value": self.local_p,
            "q_value": self.local_q, "quadrant": names[self.quadrant], "class": names[self.klass],
        }  # fmt: skip
        return self.cells.frame(columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """What Moran's I needs to know of a neighbourhood, lattice or not; units in one order throughout."""

    sizes: Ints
    """Number of neighbours."""
    sums: Callable[[Floats], Floats]
    """Sum of the neighbours' values for each unit."""
    s0: float
    """Sum of all weights."""
    s1: float
    """Half the sum of (wᵢⱼ + wⱼᵢ)²."""
    s2: float
    """Sum of (row sum + column sum)²."""


def moran(
    cells: CellSet,
    counts: NDArray[Any],
    *,
    band_m: float,
    weights: Weights = "row",
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    fdr: bool = True,
    progress: Progress = silent,
) -> MoranResult:
    """Moran's I of the whole map and of every cell, neighbours being the cells within the band, itself not among them.

    With z = x − x̄ over n cells, m₂ = Σz²/n and lag = Σⱼ wᵢⱼ zⱼ:

    1. I = n/S₀ · Σ zᵢ·lagᵢ / Σ z², variance under randomisation (Cliff, Ord 1981, Spatial Processes, eq. 1.37-1.44).
    2. Local I = (n − 1)/n · zᵢ·lagᵢ / m₂, as PySAL scales it (Anselin 1995, Geographical Analysis 27, 93–115). Its z is from the
       mean and variance given the cell's own value (Sokal, Oden, Thomson 1998, Geographical Analysis 30, 331–354, eq. A7, A8).
    3. p is two-sided: normal, or with `permutations` by conditional permutation for cells and by permutation of the map for the
       whole. q is Benjamini–Hochberg over all cells.
    4. The quadrant says own value and neighbours: HH and LL lie among their like, HL and LH are outliers. The class is the
       quadrant where q (p where `fdr` is False) is below 0.05.

    Weights are 1/(number of neighbours) (`"row"`: lag is their mean, PySAL's "R") or 1 (`"binary"`). A cell without neighbours
    has I = 0 and p = 1. Where all values are equal, everything is 0 and p is 1.

    Parameters
    ----------
    cells, counts, band_m, permutations, rng, fdr
        As for `gi.gi`.
    weights
        How neighbours count.

    Examples
    --------
    >>> from gridgis.hotspots.cells import cells_around
    >>> cells = cells_around([0, 499], [0, 499], cell_m=100, crs="EPSG:4547")
    >>> checkers = np.indices((5, 5)).sum(axis=0) % 2
    >>> round(moran(cells, checkers, band_m=100).i, 3), round(moran(cells, np.arange(25).reshape(5, 5), band_m=100).i, 3)
    (-1.0, 0.84)
    """
    band = Band(cells.lattice.cell_m, band_m)
    values = field(np.asarray(counts), cells.mask).astype(np.float64, copy=False)
    mask = cells.mask & np.isfinite(values)

    def sums(flat: Floats) -> Floats:
        spread = np.zeros(mask.shape)
        spread[mask] = flat
        return np.asarray(window(spread, mask, band)[0][mask] - flat)

    sizes = neighbour_count(mask, band)[mask].astype(np.int64) - 1
    flat = _symmetric(sizes, sums, weights)
    all_of_it, local = _moran(values[mask], flat, weights, permutations=permutations, rng=rng, fdr=fdr, progress=progress)
    columns = [_spread(column, mask) for column in local]
    return MoranResult(cells, band, values, all_of_it, *columns[:4], *(column.astype(np.int8) for column in columns[4:]))


def moran_polygons(
    frame: gpd.GeoDataFrame,
    values: pd.Series,
    *,
    band_m: float | None = None,
    neighbours: Neighbours | None = None,
    weights: Weights = "row",
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    fdr: bool = True,
    progress: Progress = silent,
) -> tuple[Moran, pd.DataFrame]:
    """Moran's I of polygons of any shape, as `moran`; parameters as for `gi.gi_polygons`.

    Returns
    -------
    Moran
        The whole map.
    DataFrame
        On the frame's index: `value, neighbours, moran_i, moran_z, p_value, q_value, quadrant, class`.

    Examples
    --------
    >>> from gridgis import toy
    >>> whole, local = moran_polygons(toy.buildings(), pd.Series(range(12), index=toy.buildings().index), band_m=60)
    >>> round(whole.i, 3), local["quadrant"].tolist()[:4]
    (0.706, ['LL', 'LL', 'LL', 'LL'])
    """
    require_metric(frame)
    if (band_m is None) == (neighbours is None):
        raise DataError("hotspots.one_of")
    near = neighbours if neighbours is not None else within_distance(frame, band_m=band_m or 0.0)
    near, x, there = aligned(frame, values, near)
    flat = _from_matrix(near, weights)
    all_of_it, local = _moran(x, flat, weights, permutations=permutations, rng=rng, fdr=fdr, progress=progress)
    names = np.array(QUADRANTS, dtype=object)
    found = pd.DataFrame(index=frame.index)
    found["value"] = values.reindex(frame.index).astype(np.float64)
    found["neighbours"] = _spread(near.sizes(), there, 0)
    for name, column in zip(("moran_i", "moran_z", "p_value", "q_value"), local[:4], strict=True):
        found[name] = _spread(column, there)
    for name, number in zip(("quadrant", "class"), local[4:], strict=True):
        found[name] = names[_spread(number, there, 0)]
    return all_of_it, found


def _symmetric(sizes: Ints, sums: Callable[[Floats], Floats], weights: Weights) -> _Flat:
    """Weight sums where neighbourhood is mutual, from sums over neighbours alone."""
    if weights == "binary":
        total = float(sizes.sum())
        return _Flat(sizes, sums, total, 2 * total, float(4 * (sizes.astype(np.float64) ** 2).sum()))
    share = np.divide(1.0, sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    received = sums(share)  # column sums: 1/size of every neighbour
    s1 = float(share.sum() + (share * received).sum())
    return _Flat(sizes, sums, float((sizes > 0).sum()), s1, float((((sizes > 0) + received) ** 2).sum()))


def _from_matrix(near: Neighbours, weights: Weights) -> _Flat:
    """The same from a sparse matrix, mutual or not."""
    sizes, ones = near.sizes(), near.matrix()
    row = np.divide(1.0, sizes, out=np.zeros(len(sizes)), where=sizes > 0) if weights == "row" else np.ones(len(sizes))
    matrix = ones.multiply(row[:, None]).tocsr()
    both = (matrix + matrix.T).tocsr()
    s2 = float(((matrix.sum(axis=1) + matrix.sum(axis=0)) ** 2).sum())
    return _Flat(sizes, near.sums, float(matrix.sum()), float((both.data**2).sum() / 2), s2)


def _moran(
    x: Floats, near: _Flat, weights: Weights, *, permutations: int, rng: np.random.Generator | None, fdr: bool, progress: Progress
) -> tuple[Moran, tuple[Floats, Floats, Floats, Floats, NDArray[np.int8], NDArray[np.int8]]]:
    n = len(x)
    if n < 4 or near.s0 == 0:
        raise DataError("hotspots.too_few", units=n, pairs=int(near.sizes.sum()) // 2)
    mean = x.mean()
    z = x - mean
    z[np.abs(z) <= _ROUNDING * abs(float(mean))] = 0.0  # a value that is the mean but for rounding is on neither side of it
    m2 = float((z**2).mean())
    flat_map = m2 == 0
    z, m2 = (np.zeros(n), 1.0) if flat_map else (z, m2)
    divisor = np.maximum(near.sizes, 1) if weights == "row" else np.ones(n)

    def whole_i(order: Ints) -> float:
        shuffled = z[order]
        return float(n / near.s0 * (shuffled * near.sums(shuffled) / divisor).sum() / (n * m2))

    neighbour_sums = near.sums(z)
    lag = neighbour_sums / divisor
    local_i = (n - 1) / n * z * lag / m2
    all_of_it = _whole(whole_i, z, m2, near, flat_map, permutations=permutations, rng=rng, progress=progress)
    local_z = _local_z(local_i, z, m2, near.sizes, weights)
    if permutations:
        p = conditional_p(z, neighbour_sums, near.sizes, permutations=permutations, rng=rng, progress=progress)
        p = np.where((near.sizes == 0) | (z == 0), 1.0, p)  # I is 0 whatever the neighbours are
    else:
        p = two_sided_p(local_z)
    q = false_discovery(p)
    number = np.where(z > 0, np.where(lag > 0, 1, 4), np.where(lag > 0, 2, 3))
    quadrant = np.where((near.sizes == 0) | flat_map, 0, number).astype(np.int8)
    klass = np.where((q if fdr else p) < SURE, quadrant, 0).astype(np.int8)
    return all_of_it, (local_i, local_z, p, q, quadrant, klass)


def _whole(
    statistic: Callable[[Ints], float], z: Floats, m2: float, near: _Flat, flat_map: bool, *,
    permutations: int, rng: np.random.Generator | None, progress: Progress,
) -> Moran:  # fmt: skip
    n, s0, s1, s2 = len(z), near.s0, near.s1, near.s2
    i, expected = statistic(np.arange(n)), -1.0 / (n - 1)
    b2 = float((z**4).mean()) / m2**2
    free = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    tied = b2 * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (free - tied) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    score = 0.0 if flat_map or variance <= 0 else (i - expected) / variance**0.5
    p = float(two_sided_p(np.array([score]))[0])
    if permutations:
        p = 1.0 if flat_map else shuffled_p(
            i, expected, statistic, size=n, permutations=permutations, rng=rng, progress=progress
        )  # fmt: skip
    return Moran(i, expected, variance, score, p, n, int((near.sizes == 0).sum()), permutations)


def _local_z(local_i: Floats, z: Floats, m2: float, sizes: Ints, weights: Weights) -> Floats:
    n = len(z)
    total = (sizes > 0).astype(np.float64) if weights == "row" else sizes.astype(np.float64)
    squares = np.divide(1.0, sizes, out=np.zeros(n), where=sizes > 0) if weights == "row" else total
    scale = (n - 1) / n  # PySAL scales I by n − 1, the published mean and variance are for n
    expected = -scale * z**2 * total / ((n - 1) * m2)
    variance = scale**2 * (z / m2) ** 2 * n / (n - 2) * (squares - total**2 / (n - 1)) * (m2 - z**2 / (n - 1))
    spread = np.sqrt(np.maximum(variance, 0.0))
    return np.divide(local_i - expected, spread, out=np.zeros(n), where=spread > 1e-15)


def _spread(values: NDArray[Any], mask: NDArray[np.bool_], empty: float | None = None) -> NDArray[Any]:
    whole = values.dtype.kind in "iub"
    spread = np.full(mask.shape, (0 if whole else np.nan) if empty is None else empty, dtype=values.dtype)
    spread[mask] = values
    return spread
