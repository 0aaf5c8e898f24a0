"""Grids of equal work on a workspace: loads counted by hand, what stays as it is, and what goes into the draft."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridgis import toy
from gridgis.balance import InfeasibleError
from gridgis.errors import Cancelled, ConflictError, DataError
from gridgis.redraw.operations import Merge
from gridgis.store import Workspace
from gridgis.tasks import balancing, plans, redrawing
from gridgis.tasks.balancing import Proposal
from gridgis.tasks.gridding import build_unit_grids
from gridgis.tasks.plan_state import PlanState, load

WHO = {"who": "Li"}
X, Y = toy.ORIGIN


def filled(ws: Workspace) -> Workspace:
    """The toy town with unit grids of 50 m: 30 in the west village, 18 in the east."""
    with ws.write(who="Li", why="town") as write:
        write.set_crs(toy.CRS)
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    build_unit_grids(ws, cell_m=50, who="Li", why="cells")
    return ws


def households(proposal: Proposal, which: int = 1) -> dict[str, int]:
    """Households of each grid by a join of its own with the houses' middles."""
    grids = proposal.grids(which)
    houses = toy.buildings().set_geometry(toy.buildings().representative_point())
    found = gpd.sjoin(houses, grids, predicate="within")["code"].value_counts()
    return {code: int(found.get(code, 0)) for code in grids.index}


def grids_of(state: PlanState, area: str = toy.WEST) -> gpd.GeoDataFrame:
    return state.areas[area].now.frame()


def test_grids_fill_the_village_and_hold_alike_by_an_independent_count(town: Workspace) -> None:
    proposal = balancing.draw(town, area=toy.WEST, k=2, prefer="even")
    for which, plan in enumerate(proposal.plans.plans, 1):
        grids = proposal.grids(which)
        assert len(grids) == 2
        assert shapely.union_all(grids.geometry).symmetric_difference(toy.areas().geometry[toy.WEST]).area == 0
        assert grids.area.sum() == 75_000
        assert set(grids.geom_type) == {"Polygon"}
        assert households(proposal, which) == plan.sheet.grids["load"].to_dict()
    # four of the six households live in one cell
    assert sorted(households(proposal).values()) == [2, 4]
    rules = proposal.rules()
    assert (rules["share"][rules["hard"]] == 1).all()
    assert rules.loc["even", "share"] == pytest.approx(1 - 1 / 3)


def test_corners_of_units_on_straight_borders_are_no_vertices(town: Workspace) -> None:
    proposal = balancing.draw(town, area=toy.WEST, units="grids", k=2)
    assert [len(ring.exterior.coords) for ring in proposal.grids().geometry] == [5, 5]


def test_today_is_the_draft_and_grids_keep_code_officer_and_station(each_town: Workspace) -> None:
    proposal = balancing.draw(each_town, area=toy.WEST, k=2)
    assert proposal.changes()["grids"] == {"kept": ["G1", "G2"], "new": 0, "gone": []}
    state = balancing.accept(each_town, proposal, why="even", **WHO)
    grids = grids_of(state)
    assert grids[["officer", "station"]].to_numpy().tolist() == [["Li", "S1"], ["Wang", "S1"]]
    assert grids.geometry.geom_equals(proposal.grids().geometry).all()
    assert each_town.read("grids").geometry.geom_equals(toy.grids().geometry).all()
    assert grids_of(redrawing.undo(each_town, plan="default", **WHO)).geometry.geom_equals(toy.grids().geometry[:2]).all()


def test_the_sheet_tells_the_figures_the_draft_shows(town: Workspace) -> None:
    with town.write(who="Li", why="register") as write:
        write.upsert("grids", toy.grids().assign(households=[41.0, 20.0, 6.0], population=[101.0, 50.0, 18.0]))
    proposal = balancing.draw(town, area=toy.WEST, weights={"population": 1.0}, k=3)
    table = proposal.table()
    assert table["population"].sum() == 151
    assert table["load"].to_dict() == table["population"].to_dict()
    codes = (balancing.accept(town, proposal, **WHO).entries[-1].op or {})["codes"]
    plans.publish(town, "default", on=dt.date(2030, 1, 1), **WHO)
    live = town.read("grids")
    live = live[live["area_code"].eq(toy.WEST) & ~live["state"].eq("void")]
    assert live["population"].astype(float).to_dict() == table["population"].rename(index=codes).to_dict()
    assert live["households"].sum() == 61


def test_more_grids_than_today_get_free_codes_and_fewer_leave_heirs(town: Workspace) -> None:
    more = balancing.draw(town, area=toy.WEST, k=3)
    assert more.changes()["grids"]["new"] == 1
    state = balancing.accept(town, more, **WHO)
    codes = (state.entries[-1].op or {})["codes"]
    assert sorted(codes) == ["+1", "G1", "G2"]
    assert codes["+1"] not in {"G1", "G2", "G3"}
    assert sorted(grids_of(state).index) == sorted(codes.values())
    fewer = balancing.draw(town, area=toy.WEST, k=1, plan="other") if _plan(town, "other") else None
    assert fewer is not None
    told = balancing.accept(town, fewer, **WHO).entries[-1].op or {}
    (heir,) = told["codes"].values()
    assert [kind for _, kind, _ in told["lineage"]] == ["merged into"]
    assert told["lineage"][0][2] == heir


def _plan(ws: Workspace, name: str) -> bool:
    return plans.create(ws, name, **WHO).name == name


def test_locked_grids_stay_bit_for_bit(town: Workspace) -> None:
    with town.write(who="Li", why="crooked") as write:  # a border off the cells' lines
        shapes = toy.grids().geometry
        shapes["G1"] = shapely.box(X, Y, X + 130, Y + 300)
        shapes["G2"] = shapely.box(X + 130, Y, X + 250, Y + 300)
        write.upsert("grids", toy.grids().set_geometry(shapes))
    redrawing.lock(town, ["G1"], plan="default", **WHO)
    proposal = balancing.draw(town, area=toy.WEST, k=3)
    assert proposal.ground.locked == ("G1",)
    state = balancing.accept(town, proposal, **WHO)
    assert "G1" not in (state.entries[-1].images or {})
    assert state.areas[toy.WEST].rows["G1"] == state.areas[toy.WEST].taken["G1"]
    grids = grids_of(state)
    assert len(grids) == 3
    assert grids.geometry["G1"].equals(shapely.box(X, Y, X + 130, Y + 300))
    assert shapely.union_all(grids.geometry).symmetric_difference(toy.areas().geometry[toy.WEST]).area == 0


def test_a_cell_that_a_locked_grid_parts_becomes_two_units(town: Workspace) -> None:
    arm = shapely.union(shapely.box(X, Y, X + 130, Y + 300), shapely.box(X + 130, Y + 110, X + 220, Y + 140))
    with town.write(who="Li", why="an arm right through cells") as write:
        shapes = toy.grids().geometry
        shapes["G1"] = arm
        shapes["G2"] = shapely.difference(shapely.box(X, Y, X + 250, Y + 300), arm)
        write.upsert("grids", toy.grids().set_geometry(shapes))
    redrawing.lock(town, ["G1"], plan="default", **WHO)
    proposal = balancing.draw(town, area=toy.WEST, k=3)
    cells, parts = town.read("unit_cells", where={"area_code": toy.WEST}), proposal.ground.partition
    assert set(proposal.ground.units.index) == set(parts.codes)
    for code, cell in cells.geometry.items():
        left = shapely.get_parts(shapely.difference(cell, arm))
        named = [name for name in parts.codes if name.partition("/")[0] == code]
        assert len(named) == sum(part.area > 0 for part in left)
    assert any(name.endswith("/2") for name in parts.codes)


def test_a_draft_changed_meanwhile_is_not_overwritten(town: Workspace) -> None:
    proposal = balancing.draw(town, area=toy.WEST, k=2)
    edited = redrawing.edit(town, Merge(("G1", "G2")), plan="default", why="", **WHO).state
    with pytest.raises(ConflictError, match="Draw the proposal again"):
        balancing.accept(town, proposal, **WHO)
    assert load(town, "default").rev == edited.rev


def test_villages_mix_only_where_that_is_allowed(town: Workspace) -> None:
    apart = balancing.draw(town, area=toy.TOWN, k=3)
    assert apart.rules().loc["one_village", ["kept", "of"]].tolist() == [3, 3]
    border = shapely.LineString([(X + 250, Y), (X + 250, Y + 300)])
    assert not any(grid.crosses(border) for grid in apart.grids().geometry)
    mixed = balancing.draw(town, area=toy.TOWN, low=12, high=12, mix_villages=True)
    assert len(mixed.grids()) == 1
    with pytest.raises(InfeasibleError):
        balancing.draw(town, area=toy.TOWN, low=12, high=12)


def test_each_station_gets_a_grid_of_its_own(town: Workspace) -> None:
    posts = toy.stations().assign(area_code=toy.WEST)
    posts = posts.set_geometry(gpd.GeoSeries.from_xy([X + 10, X + 60], [Y + 10, Y + 10], index=posts.index, crs=toy.CRS))
    with town.write(who="Li", why="stations") as write:
        write.upsert("stations", posts)
    grids = balancing.draw(town, area=toy.WEST, k=2, stations=True).grids()
    holders = [grids.index[grids.contains(post)].tolist() for post in posts.geometry]
    assert holders[0] != holders[1]
    assert all(len(held) == 1 for held in holders)


def test_a_river_parts_grids_unless_a_bridge_joins_its_banks(town: Workspace) -> None:
    river = shapely.LineString([(X + 140, Y - 10), (X + 140, Y + 310)])  # through cells that lie west of it for the most part
    with town.write(who="Li", why="river") as write:
        write.upsert("water", _lines(["river"], [river]))
    apart = balancing.draw(town, area=toy.WEST, k=2, barriers=["water"])
    assert sorted(grid.bounds[0] - X for grid in apart.grids().geometry) == [0, 150]
    assert sorted(grid.area for grid in apart.grids().geometry) == [30_000, 45_000]
    with pytest.raises(InfeasibleError):
        balancing.draw(town, area=toy.WEST, k=1, barriers=["water"])
    with town.write(who="Li", why="bridge") as write:
        write.upsert("roads", _lines(["residential"], [shapely.LineString([(X, Y + 160), (X + 250, Y + 160)])]))
    assert len(balancing.draw(town, area=toy.WEST, k=1, barriers=["water"]).grids()) == 1


def _lines(kinds: list[str], shapes: list[shapely.LineString]) -> gpd.GeoDataFrame:
    index = pd.Index([str(number) for number in range(len(kinds))], name="id")
    return gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, index=index, crs=toy.CRS)


def test_work_is_a_mix_of_weights_and_incidents_count_by_the_year(town: Workspace) -> None:
    when = pd.to_datetime(["2010-01-01", "2010-06-01", "2012-01-01", "2012-01-01"], utc=True)
    calls = gpd.GeoDataFrame(
        {"occurred_at": when}, index=pd.Index(list("abcd"), name="id"), crs=toy.CRS,
        geometry=gpd.points_from_xy(np.array([10, 30, 200, 300]) + X, np.array([200, 200, 200, 200]) + Y),
    )  # fmt: skip
    with town.write(who="Li", why="calls") as write:
        write.upsert("incidents", calls)
        write.upsert("roads", _lines(["residential"], [shapely.LineString([(X + 10, Y + 60), (X + 240, Y + 60)])]))
    # the calls of the west village lie two years (730 days) apart
    proposal = balancing.draw(town, area=toy.WEST, k=1, weights={"households": 1, "incidents": 10, "street_m": 0.1})
    assert proposal.ground.years == pytest.approx(730 / 365.25)
    assert proposal.table()["load"].item() == pytest.approx(6 + 10 * 3 * 365.25 / 730 + 23)


def test_natural_villages_come_with_the_unit_grids_nearest_to_them(town: Workspace) -> None:
    spots = [shapely.box(X + 20, Y + 20, X + 50, Y + 50), shapely.box(X + 170, Y + 150, X + 200, Y + 160)]
    hamlets = gpd.GeoDataFrame({"name": ["A", "B"]}, geometry=spots, index=pd.Index(["V1", "V2"], name="code"), crs=toy.CRS)
    with town.write(who="Li", why="villages") as write:
        write.upsert("natural_villages", hamlets)
    units = balancing.draw(town, area=toy.WEST, units="natural_villages", k=1).ground.partition.frame()
    assert sorted(units.index) == ["V1", "V2"]
    assert units.area.sum() == 75_000
    cells = town.read("unit_cells", where={"area_code": toy.WEST})
    for cell in cells.geometry:
        holder = units.index[units.contains(cell.centroid)].item()
        assert cell.distance(hamlets.geometry[holder]) == pytest.approx(hamlets.distance(cell).min())
        assert units.geometry[holder].covers(cell)


def test_the_same_seed_gives_the_same_plans_and_json_is_plain(town: Workspace) -> None:
    one, two = (balancing.draw(town, area=toy.WEST, k=3, seed=7).to_json() for _ in range(2))
    one.pop("seconds"), two.pop("seconds")
    assert json.loads(json.dumps(one, allow_nan=False)) == json.loads(json.dumps(two, allow_nan=False))
    assert one["bounds"]["kept"]
    assert one["contiguous"]
    assert [row["code"] for row in one["grids"]] == ["G1", "G2", "+1"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"area": "nowhere", "k": 2}, "no area nowhere"),
        ({"area": toy.WEST, "k": 2, "weights": {"love": 1.0}}, "no weight love"),
        ({"area": toy.WEST, "k": 2, "units": "roads"}, "roads cannot be the units"),
        ({"area": toy.WEST, "k": 2, "barriers": ["wall"]}, "wall is no barrier"),
        ({"area": toy.WEST, "k": 2, "units": "natural_villages"}, "no natural villages"),
        ({"area": toy.WEST, "k": 2, "units": "areas"}, "no areas below"),
        ({"area": toy.WEST, "k": 2, "weights": {"street_m": 1.0}}, "Import roads first"),
        ({"area": toy.WEST}, "less than the lower bound of 300"),
        ({"area": toy.WEST, "k": 99}, "99 grids"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_is_said_and_leaves_no_plan(town: Workspace, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        balancing.draw(town, **asked)
    assert town.plans() == ()


def test_a_number_of_a_proposal_that_is_not_there_is_refused(town: Workspace) -> None:
    proposal = balancing.draw(town, area=toy.WEST, k=2)
    with pytest.raises(DataError, match="Proposals: 1 to"):
        balancing.accept(town, proposal, which=99, **WHO)


def test_a_search_that_is_cancelled_changes_nothing(town: Workspace) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "balance.stage_search":
            raise Cancelled

    with pytest.raises(Cancelled):
        balancing.draw(town, area=toy.WEST, k=2, progress=stop)
    assert town.plans() == ()
