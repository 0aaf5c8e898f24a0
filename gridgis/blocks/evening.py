"""Evening out: neighbours are taken together and parted anew wherever that brings cells nearer to the size wished for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.classes import Sizes
from gridgis.blocks.density import Density
from gridgis.blocks.faces import borders, components
from gridgis.blocks.network import Lines
from gridgis.blocks.parting import Block, parts_of
from gridgis.blocks.prices import TENTH, border_price, dear_metres, shape_price, size_price
from gridgis.blocks.weaving import fit_together, united
from gridgis.progress import Progress, silent

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Group = tuple[int, ...]

_ROUNDS: Final = 5
# cells are taken together across borders of this mean hold at most, over a common length of so much at least
_FIRM: Final = 0.75
_SHORT_M: Final = 15.0
# a group is no larger than so many targets, and tried if it may gain so much; what gains less is left as it is
_LARGEST: Final = 4.5
_MAY_GAIN: Final = 0.15
_GAIN: Final = 0.05
# groups tried for each cell that is off, in a round
_TRIED: Final = 1.0
# a new border costs at least about so much of a square's side
_LEAST_BORDER: Final = 0.4


@dataclass(frozen=True, slots=True)
class Ground:
    """What cells lie on."""

    lines: Lines
    """Streets, lanes, paths, water edges and plot lines."""
    buildings: Shapes
    """Polygons that stay whole, none overlapping another."""
    table: Sizes
    """Sizes by class."""
    about: Density
    """How densely it is built, and its water."""

    def classes(self, shapes: Shapes) -> Ints:
        """Position of every polygon's class."""
        return self.table.of(self.about.built(shapes), self.about.wet(shapes))


def even(shapes: Shapes, owner: Ints, ground: Ground, *, progress: Progress = silent) -> tuple[Shapes, Ints]:
    """Cells of which those are replaced that are better parted in another way, and their owners.

    A cell out of its class's range, or in the first class not within a tenth of the target, is taken together with up to two
    neighbours across borders that no main street or water holds. What they cost as they are is set against what they would as a
    whole number of cells of about the target (`parting.parts_of`); groups that gain most come first.

    Parameters
    ----------
    shapes
        Polygons that meet with the same vertices, shape (n,).
    owner
        Shape (n,): only cells of one owner are taken together.
    ground
        Lines, buildings, sizes and density.
    progress
        Told of every group tried and can stop the work.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> from gridgis.blocks.density import density
    >>> shapes, nothing = shapely.box([0, 140], [0, 0], [140, 200], [100, 100]), np.array([], dtype=object)
    >>> about = density(shapes, None, None, first_only=True)
    >>> ground = Ground(Lines(nothing, np.array([], dtype=np.int64)), nothing, sizes(CLASSES, 10_000), about)
    >>> shapely.area(even(shapes, np.array([0, 0]), ground)[0]).round(3).tolist()
    [10000.0, 10000.0]
    """
    state = _Cells(shapes, owner, ground)
    for _ in range(_ROUNDS):
        found = state.better(progress)
        if not found:
            break
        state.take(found)
    return state.shapes, state.owner


class _Cells:
    """The cells while they are evened out."""

    def __init__(self, shapes: Shapes, owner: Ints, ground: Ground) -> None:
        self.shapes, self.owner, self.ground = shapes, owner, ground
        self.tree = shapely.STRtree(ground.buildings)
        self.line_tree = shapely.STRtree(ground.lines.shapes)
        # what trying a group gave, by the names of its cells; a cell that changes gets a new name
        self.name = np.arange(len(shapes))
        self.next = len(shapes)
        self.tried: dict[Group, tuple[float, Shapes] | None] = {}

    def better(self, progress: Progress) -> list[tuple[Group, Shapes]]:
        """Groups to be parted anew, none sharing a cell, those that gain most first."""
        groups = self._groups()
        budget = max(20, int(_TRIED * self.off.sum()))
        found: list[tuple[float, Group, Shapes]] = []
        for done, (_, group, parts) in enumerate(groups):
            progress("blocks.stage_even", done, len(groups))
            key = (parts, *sorted(self.name[list(group)].tolist()))
            if key not in self.tried:
                if budget == 0:
                    continue
                budget -= 1
                self.tried[key] = self._parted(group, parts)
            result = self.tried[key]
            if result is not None:
                found.append((-result[0], group, result[1]))
        taken: set[int] = set()
        chosen = []
        for _, group, pieces in sorted(found, key=lambda row: row[:2]):
            if not taken & set(group):
                taken |= set(group)
                chosen.append((group, pieces))
        return chosen

    def take(self, found: list[tuple[Group, Shapes]]) -> None:
        """Put the pieces in place of the groups' cells, and let every neighbour have their vertices."""
        gone = np.array([at for group, _ in found for at in group])
        pieces = np.concatenate([pieces for _, pieces in found])
        owner = np.concatenate([np.full(len(pieces), self.owner[group[0]]) for group, pieces in found])
        name = np.concatenate([np.delete(self.name, gone), self.next + np.arange(len(pieces))])
        owner = np.concatenate([np.delete(self.owner, gone), owner])
        self.next += len(pieces)
        faces, of = fit_together(np.concatenate([np.delete(self.shapes, gone), pieces]))
        shared = borders(faces)
        same = of[shared.left] == of[shared.right]
        self.shapes, first = united(faces, components(len(faces), shared.left[same], shared.right[same]))
        self.owner, self.name = owner[of[first]], name[of[first]]
        # what a neck a hair wide held together is two cells now
        _, once = np.unique(self.name, return_index=True)
        twice = np.setdiff1d(np.arange(len(self.name)), once)
        self.name[twice] = self.next + np.arange(len(twice))
        self.next += len(twice)

    def _groups(self) -> list[tuple[float, Group, int]]:
        """Groups of neighbours that may gain, the most promising first, and in how many parts."""
        table = self.ground.table
        self.area, self.klass = shapely.area(self.shapes), self.ground.classes(self.shapes)
        self.price = size_price(self.area, self.klass, table) + shape_price(self.shapes)
        self.off = (self.area < table.low[self.klass]) | (self.area > table.high[self.klass])
        self.off |= (self.klass == 0) & (np.abs(self.area / table.target[0] - 1) > TENTH)
        left, right, _, dear = dear_metres(self.shapes, self.ground.lines)
        self.between: dict[tuple[int, int], float] = {}
        for a, b, metres in zip(left.tolist(), right.tolist(), dear.tolist(), strict=True):
            self.between[a, b] = self.between.get((a, b), 0.0) + metres
        rows = []
        for group in self._together():
            members = list(group)
            area = float(self.area[members].sum())
            klass = int(self.klass[members][self.area[members].argmax()])
            target = float(table.target[klass])
            if area > _LARGEST * target or (len(group) == 1 and area < float(table.high[klass])):
                continue
            counts = np.arange(max(1, int(area / target / 1.3)), int(area / target / 0.7) + 2)
            borders = border_price(_LEAST_BORDER * np.sqrt(area / counts) * (counts - 1), target)
            prices = counts * size_price(area / counts, klass, table) + borders
            gain = self._price(group, target) - float(prices.min())
            if gain > _MAY_GAIN:
                rows.append((-round(gain / (1 + 0.15 * len(group)), 9), group, int(counts[prices.argmin()])))
        return sorted(rows)

    def _together(self) -> set[Group]:
        """Cells that are off, alone and with one and two neighbours of their owner across borders that may be given up."""
        shared = borders(self.shapes, self.ground.lines)
        loose = (shared.length > _SHORT_M) & (shared.held < _FIRM * shared.length)
        loose &= self.owner[shared.left] == self.owner[shared.right]
        near: dict[int, set[int]] = {at: set() for at in range(len(self.shapes))}
        for a, b in zip(shared.left[loose].tolist(), shared.right[loose].tolist(), strict=True):
            near[a].add(b)
            near[b].add(a)
        groups: set[Group] = set()
        for at in np.flatnonzero(self.off).tolist():
            groups.add((at,))
            for other in near[at]:
                groups.add(tuple(sorted((at, other))))
                groups |= {tuple(sorted((at, other, third))) for third in (near[at] | near[other]) - {at, other}}
        return groups

    def _price(self, group: Group, target: float) -> float:
        inner = sum(self.between.get((a, b), 0.0) for a in group for b in group if a < b)
        return float(self.price[list(group)].sum() + border_price(inner, target))

    def _parted(self, group: Group, parts: int) -> tuple[float, Shapes] | None:
        """What a group gains when it is parted anew, and its pieces; None where that is too little."""
        members = list(group)
        whole = shapely.coverage_union_all(self.shapes[members])
        if not isinstance(whole, shapely.Polygon) or not whole.is_valid:
            return None
        ground, table = self.ground, self.ground.table
        lines = np.zeros(len(ground.lines.shapes), dtype=bool)
        lines[self.line_tree.query(whole, predicate="intersects")] = True
        houses = ground.buildings[self.tree.query(whole, predicate="intersects")]
        klass = int(self.klass[members][self.area[members].argmax()])
        now = self._price(group, float(table.target[klass]))
        made = parts_of(Block(whole, houses, ground.lines.only(lines)), table, klass=klass, parts=parts, most=now - _GAIN)
        if not np.isfinite(made.price):
            return None
        pieces = np.array(made.shapes, dtype=object)
        area = shapely.area(pieces)
        # a piece's own class may be another one
        price = made.price + float((size_price(area, ground.classes(pieces), table) - size_price(area, klass, table)).sum())
        gain = now - price
        return (round(gain, 9), pieces) if gain > _GAIN else None
