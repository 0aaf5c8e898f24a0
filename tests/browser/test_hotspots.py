"""The hot-spot page in a browser with no network: both languages, a click on a cell, links, time, and a real city in seconds."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gridgis.text import catalogue
from tests.browser.conftest import ROOT, serve
from tests.support import shared

MAP = ".st-key-hotspots_map .gg-map"
READY = f'{MAP}[data-state="ready"]'
WITHIN_S = 5.0
"""From opening the page to both maps, on an idle machine."""


def open_page(watched: Any, *, lang: str = "zh", **query: str) -> None:
    words = "&".join(f"{name.rstrip('_')}={value}" for name, value in {"lang": lang, **query}.items())
    watched.page.goto(f"{watched.base}/hotspots?{words}", wait_until="domcontentloaded")
    watched.page.wait_for_selector(READY, timeout=60_000)
    watched.settle()


def legend(watched: Any) -> str:
    return str(watched.page.locator(f"{MAP} .gg-panel").inner_text())


def choose(watched: Any, view: str, *, lang: str = "zh") -> None:
    """Switch to a view and wait until its legend is there and its picture drawn."""
    watched.page.locator(".st-key-hs_view").get_by_text(catalogue(lang)[f"hotspage.view_{view}"], exact=True).click()
    title = catalogue(lang)[f"hotspage.legend_{view}"]
    watched.page.wait_for_function(
        "([map, title]) => document.querySelector(map + ' .gg-panel')?.innerText.includes(title)",
        arg=[MAP, title],
        timeout=60_000,
    )
    watched.page.wait_for_selector(READY, timeout=60_000)


def click_map(watched: Any, across: float, down: float) -> None:
    area = watched.page.locator(f"{MAP} .gg-canvas").bounding_box()
    watched.page.mouse.click(area["x"] + area["width"] * across, area["y"] + area["height"] * down)
    watched.settle()


@pytest.mark.parametrize("width", [1280, 820])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_opens_without_a_network(base: str, watch: Any, lang: str, width: int) -> None:
    watched = watch(base, width=width)
    open_page(watched, lang=lang)
    watched.shot(f"hotspots-{lang}-{width}")
    assert "521" in watched.page.locator(".gp-headline").inner_text()
    assert watched.page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    watched.assert_clean()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_view_draws(base: str, watch: Any, lang: str) -> None:
    watched = watch(base, height=1300)
    open_page(watched, lang=lang, from_="2012-07-01", vs="previous")
    for view in ("density", "moran", "emerging", "change", "gi"):
        choose(watched, view, lang=lang)
        watched.settle()
        watched.shot(f"hotspots-{view}-{lang}")
    watched.assert_clean()


def test_a_click_tells_the_cell_and_a_link_restores_it(base: str, watch: Any) -> None:
    watched = watch(base, height=1400)
    open_page(watched)
    click_map(watched, 0.38, 0.5)
    panel = watched.page.locator(".gp-why").inner_text()
    assert "起" in panel
    watched.page.wait_for_url(re.compile(r"[?&]at=\d+%2C\d+"))
    title = watched.page.locator(".gp-section h2", has_text="r").first.inner_text()
    other = watch(base, height=1400)
    other.page.goto(watched.page.url)
    other.page.wait_for_selector(READY, timeout=60_000)
    other.settle()
    assert other.page.locator(".gp-why").inner_text() == panel
    assert title in other.page.locator('[data-testid="stMain"]').inner_text()
    watched.assert_clean()
    other.assert_clean()


def test_panning_and_zooming_run_nothing(base: str, watch: Any) -> None:
    watched = watch(base, height=1400)
    open_page(watched)
    area = watched.page.locator(f"{MAP} .gg-canvas").bounding_box()
    middle = (area["x"] + area["width"] / 3, area["y"] + area["height"] / 2)
    watched.page.mouse.move(*middle)
    watched.page.wait_for_timeout(400)
    sent = watched.runs
    watched.page.mouse.down()
    watched.page.mouse.move(middle[0] + 90, middle[1] + 40, steps=5)
    watched.page.mouse.up()
    watched.page.mouse.wheel(0, -400)
    watched.page.wait_for_timeout(1200)
    assert watched.runs == sent
    watched.assert_clean()


def test_time_plays_and_stops(base: str, watch: Any) -> None:
    watched = watch(base, height=1400)
    open_page(watched)
    button = watched.page.locator(".st-key-hs_play button")
    button.click()
    watched.page.wait_for_url(re.compile(r"[?&]step=2(&|$)"), timeout=30_000)
    watched.page.get_by_text(catalogue("zh")["hotspage.stop"], exact=True).click()
    watched.page.get_by_text(catalogue("zh")["hotspage.play"], exact=True).wait_for(timeout=30_000)
    watched.settle()
    stopped = watched.page.url
    watched.page.wait_for_timeout(2500)
    assert watched.page.url == stopped
    watched.assert_clean()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Vehicle thefts of New York, imported as a user would."""
    data = shared("nyc_vehicle_thefts")
    folder = tmp_path_factory.mktemp("city")
    file, table = folder / "nyc.gpkg", folder / "thefts.csv"
    pd.read_parquet(data / "nycvehiclethefts.parquet").to_csv(table, index=False)
    for command in (
        ["init"],
        ["import", "areas", str(data / "community_district.geojson"), "--map", "code=boro_cd", "--map", "name=geography_value",
         "--map", "level==town"],
        ["import", "incidents", str(table), "--map", "id=uid", "--map", "occurred_at=date_single", "--map",
         "category=location_category", "--x", "longitude", "--y", "latitude", "--crs", "EPSG:4326",
         "--time-zone", "America/New_York"],
    ):  # fmt: skip
        subprocess.run([sys.executable, "-m", "gridgis", *command, "-w", str(file)], cwd=ROOT, check=True, capture_output=True)
    yield from serve(file)


def test_a_city_is_there_in_seconds(city: str, watch: Any) -> None:
    """The first visit of a server pays for what is loaded once; a visit after that starts from the data anew."""
    first = watch(city)
    open_page(first, cell="300")
    watched = watch(city, height=1300)
    begun = time.monotonic()
    watched.page.goto(f"{city}/hotspots?lang=en", wait_until="domcontentloaded")
    watched.page.wait_for_selector(READY, timeout=60_000)
    choose(watched, "density", lang="en")
    took = time.monotonic() - begun
    watched.settle()
    watched.shot("hotspots-nyc-density")
    choose(watched, "gi", lang="en")
    watched.settle()
    watched.shot("hotspots-nyc-gi")
    assert "35,577" in watched.page.locator(".gp-headline").inner_text()
    watched.assert_clean()
    first.assert_clean()
    assert took < WITHIN_S * patience(), f"{took:.1f} s"


def patience() -> float:
    """How much slower than idle this machine is now."""
    try:
        load = float(Path("/proc/loadavg").read_text().split()[0])
    except OSError:
        return 1.0
    return max(1.0, load / 2)
