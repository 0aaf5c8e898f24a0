"""Scores of a map against later incidents: by hand, over every order of ties, and what must hold of any map."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import DataError
from gridgis.hotspots.scoring import score

numbers = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=12)


def test_ten_cells_by_hand() -> None:
    # the two cells of highest risk hold 12 of 40; the best two hold 10 + 9
    risk = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    later = [10, 2, 9, 5, 4, 4, 3, 2, 1, 0]
    found = score(risk, later, shares=[0.2, 1.0])
    fifth, whole = found.rows
    assert (fifth.cells, fifth.hits) == (2, 12)
    assert fifth.hit_rate == pytest.approx(0.3)
    assert fifth.pai == pytest.approx(0.3 / 0.2)
    assert fifth.pei == pytest.approx(12 / 19)
    assert (whole.hit_rate, whole.pai, whole.pei) == (1, 1, 1)
    assert (found.cells, found.incidents) == (10, 40)


def test_the_cells_called_hot_are_an_area_of_their_own() -> None:
    found = score([5, 4, 3, 2], [1, 7, 1, 1], hot=[True, False, True, False]).hot
    assert found is not None
    assert (found.cells, found.hits, found.pai) == (2, 2, pytest.approx(0.2 / 0.5))
    assert found.pei == pytest.approx(2 / 8)
    assert score([1, 2], [1, 1], hot=[False, False]).hot is None


def test_a_share_that_ends_inside_a_cell_takes_that_part_of_it() -> None:
    row = score([2, 1], [6, 4], shares=[0.75]).rows[0]
    assert (row.cells, row.hits) == (1.5, 8)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=5), st.integers(1, 5))
def test_ties_give_the_mean_over_every_order_of_them(cells: list[tuple[int, int]], taken: int) -> None:
    taken = min(taken, len(cells))
    orders = [
        order for order in itertools.permutations(cells) if [r for r, _ in order] == sorted((r for r, _ in order), reverse=True)
    ]
    mean = np.mean([sum(count for _, count in order[:taken]) for order in orders])
    risk, later = zip(*cells, strict=True)
    assert score(risk, later, shares=[taken / len(cells)]).rows[0].hits == pytest.approx(mean)


@settings(deadline=None, max_examples=80)
@given(numbers, st.floats(0.05, 1.0))
def test_nothing_beats_the_best_map_and_the_curve_rises_from_0_to_1(cells: list[tuple[int, int]], share: float) -> None:
    risk, later = (np.array(column) for column in zip(*cells, strict=True))
    found = score(risk, later, shares=[share])
    row = found.rows[0]
    if later.sum() == 0:
        assert np.isnan([row.hit_rate, row.pai, row.pei]).all()
        return
    assert -1e-12 <= row.pei <= 1 + 1e-12
    assert row.pai == pytest.approx(row.hit_rate / share)
    curve = found.curve
    assert (curve.iloc[0].tolist(), curve.iloc[-1].tolist()) == ([0, 0, 0], pytest.approx([1, 1, 1]))
    assert (np.diff(curve["hit_rate"]) >= -1e-12).all()
    assert (curve["hit_rate"] <= curve["best"] + 1e-12).all()


def test_a_map_that_knew_everything_has_pei_1_and_one_that_knew_nothing_lies_on_the_diagonal() -> None:
    later = np.array([5, 0, 3, 1, 0, 7])
    knew = score(later, later)
    assert all(row.pei == pytest.approx(1) for row in knew.rows)
    assert knew.area_under_curve == pytest.approx(knew.best_area_under_curve)
    nothing = score(np.ones(6), later)
    assert all(row.pai == pytest.approx(1) for row in nothing.rows)
    assert nothing.area_under_curve == pytest.approx(0.5)


def test_cells_without_a_risk_come_last() -> None:
    assert score([np.nan, -5.0], [9, 1], shares=[0.5]).rows[0].hits == 1


@pytest.mark.parametrize(
    ("risk", "later", "shares", "words"),
    [([], [], [0.1], "same cells"), ([1], [1, 2], [0.1], "same cells"), ([1], [-1], [0.1], "0 or more"),
     ([1], [np.nan], [0.1], "0 or more"), ([1], [1], [0.0], "no share"), ([1], [1], [1.5], "no share")],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused(risk: list[float], later: list[float], shares: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        score(risk, later, shares=shares)
