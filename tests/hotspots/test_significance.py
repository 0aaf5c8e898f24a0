"""p, q and classes beside scipy, and as the table has them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from gridgis.errors import DataError
from gridgis.hotspots import CLASSES, classify, false_discovery, two_sided_p
from gridgis.hotspots.permutation import conditional_p, shuffled_p
from gridgis.text import LANGS, t

probabilities = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]))


def test_p_is_both_tails_of_the_normal() -> None:
    z = np.linspace(-12, 12, 97)
    np.testing.assert_allclose(two_sided_p(z), 2 * stats.norm.sf(abs(z)), rtol=1e-12)
    assert two_sided_p(np.array([np.inf]))[0] == 0
    assert np.isnan(two_sided_p(np.array([np.nan]))[0])


@given(probabilities)
def test_q_is_scipys_benjamini_hochberg(p: np.ndarray) -> None:
    np.testing.assert_allclose(false_discovery(p), stats.false_discovery_control(p), rtol=1e-12)


@given(probabilities, st.integers(0, 1000))
def test_q_keeps_shape_order_and_what_is_missing(p: np.ndarray, seed: int) -> None:
    q = false_discovery(p)
    assert (q >= p - 1e-15).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()
    holed = np.insert(p, np.random.default_rng(seed).integers(0, len(p) + 1), np.nan)
    found = false_discovery(holed.reshape(1, -1))
    assert found.shape == (1, len(holed))
    np.testing.assert_array_equal(found[0][~np.isnan(holed)], q)
    assert np.isnan(found[0][np.isnan(holed)]).all()


def test_the_published_example_of_benjamini_and_hochberg() -> None:
    """Benjamini, Hochberg 1995, section 4.1: of 15 p-values at q = 0.05 the first four are called."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert np.count_nonzero(false_discovery(np.array(p)) <= 0.05) == 4


def test_no_tests_have_no_q() -> None:
    assert false_discovery(np.empty(0)).tolist() == []
    assert np.isnan(false_discovery(np.array([np.nan, np.nan]))).all()


@pytest.mark.parametrize("step", CLASSES, ids=lambda step: str(step.value))
def test_each_row_of_the_table_is_what_classify_gives(step) -> None:  # type: ignore[no-untyped-def]
    sign = {"hot": 1.0, "cold": -1.0, "none": 1.0}[step.kind]
    just = np.nextafter(step.below, 0) if step.kind != "none" else 0.5
    assert classify(np.array([sign]), np.array([just]))[0] == step.value
    if step.kind != "none":
        assert classify(np.array([sign]), np.array([step.below]))[0] == step.value - int(sign)  # the limit itself is not below
    assert all(t(step.label, lang) for lang in LANGS)


def test_the_table_runs_from_cold_to_hot_in_seven_steps() -> None:
    assert [step.value for step in CLASSES] == [-3, -2, -1, 0, 1, 2, 3]
    for cold, hot in zip(CLASSES[:3], CLASSES[:3:-1], strict=True):
        assert (cold.below, cold.confidence) == (hot.below, hot.confidence)
        assert round(1 - hot.below, 9) == hot.confidence / 100


def test_a_z_of_zero_or_none_is_in_no_class() -> None:
    assert classify(np.array([0.0, np.nan, 2.0, -2.0]), np.array([0.001, 0.001, np.nan, np.nan])).tolist() == [0, 0, 0, 0]


# --- permutation -----------------------------------------------------------------------------------------------------


def test_draws_without_itself_are_all_equally_likely() -> None:
    """Four units, two drawn: each unit's sum must take each of its three pairs of others equally often."""
    values = np.array([1.0, 10.0, 100.0, 1000.0])
    permutations = 30_000
    for unit in range(4):
        others = np.delete(values, unit)
        pairs = [a + b for a, b in itertools.combinations(others, 2)]
        expected = 2 * others.mean()
        for pair in pairs:
            sums = np.full(4, expected)
            sums[unit] = pair
            p = conditional_p(values, sums, np.full(4, 2), permutations=permutations, rng=np.random.default_rng(unit))
            share = np.mean([abs(other - expected) >= abs(pair - expected) - 1e-9 for other in pairs])
            assert p[unit] == pytest.approx(share, abs=0.013)


def test_units_with_all_others_as_neighbours_or_none_are_never_unusual() -> None:
    values = np.random.default_rng(1).random(8)
    sizes = np.array([7, 0] * 4)
    sums = np.where(sizes == 7, values.sum() - values, 0.0)
    assert (conditional_p(values, sums, sizes, permutations=49) == 1).all()


def test_large_values_keep_their_ties() -> None:
    """Whole numbers around 10⁹: the sums are exact, so a draw of the same values is a tie and counts."""
    small = np.random.default_rng(2).integers(0, 3, 40).astype(float)
    sizes = np.full(40, 3)
    sums = np.array([small[(np.arange(1, 4) + i) % 40].sum() for i in range(40)])
    near = conditional_p(small, sums, sizes, permutations=499)
    far = conditional_p(small + 1e9, sums + 3e9, sizes, permutations=499)
    np.testing.assert_array_equal(near, far)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="999"):
        conditional_p(np.ones(3), np.ones(3), np.ones(3, np.int64), permutations=0)
    with pytest.raises(DataError):
        shuffled_p(1.0, 0.0, lambda order: 0.0, size=3, permutations=-1)


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random(30)
    sums, sizes = values[::-1].copy(), np.full(30, 4)
    told: list[tuple[str, int, int]] = []
    at_once = conditional_p(values, sums, sizes, permutations=300, rng=np.random.default_rng(1))
    monkeypatch.setattr("gridgis.hotspots.permutation._COMPARED", 30 * 7)
    in_parts = conditional_p(
        values, sums, sizes, permutations=300, rng=np.random.default_rng(1), progress=lambda *step: told.append(step)
    )
    np.testing.assert_array_equal(at_once, in_parts)
    assert len(told) == -(-300 // 7)
    assert told[-1] == ("hotspots.stage_permute", 300, 300)
