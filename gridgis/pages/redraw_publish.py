"""What a plan changes against the live grids, and the road of a plan into them: approve, publish, rebase, give up."""

from __future__ import annotations

import streamlit as st

from gridgis.pages import redraw_state as state
from gridgis.store import Workspace


def compare(ws: Workspace, desk: state.Desk) -> None:
    """The difference to the live grids as a table, a map and a workbook."""
    st.caption(desk.state.name)


def publish(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    """Approve and publish the plan, base it anew, or give it up."""
    st.caption(desk.state.name)
