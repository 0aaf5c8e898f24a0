"""Several plans side by side: which of them no other one beats in balance, compactness and change at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.balance.improving import STAY
from gridgis.balance.sheet import Sheet

# faults that are the same to a thousandth are the same: nobody wants to choose between such plans
_DIGITS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One way to divide the units."""

    assignment: pd.Series
    """The grid of each unit, as text, on the units' index; named `grid`."""
    sheet: Sheet
    """How it keeps the rules."""
    taste: str
    """What it was searched for: `even`, `compact` or `stay`."""

    def faults(self) -> tuple[float, float, float]:
        """Deviation of the loads, one minus compactness, share of units moved (0 without today's grids): less is better."""
        moved = 1.0 - self.sheet.kept_share
        return self.sheet.deviation, 1.0 - self.sheet.compactness, 0.0 if math.isnan(moved) else moved


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Plans that keep all hard rules, best first; none of them is beaten by another in all three respects."""

    plans: tuple[Plan, ...]
    """At least one."""
    beaten: tuple[Plan, ...]
    """Found on the way and worse than one of `plans` in every respect."""

    @property
    def best(self) -> Plan:
        """The first one."""
        return self.plans[0]

    def frame(self) -> pd.DataFrame:
        """One row for each plan, the beaten ones last: `taste`, `deviation`, `spread`, `compactness`, `cut_m`,
        `kept_share`, `front`.
        """
        rows = [
            {"taste": plan.taste, **{name: getattr(plan.sheet, name) for name in ("deviation", "spread", "compactness", "cut_m")},
             "kept_share": plan.sheet.kept_share, "front": at < len(self.plans)}
            for at, plan in enumerate([*self.plans, *self.beaten])
        ]  # fmt: skip
        return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="plan"))

    def to_json(self) -> list[dict[str, Any]]:
        """The sheets, best first."""
        return [{"taste": plan.taste, **plan.sheet.to_json()} for plan in self.plans]


def ranked(plans: Sequence[Plan], *, taste: str | None = None) -> Plans:
    """Plans in order: the front first, by the sum of their three faults, each divided by the worst of all plans.

    Parameters
    ----------
    plans
        At least one; of equal ones the first counts.
    taste
        Plans searched for this come first within the front; `stay`: the fewer units move, the earlier.

    Examples
    --------
    >>> len(ranked([]).plans)
    0
    """
    if not plans:
        return Plans((), ())
    faults = np.array([plan.faults() for plan in plans])
    scale = np.maximum(faults.max(axis=0), 1e-12)
    score = (faults / scale).sum(axis=1)
    front = undominated(np.round(faults, _DIGITS))
    moved = faults[:, 2] if taste == STAY else np.zeros(len(plans))
    order = sorted(range(len(plans)), key=lambda i: (not front[i], moved[i], plans[i].taste != taste, score[i], i))
    return Plans(tuple(plans[i] for i in order if front[i]), tuple(plans[i] for i in order if not front[i]))


def undominated(faults: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows that no other row beats: as good in every column and better in one; of equal rows the first stays.

    >>> undominated(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [True, True, False, False]
    """
    no_worse = (faults[:, None] <= faults[None, :]).all(axis=2)
    better = (faults[:, None] < faults[None, :]).any(axis=2)
    earlier = np.arange(len(faults))[:, None] < np.arange(len(faults))[None, :]
    beats = no_worse & (better | earlier)
    np.fill_diagonal(beats, val=False)
    return np.asarray(~beats.any(axis=0))
