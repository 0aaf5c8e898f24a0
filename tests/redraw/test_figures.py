"""Figures follow the ground: counted at points where there are points, else a register shared out, nobody lost or made."""

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
from gridgis.errors import CrsError
from gridgis.redraw.facts import Facts
from gridgis.redraw.figures import figures
from gridgis.redraw.operations import AddVertex, Assign, Create, Merge, Operation, Retire, Split, apply, rings_of
from gridgis.redraw.partition import Partition, partition_of
from tests.redraw.grounds import at, crossroads, ground
from tests.redraw.walk import voronoi, walk

CRS = pyproj.CRS(toy.CRS)
HOUSES = Facts.of(CRS, buildings=toy.buildings())
NOTHING = Facts.of(CRS)
ACROSS = Split("G1", (at(-1, 100), at(151, 100)))
"""G1's upper 150 m × 200 m keep the code, the lower 150 m × 100 m with all four houses are G4."""
CORNER = Split("G1", tuple(at(*xy) for xy in ((38, 38), (60, 38), (60, 60), (38, 60), (38, 38))))
"""G4 gets one of G1's four houses."""


def town(**columns: object) -> Partition:
    return partition_of(toy.grids().assign(**columns), area=toy.TOWN)


def after(start: Partition, *ops: Operation) -> Partition:
    for op in ops:
        start = apply(start, op).partition
    return start


def of(start: Partition, facts: Facts, *ops: Operation) -> pd.DataFrame:
    return figures(after(start, *ops), facts, base=start)


# --- counted ---------------------------------------------------------------------------------------------------------


def test_without_registers_everybody_is_counted_where_they_live() -> None:
    table = of(town(), HOUSES, CORNER)
    assert table["households"].to_dict() == {"G1": 3, "G2": 2, "G3": 6, "G4": 1, "": 0}
    assert table["population"].to_dict() == {"G1": 9, "G2": 6, "G3": 18, "G4": 3, "": 0}
    assert table["buildings"].tolist() == table["households"].tolist()
    assert set(table["population_from"]) == {"counted"}
    assert table[["incidents", "natural_villages"]].isna().all().all()


def test_the_ellipsoid_measures_the_ground() -> None:
    table = of(town(), NOTHING, ACROSS)
    geod = pyproj.Geod(ellps="GRS80")
    for code, shape in after(town(), ACROSS).frame().geometry.to_crs(4490).items():
        square_m, _ = geod.geometry_area_perimeter(shapely.orient_polygons(shape))
        assert table.loc[code, "area_m2"] == pytest.approx(square_m, rel=1e-6)
    assert table["area_m2"].sum() == pytest.approx(figures(town(), NOTHING)["area_m2"].sum(), rel=1e-9)


def test_what_nobody_knows_is_not_zero() -> None:
    table = of(town(), NOTHING, ACROSS)
    grids = table.drop(index="")
    assert grids[["households", "population", "buildings", "incidents"]].isna().all().all()
    assert set(grids["population_from"]) == {""}
    known = of(town(), Facts.of(CRS, buildings=toy.buildings().iloc[:0], incidents=toy.stations().iloc[:0]), ACROSS)
    assert known["incidents"].tolist() == [0.0] * 5


def test_a_point_on_a_border_counts_once() -> None:
    spots = [at(150, 50), at(150, 100), at(75, 100), at(0, 0), at(400, 300), at(250, 0), at(0, 100), at(400, 150), at(151, 100)]
    incidents = gpd.GeoDataFrame(geometry=[shapely.Point(spot) for spot in spots], crs=toy.CRS)
    facts = Facts.of(CRS, incidents=incidents)
    for ops in ((), (ACROSS,), (ACROSS, AddVertex(at(150, 50))), (Retire("G2", to="free"),), (Merge(("G1", "G2", "G3")),)):
        assert of(town(), facts, *ops)["incidents"].sum() == len(spots)


# --- registers -------------------------------------------------------------------------------------------------------


def test_a_register_is_shared_by_the_people_counted_in_buildings() -> None:
    # 9 registered, three houses to one: 6.75 and 2.25, in whole persons 7 and 2
    table = of(town(population=[9, 5, 7]), HOUSES, CORNER)
    assert table["population"].to_dict() == {"G1": 7, "G2": 5, "G3": 7, "G4": 2, "": 0}
    assert table.loc[["G1", "G4"], "population_from"].tolist() == ["shared_by_buildings"] * 2
    assert table.loc["G3", "population_from"] == "registered"
    assert table["households"].to_dict() == {"G1": 3, "G2": 2, "G3": 6, "G4": 1, "": 0}  # without a register: counted


def test_without_buildings_a_register_is_shared_by_area() -> None:
    # 100 over 30,000 m² and 15,000 m²: 66.67 and 33.33
    table = of(town(population=[100, 50, 70]), NOTHING, ACROSS)
    assert table["population"].to_dict() == {"G1": 67, "G2": 50, "G3": 70, "G4": 33, "": 0}
    assert table.loc[["G1", "G4"], "population_from"].tolist() == ["shared_by_area"] * 2
    # buildings elsewhere are no help
    elsewhere = Facts.of(CRS, buildings=toy.buildings().iloc[4:])
    assert of(town(population=[100, 50, 70]), elsewhere, ACROSS)["population"].tolist()[:1] == [67]


def test_a_register_that_is_no_whole_number_is_shared_as_it_is() -> None:
    table = of(town(population=[10.5, 5, 7]), HOUSES, CORNER)
    assert table.loc[["G1", "G4"], "population"].tolist() == pytest.approx([7.875, 2.625])


def test_merged_registers_are_added_and_stay_registers() -> None:
    table = of(town(population=[100, 50, 70]), HOUSES, Merge(("G1", "G2")))
    assert table["population"].to_dict() == {"G1": 150, "G3": 70, "": 0}
    assert table.loc["G1", "population_from"] == "registered"


def test_what_lies_on_freed_ground_is_told_beside_the_grids() -> None:
    table = of(town(population=[100, 50, 70]), HOUSES, Retire("G2", to="free"))
    assert table["population"].to_dict() == {"G1": 100, "G3": 70, "": 50}
    assert table.loc["", "households"] == 2
    assert table.loc["", "area_m2"] == pytest.approx(30000, rel=1e-6)


def test_ground_nobody_held_brings_its_people_along() -> None:
    start = crossroads()  # a house in the free square
    house = gpd.GeoDataFrame({"households": [2], "population": [5]}, geometry=[ground(120, 20, 130, 30)], crs=toy.CRS)
    facts = Facts.of(CRS, buildings=house)
    assert figures(start, facts).loc["", "population"] == 5
    table = of(start, facts, Create(rings_of(ground(100, 0, 150, 100))))
    assert table["population"].to_dict()["G10"] == 5
    assert table["population"].sum() == 5


def test_the_way_to_a_partition_does_not_matter() -> None:
    start = town(population=[101, 53, 77], households=[31, 17, 23])
    ways = (
        [ACROSS],
        [CORNER, Merge(("G1", "G4")), ACROSS],
        [Merge(("G1", "G2")), Split("G1", (at(150, -1), at(150, 301)), keep=at(10, 10)), ACROSS],
    )
    tables = []
    for ops in ways:
        table = of(start, HOUSES, *ops)
        tables.append(sorted(map(tuple, table.drop(columns="area_m2").fillna(-1).to_numpy().tolist())))
    assert tables[0] == tables[1] == tables[2]


def test_there_and_back_everything_is_registered_as_before() -> None:
    start = town(population=[101, 53, 77])
    there = of(start, HOUSES, CORNER, Merge(("G1", "G4")))
    pd.testing.assert_frame_equal(there, figures(start, HOUSES), check_exact=False, rtol=1e-12)


def test_layers_in_another_crs_are_refused() -> None:
    with pytest.raises(CrsError):
        Facts.of(CRS, buildings=toy.buildings().to_crs(4548))


# --- any sequence ----------------------------------------------------------------------------------------------------


@st.composite
def redrawn(draw: st.DrawFn) -> tuple[Partition, Partition, Facts]:
    """Cells with registers, redrawn at random; houses and incidents on a lattice, some on borders."""
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    start = voronoi(8, seed=seed, side=800.0)
    kinds = draw(st.sampled_from(["both", "population", "none"]))
    columns = {"both": ["population", "households"], "population": ["population"], "none": []}[kinds]
    start = start.with_attributes(start.attributes.assign(**{c: rng.integers(0, 900, len(start.codes)) for c in columns}))
    spots = shapely.points(np.round(rng.uniform(0, 800, (120, 2)), draw(st.sampled_from([-2, 0, 3]))) + np.array(toy.ORIGIN))
    people = rng.integers(0, 9, 120)
    houses = gpd.GeoDataFrame({"population": people, "households": people // 2}, geometry=spots, crs=toy.CRS)
    facts = Facts.of(CRS, buildings=houses if draw(st.booleans()) else None, incidents=houses[["geometry"]])
    return start, walk(start, steps=draw(st.integers(1, 12)), seed=seed, judge_every=99).partition, facts


@settings(max_examples=25, deadline=None)
@given(redrawn())
def test_nobody_is_lost_or_made_whatever_was_redrawn(case: tuple[Partition, Partition, Facts]) -> None:
    start, now, facts = case
    own = figures(start, facts)
    table = figures(now, facts, base=start, known=own)
    pd.testing.assert_frame_equal(table, figures(now, facts, base=start))
    assert table["area_m2"].sum() == pytest.approx(own["area_m2"].sum(), rel=1e-9)
    for name in ("households", "population", "buildings", "incidents"):
        if own[name].drop(index="").isna().all():
            assert table[name].drop(index="").isna().all()
            continue
        assert table[name].sum() == own[name].sum()
        assert (table[name].dropna() >= 0).all()
        assert (table[name].dropna() % 1 == 0).all()
    same = [code for code in now.codes if code in start.codes and now.shape(code) is start.shape(code)]
    pd.testing.assert_frame_equal(table.loc[same], own.loc[same])


@settings(max_examples=15, deadline=None)
@given(redrawn())
def test_incidents_are_those_a_spatial_join_finds(case: tuple[Partition, Partition, Facts]) -> None:
    _, now, facts = case
    points = gpd.GeoSeries.from_xy(*facts.incidents.xy.T, crs=toy.CRS)  # type: ignore[union-attr]
    borders = shapely.union_all(shapely.boundary(now.shapes))
    clear = points[points.distance(borders) > 1e-6]
    joined = gpd.sjoin(clear.to_frame("geometry"), now.frame()[["geometry"]], predicate="within")
    found = figures(now, facts)["incidents"].drop(index="")
    theirs = joined["code"].value_counts().reindex(now.codes, fill_value=0)
    assert (found >= theirs).all()
    assert found.sum() - theirs.sum() <= len(points) - len(clear)
    if len(clear) == len(points):
        assert found.tolist() == theirs.tolist()


def test_a_share_of_a_register_follows_the_ground_it_lives_on() -> None:
    # half of G2 by area, and none of its two houses: nobody moves
    moved = of(town(population=[100, 50, 70]), HOUSES, Assign(rings_of(ground(150, 160, 200, 300)), to="G1"))
    assert moved["population"].to_dict() == {"G1": 100, "G2": 50, "G3": 70, "": 0}
    assert moved.loc["G2", "population_from"] == "shared_by_buildings"
