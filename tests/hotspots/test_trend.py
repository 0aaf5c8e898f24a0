"""Mann-Kendall and Sen's slope: pymannkendall is the judge, with ties, gaps and series that do not vary."""

from __future__ import annotations

import numpy as np
import pymannkendall
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import DataError
from gridgis.hotspots.trend import mann_kendall, sen_slope


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.sampled_from([1, 2, 5, 1000]), st.integers(0, 2**32 - 1))
def test_equals_pymannkendall_with_few_and_many_ties(periods: int, levels: int, seed: int) -> None:
    series = np.random.default_rng(seed).integers(0, levels, (periods, 5)).astype(float)
    found, slopes = mann_kendall(series), sen_slope(series)
    for cell in range(5):
        judge = pymannkendall.original_test(series[:, cell])
        assert found.s[cell] == judge.s
        assert found.z[cell] == pytest.approx(judge.z, abs=1e-9)
        assert found.p[cell] == pytest.approx(judge.p, abs=1e-9)
        assert found.tau[cell] == pytest.approx(judge.Tau, abs=1e-9)
        assert slopes[cell] == pytest.approx(judge.slope, abs=1e-9)


def test_equals_pymannkendall_with_gaps() -> None:
    rng = np.random.default_rng(4)
    series = rng.integers(0, 6, (24, 200)).astype(float)
    series[rng.random(series.shape) < 0.2] = np.nan
    found = mann_kendall(series)
    for cell in range(series.shape[1]):
        judge = pymannkendall.original_test(series[:, cell])
        assert (found.s[cell], found.p[cell]) == (judge.s, pytest.approx(judge.p, abs=1e-9))
        assert found.tau[cell] == pytest.approx(judge.Tau, abs=1e-9)


def test_worked_by_hand() -> None:
    # pairs of 2 1 3: falls once, rises twice, so S = 1; without ties the variance is 3·2·11/18 = 11/3; (S − 1) = 0
    found = mann_kendall([2.0, 1.0, 3.0])
    assert (int(found.s), float(found.tau), float(found.z), float(found.p)) == (1, pytest.approx(1 / 3), 0.0, 1.0)
    # 1 1 2 3: S = 5, ties 2·1·9 = 18, variance (4·3·13 − 18)/18 = 23/3
    assert float(mann_kendall([1.0, 1.0, 2.0, 3.0]).z) == pytest.approx(4 / np.sqrt(23 / 3))


def test_a_series_of_one_value_or_none_has_no_trend() -> None:
    found = mann_kendall([[1.0, np.nan, 5.0], [1.0, np.nan, np.nan], [1.0, np.nan, np.nan]])
    assert found.z.tolist() == [0, 0, 0]
    assert found.p.tolist() == [1, 1, 1]
    assert np.isnan(found.tau).tolist() == [False, True, True]
    assert np.isnan(sen_slope([[1.0, np.nan], [2.0, 3.0]])).tolist() == [False, True]


def test_keeps_the_shape_of_a_period_and_reverses_with_time() -> None:
    series = np.random.default_rng(1).random((12, 3, 7))
    found, back = mann_kendall(series), mann_kendall(series[::-1])
    assert found.z.shape == (3, 7)
    assert np.array_equal(found.z, -back.z)
    assert np.array_equal(found.direction(0.2), -back.direction(0.2))


def test_works_in_blocks_as_in_one_piece() -> None:
    series = np.random.default_rng(2).integers(0, 9, (6, 9000)).astype(float)
    whole = mann_kendall(series)
    picked = [0, 4095, 4096, 8191, 8192, 8999]
    assert np.array_equal(whole.z[picked], mann_kendall(series[:, picked]).z)
    assert np.array_equal(sen_slope(series)[picked], sen_slope(series[:, picked]))


def test_infinite_values_and_no_periods_are_refused() -> None:
    with pytest.raises(DataError, match="infinite"):
        mann_kendall([1.0, np.inf])
    with pytest.raises(DataError, match="no period"):
        sen_slope(np.empty((0, 4)))


def test_values_moved_apart_by_rounding_are_ties_within_the_tolerance() -> None:
    whole = np.random.default_rng(3).integers(0, 4, (15, 50)).astype(float)
    noisy = whole + np.random.default_rng(4).uniform(-1e-12, 1e-12, whole.shape)
    assert not np.array_equal(mann_kendall(noisy).z, mann_kendall(whole).z)
    assert np.array_equal(mann_kendall(noisy, tolerance=1e-9).z, mann_kendall(whole).z)
