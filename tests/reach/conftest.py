"""Streets the tests of this folder share."""

from __future__ import annotations

import geopandas as gpd
import pytest

from gridgis.files import read_any
from tests.support import shared


@pytest.fixture(scope="session")
def futian() -> gpd.GeoDataFrame:
    """The streets of Futian, Shenzhen, in metres."""
    return read_any(shared("shenzhen_streets/shenzhen_futian_drive.graphml"), target="roads").to_crs(4547)
