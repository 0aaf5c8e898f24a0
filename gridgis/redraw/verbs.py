"""What a planner can do to a partition, as frozen values that go to JSON and back; coordinates are in the workspace's CRS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Literal, cast

import shapely
from shapely.geometry import shape as geojson_shape
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.refusal import Refused

XY = tuple[float, float]
Line = tuple[XY, ...]
Rings = tuple[Line, ...]
"""A polygon: its outer ring, then its holes, each ring closed or not."""
RetireTo = Literal["neighbours", "free"]


@dataclass(frozen=True, slots=True)
class Split:
    """A grid is cut along a line; the other parts become new grids."""

    do: ClassVar[str] = "split"
    grid: str
    line: Line
    """From border to border, or closed inside the grid."""
    keep: XY | None = None
    """A point in the part that keeps the code; None: the part with the station, else the largest."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Grids become one; the first keeps its code."""

    do: ClassVar[str] = "merge"
    grids: tuple[str, ...]
    exclaves: bool = False
    """Whether the result may have several parts."""


@dataclass(frozen=True, slots=True)
class Reshape:
    """The borders a line crosses twice move onto the line."""

    do: ClassVar[str] = "reshape"
    line: Line
    grids: tuple[str, ...] | None = None
    """The only grids that may change; None: all."""
    exclaves: bool = False
    """Whether a grid may end up in several parts."""


@dataclass(frozen=True, slots=True)
class MoveVertex:
    """A vertex moves, in every grid that shares it; dropped on another vertex it joins that one."""

    do: ClassVar[str] = "move_vertex"
    at: XY
    to: XY


@dataclass(frozen=True, slots=True)
class AddVertex:
    """A border gets a vertex, on both its sides."""

    do: ClassVar[str] = "add_vertex"
    at: XY
    """On the border, within half a metre."""
    to: XY | None = None
    """Where the new vertex is dragged to; None: it stays on the border."""


@dataclass(frozen=True, slots=True)
class DeleteVertex:
    """A vertex where two grids meet, and no third one, goes; the border runs straight there."""

    do: ClassVar[str] = "delete_vertex"
    at: XY


@dataclass(frozen=True, slots=True)
class Assign:
    """Ground goes to a grid: unit cells, blocks or a drawn polygon."""

    do: ClassVar[str] = "assign"
    polygons: tuple[Rings, ...]
    """They may touch and overlap; `rings_of(geometry)` makes them."""
    to: str
    source: tuple[str, ...] | None = None
    """The only grids that lose ground, `""` for ground nobody holds; None: all."""
    exclaves: bool = False
    """Whether a grid may end up in several parts."""


@dataclass(frozen=True, slots=True)
class Create:
    """Ground becomes a new grid."""

    do: ClassVar[str] = "create"
    polygons: tuple[Rings, ...]
    """As in `Assign`."""
    code: str | None = None
    """None: the next free one."""
    name: str | None = None
    """None: after the pattern of the names around."""
    free_only: bool = False
    """Whether only ground nobody holds is taken."""
    exclaves: bool = False
    """Whether a grid may end up in several parts."""


@dataclass(frozen=True, slots=True)
class Retire:
    """A grid ends; its ground goes to the neighbour with the longest common border, or to nobody."""

    do: ClassVar[str] = "retire"
    grid: str
    to: RetireTo = "neighbours"
    exclaves: bool = False
    """Whether the neighbour may end up in several parts."""


Operation = Split | Merge | Reshape | MoveVertex | AddVertex | DeleteVertex | Assign | Create | Retire
OPERATIONS: Final[Mapping[str, type[Any]]] = {
    kind.do: kind for kind in (Split, Merge, Reshape, MoveVertex, AddVertex, DeleteVertex, Assign, Create, Retire)
}


def rings_of(geometry: BaseGeometry) -> tuple[Rings, ...]:
    """The polygons of a geometry as `Assign` and `Create` take them; other kinds in it are left out.

    >>> len(rings_of(shapely.box(0, 0, 1, 1))[0][0])
    5
    """
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon" and not part.is_empty]
    return tuple(
        tuple(_line(shapely.get_coordinates(ring).tolist()) for ring in (part.exterior, *part.interiors)) for part in parts
    )


def line_of(geometry: BaseGeometry) -> Line:
    """The coordinates of a line as `Split` and `Reshape` take them.

    >>> line_of(shapely.LineString([(0, 0), (1, 2)]))
    ((0.0, 0.0), (1.0, 2.0))
    """
    return _line(shapely.get_coordinates(geometry).tolist())


def to_json(operation: Operation) -> dict[str, Any]:
    """An operation as a JSON object; what stands at its default is left out.

    >>> to_json(Split("G1", ((0.0, 1.0), (2.0, 1.0))))
    {'do': 'split', 'grid': 'G1', 'line': [[0.0, 1.0], [2.0, 1.0]]}
    """
    document: dict[str, Any] = {"do": operation.do}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if value != field.default:
            document[field.name] = _plain(value)
    return document


def from_json(document: Mapping[str, Any]) -> Operation:
    """The operation a JSON object describes; raises `Refused` for what is none.

    A line is a list of positions or a GeoJSON LineString; ground is `polygons` (a list of polygons, each a list of rings),
    or `polygon` (one such polygon, or a GeoJSON Polygon or MultiPolygon), or `cells` (as `polygons`).

    >>> from_json({"do": "merge", "grids": ["G1", "G2"]})
    Merge(grids=('G1', 'G2'), exclaves=False)
    """
    kind = OPERATIONS.get(str(document.get("do")))
    if kind is None:
        raise Refused("redraw.unknown_operation", do=document.get("do"), known=", ".join(OPERATIONS))
    given = {name: value for name, value in document.items() if name not in ("do", "rev") and value is not None}
    try:
        for name in ("polygon", "cells"):
            if name in given and "polygons" not in given:
                value = given.pop(name)
                given["polygons"] = [value] if name == "polygon" and not isinstance(value, Mapping) else value
        values = {name: _READ.get(name, lambda v: v)(value) for name, value in given.items()}
        return cast("Operation", kind(**values))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise Refused("redraw.unreadable_operation", do=kind.do, reason=str(error)) from error


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _xy(value: Any) -> XY:
    x, y, *_ = value
    return float(x), float(y)


def _line(value: Any) -> Line:
    positions = value["coordinates"] if isinstance(value, Mapping) else value
    return tuple(_xy(position) for position in positions)


def _polygons(value: Any) -> tuple[Rings, ...]:
    if isinstance(value, Mapping):
        return rings_of(geojson_shape(dict(value)))
    return tuple(tuple(_line(ring) for ring in polygon) for polygon in value)


def _codes(value: Any) -> tuple[str, ...]:
    items: Iterable[Any] = [value] if isinstance(value, str) else value
    return tuple(str(item) for item in items)


_READ: Final[Mapping[str, Any]] = {
    "line": _line, "at": _xy, "to": lambda value: value if isinstance(value, str) else _xy(value), "keep": _xy,
    "polygons": _polygons, "grids": _codes, "source": _codes, "grid": str, "code": str, "name": str,
    "exclaves": bool, "free_only": bool,
}  # fmt: skip
