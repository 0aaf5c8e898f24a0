"""Plans: entries come back bit for bit, enter only at the revision their writer knew, and are never changed again."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import struct
import time
from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import gridgis
from gridgis import toy
from gridgis.errors import ConflictError, DataError, WorkspaceError
from gridgis.layers import LAYERS
from gridgis.store import NewEntry, Workspace, Write, images_of, rows_of
from gridgis.store.plans import KINDS
from tests.store.frames import same_frames

D = dt.date
METRES = pyproj.CRS(toy.CRS)
AT = dt.datetime(2025, 3, 1, 8, 30, 0, 123_000, tzinfo=dt.UTC)
OP = {"do": "split", "grid": "G1", "line": [[500_000.1, 3_366_000.2], [500_500.3, 3_366_000.4]]}


@pytest.fixture
def workspace(workspace_url: str) -> Iterator[Workspace]:
    """The toy town with the draft "new borders" of Li, its base taken up."""
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as made:
        with made.write(who="Li", why="import") as write:
            write.upsert("grids", toy.grids())
        with made.write(who="Li", why="begin", at=AT) as write:
            write.add_plan("new borders", note="after the new road")
            write.append_plan("new borders", [NewEntry("base", area=toy.WEST, images=images_of(write.read("grids")))], rev=0)
        yield made


def append(workspace: Workspace, *entries: NewEntry, rev: int, who: str = "Wang", plan: str = "new borders") -> int:
    with workspace.write(who=who, why="a reason", at=AT + dt.timedelta(hours=rev)) as write:
        return write.append_plan(plan, entries, rev=rev)


def edit(*codes: str) -> NewEntry:
    return NewEntry("edit", area=toy.WEST, op=OP, images={code: {"code": code} for code in codes})


# what is kept


def test_a_new_plan_is_an_empty_draft(workspace: Workspace) -> None:
    with workspace.write(who="Wang", why="begin", at=AT) as write:
        made = write.add_plan("另一个方案")
        assert write.plan("另一个方案") == made
    assert workspace.plan("另一个方案") == made
    assert (made.state, made.rev, made.note, made.created_by, made.created_at) == ("draft", 0, "", "Wang", AT)
    assert (made.published_on, made.published_by, made.published_at) == (None, None, None)
    assert workspace.plan_entries("另一个方案") == ()
    assert [plan.name for plan in workspace.plans()] == ["new borders", "另一个方案"]
    assert workspace.plan("new borders").note == "after the new road"


def test_entries_come_back_as_they_were_appended(workspace: Workspace) -> None:
    changed = {"G1": {"code": "G1", "officer": "李", "population": 0.1 + 0.2}, "G2": None}
    rev = append(
        workspace,
        NewEntry("edit", area=toy.WEST, op=OP, images=changed, why="along the road"),
        NewEntry("undo", target=2),
        rev=1,
    )
    assert rev == workspace.plan_rev("new borders") == workspace.plan("new borders").rev == 3
    first, second, third = workspace.plan_entries("new borders")
    assert (first.seq, first.kind, first.who, first.why, first.at, first.op) == (1, "base", "Li", "begin", AT, None)
    assert (second.seq, second.kind, second.area, second.op, second.images) == (2, "edit", toy.WEST, OP, changed)
    assert (second.who, second.why, second.at, second.target) == ("Wang", "along the road", AT + dt.timedelta(hours=1), None)
    assert (third.seq, third.kind, third.target, third.images, third.why) == (3, "undo", 2, None, "a reason")


def test_only_the_tail_is_read(workspace: Workspace) -> None:
    append(workspace, edit("G1"), edit("G2"), edit("G3"), rev=1)
    assert [entry.seq for entry in workspace.plan_entries("new borders", since=2)] == [3, 4]
    assert workspace.plan_entries("new borders", since=4) == ()
    if workspace.info.kind == "geopackage":  # by the index, not by looking through all entries
        with workspace._backend.reading() as connection:
            query = "EXPLAIN QUERY PLAN SELECT * FROM plan_entries WHERE plan = 'p' AND seq > 2 ORDER BY seq"
            steps = [row[3] for row in connection.exec_driver_sql(query)]
        assert len(steps) == 1
        assert "(plan=? AND seq>?)" in steps[0]


def test_plans_leave_revision_and_change_log_alone(workspace: Workspace) -> None:
    revision, log = workspace.revision, len(workspace.log())
    append(workspace, edit("G1"), rev=1)
    with workspace.write(who="Li", why="t") as write:
        write.add_plan("second")
        write.add_lineage(pd.DataFrame({"code": ["G9"], "parent": ["G1"], "kind": ["split from"], "on": [D(2025, 1, 1)]}))
        write.close_plan("second", state="discarded")
    assert (workspace.revision, len(workspace.log())) == (revision, log)
    with workspace.write(who="Li", why="both") as write:
        write.append_plan("new borders", [edit("G2")], rev=2)
        write.upsert("grids", toy.grids().assign(officer="Qian"))
    assert (workspace.revision, len(workspace.log()), workspace.plan_rev("new borders")) == (revision + 1, log + 3, 3)


def test_plans_are_no_layers(workspace: Workspace) -> None:
    for name in ("plans", "plan_entries", "lineage"):
        assert name not in LAYERS
        with pytest.raises(DataError, match=name) as refused:
            workspace.read(name)
        assert refused.value.key == "store.unknown_layer"


# images


def test_grids_survive_as_images_with_every_column(workspace: Workspace) -> None:
    west, east = toy.grids().geometry.iloc[0], shapely.box(600_000, 0, 600_001, 1e-3)
    frame = toy.grids().iloc[[0, 1]].assign(population=[1 / 3, np.nan])
    frame["opened_on"] = pd.Series([D(2012, 3, 1), None], index=frame.index, dtype=object)
    frame["colour"] = pd.Series(["red", None], index=frame.index, dtype=object)
    shapes = np.array([shapely.union_all([west, east]), frame.geometry.iloc[1]])
    frame = frame.set_geometry(shapes, crs=toy.CRS)
    with workspace.write(who="t", why="t") as write:
        write.upsert("grids", frame, valid_from=D(2025, 1, 1))
        append_to = write.plan("new borders").rev
        write.append_plan("new borders", [NewEntry("base", images=images_of(write.read("grids")))], rev=append_to)
    live = workspace.read("grids")
    images = workspace.plan_entries("new borders", since=1)[0].images
    assert images is not None
    kept = rows_of(images, crs=workspace.info.crs)
    same_frames(kept, live)
    pd.testing.assert_frame_equal(pd.DataFrame(kept.drop(columns="geometry")), pd.DataFrame(live.drop(columns="geometry")))
    # and the log has the same words for the same row
    assert images["G1"] == workspace.log(layer="grids", key="G1")["after"].iloc[-1]


def test_rows_that_are_gone_are_left_out_and_no_rows_are_a_frame_too() -> None:
    images = {**images_of(toy.grids()), "G2": None}
    assert rows_of(images, crs=METRES).index.tolist() == ["G1", "G3"]
    empty = rows_of({"G1": None}, crs=METRES)
    assert len(empty) == 0
    assert (empty.crs, empty.index.name) == (METRES, "code")
    assert "officer" in empty.columns


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(st.tuples(floats, floats), min_size=3, max_size=8), min_size=1, max_size=4), floats)
def test_any_coordinate_survives_bit_for_bit(rings: list[list[tuple[float, float]]], population: float) -> None:
    codes = [f"G{number}" for number in range(len(rings))]
    frame = gpd.GeoDataFrame(
        {"population": population}, geometry=[shapely.Polygon(ring) for ring in rings], index=codes, crs=toy.CRS
    )
    back = rows_of(json.loads(json.dumps(images_of(frame))), crs=METRES)
    for ring, shape in zip(rings, back.geometry, strict=True):
        expected = [*ring, ring[0]] if ring[0] != ring[-1] or len(ring) == 3 else ring
        assert [struct.pack("dd", *point) for point in shapely.get_coordinates(shape)] == [
            struct.pack("dd", *point) for point in expected
        ]
    assert struct.pack("d", back["population"].iloc[0]) == struct.pack("d", population)


def test_shapes_and_numpy_values_are_taken_too(workspace: Workspace) -> None:
    shape = toy.grids().geometry["G1"]
    images = {"G1": {"code": "G1", "geometry": shape, "version": np.int64(3), "opened_on": D(2012, 3, 1)}}
    append(workspace, NewEntry("edit", op={"do": "x", "n": np.float64(0.1)}, images=images), rev=1)
    (entry,) = workspace.plan_entries("new borders", since=1)
    assert entry.op == {"do": "x", "n": 0.1}
    assert entry.images == {
        "G1": {"code": "G1", "geometry": shapely.to_wkb(shape, hex=True), "version": 3, "opened_on": "2012-03-01"}
    }


# what is refused


def test_an_unknown_plan_is_told_with_those_there_are(workspace: Workspace, tmp_path: object) -> None:
    for ask in (workspace.plan, workspace.plan_rev, workspace.plan_entries):
        with pytest.raises(DataError, match="new borders") as refused:
            ask("nobody's")
        assert refused.value.key == "plans.unknown"
    with pytest.raises(DataError), workspace.write(who="t", why="t") as write:
        write.append_plan("nobody's", [edit("G1")], rev=0)
    with gridgis.create_workspace(f"{tmp_path}/empty.gpkg") as empty, pytest.raises(DataError, match="none yet"):
        empty.plan("default")


def test_an_edit_made_on_an_older_state_is_refused_with_who_was_first(workspace: Workspace) -> None:
    append(workspace, edit("G1"), rev=1, who="Wang")
    with pytest.raises(ConflictError) as refused:
        append(workspace, edit("G2"), rev=1, who="Zhao")
    assert refused.value.key == "plans.moved"
    for told in ("revision 1,", "at 2 ", "Wang", "2025-03-01T09:30:00.123Z"):
        assert told in str(refused.value)
    with pytest.raises(ConflictError, match="5"):  # of a future nobody has seen
        append(workspace, edit("G2"), rev=5)
    assert [entry.seq for entry in workspace.plan_entries("new borders")] == [1, 2]
    assert append(workspace, edit("G2"), rev=2, who="Zhao") == 3


def test_a_plan_without_entries_names_its_maker_in_a_conflict(workspace: Workspace) -> None:
    with workspace.write(who="Qian", why="t") as write:
        write.add_plan("empty")
    with pytest.raises(ConflictError, match="Qian"):
        append(workspace, edit("G1"), rev=1, plan="empty")


def test_after_a_refusal_the_block_may_go_on(workspace: Workspace) -> None:
    append(workspace, edit("G1"), rev=1)
    with workspace.write(who="Zhao", why="t") as write:
        with pytest.raises(ConflictError):
            write.append_plan("new borders", [edit("G2")], rev=1)
        write.append_plan("new borders", [edit("G2")], rev=write.plan("new borders").rev)
        assert [entry.seq for entry in write.plan_entries("new borders", since=2)] == [3]
    assert workspace.plan_rev("new borders") == 3


def append_and_fail(write: Write) -> None:
    write.append_plan("new borders", [edit("G1")], rev=1)
    write.add_plan("another")
    write.add_plan("another")


def test_a_block_that_raises_leaves_no_entry(workspace: Workspace) -> None:
    with pytest.raises(DataError), workspace.write(who="t", why="t") as write:
        append_and_fail(write)
    assert workspace.plan_rev("new borders") == 1
    assert len(workspace.plan_entries("new borders")) == len(workspace.plans()) == 1


@pytest.mark.parametrize("name", ["", "  ", "new borders"])
def test_a_plan_needs_a_name_of_its_own(workspace: Workspace, name: str) -> None:
    with pytest.raises(DataError), workspace.write(who="t", why="t") as write:
        write.add_plan(name)
    assert len(workspace.plans()) == 1


def test_a_closed_plan_is_final(workspace: Workspace) -> None:
    with pytest.raises(DataError) as refused, workspace.write(who="Sun", why="t") as write:
        write.close_plan("new borders", state="published")
    assert refused.value.key == "plans.no_day"
    with workspace.write(who="Sun", why="agreed", at=AT) as write:
        write.append_plan("new borders", [NewEntry("publish")], rev=1)
        write.close_plan("new borders", state="published", on=D(2025, 4, 1))
    plan = workspace.plan("new borders")
    assert (plan.state, plan.rev, plan.published_on) == ("published", 2, D(2025, 4, 1))
    assert (plan.published_by, plan.published_at) == ("Sun", AT)
    with pytest.raises(DataError, match="published") as refused:
        append(workspace, edit("G1"), rev=2)
    assert refused.value.key == "plans.is_published"
    with pytest.raises(DataError), workspace.write(who="Sun", why="t") as write:
        write.close_plan("new borders", state="discarded")
    with pytest.raises(DataError), workspace.write(who="Sun", why="t") as write:  # its name stays taken
        write.add_plan("new borders")


def test_a_discarded_plan_keeps_its_entries(workspace: Workspace) -> None:
    with workspace.write(who="Sun", why="t") as write:
        write.close_plan("new borders", state="discarded")
    assert (workspace.plan("new borders").state, workspace.plan("new borders").published_at) == ("discarded", None)
    assert len(workspace.plan_entries("new borders")) == 1
    with pytest.raises(DataError, match="discarded"):
        append(workspace, edit("G1"), rev=1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_has_what_its_kind_needs(geopackage_url: str, kind: str) -> None:
    whole = {"op": OP, "images": {"G1": None}, "target": 1}
    with gridgis.create_workspace(geopackage_url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            write.add_plan("new borders")
        append(workspace, NewEntry("base", images={}), NewEntry(kind, **whole), rev=0)  # type: ignore[arg-type]
        for name in KINDS[kind].needs:  # type: ignore[index]
            with pytest.raises(DataError, match=name) as refused:
                append(workspace, NewEntry(kind, **{**whole, name: None}), rev=2)  # type: ignore[arg-type]
            assert refused.value.key == "plans.lacks"
        assert workspace.plan_rev("new borders") == 2


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (NewEntry("paint"), "plans.unknown_kind"),  # type: ignore[arg-type]
        (NewEntry("undo", target=3), "plans.bad_target"),  # itself: it would be the third
        (NewEntry("undo", target=0), "plans.bad_target"),
        (NewEntry("edit", op={"x": float("nan")}, images={}), "plans.bad_value"),
        (NewEntry("edit", op=OP, images={"G1": {"population": float("inf")}}), "plans.bad_value"),
    ],
)
def test_a_bad_entry_takes_the_good_one_before_it_down(workspace: Workspace, entry: NewEntry, key: str) -> None:
    with pytest.raises(DataError) as refused:
        append(workspace, edit("G1"), entry, rev=1)
    assert refused.value.key == key
    assert workspace.plan_rev("new borders") == len(workspace.plan_entries("new borders")) == 1


def test_entries_and_lineage_cannot_be_rewritten(workspace: Workspace) -> None:
    with workspace.write(who="t", why="t") as write:
        write.add_lineage(pd.DataFrame({"code": ["G9"], "parent": ["G1"], "kind": ["split from"], "on": [D(2025, 1, 1)]}))
    for statement in (
        "UPDATE plan_entries SET who = 'nobody'",
        "DELETE FROM plan_entries",
        "DELETE FROM plan_entries WHERE seq = 1",
        "UPDATE lineage SET parent = 'G2'",
        "DELETE FROM lineage",
    ):
        with pytest.raises(WorkspaceError, match="append-only"), workspace._backend.writing(1) as connection:
            connection.exec_driver_sql(statement)
    assert workspace.plan_entries("new borders")[0].who == "Li"


def test_another_program_cannot_rewrite_a_plan_in_a_file_either(geopackage_url: str) -> None:
    with gridgis.create_workspace(geopackage_url, crs=toy.CRS) as workspace, workspace.write(who="Li", why="t") as write:
        write.add_plan("p")
        write.append_plan("p", [NewEntry("base", images={})], rev=0)
    connection = sqlite3.connect(geopackage_url)
    for statement in ("UPDATE plan_entries SET why = ''", "DELETE FROM plan_entries"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    # and a person reads it with plain SQL
    assert connection.execute("SELECT plan, seq, kind, who, images FROM plan_entries").fetchall() == [
        ("p", 1, "base", "Li", "{}")
    ]
    connection.close()


# codes and where they came from


def test_codes_of_drafts_are_known_until_the_draft_ends(workspace: Workspace) -> None:
    assert workspace.drafted_codes() == frozenset()  # the base alone drafts nothing
    append(workspace, edit("G1", "G7"), NewEntry("edit", op=OP, images={"G3": None}), NewEntry("lock", op={}), rev=1)
    with workspace.write(who="t", why="t") as write:
        write.add_plan("second")
        write.append_plan("second", [edit("G8")], rev=0)
    assert workspace.drafted_codes() == {"G1", "G3", "G7", "G8"}
    with workspace.write(who="t", why="t") as write:
        write.close_plan("second", state="discarded")
    assert workspace.drafted_codes() == {"G1", "G3", "G7"}


def test_lineage_is_found_from_either_side(workspace: Workspace) -> None:
    assert workspace.lineage().columns.tolist() == ["code", "parent", "kind", "on", "plan"]
    rows = [
        ("G4", "G1", "split from", D(2025, 1, 1), "new borders"),
        ("G2", "G1", "merged into", "2025-01-01", "new borders"),
        ("G5", "G3", "cut from", D(2025, 2, 1), None),
    ]
    with workspace.write(who="t", why="t") as write:
        assert write.add_lineage(pd.DataFrame(rows, columns=["code", "parent", "kind", "on", "plan"])) == 3
        assert write.add_lineage(pd.DataFrame(columns=["code", "parent", "kind", "on"])) == 0
    everything = workspace.lineage()
    assert everything["code"].tolist() == ["G4", "G2", "G5"]
    assert everything["on"].tolist() == [D(2025, 1, 1), D(2025, 1, 1), D(2025, 2, 1)]
    assert everything["plan"].isna().tolist() == [False, False, True]
    assert workspace.lineage(codes=["G1"])["code"].tolist() == ["G4", "G2"]
    assert workspace.lineage(codes=["G4", "G5"])["parent"].tolist() == ["G1", "G3"]
    assert len(workspace.lineage(codes=[])) == 0


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"parent": None}, "store.key_missing"),
        ({"kind": "born of"}, "store.unlisted"),
        ({"on": "yesterday"}, "store.bad_value"),
        ({"on": None}, "store.key_missing"),
    ],
)
def test_lineage_that_says_too_little_is_refused_whole(workspace: Workspace, change: dict[str, object], key: str) -> None:
    good: dict[str, object] = {"code": "G4", "parent": "G1", "kind": "split from", "on": D(2025, 1, 1)}
    with pytest.raises(DataError) as refused, workspace.write(who="t", why="t") as write:
        write.add_lineage(pd.DataFrame([good, good | change], dtype=object))
    assert refused.value.key == key
    with pytest.raises(DataError, match="parent"), workspace.write(who="t", why="t") as write:
        write.add_lineage(pd.DataFrame({"code": ["G4"]}))
    assert len(workspace.lineage()) == 0


# speed


def test_a_long_plan_of_many_grids_loads_in_a_moment(workspace: Workspace) -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.c_[np.cos(angles), np.sin(angles)] * 150 / np.pi
    shapes = [shapely.Polygon(ring + np.array([500_000 + 300 * n / 7, 3_366_000 + n / 3])) for n in range(623)]
    frame = gpd.GeoDataFrame({"area_code": toy.WEST}, geometry=shapes, crs=toy.CRS, index=[f"N{number}" for number in range(623)])
    base = images_of(frame)
    codes = list(base)
    edits = [NewEntry("edit", op=OP, images={code: base[code] for code in codes[at : at + 3]}) for at in range(500)]
    append(workspace, NewEntry("base", images=base), *edits, rev=1)
    append(workspace, edits[0], rev=502)
    start = time.process_time()
    state: dict[str, object] = {}
    for entry in workspace.plan_entries("new borders", since=1):
        state |= entry.images or {}
    now = rows_of(state, crs=METRES)  # type: ignore[arg-type]
    assert time.process_time() - start < 0.5
    assert shapely.equals_identical(now.geometry.to_numpy(), np.array(shapes)).all()
