"""Why a polygon is none, in the reader's language: the geometry library's known reasons as messages, with the place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.text import Phrase

_SAID: Final = re.compile(r"^(.+?)\s*(?:\[(\S+) (\S+)(?: \S+)?\])?$")
_KNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "self-intersection": "validity.crosses",
        "ring self-intersection": "validity.touches",
        "hole lies outside shell": "validity.hole_outside",
        "holes are nested": "validity.holes_nested",
        "interior is disconnected": "validity.cut_apart",
        "nested shells": "validity.parts_nested",
        "duplicate rings": "validity.twice",
        "invalid coordinate": "validity.no_number",
        "ring is not closed": "validity.open_ring",
        "too few points in geometry component": "validity.too_few",
    }
)


def why_invalid(shape: BaseGeometry) -> Phrase:
    """Why a polygon is not valid and where, in its own coordinates; the library's words where the reason is not a known one.

    >>> bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    >>> str(why_invalid(bow_tie)), why_invalid(bow_tie).said("zh")
    ('the line crosses itself at 1, 1', '边线在 (1, 1) 处自相交叉')
    """
    return _phrase(shapely.is_valid_reason(shape))


def why_no_polygon(error: Exception) -> Phrase:
    """Why rings make no polygon at all, from the error of the library that was to make one.

    >>> str(why_no_polygon(ValueError("A linearring requires at least 4 coordinates.")))
    'a ring has fewer than four points (the first one again at the end)'
    """
    few = isinstance(error, IndexError) or "at least 4 coordinates" in str(error)
    return Phrase("validity.too_few", {}) if few else _phrase(str(error))


def _phrase(said: str) -> Phrase:
    found = _SAID.match(said)
    key = None if found is None else _KNOWN.get(found[1].lower())
    if found is None or key is None:
        return Phrase("validity.other", {"reason": said})
    x, y = (_short(part) for part in (found[2], found[3]))
    return Phrase(key, {"x": x, "y": y})


def _short(number: str | None) -> str:
    """A coordinate to the millimetre."""
    return "–" if number is None else f"{round(float(number), 3):.3f}".rstrip("0").rstrip(".")
