"""Emerging hot spots: Gi* written out bin by bin beside it, calm on noise, and planted spots found with their patterns."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats

from gridgis.errors import Cancelled, DataError
from gridgis.hotspots.cells import CellSet, cells_around
from gridgis.hotspots.chance import permutation_p, skewed_p, sum_skewness
from gridgis.hotspots.emergence import EmergingResult, emerging
from gridgis.hotspots.patterns import BY_KEY, PATTERNS
from gridgis.hotspots.significance import two_sided_p
from gridgis.hotspots.trend import mann_kendall


def square(side: int, *, holes: int = 0) -> CellSet:
    full = cells_around([0, side * 100 - 50], [0, side * 100 - 50], cell_m=100, crs="EPSG:4547")
    mask = full.mask.copy()
    mask.ravel()[:: max(side * side // holes, 1) if holes else side * side + 1] = not holes
    return CellSet(full.lattice, mask)


def by_hand(cells: CellSet, cube: np.ndarray, band_m: float, back: int, *, window: bool) -> np.ndarray:
    """Gi* from its formula, one bin after the other."""
    z = np.full(cube.shape, np.nan)
    places = list(zip(*np.nonzero(cells.mask), strict=True))
    for period in range(len(cube)):
        layers = range(max(period - back, 0), period + 1)
        pool = np.array([cube[k][cell] for k in (layers if window else range(len(cube))) for cell in places], dtype=float)
        n, mean = len(pool), pool.mean()
        s = np.sqrt((pool**2).mean() - mean**2)
        for row, column in places:
            near = [c for c in places if np.hypot(c[0] - row, c[1] - column) * 100 <= band_m]
            own = [cube[k][c] for k in layers for c in near]
            m = len(own)
            below = s * np.sqrt((n * m - m * m) / (n - 1))
            z[period, row, column] = (sum(own) - mean * m) / below if below > 1e-12 else 0
    return z


@pytest.mark.parametrize("back", [0, 1, 2])
@pytest.mark.parametrize("reference", ["cube", "window"])
def test_gi_star_equals_the_formula_bin_by_bin(back: int, reference: str) -> None:
    cells = square(6, holes=5)
    for cube in (np.random.default_rng(1).poisson(2.0, (5, 6, 6)), np.random.default_rng(2).gamma(2.0, 3.0, (5, 6, 6))):
        found = emerging(cells, cube, band_m=150, periods_back=back, reference=reference)  # type: ignore[arg-type]
        expected = by_hand(cells, cube, 150, back, window=reference == "window")
        np.testing.assert_allclose(found.z, expected, atol=1e-9)


def test_one_period_alone_equals_esda() -> None:
    esda = pytest.importorskip("esda")
    from libpysal.weights import lat2W
    from libpysal.weights.util import fill_diagonal

    cube = np.random.default_rng(3).poisson(2.0, (4, 7, 7)).astype(float)
    found = emerging(square(7), cube, band_m=150, periods_back=0, reference="window")
    weights = fill_diagonal(lat2W(7, 7, rook=False), 1.0)
    for period in range(4):
        judge = esda.G_Local(cube[period].ravel(), weights, transform="B", star=None, permutations=0)
        np.testing.assert_allclose(found.z[period].ravel(), judge.Zs, atol=1e-9)


def test_the_trend_is_that_of_each_period_alone() -> None:
    cells = square(6)
    cube = np.random.default_rng(5).poisson(2.0, (12, 6, 6))
    alone = by_hand(cells, cube, 150, 0, window=False)
    found = emerging(cells, cube, band_m=150)
    # ties in a formula of floating numbers hang by a thread: rounded, they are ties again
    np.testing.assert_allclose(found.trend_z, mann_kendall(alone.round(9)).z, atol=1e-9)


@pytest.mark.parametrize("mean", [0.002, 0.02, 0.2, 2.0])
@pytest.mark.parametrize("permutations", [0, 199])
def test_on_noise_at_most_one_cell_in_a_hundred_has_a_pattern(mean: float, permutations: int) -> None:
    labelled, cells = 0, square(40)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        found = emerging(cells, rng.poisson(mean, (24, 40, 40)), band_m=150, permutations=permutations, rng=rng)
        labelled += int(np.count_nonzero(found.pattern))
    assert labelled <= 0.01 * 6 * cells.size


@pytest.mark.parametrize("reference", ["cube", "window"])
def test_on_noise_with_heavy_tails_no_more(reference: str) -> None:
    labelled, cells = 0, square(30)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for cube in (
            rng.negative_binomial(0.05, 0.5, (24, 30, 30)),
            rng.lognormal(0, 2, (24, 30, 30)),
            rng.pareto(1.1, (24, 30, 30)),
        ):
            labelled += int(np.count_nonzero(emerging(cells, cube, band_m=250, reference=reference).pattern))  # type: ignore[arg-type]
    assert labelled <= 0.01 * 9 * cells.size


def test_no_cells_give_an_empty_answer() -> None:
    cells = square(4)
    nothing = CellSet(cells.lattice, np.zeros_like(cells.mask))
    found = emerging(nothing, np.ones((5, 4, 4)), band_m=150, permutations=9, rng=np.random.default_rng(0))
    assert len(found.frame()) == 0
    assert np.isnan(found.z).all()


def test_without_care_for_skewness_single_incidents_would_be_hot_spots() -> None:
    """The reason for `chance.skewed_p`: what the textbook p makes of the same noise."""
    cube = np.random.default_rng(0).poisson(0.005, (24, 40, 40))
    assert np.count_nonzero(emerging(square(40), cube, band_m=150, skew=False).pattern) > 0.05 * 1600


@pytest.mark.parametrize("mean", [0.3, 3.0])
def test_on_noise_trends_and_bins_keep_to_their_level(mean: float) -> None:
    trends, bins, permuted, overlapping = [], [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        cube = rng.poisson(mean, (36, 25, 25))
        found = emerging(square(25), cube, band_m=150, permutations=99, rng=rng)
        trends.append(np.mean(found.trend_p < 0.05))
        permuted.append(np.mean(found.p <= 0.05))
        bins.append(np.mean(emerging(square(25), cube, band_m=150).p < 0.05))
        overlapping.append(np.mean(mann_kendall(found.z).p < 0.05))
    assert np.mean(trends) <= 0.06
    assert np.mean(bins) <= 0.055
    assert 0.03 <= np.mean(permuted) <= 0.06
    assert np.mean(overlapping) >= 0.10  # what the test would find in windows that share a period


# pattern -> how far the values of the planted block lie above the rest, period by period of twenty
PLANTED = {
    "new_hot": [0] * 19 + [9],
    "consecutive_hot": [0] * 15 + [9] * 5,
    "intensifying_hot": [9 + 0.6 * k for k in range(20)],
    "persistent_hot": [9.0] * 20,
    "diminishing_hot": [20 - 0.6 * k for k in range(20)],
    "sporadic_hot": ([0] * 3 + [9] * 2) * 4,
    "historical_hot": [9] * 19 + [0],
    "none": [0] * 20,
    "new_cold": [0] * 19 + [-6],
    "persistent_cold": [-6] * 20,
    "oscillating_cold": [0] * 5 + [9] * 3 + [0] * 8 + [-6] * 4,
    "oscillating_hot": [0] * 5 + [-6] * 3 + [0] * 8 + [9] * 2 + [0, 9],
}


@pytest.mark.parametrize("key", list(PLANTED))
def test_a_planted_spot_gets_its_pattern(key: str) -> None:
    cube = np.random.default_rng(11).normal(10.0, 1.0, (20, 30, 30))
    cube[:, 10:16, 10:16] += np.array(PLANTED[key], dtype=float)[:, None, None]
    found = emerging(square(30), cube, band_m=150, periods_back=0)
    assert {PATTERNS[code].key for code in found.pattern[12:14, 12:14].ravel()} == {key}
    far = found.pattern.copy()
    far[8:18, 8:18] = 0
    assert np.count_nonzero(far) <= 0.01 * far.size


def test_the_earlier_period_lends_its_strength_to_the_next() -> None:
    cube = np.full((6, 9, 9), 5.0) + np.random.default_rng(0).normal(0, 0.1, (6, 9, 9))
    cube[3, 3:6, 3:6] += 20
    found = emerging(square(9), cube, band_m=150)
    assert found.significant[:, 4, 4].tolist() == [0, 0, 0, 1, 1, 0]
    assert emerging(square(9), cube, band_m=150, periods_back=0).significant[:, 4, 4].tolist() == [0, 0, 0, 1, 0, 0]


def test_growth_everywhere_makes_the_whole_cube_hot_at_its_end_but_no_window() -> None:
    cube = np.random.default_rng(1).poisson(np.linspace(2, 20, 12)[:, None, None], (12, 12, 12))
    whole = emerging(square(12), cube, band_m=150)
    window = emerging(square(12), cube, band_m=150, reference="window", periods_back=0)
    assert np.mean(whole.significant[-1] == 1) > 0.9
    assert np.count_nonzero(window.significant) <= 0.01 * window.significant.size


def test_false_discovery_is_controlled_over_all_bins_together() -> None:
    cube = np.random.default_rng(2).poisson(3.0, (8, 10, 10))
    found = emerging(square(10, holes=7), cube, band_m=150)
    there = ~np.isnan(found.p)
    assert there.sum() == 8 * found.cells.size
    np.testing.assert_allclose(found.q[there], stats.false_discovery_control(found.p[there]), rtol=1e-12)
    plain = emerging(square(10, holes=7), cube, band_m=150, fdr=False)
    assert np.array_equal(plain.q, plain.p, equal_nan=True)


def test_permutations_repeat_with_the_seed_and_agree_with_the_normal_where_counts_are_many() -> None:
    cube = np.random.default_rng(3).poisson(30.0, (10, 15, 15))

    def run(seed: int) -> EmergingResult:
        return emerging(square(15), cube, band_m=150, permutations=999, rng=np.random.default_rng(seed))

    first, again, other = run(1), run(1), run(2)
    assert np.array_equal(first.p, again.p)
    assert not np.array_equal(first.p, other.p)
    # conditional on a bin's own value, the others' sum is one of a sample without replacement, here nearly normal
    near = np.array([c for c in itertools.product((-1, 0, 1), repeat=2) if c != (0, 0)])
    for period, row, column in ((4, 7, 7), (6, 3, 9), (9, 12, 2), (1, 5, 5)):
        layers = cube[period - 1 : period + 1]
        others = layers[:, near[:, 0] + row, near[:, 1] + column].sum() + cube[period - 1, row, column]
        pool = np.delete(cube.ravel(), np.ravel_multi_index((period, row, column), cube.shape))
        spread = pool.std() * np.sqrt(17 * (pool.size - 17) / (pool.size - 1))
        expected = two_sided_p((others - 17 * pool.mean()) / spread)
        assert first.p[period, row, column] == pytest.approx(float(expected), abs=0.05)


def test_permutation_p_equals_the_share_of_all_possible_neighbourhoods() -> None:
    """Every choice of two others out of nine enumerated; bins of the front, the middle and alone."""
    values = np.array([9.0, 8.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 3.0])
    tested, sums = np.array([0, 2, 9, 4]), np.array([18.0, 9.0, 5.0, 0.0])
    sizes = np.array([3, 3, 3, 1])
    p = permutation_p(values, tested, sums, sizes, permutations=20_000, rng=np.random.default_rng(5))
    for found, one, total in zip(p[:3], tested, sums, strict=False):
        others = np.delete(values, one)
        middle = 2 * others.mean()
        far = abs(total - values[one] - middle)
        hits = sum(abs(sum(pair) - middle) >= far - 1e-9 for pair in itertools.combinations(others, 2))
        assert found == pytest.approx(hits / comb(9, 2), abs=0.012)
    assert p[3] == 1.0  # a bin alone is always what it is


def test_all_bins_as_one_neighbourhood_say_nothing() -> None:
    values = np.arange(5.0)
    p = permutation_p(values, np.arange(5), np.full(5, 10.0), np.full(5, 5), permutations=99, rng=np.random.default_rng(1))
    assert p.tolist() == [1.0] * 5
    flat = emerging(square(4), np.full((5, 4, 4), 7), band_m=150)
    assert np.all(flat.z == 0)
    assert np.all(flat.p == 1)
    assert np.count_nonzero(flat.pattern) == 0


def test_skewness_of_a_sum_is_the_hypergeometric_one() -> None:
    for bins, hits, drawn in ((50, 3, 7), (50, 3, 40), (200, 11, 18)):
        population = np.zeros(bins)
        population[:hits] = 1
        found = sum_skewness(np.array([drawn]), bins=bins, skewness=float(stats.skew(population)))
        assert found[0] == pytest.approx(float(stats.hypergeom(bins, hits, drawn).stats(moments="s")), rel=1e-9)


def test_a_skewed_p_is_pearson_types_three_and_never_below_the_normal() -> None:
    z = np.linspace(-4, 8, 49)
    for skew in (0.3, 1.5, -0.8):
        judge = 2 * np.minimum(stats.pearson3(skew).cdf(z), stats.pearson3(skew).sf(z))
        found = skewed_p(z, np.full(len(z), skew))
        np.testing.assert_allclose(found, np.maximum(np.minimum(judge, 1), two_sided_p(z)), rtol=1e-6, atol=1e-300)
    assert np.array_equal(skewed_p(z, np.zeros(len(z))), two_sided_p(z))
    assert np.isnan(skewed_p(np.array([np.nan]), np.array([0.5]))[0])


def test_the_frame_has_a_row_for_every_cell_in_reading_order() -> None:
    cells = square(8, holes=9)
    cube = np.random.default_rng(4).poisson(4.0, (12, 8, 8))
    cube[:, 2:5, 2:5] += 15
    found = emerging(cells, cube, band_m=150)
    frame = found.frame()
    assert frame.index.equals(cells.ids())
    assert frame["count"].tolist() == cube.sum(axis=0)[cells.mask].tolist()
    assert frame.loc["r3c3", "pattern"] == "persistent_hot"
    assert frame.loc["r3c3", ["hot_periods", "cold_periods", "last_class"]].tolist() == [12, 0, 3]
    assert [BY_KEY[key].code for key in frame["pattern"]] == frame["pattern_code"].tolist()
    assert sum(found.pattern_counts().values()) == cells.size


def test_cells_with_a_missing_value_are_left_out_as_if_they_were_not_there() -> None:
    cells, cube = square(6), np.random.default_rng(6).poisson(3.0, (6, 6, 6)).astype(float)
    cube[2, 1, 1] = np.nan
    found = emerging(cells, cube, band_m=150)
    smaller = CellSet(cells.lattice, cells.mask & ~np.isnan(cube).any(axis=0))
    assert np.array_equal(found.z, emerging(smaller, np.nan_to_num(cube), band_m=150).z, equal_nan=True)
    assert np.isnan(found.z[:, 1, 1]).all()
    assert found.frame().loc["r1c1", "pattern"] == "none"


def test_a_large_offset_or_another_unit_changes_nothing() -> None:
    cube = np.random.default_rng(7).poisson(3.0, (8, 8, 8))
    plain = emerging(square(8), cube, band_m=150)
    for moved in (cube + 10_000_000, cube * 0.001, cube * 7e9):
        found = emerging(square(8), moved, band_m=150)
        np.testing.assert_allclose(found.z, plain.z, atol=1e-7)
        assert np.array_equal(found.trend_z, plain.trend_z)


def test_says_when_periods_are_few_and_what_permutations_can_show() -> None:
    cube = np.random.default_rng(8).poisson(3.0, (6, 5, 5))
    found = emerging(square(5), cube, band_m=150, permutations=99, rng=np.random.default_rng(0))
    assert [key for key, _ in found.notes] == ["patterns.note_few_periods", "patterns.note_permutations"]
    assert found.notes[1][1]["needed"] == 150 * 0.01 / 0.05


def test_says_when_periods_are_empty() -> None:
    cube = np.random.default_rng(8).poisson(3.0, (12, 5, 5))
    cube[4:6] = 0
    assert emerging(square(5), cube, band_m=150).notes == (("patterns.note_empty_periods", {"empty": 2, "periods": 12}),)


def test_can_be_stopped() -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        emerging(square(5), np.ones((5, 5, 5)), band_m=150, progress=stop)


@pytest.mark.parametrize(
    ("cube", "options", "says"),
    [
        (np.ones((2, 4, 4)), {}, "at least 3"),
        (np.ones((5, 4, 3)), {}, "4 × 4"),
        (np.ones((5, 4, 4)), {"periods_back": -1}, "periods_back = -1"),
        (np.ones((5, 4, 4)), {"alpha": 1.5}, "alpha = 1.5"),
        (np.ones((5, 4, 4)), {"permutations": 99}, "seed"),
        (np.full((5, 4, 4), np.inf), {}, "infinite"),
        (np.ones((5, 4, 4)), {"band_m": 0}, "metres"),
    ],
)
def test_refuses_what_makes_no_sense(cube: np.ndarray, options: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        emerging(square(4), cube, **{"band_m": 150, **options})  # type: ignore[arg-type]
