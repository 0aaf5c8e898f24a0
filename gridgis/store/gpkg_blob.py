"""GeoPackage geometry blobs as arrays: a header with the box and the system's number, then WKB.

Layout (GeoPackage 1.3, clause 2.1.3): the magic `GP`, a version byte, a flags byte, the system's number, an envelope of
0, 4, 6 or 8 doubles as the flags say, and standard WKB. Layers of lines and polygons are declared multi-part, so a
single part is stored as a collection of one; the collection's nine bytes are put in front of, and cut off, the WKB
without parsing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gridgis.store.backend import UnreadableGeometry

_HEADER: Final = np.dtype([("magic", "S2"), ("version", "u1"), ("flags", "u1"), ("srs", "<i4"), ("box", "<f8", 4)])
_FLAGS_BOX: Final = 0b00000011  # little-endian header, envelope minx maxx miny maxy
_EMPTY_BIT: Final = 0b00010000
_ENVELOPE_DOUBLES: Final = (0, 4, 6, 6, 8, 0, 0, 0)
_HEADER_LENGTH: Final = tuple(8 + 8 * _ENVELOPE_DOUBLES[flags >> 1 & 7] for flags in range(256))

_LINE, _RING, _POLYGON = 1, 2, 3
_WRAP: Final[dict[int, bytes]] = {
    _LINE: b"\x01\x05\x00\x00\x00\x01\x00\x00\x00",
    _RING: b"\x01\x05\x00\x00\x00\x01\x00\x00\x00",  # WKB knows no ring: it is written as a line
    _POLYGON: b"\x01\x06\x00\x00\x00\x01\x00\x00\x00",
}
_WRAPPED: Final = frozenset(_WRAP.values())

_MAGIC: Final = b"GP"
_SHORTEST: Final = 8

Boxes = npt.NDArray[np.float64]


def to_blobs(geometries: npt.NDArray[Any], *, srs_id: int, multi: bool) -> tuple[list[bytes | None], Boxes]:
    """The blobs of an array of two-dimensional geometries, and their boxes (n x 4: minx, miny, maxx, maxy).

    None stays None and its box is NaN. With `multi`, lines and polygons become collections of one.

    >>> blobs, boxes = to_blobs(np.array([shapely.Point(1, 2), None]), srs_id=4547, multi=False)
    >>> len(blobs[0]), blobs[1], boxes[0].tolist()
    (61, None, [1.0, 2.0, 1.0, 2.0])
    """
    boxes: Boxes = shapely.bounds(geometries)
    header = np.zeros(len(geometries), dtype=_HEADER)
    header["magic"], header["flags"], header["srs"] = b"GP", _FLAGS_BOX, srs_id
    header["box"] = boxes[:, [0, 2, 1, 3]]
    heads = header.tobytes()
    size = _HEADER.itemsize
    wkb = shapely.to_wkb(geometries, output_dimension=2, byte_order=1)
    kinds = shapely.get_type_id(geometries)
    wraps = [_WRAP.get(kind, b"") for kind in range(8)] if multi else [b""] * 8
    blobs = [
        None if body is None else heads[at : at + size] + wraps[kind] + body
        for at, kind, body in zip(range(0, len(heads), size), kinds.tolist(), wkb.tolist(), strict=True)
    ]
    return blobs, boxes


def from_blobs(blobs: Sequence[bytes | None]) -> npt.NDArray[Any]:
    """The geometries of blobs, whoever wrote them; collections of one part come back as that part.

    Raises `UnreadableGeometry` if one is no GeoPackage geometry.

    >>> blobs, _ = to_blobs(np.array([shapely.box(0, 0, 1, 1), None]), srs_id=0, multi=True)
    >>> [shape if shape is None else shape.geom_type for shape in from_blobs(blobs)]
    ['Polygon', None]
    """
    bodies: npt.NDArray[Any] = np.empty(len(blobs), dtype=object)
    for row, blob in enumerate(blobs):
        if blob is None:
            continue
        if not isinstance(blob, bytes) or blob[:2] != _MAGIC or len(blob) < _SHORTEST:
            raise UnreadableGeometry(row)
        start = _HEADER_LENGTH[blob[3]]
        if blob[start : start + 9] in _WRAPPED:
            start += 9
        bodies[row] = blob[start:]
    shapes = np.asarray(shapely.from_wkb(bodies, on_invalid="ignore"), dtype=object)
    lost: list[int] = np.flatnonzero(shapely.is_missing(shapes)).tolist()
    for row in lost:
        if blobs[row] is not None:
            raise UnreadableGeometry(row)
    return shapes


def is_empty(blob: bytes) -> bool:
    """Whether a blob holds no point: by its flag, or an envelope of NaN, or its WKB.

    >>> is_empty(to_blobs(np.array([shapely.Point(1, 2)]), srs_id=0, multi=False)[0][0])
    False
    """
    if blob[3] & _EMPTY_BIT:
        return True
    return bool(np.isnan(box(blob)[0]))


def box(blob: bytes) -> tuple[float, float, float, float]:
    """The box of a blob (minx, miny, maxx, maxy) from its header, or from its WKB if the header has none; NaN if empty.

    >>> box(to_blobs(np.array([shapely.box(0, 1, 2, 3)]), srs_id=0, multi=True)[0][0])
    (0.0, 1.0, 2.0, 3.0)
    """
    flags = blob[3]
    if flags >> 1 & 7:
        order = "<f8" if flags & 1 else ">f8"
        west, east, south, north = np.frombuffer(blob, dtype=order, count=4, offset=8).tolist()
        return west, south, east, north
    low_x, low_y, high_x, high_y = shapely.bounds(shapely.from_wkb(blob[8:])).tolist()
    return low_x, low_y, high_x, high_y
