"""How well yesterday's hot spots caught today's incidents: hit rate, PAI and PEI by share of the area, with the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError

Floats = NDArray[np.float64]

SHARES: Final = (0.01, 0.02, 0.05, 0.10, 0.20)


@dataclass(frozen=True, slots=True)
class Caught:
    """What a part of the area caught."""

    share: float
    """Its share of the whole area, 0–1."""
    cells: float
    """Its size in cells; a share may end inside a cell."""
    hits: float
    """Incidents of the later period inside it."""
    hit_rate: float
    """hits / all incidents; NaN without incidents."""
    pai: float
    """Prediction accuracy index, hit rate / share of area: 1 is what chance gives. NaN without incidents or area."""
    pei: float
    """Prediction efficiency index, hits / the most an area of that size could have caught, 0–1. NaN without incidents or area."""

    def to_json(self) -> dict[str, float]:
        """All fields."""
        return {name: getattr(self, name) for name in ("share", "cells", "hits", "hit_rate", "pai", "pei")}


@dataclass(frozen=True, slots=True)
class Score:
    """How well a risk map caught the incidents that came after it."""

    rows: tuple[Caught, ...]
    """One for every share of the area that was asked for."""
    hot: Caught | None
    """The cells called hot; None when the map says of none whether it is, or calls none hot."""
    curve: pd.DataFrame
    """`area_share`, `hit_rate`, `best`: cells by falling risk, and the same for the best possible map; from 0 to 1."""
    cells: int
    """All cells."""
    incidents: float
    """All incidents of the later period in them."""

    @property
    def area_under_curve(self) -> float:
        """Area under the curve, 0–1: 0.5 is what chance gives; NaN without incidents."""
        return float(np.trapezoid(self.curve["hit_rate"], self.curve["area_share"]))

    @property
    def best_area_under_curve(self) -> float:
        """The same for the best map there could have been."""
        return float(np.trapezoid(self.curve["best"], self.curve["area_share"]))

    def to_json(self) -> dict[str, Any]:
        """Every figure but the curve's hundreds of points: at most 101 of them."""
        at = np.unique(np.linspace(0, len(self.curve) - 1, 101).round().astype(int))
        return {
            "cells": self.cells,
            "incidents": self.incidents,
            "shares": [row.to_json() for row in self.rows],
            "hot": None if self.hot is None else self.hot.to_json(),
            "area_under_curve": self.area_under_curve,
            "best_area_under_curve": self.best_area_under_curve,
            "curve": {name: self.curve[name].iloc[at].tolist() for name in self.curve},
        }


def score(risk: ArrayLike, later: ArrayLike, *, shares: Sequence[float] = SHARES, hot: ArrayLike | None = None) -> Score:
    """PAI, PEI and hit rate of a risk map against later incidents, on cells of equal area.

    1. Cells are taken by falling risk. Cells of equal risk come together, and a share that ends among them (or inside a
       cell) takes that part of them and of their incidents: the mean over every order there is, so that none decides.
    2. hit rate = hits / all incidents; PAI = hit rate / share of area (Chainey, Tompson & Uhlig 2008).
    3. PEI = PAI / the PAI of the best map (Hunt 2016): the best map of the same area is the one that takes the cells by
       falling number of the later incidents themselves, so PEI = hits / the incidents of the fullest cells of that area.
    4. `hot` is scored as an area of its own, whatever its size.

    Parameters
    ----------
    risk
        What the earlier period says of each cell (its z, density or count), shape (n,); NaN: nothing, so last of all.
    later
        Incidents of the later period in each cell, not negative, shape (n,).
    shares
        Shares of the area to report, above 0 and at most 1.
    hot
        Which cells the earlier period called hot.

    Raises
    ------
    DataError
        If there is no cell, lengths differ, a count is negative, or a share is not in (0, 1].

    References
    ----------
    Chainey, S., Tompson, L. & Uhlig, S. (2008): The utility of hotspot mapping for predicting spatial patterns of crime.
    Security Journal 21, 4–28. Hunt, J. M. (2016): Do crime hot spots move? Dissertation, American University.

    Examples
    --------
    >>> found = score([9, 5, 1, 0], [6, 1, 3, 0], shares=[0.25, 0.5])
    >>> [(row.hits, row.hit_rate, row.pai, round(row.pei, 3)) for row in found.rows]
    [(6.0, 0.6, 2.4, 1.0), (7.0, 0.7, 1.4, 0.778)]
    """
    order_by, count = np.asarray(risk, dtype=np.float64).ravel(), np.asarray(later, dtype=np.float64).ravel()
    if len(order_by) == 0 or len(order_by) != len(count):
        raise DataError("hotspot_auto.score_shapes", risk=len(order_by), later=len(count))
    if not (count >= 0).all():
        raise DataError("hotspot_auto.score_negative")
    for share in shares:
        if not 0 < share <= 1:
            raise DataError("hotspot_auto.score_share", share=share)
    number, hits = _steps(order_by, count)
    best_number, best_hits = _steps(count, count)
    total = float(count.sum())
    caught = [
        _caught(share * len(count), np.interp(share * len(count), number, hits), best_number, best_hits) for share in shares
    ]
    called = None
    if hot is not None:
        inside = np.asarray(hot, dtype=bool).ravel()
        if len(inside) != len(count):
            raise DataError("hotspot_auto.score_shapes", risk=len(inside), later=len(count))
        if inside.any():
            called = _caught(float(inside.sum()), float(count[inside].sum()), best_number, best_hits)
    # the best map bends at other places than the map: the curve has both
    at = np.union1d(number, best_number)
    whole = total if total > 0 else np.nan
    curve = pd.DataFrame(
        {
            "area_share": at / len(count),
            "hit_rate": np.interp(at, number, hits) / whole,
            "best": np.interp(at, best_number, best_hits) / whole,
        }
    )
    return Score(tuple(caught), called, curve, len(count), total)


def _steps(risk: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Cells and incidents so far after each group of equal risk, by falling risk, from 0."""
    order = np.argsort(np.where(np.isnan(risk), -np.inf, risk), kind="stable")[::-1]
    ranked = np.where(np.isnan(risk), -np.inf, risk)[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    number = np.arange(1, len(risk) + 1, dtype=np.float64)[last]
    hits = np.cumsum(count[order])[last]
    return np.concatenate([[0.0], number]), np.concatenate([[0.0], hits])


def _caught(cells: float, hits: float, best_number: Floats, best_hits: Floats) -> Caught:
    everything, whole = float(best_hits[-1]), float(best_number[-1])
    share = cells / whole
    best = float(np.interp(cells, best_number, best_hits))
    rate = float(hits) / everything if everything > 0 else np.nan
    return Caught(share, cells, float(hits), rate, rate / share, float(hits) / best if best > 0 else np.nan)
