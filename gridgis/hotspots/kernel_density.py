"""Kernel density on a lattice: how many incidents there are per square kilometre around each cell's centre."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.hotspots.gaussian import gaussian_sum
from gridgis.hotspots.kernel_mass import Area, mass_at_points, mass_inside, polygons_of
from gridgis.hotspots.kernels_density import Floats, quartic_rows, sort_into_bins
from gridgis.hotspots.quartic_blocks import block_side, quartic_by_blocks
from gridgis.hotspots.stripes import centres, in_stripes
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

Kernel = Literal["quartic", "gaussian"]
KERNELS: Final[tuple[Kernel, ...]] = ("quartic", "gaussian")

# Where less of the kernel than this lies inside the area there is no value: it would rest on almost nothing.
LEAST_MASS: Final = 0.01
M2_PER_KM2: Final = 1e6
# What the squares and cubes of a bandwidth can be computed for.
_BANDWIDTHS: Final = (1e-3, 1e7)
_STAGE: Final = "density.stage_sum"


@dataclass(frozen=True, slots=True)
class Weighted:
    """Points with weights, checked."""

    x: Floats
    """Metres, shape (n,)."""
    y: Floats
    """Metres, shape (n,)."""
    weight: Floats
    """What each point counts for, 0 or more, shape (n,)."""

    def where(self, keep: NDArray[np.bool_]) -> Weighted:
        """The points that `keep` is true for."""
        return self if keep.all() else Weighted(self.x[keep], self.y[keep], self.weight[keep])


def density(
    points_xy: ArrayLike,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    kernel: Kernel = "quartic",
    weights: ArrayLike | None = None,
    area: Area | None = None,
    edge: bool = True,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
) -> Floats:
    """Incidents per km² around each cell's centre: the sum of a kernel over all points, each where it truly lies.

    1. Quartic: K(r) = 3 / (π h²) · (1 − r²/h²)² for r < h, else 0. Gaussian: K(r) = 1 / (2π h²) · exp(−r² / 2h²), over all
       points however far. The sums equal direct summation within 1e-6 of each value (Gaussian values below 1e-270 of the
       highest may be 0). B. W. Silverman, Density Estimation for Statistics and Data Analysis (1986), section 4.2.
    2. With `area` and `edge`, each value is divided by the part of the kernel around the cell's centre that lies inside the
       area (the uniform correction: P. J. Diggle, Applied Statistics 34 (1985), 138–147). An even spread of points then
       has one density up to the boundary.

    Parameters
    ----------
    points_xy
        x and y in the lattice's CRS, shape (n, 2), finite. Points outside the lattice count for the cells they reach; which
        points belong to the area is the caller's decision.
    lattice
        Whose cells are asked for.
    bandwidth_m
        h: radius of the quartic kernel, standard deviation of the Gaussian; metres.
    kernel
        `quartic` or `gaussian`.
    weights
        What each point counts for, shape (n,), 0 or more; None: 1 each.
    area
        Polygons in the lattice's CRS for rule 2; None: no correction.
    edge
        False: no correction, whatever `area`.
    mask
        Cells that are asked for, shape (rows, columns); None: all.
    progress
        Told between stripes of rows.

    Returns
    -------
    ndarray
        Shape (rows, columns), row 0 in the north. NaN outside `mask`, and where an area is given and less than 1 % of the
        kernel lies inside it. Without points: 0.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> density([(50, 50)], lattice=lattice, bandwidth_m=200).round(3).tolist()
    [[23.873, 13.429, 0.0]]
    """
    _check(bandwidth_m, kernel, mask, lattice)
    points = weighted(points_xy, weights)
    if kernel == "quartic":
        widths = np.full(len(points.x), float(bandwidth_m))
        total = quartic_sum(points, widths, lattice=lattice, progress=progress)
    else:
        wanted = np.ones(lattice.shape, dtype=np.bool_) if mask is None else mask
        total = gaussian_sum(
            points.x, points.y, points.weight, lattice=lattice, bandwidth_m=float(bandwidth_m), wanted=wanted, progress=progress
        )
        total *= M2_PER_KM2 / (2 * math.pi * bandwidth_m**2)
    if area is not None:
        mass = mass_inside(area, lattice=lattice, bandwidth_m=float(bandwidth_m), kernel=kernel, progress=progress)
        if edge:
            np.divide(total, mass, out=total, where=mass >= LEAST_MASS)
        total[mass < LEAST_MASS] = np.nan
    if mask is not None:
        total[~mask] = np.nan
    return total


def adaptive_density(
    points_xy: ArrayLike,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    weights: ArrayLike | None = None,
    area: Area | None = None,
    edge: bool = True,
    mask: NDArray[np.bool_] | None = None,
    widest: float = 5.0,
    progress: Progress = silent,
) -> Floats:
    """Incidents per km² by quartic kernels that are narrow where points are dense and wide where they are sparse.

    1. The pilot is `density` with the bandwidth h (edge-corrected where an area is given); a point's pilot value p is that of
       the cell it lies in.
    2. A point's bandwidth is h · √(g / p), g the geometric mean of all p by weight, at most `widest` · h. I. S. Abramson,
       "On bandwidth variation in kernel estimates", Annals of Statistics 10 (1982), 1217–1223; the normalisation is
       Silverman's (1986, section 5.3).
    3. With `area` and `edge`, each point's kernel is divided by its mass inside the area (M. C. Jones, Statistics and
       Computing 3 (1993), 135–146): the density over the area integrates to the number of points in it.

    Parameters
    ----------
    points_xy, lattice, bandwidth_m, weights, area, edge, mask, progress
        As for `density`; where an area is given, points outside it are best left out by the caller.
    widest
        Largest bandwidth in units of `bandwidth_m`.

    Returns
    -------
    ndarray
        As from `density`.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 400, 100), 100, "EPSG:4547")
    >>> crowd = [(50, 50)] * 4 + [(350, 50)]
    >>> adaptive_density(crowd, lattice=lattice, bandwidth_m=100).round(1).tolist()
    [[504.0, 0.0, 14.1, 31.5]]
    """
    _check(bandwidth_m, "quartic", mask, lattice)
    points = weighted(points_xy, weights)
    shape = None if area is None else polygons_of(area, lattice)
    widths = adaptive_bandwidths(
        points, lattice=lattice, bandwidth_m=bandwidth_m, area=shape if edge else None, widest=widest, progress=progress
    )
    if shape is not None and edge:
        mass = mass_at_points(shape, lattice=lattice, x=points.x, y=points.y, bandwidths_m=widths, progress=progress)
        points = Weighted(points.x, points.y, points.weight / np.maximum(mass, LEAST_MASS))
    total = quartic_sum(points, widths, lattice=lattice, progress=progress)
    if shape is not None:
        inside = mass_inside(shape, lattice=lattice, bandwidth_m=float(bandwidth_m), progress=progress)
        total[inside < LEAST_MASS] = np.nan
    if mask is not None:
        total[~mask] = np.nan
    return total


def adaptive_bandwidths(
    points: Weighted,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    area: Area | None = None,
    widest: float = 5.0,
    progress: Progress = silent,
) -> Floats:
    """The bandwidth of each point by rules 1 and 2 of `adaptive_density`, metres, shape (n,).

    >>> lattice = Lattice.covering((0, 0, 400, 100), 100, "EPSG:4547")
    >>> crowd = weighted([(50, 50)] * 4 + [(350, 50)], None)
    >>> adaptive_bandwidths(crowd, lattice=lattice, bandwidth_m=100).round(1).tolist()
    [87.1, 87.1, 87.1, 87.1, 174.1]
    """
    around = _reaching(lattice, points, bandwidth_m * widest)
    pilot = density(
        np.column_stack([points.x, points.y]),
        lattice=around, bandwidth_m=bandwidth_m, weights=points.weight, area=area, progress=progress,
    )  # fmt: skip
    row, column = around.cell_at(points.x, points.y)
    known = (row >= 0) & (points.weight > 0)
    value = np.where(known, pilot[row, column], np.nan)
    known &= value > 0  # no NaN either
    widths = np.full(len(value), float(bandwidth_m * widest))
    if known.any():
        level = np.average(np.log(value[known]), weights=points.weight[known])
        widths[known] = np.minimum(bandwidth_m * np.exp((level - np.log(value[known])) / 2), bandwidth_m * widest)
    return widths


def weighted(points_xy: ArrayLike, weights: ArrayLike | None) -> Weighted:
    """Points and weights, checked: finite, of one length, no weight below 0; `DataError` if not.

    >>> weighted([(1, 2)], None).weight.tolist()
    [1.0]
    """
    xy = np.asarray(points_xy, dtype=np.float64)
    if xy.size == 0:
        xy = xy.reshape(0, 2)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise DataError("density.points", bad=len(xy), total=len(xy))
    bad = ~np.isfinite(xy).all(axis=1)
    if bad.any():
        raise DataError("density.points", bad=int(bad.sum()), total=len(xy))
    weight = np.ones(len(xy)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != (len(xy),):
        raise DataError("density.weights_number", given=weight.size, expected=len(xy))
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        raise DataError("density.weights", expected=len(xy), given=len(weight), bad=int(bad.sum()))
    return Weighted(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]), weight)


def quartic_sum(points: Weighted, widths: Floats, *, lattice: Lattice, progress: Progress = silent) -> Floats:
    """Sum of quartic kernels per km² at cell centres, each point with its own bandwidth; shape (rows, columns).

    >>> lattice = Lattice.covering((0, 0, 100, 100), 100, "EPSG:4547")
    >>> quartic_sum(weighted([(50, 50)], None), np.array([1000.0]), lattice=lattice).round(4).tolist()
    [[0.9549]]
    """
    west, south, east, north = lattice.total_bounds
    x, y = points.x, points.y
    near = (x > west - widths) & (x < east + widths) & (y > south - widths) & (y < north + widths) & (points.weight > 0)
    points, widths = points.where(near), widths if near.all() else widths[near]
    if len(points.x) == 0:
        return np.zeros(lattice.shape)
    h = float(widths[0])
    if (widths == h).all() and (side := block_side(len(points.x), lattice, h)):
        scale = points.weight * (3 * M2_PER_KM2 / math.pi / h**6)
        return quartic_by_blocks(
            points.x, points.y, scale, lattice=lattice, bandwidth_m=h, side=side, progress=progress
        )  # fmt: skip
    return _point_by_point(points, widths, lattice, progress)


def _point_by_point(points: Weighted, widths: Floats, lattice: Lattice, progress: Progress) -> Floats:
    out = np.zeros(lattice.shape)
    north = lattice.total_bounds[3]
    row = np.clip(np.floor((north - points.y) / lattice.cell_m), -1, lattice.rows).astype(np.int64)
    order, starts = sort_into_bins(row + 1, lattice.rows + 2)
    x, y, h = points.x[order], points.y[order], widths[order]
    scale, h2 = points.weight[order] * (3 * M2_PER_KM2 / math.pi) / h**6, h * h
    cx, cy = centres(lattice)
    reach = min(math.ceil(float(h.max()) / lattice.cell_m) + 1, lattice.rows + 1)

    low = np.maximum(np.ceil((x - h - cx[0]) / lattice.cell_m), 0).astype(np.int64)
    high = np.minimum(np.floor((x + h - cx[0]) / lattice.cell_m), lattice.columns - 1).astype(np.int64)
    fours = np.maximum(high - low + 4, 0) // 4

    def work(first: int, end: int) -> None:
        quartic_rows(x, y, h2, scale, low, fours, starts, reach, cx, cy, out, first, end)

    in_stripes(work, lattice.rows, stage=_STAGE, progress=progress)
    return out


def _reaching(lattice: Lattice, points: Weighted, reach_m: float) -> Lattice:
    """The lattice with as many more cells all round as it needs to hold the points within reach."""
    west, south, east, north = lattice.total_bounds
    x, y = points.x, points.y
    near = (x > west - reach_m) & (x < east + reach_m) & (y > south - reach_m) & (y < north + reach_m)
    if not near.any():
        return lattice
    beyond = max(west - x[near].min(), x[near].max() - east, south - y[near].min(), y[near].max() - north, -1.0)
    more = math.floor(beyond / lattice.cell_m) + 1 if beyond >= 0 else 0
    cell = lattice.cell_m
    return replace(
        lattice,
        x0=west - more * cell, y0=south - more * cell, rows=lattice.rows + 2 * more, columns=lattice.columns + 2 * more,
    )  # fmt: skip


def _check(bandwidth_m: float, kernel: str, mask: NDArray[np.bool_] | None, lattice: Lattice) -> None:
    if not _BANDWIDTHS[0] <= bandwidth_m <= _BANDWIDTHS[1]:  # NaN fails too
        raise DataError("density.bandwidth", bandwidth_m=bandwidth_m, least=_BANDWIDTHS[0], most=f"{_BANDWIDTHS[1]:,.0f}")
    if kernel not in KERNELS:
        raise DataError("density.kernel", kernel=kernel, kernels=", ".join(KERNELS))
    if mask is not None and mask.shape != lattice.shape:
        rows, columns = (*mask.shape, 1)[:2]
        raise DataError(
            "density.shape", rows=rows, columns=columns, lattice_rows=lattice.rows, lattice_columns=lattice.columns
        )  # fmt: skip
