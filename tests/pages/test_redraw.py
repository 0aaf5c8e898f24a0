"""The planners' page without a browser: what it says before there is a plan, its words, the road to the live grids."""

from __future__ import annotations

import datetime as dt
import re
import string
from pathlib import Path

import pandas as pd
import pytest
import shapely

import gridgis
from gridgis import toy
from gridgis.errors import DataError
from gridgis.pages import redraw_words
from gridgis.pages.redraw_panel import history, what
from gridgis.redraw.operations import Merge
from gridgis.store.plans import KINDS
from gridgis.tasks import plan_state, plans, redrawing
from gridgis.text import LANGS, Lang, catalogue
from tests.pages.conftest import Open, said


def planned(file: Path) -> None:
    """A plan in which the two grids of the west village are one."""
    with gridgis.open_workspace(str(file)) as ws:
        plans.create(ws, "spring", who="Li")
        redrawing.edit(ws, Merge(("G1", "G2")), plan="spring", who="Li", why="even beats")


@pytest.mark.parametrize("lang", LANGS)
def test_without_a_plan_the_page_asks_for_its_name(toy_file: Path, open_app: Open, lang: str) -> None:
    app = open_app(toy_file, page="redraw", lang=lang)
    assert not app.exception
    app.button(key="rd_create").click().run()
    assert not app.exception
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert [plan.name for plan in ws.plans()] == ["default"]


def test_an_empty_workspace_says_what_is_missing(empty_file: Path, open_app: Open) -> None:
    assert "no areas yet" in said(open_app(empty_file, page="redraw", lang="en"))


def test_history_lists_steps_with_author_and_reason(toy_file: Path, open_app: Open) -> None:
    planned(toy_file)
    words = said(open_app(toy_file, page="redraw", lang="en"))
    assert "Merged: G" in words
    assert "even beats" in words


def test_a_plan_is_published_from_the_page(toy_file: Path, open_app: Open) -> None:
    planned(toy_file)
    app = open_app(toy_file, page="redraw", lang="en", author="Li", rd_reason="even beats", rd_part="publish")
    app.date_input(key="rd_on").set_value(dt.date(2026, 3, 1))
    app.button(key="rd_publish").click().run()
    assert not app.exception
    assert "holds from 1 March 2026" in said(app).replace("\\", "")
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert ws.plan("spring").state == "published"
        assert list(ws.read("grids", as_of=dt.date(2026, 3, 1), where={"area_code": "420000100201"}).index) == ["G1"]
        assert len(ws.read("grids", as_of=dt.date(2026, 2, 28), where={"area_code": "420000100201"})) == 2


def test_nothing_is_published_without_a_name_and_a_reason(toy_file: Path, open_app: Open) -> None:
    planned(toy_file)
    app = open_app(toy_file, page="redraw", lang="en", rd_part="publish")
    assert app.button(key="rd_publish").disabled


def test_a_plan_whose_ground_was_changed_meanwhile_is_refused_and_can_be_based_anew(toy_file: Path, open_app: Open) -> None:
    planned(toy_file)
    with gridgis.open_workspace(str(toy_file)) as ws, ws.write(who="Wang", why="another officer") as write:
        frame = ws.read("grids", where={"code": "G1"})
        write.correct("grids", frame.assign(officer="Sun"))
    app = open_app(toy_file, page="redraw", lang="en", author="Li", rd_reason="even beats", rd_part="publish")
    app.button(key="rd_publish").click().run()
    assert "G1" in said(app)
    assert app.button(key="rd_rebase")
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert ws.plan("spring").state == "draft"


def test_a_second_person_approves_where_that_is_required(toy_file: Path, open_app: Open) -> None:
    planned(toy_file)
    with gridgis.open_workspace(str(toy_file)) as ws, ws.write(who="admin", why="rule") as write:
        write.set_setting(plans.APPROVAL, "required")
    app = open_app(toy_file, page="redraw", lang="en", author="Wang", rd_reason="looks right", rd_part="publish")
    app.button(key="rd_approve").click().run()
    assert "Approved by Wang" in said(app).replace("\\", "")


@pytest.mark.parametrize("lang", LANGS)
def test_every_kind_of_step_has_words(lang: str) -> None:
    for kind in KINDS:
        do = "merge" if kind == "edit" else None
        assert what({"kind": kind, "do": do, "grids": [], "target": 2}, lang)


def test_a_reason_with_markup_stays_text() -> None:
    row = {"seq": 1, "kind": "edit", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "who": "<i>", "why": "<script>", "do": "split",
           "grids": ["<b>"], "holds": True, "target": None}  # fmt: skip
    table = history(pd.DataFrame([row]), "en")
    assert "<script>" not in table
    assert "<b>" not in table


def published(file: Path, *, on: dt.date) -> None:
    planned(file)
    with gridgis.open_workspace(str(file)) as ws:
        plans.publish(ws, "spring", on=on, who="Li", why="even beats")


def test_a_published_plan_is_taken_back_by_a_draft_of_its_own(toy_file: Path, open_app: Open) -> None:
    published(toy_file, on=dt.date(2026, 3, 1))
    app = open_app(toy_file, page="redraw", lang="en", author="Li", rd_reason="it did not work")  # no draft is left
    assert "published" in said(app)
    app.button(key="rd_revert").click().run()
    assert not app.exception
    assert "takes plan “spring” back" in said(app).replace("\\", "")
    with gridgis.open_workspace(str(toy_file)) as ws:
        state = plan_state.load(ws, "spring taken back")
        assert ws.plan("spring taken back").state == "draft"
        shapes = list(state.areas[toy.WEST].now.shapes)
        assert [shape.area for shape in shapes] == [45000.0, 30000.0]
        assert state.areas[toy.WEST].now.codes[0] == "G1"
        assert "G2" not in state.areas[toy.WEST].now.codes  # its code is never given again
    assert app.session_state["rd_plan"] == "spring taken back"


def test_nothing_is_taken_back_that_was_changed_since_and_the_page_says_so(toy_file: Path, open_app: Open) -> None:
    published(toy_file, on=dt.date(2026, 3, 1))
    with gridgis.open_workspace(str(toy_file)) as ws, ws.write(who="Wang", why="smaller") as write:
        frame = ws.read("grids", where={"code": "G1"})
        write.correct("grids", frame.set_geometry(frame.buffer(-1)))
    app = open_app(toy_file, page="redraw", lang="en", author="Li", rd_reason="it did not work")
    app.button(key="rd_revert").click().run()
    assert "G1" in app.error[0].value
    with gridgis.open_workspace(str(toy_file)) as ws:
        assert [plan.name for plan in ws.plans()] == ["spring"]


@pytest.fixture
def dirty_file(toy_file: Path) -> Path:
    """The toy town with 10 m of G1 claimed by G2 too, and a crack of half a metre between G2 and the east village."""
    with gridgis.open_workspace(str(toy_file)) as ws, ws.write(who="test", why="dirt") as write:
        frame = ws.read("grids", where={"code": "G2"})
        write.correct("grids", frame.set_geometry([shapely.box(500140, 3366000, 500249.5, 3366300)], crs=frame.crs))
        plans_made = write.add_plan("spring")
    assert plans_made.state == "draft"
    return toy_file


@pytest.mark.parametrize("lang", LANGS)
def test_dirty_boundaries_are_listed_and_repaired_once_confirmed(dirty_file: Path, open_app: Open, lang: str) -> None:
    app = open_app(dirty_file, page="redraw", lang=lang, author="Li", rd_reason="even beats")
    words = said(app).replace("\\", "")
    assert ("1 overlap, 1 crack" if lang == "en" else "重叠 1 处，缝隙 1 处") in words
    assert "gridgis" not in app.warning[0].value
    assert "3,000.00" in words  # m² claimed twice
    assert "150.00" in words  # of the crack
    app.selectbox(key="rd_keep").set_value("first").run()
    with gridgis.open_workspace(str(dirty_file)) as ws:
        assert ws.plan_rev("spring") == 0
    app.button(key="rd_repair").click().run()
    assert not app.exception
    with gridgis.open_workspace(str(dirty_file)) as ws:
        now = plan_state.load(ws, "spring").areas[toy.WEST].now
        assert [shape.area for shape in now.shapes] == [45000.0, 30000.0]
        assert ws.read("grids", where={"code": "G2"}).geometry.iloc[0].bounds[0] == 500140  # live grids stay
    assert ("were repaired" if lang == "en" else "已修复") in said(app)


def test_a_reader_sees_what_does_not_fit_but_repairs_nothing(dirty_file: Path, open_app: Open) -> None:
    app = open_app(dirty_file, page="redraw", lang="en")
    assert "1 overlap" in said(app)
    assert app.button(key="rd_repair").disabled


def test_a_day_and_the_live_grids_are_compared(toy_file: Path, open_app: Open) -> None:
    published(toy_file, on=dt.date(2026, 3, 1))
    with gridgis.open_workspace(str(toy_file)) as ws:
        plans.create(ws, "next", who="Li")
    app = open_app(toy_file, page="redraw", lang="en", rd_part="compare")
    assert "no grid differs" in said(app)
    app.selectbox(key="rd_compare_to_next").set_value("spring").run()
    app.selectbox(key="rd_compare_from_next").set_value("\n").run()
    app.date_input(key="rd_compare_day_from").set_value(dt.date(2026, 2, 28)).run()
    assert not app.exception
    words = said(app)
    assert "retired" in words
    assert "Wang" in words  # who had the grid that ended
    assert "6" in words  # residents of G2, who moved


@pytest.mark.parametrize("lang", LANGS)
def test_no_refusal_on_the_page_speaks_of_commands(lang: Lang) -> None:
    """Messages of the tasks that name a command or a module have words of their own here."""
    groups = ("redraw", "redrawing", "redraw_opening", "plans")
    for key in (key for key in catalogue(lang) if key.split(".")[0] in groups and key not in OF_FILES):
        values = {name: 1 for _, name, _, _ in string.Formatter().parse(catalogue(lang)[key]) if name}
        words = redraw_words.sentence(DataError(key, **values), lang)
        assert not re.search(r"gridgis|--\w", words), key


# only files and options lead to these
OF_FILES = {"redrawing.no_area"}
