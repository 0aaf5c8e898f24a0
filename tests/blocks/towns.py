"""Random towns for property tests: communities, streets, buildings and water that meet in every unlucky way."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from hypothesis import strategies as st

from tests.core.territories import SIDE, territories

CRS = "EPSG:4547"


@dataclass(frozen=True)
class Town:
    """The layers of one town."""

    areas: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    water: gpd.GeoDataFrame


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Communities within 700 m, up to 25 streets, 60 houses (some on streets, borders and each other) and three waters."""
    shapes = draw(territories())
    origin = np.floor(shapely.total_bounds(shapes)[:2])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ways = [_way(rng) for _ in range(draw(st.integers(0, 25)))]
    step = draw(st.sampled_from([0.0, 50.0]))  # streets of a raster run into each other exactly, and along borders
    if step:
        ways = [shapely.set_precision(way, step) for way in ways]
        ways = [way for way in ways if not way.is_empty]
    houses = [_house(rng) for _ in range(draw(st.integers(0, 60)))]
    ponds = [
        shapely.Point(*(rng.random(2) * SIDE)).buffer(rng.uniform(5, 90), quad_segs=3) for _ in range(draw(st.integers(0, 3)))
    ]
    kinds = ["residential", "primary", "service", "footway", None, "steps", "platform"]

    def frame(geometry: list[shapely.Geometry], **columns: object) -> gpd.GeoDataFrame:
        moved = [shapely.transform(shape, lambda xy: xy + origin) for shape in geometry]
        return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(moved, crs=CRS), crs=CRS)

    codes = [f"4201000012{number:02}" for number in range(1, len(shapes) + 1)]
    return Town(
        areas=gpd.GeoDataFrame(index=codes, geometry=list(shapes), crs=CRS),
        streets=frame(ways, kind=[kinds[int(rng.integers(len(kinds)))] for _ in ways]),
        buildings=frame(houses),
        water=frame(ponds),
    )


def _way(rng: np.random.Generator) -> shapely.LineString:
    start = rng.random(2) * (SIDE + 100) - 50
    if rng.random() < 0.5:  # a long straight one, as streets are
        end = start + rng.choice([[900.0, 0.0], [0.0, 900.0]]) * rng.choice([-1, 1])
        return shapely.LineString([start, end])
    return shapely.LineString(start + np.r_[[[0.0, 0.0]], np.cumsum(rng.normal(0, 80, (int(rng.integers(1, 5)), 2)), axis=0)])


def _house(rng: np.random.Generator) -> shapely.Polygon:
    wide, deep = rng.uniform(4, 60, 2) if rng.random() < 0.8 else rng.uniform(60, 200, 2)
    x, y = rng.random(2) * SIDE
    box = shapely.box(x, y, x + wide, y + deep)
    turned = shapely.affinity.rotate(box, float(rng.choice([0.0, 90.0, rng.uniform(0, 90)])))
    hollow = turned.buffer(-8)
    return turned.difference(hollow) if wide > 30 and deep > 30 and rng.random() < 0.3 and not hollow.is_empty else turned
