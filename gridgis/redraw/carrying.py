"""What goes from which grid to which between two partitions of an area: ground, residents, buildings, incidents.

Everything moves in one step, from the base to what is there now. Cells (grids, and the free ground under the code "") that
are the same in both are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.apportion import share_out
from gridgis.measure import area_factor
from gridgis.redraw.facts import RESIDENTS, Facts, Points
from gridgis.redraw.partition import Partition
from gridgis.topology import polygonal

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
How = Literal["", "registered", "counted", "shared_by_buildings", "shared_by_area"]

FREE: Final = ""
"""The code under which ground is told that no grid holds."""
COUNTED: Final = ("buildings", "incidents", "natural_villages")
"""Figures that are numbers of points."""
# from the surest to the least sure: a figure made of several is as sure as the least
HOW: Final[tuple[How, ...]] = ("", "registered", "counted", "shared_by_buildings", "shared_by_area")

# what two cells share by the rounding of an overlay
_NOTHING_M2: Final = 1e-9
_BOX_M: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Cells:
    """Some cells of a partition: one row a polygon, free ground in as many rows as it has pieces."""

    names: tuple[str, ...]
    """Codes of the cells, in order of code, free ground last."""
    owner: Ints
    """Shape (n,): position in `names` of each polygon."""
    shapes: Shapes
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What the changed cells of two partitions hold in common."""

    before: Cells
    """Cells of the earlier partition that are not in the later one as they were."""
    after: Cells
    """Cells of the later partition that were not in the earlier one."""
    flows: pd.DataFrame
    """One row for every pair that shares points or residents: `source`, `target` (codes), `households`, `population`,
    `buildings`, `incidents`, `natural_villages`; NaN where nothing is known."""
    how: pd.DataFrame
    """On the codes of `after`: `households_from`, `population_from`."""
    known: Mapping[str, bool]
    """Whether all cells of `before` know their `households` and `population`."""


def ground_m2(shapes: Shapes, partition: Partition) -> Floats:
    """Areas on the ellipsoid, shape (n,): of the plane, times the projection's factor at the centroid.

    Parts add up to their whole to about 10⁻⁹, however edges are split, and a shape's area does not depend on what is
    measured beside it.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> ground_m2(shapely.box([500000], [3366000], [500100], [3366100]), partition_of(toy.grids(), area="T")).round(4).tolist()
    [10000.0]
    """
    areas = np.asarray(shapely.area(shapes), dtype=np.float64)
    real = np.flatnonzero(areas > 0)
    west, south, east, north = shapely.bounds(partition.outline)
    low = np.floor(np.array([west, south]) / _BOX_M) * _BOX_M
    high = np.ceil(np.array([east, north]) / _BOX_M) * _BOX_M
    centre = shapely.get_coordinates(shapely.centroid(shapes[real]))
    # the corners fix the box in which the factor is interpolated
    x, y = np.vstack([low, high, centre]).T
    areas[real] *= area_factor(partition.crs, x, y)[2:]
    return areas


def changed_cells(before: Partition, after: Partition) -> tuple[Cells, Cells]:
    """The cells of two partitions that are not in both, by identity or by bits.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area="T")
    >>> gone, new = changed_cells(town, town.with_ground({"G2": None, "G1": shapely.union(town.shape("G1"), town.shape("G2"))}))
    >>> gone.names, new.names
    (('G1', 'G2'), ('G1',))
    """
    old, new = dict(zip(before.codes, before.shapes, strict=True)), dict(zip(after.codes, after.shapes, strict=True))
    both = [code for code in old if code in new and old[code] is not new[code]]
    a, b = (np.array([side[code] for code in both], dtype=object) for side in (old, new))
    differ = {code for code, same in zip(both, shapely.equals_identical(a, b).tolist(), strict=True) if not same}
    free_old, free_new = ({shape.wkb: shape for shape in side.free} for side in (before, after))
    gone = {code: [shape] for code, shape in old.items() if code in differ or code not in new}
    come = {code: [shape] for code, shape in new.items() if code in differ or code not in old}
    if free_old.keys() != free_new.keys():  # free ground is one cell: it differs as a whole
        gone[FREE], come[FREE] = list(before.free), list(after.free)
    return _cells(gone), _cells(come)


def all_cells(partition: Partition) -> Cells:
    """All cells of a partition.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> all_cells(partition_of(toy.grids(), area="T")).names
    ('G1', 'G2', 'G3', '')
    """
    cells = {code: [shape] for code, shape in zip(partition.codes, partition.shapes, strict=True)}
    found = _cells({**cells, FREE: list(partition.free)})
    return found if FREE in found.names else Cells((*found.names, FREE), found.owner, found.shapes)


def _cells(shapes: dict[str, list[shapely.Geometry]]) -> Cells:
    names = tuple(sorted((code for code, some in shapes.items() if some), key=lambda code: (code == FREE, code)))
    flat = [(at, shape) for at, code in enumerate(names) for shape in shapes[code]]
    array = np.empty(len(flat), dtype=object)
    array[:] = [shape for _, shape in flat]
    return Cells(names, np.array([at for at, _ in flat], dtype=np.intp), array)


def parts(before: Cells, after: Cells) -> tuple[Ints, Ints, Shapes]:
    """The ground pairs of cells share: positions of the polygons and the ground itself, polygons only.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> cells = all_cells(partition_of(toy.grids(), area="T"))
    >>> source, target, ground = parts(cells, cells)
    >>> source.tolist(), target.tolist(), shapely.area(ground).tolist()
    ([0, 1, 2], [0, 1, 2], [45000.0, 30000.0, 45000.0])
    """
    if len(before.shapes) == 0 or len(after.shapes) == 0:
        none = np.zeros(0, dtype=np.intp)
        return none, none, np.zeros(0, dtype=object)
    # borders that differ by a rounding cross at the flattest of angles; near the origin an overlay finds where (to 10⁻¹² of a
    # grid's area, not 10⁻⁶). Whole metres are subtracted without any rounding.
    origin = np.floor(np.nanmin(shapely.bounds(before.shapes).reshape(-1, 4)[:, :2], axis=0))
    old, new = (np.asarray(shapely.transform(cells.shapes, lambda xy: xy - origin), dtype=object) for cells in (before, after))
    source, target = shapely.STRtree(new).query(old)
    shapely.prepare(old)
    near = shapely.intersects(old[source], new[target])
    source, target = source[near], target[near]
    ground = shapely.intersection(old[source], new[target])
    real = shapely.area(ground) > _NOTHING_M2
    back = shapely.transform(polygonal(ground[real]), lambda xy: xy + origin)
    return source[real], target[real], np.asarray(back, dtype=object)


def counts_of(points: Points | None, cells: Cells, partition: Partition) -> Ints:
    """In which cell each point lies (position in `names`), −1 elsewhere; shape (0,) for a layer nobody has.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area="T")
    >>> facts = Facts.of(town.crs, buildings=toy.buildings())
    >>> counts_of(facts.buildings, all_cells(town), town).tolist()
    [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2]
    """
    if points is None:
        return np.zeros(0, dtype=np.intp)
    at = np.full(len(points.xy), -1, dtype=np.intp)
    point, polygon = points.inside(cells.shapes, partition.outline)
    at[point] = cells.owner[polygon]
    return at


def carry(before: Partition, after: Partition, facts: Facts) -> Carried:
    """What the cells that differ hand on: registered residents, and what is counted at points.

    1. A grid's registered residents (households) are shared out over the cells that hold its ground now, in whole persons by
       largest remainder: by those counted from buildings in each part; where none are, by the other count of the buildings;
       where there is none either, by area. A count that is not whole is shared in proportion.
    2. A cell without a register hands on what is counted from buildings, where the buildings know any.
    3. Points go where they lie.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids().assign(population=[100, 50, 70]), area="T")
    >>> x, y = toy.ORIGIN
    >>> north, south = shapely.box(x, y + 100, x + 150, y + 300), shapely.box(x, y, x + 150, y + 100)
    >>> done = carry(town, town.with_ground({"G1": north, "G4": south}), Facts.of(town.crs))
    >>> done.flows[["source", "target", "population"]].to_numpy().tolist(), done.how.loc["G4", "population_from"]
    ([['G1', 'G1', 67.0], ['G1', 'G4', 33.0]], 'shared_by_area')
    """
    gone, come = changed_cells(before, after)
    table = _at_points(gone, come, before, after, facts)
    ground = _Ground(gone, come, [])
    how = pd.DataFrame(index=pd.Index(come.names, name="code"))
    columns, known_all = {}, {}
    for column in RESIDENTS:
        flows, rank, known = _residents(column, table, before, facts, ground)
        columns[column] = flows
        how[f"{column}_from"] = np.where(known, np.array(HOW, dtype=object)[rank], "")
    every = table.index.union(columns["households"].index).union(columns["population"].index)
    table = table.reindex(every)
    table[list(COUNTED)] = table[list(COUNTED)].fillna(0.0)
    for name, layer in zip(COUNTED, (facts.buildings, facts.incidents, facts.natural_villages), strict=True):
        if layer is None:
            table[name] = np.nan
    for column in RESIDENTS:
        unknown = ground.unknown_sources(column, before, facts)
        known_all[column] = not unknown.any()
        here = unknown[every.to_numpy(dtype=np.intp) // max(len(come.names), 1)]
        table[column] = np.where(here, np.nan, columns[column].reindex(every, fill_value=0.0))
    source, target = np.divmod(every.to_numpy(dtype=np.intp), max(len(come.names), 1))
    names = (np.array(cells.names, dtype=object)[at] for cells, at in ((gone, source), (come, target)))
    table.insert(0, "source", next(names))
    table.insert(1, "target", next(names))
    return Carried(gone, come, table[["source", "target", *RESIDENTS, *COUNTED]].reset_index(drop=True), how, known_all)


@dataclass(frozen=True, slots=True)
class _Ground:
    """The cells on both sides, and the ground they share once somebody asks for it."""

    gone: Cells
    come: Cells
    _found: list[pd.Series[float]]

    def shared_m2(self) -> pd.Series[float]:
        """Plane area by pair of cells: the index is source · number of targets + target."""
        if not self._found:
            source, target, ground = parts(self.gone, self.come)
            key = self.gone.owner[source] * len(self.come.names) + self.come.owner[target]
            self._found.append(pd.Series(shapely.area(ground), index=key).groupby(level=0).sum())
        return self._found[0]

    def unknown_sources(self, column: str, before: Partition, facts: Facts) -> NDArray[np.bool_]:
        """Cells that have no register and no buildings that know of residents, shape (sources,)."""
        counted = facts.buildings is not None and column in facts.buildings.counts
        return np.isnan(registers(self.gone, before, column)) & (not counted)


def registers(cells: Cells, partition: Partition, column: str) -> Floats:
    """The registered count of each cell, NaN where there is none; shape (names,).

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids().assign(population=[100, None, 70]), area="T")
    >>> registers(all_cells(town), town, "population").tolist()
    [100.0, nan, 70.0, nan]
    """
    if column not in partition.attributes:
        return np.full(len(cells.names), np.nan)
    known = pd.to_numeric(partition.attributes[column], errors="coerce").astype("float64")
    return np.asarray(known.reindex(list(cells.names)), dtype=np.float64)


def _at_points(gone: Cells, come: Cells, before: Partition, after: Partition, facts: Facts) -> pd.DataFrame:
    """Points counted and residents summed by pair of cells, on the pair's key."""
    layers = {"buildings": facts.buildings, "incidents": facts.incidents, "natural_villages": facts.natural_villages}
    columns: dict[str, pd.Series[float]] = {}
    for name, layer in layers.items():
        source, target = counts_of(layer, gone, before), counts_of(layer, come, after)
        both = np.flatnonzero((source >= 0) & (target >= 0))
        key = source[both] * len(come.names) + target[both]
        pairs, at = np.unique(key, return_inverse=True)
        columns[name] = pd.Series(np.bincount(at, minlength=len(pairs)).astype(float), index=pairs)
        if name == "buildings" and layer is not None:
            for column, values in layer.counts.items():
                columns[f"counted_{column}"] = pd.Series(np.bincount(at, values[both], len(pairs)), index=pairs)
    return pd.DataFrame(columns).fillna(0.0)


def _residents(
    column: str, table: pd.DataFrame, before: Partition, facts: Facts, ground: _Ground
) -> tuple[pd.Series[float], Ints, NDArray[np.bool_]]:
    """What each pair hands on of one count, by the pair's key; how each target came by it; which targets know it at all."""
    gone, come, many = ground.gone, ground.come, len(ground.come.names)
    register = registers(gone, before, column)
    other = next(name for name in RESIDENTS if name != column)
    weights = [table[f"counted_{name}"] for name in (column, other) if f"counted_{name}" in table]
    rank = np.zeros(many, dtype=np.intp)
    flows: dict[int, float] = {}
    by_source = [dict(iter(some[some > 0].groupby(some[some > 0].index.to_numpy() // many))) for some in weights]
    for at in np.flatnonzero(np.isfinite(register)).tolist():
        share = next((some[at] for some in by_source if at in some), None)
        how: How = "shared_by_buildings"
        if share is None:
            area = ground.shared_m2()
            share, how = area[area.index.to_numpy() // many == at], "shared_by_area"
        if len(share) == 0:
            continue
        keys = share.index.to_numpy()
        flows.update(zip(keys.tolist(), _shared(register[at], share.to_numpy()).tolist(), strict=True))
        if len(keys) == 1 and _holds(come, int(keys[0]) % many, gone, at):
            how = "registered"
        rank[keys % many] = np.maximum(rank[keys % many], HOW.index(how))
    unknown = ground.unknown_sources(column, before, facts)
    if f"counted_{column}" in table:
        keys, values = table.index.to_numpy(dtype=np.intp), table[f"counted_{column}"].to_numpy()
        free = np.isnan(register[keys // many]) if many else np.zeros(0, dtype=bool)
        flows.update(zip(keys[free].tolist(), values[free].tolist(), strict=True))
        rank[keys[free] % max(many, 1)] = np.maximum(rank[keys[free] % max(many, 1)], HOW.index("counted"))
    known = np.ones(many, dtype=bool)
    if unknown.any():
        pairs = ground.shared_m2().index.to_numpy(dtype=np.intp)
        known = np.isin(np.arange(many), pairs[~unknown[pairs // max(many, 1)]] % max(many, 1))
    # ground that shares no resident was weighed all the same
    weighed = "shared_by_buildings" if np.isfinite(register).any() else "counted"
    rank[rank == 0] = HOW.index(weighed)
    return pd.Series(flows, dtype="float64"), rank, known


def _shared(count: float, weights: Floats) -> Floats:
    if count == int(count):
        return share_out(int(count), weights).astype(np.float64)
    given: Floats = count * weights / weights.sum()
    given[-1] += count - given.sum()
    return given


def _holds(come: Cells, target: int, gone: Cells, source: int) -> bool:
    outer, inner = come.shapes[come.owner == target], gone.shapes[gone.owner == source]
    return len(outer) == 1 and bool(shapely.covers(outer[0], inner).all())
