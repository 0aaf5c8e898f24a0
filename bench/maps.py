"""Maps in Chromium, in seconds beyond an empty page: first look at a layer, then zooming and panning; beside Folium."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely

from gridgis.store import create_workspace

ROOT: Final = Path(__file__).resolve().parent.parent
CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-first-run"]  # fmt: skip
BARS_S: Final = {6_000: 1.5, 50_000: 3.0, 200_000: 3.0, 1_600_000: 5.0}
MOVE_BAR_S: Final = 1.5
READY: Final = ".gg-map[data-state=ready]"

# `what` picks the page: nothing, our map, or Folium with the scripts of this machine
PAGE: Final = """
import os
import streamlit as st
from gridgis.maps import Field, LayerRef, MapLayer, Style
from gridgis.web import cache
from gridgis.web.component import grid_map
import folium, streamlit_folium

st.set_page_config(layout="wide")
what = st.query_params.get("what", "nothing")
url = os.environ["GRIDGIS_WORKSPACE"]
held = cache.workspace(url)
ref = LayerRef(url, "unit_cells", held.revision)
if what == "map":
    grid_map([MapLayer("cells", "Cells", ref, Style(opacity=0.5), popup=(Field("code", "Code"),))], key="map", lang="en")
if what == "folium":
    class Local(folium.Map):
        default_js = [("leaflet", "/gridgis/static/vendor/leaflet/leaflet.js")]
        default_css = [("leaflet", "/gridgis/static/vendor/leaflet/leaflet.css")]
    cells = held.read("unit_cells").to_crs(4326)[["geometry"]]
    west, south, east, north = cells.total_bounds
    drawn = Local(location=[(south + north) / 2, (west + east) / 2], zoom_start=13, tiles=None)
    folium.GeoJson(cells.__geo_interface__).add_to(drawn)
    streamlit_folium.st_folium(drawn, returned_objects=[], height=560, use_container_width=True)
st.text("the end")
"""
SERVE: Final = """
import sys, uvicorn
from pathlib import Path
from gridgis.web.server import make_app
uvicorn.run(make_app(sys.argv[2], entry=Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[3]), log_level="error")
"""


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table; none where there is no Chromium."""
    if not CHROMIUM.exists():
        return []
    from playwright.sync_api import sync_playwright

    rows: list[dict[str, Any]] = []
    with sync_playwright() as tool, tempfile.TemporaryDirectory() as folder:
        for count in (6_000, 50_000) if quick else (6_000, 200_000, 1_600_000):
            workspace = _cells(Path(folder), count)
            browser = tool.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            looks, empties = [], []
            for last in (False, False, True):  # a server that knows nothing yet each time, so that a first look is one
                with _server(Path(folder), workspace) as (address, process):
                    empties += [_until_shown(browser, f"{address}/?what=nothing")[0] for _ in range(3)]
                    took, page = _until_shown(browser, f"{address}/?what=map", READY, keep=True)
                    looks.append(took)
                    if last:
                        rows += _measured(browser, page, address, count, process.pid, empty=min(empties), first=min(looks))
                    page.context.close()
            browser.close()
    return rows


def _measured(
    browser: Any, page: Any, address: str, count: int, server: int, *, empty: float, first: float
) -> list[dict[str, Any]]:
    drawn = page.evaluate("document.querySelectorAll('.gg-map canvas.leaflet-tile').length") > 0
    moves = []
    for move in ("zoomIn()", "panBy([500, 200])", "zoomIn()", "panBy([-300, 250])", "zoomOut()"):
        start = time.perf_counter()
        page.evaluate(
            f"""() => new Promise(done => {{
              const gg = document.querySelector('.gg-map').gg, grid = [...gg.layers.values()][0].layer;
              const settle = () => (grid._loading || gg.map._animatingZoom ? setTimeout(settle, 5) : done());
              gg.map.once('moveend', () => setTimeout(settle, 5));
              gg.map.{move};
            }})"""
        )
        moves.append(time.perf_counter() - start)
    again = min(_until_shown(browser, f"{address}/?what=map", READY)[0] for _ in range(2))
    peer = None
    if count <= 10_000:
        peer = min(_until_shown(browser, f"{address}/?what=folium", count)[0] for _ in range(3)) - empty
    bar = BARS_S[count]
    ours = max(first - empty, 0.0)
    memory, ratio = _peak_mb(server), peer / max(ours, 0.05) if peer else None
    return [
        {"work": "a map of cells, first look", "size": count, "us_s": ours, "peer": "st_folium" if peer else None, "peer_s": peer,
         "ratio": ratio, "bar": f"≤ {bar} s", "memory_mb": memory, "ok": drawn and ours <= bar},
        {"work": "a map of cells, next look", "size": count, "us_s": max(again - empty, 0.0), "bar": f"≤ {bar} s",
         "ok": again - empty <= bar},
        {"work": "a zoom or a pan, slowest of five", "size": count, "us_s": max(moves), "bar": f"≤ {MOVE_BAR_S} s",
         "ok": max(moves) <= MOVE_BAR_S},
    ]  # fmt: skip


def _until_shown(browser: Any, address: str, wanted: str | int = "", *, keep: bool = False) -> tuple[float, Any]:
    """Seconds from asking for a page until what is wanted on it is drawn, in a browser that knows nothing yet."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    if isinstance(wanted, int):
        frame = page.frame_locator("iframe").first
        frame.locator(f"path.leaflet-interactive >> nth={wanted - 1}").wait_for(state="attached", timeout=120_000)
    else:
        page.wait_for_selector(wanted or "text=the end", timeout=120_000)
    took = time.perf_counter() - start
    if not keep:
        page.context.close()
    return took, page


@contextmanager
def _server(folder: Path, workspace: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    script = folder / "page.py"
    script.write_text(PAGE, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-c", SERVE, str(script), str(workspace), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, process
    finally:
        process.terminate()
        process.wait(15)


def _cells(folder: Path, count: int) -> Path:
    """A workspace of square cells."""
    file = folder / f"cells{count}.gpkg"
    wide = int(np.ceil(np.sqrt(count)))
    row, column = np.divmod(np.arange(count), wide)
    x, y = 400_000 + 100 * column, 4_350_000 + 100 * row
    frame = gpd.GeoDataFrame(
        {
            "code": [f"110108{number:011d}" for number in range(count)],
            "area_m2": 10_000.0,
            "area_code": "110108001001",
            "initial_time": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        },
        geometry=shapely.box(x, y, x + 100, y + 100),
        crs=4548,
    )
    with create_workspace(str(file), crs="EPSG:4548") as made, made.write(who="bench", why="cells") as write:
        write.replace("unit_cells", frame.set_index("code"))
    return file


def _peak_mb(process: int) -> float | None:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
