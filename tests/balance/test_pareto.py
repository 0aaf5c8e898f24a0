"""Which plans are shown: none that another one beats, or is the same as, to a thousandth."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from gridgis import toy
from gridgis.balance import Plan, sheet, units_from
from gridgis.balance.pareto import ranked

FRAME = toy.grids().assign(households=[4, 2, 6])
BASE = sheet(units_from(FRAME, weights=["households"]), pd.Series(["a", "a", "b"], index=FRAME.index))


def plan(deviation: float, compactness: float, kept: float, taste: str = "both") -> Plan:
    named = pd.Series(["a", "a", "b"], index=FRAME.index, name="grid")
    return Plan(named, replace(BASE, deviation=deviation, compactness=compactness, kept_share=kept), taste)


def test_plans_beaten_in_all_respects_come_last_and_apart() -> None:
    even, compact, worse = plan(0.01, 0.5, 0.5), plan(0.05, 0.7, 0.5), plan(0.05, 0.6, 0.4)
    made = ranked([worse, even, compact])
    assert set(map(id, made.plans)) == {id(even), id(compact)}
    assert made.beaten == (worse,)
    assert made.frame()["front"].tolist() == [True, True, False]


def test_of_plans_alike_to_a_thousandth_one_is_shown() -> None:
    first, alike, other = plan(0.1680, 0.4910, 0.874), plan(0.1684, 0.4913, 0.8741), plan(0.168, 0.4, 0.88)
    made = ranked([first, alike, other])
    assert made.plans == (first, other) or made.plans == (other, first)
    assert made.beaten == (alike,)


@pytest.mark.parametrize(("taste", "kept"), [("stay", [0.9, 0.8, 0.4]), ("both", [0.4, 0.9, 0.8]), ("even", [0.8, 0.9, 0.4])])
def test_the_taste_asked_for_comes_first_and_for_staying_the_fewer_moved_the_earlier(taste: str, kept: list[float]) -> None:
    plans = [plan(0.02, 0.6, 0.4, "both"), plan(0.01, 0.5, 0.8, "even"), plan(0.04, 0.55, 0.9, "stay")]
    assert [one.sheet.kept_share for one in ranked(plans, taste=taste).plans][: 1 if taste != "stay" else 3] == kept[
        : 1 if taste != "stay" else 3
    ]
