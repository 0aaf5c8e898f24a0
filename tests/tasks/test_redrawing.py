"""Plans on the toy town in both stores: edits, undo, locks, publication and what the figures say before and after."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridgis import toy
from gridgis.errors import ConflictError, DataError
from gridgis.redraw.operations import Assign, Merge, MoveVertex, Operation, Retire, Split, rings_of
from gridgis.store import NewEntry, Workspace, images_of
from gridgis.tasks import checking, covering, plan_state, plans, redrawing

X, Y = toy.ORIGIN
OPEN = dt.date(2012, 3, 1)
ON = dt.date(2013, 1, 1)


def at(right: float, up: float) -> tuple[float, float]:
    return X + right, Y + up


def filled(ws: Workspace) -> Workspace:
    with ws.write(who="test", why="test") as write:
        write.set_crs(toy.CRS)
        for name in ("areas", "stations", "grids", "buildings"):
            write.upsert(name, getattr(toy, name)())
    return ws


def edit(ws: Workspace, op: Operation, **options: Any) -> redrawing.EditReport:
    return redrawing.edit(ws, op, **{"who": "Li", "why": "because", **options})


# the west village is G1 (150 m wide, four houses in its lower 50 m) and G2 (100 m, two houses at 150 m)
ACROSS = Split("G1", (at(-1, 100), at(151, 100)))


def test_a_split_says_what_every_part_holds_and_loses_nobody(each_town: Workspace) -> None:
    told = edit(each_town, ACROSS).to_json()
    assert told["plan"] == "default"
    # the station of G1 and G2 stands at 125/150: its part keeps the code
    found = {grid["code"]: grid for grid in told["changed"]}
    assert {code: grid["op"] for code, grid in found.items()} == {"G1": "lost", "G4": "created", "G2": "touched"}
    assert found["G1"]["population"] == {"before": 12, "after": 0}
    assert found["G4"]["population"] == {"before": None, "after": 12}
    assert found["G4"]["area_m2"]["after"] == pytest.approx(150 * 100, rel=1e-6)
    assert told["conserved"]["population"] == {"before": 18, "after": 18}
    assert told["lineage"] == [{"code": "G4", "kind": "split from", "parent": "G1"}]
    assert each_town.read("grids").index.tolist() == ["G1", "G2", "G3"]  # nothing is live


def test_a_plan_reads_the_same_after_a_restart(each_town: Workspace) -> None:
    edit(each_town, ACROSS)
    kept = edit(each_town, MoveVertex(at(150, 100), at(160, 110)), area=toy.WEST)
    again = plan_state.load(each_town, "default")
    mine, read = kept.state.areas[toy.WEST].now, again.areas[toy.WEST].now
    assert mine.codes == read.codes
    assert all(shapely.equals_identical(a, b) for a, b in zip(mine.shapes, read.shapes, strict=True))
    assert again.rev == kept.rev == 3


def test_undo_and_redo_go_all_the_way_and_the_log_keeps_everything(town: Workspace) -> None:
    edit(town, ACROSS)
    edit(town, Merge(("G2", "G1")))
    assert sorted(redrawing.undo(town, who="Li").areas[toy.WEST].now.codes) == ["G1", "G2", "G4"]
    state = redrawing.undo(town, who="Li")
    assert sorted(state.areas[toy.WEST].now.codes) == ["G1", "G2"]
    assert state.areas[toy.WEST].changed == ()
    with pytest.raises(DataError, match="Nothing is left to undo"):
        redrawing.undo(town, who="Li")
    redrawing.redo(town, who="Li")
    assert sorted(redrawing.redo(town, who="Li").areas[toy.WEST].now.codes) == ["G2", "G4"]
    redrawing.undo(town, who="Li")
    edit(town, Retire("G4"))  # a new edit ends what could be redone
    with pytest.raises(DataError, match="Nothing is left to redo"):
        redrawing.redo(town, who="Li")
    log = redrawing.history(town)
    assert log["kind"].tolist() == ["base", "edit", "edit", "undo", "undo", "redo", "redo", "undo", "edit"]
    assert log["holds"].tolist()[1:3] == [True, False]


def test_a_refused_edit_leaves_the_plan_as_it_was(town: Workspace) -> None:
    edit(town, ACROSS)
    with pytest.raises(DataError, match="does not cross"):
        edit(town, Split("G2", (at(0, 10), at(100, 10))))
    assert town.plan("default").rev == 2


def test_locked_grids_cannot_be_touched_until_they_are_unlocked(town: Workspace) -> None:
    edit(town, ACROSS)
    redrawing.lock(town, ["G4"], who="Li")
    with pytest.raises(DataError, match="G4 is locked"):
        edit(town, Merge(("G1", "G4")))
    with pytest.raises(DataError, match="G4 is locked"):
        edit(town, Assign(rings_of(shapely.box(*at(100, 50), *at(200, 150))), "G2"))
    redrawing.lock(town, ["G4"], on=False, who="Li")
    assert edit(town, Merge(("G1", "G4"))).roles["G4"] == "retired"


def test_an_edit_on_an_old_number_enters_unless_it_touches_what_changed_since(town: Workspace) -> None:
    first = edit(town, ACROSS)
    edit(town, Split("G4", (at(75, -1), at(75, 101))), who="Wang")
    with pytest.raises(ConflictError, match="Wang changed G4"):
        edit(town, Retire("G4"), rev=first.rev)
    assert edit(town, Split("G2", (at(140, 290), at(260, 290))), rev=first.rev).roles["G2"] in ("lost", "reshaped")


def test_undo_redo_and_lock_on_an_old_number_are_refused_once_the_plan_moved_on(town: Workspace) -> None:
    first = edit(town, ACROSS)
    edit(town, Split("G4", (at(75, -1), at(75, 101))), who="Wang")  # 3
    with pytest.raises(ConflictError, match=r"moved on.*revision 2.*now at 3 \(last by Wang"):
        redrawing.undo(town, who="Li", rev=first.rev)
    with pytest.raises(ConflictError, match="moved on"):
        redrawing.lock(town, ["G4"], who="Li", rev=first.rev)
    locked = redrawing.lock(town, ["G2"], who="Wang", rev=first.rev)  # nobody changed G2 since
    # a lock changes no grid: what is undone is still what was seen
    back = redrawing.undo(town, who="Li", rev=3)
    assert (locked.rev, back.rev, back.undone) == (4, 5, (3,))
    with pytest.raises(ConflictError, match="last by Li"):
        redrawing.redo(town, who="Wang", rev=4)
    with pytest.raises(ConflictError, match="last by Li"):
        redrawing.undo(town, who="Wang", rev=4)
    assert redrawing.redo(town, who="Wang", rev=5).done == (2, 3)


def test_an_edit_on_an_old_number_enters_beside_an_undo_of_other_grids(town: Workspace) -> None:
    seen = edit(town, ACROSS)
    edit(town, Split("G3", (at(325, -1), at(325, 301))), who="Wang")
    redrawing.undo(town, who="Wang")
    assert edit(town, Retire("G4"), rev=seen.rev).roles["G4"] == "retired"
    redrawing.undo(town, who="Wang")
    with pytest.raises(ConflictError, match="Wang changed G1, G4"):
        edit(town, Retire("G4"), rev=seen.rev)


def test_publishing_changes_the_figures_from_its_day_on_and_not_before(each_town: Workspace) -> None:
    ws = each_town
    before = covering.coverage(ws, as_of=OPEN).to_json()["measures"]
    assert before["area"]["percent"] == 62.5  # 250 of 400 m: the east station is not open
    edit(ws, Retire("G2", to="free"), plan="default")
    report = plans.publish(ws, "default", on=ON, who="Li")
    assert report.to_json() == {
        "plan": "default", "on": "2013-01-01", "rev": 3, "changed": [], "created": [], "retired": ["G2"],
    }  # fmt: skip
    assert covering.coverage(ws, as_of=dt.date(2012, 12, 31)).to_json()["measures"]["area"] == before["area"]
    assert covering.coverage(ws, as_of=ON).to_json()["measures"]["area"]["percent"] == 37.5
    assert covering.coverage(ws, as_of=ON).to_json()["measures"]["population"]["covered"] == 12
    assert checking.check(ws).findings == ()
    assert ws.plan("default").state == "published"
    with pytest.raises(DataError):
        edit(ws, ACROSS, plan="default")
    assert plan_state.default_plan(ws) == "default-2"


def test_a_published_split_is_written_once_with_lineage_and_versions(each_town: Workspace) -> None:
    edit(each_town, ACROSS)
    plans.publish(each_town, "default", on=ON, who="Li", why="two officers")
    live = each_town.read("grids")
    assert live["version"].to_dict() == {"G1": 2, "G2": 2, "G3": 1, "G4": 1}
    assert live.geometry["G4"].area == pytest.approx(15_000)
    assert live.loc["G4", "station"] == "S1"
    assert live["valid_from"].to_dict() == {"G1": ON, "G2": ON, "G3": None, "G4": ON}
    past = each_town.read("grids", as_of=OPEN)
    assert past.geometry.loc[[*toy.grids().index]].geom_equals(toy.grids().geometry).all()
    lineage = each_town.lineage()
    assert lineage[["code", "parent", "kind", "plan"]].to_numpy().tolist() == [["G4", "G1", "split from", "default"]]


def test_a_plan_whose_grids_changed_meanwhile_is_refused_and_one_that_does_not_touch_them_rebased(town: Workspace) -> None:
    for name in ("one", "two", "three"):
        plans.create(town, name, who="Li")
    edit(town, ACROSS, plan="one")
    edit(town, Split("G1", (at(-1, 200), at(151, 200))), plan="two")
    plans.publish(town, "one", on=ON, who="Li")
    with pytest.raises(ConflictError, match="G1"):
        plans.publish(town, "two", on=dt.date(2013, 2, 1), who="Li")
    with pytest.raises(ConflictError, match="changed meanwhile as well: G1"):
        plans.rebase(town, "two", who="Li")
    east = Split("G3", (at(325, -1), at(325, 301)))
    edit(town, east, plan="three")
    assert plans.publish(town, "three", on=dt.date(2013, 2, 1), who="Li").created == ("G6",)


def test_a_rebased_plan_stands_on_the_newer_rows(town: Workspace) -> None:
    plans.create(town, "later", who="Li")
    edit(town, Split("G2", (at(200, -1), at(200, 301))), plan="later")
    grids = town.read("grids").loc[["G1"]]
    with town.write(who="Wang", why="new officer") as write:
        write.correct("grids", grids.assign(officer="Chen"))
    state = plans.rebase(town, "later", who="Li")
    assert state.areas[toy.WEST].now.attributes.loc["G1", "officer"] == "Chen"
    assert plans.publish(town, "later", on=ON, who="Li").created == ("G4",)


def test_a_code_given_to_another_grid_meanwhile_becomes_the_next_free_one(each_town: Workspace) -> None:
    ws = each_town
    plans.create(ws, "later", who="Li")
    edit(ws, Split("G2", (at(200, -1), at(200, 301))), plan="later")  # 2: the parts of G2 are G2 and G4
    edit(ws, Split("G4", (at(199, 150), at(251, 150))), plan="later")  # 3: and of G4, G5
    redrawing.undo(ws, plan="later", who="Li")
    redrawing.lock(ws, ["G4"], plan="later", who="Li")
    # somebody without a plan gives G4 to the north of G1, with a name the plan has given too
    rows = ws.read("grids").loc[["G1"]]
    name = str(plan_state.load(ws, "later").areas[toy.WEST].now.attributes.loc["G4", "name"])
    halves = [gpd.GeoSeries([shapely.box(*at(0, y), *at(150, y + 150))], index=["G1"], crs=toy.CRS) for y in (0, 150)]
    south, north = (rows.set_geometry(half) for half in halves)
    with ws.write(who="Wang", why="by hand") as write:
        write.change("grids", south, valid_from=ON)
        write.upsert("grids", north.drop(columns=["version", "valid_from", "valid_to"]).set_axis(["G4"]).assign(name=name))
    with pytest.raises(ConflictError, match="changed meanwhile: G4"):
        plans.publish(ws, "later", on=ON, who="Li")

    state = plans.rebase(ws, "later", who="Li")
    assert plans.renumbered(state) == {"G4": "G6"}  # G5 is the plan's own, undone
    draft = state.areas[toy.WEST]
    assert sorted(draft.now.codes) == ["G1", "G2", "G4", "G6"]
    assert shapely.box(*at(0, 150), *at(150, 300)).equals(draft.now.shape("G4"))
    assert draft.now.shape("G6").area == pytest.approx(15_000)
    assert state.locked == {"G6"}
    assert draft.now.attributes["name"].is_unique
    assert "G6" in ws.drafted_codes()  # nobody else gets it
    assert [entry.kind for entry in state.entries] == ["base", "edit", "edit", "undo", "lock", "rebase"]
    assert redrawing.history(ws, plan="later")["grids"].iloc[-1] == ["G6"]

    redrawing.lock(ws, ["G6"], plan="later", on=False, who="Li")
    redone = redrawing.redo(ws, plan="later", who="Li")  # an edit from before the rebase, on the new code
    assert sorted(redone.areas[toy.WEST].now.codes) == ["G1", "G2", "G4", "G5", "G6"]
    assert edit(ws, Merge(("G6", "G5")), plan="later").roles["G5"] == "retired"
    published = plans.publish(ws, "later", on=dt.date(2013, 6, 1), who="Li")
    assert (published.created, published.changed) == (("G6",), ("G2",))
    lineage = ws.lineage()[["code", "kind", "parent"]].to_numpy().tolist()
    assert lineage == [["G6", "split from", "G2"]]  # G5 came and went within the plan
    assert checking.check(ws).ok


def test_lineage_passes_through_codes_that_came_and_went_within_the_plan(town: Workspace) -> None:
    edit(town, ACROSS)  # G4 from G1
    edit(town, Split("G4", (at(75, -1), at(75, 101))))  # G5, its east, from G4
    edit(town, Merge(("G5", "G2")))  # G2 into G5
    edit(town, Merge(("G1", "G5")))  # G5 into G1
    plans.publish(town, "default", on=ON, who="Li")
    lineage = town.lineage()[["code", "kind", "parent"]].to_numpy().tolist()
    assert lineage == [["G4", "split from", "G1"], ["G2", "merged into", "G1"]]
    assert checking.check(town).ok


def test_a_rebase_takes_over_what_was_corrected_in_grids_the_plan_redrew(town: Workspace) -> None:
    plans.create(town, "later", who="Li")
    edit(town, ACROSS, plan="later")  # 2
    grids = town.read("grids").loc[["G1"]]
    with town.write(who="Wang", why="new officer") as write:
        write.correct("grids", grids.assign(officer="Chen"))
    with pytest.raises(ConflictError, match="changed meanwhile: G1"):
        plans.publish(town, "later", on=ON, who="Li")
    state = plans.rebase(town, "later", who="Li")
    draft = state.areas[toy.WEST]
    assert draft.now.attributes["officer"].dropna().to_dict()["G1"] == "Chen"
    assert draft.now.shape("G1").area == pytest.approx(30_000)
    undone = redrawing.undo(town, plan="later", who="Li").areas[toy.WEST]
    assert undone.changed == ()
    redrawing.redo(town, plan="later", who="Li")
    plans.publish(town, "later", on=ON, who="Li")
    assert town.read("grids").loc["G1", "officer"] == "Chen"


@pytest.mark.parametrize("theirs", [{"population": 40.0}, {"geometry": shapely.box(*at(0, 0), *at(150, 299))}])
def test_a_rebase_is_refused_where_ground_or_registers_of_a_redrawn_grid_changed(town: Workspace, theirs: dict[str, Any]) -> None:
    plans.create(town, "later", who="Li")
    edit(town, ACROSS, plan="later")
    with town.write(who="Wang", why="by hand") as write:
        write.correct("grids", town.read("grids").loc[["G1"]].assign(**theirs))
    with pytest.raises(ConflictError, match="changed meanwhile as well: G1"):
        plans.rebase(town, "later", who="Li")


def test_what_keeps_a_plan_from_being_rebased_is_said_in_the_readers_language(town: Workspace) -> None:
    plans.create(town, "later", who="Li")
    edit(town, Split("G2", (at(200, -1), at(200, 301))), plan="later")
    wide = gpd.GeoSeries([shapely.box(*at(0, 0), *at(160, 300))], index=["G1"], crs=toy.CRS)
    with town.write(who="Wang", why="by hand") as write:
        write.correct("grids", town.read("grids").loc[["G1"]].set_geometry(wide))
    with pytest.raises(
        ConflictError, match=r"on the newer grids a rule would be broken\. The grids of area .* 1 overlap"
    ) as refused:
        plans.rebase(town, "later", who="Li")
    assert "重叠 1 处" in refused.value.message("zh")
    assert "overlap" not in refused.value.message("zh").replace("gridgis.redraw.opening", "")
    assert town.plan("later").rev == 2


def test_a_second_person_approves_where_the_workspace_asks_for_it(town: Workspace) -> None:
    with town.write(who="test", why="test") as write:
        write.set_setting(plans.APPROVAL, "required")
    edit(town, ACROSS)
    with pytest.raises(DataError, match="needs the approval"):
        plans.publish(town, "default", on=ON, who="Li")
    with pytest.raises(DataError, match="cannot approve"):
        plans.approve(town, "default", who="Li")
    plans.approve(town, "default", who="Wang")
    edit(town, Merge(("G1", "G2")))  # voids it
    with pytest.raises(DataError, match="needs the approval"):
        plans.publish(town, "default", on=ON, who="Li")
    plans.approve(town, "default", who="Wang")
    assert plans.publish(town, "default", on=ON, who="Li").retired == ("G2",)


def test_a_published_plan_is_taken_back_by_a_new_one_and_void_codes_stay_void(town: Workspace) -> None:
    edit(town, Merge(("G1", "G2")))
    plans.publish(town, "default", on=ON, who="Li")
    state = plans.revert(town, "default", into="back", who="Li")
    assert sorted(state.areas[toy.WEST].now.codes) == ["G1", "G4"]
    plans.publish(town, "back", on=dt.date(2013, 6, 1), who="Li")
    live = town.read("grids").geometry
    assert live["G1"].equals(toy.grids().geometry["G1"])
    assert live["G4"].equals(toy.grids().geometry["G2"])
    assert town.lineage()["kind"].tolist() == ["merged into", "restored from"]


def test_a_plan_whose_edits_cancel_out_publishes_nothing(town: Workspace) -> None:
    edit(town, ACROSS)
    redrawing.undo(town, who="Li")
    with pytest.raises(DataError, match="changes nothing"):
        plans.publish(town, "default", on=ON, who="Li")


def test_registered_residents_are_shared_to_the_person(town: Workspace) -> None:
    grids = town.read("grids").loc[["G1"]]
    with town.write(who="test", why="test") as write:
        write.correct("grids", grids.assign(population=101.0, households=33.0))
    # two of the four houses lie below 35 m
    told = edit(town, Split("G1", (at(-1, 35), at(151, 35))), plan="default")
    after = told.state.areas[toy.WEST].now.attributes["population"]
    assert sorted([after["G1"], after["G4"]]) == [50.0, 51.0]
    assert told.to_json()["conserved"]["population"] == {"before": 107, "after": 107}


def test_dirty_boundaries_are_refused_with_the_way_out_and_repaired_in_a_plan(town: Workspace) -> None:
    grids = town.read("grids").loc[["G2"]]
    wide = gpd.GeoSeries([shapely.box(*at(140, 0), *at(250, 300))], index=["G2"], crs=toy.CRS)
    with town.write(who="test", why="test") as write:
        write.correct("grids", grids.set_geometry(wide))
    with pytest.raises(DataError, match="do not fit together: 1 overlap"):
        edit(town, ACROSS)
    state, moved = redrawing.mend(town, toy.WEST, gap_width_m=1.0, keep="first", who="Li", why="repair")
    assert moved["lost_m2"].sum() == pytest.approx(3000, rel=1e-6)
    assert state.areas[toy.WEST].now.shape("G2").area == pytest.approx(30_000)
    assert edit(town, ACROSS).roles["G4"] == "created"
    assert set(plans.publish(town, "default", on=ON, who="Li").changed) == {"G1", "G2"}


def test_check_tells_a_draft_that_does_not_add_up_and_lineage_of_codes_nobody_had(town: Workspace) -> None:
    edit(town, ACROSS)
    assert checking.check(town).ok
    taken = images_of(town.read("grids"))
    shifted = dict(taken["G2"] or {}) | {"geometry": shapely.to_wkb(shapely.box(*at(140, 0), *at(250, 300)), hex=True)}
    with town.write(who="x", why="by hand") as write:
        write.append_plan("default", [NewEntry("edit", area=toy.WEST, op={"do": "x"}, images={"G2": shifted})], rev=2)
        write.add_lineage(pd.DataFrame([{"code": "G1", "parent": "G9", "kind": "split from", "on": ON}]))
    found = {finding.rule: finding.message("en") for finding in checking.check(town).findings}
    assert set(found) == {"plan", "lineage"}
    assert "default" in found["plan"]
    assert "G9" in found["lineage"]
