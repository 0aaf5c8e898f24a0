"""What is sent is what was there: an independent reader of the bytes finds the shapes again."""

from __future__ import annotations

import itertools
import json
import struct

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.maps.choose import road
from gridgis.maps.source import FrameSource
from gridgis.maps.style import PLAIN, categories
from gridgis.maps.tiles import SHAPES_PER_TILE, STEPS, tile, whole
from gridgis.maps.world import lonlat, uv


def read(content: bytes) -> dict[str, object]:
    """A second reader, written from the description of the layout alone."""
    magic, n, r, p, u0, v0, unit = struct.unpack_from("<4sIII3d", content)
    assert magic == b"GGM1"
    at = 40
    parts = []
    for count, kind in ((n, "<u4"), (n + 1, "<u4"), (r + 1, "<u4"), (2 * p, "<i4"), (n, "u1"), (r, "u1")):
        parts.append(np.frombuffer(content, kind, count, at))
        at += parts[-1].nbytes
    ids, first, start, moves, classes, kinds = parts
    points = np.cumsum(moves.reshape(-1, 2).astype(np.int64), axis=0)
    rings = [points[a:b] * unit + (u0, v0) for a, b in itertools.pairwise(start)]
    return {
        "ids": ids.tolist(), "classes": classes.tolist(), "kinds": kinds.tolist(), "unit": unit,
        "shapes": [rings[a:b] for a, b in itertools.pairwise(first)],
        "extra": json.loads(content[at:]) if at < len(content) else None,
    }  # fmt: skip


def polygon(rings: list[np.ndarray]) -> shapely.Polygon:
    outlines = [[lonlat(u, v) for u, v in ring] for ring in rings]
    return shapely.Polygon(outlines[0], outlines[1:])


def test_a_small_layer_comes_back_to_a_few_centimetres() -> None:
    style = categories("station", {"S1": "West", "S2": "East"})
    found = read(whole(FrameSource(toy.grids(), style), extra={"keys": ["G1", "G2", "G3"]}))
    assert found["classes"] == [0, 0, 1]
    assert found["extra"] == {"keys": ["G1", "G2", "G3"]}
    sent = gpd.GeoSeries([polygon(rings) for rings in found["shapes"]], crs=4326).to_crs(toy.CRS)
    assert (sent.symmetric_difference(toy.grids().geometry.reset_index(drop=True)).area < 0.05 * 1000).all()
    assert sent.hausdorff_distance(toy.grids().geometry.reset_index(drop=True)).max() < 0.06


def test_holes_lines_points_and_nothing_keep_their_kind() -> None:
    ring = shapely.box(116, 39, 117, 40).difference(shapely.box(116.4, 39.4, 116.6, 39.6))
    shapes = [
        ring,
        None,
        shapely.LineString([(116, 39), (117, 40)]),
        shapely.MultiPoint([(116, 39), (116.5, 39)]),
        shapely.Polygon(),
    ]
    frame = gpd.GeoDataFrame(geometry=shapes, crs=4326)
    found = read(whole(FrameSource(frame, PLAIN)))
    assert [len(rings) for rings in found["shapes"]] == [2, 0, 1, 2, 0]
    assert found["kinds"] == [0, 3, 1, 2, 2]


def test_neighbours_share_their_border_in_every_tile() -> None:
    x, y = 116.3, 39.9
    frame = gpd.GeoDataFrame(
        geometry=[shapely.box(x, y, x + 0.001, y + 0.001), shapely.box(x + 0.001, y, x + 0.002, y + 0.001)], crs=4326
    )
    u, v = uv(x + 0.001, y + 0.0005)
    for z in (8, 12, 16):
        found = read(tile(FrameSource(frame, PLAIN), z, int(u * 2**z), int(v * 2**z)).content)
        west, east = ({tuple(np.rint(point / found["unit"]).astype(int)) for point in shape[0]} for shape in found["shapes"])
        assert len(west & east) >= (2 if z >= 12 else 1)


def test_a_tile_sends_only_what_touches_it_and_cuts_what_is_large() -> None:
    many = shapely.Point(116, 40).buffer(3, quad_segs=2000)
    frame = gpd.GeoDataFrame(geometry=[many, shapely.Point(100, 20)], crs=4326)
    u, v = uv(119.0, 40)  # on the eastern edge of the circle
    z = 12
    found = read(tile(FrameSource(frame, PLAIN), z, int(u * 2**z), int(v * 2**z)).content)
    assert found["ids"] == [0]
    assert sum(len(ring) for ring in found["shapes"][0]) < 500


def test_an_empty_tile_is_no_bytes() -> None:
    assert tile(FrameSource(toy.grids(), PLAIN), 10, 0, 0).content == b""


def test_more_shapes_than_a_tile_can_show_become_a_picture() -> None:
    side = 80
    r, c = np.divmod(np.arange(side * side), side)
    boxes = shapely.box(116 + c * 1e-4, 40 + r * 1e-4, 116 + c * 1e-4 + 1e-4, 40 + r * 1e-4 + 1e-4)
    assert side * side > SHAPES_PER_TILE
    source = FrameSource(gpd.GeoDataFrame(geometry=boxes, crs=4326), PLAIN)
    u, v = uv(116.004, 40.004)
    assert tile(source, 10, int(u * 2**10), int(v * 2**10)).media == "image/png"
    assert tile(source, 18, int(u * 2**18), int(v * 2**18)).media == "application/x-gridgis-shapes"


@settings(max_examples=30, deadline=None)
@given(lon=st.floats(-170, 170), lat=st.floats(-80, 80), size=st.floats(1e-5, 1.0), z=st.integers(0, 20))
def test_every_point_sent_is_within_half_a_step_of_the_truth(lon: float, lat: float, size: float, z: int) -> None:
    shape = shapely.box(lon, lat, lon + size, lat + size)
    u, v = uv(lon + size / 2, lat + size / 2)
    found = read(tile(FrameSource(gpd.GeoDataFrame(geometry=[shape], crs=4326), PLAIN), z, int(u * 2**z), int(v * 2**z)).content)
    corners = np.array([uv(x, y) for x, y in shape.exterior.coords])
    step = 1 / 2**z / STEPS
    for point in found["shapes"][0][0]:
        assert np.abs(corners - point).max(axis=1).min() <= step * 0.5001 + 1e-12


def test_size_decides_the_road() -> None:
    assert [road(n, on_lattice=False) for n in (0, 6_000, 6_001, 1_600_000)] == ["folium", "folium", "tiles", "tiles"]
    assert [road(n, on_lattice=False, exported=True) for n in (20_000, 20_001)] == ["folium", "image"]
    assert [road(n, on_lattice=True) for n in (2_000, 2_001)] == ["folium", "image"]


@pytest.mark.parametrize("count", [0, 1])
def test_layers_of_nothing_have_no_bounds(count: int) -> None:
    frame = gpd.GeoDataFrame(geometry=[None] * count, crs=4326)
    assert FrameSource(frame, PLAIN).bounds is None
    assert tile(FrameSource(frame, PLAIN), 0, 0, 0).content == b""
