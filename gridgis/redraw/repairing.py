"""Boundaries that do not fit, made to fit on request: what was done and how much ground each grid won or lost is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.apportion import NOWHERE, locate
from gridgis.codes import listed
from gridgis.errors import DataError
from gridgis.ground import areas_m2, polygonal
from gridgis.redraw.defects import CRACK_WIDTH_M, Defect, Given, found_defects, taken
from gridgis.redraw.fitting import Fit, fit, mean_width
from gridgis.redraw.partition import Outline, Partition, Shapes, frozen_shapes
from gridgis.text import Lang, number, t
from gridgis.topology import Keep, cover, segments, shared_pairs

# ground that changed by less is rounding
_NOTHING_M2: Final = 1e-6
# a repair may leave new thin parts where borders crossed at a low angle
_PASSES: Final = 3


@dataclass(frozen=True, slots=True)
class Note:
    """Something a repair did, as a message key and what fills it."""

    key: str
    """`redraw_opening.note_…`"""
    values: Mapping[str, object]
    """What fills the placeholders; `keep` is itself a message key."""

    def message(self, lang: Lang) -> str:
        """The note in a language."""
        values = dict(self.values)
        if "keep" in values:
            values["keep"] = t(str(values["keep"]), lang)
        return t(self.key, lang, **values)


@dataclass(frozen=True, slots=True)
class Repaired:
    """A partition made of boundaries that did not fit."""

    partition: Partition
    """What came of them."""
    moved: pd.DataFrame
    """One row for every grid whose ground changed, index = code: `gained_m2`, `lost_m2` (ellipsoid)."""
    defects_before: tuple[Defect, ...]
    """What was found."""
    notes: tuple[Note, ...]
    """What was done, step by step; none: nothing had to be done."""


def repair(
    grids: gpd.GeoDataFrame, area: gpd.GeoDataFrame, *, gap_width_m: float = CRACK_WIDTH_M, keep: Keep = "longest_border"
) -> Repaired:
    """Grids made a partition of their area, and what that moved.

    1. Broken rings are mended the way PostGIS's `ST_MakeValid` does.
    2. Ground outside the area is cut off; so are parts thinner than `gap_width_m`, unless a grid is nothing else.
    3. Ground two grids claim goes to one of them (`keep`), and gaps between them are closed (GEOS's `coverage_clean`).
    4. What is left of the area in pieces thinner than `gap_width_m` goes to the grid with the longest border on it.

    Parameters
    ----------
    grids, area
        As of `open_partition`.
    gap_width_m
        Ground nobody holds with a mean width (2 · area / perimeter) below this is closed; wider ground stays free.
    keep
        Who keeps ground two grids claim: the one that comes first, the one with the longest border on it, the largest or
        the smallest.

    Raises
    ------
    DataError
        If nothing would be left of a grid.

    Examples
    --------
    >>> from gridgis import toy
    >>> grids, town = toy.grids(), toy.areas().loc[[toy.TOWN]]
    >>> grids.loc["G2", "geometry"] = shapely.box(500140, 3366000, 500249.5, 3366300)
    >>> done = repair(grids, town, keep="first")
    >>> done.moved.round(3).to_dict("index")
    {'G2': {'gained_m2': 150.0, 'lost_m2': 3000.0}}
    """
    given = taken(grids, area)
    mended, reasons = polygonal(given.shapes)
    fitted = fit(mended, given.outline)
    found = before = found_defects(given, fitted, reasons, crack_width_m=gap_width_m)
    for _ in range(_PASSES):
        if not any(defect.blocks for defect in found) and len(fitted.left) == 0:
            break
        trimmed = _trimmed(given, fitted.shapes, gap_width_m)
        frame = gpd.GeoDataFrame(geometry=trimmed, index=pd.Index(given.codes), crs=given.crs)
        covered = np.asarray(cover(frame, gap_width_m=gap_width_m, keep=keep).frame.geometry.array, dtype=object)
        fitted = _filled(given, fit(covered, given.outline), gap_width_m)
        found = found_defects(given, fitted, np.full(len(given.codes), "", dtype=object), crack_width_m=gap_width_m)
    rest = [defect for defect in found if defect.blocks]
    if rest or len(fitted.left):
        spot = shapely.point_on_surface(rest[0].place) if rest else shapely.Point(fitted.left.ends[0, :2])
        raise DataError("redraw_opening.unrepaired", area=given.area, place=f"({spot.x:.1f}, {spot.y:.1f})")
    same = shapely.equals_identical(shapely.normalize(given.shapes), shapely.normalize(fitted.shapes))
    shapes = np.where(same, given.shapes, fitted.shapes)
    partition = Partition(
        area=given.area,
        crs=given.crs,
        outline=fitted.outline,
        codes=given.codes,
        shapes=frozen_shapes(shapes),
        free=frozen_shapes(fitted.free),
        attributes=given.attributes,
    )
    return Repaired(partition, _moved(given, mended, shapes), before, _notes(before, gap_width_m, keep))


def _trimmed(given: Given, shapes: Shapes, width_m: float) -> Shapes:
    """Shapes without ground outside the area and without thin parts, unless a grid is nothing else."""
    result = shapes.copy()
    shapely.prepare(given.outline)
    beyond = np.flatnonzero(~shapely.covered_by(shapes, given.outline))
    result[beyond], _ = polygonal(shapely.intersection(shapes[beyond], given.outline))
    parts, owner = shapely.get_parts(result, return_index=True)
    thin = mean_width(parts) < width_m
    keep = ~thin | ~np.isin(owner, owner[~thin])
    for at in np.unique(owner[~keep]).tolist():
        rest = parts[keep & (owner == at)]
        result[at] = rest[0] if len(rest) == 1 else shapely.MultiPolygon(list(rest))
    empty = shapely.is_empty(result)
    if empty.any():
        gone = np.array(given.codes, dtype=object)[empty]
        raise DataError("redraw_opening.gone", codes=listed(gone), width=number(width_m, digits=2))
    return result


def _filled(given: Given, fitted: Fit, width_m: float) -> Fit:
    """Shapes that do not overlap brought to the outline, narrow ground between given to the longest neighbour.

    All lines are noded together and the faces between them handed to their owners: neighbours then share their segments by
    construction.
    """
    if len(fitted.left) == 0 and (mean_width(fitted.free) >= width_m).all():
        return fitted
    rings = shapely.boundary(np.array([*fitted.shapes, fitted.outline], dtype=object))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.union_all(rings))))
    spots = shapely.point_on_surface(faces)
    shapely.prepare(given.outline)
    inside = shapely.covers(given.outline, spots)
    faces, spots = faces[inside], spots[inside]
    owner = locate(shapely.get_coordinates(spots), fitted.shapes)
    nobody = shapely.get_parts(shapely.coverage_union_all(faces[owner == NOWHERE]))
    crack = mean_width(nobody) < width_m
    held, names = faces[owner != NOWHERE], owner[owner != NOWHERE]
    left, right, length = shared_pairs(segments(np.concatenate([held, nobody[crack]])))
    border = (left < len(held)) & (right >= len(held))
    table = pd.DataFrame({"crack": right[border] - len(held), "to": names[left[border]], "length": length[border]})
    longest = table.groupby(["crack", "to"])["length"].sum().sort_values(ascending=False, kind="stable").reset_index()
    heir = longest.drop_duplicates("crack").set_index("crack")["to"].reindex(range(int(crack.sum())), fill_value=NOWHERE)
    held, names = np.concatenate([held, nobody[crack]]), np.concatenate([names, heir.to_numpy()])
    shapes = np.array([_one(held[names == at]) for at in range(len(fitted.shapes))], dtype=object)
    return fit(shapes, _one(faces))


def _one(faces: Shapes) -> Outline:
    parts = shapely.get_parts(shapely.coverage_union_all(faces))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(list(parts))


def _moved(given: Given, before: Shapes, after: Shapes) -> pd.DataFrame:
    changed = np.flatnonzero(~shapely.equals_identical(before, after))
    gained = areas_m2(polygonal(shapely.difference(after[changed], before[changed]))[0], given.crs)
    lost = areas_m2(polygonal(shapely.difference(before[changed], after[changed]))[0], given.crs)
    table = pd.DataFrame({"gained_m2": gained, "lost_m2": lost}, index=pd.Index(given.codes, name="code")[changed])
    return table[(table > _NOTHING_M2).any(axis=1)]


def _notes(found: tuple[Defect, ...], width_m: float, keep: Keep) -> tuple[Note, ...]:
    width = number(width_m, digits=2)

    def codes(kind: str) -> str:
        named = dict.fromkeys(code for defect in found if defect.kind == kind and defect.blocks for code in defect.codes)
        return listed(np.array(list(named), dtype=object))

    def total(kind: str) -> dict[str, object]:
        these = [defect.area_m2 for defect in found if defect.kind == kind]
        return {"count": len(these), "area": number(sum(these), digits=2)}

    steps = {
        "invalid": Note("redraw_opening.note_rings", {"codes": codes("invalid")}),
        "outside": Note("redraw_opening.note_clipped", {"codes": codes("outside")}),
        "sliver": Note("redraw_opening.note_slivers", {"codes": codes("sliver"), "width": width}),
        "overlap": Note("redraw_opening.note_overlaps", {"keep": f"redraw_opening.keep_{keep}", **total("overlap")}),
        "gap": Note("redraw_opening.note_gaps", {"width": width, **total("gap")}),
    }
    there = {defect.kind for defect in found if defect.blocks}
    return tuple(note for kind, note in steps.items() if kind in there)
