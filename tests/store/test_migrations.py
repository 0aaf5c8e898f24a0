"""The schema's steps: the first one makes what the table of layers says, later ones run on opening after a copy was kept."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

import gridgis
from gridgis import toy
from gridgis.errors import WorkspaceError
from gridgis.store import NewEntry, geopackage, images_of, migrations, postgis
from gridgis.store.schema import METADATA
from tests.store import workers
from tests.store.frames import same_frames
from tests.store.processes import kill, running, started

OLD = migrations.HEAD
NEW = f"{int(OLD) + 1:04d}"
NEXT = '''
"""A step for the tests: a new table, filled row by row, and a new column."""
import time
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "NEW", "OLD", None, None

def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("text", sa.Text()))
    for number in range(40):
        op.execute(f"INSERT INTO notes (text) VALUES ('{number}')")
        time.sleep(PAUSE)
    op.add_column("grids", sa.Column("colour", sa.Text()))
    op.execute("UPDATE grids SET colour = 'red'")
    FAIL
'''


def newer_program(tmp_path: Path, *, pause: float = 0.0, fail: str = "") -> Path:
    """The folder of steps of a program that knows one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER / "versions", folder / "versions", ignore=shutil.ignore_patterns("__pycache__"))
    step = NEXT.replace("PAUSE", str(pause)).replace("FAIL", fail).replace("NEW", NEW).replace("OLD", OLD)
    (folder / "versions" / f"r{NEW}_next.py").write_text(step)
    return folder


@pytest.fixture
def old_url(workspace_url: str) -> str:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
        write.upsert("grids", toy.grids())
    return workspace_url


@pytest.fixture
def first_url(workspace_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A workspace as the first released program made it, with grids in it, one of them changed since."""
    monkeypatch.setattr(migrations, "HEAD", "0001")
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as workspace:
        with workspace.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids())
        with workspace.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids().assign(officer="Qian"), valid_from=dt.date(2024, 5, 1))
    monkeypatch.setattr(migrations, "HEAD", OLD)
    return workspace_url


def revision_and_notes(url: str) -> tuple[str, int | None]:
    """The stored revision and the number of rows the second step wrote, looked at from outside."""
    engine = (
        sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(url))
        if url.endswith(".gpkg")
        else postgis.PostGIS(url).engine
    )
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            has_notes = sa.inspect(connection).has_table("notes")
            return found, connection.exec_driver_sql("SELECT count(*) FROM notes").scalar_one() if has_notes else None
    finally:
        engine.dispose()


def test_the_steps_make_the_tables_of_the_table_of_layers(old_url: str) -> None:
    check_tables(old_url)


def check_tables(url: str) -> None:
    """Tables, columns, keys and indexes are those `METADATA` says, in the store's own words."""
    backend = geopackage.GeoPackage(Path(url), read_only=False) if url.endswith(".gpkg") else postgis.PostGIS(url)
    try:
        with backend.reading() as connection:
            inspector = sa.inspect(connection)
            names = {name for name in inspector.get_table_names() if not name.startswith(("gpkg_", "rtree_", "sqlite_"))}
            assert names - {"alembic_version"} - {"spatial_ref_sys"} == set(METADATA.tables)
            for name, table in METADATA.tables.items():
                # what create_all would make, in the store's own words
                wanted = _described(backend, table)
                assert _columns(backend, connection, name) == wanted, name
                unique = {tuple(item["column_names"]) for item in inspector.get_unique_constraints(name)}
                assert unique == {tuple(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
                indexes = {item["name"] for item in inspector.get_indexes(name) if not item.get("duplicates_constraint")}
                assert indexes - {f"{name}_geom"} == {index.name for index in table.indexes}
    finally:
        backend.close()


def test_a_workspace_of_the_first_schema_gets_plans_and_keeps_all_it_had(first_url: str, tmp_path: Path) -> None:
    assert revision_and_notes(first_url) == ("0001", None)
    with gridgis.open_workspace(first_url) as workspace:
        assert revision_and_notes(first_url) == (OLD, None)
        assert (workspace.info.schema, workspace.revision) == (int(OLD), 2)
        assert workspace.read("grids")["officer"].tolist() == ["Qian"] * 3
        assert workspace.read("grids", as_of=dt.date(2024, 4, 30))["officer"].tolist() == ["Li", "Wang", "Zhao"]
        assert len(workspace.log(layer="grids")) == 6
        assert (workspace.plans(), len(workspace.lineage())) == ((), 0)
        with workspace.write(who="Li", why="new borders") as write:
            write.add_plan("new borders")
            write.append_plan("new borders", [NewEntry("base", images=images_of(write.read("grids")))], rev=0)
        assert workspace.plan("new borders").rev == 1
    if first_url.endswith(".gpkg"):
        assert (tmp_path / "town.before-0001.gpkg").exists()
        assert revision_and_notes(str(tmp_path / "town.before-0001.gpkg")) == ("0001", None)


def test_a_workspace_brought_up_to_date_is_the_same_as_a_new_one(first_url: str) -> None:
    gridgis.open_workspace(first_url).close()
    check_tables(first_url)


def _described(backend: geopackage.GeoPackage | postgis.PostGIS, table: sa.Table) -> dict[str, tuple[str, bool]]:
    dialect = backend.engine.dialect
    return {column.name: (_kind(column.type.compile(dialect)), bool(column.nullable)) for column in table.columns}


def _columns(
    backend: geopackage.GeoPackage | postgis.PostGIS, connection: sa.Connection, name: str
) -> dict[str, tuple[str, bool]]:
    if backend.kind == "geopackage":
        rows = connection.exec_driver_sql(f"SELECT name, type, \"notnull\" FROM pragma_table_info('{name}')").all()
        return {row[0]: (_kind(row[1]), not row[2]) for row in rows}
    rows = connection.execute(
        sa.text(
            "SELECT attname, format_type(atttypid, NULL), attnotnull FROM pg_attribute "
            "WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped"
        ),
        {"name": name},
    ).all()
    return {row[0]: (_kind(row[1]), not row[2]) for row in rows}


def _kind(text: str) -> str:
    return text.upper().replace("DOUBLE PRECISION", "DOUBLE")


def test_opening_with_a_newer_program_migrates_and_keeps_a_copy(
    old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gridgis.open_workspace(old_url) as workspace:
        before = workspace.read("grids")
    monkeypatch.setattr(migrations, "FOLDER", newer_program(tmp_path))
    monkeypatch.setattr(migrations, "HEAD", NEW)
    with gridgis.open_workspace(old_url) as workspace:
        assert workspace.info.schema == int(NEW)
        same_frames(workspace.read("grids"), before)
    assert revision_and_notes(old_url) == (NEW, 40)
    monkeypatch.undo()
    if old_url.endswith(".gpkg"):
        with gridgis.open_workspace(tmp_path / f"town.before-{OLD}.gpkg") as copy:  # the copy opens in the older program
            same_frames(copy.read("grids"), before)
    else:
        backend = postgis.PostGIS(old_url)
        with backend.reading() as connection:
            assert connection.exec_driver_sql(f'SELECT count(*) FROM "{backend.schema}_before_{OLD}".grids').scalar_one() == 3
        backend.close()


def test_a_newer_workspace_is_refused_untouched(old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "FOLDER", newer_program(tmp_path))
    monkeypatch.setattr(migrations, "HEAD", NEW)
    gridgis.open_workspace(old_url).close()
    monkeypatch.undo()
    content = Path(old_url).read_bytes() if old_url.endswith(".gpkg") else b""
    with pytest.raises(WorkspaceError, match=NEW) as refused:
        gridgis.open_workspace(old_url)
    assert refused.value.key == "store.newer"
    assert revision_and_notes(old_url) == (NEW, 40)
    if content:
        assert Path(old_url).read_bytes() == content


def test_a_step_that_fails_leaves_the_old_schema(old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "FOLDER", newer_program(tmp_path, fail='raise RuntimeError("broken step")'))
    monkeypatch.setattr(migrations, "HEAD", NEW)
    with pytest.raises(RuntimeError, match="broken step"):
        gridgis.open_workspace(old_url)
    monkeypatch.undo()
    assert revision_and_notes(old_url) == (OLD, None)
    with gridgis.open_workspace(old_url) as workspace:
        assert workspace.count("grids") == 3


def test_a_killed_migration_leaves_the_old_schema_or_the_new_one(
    old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = newer_program(tmp_path, pause=0.01)
    for pause in (0.05, 0.2, 0.35, 0.5):
        with running(workers.open_slowly, old_url, str(folder), NEW) as (process, connection):
            started(connection)
            time.sleep(pause)
            kill(process)
        assert revision_and_notes(old_url) in {(OLD, None), (NEW, 40)}
    monkeypatch.setattr(migrations, "FOLDER", folder)
    monkeypatch.setattr(migrations, "HEAD", NEW)
    with gridgis.open_workspace(old_url) as workspace:
        assert workspace.count("grids") == 3
    assert revision_and_notes(old_url) == (NEW, 40)


def test_two_programs_opening_at_once_migrate_once(old_url: str, tmp_path: Path) -> None:
    folder = newer_program(tmp_path, pause=0.005)
    with (
        running(workers.open_slowly, old_url, str(folder), NEW) as (first, one),
        running(workers.open_slowly, old_url, str(folder), NEW) as (second, two),
    ):
        started(one)
        started(two)
        first.join(60)
        second.join(60)
        assert (first.exitcode, second.exitcode) == (0, 0)
    assert revision_and_notes(old_url) == (NEW, 40)


def test_known_steps_are_those_alembic_finds() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    known: Mapping[str, object] = {step.revision: step for step in script.walk_revisions()}
    assert script.get_heads() == [migrations.HEAD]
    assert set(known) == migrations.known_revisions()
