"""From a layer's own system to the square world of web maps and back: exact for a few points, fitted for millions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyproj
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from gridgis.errors import CrsError

Floats = NDArray[np.float64]

HALF_M: Final = 20037508.342789244
"""Half the side of the web-map square, metres at the equator: π · 6,378,137."""
# Up to so many points PROJ itself is fast enough (about a microsecond each)
_EXACT_POINTS: Final = 20_000
# A fit is used only where it errs by less than this part of the world's side: 2 cm at the equator, under a pixel
_FIT_ERROR: Final = 5e-10
_DEGREES: Final = (3, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class World:
    """The map between one CRS and the world square: u from 0 (180° W) to 1 (180° E), v from 0 (85.05° N) to 1 (85.05° S)."""

    crs: pyproj.CRS
    """The layer's own system."""
    to_mercator: pyproj.Transformer
    """From `crs` to web Mercator metres."""

    @classmethod
    def of(cls, crs: pyproj.CRS | None) -> Self:
        """The map for one system.

        CGCS2000 and WGS 84 are one here: they agree to centimetres.

        Raises
        ------
        CrsError
            If `crs` is none: without a system there is no place.
        """
        if crs is None:
            raise CrsError("crs.missing", layer="map")
        return cls(crs, pyproj.Transformer.from_crs(crs, "EPSG:3857", always_xy=True))

    def forward(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """World coordinates of points in the layer's system, shapes (n,); what cannot be projected becomes NaN.

        >>> u, v = World.of(pyproj.CRS(4326)).forward(np.array([0.0, 180.0]), np.array([0.0, 0.0]))
        >>> u.round(6).tolist(), v.round(6).tolist()
        ([0.5, 1.0], [0.5, 0.5])
        """
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if x.size > _EXACT_POINTS:
            fitted = _fitted(self._forward, x, y)
            if fitted is not None:
                return fitted
        return self._forward(x, y)

    def backward(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Points in the layer's system of world coordinates: the inverse of `forward`.

        The fit's error, if one is used, is below 2 cm.
        """
        u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
        if u.size > _EXACT_POINTS:
            scale = 1.0 if self.crs.is_geographic else 360.0 * 111_320
            fitted = _fitted(self._backward, u, v, error=_FIT_ERROR * (360.0 if scale == 1.0 else scale))
            if fitted is not None:
                return fitted
        return self._backward(u, v)

    def box(self, bounds: Sequence[float], *, grow: float = 0.0) -> tuple[float, float, float, float]:
        """Bounds in the layer's system around a world box (u0, v0, u1, v1), its edges followed, grown by a share of its size."""
        u0, v0, u1, v1 = bounds
        du, dv = (u1 - u0) * grow, (v1 - v0) * grow
        side = np.linspace(0.0, 1.0, 9)
        u = np.concatenate([u0 - du + side * (u1 - u0 + 2 * du)] * 2 + [np.full(9, u0 - du), np.full(9, u1 + du)])
        v = np.concatenate([np.full(9, v0 - dv), np.full(9, v1 + dv)] + [v0 - dv + side * (v1 - v0 + 2 * dv)] * 2)
        x, y = self._backward(u, v)
        good = np.isfinite(x) & np.isfinite(y)
        if not good.any():
            return (0.0, 0.0, -1.0, -1.0)
        return float(x[good].min()), float(y[good].min()), float(x[good].max()), float(y[good].max())

    def _forward(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        east, north = self.to_mercator.transform(x, y)
        u = (np.asarray(east) + HALF_M) / (2 * HALF_M)
        v = (HALF_M - np.asarray(north)) / (2 * HALF_M)
        return np.where(np.isfinite(u), u, np.nan), np.where(np.isfinite(v), v, np.nan)

    def _backward(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        east, north = u * 2 * HALF_M - HALF_M, HALF_M - v * 2 * HALF_M
        x, y = self.to_mercator.transform(east, north, direction=pyproj.enums.TransformDirection.INVERSE)
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def lonlat(u: float, v: float) -> tuple[float, float]:
    """Degrees of a world point.

    >>> lonlat(0.5, 0.5)
    (0.0, 0.0)
    """
    return (u - 0.5) * 360.0, float(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * v)))))


def uv(lon: float, lat: float) -> tuple[float, float]:
    """World point of degrees: the inverse of `lonlat`.

    >>> u, v = uv(*lonlat(0.8, 0.4))
    >>> round(u, 9), round(v, 9)
    (0.8, 0.4)
    """
    bounded = min(max(lat, -85.05112878), 85.05112878)
    return lon / 360.0 + 0.5, float((1 - np.arcsinh(np.tan(np.radians(bounded))) / np.pi) / 2)


def tile_box(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """World box (u0, v0, u1, v1) of a tile.

    >>> tile_box(1, 1, 0)
    (0.5, 0.0, 1.0, 0.5)
    """
    side = 1.0 / (1 << z)
    return x * side, y * side, (x + 1) * side, (y + 1) * side


def _fitted(exact: object, x: Floats, y: Floats, *, error: float = _FIT_ERROR) -> tuple[Floats, Floats] | None:
    """A polynomial in place of PROJ: projections are smooth, and a product of Chebyshev polynomials is 20 times as fast.

    None where no degree tried is within `error` on points between the nodes.
    """
    if not callable(exact):
        return None
    good = np.isfinite(x) & np.isfinite(y)
    if not good.all():
        x, y = np.where(good, x, np.nan), np.where(good, y, np.nan)
    x0, x1, y0, y1 = float(np.nanmin(x)), float(np.nanmax(x)), float(np.nanmin(y)), float(np.nanmax(y))
    cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, max((x1 - x0) / 2, 1e-9), max((y1 - y0) / 2, 1e-9)
    nodes = np.cos(np.pi * (np.arange(12) + 0.5) / 12)
    gx, gy = (side.ravel() for side in np.meshgrid(nodes, nodes))
    judges = np.linspace(-1, 1, 16)
    jx, jy = (side.ravel() for side in np.meshgrid(judges, judges))
    wanted, judged = exact(gx * rx + cx, gy * ry + cy), exact(jx * rx + cx, jy * ry + cy)
    if not (np.isfinite(wanted).all() and np.isfinite(judged).all()):
        return None
    for degree in _DEGREES:
        design = chebyshev.chebvander2d(gx, gy, [degree, degree])
        terms = [np.linalg.lstsq(design, side, rcond=None)[0].reshape(degree + 1, degree + 1) for side in wanted]
        at_judges = chebyshev.chebvander2d(jx, jy, [degree, degree])
        if max(np.abs(at_judges @ term.ravel() - side).max() for term, side in zip(terms, judged, strict=True)) < error:
            break
    else:
        return None
    plain = [_power_terms(term) for term in terms]
    out = np.empty((2, x.size))
    for start in range(0, x.size, 16_384):  # small enough that every step stays in the processor's cache
        part = slice(start, start + 16_384)
        nx, ny = (x[part] - cx) / rx, (y[part] - cy) / ry
        for axis, term in enumerate(plain):
            out[axis, part] = _horner(term, nx, ny)
    return out[0], out[1]


def _power_terms(term: Floats) -> Floats:
    """Coefficients of a product of Chebyshev polynomials as those of plain powers, shape (degree + 1, degree + 1)."""
    size = len(term)
    change = np.zeros((size, size))
    for number in range(size):
        powers = chebyshev.cheb2poly(np.eye(size)[number])
        change[: len(powers), number] = powers
    return np.asarray(change @ term @ change.T)


def _horner(term: Floats, x: Floats, y: Floats) -> Floats:
    total = np.zeros_like(x)
    inner = np.empty_like(x)
    for row in term[::-1]:
        inner.fill(row[-1])
        for value in row[-2::-1]:
            inner *= y
            inner += value
        total *= x
        total += inner
    return total
