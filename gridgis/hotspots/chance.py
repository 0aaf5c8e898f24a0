"""What chance alone makes of sums over neighbourhoods, where values could lie in any bin: skewed tails, and random draws."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc

from gridgis.hotspots.significance import two_sided_p
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# a distribution less skewed than this is the normal one to 10 decimals
_STRAIGHT: Final = 1e-6
# sums that differ by less, in standard deviations of the values, are ties that were rounded apart
_TIE: Final = 1e-9


def sum_skewness(size: NDArray[Any], *, bins: int, skewness: float) -> Floats:
    """Skewness of the sum of `size` values drawn without replacement from `bins` values of the given skewness.

    With one hit among the bins this is the hypergeometric distribution's; it vanishes where half of the bins are drawn.

    >>> sum_skewness(np.array([1, 4, 50]), bins=100, skewness=2.0).round(3).tolist()
    [2.0, 0.953, 0.0]
    """
    drawn = np.asarray(size, dtype=np.float64)
    rest = drawn * (bins - drawn)
    scale = np.sqrt(np.divide(bins - 1.0, rest, out=np.zeros_like(rest), where=rest > 0))
    return np.asarray(skewness * (bins - 2 * drawn) / max(bins - 2, 1) * scale, dtype=np.float64)


def skewed_p(z: NDArray[Any], skewness: NDArray[Any]) -> Floats:
    """Two-sided p of a standardised sum whose distribution is skewed: the larger of the normal's and Pearson type III's.

    Counts of rare incidents are skewed: where a neighbourhood holds 0.05 incidents on average, a single one lies 4 standard
    deviations out, and the normal distribution would call every incident a hot spot. Pearson's type III (a shifted gamma
    distribution) has the same mean, variance and skewness as the sum. Its short tail ends too early for some data, so the
    normal distribution's p stands where it is the larger.

    Parameters
    ----------
    z
        Any shape; NaN gives NaN.
    skewness
        Of the sum, same shape as `z`; 0 gives the normal distribution's p.

    Examples
    --------
    A Poisson number of mean 0.5 reaches 5 (z = 6.36) once in 6,000 cases, not once in ten billion.

    >>> float(skewed_p(np.array([6.364]), np.array([2**0.5]))[0].round(5)), bool(two_sided_p(np.array([6.364]))[0] < 1e-9)
    (0.0004, True)
    """
    z, skew = np.asarray(z, dtype=np.float64), np.asarray(skewness, dtype=np.float64)
    straight = np.abs(skew) < _STRAIGHT
    shape = 4.0 / np.where(straight, 1.0, skew) ** 2
    place = np.maximum(shape + np.where(skew < 0, -z, z) * np.sqrt(shape), 0.0)
    tails = np.minimum(2.0 * np.minimum(gammainc(shape, place), gammaincc(shape, place)), 1.0)
    normal = two_sided_p(z)
    return np.where(straight, normal, np.maximum(normal, tails))


def permutation_p(
    values: Floats,
    tested: Ints,
    sums: Floats,
    sizes: Ints,
    *,
    permutations: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Floats:
    """Two-sided p of sums over neighbourhoods by conditional permutation.

    Each bin keeps its own value, the others of its neighbourhood are drawn without replacement from all other bins. All bins
    share the draws, as in esda: of one random order of the bins each takes as many as it needs from the front, passing over
    itself. A bin's chance distribution is then, but for the few draws that hold the bin itself, that of every other bin with as
    many neighbours, so that a sorted list per size answers for all: work grows with bins × log permutations.

    p = (1 + draws that lie at least as far as the observed sum from what is expected, in either direction) / (1 + permutations),
    where the others of a neighbourhood are expected to have the mean of all other bins; as in `permutation.conditional_p`.

    Parameters
    ----------
    values
        All bins, shape (n,). Whole numbers compare exactly; round others where rounding errors could hide ties.
    tested
        The bins to test, as places in `values`, shape (m,).
    sums
        Sum over each one's neighbourhood, itself included, shape (m,).
    sizes
        Number of bins in it, itself included, 1 … n, shape (m,).
    permutations
        Number of draws, at least 1.
    rng
        Where chance comes from.

    Examples
    --------
    >>> values = np.array([9.0, 8.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    >>> permutation_p(values, np.array([0]), np.array([17.0]), np.array([2]), permutations=99, rng=np.random.default_rng(1))
    array([0.17])
    """
    longest = int(min(sizes.max(), len(values)))
    draws = np.empty((permutations, longest), dtype=np.int64)
    for number in range(permutations):
        draws[number] = rng.choice(len(values), longest, replace=False)
        if number % 100 == 99 or number == permutations - 1:
            progress("patterns.stage_permutations", number + 1, permutations)
    # the sums of the first 0, 1, 2 … drawn
    running = np.zeros((permutations, longest + 1))
    np.cumsum(values[draws], axis=1, out=running[:, 1:])
    middle = (sizes - 1) * ((values.sum() - values[tested]) / max(len(values) - 1, 1))
    far = np.abs(sums - values[tested] - middle) - _TIE * float(values.std())
    hits = np.empty(len(tested), dtype=np.int64)
    order = np.argsort(sizes, kind="stable")
    kinds, starts = np.unique(sizes[order], return_index=True)
    for size, own in zip(kinds.tolist(), np.split(order, starts[1:]), strict=True):
        chance = np.sort(running[:, size - 1])
        above = permutations - np.searchsorted(chance, (middle + far)[own], side="left")
        below = np.searchsorted(chance, (middle - far)[own], side="right")
        hits[own] = np.where(far[own] <= 0, permutations, above + below)
    # where a bin's draw holds the bin itself, the draw counts again with the next in line in its stead
    which = np.full(len(values), -1, dtype=np.int64)
    which[tested] = np.arange(len(tested))
    bins = which[draws]
    draw, place = np.nonzero((bins >= 0) & (np.arange(longest) < sizes[bins] - 1))
    one = bins[draw, place]
    size_of = sizes[one]
    with_self = running[draw, size_of - 1]
    without = with_self - values[tested][one] + values[draws[draw, size_of - 1]]
    counted = [(np.abs(sum_ - middle[one]) >= far[one]).astype(np.int64) for sum_ in (without, with_self)]
    np.add.at(hits, one, counted[0] - counted[1])
    return np.asarray((1 + hits) / (1 + permutations), dtype=np.float64)
