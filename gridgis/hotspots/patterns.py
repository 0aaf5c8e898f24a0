"""The seventeen patterns of emerging hot spots as one table that code, documents and tests read.

The definitions follow the published ones of Esri's Emerging Hot Spot Analysis ("How Emerging Hot Spot Analysis works", ArcGIS
Pro). Where that text leaves a choice, the table decides:

1. "For 90 percent of the time-step intervals" means at least 90 %, as the text says of historical spots.
2. Some series fit two definitions. One that is hot at its end only, and was cold before, could be new or consecutive as well
   as oscillating: it is oscillating, which says more. One that was hot nine times of ten and is cold in the final period could
   be a historical hot spot or an oscillating cold one: it is the latter; what holds of the final period goes first.
3. A persistent spot is significant in the final period, as intensifying and diminishing ones are; one that no longer is, is
   historical, with or without a trend.
4. A sporadic spot has been off between: one run that reaches to the end is new or consecutive.
5. The trend of a cold spot is read downwards: it intensifies where values fall.
6. The level at which a bin or a trend counts as significant is an option of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.text import Lang, t

# the share of periods from which a spot counts as one that is always there, in tenths: 9 of 10
MOSTLY_TENTHS: Final = 9


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of the table: what a cell's series of significant periods must be like. None: it does not matter.

    "Significant" is always meant in the pattern's own direction: hot for hot patterns, cold for cold ones.
    """

    code: int
    """Place in the table, 0–16: the value in arrays of patterns."""
    key: str
    """Name in files and JSON, such as `new_hot`."""
    sign: int
    """1 hot, −1 cold, 0 no pattern."""
    final: bool | None = None
    """Whether the final period is significant."""
    run: tuple[int, int | None] | None = None
    """Fewest and most periods (None: no limit) of the unbroken run of significant periods that ends with the final one."""
    before: bool | None = None
    """Whether any period before that final run is significant."""
    mostly: bool | None = None
    """Whether at least nine periods of ten are significant."""
    opposite: bool | None = None
    """Whether any period is significant in the opposite direction."""
    trend: int | None = None
    """1: the spot grows stronger (a hot spot rises, a cold one falls), −1: weaker, 0: neither can be said."""

    def name(self, lang: Lang) -> str:
        """The pattern's name in a language."""
        return t(f"patterns.{self.key}", lang)

    def definition(self, lang: Lang) -> str:
        """What the pattern means, in a sentence."""
        return t(f"patterns.is_{self.key}", lang)


def _both(kind: str, code: int, **conditions: object) -> Iterator[Pattern]:
    """The hot and the cold pattern of a kind."""
    for offset, (name, sign) in enumerate((("hot", 1), ("cold", -1))):
        yield Pattern(code + offset, f"{kind}_{name}", sign, **conditions)  # type: ignore[arg-type]


# the first row that fits a series is its pattern
PATTERNS: Final[tuple[Pattern, ...]] = (
    Pattern(0, "none", 0),
    *_both("new", 1, final=True, run=(1, 1), before=False, mostly=False, opposite=False),
    *_both("consecutive", 3, final=True, run=(2, None), before=False, mostly=False, opposite=False),
    *_both("intensifying", 5, final=True, mostly=True, trend=1),
    *_both("persistent", 7, final=True, mostly=True, trend=0),
    *_both("diminishing", 9, final=True, mostly=True, trend=-1),
    *_both("sporadic", 11, final=True, before=True, mostly=False, opposite=False),
    *_both("oscillating", 13, final=True, mostly=False, opposite=True),
    *_both("historical", 15, final=False, mostly=True),
)
BY_KEY: Final = {pattern.key: pattern for pattern in PATTERNS}


def classify(significant: ArrayLike, trend: ArrayLike) -> NDArray[np.int8]:
    """The pattern of every cell.

    Parameters
    ----------
    significant
        Periods along the first axis, any shape behind it: 1 where the cell is a significant hot spot in that period, −1 a
        cold one, 0 neither.
    trend
        With the shape of one period: 1 where the cell's values rise significantly over all periods, −1 where they fall.

    Returns
    -------
    array
        Codes: places in `PATTERNS`; 0 where no pattern fits.

    Examples
    --------
    >>> codes = classify([[0, 1, -1], [0, 1, 0], [0, 1, 0], [1, 1, 0]], [0, 1, 0])
    >>> [PATTERNS[code].key for code in codes]
    ['new_hot', 'intensifying_hot', 'none']
    """
    marks, rising = np.asarray(significant), np.asarray(trend)
    if marks.ndim == 0 or not len(marks):
        raise DataError("patterns.no_series")
    if rising.shape != marks.shape[1:]:
        raise DataError("patterns.shapes", marks=marks.shape, trend=rising.shape)
    codes = np.zeros(rising.shape, dtype=np.int8)
    facts = {sign: _Facts.of(marks, rising, sign) for sign in (1, -1)}
    for pattern in reversed(PATTERNS[1:]):  # earlier rows overwrite later ones
        codes[facts[pattern.sign].fit(pattern)] = pattern.code
    return codes


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the conditions of the table ask of every cell, seen in one direction."""

    final: NDArray[np.bool_]
    run: NDArray[np.int64]
    before: NDArray[np.bool_]
    mostly: NDArray[np.bool_]
    opposite: NDArray[np.bool_]
    trend: NDArray[np.int64]

    @classmethod
    def of(cls, marks: NDArray[np.int8], rising: NDArray[np.int8], sign: int) -> _Facts:
        own = marks == sign
        total = own.sum(axis=0)
        run = np.logical_and.accumulate(own[::-1], axis=0).sum(axis=0)
        return cls(
            final=own[-1],
            run=run,
            before=total > run,
            mostly=10 * total >= MOSTLY_TENTHS * len(marks),
            opposite=(marks == -sign).any(axis=0),
            trend=np.sign(rising).astype(np.int64) * sign,
        )

    def fit(self, pattern: Pattern) -> NDArray[np.bool_]:
        """The cells that meet every condition of a row."""
        fits = np.ones(self.final.shape, dtype=bool)
        for name in ("final", "before", "mostly", "opposite", "trend"):
            wanted = getattr(pattern, name)
            if wanted is not None:
                fits &= getattr(self, name) == wanted
        if pattern.run is not None:
            fewest, most = pattern.run
            fits &= self.run >= fewest
            if most is not None:
                fits &= self.run <= most
        return fits
