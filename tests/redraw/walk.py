"""A seeded walk of random operations over a partition: every state is judged, the area is conserved."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import shapely

from gridgis.redraw.invariants import broken
from gridgis.redraw.operations import (
    AddVertex,
    Assign,
    Create,
    DeleteVertex,
    Edit,
    Merge,
    MoveVertex,
    Operation,
    Reshape,
    Retire,
    Split,
    apply,
    from_json,
    rings_of,
    to_json,
)
from gridgis.redraw.partition import Partition, partition_of
from gridgis.redraw.refusal import Refused
from tests.redraw.grounds import pinched


@dataclass
class Walk:
    partition: Partition
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def voronoi(count: int, *, seed: int = 1, side: float = 2000.0, origin: tuple[float, float] = (500000.0, 3366000.0)) -> Partition:
    """Grids around random points of a square, coordinates in whole millimetres."""
    rng = np.random.default_rng(seed)
    x, y = origin
    square = shapely.box(x, y, x + side, y + side)
    points = shapely.MultiPoint(rng.uniform(0, side, (count, 2)) + origin)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square))
    shapes = shapely.intersection(cells, square)
    shapes = shapely.set_precision(np.array(shapes), 0.001, mode="pointwise")
    shapes = shapely.coverage_clean(shapes, snapping_distance=0.01)
    codes = [f"420703102201G{i + 1:03d}" for i in range(count)]
    rows = {"name": [f"安城{i + 1:03d}网格" for i in range(count)], "area_code": "420703102201", "state": "valid"}
    return partition_of(gpd.GeoDataFrame(rows, index=codes, geometry=shapes, crs="EPSG:4547"), area="420703102201")


def random_operation(now: Partition, rng: np.random.Generator, *, least: int, most: int) -> Operation:
    """Any operation at a random place, splitting while there are few grids and merging while there are many."""
    code = str(rng.choice(now.codes))
    shape = now.shape(code)
    size = float(np.sqrt(shape.area))
    x, y = shapely.get_coordinates(shape.representative_point())[0]
    growing, shrinking = len(now.codes) < least, len(now.codes) > most
    weights = {
        "split": 4 if growing else 0 if shrinking else 2, "merge": 0 if growing else 4 if shrinking else 1,
        "retire": 0 if growing else 2 if shrinking else 0.5, "create": 1 if growing else 0 if shrinking else 0.5,
        "reshape": 1.5, "move": 2, "add": 1, "delete": 1, "assign": 1.5,
    }  # fmt: skip
    names = list(weights)
    share = np.array([weights[name] for name in names], dtype=float)
    angle = rng.uniform(0, 2 * np.pi)
    step = np.array([np.cos(angle), np.sin(angle)])
    vertices = shapely.get_coordinates(shape)
    vertex = vertices[rng.integers(len(vertices))]
    near = vertex + rng.normal(0, 0.15 * size, 2)
    others = [c for c, s in zip(now.codes, now.shapes, strict=True) if c != code and s.intersects(shape)] or [code]
    other = str(rng.choice(others))
    box = shapely.affinity.rotate(shapely.box(*(vertex - 0.2 * size), *(vertex + 0.25 * size)), np.degrees(angle))
    match rng.choice(names, p=share / share.sum()):
        case "split":
            middle = np.array([x, y]) + rng.normal(0, 0.1 * size, 2)
            return Split(code, tuple(map(tuple, [(x, y) - 4 * size * step, middle, (x, y) + 4 * size * step])))
        case "merge":
            return Merge((code, other))
        case "retire":
            return Retire(code, to="free" if rng.random() < 0.1 else "neighbours")
        case "create":
            return Create(rings_of(box))
        case "reshape":
            side = 0.3 * size * np.array([-step[1], step[0]])
            return Reshape(tuple(map(tuple, [vertex - 0.4 * size * step, vertex + side, vertex + 0.4 * size * step])))
        case "move":
            target = vertices[rng.integers(len(vertices))] if rng.random() < 0.1 else near
            return MoveVertex(tuple(vertex), tuple(target))
        case "add":
            border = max(shapely.get_parts(shape), key=lambda part: float(part.area)).exterior
            at = shapely.get_coordinates(border.interpolate(rng.random(), normalized=True))[0]
            return AddVertex(tuple(at), to=tuple(at + rng.normal(0, 0.05 * size, 2)) if rng.random() < 0.5 else None)
        case "delete":
            return DeleteVertex(tuple(vertex))
        case _:
            if len(now.free) and rng.random() < 0.5:
                beside = [c for c, s in zip(now.codes, now.shapes, strict=True) if s.intersects(now.free[0])]
                return Assign(rings_of(now.free[0]), to=str(rng.choice(beside or [code])), source=("",))
            return Assign(rings_of(box), to=code)


def walk(start: Partition, *, steps: int, seed: int, judge_every: int = 1) -> Walk:
    """Steps of random operations; a refused one counts and changes nothing."""
    rng = np.random.default_rng(seed)
    state = Walk(start)
    area = start.outline.area
    least, most = int(len(start.codes) * 0.9), int(len(start.codes) * 1.2) + 2
    given: set[str] = set(start.codes)
    for number in range(steps):
        op = random_operation(state.partition, rng, least=least, most=most)
        op = from_json(to_json(op))
        begin = time.process_time()
        try:
            edit = apply(state.partition, op, taken=given)
        except Refused as error:
            error.message("zh")
            state.refused[f"{op.do}: {error.rule}"] += 1
            continue
        finally:
            state.seconds.append(time.process_time() - begin)
        judge(state.partition, edit, area=area, thorough=number % judge_every == 0)
        given |= {*edit.partition.codes}
        state.partition = edit.partition
        state.done[op.do] += 1
    return state


def judge(before: Partition, edit: Edit, *, area: float, thorough: bool) -> None:
    """Independent of the invariants: GEOS's own coverage check, sums of areas, untouched grids the same objects."""
    after = edit.partition
    for code, shape in zip(after.codes, after.shapes, strict=True):
        assert code in edit.changes or shape is before.shape(code)
    members = np.concatenate([after.shapes, after.free])
    assert abs(shapely.area(members).sum() - area) <= 1e-6 * max(area / 1e6, 1.0)
    if thorough:
        assert broken(after) == ()
        assert shapely.coverage_is_valid(members) or any(map(pinched, members))
