"""The app without a browser: every page runs in both languages, figures follow the date, errors become sentences."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import gridgis
from gridgis.errors import DataError
from gridgis.pages import main, shared
from gridgis.text import catalogue
from gridgis.web import server
from tests.pages.conftest import ROOT, said

PAGES = [name for name, _ in main._PAGES]


def test_the_server_leads_every_page_over_the_front() -> None:
    assert list(server.PAGES) == PAGES


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("page", ["", "data", "grids", "redraw", "settings"])
def test_every_page_runs_on_the_toy_town(open_app: Any, toy_file: Path, page: str, lang: str) -> None:
    app = open_app(toy_file, page=page, lang=lang)
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    titles = {"": "overview", "data": "datapage", "grids": "gridpage", "redraw": "redrawpage", "settings": "settingspage"}
    title = f"{titles[page]}.title"
    assert catalogue(lang)[title] in said(app)


@pytest.mark.parametrize("page", ["", "data", "grids", "redraw", "settings"])
def test_an_english_page_holds_no_chinese(open_app: Any, toy_file: Path, page: str) -> None:
    """The toy town has English names, so whatever is Chinese is untranslated; the language's own name is not."""
    text = said(open_app(toy_file, page=page, lang="en")).replace("中文", "")
    assert re.findall(r"[\u4e00-\u9fff]+", text) == []


def headline(app: Any) -> str:
    found = next(element.proto.body for element in app.get("html") if "gp-headline" in element.proto.body)
    return re.sub(r"<[^>]*>", "", found)


def test_the_headline_of_the_toy_town_is_what_a_hand_computes(open_app: Any, toy_file: Path) -> None:
    """G1 and G2 cover 75,000 of 120,000 m², and 18 of 36 people; two of three grids run."""
    app = open_app(toy_file, lang="en")
    assert headline(app) == (
        "As of 31 December 2012, the grids in operation cover 62.5 % of the area and 50.0 % of the people of Toy: "
        "2 of 3 grids in operation, 18 residents."
    )


def test_figures_follow_the_date(open_app: Any, toy_file: Path) -> None:
    app = open_app(toy_file, lang="en")
    app.date_input(key="as_of").set_value(dt.date(2012, 2, 29)).run()
    assert "0.0 % of the area" in headline(app)
    assert "0 of 3 grids" in headline(app)
    app.selectbox(key="jump").select_index(0).run()
    assert app.date_input(key="as_of").value == dt.date(2012, 3, 1)
    assert "62.5 % of the area" in headline(app)


def test_the_synthetic_notice_stands_on_every_page(open_app: Any, toy_file: Path) -> None:
    for page in ("", "data", "grids", "settings"):
        assert catalogue("en")["general.synthetic"] in said(open_app(toy_file, page=page, lang="en"))


def test_an_empty_workspace_says_what_to_import_first(open_app: Any, empty_file: Path) -> None:
    app = open_app(empty_file, lang="en")
    assert catalogue("en")["pages.empty_title"] in said(app)
    assert app.button(key="go_import").label == catalogue("en")["pages.empty_go"]


def test_a_missing_workspace_can_be_made(open_app: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.gpkg"
    app = open_app(file, lang="en")
    assert catalogue("en")["pages.welcome_title"] in said(app)
    app.text_input(key="new_name").set_value("Somewhere").run()
    app.button(key="make_empty").click().run()
    with gridgis.open_workspace(str(file)) as ws:
        assert ws.info.name == "Somewhere"


def test_a_file_that_is_no_workspace_gives_one_sentence(open_app: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.gpkg"
    file.write_bytes(b"not a database at all" * 100)
    app = open_app(file, lang="en")
    assert not app.exception
    assert len(app.error) == 1
    assert "Traceback" not in said(app)


def test_the_unforeseen_gets_a_number_and_no_trace(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(shared, "lang", lambda: "en")
    with caplog.at_level("ERROR", logger="gridgis.pages"):
        words = shared.sentence(ZeroDivisionError("secret"))
    number = re.search(r"\b[0-9a-f]{6}\b", words)
    assert number
    assert "secret" not in words
    assert number.group() in caplog.text


def test_an_error_of_ours_reads_in_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "lang", lambda: "zh")
    assert "单元网格" in shared.sentence(DataError("overview.no_cells"))


def finished(app: Any, name: str) -> Any:
    """Wait for the work behind a page and draw the page again."""
    until = time.monotonic() + 30
    while time.monotonic() < until and not app.session_state[f"job_{name}"].finished.is_set():
        time.sleep(0.1)
    return app.run()


def test_unit_grids_are_built_from_the_page(open_app: Any, toy_file: Path) -> None:
    """400 m × 300 m are twelve hectares: twelve cells of a hectare, six and a half columns in the west joined to whole ones."""
    app = open_app(toy_file, page="grids", lang="en")
    app.button(key="build_cells").click().run()
    app = finished(app, "cells")
    assert not app.error, [error.value for error in app.error]
    with gridgis.open_workspace(str(toy_file)) as ws:
        cells = ws.read("unit_cells")
        assert ws.log(layer="unit_cells")["who"].tolist() == [catalogue("en")["pages.author_default"]]
    assert cells["area_m2"].sum() == pytest.approx(120_000, rel=1e-6)
    assert f'<div class="v">{len(cells)}</div>' in said(app)


def test_a_check_of_a_sound_workspace_says_so(open_app: Any, toy_file: Path) -> None:
    app = open_app(toy_file, page="data", lang="en", data_part="check")
    app.button(key="check_do").click().run()
    app = finished(app, "check")
    assert not app.error, [error.value for error in app.error]
    assert catalogue("en")["datapage.check_clean"] in said(app) or app.warning


def test_the_change_log_names_who_and_why(open_app: Any, toy_file: Path) -> None:
    text = said(open_app(toy_file, page="data", lang="en", data_part="log"))
    assert ">test</td>" in text
    assert ">toy</td>" in text


def test_a_name_is_changed_in_the_settings(open_app: Any, toy_file: Path) -> None:
    app = open_app(toy_file, page="settings", lang="en")
    app.text_input(key="ws_name").set_value("Other")
    app.button[0].click().run()
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert ws.info.name == "Other"


def test_the_look_is_the_same_from_the_folder_and_from_the_installed_package() -> None:
    """Streamlit reads settings beside the script it runs: app.py here, the package's own entry when installed."""
    here, packed = ROOT / ".streamlit" / "config.toml", ROOT / "gridgis" / "pages" / ".streamlit" / "config.toml"
    assert here.read_text(encoding="utf-8") == packed.read_text(encoding="utf-8")


def test_nothing_is_reported_to_anybody() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["server"]["address"] == "127.0.0.1"
    assert "http" not in json.dumps(settings["theme"])
