"""Two states of an area compared: who won and lost which ground and people, and whose work changes."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.errors import DataError
from gridgis.redraw.difference import FIGURES, Difference, difference, together
from gridgis.redraw.facts import Facts
from gridgis.redraw.operations import AddVertex, Assign, Create, Merge, Operation, Retire, Split, apply, rings_of
from gridgis.redraw.partition import Partition, partition_of
from tests.redraw.grounds import at, ground
from tests.redraw.walk import voronoi, walk

HOUSES = Facts.of(pyproj.CRS(toy.CRS), buildings=toy.buildings())


def town(**columns: object) -> Partition:
    return partition_of(toy.grids().assign(**columns), area=toy.TOWN)


def compared(*ops: Operation, **columns: object) -> Difference:
    before = town(**columns)
    after = before
    for op in ops:
        after = apply(after, op).partition
    return difference(before, after, HOUSES)


def pairs(found: Difference, *columns: str) -> list[tuple[object, ...]]:
    real = found.moved[~found.moved["rounding"]]
    return [tuple(row) for row in real[["source", "target", *columns]].to_numpy().tolist()]


# 35 m x 60 m of G2 with one of its two houses
HOUSE = Assign(rings_of(ground(150, 140, 185, 200)), to="G1")


def test_ground_and_people_move_from_whom_to_whom() -> None:
    found = compared(HOUSE)
    assert pairs(found, "households", "population", "buildings") == [("G2", "G1", 1.0, 3.0, 1.0)]
    assert found.moved["area_m2"].tolist() == pytest.approx([2100.0], rel=1e-6)
    assert shapely.symmetric_difference(found.moved.geometry.iloc[0], ground(150, 140, 185, 200)).area < 1e-6
    assert found.grids["happened"].to_dict() == {"G1": "changed", "G2": "changed"}
    assert found.grids.loc["G1", ["population_before", "population_after"]].tolist() == [12.0, 15.0]
    assert found.totals.loc["population"].tolist() == [36.0, 36.0]


def test_officers_are_told_what_they_had_and_have() -> None:
    found = compared(HOUSE)
    assert found.officers["happened"].to_dict() == {"Li": "changed", "Wang": "changed"}  # Zhao's work is as it was
    assert found.officers.loc["Wang", ["households_before", "households_after"]].tolist() == [2.0, 1.0]
    assert found.officers.loc["Li", ["grids_before", "grids_after"]].tolist() == [("G1",), ("G1",)]


def test_an_officer_whose_grid_is_merged_has_none_left() -> None:
    found = compared(Merge(("G1", "G2")))
    assert found.grids["happened"].to_dict() == {"G1": "changed", "G2": "retired"}
    assert found.officers["happened"].to_dict() == {"Li": "changed", "Wang": "gone"}
    assert found.officers.loc["Wang", "population_after"] == 0.0
    assert pairs(found, "population") == [("G2", "G1", 6.0)]
    assert np.isnan(found.grids.loc["G2", "population_after"])


def test_a_new_grid_has_what_the_others_gave_and_no_officer_yet() -> None:
    found = compared(Create(rings_of(ground(160, 140, 300, 200))))
    assert found.grids["happened"].to_dict() == {"G2": "changed", "G3": "changed", "G4": "new"}
    assert pairs(found, "buildings") == [("G2", "G4", 2.0), ("G3", "G4", 0.0)]
    assert found.moved["area_m2"].tolist() == pytest.approx([90 * 60, 50 * 60], rel=1e-6)
    assert set(found.officers.index) == {"Wang", "Zhao"}


def test_freed_ground_goes_to_nobody() -> None:
    found = compared(Retire("G3", to="free"))
    assert pairs(found, "population") == [("G3", "", 18.0)]
    assert found.after.loc["", "population"] == 18.0
    assert found.officers["happened"].to_dict() == {"Zhao": "gone"}


def test_a_vertex_more_is_no_change_of_work() -> None:
    found = compared(AddVertex(at(150, 100)))
    assert found.grids["happened"].to_dict() == {"G1": "border", "G2": "border"}
    assert pairs(found) == []
    assert found.officers.empty


def test_a_split_touches_its_neighbour_only_at_the_border() -> None:
    found = compared(Split("G1", (at(-1, 100), at(151, 100))))
    assert found.grids["happened"].to_dict() == {"G1": "changed", "G2": "border", "G4": "new"}


def test_another_officer_is_a_change_of_attributes_and_of_work() -> None:
    before = town(population=[10, 20, 30])
    rows = before.attributes.copy()
    rows.loc["G2", ["officer", "name"]] = ["Zhao", "Second"]
    found = difference(before, before.with_attributes(rows), HOUSES)
    assert found.grids["happened"].to_dict() == {"G2": "attributes"}
    assert found.grids["attributes"].to_dict() == {"G2": ("name", "officer")}
    assert found.officers["happened"].to_dict() == {"Wang": "gone", "Zhao": "changed"}
    assert found.officers.loc["Zhao", "grids_after"] == ("G2", "G3")


def test_nothing_differs_from_itself() -> None:
    found = compared()
    assert found.grids.empty
    assert found.moved.empty
    assert found.officers.empty
    # nor from a copy: other objects, the same bits
    copy = partition_of(toy.grids().set_geometry(shapely.from_wkb(toy.grids().geometry.to_wkb())), area=toy.TOWN)
    assert difference(town(), copy, HOUSES).grids.empty


def test_registers_of_a_base_are_handed_on_to_both_sides() -> None:
    base = town(population=[90, 30, 60])
    before = apply(base, Split("G1", (at(-1, 100), at(151, 100)))).partition
    after = apply(before, Merge(("G2", "G4"))).partition
    found = difference(before, after, HOUSES, base=base)
    # all four houses of G1 stand in its south, G4: so do its 90 people
    assert found.before["population"].to_dict() == {"G1": 0, "G2": 30, "G3": 60, "G4": 90, "": 0}
    assert found.after["population"].to_dict() == {"G1": 0, "G2": 120, "G3": 60, "": 0}
    assert pairs(found, "population") == [("G4", "G2", 90.0)]


def test_an_officer_of_two_areas_is_told_once() -> None:
    grids = toy.grids().assign(officer="Li")
    west, east = partition_of(grids.iloc[:2], area=toy.WEST), partition_of(grids.iloc[2:], area=toy.EAST)
    merged = apply(west, Merge(("G1", "G2"))).partition
    both = together([difference(west, merged, HOUSES), difference(east, east, HOUSES)])
    assert both.officers.loc["Li", ["grids_before", "grids_after"]].tolist() == [("G1", "G2", "G3"), ("G1", "G3")]
    assert both.totals.loc["population"].tolist() == [36.0, 36.0]


def test_two_areas_are_not_compared() -> None:
    west, east = partition_of(toy.grids().iloc[:2], area=toy.WEST), partition_of(toy.grids().iloc[2:], area=toy.EAST)
    with pytest.raises(DataError) as caught:
        difference(west, east, HOUSES)
    assert toy.WEST in caught.value.message("en")


# --- any sequence ----------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 12), st.booleans())
def test_what_a_grid_has_is_what_it_had_less_what_went_and_more_what_came(seed: int, steps: int, registered: bool) -> None:
    rng = np.random.default_rng(seed)
    start = voronoi(8, seed=seed, side=800.0)
    if registered:
        start = start.with_attributes(start.attributes.assign(population=rng.integers(0, 900, 8), officer=list("abcdabcd")))
    spots = shapely.points(np.round(rng.uniform(0, 800, (90, 2))) + np.array(toy.ORIGIN))
    houses = gpd.GeoDataFrame({"population": rng.integers(0, 9, 90)}, geometry=spots, crs=toy.CRS)
    facts = Facts.of(start.crs, buildings=houses, incidents=houses[["geometry"]])
    now = walk(start, steps=steps, seed=seed, judge_every=99).partition
    found = difference(start, now, facts)
    codes = [*dict.fromkeys([*start.codes, *now.codes]), ""]
    for name in FIGURES:
        if found.before[name].drop(index="").isna().all():
            continue
        came = found.moved.groupby("target")[name].sum().reindex(codes, fill_value=0.0)
        went = found.moved.groupby("source")[name].sum().reindex(codes, fill_value=0.0)
        had, has = (side[name].reindex(codes).fillna(0.0) for side in (found.before, found.after))
        slack = 1e-8 * start.outline.area if name == "area_m2" else 0.0
        assert (has - (had - went + came)).abs().max() <= slack, name
    theirs = overlaid(start, now)
    ours = found.moved.set_index(["source", "target"])["area_m2"]
    ours = ours[(ours.index.get_level_values(0) != "") & (ours.index.get_level_values(1) != "") & (ours > 1.0)]
    assert ours.to_dict() == pytest.approx(theirs[theirs > 1.0].to_dict(), rel=1e-5)


def overlaid(before: Partition, after: Partition) -> pd.Series[float]:
    """Ground by old and new holder where they differ, as GeoPandas overlays it near the origin, where GEOS is exact."""
    old, new = (side.frame()[["geometry"]].reset_index(names="code") for side in (before, after))
    for side in (old, new):
        side["geometry"] = side.translate(-toy.ORIGIN[0], -toy.ORIGIN[1])
    common = gpd.overlay(old, new, how="intersection", keep_geom_type=True)
    common["area"] = common.area
    common = common[common["code_1"] != common["code_2"]]
    return common.groupby(["code_1", "code_2"])["area"].sum()
