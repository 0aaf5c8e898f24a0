"""Cells written with their spatial index and read back, beside geopandas, plain sqlite3 and geopandas on PostGIS."""

from __future__ import annotations

import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
import shapely
import sqlalchemy as sa

import gridgis
from gridgis.store import Workspace, geopackage, gpkg_blob, gpkg_schema
from tests.postgis import missing_postgis, running_postgis

SMALL, LARGE = 100_000, 1_000_000
WRITE_BAR_S, BOX_BAR_S = 20.0, 0.1
X0, Y0 = 400_000.0, 4_400_000.0
Box = tuple[float, float, float, float]


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table."""
    rows: list[dict[str, Any]] = []
    for size in (SMALL,) if quick else (SMALL, LARGE):
        frame = cells(size)
        with tempfile.TemporaryDirectory() as folder:
            rows += _files(frame, Path(folder))
    frame = cells(SMALL)
    with tempfile.TemporaryDirectory() as folder:
        rows.append(_one_by_one(frame, Path(folder)))
    if missing_postgis() is None:
        with running_postgis(durable=True) as server:
            rows += _server(frame if quick else cells(LARGE), server)
    return rows


def cells(count: int) -> gpd.GeoDataFrame:
    """A block of `count` cells of 100 m as a city's unit grid has them."""
    side = round(count**0.5)
    numbers = np.arange(count)
    west, south = X0 + 100.0 * (numbers % side), Y0 + 100.0 * (numbers // side)
    areas = [f"{110108000000 + number // 3000:012d}" for number in numbers.tolist()]
    frame = gpd.GeoDataFrame(
        {
            "code": [f"{area}{number % 3000 + 1:04d}" for area, number in zip(areas, numbers.tolist(), strict=True)],
            "area_m2": 10_000.0 + numbers % 7,
            "area_code": areas,
            "initial_time": pd.Timestamp("2012-03-01", tz="UTC"),
            "planar_m2": 10_000.0,
        },
        geometry=shapely.box(west, south, west + 100, south + 100),
        crs="EPSG:4548",
    )
    return frame.set_index("code")


def _files(frame: gpd.GeoDataFrame, folder: Path) -> list[dict[str, Any]]:
    size, box = len(frame), _hundredth(frame)
    ours, theirs = folder / "ours.gpkg", folder / "theirs.gpkg"
    with _workspace(str(folder / "first.gpkg")) as workspace:
        first = _write(workspace, frame)
    (folder / "first.gpkg").unlink()
    with _workspace(str(ours)) as workspace:
        written = min(first, _write(workspace, frame))
        peak = _peak_mb()
        boxed = _best(lambda: workspace.read("unit_cells", bbox=box), 5)
        whole = _best(lambda: workspace.read("unit_cells"), 2)
        read, part = workspace.read("unit_cells"), workspace.read("unit_cells", bbox=box)
    sound = _sound(ours)
    peer_written = _best(lambda: frame.to_file(theirs, layer="unit_cells"), 2)
    peer_boxed = _best(lambda: gpd.read_file(theirs, bbox=box), 5)
    peer_whole = _best(lambda: gpd.read_file(theirs), 2)
    same = sound and _equal(read, gpd.read_file(theirs).set_index("code"))
    same_part = _equal(part, gpd.read_file(theirs, bbox=box).set_index("code").loc[part.index]) and len(part) >= size // 100
    large = size >= LARGE
    write_ok, box_ok = written <= WRITE_BAR_S or not large, boxed <= BOX_BAR_S or not large
    peer = {"size": size, "peer": "geopandas (GDAL)"}
    return [
        {"work": "cells written with R-tree", **peer, "us_s": written, "peer_s": peer_written, "ratio": peer_written / written,
         "memory_mb": peak, "bar": f"1,000,000 ≤ {WRITE_BAR_S:g} s", "ok": same and write_ok},
        {"work": "1 % of the cells by box", **peer, "us_s": boxed, "peer_s": peer_boxed, "ratio": peer_boxed / boxed,
         "bar": f"≤ {BOX_BAR_S} s of 1,000,000", "ok": same_part and box_ok},
        {"work": "all cells read", **peer, "us_s": whole, "peer_s": peer_whole, "ratio": peer_whole / whole,
         "memory_mb": _peak_mb(), "bar": "equal", "ok": same},
    ]  # fmt: skip


def _one_by_one(frame: gpd.GeoDataFrame, folder: Path) -> dict[str, Any]:
    path = folder / "plain.gpkg"
    with _workspace(str(folder / "packed.gpkg")) as workspace:
        packed = _write(workspace, frame)
    _workspace_file(path)

    def insert() -> None:
        connection = geopackage.connect(path, mode="rw")
        blobs = gpkg_blob.to_blobs(frame.geometry.to_numpy(), srs_id=4548, multi=True)[0]
        columns = (frame.index, frame["area_m2"], frame["area_code"], ["2012-03-01T00:00:00.000Z"] * len(frame), blobs)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM unit_cells")
        connection.executemany(
            "INSERT INTO unit_cells (code, area_m2, area_code, initial_time, geom) VALUES (?, ?, ?, ?, ?)",
            zip(*(list(column) for column in columns), strict=True),
        )
        connection.execute("COMMIT")
        connection.close()

    plain = _best(insert, 1)
    box = _hundredth(frame)
    found = [_boxed_ids(folder / name, box) for name in ("packed.gpkg", "plain.gpkg")]
    return {
        "work": "cells written, R-tree packed or row by row", "size": len(frame), "us_s": packed, "peer": "sqlite3 with triggers",
        "peer_s": plain, "ratio": plain / packed, "bar": "same rows by box", "ok": found[0] == found[1] and len(found[0]) > 0,
    }  # fmt: skip


def _server(frame: gpd.GeoDataFrame, server: str) -> list[dict[str, Any]]:
    size, box = len(frame), _hundredth(frame)
    engine = sa.create_engine(sa.make_url(server).set(drivername="postgresql+psycopg"))
    with _workspace(f"{server}?schema=bench") as workspace:
        written = _write(workspace, frame)
        peak = _peak_mb()
        boxed = _best(lambda: workspace.read("unit_cells", bbox=box), 5)
        part = workspace.read("unit_cells", bbox=box)
    peer_written = _best(lambda: _to_postgis(frame, engine), 1)
    west, south, east, north = box
    sql = f"SELECT * FROM peer_cells WHERE geometry && ST_MakeEnvelope({west}, {south}, {east}, {north}, 4548)"
    peer_boxed = _best(lambda: gpd.read_postgis(sql, engine, geom_col="geometry"), 5)
    peer = gpd.read_postgis(sql, engine, geom_col="geometry").set_index("code")
    engine.dispose()
    same = set(part.index) <= set(peer.index) and _equal(part, peer.loc[part.index])
    names = {"size": size, "peer": "psycopg COPY, geopandas.read_postgis", "bar": "equal"}
    return [
        {"work": "cells written to PostGIS with index", **names, "us_s": written, "peer_s": peer_written,
         "ratio": peer_written / written, "memory_mb": peak, "ok": same},
        {"work": "1 % of the cells by box from PostGIS", **names, "us_s": boxed, "peer_s": peer_boxed,
         "ratio": peer_boxed / boxed, "ok": same},
    ]  # fmt: skip


@contextmanager
def _workspace(url: str) -> Iterator[Workspace]:
    with gridgis.create_workspace(url, crs="EPSG:4548") as workspace:
        yield workspace


def _workspace_file(path: Path) -> None:
    gridgis.create_workspace(path, crs="EPSG:4548").close()


def _write(workspace: Workspace, frame: gpd.GeoDataFrame) -> float:
    start = time.perf_counter()
    with workspace.write(who="bench", why="cells") as write:
        write.replace("unit_cells", frame)
    return time.perf_counter() - start


def _to_postgis(frame: gpd.GeoDataFrame, engine: sa.Engine) -> None:
    wkb = shapely.to_wkb(shapely.set_srid(frame.geometry.to_numpy(), 4548), hex=True, include_srid=True)
    columns = ("area_m2", "area_code", "initial_time", "planar_m2")
    rows = zip(frame.index, *(frame[name].tolist() for name in columns), wkb, strict=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS peer_cells")
        connection.exec_driver_sql(
            "CREATE TABLE peer_cells (code text PRIMARY KEY, area_m2 float8, area_code text, initial_time timestamptz, "
            "planar_m2 float8, geometry geometry(Polygon, 4548))"
        )
        raw = connection.connection.driver_connection
        if not isinstance(raw, psycopg.Connection):
            raise TypeError(type(raw))
        with raw.cursor() as cursor, cursor.copy("COPY peer_cells FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.exec_driver_sql("CREATE INDEX ON peer_cells USING gist (geometry)")


def _equal(read: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> bool:
    same_shapes = shapely.equals(read.geometry.to_numpy(), other.geometry.to_numpy()).all()
    return bool(
        same_shapes and read.index.equals(other.index.astype(read.index.dtype)) and (read["area_m2"] == other["area_m2"]).all()
    )


def _sound(path: Path) -> bool:
    connection = sqlite3.connect(path)
    tree = gpkg_schema.rtree_name("unit_cells")
    found: tuple[str] = connection.execute(f"SELECT rtreecheck('main', '{tree}')").fetchone()
    connection.close()
    return found == ("ok",)


def _boxed_ids(path: Path, box: Box) -> list[str]:
    with gridgis.open_workspace(path) as workspace:
        return sorted(workspace.read("unit_cells", bbox=box).index)


def _hundredth(frame: gpd.GeoDataFrame) -> Box:
    west, south, east, north = frame.total_bounds.tolist()
    side_x, side_y = (east - west) / 10, (north - south) / 10
    return west + 4 * side_x + 1, south + 4 * side_y + 1, west + 5 * side_x - 1, south + 5 * side_y - 1


def _best(work: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
