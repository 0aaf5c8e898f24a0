"""The map in a real browser: drawn, asked, switched, kept between reruns, without a request to anybody else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from gridgis import toy
from gridgis.datum import from_wgs84
from gridgis.maps import Field, MapLayer
from gridgis.maps.folium_map import self_contained_html
from gridgis.maps.style import categories
from gridgis.maps.world import uv
from tests.web.conftest import server

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

READY = ".gg-map[data-state=ready]"
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
SCRIPT = f"""
import numpy as np, geopandas as gpd, shapely, streamlit as st
from gridgis import toy
from gridgis.maps import Field, MapLayer
from gridgis.maps.basemap import BaseMap
from gridgis.maps.style import Style, categories
from gridgis.web.component import grid_map

st.session_state.runs = st.session_state.get("runs", 0) + 1
query = st.query_params
lang = query.get("lang", "en")
grids = toy.grids()
grids.loc["G2", "officer"] = {EVIL!r}
names = {{"S1": "West", "S2": "East"}}
layers = [MapLayer("grids", "Grids", grids, categories("station", names, base=Style(opacity=1.0)), label="officer",
                   popup=(Field("code", "Code"), Field("officer", "Officer")))]
if query.get("what") == "many":
    row, column = np.divmod(np.arange(10_000), 100)
    x, y = toy.ORIGIN[0] + 100 * column, toy.ORIGIN[1] + 100 * row
    boxes = shapely.box(x, y, x + 100, y + 100)
    cells = gpd.GeoDataFrame({{"code": [f"C{{n:05d}}" for n in range(10_000)]}}, geometry=boxes, crs=toy.CRS)
    look = Style(opacity=1.0, fill="#009E73")
    layers = [MapLayer("cells", "Cells", cells.set_index("code"), look, popup=(Field("code", "Code"),))]
st.button("Again")
base = BaseMap("http://tiles.town.example/{{z}}/{{x}}/{{y}}.png", "Town", query["base"]) if "base" in query else None
chosen = grid_map(layers, key="map", lang=lang, notice="made up", base=base)
st.text(f"runs={{st.session_state.runs}} chosen={{chosen and (chosen.layer, chosen.key)}}")
"""


@pytest.fixture(scope="module")
def base(page_script: Callable[[str], Path]) -> Iterator[str]:
    with server(page_script(SCRIPT)) as address:
        yield address


def colours(page: Page) -> set[tuple[int, ...]]:
    image = np.asarray(Image.open(io.BytesIO(page.locator(".gg-canvas").screenshot())).convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(image, axis=0, return_counts=True)
    return {tuple(int(part) for part in colour) for colour, count in zip(found, counts, strict=True) if count > 2000}


def click(page: Page, right: float, down: float) -> None:
    """Click at a share of the map's width and height."""
    box = page.locator(".gg-canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * right, box["y"] + box["height"] * down)


def told(page: Page) -> str:
    return page.get_by_text("runs=").inner_text()


def test_shapes_are_drawn_in_their_colours_and_nobody_else_is_asked(page: Page, base: str) -> None:
    page.goto(base)
    page.wait_for_selector(READY)
    page.wait_for_timeout(600)
    assert {(0, 0x72, 0xB2), (0xE6, 0x9F, 0)} <= colours(page)
    assert page.locator(".gg-foot").inner_text() == "made up"
    assert [text.strip() for text in page.locator(".gg-panel li").all_inner_texts()] == ["West", "East"]
    assert (page.outside, page.errors) == ([], [])


def test_a_click_opens_text_and_tells_python_while_moving_does_not(page: Page, base: str) -> None:
    page.goto(base)
    page.wait_for_selector(READY)
    page.wait_for_timeout(600)
    before = told(page)
    page.mouse.move(640, 500)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(800)
    page.get_by_label("Show everything").click()
    page.locator(".gg-panel input").uncheck()
    page.locator(".gg-panel input").check()
    page.wait_for_timeout(800)
    assert told(page) == before
    click(page, 0.5, 0.5)  # G2 lies in the middle
    page.wait_for_selector(".gg-card")
    assert EVIL in page.locator(".gg-card").inner_text()
    assert page.locator(".gg-card img, .gg-card script").count() == 0
    page.get_by_text("chosen=('grids', 'G2')").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("chosen=None").wait_for()
    assert page.errors == []


def test_a_rerun_keeps_view_switches_and_popup(page: Page, base: str) -> None:
    page.goto(base)
    page.wait_for_selector(READY)
    page.get_by_label("Zoom in").click()
    page.wait_for_timeout(600)
    click(page, 0.5, 0.5)
    page.get_by_text("chosen=('grids', 'G2')").wait_for()
    view = "e => { const m = e.gg.map; return [m.getZoom(), m.getCenter().lat, m.getCenter().lng]; }"
    page.evaluate("document.querySelector('.gg-map').mark = 1")
    before, runs = page.eval_on_selector(".gg-map", view), told(page)
    page.get_by_role("button", name="Again").click()
    page.wait_for_function(f"!document.body.innerText.includes({runs!r})")
    page.wait_for_timeout(500)
    assert page.eval_on_selector(".gg-map", view) == before
    assert page.evaluate("document.querySelector('.gg-map').mark") == 1
    assert page.locator(".gg-card").count() == 1


def test_layers_switch_by_keyboard(page: Page, base: str) -> None:
    page.goto(base)
    page.wait_for_selector(READY)
    page.locator(".gg-panel input").focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    assert (0, 0x72, 0xB2) not in colours(page)
    page.keyboard.press("Space")
    page.wait_for_timeout(800)
    assert (0, 0x72, 0xB2) in colours(page)


def test_buttons_speak_the_readers_language(page: Page, base: str) -> None:
    page.goto(f"{base}/?lang=zh")
    page.wait_for_selector(READY)
    assert page.get_by_label("放大").count() == 1
    assert page.locator(".gg-panel summary").inner_text() == "图例"


def test_many_cells_come_in_tiles_that_are_fetched_once(page: Page, base: str) -> None:
    page.goto(f"{base}/?what=many")
    page.wait_for_selector(READY)
    page.wait_for_timeout(600)
    assert (0, 0x9E, 0x73) in colours(page)
    tiles = [address for address in page.asked if "/gridgis/tiles/" in address]
    assert 0 < len(tiles) <= 12
    page.get_by_role("button", name="Again").click()
    page.wait_for_timeout(1000)
    assert [address for address in page.asked if "/gridgis/tiles/" in address] == tiles
    click(page, 0.5, 0.5)
    page.wait_for_selector(".gg-card")
    assert page.locator(".gg-card dd").inner_text().startswith("C0")


def test_without_our_routes_the_data_travels_with_the_page(page: Page, page_script: Callable[[str], Path]) -> None:
    with server(page_script(SCRIPT), routes=False) as address:
        for what in ("few", "many"):
            page.goto(f"{address}/?what={what}")
            page.wait_for_selector(READY)
            page.wait_for_timeout(600)
            assert (0, 0x72, 0xB2) in colours(page) if what == "few" else (0, 0x9E, 0x73) in colours(page)
        click(page, 0.5, 0.5)
        page.wait_for_selector(".gg-card")
    assert page.outside == []
    assert not any("/gridgis/" in asked for asked in page.asked)


def test_an_exported_file_opens_alone_and_shows_text_as_text(page: Page, tmp_path: Path) -> None:
    frame = toy.grids()
    frame.loc["G2", "officer"] = EVIL
    layer = MapLayer(
        "grids", f"Grids </script>{EVIL}", frame, categories("station", {"S1": EVIL, "S2": "东"}),
        popup=(Field("officer", EVIL),), label="officer",
    )  # fmt: skip
    file = tmp_path / "map.html"
    text = self_contained_html([layer], lang="zh", title=f"庙岭 {{{{ 7*7 }}}} {EVIL}", headline=["43.6 %", EVIL], notice=EVIL)
    file.write_text(text, encoding="utf-8")
    page.goto(file.as_uri())
    page.wait_for_selector(READY)
    page.wait_for_timeout(500)
    click(page, 0.5, 0.5)
    page.wait_for_selector(".gg-card")
    page.wait_for_timeout(500)
    assert EVIL in page.locator(".gg-card").inner_text()
    assert page.locator("h1").inner_text() == f"庙岭 {{{{ 7*7 }}}} {EVIL}"
    assert page.locator("img[src=x]").count() == 0
    assert (page.outside, page.errors) == ([], [])
    assert [address for address in page.asked if not address.startswith("data:")] == [file.as_uri()]


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
def test_a_shifted_base_map_lies_right_under_true_data(page: Page, base: str, datum: str) -> None:
    dot = io.BytesIO()
    Image.new("RGB", (256, 256), (200, 220, 200)).save(dot, "PNG")
    page.context.route("http://tiles.town.example/**", lambda route: route.fulfill(body=dot.getvalue(), content_type="image/png"))
    page.goto(f"{base}/?base={datum}")
    page.wait_for_selector(READY)
    for _ in range(2):  # as opened, and after a move
        page.wait_for_timeout(900)
        found = page.evaluate(
            """() => {
              const map = document.querySelector('.gg-map').gg.map, centre = map.getCenter();
              const box = map.getContainer().getBoundingClientRect();
              const images = [...document.querySelectorAll('.gg-base img')];
              const tiles = images.map(img => [img.src, img.getBoundingClientRect().toJSON()]);
              return [centre.lng, centre.lat, box.x + box.width / 2, box.y + box.height / 2, tiles];
            }"""
        )
        lon, lat, middle_x, middle_y, tiles = found
        shown_lon, shown_lat = from_wgs84([lon], [lat], datum=datum)
        u, v = uv(float(shown_lon[0]), float(shown_lat[0]))
        places = []
        for address, rect in tiles:
            z, x, y = (int(part) for part in address.removesuffix(".png").split("/")[-3:])
            if int(u * 2**z) == x and int(v * 2**z) == y:
                across, down = u * 2**z - x, v * 2**z - y
                places.append((rect["x"] + across * rect["width"], rect["y"] + down * rect["height"]))
        assert places
        assert places[-1] == pytest.approx((middle_x, middle_y), abs=1.0)
        page.mouse.move(500, 500)
        page.mouse.down()
        page.mouse.move(380, 440, steps=5)
        page.mouse.up()
    assert page.locator(".gg-foot").inner_text().split() == ["made", "up", "Town"]
