"""How much of a kernel lies inside an area: the boundary's contour integral, exact for every shape of polygon.

By the divergence theorem the mass of a radial kernel K around x inside an area is

    [x inside] − 1/2π · Σ over edges ∫ T(r) ρ / r² dt,    T(r) = mass of K beyond r,

with ρ the distance of x from the edge's line (positive on the area's side) and t along the edge. T is 0 beyond the kernel's
reach, so that only edges within it count. For the quartic kernel T = (1 − r²/h²)³ and the integral has a closed form; for the
Gaussian T = exp(−r²/2h²), cut off at 6 h (1.5e-8 of the mass), and its smooth part is integrated by Gauss–Legendre.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely

from gridgis.compiling import compiled
from gridgis.crs import crs_name
from gridgis.errors import CrsError, DataError
from gridgis.hotspots.kernels_density import Floats, Ints
from gridgis.hotspots.stripes import centres, in_stripes
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

# Reach of each kernel in bandwidths.
REACH: Final = {"quartic": 1.0, "gaussian": 6.0}
# Cells are measured this part of a bandwidth off their centre: then none lies exactly on an edge or a corner.
_ASIDE: Final = (1.03e-8, 0.71e-8)
_STAGE: Final = "density.stage_edge"

Area = shapely.Geometry | gpd.GeoSeries | gpd.GeoDataFrame | Sequence[shapely.Geometry]


def polygons_of(area: Area, lattice: Lattice) -> shapely.Geometry:
    """The union of an area's polygons, repaired, edges with the area on their left; in the lattice's CRS.

    Raises `CrsError` for a frame in another CRS and `DataError` where there is no polygon.

    >>> from gridgis.lattice import Lattice
    >>> lattice = Lattice.covering((0, 0, 300, 200), 100, "EPSG:4547")
    >>> polygons_of([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)], lattice).area
    2.0
    """
    if isinstance(area, (gpd.GeoSeries, gpd.GeoDataFrame)):
        if area.crs is not None and area.crs != lattice.crs:
            raise CrsError("crs.mixed", first=crs_name(area.crs), second=crs_name(lattice.crs))
        shapes: Any = np.asarray(area.geometry.array, dtype=object)
    else:
        shapes = np.atleast_1d(np.asarray(area, dtype=object))
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shapes)))
    parts = parts[shapely.get_dimensions(parts) == 2]
    union = shapely.union_all(parts)
    if union.is_empty:
        raise DataError("density.no_area")
    return shapely.orient_polygons(union, exterior_cw=False)


def edges_of(area: shapely.Geometry, lattice: Lattice, *, longest_m: float = math.inf) -> Floats:
    """Directed edges of polygons, the area on their left, from the lattice's south-west corner: x, y, x, y, shape (n, 4).

    Edges longer than `longest_m` are cut in equal pieces.

    >>> lattice = Lattice.covering((0, 0, 300, 200), 100, "EPSG:4547")
    >>> edges_of(polygons_of(shapely.box(0, 0, 50, 50), lattice), lattice).shape
    (4, 4)
    """
    # rings are those of single polygons: several parts give none
    parts = shapely.get_parts(area if math.isinf(longest_m) else shapely.segmentize(area, longest_m))
    rings = shapely.get_rings(parts)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    xy = xy - (lattice.x0, lattice.y0)
    edges = np.column_stack([xy[:-1], xy[1:]])[ring[:-1] == ring[1:]]
    return np.ascontiguousarray(edges[(edges[:, :2] != edges[:, 2:]).any(axis=1)])


def mass_inside(
    area: Area, *, lattice: Lattice, bandwidth_m: float, kernel: str = "quartic", progress: Progress = silent
) -> Floats:
    """The part of the kernel around each cell's centre that lies inside the area, 0–1, shape (rows, columns).

    The value is that of the exact integral within 1e-7. Source of the use: P. J. Diggle, "A kernel method for smoothing
    point process data", Applied Statistics 34 (1985), 138–147.

    Parameters
    ----------
    area
        Polygons in the lattice's CRS; what several cover counts once.
    lattice
        Whose cell centres are asked for.
    bandwidth_m
        Radius of the quartic kernel, standard deviation of the Gaussian; metres.
    kernel
        `quartic` or `gaussian`.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> half_plane = shapely.box(50, -1000, 2000, 1000)
    >>> mass_inside(half_plane, lattice=lattice, bandwidth_m=100).round(6).tolist()
    [[0.5, 1.0, 1.0]]
    """
    reach = bandwidth_m * REACH[kernel]
    edges = edges_of(polygons_of(area, lattice), lattice, longest_m=2 * reach + lattice.cell_m)
    cx, cy = centres(lattice)
    cx, cy = cx - lattice.x0 + _ASIDE[0] * bandwidth_m, cy - lattice.y0 + _ASIDE[1] * bandwidth_m
    mass = np.zeros(lattice.shape)
    gaussian = kernel == "gaussian"

    def work(first: int, end: int) -> None:
        _fill_inside(edges, cx, cy, mass, first, end)
        _subtract_edges(edges, bandwidth_m, reach, gaussian, cx, cy, mass, first, end)

    in_stripes(work, lattice.rows, stage=_STAGE, progress=progress)
    return np.clip(mass, 0.0, 1.0, out=mass)


def mass_at_points(
    area: shapely.Geometry, *, lattice: Lattice, x: Floats, y: Floats, bandwidths_m: Floats, progress: Progress = silent
) -> Floats:
    """The part inside the area of a quartic kernel around each point, with a bandwidth of its own, 0–1, shape (n,).

    `area` as `polygons_of` gives it.

    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> area = polygons_of(shapely.box(0, -1000, 2000, 1000), lattice)
    >>> at, bandwidths = np.array([0.0, 90.0]), np.array([100.0, 50.0])
    >>> mass_at_points(area, lattice=lattice, x=at, y=at, bandwidths_m=bandwidths).round(6).tolist()
    [0.5, 1.0]
    """
    edges = edges_of(area, lattice, longest_m=2 * float(bandwidths_m.max(initial=1.0)))
    x, y = x + _ASIDE[0] * bandwidths_m - lattice.x0, y + _ASIDE[1] * bandwidths_m - lattice.y0
    order = np.argsort(y, kind="stable")
    xs, ys, hs = x[order], y[order], bandwidths_m[order]
    shapely.prepare(area)
    mass = shapely.contains_xy(area, xs + lattice.x0, ys + lattice.y0).astype(np.float64)
    widest = float(bandwidths_m.max(initial=0.0))
    low = np.searchsorted(ys, np.minimum(edges[:, 1], edges[:, 3]) - widest)
    high = np.searchsorted(ys, np.maximum(edges[:, 1], edges[:, 3]) + widest)
    progress(_STAGE, 0, 1)
    _subtract_at_points(edges, low, high, xs, ys, hs, mass)
    progress(_STAGE, 1, 1)
    given = np.empty(len(mass))
    given[order] = np.clip(mass, 0.0, 1.0)
    return given


@compiled
def _fill_inside(edges: Floats, cx: Floats, cy: Floats, mass: Floats, first: int, end: int) -> None:
    """1 in cells whose centre is inside: edges crossed on the way from the west, odd or even."""
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    down = cy[0] - cy[1] if len(cy) > 1 else 1.0
    for e in range(len(edges)):
        ax, ay, bx, by = edges[e]
        low, high = min(ay, by), max(ay, by)
        top = max(math.floor((cy[0] - high) / down), first - 0.0)
        bottom = min(math.ceil((cy[0] - low) / down), end - 1.0)
        for row in range(int(top), int(bottom) + 1):
            if low <= cy[row] < high:
                crossing = ax + (cy[row] - ay) / (by - ay) * (bx - ax)
                column = min(max(math.floor((crossing - cx[0]) / step) + 1.0, 0.0), columns + 0.0)
                if column < columns:
                    mass[row, int(column)] = 1.0 - mass[row, int(column)]
    for row in range(first, end):
        state = 0.0
        for column in range(columns):
            state = abs(state - mass[row, column])
            mass[row, column] = state


@compiled
def _smooth_part(rho: float, t0: float, t1: float, h: float) -> float:
    """∫ (1 − exp(−s)) / s dt with s = (ρ² + t²) / 2h², by Gauss–Legendre: 2 points on short pieces, 5 on longer ones."""
    length = t1 - t0
    if length <= 0.1 * h:
        middle, off = 0.5 * (t0 + t1), 0.28867513459481287 * length
        total = 0.0
        for t in (middle - off, middle + off):
            s = (rho * rho + t * t) / (2.0 * h * h)
            total += 0.5 * (-math.expm1(-s) / s if s > 1e-14 else 1.0)
        return total * length
    pieces = math.ceil(length / h)
    width = length / pieces
    total = 0.0
    for piece in range(pieces):
        middle = t0 + (piece + 0.5) * width
        for node, weight in (
            (-0.9061798459386640, 0.2369268850561891),
            (-0.5384693101056831, 0.4786286704993665),
            (0.0, 0.5688888888888889),
            (0.5384693101056831, 0.4786286704993665),
            (0.9061798459386640, 0.2369268850561891),
        ):
            t = middle + 0.5 * width * node
            s = (rho * rho + t * t) / (2.0 * h * h)
            total += 0.5 * width * weight * (-math.expm1(-s) / s if s > 1e-14 else 1.0)
    return total


@compiled
def _edge_part(ax: float, ay: float, ux: float, uy: float, length: float, h: float, reach: float, gaussian: bool) -> float:
    """1/2π ∫ T(r) ρ / r² dt of one edge seen from the point its start is given from."""
    rho = ax * uy - ay * ux
    if rho * rho >= reach * reach:
        return 0.0
    half = math.sqrt(reach * reach - rho * rho)
    start = ax * ux + ay * uy
    t0, t1 = max(start, -half), min(start + length, half)
    if t0 >= t1:
        return 0.0
    angle = math.atan2(rho * (t1 - t0), rho * rho + t0 * t1)
    if gaussian:
        return (angle - rho / (2.0 * h * h) * _smooth_part(rho, t0, t1, h)) / (2.0 * math.pi)
    p, a, b = (rho / h) ** 2, t0 / h, t1 / h
    first, third, fifth = b - a, (b**3 - a**3) / 3.0, (b**5 - a**5) / 5.0
    rest = (-3.0 + 3.0 * p - p * p) * first + (3.0 - 2.0 * p) * third - fifth
    return (angle + rho / h * rest) / (2.0 * math.pi)


@compiled
def _subtract_edges(
    edges: Floats, h: float, reach: float, gaussian: bool, cx: Floats, cy: Floats, mass: Floats, first: int, end: int
) -> None:
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    down = cy[0] - cy[1] if len(cy) > 1 else 1.0
    for e in range(len(edges)):
        ax, ay, bx, by = edges[e]
        top = max(math.floor((cy[0] - max(ay, by) - reach) / down), first - 0.0)
        bottom = min(math.ceil((cy[0] - min(ay, by) + reach) / down), end - 1.0)
        left = max(math.floor((min(ax, bx) - reach - cx[0]) / step), 0.0)
        right = min(math.ceil((max(ax, bx) + reach - cx[0]) / step), columns - 1.0)
        length = math.hypot(bx - ax, by - ay)
        ux, uy = (bx - ax) / length, (by - ay) / length
        for row in range(int(top), int(bottom) + 1):
            for column in range(int(left), int(right) + 1):
                mass[row, column] -= _edge_part(ax - cx[column], ay - cy[row], ux, uy, length, h, reach, gaussian)


@compiled
def _subtract_at_points(edges: Floats, low: Ints, high: Ints, x: Floats, y: Floats, h: Floats, mass: Floats) -> None:
    for e in range(len(edges)):
        ax, ay, bx, by = edges[e]
        length = math.hypot(bx - ax, by - ay)
        ux, uy = (bx - ax) / length, (by - ay) / length
        for i in range(low[e], high[e]):
            mass[i] -= _edge_part(ax - x[i], ay - y[i], ux, uy, length, h[i], h[i], False)
