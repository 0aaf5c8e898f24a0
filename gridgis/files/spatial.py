"""Layers of spatial files through GDAL and GeoParquet through Arrow: features as they stand, with the ids QGIS shows."""

from __future__ import annotations

import re
import shutil
import sqlite3
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from gridgis.errors import DataError
from gridgis.files.live import is_workspace
from gridgis.files.raw import Note, Raw
from gridgis.layers import LAYERS, Shape
from gridgis.progress import Progress, silent

_CHUNK: Final = 50_000
_READ_ERRORS: Final = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, UnicodeError, RuntimeError)
_SHAPES: Final[dict[Shape, tuple[str, ...]]] = {
    "polygon": ("polygon", "surface", "unknown", "collection"),
    "line": ("line", "curve", "unknown"),
    "point": ("point", "unknown"),
    "any": ("",),
}
# GML must fetch nothing; GeoJSON gives dates as they are written.
_OPEN_OPTIONS: Final[dict[str, dict[str, str]]] = {
    ".gml": {"DOWNLOAD_SCHEMA": "NO"},
    ".geojson": {"DATE_AS_STRING": "YES"},
    ".json": {"DATE_AS_STRING": "YES"},
}
# What of an OpenStreetMap extract belongs into a layer: its GDAL layer and the tag a feature must carry.
_OSM: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "buildings": ("multipolygons", ("building",)),
    "roads": ("lines", ("highway",)),
    "places": ("points", ("place",)),
    "water": ("multipolygons", ("natural=water", "landuse=reservoir", "landuse=basin")),
    "areas": ("multipolygons", ("admin_level",)),
    "incidents": ("points", ()),
}
# and what comes from another of its layers as well
_OSM_TOO: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "water": ("lines", ("waterway=river", "waterway=stream", "waterway=canal", "waterway=drain", "waterway=ditch")),
}


def read_layer(
    path: Path, *, layer: str | None = None, target: str | None = None, encoding: str | None = None, progress: Progress = silent
) -> Raw:
    """The features of one layer of a file GDAL knows; dates and times come as ISO text with the zone they were written in.

    Without `layer` it is the only one, or the one named like `target` (a layer of the workspace), or the only one with
    its kind of geometry; else `DataError` names the layers. Features whose geometry GDAL cannot build have none.
    """
    _check_whole(path)
    with _own_copy(path) as source, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GDAL repeats as warnings what the checks below say once, with the row
        try:
            chosen, notes = _choose_layer(source, path.name, layer, target)
            options = _OPEN_OPTIONS.get(path.suffix.lower(), {})
            found = _dbf_encoding(path) if encoding is None and path.suffix.lower() == ".shp" else encoding
            try:
                info = pyogrio.read_info(source, layer=chosen, encoding=found, **options)
                frame = _features(source, chosen, info, found, progress, **options)
            except UnicodeDecodeError:  # MapInfo and others that do not say what their texts are in
                if found is not None:
                    raise
                found = "GB18030"
                info = pyogrio.read_info(source, layer=chosen, encoding=found, **options)
                frame = _features(source, chosen, info, found, progress, **options)
            if encoding is None and found not in {None, "UTF-8"}:
                notes.append(Note("files.note_encoding", {"file": path.name, "encoding": found}))
        except _READ_ERRORS as error:
            raise DataError("files.unreadable", file=path.name) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        frame.index = pd.RangeIndex(2, 2 + len(frame), name="row")
        return Raw(frame, None, path.name, chosen, "row", tuple(notes))
    frame.index.name = "feature"
    if info["driver"] == "OSM":
        frame, skipped = _osm_part(frame, _OSM.get(target or "", ("", ()))[1])
        if layer is None and target in _OSM_TOO:
            more, broken = _osm_too(path, *_OSM_TOO[target])
            if len(more):
                frame, skipped = gpd.GeoDataFrame(pd.concat([frame, more]), crs=frame.crs), skipped + broken
        if skipped:
            notes.append(Note("files.note_broken", {"file": path.name, "count": skipped}))
    if frame.empty:
        raise DataError("files.no_rows", file=path.name)
    shapes = frame.geometry
    table = pd.DataFrame(frame.drop(columns=shapes.name))
    return Raw(table, shapes.rename("geometry"), path.name, chosen, "feature", tuple(notes))


def read_parquet(path: Path) -> Raw:
    """The rows of a GeoParquet or plain Parquet (or Feather) file; the first row is 1."""
    feather = path.suffix.lower() in {".feather", ".arrow"}
    frame: pd.DataFrame
    try:
        try:
            frame = gpd.read_feather(path) if feather else gpd.read_parquet(path)
        except ValueError:  # no geo metadata: a plain table
            frame = pd.read_feather(path) if feather else pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError, ValueError, KeyError) as error:
        raise DataError("files.unreadable", file=path.name) from error
    if frame.index.name is not None or isinstance(frame.index, pd.MultiIndex):
        frame = frame.reset_index()
    frame.index = pd.RangeIndex(1, 1 + len(frame), name="row")
    if frame.empty:
        raise DataError("files.no_rows", file=path.name)
    if not isinstance(frame, gpd.GeoDataFrame):
        return Raw(frame, None, path.name, None, "row")
    shapes = frame.geometry
    others = [name for name in frame.columns if name != shapes.name]
    return Raw(pd.DataFrame(frame[others]), shapes.rename("geometry"), path.name, None, "row")


def _choose_layer(source: Path, file: str, layer: str | None, target: str | None) -> tuple[str, list[Note]]:
    listed = [(str(name), str(kind or "").lower()) for name, kind in pyogrio.list_layers(source)]
    names = [name for name, _ in listed]
    shown = ", ".join(names)
    if layer is not None:
        if layer not in names:
            raise DataError("files.no_such_layer", file=file, layer=layer, layers=shown)
        return layer, []
    if not names:
        raise DataError("files.no_rows", file=file)
    if len(names) == 1:
        return names[0], []
    if source.suffix.lower() in {".pbf", ".osm"}:
        chosen = _OSM.get(target or "", ("multipolygons", ()))[0]
    elif target is not None and target in names:
        chosen = target
    else:
        shape: Shape = LAYERS[target].shape if target is not None and target in LAYERS else "any"
        fitting = [name for name, kind in listed if any(part in kind for part in _SHAPES[shape])]
        if len(fitting) != 1:
            raise DataError("files.which_layer", file=file, layers=shown)
        chosen = fitting[0]
    return chosen, [Note("files.note_layer", {"file": file, "layer": chosen, "layers": shown})]


def _features(
    source: Path, layer: str, info: dict[str, Any], encoding: str | None, progress: Progress, **options: str
) -> pd.DataFrame:
    names = {"layer": layer}

    def part(skip: int, most: int | None) -> pd.DataFrame:
        frame: pd.DataFrame = pyogrio.read_dataframe(
            source, encoding=encoding, skip_features=skip, max_features=most, fid_as_index=True, on_invalid="ignore",
            datetime_as_string=True, **names, **options,
        )  # fmt: skip
        return frame

    total = int(info["features"])
    step = _CHUNK if total > _CHUNK and info["geometry_type"] is not None else None
    parts = []
    for skip in range(0, total, step) if step else (0,):
        try:
            parts.append(part(skip, step))
        except UnicodeError:
            raise
        except ValueError:  # a date the calendar does not have: the texts as they stand, for the check to name the row
            names = {"sql": _dates_as_text(layer, info), "sql_dialect": "OGRSQL"}
            parts.append(part(skip, step))
        if step:
            progress("files.stage_read", min(skip + step, total), total)
    if len(parts) == 1:
        return parts[0]
    return gpd.GeoDataFrame(pd.concat(parts), crs=parts[0].crs)


def _dates_as_text(layer: str, info: dict[str, Any]) -> str:
    columns = []
    for name, kind in zip(info["fields"], info["ogr_types"], strict=True):
        quoted = '"' + str(name).replace('"', '\\"') + '"'
        dated = kind in {"OFTDate", "OFTDateTime", "OFTTime"}
        columns.append(f"CAST({quoted} AS CHARACTER(40)) AS {quoted}" if dated else quoted)
    table = '"' + layer.replace('"', '\\"') + '"'
    return f"SELECT {', '.join(columns)} FROM {table}"


def _osm_too(path: Path, layer: str, tags: tuple[str, ...]) -> tuple[gpd.GeoDataFrame, int]:
    """The features of a further layer of an extract, with those columns the program has a use for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            frame = pyogrio.read_dataframe(path, layer=layer, fid_as_index=True, on_invalid="ignore")
        except _READ_ERRORS as error:
            raise DataError("files.unreadable", file=path.name) from error
    frame.index.name = "feature"
    found, broken = _osm_part(frame, tags)
    return found[["osm_id", "name", "kind", found.geometry.name]], broken


def _osm_part(frame: gpd.GeoDataFrame, tags: tuple[str, ...]) -> tuple[gpd.GeoDataFrame, int]:
    kind = pd.Series(None, index=frame.index, dtype=object)
    for tag in tags:
        name, _, value = tag.partition("=")
        if name in frame.columns:
            here = (frame[name] == value) if value else frame[name].notna() & (frame[name] != "no")
            kind = kind.where(kind.notna() | ~here, frame[name])
    if tags:
        frame = frame.assign(kind=kind)[kind.notna()]
    broken = frame.geometry.isna() | frame.geometry.is_empty
    # a polygon the edge of an extract cut down to a line there and back holds no ground
    polygon = frame.geom_type.isin(["Polygon", "MultiPolygon"])
    mended = frame.geometry.where(polygon & ~frame.geometry.is_valid).make_valid()
    broken |= polygon & (shapely.area(mended.to_numpy()) == 0)
    frame = frame[~broken]
    if {"osm_id", "osm_way_id"} <= set(frame.columns):
        # closed ways have osm_way_id, relations osm_id: one number each, told apart as OSM editors write them
        ways = "w" + frame["osm_way_id"].astype("string")
        frame = frame.assign(osm_id=ways.where(frame["osm_way_id"].notna(), "r" + frame["osm_id"].astype("string")))
        frame = frame.drop(columns="osm_way_id")
    return frame, int(broken.sum())


@contextmanager
def _own_copy(path: Path) -> Iterator[Path]:
    """A file GDAL may open: it leaves side files next to GML and must not touch a live GeoPackage, so those are copied."""
    suffix = path.suffix.lower()
    if suffix not in {".gml", ".gpkg", ".sqlite"}:
        yield path
        return
    with TemporaryDirectory(prefix="gridgis-") as folder:
        copy = Path(folder) / path.name
        if suffix == ".gml":
            for side in path.parent.glob(path.stem + ".*"):
                if side.suffix.lower() in {".gml", ".gfs", ".xsd"}:
                    shutil.copyfile(side, copy.with_suffix(side.suffix))
            yield copy
            return
        if not path.with_name(path.name + "-wal").exists() and not is_workspace(path):
            yield path
            return
        try:
            with (
                closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as live,
                closing(sqlite3.connect(copy)) as own,
            ):
                live.backup(own)
        except sqlite3.Error as error:
            raise DataError("files.unreadable", file=path.name) from error
        yield copy


def _check_whole(path: Path) -> None:
    # GDAL reads the part of a cut shapefile that is there and stays silent
    if path.suffix.lower() == ".shp":
        missing = [suffix for suffix in (".dbf", ".shx") if _side(path, suffix) is None]
        if missing:
            raise DataError("files.shapefile_parts", file=path.name, missing=", ".join(missing))
        head = path.read_bytes()[:100]
        if len(head) < 100 or struct.unpack(">i", head[:4])[0] != 9994:
            raise DataError("files.unreadable", file=path.name)
        if struct.unpack(">i", head[24:28])[0] * 2 > path.stat().st_size:
            raise DataError("files.truncated", file=path.name)
        dbf = _side(path, ".dbf")
        if dbf is not None:
            with dbf.open("rb") as file:
                count, start, width = struct.unpack("<IHH", file.read(32)[4:12])
            if start + count * width > dbf.stat().st_size:
                raise DataError("files.truncated", file=dbf.name)
    elif path.suffix.lower() in {".geojson", ".json"}:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 4096, 0))
            if not file.read().rstrip(b"\x00 \r\n\t").endswith((b"}", b"]")):
                raise DataError("files.truncated", file=path.name)
    if path.is_file():
        with path.open("rb") as file:
            if b"<OGRVRT" in file.read(2048):  # a VRT points to other files and servers
                raise DataError("files.unreadable", file=path.name)


def _side(path: Path, suffix: str) -> Path | None:
    return next((side for side in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if side.exists()), None)


def _dbf_encoding(path: Path) -> str | None:
    """The encoding of a shapefile's texts when no .cpg says it: UTF-8 if they are, else GB18030; None leaves it to GDAL."""
    dbf = _side(path, ".dbf")
    if dbf is None or _side(path, ".cpg") is not None:
        return None
    with dbf.open("rb") as file:
        head = file.read(32)
        count, start, width = struct.unpack("<IHH", head[4:12])
        fields = file.read(start - 32)
        body = file.read(min(count * width, 8 << 20))
    if head[29] not in {0, 0x57} or (fields + body).isascii():  # 0x57: “current ANSI code page”, whichever that was
        return None
    texts = re.findall(rb"[\x21-\x7e]*[\x80-\xff][\x40-\xff]*(?:[\x21-\xff]+)?", body + b" " + fields)
    return "UTF-8" if _decodes(texts, "utf-8") >= _decodes(texts, "gb18030") else "GB18030"


def _decodes(texts: Sequence[bytes], encoding: str) -> int:
    good = 0
    for text in texts:
        try:
            text.decode(encoding)
        except UnicodeDecodeError:
            continue
        good += 1
    return good


def has_z(shapes: gpd.GeoSeries) -> int:
    """How many geometries carry a third coordinate."""
    return int(shapely.has_z(shapes.to_numpy()).sum())
