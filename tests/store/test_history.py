"""Two clocks: when a row is true, and who wrote it when; checked by hand and against a list of versions kept beside."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import gridgis
from gridgis import toy
from gridgis.errors import ConflictError, DataError, WorkspaceError
from gridgis.store import Counts, Workspace

D = dt.date


@pytest.fixture
def workspace(workspace_url: str) -> Iterator[Workspace]:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as made:
        with made.write(who="Li", why="first survey", at=dt.datetime(2012, 1, 2, 9, tzinfo=dt.UTC)) as write:
            write.upsert("grids", toy.grids(), valid_from=D(2012, 1, 1))
        yield made


def officers(workspace: Workspace, day: dt.date | None = None) -> dict[str, str]:
    return workspace.read("grids", as_of=day)["officer"].to_dict()


def test_a_change_keeps_the_past(workspace: Workspace) -> None:
    frame = workspace.read("grids").loc[["G1"]].assign(officer="Sun")
    with workspace.write(who="Wu", why="new officer") as write:
        assert write.change("grids", frame, valid_from=D(2012, 7, 1)) == Counts(updated=1)
    assert officers(workspace)["G1"] == "Sun"
    assert officers(workspace, D(2012, 6, 30))["G1"] == "Li"
    assert officers(workspace, D(2012, 7, 1))["G1"] == "Sun"
    assert officers(workspace, D(2011, 12, 31)) == {}
    past = workspace.read("grids", as_of=D(2012, 6, 30)).loc["G1"]
    assert (past["valid_from"], past["valid_to"], past["version"]) == (D(2012, 1, 1), D(2012, 7, 1), 1)
    now = workspace.read("grids").loc["G1"]
    assert (now["valid_from"], now["valid_to"], now["version"]) == (D(2012, 7, 1), None, 2)
    assert workspace.count("grids") == workspace.count("grids", as_of=D(2012, 8, 1)) == 3


def test_a_correction_rewrites_the_present_version(workspace: Workspace) -> None:
    frame = workspace.read("grids").loc[["G1"]].assign(officer="Lee", valid_from=D(2011, 12, 1))
    with workspace.write(who="Wu", why="misspelt") as write:
        assert write.correct("grids", frame) == Counts(updated=1)
    assert officers(workspace, D(2011, 12, 15)) == {"G1": "Lee"}
    assert workspace.read("grids").loc["G1", "version"] == 2


def test_a_corrected_first_day_does_not_reach_into_the_version_before(workspace: Workspace) -> None:
    with workspace.write(who="Wu", why="new officer") as write:
        write.change("grids", workspace.read("grids").loc[["G1"]].assign(officer="Sun"), valid_from=D(2012, 7, 1))
    frame = workspace.read("grids").loc[["G1"]]
    for day in (D(2012, 6, 30), None):
        with pytest.raises(DataError, match="G1") as refused, workspace.write(who="Wu", why="wrong day") as write:
            write.correct("grids", frame.assign(valid_from=day))
        assert refused.value.key == "store.overlaps_past"
    with workspace.write(who="Wu", why="wrong day") as write:
        write.correct("grids", frame.assign(valid_from=D(2012, 8, 1)))  # a gap is possible: the grid rested
    assert "G1" not in officers(workspace, D(2012, 7, 15))


def test_a_retired_row_ends_and_its_key_is_never_given_again(workspace: Workspace) -> None:
    with workspace.write(who="Wu", why="merged") as write:
        assert write.retire("grids", ["G3"], valid_to=D(2013, 1, 1)) == 1
    assert sorted(officers(workspace)) == ["G1", "G2"]
    assert sorted(officers(workspace, D(2012, 12, 31))) == ["G1", "G2", "G3"]
    assert sorted(officers(workspace, D(2013, 1, 1))) == ["G1", "G2"]
    with pytest.raises(DataError, match="G3") as refused, workspace.write(who="Wu", why="again") as write:
        write.upsert("grids", toy.grids())
    assert refused.value.key == "store.key_retired"


def test_the_log_tells_who_when_why_before_and_after(workspace: Workspace) -> None:
    with workspace.write(
        who="Wu", why="new officer", at=dt.datetime(2012, 7, 1, 8, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    ) as w:
        w.upsert("grids", toy.grids().assign(officer=["Sun", "Wang", "Zhao"]), valid_from=D(2012, 7, 1))
    log = workspace.log(layer="grids", key="G1")
    assert log[["who", "why", "action"]].to_numpy().tolist() == [
        ["Li", "first survey", "insert"],
        ["Wu", "new officer", "change"],
    ]
    assert log["at"].tolist() == [pd.Timestamp("2012-01-02T09:00Z"), pd.Timestamp("2012-07-01T00:00Z")]
    assert log["revision"].tolist() == [1, 2]
    first, second = log.to_dict("records")
    assert first["before"] is None
    assert (second["before"]["officer"], second["after"]["officer"]) == ("Li", "Sun")
    assert (second["before"]["valid_to"], second["after"]["valid_from"]) == ("2012-07-01", "2012-07-01")
    assert shapely.equals_identical(shapely.from_wkb(second["after"]["geometry"]), toy.grids().geometry["G1"])
    assert len(workspace.log()) == 4  # two grids stayed as they were
    assert workspace.log(limit=1)["key"].tolist() == ["G1"]


def test_someone_elses_edit_is_not_overwritten(workspace: Workspace) -> None:
    mine = workspace.read("grids")
    theirs = workspace.read("grids").loc[["G2"]].assign(officer="Ma")
    with workspace.write(who="Ma", why="mine now") as write:
        write.correct("grids", theirs)
    revision = workspace.revision
    for attempt, options in (("correct", {}), ("change", {"valid_from": D(2013, 1, 1)})):
        with pytest.raises(ConflictError, match="G2") as refused, workspace.write(who="Wu", why="edit") as write:
            getattr(write, attempt)("grids", mine.assign(officer="Wu"), **options)
        assert refused.value.key == "store.stale"
    assert officers(workspace) == {"G1": "Li", "G2": "Ma", "G3": "Zhao"}
    assert workspace.revision == revision


def test_an_edit_needs_the_version_an_existing_key_and_a_later_day(workspace: Workspace) -> None:
    frame = workspace.read("grids")
    attempts: dict[str, Any] = {
        "store.version_missing": lambda w: w.correct("grids", frame.drop(columns="version")),
        "store.key_unknown": lambda w: w.correct("grids", frame.rename(index={"G1": "G9"})),
        "store.before_start": lambda w: w.change("grids", frame.assign(officer="x"), valid_from=D(2012, 1, 1)),
    }
    for key, attempt in attempts.items():
        with pytest.raises(DataError) as refused, workspace.write(who="Wu", why="edit") as write:
            attempt(write)
        assert refused.value.key == key
    for keys, day, key in ((["G9"], D(2013, 1, 1), "store.key_unknown"), (["G1"], D(2011, 1, 1), "store.before_start")):
        with pytest.raises(DataError) as refused, workspace.write(who="Wu", why="edit") as write:
            write.retire("grids", keys, valid_to=day)
        assert refused.value.key == key
    assert len(workspace.log()) == 3


def test_rows_may_bring_their_own_first_day(workspace: Workspace) -> None:
    frame = toy.stations().assign(valid_from=pd.Series([D(2010, 1, 1), None], index=["S1", "S2"], dtype=object))
    with workspace.write(who="Wu", why="import") as write:
        write.upsert("stations", frame, valid_from=D(2011, 1, 1))
    assert workspace.read("stations")["valid_from"].tolist() == [D(2010, 1, 1), D(2011, 1, 1)]


def test_a_box_and_a_condition_reach_into_the_past(workspace: Workspace) -> None:
    frame = workspace.read("grids").loc[["G3"]]
    moved = frame.set_geometry(frame.translate(1000, 0))
    with workspace.write(who="Wu", why="moved") as write:
        write.change("grids", moved, valid_from=D(2012, 7, 1))
    old_place = tuple(frame.geometry["G3"].buffer(-1).bounds)
    assert workspace.read("grids", bbox=old_place).empty
    assert workspace.read("grids", bbox=old_place, as_of=D(2012, 6, 30)).index.tolist() == ["G3"]
    assert workspace.read("grids", where={"version": 1}, as_of=D(2012, 6, 30)).index.tolist() == ["G1", "G2", "G3"]


def test_the_log_cannot_be_rewritten(workspace: Workspace) -> None:
    for statement in ("UPDATE change_log SET who = 'nobody'", "DELETE FROM change_log", "DELETE FROM change_log WHERE fid = 1"):
        with pytest.raises(WorkspaceError, match="append-only"), workspace._backend.writing(1) as connection:
            connection.exec_driver_sql(statement)
    assert set(workspace.log()["who"]) == {"Li"}


def test_another_program_cannot_rewrite_the_log_of_a_file_either(geopackage_url: str) -> None:
    with gridgis.create_workspace(geopackage_url, crs=toy.CRS) as workspace, workspace.write(who="Li", why="t") as write:
        write.upsert("grids", toy.grids())
    connection = sqlite3.connect(geopackage_url)
    for statement in ("UPDATE change_log SET who = 'nobody'", "DELETE FROM change_log"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


# a list of versions kept by hand beside the store


@dataclass
class Model:
    """Versions of every key as (from, to, officer), and the keys that are closed."""

    versions: dict[str, list[tuple[dt.date | None, dt.date | None, str]]] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)

    def on(self, day: dt.date) -> dict[str, str]:
        return {
            key: officer
            for key, versions in self.versions.items()
            for start, end, officer in versions
            if (start is None or start <= day) and (end is None or day < end)
        }


KEYS = ("G1", "G2", "G3")
DAYS = [D(2012, month, 1) for month in range(1, 13)]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["upsert", "correct", "change", "retire"]), st.sampled_from(KEYS), st.sampled_from("ABCD"),
              st.sampled_from(DAYS)),
    max_size=12,
)  # fmt: skip


def apply_to_model(model: Model, operation: str, key: str, officer: str, day: dt.date) -> bool:
    """Do it in the model; False if the store has to refuse it."""
    versions = model.versions.get(key, [])
    if operation == "upsert":
        if key in model.retired:
            return False
        if versions:
            start, end, _ = versions[-1]
            versions[-1] = (start, end, officer)
        else:
            model.versions[key] = [(None, None, officer)]
        return True
    if not versions or key in model.retired:
        return False
    start, _, old = versions[-1]
    if operation == "correct":
        versions[-1] = (start, None, officer)
        return True
    if start is not None and day <= start:
        return False
    versions[-1] = (start, day, old)
    if operation == "change":
        versions.append((day, None, officer))
    else:
        model.retired.add(key)
    return True


def apply_to_store(workspace: Workspace, operation: str, key: str, officer: str, day: dt.date) -> bool:
    try:
        with workspace.write(who="t", why=operation) as write:
            row = toy.grids().loc[[key]].assign(officer=officer)
            if operation == "upsert":
                write.upsert("grids", row)
            elif operation == "retire":
                write.retire("grids", [key], valid_to=day)
            else:
                read = write.read("grids", where={"code": key})
                row["version"] = read["version"].iloc[0] if len(read) else 1
                write.correct("grids", row) if operation == "correct" else write.change("grids", row, valid_from=day)
    except DataError:
        return False
    return True


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_any_sequence_of_writes_reads_as_the_list_of_versions_says(operations: list[tuple[str, str, str, dt.date]]) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder, gridgis.create_workspace(f"{folder}/t.gpkg", crs=toy.CRS) as workspace:
        for operation in operations:
            assert apply_to_store(workspace, *operation) == apply_to_model(model, *operation)
        for day in (D(2011, 6, 1), *DAYS, D(2013, 1, 1)):
            assert officers(workspace, day) == model.on(day)
        open_rows = {key: versions[-1][2] for key, versions in model.versions.items() if key not in model.retired}
        assert officers(workspace) == open_rows
        replayed = replay(workspace.log(layer="grids"))
        assert replayed == open_rows


def replay(log: pd.DataFrame) -> dict[str, str]:
    """The latest rows as the log alone tells them."""
    rows: dict[str, str] = {}
    for entry in log.to_dict("records"):
        if entry["action"] == "retire":
            del rows[entry["key"]]
        else:
            rows[entry["key"]] = json.loads(json.dumps(entry["after"]))["officer"]
    return rows
