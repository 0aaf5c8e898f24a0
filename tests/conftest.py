"""Fixtures of the whole suite: addresses for new workspaces in both stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgis import missing_postgis, running_postgis
from tests.support import skip_or_fail


@pytest.fixture(scope="session")
def postgis_server() -> Iterator[str]:
    """The address of a private PostGIS database, one a test process, up until the session ends."""
    reason = missing_postgis()
    if reason is not None:
        skip_or_fail(reason)
    with running_postgis() as address:
        yield address


@pytest.fixture
def postgis_url(request: pytest.FixtureRequest) -> str:
    """The address of a PostGIS workspace that does not exist yet."""
    server: str = request.getfixturevalue("postgis_server")
    return f"{server}?schema=t_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def geopackage_url(tmp_path: Path) -> str:
    """The path of a GeoPackage workspace that does not exist yet."""
    return str(tmp_path / "town.gpkg")


@pytest.fixture(params=["geopackage", pytest.param("postgis", marks=pytest.mark.postgis)])
def workspace_url(request: pytest.FixtureRequest) -> str:
    """The address of a workspace that does not exist yet: each test runs in both stores."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
