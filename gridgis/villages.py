"""Natural villages (自然湾): the clusters of houses, from building footprints, residential land use, or a settlement raster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from affine import Affine

from gridgis.apportion import Raster, building_points, zonal_sum
from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.ground import Ints, Shapes, add_up, areas_m2, polygonal
from gridgis.outlines import Outline, clusters, outlines
from gridgis.progress import Progress, silent
from gridgis.village_names import home_areas, made_name, numbered, place_names

HOLE_M2: Final = 10_000.0
BRIDGE_M: Final = 4.0
REACH_M: Final = 300.0
# what a village adds up from its buildings where they carry it
_SUMMED: Final = ("population", "households")


@dataclass(frozen=True, slots=True)
class NaturalVillages:
    """Natural villages, who belongs to them, and what belongs to none."""

    villages: gpd.GeoDataFrame
    """Index: `code`. `name`, `area_code` (null outside every area), `buildings` (how many; null when made from land use or
    a raster), `population` and `households` where the source carries them, `area_m2` (ellipsoid); disjoint polygons."""
    membership: pd.Series[str]
    """Village code of every source shape, on its index; null for scattered ones and those without geometry."""
    scattered: gpd.GeoDataFrame
    """The source shapes that belong to no village, as they came."""


def natural_villages(
    buildings: gpd.GeoDataFrame,
    *,
    distance_m: float = 50.0,
    min_buildings: int = 5,
    hole_m2: float = HOLE_M2,
    bridge_m: float = BRIDGE_M,
    areas: gpd.GeoDataFrame | None = None,
    places: gpd.GeoDataFrame | None = None,
    reach_m: float = REACH_M,
    split_at_areas: bool = False,
    progress: Progress = silent,
) -> NaturalVillages:
    """Natural villages from building footprints.

    1. Buildings up to `distance_m` apart, wall to wall, belong together, directly or through others.
    2. A cluster of `min_buildings` or more is a village; the buildings of smaller ones are scattered houses.
    3. Its polygon is the built-up outline (`outlines.outlines`): closing, parts tied together, small holes filled. Every
       building lies in its village's polygon, in no other, and polygons do not overlap.
    4. A village lies in the area that has most of its buildings; it is numbered there from west to east, then from north
       to south, and its code is the area's and that number (`village_names.numbered`).
    5. Its name is that of the place point in it or within `reach_m`, else the area's with the number (庙岭1湾).

    The result does not depend on the order of rows.

    Parameters
    ----------
    buildings
        Polygons (or points), in metres. Null and empty ones belong to no village. `population` and `households` are added
        up where the columns are there.
    distance_m, min_buildings
        Rules 1 and 2.
    hole_m2, bridge_m
        Largest hole that is filled, and width of the ties between parts.
    areas
        Villages and communities (index: code; `name`); None: no area.
    places
        Points with `name`; None: no place names.
    split_at_areas
        Whether buildings of different areas never belong together, and outlines end at the area's line (then a house
        on the line may stand half outside).
    progress
        Told of clusters outlined.

    Returns
    -------
    NaturalVillages

    Raises
    ------
    CrsError
        If a CRS is missing, they differ, or it cannot measure.
    DataError
        If a distance or number makes no sense.

    Examples
    --------
    >>> from gridgis import toy
    >>> found = natural_villages(toy.buildings(), distance_m=15, min_buildings=4, areas=toy.areas().iloc[1:])
    >>> found.villages[["name", "buildings", "population"]].to_dict("split")["data"]
    [['West 1', 4, 12.0], ['East 1', 5, 15.0]]
    >>> len(found.scattered), found.membership["B01"]
    (3, '420000100201001')
    """
    _check(distance_m=distance_m, min_buildings=min_buildings)
    shapes, at = _solid(buildings)
    groups = None
    if split_at_areas and areas is not None and len(areas):
        points = building_points(gpd.GeoSeries(shapes, crs=buildings.crs))
        groups = home_areas(points, np.arange(len(shapes)), len(shapes), areas)
    progress("villages.stage_cluster", 0, 1)
    label = clusters(shapes, distance_m=distance_m, groups=groups)
    chosen = np.flatnonzero(np.bincount(label) >= min_buildings)
    style = Outline(distance_m, hole_m2, bridge_m)
    polygons = outlines(shapes, label, chosen, style, progress=progress)
    place = np.full(int(label.max(initial=-1)) + 1, -1, dtype=np.intp)
    place[chosen] = np.arange(len(chosen))
    owner = np.full(len(buildings), -1, dtype=np.intp)
    owner[at] = place[label]
    if groups is not None and areas is not None:
        polygons = _cut_at(polygons, groups[[int(np.flatnonzero(label == one)[0]) for one in chosen]], areas)
    inside = owner[owner >= 0]
    more: dict[str, object] = {"buildings": np.bincount(inside, minlength=len(chosen))}
    for column in _SUMMED:
        if column in buildings and buildings[column].notna().any():
            values = buildings[column].fillna(0).to_numpy(dtype=float)[owner >= 0]
            more[column] = add_up(inside, values, len(chosen))
    return _settle(buildings, owner, polygons, more, areas, places, reach_m)


def from_landuse(
    landuse: gpd.GeoDataFrame,
    *,
    distance_m: float = 50.0,
    min_area_m2: float = 20_000.0,
    hole_m2: float = HOLE_M2,
    bridge_m: float = BRIDGE_M,
    areas: gpd.GeoDataFrame | None = None,
    places: gpd.GeoDataFrame | None = None,
    reach_m: float = REACH_M,
    progress: Progress = silent,
) -> NaturalVillages:
    """Natural villages from residential land-use polygons: those up to `distance_m` apart are one village.

    As `natural_villages`, with a least size of ground instead of a least number of buildings; the ground that counts is
    that of the polygons themselves.

    Parameters
    ----------
    landuse
        Polygons of residential land, chosen by the caller; null and empty ones belong to no village.
    min_area_m2
        Least ground of a village's polygons together, in square metres of the plane.
    distance_m, hole_m2, bridge_m, areas, places, reach_m, progress
        As in `natural_villages`.

    Examples
    --------
    >>> from gridgis import toy
    >>> found = from_landuse(toy.grids().loc[["G1", "G3"]], distance_m=50, areas=toy.areas().iloc[1:])
    >>> found.villages["name"].tolist(), found.membership.tolist()
    (['West 1', 'East 1'], ['420000100201001', '420000100202001'])
    """
    _check(distance_m=distance_m, min_area_m2=min_area_m2)
    shapes, at = _solid(landuse)
    label = clusters(shapes, distance_m=distance_m)
    chosen = np.flatnonzero(np.bincount(label, shapely.area(shapes)) >= min_area_m2)
    polygons = outlines(shapes, label, chosen, Outline(distance_m, hole_m2, bridge_m), progress=progress)
    place = np.full(int(label.max(initial=-1)) + 1, -1, dtype=np.intp)
    place[chosen] = np.arange(len(chosen))
    owner = np.full(len(landuse), -1, dtype=np.intp)
    owner[at] = place[label]
    more: dict[str, object] = {"buildings": pd.array([None] * len(chosen), dtype="Int64")}
    return _settle(landuse, owner, polygons, more, areas, places, reach_m)


def from_raster(
    raster: Raster,
    template: gpd.GeoDataFrame,
    *,
    threshold: float,
    min_area_m2: float = 20_000.0,
    distance_m: float = 50.0,
    places: gpd.GeoDataFrame | None = None,
    counts: bool = True,
    progress: Progress = silent,
) -> NaturalVillages:
    """Natural villages from a settlement or population raster: pixels from a threshold on, joined by side or corner.

    Parameters
    ----------
    raster
        People per pixel, or any measure of settlement (built-up share, lights).
    template
        Areas of the town (index: code; `name`), in the CRS to answer in; pixels outside their bounds are left out.
    threshold
        Least value of a settled pixel.
    min_area_m2
        Least ground of a village, in square metres.
    distance_m
        Patches up to this far apart are one village.
    counts
        Whether pixel values are people, to be added up as `population`.
    places, progress
        As in `natural_villages`.

    Examples
    --------
    >>> from gridgis import toy
    >>> import pyproj
    >>> x, y = toy.ORIGIN
    >>> values = np.zeros((3, 4))
    >>> values[1, :2] = 30.0
    >>> pixels = Raster(values, (x, y, x + 400, y + 300), pyproj.CRS(toy.CRS))
    >>> found = from_raster(pixels, toy.areas().iloc[1:], threshold=10, min_area_m2=10_000)
    >>> found.villages[["name", "population"]].to_dict("split")["data"]
    [['West 1', 60.0]]
    """
    crs = require_metric(template)
    _check(distance_m=distance_m, min_area_m2=min_area_m2)
    settled = (np.nan_to_num(raster.counts, nan=-np.inf) >= threshold).astype(np.uint8)
    west, south, east, north = raster.bounds
    rows, columns = settled.shape
    transform = Affine((east - west) / columns, 0, west, 0, (south - north) / rows, north)
    patches = [
        shapely.geometry.shape(patch)
        for patch, _ in rasterio.features.shapes(settled, mask=settled == 1, connectivity=8, transform=transform)
    ]
    frame = gpd.GeoDataFrame(geometry=gpd.GeoSeries(patches, crs=raster.crs).to_crs(crs))
    box = shapely.box(*template.total_bounds)
    frame = frame[frame.intersects(box)].reset_index(drop=True)
    found = from_landuse(
        frame, distance_m=distance_m, min_area_m2=min_area_m2, areas=template, places=places, progress=progress
    )  # fmt: skip
    if not counts or len(found.villages) == 0:
        return found
    people = zonal_sum(raster, found.villages.geometry).round(6)
    return NaturalVillages(found.villages.assign(population=people), found.membership, found.scattered)


def _check(**given: float) -> None:
    for name, value in given.items():
        if not np.isfinite(value) or value < (1 if name == "min_buildings" else 0):
            raise DataError("villages.bad_option", option=name, value=value)


def _solid(frame: gpd.GeoDataFrame) -> tuple[Shapes, Ints]:
    """Valid flat shapes in an order of their own (by place), and the row each came from."""
    require_metric(frame)
    shapes = np.asarray(frame.geometry.array, dtype=object).copy()
    shapes[shapely.is_missing(shapes)] = shapely.Polygon()
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        # a footprint that collapses to a line still marks a building
        shapes[broken] = shapely.make_valid(shapes[broken])
    at = np.flatnonzero(~shapely.is_empty(shapes))
    box = shapely.bounds(shapes[at])
    order = np.lexsort((shapely.area(shapes[at]), box[:, 3], box[:, 2], box[:, 1], box[:, 0]))
    return shapely.force_2d(shapes[at[order]]), at[order]


def _cut_at(polygons: Shapes, area: Ints, areas: gpd.GeoDataFrame) -> Shapes:
    frames = polygonal(np.asarray(areas.geometry.array, dtype=object))[0]
    known = area >= 0
    cut = polygons.copy()
    cut[known] = shapely.intersection(polygons[known], frames[area[known]])
    if not known.all():
        cut[~known] = shapely.difference(polygons[~known], shapely.union_all(frames))
    return polygonal(cut)[0]


def _settle(
    source: gpd.GeoDataFrame, owner: Ints, polygons: Shapes, more: Mapping[str, object], areas: gpd.GeoDataFrame | None,
    places: gpd.GeoDataFrame | None, reach_m: float,
) -> NaturalVillages:  # fmt: skip
    """Rules 4 and 5: areas, numbers and names; then the frames."""
    crs = require_metric(*(frame for frame in (source, areas, places) if frame is not None))
    geometry = gpd.GeoSeries(polygons, crs=crs)
    codes = pd.Series([None] * len(geometry), index=geometry.index, dtype=object)
    names = codes.copy()
    if areas is not None and len(areas) and len(geometry):
        home = home_areas(building_points(source), owner, len(geometry), areas)
        known = home >= 0
        codes[known] = areas.index.astype(str).to_numpy()[home[known]]
        names[known] = areas["name"].to_numpy()[home[known]]
    number = numbered(codes, geometry)
    told = [made_name(name, count) for name, count in zip(names, number["number"], strict=True)]
    name = pd.Series(told, index=geometry.index, dtype=object)
    if places is not None and len(places):
        found = place_names(geometry, places, reach_m=reach_m)
        name = found.where(found.notna(), name)
    columns = {"code": number["code"], "name": name, "area_code": codes, **more, "area_m2": areas_m2(polygons, crs)}
    villages = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs).set_index("code")
    membership = pd.Series([None] * len(source), index=source.index, name="village", dtype=object)
    belongs = owner >= 0
    membership[belongs] = number["code"].to_numpy()[owner[belongs]]
    placed = ~(source.geometry.isna() | source.geometry.is_empty).to_numpy()
    return NaturalVillages(villages.sort_index(), membership, source[~belongs & placed])
