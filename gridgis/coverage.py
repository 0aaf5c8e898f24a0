"""How much of a town its grids in operation cover: ground, people, households, natural villages; every figure with its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.apportion import NOWHERE, building_points, locate, memberships
from gridgis.counts import Counts
from gridgis.crs import require_metric
from gridgis.ground import Ground, Shapes, add_up, areas_m2, clip, ground, polygonal
from gridgis.text import round_percent, t

Unit = Literal["m2", "people", "households", "natural_villages", "grids", "stations", "officers"]

# a natural village is covered when more than this share of its buildings (or ground) is
_MORE_THAN: Final = 0.5
# covered ground may pass the total by rounding along common borders, never by more than this share
_ROUNDING: Final = 1e-6
# and ground short of the total by less than this share is all of it
_FULL: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: how much of what is covered, and where both numbers come from."""

    unit: Unit
    """What is counted; areas are square metres of the ellipsoid."""
    covered: float | None = None
    """The numerator; None: the data is missing (never 0 in its place)."""
    total: float | None = None
    """The denominator; None as above."""
    source: str | None = None
    """Message key of where the numbers come from, such as `coverage.source_buildings`."""
    rule: str | None = None
    """Message key of the rule by which a thing counts as covered, where there is a choice."""
    reason: str | None = None
    """Message key of why there is no percentage."""

    @property
    def share(self) -> float | None:
        """Covered over total, 0–1, unrounded; None where a part is missing or the total is 0."""
        if self.covered is None or self.total is None or self.total == 0:
            return None
        return self.covered / self.total

    def to_json(self) -> dict[str, object]:
        """The measure as the contract writes it; whole counts as whole numbers, texts in English next to their keys."""
        share = self.share
        told: dict[str, object] = {
            "covered": _plain(self.covered, self.unit),
            "total": _plain(self.total, self.unit),
            "unit": self.unit,
            "percent": None if share is None else round_percent(share),
            "share": share,
        }
        for name, key in (("source", self.source), ("rule", self.rule), ("reason", self.reason)):
            if key is not None:
                told[name] = t(key, "en")
                told[f"{name}_key"] = key
        return told


@dataclass(frozen=True, slots=True)
class Coverage:
    """The figures of every zone, and the ground they were measured on."""

    figures: Mapping[object, Mapping[str, Measure]]
    """By index value of the zone, then by measure: `area`, `population`, `households`, `natural_villages`."""
    ground: Ground
    """The covered ground, with the overlaps, excesses and repairs found."""

    def table(self) -> pd.DataFrame:
        """All figures as rows: `zone`, `measure`, `covered`, `total`, `unit`, `share`, `source`, `reason`."""
        rows = [
            (zone, name, one.covered, one.total, one.unit, one.share, one.source, one.reason)
            for zone, measures in self.figures.items()
            for name, one in measures.items()
        ]
        columns = ["zone", "measure", "covered", "total", "unit", "share", "source", "reason"]
        return pd.DataFrame(rows, columns=columns)


def coverage(
    total: gpd.GeoDataFrame,
    grids: gpd.GeoDataFrame | Ground,
    *,
    population: Counts | None = None,
    households: Counts | None = None,
    natural_villages: gpd.GeoDataFrame | None = None,
    buildings: gpd.GeoDataFrame | None = None,
) -> Coverage:
    """The share of every zone that lies in grids: of its ground, people, households and natural villages.

    1. Covered ground is the union of the grids inside the zone: what lies in two grids counts once, what lies outside
       counts for nothing; both are reported in `ground`. Broken grids are repaired first.
    2. Areas are on the ellipsoid (as PostGIS's `geography`), in m².
    3. People and households are those of `population` and `households` that live on the covered ground, over those that
       live in the zone: numerator and denominator come from the same source.
    4. A natural village belongs to the zone its inner point lies in; it is covered when more than half of its buildings
       lie on covered ground, or more than half of its ground where it has no buildings in `buildings`.

    Parameters
    ----------
    total
        Zones, each answered for itself; shapes that belong together (a town of several parts) are one row.
    grids
        The grids in operation, or their ground if it is at hand.
    population, households
        Where people and households are (`gridgis.counts`); None: unknown, and said so.
    natural_villages
        Polygons; None or empty: unknown.
    buildings
        For rule 4; None: by area.

    Returns
    -------
    Coverage

    Raises
    ------
    CrsError
        If a CRS is missing, they differ, or it cannot measure.

    Examples
    --------
    >>> from gridgis import counts, toy
    >>> opened = toy.grids().loc[["G1", "G2"]]
    >>> people = counts.from_buildings(toy.buildings(), "population")
    >>> answer = coverage(toy.areas(), opened, population=people).figures[toy.TOWN]
    >>> round(answer["area"].share, 6), answer["population"].covered, answer["population"].total
    (0.625, 18.0, 36.0)
    >>> answer["households"].to_json()["reason_key"]
    'coverage.no_households'
    """
    require_metric(*(frame for frame in (total, natural_villages, buildings) if frame is not None))
    covered = grids if isinstance(grids, Ground) else ground(grids, within=total)
    require_metric(total, covered.pieces)
    zones, _ = polygonal(np.asarray(total.geometry.array, dtype=object))
    figures: dict[str, list[Measure]] = {"area": _area(zones, covered)}
    figures["population"] = _count(zones, covered, population, "people", "coverage.no_population")
    figures["households"] = _count(zones, covered, households, "households", "coverage.no_households")
    if natural_villages is None or len(natural_villages) == 0:
        figures["natural_villages"] = [Measure("natural_villages", reason="coverage.no_natural_villages")] * len(zones)
    else:
        status = villages_covered(natural_villages, covered, buildings=buildings)
        figures["natural_villages"] = _villages(zones, natural_villages, status)
    return Coverage(
        {zone: {name: column[at] for name, column in figures.items()} for at, zone in enumerate(total.index)}, covered
    )


def villages_covered(villages: gpd.GeoDataFrame, covered: Ground, *, buildings: gpd.GeoDataFrame | None = None) -> pd.DataFrame:
    """Which natural villages lie in the grids: more than half of their buildings, else of their ground.

    Parameters
    ----------
    villages
        Polygons.
    covered
        The ground of the grids in operation.
    buildings
        Each counts by a point inside it. None: the rule is the ground for every village.

    Returns
    -------
    DataFrame
        On the index of `villages`: `covered` (bool), `share` (0–1), `rule` (`buildings` or `ground`).

    Examples
    --------
    >>> from gridgis import toy
    >>> opened = ground(toy.grids().loc[["G1", "G2"]])
    >>> villages_covered(toy.grids(), opened, buildings=toy.buildings())["covered"].to_dict()
    {'G1': True, 'G2': True, 'G3': False}
    """
    shapes, _ = polygonal(np.asarray(villages.geometry.array, dtype=object))
    pieces = np.asarray(covered.pieces.array, dtype=object)
    of, _, part, _ = clip(pieces, shapes)
    area = shapely.area(shapes)
    shares = np.divide(add_up(of, shapely.area(part), len(shapes)), area, out=np.zeros(len(shapes)), where=area > 0)
    rule = np.full(len(shapes), "ground", dtype=object)
    if buildings is not None and len(buildings):
        points = building_points(buildings)
        home = locate(points, shapes)
        inside = np.flatnonzero(home != NOWHERE)
        all_of_it = np.bincount(home[inside], minlength=len(shapes))
        running = inside[locate(points[inside], pieces) != NOWHERE]
        built = all_of_it > 0
        rule[built] = "buildings"
        shares[built] = np.bincount(home[running], minlength=len(shapes))[built] / all_of_it[built]
    shares = np.minimum(shares, 1.0)
    return pd.DataFrame({"covered": shares > _MORE_THAN, "share": shares, "rule": rule}, index=villages.index)


def _area(zones: Shapes, covered: Ground) -> list[Measure]:
    pieces = np.asarray(covered.pieces.array, dtype=object)
    zone, piece, part, whole = clip(pieces, zones)
    area = np.zeros(len(part))
    once, back = np.unique(piece[whole], return_inverse=True)
    area[whole] = areas_m2(pieces[once], covered.crs)[back]
    area[~whole] = areas_m2(part[~whole], covered.crs)
    total = areas_m2(zones, covered.crs)
    inside = add_up(zone, area, len(zones))
    full = (inside > total * (1 - _FULL)) & (inside <= total * (1 + _ROUNDING))
    inside[full] = total[full]
    return [_measured("m2", a, b, "coverage.source_geometry") for a, b in zip(inside, total, strict=True)]


def _count(zones: Shapes, covered: Ground, known: Counts | None, unit: Unit, missing: str) -> list[Measure]:
    if known is None:
        return [Measure(unit, reason=missing)] * len(zones)
    source = f"coverage.source_{known.source}"
    return [_measured(unit, a, b, source) for a, b in zip(*known.within(zones, covered), strict=True)]


def _villages(zones: Shapes, villages: gpd.GeoDataFrame, status: pd.DataFrame) -> list[Measure]:
    village, zone = memberships(building_points(villages), zones)
    total = add_up(zone, np.ones(len(zone)), len(zones))
    running = add_up(zone, status["covered"].to_numpy(dtype=float)[village], len(zones))
    kinds = set(status["rule"])
    rule = f"coverage.rule_{'mixed' if len(kinds) > 1 else kinds.pop()}"
    return [
        _measured("natural_villages", a, b, "coverage.source_natural_villages", rule) for a, b in zip(running, total, strict=True)
    ]


def _measured(unit: Unit, covered: float, total: float, source: str, rule: str | None = None) -> Measure:
    reason = "coverage.nothing_to_cover" if total == 0 else None
    return Measure(unit, float(covered), float(total), source, rule, reason)


def _plain(value: float | None, unit: Unit) -> float | int | None:
    if value is None:
        return None
    return int(value) if unit != "m2" and float(value).is_integer() else float(value)
