"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridgis.cli import main


@pytest.fixture(scope="session")
def miaoling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample workspace, to read only: it takes seconds to make."""
    file = tmp_path_factory.mktemp("sample") / "town.gpkg"
    assert main(["demo", "-w", str(file)]) == 0
    return file
