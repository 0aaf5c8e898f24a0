"""On maps of pure noise few cells look unusual, and hardly any is called after false discovery control."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gridgis import hotspots
from tests.hotspots.judges import cell_set

MAPS = 200
SIDE = 40
MOST_BELOW_5_PERCENT = 0.055
MOST_CALLED = 0.001

NOISE: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "poisson": lambda rng: rng.poisson(3.0, (SIDE, SIDE)).astype(float),
    "normal": lambda rng: rng.normal(10.0, 2.0, (SIDE, SIDE)),
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("band_m", [150.0, 250.0])
def test_gi_calls_noise_noise(noise: str, band_m: float) -> None:
    rng = np.random.default_rng(2012)
    results = [hotspots.gi(cell_set((SIDE, SIDE)), NOISE[noise](rng), band_m=band_m) for _ in range(MAPS)]
    assert np.mean([(result.p < 0.05).mean() for result in results]) <= MOST_BELOW_5_PERCENT
    assert np.mean([(result.klass != 0).mean() for result in results]) <= MOST_CALLED


@pytest.mark.parametrize("noise", NOISE)
def test_moran_calls_noise_noise(noise: str) -> None:
    rng = np.random.default_rng(2013)
    results = [hotspots.moran(cell_set((SIDE, SIDE)), NOISE[noise](rng), band_m=150) for _ in range(MAPS)]
    assert np.mean([(result.local_p < 0.05).mean() for result in results]) <= MOST_BELOW_5_PERCENT
    assert np.mean([result.p < 0.05 for result in results]) <= 0.08  # 200 maps: 5 % and two standard errors
    assert np.mean([(result.klass != 0).mean() for result in results]) <= MOST_CALLED


@pytest.mark.parametrize("mean", [0.1, 3.0])
def test_permutation_holds_its_level_even_where_counts_are_sparse(mean: float) -> None:
    rng = np.random.default_rng(2014)
    shares, called = [], []
    for _ in range(MAPS):
        counts = rng.poisson(mean, (SIDE // 2, SIDE // 2))
        result = hotspots.gi(cell_set(counts.shape), counts, band_m=150, permutations=199, rng=rng)
        shares.append((result.p < 0.05).mean())
        called.append((result.klass != 0).mean())
    assert np.mean(shares) <= MOST_BELOW_5_PERCENT
    assert np.mean(called) <= MOST_CALLED


def test_what_is_planted_is_found() -> None:
    """The other side of the coin: a test that calls nothing would pass those above."""
    rng = np.random.default_rng(2015)
    for permutations in (0, 999):
        counts = rng.poisson(3.0, (SIDE, SIDE))
        counts[10:15, 20:25] += rng.poisson(4.0, (5, 5))
        result = hotspots.gi(cell_set((SIDE, SIDE)), counts, band_m=150, permutations=permutations, fdr=permutations == 0)
        assert (result.klass[11:14, 21:24] >= 2).all()
