"""Proposals in Chromium with the network cut: drawn beside the page, compared, taken into the draft, taken back in one step."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely

import gridgis
from tests.browser.conftest import PATIENCE_MS, serve
from tests.browser.test_redraw import AREA, READY, Desk


@pytest.fixture
def desk(sample: Path, tmp_path: Path, watch: Any) -> Iterator[Desk]:
    file = tmp_path / "own.gpkg"
    shutil.copy(sample, file)
    for base in serve(file):
        yield Desk(watch(base, height=1150), str(file))


def test_a_proposal_is_drawn_looked_at_taken_and_undone(desk: Desk) -> None:
    desk.open(lang="en")
    page, ground = desk.page, desk.ground()
    desk.part("Propose")
    page.get_by_label("Number of grids").fill("4")
    page.get_by_label("Number of grids").press("Tab")
    desk.watched.settle()
    page.get_by_role("button", name="Draw proposals").click()
    page.wait_for_selector(".gp-chooser svg", timeout=4 * PATIENCE_MS)
    desk.watched.settle()
    dots = page.locator(".gp-chooser .gp-dot").count()
    assert dots == page.locator(".gp-chooser tbody tr[data-plan]").count() > 1
    # picked on the chart, marked in the list; picked in the list by keyboard, marked on the chart
    page.locator('.gp-chooser .gp-dot[data-plan="2"]').click()
    page.wait_for_selector('.gp-chooser tr.chosen[data-plan="2"]')
    page.locator('.gp-chooser tr[data-plan="1"]').press("Enter")
    page.wait_for_selector('.gp-chooser .gp-dot[data-plan="1"][aria-pressed="true"]')
    desk.watched.settle()
    desk.watched.shot("propose-en-1280")
    page.get_by_role("button", name="Accept proposal 1 into the draft").click()
    after = desk.stored(2)  # step 1 takes the area up
    assert len(after.codes) == 4
    assert len(after.free) == 0
    assert shapely.coverage_is_valid(after.shapes)
    assert shapely.union_all(after.shapes).symmetric_difference(ground.outline).area < 1e-6
    page.get_by_text("Proposal 1 is in the draft as step 2").wait_for()
    page.locator(f'{READY} [data-do="undo"]').click()
    back = desk.stored(3)
    assert back.codes == ground.codes
    assert all(one.equals(other) for one, other in zip(back.shapes, ground.shapes, strict=True))
    page.get_by_text("Proposal 1 was taken into the draft and taken back again").wait_for()
    with gridgis.open_workspace(desk.url) as ws:  # nothing of all this is live
        assert tuple(ws.read("grids", where={"area_code": AREA}).index) == ground.codes
    desk.watched.assert_clean()
