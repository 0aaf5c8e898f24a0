"""Workspaces for what works on one: in a GeoPackage where the store makes no difference, in both stores where it may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gridgis.store import Workspace, create_workspace


@pytest.fixture
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A new, empty workspace in a GeoPackage."""
    with create_workspace(str(tmp_path_factory.mktemp("workspace") / "town.gpkg")) as workspace:
        yield workspace


@pytest.fixture
def each_ws(workspace_url: str) -> Iterator[Workspace]:
    """A new, empty workspace, in each of the two stores."""
    with create_workspace(workspace_url) as workspace:
        yield workspace


@pytest.fixture
def town(ws: Workspace, request: pytest.FixtureRequest) -> Workspace:
    """`ws` with what the test's module puts into it by its function `filled`."""
    filled: Workspace = request.module.filled(ws)
    return filled


@pytest.fixture
def each_town(each_ws: Workspace, request: pytest.FixtureRequest) -> Workspace:
    """The same in each of the two stores."""
    filled: Workspace = request.module.filled(each_ws)
    return filled
