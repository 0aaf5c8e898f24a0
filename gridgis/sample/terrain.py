"""The ground of the sample: hills, the lake with its arms, and the streams that run into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gridgis.sample import plan
from gridgis.sample.canvas import Bools, Canvas, Floats, calm, effort_graph, noise, outlines, trace, ways

KM = 1000.0
CANVAS = Canvas(plan.CENTRE[0] - 6900.0, plan.CENTRE[1] - 5850.0, 30.0, 390, 460)
"""13.8 km × 11.7 km around the town, in cells of 30 m."""

_PLAIN_M = 19.0


@dataclass(frozen=True, slots=True)
class Terrain:
    """Ground and water, on `CANVAS`."""

    height: Floats
    """Metres above the sea, per cell."""
    lake: Bools
    """Cells of the lake."""
    stream: Bools
    """Cells a stream runs through."""
    shore: shapely.Polygon
    """The lake."""
    streams: list[shapely.LineString]
    """The streams, each from its spring down to the lake, to another stream, or out of the town."""

    @property
    def slope(self) -> Floats:
        """Rise over run, per cell."""
        up, right = np.gradient(self.height, CANVAS.cell_m)
        return np.asarray(np.sqrt(up**2 + right**2))


def terrain(rng: np.random.Generator) -> Terrain:
    """A terrain: the hills and lake of the plan, made irregular by noise."""
    fan = _fan(rng)
    lake = calm((fan > 0).astype(np.int64), cells=7) > 0
    fan = np.where(lake, np.maximum(fan, 1.0), np.minimum(fan, -1.0))
    height = _height(rng, fan)
    streams, stream = _streams(rng, height, lake)
    return Terrain(height, lake, stream, _shore(lake), streams)


def at_km(points: tuple[tuple[float, float], ...] | list[tuple[float, float]]) -> Floats:
    """Points in kilometres from the town's centre as coordinates, shape (n, 2)."""
    return np.array(points, dtype=float).reshape(-1, 2) * KM + plan.CENTRE


def smooth_line(points: Floats, *, rounds: int = 4) -> Floats:
    """A way from cell to cell as a calmer line with the same ends."""
    line = points.astype(float)
    for _ in range(rounds):
        line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return line


def _fan(rng: np.random.Generator) -> Floats:
    # metres inside the lake's shore (negative: outside); noise makes bays and headlands
    xs, ys = CANVAS.centres()
    xs = xs + 520 * noise(CANVAS, rng, wavelength_m=1700)
    ys = ys + 520 * noise(CANVAS, rng, wavelength_m=1700)
    inside = np.full(CANVAS.shape, -np.inf)
    for start, end, half_km in plan.LAKE_ARMS:
        (ax, ay), (bx, by) = at_km([start, end])
        dx, dy = bx - ax, by - ay
        along = np.clip(((xs - ax) * dx + (ys - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        away = np.sqrt((xs - ax - along * dx) ** 2 + (ys - ay - along * dy) ** 2)
        inside = np.maximum(inside, half_km * KM * (1 - 0.35 * along) - away)
    return inside + 330 * noise(CANVAS, rng, wavelength_m=900, octaves=4) + 130 * noise(CANVAS, rng, wavelength_m=330)


def _height(rng: np.random.Generator, fan: Floats) -> Floats:
    xs, ys = CANVAS.centres()
    folds = 1 - 2 * np.abs(noise(CANVAS, rng, wavelength_m=1700, octaves=4))  # crests where the noise changes its sign
    height = _PLAIN_M + 11 * (1 + noise(CANVAS, rng, wavelength_m=2600, octaves=5)) + 16 * np.maximum(folds, 0) ** 2
    xs = xs + 1000 * noise(CANVAS, rng, wavelength_m=2400, octaves=4)
    ys = ys + 1000 * noise(CANVAS, rng, wavelength_m=2400, octaves=4)
    for _, summit, radius_km, rise_m in plan.HILLS:
        x, y = at_km([summit])[0]
        near = np.maximum(0.0, 1 - ((xs - x) ** 2 + (ys - y) ** 2) / (radius_km * KM) ** 2)
        height += rise_m * near**1.5 * (0.75 + 0.5 * folds)
    basin = np.clip(1 + fan / 900, 0, 1)  # the ground sinks towards the shore
    height = height * (1 - basin) + (_PLAIN_M + 1.5) * basin
    return np.where(fan > 0, _PLAIN_M, height)


def _streams(rng: np.random.Generator, height: Floats, lake: Bools) -> tuple[list[shapely.LineString], Bools]:
    wander = 0.4 + 6 * noise(CANVAS, rng, wavelength_m=480) ** 2
    effort = np.maximum(height - _PLAIN_M + 2, 1.0) ** 1.5 * wander
    edge = np.zeros(CANVAS.shape, dtype=bool)
    edge[0, :] = edge[:, -1] = True  # what does not reach the lake leaves to the south and east
    mouths = np.flatnonzero((lake | edge).ravel())
    _, before = ways(effort_graph(CANVAS, effort), mouths)
    done = (lake | edge).ravel().copy()
    lines = []
    for _, summit, radius_km, _ in plan.HILLS:
        for side in ((0.45, 0.3), (-0.4, -0.35)):
            spring = at_km([(summit[0] + side[0] * radius_km, summit[1] + side[1] * radius_km)])
            cell = int(CANVAS.cell_of(spring[:, 0], spring[:, 1])[0])
            if done[cell]:
                continue
            cells = trace(before, cell, stop=done)
            if len(cells) < 12:
                continue
            done[cells] = True
            lines.append(shapely.LineString(np.round(smooth_line(CANVAS.point_of(cells), rounds=8), 1)))
    mask = done.reshape(CANVAS.shape) & ~lake & ~edge
    return lines, mask


def _shore(lake: Bools) -> shapely.Polygon:
    shape = outlines(CANVAS, np.where(lake, 0, -1).astype(np.int64), simplify_m=6)[0]
    return shapely.Polygon(shape.exterior)
