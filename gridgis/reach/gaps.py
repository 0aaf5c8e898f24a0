"""Who is within reach: shares by area, grid or station, small groups of people withheld, and the gaps as layers."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.crs import require_metric
from gridgis.reach.network import Floats
from gridgis.reach.times import Times

OUTSIDE: Final = ""
"""Label of buildings in none of the zones."""
_COUNTS: Final = ("residents", "residents_within")


def shares(
    times: Times,
    buildings: pd.DataFrame,
    *,
    within_s: float,
    by: pd.Series | None = None,
    inside: pd.Series | None = None,
    suppress_below: int = 5,
) -> pd.DataFrame:
    """Buildings and residents reached within a time, in each zone.

    1. A building is within reach when its time is known and at most `within_s`; one off the network is not.
    2. Residents are those of buildings whose `population` is known.
    3. Figures about people are withheld where the residents, those within reach or those beyond it are some, but fewer than
       `suppress_below`.
    4. So that nobody finds them by subtracting from a total, more zones are withheld, the smallest that help, until those
       withheld together could be shown; each zone of `inside` by itself, unless its own figures are withheld.

    Parameters
    ----------
    times
        From `times.times`, one per building.
    buildings
        One row each; `population` if known.
    within_s
        Seconds.
    by
        Zone of each building, on its index; null: in none. None: all together.
    inside
        Index = zones of `by`: the larger zone each is part of, whose figures are shown as well.
    suppress_below
        Smallest number of people that is shown; 0 or 1 shows all.

    Returns
    -------
    DataFrame
        Index = zones in order, `""` for buildings in none: `buildings`, `buildings_within`, `buildings_share`, `off` (buildings
        off the network), `residents`, `residents_within`, `residents_share` (null where withheld, or no building's population
        is known), `suppressed` (whether people are withheld).

    Examples
    --------
    >>> from gridgis import toy
    >>> found = Times(np.array([60.0] * 7 + [1200.0] * 5), np.zeros(12, int), np.empty(0, int), np.empty(0, int))
    >>> houses = toy.buildings()
    >>> shares(found, houses, within_s=900)[["buildings_within", "residents_within"]].iloc[0].tolist()
    [7.0, 21.0]
    """
    zone = pd.Series("all" if by is None else by, index=buildings.index, dtype=object)
    zone = zone.where(zone.notna(), OUTSIDE)
    known = pd.to_numeric(buildings["population"]) if "population" in buildings else pd.Series(np.nan, index=buildings.index)
    within = times.seconds <= within_s  # rule 1; NaN is not
    off = np.zeros(len(buildings), dtype=bool)
    off[times.off] = True
    rows = pd.DataFrame(
        {
            "buildings": 1,
            "buildings_within": within,
            "off": off,
            "residents": known.to_numpy(),
            "residents_within": known.where(within, np.where(known.isna(), np.nan, 0.0)).to_numpy(),
        }
    )
    grouped = rows.groupby(zone.to_numpy(), sort=True)
    found = grouped[["buildings", "buildings_within", "off"]].sum().astype(int)
    people = grouped[list(_COUNTS)].sum(min_count=1).astype(np.float64)
    order = [*(label for label in found.index if label != OUTSIDE), *(label for label in found.index if label == OUTSIDE)]
    found, people = found.loc[order], people.loc[order]
    larger = pd.Series(OUTSIDE, index=found.index) if inside is None else inside.reindex(found.index).fillna(OUTSIDE)
    hidden = _withheld(people.to_numpy(dtype=np.float64), larger.to_numpy(), suppress_below)
    people[hidden] = np.nan
    return pd.DataFrame(
        {
            "buildings": found["buildings"],
            "buildings_within": found["buildings_within"],
            "buildings_share": found["buildings_within"] / found["buildings"],
            "off": found["off"],
            "residents": people["residents"],
            "residents_within": people["residents_within"],
            "residents_share": people["residents_within"] / people["residents"].where(people["residents"] > 0),
            "suppressed": hidden,
        }
    ).rename_axis(None)


def beyond(times: Times, buildings: gpd.GeoDataFrame, *, within_s: float) -> gpd.GeoDataFrame:
    """Buildings beyond reach as points.

    Parameters
    ----------
    times
        From `times.times`, one per building.
    buildings
        Polygons or points.
    within_s
        Seconds.

    Returns
    -------
    GeoDataFrame
        On the index of those buildings: `minutes` on foot (null where nobody comes on foot), `why`: `far`, `no way` (no street
        leads there from any source) or `off` (too far from every street, or without a place), and a point on each.

    Examples
    --------
    >>> from gridgis import toy
    >>> found = Times(np.array([60.0] * 10 + [1200.0, np.inf]), np.zeros(12, int), np.empty(0, int), np.empty(0, int))
    >>> beyond(found, toy.buildings(), within_s=900)[["minutes", "why"]].values.tolist()
    [[20.0, 'far'], [nan, 'no way']]
    """
    require_metric(buildings)
    seconds = times.seconds
    at = np.flatnonzero(~(seconds <= within_s))
    why = np.where(np.isfinite(seconds[at]), "far", np.where(np.isnan(seconds[at]), "off", "no way"))
    minutes = np.where(np.isfinite(seconds[at]), seconds[at] / 60, np.nan)
    points = shapely.point_on_surface(np.asarray(buildings.geometry.array, dtype=object)[at])
    return gpd.GeoDataFrame({"minutes": minutes, "why": why}, geometry=points, index=buildings.index[at], crs=buildings.crs)


def gap_ground(
    gaps: gpd.GeoDataFrame, zones: gpd.GeoDataFrame | gpd.GeoSeries, zone: pd.Series, *, around_m: float = 30.0
) -> gpd.GeoDataFrame:
    """The ground beyond reach in each zone: what lies around the buildings beyond reach, as one shape.

    Parameters
    ----------
    gaps
        From `beyond`.
    zones
        Polygons in the same CRS.
    zone
        Zone of each building, on the index of `gaps`; those of none are left out.
    around_m
        Metres around each building; within the zone.

    Returns
    -------
    GeoDataFrame
        Index = zones that have a gap, in the order of `zones`: `buildings`, `farthest_min` (minutes of the farthest that is
        known), polygons.

    Examples
    --------
    >>> from gridgis import toy
    >>> found = Times(np.array([60.0] * 10 + [1200.0, 1500.0]), np.zeros(12, int), np.empty(0, int), np.empty(0, int))
    >>> far = beyond(found, toy.buildings(), within_s=900)
    >>> ground = gap_ground(far, toy.grids(), zone=far["why"].map({"far": "G3"}))
    >>> ground[["buildings", "farthest_min"]].to_dict("index")
    {'G3': {'buildings': 2, 'farthest_min': 25.0}}
    """
    require_metric(gaps, zones)
    label = zone.reindex(gaps.index)
    there = zones.index[zones.index.isin(label.dropna().unique()) & zones.geometry.notna().to_numpy()]
    grouped = gaps.assign(zone=label).groupby("zone")
    middle = np.asarray(gaps.geometry.array, dtype=object)
    shapes = []
    for code in there:
        discs = shapely.buffer(middle[grouped.indices[code]], around_m, quad_segs=4)
        shapes.append(shapely.intersection(shapely.union_all(discs), zones.geometry[code]))
    figures = pd.DataFrame({"buildings": grouped.size(), "farthest_min": grouped["minutes"].max()}).reindex(there)
    return gpd.GeoDataFrame(figures, geometry=np.array(shapes, dtype=object), index=there, crs=gaps.crs)


def _withheld(people: Floats, larger: NDArray[np.object_], least: int) -> NDArray[np.bool_]:
    total, within = people.T
    counts = np.column_stack([total, within, total - within])
    hidden = _small(counts, least)
    for label in pd.unique(larger):  # rule 4
        mine = np.flatnonzero((larger == label) & (np.nan_to_num(total) > 0))
        if _small(counts[mine].sum(axis=0, keepdims=True), least)[0]:
            continue  # the larger zone is withheld itself
        by_size = mine[np.argsort(total[mine], kind="stable")]
        while hidden[mine].any() and not hidden[mine].all():
            some = mine[hidden[mine]]
            if len(some) > 1 and not _small(counts[some].sum(axis=0, keepdims=True), least)[0]:
                break
            left = by_size[~hidden[by_size]]
            enough = ~_small(counts[some].sum(axis=0) + counts[left], least)
            hidden[left[enough][0] if enough.any() else left[0]] = True
    return hidden


def _small(counts: Floats, least: int) -> NDArray[np.bool_]:
    """Rule 3, shape (n, 3): any count that is above 0 and below the least that is shown."""
    return np.asarray(((counts > 0) & (counts < least)).any(axis=1), dtype=np.bool_)
