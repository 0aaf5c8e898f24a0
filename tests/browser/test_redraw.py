"""The planners' page in Chromium with the network cut: gestures on the map become rows of the plan in the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

import gridgis
from gridgis.redraw.partition import Partition
from gridgis.store import Workspace
from gridgis.tasks import plan_state
from tests.browser.conftest import ARTIFACTS, Watched, serve

AREA = "420703102201"
READY = '.ge-root[data-state="ready"]'
ED = "document.querySelector('.ge-root').ge"


class Desk:
    """A planner's page on a server, and the workspace behind it."""

    def __init__(self, watched: Watched, file: Path) -> None:
        self.watched, self.page, self.file = watched, watched.page, file

    def open(self, *, lang: str = "zh", who: str = "李规划", plan: str = "spring") -> None:
        """The page as a planner has it who gave a name and a reason."""
        self.watched.open("redraw", lang=lang)
        words = {"zh": ("建立", "操作人", "调整理由", "方案名称"), "en": ("Create", "Your name", "Reason", "Name of the plan")}[
            lang
        ]
        create = self.page.get_by_role("button", name=words[0], exact=True)
        if create.count():
            self.fill(words[3], plan)
            create.click()
            self.page.get_by_label(words[1]).wait_for()
        self.fill(words[1], who)
        self.fill(words[2], "均衡户数" if lang == "zh" else "even beats")
        self.page.wait_for_selector(READY, timeout=30_000)
        self.page.wait_for_function(f"{ED}.data.editable", timeout=30_000)
        self.watched.settle()

    def fill(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")
        self.watched.settle()

    def plan(self, ws: Workspace) -> plan_state.PlanState:
        return plan_state.load(ws, "spring")

    def stored(self, rev: int) -> Partition:
        """The area's grids as the store has them once the plan is at `rev`, read by another process than wrote them."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with gridgis.open_workspace(str(self.file)) as ws:
                if ws.plan_rev("spring") >= rev:
                    state = self.plan(ws)
                    assert state.rev == rev
                    self.page.wait_for_selector(f'{READY}[data-rev="{rev}"]', timeout=10_000)
                    return state.areas[AREA].now
            time.sleep(0.05)
        said = " / ".join(self.page.locator(f".ge-{part}").inner_text() for part in ("hint", "refusal"))
        pytest.fail(f"step {rev} was not kept; the editor says: {said}")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place in the workspace's CRS is on the screen."""
        lon, lat = pyproj.Transformer.from_crs(self.crs(), 4326, always_xy=True).transform(x, y)
        self.page.locator(".ge-stage").scroll_into_view_if_needed()
        return tuple(
            self.page.evaluate(
                f"([lon, lat]) => {{ const p = {ED}.map.latLngToContainerPoint([lat, lon]);"
                f" const box = {ED}.canvas.getBoundingClientRect();"
                " return [p.x + box.x, p.y + box.y]; }",
                [lon, lat],
            )
        )

    def crs(self) -> pyproj.CRS:
        with gridgis.open_workspace(str(self.file)) as ws:
            assert ws.info.crs is not None
            return ws.info.crs

    def ground(self) -> Partition:
        """The area before anything is done."""
        with gridgis.open_workspace(str(self.file)) as ws:
            home, grids = plan_state.live(ws, AREA)
            return plan_state.drafted(AREA, grids, home).base

    def snap(self, on: bool) -> None:
        self.page.evaluate(f"{ED}.snaps.on = {'true' if on else 'false'}")

    def select(self, *codes: str) -> None:
        for number, code in enumerate(codes):
            self.page.locator(f'tr[data-code="{code}"]').click(modifiers=["Shift"] if number else [])

    def tool(self, name: str) -> None:
        self.page.locator(f'[data-do="{name}"]').click()

    def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.fixture
def own(sample: Path, tmp_path: Path) -> Path:
    file = tmp_path / "own.gpkg"
    shutil.copy(sample, file)
    return file


@pytest.fixture
def desk(own: Path, watch: Any) -> Iterator[Desk]:
    for base in serve(own):
        yield Desk(watch(base, height=1150), own)


def inner_vertex(ground: Partition) -> tuple[float, float]:
    """A vertex three grids share, as far from the outline as there is."""
    xy = np.concatenate([np.unique(shapely.get_coordinates(shape), axis=0) for shape in ground.shapes])
    places, count = np.unique(xy, axis=0, return_counts=True)
    shared = places[count >= 3]
    far = shapely.distance(shapely.points(shared), ground.outline.boundary)
    x, y = shared[int(np.argmax(far))]
    return float(x), float(y)


def conserved(before: Partition, after: Partition) -> bool:
    whole = shapely.union_all(after.shapes)
    inside = bool(shapely.coverage_is_valid(after.shapes))
    return inside and abs(whole.area - before.outline.area) < 1e-6 * before.outline.area / 1e6 and len(after.free) == 0


def test_a_shared_vertex_dragged_on_the_screen_moves_in_the_store(desk: Desk) -> None:
    desk.open()
    ground = desk.ground()
    x, y = inner_vertex(ground)
    sharing = [c for c, s in zip(ground.codes, ground.shapes, strict=True) if s.distance(shapely.Point(x, y)) < 1e-9]
    desk.select(sharing[0])
    desk.snap(False)
    start, end = desk.at(x, y), desk.at(x + 90, y - 60)
    desk.page.mouse.move(*start)
    desk.page.mouse.down()
    desk.page.mouse.move(*end, steps=10)
    desk.page.wait_for_timeout(150)
    desk.shot("redraw-drag-zh")
    desk.page.mouse.up()
    after = desk.stored(2)  # step 1 takes the area up
    assert conserved(ground, after)
    pixel = 2.5  # metres, and half of it by rounding
    moved = [c for c, s in zip(after.codes, after.shapes, strict=True) if s.distance(shapely.Point(x + 90, y - 60)) < pixel]
    assert sorted(moved) == sorted(sharing)
    desk.page.wait_for_selector(".ge-touched table")
    desk.page.keyboard.press("Control+z")
    back = desk.stored(3)
    assert all(one.equals(other) for one, other in zip(back.shapes, ground.shapes, strict=True))
    desk.watched.settle()
    desk.watched.shot("redraw-zh-1280")
    desk.watched.assert_clean()


def test_a_refused_drag_springs_back_and_says_why(desk: Desk) -> None:
    desk.open(lang="en")
    ground = desk.ground()
    x, y = inner_vertex(ground)
    grid = next(c for c, s in zip(ground.codes, ground.shapes, strict=True) if s.distance(shapely.Point(x, y)) < 1e-9)
    desk.select(grid)
    desk.snap(False)
    before = desk.page.evaluate(f"Array.from({ED}.ground.xy)")
    desk.page.mouse.move(*desk.at(x, y))
    desk.page.mouse.down()
    centre = ground.shape(grid).centroid
    desk.page.mouse.move(*desk.at(x + 2.6 * (centre.x - x), y + 2.6 * (centre.y - y)), steps=10)
    desk.page.mouse.up()
    desk.page.wait_for_selector(".ge-refusal:not([hidden])", timeout=20_000)
    assert "refused" in desk.page.locator(".ge-refusal").inner_text()
    assert desk.page.evaluate(f"Array.from({ED}.ground.xy)") == before
    with gridgis.open_workspace(str(desk.file)) as ws:
        assert ws.plan_rev("spring") == 0
    desk.shot("redraw-refused-en")
    desk.watched.assert_clean()


def test_split_merge_and_painted_cells_arrive_in_the_store(desk: Desk) -> None:
    desk.open()
    ground = desk.ground()
    code = ground.codes[int(np.argmax(shapely.distance(ground.shapes, ground.outline.boundary)))]
    shape = ground.shape(code)
    west, _, east, _ = shape.bounds
    middle = shape.representative_point()
    desk.select(code)
    desk.snap(False)
    desk.tool("split")
    desk.page.mouse.click(*desk.at(west - 30, middle.y))
    desk.page.mouse.click(*desk.at(middle.x, middle.y + 8))
    desk.page.mouse.click(*desk.at(east + 30, middle.y))
    desk.page.keyboard.press("Enter")
    after = desk.stored(2)
    assert conserved(ground, after)
    new = set(after.codes) - set(ground.codes)
    assert len(new) == 1
    parts = shapely.union_all([after.shape(code), after.shape(next(iter(new)))])
    assert parts.symmetric_difference(shape).area < 0.5  # the millimetre of rounding along the border
    desk.watched.settle()
    desk.select(code, *new)
    desk.tool("merge")
    merged = desk.stored(3)
    assert set(merged.codes) == set(ground.codes)
    assert merged.shape(code).symmetric_difference(shape).area < 0.5
    desk.watched.settle()
    neighbour = next(
        c for c, s in zip(merged.codes, merged.shapes, strict=True) if c != code and s.intersection(shape).length > 200
    )
    with gridgis.open_workspace(str(desk.file)) as ws:
        cells = ws.read("unit_cells", where={"area_code": AREA})
    ours, theirs = merged.shape(code), merged.shape(neighbour)

    def whole(cell: Any) -> bool:
        """Handed over, the cell leaves both grids in one piece."""
        return cell.intersects(ours) and all(
            shape.geom_type == "Polygon" for shape in (theirs.difference(cell), ours.union(cell.intersection(theirs)))
        )

    cell = max((c for c in cells.geometry if whole(c)), key=lambda c: float(c.intersection(theirs).area))
    spot = cell.intersection(theirs).representative_point()
    desk.select(code)
    desk.tool("paint")
    desk.page.mouse.move(*desk.at(spot.x, spot.y))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.at(spot.x + 0.5, spot.y + 0.5), steps=2)
    desk.shot("redraw-paint-zh")
    desk.page.mouse.up()
    painted = desk.stored(4)
    assert conserved(ground, painted)
    assert painted.shape(code).contains(shapely.Point(spot.x, spot.y))
    desk.watched.assert_clean()


def test_two_planners_on_one_plan_see_each_others_steps(own: Path, watch: Any) -> None:
    for base in serve(own):
        one, other = Desk(watch(base, height=1150), own), Desk(watch(base, height=1150), own)
        one.open(who="李规划")
        other.open(who="王规划")
        ground = one.ground()
        touching = next(
            c for c, s in zip(ground.codes, ground.shapes, strict=True) if s.touches(ground.shapes[0]) and c != ground.codes[0]
        )
        one.select(ground.codes[0], touching)
        one.tool("merge")
        one.stored(2)
        other.page.wait_for_selector(f'{READY}[data-rev="2"]', timeout=15_000)
        assert other.page.locator(f'tr[data-code="{touching}"]').count() == 0
        other.watched.settle()
        assert "李规划" in other.page.locator(".gp-history").inner_text()


def test_a_step_on_an_old_state_is_refused_in_words(desk: Desk) -> None:
    desk.open()
    desk.page.evaluate(f"{ED}.data.rev = -1")
    desk.select(desk.ground().codes[0])
    desk.tool("lock")
    desk.page.wait_for_selector(".ge-refusal:not([hidden])", timeout=20_000)
    assert "最新" in desk.page.locator(".ge-refusal").inner_text()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_fits_a_tablet(own: Path, watch: Any, lang: str) -> None:
    for base in serve(own):
        desk = Desk(watch(base, width=820, height=1150), own)
        desk.open(lang=lang)
        desk.select(desk.ground().codes[2])
        desk.watched.shot(f"redraw-{lang}-820")
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 820
        desk.watched.assert_clean()
