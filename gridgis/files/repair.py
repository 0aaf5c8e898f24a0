"""Geometry a layer can hold: the right kind, valid rings; what is broken is told, or repaired and measured on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.crs import is_mercator, is_metric, lonlat_bounds, parse_crs
from gridgis.files.cleaning import Problem
from gridgis.files.values import Bools
from gridgis.layers import Layer

_KINDS: Final = {"polygon": (3, 6), "line": (1, 2, 5), "point": (0, 4), "any": (0, 1, 2, 3, 4, 5, 6)}
_COLLECTION: Final = 7
_DIMENSION: Final = {"polygon": 2, "line": 1, "point": 0, "any": 2}


@dataclass(frozen=True, slots=True)
class Checked:
    """Geometry after its check."""

    shapes: gpd.GeoSeries
    """Valid geometry of the layer's kind, or null."""
    problems: tuple[Problem, ...]


def check_shapes(shapes: gpd.GeoSeries, layer: Layer, *, repair: bool = False) -> Checked:
    """Geometry of a layer's kind that is valid, and what is wrong with the rest (which becomes null).

    1. Null or empty geometry is an error where the layer needs one, else a warning; so is the place 0/0 that devices write
       when they know none. Degrees beyond ±180/±90 are errors.
    2. A collection gives its parts of the layer's kind; a MultiPoint of one point is that point. Another kind of geometry
       is an error.
    3. A polygon whose rings cross is an error; with `repair` GEOS's structural repair is taken and the square metres its
       area changes by are told.
    """
    values = shapes.to_numpy().copy()
    missing = shapely.is_missing(values) | shapely.is_empty(values)
    problems = []
    zero = _at_zero(shapes) & ~missing
    far = _out_of_range(shapes) & ~missing & ~zero
    nowhere = "no_geometry" if layer.geometry_required else "no_place"
    for rule, rows in (
        (nowhere, missing),
        ("no_geometry" if layer.geometry_required else "zero_place", zero),
        ("out_of_range", far),
    ):
        if rows.any():
            problems.append(Problem(rule, np.flatnonzero(rows), "", _places(values, rows) if rule == "out_of_range" else ()))
    values[missing | zero | far] = None
    values = _simplest(values, layer)
    wrong = ~shapely.is_missing(values) & ~np.isin(shapely.get_type_id(values), _KINDS[layer.shape])
    if wrong.any():
        kinds = tuple(str(shape.geom_type) for shape in values[wrong])
        problems.append(Problem("wrong_shape", np.flatnonzero(wrong), "", kinds, {"wanted": layer.shape}))
        values[wrong] = None
    broken = ~shapely.is_missing(values) & ~shapely.is_valid(values)
    if broken.any():
        reasons = tuple(str(reason)[:60] for reason in shapely.is_valid_reason(values[broken]))
        if repair:
            values, found = _repaired(values, broken, shapes, layer)
            problems += found
        else:
            problems.append(Problem("invalid_shape", np.flatnonzero(broken), "", reasons))
            values[broken] = None
    return Checked(gpd.GeoSeries(values, index=shapes.index, crs=shapes.crs, name=shapes.name), tuple(problems))


def _repaired(
    values: NDArray[np.object_], broken: Bools, shapes: gpd.GeoSeries, layer: Layer
) -> tuple[NDArray[np.object_], list[Problem]]:
    before = values[broken]
    after = shapely.make_valid(before, method="structure", keep_collapsed=False)
    after = np.array([_parts_of(shape, layer) for shape in after], dtype=object)
    at = np.flatnonzero(broken)
    gone = shapely.is_missing(after) | shapely.is_empty(after)
    values = values.copy()
    after[gone] = None
    values[at] = after
    problems = []
    if gone.any():
        problems.append(Problem("invalid_shape", at[gone], "", tuple(str(r)[:60] for r in shapely.is_valid_reason(before[gone]))))
    kept = ~gone
    if kept.any():
        old, new = _square_metres(before[kept], shapes), _square_metres(after[kept], shapes)
        shown = tuple(f"{a:,.1f} m² → {b:,.1f} m²" for a, b in zip(old, new, strict=True))
        moved = float(np.abs(new - old).sum())
        problems.append(Problem("repaired", at[kept], "", shown, {"moved_m2": f"{moved:,.1f}"}))
    return values, problems


def _square_metres(values: NDArray[np.object_], shapes: gpd.GeoSeries) -> NDArray[np.float64]:
    # a broken ring has no ellipsoidal area; planar areas in an equal-area system serve before and after alike
    series = gpd.GeoSeries(values, crs=shapes.crs)
    if shapes.crs is None:
        return np.asarray(series.area, dtype=float)
    if not is_metric(shapes.crs) or is_mercator(shapes.crs):
        west, south, east, north = lonlat_bounds(series)
        centre = f"+lat_0={(south + north) / 2:.4f} +lon_0={(west + east) / 2:.4f}"
        series = series.to_crs(parse_crs(f"+proj=laea {centre} +ellps=GRS80 +units=m +type=crs"))
    return np.asarray(series.area, dtype=float)


def _simplest(values: NDArray[np.object_], layer: Layer) -> NDArray[np.object_]:
    kinds = shapely.get_type_id(values)
    for at in np.flatnonzero(kinds == _COLLECTION):
        values[at] = _parts_of(values[at], layer)
    single = (kinds == 4) & (shapely.get_num_geometries(values) == 1)
    values[single] = shapely.get_geometry(values[single], 0)
    return values


def _parts_of(shape: BaseGeometry, layer: Layer) -> BaseGeometry:
    """The parts of a collection that have the layer's dimension, as one geometry."""
    if shape.geom_type != "GeometryCollection" or layer.shape == "any":
        return shape
    parts = shapely.get_parts(shape)
    fitting = parts[shapely.get_dimensions(parts) == _DIMENSION[layer.shape]]
    if len(fitting) == 0:
        return shape
    united: BaseGeometry
    if layer.shape == "polygon":
        united = shapely.union_all(fitting)
    else:
        united = shapely.multipoints(fitting) if layer.shape == "point" else shapely.multilinestrings(fitting)
    return united


def _at_zero(shapes: gpd.GeoSeries) -> Bools:
    box = shapely.bounds(shapes.to_numpy())
    return np.asarray((np.abs(box) < 1e-9).all(axis=1), dtype=bool)


def _out_of_range(shapes: gpd.GeoSeries) -> Bools:
    box = shapely.bounds(shapes.to_numpy())
    if shapes.crs is None or not shapes.crs.is_geographic:
        return np.asarray(np.isinf(box).any(axis=1), dtype=bool)
    with np.errstate(invalid="ignore"):
        beyond = np.abs(box) > np.array([180.0, 90.0, 180.0, 90.0]) + 1e-9
    return np.asarray(beyond.any(axis=1), dtype=bool)


def _places(values: NDArray[np.object_], rows: Bools) -> tuple[str, ...]:
    box = shapely.bounds(values[rows])
    return tuple(f"{x:.6g}, {y:.6g}" for x, y, _, _ in box)
