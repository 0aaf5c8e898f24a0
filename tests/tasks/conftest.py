"""A workspace in both stores for what works on one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gridgis.store import Workspace, create_workspace


@pytest.fixture
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A new, empty workspace."""
    with create_workspace(str(tmp_path_factory.mktemp("workspace") / "w.gpkg")) as workspace:
        yield workspace
