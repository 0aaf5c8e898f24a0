"""Small grounds to redraw in tests: with a hole, in two parts, grids within grids, crooked ones with free ground; and a judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

import geopandas as gpd
import numpy as np
import shapely
from shapely import Polygon, box
from shapely.affinity import rotate, translate
from shapely.geometry.base import BaseGeometry

from gridgis import toy
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition

X, Y = toy.ORIGIN
AREA = "420000100201"


def at(right: float, up: float) -> tuple[float, float]:
    """A position by metres from the toy town's corner."""
    return X + right, Y + up


def ground(left: float, bottom: float, right: float, top: float) -> Polygon:
    return box(X + left, Y + bottom, X + right, Y + top)


def opened(grids: dict[str, BaseGeometry], outline: BaseGeometry | None = None) -> Partition:
    """The partition of grids that may lack vertices of their neighbours; without an outline they fill theirs."""
    whole = shapely.union_all(list(grids.values())) if outline is None else outline
    rows = {"name": [f"Grid {code}" for code in grids], "area_code": AREA, "state": "valid"}
    layer = gpd.GeoDataFrame(rows, geometry=list(grids.values()), index=list(grids), crs=toy.CRS)
    return open_partition(layer, gpd.GeoDataFrame(geometry=[whole], index=[AREA], crs=toy.CRS))


def town() -> Partition:
    """The toy town: G1 of 150 m, G2 of 100 m and G3 of 150 m, side by side, 300 m high."""
    return opened(dict(toy.grids().geometry))


def pinwheel() -> Partition:
    """Four grids of 200 m × 100 m around a hole of the area of 100 m × 100 m."""
    return opened(
        {
            "G1": ground(0, 0, 200, 100),
            "G2": ground(200, 0, 300, 200),
            "G3": ground(100, 200, 300, 300),
            "G4": ground(0, 100, 100, 300),
        }
    )


def islands() -> Partition:
    """An area of two parts: land of 200 m × 200 m for G1 and G2, and an island of 100 m × 100 m for G2, too, and G3."""
    return opened(
        {
            "G1": ground(0, 0, 100, 200),
            "G2": shapely.MultiPolygon([ground(100, 0, 200, 200), ground(300, 0, 340, 100)]),
            "G3": ground(340, 0, 400, 100),
        }
    )


def nested() -> Partition:
    """G1, 300 m × 300 m, has a hole with G2 and G3 in it, and G3 a hole of free ground, 30 m × 30 m."""
    hole, well = ground(100, 100, 200, 200), ground(160, 120, 190, 150)
    west, east = ground(100, 100, 150, 200), ground(150, 100, 200, 200)
    return opened(
        {"G1": ground(0, 0, 300, 300).difference(hole), "G2": west, "G3": east.difference(well)}, outline=ground(0, 0, 300, 300)
    )


def crossroads() -> Partition:
    """Nine squares of 100 m: four grids meet in a point, the square in the middle of the south is free."""
    squares = {
        f"G{1 + column + 3 * row}": ground(100 * column, 100 * row, 100 * column + 100, 100 * row + 100)
        for row in range(3)
        for column in range(3)
    }
    del squares["G2"]
    return opened(squares, outline=ground(0, 0, 300, 300))


def clearing() -> Partition:
    """G1 and G2 in a square of 300 m, most of which is free; no vertex of theirs is one of the outline or of the other."""
    return opened({"G1": ground(0, 60, 150, 240), "G2": ground(150, 90, 260, 210)}, outline=ground(0, 0, 300, 300))


@cache
def crooked(seed: int, *, count: int = 9, free: int = 1) -> Partition:
    """Cells around random points in a crooked outline with a hole, some of them free; coordinates use every bit."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False) + rng.uniform(0, 0.2, 24)
    outline = Polygon(np.column_stack([np.cos(turn), np.sin(turn)]) * rng.uniform(300, 400, (24, 1)))
    outline = outline.difference(rotate(box(-60, -40, 60, 40), float(rng.uniform(0, 90))))
    points = shapely.MultiPoint(rng.uniform(-350, 350, (count, 2)))
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=outline)), outline)
    parts = shapely.get_parts(cells)
    parts = shapely.get_parts(shapely.coverage_clean(list(parts[shapely.area(parts) > 1.0])))
    far = [translate(part, X + 0.1234567, Y + 0.7654321) for part in parts]
    whole = shapely.coverage_union_all(far)
    return opened({f"G{number:02d}": shape for number, shape in enumerate(far[free:], start=1)}, outline=whole)


FIXED = {"town": town, "pinwheel": pinwheel, "islands": islands, "nested": nested, "crossroads": crossroads, "clearing": clearing}


# --- a judge that knows nothing of gridgis.redraw.invariants -----------------------------------------------------------


def judge(now: Partition, outline: BaseGeometry, *, parts: Collection[tuple[str, int]] = ()) -> None:
    """Assert by overlays alone that a partition covers an outline once; `parts` are grids that may have more parts than one."""
    members = np.concatenate([now.shapes, now.free])
    km2 = max(outline.area / 1e6, 1e-3)
    assert shapely.is_valid(members).all()
    assert not shapely.is_empty(members).any()
    assert len(set(now.codes)) == len(now.codes) == len(now.shapes)
    assert tuple(now.attributes.index) == now.codes
    allowed = dict(parts)
    for code, count in zip(now.codes, shapely.get_num_geometries(now.shapes).tolist(), strict=True):
        assert count <= allowed.get(code, 1), (code, count)
    left, right = shapely.STRtree(members).query(members, predicate="intersects")
    pairs = left < right
    common = shapely.area(shapely.intersection(members[left[pairs]], members[right[pairs]]))
    assert common.sum() <= 1e-6 * km2, common.max()
    assert abs(shapely.area(members).sum() - outline.area) <= 1e-6 * km2
    # an overlay moves nothing by more than rounding; what the outline may be off is the area of a nanometre along it
    differs = shapely.symmetric_difference(shapely.union_all(members), outline).area
    assert differs <= 1e-6 * km2 + 1e-9 * outline.length, differs
    # GEOS takes the neighbour of a polygon whose hole touches its shell, at that very vertex, for one that does not fit
    assert shapely.coverage_is_valid(members) or any(map(pinched, members))


def pinched(shape: BaseGeometry) -> bool:
    """Whether a ring of a polygon touches another one or itself in a vertex."""
    xy = [point for ring in shapely.get_rings(shapely.get_parts(shape)) for point in list(ring.coords)[:-1]]
    return len(set(xy)) < len(xy)


def same_bits(one: Partition, other: Partition, *, free: bool = True) -> bool:
    """Whether two partitions have the same codes on the same ground, every vertex in its place, wherever rings begin.

    Without `free`, ground nobody holds is not compared.
    """

    def ground_of(partition: Partition) -> dict[str, bytes]:
        return {code: shape.normalize().wkb for code, shape in zip(partition.codes, partition.shapes, strict=True)}

    def free_of(partition: Partition) -> list[bytes]:
        return sorted(shape.normalize().wkb for shape in partition.free)

    return ground_of(one) == ground_of(other) and (not free or free_of(one) == free_of(other))


def on_millimetres(points: Iterable[tuple[float, float]]) -> list[bool]:
    """Whether each position is the double nearest to whole millimetres."""
    return [round(x * 1000) / 1000 == x and round(y * 1000) / 1000 == y for x, y in points]


def turned(partition: Partition, *, by: int = 1) -> Partition:
    """The same partition with its grids in another order and its rings begun at another vertex."""

    def turn(shape: BaseGeometry) -> BaseGeometry:
        def ring(line: shapely.LinearRing) -> np.ndarray:
            xy = shapely.get_coordinates(line)[:-1]
            xy = np.roll(xy, by, axis=0)
            return np.vstack([xy, xy[:1]])

        polygons = [Polygon(ring(part.exterior), [ring(hole) for hole in part.interiors]) for part in shapely.get_parts(shape)]
        return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons[::-1])

    order = list(reversed(range(len(partition.codes))))
    codes = tuple(partition.codes[i] for i in order)
    shapes = np.empty(len(codes), dtype=object)
    shapes[:] = [turn(partition.shapes[i]) for i in order]
    free = np.empty(len(partition.free), dtype=object)
    free[:] = [turn(shape) for shape in partition.free[::-1]]
    return Partition(
        area=partition.area,
        crs=partition.crs,
        outline=turn(partition.outline),
        codes=codes,
        shapes=shapes,
        free=free,
        attributes=partition.attributes.loc[list(codes)],
    )
