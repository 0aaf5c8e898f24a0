"""What only the server store has: addresses, passwords, a shared database."""

from __future__ import annotations

import psycopg
import pytest

import gridgis
from gridgis import toy
from gridgis.errors import WorkspaceError
from gridgis.store import postgis
from tests.support import free_port

pytestmark = pytest.mark.postgis


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("postgresql://li@localhost/town", "gridgis"),
        ("postgresql://li@localhost/town?schema=Miaoling_2012", "Miaoling_2012"),
        ("postgres://li:secret@localhost:5433/town?sslmode=require&schema=a", "a"),
    ],
)
def test_an_address_names_database_and_schema(url: str, schema: str) -> None:
    driver, found = postgis.parse_url(url)
    assert found == schema
    assert driver.database == "town"
    assert "schema" not in driver.query


@pytest.mark.parametrize("schema", ["a b", 'x";DROP TABLE y;--', "pg_catalog", "1st", "a" * 60])
def test_a_schema_name_that_is_none_is_refused(schema: str) -> None:
    with pytest.raises(WorkspaceError) as refused:
        postgis.parse_url(f"postgresql://li:secret@localhost/town?schema={schema}")
    assert refused.value.key == "store.bad_url"
    assert "secret" not in str(refused.value)


def test_an_unreachable_server_is_named_without_the_password() -> None:
    url = f"postgresql://li:s3cr3t@127.0.0.1:{free_port()}/town"
    for attempt in (gridgis.open_workspace, gridgis.create_workspace):
        with pytest.raises(WorkspaceError) as refused:
            attempt(url)
        assert refused.value.key == "store.no_server"
        assert "s3cr3t" not in str(refused.value)
        assert "s3cr3t" not in repr(refused.value)
        assert "127.0.0.1" in str(refused.value)


def test_the_password_is_shown_nowhere(postgis_url: str) -> None:
    url = postgis_url.replace("gridgis@", "gridgis:s3cr3t@")  # the test server trusts everybody
    with gridgis.create_workspace(url, crs=toy.CRS) as workspace:
        assert "s3cr3t" not in workspace.info.url
        assert "s3cr3t" not in repr(workspace)
        assert workspace.url == url
        with pytest.raises(WorkspaceError) as refused, workspace._backend.reading() as connection:
            connection.exec_driver_sql("SELECT 's3cr3t' FROM nowhere")
        assert "s3cr3t" not in str(refused.value)


def test_a_database_without_postgis_is_told(postgis_server: str) -> None:
    with psycopg.connect(postgis_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain TEMPLATE template0")
    with pytest.raises(WorkspaceError) as refused:
        gridgis.create_workspace(postgis_server.rsplit("/", 1)[0] + "/plain")
    assert refused.value.key == "store.no_postgis"


def test_a_schema_with_other_tables_is_left_alone(postgis_server: str) -> None:
    with psycopg.connect(postgis_server, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA taken")
        connection.execute("CREATE TABLE taken.theirs (x int)")
        connection.execute("CREATE SCHEMA empty_one")
    url = f"{postgis_server}?schema=taken"
    with pytest.raises(WorkspaceError) as refused:
        gridgis.create_workspace(url)
    assert refused.value.key == "store.exists"
    with pytest.raises(WorkspaceError) as refused:
        gridgis.open_workspace(url)
    assert refused.value.key == "store.not_gridgis"
    with gridgis.create_workspace(f"{postgis_server}?schema=empty_one") as workspace:  # made ready by an administrator
        assert workspace.count("grids") == 0


def test_two_workspaces_live_in_one_database(postgis_server: str) -> None:
    names = ("town_a", "town_b")
    for name in names:
        url = f"{postgis_server}?schema={name}"
        with gridgis.create_workspace(url, crs=toy.CRS) as workspace, workspace.write(who="t", why="t") as write:
            write.upsert("grids", toy.grids().assign(officer=name))
    for name in names:
        with gridgis.open_workspace(f"{postgis_server}?schema={name}") as workspace:
            assert set(workspace.read("grids")["officer"]) == {name}
    postgis.drop(f"{postgis_server}?schema=town_a")
    with pytest.raises(WorkspaceError):
        gridgis.open_workspace(f"{postgis_server}?schema=town_a")
    gridgis.open_workspace(f"{postgis_server}?schema=town_b").close()


def test_writers_of_two_workspaces_do_not_wait_for_each_other(postgis_server: str) -> None:
    urls = [f"{postgis_server}?schema=side_{name}" for name in "ab"]
    first, second = (gridgis.create_workspace(url, crs=toy.CRS) for url in urls)
    with first, second, first.write(who="t", why="t") as one, second.write(who="t", why="t", wait_s=0.2) as two:
        one.upsert("grids", toy.grids())
        two.upsert("grids", toy.grids())


def test_boxes_are_answered_by_the_spatial_index(postgis_url: str) -> None:
    with gridgis.create_workspace(postgis_url, crs=toy.CRS) as workspace, workspace._backend.reading() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT * FROM unit_cells WHERE geom && ST_MakeEnvelope(0, 0, 1, 1, 4547)"
        ).scalars()
        assert any("unit_cells_geom" in line for line in plan)
