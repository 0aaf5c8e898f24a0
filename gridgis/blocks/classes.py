"""How large cells should be: classes of ground by how densely it is built, as a table a user can replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SizeClass:
    """One class of ground and the size of its cells; sizes are multiples of the target area."""

    name: str
    """What the column `klass` says."""
    built: float
    """Least share (0–1) of the land around a cell that is under buildings; −1 for a class of water."""
    target: float
    """Size wished for."""
    low: float
    """Least size in range."""
    high: float
    """Largest size in range; infinite where there is no limit."""


CLASSES: Final = (
    SizeClass("core", 0.15, 1.0, 0.7, 1.3),
    SizeClass("town", 0.04, 2.0, 0.8, 4.0),
    SizeClass("open", 0.0, 5.0, 1.5, 15.0),
    SizeClass("water", -1.0, 10.0, 0.5, float("inf")),
)
# a cell of which more than this share is water is water
_WET: Final = 0.5


@dataclass(frozen=True, slots=True)
class Sizes:
    """The table in square metres, densest class first, water last if there is such a class."""

    names: tuple[str, ...]
    built: Floats
    """Shape (k,): least built share; the classes of land, descending, then water."""
    target: Floats
    """Shape (k,), m²."""
    low: Floats
    """Shape (k,), m²."""
    high: Floats
    """Shape (k,), m²; may be infinite."""

    def of(self, built: Floats, water: Floats) -> Ints:
        """Position of the class of every cell, from its built share and its share of water, shape (n,)."""
        land = int((self.built >= 0).sum())
        place = np.searchsorted(-self.built[:land], -np.asarray(built, dtype=float), side="left")
        place = np.minimum(place, land - 1)
        if land < len(self.names):
            place = np.where(np.asarray(water) > _WET, land, place)
        return place.astype(np.int64)


def sizes(classes: Sequence[SizeClass], target_m2: float) -> Sizes:
    """The classes as sizes in square metres, checked.

    Parameters
    ----------
    classes
        One of land at least, the last of them from a built share of 0; at most one of water.
    target_m2
        What the multiples are of.

    Raises
    ------
    DataError
        If a class's sizes are not 0 ≤ low ≤ target ≤ high, none is for land without buildings, or a name repeats.

    Examples
    --------
    >>> table = sizes(CLASSES, 10_000)
    >>> [table.names[at] for at in table.of(np.array([0.3, 0.0, 0.0]), np.array([0.0, 0.0, 0.9]))]
    ['core', 'open', 'water']
    """
    land = sorted((row for row in classes if row.built >= 0), key=lambda row: -row.built)
    wet = [row for row in classes if row.built < 0]
    names = [row.name for row in classes]
    if not land or land[-1].built > 0 or len(wet) > 1 or len(set(names)) < len(names):
        raise DataError("blocks.classes", names=", ".join(names))
    for row in classes:
        if not (0 <= row.low <= row.target <= row.high and row.target > 0):
            raise DataError("blocks.class_sizes", name=row.name, low=row.low, target=row.target, high=row.high)
    if not (np.isfinite(target_m2) and target_m2 > 0):
        raise DataError("blocks.target", target=target_m2)
    rows = [*land, *wet]
    table = np.array([(row.built, row.target, row.low, row.high) for row in rows], dtype=float)
    return Sizes(
        names=tuple(row.name for row in rows),
        built=table[:, 0],
        target=table[:, 1] * target_m2,
        low=table[:, 2] * target_m2,
        high=table[:, 3] * target_m2,
    )
