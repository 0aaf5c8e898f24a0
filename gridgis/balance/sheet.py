"""How well grids keep the rules of division, from the units and the assignment alone, so that anyone can work it out again."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from gridgis.balance.units import Mask, Units
from gridgis.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Rules of division and how an assignment keeps them; metres and m² of the plane."""

    grids: pd.DataFrame
    """One row for each grid, index `grid`: `load`, every weight, `units`, `area_m2`, `perimeter_m`, `compactness`
    (Polsby-Popper, 4π·area/perimeter², 1 for a circle), `in_bounds`, `contiguous`, `groups`, `kept` (units it has today)."""
    low: float
    """Lower bound of the load; 0: none."""
    high: float
    """Upper bound; infinite: none."""
    unassigned: int
    """Units in no grid."""
    mixed: int
    """Grids with units of several groups."""
    deviation: float
    """Standard deviation of the loads divided by their mean."""
    spread: float
    """Largest relative distance of a load from the mean."""
    compactness: float
    """Mean Polsby-Popper score of the grids."""
    cut_m: float
    """Border between grids."""
    street_share: float
    """Share of `cut_m` that runs along streets; NaN without such border."""
    whole_kept: int
    """Things that would rather stay whole (natural villages) and lie in one grid."""
    whole_total: int
    """All of them."""
    kept_share: float
    """Share of the units in a grid today that stay in it; NaN without today's grids."""
    moved_load: float
    """Load of the units that change their grid; NaN without today's grids."""

    @property
    def in_bounds(self) -> bool:
        """Whether every load is within the bounds."""
        return bool(self.grids["in_bounds"].all())

    @property
    def contiguous(self) -> bool:
        """Whether every grid hangs together across open borders."""
        return bool(self.grids["contiguous"].all())

    @property
    def keeps_hard_rules(self) -> bool:
        """Contiguous, every unit assigned, within bounds; mixing is counted apart, as it may be allowed."""
        return self.in_bounds and self.contiguous and self.unassigned == 0

    def to_json(self) -> dict[str, Any]:
        """The sheet as JSON; figures that mean nothing here are null."""
        loads = self.grids["load"]
        return {
            "grids": len(self.grids),
            "bounds": {"low": self.low, "high": _number(self.high), "kept": self.in_bounds},
            "load": {"min": _number(loads.min()), "mean": _number(loads.mean()), "max": _number(loads.max())},
            "contiguous": self.contiguous, "unassigned": self.unassigned, "mixed": self.mixed,
            "deviation": _number(self.deviation), "spread": _number(self.spread),
            "compactness": _number(self.compactness), "cut_m": self.cut_m, "street_share": _number(self.street_share),
            "whole": {"kept": self.whole_kept, "of": self.whole_total},
            "change": {"kept_share": _number(self.kept_share), "moved_load": _number(self.moved_load)},
        }  # fmt: skip


def sheet(
    units: Units,
    assignment: pd.Series,
    *,
    current: pd.Series | Mapping[Hashable, Hashable] | None = None,
    low: float = 0.0,
    high: float = math.inf,
    weights: Mapping[str, float] | None = None,
    mix_groups: bool = False,
) -> Sheet:
    """The sheet of an assignment of units to grids.

    Parameters
    ----------
    units
        What the grids are put together from.
    assignment
        The grid of each unit, on the units' index; null: in none.
    current
        Today's grid of each unit; null or missing: none.
    low, high
        Bounds of the load.
    weights
        Factor of each weight; None: every weight once.
    mix_groups
        Whether a grid may hang together across the border of two groups.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.balance.units import units_from
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> made = sheet(units, pd.Series(["a", "a", "b"], index=units.index), low=5, high=6)
    >>> made.grids["load"].to_dict(), made.keeps_hard_rules, made.cut_m, round(float(made.grids.at["b", "compactness"]), 3)
    ({'a': 6.0, 'b': 6.0}, True, 300.0, 0.698)
    """
    if not units.index.isin(assignment.index).all():
        raise DataError("balance.no_unit", unit=units.index[~units.index.isin(assignment.index)][0])
    wanted = assignment.reindex(units.index)
    there = wanted.notna().to_numpy()
    code, names = pd.factorize(wanted.astype(str).where(wanted.notna(), None), sort=True)
    inside = _inner(units, code)
    grids = _grids(units, code, names, inside, units.open_pairs(mix_groups=mix_groups), weights)
    grids["in_bounds"] = _within(grids["load"].to_numpy(), low, high)
    now = None if current is None else pd.Series(current).reindex(units.index)
    kept_share, moved = math.nan, math.nan
    if now is not None:
        held = now.notna().to_numpy()
        same = held & there & (now.astype(str) == wanted.astype(str)).to_numpy()
        kept_share = float(same.sum() / held.sum()) if held.any() else math.nan
        moved = float(units.load(weights)[held & ~same].sum())
        grids["kept"] = np.bincount(code[same], minlength=len(names))
    length, street = units.pairs["length_m"].to_numpy(), units.pairs["street_m"].to_numpy()
    kept, total = _whole(units, code)
    mean = float(grids["load"].mean())
    off = np.abs(grids["load"].to_numpy() - mean) / mean if mean > 0 else np.zeros(len(grids))
    border = float(length[~inside].sum())
    return Sheet(
        grids=grids, low=low, high=high, unassigned=int((~there).sum()), mixed=int((grids["groups"] > 1).sum()),
        deviation=float(np.sqrt(np.mean(off**2))) if len(off) else math.nan, spread=float(off.max(initial=0.0)),
        compactness=float(grids["compactness"].mean()), cut_m=border,
        street_share=float(street[~inside].sum() / border) if border else math.nan,
        whole_kept=kept, whole_total=total, kept_share=kept_share, moved_load=moved,
    )  # fmt: skip


def _inner(units: Units, code: NDArray[np.int64]) -> Mask:
    """Pairs inside one grid."""
    left, right = units.pairs["left"].to_numpy(), units.pairs["right"].to_numpy()
    inside: Mask = (code[left] == code[right]) & (code[left] >= 0)
    return inside


def _grids(
    units: Units,
    code: NDArray[np.int64],
    names: pd.Index,
    inside: Mask,
    usable: Mask,
    weights: Mapping[str, float] | None,
) -> pd.DataFrame:
    count, there = len(names), code >= 0
    left, right = units.pairs["left"].to_numpy(), units.pairs["right"].to_numpy()

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(code[there], values[there], minlength=count).astype(np.float64)

    table = pd.DataFrame({"load": total(units.load(weights))}, index=pd.Index(names, name="grid"))
    for name in units.weights:
        table[name] = total(units.weights[name].to_numpy(dtype=np.float64))
    table["units"] = np.bincount(code[there], minlength=count)
    table["area_m2"] = total(units.area_m2)
    shared = np.bincount(code[left[inside]], units.pairs["length_m"].to_numpy()[inside], minlength=count)
    table["perimeter_m"] = total(units.perimeter_m) - 2 * shared
    table["compactness"] = 4 * math.pi * table["area_m2"] / table["perimeter_m"] ** 2
    tied = inside & usable
    graph = sparse.coo_array((np.ones(tied.sum()), (left[tied], right[tied])), shape=(len(units), len(units)))
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    table["contiguous"] = _distinct(code[there], piece[there], count) == 1
    table["groups"] = _distinct(code[there], units.groups[there], count)
    return table


def _distinct(code: NDArray[np.int64], value: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number of different values in each grid."""
    return np.bincount(np.unique(np.column_stack([code, value]), axis=0)[:, 0], minlength=count)


def _whole(units: Units, code: NDArray[np.int64]) -> tuple[int, int]:
    known = units.whole >= 0
    if not known.any():
        return 0, 0
    parts = _distinct(units.whole[known], code[known], int(units.whole.max()) + 1)
    return int((parts == 1).sum()), int((parts > 0).sum())


def _within(loads: NDArray[np.float64], low: float, high: float) -> Mask:
    # loads are sums of floats: rounding breaks no bound
    some = 1e-9 * (1.0 + np.abs(loads))
    return np.asarray((loads >= low - some) & (loads <= high + some))


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
