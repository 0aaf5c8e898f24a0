"""A toy workspace and the app on it, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import gridgis
from gridgis import toy

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    """The toy town in a workspace, marked synthetic."""
    file = tmp_path / "toy.gpkg"
    with (
        gridgis.create_workspace(str(file), name="Toy", crs="EPSG:4547", synthetic=True) as ws,
        ws.write(who="test", why="toy") as write,
    ):
        write.upsert("areas", toy.areas())
        write.upsert("stations", toy.stations())
        write.upsert("grids", toy.grids())
        write.replace("buildings", toy.buildings())
        write.set_setting("as_of", "2012-12-31")
    return file


@pytest.fixture
def empty_file(tmp_path: Path) -> Path:
    """A workspace with nothing in it."""
    file = tmp_path / "empty.gpkg"
    gridgis.create_workspace(str(file), name="Empty").close()
    return file


Open = Callable[..., Any]


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Run the app on a workspace: `open_app(file, page="data", lang="en")`."""

    def run(file: Path, *, page: str = "", lang: str = "zh", **state: object) -> AppTest:
        monkeypatch.setenv("GRIDGIS_WORKSPACE", str(file))
        # AppTest asks widgets for their labels outside a session too, where only this says the language
        monkeypatch.setenv("GRIDGIS_LANG", lang)
        app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
        app.query_params["lang"] = lang
        for name, value in state.items():
            app.session_state[name] = value
        if page:
            # AppTest switches between pages that are files; ours are functions, told apart by the hash of their address
            app._page_hash = calc_hash(page)
        return app.run()

    return run


def said(app: AppTest) -> str:
    """All text on a page: HTML without its style sheet, messages, widgets' labels and options."""
    parts = [element.proto.body for element in app.get("html") if "<style>" not in element.proto.body]
    for kind in ("error", "warning", "success", "info", "caption"):
        parts += [str(element.value) for element in app.get(kind)]
    for kind in ("button", "selectbox", "text_input", "number_input", "date_input", "checkbox", "button_group"):
        for widget in app.get(kind):
            parts += [str(widget.label), *map(str, getattr(widget, "options", []) or [])]
    return "\n".join(parts)
