"""Whether a series rises or falls: the Mann-Kendall test and Sen's slope, for many series at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc

from gridgis.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# series worked on at a time: the pairs of a block stay in the processor's cache
_BLOCK: Final = 4096
# pairs of periods held at a time
_PAIRS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Trend:
    """The Mann-Kendall test of many series; every array has the shape of one period."""

    s: Ints
    """Later values above earlier ones, less those below, over all pairs."""
    tau: Floats
    """S over the number of pairs, −1…1; NaN for a series with fewer than two values."""
    z: Floats
    """S in standard deviations, corrected for ties and continuity; 0 where nothing varies or there are fewer than two values."""
    p: Floats
    """Two-sided probability of a z as far from 0 in a series without trend; 1 where nothing varies."""

    def direction(self, alpha: float) -> NDArray[np.int8]:
        """1 where a series rises at the level `alpha` (p ≤ alpha), −1 where it falls, 0 where neither can be said."""
        return (np.sign(self.z) * (self.p <= alpha)).astype(np.int8)


def mann_kendall(series: ArrayLike, *, tolerance: float = 0.0) -> Trend:
    """The Mann-Kendall test for a monotonic trend in every series.

    S counts the pairs of periods in which the later value is the higher, less those in which it is the lower; equal values
    count for neither. Its variance without trend is (n(n−1)(2n+5) − Σ t(t−1)(2t+5)) / 18 over the groups of t equal values;
    z = (S ∓ 1) / √variance (Mann 1945, Kendall 1975). The test takes the values of different periods as independent: values
    that each carry part of their neighbour's, such as sums over overlapping windows of time, are called a trend too often.

    Parameters
    ----------
    series
        Periods along the first axis, any shape behind it. A missing value (NaN) is left out of its series.
    tolerance
        Values that differ by no more count as equal: for sums that rounding may have moved apart.

    Returns
    -------
    Trend
        With the shape of one period.

    Examples
    --------
    >>> found = mann_kendall([[1, 3], [2, 3], [4, 3], [7, 3], [9, 3]])
    >>> found.s.tolist(), found.tau.tolist(), found.z.round(3).tolist(), found.p.round(3).tolist()
    ([10, 0], [1.0, 0.0], [2.205, 0.0], [0.027, 1.0])
    """
    values, shape = _flat(series)
    s = np.empty(values.shape[1], dtype=np.int64)
    ties = np.empty(values.shape[1])
    for block in _blocks(values.shape[1]):
        s[block], ties[block] = _score(values[:, block], tolerance), _ties(values[:, block], tolerance)
    n = np.isfinite(values).sum(axis=0)
    pairs = n * (n - 1) / 2
    deviation = np.sqrt(np.maximum(n * (n - 1) * (2 * n + 5) - ties, 0) / 18)
    z = np.divide(s - np.sign(s), deviation, out=np.zeros(len(s)), where=deviation > 0)
    tau = np.divide(s, pairs, out=np.full(len(s), np.nan), where=pairs > 0)
    p = np.minimum(erfc(np.abs(z) / np.sqrt(2)), 1.0)
    return Trend(s.reshape(shape), tau.reshape(shape), z.reshape(shape), p.reshape(shape))


def sen_slope(series: ArrayLike) -> Floats:
    """Sen's slope of every series: the median of the rises per period over all pairs of periods.

    Parameters
    ----------
    series
        Periods along the first axis, any shape behind it. A missing value (NaN) is left out of its series.

    Returns
    -------
    array
        In units of the series per period, with the shape of one period; NaN for a series with fewer than two values.

    Examples
    --------
    >>> sen_slope([[0, 5], [2, 5], [4, 5], [6, 5], [60, 5]]).tolist()
    [2.0, 0.0]
    """
    values, shape = _flat(series)
    slopes = np.full(values.shape[1], np.nan)
    first, last = np.triu_indices(len(values), k=1)
    series_first = np.ascontiguousarray(values.T)  # each series' pairs lie side by side
    for block in _blocks(values.shape[1], step=max(_PAIRS // max(len(first), 1), 1)) if len(first) else ():
        own = series_first[block]
        rises = (own[:, last] - own[:, first]) / (last - first)
        known = ~np.isnan(rises)
        if known.all():
            slopes[block] = np.median(rises, axis=1, overwrite_input=True)
        else:
            some = known.any(axis=1)
            slopes[np.arange(block.start, block.stop)[some]] = np.nanmedian(rises[some], axis=1)
    return slopes.reshape(shape)


def _flat(series: ArrayLike) -> tuple[Floats, tuple[int, ...]]:
    """Series as periods × series, and the shape of one period."""
    values = np.asarray(series, dtype=np.float64)
    if values.ndim == 0 or not len(values):
        raise DataError("patterns.no_series")
    if np.isinf(values).any():
        raise DataError("patterns.infinite")
    return values.reshape(len(values), -1), values.shape[1:]


def _blocks(count: int, *, step: int = _BLOCK) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _score(values: Floats, tolerance: float) -> Ints:
    """S of every series."""
    s = np.zeros(values.shape[1], dtype=np.int64)
    for lag in range(1, len(values)):
        later, earlier = values[lag:], values[:-lag]
        s += np.count_nonzero(later > earlier + tolerance, axis=0)
        s -= np.count_nonzero(later < earlier - tolerance, axis=0)
    return s


def _ties(values: Floats, tolerance: float) -> Floats:
    """Σ t(t−1)(2t+5) over the groups of t equal values of every series."""
    periods, count = values.shape
    ordered = np.sort(values, axis=0).T  # one series after the other; missing values stand last, equal to nothing
    starts = np.ones((count, periods), dtype=bool)
    starts[:, 1:] = ~(ordered[:, 1:] <= ordered[:, :-1] + tolerance)
    first = np.flatnonzero(starts)
    size = np.diff(np.append(first, starts.size)).astype(np.float64)
    return np.bincount(first // periods, weights=size * (size - 1) * (2 * size + 5), minlength=count).astype(np.float64)
