"""Rates: by hand, beside esda's empirical Bayes, and what must hold of any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from esda.smoothing import Empirical_Bayes, Spatial_Empirical_Bayes
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.weights import W
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.hotspots.band import Band, window_sum
from gridgis.hotspots.rating import rates


def test_two_places_by_hand() -> None:
    # 9 of 100 and 1 of 100: m = 0.05, variance of the rates 0.0016, of which chance explains 0.05 / 100 = 0.0005:
    # A = 0.0011, C = 0.0011 / (0.0011 + 0.05 / 100) = 0.6875, so 0.05 ± 0.6875 · 0.04
    found = rates([9, 1], [100, 100])
    assert found.raw.tolist() == pytest.approx([90, 10])
    assert found.mean == pytest.approx(50)
    assert found.smoothed.tolist() == pytest.approx([50 + 27.5, 50 - 27.5])


def test_places_that_differ_by_no_more_than_chance_all_get_the_mean() -> None:
    assert rates([5, 6], [100, 100]).smoothed.tolist() == pytest.approx([55, 55])


def test_nobody_there_is_no_rate_and_fewer_than_five_are_not_shown_but_count_in_the_mean() -> None:
    found = rates([2, 1, 0, 3], [0, 4, 5, np.nan], smooth=False)
    assert np.isnan(found.raw).tolist() == [True, True, False, True]
    assert found.shown.tolist() == [False, False, True, False]
    assert (found.empty.tolist(), found.suppressed.tolist()) == ([True, False, False, True], [False, True, False, False])
    assert found.uncounted == 5
    assert found.mean == pytest.approx(1000 / 9)
    assert found.reason.tolist() == ["hotspot_auto.rate_empty", "hotspot_auto.rate_suppressed", None, "hotspot_auto.rate_empty"]


def test_no_base_at_all_gives_no_rate_and_no_mean() -> None:
    found = rates([1, 2], [0, 0])
    assert np.isnan([*found.raw, *found.smoothed, found.mean]).all()


@pytest.mark.parametrize("seed", range(5))
def test_smoothing_towards_all_places_is_esdas_empirical_bayes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(20, 2000, 200).astype(float)
    counts = rng.poisson(base * rng.gamma(2, 0.02, 200)).astype(float)
    np.testing.assert_allclose(rates(counts, base, per=1).smoothed, Empirical_Bayes(counts, base).r.ravel(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_smoothing_towards_the_neighbours_is_esdas_spatial_empirical_bayes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, band = (6, 7), Band(100, 150.0)
    base = rng.integers(20, 500, shape).astype(float)
    counts = rng.poisson(base * rng.gamma(2, 0.05, shape)).astype(float)
    everywhere = np.ones(shape, dtype=bool)
    found = rates(counts, base, per=1, around=lambda values: window_sum(values, everywhere, band))
    judge = Spatial_Empirical_Bayes(counts.ravel(), base.ravel(), queen(shape)).r.reshape(shape)
    np.testing.assert_allclose(found.smoothed, judge, rtol=1e-9)


def queen(shape: tuple[int, int]) -> W:
    cells = [(row, column) for row in range(shape[0]) for column in range(shape[1])]
    near = {
        at: [
            other
            for other, there in enumerate(cells)
            if other != at and max(abs(a - b) for a, b in zip(here, there, strict=True)) == 1
        ]
        for at, here in enumerate(cells)
    }
    return W(near, id_order=list(range(len(cells))), silence_warnings=True)


counted = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5000)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=100)
@given(counted)
def test_a_smoothed_rate_lies_between_the_raw_one_and_the_mean(pairs: list[tuple[int, int]]) -> None:
    counts, base = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    found = rates(counts, base)
    low, high = np.minimum(found.raw, found.mean), np.maximum(found.raw, found.mean)
    shown = found.shown
    grace = 1e-9 * np.maximum(high[shown], 1)
    assert ((found.smoothed[shown] >= low[shown] - grace) & (found.smoothed[shown] <= high[shown] + grace)).all()
    assert np.isnan(found.smoothed[~shown]).all()


@pytest.mark.parametrize("wrong", [([-1], [5]), ([1], [-5])])
def test_negative_numbers_are_refused(wrong: tuple[list[int], list[int]]) -> None:
    with pytest.raises(DataError, match="0 or more"):
        rates(*wrong)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="different shapes"):
        rates(np.zeros(3), np.ones(2))


def test_the_input_stays_as_it_is() -> None:
    counts: NDArray[np.float64] = np.array([1.0, 2.0])
    base = np.array([0.0, np.nan])
    rates(counts, base)
    assert counts.tolist() == [1, 2]
    assert np.isnan(base[1])
