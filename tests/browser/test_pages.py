"""The app in a browser: every page in both languages with no network, and what a click does."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image

import gridgis
from gridgis.text import catalogue

PAGES = ("", "data", "grids", "hotspots", "redraw", "settings")
HAN = re.compile(r"[\u4e00-\u9fff]+")


def words(watched: Any) -> str:
    return str(watched.page.locator('[data-testid="stMain"]').inner_text())


@pytest.mark.parametrize("width", [1280, 820])
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_without_a_network(base: str, watch: Any, path: str, lang: str, width: int) -> None:
    watched = watch(base, width=width)
    watched.open(path, lang=lang)
    watched.shot(f"{path or 'overview'}-{lang}-{width}")
    assert watched.page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
    # nothing runs out of the page to the right
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    watched.assert_clean()


@pytest.mark.parametrize("path", PAGES)
def test_chinese_on_an_english_page_is_only_data(base: str, sample: Path, watch: Any, path: str) -> None:
    """Names of places, stations and officers stay as they are; every other word is English."""
    with sqlite3.connect(sample) as connection:
        known = "".join(
            str(value)
            for table in ("areas", "grids", "stations", "natural_villages", "workspace")
            for row in connection.execute(f'SELECT name FROM "{table}"')
            for value in row
        )
    watched = watch(base)
    watched.open(path, lang="en")
    left = [run for run in HAN.findall(words(watched)) if run not in known and run != "中文"]
    assert left == []


def test_english_on_a_chinese_page_is_only_names(base: str, watch: Any) -> None:
    """No sentence of Streamlit's own shows through in the Chinese app."""
    for path in PAGES:
        watched = watch(base)
        watched.open(path)
        for own in (
            "Drag and drop",
            "Browse files",
            "Limit",
            "Choose an option",
            "Choose options",
            "No results",
            "Deploy",
            "Running",
        ):
            assert own not in words(watched), (path, own)


def test_the_language_switches_at_the_top_and_stays_in_the_address(base: str, watch: Any) -> None:
    watched = watch(base)
    watched.open("")
    assert catalogue("zh")["overview.title"] in words(watched)
    watched.page.get_by_text("English", exact=True).click()
    watched.page.wait_for_url("**lang=en**")
    watched.settle()
    assert "Coverage" in words(watched)
    watched.page.get_by_role("link", name=catalogue("en")["pages.data"]).click()
    watched.page.wait_for_selector("text=" + catalogue("en")["datapage.hint"])
    watched.settle()
    assert catalogue("en")["datapage.hint"] in words(watched)
    assert "lang=en" in watched.page.url
    watched.assert_clean()


def set_date(watched: Any, date: str) -> None:
    field = watched.page.locator(".st-key-as_of")
    for part, number in zip(("day", "month", "year"), reversed(date.split("-")), strict=True):
        field.locator(f"[data-type='{part}']").click()
        watched.page.keyboard.type(number)
    before = watched.page.locator(".gp-headline").inner_text()
    watched.page.locator("h1").first.click()  # the field is taken over when it is left
    watched.page.wait_for_function(
        "text => document.querySelector('.gp-headline').innerText !== text", arg=before, timeout=60_000
    )
    watched.settle()


def test_another_date_gives_other_figures(base: str, watch: Any) -> None:
    watched = watch(base)
    watched.open("")
    headline = watched.page.locator(".gp-headline")
    before = headline.inner_text()
    assert "43.6 %" in before
    assert "48.2 %" in before
    assert "81/170" in before.replace(" ", "")
    assert "14,624" in before
    set_date(watched, "2011-01-01")
    assert headline.inner_text() != before
    assert "0.0 %" in headline.inner_text()
    watched.assert_clean()


def test_panning_and_zooming_run_nothing(base: str, watch: Any) -> None:
    watched = watch(base)
    watched.open("")
    area = watched.page.locator(".st-key-overview_map").bounding_box()
    middle = (area["x"] + area["width"] / 2, min(area["y"] + area["height"] / 2, 880))
    watched.page.mouse.move(*middle)
    watched.page.wait_for_timeout(500)
    sent = watched.runs
    watched.page.mouse.down()
    watched.page.mouse.move(middle[0] + 120, middle[1] + 40, steps=6)
    watched.page.mouse.up()
    watched.page.mouse.wheel(0, -400)
    watched.page.wait_for_timeout(1500)
    assert watched.runs == sent
    watched.assert_clean()


@pytest.mark.parametrize("kind", ["xlsx", "gpkg", "png", "html"])
def test_a_download_opens_in_its_program(base: str, watch: Any, tmp_path: Path, kind: str) -> None:
    watched = watch(base)
    watched.open("")
    with watched.page.expect_download(timeout=60_000) as waiting:
        watched.page.locator(f".st-key-download_{kind} button").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.suffix == f".{kind}"
    if kind == "xlsx":
        book = openpyxl.load_workbook(file)
        assert len(book.sheetnames) == 6
        numbers = [cell.value for row in book.worksheets[0].iter_rows() for cell in row if isinstance(cell.value, (int, float))]
        assert 14624 in [round(number) for number in numbers]
    elif kind == "gpkg":
        with sqlite3.connect(file) as connection:
            layers = {row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")}
        assert {"villages", "grids_open", "about"} <= layers
    elif kind == "png":
        with Image.open(file) as image:
            assert image.width >= 800
    else:
        _opens_alone(watch, file)
    watched.assert_clean()


def _opens_alone(watch: Any, file: Path) -> None:
    """A saved page opens from the disk and asks for nothing."""
    alone = watch("file://")
    asked: list[str] = []
    alone.page.on("request", lambda request: asked.append(request.url))
    alone.page.goto(file.as_uri())
    alone.page.wait_for_timeout(1500)
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    assert "43.6 %" in alone.page.content()
    assert alone.errors == []
    alone.shot("exported-html")


def grids_file(folder: Path, sample: Path) -> Path:
    """Two grids in a village, one with markup for a name, under Chinese headings and one heading nobody knows."""
    with gridgis.open_workspace(str(sample)) as ws:
        village = ws.read("areas", where={"code": "420703102210"})
    middle = village.representative_point().to_crs(4326).iloc[0]
    square = [[middle.x + dx, middle.y + dy] for dx, dy in ((0, 0), (2e-4, 0), (2e-4, 2e-4), (0, 2e-4), (0, 0))]
    east = [[x + 3e-4, y] for x, y in square]
    features = [
        {
            "type": "Feature",
            "properties": {"网格编码": code, "叫什么": name, "所属村": "420703102210", "状态": "draft"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for code, name, ring in (("X1", "<img src=x onerror=alert(1)>", square), ("X2", "=1+1", east))
    ]
    file = folder / "two.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return file


def choose(watched: Any, key: str, text: str) -> None:
    """Pick an entry of a select box by its text."""
    watched.page.locator(f"[class*='st-key-{key}'] input[role='combobox']").first.click()
    watched.page.get_by_role("option", name=text).first.click()
    watched.settle()


def test_an_import_goes_from_preview_over_a_dry_run_to_the_map(own_base: str, sample: Path, watch: Any, tmp_path: Path) -> None:
    said = catalogue("zh")
    watched = watch(own_base)
    watched.open("data")
    choose(watched, "import_layer", "grids")
    watched.page.locator('input[type="file"]').first.set_input_files(grids_file(tmp_path, sample))
    watched.page.wait_for_selector("text=" + said["datapage.mapping_title"])
    watched.settle()
    choose(watched, "map_grids_name", "叫什么")
    watched.shot("import-mapping")
    watched.page.locator(".st-key-dry_run button").click()
    watched.page.wait_for_selector("text=" + said["datapage.dry_title"] + " >> visible=true", timeout=60_000)
    watched.settle()
    watched.shot("import-dry-run")
    watched.page.locator(".st-key-do_import button").click()
    watched.page.wait_for_selector(".st-key-another button", timeout=60_000)
    watched.settle()
    assert "新增 2" in words(watched)
    watched.page.get_by_role("radio", name=said["datapage.part_log"]).click()
    watched.settle()
    assert "<img src=x" in words(watched)
    watched.shot("change-log")
    watched.page.get_by_role("radio", name=said["datapage.part_layers"]).click()
    watched.settle()
    watched.page.wait_for_selector(".st-key-layers_map .gg-map")
    watched.settle()
    assert "172" in words(watched)
    watched.shot("layers")
    assert watched.page.locator("img[src='x']").count() == 0
    watched.assert_clean()


def test_unit_grids_are_built_with_a_bar_and_shown(own_base: str, watch: Any) -> None:
    said = catalogue("zh")
    watched = watch(own_base)
    watched.open("grids")
    watched.page.locator(".st-key-build_cells button").click()
    watched.page.wait_for_selector(".st-key-cancel_cells button", timeout=30_000)
    watched.page.wait_for_selector('[data-testid="stAlertContentSuccess"]', timeout=120_000)
    watched.settle()
    watched.shot("unit-grids")
    assert "8," in words(watched)
    watched.page.get_by_role("radio", name=said["gridpage.part_villages"]).click()
    watched.settle()
    watched.shot("natural-villages")
    watched.assert_clean()


def test_a_popup_shows_markup_as_text(own_base: str, tmp_path: Path, watch: Any) -> None:
    """A name with markup arrives in a popup and in tables as the letters it is made of."""
    nasty = "<img src=x onerror=alert(1)>"
    with gridgis.open_workspace(str(tmp_path / "own.gpkg")) as ws:
        villages = ws.read("areas")
        grids = ws.read("grids")
        with ws.write(who="test", why="markup") as write:
            write.correct("areas", villages.assign(name=nasty))
            write.correct("grids", grids.assign(name=nasty))
    watched = watch(own_base)
    watched.open("")
    area = watched.page.locator(".st-key-overview_map .gg-canvas").bounding_box()
    watched.page.mouse.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    popup = watched.page.locator(".leaflet-popup")
    popup.wait_for(timeout=10_000)
    assert nasty in popup.inner_text()
    assert nasty in watched.page.locator(".gp-table").last.inner_text()
    assert watched.page.locator("img[src='x']").count() == 0
    watched.assert_clean()


def test_a_new_workspace_says_what_to_do_first(empty_base: str, watch: Any) -> None:
    said = catalogue("zh")
    watched = watch(empty_base)
    watched.open("")
    watched.shot("welcome")
    assert said["pages.welcome_title"] in words(watched)
    watched.page.locator(".st-key-new_name input").fill("某镇")
    watched.page.locator(".st-key-new_name input").press("Enter")
    watched.settle()
    watched.page.locator(".st-key-make_empty button").click()
    watched.page.wait_for_selector("text=" + said["pages.empty_title"])
    watched.settle()
    watched.shot("empty")
    watched.page.locator(".st-key-go_import button").click()
    watched.page.wait_for_selector("text=" + said["datapage.import_wait"])
    watched.settle()
    assert said["datapage.import_wait"] in words(watched)
    watched.assert_clean()
