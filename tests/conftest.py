"""Fixtures of the whole suite: addresses for new workspaces in both stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.postgis import missing_postgis, running_postgis
from tests.support import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# a test is right or wrong, however busy the machine is
settings.register_profile("untimed", settings(deadline=None))
settings.load_profile("untimed")

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, one a test process: Playwright's plain interface runs once in a process."""
    if not CHROMIUM.exists():
        skip_or_fail(f"no Chromium at {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


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
