"""The planners' editor in a real browser, on a partition in memory: what is drawn, what each gesture asks Python to do."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import shapely

from gridgis.errors import DataError
from gridgis.redraw.partition import partition_of
from gridgis.toy import CRS, TOWN, grids
from gridgis.web.editor_data import OUTLINE, ground_of, make_ground, make_guides, operation
from tests.support import REPO
from tests.web.conftest import server

if TYPE_CHECKING:
    from playwright.sync_api import Page

READY = '.ge-root[data-state="ready"]'
SCRIPT = """
import json, sys
from pathlib import Path
import geopandas as gpd, numpy as np, pandas as pd, shapely, streamlit as st
from gridgis.redraw.operations import apply, from_json
from gridgis.redraw.partition import partition_of
from gridgis.redraw.refusal import Refused
from gridgis.web.editor import Answer, View, grid_editor
from gridgis.web.editor_data import ground_of, make_guides, operation

query = st.query_params
side, lang = int(query.get("side", 3)), query.get("lang", "zh")
OUT = Path(__file__).with_name("state.json")

def town():
    # side x side grids of 200 m, each border bent by vertices of its own, the same on both sides
    rng = np.random.default_rng(7)
    n = int(query.get("bends", 1)) + 1
    size = side * n + 1
    x, y = np.meshgrid(np.arange(size) * 200.0 / n, np.arange(size) * 200.0 / n)
    shift = rng.uniform(-18 / n, 18 / n, (2, size, size)).round(3)
    shift[0][:, [0, -1]] = 0
    shift[1][[0, -1], :] = 0
    x, y = x + shift[0] + 500000, y + shift[1] + 3366000
    shapes = []
    for r in range(side):
        for c in range(side):
            a, b, i, j = r * n, (r + 1) * n, c * n, (c + 1) * n
            there = [(a, k) for k in range(i, j)] + [(k, j) for k in range(a, b)]
            walk = there + [(b, k) for k in range(j, i, -1)] + [(k, i) for k in range(b, a, -1)]
            shapes.append(shapely.Polygon([(x[p], y[p]) for p in walk]))
    codes = [f"4200001002{k:05d}" for k in range(side * side)]
    columns = {"name": [f"第{k + 1}网格" for k in range(side * side)], "area_code": "420000100201"}
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4547", index=pd.Index(codes, name="code"))
    return partition_of(frame, area="420000100201")

def cells():
    k = np.arange(side * 4)
    shapes = [shapely.box(500000 + 50 * i, 3366000 + 50 * j, 500050 + 50 * i, 3366050 + 50 * j) for j in k for i in k]
    return gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4547", index=[f"C{n:05d}" for n in range(len(shapes))])

if "now" not in st.session_state:
    st.session_state.past, st.session_state.now, st.session_state.answer, st.session_state.locked = [], town(), None, []
    st.session_state.cells = cells()
    st.session_state.guides = make_guides(roads=None, buildings=None, cells=st.session_state.cells, crs=st.session_state.now.crs)
    OUT.write_text("{}")

@st.fragment
def edit():
    s = st.session_state
    ground = ground_of(s.now)

    def on_op():
        op = s.editor.op
        if not op:
            return
        if op["do"] == "undo":
            s.now = s.past.pop()
            s.answer = Answer(op["n"], True, "undone")
        elif op["do"] in ("lock", "unlock"):
            s.locked = op["grids"] if op["do"] == "lock" else []
            s.answer = Answer(op["n"], True, op["do"])
        else:
            asked = operation(ground, op, cells=dict(s.cells.geometry))
            try:
                done = apply(s.now, from_json(asked))
            except Refused as refusal:
                s.answer = Answer(op["n"], False, refusal.message(lang), refusal.bounds and ground.degrees(refusal.bounds))
            else:
                s.past.append(s.now)
                s.now = done.partition
                s.answer = Answer(op["n"], True, "done")
        state = {"op": op, "shapes": {c: shapely.to_wkt(g, rounding_precision=-1) for c, g in zip(s.now.codes, s.now.shapes)}}
        OUT.write_text(json.dumps(state))

    figures = {
        c: {"households": 350.0 + 60 * (k % 5 - 2), "population": 1000.0 + k, "incidents": float(k % 7), "area_m2": float(g.area)}
        for k, (c, g) in enumerate(zip(s.now.codes, s.now.shapes))
    }
    view = View(key="p|a", rev=len(s.past), ground=ground, guides=s.guides, figures=figures,
                totals=[("面积", "36 公顷", None), ("户数", "3,150", "±0")],
                balance=(300, 400), locked=s.locked, changed=[], undo=bool(s.past), answer=s.answer, notice="made up")
    grid_editor(view, key="editor", lang=lang, on_operation=on_op)

edit()
"""


# --- data, without a browser -----------------------------------------------------------------------------------------


def unpacked(document: dict[str, Any], name: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(document[name]), dtype=kind)


def test_each_place_is_one_vertex_and_rings_give_the_shapes_back() -> None:
    town = partition_of(grids(), area=TOWN)
    ground = ground_of(town)
    document = json.loads(ground.document)
    assert len(ground.xy) == 8  # four corners of the town and two ends of each of the two inner borders
    numbers, starts = unpacked(document, "rings", "<u4"), unpacked(document, "starts", "<u4")
    owners = unpacked(document, "owner", "<i4").tolist()
    rings = [ground.xy[numbers[a:b]] for a, b in pairwise(starts)]
    assert owners == [0, 1, 2, OUTLINE]
    for ring, shape in zip(rings, [*town.shapes, town.outline], strict=True):
        assert shapely.Polygon(ring).equals(shape)


def test_degrees_are_right_to_a_millimetre() -> None:
    ground = ground_of(partition_of(grids(), area=TOWN))
    document = json.loads(ground.document)
    steps = unpacked(document, "points", "<i4").reshape(-1, 2)
    lon, lat = (np.array(document["origin"]) + steps * document["step"]).T
    x, y = pyproj.Transformer.from_crs(4490, CRS, always_xy=True).transform(lon, lat)
    assert np.hypot(x - ground.xy[:, 0], y - ground.xy[:, 1]).max() < 0.001


def test_a_hole_and_free_ground_keep_their_rings() -> None:
    whole, lake = shapely.box(500000, 3366000, 500100, 3366100), shapely.box(500040, 3366040, 500060, 3366060)
    ground = make_ground(["G"], [whole - lake], free=[lake], outline=whole, crs=pyproj.CRS(CRS))
    document = json.loads(ground.document)
    assert unpacked(document, "owner", "<i4").tolist() == [0, 0, -1, -2]
    assert unpacked(document, "hole", "u1").tolist() == [0, 1, 0, 0]
    assert len(ground.xy) == 8


@pytest.mark.parametrize(
    "told",
    [
        {"do": "burn"},
        {"do": "split", "grid": "G1"},
        {"do": "split", "grid": "G1", "line": [99, 0]},
        {"do": "move_vertex", "vertex": 0, "to": [float("nan"), 1]},
        {"do": "move_vertex", "vertex": True, "to": 1},
        {"do": "move_vertex", "vertex": 0, "to": [0, 1, 2]},
        {"do": "assign", "to": "G1", "cells": ["nobody's"]},
        {"do": "reshape", "line": "abc"},
    ],
)
def test_what_no_editor_would_send_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        operation(ground_of(partition_of(grids(), area=TOWN)), told, cells={})


def test_what_is_else_refused_is_asked_for_in_so_many_words() -> None:
    ground = ground_of(partition_of(grids(), area=TOWN))
    assert operation(ground, {"do": "retire", "grid": "G1"}) == {"do": "retire", "grid": "G1", "to": "neighbours"}
    wish = {"do": "retire", "grid": "G1", "to": "free", "exclaves": True}
    assert operation(ground, wish) == wish
    apart = {"do": "merge", "grids": ["G1", "G3"], "exclaves": True}
    assert operation(ground, apart) == apart
    assert "exclaves" not in operation(ground, {**apart, "exclaves": "yes"})


def test_guides_tell_streets_houses_and_cells_apart() -> None:
    town = grids()
    guides = json.loads(make_guides(roads=None, buildings=town.iloc[:1], cells=town, crs=town.crs).document)
    assert guides["kinds"] == {"roads": [0, 0], "buildings": [0, 1], "cells": [1, 4]}
    assert unpacked(guides, "starts", "<u4").tolist() == [0, 5, 10, 15, 20]
    assert guides["cells"] == ["G1", "G2", "G3"]


# --- in the browser --------------------------------------------------------------------------------------------------


class Desk:
    """A page with the editor on it, and what the script behind it holds."""

    def __init__(self, page: Page, base: str, file: Path) -> None:
        self.page, self.base, self.file = page, base, file

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.base}/?{query}")
        self.page.wait_for_selector(READY, timeout=30_000)
        self.page.wait_for_timeout(300)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where metres from the town's south-west corner are on the screen."""
        lon, lat = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform(500000 + x, 3366000 + y)
        return tuple(
            self.page.evaluate(
                """([lon, lat]) => { const ed = document.querySelector('.ge-root').ge;
                    const p = ed.map.latLngToContainerPoint([lat, lon]);
                const box = ed.canvas.getBoundingClientRect(); return [p.x + box.x, p.y + box.y]; }""",
                [lon, lat],
            )
        )

    def click(self, x: float, y: float, **more: Any) -> None:
        self.page.mouse.click(*self.at(x, y), **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, shot: str = "") -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=8)
        self.page.wait_for_timeout(120)
        if shot:
            self.shot(shot)
        self.page.mouse.up()

    def tool(self, name: str) -> None:
        self.page.locator(f'[data-do="{name}"]').click()

    def state(self, do: str) -> dict[str, Any]:
        """What the script holds once it has done `do`."""
        until = time.monotonic() + 15
        while time.monotonic() < until:
            state: dict[str, Any] = json.loads(self.file.read_text() or "{}")
            if state.get("op", {}).get("do") == do:
                self.page.wait_for_selector(READY)
                self.page.wait_for_timeout(150)
                self.file.write_text("{}")
                state["shapes"] = {code: shapely.from_wkt(text) for code, text in state["shapes"].items()}
                return state
            time.sleep(0.05)
        pytest.fail(f"{do} did not arrive; the editor says: {self.page.locator('.ge-hint').inner_text()}")

    def shot(self, name: str) -> None:
        (REPO / "artifacts").mkdir(exist_ok=True)
        self.page.screenshot(path=REPO / "artifacts" / f"{name}.png")


@pytest.fixture(scope="module")
def script(page_script: Callable[[str], Path]) -> Path:
    return page_script(SCRIPT)


@pytest.fixture(scope="module")
def base(script: Path) -> Iterator[str]:
    with server(script) as address:
        yield address


@pytest.fixture
def desk(page: Page, base: str, script: Path) -> Desk:
    return Desk(page, base, script.with_name("state.json"))


def seamless(shapes: dict[str, Any]) -> bool:
    parts = np.array(list(shapes.values()), dtype=object)
    return bool(shapely.coverage_is_valid(parts)) and shapely.union_all(parts).area == pytest.approx(360_000, abs=1e-6)


def corner(desk: Desk, near: tuple[float, float]) -> tuple[float, float]:
    """The vertex nearest to a place, metres from the corner of the town."""
    xy = desk.page.evaluate("() => { const g = document.querySelector('.ge-root').ge.ground; return Array.from(g.saved); }")
    u, v = np.array(xy).reshape(-1, 2).T
    lon, lat = u * 360 - 180, np.degrees(2 * np.arctan(np.exp((0.5 - v) * 2 * np.pi)) - np.pi / 2)
    x, y = pyproj.Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    k = int(np.argmin(np.hypot(x - 500000 - near[0], y - 3366000 - near[1])))
    return float(x[k] - 500000), float(y[k] - 3366000)


@pytest.mark.browser
def test_a_shared_vertex_takes_both_sides_along(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    vertex = corner(desk, (200, 200))
    desk.drag(vertex, (153, 247), shot="editor-drag")  # four metres from the corner of a unit cell: it snaps there
    state = desk.state("move_vertex")
    assert seamless(state["shapes"])
    moved = [shape for shape in state["shapes"].values() if shape.distance(shapely.Point(500150, 3366250)) < 0.002]
    assert len(moved) == 4
    assert (desk.page.outside, desk.page.errors) == ([], [])


@pytest.mark.browser
def test_a_refused_edit_springs_back_and_says_why(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    before = desk.page.evaluate("Array.from(document.querySelector('.ge-root').ge.ground.xy)")
    desk.drag(corner(desk, (200, 200)), (460, 480))  # far beyond the opposite corner: borders would cross
    state = desk.state("move_vertex")
    assert seamless(state["shapes"])
    desk.page.wait_for_selector(".ge-refusal:not([hidden])")
    assert "边界" in desk.page.locator(".ge-refusal").inner_text()
    assert desk.page.evaluate("Array.from(document.querySelector('.ge-root').ge.ground.xy)") == before
    desk.shot("editor-refused")


@pytest.mark.browser
def test_a_line_splits_and_undo_joins_again(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    desk.tool("split")
    desk.click(180, 290)
    desk.click(300, 310)
    desk.page.mouse.dblclick(*desk.at(425, 290))
    state = desk.state("split")
    assert len(state["shapes"]) == 10
    assert seamless(state["shapes"])
    desk.page.keyboard.press("Control+z")
    assert len(desk.state("undo")["shapes"]) == 9


@pytest.mark.browser
def test_two_selected_grids_merge(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    desk.page.keyboard.down("Shift")
    desk.page.locator('tr[data-code="420000100200005"]').click()
    desk.page.keyboard.up("Shift")
    desk.tool("merge")
    state = desk.state("merge")
    assert state["op"]["grids"] == ["420000100200004", "420000100200005"]
    assert len(state["shapes"]) == 8
    assert seamless(state["shapes"])


@pytest.mark.browser
def test_one_stroke_hands_cells_over_in_one_operation(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    desk.tool("paint")
    before = desk.page.evaluate("document.querySelector('.ge-root').ge.data.rev")
    desk.page.mouse.move(*desk.at(425, 225))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.at(425, 375), steps=12)
    desk.shot("editor-paint")
    desk.page.mouse.up()
    state = desk.state("assign")
    assert len(state["op"]["cells"]) == 4
    gained = shapely.box(500400, 3366200, 500450, 3366400)
    assert state["shapes"]["420000100200004"].buffer(0.01).contains(gained)
    assert seamless(state["shapes"])
    assert desk.page.evaluate("document.querySelector('.ge-root').ge.data.rev") == before + 1


@pytest.mark.browser
def test_the_middle_of_a_side_becomes_a_vertex_and_delete_takes_it_away(desk: Desk) -> None:
    desk.open()
    desk.click(300, 300)
    a, b = corner(desk, (200, 300)), corner(desk, (200, 400))
    desk.drag(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), (170, 352))
    state = desk.state("add_vertex")
    assert seamless(state["shapes"])
    desk.click(*corner(desk, (170, 352)))
    desk.page.keyboard.press("Delete")
    state = desk.state("delete_vertex")
    assert seamless(state["shapes"])


@pytest.mark.browser
def test_a_new_grid_is_cut_out_and_a_line_reshapes(desk: Desk) -> None:
    desk.open("lang=en")
    desk.tool("create")
    for x, y in ((350, 350), (450, 350), (450, 450), (350, 450)):
        desk.click(x, y)
    desk.page.keyboard.press("Enter")
    assert len(desk.state("create")["shapes"]) == 10
    desk.tool("reshape")
    for x, y in ((60, 180), (60, 240), (140, 240), (140, 180)):
        desk.click(x, y)
    desk.page.keyboard.press("Enter")
    state = desk.state("reshape")
    assert seamless(state["shapes"])
    desk.shot("editor-en")


@pytest.mark.browser
def test_escape_and_backspace_take_points_back(desk: Desk) -> None:
    desk.open()
    desk.tool("split")
    for x in (150, 250, 350):
        desk.click(x, 300)
    points = "document.querySelector('.ge-root').ge.line.length"
    assert desk.page.evaluate(points) == 3
    desk.page.keyboard.press("Backspace")
    assert desk.page.evaluate(points) == 2
    desk.page.keyboard.press("Escape")
    assert desk.page.evaluate(points) == 0
    desk.page.keyboard.press("Escape")
    assert desk.page.locator('[data-do="select"]').get_attribute("aria-pressed") == "true"


@pytest.mark.browser
def test_without_our_routes_the_ground_travels_with_the_page(page: Page, script: Path) -> None:
    with server(script, routes=False) as address:
        desk = Desk(page, address, script.with_name("state.json"))
        desk.open("lang=en")
        assert page.locator("tr[data-code]").count() == 9
        assert not any("/gridgis/" in asked for asked in page.asked)


@pytest.mark.browser
def test_a_drag_among_625_grids_stays_smooth(desk: Desk) -> None:
    begun = time.monotonic()
    desk.open("side=25&bends=19")
    opened = time.monotonic() - begun
    assert desk.page.evaluate("document.querySelector('.ge-root').ge.ground.fixed.length") > 24_000
    for _ in range(5):
        desk.page.evaluate("document.querySelector('.ge-root').ge.map.setZoomAround([30.437, 114.0261], 16.5)")
    desk.page.wait_for_timeout(400)
    desk.page.evaluate("document.querySelector('.ge-root').ge.pick('420000100200312')")
    start = corner(desk, (2400, 2400))
    x, y = desk.at(*start)
    desk.page.mouse.move(x, y)
    desk.page.mouse.down()
    count = """(ms) => new Promise(done => { const ed = document.querySelector('.ge-root').ge, from = ed.frames ?? 0;
      let i = 0; const began = performance.now(), box = ed.canvas;
      const step = () => {
        i++;
        const place = {clientX: X + 20 * Math.sin(i / 9), clientY: Y + 20 * Math.cos(i / 9)};
        box.dispatchEvent(new PointerEvent('pointermove', {...place, isPrimary: true, bubbles: true}));
        if (performance.now() - began < ms) requestAnimationFrame(step);
        else done((ed.frames - from) / (performance.now() - began) * 1000); };
      requestAnimationFrame(step); })""".replace("X +", f"{x} +").replace("Y +", f"{y} +")
    frames = desk.page.evaluate(count, 1500)
    desk.shot("editor-625-drag")
    desk.page.mouse.up()
    assert frames >= 30, f"{frames:.0f} frames a second"
    assert opened < 12  # the script behind it makes its town first; bench/ holds the bar
