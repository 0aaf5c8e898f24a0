"""The planners' page without a browser: what it says before there is a plan, its words, the road to the live grids."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

import gridgis
from gridgis.pages.redraw_panel import history, what
from gridgis.redraw.operations import Merge
from gridgis.store.plans import KINDS
from gridgis.tasks import plans, redrawing
from gridgis.text import LANGS
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
    assert "no grids yet" in said(open_app(empty_file, page="redraw", lang="en"))


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
