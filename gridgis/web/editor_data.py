"""What the planners' editor sends to the browser and gets back: one table of shared vertices, rings of their numbers."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis.crs import WGS84
from gridgis.errors import DataError
from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.partition import Partition
from gridgis.redraw.verbs import rings_of

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]
Point = tuple[float, float]

FREE: Final = -1
"""Owner of a ring around ground nobody holds."""
OUTLINE: Final = -2
"""Owner of a ring of the area's outline."""
# 10⁻⁹ degrees are a tenth of a millimetre; 32 bits of them reach 2.1 degrees from the middle
_FINEST: Final = 1e-9
_REACH: Final = 2**31 - 2
_SHOWN_BUILDINGS: Final = 40_000


@dataclass(frozen=True, slots=True)
class Ground:
    """One area's ground as the browser knows it."""

    token: str
    """32 hexadecimal digits made of the content."""
    crs: pyproj.CRS
    """The workspace's CRS."""
    xy: Floats
    """Vertices in `crs`, shape (vertices, 2), each once: a vertex of a common border is one row."""
    document: str
    """JSON for the browser: vertices in degrees, rings of vertex numbers."""

    def point(self, told: object) -> Point:
        """A point the browser named, in the workspace's CRS.

        Parameters
        ----------
        told
            A vertex number; `[longitude, latitude]`; or `[a, b, share]`, the point that far from vertex a to vertex b.

        Raises
        ------
        DataError
            If it is none of these.

        Examples
        --------
        >>> square = shapely.box(500000, 3366000, 500100, 3366100)
        >>> ground = make_ground(["G1"], [square], free=[], outline=square, crs=pyproj.CRS("EPSG:4547"))
        >>> ground.point(0), ground.point([0, 2, 0.25])
        ((500000.0, 3366000.0), (500025.0, 3366000.0))
        """
        if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < len(self.xy):
            return float(self.xy[told, 0]), float(self.xy[told, 1])
        numbers = told if isinstance(told, (list, tuple)) and all(_is_number(part) for part in told) else ()
        if len(numbers) == 2 and -180 <= numbers[0] <= 180 and -90 <= numbers[1] <= 90:
            x, y = _transformer(self.crs, True).transform(float(numbers[0]), float(numbers[1]))
            return float(x), float(y)
        if len(numbers) == 3 and 0 <= numbers[2] <= 1:
            (ax, ay), (bx, by) = self.point(numbers[0]), self.point(numbers[1])
            share = float(numbers[2])
            return ax + share * (bx - ax), ay + share * (by - ay)
        raise DataError("editor.bad_operation")

    def line(self, told: object) -> list[list[float]]:
        """Several points, in order."""
        if not isinstance(told, (list, tuple)) or not told:
            raise DataError("editor.bad_operation")
        return [list(self.point(point)) for point in told]

    def degrees(self, bounds: Sequence[float]) -> list[float]:
        """West, south, east, north of a box in the workspace's CRS."""
        left, bottom, right, top = bounds
        west, south, east, north = _transformer(self.crs, False).transform_bounds(left, bottom, right, top)
        return [float(west), float(south), float(east), float(north)]


def ground_of(partition: Partition) -> Ground:
    """The ground of a partition for the browser, grids labelled by their names.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> len(ground_of(partition_of(toy.grids(), area=toy.TOWN)).xy)
    8
    """
    table = partition.attributes
    names = {} if "name" not in table else {str(code): str(name) for code, name in table["name"].dropna().items()}
    shapes, free = list(partition.shapes), list(partition.free)
    return make_ground(partition.codes, shapes, free=free, outline=partition.outline, crs=partition.crs, names=names)


def make_ground(
    codes: Sequence[str],
    shapes: Sequence[Any],
    *,
    free: Sequence[Any],
    outline: Any,
    crs: pyproj.CRS,
    names: Mapping[str, str] | None = None,
) -> Ground:
    """The ground of one area for the browser.

    Parameters
    ----------
    codes, shapes
        Grids: polygons that have the same vertices on common borders.
    free
        Polygons nobody holds.
    outline
        The area's outline, polygonal.
    crs
        Their CRS.
    names
        Names by code, for those that have one.

    Examples
    --------
    >>> west, east = shapely.box(500000, 3366000, 500100, 3366100), shapely.box(500100, 3366000, 500200, 3366100)
    >>> whole = shapely.union(west, east)
    >>> len(make_ground(["W", "E"], [west, east], free=[], outline=whole, crs=pyproj.CRS("EPSG:4547")).xy)
    6
    """
    owners = [*range(len(codes)), *[FREE] * len(free), OUTLINE]
    rings, owner, hole = _rings(np.asarray([*shapes, *free, outline], dtype=object), np.asarray(owners))
    xy, numbers, starts = _shared(rings)
    places = _degrees(crs, xy)
    content: dict[str, Any] = {
        **_packed_points(places),
        "rings": _base64(numbers.astype("<u4")),
        "starts": _base64(starts.astype("<u4")),
        "owner": _base64(owner.astype("<i4")),
        "hole": _base64(hole.astype("u1")),
        "codes": list(codes),
        "names": [(names or {}).get(code, "") for code in codes],
    }
    return Ground(*_named(content, crs), xy=xy, document=json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def operation(ground: Ground, told: Mapping[str, Any], *, cells: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the planner did in the browser as the JSON of `redraw.operations`.

    Parameters
    ----------
    ground
        The ground the browser showed when it was done.
    told
        `do` and its own fields: `vertex` and `to`; `edge` (two vertex numbers) and `to`; `grid` or `grids`; `line`;
        `cells` and `to`; `exclaves` where a grid may come to lie in several parts.
    cells
        Unit cells by code, for painting.

    Raises
    ------
    DataError
        If the browser's words cannot be read.

    Examples
    --------
    >>> square = shapely.box(500000, 3366000, 500100, 3366100)
    >>> ground = make_ground(["G1"], [square], free=[], outline=square, crs=pyproj.CRS("EPSG:4547"))
    >>> operation(ground, {"do": "split", "grid": "G1", "line": [0, [0, 2, 0.5], 3]})["line"]
    [[500000.0, 3366000.0], [500050.0, 3366000.0], [500100.0, 3366100.0]]
    """
    do, wishes = told.get("do"), {"exclaves": True} if told.get("exclaves") is True else {}
    try:
        match do:
            case "move_vertex":
                return {"do": do, "at": list(ground.point(told["vertex"])), "to": list(ground.point(told["to"]))}
            case "add_vertex":
                a, b = told["edge"]
                return {"do": do, "at": list(ground.point([a, b, 0.5])), "to": list(ground.point(told["to"]))}
            case "delete_vertex":
                return {"do": do, "at": list(ground.point(told["vertex"]))}
            case "split":
                return {"do": do, "grid": str(told["grid"]), "line": ground.line(told["line"])}
            case "reshape":
                return {"do": do, "line": ground.line(told["line"]), **wishes}
            case "merge":
                return {"do": do, "grids": [str(code) for code in told["grids"]], **wishes}
            case "retire":
                to = "free" if told.get("to") == "free" else "neighbours"
                return {"do": do, "grid": str(told["grid"]), "to": to, **wishes}
            case "create":
                return {"do": do, "polygon": [ground.line(told["line"])], **wishes}
            case "assign" if "cells" in told:
                ground_of_cells = shapely.union_all([(cells or {})[code] for code in told["cells"]])
                return {"do": do, "to": str(told["to"]), "polygons": rings_of(ground_of_cells), **wishes}
            case "assign":
                return {"do": do, "to": str(told["to"]), "polygon": [ground.line(told["line"])], **wishes}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("editor.bad_operation") from error
    raise DataError("editor.bad_operation")


@dataclass(frozen=True, slots=True)
class Guides:
    """What an edit may snap to and paint with: streets, houses, unit cells."""

    token: str
    """32 hexadecimal digits made of the content."""
    document: str
    """JSON for the browser."""


def make_guides(
    *, roads: gpd.GeoDataFrame | None, buildings: gpd.GeoDataFrame | None, cells: gpd.GeoDataFrame | None, crs: pyproj.CRS
) -> Guides:
    """Lines of streets, outlines of houses and of unit cells (index = code) for the browser."""
    parts: list[Floats] = []
    kinds: dict[str, list[int]] = {}
    owner: list[NDArray[np.int64]] = []
    for kind, frame in (("roads", roads), ("buildings", buildings), ("cells", cells)):
        first = len(parts)
        if frame is not None and len(frame):
            shapes = np.asarray(
                frame.geometry.array[:_SHOWN_BUILDINGS] if kind == "buildings" else frame.geometry.array, dtype=object
            )
            lines, whose = _lines(shapes)
            parts += lines
            owner.append(whose)
        kinds[kind] = [first, len(parts)]
    sizes = np.array([len(part) for part in parts], dtype=np.int64)
    xy = np.concatenate(parts) if parts else np.empty((0, 2))
    content = {
        **_packed_points(_degrees(crs, xy)),
        "starts": _base64(np.concatenate([[0], np.cumsum(sizes)]).astype("<u4")),
        "owner": _base64((np.concatenate(owner) if owner else np.empty(0)).astype("<i4")),
        "kinds": kinds,
        "cells": [] if cells is None else [str(code) for code in cells.index],
    }
    return Guides(_named(content, crs)[0], json.dumps(content, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted while a border is dragged: houses with their people, and incidents."""

    token: str
    """32 hexadecimal digits made of the content."""
    document: str
    """JSON for the browser."""


def make_tally(facts: Facts) -> Tally:
    """The points figures are counted from, for the browser, which shows at each moment of a drag what it would move.

    >>> from gridgis import toy
    >>> tally = make_tally(Facts.of(pyproj.CRS(toy.CRS), buildings=toy.buildings()))
    >>> document = json.loads(tally.document)
    >>> document["houses"], document["incidents"], len(base64.b64decode(document["households"])) // 4
    (12, None, 12)
    """
    houses, events = facts.buildings, facts.incidents
    places = [layer.xy for layer in (houses, events) if layer is not None and len(layer.xy)]
    xy = np.concatenate(places) if places else np.empty((0, 2))
    content: dict[str, Any] = {
        **_packed_points(_degrees(facts.crs, xy)),
        "houses": None if houses is None else len(houses.xy),
        "incidents": None if events is None else len(events.xy),
    }
    for name in RESIDENTS:
        counts = None if houses is None else houses.counts.get(name)
        content[name] = None if counts is None else _base64(counts.astype("<f4"))
    return Tally(_named(content, facts.crs)[0], json.dumps(content, separators=(",", ":")))


def _lines(shapes: Shapes) -> tuple[list[Floats], NDArray[np.int64]]:
    """Lines of shapes, polygons as their rings, and the row each is from."""
    parts, row = shapely.get_parts(shapes, return_index=True)
    polygonal = shapely.get_type_id(parts) == 3
    rings, at = shapely.get_rings(parts[polygonal], return_index=True)
    lines = parts[shapely.get_type_id(parts) == 1]
    whole = np.concatenate([lines, rings])
    whose = np.concatenate([row[shapely.get_type_id(parts) == 1], row[polygonal][at]]).astype(np.int64)
    xy, line = shapely.get_coordinates(whole, return_index=True)
    there = np.unique(line)
    return (np.split(xy, np.flatnonzero(np.diff(line)) + 1) if len(xy) else []), whose[there]


def _rings(shapes: Shapes, owners: NDArray[np.int64]) -> tuple[list[Floats], NDArray[np.int64], NDArray[np.bool_]]:
    """Rings without their closing vertex, who owns each, and whether it is a hole."""
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    parts, row = shapely.get_parts(shapes[there], return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    lines = np.split(xy, np.flatnonzero(np.diff(ring)) + 1) if len(xy) else []
    hole = np.concatenate([[False], part[1:] == part[:-1]]) if len(part) else np.empty(0, dtype=bool)
    return [line[:-1] for line in lines], owners[there][row][part], hole


def _shared(rings: list[Floats]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Each place once, rings as numbers of places, and where each ring begins."""
    sizes = np.array([len(ring) for ring in rings], dtype=np.int64)
    xy = np.concatenate(rings) if rings else np.empty((0, 2))
    places, numbers = np.unique(xy[:, 0] + 1j * xy[:, 1], return_inverse=True)
    return np.column_stack([places.real, places.imag]), np.ravel(numbers), np.concatenate([[0], np.cumsum(sizes)])


def _packed_points(places: Floats) -> dict[str, Any]:
    """Degrees as whole steps from the middle: half the size, and one number for one place."""
    if not len(places):
        return {"origin": [0, 0], "step": _FINEST, "points": "", "bounds": None}
    low, high = places.min(axis=0), places.max(axis=0)
    origin = np.round((low + high) / 2, 9)
    step = max(_FINEST, float((high - low).max()) / 2 / _REACH)
    steps = np.round((places - origin) / step).astype("<i4")
    return {"origin": origin.tolist(), "step": step, "points": _base64(steps), "bounds": [*low.tolist(), *high.tolist()]}


def _degrees(crs: pyproj.CRS, xy: Floats) -> Floats:
    lon, lat = _transformer(crs, False).transform(xy[:, 0], xy[:, 1])
    return np.column_stack([lon, lat])


@lru_cache(maxsize=16)
def _transformer(crs: pyproj.CRS, back: bool) -> pyproj.Transformer:
    if back:
        return pyproj.Transformer.from_crs(WGS84, crs, always_xy=True)
    return pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)


def _named(content: Mapping[str, Any], crs: pyproj.CRS) -> tuple[str, pyproj.CRS]:
    made = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16)
    return made.hexdigest(), crs


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
