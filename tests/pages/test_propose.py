"""Proposals on the planners' page without a browser: ask, draw, compare, take one into the draft, undo; refusals."""

from __future__ import annotations

import datetime as dt
import io
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

import gridgis
from gridgis import grids, toy
from gridgis.errors import DataError
from gridgis.pages import jobs, propose_chart, propose_drawing, propose_files, propose_state, propose_views, propose_words
from gridgis.pages.propose_drawing import Asked, Drawn, Score, Target
from gridgis.redraw.operations import Merge
from gridgis.tasks import plan_state, plans, redrawing
from gridgis.text import LANGS
from tests.pages.conftest import Open, said

WEST, EAST = "420000100201", "420000100202"
SIGNED = {"author": "Li", "rd_reason": "even beats", "rd_part": "propose", "rd_area": WEST}


@pytest.fixture
def town(toy_file: Path) -> Path:
    """The toy town with unit cells of 50 m and a draft. West has four households in one cell and two in another."""
    villages = toy.areas()[toy.areas()["level"] == "village"]
    cells = grids.unit_grid(villages, cell_m=50).cells
    with gridgis.open_workspace(str(toy_file)) as ws:
        with ws.write(who="test", why="cells") as write:
            write.replace("unit_cells", cells.assign(initial_time=pd.Timestamp("2012-12-31", tz="UTC"), state="valid"))
        plans.create(ws, "spring", who="Li")
    return toy_file


@pytest.fixture(scope="module")
def quick() -> Asked:
    """Two grids of households."""
    return Asked("balance", k=2)


def draw(app: Any, *, press: str = "propose_draw") -> Any:
    """Press a button that draws, wait for the work, show what came of it."""
    app.button(key=press).click().run()
    job = app.session_state["job_propose"]
    assert job.finished.wait(60)
    return app.run()


def drawn(file: Path, asked: Asked, *, plan: str = "spring", area: str = WEST) -> Drawn:
    return propose_drawing.draw(asked, Target(str(file), file.stat().st_ino, plan, area), lambda stage, done, total: None)


def stored(file: Path, plan: str = "spring") -> plan_state.PlanState:
    with gridgis.open_workspace(str(file)) as ws:
        return plan_state.load(ws, plan)


def test_a_proposal_is_drawn_taken_into_the_draft_and_undone_as_one_step(town: Path, open_app: Open) -> None:
    app = open_app(town, page="redraw", lang="en", **SIGNED)
    assert app.selectbox(key="pp_size").value == "number"  # three households a grid today are no three hundred
    app = draw(app)
    assert not app.exception
    words = said(app)
    assert "Put together from 30 unit grids; load: Households" in words
    assert "How the rules are kept" in words
    assert stored(town).rev == 0
    app.button(key="propose_accept").click().run()
    assert not app.exception
    assert "The proposal is in the draft" in said(app).replace("\\", "")
    after = stored(town).areas[WEST].now
    whole = shapely.union_all(after.shapes)
    assert len(after.codes) == 2
    assert whole.equals(toy.areas().geometry[WEST])
    assert sum(shape.area for shape in after.shapes) == pytest.approx(250 * 300)
    houses = toy.buildings()
    loads = [int(houses["households"][houses.within(shape)].sum()) for shape in after.shapes]
    assert sorted(loads) == [2, 4]  # by hand: no cell can be parted, and this is as even as it gets
    assert not [button for button in app.button if button.key == "propose_accept"]
    with gridgis.open_workspace(str(town)) as ws:
        redrawing.undo(ws, plan="spring", who="Li")
    back = stored(town).areas[WEST]
    assert all(one.equals(other) for one, other in zip(back.now.shapes, back.base.shapes, strict=True))


def test_bounds_without_a_plan_are_refused_in_words_and_the_nearest_ones_are_a_click_away(town: Path, open_app: Open) -> None:
    app = open_app(town, page="redraw", lang="en", **SIGNED, pp_size="range", pp_low=3.0, pp_high=3.0)
    app = draw(app)
    words = said(app).replace("\\", "")
    assert "have a plan" in words
    assert any("420000100201" in str(error.value) for error in app.error)
    app = draw(app, press="propose_near")
    assert not app.error
    low, high = app.number_input(key="pp_low").value, app.number_input(key="pp_high").value
    assert low <= 2  # by hand: four households stand in one cell, which leaves two
    assert high >= 4
    assert "What is proposed" in said(app)


def test_a_draft_changed_meanwhile_makes_a_proposal_one_to_look_at(
    town: Path, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = draw(open_app(town, page="redraw", lang="en", **SIGNED))
    real = propose_drawing.accept

    def beaten(ws: Any, *args: Any, **options: Any) -> Any:
        redrawing.edit(ws, Merge(("G1", "G2")), plan="spring", who="Wang", why="too small")
        return real(ws, *args, **options)

    monkeypatch.setattr(propose_drawing, "accept", beaten)
    app.button(key="propose_accept").click().run()
    assert stored(town).areas[WEST].now.codes == ("G1",)
    assert "The draft was changed after this was drawn" in said(app).replace("\\", "")
    assert not [button for button in app.button if button.key == "propose_accept"]
    app = draw(app, press="propose_again")
    assert app.button(key="propose_accept")


def test_a_proposal_shows_for_its_own_area_and_plan_alone(town: Path, open_app: Open) -> None:
    with gridgis.open_workspace(str(town)) as ws:
        plans.create(ws, "autumn", who="Li")
    app = draw(open_app(town, page="redraw", lang="en", rd_plan="spring", **SIGNED))
    assert "What is proposed" in said(app)
    app.selectbox(key="rd_plan").set_value("autumn").run()
    assert "What is proposed" not in said(app)
    app.selectbox(key="rd_plan").set_value("spring").run()
    assert "What is proposed" in said(app)
    app.selectbox(key="rd_area").set_value(EAST).run()
    assert "What is proposed" not in said(app)
    assert app.number_input(key="pp_k").value == 1  # East has one grid, and what was asked for in West stays there
    fresh = open_app(town, page="redraw", lang="en", rd_plan="spring", **SIGNED)
    assert "What is proposed" not in said(fresh)


def test_work_that_is_stopped_leaves_nothing_behind(town: Path, open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(asked: Asked, target: Target, progress: Any) -> Drawn:
        while True:
            progress("balance.stage_search", 1, 2)
            time.sleep(0.01)

    monkeypatch.setattr(propose_drawing, "draw", endless)
    app = open_app(town, page="redraw", lang="en", **SIGNED)
    app.button(key="propose_draw").click().run()
    assert app.button(key="propose_draw").disabled
    app.button(key="cancel_propose").click().run()
    assert app.session_state["job_propose"].finished.wait(10)
    app.run()
    assert "Stopped; nothing was changed" in said(app)
    assert stored(town).rev == 0


def test_what_was_chosen_survives_a_look_at_another_part(town: Path, open_app: Open) -> None:
    app = open_app(town, page="redraw", lang="en", **SIGNED)
    app.number_input(key="pp_seed").set_value(7).run()
    app.number_input(key="pp_k").set_value(3).run()
    for part in ("history", "propose"):
        app.button_group(key="rd_part").set_value(part).run()
    assert app.number_input(key="pp_seed").value == 7
    assert app.number_input(key="pp_k").value == 3


def test_choices_the_workspace_does_not_have_are_dropped(town: Path, open_app: Open) -> None:
    state = {**SIGNED, "pp_units": "areas", "pp_weights": ["street_m", "population"], "pp_barriers": ["water"]}
    app = open_app(town, page="redraw", lang="en", **state)
    assert not app.exception
    assert app.selectbox(key="pp_units").value == "unit_cells"
    assert app.multiselect(key="pp_weights").value == ["population"]


def test_without_roads_no_blocks_are_offered_and_without_a_name_nothing_is_taken(town: Path, open_app: Open) -> None:
    app = open_app(town, page="redraw", lang="en", rd_part="propose", rd_area=WEST, pp_kind="block")
    assert "no roads to draw along" in said(app)
    app.button_group(key="pp_kind").set_value("balance").run()
    app = draw(app)
    assert app.button(key="propose_accept").disabled


def test_blocks_fill_the_area_and_are_refused_while_a_grid_is_locked(town: Path) -> None:
    with gridgis.open_workspace(str(town)) as ws, ws.write(who="test", why="a street") as write:
        street = shapely.LineString([(500125, 3365900), (500125, 3366400)])
        write.replace("roads", gpd.GeoDataFrame({"kind": ["residential"]}, geometry=[street], crs=toy.CRS))
    found = drawn(town, Asked("block", target_m2=2_000))
    cells = found.option(1).grids
    assert shapely.union_all(cells.geometry.to_numpy()).symmetric_difference(toy.areas().geometry[WEST]).area < 1e-6
    assert cells["households"].sum() == 6
    assert found.option(1).gone == ("G1", "G2")
    with gridgis.open_workspace(str(town)) as ws:
        state = propose_drawing.accept(ws, found, which=1, who="Li", why="streets")
        assert len(state.areas[WEST].now.codes) == len(cells)
        redrawing.undo(ws, plan="spring", who="Li")
        redrawing.lock(ws, ["G1"], plan="spring", who="Li")
    with pytest.raises(DataError, match="locked"):
        drawn(town, Asked("block", target_m2=2_000))
    assert found.classes is not None
    assert found.classes["cells"].sum() == len(cells) > 1
    assert propose_views.rules(found, found.option(1), "zh").count("gp-hard") == found.option(1).rules["hard"].sum() == 4


@pytest.mark.parametrize("lang", LANGS)
def test_files_hold_what_the_page_shows(town: Path, quick: Asked, tmp_path: Path, lang: Any) -> None:
    found = drawn(town, quick)
    book = openpyxl.load_workbook(io.BytesIO(propose_files.workbook(found, 1, lang, synthetic=True)))
    assert len(book.worksheets) == 4
    rows = list(book.worksheets[0].values)
    assert len(rows) == 1 + len(found.option(1).grids)
    households = rows[0].index("户数" if lang == "zh" else "Households")
    assert sum(row[households] for row in rows[1:]) == 6
    for ending in (".gpkg", ".geojson"):
        file = tmp_path / f"grids{ending}"
        file.write_bytes(propose_files.shapes(found, 1, ending, synthetic=True))
        back = gpd.read_file(file).to_crs(toy.CRS)
        assert back.area.sum() == pytest.approx(250 * 300, rel=1e-5)
        assert set(back["code"]) == set(found.option(1).grids.index)


def test_todays_grids_are_measured_like_the_proposals(town: Path, quick: Asked) -> None:
    today = drawn(town, quick).today
    assert today is not None
    # G1 holds four households, G2 two: a mean of 3 and a standard deviation of 1
    assert (today.least, today.most) == (2.0, 4.0)
    assert today.deviation == pytest.approx(1 / 3)
    sides = [(150.0, 300.0), (100.0, 300.0)]
    assert today.compactness == pytest.approx(np.mean([4 * np.pi * a * b / (2 * a + 2 * b) ** 2 for a, b in sides]))


def test_every_proposal_is_on_the_chart_and_in_the_list_and_says_the_same() -> None:
    scores = [Score("even", 0.02, 0.45, 0.5, 9, 48.0, 52.0), Score("stay", 0.6, 0.4, 0.9, 9, 5.0, 90.0)]
    chart = propose_chart.pareto(scores, "en", chosen=2, beaten=scores[:1], today=scores[1])
    rows = propose_views.listed(scores, scores[1], 2, "en")
    for number in (1, 2):
        assert chart.count(f'data-plan="{number}"') == rows.count(f'data-plan="{number}"') == 1
    assert chart.count('aria-pressed="true"') == rows.count("aria-selected") == 1
    assert "Today" in chart
    assert "Today" in rows


def test_dots_in_one_place_part_and_stay_on_the_chart() -> None:
    rng = np.random.default_rng(1)
    places = np.vstack([np.full((5, 2), 50.0), rng.uniform(0, 100, (7, 2))])
    moved = propose_chart.apart(places, 20.0, box=(0.0, 0.0, 100.0, 100.0))
    off = np.hypot(*(moved[:, None] - moved[None, :]).transpose(2, 0, 1))[np.triu_indices(len(moved), 1)]
    assert off.min() > 15
    assert moved.min() >= 0
    assert moved.max() <= 100


@pytest.mark.parametrize("lang", LANGS)
def test_no_refusal_of_this_part_names_a_command(lang: Any) -> None:
    for key in propose_words._HERE:
        values = {"area": WEST, "rules": "seamless", "weight": "households"}
        assert "gridgis " not in propose_words.sentence(DataError(key, **values), lang)
        assert "--" not in propose_words.sentence(DataError(key, **values), lang)


def test_only_the_last_few_proposals_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    for number in range(propose_state._KEPT + 2):
        job = jobs.Job(result=number)
        job.finished.set()
        state["job_propose"] = job
        state[propose_state._UNDER_WAY] = (Asked("balance"), Target("a", 1, "p", str(number)))
        propose_state.collect()
    assert len(state[propose_state._OUTCOMES]) == propose_state._KEPT
    assert propose_state.outcome(Target("a", 1, "p", "0"), "balance") is None
    assert propose_state.outcome(Target("a", 1, "p", str(number)), "balance") is not None


def test_a_village_without_grids_gets_its_first_ones(town: Path, open_app: Open) -> None:
    with gridgis.open_workspace(str(town)) as ws, ws.write(who="test", why="nobody in the east") as write:
        write.retire("grids", ["G3"], valid_to=dt.date(2012, 6, 1))
    app = open_app(town, page="redraw", lang="en", **{**SIGNED, "rd_area": EAST})
    assert not app.exception
    assert app.selectbox(key="rd_area").value == EAST
    app.selectbox(key="pp_size").set_value("number").run()
    app.number_input(key="pp_k").set_value(2).run()
    app = draw(app)
    app.button(key="propose_accept").click().run()
    assert not app.exception
    made = stored(town).areas[EAST].now
    assert len(made.codes) == 2
    assert not len(made.free)
    assert shapely.union_all(made.shapes).equals(toy.areas().geometry[EAST])
