"""Units made ready for search: numbers of units, open borders as sparse rows, connected pieces, and who holds what today."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from gridgis.balance.units import Floats, Ints, Mask, Units
from gridgis.errors import DataError

# a metre of border along a street counts this part of another one
STREET: Final = 0.3
# a border through what would rather stay whole counts this many times as much
PARTED: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What the search works on; a border is there twice, once from each side, ordered by the unit it is seen from."""

    units: Units
    unit: Floats
    """Shape (n, 5): load, area m², perimeter m, whether it holds a seed, 1."""
    ptr: Ints
    """Shape (n + 1,): where each unit's borders begin."""
    nbr: Ints
    """The unit across each border, shape (2p,)."""
    source: Ints
    """The unit it is seen from."""
    length: Floats
    """Metres."""
    cut: Floats
    """Metres that count as a cost if grids part there."""
    usable: Mask
    """Whether a grid may hang together across it."""
    piece: Ints
    """Connected piece of each unit, 0 …; −1: in a locked grid. Shape (n,)."""
    pieces: int
    """How many there are."""
    now: Ints
    """Position of today's grid in `labels`, −1: none. Shape (n,)."""
    labels: tuple[str, ...]
    """Today's grids."""

    def totals(self) -> Floats:
        """Load of each piece."""
        free = self.piece >= 0
        return np.bincount(self.piece[free], self.unit[free, 0], minlength=self.pieces).astype(np.float64)

    def sizes(self) -> Ints:
        """Units of each piece."""
        return np.bincount(self.piece[self.piece >= 0], minlength=self.pieces)

    def seeds(self) -> Ints:
        """Seeds in each piece."""
        free = self.piece >= 0
        return np.bincount(self.piece[free], self.unit[free, 3], minlength=self.pieces).astype(np.int64)

    def name(self, piece: int) -> str:
        """What a message calls a piece: its village if it has one, with its first unit if the village is in several."""
        first = int(np.flatnonzero(self.piece == piece)[0])
        group = self.units.group_names[self.units.groups[first]] if len(self.units.group_names) > 1 else ""
        several = len(np.unique(self.piece[(self.units.groups == self.units.groups[first]) & (self.piece >= 0)])) > 1
        unit = str(self.units.index[first])
        return (f"{group} ({unit} …)" if several else group) if group else f"{unit} …"

    def loads(self, part: Ints, parts: int) -> Floats:
        """Load of each part, shape (parts,)."""
        free = part >= 0
        return np.bincount(part[free], self.unit[free, 0], minlength=parts).astype(np.float64)

    def stats(self, part: Ints, parts: int) -> Floats:
        """Shape (parts, 5): load, area, perimeter, seeds and number of units of each part; units at −1 are in none."""
        free = part >= 0
        columns = [np.bincount(part[free], self.unit[free, i], minlength=parts) for i in range(5)]
        inner = (part[self.source] == part[self.nbr]) & (part[self.source] >= 0)
        columns[2] -= np.bincount(part[self.source][inner], self.length[inner], minlength=parts)
        return np.ascontiguousarray(np.column_stack(columns))


def prepared(
    units: Units,
    load: Floats,
    *,
    seeds: Collection[Hashable] | None = None,
    locked: Collection[Hashable] | None = None,
    current: pd.Series | Mapping[Hashable, Hashable] | None = None,
    mix_groups: bool = False,
) -> Problem:
    """Units made ready for search.

    Parameters
    ----------
    units, load
        The units and the work of each, shape (n,).
    seeds
        Units that have to be in grids of their own.
    locked
        Today's grids whose units stay where they are.
    current
        Today's grid of each unit; null or missing: none.
    mix_groups
        Whether a grid may hold units of several groups.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.balance.units import units_from
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> prepared(units, units.load()).totals()
    array([12.])
    """
    n = len(units)
    now, labels = _now(units, current)
    seeded = np.zeros(n)
    seeded[_positions(units, seeds or ())] = 1.0
    held = np.isin(now, _codes(labels, locked or ()))
    left, right = units.pairs["left"].to_numpy(np.int64), units.pairs["right"].to_numpy(np.int64)
    usable = units.open_pairs(mix_groups=mix_groups) & ~held[left] & ~held[right]
    length = units.pairs["length_m"].to_numpy(np.float64)
    cost = length - (1.0 - STREET) * units.pairs["street_m"].to_numpy(np.float64)
    together = (units.whole[left] == units.whole[right]) & (units.whole[left] >= 0)
    cost[together] *= PARTED
    source, nbr = np.r_[left, right], np.r_[right, left]
    order = np.lexsort((nbr, source))
    twice = (np.tile(column, 2)[order] for column in (length, cost, usable))
    graph = sparse.coo_array((np.ones(usable.sum()), (left[usable], right[usable])), shape=(n, n))
    piece = sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    kept, numbered = np.unique(piece[~held], return_inverse=True)
    piece = np.full(n, -1)
    piece[~held] = numbered
    metres, costs, crossable = twice
    return Problem(
        units=units, unit=np.column_stack([load, units.area_m2, units.perimeter_m, seeded, np.ones(n)]),
        ptr=np.r_[0, np.cumsum(np.bincount(source, minlength=n))], nbr=nbr[order], source=source[order], length=metres,
        cut=costs, usable=crossable, piece=piece, pieces=len(kept), now=now, labels=labels,
    )  # fmt: skip


def _now(units: Units, current: pd.Series | Mapping[Hashable, Hashable] | None) -> tuple[Ints, tuple[str, ...]]:
    if current is None:
        return np.full(len(units), -1), ()
    series = pd.Series(current).reindex(units.index)
    text = series.astype(str).where(series.notna(), None)
    codes, labels = pd.factorize(text, sort=True)
    return codes.astype(np.int64), tuple(map(str, labels))


def _codes(labels: tuple[str, ...], locked: Collection[Hashable]) -> NDArray[np.int64]:
    for label in locked:
        if str(label) not in labels:
            raise DataError("balance.no_grid", grid=label)
    return np.array([labels.index(str(label)) for label in locked], dtype=np.int64)


def _positions(units: Units, seeds: Collection[Hashable]) -> Ints:
    at = units.index.get_indexer(pd.Index(list(seeds), dtype=units.index.dtype) if len(seeds) else units.index[:0])
    if (at < 0).any():
        raise DataError("balance.no_unit", unit=list(seeds)[int(np.argmin(at))])
    return at.astype(np.int64)
