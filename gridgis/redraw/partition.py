"""A partition: the grids of one area, the ground nobody holds, and the outline around both, as one frozen value.

Neighbours have the same vertices along their common border, and so have grids, free ground and the outline: equal
segments are equal bit for bit. Operations take a partition and return a new one; shapes they do not touch are the same
objects in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.crs import require_metric
from gridgis.redraw.refusal import Refused

Shapes = NDArray[np.object_]
Outline = shapely.Polygon | shapely.MultiPolygon

SNAP_M: Final = 0.001
"""What planners draw is rounded to this, metres."""
OUTLINE_SNAP_M: Final = 2.0**-30
"""Points on the outline are rounded to this, metres: about a nanometre, so that the outline is not bent."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Partition:
    """The grids of one area as a planar coverage with shared edges."""

    area: str
    """Code of the area."""
    crs: pyproj.CRS
    """Projected, in metres; every coordinate is in it."""
    outline: Outline
    """The ground of grids and free ground together, with every vertex of theirs that lies on it."""
    codes: tuple[str, ...]
    """Of the grids, unique, in the order of `shapes`."""
    shapes: Shapes
    """Polygons (multipolygons where exclaves are allowed), shape (n,), read-only."""
    free: Shapes
    """The area's ground that no grid holds, as connected polygons, shape (m,), read-only; m = 0 when all is held."""
    attributes: pd.DataFrame
    """Index = `codes`: the other columns of the grids; never changed in place."""

    def position(self, code: str) -> int:
        """Where a grid stands in `codes`; `Refused` for a code that is not there."""
        try:
            return self.codes.index(code)
        except ValueError:
            raise Refused("redraw.unknown_grid", codes=(code,), place=self.outline, code=code, area=self.area) from None

    def shape(self, code: str) -> BaseGeometry:
        """The ground of a grid."""
        shape: BaseGeometry = self.shapes[self.position(code)]
        return shape

    def frame(self) -> gpd.GeoDataFrame:
        """The grids with their attributes, indexed by code."""
        frame: gpd.GeoDataFrame = gpd.GeoDataFrame(
            self.attributes.copy(), geometry=gpd.GeoSeries(self.shapes.copy(), index=self.attributes.index, crs=self.crs)
        )
        return frame

    def with_attributes(self, attributes: pd.DataFrame) -> Partition:
        """The same ground under other attributes, indexed by the same codes in any order."""
        return replace(self, attributes=attributes.loc[list(self.codes)])

    def with_ground(
        self,
        shapes: Mapping[str, BaseGeometry | None],
        *,
        free: Iterable[BaseGeometry] | None = None,
        outline: Outline | None = None,
        attributes: pd.DataFrame | None = None,
    ) -> Partition:
        """Grids put in the place of others.

        Parameters
        ----------
        shapes
            The new ground of each code that changes; None retires it, an unknown code is a new grid, at the end.
        free, outline
            What takes the place of the old ones; None leaves them.
        attributes
            Rows for all codes; None keeps those of the old codes and gives new ones empty rows.
        """
        known = set(self.codes)
        kept = [(code, shapes.get(code, shape)) for code, shape in zip(self.codes, self.shapes, strict=True)]
        kept += [(code, shape) for code, shape in shapes.items() if code not in known]
        rows = [(code, shape) for code, shape in kept if shape is not None]
        codes = tuple(code for code, _ in rows)
        table = self.attributes if attributes is None else attributes
        return Partition(
            area=self.area,
            crs=self.crs,
            outline=self.outline if outline is None else outline,
            codes=codes,
            shapes=frozen_shapes(shape for _, shape in rows),
            free=self.free if free is None else frozen_shapes(free),
            attributes=table if codes == tuple(table.index) else table.reindex(list(codes)),
        )


def frozen_shapes(shapes: Iterable[BaseGeometry]) -> Shapes:
    """Geometries as a read-only array, shape (n,).

    >>> frozen_shapes([shapely.box(0, 0, 1, 1)]).flags.writeable
    False
    """
    given = list(shapes)
    array = np.empty(len(given), dtype=object)
    array[:] = given
    array.flags.writeable = False
    return array


def partition_of(grids: gpd.GeoDataFrame, *, area: str, free: Iterable[BaseGeometry] = ()) -> Partition:
    """The partition of grids that fit together already, with the outline that follows from them.

    Nothing is checked or repaired here: `invariants.broken` judges, `opening.open_partition` takes what does not fit.

    Parameters
    ----------
    grids
        Polygons in a CRS in metres, indexed by code, with the same vertices along common borders.
    area
        Code of the area they fill.
    free
        Polygons of ground nobody holds, fitting in the same way.

    Examples
    --------
    >>> from gridgis import toy
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> town.codes, town.outline.area, town.shape("G2").area
    (('G1', 'G2', 'G3'), 120000.0, 30000.0)
    """
    crs = require_metric(grids)
    shapes = frozen_shapes(grids.geometry)
    ground = frozen_shapes(free)
    codes = tuple(str(code) for code in grids.index)
    attributes = pd.DataFrame(grids.drop(columns=grids.geometry.name)).set_axis(pd.Index(codes, name="code"))
    outline = cast("Outline", shapely.coverage_union_all(np.concatenate([shapes, ground])))
    return Partition(area=area, crs=crs, outline=outline, codes=codes, shapes=shapes, free=ground, attributes=attributes)
