"""The hot-spot page without a browser: figures a hand can count, filters, links, the empty page, and every file."""

from __future__ import annotations

import io
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import gridgis
from gridgis.pages import hotspot_charts, hotspot_files, hotspot_layers
from gridgis.pages import hotspot_words as words
from gridgis.tasks import hotspot_incidents, hotspot_views
from gridgis.tasks.hotspot_points import Filters
from gridgis.tasks.hotspot_views import HotSpots, Request
from gridgis.text import catalogue
from tests.pages.conftest import ROOT, said
from tests.pages.hotspot_square import CELLS, HEAP, HEAPED, square

ALL = CELLS * CELLS + HEAPED


@pytest.fixture(scope="module")
def square_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return square(tmp_path_factory.mktemp("square") / "square.gpkg")


@pytest.fixture
def open_link(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open the page by a link: `open_link(file, lang="en", cell="100")`."""

    def run(file: Path, *, lang: str = "en", **query: str) -> AppTest:
        monkeypatch.setenv("GRIDGIS_WORKSPACE", str(file))
        monkeypatch.delenv("GRIDGIS_LANG", raising=False)
        app = AppTest.from_file(ROOT / "app.py", default_timeout=90)
        for name, value in {"lang": lang, **query}.items():
            app.query_params[name.rstrip("_")] = value
        app._page_hash = calc_hash("hotspots")
        return settled(app.run())

    return run


def settled(app: AppTest) -> AppTest:
    """Run until the work beside the page is done."""
    until = time.monotonic() + 60
    while not any("gp-headline" in element.proto.body for element in app.get("html")) and not app.error:
        assert time.monotonic() < until
        time.sleep(0.3)
        app.run()
    return app


def headline(app: AppTest) -> str:
    found = next(element.proto.body for element in app.get("html") if "gp-headline" in element.proto.body)
    return re.sub(r"<[^>]*>", "", found)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_runs_in_both_languages(open_link: Any, square_file: Path, lang: str) -> None:
    app = open_link(square_file, lang=lang)
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    assert catalogue(lang)["hotspage.title"] in said(app)
    assert str(ALL) in headline(app)


def test_the_sentence_says_what_a_hand_counts(open_link: Any, square_file: Path) -> None:
    """With a band of one cell the heap's cell and its four neighbours are hot: five cells of 400, 45 − 1 + … incidents."""
    app = open_link(square_file, cell="100", band="100")
    hot = 5
    share = (HEAPED + hot) / ALL
    assert headline(app) == (
        f"2012: {ALL} incidents in Square, with 1 hot spot that holds {share * 100:.1f} % of them on 1.3 % of the ground; "
        f"the surest is in East ({HEAPED + hot} incidents)."
    )


def test_an_english_page_holds_no_chinese(open_link: Any, square_file: Path) -> None:
    text = said(open_link(square_file)).replace("中文", "")
    assert re.findall(r"[\u4e00-\u9fff]+", text) == []


def test_filters_leave_what_they_say(open_link: Any, square_file: Path) -> None:
    assert f"{HEAPED} incidents of theft" in headline(open_link(square_file, cat="theft", cell="100"))
    assert f"{HEAPED} incidents" in headline(open_link(square_file, h0="20", h1="6", cell="100"))
    assert f"{ALL - HEAPED} incidents" in headline(open_link(square_file, h0="6", h1="20", cell="100"))
    assert f"{CELLS * CELLS // 2} incidents in West" in headline(open_link(square_file, area="11", cell="100"))
    # the heap and the noise of June, whose numbers leave 5 when divided by 12
    june = HEAPED + len(range(5, CELLS * CELLS, 12))
    assert headline(open_link(square_file, from_="2012-06-01", to="2012-06-30", cell="100")).startswith(f"June 2012: {june} ")


def test_a_link_restores_the_view_and_the_page_writes_the_link(open_link: Any, square_file: Path) -> None:
    query = {"cell": "100", "band": "200", "view": "density", "vs": "year", "wd": "56", "per": "week", "at": "10,10"}
    app = open_link(square_file, **query)
    assert app.number_input(key="hs_cell").value == 100
    assert app.session_state["hs_wd"] == [5, 6]
    assert app.session_state["hs_view"] == "density"
    assert app.session_state["hs_at"] == "10,10"
    written = {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}
    assert written == {**query, "lang": "en"}
    app.number_input(key="hs_cell").set_value(200).run()
    settled(app)
    assert "200" in str(app.query_params["cell"])


def test_what_a_link_says_wrongly_is_passed_over(open_link: Any, square_file: Path) -> None:
    app = open_link(
        square_file, from_="yesterday", to="1800-01-01", cat="=1+1", area="<b>", view="nothing", cell="-5", at="x,y", tz="Mars"
    )
    assert not app.exception
    assert not app.error
    assert f"{ALL} incidents" in headline(app)


def test_a_clicked_cell_tells_its_figures_and_why(open_link: Any, square_file: Path) -> None:
    app = open_link(square_file, cell="100", band="100", at=f"{HEAP[0]},{HEAP[1]}")
    text = said(app)
    assert f"East · cell r{HEAP[0]}c{HEAP[1]}" in text
    assert f"5 cells in all, had {HEAPED + 5} incidents; an even spread would bring {5 * ALL / 400:.1f}" in text


def test_a_workspace_without_incidents_says_what_to_import(open_app: Any, toy_file: Path) -> None:
    app = open_app(toy_file, page="hotspots", lang="en")
    assert catalogue("en")["hotspage.empty_hint"] in said(app)
    assert app.button(key="go_import").label == catalogue("en")["pages.empty_go"]


def test_no_incident_left_is_said_kindly(open_link: Any, square_file: Path) -> None:
    app = open_link(square_file, cat="theft", h0="6", h1="8")
    assert [error.value for error in app.error] == [catalogue("en")["hotspage.none_left"].replace(".", "\\.")]


def test_incidents_with_dates_alone_get_no_chart_of_hours(open_link: Any, tmp_path: Path) -> None:
    app = open_link(square(tmp_path / "days.gpkg", areas=False, hours=False))
    assert not app.error
    assert catalogue("en")["hotspage.no_hours"] in said(app)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spots(square_file: Path) -> HotSpots:
    with gridgis.open_workspace(str(square_file)) as ws:
        return hotspot_views.look(hotspot_incidents.read_incidents(ws), Request(Filters(), cell_m=100, band_m=100))


@pytest.fixture(scope="module", params=["zh", "en"])
def taken(spots: HotSpots, request: pytest.FixtureRequest) -> hotspot_files.Taken:
    found = hotspot_views.over_time(spots)
    return hotspot_files.Taken(spots, spots, None, found, "gi", None, request.param, ())


def test_the_geopackage_has_the_contracts_columns(taken: hotspot_files.Taken, tmp_path: Path) -> None:
    file = tmp_path / "hot.gpkg"
    file.write_bytes(hotspot_files.geopackage(taken))
    cells = gpd.read_file(file, layer="hotspots")
    assert list(cells.columns[:6]) == ["cell_id", "count", "gi_z", "p_value", "q_value", "class"]
    assert len(cells) == 400
    assert cells["count"].sum() == ALL
    hot = cells[cells["class"] > 0]
    assert set(hot["cell_id"]) == {
        f"r{HEAP[0] + down}c{HEAP[1] + right}" for down, right in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    }
    with sqlite3.connect(file) as connection:
        assert {row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")} == {
            "hotspots",
            "spots",
            "area",
            "about",
        }


def test_the_geotiff_holds_the_heat_map(taken: hotspot_files.Taken) -> None:
    with rasterio.MemoryFile(hotspot_files.geotiff(taken)) as memory, memory.open() as image:
        values = image.read(1)
        assert image.crs.to_epsg() == 4547
        assert image.transform.a == taken.whole.heat.lattice.cell_m
        # the volume under the map is the number of incidents
        assert np.nansum(values) * image.transform.a**2 / 1e6 == pytest.approx(ALL, rel=0.03)


def test_the_csv_opens_in_excel(taken: hotspot_files.Taken) -> None:
    content = hotspot_files.csv(taken)
    assert content.startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(io.BytesIO(content), encoding="utf-8-sig")
    assert table["count"].sum() == ALL
    assert {"x", "y", "quadrant", "pattern"} <= set(table.columns)


def test_the_workbook_has_numbers(taken: hotspot_files.Taken) -> None:
    book = openpyxl.load_workbook(io.BytesIO(hotspot_files.workbook(taken)))
    assert len(book.sheetnames) == 5
    series = book.worksheets[2]
    assert sum(row[1].value for row in series.iter_rows(min_row=2)) == ALL


def test_the_picture_is_one(taken: hotspot_files.Taken) -> None:
    image = Image.open(io.BytesIO(hotspot_files.png(taken)))
    assert image.size == (1600, 1200)


def test_the_web_page_needs_no_network(taken: hotspot_files.Taken) -> None:
    page = hotspot_files.page(taken).decode()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?https?:", page)
    assert catalogue(taken.lang)["general.synthetic"] in page
    assert str(HEAPED + 5) in page
    assert taken.title in page


# --- parts -----------------------------------------------------------------------------------------------------------


def test_every_class_has_a_colour_of_its_own(spots: HotSpots) -> None:
    drawn = hotspot_layers.significance(spots, "en")
    assert [entry.value for entry in drawn.style.classes] == [3, 2, 1, 0, -1, -2, -3]
    assert len({entry.colour for entry in drawn.style.classes}) == 7


def test_the_week_counts_where_the_clock_was(spots: HotSpots) -> None:
    week = spots.week()
    assert week.sum() == ALL
    assert week[5, 22] == HEAPED
    assert week[5, 22] == spots.week(HEAP).max()
    assert "40" in hotspot_charts.week(week, days=list("abcdefg"), label="week", hour="h")


def test_periods_are_the_months_of_the_year(spots: HotSpots) -> None:
    assert spots.unit == "month"
    series = spots.series()
    assert len(series) == 12
    assert series[5] == HEAPED + len(range(5, 400, 12))
    assert words.step_text(spots.periods[5], "en") == "June 2012"


def test_one_period_is_looked_at_by_itself(spots: HotSpots, square_file: Path) -> None:
    with gridgis.open_workspace(str(square_file)) as ws:
        june = hotspot_views.in_period(spots, 5, hotspot_incidents.read_incidents(ws))
    assert june.used == spots.series()[5]
    assert june.counts[HEAP] >= HEAPED
    assert june.cells is spots.cells
