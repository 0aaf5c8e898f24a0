"""Unit cells painted at a crooked border: what goes along, what is refused and how it is explained, by hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridgis import toy
from gridgis.redraw.operations import Assign, Create, apply, rings_of
from gridgis.redraw.painting import with_cells_between
from gridgis.redraw.partition import Partition, partition_of
from gridgis.redraw.refusal import Refused
from gridgis.store import Workspace
from gridgis.tasks import gridding, plan_state, redrawing

SOUTH, NORTH = (100, 0), (100, 100)


def field(*border: tuple[float, float]) -> Partition:
    """`L` and `R` side by side in 300 × 100 m, with a border of one's own between."""
    left = shapely.Polygon([(0, 0), *border, (0, 100)])
    right = shapely.Polygon([(300, 0), (300, 100), *border[::-1]])
    return partition_of(gpd.GeoDataFrame({"name": ["L", "R"]}, index=["L", "R"], geometry=[left, right], crs=toy.CRS), area="A")


def filled(ws: Workspace) -> Workspace:
    with ws.write(who="test", why="test") as write:
        write.set_crs(toy.CRS)
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    return ws


def cell(number: int) -> shapely.Polygon:
    return shapely.box(100 * number, 0, 100 * number + 100, 100)


CELLS = np.array([cell(number) for number in range(3)])


def test_a_crumb_that_would_be_cut_off_goes_along_and_is_told() -> None:
    # a spike of R, 20 m wide and 30 m long, reaches into the cell west of the painted one
    edit = apply(field(SOUTH, (100, 40), (70, 50), (100, 60), NORTH), Assign(rings_of(cell(1)), "L"))
    assert edit.partition.shape("L").area == pytest.approx(20_000)
    assert edit.partition.shape("R").equals(cell(2))
    (note,) = edit.notes
    assert (note.key, dict(note.values)) == ("redraw.crumbs", {"grids": "R", "to": "L", "area": 300.0, "limit": 2500})


def test_a_new_grid_takes_crumbs_along_too() -> None:
    made = apply(field(SOUTH, (100, 40), (70, 50), (100, 60), NORTH), Create(rings_of(cell(1)))).partition
    assert sorted(shape.area for shape in made.shapes) == pytest.approx([10_000 - 300, 10_000, 10_300])


def test_what_is_too_large_for_a_crumb_is_refused_with_its_size() -> None:
    spike = field(SOUTH, (100, 10), (10, 50), (100, 90), NORTH)  # 80 · 90 / 2 m²
    with pytest.raises(Refused, match=r"3600\.0 m² would be cut off") as refused:
        apply(spike, Assign(rings_of(cell(1)), "L"))
    assert refused.value.place is not None
    assert refused.value.place.area == pytest.approx(3600)
    # exclaves asked for: nothing goes along
    assert apply(spike, Assign(rings_of(cell(1)), "L", exclaves=True)).partition.shape("R").area == pytest.approx(13_600)


def test_a_crumb_is_small_against_what_is_painted() -> None:
    hand = rings_of(shapely.box(100, 30, 110, 70))  # 400 m²: a quarter is 100, the spike has 300
    with pytest.raises(Refused, match="would fall into 2 parts"):
        apply(field(SOUTH, (100, 40), (70, 50), (100, 60), NORTH), Assign(hand, "L"))


def test_ground_that_does_not_reach_its_grid_is_told_how_far_off_it_is() -> None:
    with pytest.raises(Refused, match=r"does not reach grid L: 30\.0 m lie between") as refused:
        apply(field((70, 0), (70, 100)), Assign(rings_of(cell(1)), "L"))
    assert refused.value.rule == "apart"
    corner = partition_of(
        gpd.GeoDataFrame(
            {"name": ["L", "R"]}, index=["L", "R"], crs=toy.CRS,
            geometry=[cell(0), shapely.Polygon([(100, 0), (300, 0), (300, 200), (0, 200), (0, 100), (100, 100)])],
        ), area="A",
    )  # fmt: skip
    with pytest.raises(Refused, match="meets grid L at a corner only"):
        apply(corner, Assign(rings_of(shapely.box(100, 100, 200, 200)), "L"))


def test_the_rest_of_a_cell_between_goes_along_where_it_is_little() -> None:
    narrow = field((90, 0), (85, 50), (90, 100))  # 10 · 100 + 5 · 100 / 2 m² of the first cell are R's
    found = with_cells_between(narrow, Assign(rings_of(cell(1)), "L"), CELLS)
    assert found is not None
    assert found[1].values == {"to": "L", "area": 1250.0, "count": 1}
    edit = apply(narrow, found[0])
    assert edit.partition.shape("L").equals(shapely.box(0, 0, 200, 100))
    for border in ((70, 0), (70, 100)), ((40, 0), (40, 100)):  # more than a quarter, more than half of the cell
        assert with_cells_between(field(*border), Assign(rings_of(cell(1)), "L"), CELLS) is None


def test_painting_in_a_plan_finds_the_cells_between_in_the_workspace(town: Workspace) -> None:
    gridding.build_unit_grids(town, cell_m=80)
    x, y = toy.ORIGIN
    # G1 ends at 150 m, the cell before the painted one at 160
    told = redrawing.edit(town, Assign(rings_of(shapely.box(x + 160, y, x + 240, y + 80)), "G1"), who="Li", why="one street")
    assert told.state.areas[toy.WEST].now.shape("G1").area == pytest.approx(45_000 + 80 * 80 + 10 * 80)
    assert told.messages("en") == [
        "800.0 m² between the drawn ground and G1 went along: the rest of a unit cell that G1 holds the most of."
    ]
    assert told.messages("zh")[0].startswith("所画范围与 G1 之间的 800.0 平方米")
    # the log says what was done, not what was asked for
    again = plan_state.load(town, "default")
    assert len((again.entries[-1].op or {})["polygons"]) == 2
    assert again.areas[toy.WEST].now.shape("G1").area == told.state.areas[toy.WEST].now.shape("G1").area


def ragged(seed: int) -> Partition:
    """`L` and `R` in 600 × 600 m, with a border between that leaps to and fro every 25 m."""
    rng = np.random.default_rng(seed)
    up = np.arange(0.0, 601.0, 25.0)
    border = [(float(x), float(y)) for x, y in zip(300 + rng.uniform(-40, 40, len(up)).round(3), up, strict=True)]
    left, right = shapely.Polygon([(0, 0), *border, (0, 600)]), shapely.Polygon([(600, 0), (600, 600), *border[::-1]])
    return partition_of(gpd.GeoDataFrame({"name": ["L", "R"]}, index=["L", "R"], geometry=[left, right], crs=toy.CRS), area="A")


@pytest.mark.parametrize("seed", range(6))
def test_a_cell_both_grids_hold_can_be_painted_to_either_and_is_its_whole_afterwards(seed: int) -> None:
    before = ragged(seed)
    cells = [shapely.box(x, y, x + 100, y + 100) for x in range(0, 600, 100) for y in range(0, 600, 100)]
    shared = [cell for cell in cells if all(shape.intersection(cell).area > 1.0 for shape in before.shapes)]
    assert len(shared) >= 6
    for cell in shared:
        for to, other in ("LR", "RL"):
            edit = apply(before, Assign(rings_of(cell), to))
            after = {code: edit.partition.shape(code) for code in (to, other)}
            # the cell, and what was cut off by it
            handed = after[to].difference(before.shape(to))
            assert cell.difference(after[to]).area < 0.01
            crumbs = sum(float(str(note.values["area"])) for note in edit.notes)
            assert handed.difference(cell).area == pytest.approx(crumbs, abs=0.3)
            assert sum(shape.area for shape in after.values()) == pytest.approx(360_000, abs=1e-6)
            assert {shape.geom_type for shape in after.values()} == {"Polygon"}
