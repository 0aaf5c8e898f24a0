"""The web app as one server: Streamlit's pages and our own routes in one process, bound to this machine."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import os
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st
import uvicorn
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from streamlit import config

from gridgis.errors import GridgisError
from gridgis.web import component
from gridgis.web.routes import routes

ENTRY: Final = Path(__file__).resolve().parent.parent / "pages" / "main.py"

# The pages' looks and quiet settings: beside them in an installed package, at the top of a working copy
_LOOKS: Final = (ENTRY.parent / ".streamlit" / "config.toml", ENTRY.parents[2] / ".streamlit" / "config.toml")

# What holds wherever the app is started from; looks are the pages' own business
OPTIONS: Final[Mapping[str, Any]] = {
    "browser.gatherUsageStats": False,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "global.developmentMode": False,
}


PAGES: Final = ("overview", "data", "grids", "hotspots", "redraw", "settings")
"""Addresses of the pages. Streamlit's script, loaded at one of them, looks for its server below it first and fails twice;
sent to the front with the page's name, it finds its server at once."""


def make_app(url: str, *, entry: Path = ENTRY, host: str = "127.0.0.1") -> st.App:
    """The app for one workspace: pages under `/`, tiles, popups and downloads under `/gridgis/`.

    Parameters
    ----------
    url
        A GeoPackage's path or a `postgresql://` address; the pages find it in `GRIDGIS_WORKSPACE`.
    entry
        The pages' script.
    host
        Address the server will bind to. On this machine's own, our routes answer only to its names, so that a stranger's
        page cannot reach them by a name of its own that leads here; another name, such as that of a proxy, is given as
        Streamlit's `browser.serverAddress`.
    """
    os.environ["GRIDGIS_WORKSPACE"] = url
    if config._main_script_path is None:
        config._main_script_path = str(entry)
    for name, value in {**dict(_looks()), **OPTIONS}.items():
        config.set_option(name, value)
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    prefix = f"/{base}" if base else ""
    component.serving(prefix)
    pages = [Route(f"{prefix}/{name}", _to_front(prefix, name), methods=["GET"]) for name in PAGES]
    return st.App(entry, routes=[*routes(url, prefix=prefix, hosts=_names(host)), *pages])


def _to_front(prefix: str, name: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        query = [(key, value) for key, value in request.query_params.multi_items() if key != "page"]
        return RedirectResponse(f"{prefix}/?{urlencode([('page', name), *query])}", status_code=307)

    return answer


def serve(url: str, *, host: str = "127.0.0.1", port: int = 8501) -> None:
    """Serve the app until stopped.

    Parameters
    ----------
    url
        The workspace.
    host
        Address to bind to; only this machine unless told otherwise.
    port
        Port to bind to.
    """
    app = make_app(url, host=host)
    threading.Thread(target=_warm, name="gridgis-warm", daemon=True).start()
    config.set_option("server.address", host)
    config.set_option("server.port", port)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )


def _warm() -> None:
    """Load, while nobody waits, the libraries and compiled loops that the first look at hot spots would wait for."""
    from gridgis.tasks.hotspot_views import warm

    with contextlib.suppress(GridgisError, OSError):  # the page meets the same error and says it
        warm()
    # Streamlit collects garbage after every run of a page or fragment; what was loaded until now stays for good and need not
    # be gone through each time: a run costs a hundredth of a second instead of two tenths
    gc.freeze()


def _looks() -> Iterator[tuple[str, Any]]:
    """Options of the pages' own config.toml, which Streamlit finds by itself only from the folder it lies in."""
    file = next((path for path in _LOOKS if path.is_file()), None)
    if file is None:
        return
    for section, options in tomllib.loads(file.read_text(encoding="utf-8")).items():
        for name, value in options.items():
            yield f"{section}.{name}", value


def _names(host: str) -> frozenset[str] | None:
    """Names by which our routes may be asked for; none where the server is open to other machines."""
    try:
        own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        return None
    return frozenset({"localhost", "127.0.0.1", "::1", host, str(config.get_option("browser.serverAddress") or host)})
