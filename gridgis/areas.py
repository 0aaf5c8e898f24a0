"""Areas made ready to be filled with cells: checked, in the order of their codes, and fitted to each other."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.errors import DataError
from gridgis.topology import cover, overlaps
from gridgis.validity import why_invalid

# what two areas may share by careless drawing, as a share of the smaller one; and what is let pass however small that is
_OVERLAP_SHARE: Final = 0.01
_OVERLAP_M2: Final = 100.0


def checked_areas(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The areas as polygons of the plane in the order of their codes; refuses what cannot be filled.

    Parameters
    ----------
    areas
        Indexed by code; `name` is kept where there is one.

    Raises
    ------
    DataError
        If there are none, codes repeat, or a geometry is null, empty, no polygon or invalid.

    Examples
    --------
    >>> from gridgis import toy
    >>> checked_areas(toy.areas().iloc[[2, 1]]).index.tolist()
    ['420000100201', '420000100202']
    """
    if len(areas) == 0:
        raise DataError("grids.no_areas")
    names = areas.index.astype(str)
    repeated = names[names.duplicated()]
    if len(repeated):
        raise DataError("codes.duplicate", code=repeated[0], count=int((names == repeated[0]).sum()))
    shapes = shapely.force_2d(np.asarray(areas.geometry.array, dtype=object))
    kind = shapely.get_type_id(shapes)
    if (bad := shapely.is_missing(shapes) | shapely.is_empty(shapes)).any():
        raise DataError("topology.nothing", row=called(areas, int(bad.argmax())))
    if (bad := ~np.isin(kind, (3, 6))).any():
        at = int(bad.argmax())
        raise DataError("topology.not_polygon", row=called(areas, at), kind=shapes[at].geom_type)
    if (bad := ~shapely.is_valid(shapes)).any():
        at = int(bad.argmax())
        raise DataError("topology.invalid", row=called(areas, at), reason=why_invalid(shapes[at]))
    order = np.argsort(names.to_numpy(dtype=str), kind="stable")
    columns = {"name": areas["name"].to_numpy()[order]} if "name" in areas else {}
    index = pd.Index(names.to_numpy(dtype=object)[order], name="code")
    return gpd.GeoDataFrame(columns, index=index, geometry=list(shapes[order]), crs=areas.crs)


def called(areas: gpd.GeoDataFrame, at: int) -> str:
    """What messages call the area at a position: its name and code; its number where it has neither.

    >>> from gridgis import toy
    >>> called(toy.areas(), 1)
    'West (420000100201)'
    """
    code = str(areas.index[at]) or str(at + 1)  # a single area may have no code
    name = areas["name"].iloc[at] if "name" in areas else None
    return f"{name} ({code})" if isinstance(name, str) and name else code


def fit(areas: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, pd.DataFrame, float]:
    """Areas without overlap, what that moved (`topology.Covered.moved`), and the ground two of them claimed, m² of the plane.

    The area that comes first keeps a strip both claim; gaps stay gaps.

    Raises
    ------
    DataError
        If two overlap by over 1 % of the smaller one.

    Examples
    --------
    >>> from gridgis import toy
    >>> fitting, moved, overlap_m2 = fit(toy.areas().query("level == 'village'"))
    >>> len(moved), overlap_m2
    (0, 0.0)
    """
    common = overlaps(areas)
    planar = common.area
    size = areas.area
    least = np.minimum(size[common["left"]].to_numpy(), size[common["right"]].to_numpy())
    excess = np.flatnonzero((planar > _OVERLAP_SHARE * least) & ((planar > _OVERLAP_M2) | (planar > 0.5 * least)))
    if len(excess):
        worst = common.iloc[excess[np.argmax(planar.iloc[excess])]]
        left, right = (called(areas, list(areas.index).index(worst[side])) for side in ("left", "right"))
        raise DataError("topology.overlap", left=left, right=right, area=f"{worst['area_m2']:,.0f}")
    covered = cover(areas, keep="first")
    return covered.frame, covered.moved, float(planar.sum())
