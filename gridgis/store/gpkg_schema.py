"""What the GeoPackage standard (1.3) asks for beside the data: its own tables, the registry of layers, R-tree triggers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pyproj
import sqlalchemy as sa
from pyproj.enums import WktVersion
from pyproj.exceptions import CRSError as ProjError

APPLICATION_ID: Final = 0x47504B47  # "GPKG"
USER_VERSION: Final = 10300
FIRST_CUSTOM_SRS: Final = 100_000
_RTREE_DEFINITION: Final = "http://www.geopackage.org/spec120/#extension_rtree"

_CORE: Final = (
    """CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT)""",
    """CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))""",
    """CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))""",
    """CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))""",
)
_BOX: Final = 'ST_MinX(NEW."geom"), ST_MaxX(NEW."geom"), ST_MinY(NEW."geom"), ST_MaxY(NEW."geom")'
_FULL: Final = '(NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom"))'
_VOID: Final = '(NEW."geom" ISNULL OR ST_IsEmpty(NEW."geom"))'
# The triggers of the standard's R-tree extension, so that edits in QGIS or GDAL keep the index.
_TRIGGERS: Final[dict[str, str]] = {
    "insert": 'AFTER INSERT ON "{t}" WHEN (new."geom" NOT NULL AND NOT ST_IsEmpty(NEW."geom")) '
    f'BEGIN INSERT OR REPLACE INTO "{{r}}" VALUES (NEW."fid", {_BOX}); END',
    "update1": f'AFTER UPDATE OF "geom" ON "{{t}}" WHEN OLD."fid" = NEW."fid" AND {_FULL} '
    f'BEGIN INSERT OR REPLACE INTO "{{r}}" VALUES (NEW."fid", {_BOX}); END',
    "update2": f'AFTER UPDATE OF "geom" ON "{{t}}" WHEN OLD."fid" = NEW."fid" AND {_VOID} '
    'BEGIN DELETE FROM "{r}" WHERE id = OLD."fid"; END',
    "update3": f'AFTER UPDATE ON "{{t}}" WHEN OLD."fid" != NEW."fid" AND {_FULL} '
    f'BEGIN DELETE FROM "{{r}}" WHERE id = OLD."fid"; INSERT OR REPLACE INTO "{{r}}" VALUES (NEW."fid", {_BOX}); END',
    "update4": f'AFTER UPDATE ON "{{t}}" WHEN OLD."fid" != NEW."fid" AND {_VOID} '
    'BEGIN DELETE FROM "{r}" WHERE id IN (OLD."fid", NEW."fid"); END',
    "delete": 'AFTER DELETE ON "{t}" WHEN old."geom" NOT NULL BEGIN DELETE FROM "{r}" WHERE id = OLD."fid"; END',
}


def rtree_name(table: str) -> str:
    """The name of a layer's R-tree.

    >>> rtree_name("grids")
    'rtree_grids_geom'
    """
    return f"rtree_{table}_geom"


def create_core(run: Callable[[str], Any]) -> None:
    """The standard's own tables with the three systems every GeoPackage lists."""
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run(f"PRAGMA user_version = {USER_VERSION}")
    for statement in _CORE:
        run(statement)
    wgs84 = _wkt(pyproj.CRS(4326)).replace("'", "''")
    run(
        "INSERT INTO gpkg_spatial_ref_sys VALUES "
        "('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),"
        "('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),"
        f"('WGS 84 geodetic', 4326, 'EPSG', 4326, '{wgs84}', 'longitude/latitude coordinates in decimal degrees')"
    )


def register_layer(run: Callable[[str], Any], table: str, geometry_type: str) -> None:
    """List a table as a layer of features and give it an R-tree; its system is still undefined."""
    run(f"INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('{table}', 'features', '{table}', -1)")
    run(f"INSERT INTO gpkg_geometry_columns VALUES ('{table}', 'geom', '{geometry_type}', -1, 0, 0)")
    run(f"INSERT INTO gpkg_extensions VALUES ('{table}', 'geom', 'gpkg_rtree_index', '{_RTREE_DEFINITION}', 'write-only')")
    run(f'CREATE VIRTUAL TABLE "{rtree_name(table)}" USING rtree(id, minx, maxx, miny, maxy)')
    create_triggers(run, table)


def register_attributes(run: Callable[[str], Any], table: str) -> None:
    """List a table without geometry."""
    run(f"INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('{table}', 'attributes', '{table}')")


def create_triggers(run: Callable[[str], Any], table: str) -> None:
    """The triggers that keep a layer's R-tree."""
    for suffix, body in _TRIGGERS.items():
        run(f'CREATE TRIGGER "{rtree_name(table)}_{suffix}" ' + body.format(t=table, r=rtree_name(table)))


def drop_triggers(run: Callable[[str], Any], table: str) -> None:
    """Take the triggers away for a bulk write that writes the R-tree itself."""
    for suffix in _TRIGGERS:
        run(f'DROP TRIGGER IF EXISTS "{rtree_name(table)}_{suffix}"')


def register_srs(connection: sa.Connection, crs: pyproj.CRS) -> int:
    """List a system, its EPSG code as number, or one of our own from 100,000 on; the number."""
    code = crs.to_epsg(min_confidence=100)
    if code is None:
        taken = connection.exec_driver_sql("SELECT max(srs_id) FROM gpkg_spatial_ref_sys").scalar_one()
        number = max(FIRST_CUSTOM_SRS, int(taken) + 1)
        authority = ("NONE", number)
    else:
        number, authority = code, ("EPSG", code)
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", (crs.name, number, *authority, _wkt(crs))
    )
    return number


def _wkt(crs: pyproj.CRS) -> str:
    for version in (WktVersion.WKT1_GDAL, WktVersion.WKT2_2019):
        try:
            return crs.to_wkt(version)
        except ProjError:  # WKT1 cannot say every system
            continue
    return "undefined"
