"""The roads of the sample: a main road through the town, roads between the villages, and a lane to every hamlet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.sample import plan
from gridgis.sample.canvas import Bools, Floats, Ints, effort_graph, noise, trace, ways
from gridgis.sample.terrain import CANVAS, Terrain, at_km, smooth_line

WIDTH_M = {"primary": 16.0, "secondary": 10.0, "tertiary": 7.0, "lane": 4.0}
"""Width of the carriageway by class, metres."""


@dataclass(slots=True)
class Network:
    """Roads as they are built, and where they run."""

    lines: list[shapely.LineString] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    cells: Bools = field(default_factory=lambda: np.zeros(CANVAS.shape, dtype=bool))
    """Cells a road runs through."""

    def add(self, cells: Ints, kind: str, name: str | None, *, ends: Sequence[Floats | None] = (None, None)) -> None:
        """Build a road over `cells`; where it starts or ends on an older road it is joined to that."""
        points = CANVAS.point_of(cells)
        on_road = self.cells.ravel()[cells[[0, -1]]]
        for place, end in zip((0, -1), ends, strict=True):
            if end is not None:
                points[place] = end
        line = smooth_line(points, rounds=6)
        for place, joins in zip((0, -1), on_road, strict=True):
            if joins and self.lines:
                line[place] = self._nearest(line[place])
        self.add_line(shapely.simplify(shapely.LineString(np.round(line, 1)), 1.5), kind, name)
        self.cells.ravel()[cells] = True

    def add_line(self, line: shapely.LineString, kind: str, name: str | None) -> None:
        """Build a road along a line, as it is."""
        self.lines.append(line)
        self.kinds.append(kind)
        self.names.append(name)
        points = shapely.get_coordinates(shapely.segmentize(line, CANVAS.cell_m / 2))
        self.cells.ravel()[CANVAS.cell_of(points[:, 0], points[:, 1])] = True

    def _nearest(self, point: Floats) -> Floats:
        here = shapely.Point(point)
        gaps = shapely.distance(np.array(self.lines), here)
        line = self.lines[int(np.argmin(gaps))]
        there = shapely.line_interpolate_point(line, shapely.line_locate_point(line, here))
        nearest: Floats = shapely.get_coordinates(there)[0]
        return nearest

    def corridor(self, margin_m: float) -> NDArray[np.object_]:
        """The ground of each road with a margin on both sides."""
        half = np.array([WIDTH_M[kind] / 2 for kind in self.kinds])
        bands: NDArray[np.object_] = shapely.buffer(np.array(self.lines), half + margin_m, quad_segs=3)
        return bands


def road_effort(rng: np.random.Generator, ground: Terrain) -> Floats:
    """What a metre of road costs, per cell: dear on slopes and heights, very dear through the lake."""
    wander = noise(CANVAS, rng, wavelength_m=800, octaves=3)
    heights = np.clip((ground.height - 45) / 40, 0, 2)
    effort: Floats = 0.55 + 11 * wander**2 + 14 * ground.slope + 4 * heights + 60 * ground.lake + 1.5 * ground.stream
    return effort


def main_roads(effort: Floats, seats: Floats) -> Network:
    """The plan's roads, each from stop to stop the way of least effort; later ones use what is there."""
    seat_of = {village.code[-3:]: seats[number] for number, village in enumerate(plan.VILLAGES)}
    network = Network()
    for kind, name, stops in plan.ROAD_LINKS:
        points = [seat_of[stop] if isinstance(stop, str) else at_km([stop])[0] for stop in stops]
        for one, other in pairwise(points):
            start, end = CANVAS.cell_of(*np.transpose([one, other]))
            way = _way(np.where(network.cells, 0.35, effort), int(start), int(end))
            for stretch in _new_stretches(way, network.cells.ravel()):
                network.add(stretch, kind, name)
    return network


def _way(effort: Floats, start: int, end: int) -> Ints:
    # looked for nearby first: most ways are not much longer than the straight line
    points = CANVAS.point_of(np.array([start, end]))
    beeline = float(np.hypot(*(points[1] - points[0])))
    graph = effort_graph(CANVAS, effort)
    for limit in (1.8 * beeline, 4 * beeline, np.inf):
        reached, before = ways(graph, np.array([start]), limit=limit)
        if np.isfinite(reached[end]):
            break
    return trace(before, end)


def add_lanes(network: Network, effort: Floats, hamlets: Floats) -> None:
    """A lane from every hamlet (shape (n, 2)) to the road it reaches with the least effort; lanes join lanes."""
    start = np.flatnonzero(network.cells.ravel())
    _, before = ways(effort_graph(CANVAS, effort), start)
    for cell in CANVAS.cell_of(hamlets[:, 0], hamlets[:, 1]):
        if not network.cells.ravel()[cell]:
            network.add(trace(before, int(cell), stop=network.cells.ravel()), "lane", None)


def add_estate(network: Network, effort: Floats, streets: Sequence[shapely.LineString], gate: Floats) -> None:
    """The estate's streets and a lane from its gate (a point on a street) to the nearest road."""
    _, before = ways(effort_graph(CANVAS, effort), np.flatnonzero(network.cells.ravel()))
    way = trace(before, int(CANVAS.cell_of(gate[:1], gate[1:])[0]))
    for street in streets:
        network.add_line(street, "lane", None)
    network.add(way, "lane", None, ends=(gate, None))


def _new_stretches(cells: Ints, built: Bools) -> list[Ints]:
    # parts of a way that are not road yet, each with the road cells it hangs on to
    out: list[Ints] = []
    fresh = np.flatnonzero(~built[cells])
    if len(fresh) == 0:
        return out
    for run in np.split(fresh, np.flatnonzero(np.diff(fresh) > 1) + 1):
        first, last = max(run[0] - 1, 0), min(run[-1] + 1, len(cells) - 1)
        if last > first:
            out.append(cells[first : last + 1])
    return out
