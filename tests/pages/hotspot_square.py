"""A square town of 2 × 2 km with one incident in every 100 m cell and a heap of forty in its middle: a hand can count it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

import gridgis

X0, Y0, SIDE, CELLS = 500_000, 3_366_000, 100, 20
HEAP = (10, 10)
"""Row from the north and column of the heap's cell."""
HEAPED = 40


def square(file: Path, *, areas: bool = True, hours: bool = True) -> Path:
    """A workspace with the square: background at noon of the first of each month, the heap on Saturday nights of June."""
    rows = []
    for number in range(CELLS * CELLS):
        up, right = divmod(number, CELLS)
        when = pd.Timestamp(2012, number % 12 + 1, 1, 12 if hours else 0)
        rows.append((X0 + SIDE * right + 50, Y0 + SIDE * up + 50, when, "noise"))
    for number in range(HEAPED):
        x, y = X0 + SIDE * HEAP[1] + 50, Y0 + SIDE * (CELLS - 1 - HEAP[0]) + 50
        when = pd.Timestamp(2012, 6, 2) + pd.Timedelta(days=7 * (number % 4), hours=22 if hours else 0)
        rows.append((x, y, when, "theft"))
    frame = gpd.GeoDataFrame(
        {
            "occurred_at": pd.DatetimeIndex([when for _, _, when, _ in rows]).tz_localize("Asia/Shanghai"),
            "category": [kind for *_, kind in rows],
        },
        geometry=gpd.points_from_xy([x for x, *_ in rows], [y for _, y, *_ in rows]),
        crs="EPSG:4547",
        index=pd.Index([f"I{number:04d}" for number in range(len(rows))], name="id"),
    )
    whole = SIDE * CELLS
    box = shapely.box(X0, Y0, X0 + whole, Y0 + whole)
    west, east = shapely.box(X0, Y0, X0 + whole / 2, Y0 + whole), shapely.box(X0 + whole / 2, Y0, X0 + whole, Y0 + whole)
    ground = gpd.GeoDataFrame(
        {"name": ["Square", "West", "East"], "level": ["town", "village", "village"], "parent": [None, "1", "1"]},
        geometry=[box, west, east],
        crs="EPSG:4547",
        index=pd.Index(["1", "11", "12"], name="code"),
    )
    with (
        gridgis.create_workspace(str(file), name="Square", crs="EPSG:4547", synthetic=True) as ws,
        ws.write(who="test", why="square") as write,
    ):
        if areas:
            write.upsert("areas", ground)
        write.upsert("incidents", frame)
    return file
