"""Any vector file, CSV, Excel or Parquet: one door that finds out what it is and gives its rows, placed if they can be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import geopandas as gpd

from gridgis.errors import DataError
from gridgis.files import graphs, places, spatial, tables
from gridgis.files.limits import DEFAULT, Limits, check_archive, check_size, unpacked
from gridgis.files.raw import Raw
from gridgis.progress import Progress, silent

_CSV: Final = {".csv", ".tsv", ".txt"}
_EXCEL: Final = {".xlsx", ".xlsm"}
_PARQUET: Final = {".parquet", ".geoparquet", ".pq", ".feather", ".arrow"}
# What is taken out of an archive when nothing was asked for, best first.
_INSIDE: Final = (
    ".gpkg", ".shp", ".geojson", ".json", ".topojson", ".fgb", ".gml", ".kml", ".gpx", ".parquet", ".geoparquet", ".tab", ".mif",
    ".csv", ".xlsx", ".gdb", ".dxf", ".pbf", ".txt",
)  # fmt: skip


def read_any(
    path: str | Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    datum: str = "wgs84",
    target: str | None = None,
    x: str | None = None,
    y: str | None = None,
    encoding: str | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = silent,
) -> gpd.GeoDataFrame:
    r"""The rows of a file with their columns as they stand and geometry in WGS 84 / CGCS2000 or the file's own CRS.

    Parameters
    ----------
    path
        Any vector file GDAL knows, a shapefile (also zipped), CSV, Excel, Parquet, GeoParquet, or a street network saved by
        OSMnx (`.graphml`).
    layer
        Which layer or sheet inside the file; needed where several would do.
    crs
        What the coordinates are in where the file does not say; where it does, `crs` wins.
    datum
        `gcj02` or `bd09` for shifted coordinates, which are put right.
    target
        Layer of the workspace the rows are meant for (`buildings`, …): helps to choose the layer inside, and what of an
        OpenStreetMap extract is meant.
    x, y
        Columns of a table with the coordinates; found by their headings when not given.
    encoding
        Of text files; found out when not given.

    Returns
    -------
    GeoDataFrame
        Index: the row number of a table (header = 1), the feature id of a layer. Geometry may be null or invalid: see
        `gridgis.files.repair`. It is two-dimensional.

    Raises
    ------
    DataError
        If the file is missing, empty, cut off, too large, no spatial file, or a table without coordinates.
    CrsError
        If nothing says what the coordinates are in, or they cannot be in what is said.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "stations.csv"
    ...     _ = file.write_text("编码,名称,经度,纬度\nS1,庙岭站,114.68,30.43\n", encoding="gbk")
    ...     read_any(file)[["名称", "geometry"]].to_dict("list")
    {'名称': ['庙岭站'], 'geometry': [<POINT (114.68 30.43)>]}
    """
    raw = read_raw(path, layer=layer, target=target, encoding=encoding, limits=limits, progress=progress)
    placed = places.place(raw, crs=crs, datum=datum, x=x, y=y)
    if placed.shapes is None:
        raise DataError("files.no_coordinates", file=placed.file, columns=", ".join(map(str, placed.frame.columns)))
    if placed.shapes.crs is None:
        raise places.missing_crs(placed)
    frame = placed.frame.drop(columns="geometry", errors="ignore")
    return gpd.GeoDataFrame(frame, geometry=placed.shapes)


def read_raw(
    path: str | Path,
    *,
    layer: str | None = None,
    target: str | None = None,
    encoding: str | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = silent,
) -> Raw:
    """The rows of a file before their coordinates are looked at; parameters as for `read_any`."""
    file = Path(path)
    check_size(file, limits=limits)
    with _opened(file, limits) as inner:
        raw = _dispatch(inner, layer, target, encoding, limits, progress)
    return replace(raw, file=file.name) if inner == file else replace(raw, file=f"{file.name}/{raw.file}")


def _dispatch(path: Path, layer: str | None, target: str | None, encoding: str | None, limits: Limits, progress: Progress) -> Raw:
    suffix = path.suffix.lower()
    if suffix in _CSV:
        return tables.read_csv(path, encoding=encoding, progress=progress)
    if suffix in _EXCEL:
        return tables.read_excel(path, layer=layer, limits=limits)
    if suffix == ".xls":
        raise DataError("files.old_excel", file=path.name)
    if suffix in _PARQUET:
        return spatial.read_parquet(path)
    if suffix == ".graphml":
        return graphs.read_graphml(path)
    if suffix in {".ods"}:
        check_archive(path, limits=limits)
    return spatial.read_layer(path, layer=layer, target=target, encoding=encoding, progress=progress)


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[Path]:
    """The file to read: itself, or the one inside a .zip or .kmz, unpacked for the time being."""
    if path.suffix.lower() not in {".zip", ".kmz"}:
        yield path
        return
    with unpacked(path, limits=limits) as root:
        files = [file for file in sorted(root.rglob("*")) if file.is_file() or file.suffix == ".gdb"]
        found = [file for file in files if file.suffix.lower() in _INSIDE]
        if not found:
            raise DataError("files.archive_nothing", file=path.name)
        best = min(_INSIDE.index(file.suffix.lower()) for file in found)
        kind = [file for file in found if _INSIDE.index(file.suffix.lower()) == best]
        if len(kind) > 1:
            raise DataError("files.archive_several", file=path.name, files=", ".join(file.name for file in kind))
        yield kind[0]
