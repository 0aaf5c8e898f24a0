"""Where people live: hamlets of houses along the lanes, the towers of the estate, lone farmsteads, and the village ponds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from gridgis.sample import plan
from gridgis.sample.canvas import Bools, Floats, Ints
from gridgis.sample.roads import Network
from gridgis.sample.terrain import CANVAS, Terrain

APART_M = 50.0
"""Houses nearer than this, wall to wall, are one natural village: the rule the sample is laid out for."""

_PEOPLE_PER_HOUSE = 4.3
_SLOT_M = (15.0, 18.5)  # a house's ground along and across the row
_LONE_PART = 0.05
_TOWERS = (6, 4)
_TOWER_PITCH_M = (92.0, 78.0)
_TOWER_SIZE_M = (33.0, 17.0)
_TOWERS_HOLD = 0.42  # part of the community's residents who have moved in


@dataclass(frozen=True, slots=True)
class Sites:
    """The hamlets' sites."""

    village: Ints
    """Place of its village in the plan, shape (n,)."""
    centre: Floats
    """Shape (n, 2), metres."""
    radius: Floats
    """No wall of the hamlet lies farther from the centre, metres."""
    houses: Ints
    """Houses to build."""
    estate: Floats
    """Centre of the estate's towers, shape (2,)."""


@dataclass(slots=True)
class Buildings:
    """Buildings as they are put up."""

    shape: list[shapely.Polygon] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    hamlet: list[int] = field(default_factory=list)
    """Number of the hamlet; −1 for what belongs to none."""
    village: list[int] = field(default_factory=list)

    def add(self, shape: shapely.Polygon, kind: str, hamlet: int, village: int) -> None:
        """Put one up."""
        self.shape.append(shape)
        self.kind.append(kind)
        self.hamlet.append(hamlet)
        self.village.append(village)


def sites(rng: np.random.Generator, ground: Terrain, village: Ints, seats: Floats, roads: Bools, estate: Floats) -> Sites:
    """Where the hamlets lie: one at every seat, the others in their village near a road, on low and even ground.

    Every site keeps clear of its village's border, of the water, and of every other by more than `APART_M` between walls.
    """
    border = _away_from_borders(village)
    shore = ndimage.distance_transform_edt(~ground.lake) * CANVAS.cell_m
    road = ndimage.distance_transform_edt(~roads) * CANVAS.cell_m
    liking = np.exp2(-np.abs(road - 120) / 160) + 0.2
    liking = liking / (1 + (np.maximum(ground.height - 38, 0) / 12) ** 2 + (ground.slope / 0.08) ** 2)
    out: list[tuple[int, float, float, float, int]] = []
    estate_radius = 0.5 * float(np.hypot(_TOWERS[0] * _TOWER_PITCH_M[0], _TOWERS[1] * _TOWER_PITCH_M[1]))
    taken = [(estate[0], estate[1], estate_radius)]
    plans = [_house_counts(rng, spec) for spec in plan.VILLAGES]
    order = [(number, 0) for number in range(len(plans))] + [(n, k) for n, p in enumerate(plans) for k in range(1, len(p))]
    keys = rng.random((len(order), CANVAS.rows * CANVAS.columns // 64))
    for (number, place), key in zip(order, keys, strict=True):
        houses = int(plans[number][place])
        radius = 1.22 * float(np.sqrt(houses * _SLOT_M[0] * _SLOT_M[1] / np.pi)) + 14
        fit = (village == number) & (border > radius + 55) & (shore > radius + 20)
        cells = np.flatnonzero(fit.ravel())
        points = CANVAS.point_of(cells)
        for x, y, r in taken:
            clear = (points[:, 0] - x) ** 2 + (points[:, 1] - y) ** 2 > (r + radius + APART_M + 14) ** 2
            cells, points = cells[clear], points[clear]
        if place == 0:
            score = -((points - seats[number]) ** 2).sum(axis=1)
        else:
            score = np.log(key[np.arange(len(cells)) % len(key)]) / liking.ravel()[cells]
        best = int(np.argmax(score))
        x, y = points[best]
        taken.append((x, y, radius))
        out.append((number, x, y, radius, houses))
    table = np.array(sorted(out, key=lambda row: (row[0], row[1])))
    return Sites(table[:, 0].astype(np.int64), table[:, 1:3], table[:, 3], table[:, 4].astype(np.int64), estate)


def build(rng: np.random.Generator, ground: Terrain, where: Sites, network: Network) -> Buildings:
    """Put up the hamlets and the estate: rows of houses that face about south, kept off roads and water."""
    out = Buildings()
    blocked = shapely.STRtree([*network.corridor(3.5), ground.shore, *shapely.buffer(np.array(ground.streams), 7, quad_segs=2)])
    for number, site in enumerate(where.village):
        shapes = _slots(rng, where.centre[number], where.radius[number], int(where.houses[number]))
        hit = np.unique(blocked.query(shapes, predicate="intersects")[0])
        free = np.ones(len(shapes), dtype=bool)
        free[hit] = False
        kind = "shophouse" if plan.VILLAGES[site].code == plan.MARKET and where.houses[number] > 150 else "house"
        for shape in _one_cluster(shapes[free], int(where.houses[number])):
            out.add(shape, kind, number, int(site))
    site = next(number for number, spec in enumerate(plan.VILLAGES) if spec.code == plan.ESTATE)
    for shape in _towers(where.estate):
        if len(blocked.query(shape, predicate="intersects")) == 0:
            out.add(shape, "tower", -1, site)
    return out


def add_farmsteads(rng: np.random.Generator, ground: Terrain, grid: Ints, network: Network, buildings: Buildings) -> None:
    """Lone farmsteads, far from every other house, at least one in every grid that has no house yet."""
    obstacles = shapely.STRtree([*network.corridor(5), *shapely.buffer(np.array(ground.streams), 9, quad_segs=2)])
    border = _away_from_borders(grid)
    shore = ndimage.distance_transform_edt(~ground.lake) * CANVAS.cell_m
    road = ndimage.distance_transform_edt(~network.cells) * CANVAS.cell_m
    good = (grid >= 0) & (border > 40) & (shore > 30) & (ground.height < 130)
    cells = np.flatnonzero(good.ravel())
    dislike = road.ravel()[cells] / 400 + ground.height.ravel()[cells] / 60
    cells = cells[np.argsort(dislike + rng.random(len(cells)), kind="stable")]
    homes = np.array([[p.centroid.x, p.centroid.y] for p in buildings.shape])
    village_of = np.repeat(np.arange(len(plan.VILLAGES)), [spec.grids for spec in plan.VILLAGES])
    lived_in = np.unique(grid.ravel()[CANVAS.cell_of(homes[:, 0], homes[:, 1])])
    per_village = np.bincount(buildings.village, minlength=len(plan.VILLAGES)) * _LONE_PART
    wanted = np.maximum(np.round(per_village / [spec.grids for spec in plan.VILLAGES]), 1).astype(int)[village_of]
    wanted[np.setdiff1d(np.arange(len(village_of)), lived_in)] += 3
    for cell in cells:
        number = int(grid.ravel()[cell])
        if wanted[number] <= 0:
            continue
        place = CANVAS.point_of(np.array([cell]))[0]
        if ((homes - place) ** 2).sum(axis=1).min() < (APART_M + 30) ** 2:
            continue
        shape = _rectangles(place[None], np.array([[12.0, 9.5]]), float(rng.random() - 0.5))[0]
        if len(obstacles.query(shape, predicate="intersects")):
            continue
        buildings.add(shape, "house", -1, int(village_of[number]))
        homes = np.concatenate([homes, place[None]])
        wanted[number] -= 1


def ponds(
    rng: np.random.Generator, ground: Terrain, where: Sites, network: Network, buildings: Buildings
) -> list[shapely.Polygon]:
    """A pond beside most hamlets, irregular, where neither house nor road is."""
    stop = shapely.STRtree([*shapely.buffer(np.array(buildings.shape), 4, quad_segs=1), *network.corridor(2), ground.shore])
    out: list[shapely.Polygon] = []
    for centre, radius in zip(where.centre, where.radius, strict=True):
        for _ in range(14):
            size = 16 + 34 * rng.random() ** 2
            way = rng.random(2) - 0.5
            middle = centre + way / max(float(np.hypot(*way)), 1e-6) * (radius * (0.45 + 0.6 * rng.random()) + size * 0.5)
            shape = _blob(rng, middle, size)
            far = all(shape.distance(other) > 5 for other in out)
            if rng.random() < 0.9 and far and len(stop.query(shape, predicate="intersects")) == 0:
                out.append(shape)
                break
    return out


def residents(rng: np.random.Generator, buildings: Buildings) -> tuple[Ints, Ints]:
    """Households and people of every building; a village's people add up to the plan's number exactly."""
    village, kind = np.array(buildings.village), np.array(buildings.kind)
    households = np.zeros(len(kind), dtype=np.int64)
    people = np.zeros(len(kind), dtype=np.int64)
    for number, spec in enumerate(plan.VILLAGES):
        towers = np.flatnonzero((village == number) & (kind == "tower"))
        houses = np.flatnonzero((village == number) & (kind != "tower"))
        in_towers = round(spec.residents * _TOWERS_HOLD) if len(towers) else 0
        for members, total, size in ((towers, in_towers, 2.9), (houses, spec.residents - in_towers, 3.6)):
            if len(members) == 0:
                continue
            draw = 0.35 + rng.random(len(members)) + rng.random(len(members))
            people[members] = _split(total, draw, least=1)
            split = np.maximum(np.round(people[members] / size + (rng.random(len(members)) - 0.5) * 0.6), 1)
            households[members] = np.minimum(split.astype(np.int64), people[members])
    return households, people


def _split(total: int, weight: Floats, *, least: int) -> Ints:
    # whole numbers in proportion to the weights that add up exactly: largest remainders
    rest = total - least * len(weight)
    exact = weight / weight.sum() * rest
    out: Ints = np.floor(exact).astype(np.int64)
    order = np.argsort(out - exact, kind="stable")
    out[order[: rest - int(out.sum())]] += 1
    return out + least


def _house_counts(rng: np.random.Generator, spec: plan.Village) -> Ints:
    # houses per hamlet of a village: the seat's is the largest, none under 7
    people = spec.residents * (1 - _TOWERS_HOLD if spec.code == plan.ESTATE else 1)
    houses = round(people / _PEOPLE_PER_HOUSE * (1 - _LONE_PART))
    weight = 0.3 + rng.random(spec.hamlets) * 1.4
    weight[0] = 6.5 if spec.code == plan.MARKET else 2.4
    return _split(houses, weight, least=8)


def estate_streets(centre: Floats) -> list[shapely.LineString]:
    """The estate's streets, midway between the rows and columns of its towers, a ring around them included."""
    half = np.array(_TOWERS) * _TOWER_PITCH_M / 2
    along = [[(-half[0], part * half[1]), (half[0], part * half[1])] for part in (-1, -0.5, 0, 0.5, 1)]
    across = [[(part * half[0], -half[1]), (part * half[0], half[1])] for part in (-1, -1 / 3, 1 / 3, 1)]
    return [shapely.LineString(np.round(np.array(line) + centre, 1)) for line in along + across]


def estate_gate(centre: Floats) -> Floats:
    """Where the estate's streets meet the road outside: the middle of its northern street."""
    gate: Floats = centre + np.array([0.0, _TOWERS[1] * _TOWER_PITCH_M[1] / 2])
    return gate


def estate_cells(centre: Floats) -> Bools:
    """The estate's ground, which no other road may cross."""
    xs, ys = CANVAS.centres()
    half = np.array(_TOWERS) * _TOWER_PITCH_M / 2 + 25
    return np.asarray((np.abs(xs - centre[0]) < half[0]) & (np.abs(ys - centre[1]) < half[1]))


def estate_site(ground: Terrain, village: Ints) -> Floats:
    """Centre of the estate's towers: where its community has most room, away from borders and water."""
    number = next(number for number, spec in enumerate(plan.VILLAGES) if spec.code == plan.ESTATE)
    room = np.where(village == number, _away_from_borders(np.where(ground.lake, -2, village)), 0.0)
    centre: Floats = CANVAS.point_of(np.array([int(np.argmax(room))]))[0]
    return centre


def _away_from_borders(label: Ints) -> Floats:
    edge = np.zeros(label.shape, dtype=bool)
    edge[:-1] |= label[:-1] != label[1:]
    edge[1:] |= label[:-1] != label[1:]
    edge[:, :-1] |= label[:, :-1] != label[:, 1:]
    edge[:, 1:] |= label[:, :-1] != label[:, 1:]
    return np.asarray(ndimage.distance_transform_edt(~edge) * CANVAS.cell_m)


def _slots(rng: np.random.Generator, centre: Floats, radius: float, houses: int) -> NDArray[np.object_]:
    # rectangles in staggered rows, nearest to the middle of an uneven oval first; more than needed
    turn = (rng.random() - 0.5) * 1.1
    reach = int(radius / _SLOT_M[0]) + 1
    column, row = (part.ravel() for part in np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1)))
    along = (column + 0.5 * (row % 2)) * _SLOT_M[0] + (rng.random(len(row)) - 0.5) * 2.4
    across = row * _SLOT_M[1] + (rng.random(len(row)) - 0.5) * 4.0
    size = np.column_stack([9.0 + 3.0 * rng.random(len(row)), 8.0 + 4.0 * rng.random(len(row))])
    oval = 1 + 0.5 * rng.random()
    far = np.sqrt((along / oval) ** 2 + (across * oval**0.5) ** 2) * (0.85 + 0.3 * rng.random(len(row)))
    lobe = rng.random(8)[np.floor(np.arctan2(across, along) / (np.pi / 4) + 4).astype(int) % 8]
    far = far * (0.75 + 0.6 * lobe)
    sin, cos = np.sin(turn), np.cos(turn)
    middle = centre + np.column_stack([along * cos - across * sin, along * sin + across * cos])
    inside = np.sqrt(((middle - centre) ** 2).sum(axis=1)) < radius - 9
    order = np.argsort(far[inside], kind="stable")[: 3 * houses + 20]
    return _rectangles(middle[inside][order], size[inside][order], turn)


def _one_cluster(shapes: NDArray[np.object_], count: int) -> list[shapely.Polygon]:
    # up to `count` houses: always the first in order that stands near one already built
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    gap = np.full(len(shapes), np.inf)
    built = np.zeros(len(shapes), dtype=bool)
    chosen: list[int] = []
    following = 0
    while len(chosen) < count:
        chosen.append(following)
        built[following] = True
        gap = np.minimum(gap, ((middle - middle[following]) ** 2).sum(axis=1))
        near = ~built & (gap < (0.9 * APART_M) ** 2)
        if not near.any():
            break
        following = int(np.argmax(near))
    return [shapes[number] for number in chosen]


def _towers(centre: Floats) -> NDArray[np.object_]:
    column, row = (part.ravel() for part in np.meshgrid(np.arange(_TOWERS[0]), np.arange(_TOWERS[1])))
    offset = np.column_stack([column - (_TOWERS[0] - 1) / 2, row - (_TOWERS[1] - 1) / 2]) * _TOWER_PITCH_M
    return _rectangles(centre + offset, np.tile(_TOWER_SIZE_M, (len(row), 1)), 0.0)


def _rectangles(middle: Floats, size: Floats, turn: float) -> NDArray[np.object_]:
    sin, cos = np.sin(turn), np.cos(turn)
    corner = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    local = corner[None] * size[:, None, :]
    x = local[..., 0] * cos - local[..., 1] * sin
    y = local[..., 0] * sin + local[..., 1] * cos
    rings = np.round(np.stack([x, y], axis=-1) + middle[:, None, :], 2)
    return cast("NDArray[np.object_]", shapely.polygons(rings))


def _blob(rng: np.random.Generator, middle: Floats, size: float) -> shapely.Polygon:
    turn = np.arange(12) * (np.pi / 6)
    reach = size * (0.75 + 0.4 * rng.random(12))
    stretch, lean = 0.6 + 0.6 * rng.random(), rng.random() * np.pi
    x, y = np.cos(turn) * reach, np.sin(turn) * reach * stretch
    for _ in range(1):
        x, y = (x + np.roll(x, 1)) / 2, (y + np.roll(y, 1)) / 2
    points = np.column_stack([x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean)]) + middle
    return shapely.Polygon(np.round(points, 1))
