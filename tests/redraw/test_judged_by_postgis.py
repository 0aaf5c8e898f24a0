"""PostGIS judges grounds that were redrawn at random: no overlap, no gap, the same union, whatever GEOS our side used."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
import shapely

from gridgis.redraw.partition import Partition
from tests.redraw.grounds import crooked
from tests.redraw.walk import voronoi, walk

OVERLAPPING = """SELECT a.code, b.code FROM {0} a JOIN {0} b ON a.number < b.number AND a.geom && b.geom
                 WHERE ST_Overlaps(a.geom, b.geom) OR ST_Contains(a.geom, b.geom) OR ST_Within(a.geom, b.geom)
                    OR ST_Area(ST_Intersection(a.geom, b.geom)) > 1e-6"""
UNION = """SELECT bool_and(ST_IsValid(geom)), bool_and(ST_NumGeometries(geom) = 1), sum(ST_Area(geom)), ST_Area(ST_Union(geom)),
                  ST_Area(ST_SymDifference(ST_Union(geom), (SELECT geom FROM outlines WHERE code = '{0}'))) FROM {0}"""


@pytest.mark.postgis
def test_what_was_redrawn_covers_the_area_once_for_postgis_as_well(postgis_server: str) -> None:
    starts: dict[str, Partition] = {"cells": voronoi(20, seed=4), "crooked": crooked(7, count=14, free=2)}
    with psycopg.connect(postgis_server, autocommit=True) as judge:
        judge.execute("CREATE TEMP TABLE outlines (code text, geom geometry)")
        for name, start in starts.items():
            done = walk(start, steps=80, seed=9, judge_every=10)
            assert done.done.total() > 30
            now = done.partition
            members = np.concatenate([now.shapes, now.free])
            rows = list(zip(range(len(members)), [*now.codes, *[""] * len(now.free)], shapely.to_wkb(members), strict=True))
            judge.execute(f"CREATE TEMP TABLE {name} (number int, code text, geom geometry)")
            with judge.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s, ST_GeomFromWKB(%s))", rows)
            judge.execute("INSERT INTO outlines VALUES (%s, ST_GeomFromWKB(%s))", (name, shapely.to_wkb(start.outline)))
            assert judge.execute(OVERLAPPING.format(name)).fetchall() == []
            valid, whole, summed, union, differs = judge.execute(UNION.format(name)).fetchone()  # type: ignore[misc]
            slack = 1e-6 * max(start.outline.area / 1e6, 1.0)
            assert (valid, whole) == (True, True)
            assert summed == pytest.approx(start.outline.area, abs=slack)
            assert union == pytest.approx(start.outline.area, abs=slack)
            assert differs <= slack
