"""Numbers and names of natural villages: from place points, from the area they lie in, or kept from an edited layer."""

from __future__ import annotations

import re
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.apportion import NOWHERE, building_points, locate
from gridgis.crs import require_metric
from gridgis.ground import Ints, Shapes, clip, polygonal

# endings an area's name loses before a number: 庙岭村 → 庙岭1湾
_ENDINGS: Final = re.compile(r"(村民委员会|居民委员会|村委会|居委会|街道|社区|新村|村|镇|乡)$")
_CHINESE: Final = re.compile(r"[㐀-鿿]")
_MADE: Final = re.compile(r"^(.*[㐀-鿿])?\d+湾$|^(.* )?(N)?\d+$")
_DIGITS: Final = 3
_DIGITS_ALONE: Final = 6


def numbered(area_codes: pd.Series[str], shapes: gpd.GeoSeries) -> pd.DataFrame:
    """Code and running number of every village, counted inside its area from west to east, then from north to south.

    The code is the area's code and the number in three digits (more where an area has over 999), or the number alone in
    six digits where there is no area. The place that counts is a point inside the village, to the centimetre.

    Parameters
    ----------
    area_codes
        Code of the area of every village; null for none.
    shapes
        The villages' polygons, on the same index.

    Returns
    -------
    DataFrame
        `code` and `number`, on the index of `shapes`.

    Examples
    --------
    >>> from gridgis import toy
    >>> numbered(toy.grids()["area_code"], toy.grids().geometry)["code"].tolist()
    ['420000100201001', '420000100201002', '420000100202001']
    """
    points = np.round(building_points(shapes), 2)
    areas = area_codes.astype(object).where(area_codes.notna(), "").astype(str)
    table = pd.DataFrame({"area": areas.to_numpy(), "x": points[:, 0], "south": -points[:, 1]}, index=shapes.index)
    number = table.sort_values(["area", "x", "south"], kind="stable").groupby("area").cumcount().reindex(shapes.index) + 1
    widest = number.groupby(areas.to_numpy()).transform("max").astype(str).str.len()
    width = np.where(areas == "", np.maximum(widest, _DIGITS_ALONE), np.maximum(widest, _DIGITS))
    codes = [f"{a}{n:0{w}d}" for a, n, w in zip(areas, number, width, strict=True)]
    return pd.DataFrame({"code": codes, "number": number.to_numpy()}, index=shapes.index)


def made_name(area_name: str | None, number: int) -> str:
    """The name of a village nobody has named: its area's, without its ending, and a number.

    >>> made_name("庙岭村", 1), made_name("Kouvola", 2), made_name(None, 3)
    ('庙岭1湾', 'Kouvola 2', 'N3')
    """
    if not isinstance(area_name, str) or not area_name.strip():  # null is NaN in a column of text
        return f"N{number}"
    if not _CHINESE.search(area_name):
        return f"{area_name} {number}"
    return f"{_ENDINGS.sub('', area_name) or area_name}{number}湾"


def is_made_name(name: str | None) -> bool:
    """Whether a name looks like one of `made_name`, that is: nobody has given it.

    >>> is_made_name("庙岭1湾"), is_made_name("王家湾"), is_made_name(None)
    (True, False, True)
    """
    return not isinstance(name, str) or not name.strip() or bool(_MADE.match(name))


def place_names(shapes: gpd.GeoSeries, places: gpd.GeoDataFrame, *, reach_m: float) -> pd.Series[str]:
    """The name of the place point in every village, else of the nearest within reach; a point names one village at most.

    Of several points in a village the one nearest to its inner point names it, of equally near ones the first by name.

    Parameters
    ----------
    shapes
        The villages' polygons.
    places
        Points with `name`; unnamed ones are passed over.
    reach_m
        How far outside a village a point may lie, in metres.

    Returns
    -------
    Series
        `name`, on the index of `shapes`; null where there is none.

    Examples
    --------
    >>> from gridgis import toy
    >>> stations = toy.stations()
    >>> place_names(toy.areas().geometry.iloc[1:], stations, reach_m=100).tolist()
    ['West station', 'East station']
    """
    require_metric(shapes, places)
    names: list[str | None] = [None] * len(shapes)
    named = places[places["name"].notna() & ~(places.geometry.isna() | places.geometry.is_empty)]
    points = shapely.centroid(np.asarray(named.geometry.array, dtype=object))
    polygons = np.asarray(shapes.array, dtype=object)
    point, village = shapely.STRtree(polygons).query(points, predicate="dwithin", distance=reach_m)
    inner = np.asarray(shapely.points(building_points(shapes)), dtype=object)
    claims = pd.DataFrame(
        {
            "gap": shapely.distance(points[point], polygons[village]),
            "centre": shapely.distance(points[point], inner[village]),
            "name": named["name"].astype(str).to_numpy()[point],
            "point": point,
            "village": village,
        }
    ).sort_values(["gap", "centre", "name"], kind="stable")
    taken: set[int] = set()
    ranked = (claims[column].tolist() for column in ("point", "village", "name"))
    for one, home, name in zip(*ranked, strict=True):
        if one not in taken and names[home] is None:
            taken.add(one)
            names[home] = name
    return pd.Series(names, index=shapes.index, name="name", dtype=object)


def keep_names(villages: gpd.GeoDataFrame, previous: gpd.GeoDataFrame) -> pd.Series[str]:
    """Names of a rebuilt layer, with those kept that somebody had given in the layer before.

    A given name (one that `is_made_name` is not) goes to the new village that shares most ground with the old one, if
    that is more than half of either; each old name is given once.

    Parameters
    ----------
    villages, previous
        Polygons with `name`, in one CRS.

    Returns
    -------
    Series
        `name`, on the index of `villages`.

    Examples
    --------
    >>> from gridgis import toy
    >>> old = toy.grids().assign(name=["王家湾", "West 2", "East 1"])
    >>> keep_names(toy.grids().assign(name=["West 1", "West 2", "East 1"]), old).tolist()
    ['王家湾', 'West 2', 'East 1']
    """
    names = villages["name"].copy()
    given = previous[[not is_made_name(name) for name in previous["name"]]]
    if len(given) == 0 or len(villages) == 0:
        return names
    require_metric(villages, given)
    new, old = _shapes(villages), _shapes(given)
    at, of, part, _ = clip(old, new)
    common = shapely.area(part)
    good = np.flatnonzero(2 * common > np.minimum(shapely.area(new)[at], shapely.area(old)[of]))
    used_new: set[int] = set()
    used_old: set[int] = set()
    for pair in good[np.argsort(-common[good], kind="stable")].tolist():
        if at[pair] not in used_new and of[pair] not in used_old:
            used_new.add(at[pair])
            used_old.add(of[pair])
            names.iloc[at[pair]] = given["name"].iloc[of[pair]]
    return names


def home_areas(points: np.ndarray, owner: Ints, size: int, areas: gpd.GeoDataFrame) -> Ints:
    """Position of the area most points of every owner lie in, −1 for none; of equal ones the earlier.

    >>> from gridgis import toy
    >>> points = building_points(toy.buildings())
    >>> home_areas(points, np.zeros(len(points), dtype=int), 1, toy.areas().iloc[1:]).tolist()
    [0]
    """
    area = locate(points, _shapes(areas))
    known = (area != NOWHERE) & (owner >= 0)
    pairs, votes = np.unique(np.column_stack([owner[known], area[known]]), axis=0, return_counts=True)
    home = np.full(size, NOWHERE, dtype=np.intp)
    # least votes first, so that the most (and of equals the earlier area) is written last
    order = np.lexsort((-pairs[:, 1], votes))
    home[pairs[order, 0]] = pairs[order, 1]
    return home


def _shapes(frame: gpd.GeoDataFrame) -> Shapes:
    return polygonal(np.asarray(frame.geometry.array, dtype=object))[0]
