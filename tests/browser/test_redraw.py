"""The planners' page in Chromium with the network cut: gestures on the map become rows of the plan in the store."""

from __future__ import annotations

import io
import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyproj
import pytest
import shapely

import gridgis
from gridgis.redraw.operations import MoveVertex, apply
from gridgis.redraw.partition import Partition
from gridgis.redraw.refusal import Refused
from gridgis.tasks import plan_state, plans
from gridgis.text import t
from tests.browser.conftest import ARTIFACTS, PATIENCE_MS, Watched, serve

AREA = "420703102201"
READY = '.ge-root[data-state="ready"]'
ED = "document.querySelector('.ge-root').ge"
WORDS = {"zh": ("操作人", "调整理由", "均衡户数"), "en": ("Your name", "Reason", "even beats")}
NUMBERS = itertools.count(1)


class Desk:
    """A planner's page on a server, on a plan of its own, and the workspace behind it."""

    def __init__(self, watched: Watched, url: str, *, plan: str = "", area: str = AREA) -> None:
        self.watched, self.page, self.url, self.area = watched, watched.page, url, area
        self.plan = plan or f"spring {next(NUMBERS)}"

    def open(self, *, lang: str = "zh", who: str = "李规划") -> None:
        """The page as a planner has it who gave a name and a reason; the latest draft is the one it opens."""
        with gridgis.open_workspace(self.url) as ws:
            if self.plan not in {plan.name for plan in ws.plans()}:
                plans.create(ws, self.plan, who=who)
        self.watched.open("redraw", lang=lang)
        name, reason, why = WORDS[lang]
        self.fill(name, who)
        self.fill(reason, why)
        self.page.wait_for_selector(READY, timeout=PATIENCE_MS)
        self.page.wait_for_function(f"{ED}?.data?.editable === true", timeout=PATIENCE_MS)
        self.watched.settle()

    def fill(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")

    def stored(self, rev: int) -> Partition:
        """The area's grids as the store has them once the plan is at `rev`, read by another process than wrote them."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with gridgis.open_workspace(self.url) as ws:
                if ws.plan_rev(self.plan) >= rev:
                    state = plan_state.load(ws, self.plan)
                    assert state.rev == rev
                    self.page.wait_for_selector(f'{READY}[data-rev="{rev}"]', timeout=10_000)
                    return state.areas[self.area].now
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

    def look(self, x: float, y: float, zoom: int) -> None:
        """Bring a place into the middle of the map."""
        lon, lat = pyproj.Transformer.from_crs(self.crs(), 4326, always_xy=True).transform(x, y)
        self.page.evaluate(f"([lon, lat]) => {ED}.map.setView([lat, lon], {zoom}, {{ animate: false }})", [lon, lat])

    def crs(self) -> pyproj.CRS:
        with gridgis.open_workspace(self.url) as ws:
            assert ws.info.crs is not None
            return ws.info.crs

    def ground(self) -> Partition:
        """The area before anything is done."""
        with gridgis.open_workspace(self.url) as ws:
            home, grids = plan_state.live(ws, self.area)
            return plan_state.drafted(self.area, grids, home).base

    def snap(self, *kinds: str) -> None:
        """Leave these things alone to snap to, with the ticks of the menu; none: snapping is off."""
        self.page.locator("summary", has=self.page.locator("xpath=self::*[@aria-label='吸附' or @aria-label='Snap']")).click()
        for tick in self.page.locator("[data-snap]").all():
            kind = tick.get_attribute("data-snap")
            tick.set_checked(bool(kinds) if kind == "on" else kind in kinds)
        self.page.keyboard.press("Escape")

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, by: tuple[float, float] = (0, 0)) -> None:
        """From place to place; `by` pixels beside the second one."""
        x, y = self.at(*end)
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(x + by[0], y + by[1], steps=8)
        self.page.wait_for_timeout(120)

    def select(self, *codes: str) -> None:
        for number, code in enumerate(codes):
            self.page.locator(f'tr[data-code="{code}"]').click(modifiers=["Shift"] if number else [])

    def tool(self, name: str) -> None:
        self.page.locator(f'[data-do="{name}"]').click()

    def part(self, name: str) -> None:
        """Choose what stands below the editor."""
        self.page.locator(".st-key-rd_part").get_by_text(name, exact=True).click()
        self.watched.settle()

    def foreseen(self) -> dict[str, list[str]]:
        """Households, residents and incidents the page says grids will have, by name, while something is drawn."""
        rows = [row.split("\t") for row in self.page.locator(".ge-hud tbody tr").all_inner_texts()]
        return {row[0]: [cell.split(" ")[-1] for cell in row[-3:]] for row in rows}

    def counted(self, name: str) -> list[str]:
        """Likewise what Python counted."""
        return [text.lstrip("▽▲") for text in self.page.locator(f'.ge-table tr:has-text("{name}") td').all_inner_texts()[:3]]

    def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.fixture(scope="module")
def town(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("redraw") / "own.gpkg"
    shutil.copy(sample, file)
    return file


@pytest.fixture(scope="module")
def at_work(town: Path) -> Iterator[str]:
    """A server on a copy of the sample whose plans these tests may change, each its own; live grids stay."""
    yield from serve(town)


@pytest.fixture
def desk(at_work: str, town: Path, watch: Any) -> Desk:
    return Desk(watch(at_work, height=1150), str(town))


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
    desk.snap()
    desk.drag((x, y), (x + 90, y - 60))
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
    desk.snap()
    before = desk.page.evaluate(f"Array.from({ED}.ground.xy)")
    centre = ground.shape(grid).centroid
    desk.drag((x, y), (x + 2.6 * (centre.x - x), y + 2.6 * (centre.y - y)))
    desk.page.mouse.up()
    desk.page.wait_for_selector(".ge-refusal:not([hidden])", timeout=20_000)
    assert "refused" in desk.page.locator(".ge-refusal").inner_text()
    assert desk.page.evaluate(f"Array.from({ED}.ground.xy)") == before
    with gridgis.open_workspace(desk.url) as ws:
        assert ws.plan_rev(desk.plan) == 0
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
    desk.snap()
    desk.tool("split")
    desk.page.mouse.click(*desk.at(west - 30, middle.y))
    desk.page.mouse.click(*desk.at(middle.x, middle.y + 8))
    desk.page.mouse.click(*desk.at(east + 30, middle.y))
    desk.page.wait_for_selector(".ge-hud:not([hidden])")
    parts_told = desk.foreseen().values()
    desk.page.keyboard.press("Enter")
    after = desk.stored(2)
    assert conserved(ground, after)
    new = set(after.codes) - set(ground.codes)
    assert len(new) == 1
    names = [str(after.attributes["name"][part]) for part in (code, *new)]
    assert sorted(map(desk.counted, names)) == sorted(parts_told)
    parts = shapely.union_all([after.shape(code), after.shape(next(iter(new)))])
    assert parts.symmetric_difference(shape).area < 0.5  # the millimetre of rounding along the border
    desk.watched.settle()
    desk.select(code, *new)
    desk.tool("merge")
    merged = desk.stored(3)
    assert set(merged.codes) == set(ground.codes)
    assert merged.shape(code).symmetric_difference(shape).area < 0.5
    desk.watched.settle()
    spot = spot_to_paint(desk, merged, code)
    desk.select(code)
    desk.tool("paint")
    desk.page.mouse.move(*desk.at(spot.x, spot.y))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.at(spot.x + 0.5, spot.y + 0.5), steps=2)
    desk.shot("redraw-paint-zh")
    told = desk.foreseen()
    desk.page.mouse.up()
    painted = desk.stored(4)
    assert len(told) > 1  # who gets houses and who loses them
    assert {name: desk.counted(name) for name in told} == told
    assert conserved(ground, painted)
    assert painted.shape(code).contains(shapely.Point(spot.x, spot.y))
    desk.watched.settle()
    compared(desk, ground, painted)
    desk.watched.assert_clean()


def spot_to_paint(desk: Desk, ground: Partition, code: str) -> shapely.Point:
    """A place in the unit cell that brings a grid most houses and leaves every grid in one piece."""
    with gridgis.open_workspace(desk.url) as ws:
        cells = ws.read("unit_cells", where={"area_code": AREA}).geometry.to_numpy()
        houses = ws.read("buildings", bbox=ground.outline.bounds, columns=["geometry"]).geometry.centroid
    ours = ground.shape(code)
    found = []
    for cell in cells[shapely.intersects(cells, ours) & ~shapely.covered_by(cells, ours)]:
        rest = [shape.difference(cell) for shape in ground.shapes if shape.intersects(cell) and not shape.equals(ours)]
        if all(shape.geom_type == "Polygon" for shape in (*rest, ours.union(cell))):
            found.append((int(houses.within(cell.difference(ours)).sum()), cell.difference(ours).representative_point()))
    count, spot = max(found, key=lambda pair: pair[0])
    assert count
    return spot


def compared(desk: Desk, live: Partition, plan: Partition) -> None:
    """The comparison tab and its workbook tell of the grids that are not the same ground, and of no other."""
    differ = {
        code
        for code in {*live.codes, *plan.codes}
        if code not in live.codes or code not in plan.codes or not live.shape(code).equals(plan.shape(code))
    }
    assert len(differ) >= 2
    desk.part("比较")
    table = desk.page.locator('[aria-label="比较"] tbody')
    table.wait_for()
    rows = table.locator("tr").all_inner_texts()
    assert {row.split("\t")[1] for row in rows} == differ
    with desk.page.expect_download() as download:
        desk.page.get_by_role("button", name="下载 Excel").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(Path(download.value.path()).read_bytes())).worksheets[0]
    told = {row[0]: row for row in sheet.iter_rows(min_row=2, values_only=True) if row[1] is not None}  # a notice stands below
    heads = [cell.value for cell in sheet[1]]
    assert set(told) == differ
    for code in differ & {*live.codes}:
        assert told[code][
            heads.index(t("redraw_diff.before", "zh", column=t("redraw_diff.column_area_m2", "zh")))
        ] == pytest.approx(live.shape(code).area, rel=1e-3)  # plane, not ellipsoid


def test_a_retired_grid_goes_to_the_neighbour_with_the_longest_border_or_to_nobody(desk: Desk) -> None:
    desk.open(lang="en")
    ground = desk.ground()
    code = ground.codes[int(np.argmax(shapely.distance(ground.shapes, ground.outline.boundary)))]
    shape = ground.shape(code)
    border = {other: ground.shape(other).intersection(shape).length for other in ground.codes if other != code}
    heir = max(border, key=lambda other: border[other])
    desk.select(code)
    desk.tool("retire")
    after = desk.stored(2)
    assert code not in after.codes
    assert conserved(ground, after)
    assert after.shape(heir).equals(shapely.union(ground.shape(heir), shape))
    desk.watched.settle()
    desk.page.keyboard.press("Control+z")
    assert set(desk.stored(3).codes) == set(ground.codes)
    desk.watched.settle()
    desk.select(code)
    desk.tool("lock")
    desk.stored(4)
    desk.tool("retire")
    desk.page.wait_for_selector(".ge-refusal:not([hidden])", timeout=20_000)
    assert "locked" in desk.page.locator(".ge-refusal").inner_text()
    desk.tool("lock")
    desk.stored(5)
    desk.page.get_by_text("Options", exact=True).click()
    desk.page.locator('[data-wish="free"]').check()
    desk.page.keyboard.press("Escape")
    desk.tool("retire")
    after = desk.stored(6)
    assert len(after.free) == 1
    assert after.free[0].equals(shape)
    assert after.shape(heir).equals(ground.shape(heir))
    desk.watched.assert_clean()


def test_a_dragged_vertex_lands_on_the_vertex_it_snaps_to(desk: Desk) -> None:
    desk.open()
    ground = desk.ground()
    x, y = inner_vertex(ground)
    desk.select(next(c for c, s in zip(ground.codes, ground.shapes, strict=True) if s.distance(shapely.Point(x, y)) < 1e-9))
    rev = 2
    for kind in ("roads", "buildings", "cells"):
        near = target(desk, ground, kind, (x, y))
        desk.snap(kind)
        desk.look((x + near[0]) / 2, (y + near[1]) / 2, 17)
        desk.drag((x, y), near, by=(3, -2))
        desk.shot(f"redraw-snap-{kind}")
        desk.page.mouse.up()
        after = desk.stored(rev)
        assert conserved(ground, after)
        places = shapely.MultiPoint(np.concatenate([shapely.get_coordinates(shape) for shape in after.shapes]))
        assert shapely.Point(near).distance(places) < 0.001  # the precision vertices are kept with
        desk.page.keyboard.press("Control+z")
        desk.stored(rev + 1)
        rev += 2
    desk.watched.assert_clean()


def target(desk: Desk, ground: Partition, kind: str, start: tuple[float, float]) -> tuple[float, float]:
    """The nearest vertex of a street, a house or a cell that the vertex at `start` may move to, some way off."""
    with gridgis.open_workspace(desk.url) as ws:
        layer = {"cells": "unit_cells"}.get(kind, kind)
        frame = ws.read(layer, bbox=ground.outline.bounds, columns=["geometry"])
    xy = np.unique(shapely.get_coordinates(frame.geometry.to_numpy()), axis=0)
    far = np.hypot(*(xy - start).T)
    for place in xy[np.argsort(far)][:400].tolist():
        if np.hypot(place[0] - start[0], place[1] - start[1]) < 30:
            continue
        try:
            apply(ground, MoveVertex(start, (place[0], place[1])))
        except Refused:
            continue
        return place[0], place[1]
    pytest.fail(f"no vertex of {kind} near")


@pytest.mark.postgis
def test_a_drag_and_its_undo_on_postgis(postgis_url: str, tmp_path: Path, watch: Any) -> None:
    """Four squares of 100 m around one vertex, which is dragged to the corner of a house and past another."""
    west, south = 500_000.0, 3_366_000.0
    squares = [shapely.box(west + x, south + y, west + x + 100, south + y + 100) for y in (0, 100) for x in (0, 100)]
    codes = pd.Index([f"420000100201G{number}" for number in range(1, 5)], name="code")
    grids = gpd.GeoDataFrame({"name": list(codes), "area_code": "420000100201"}, geometry=squares, index=codes, crs="EPSG:4547")
    home = gpd.GeoDataFrame(
        {"name": ["Square"], "level": ["village"]},
        geometry=[shapely.box(west, south, west + 200, south + 200)],
        index=pd.Index(["420000100201"], name="code"),
        crs="EPSG:4547",
    )
    houses = gpd.GeoDataFrame(
        {"households": [1, 4], "population": [3, 9]},
        geometry=[shapely.box(west + x, south + y, west + x + 10, south + y + 10) for x, y in ((120, 130), (105, 108))],
        index=pd.Index(["B1", "B2"], name="id"),
        crs="EPSG:4547",
    )
    with gridgis.create_workspace(postgis_url, crs="EPSG:4547") as ws, ws.write(who="test", why="squares") as write:
        write.upsert("areas", home)
        write.upsert("grids", grids)
        write.replace("buildings", houses)
    for base in serve(tmp_path / "none", database=postgis_url):
        desk = Desk(watch(base, height=1150), postgis_url, area="420000100201")
        desk.open(lang="en")
        desk.select(codes[0])
        desk.snap("buildings")
        desk.drag((west + 100, south + 100), (west + 120, south + 130), by=(2, 2))
        # while it is dragged the second house goes from the fourth square to the first
        rows = [row.split("\t") for row in desk.page.locator(".ge-hud tbody tr").all_inner_texts()]
        people = {row[0][-2:]: row[-2:] for row in rows}
        assert people == {"G1": ["0 → 4", "0 → 9"], "G2": ["0", "0"], "G3": ["0", "0"], "G4": ["5 → 1", "12 → 3"]}
        desk.page.mouse.up()
        after = desk.stored(2)
        corner = shapely.Point(west + 120, south + 130)
        assert [shape.distance(corner) < 0.001 for shape in after.shapes] == [True] * 4
        assert shapely.area(after.shapes) == pytest.approx([12_500, 10_500, 9_500, 7_500], abs=0.5)
        assert conserved(desk.ground(), after)
        told = desk.page.evaluate(f"Object.fromEntries({ED}.figures)")  # and so Python counts it
        assert {code[-2:]: row[:2] for code, row in told.items()} == {"G1": [4, 9], "G2": [0, 0], "G3": [0, 0], "G4": [1, 3]}
        desk.page.keyboard.press("Control+z")
        back = desk.stored(3)
        assert [shape.equals(square) for shape, square in zip(back.shapes, squares, strict=True)] == [True] * 4
        desk.page.keyboard.press("Control+y")
        again = desk.stored(4)
        assert [one.equals(other) for one, other in zip(again.shapes, after.shapes, strict=True)] == [True] * 4
        desk.watched.assert_clean()


def test_two_planners_on_one_plan_see_each_others_steps(at_work: str, town: Path, watch: Any) -> None:
    one = Desk(watch(at_work, height=1150), str(town))
    other = Desk(watch(at_work, height=1150), str(town), plan=one.plan)
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
    # a step asked for on what stood there before is refused, in words, and takes nothing back
    other.select(ground.codes[0])
    other.page.evaluate(f"{ED}.data.rev = 1")
    other.page.keyboard.press("Control+z")
    other.page.wait_for_selector(".ge-refusal:not([hidden])", timeout=20_000)
    assert "最新" in other.page.locator(".ge-refusal").inner_text()
    assert touching not in one.stored(2).codes


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_fits_a_tablet(at_work: str, town: Path, watch: Any, lang: str) -> None:
    desk = Desk(watch(at_work, width=820, height=1150), str(town))
    desk.open(lang=lang)
    desk.select(desk.ground().codes[2])
    desk.watched.shot(f"redraw-{lang}-820")
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 820
    desk.watched.assert_clean()
