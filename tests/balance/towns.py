"""Random towns for the tests of balanced grids, and judges that share no code with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely

from gridgis.balance import Units

CRS = "EPSG:4547"


def town(side: int, *, seed: int, merged: float = 0.3, gone: float = 0.0, villages: int = 1, top: int = 9) -> gpd.GeoDataFrame:
    """Cells of a lattice of 100 m, some grown together, some left out: polygons that meet with the same vertices.

    Columns `households` (0 to `top`), `village` (strips from west to east).
    """
    rng = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(side * side), side)
    boxes = shapely.box(column * 100.0, row * 100.0, column * 100.0 + 100, row * 100.0 + 100)
    village = column * villages // side
    leader = np.arange(side * side)
    for at in np.flatnonzero(rng.random(side * side) < merged):
        for other in (at + 1, at + side):
            same_row = other < side * side and (other == at + side or row[other] == row[at])
            if same_row and village[other] == village[at] and rng.random() < 0.5:
                leader[leader == leader[other]] = leader[at]
    kept = rng.random(side * side) >= gone
    kept[rng.integers(side * side)] = True
    groups = [np.flatnonzero((leader == number) & kept) for number in np.unique(leader[kept])]
    shapes = [shapely.coverage_union_all(boxes[members]) for members in groups]
    households = rng.integers(0, top + 1, len(groups))
    return gpd.GeoDataFrame(
        {"households": households.astype(float), "village": [f"v{village[members[0]]}" for members in groups]},
        geometry=shapes,
        index=pd.Index([f"u{number:03d}" for number in range(len(groups))], name="code"),
        crs=CRS,
    )


def graph(units: Units, *, mix: bool = False) -> nx.Graph:
    """Units and the borders across which grids may hang together, by index value."""
    made = nx.Graph()
    made.add_nodes_from(units.index)
    for at, (left, right) in enumerate(zip(units.pairs["left"], units.pairs["right"], strict=True)):
        if not units.barriers[at] and (mix or units.groups[left] == units.groups[right]):
            made.add_edge(units.index[left], units.index[right])
    return made


def holds_together(units: Units, assignment: pd.Series, *, mix: bool = False) -> bool:
    """Whether every grid is connected, as networkx sees it."""
    whole = graph(units, mix=mix)
    return all(nx.is_connected(whole.subgraph(members)) for members in assignment.groupby(assignment).groups.values())


def every_partition(links: nx.Graph, k: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All partitions of a graph of nodes 0 … n − 1 into k connected parts, by trying everything."""
    n = links.number_of_nodes()

    @cache
    def connected(members: tuple[int, ...]) -> bool:
        return nx.is_connected(links.subgraph(members))

    for tail in product(range(k), repeat=n - 1):
        label = (0, *tail)
        firsts = list(dict.fromkeys(label))
        if firsts != list(range(k)):  # each partition once: labels by first appearance
            continue
        parts = tuple(tuple(i for i in range(n) if label[i] == part) for part in range(k))
        if all(connected(part) for part in parts):
            yield parts


def loads(parts: tuple[tuple[int, ...], ...], weight: Mapping[int, float] | np.ndarray) -> list[float]:
    return [float(sum(weight[i] for i in part)) for part in parts]
