"""How sure a finding is: two-sided p of a z, false discovery rates over many cells, and the seven classes of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gridgis.hotspots.band import in_blocks, own

Floats = NDArray[np.float64]
Classes = NDArray[np.int8]
# p-values are looked up in so many parts of 0–1 at most, by lines of so many
_PARTS: Final = 1 << 20
_LINE: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class Step:
    """One class of a map of hot and cold spots."""

    value: int
    """−3 (cold, surest) … 3 (hot, surest)."""
    kind: Literal["hot", "cold", "none"]
    """More than chance would bring, less, or neither."""
    below: float
    """The class holds where the q-value (without false discovery control: the p-value) is below this."""
    confidence: int
    """The same as a percentage: 99, 95, 90; 0 for the middle class."""
    label: str
    """Message key of its name."""


CLASSES: Final = (
    Step(-3, "cold", 0.01, 99, "hotspots.class_cold_99"),
    Step(-2, "cold", 0.05, 95, "hotspots.class_cold_95"),
    Step(-1, "cold", 0.10, 90, "hotspots.class_cold_90"),
    Step(0, "none", 1.0, 0, "hotspots.class_none"),
    Step(1, "hot", 0.10, 90, "hotspots.class_hot_90"),
    Step(2, "hot", 0.05, 95, "hotspots.class_hot_95"),
    Step(3, "hot", 0.01, 99, "hotspots.class_hot_99"),
)


def two_sided_p(z: NDArray[Any]) -> Floats:
    """The chance that a standard normal number lies as far from 0 as z, in either direction; NaN for NaN.

    >>> two_sided_p(np.array([0.0, 1.959963984540054, -1.959963984540054])).round(6).tolist()
    [1.0, 0.05, 0.05]
    """
    return np.asarray(special.erfc(np.abs(np.asarray(z, dtype=np.float64)) / np.sqrt(2.0)), dtype=np.float64)


def false_discovery(p: NDArray[Any]) -> Floats:
    """Benjamini–Hochberg q-values: the least false discovery rate at which each test would be called; NaN stays NaN.

    q(k) = min over j ≥ k of p(j)·m / j, p in ascending order, m the number of tests that have a p-value. Any shape; ties get
    the same q. (Benjamini, Hochberg 1995, J. R. Stat. Soc. B 57, 289–300.)

    >>> false_discovery(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    from gridgis.hotspots import kernels

    flat = own(np.asarray(p, dtype=np.float64).ravel())
    ascending = np.sort(flat)  # NaN comes last
    ascending = ascending[: len(flat) - int(np.count_nonzero(np.isnan(flat)))]
    tests = len(ascending)
    # counts make few different sums: of equal p-values the last has the rank of all
    rank = np.flatnonzero(np.append(ascending[1:] != ascending[:-1], tests > 0)) + 1
    steps = ascending[rank - 1]
    least = np.minimum(np.minimum.accumulate((steps * (tests / rank))[::-1])[::-1], 1.0)
    parts = max(min(len(steps), _PARTS), 1)
    part = np.minimum((steps * parts).astype(np.int64), parts - 1)
    starts = np.searchsorted(part, np.arange(parts + 1))
    q = np.empty_like(flat)

    def work(first: int, last: int) -> None:
        kernels.looked_up(flat, steps, least, starts, q, first * _LINE, min(last * _LINE, len(flat)))

    in_blocks(work, (-(-len(flat) // _LINE), _LINE))
    return q.reshape(np.shape(p))


def classify(z: NDArray[Any], sure: NDArray[Any]) -> Classes:
    """The class of each cell by `CLASSES`: the sign of z with its q-value (or p-value); 0 where either is missing.

    >>> classify(np.array([3.5, -2.0, 0.1, np.nan]), np.array([0.005, 0.07, 0.9, np.nan])).tolist()
    [3, -1, 0, 0]
    """
    q, side = np.asarray(sure), np.asarray(z)
    # the limits lie within each other: a cell's step is how many of them it is below
    level = sum(((q < step.below).view(np.int8) for step in CLASSES if step.kind == "hot"), np.zeros(q.shape, dtype=np.int8))
    return np.asarray(level * ((side > 0).view(np.int8) - (side < 0).view(np.int8)), dtype=np.int8)
