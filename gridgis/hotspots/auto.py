"""Parameters chosen from the data by stated rules, each with its reason in words: cell size, distance band, bandwidth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.hotspots.band import Band, neighbour_count
from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.moran_i import moran
from gridgis.progress import Progress, silent
from gridgis.text import LANGS, Lang, number, t

Floats = NDArray[np.float64]
Kernel = Literal["quartic", "gaussian"]

# sizes a planner would name: these times a power of ten
_NICE: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5)
LEAST_CELL_M: Final = 10
MOST_CELLS: Final = 250_000
# bands tried, in cells: from the ring of eight neighbours to 112 of them; wider ones smooth a town into one spot
BANDS: Final = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
# a peak of z below this may be chance
_CLEAR: Final = 1.96
# 28 neighbours: near the 30 from which sums of skewed counts may be taken as normal
DEFAULT_BAND: Final = 3.0
# a quartic kernel of radius R spreads as far as a Gaussian of σ = R / √8: both have that standard deviation on each axis
QUARTIC: Final = math.sqrt(8.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter and why it has its value."""

    parameter: str
    """`cell_m`, `band_m` or `bandwidth_m`."""
    value: float
    """Its value, metres."""
    reason_key: str
    """Message that says why."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What fills the message's placeholders."""
    chosen: bool = True
    """Whether the rule chose it; False: it was given."""

    def message(self, lang: Lang) -> str:
        """The reason in words.

        >>> given("cell_m", 500).message("en")
        'Cells of 500 m, as given.'
        """
        told = {name: number(value, digits=_digits(value)) if isinstance(value, (int, float)) else value
                for name, value in self.values.items()}  # fmt: skip
        return t(self.reason_key, lang, **told)

    def to_json(self) -> dict[str, Any]:
        """The parameter, its value, whether a rule chose it, and the reason in both languages."""
        words: dict[str, Any] = {lang: self.message(lang) for lang in LANGS}
        return {"parameter": self.parameter, "value": self.value, "chosen": self.chosen, **words}


def given(parameter: Literal["cell_m", "band_m", "bandwidth_m"], value: float) -> Choice:
    """The choice of a user.

    >>> given("band_m", 1000).to_json()["chosen"]
    False
    """
    return Choice(parameter, value, f"hotspot_auto.given_{parameter}", {"value": value}, chosen=False)


def nice(value: float) -> float:
    """The size nearest by ratio to a value among 1, 1.5, 2, 2.5, 3, 4, 5, 7.5 and ten, a hundred … times those.

    >>> [nice(value) for value in (637.0, 96.0, 1.2)]
    [750.0, 100.0, 1.0]
    """
    power = 10.0 ** math.floor(math.log10(value))
    sizes = [factor * scale for scale in (power, 10 * power) for factor in _NICE]
    return min(sizes, key=lambda size: abs(math.log(size / value)))


def choose_cell(
    x: ArrayLike, y: ArrayLike, *, area_m2: float, most_cells: int = MOST_CELLS, smooth_m: float | None = None
) -> Choice:
    """The side of a cell: √(2 · area / places), so that a cell holds two places on average, as a round number.

    1. Places, not points: thousands of incidents on one anonymised spot say nothing about how finely space is known.
    2. Twice the area per place is the size quadrat counts are made with (Wong & Lee 2005, Statistical Analysis of
       Geographic Information, ch. 5): smaller cells are mostly empty, larger ones hide what is inside.
    3. Never under 10 m, and never so small that there are more than `most_cells`.

    Parameters
    ----------
    x, y
        Coordinates in metres, shape (n,); not finite: passed over.
    area_m2
        The study area in square metres.
    smooth_m
        For a density map: the side wished for, which the kernel decides and not the number of places; rule 3 still holds.

    Raises
    ------
    DataError
        If there is no point or no area.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> choose_cell(rng.uniform(0, 10_000, 2_000), rng.uniform(0, 10_000, 2_000), area_m2=1e8).value
    300
    """
    places = len(_places(x, y))
    if places == 0 or not area_m2 > 0:
        raise DataError("hotspot_auto.nothing_to_choose_from", points=places, area_m2=number(area_m2))
    wish = math.sqrt(2 * area_m2 / places) if smooth_m is None else smooth_m
    kept, grown = ("hotspot_auto.cell", "hotspot_auto.cell_limit")
    if smooth_m is not None:
        kept, grown = ("hotspot_auto.cell_smooth", "hotspot_auto.cell_smooth_limit")
    values = {"places": places, "km2": area_m2 / 1e6, "wish": wish}
    least = max(LEAST_CELL_M, math.sqrt(area_m2 / most_cells))
    size = nice(wish)
    if size >= least:
        return Choice("cell_m", round(size), kept, {**values, "value": round(size)})
    size = nice(least)
    while size < least:  # the next round size up, so that the limit holds
        size = nice(size * 1.3)
    return Choice("cell_m", math.ceil(size), grown, {**values, "value": math.ceil(size)})


def choose_band(cells: CellSet, counts: ArrayLike, *, bands: Sequence[float] = BANDS, progress: Progress = silent) -> Choice:
    """The distance band: where the counts of neighbouring cells hang together most, told by Moran's I.

    1. The z-value of global Moran's I is taken with bands of 1.5, 2, 2.5, 3, 4, 5 and 6 cells (as far as half the lattice's
       shorter side). It grows as long as a wider band takes in more of the same clusters, and falls when it reaches beyond.
    2. The first peak above 1.96 is the band (incremental spatial autocorrelation).
    3. Without a peak, or where no two cells differ, it is 3 cells, which gives 28 neighbours.

    Parameters
    ----------
    cells
        The cells.
    counts
        Counts or rates, shape (rows, columns); NaN: none.
    bands
        Bands to try, in cells, rising.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.hotspots.cells import cells_within
    >>> cells = cells_within(toy.grids(), cell_m=10)
    >>> choose_band(cells, np.zeros(cells.mask.shape)).value
    30.0
    """
    values = np.asarray(counts, dtype=np.float64)
    side = cells.lattice.cell_m
    mask = cells.mask & np.isfinite(values)
    inside = values[mask]
    reach = max(min(cells.mask.shape) / 2, bands[0])
    tried = [band for band in bands if band <= reach]
    together = neighbour_count(mask, Band(side, tried[0] * side)).max() > 1
    if len(inside) > 3 and inside.min() != inside.max() and together:
        z: list[float] = []
        for done, band in enumerate(tried):
            progress("hotspot_auto.stage_band", done, len(tried))
            z.append(float(moran(cells, values, band_m=band * side).z))
            if len(z) > 1 and z[-2] > _CLEAR and z[-1] < z[-2]:
                best = tried[len(z) - 2]
                told = {"value": best * side, "z": z[-2], "neighbours": Band(side, best * side).size - 1}
                return Choice("band_m", best * side, "hotspot_auto.band_peak", told)
    told = {"value": DEFAULT_BAND * side, "neighbours": Band(side, DEFAULT_BAND * side).size - 1}
    return Choice("band_m", DEFAULT_BAND * side, "hotspot_auto.band_default", told)


def choose_bandwidth(x: ArrayLike, y: ArrayLike, *, kernel: Kernel = "quartic") -> Choice:
    """The bandwidth of a density map by the rule of thumb for points on a map, with a spread that outliers do not move.

    1. Radius = 0.9 · min(SD, √(1 / ln 2) · D) · n^(−1/5) for n places; SD is their standard distance (root of the mean square
       distance from their centre), D the median distance from it: Silverman's rule (1986, Density Estimation, eq. 3.31) as
       Esri's "How Kernel Density works" carries it over to the plane.
    2. That is the radius of a quartic kernel. A Gaussian kernel gets σ = radius / √8, which spreads equally far.
    3. Places count once each however many points they hold: ties would pull the median onto themselves. One place alone has
       no spread: it gets 100 m. The value is given to two digits.

    >>> rng = np.random.default_rng(1)
    >>> x, y = rng.normal(0, 1000, (2, 4096))
    >>> choose_bandwidth(x, y).value, choose_bandwidth(x, y, kernel="gaussian").value
    (240.0, 85.0)
    """
    places = _places(x, y)
    if len(places) == 0:
        raise DataError("hotspot_auto.nothing_to_choose_from", points=0, area_m2="–")
    distance = np.hypot(*(places - places.mean(axis=0)).T)
    standard, median = float(np.sqrt(np.mean(distance**2))), float(np.median(distance)) * math.sqrt(1 / math.log(2))
    spread = min(standard, median) if median > 0 else standard
    if spread == 0:
        return Choice("bandwidth_m", 100.0, "hotspot_auto.bandwidth_alone", {"value": 100.0})
    wish = 0.9 * spread * len(places) ** -0.2 / (QUARTIC if kernel == "gaussian" else 1.0)
    value = float(f"{wish:.1e}")
    reason = "hotspot_auto.bandwidth_gaussian" if kernel == "gaussian" else "hotspot_auto.bandwidth_quartic"
    return Choice("bandwidth_m", value, reason, {"value": value, "places": len(places), "spread": spread})


def _places(x: ArrayLike, y: ArrayLike) -> Floats:
    """The distinct places of points, shape (n, 2)."""
    xy = np.column_stack([np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()])
    xy = xy[np.isfinite(xy).all(axis=1)]
    # complex numbers sort and compare as pairs, several times faster than rows
    distinct = np.unique(xy[:, 0] + 1j * xy[:, 1])
    return np.column_stack([distinct.real, distinct.imag])


def _digits(value: float) -> int:
    if isinstance(value, int) or abs(value) >= 100 or float(value).is_integer():
        return 0
    return 1 if abs(value) >= 1 else 3
