"""Answers of the tasks, kept as long as the workspace stays as it is."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd
import streamlit as st

from gridgis.pages import shared
from gridgis.tasks import covering, overview
from gridgis.tasks.overview import CellAreas, Overview

Stamp = tuple[str, int, int]
"""Workspace, its file, its revision: the same stamp has the same answers."""


def gather(stamp: Stamp, as_of: dt.date) -> Overview:
    """The overview of a date."""
    with st.spinner(shared.say("overview.computing")):
        return _gather(stamp, as_of)


# kept as they are rather than as copies: frames are large, and pages only read them
@st.cache_resource(show_spinner=False, max_entries=24)
def _gather(stamp: Stamp, as_of: dt.date) -> Overview:
    return overview.overview(shared.workspace(), as_of=as_of, trend=_trend(stamp))


@st.cache_resource(show_spinner=False, max_entries=4)
def _trend(stamp: Stamp) -> pd.DataFrame:
    return covering.trend(shared.workspace())


@st.cache_resource(show_spinner=False, max_entries=4)
def openings(stamp: Stamp) -> dict[dt.date, int]:
    """The days on which something opened, each with how many grids."""
    return overview.openings(shared.workspace())


@st.cache_resource(show_spinner=False, max_entries=2)
def cell_areas(stamp: Stamp) -> CellAreas:
    """How large the unit cells are."""
    return overview.cell_areas(shared.workspace())


@st.cache_resource(show_spinner=False, max_entries=2)
def villages(stamp: Stamp) -> pd.DataFrame:
    """The natural villages as a table: `name`, `area_name`, `buildings`, `population`."""
    ws = shared.workspace()
    frame: gpd.GeoDataFrame = ws.read("natural_villages")
    names = ws.read("areas", columns=["name"])["name"]
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name)).reindex(
        columns=["name", "area_code", "buildings", "population"]
    )
    return table.assign(area_name=table["area_code"].map(names))


def default_as_of() -> dt.date:
    """The date a report has when nobody asks for another."""
    return covering.report_date(shared.workspace(), today=shared.today())
