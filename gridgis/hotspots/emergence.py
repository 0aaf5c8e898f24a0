"""Emerging hot spots: where clusters of incidents are new, grow, last, fade or come and go over the periods of a cube."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.hotspots.band import Band, neighbour_count, window_sum
from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.chance import permutation_p, skewed_p, sum_skewness
from gridgis.hotspots.patterns import PATTERNS
from gridgis.hotspots.patterns import classify as classify_patterns
from gridgis.hotspots.significance import classify, false_discovery, two_sided_p
from gridgis.hotspots.trend import mann_kendall, sen_slope
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Reference = Literal["cube", "window"]

# with fewer periods there is no run, no share and no trend to speak of
FEWEST_PERIODS: Final = 3
# below this the trend test is weak and "nine of ten" means all or all but one
FEW_PERIODS: Final = 10
# sums that differ by less, relative to the largest, are ties that were rounded apart
_TIE: Final = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class EmergingResult:
    """Every bin's Gi*, every cell's trend and pattern, and what they were computed with."""

    cells: CellSet
    """The cells."""
    counts: Floats
    """Shape (periods, rows, columns): the values that were analysed."""
    z: Floats
    """Gi* of every bin, shape (periods, rows, columns); NaN where there is no cell."""
    p: Floats
    """Two-sided p of every bin, same shape."""
    q: Floats
    """False discovery rate over all bins, same shape; equal to `p` where it was not asked for."""
    klass: NDArray[np.int8]
    """−3 … 3 as in `hotspots.CLASSES`, same shape."""
    trend_z: Floats
    """Mann-Kendall z of every cell, shape (rows, columns): over 0 where clustering grows; NaN where there is no cell."""
    trend_p: Floats
    """Two-sided p of the trend, same shape; of each cell for itself."""
    slope: Floats
    """Sen's slope of the cell's own values per period, same shape."""
    pattern: NDArray[np.int8]
    """Places in `hotspots.PATTERNS`, same shape; 0: no pattern, or no cell."""
    significant: NDArray[np.int8]
    """1 hot, −1 cold, 0 neither, at the level `alpha`; shape (periods, rows, columns)."""
    band: Band
    """The neighbourhood in space."""
    periods_back: int
    """How many earlier periods the neighbourhood holds."""
    reference: Reference
    """What a neighbourhood is compared with: the whole cube, or the periods of the neighbourhood."""
    permutations: int
    """0: p is analytic."""
    fdr: bool
    """Whether `q` controls the false discovery rate."""
    alpha: float
    """A bin is significant where `q` is below this."""
    notes: tuple[tuple[str, Mapping[str, object]], ...]
    """What the reader must know: message keys and values."""

    def pattern_counts(self) -> dict[str, int]:
        """How many cells have each pattern, every pattern, in the table's order."""
        numbers = np.bincount(self.pattern[self.cells.mask], minlength=len(PATTERNS))
        return {pattern.key: int(number) for pattern, number in zip(PATTERNS, numbers, strict=True)}

    def frame(self) -> pd.DataFrame:
        """One row per cell in reading order, indexed by `cell_id`; `cells.lattice` has the squares.

        Columns: `count` (over all periods), `pattern` (its key), `pattern_code`, `hot_periods`, `cold_periods`, `last_z`,
        `last_class` (of the final period), `trend_z`, `trend_p`, `trend_q` (false discovery rate over the cells), `slope`.
        """
        take = self.cells.take
        codes = take(self.pattern)
        keys = np.array([pattern.key for pattern in PATTERNS], dtype=object)
        return pd.DataFrame(
            {
                "count": take(self.counts.sum(axis=0)),
                "pattern": keys[codes],
                "pattern_code": codes,
                "hot_periods": take((self.significant == 1).sum(axis=0)),
                "cold_periods": take((self.significant == -1).sum(axis=0)),
                "last_z": take(self.z[-1]),
                "last_class": take(self.klass[-1]),
                "trend_z": take(self.trend_z),
                "trend_p": take(self.trend_p),
                "trend_q": false_discovery(take(self.trend_p)),
                "slope": take(self.slope),
            },
            index=self.cells.ids(),
        )


def emerging(
    cells: CellSet,
    cube: NDArray[Any],
    *,
    band_m: float,
    periods_back: int = 1,
    reference: Reference = "cube",
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    fdr: bool = True,
    skew: bool = True,
    alpha: float = 0.05,
    trend_alpha: float = 0.05,
    progress: Progress = silent,
) -> EmergingResult:
    """Gi* of every bin of a cube, the trend of every cell, and its pattern by the table `hotspots.PATTERNS`.

    1. A bin (cell and period) is compared, with all bins whose cells lie within `band_m`, in its period and the `periods_back`
       periods before it (fewer at the cube's beginning), itself included. Gi* = (Σx − m·mean) / (s·√((n·m − m²)/(n − 1))) over
       the m bins of the neighbourhood; mean, standard deviation s and number n of bins are those of the whole cube, or with
       `reference="window"` of the neighbourhood's periods alone: where incidents grow everywhere, the whole cube turns hot at
       its end, a window does not.
    2. p is analytic, of the larger of the normal and a skewed distribution (`chance.skewed_p`), or by conditional permutation.
    3. q controls the false discovery rate over all bins of the cube; a bin is hot or cold where q is below `alpha`.
    4. The trend is the Mann-Kendall test over the Gi* of each period alone, without the earlier ones: Gi* of overlapping
       windows of time carry part of each other, and the test, which takes periods as independent, would find three times as
       many trends in noise as it should. Esri's tool tests the overlapping ones.
    5. The pattern follows from the hot and cold periods and the trend at `trend_alpha`.

    Parameters
    ----------
    cells
        Where there are cells.
    cube
        Shape (periods, rows, columns), at least three periods: counts, weights or rates. A cell with a value that is missing
        (NaN) in any period is left out: it has no pattern and is nobody's neighbour.
    band_m
        Distance between centres of cells, metres.
    periods_back
        Earlier periods in the neighbourhood, 0 or more.
    permutations
        Draws for p, such as 999; 0: analytic p. Needs `rng`.
    rng
        Where chance comes from.
    fdr
        Whether a bin is judged by its false discovery rate; False: by its p.
    skew
        False: the normal distribution's p, as in textbooks, which calls single incidents hot spots where they are rare.

    Raises
    ------
    DataError
        If shapes differ, there are fewer than three periods, an option makes no sense, or `rng` is missing.

    Examples
    --------
    One corner fills up in the last two of twelve months.

    >>> from gridgis.hotspots.cells import cells_around
    >>> cells = cells_around([0, 1950], [0, 1950], cell_m=100, crs="EPSG:4547")
    >>> counts = np.random.default_rng(1).poisson(3.0, (12, 20, 20))
    >>> counts[10:, :3, :3] += 12
    >>> found = emerging(cells, counts, band_m=150)
    >>> PATTERNS[found.pattern[1, 1]].key, found.pattern_counts()["none"]
    ('consecutive_hot', 385)
    """
    values, mask = _checked(cells, cube, periods_back, permutations, rng, alpha, trend_alpha)
    band = Band(cells.lattice.cell_m, band_m)
    shift = float(np.round(values[:, mask].mean())) if mask.any() else 0.0  # a whole number: whole sums stay exact
    values = np.where(mask, values - shift, 0.0)
    sums = _period_sums(values, mask, band, progress)
    own = neighbour_count(mask, band)[mask].astype(np.int64)
    flat = values[:, mask]
    z, p = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    windows = _windows(flat, sums[:, mask], own, periods_back=periods_back, reference=reference)
    z[:, mask] = np.stack([window.z for window in windows])
    p[:, mask] = _p_values(windows, flat, reference, permutations, rng, skew, progress)
    q = false_discovery(p) if fdr else p
    significant = (np.sign(np.where(np.isnan(z), 0, z)) * (np.where(np.isnan(q), 1, q) < alpha)).astype(np.int8)
    progress("patterns.stage_trend", 0, 1)
    trend_z, trend_p, slope = (np.full(mask.shape, np.nan) for _ in range(3))
    alone = sums[:, mask]
    if reference == "window":
        alone = np.stack([window.z for window in _windows(flat, alone, own, periods_back=0, reference=reference)])
    tested = mann_kendall(alone, tolerance=_TIE * float(np.abs(alone).max(initial=0.0)))
    trend_z[mask], trend_p[mask], slope[mask] = tested.z, tested.p, sen_slope(flat)
    pattern = np.zeros(mask.shape, dtype=np.int8)
    pattern[mask] = classify_patterns(significant[:, mask], tested.direction(trend_alpha))
    progress("patterns.stage_trend", 1, 1)
    return EmergingResult(
        cells=cells,
        counts=np.asarray(cube, dtype=np.float64),
        z=z,
        p=p,
        q=q,
        klass=classify(z, q),
        trend_z=trend_z,
        trend_p=trend_p,
        slope=slope,
        pattern=pattern,
        significant=significant,
        band=band,
        periods_back=periods_back,
        reference=reference,
        permutations=permutations,
        fdr=fdr,
        alpha=alpha,
        notes=_notes(flat + shift, permutations, fdr=fdr, alpha=alpha),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The neighbourhoods of one period's bins, and what they are compared with."""

    z: Floats
    sums: Floats
    sizes: NDArray[np.int64]
    bins: int
    skewness: float
    first: int


def _checked(
    cells: CellSet,
    cube: NDArray[Any],
    periods_back: int,
    permutations: int,
    rng: np.random.Generator | None,
    alpha: float,
    trend_alpha: float,
) -> tuple[Floats, Mask]:
    """The cube as floats, and the cells that have a value in every period."""
    values = np.asarray(cube, dtype=np.float64)
    if values.ndim != 3 or values.shape[1:] != cells.mask.shape:
        shapes = (" × ".join(map(str, shape)) for shape in (values.shape, cells.mask.shape))
        raise DataError("patterns.cube", found=next(shapes), wanted=next(shapes))
    if len(values) < FEWEST_PERIODS:
        raise DataError("patterns.periods", periods=len(values), fewest=FEWEST_PERIODS)
    if periods_back < 0 or permutations < 0 or not (0 < alpha < 1 and 0 < trend_alpha < 1):
        raise DataError(
            "patterns.options", periods_back=periods_back, permutations=permutations, alpha=alpha, trend_alpha=trend_alpha
        )
    if permutations and rng is None:
        raise DataError("patterns.rng")
    if np.isinf(values[:, cells.mask]).any():
        raise DataError("patterns.infinite")
    return values, cells.mask & ~np.isnan(values).any(axis=0)


def _period_sums(values: Floats, mask: Mask, band: Band, progress: Progress) -> Floats:
    """Sums over the band of every cell in each period alone; 0 where there is no cell."""
    sums = np.empty(values.shape)
    for period, layer in enumerate(values):
        sums[period] = window_sum(layer, mask, band)
        progress("patterns.stage_sums", period + 1, len(values))
    return sums


def _windows(flat: Floats, sums: Floats, own: NDArray[np.int64], *, periods_back: int, reference: Reference) -> list[_Window]:
    """For every period: sums over its neighbourhoods in space and time, their sizes, and Gi*; cells in reading order."""
    whole = _moments(flat)
    windows = []
    for period in range(len(flat)):
        first = max(period - periods_back, 0)
        total, sizes = sums[first : period + 1].sum(axis=0), own * (period - first + 1)
        bins, mean, deviation, skewness = whole if reference == "cube" else _moments(flat[first : period + 1])
        room = np.maximum(bins * sizes.astype(np.float64) - sizes.astype(np.float64) ** 2, 0.0) / max(bins - 1, 1)
        spread = deviation * np.sqrt(room)
        z = np.divide(total - mean * sizes, spread, out=np.zeros(len(total)), where=spread > 0)
        windows.append(_Window(z, total, sizes, bins, skewness, first))
    return windows


def _moments(values: Floats) -> tuple[int, float, float, float]:
    """Number, mean, standard deviation and skewness of all values."""
    if not values.size:
        return 0, 0.0, 0.0, 0.0
    mean = float(values.mean())
    deviations = values - mean
    deviation = float(np.sqrt(np.mean(deviations**2)))
    # what rounding leaves of equal values is no variation
    if deviation <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
        return values.size, mean, 0.0, 0.0
    return values.size, mean, deviation, float(np.mean((deviations / deviation) ** 3))


def _p_values(
    windows: list[_Window],
    flat: Floats,
    reference: Reference,
    permutations: int,
    rng: np.random.Generator | None,
    skew: bool,
    progress: Progress,
) -> Floats:
    """The p of every bin, shape (periods, cells)."""
    if not flat.size:
        return np.empty(flat.shape)
    if rng is None or not permutations:
        if not skew:
            return two_sided_p(np.stack([window.z for window in windows]))
        skews = [sum_skewness(window.sizes, bins=window.bins, skewness=window.skewness) for window in windows]
        return skewed_p(np.stack([window.z for window in windows]), np.stack(skews))
    if reference == "cube":
        sums, sizes = (np.concatenate([getattr(window, name) for window in windows]) for name in ("sums", "sizes"))
        tested = np.arange(flat.size, dtype=np.int64)
        found = permutation_p(flat.ravel(), tested, sums, sizes, permutations=permutations, rng=rng, progress=progress)
        return found.reshape(flat.shape)
    p = np.empty(flat.shape)
    for period, window in enumerate(windows):
        pool = flat[window.first : period + 1].ravel()
        tested = np.arange(pool.size - flat.shape[1], pool.size, dtype=np.int64)
        p[period] = permutation_p(pool, tested, window.sums, window.sizes, permutations=permutations, rng=rng)
        progress("patterns.stage_permutations", period + 1, len(windows))
    return p


def _notes(flat: Floats, permutations: int, *, fdr: bool, alpha: float) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """What the reader must know of a cube, shape (periods, cells)."""
    notes: list[tuple[str, Mapping[str, object]]] = []
    periods, empty = len(flat), int((flat == 0).all(axis=1).sum()) if flat.size else 0
    if periods < FEW_PERIODS:
        notes.append(("patterns.note_few_periods", {"periods": periods, "few": FEW_PERIODS}))
    if empty:
        notes.append(("patterns.note_empty_periods", {"empty": empty, "periods": periods}))
    if permutations and fdr:
        smallest = 1 / (permutations + 1)
        needed = int(np.ceil(flat.size * smallest / alpha))
        values = {"permutations": permutations, "smallest": f"{smallest:.3g}", "needed": needed}
        notes.append(("patterns.note_permutations", values))
    return tuple(notes)
