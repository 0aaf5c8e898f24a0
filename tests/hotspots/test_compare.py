"""Comparing two maps: by hand, kappa beside scikit-learn, the similarity map beside every pair of cells."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from gridgis.errors import DataError
from gridgis.hotspots.comparing import CHANGES, STEPS, compare, kappa, similarity_map

steps = st.sampled_from(STEPS)


def test_what_appeared_vanished_and_stayed_by_hand() -> None:
    before = pd.Series([3, 0, 1, 0, -2, -1, 0, -3, 2], index=list("abcdefghi"))
    after = pd.Series([1, 2, 0, 0, -2, 0, -1, 3, -3], index=list("abcdefghi"))
    found = compare(before, after)
    assert dict(found.places["change"]) == {
        "a": "stayed", "b": "appeared", "c": "vanished", "d": "none", "e": "cold_stayed", "f": "cold_vanished",
        "g": "cold_appeared", "h": "cold_to_hot", "i": "hot_to_cold",
    }  # fmt: skip
    assert set(found.counts) == set(CHANGES.values())
    assert all(count == 1 for count in found.counts.values())
    assert found.agreement == pytest.approx(2 / 9)
    # hot in both: a; hot in either: a, b, c, h, i
    assert found.jaccard == pytest.approx(1 / 5)
    assert found.places.loc["h", "similarity"] == 0
    assert found.places.loc["a", "similarity"] == pytest.approx(1 - 2 / 6)


def test_every_pair_of_signs_has_a_change_of_its_own() -> None:
    assert set(CHANGES) == set(itertools.product((-1, 0, 1), repeat=2))
    assert len(set(CHANGES.values())) == 9


def test_places_of_one_map_alone_are_counted_and_left_out() -> None:
    found = compare(pd.Series({"a": 0, "b": 1, "c": 3}), pd.Series({"c": 3, "b": 1, "x": -3, "y": 0}))
    assert found.places.index.tolist() == ["b", "c"]
    assert (found.only_before, found.only_after, found.agreement) == (1, 2, 1.0)


def test_kappa_by_hand() -> None:
    # 35 of 50 agree; chance: (25·30 + 25·20) / 50² = 0.5
    assert kappa([[20, 5], [10, 15]]) == pytest.approx((0.7 - 0.5) / 0.5)


def test_kappa_of_two_maps_without_any_spot_says_nothing() -> None:
    assert np.isnan(compare(pd.Series([0, 0]), pd.Series([0, 0])).kappa())
    assert np.isnan(kappa(np.zeros((7, 7))))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(steps, steps), min_size=2, max_size=80))
def test_kappa_is_scikit_learns_with_any_weights(pairs: list[tuple[int, int]]) -> None:
    before, after = (pd.Series(column) for column in zip(*pairs, strict=True))
    found = compare(before, after)
    if len({*before, *after}) == 1:
        return  # scikit-learn divides by zero there
    for ours, theirs in (("none", None), ("linear", "linear"), ("quadratic", "quadratic")):
        judge = cohen_kappa_score(before, after, labels=list(STEPS), weights=theirs)
        assert found.kappa(weights=ours) == pytest.approx(judge, abs=1e-12)  # type: ignore[arg-type]
    assert int(found.table.to_numpy().sum()) == len(pairs)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(steps, steps), min_size=1, max_size=40))
def test_the_other_way_round_what_appeared_has_vanished(pairs: list[tuple[int, int]]) -> None:
    before, after = (pd.Series(column) for column in zip(*pairs, strict=True))
    there, back = compare(before, after), compare(after, before)
    for one, other in (("appeared", "vanished"), ("cold_appeared", "cold_vanished"), ("cold_to_hot", "hot_to_cold")):
        assert there.counts[one] == back.counts[other]
    assert there.similarity == pytest.approx(back.similarity)
    assert there.agreement == back.agreement


def every_pair(own: NDArray[np.int64], other: NDArray[np.int64], mask: NDArray[np.bool_], halving: float) -> NDArray[np.float64]:
    cells = list(zip(*np.nonzero(mask), strict=True))
    found = np.full(own.shape, np.nan)
    for row, column in cells:
        found[row, column] = max(
            (1 - abs(own[row, column] - other[r, c]) / 6) * 2 ** (-np.hypot(r - row, c - column) / halving) for r, c in cells
        )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_similarity_map_looks_at_every_pair_of_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.integers(-3, 4, (2, 5, 6))
    mask = rng.random((5, 6)) < 0.8
    both = np.minimum(every_pair(before, after, mask, 2.0), every_pair(after, before, mask, 2.0))
    np.testing.assert_allclose(similarity_map(before, after, mask), both, atol=1e-12)


def test_a_spot_that_moved_by_a_cell_is_more_alike_than_one_that_went() -> None:
    here = np.zeros((9, 9), dtype=int)
    here[4, 4] = 3
    moved, mask = np.roll(here, 1, axis=1), np.ones((9, 9), dtype=bool)
    gone = np.zeros_like(here)
    # one cell away counts 2^(-1/2), neither hot nor cold counts one half
    assert similarity_map(here, moved, mask)[4, 4] == pytest.approx(0.5**0.5)
    assert similarity_map(here, gone, mask)[4, 4] == pytest.approx(0.5)
    assert (similarity_map(here, here, mask) == 1).all()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (pd.Series({"a": 4}), pd.Series({"a": 0}), "place a is 4"),
        (pd.Series({"a": 0.5}), pd.Series({"a": 0}), "0.5"),
        (pd.Series({"a": 0}), pd.Series({"b": 0}), "no place in common"),
        (pd.Series([0, 1], index=["a", "a"]), pd.Series({"a": 0}), "twice"),
    ],
)
def test_what_is_no_map_is_refused(before: pd.Series, after: pd.Series, words: str) -> None:
    with pytest.raises(DataError, match=words):
        compare(before, after)
