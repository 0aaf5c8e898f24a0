"""Unit grids along streets of a workspace: what is read, what is written, what is refused and left as it was."""

from __future__ import annotations

import datetime as dt
import json

import geopandas as gpd
import pytest
import shapely

from gridgis import toy
from gridgis.errors import Cancelled, DataError
from gridgis.redraw.operations import Merge
from gridgis.store import Workspace
from gridgis.tasks import plans, redrawing
from gridgis.tasks.blocking import build_block_grids, propose
from gridgis.tasks.checking import check

AT = dt.datetime(2012, 12, 31, 8, 30, tzinfo=dt.UTC)
X, Y = toy.ORIGIN


def filled(ws: Workspace, *, roads: bool = True) -> Workspace:
    """The toy town with a street from south to north in the middle of the west village, and one across both."""
    ways = [
        shapely.LineString([(X + 125, Y - 50), (X + 125, Y + 350)]),
        shapely.LineString([(X - 50, Y + 100), (X + 450, Y + 100)]),
    ]
    streets = gpd.GeoDataFrame({"kind": ["residential", "primary"]}, index=["1", "2"], geometry=ways, crs=toy.CRS)
    streets.index.name = "id"
    with ws.write(who="Li", why="town") as change:
        change.set_crs(toy.CRS)
        change.upsert("areas", toy.areas())
        change.upsert("buildings", toy.buildings())
        if roads:
            change.upsert("roads", streets)
    return ws


def test_cells_are_written_with_their_class_and_the_sheet_as_json(each_ws: Workspace) -> None:
    ws = filled(each_ws)
    result = build_block_grids(ws, at=AT, who="Wang", why="along streets")
    cells = ws.read("unit_cells")
    assert cells.index.tolist() == result.grid.cells.index.tolist()
    assert set(cells["area_code"]) == {toy.WEST, toy.EAST}
    assert cells["planar_m2"].sum() == pytest.approx(120_000)
    assert set(cells["state"]) == {"valid"}
    assert cells["note"].tolist() == result.grid.cells["klass"].tolist()
    assert cells.geometry.geom_equals(result.grid.cells.geometry).all()
    assert ws.log(layer="unit_cells").iloc[-1]["why"] == "along streets"
    document = json.loads(json.dumps(result.to_json()))
    assert document["cells"] == len(cells)
    assert sum(row["cells"] for row in document["by_area"]) == len(cells)
    rules = {row["rule"]: row for row in document["rules"]}
    assert rules["filled"]["share"] == pytest.approx(1)
    assert rules["buildings_whole"]["kept"] == rules["buildings_whole"]["of"] == 12
    assert document["cut_buildings"]["avoidable"] == 0
    tenth, allowed = document["within_tenth"], document["within_tenth_allowed"]
    assert 0 <= allowed["cells"] <= tenth["cells"] <= tenth["of"]
    assert allowed["cells"] <= allowed["of"] <= tenth["of"]
    assert {row["name"] for row in document["classes"]} == {"core", "town", "open", "water"}


def test_the_workspace_with_blocks_passes_its_check(ws: Workspace) -> None:
    build_block_grids(filled(ws), at=AT)
    assert [finding for finding in check(ws).findings if finding.layer == "unit_cells"] == []


def test_without_roads_or_areas_it_says_what_to_do_and_changes_nothing(ws: Workspace) -> None:
    with pytest.raises(DataError, match="no areas"):
        build_block_grids(ws, at=AT)
    filled(ws, roads=False)
    revision = ws.revision
    with pytest.raises(DataError, match="gridgis import roads FILE"):
        build_block_grids(ws, at=AT)
    assert ws.revision == revision


def test_stopped_work_leaves_the_cells_there_were(ws: Workspace) -> None:
    filled(ws)
    build_block_grids(ws, at=AT)
    revision = ws.revision

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "grids.stage_write":
            raise Cancelled

    with pytest.raises(Cancelled):
        build_block_grids(ws, at=AT, target_m2=40_000, progress=stop)
    assert ws.revision == revision


def with_grids(ws: Workspace) -> Workspace:
    filled(ws)
    with ws.write(who="Li", why="grids") as change:
        change.upsert("stations", toy.stations())
        change.upsert("grids", toy.grids())
    return ws


def test_blocks_are_proposed_in_a_draft_and_become_live_when_it_is_published(each_ws: Workspace) -> None:
    ws = with_grids(each_ws)
    state, drawn = propose(ws, toy.WEST, plan="default", who="Wang", why="a proposal")
    draft = state.areas[toy.WEST]
    assert not {"G1", "G2"} & set(draft.rows)
    assert len(draft.rows) == len(drawn.cells)
    assert draft.now.codes == tuple(f"G{number}" for number in range(4, 4 + len(drawn.cells)))
    assert sum(shape.area for shape in draft.now.shapes) == pytest.approx(250 * 300)
    assert ws.read("grids").index.tolist() == ["G1", "G2", "G3"]  # nothing is live
    plans.publish(ws, "default", on=dt.date(2013, 1, 1), who="Wang")
    live = ws.read("grids")
    assert set(live[live["state"] == "valid"].index) == {"G3", *draft.now.codes}
    assert [finding for finding in check(ws).findings if finding.layer == "grids"] == []
    assert set(ws.lineage()["parent"]) == {"G1", "G2"}


def test_a_proposal_is_one_step_that_can_be_undone(ws: Workspace) -> None:
    propose(with_grids(ws), toy.WEST, who="Wang")
    back = redrawing.undo(ws, plan="default", who="Wang")
    assert set(back.areas[toy.WEST].rows) == {"G1", "G2"}


def test_locked_grids_are_not_taken_from_a_planner(ws: Workspace) -> None:
    with_grids(ws)
    redrawing.edit(ws, Merge(("G2", "G1")), who="Li", why="one")
    redrawing.lock(ws, ["G2"], who="Li")
    with pytest.raises(DataError, match="G2 is locked"):
        propose(ws, toy.WEST, who="Wang")
    with pytest.raises(DataError, match="no area 999"):
        propose(ws, "999", who="Wang")
