"""Random territories that fit together, for property tests: with holes, exclaves, specks, and borders on lattice lines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from hypothesis import strategies as st

from gridgis.topology import segments

SIDE = 700.0


@st.composite
def territories(draw: st.DrawFn) -> np.ndarray:
    """Up to six polygons or multipolygons in a square of 700 m with an origin of large coordinates; some ground is nobody's."""
    mosaic = draw(st.sampled_from([_voronoi, _bricks]))(draw)
    count = draw(st.integers(1, 6))
    owners = np.array(draw(st.lists(st.integers(-1 if count > 1 else 0, count - 1), min_size=len(mosaic), max_size=len(mosaic))))
    groups = [mosaic[owners == owner] for owner in range(count)]
    shapes = [shapely.coverage_union_all(group) for group in groups if len(group)]
    if not shapes:
        shapes = [mosaic[0]]
    fitting = shapely.coverage_clean(np.array(shapes))
    offset = np.array(draw(st.sampled_from([(0.0, 0.0), (500_000.0, 3_366_000.0), (437_417.25, 4_420_130.0)])))
    return shapely.transform(fitting[~shapely.is_empty(fitting)], lambda xy: xy + offset)


def _voronoi(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = shapely.MultiPoint(rng.random((draw(st.integers(3, 25)), 2)) * SIDE)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, SIDE, SIDE)))
    cells = shapely.intersection(cells, shapely.box(0, 0, SIDE, SIDE))
    return cells[shapely.area(cells) > 0]


def _bricks(draw: st.DrawFn) -> np.ndarray:
    step = draw(st.sampled_from([25, 50, 100]))  # many borders lie on lattice lines of 100 m, corners on its corners
    lines = [sorted({0, int(SIDE), *draw(st.lists(st.integers(1, int(SIDE) // step - 1), max_size=6))}) for _ in "xy"]
    x, y = ([value * step if 0 < value < SIDE else value for value in axis] for axis in lines)
    return np.array([shapely.box(a, c, b, d) for a, b in pairwise(x) for c, d in pairwise(y)])


def assert_noded(shapes: np.ndarray) -> None:
    """Polygons meet: none overlaps another, and no vertex of one lies inside an edge of another."""
    total = shapely.area(shapes).sum()
    union = shapely.area(shapely.union_all(shapes))
    assert abs(total - union) < 1e-4, f"{total - union} m² overlap"
    edges = np.unique(segments(shapes).ends, axis=0)
    lines = shapely.linestrings(edges.reshape(-1, 2, 2))
    corners = np.unique(edges.reshape(-1, 2), axis=0)
    corner, line = shapely.STRtree(lines).query(shapely.points(corners), predicate="dwithin", distance=1e-7)
    ends = edges[line].reshape(-1, 2, 2)
    distance = np.linalg.norm(ends - corners[corner][:, None, :], axis=2).min(axis=1)
    assert not (distance > 1e-5).any(), f"vertices inside edges: {corners[corner[distance > 1e-5]][:3]}"
