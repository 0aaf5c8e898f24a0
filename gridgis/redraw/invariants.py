"""What holds for every partition, as a table of rules; the proof of "no gap, no overlap" is exact.

If every polygon is valid, and the directed segments of grids and free ground (shells one way round, holes the other) cancel
to those of the outline bit for bit, then the number of polygons over a point changes nowhere but at the outline: it is one
inside and none outside. No tolerance is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.defects import CRACK_WIDTH_M
from gridgis.redraw.fitting import left_over, mean_width
from gridgis.redraw.partition import SNAP_M, Partition, Shapes
from gridgis.text import Lang, Phrase
from gridgis.validity import why_invalid

Floats = NDArray[np.float64]

_OUTLINE_M2_PER_KM2: Final = 1e-6
_OUTLINE_M: Final = 1e-8
_NOTHING_M2: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule a partition breaks."""

    rule: str
    """Name in `RULES`."""
    codes: tuple[str, ...]
    """The grids concerned; `""` stands for free ground."""
    place: BaseGeometry | None
    """Where, in the partition's CRS; None where there is no such place."""
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """`m2`: how much ground; `reason`: what the geometry library says."""

    def message(self, lang: Lang) -> str:
        """The finding in a language."""
        return self.phrase.said(lang)

    @property
    def phrase(self) -> Phrase:
        """The finding as a value that fills a placeholder of another message."""
        return Phrase(f"redraw.broken_{self.rule}", {"grids": ", ".join(code or "–" for code in self.codes), **self.facts})


@dataclass(frozen=True, slots=True)
class _Case:
    now: Partition
    before: Partition | None
    exclaves: bool
    void: frozenset[str]
    freed: frozenset[str]

    def members(self) -> Shapes:
        return np.concatenate([self.now.shapes, self.now.free])

    def codes(self) -> list[str]:
        return [*self.now.codes, *[""] * len(self.now.free)]


def broken(
    partition: Partition,
    *,
    before: Partition | None = None,
    exclaves: bool = False,
    void: Collection[str] = (),
    freed: Collection[str] = (),
) -> tuple[Broken, ...]:
    """Every rule a partition breaks; empty when all hold.

    Parameters
    ----------
    partition
        What to judge.
    before
        What it came from: the outline must be the same, no ground may have become free, and nothing may have become so thin
        that it could not be opened again; None leaves that out.
    exclaves
        Whether a grid may have several parts; those that had several before may keep as many.
    void
        Codes that were retired and must not be used.
    freed
        Grids of `before` whose ground may be free now.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> broken(town)
    ()
    >>> narrow = town.with_ground({"G2": shapely.box(500150, 3366000, 500240, 3366300)})
    >>> [(b.rule, b.facts["m2"]) for b in broken(narrow)]
    [('gap', 3000.0)]
    """
    case = _Case(partition, before, exclaves, frozenset(void), frozenset(freed))
    # an invalid polygon breaks every sum and every overlay: nothing else is certain beside it
    return tuple(_invalid(case)) or tuple(item for rule in RULES.values() for item in rule(case))


def _codes(case: _Case) -> list[Broken]:
    twice = sorted(code for code, times in Counter(case.now.codes).items() if times > 1)
    rows_differ = tuple(case.now.attributes.index) != case.now.codes
    return [Broken("codes", tuple(twice), None)] if twice or rows_differ else []


def _void(case: _Case) -> list[Broken]:
    used = tuple(code for code in case.now.codes if code in case.void)
    return [Broken("void_code", used, None)] if used else []


def _invalid(case: _Case) -> list[Broken]:
    members = np.array([*case.members(), case.now.outline], dtype=object)
    codes = [*case.codes(), ""]
    bad = np.flatnonzero(~shapely.is_valid(members) | shapely.is_empty(members))
    return [Broken("invalid", (codes[i],), members[i], {"reason": why_invalid(members[i])}) for i in bad.tolist()]


def _connected(case: _Case) -> list[Broken]:
    if case.exclaves:
        return []
    parts = shapely.get_num_geometries(case.now.shapes)
    found = []
    for position in np.flatnonzero(parts > 1):
        code = case.now.codes[position]
        earlier = 1
        if case.before is not None and code in case.before.codes:
            earlier = int(shapely.get_num_geometries(case.before.shape(code)))
        if parts[position] > earlier:
            smallest = min(shapely.get_parts(case.now.shapes[position]), key=lambda part: float(part.area))
            found.append(Broken("torn", (code,), smallest, {"parts": int(parts[position])}))
    return found


def _cover(case: _Case) -> list[Broken]:
    """Overlap, gap, outside, unmatched: why the segments do not cancel, looked for only when they do not."""
    members = case.members()
    left = left_over(members, case.now.outline).ends.reshape(-1, 2, 2)
    if not len(left):
        return []
    if not shapely.is_valid(members).all():
        return []
    codes = case.codes()
    found = []
    first, second = shapely.STRtree(members).query(members, predicate="intersects")
    for i, j in zip(first[first < second].tolist(), second[first < second].tolist(), strict=True):
        common = shapely.intersection(members[i], members[j])
        if common.area > _NOTHING_M2:
            found.append(Broken("overlap", (codes[i], codes[j]), common, {"m2": round(common.area, 6)}))
    union = shapely.union_all(members)
    gap = shapely.difference(case.now.outline, union)
    if gap.area > _NOTHING_M2:
        found.append(Broken("gap", (), gap, {"m2": round(gap.area, 6)}))
    outside = shapely.difference(members, case.now.outline)
    found += [
        Broken("outside", (codes[i],), outside[i], {"m2": round(outside[i].area, 6)})
        for i in np.flatnonzero(shapely.area(outside) > _NOTHING_M2).tolist()
    ]
    return found or [Broken("unmatched", (), shapely.MultiLineString(left.tolist()))]


def _uncovered(case: _Case) -> list[Broken]:
    if case.before is None or not len(case.now.free):
        return []
    known = {id(shape) for shape in case.before.free}
    fresh = np.array([shape for shape in case.now.free if id(shape) not in known], dtype=object)
    if not len(fresh):
        return []
    allowed = [*case.before.free, *(case.before.shape(code) for code in case.freed if code in case.before.codes)]
    new = shapely.difference(shapely.union_all(fresh), shapely.union_all(allowed))
    # a border a millimetre off is rounding, not ground
    if new.area <= 2 * SNAP_M * float(shapely.length(fresh).sum()):
        return []
    return [Broken("uncovered", (), new, {"m2": round(new.area, 3)})]


def _slivers(case: _Case) -> list[Broken]:
    """Parts of grids that `opening` would not open again: thin beside a wider one."""
    if case.before is None:
        return []
    found = []
    for at in np.flatnonzero(shapely.get_num_geometries(case.now.shapes) > 1).tolist():
        code, shape = case.now.codes[at], case.now.shapes[at]
        earlier = case.before.shape(code) if code in case.before.codes else None
        thin = [] if shape is earlier else _thin_beside_wide(shape)
        if len(thin) > (0 if earlier is None else len(_thin_beside_wide(earlier))):
            found.append(Broken("sliver", (code,), thin[0], _width(thin[0])))
    return found


def _thin_beside_wide(shape: BaseGeometry) -> list[BaseGeometry]:
    parts = shapely.get_parts(shape)
    thin = mean_width(parts) < CRACK_WIDTH_M
    return [] if thin.all() else list(parts[thin])


def _cracks(case: _Case) -> list[Broken]:
    """Free ground that `opening` would take for a gap, where there was none so thin."""
    if case.before is None or not len(case.now.free):
        return []
    known = {id(shape) for shape in case.before.free}
    thin = case.now.free[mean_width(case.now.free) < CRACK_WIDTH_M]
    if len(thin) <= int((mean_width(case.before.free) < CRACK_WIDTH_M).sum()):
        return []
    return [Broken("crack", (), shape, _width(shape)) for shape in thin if id(shape) not in known]


def _width(shape: BaseGeometry) -> dict[str, object]:
    width = float(mean_width(np.array([shape], dtype=object))[0])
    return {"m2": round(float(shape.area), 3), "width": round(width, 3), "least": CRACK_WIDTH_M}


def _outline(case: _Case) -> list[Broken]:
    if case.before is None or case.now.outline is case.before.outline:
        return []
    old, new = case.before.outline, case.now.outline
    was, now = shapely.get_coordinates(old), shapely.get_coordinates(new)
    old_set, new_set = set(map(tuple, was.tolist())), set(map(tuple, now.tolist()))
    lost, added = sorted(old_set - new_set), sorted(new_set - old_set)
    far = np.zeros(0, dtype=bool)
    if added:
        points = np.asarray(shapely.points(np.array(added)), dtype=object)
        far = shapely.distance(shapely.boundary(old), points) > _OUTLINE_M
    off = abs(new.area - old.area)
    if not lost and not far.any() and off <= max(_OUTLINE_M2_PER_KM2 * old.area / 1e6, 1e-12 * old.area):
        return []
    spots = [*lost, *(point for point, is_far in zip(added, far, strict=True) if is_far)]
    return [Broken("outline", (), shapely.MultiPoint(spots) if spots else new, {"m2": round(off, 9)})]


RULES: Final[Mapping[str, Callable[[_Case], list[Broken]]]] = MappingProxyType(
    {
        "codes": _codes,
        "void_code": _void,
        "invalid": _invalid,
        "torn": _connected,
        "cover": _cover,
        "uncovered": _uncovered,
        "sliver": _slivers,
        "crack": _cracks,
        "outline": _outline,
    }
)
"""The rules in the order they are judged; `cover` finds overlap, gap, outside and unmatched."""
