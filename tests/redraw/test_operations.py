"""Every operation on squares whose areas can be reckoned by hand: who gets which ground and code, what is refused where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely

from gridgis import toy
from gridgis.redraw.operations import (
    AddVertex,
    Assign,
    Create,
    DeleteVertex,
    Edit,
    Merge,
    MoveVertex,
    Operation,
    Reshape,
    Retire,
    Split,
    apply,
    from_json,
    line_of,
    rings_of,
    to_json,
)
from gridgis.redraw.partition import Partition, partition_of
from gridgis.redraw.refusal import Refused
from gridgis.text import LANGS
from tests.redraw.grounds import (
    at,
    crossroads,
    ground,
    islands,
    judge,
    nested,
    on_millimetres,
    opened,
    pinwheel,
    same_bits,
    town,
    turned,
)


def line(*positions: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Positions by metres from the toy town's corner."""
    return tuple(at(*position) for position in positions)


def box(left: float, bottom: float, right: float, top: float) -> Any:
    """The same as what `Assign` and `Create` take."""
    return rings_of(ground(left, bottom, right, top))


def squares(edit: Edit) -> dict[str, float]:
    """Square metres of every grid, and of ground nobody holds under ""."""
    now = edit.partition
    held = dict(zip(now.codes, shapely.area(now.shapes).round(6).tolist(), strict=True))
    return held if len(now.free) == 0 else {**held, "": round(float(shapely.area(now.free).sum()), 6)}


def roles(edit: Edit) -> dict[str, str]:
    return {code: change.role for code, change in edit.changes.items()}


def lineage(edit: Edit) -> list[tuple[str, str, str]]:
    return [(row.code, row.kind, row.parent) for row in edit.lineage]


def refused(before: Partition, op: Operation, **options: Any) -> Refused:
    """The refusal of an operation: told in both languages, with nothing changed."""
    kept = shapely.to_wkb(before.shapes).tolist()
    with pytest.raises(Refused) as caught:
        apply(before, op, **options)
    assert shapely.to_wkb(before.shapes).tolist() == kept
    for lang in LANGS:
        assert "{" not in caught.value.message(lang)
    return caught.value


def places(error: Refused) -> list[tuple[float, float]]:
    """The spots of a refusal's place, metres from the toy town's corner."""
    return [(round(x - toy.ORIGIN[0], 3), round(y - toy.ORIGIN[1], 3)) for x, y in shapely.get_coordinates(error.place).tolist()]


# --- split -----------------------------------------------------------------------------------------------------------

ACROSS = line((-1, 100), (151, 100))
TWICE = line((-1, 100), (160, 100), (160, 200), (-1, 200))


def test_a_split_keeps_the_code_on_the_larger_part() -> None:
    edit = apply(town(), Split("G1", ACROSS))
    assert squares(edit) == {"G1": 30000.0, "G2": 30000.0, "G3": 45000.0, "G4": 15000.0}
    assert roles(edit) == {"G1": "lost", "G4": "created", "G2": "touched"}
    assert lineage(edit) == [("G4", "split from", "G1")]
    assert edit.partition.attributes.loc["G4", "name"] == "Grid G4"


def test_a_split_keeps_the_code_where_the_station_is_and_before_that_where_the_planner_says() -> None:
    south, north = shapely.Point(at(75, 50)), at(75, 200)
    assert squares(apply(town(), Split("G1", ACROSS), anchors={"G1": south}))["G1"] == 15000.0
    assert squares(apply(town(), Split("G1", ACROSS, keep=north), anchors={"G1": south}))["G1"] == 30000.0
    elsewhere = shapely.Point(at(300, 50))  # a station outside its grid says nothing
    assert squares(apply(town(), Split("G1", ACROSS), anchors={"G1": elsewhere}))["G1"] == 30000.0


def test_new_grids_inherit_what_belongs_to_the_station_but_no_officer() -> None:
    grids = toy.grids().assign(batch="1", population=120)
    edit = apply(partition_of(grids, area=toy.TOWN), Split("G1", ACROSS))
    new = edit.partition.attributes.loc["G4"]
    assert new[["area_code", "station", "batch", "state"]].tolist() == [toy.WEST, "S1", "1", "valid"]
    assert new[["officer", "population"]].isna().all()
    assert edit.partition.attributes.loc["G1", "officer"] == "Li"


def test_parts_of_equal_size_go_by_reading_order() -> None:
    edit = apply(town(), Split("G1", TWICE))
    # three parts of 150 m x 100 m: the northern one keeps the code, the others follow southwards
    tops = {code: edit.partition.shape(code).bounds[3] - toy.ORIGIN[1] for code in ("G1", "G4", "G5")}
    assert tops == {"G1": 300.0, "G4": 200.0, "G5": 100.0}
    assert {code: squares(edit)[code] for code in tops} == {"G1": 15000.0, "G4": 15000.0, "G5": 15000.0}


def test_a_closed_line_cuts_a_grid_out_of_the_middle() -> None:
    edit = apply(town(), Split("G1", line((50, 100), (100, 100), (100, 150), (50, 150), (50, 100))))
    assert squares(edit)["G1"] == 42500.0
    assert squares(edit)["G4"] == 2500.0
    assert len(edit.partition.shape("G1").interiors) == 1
    assert roles(edit) == {"G1": "lost", "G4": "created"}


def test_a_ring_is_split_only_where_the_line_crosses_it_twice() -> None:
    edit = apply(nested(), Split("G1", line((0, 150), (300, 150))))
    assert squares(edit) == {"G1": 40000.0, "G2": 5000.0, "G3": 4100.0, "G4": 40000.0, "": 900.0}
    assert roles(edit) == {"G1": "lost", "G4": "created", "G2": "touched", "G3": "touched"}
    assert refused(nested(), Split("G1", line((0, 150), (100, 150)))).rule == "line_cuts_nothing"


def test_the_exclave_of_a_split_grid_stays_with_its_code() -> None:
    edit = apply(islands(), Split("G2", line((90, 50), (210, 50))))
    assert squares(edit) == {"G1": 20000.0, "G2": 15000.0 + 4000.0, "G3": 6000.0, "G4": 5000.0}


def test_a_line_across_both_parts_of_a_grid_splits_both() -> None:
    edit = apply(islands(), Split("G2", line((90, 50), (345, 50))))
    assert squares(edit) == {"G1": 20000.0, "G2": 15000.0, "G3": 6000.0, "G4": 5000.0, "G5": 2000.0, "G6": 2000.0}


def test_a_line_that_stops_four_centimetres_short_reaches_the_border() -> None:
    edit = apply(town(), Split("G1", line((0.04, 100), (149.96, 100))))
    assert squares(edit)["G1"] == 30000.0
    assert refused(town(), Split("G1", line((0.04, 100), (149.94, 100)))).rule == "line_ends_inside"


SPLITS = {
    "line_misses": line((160, 0), (240, 300)),
    "line_ends_inside": line((-1, 100), (75, 100)),
    "line_cuts_nothing": line((150, 0), (150, 300)),
    "line_crosses_itself": line((-1, 100), (151, 200), (151, 100), (-1, 200)),
    "line_short": line((75, 100), (75, 100)),
    "part_small": line((0.003, -1), (0.003, 301)),
}


@pytest.mark.parametrize("rule", SPLITS)
def test_a_line_that_splits_nothing_is_refused(rule: str) -> None:
    error = refused(town(), Split("G1", SPLITS[rule]))
    assert (error.rule, error.codes) == (rule, ("G1",))
    assert (error.place is None) == (rule == "line_short")


def test_where_a_line_ends_inside_is_told() -> None:
    assert (75.0, 100.0) in places(refused(town(), Split("G1", SPLITS["line_ends_inside"])))


def test_a_point_to_keep_outside_the_grid_and_an_unknown_grid_are_refused() -> None:
    error = refused(town(), Split("G1", ACROSS, keep=at(200, 50)))
    assert (error.rule, places(error)) == ("keep_outside", [(200.0, 50.0)])
    assert refused(town(), Split("G9", ACROSS)).rule == "unknown_grid"


# --- merge -----------------------------------------------------------------------------------------------------------


def test_a_merge_keeps_code_and_attributes_of_the_first() -> None:
    whole = partition_of(toy.grids(), area=toy.TOWN)
    edit = apply(whole, Merge(("G2", "G1")))
    assert squares(edit) == {"G2": 75000.0, "G3": 45000.0}
    assert edit.partition.attributes.loc["G2", "officer"] == "Wang"
    assert roles(edit) == {"G1": "retired", "G2": "gained"}
    assert lineage(edit) == [("G1", "merged into", "G2")]
    assert edit.partition.shape("G2").normalize().equals(ground(0, 0, 250, 300))


def test_grids_are_merged_when_one_leads_to_the_other() -> None:
    assert squares(apply(town(), Merge(("G1", "G3", "G2")))) == {"G1": 120000.0}
    error = refused(town(), Merge(("G1", "G3")))
    assert (error.rule, error.codes, places(error)[0][0]) == ("merge_apart", ("G1", "G3"), 400.0)
    assert squares(apply(town(), Merge(("G1", "G3"), exclaves=True))) == {"G1": 90000.0, "G2": 30000.0}


def test_grids_that_meet_in_a_corner_are_no_neighbours() -> None:
    assert refused(crossroads(), Merge(("G1", "G5"))).rule == "merge_apart"


def test_a_merge_around_a_hole_keeps_the_hole() -> None:
    edit = apply(pinwheel(), Merge(("G1", "G2", "G3", "G4")))
    assert squares(edit) == {"G1": 80000.0}
    assert len(edit.partition.shape("G1").interiors) == 1
    # beside ground nobody holds, likewise
    assert squares(apply(nested(), Merge(("G2", "G3")))) == {"G1": 80000.0, "G2": 9100.0, "": 900.0}


def test_a_merge_of_one_grid_is_refused() -> None:
    assert refused(town(), Merge(("G1", "G1"))).rule == "merge_one"
    assert refused(town(), Merge(("G1", "G9"))).rule == "unknown_grid"


# --- reshape ---------------------------------------------------------------------------------------------------------

ROOF = line((0, 200), (50, 220), (250, 220), (300, 200))


def test_a_border_moves_onto_the_line_there_and_back() -> None:
    # a triangle of 30 m x 100 m goes to G2, then one of the same size to G1
    edit = apply(town(), Reshape(line((150, 50), (120, 100), (150, 150), (180, 200), (150, 250))))
    assert squares(edit) == {"G1": 45000.0, "G2": 30000.0, "G3": 45000.0}
    assert edit.partition.shape("G2").intersection(ground(0, 0, 150, 300)).area == pytest.approx(1500.0, abs=1e-6)
    assert edit.partition.shape("G1").intersection(ground(150, 0, 250, 300)).area == pytest.approx(1500.0, abs=1e-6)
    assert roles(edit) == {"G1": "reshaped", "G2": "reshaped"}


def test_a_line_over_several_grids_moves_all_their_borders() -> None:
    edit = apply(crossroads(), Reshape(ROOF))
    assert squares(edit) == {
        "G1": 10000.0, "G3": 10000.0, "G4": 11500.0, "G5": 12000.0, "G6": 11500.0, "G7": 8500.0, "G8": 8000.0, "G9": 8500.0,
        "": 10000.0,
    }  # fmt: skip
    assert edit.lineage == ()


def test_only_the_grids_named_change() -> None:
    edit = apply(crossroads(), Reshape(ROOF, grids=("G4", "G7")))
    assert {code: m2 for code, m2 in squares(edit).items() if m2 != 10000.0} == {"G4": 11500.0, "G7": 8500.0}


def test_a_line_across_a_whole_grid_hands_the_smaller_part_to_the_longest_border() -> None:
    # 100 m x 50 m of G2's south: 50 m border with G1 and with G3: equal, so the first code
    edit = apply(town(), Reshape(line((145, 50), (255, 50))))
    assert squares(edit) == {"G1": 50000.0, "G2": 25000.0, "G3": 45000.0}
    # the station holds the south: the north goes
    edit = apply(town(), Reshape(line((145, 50), (255, 50))), anchors={"G2": shapely.Point(at(200, 10))})
    assert squares(edit) == {"G1": 70000.0, "G2": 5000.0, "G3": 45000.0}


def test_a_border_with_free_ground_moves_outwards_only() -> None:
    edit = apply(crossroads(), Reshape(line((100, 20), (120, 50), (100, 80))))
    assert (squares(edit)["G1"], squares(edit)[""]) == (10600.0, 9400.0)
    error = refused(crossroads(), Reshape(line((100, 20), (80, 50), (100, 80))))
    assert (error.rule, error.codes, error.place.area) == ("falls_out", ("G1",), 600.0)


@pytest.mark.parametrize("track", [line((20, 20), (130, 200)), line((140, 100), (160, 100)), line((150, 0), (150, 300))])
def test_a_line_that_moves_no_border_is_refused(track: Any) -> None:
    assert refused(town(), Reshape(track)).rule == "line_moves_nothing"


# --- vertices --------------------------------------------------------------------------------------------------------

BENT = at(150, 100)


def bent() -> Partition:
    """The town with a vertex in the middle of the border of G1 and G2."""
    return apply(town(), AddVertex(BENT)).partition


def test_a_vertex_is_added_on_both_sides_and_no_ground_moves() -> None:
    edit = apply(town(), AddVertex(at(150.2, 100)))
    assert squares(edit) == {"G1": 45000.0, "G2": 30000.0, "G3": 45000.0}
    assert all(BENT in edit.partition.shape(code).exterior.coords[:] for code in ("G1", "G2"))
    assert set(edit.changes) == {"G1", "G2"}
    gone = apply(edit.partition, DeleteVertex(BENT)).partition
    assert same_bits(gone, town())


def test_a_vertex_that_is_dragged_while_it_is_added_moves_at_once() -> None:
    assert squares(apply(town(), AddVertex(BENT, to=at(140, 100)))) == {"G1": 43500.0, "G2": 31500.0, "G3": 45000.0}
    assert same_bits(apply(town(), AddVertex(BENT, to=BENT)).partition, bent())


def test_a_vertex_of_two_grids_moves_in_both() -> None:
    edit = apply(bent(), MoveVertex(BENT, at(140, 100)))
    assert squares(edit) == {"G1": 43500.0, "G2": 31500.0, "G3": 45000.0}
    assert same_bits(apply(edit.partition, MoveVertex(at(140, 100), BENT)).partition, bent())


def test_a_vertex_of_three_grids_moves_in_all() -> None:
    edit = apply(nested(), MoveVertex(at(150, 200), at(150, 210)))
    assert squares(edit) == {"G1": 79500.0, "G2": 5250.0, "G3": 4350.0, "": 900.0}


def test_a_vertex_of_four_grids_moves_in_all() -> None:
    edit = apply(crossroads(), MoveVertex(at(200, 200), at(210, 200)))
    assert {code: squares(edit)[code] for code in ("G5", "G6", "G8", "G9")} == {
        "G5": 10500.0, "G6": 9500.0, "G8": 10500.0, "G9": 9500.0,
    }  # fmt: skip


def test_a_vertex_beside_free_ground_moves_into_it_and_not_out_of_it() -> None:
    edit = apply(crossroads(), MoveVertex(at(100, 100), at(100, 90)))
    assert {code: squares(edit)[code] for code in ("G1", "G4", "G5", "")} == {
        "G1": 9500.0, "G4": 10500.0, "G5": 10500.0, "": 9500.0,
    }  # fmt: skip
    error = refused(crossroads(), MoveVertex(at(100, 100), at(100, 110)))
    assert (error.rule, error.values["m2"]) == ("broken_uncovered", 500.0)


def test_a_vertex_dropped_on_another_joins_it() -> None:
    two = apply(bent(), AddVertex(at(150, 200))).partition
    edit = apply(two, MoveVertex(BENT, at(150.03, 200)))
    assert squares(edit)["G1"] == 45000.0
    assert same_bits(edit.partition, apply(town(), AddVertex(at(150, 200))).partition)


def test_a_vertex_of_the_outline_stays() -> None:
    for op in (MoveVertex(at(150, 0), at(160, 0)), DeleteVertex(at(150, 0)), MoveVertex(at(100, 100), at(90, 100))):
        error = refused(pinwheel() if op.at == at(100, 100) else town(), op)
        assert error.rule == "outline_fixed"
        assert error.place.distance(shapely.Point(op.at)) == 0
    assert refused(town(), AddVertex(at(70, 0))).rule == "outline_fixed"


def test_a_border_that_would_cross_another_is_refused_with_the_place() -> None:
    error = refused(bent(), MoveVertex(BENT, at(260, 100)))
    assert error.rule in ("broken_invalid", "broken_overlap")
    assert "G2" in error.codes
    assert error.bounds is not None
    assert shapely.box(*error.bounds).intersects(ground(245, 90, 265, 110))


def test_a_border_within_a_millimetre_of_another_is_refused() -> None:
    assert refused(bent(), MoveVertex(BENT, at(250, 100))).rule in ("too_tight", "broken_invalid")
    assert refused(bent(), MoveVertex(BENT, at(249.999, 100))).rule == "too_tight"
    assert squares(apply(bent(), MoveVertex(BENT, at(249.9, 100))))["G2"] == pytest.approx(30000 - 99.9 * 150, abs=1e-6)


def test_what_is_no_vertex_and_no_border_is_refused() -> None:
    assert refused(town(), MoveVertex(at(75, 100), at(80, 100))).rule == "no_vertex_here"
    assert refused(bent(), MoveVertex(at(150, 100.06), at(80, 100))).rule == "no_vertex_here"
    assert refused(bent(), MoveVertex(BENT, at(150.0001, 100))).rule == "vertex_there"
    assert refused(bent(), AddVertex(at(150, 100))).rule == "vertex_there"
    assert refused(town(), AddVertex(at(149.4, 100))).rule == "no_border_here"
    assert refused(crossroads(), DeleteVertex(at(200, 200))).rule == "vertex_needed"


def test_a_triangle_cannot_lose_a_vertex() -> None:
    inside = apply(town(), Split("G1", line((50, 100), (100, 100), (75, 150), (50, 100)))).partition
    error = refused(inside, DeleteVertex(at(75, 150)))
    assert (error.rule, error.codes) == ("nothing_left", ("G4",))


# --- assign ----------------------------------------------------------------------------------------------------------


def test_a_drawn_polygon_goes_to_a_grid() -> None:
    edit = apply(town(), Assign(box(150, 0, 200, 50), to="G1"))
    assert squares(edit) == {"G1": 47500.0, "G2": 27500.0, "G3": 45000.0}
    assert roles(edit) == {"G1": "gained", "G2": "lost"}
    assert edit.lineage == ()


def test_cells_that_touch_and_overlap_count_once() -> None:
    cells = (*box(150, 0, 180, 50), *box(180, 0, 200, 50), *box(170, 0, 190, 50))
    assert squares(apply(town(), Assign(cells, to="G1"))) == {"G1": 47500.0, "G2": 27500.0, "G3": 45000.0}


def test_ground_of_several_grids_goes_to_one_and_own_ground_stays() -> None:
    edit = apply(town(), Assign(box(100, 0, 300, 50), to="G2"))
    assert squares(edit) == {"G1": 42500.0, "G2": 35000.0, "G3": 42500.0}
    only = apply(town(), Assign(box(100, 0, 300, 50), to="G2", source=("G1",)))
    assert squares(only) == {"G1": 42500.0, "G2": 32500.0, "G3": 45000.0}


def test_only_what_lies_inside_the_area_goes_and_the_rest_is_told() -> None:
    edit = apply(town(), Assign(box(200, -50, 300, 100), to="G2"))
    assert squares(edit) == {"G1": 45000.0, "G2": 35000.0, "G3": 40000.0}
    assert [(note.key, note.values["outside_m2"]) for note in edit.notes] == [("redraw.clipped", 5000.0)]
    assert refused(town(), Assign(box(500, 0, 600, 100), to="G2")).rule == "outside"
    # the hole of an area is outside it
    assert refused(pinwheel(), Assign(box(110, 110, 190, 190), to="G1")).rule == "outside"
    assert squares(apply(pinwheel(), Assign(box(90, 90, 150, 150), to="G1")))["G4"] == 20000.0 - 10 * 50


def test_free_ground_goes_to_a_grid_in_part_or_whole() -> None:
    part = apply(crossroads(), Assign(box(100, 0, 150, 100), to="G1", source=("",)))
    assert (squares(part)["G1"], squares(part)[""]) == (15000.0, 5000.0)
    whole = apply(crossroads(), Assign(box(100, 0, 200, 100), to="G1"))
    assert squares(whole)["G1"] == 20000.0
    assert len(whole.partition.free) == 0
    assert roles(whole) == {"G1": "gained"}


def test_what_is_left_of_free_ground_is_wide_enough_to_be_meant() -> None:
    error = refused(crossroads(), Assign(box(100, 0, 199.7, 100), to="G1", source=("",)))
    assert (error.rule, error.values["m2"]) == ("broken_crack", pytest.approx(30.0))
    assert shapely.symmetric_difference(error.place, ground(199.7, 0, 200, 100)).area < 1e-3


def test_a_whole_grid_is_merged_or_retired_and_never_painted_away() -> None:
    error = refused(town(), Assign(box(140, 0, 260, 300), to="G1"))
    assert (error.rule, error.codes) == ("swallowed", ("G2",))
    assert error.place.equals(ground(150, 0, 250, 300))


def test_ground_that_would_tear_a_grid_needs_leave() -> None:
    across = box(150, 100, 250, 200)
    error = refused(town(), Assign(across, to="G1"))
    assert (error.rule, error.codes, error.place.area) == ("torn", ("G2",), 10000.0)
    edit = apply(town(), Assign(across, to="G1", exclaves=True))
    assert squares(edit) == {"G1": 55000.0, "G2": 20000.0, "G3": 45000.0}
    assert shapely.get_num_geometries(edit.partition.shape("G2")) == 2


def test_ground_apart_from_the_grid_it_goes_to_needs_leave() -> None:
    apart = box(200, 100, 240, 200)
    assert refused(town(), Assign(apart, to="G1")).place is not None
    edit = apply(town(), Assign(apart, to="G1", exclaves=True))
    assert squares(edit) == {"G1": 49000.0, "G2": 26000.0, "G3": 45000.0}
    # an exclave that is there may grow
    assert squares(apply(islands(), Assign(box(340, 0, 360, 100), to="G2"))) == {"G1": 20000.0, "G2": 26000.0, "G3": 4000.0}


def test_a_strip_too_thin_to_be_meant_is_refused_even_as_an_exclave() -> None:
    error = refused(town(), Assign(box(150.4, 0, 200, 300), to="G1", exclaves=True))
    assert (error.rule, error.codes, error.values["m2"]) == ("broken_sliver", ("G2",), pytest.approx(120.0))


GROUNDS = {
    "nothing_to_assign": box(10, 10, 90, 90),
    "polygon_small": box(200, 100, 200.9, 101),
    "polygon_broken": (((at(150, 0), at(250, 100), at(250, 0), at(150, 100), at(150, 0)),),),
}


@pytest.mark.parametrize("rule", GROUNDS)
def test_ground_that_cannot_be_assigned_is_refused(rule: str) -> None:
    error = refused(town(), Assign(GROUNDS[rule], to="G1"))
    assert error.rule == rule
    assert error.place is not None


# --- create ----------------------------------------------------------------------------------------------------------


def test_a_grid_is_cut_out_of_others() -> None:
    edit = apply(town(), Create(box(100, 0, 220, 50)))
    assert squares(edit) == {"G1": 42500.0, "G2": 26500.0, "G3": 45000.0, "G4": 6000.0}
    assert lineage(edit) == [("G4", "cut from", "G1"), ("G4", "cut from", "G2")]
    assert roles(edit) == {"G1": "lost", "G2": "lost", "G4": "created"}


def test_a_grid_takes_after_the_one_that_gives_most() -> None:
    whole = partition_of(toy.grids(), area=toy.TOWN)
    edit = apply(whole, Create(box(240, 0, 300, 50)))
    assert edit.partition.attributes.loc["G4", ["area_code", "station"]].tolist() == [toy.EAST, "S2"]


def test_a_grid_is_made_of_ground_nobody_holds() -> None:
    edit = apply(crossroads(), Create(box(100, 0, 200, 100)))
    assert squares(edit)["G10"] == 10000.0
    assert len(edit.partition.free) == 0
    assert edit.lineage == ()
    assert roles(edit) == {"G10": "created"}
    only = apply(crossroads(), Create(box(50, 0, 250, 50), free_only=True))
    assert (squares(only)["G10"], squares(only)[""], squares(only)["G1"]) == (5000.0, 5000.0, 10000.0)
    assert refused(crossroads(), Create(box(10, 0, 90, 50), free_only=True)).rule == "nothing_to_create"


def test_a_code_is_given_once() -> None:
    ground_ = box(0, 0, 50, 50)
    assert "G9" in apply(town(), Create(ground_, code="G9", name="New")).partition.codes
    for code, taken in (("G2", ()), ("G7", ("G7",))):
        error = refused(town(), Create(ground_, code=code), taken=taken)
        assert (error.rule, error.codes) == ("code_taken", (code,))
    # codes of void and drafted grids are passed over
    assert apply(town(), Create(ground_), taken={"G4", "G17"}).partition.codes[-1] == "G18"


def test_a_new_grid_leaves_something_of_every_other() -> None:
    error = refused(town(), Create(box(140, -5, 260, 305)))
    assert (error.rule, error.codes) == ("swallowed", ("G2",))


# --- retire ----------------------------------------------------------------------------------------------------------


def test_a_retired_grid_goes_to_the_longest_border() -> None:
    # G3's borders: 100 m with G2, 50 + 100 + 50 m with G1
    edit = apply(nested(), Retire("G3"))
    assert squares(edit) == {"G1": 84100.0, "G2": 5000.0, "": 900.0}
    assert lineage(edit) == [("G3", "merged into", "G1")]
    assert roles(edit) == {"G3": "retired", "G1": "gained"}
    # equal borders: the first code
    assert squares(apply(town(), Retire("G2"))) == {"G1": 75000.0, "G3": 45000.0}


def test_each_part_of_a_retired_grid_goes_to_its_own_neighbour() -> None:
    edit = apply(islands(), Retire("G2"))
    assert squares(edit) == {"G1": 40000.0, "G3": 10000.0}
    assert lineage(edit) == [("G2", "merged into", "G1"), ("G2", "merged into", "G3")]


def test_a_retired_grid_may_stay_free_and_joins_the_free_ground_beside_it() -> None:
    edit = apply(crossroads(), Retire("G5", to="free"))
    assert [shape.area for shape in edit.partition.free] == [20000.0]
    assert edit.lineage == ()
    assert roles(edit) == {"G5": "retired"}
    # corners do not join
    assert sorted(shape.area for shape in apply(crossroads(), Retire("G4", to="free")).partition.free) == [10000.0, 10000.0]


def test_the_last_grid_can_only_be_freed() -> None:
    alone = opened({"G1": ground(0, 0, 100, 100)})
    error = refused(alone, Retire("G1"))
    assert (error.rule, error.codes) == ("no_neighbour", ("G1",))
    empty = apply(alone, Retire("G1", to="free"))
    assert squares(empty) == {"": 10000.0}
    assert squares(apply(empty.partition, Create(box(0, 0, 100, 50)), taken={"G1"})) == {"420000100201G01": 5000.0, "": 5000.0}


# --- what holds for all ----------------------------------------------------------------------------------------------

EACH: dict[str, tuple[Callable[[], Partition], Operation]] = {
    "split": (town, Split("G1", line((-1, 33.33333), (151, 250.77777)))),
    "split twice": (town, Split("G1", TWICE)),
    "split a ring": (nested, Split("G1", line((-1, 151.23456), (301, 148.7654)))),
    "split to keep": (town, Split("G1", ACROSS, keep=at(10, 10))),
    "merge": (crossroads, Merge(("G5", "G8", "G4"))),
    "merge apart": (town, Merge(("G1", "G3"), exclaves=True)),
    "reshape": (crossroads, Reshape(ROOF)),
    "reshape some": (crossroads, Reshape(ROOF, grids=("G4", "G7"), exclaves=True)),
    "move": (crossroads, MoveVertex(at(200, 200), at(217.12345678, 190.98765432))),
    "add": (town, AddVertex(at(150.1, 123.456789))),
    "add and drag": (nested, AddVertex(at(150, 170), to=at(140.00049, 171.0006))),
    "delete": (bent, DeleteVertex(BENT)),
    "assign": (crossroads, Assign(box(90.123456, 90.5, 110.5, 210.7654321), to="G5")),
    "assign free": (nested, Assign(box(150, 100, 200, 200), to="G2", source=("",), exclaves=True)),
    "create": (crossroads, Create(box(50.5, 50.5, 150.25, 150.125), name="New", code="N1")),
    "create of free ground": (crossroads, Create(box(100, 0, 150, 90), free_only=True)),
    "retire": (nested, Retire("G3")),
    "retire to nobody": (islands, Retire("G2", to="free")),
}


@pytest.mark.parametrize("name", EACH)
def test_results_do_not_depend_on_the_order_of_grids_or_the_start_of_rings(name: str) -> None:
    make, op = EACH[name]
    edit = apply(make(), op)
    for by in (1, 2, 3):
        assert same_bits(edit.partition, apply(turned(make(), by=by), op).partition)
    judge(edit.partition, make().outline, parts=[(code, 2) for code in edit.partition.codes])


@pytest.mark.parametrize("name", EACH)
def test_an_operation_goes_to_json_and_back(name: str) -> None:
    make, op = EACH[name]
    told = json.loads(json.dumps(to_json(op)))
    assert from_json(told) == op
    assert from_json({**told, "rev": 7}) == op  # what the browser adds
    assert same_bits(apply(make(), from_json(told)).partition, apply(make(), op).partition)


@pytest.mark.parametrize("name", EACH)
def test_new_vertices_are_on_whole_millimetres_or_on_the_outline(name: str) -> None:
    make, op = EACH[name]
    before, after = make(), apply(make(), op).partition
    old = set(map(tuple, shapely.get_coordinates([*before.shapes, *before.free, before.outline]).tolist()))
    new = set(map(tuple, shapely.get_coordinates([*after.shapes, *after.free]).tolist())) - old
    rim = shapely.boundary(before.outline)
    inner = [xy for xy in new if rim.distance(shapely.Point(xy)) > 1e-8]
    assert all(on_millimetres(inner))


def test_every_kind_of_operation_is_among_them() -> None:
    assert {type(op) for _, op in EACH.values()} == {
        AddVertex, Assign, Create, DeleteVertex, Merge, MoveVertex, Reshape, Retire, Split,
    }  # fmt: skip


def test_a_place_is_rounded_to_the_nearest_millimetre() -> None:
    edit = apply(bent(), MoveVertex(BENT, at(140.00049, 100.0006)))
    assert at(140.0, 100.001) in edit.partition.shape("G1").exterior.coords[:]


def test_geojson_is_read_as_well() -> None:
    drawn = shapely.LineString(ACROSS)
    assert from_json({"do": "split", "grid": "G1", "line": shapely.geometry.mapping(drawn)}) == Split("G1", line_of(drawn))
    shape = ground(150, 0, 200, 50)
    wanted = Assign(rings_of(shape), to="G1")
    rings = [[list(xy) for xy in shape.exterior.coords]]
    for told in ({"polygon": shapely.geometry.mapping(shape)}, {"polygon": rings}, {"cells": [rings]}, {"polygons": [rings]}):
        assert from_json({"do": "assign", "to": "G1", **told}) == wanted
    two = shapely.union_all([shape, ground(300, 0, 310, 10)])
    assert len(from_json({"do": "create", "polygon": shapely.geometry.mapping(two)}).polygons) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "told",
    [{}, {"do": "fly"}, {"do": "split", "grid": "G1"}, {"do": "split", "grid": "G1", "line": [[1]]}, {"do": "merge", "grids": 3},
     {"do": "assign", "to": "G1", "polygons": "far"}, {"do": "retire", "grid": "G1", "speed": 3}],
)  # fmt: skip
def test_what_is_no_operation_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        from_json(told)
    assert caught.value.rule in ("unknown_operation", "unreadable_operation")


@pytest.mark.parametrize(
    "op",
    [Split("G9", ACROSS), Merge(("G9", "G1")), Reshape(ROOF, grids=("G9", "G1")), Assign(box(150, 0, 200, 50), to="G9"),
     Assign(box(150, 0, 200, 50), to="G1", source=("G9",)), Retire("G9")],
)  # fmt: skip
def test_a_grid_that_is_not_there_is_refused_by_every_operation(op: Operation) -> None:
    error = refused(town(), op)
    assert (error.rule, error.codes) == ("unknown_grid", ("G9",))


def test_no_ground_at_all_is_refused() -> None:
    for op in (Assign((), to="G1"), Create(()), Assign(((),), to="G1"), Reshape(()), Split("G1", ()), Merge(())):
        refused(town(), op)


def test_coordinates_of_the_browser_that_are_no_numbers_are_refused() -> None:
    nowhere = (float("nan"), toy.ORIGIN[1])
    for op in (Split("G1", (nowhere, at(0, 0))), Reshape((nowhere, at(0, 0))), MoveVertex(nowhere, at(0, 0)),
               MoveVertex(BENT, nowhere), AddVertex(nowhere), AddVertex(BENT, nowhere), DeleteVertex(nowhere),
               Assign(((( nowhere, at(0, 0), at(9, 9)),),), to="G1"), Create((((nowhere, at(0, 0), at(9, 9)),),))):  # fmt: skip
        refused(bent(), op)


def test_the_partition_itself_cannot_be_changed_in_place() -> None:
    whole = town()
    with pytest.raises(ValueError, match="read-only"):
        whole.shapes[0] = None
    assert isinstance(whole.shapes, np.ndarray)
