"""Conditional permutation: how often chance alone would bring a unit neighbours as unusual as its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.hotspots.band import own, processors
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# random numbers held at a time, and comparisons between two reports of progress
_HELD: Final = 4_000_000
_COMPARED: Final = 400_000_000
# sums that differ by less, in standard deviations of the values, are ties that were rounded apart
_TIE: Final = 1e-9
# a spread so small against the mean is rounding
_SAME: Final = 1e-12


def expected_sums(values: Floats, sizes: Ints) -> Floats:
    """The sum conditional permutation expects of each unit's neighbours: their number × the mean of all other units.

    >>> expected_sums(np.array([1.0, 2.0, 6.0]), np.array([1, 2, 0])).tolist()
    [4.0, 7.0, 0.0]
    """
    return np.asarray(sizes * ((values.sum() - values) / max(len(values) - 1, 1)), dtype=np.float64)


def conditional_p(
    values: Floats,
    sums: Floats,
    sizes: Ints,
    *,
    permutations: int,
    rng: np.random.Generator | None = None,
    progress: Progress = silent,
) -> Floats:
    """Two-sided p of the sum of each unit's neighbours, its own value held fixed: shape (n,).

    1. In each permutation the unit's neighbours are replaced by as many of the other n − 1 units, drawn without replacement.
    2. A permutation counts when its sum lies at least as far from what is expected (number of neighbours × mean of the others)
       as the observed sum, in either direction; ties count.
    3. p = (count + 1) / (permutations + 1): never 0, and no more than its nominal share of noise gets a small one.

    All units are judged by the same draws, each leaving itself out; the work is units × permutations, however many neighbours
    there are. The result depends on `rng` alone, not on the number of processors.

    Parameters
    ----------
    values
        Shape (n,), finite.
    sums
        Shape (n,): sum of the values of each unit's neighbours, without its own.
    sizes
        Shape (n,): number of neighbours, without itself.
    permutations
        At least 1; 999 is usual, and gives no p below 0.001.
    rng
        Where chance comes from; None: a generator seeded with 0, so that a result can be had again.

    Examples
    --------
    >>> values = np.array([9.0, 8.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    >>> conditional_p(values, np.array([8.0]), np.array([1]), permutations=99)
    Traceback (most recent call last):
        ...
    gridgis.errors.DataError: ...
    >>> p = conditional_p(values, values[::-1].copy(), np.ones(7, np.int64), permutations=99)
    >>> bool(((p >= 0.01) & (p <= 1)).all())
    True
    """
    from gridgis.hotspots import kernels

    n = len(values)
    if permutations < 1:
        raise DataError("hotspots.permutations", number=permutations)
    if not n == len(sums) == len(sizes):
        raise DataError("hotspots.shape", found=f"{len(sums)}, {len(sizes)}", wanted=n)
    chance, sizes = rng if rng is not None else np.random.default_rng(0), own(np.asarray(sizes, dtype=np.int64))
    if n < 2 or values.std() <= _SAME * abs(values.mean()):
        return np.ones(n)  # every draw is like every other
    shift = float(np.rint(values.mean()))
    shifted = values - shift
    middle = expected_sums(shifted, sizes)
    far = np.abs(sums - sizes * shift - middle) - _TIE * float(shifted.std())
    longest = min(int(sizes.max()) + 1, n)
    threads = processors()
    at_once = max(min(_HELD // longest, _COMPARED // n, permutations), threads)
    hits = np.zeros((threads, n), dtype=np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for done in range(0, permutations, at_once):
            uniform = chance.random((min(at_once, permutations - done), longest))
            edges = np.linspace(0, len(uniform), threads + 1).astype(int).tolist()

            def work(part: int, uniform: Floats = uniform, edges: list[int] = edges) -> None:
                kernels.as_far_by_chance(shifted, sizes, middle, far, uniform, hits[part], edges[part], edges[part + 1])

            list(pool.map(work, range(threads)))
            progress("hotspots.stage_permute", done + len(uniform), permutations)
    return np.asarray((hits.sum(axis=0) + 1) / (permutations + 1), dtype=np.float64)


def shuffled_p(
    observed: float,
    expected: float,
    statistic: Callable[[Ints], float],
    *,
    size: int,
    permutations: int,
    rng: np.random.Generator | None = None,
    progress: Progress = silent,
) -> float:
    """Two-sided p of one number for a whole map: the share of random orders that bring it as far from what is expected.

    `statistic` gets a random order of `size` positions; ties count; p = (count + 1) / (permutations + 1).

    >>> shuffled_p(3.0, 0.0, lambda order: float(order[0]), size=4, permutations=999)
    0.25...
    """
    if permutations < 1:
        raise DataError("hotspots.permutations", number=permutations)
    chance = rng if rng is not None else np.random.default_rng(0)
    far = abs(observed - expected) * (1 - _TIE)
    count = 0
    for done in range(permutations):
        count += abs(statistic(chance.permutation(size)) - expected) >= far
        if done % 50 == 49:
            progress("hotspots.stage_permute", done + 1, permutations)
    return (count + 1) / (permutations + 1)
