"""Rates per 1,000 residents, households or buildings, steadied where the denominator is small, hidden where it is tiny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PER: Final = 1000.0
# fewer people than this in a place and a figure about them is not shown
FEWEST: Final = 5.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of places, in the shape of the counts they were made from."""

    raw: Floats
    """count / base · per; NaN where there is none."""
    smoothed: Floats
    """The empirical-Bayes rate in the same unit; NaN where there is none; equal to `raw` without smoothing."""
    empty: Bools
    """Places without anyone: they have no rate."""
    suppressed: Bools
    """Places with someone, but fewer than `least`: their rate is not shown."""
    per: float
    """The unit: incidents per so many."""
    mean: float
    """All counts over the whole base · per: what every rate is drawn towards; NaN without a base."""
    uncounted: float
    """Incidents in empty places, which no rate holds."""

    @property
    def shown(self) -> Bools:
        """Places that have a rate."""
        return ~(self.empty | self.suppressed)

    @property
    def reason(self) -> NDArray[np.object_]:
        """Why a place has no rate: the message key `hotspot_auto.rate_empty` or `.rate_suppressed`; None where it has one."""
        keys = np.full(self.raw.shape, None, dtype=object)
        keys[self.empty] = "hotspot_auto.rate_empty"
        keys[self.suppressed] = "hotspot_auto.rate_suppressed"
        return keys


def rates(
    counts: ArrayLike,
    base: ArrayLike,
    *,
    per: float = PER,
    least: float = FEWEST,
    smooth: bool = True,
    around: Callable[[Floats], Floats] | None = None,
) -> Rates:
    """Incidents per 1,000 of a base, with empirical-Bayes smoothing (Marshall 1991).

    1. The raw rate of place i is rᵢ = countᵢ / baseᵢ. A place with a base of 0 (or none known) has no rate.
    2. Smoothing draws a rate towards the mean m, the more the smaller its base: m + Cᵢ (rᵢ − m), Cᵢ = A / (A + m / baseᵢ),
       where m = Σ count / Σ base, A = Σ base (r − m)² / Σ base − m / mean base, and A is 0 when that is negative: then
       nothing but chance tells the places apart and all get m.
    3. Those sums go over all places, or, with `around`, over each place's neighbours, itself included.
    4. A place with fewer than `least` is not shown. It still counts in the sums of others.

    Parameters
    ----------
    counts
        Incidents of each place, not negative.
    base
        Residents, households or buildings of each place, same shape; NaN: not known, as 0.
    per
        The unit of the rates.
    least
        Smallest base that is shown.
    smooth
        Whether to smooth; raw rates of small bases jump with every single incident.
    around
        Sums an array of the same shape over each place's neighbours, itself included; None: over all places.

    Raises
    ------
    DataError
        If shapes differ, or a value is negative.

    References
    ----------
    Marshall, R. J. (1991): Mapping disease and mortality rates using empirical Bayes estimators. Applied
    Statistics 40(2), 283–294.

    Examples
    --------
    Two incidents among 10 people weigh less than twenty among 1,000:

    >>> found = rates([2, 20, 15, 0, 1], [10, 1000, 1500, 800, 3])
    >>> found.raw.round(1).tolist()
    [200.0, 20.0, 10.0, 0.0, nan]
    >>> found.smoothed.round(1).tolist()
    [43.9, 19.6, 10.0, 0.7, nan]
    """
    count, people = np.asarray(counts, dtype=np.float64), np.nan_to_num(np.asarray(base, dtype=np.float64))
    if count.shape != people.shape:
        raise DataError("hotspot_auto.rate_shapes", counts=count.shape, base=people.shape)
    if (count < 0).any() or (people < 0).any() or not per > 0:
        raise DataError("hotspot_auto.rate_negative")
    empty = people <= 0
    suppressed = ~empty & (people < least)
    inside = ~empty
    raw = np.divide(count, people, out=np.full(count.shape, np.nan), where=inside)
    total = float(people.sum())
    mean = float(count[inside].sum()) / total if total > 0 else np.nan
    smoothed = raw.copy()
    if smooth and inside.any():
        smoothed = _marshall(count, people, raw, inside, around)
    hidden = empty | suppressed
    return Rates(
        raw=np.where(hidden, np.nan, raw * per),
        smoothed=np.where(hidden, np.nan, smoothed * per),
        empty=empty,
        suppressed=suppressed,
        per=per,
        mean=mean * per,
        uncounted=float(count[empty].sum()),
    )


def _marshall(count: Floats, people: Floats, raw: Floats, inside: Bools, around: Callable[[Floats], Floats] | None) -> Floats:
    def everywhere(values: Floats) -> Floats:
        return np.full(values.shape, values.sum())

    add = around or everywhere
    known = np.where(inside, count, 0.0)
    number = add(inside.astype(np.float64))
    whole = add(people)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = add(known) / whole
        # Σ base (r − m)² = Σ count² / base − m² Σ base, so that one pass over the neighbours is enough
        squares = add(np.where(inside, known * np.nan_to_num(raw), 0.0))
        between = np.maximum(squares / whole - mean**2 - mean * number / whole, 0.0)
        noise = mean / people
        share = np.where(between + noise > 0, between / (between + noise), 0.0)
        drawn = mean + share * (raw - mean)
    return np.asarray(np.where(inside, drawn, np.nan), dtype=np.float64)
