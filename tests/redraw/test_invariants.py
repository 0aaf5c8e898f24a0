"""Every rule of a partition, broken once by hand."""

from __future__ import annotations

import pytest
import shapely

from gridgis import toy
from gridgis.redraw.invariants import RULES, broken
from gridgis.redraw.partition import Partition, partition_of
from gridgis.text import LANGS

X, Y = toy.ORIGIN


def box(left: float, bottom: float, right: float, top: float) -> shapely.Polygon:
    return shapely.box(X + left, Y + bottom, X + right, Y + top)


def town() -> Partition:
    return partition_of(toy.grids(), area=toy.TOWN)


def without_g2() -> Partition:
    """G2's 100 m x 300 m are free ground."""
    whole = town()
    return whole.with_ground({"G2": None}, free=[whole.shape("G2")], outline=whole.outline)


def torn() -> Partition:
    """G2 in two parts with free ground between; all borders have a vertex every hundred metres at most."""
    dense = toy.grids()
    dense["geometry"] = shapely.segmentize(dense.geometry.to_numpy(), 100.0)
    whole = partition_of(dense, area=toy.TOWN)
    two = shapely.MultiPolygon([box(150, 0, 250, 100), box(150, 200, 250, 300)])
    return whole.with_ground({"G2": two}, free=[box(150, 100, 250, 200)], outline=whole.outline)


def bent() -> Partition:
    """The outline, and G3 with it, runs out by a metre at a new vertex; everything still fits."""
    out = shapely.Polygon([(X + 250, Y), (X + 400, Y), (X + 401, Y + 150), (X + 400, Y + 300), (X + 250, Y + 300)])
    whole = town().with_ground({"G3": out})
    return whole.with_ground({}, outline=shapely.coverage_union_all(whole.shapes))


def sliver() -> Partition:
    """Of G2 a strip of 300 m × 0.5 m stays beside G1, the rest between is G3's."""
    g2 = shapely.MultiPolygon([box(150, 0, 150.5, 300), box(200, 0, 250, 300)])
    g3 = shapely.MultiPolygon([box(150.5, 0, 200, 300), box(250, 0, 400, 300)])
    shapes = town().frame()
    shapes.loc[["G2", "G3"], "geometry"] = [g2, g3]
    return partition_of(shapes, area=toy.TOWN)


def crack() -> Partition:
    """G2 is gone: G3 has its ground, but for a strip of 300 m × 0.5 m beside G1."""
    shapes = town().frame().drop("G2")
    shapes.loc["G3", "geometry"] = box(150.5, 0, 400, 300)
    return partition_of(shapes, area=toy.TOWN, free=[box(150, 0, 150.5, 300)])


BOWTIE = shapely.Polygon([(X + 150, Y), (X + 250, Y + 300), (X + 250, Y), (X + 150, Y + 300)])
CASES = {
    "void_code": (town, {"void": {"G2"}}, ("G2",), None),
    "invalid": (lambda: town().with_ground({"G2": BOWTIE}), {}, ("G2",), None),
    "torn": (torn, {}, ("G2",), None),
    "overlap": (lambda: town().with_ground({"G2": box(140, 0, 250, 300)}), {}, ("G1", "G2"), 3000.0),
    "gap": (lambda: town().with_ground({"G2": box(160, 0, 250, 300)}), {}, (), 3000.0),
    "outside": (lambda: town().with_ground({"G3": box(250, 0, 410, 300)}), {}, ("G3",), 3000.0),
    "uncovered": (without_g2, {"before": town()}, (), 30000.0),
    "sliver": (sliver, {"before": town(), "exclaves": True}, ("G2",), 150.0),
    "crack": (crack, {"before": town(), "freed": ("G2",)}, (), 150.0),
    "outline": (bent, {"before": town()}, (), 150.0),
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_a_broken_rule_is_told_with_grids_ground_and_place(rule: str) -> None:
    make, options, codes, m2 = CASES[rule]
    found = broken(make(), **options)
    told = {one.rule: one for one in found}
    assert rule in told, [one.rule for one in found]
    assert set(codes) <= set(told[rule].codes) | {""}
    if m2 is not None:
        assert told[rule].facts["m2"] == pytest.approx(m2, rel=1e-6)
    for lang in LANGS:
        assert told[rule].message(lang)


def test_the_town_and_what_is_allowed_keep_every_rule() -> None:
    assert broken(town(), before=town()) == ()
    assert broken(without_g2(), before=town(), freed={"G2"}) == ()
    assert broken(torn(), exclaves=True) == ()


def test_a_neighbour_that_lacks_a_vertex_is_unmatched() -> None:
    ring = [(X + 150, Y), (X + 250, Y), (X + 250, Y + 300), (X + 150, Y + 300), (X + 150, Y + 100)]
    found = broken(town().with_ground({"G2": shapely.Polygon(ring)}))
    assert [one.rule for one in found] == ["unmatched"]


def test_two_grids_of_one_code_are_told() -> None:
    whole = town()
    twice = Partition(
        area=whole.area,
        crs=whole.crs,
        outline=whole.outline,
        codes=("G1", "G1", "G3"),
        shapes=whole.shapes,
        free=whole.free,
        attributes=whole.attributes,
    )
    assert [one.rule for one in broken(twice)] == ["codes"]


def test_the_cases_cover_the_table_of_rules() -> None:
    finds = {"codes", "unmatched", *CASES}
    assert set(RULES) - {"cover"} <= finds
    assert {"overlap", "gap", "outside", "unmatched"} <= finds  # what `cover` finds
