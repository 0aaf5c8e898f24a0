"""Joining small pieces: the rule written down once more, slowly, with shapely's intersections, gives the same groups."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings

from gridgis.cutting import cut
from gridgis.lattice import Lattice
from gridgis.merging import join_small, shapes_of, union_groups
from tests.core.territories import territories


def slow_groups(shapes: np.ndarray, owner: np.ndarray, cell_m2: float) -> list[int]:
    """The rule of `join_small`, step by step, on unions of shapes."""
    group = list(range(len(shapes)))
    now = dict(enumerate(shapes))
    stuck: set[int] = set()
    while True:
        small = [at for at, shape in now.items() if shape.area < cell_m2 / 2 - 1e-3 and at not in stuck]
        if not small:
            return group
        at = min(small, key=lambda i: (round(now[i].area, 3), i))
        borders = {i: shapely.length(now[i].intersection(now[at])) for i in now if i != at and owner[i] == owner[at]}
        borders = {i: round(metres, 6) for i, metres in borders.items() if metres > 1e-6}
        if not borders:
            stuck.add(at)
            continue
        total = {i: now[i].area + now[at].area for i in borders}
        best = min(borders, key=lambda i: (total[i] > 1.5 * cell_m2 + 1e-3, -borders[i], i))
        now[best] = shapely.coverage_union(now[best], now.pop(at))
        group = [best if root == at else root for root in group]


@settings(max_examples=25, deadline=None)
@given(territories())
def test_groups_are_those_of_the_rule_step_by_step(shapes: np.ndarray) -> None:
    lattice = Lattice.covering(shapely.total_bounds(shapes).tolist(), 100, 4547)
    pieces = cut(shapes, lattice)
    parts = shapes_of(pieces, lattice)
    group = join_small(pieces, lattice)
    assert group.tolist() == slow_groups(parts, pieces.owner, 1e4)
    united = union_groups(parts, group)
    assert (shapely.is_missing(united) == (group != np.arange(len(group)))).all()
    for at in np.flatnonzero(~shapely.is_missing(united)):
        assert shapely.area(shapely.symmetric_difference(united[at], shapely.union_all(parts[group == at]))) < 1e-6
