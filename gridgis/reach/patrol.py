"""The shortest daily patrol round of each grid: one closed walk over all its streets, with a proof how short it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.progress import Progress, silent
from gridgis.reach.extra import least_extra
from gridgis.reach.network import Ints, Network
from gridgis.reach.streets import BORDER_M, divide
from gridgis.reach.surroundings import Ways, connected, prepared, surroundings
from gridgis.reach.times import SPEED_KMH, metres_per_second
from gridgis.reach.walks import closed_walk, line_of

# a millimetre in ten kilometres is rounding alone
_ROUNDING: Final = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """The round of every grid."""

    frame: pd.DataFrame
    """Index = code: `streets_m` of the grid, `round_m` walked, `repeated_m` of it beyond the streets, `bound_m` that no round
    undercuts, `gap` (share of the round above the bound), `exact` (no round is shorter), `pieces` the streets hang in, `walks`
    (1; more where no street joins the pieces; 0 without streets), `hours`."""
    routes: gpd.GeoSeries
    """Index = code: LineString that ends where it begins (MultiLineString for several walks), null without streets."""
    streets: Network
    """The network, cut at the grids' borders."""
    owner: Ints
    """Shape (m,): position of each edge's grid, −1 for none."""
    walks: Mapping[object, tuple[Ints, ...]]
    """Code → its walks: positions + 1 of edges of `streets` in order, negative where walked against their line."""


def patrol_rounds(
    network: Network,
    grids: gpd.GeoDataFrame | gpd.GeoSeries,
    *,
    exact_up_to: int = 200,
    speed_kmh: float = SPEED_KMH,
    border_m: float = BORDER_M,
    progress: Progress = silent,
) -> Rounds:
    """The shortest closed walk over all streets of each grid.

    1. Streets are cut at borders; each stretch belongs to one grid, as in `streets.street_metres`.
    2. An officer may walk through any street, also of other grids and outside; so pieces that do not touch inside the grid are
       joined by the shortest ways there are (rural postman). Pieces no street joins have a walk each.
    3. The least extra walking is `extra.least_extra`'s: proved to be the least, or with a bound and the gap to it.

    Parameters
    ----------
    network
        From `walk_network`; around the grids as well, where officers may walk there.
    grids
        Polygons in its CRS, indexed by code.
    exact_up_to
        Dead ends and other odd crossings of a grid up to which no effort is spared to prove the shortest round.
    speed_kmh
        For `hours`.
    border_m
        As for `streets.street_metres`.
    progress
        Told of grids done.

    Raises
    ------
    CrsError, DataError
        If the CRS differ, or the speed is none.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> lines = [[(x, y + 50), (x + 150, y + 50)], [(x + 100, y + 50), (x + 100, y + 150)]]
    >>> streets = gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=toy.CRS)
    >>> rounds = patrol_rounds(walk_network(streets, join_m=1), toy.grids())
    >>> rounds.frame[["streets_m", "round_m", "repeated_m", "pieces"]].loc["G1"].tolist()
    [250.0, 500.0, 250.0, 1.0]
    """
    pace = metres_per_second(speed_kmh)
    streets, owner = divide(network, grids, border_m=border_m)
    ways = prepared(streets)
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(grids) + 1))
    rows: list[dict[str, Any]] = []
    walks: dict[object, tuple[Ints, ...]] = {}
    for k, code in enumerate(grids.index):
        tick = partial(progress, "reach.stage_rounds", k, len(grids))
        row, walks[code] = _round(ways, order[starts[k] : starts[k + 1]], exact_up_to, tick)
        rows.append(row)
    progress("reach.stage_rounds", len(grids), len(grids))
    frame = pd.DataFrame(rows, index=grids.index, columns=list(_round(ways, order[:0], 0, lambda: None)[0]))
    frame = frame.astype({"exact": bool, "pieces": int, "walks": int})
    frame["hours"] = frame["round_m"] / pace / 3600
    lines = np.array([_route(streets, some) for some in walks.values()], dtype=object)
    return Rounds(frame, gpd.GeoSeries(lines, index=grids.index, crs=network.crs, name="route"), streets, owner, walks)


def _round(ways: Ways, mine: Ints, exact_up_to: int, tick: Callable[[], None]) -> tuple[dict[str, Any], tuple[Ints, ...]]:
    network = ways.network
    part = network.component[network.u[mine]]
    streets = float(network.length_m[mine].sum())
    bound = length = streets
    walks: list[Ints] = []
    for one in np.unique(part):
        some = mine[part == one]
        around = surroundings(ways, some)
        extra = least_extra(around, exact_up_to=exact_up_to, tick=tick)
        bound += extra.bound_m
        length += float(around.length_m @ extra.times)
        walks.append(closed_walk(network, np.r_[some, np.repeat(around.way_edge, extra.times)]))
    ends = np.column_stack([network.u[mine], network.v[mine]])
    hanging = connected(len(network.xy), ends)[ends[:, 0]]
    gap = max(length - bound, 0.0) / length if length else 0.0
    exact = gap <= _ROUNDING
    row = {
        "streets_m": streets,
        "round_m": length,
        "repeated_m": length - streets,
        "bound_m": length if exact else bound,
        "gap": 0.0 if exact else gap,
        "exact": exact,
        "pieces": len(np.unique(hanging)),
        "walks": len(walks),
    }
    return row, tuple(walks)


def _route(streets: Network, walks: tuple[Ints, ...]) -> shapely.Geometry | None:
    lines = [line_of(streets, walk) for walk in walks]
    if len(lines) < 2:
        return lines[0] if lines else None
    return shapely.MultiLineString(lines)
