"""Files taken away from the overview: numbers are numbers, text is text, everything says when and from where."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

import gridgis
from gridgis.errors import Cancelled
from gridgis.pages import blocks, charts, downloads, jobs
from gridgis.tasks import gridding
from gridgis.tasks.overview import Overview, cell_areas, openings, overview

NASTY = "=HYPERLINK(<b>x</b>)"


@pytest.fixture
def answer(toy_file: Path) -> Iterator[Overview]:
    """The toy town, its west village renamed to something that is a formula and markup."""
    with gridgis.open_workspace(str(toy_file)) as ws:
        areas = ws.read("areas")
        areas["name"] = areas["name"].replace("West", NASTY)
        with ws.write(who="test", why="rename") as write:
            write.correct("areas", areas)
        yield overview(ws)


def test_the_workbook_holds_numbers_and_the_division_itself(answer: Overview) -> None:
    book = openpyxl.load_workbook(io.BytesIO(downloads.workbook(answer, "en")))
    assert book.sheetnames == ["Headline", "By village", "By station", "By batch", "Trend", "Notes"]
    sheet = book["Headline"]
    row = next(row for row in sheet.iter_rows(min_row=5) if row[0].value == "Area")
    assert row[1].value == pytest.approx(0.075, rel=1e-6)
    assert row[2].value == pytest.approx(0.12, rel=1e-6)
    assert row[4].value == "=B5/C5"
    assert [str(sheet.freeze_panes) for sheet in book.worksheets] == ["B5", "C2", "C2", "C2", "C2", "A2"]


def test_no_text_of_the_workbook_is_a_formula(answer: Overview) -> None:
    book = openpyxl.load_workbook(io.BytesIO(downloads.workbook(answer, "zh")))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert {cell.value for cell in cells if cell.data_type == "f"} == {f"=B{row}/C{row}" for row in (5, 6, 7, 9, 10, 11)}
    assert f"'{NASTY}" in {cell.value for cell in cells}


def test_the_page_shows_names_as_text_and_asks_for_nothing(answer: Overview) -> None:
    page = downloads.page(answer, "<html><p>map</p></html>", "zh")
    assert "<b>x</b>" not in page
    assert "=HYPERLINK(&lt;b&gt;x&lt;/b&gt;)" in page
    assert 'srcdoc="&lt;html&gt;' in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_the_geopackage_holds_every_layer_and_what_it_is_about(answer: Overview, tmp_path: Path) -> None:
    file = tmp_path / "o.gpkg"
    file.write_bytes(downloads.geopackage(answer, "en"))
    with sqlite3.connect(file) as connection:
        layers = {row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")}
        about = dict(connection.execute("SELECT key, value FROM about"))
        share = connection.execute("SELECT area_share FROM villages WHERE code = '420000100201'").fetchone()[0]
    assert layers == {"villages", "grids_open", "grids_planned", "blind_spots", "stations", "about"}
    assert about["as_of"] == "2012-12-31"
    assert "62.5 %" in about["headline"]
    assert "synthetic" in about
    assert share == pytest.approx(1.0)


def test_the_picture_of_the_trend_names_its_values(answer: Overview) -> None:
    drawing = blocks.trend(answer, "en")
    assert drawing.startswith("<svg")
    assert "62.5 %" in drawing
    assert charts.steps([], [], "en", label="none").endswith("></svg>")


def test_what_opened_when_is_counted(toy_file: Path) -> None:
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert {date.isoformat(): count for date, count in openings(ws).items()} == {"2012-03-01": 2}


def test_the_distribution_counts_every_cell_once(toy_file: Path) -> None:
    with gridgis.open_workspace(str(toy_file)) as ws:
        gridding.build_unit_grids(ws)
        spread = cell_areas(ws)
    assert sum(spread.counts) == len(spread.cells)
    assert spread.total_m2 == pytest.approx(120_000, rel=1e-6)
    assert list(spread.edges) == sorted(spread.edges)
    assert spread.find("100202")["code"].str.startswith("420000100202").all()


def test_a_cancelled_job_ends_with_its_word_and_no_result() -> None:
    job = jobs.Job()
    job.stop.set()
    job.run(lambda progress: progress("grids.stage_cut", 0, 1))
    assert isinstance(job.error, Cancelled)
    assert job.result is None
    assert job.finished.is_set()
