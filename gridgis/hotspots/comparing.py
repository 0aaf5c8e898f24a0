"""Two hot-spot maps of the same places: what appeared, vanished and stayed, how far they agree, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError

Floats = NDArray[np.float64]

# classes run from −3 (cold at 99 %) over 0 to 3 (hot at 99 %)
STEPS: Final = tuple(range(-3, 4))
# (sign before, sign after) -> what happened; the table the code, the docs and the tests read
CHANGES: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (0, 0): "none",
        (0, 1): "appeared",
        (1, 0): "vanished",
        (1, 1): "stayed",
        (0, -1): "cold_appeared",
        (-1, 0): "cold_vanished",
        (-1, -1): "cold_stayed",
        (-1, 1): "cold_to_hot",
        (1, -1): "hot_to_cold",
    }
)
# at this distance from the place a class counts half
HALVING_CELLS: Final = 2.0
Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two maps."""

    places: pd.DataFrame
    """Index of the first map, places both have: `before`, `after` (−3…3), `change` (a value of `CHANGES`), `similarity` (0–1)."""
    table: pd.DataFrame
    """Places by class before (rows) and after (columns), 7 × 7."""
    only_before: int
    """Places only the first map has; they are in no other figure."""
    only_after: int
    """Places only the second map has."""

    @property
    def counts(self) -> dict[str, int]:
        """Places by what happened, every kind named."""
        found = self.places["change"].value_counts()
        return {name: int(found.get(name, 0)) for name in CHANGES.values()}

    @property
    def agreement(self) -> float:
        """Share of places whose class is the same in both; NaN without places."""
        return float((self.places["before"] == self.places["after"]).mean()) if len(self.places) else np.nan

    @property
    def jaccard(self) -> float:
        """Places hot in both over places hot in either; NaN when neither map has a hot spot."""
        counts = self.counts
        either = int(((self.places["before"] > 0) | (self.places["after"] > 0)).sum())
        return counts["stayed"] / either if either else np.nan

    @property
    def similarity(self) -> float:
        """Mean of the places' similarity; NaN without places."""
        return float(self.places["similarity"].mean()) if len(self.places) else np.nan

    def kappa(self, *, weights: Weights = "none") -> float:
        """Cohen's kappa: see `kappa`."""
        return kappa(self.table.to_numpy(), weights=weights)

    def to_json(self) -> dict[str, Any]:
        """Every figure, for `--json`."""
        return {
            "places": len(self.places),
            "only_before": self.only_before,
            "only_after": self.only_after,
            "changes": self.counts,
            "agreement": self.agreement,
            "kappa": self.kappa(),
            "kappa_linear": self.kappa(weights="linear"),
            "kappa_quadratic": self.kappa(weights="quadratic"),
            "jaccard_hot": self.jaccard,
            "similarity": self.similarity,
            "table": {"classes": list(STEPS), "rows": self.table.to_numpy().tolist()},
        }


def compare(before: pd.Series, after: pd.Series) -> Comparison:
    """What changed from one hot-spot map to another.

    1. Places are matched by the index; those in one map alone are counted and left out.
    2. A place hot only after has *appeared*, hot only before *vanished*, hot in both *stayed*; the same for cold; a place
       that went from one to the other is told apart. Steps of certainty (90, 95, 99 %) make no change of this kind.
    3. Similarity of a place is 1 − |after − before| / 6: 1 for the same class, 0 from hot at 99 % to cold at 99 %.
       `similarity_map` looks at the surroundings too.

    Parameters
    ----------
    before, after
        Classes −3…3 by place, whole numbers; an index without repeats.

    Raises
    ------
    DataError
        If a class is none of the seven, an index has repeats, or the maps share no place.

    Examples
    --------
    >>> found = compare(pd.Series({"a": 3, "b": 0, "c": 2, "d": 0}), pd.Series({"a": 2, "b": 1, "c": 0, "d": 0}))
    >>> found.places["change"].tolist(), found.agreement, round(found.kappa(), 3)
    (['stayed', 'appeared', 'vanished', 'none'], 0.25, -0.091)
    """
    if before.index.has_duplicates or after.index.has_duplicates:
        raise DataError("hotspot_auto.compare_repeats")
    shared = before.index[before.index.isin(after.index)]
    if len(shared) == 0:
        raise DataError("hotspot_auto.compare_nothing_shared", before=len(before), after=len(after))
    first, second = _steps(before.loc[shared]), _steps(after.loc[shared])
    names = np.empty((3, 3), dtype=object)
    for (old, new), name in CHANGES.items():
        names[old + 1, new + 1] = name
    places = pd.DataFrame(
        {
            "before": first,
            "after": second,
            "change": names[np.sign(first) + 1, np.sign(second) + 1],
            "similarity": 1 - np.abs(second - first) / 6,
        },
        index=shared,
    )
    flat = np.bincount((first + 3) * 7 + second + 3, minlength=49).reshape(7, 7)
    table = pd.DataFrame(flat, index=pd.Index(STEPS, name="before"), columns=pd.Index(STEPS, name="after"))
    return Comparison(places, table, len(before) - len(shared), len(after) - len(shared))


def kappa(table: ArrayLike, *, weights: Weights = "none") -> float:
    """Cohen's kappa of a square table of counts: agreement beyond what the two maps' class shares would give by chance.

    1 is full agreement, 0 what chance gives, below 0 less than chance. Weighted, a disagreement counts by the steps
    between the classes (`linear`) or their square (`quadratic`). NaN when chance alone already agrees fully (both maps
    hold one and the same class only), for then nothing can be beyond it.

    Cohen (1960), Educational and Psychological Measurement 20, 37–46; weighted: Cohen (1968), Psychological Bulletin 70,
    213–220.

    >>> round(kappa([[20, 5], [10, 15]]), 3), kappa([[7, 0], [0, 0]])
    (0.4, nan)
    """
    seen = np.asarray(table, dtype=np.float64)
    total = seen.sum()
    at = np.arange(len(seen))
    steps = np.abs(at[:, None] - at[None, :]).astype(np.float64)
    cost = {"none": (steps > 0).astype(np.float64), "linear": steps, "quadratic": steps**2}[weights]
    if total == 0:
        return float("nan")
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / total
    expected = float((cost * chance).sum())
    return 1 - float((cost * seen).sum()) / expected if expected > 0 else float("nan")


def similarity_map(before: ArrayLike, after: ArrayLike, mask: ArrayLike, *, halving_cells: float = HALVING_CELLS) -> Floats:
    """How alike two maps on one lattice are around every cell, 0–1: a hot spot that moved by a cell is nearly the same.

    A cell's class is compared with the classes near it in the other map, each weakened by its distance d (cells) to
    2^(−d / halving): the best of (1 − |difference| / 6) · 2^(−d / halving). That is done both ways, and the lower of the two
    is the cell's similarity (fuzzy set comparison: Hagen 2003, International Journal of Geographical Information Science
    17(3), 235–249).

    Parameters
    ----------
    before, after
        Classes −3…3, shape (rows, columns).
    mask
        Cells that exist, same shape; the others are NaN in the answer.
    halving_cells
        Distance at which a class counts half, in cells.

    Examples
    --------
    >>> import numpy as np
    >>> old, new = np.array([[3, 0, 0, 0]]), np.array([[0, 3, 0, 0]])
    >>> similarity_map(old, new, np.ones((1, 4), bool)).round(2).tolist()
    [[0.71, 0.71, 1.0, 1.0]]
    """
    here = np.asarray(mask, dtype=bool)
    first, second = np.asarray(before, dtype=np.int64), np.asarray(after, dtype=np.int64)
    if first.shape != here.shape or second.shape != here.shape:
        raise DataError("hotspot_auto.compare_shapes", before=first.shape, after=second.shape)
    both = np.minimum(_one_way(first, second, here, halving_cells), _one_way(second, first, here, halving_cells))
    return np.where(here, both, np.nan)


def _one_way(own: NDArray[np.int64], other: NDArray[np.int64], mask: NDArray[np.bool_], halving: float) -> Floats:
    from scipy.ndimage import distance_transform_edt

    best = np.zeros(own.shape)
    for step in STEPS:
        there = mask & (other == step)
        if there.any():
            near = np.exp2(-distance_transform_edt(~there) / halving)
            best = np.maximum(best, near * (1 - np.abs(own - step) / 6))
    return best


def _steps(classes: pd.Series) -> NDArray[np.int64]:
    values = pd.to_numeric(classes, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isin(values, STEPS)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError("hotspot_auto.compare_class", place=classes.index[at], value=classes.iloc[at])
    return values.astype(np.int64)
