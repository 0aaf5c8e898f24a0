"""Frames to files by their ending, whole or not at all: a temporary file takes the old one's place only when it is finished.

Every format says when its data is synthetic: a column `synthetic` in each of them, besides a description in GeoPackage, a
note sheet in Excel. GeoJSON is in WGS 84 (RFC 7946), tables get the longitude and latitude of the centre; the others keep
the frame's CRS.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
import xlsxwriter

from gridgis.crs import WGS84
from gridgis.errors import DataError, WorkspaceError
from gridgis.files.live import refuse_workspace
from gridgis.files.mapping import SHORT_NAMES
from gridgis.layers import LAYERS
from gridgis.text import Lang, t

ENDINGS: Final = (".gpkg", ".geojson", ".parquet", ".fgb", ".shp", ".zip", ".csv", ".xlsx")
# What table programs run as a formula; a plain negative number is none.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SHEET_WIDTHS: Final = (8, 40)
_SHEET_ROWS: Final = 1_048_576
_CELL: Final = 32_767


def write_frame(path: Path, frame: gpd.GeoDataFrame, *, layer: str, synthetic: bool = False, headings: Lang = "en") -> None:
    """Write a layer's rows to a file in the format its ending names.

    Parameters
    ----------
    path
        Ends in .gpkg, .geojson (or .json), .parquet, .fgb, .shp, .zip (a zipped shapefile), .csv or .xlsx. An old file makes way.
    frame
        Rows, index = the layer's key; `.shp` goes to four files of one name.
    layer
        Name of the layer inside the file.
    synthetic
        Whether the data is to be marked as synthetic.
    headings
        Language of the headings of .csv and .xlsx; other formats have the layer's column names.

    Raises
    ------
    DataError
        If the ending is none of these.
    WorkspaceError
        If the folder is missing or cannot be written.
    """
    suffix = ".geojson" if path.suffix.lower() == ".json" else path.suffix.lower()
    if suffix not in ENDINGS:
        raise DataError("export.ending", file=path.name, endings=", ".join(ENDINGS))
    rows = _flat(frame, synthetic)
    with in_place_of(path) as draft:
        if suffix == ".csv":
            _csv(draft, _table(rows, layer, headings))
        elif suffix == ".xlsx":
            _xlsx(draft, _table(rows, layer, headings), layer, synthetic, headings)
        elif suffix == ".parquet":
            rows.to_parquet(draft, index=False, schema_version="1.1.0")
        elif suffix in {".shp", ".zip"}:
            _shapefile(draft, rows, zipped=suffix == ".zip")
        else:
            _gdal(draft, rows, suffix, layer, synthetic)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a plain table as CSV (UTF-8 with mark, so that Excel reads it right), formulas escaped, whole or not at all."""
    with in_place_of(path) as draft:
        _csv(draft, frame)


def escape(text: str) -> str:
    """A text that no table program runs: an apostrophe goes before =, +, -, @, tab and return, unless it is a number.

    An import takes it off again; texts that begin with apostrophes before such a sign get one more, so that nothing is lost.

    >>> escape("=1+1"), escape("-3.5"), escape("-cmd"), escape("庙岭")
    ("'=1+1", '-3.5', "'-cmd", '庙岭')
    """
    return "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A draft next to `path`, with its name, that takes its place when the block ends well and vanishes when it does not."""
    if not path.parent.is_dir():
        raise WorkspaceError("export.no_folder", folder=str(path.parent))
    refuse_workspace(path)
    try:
        with TemporaryDirectory(prefix=".gridgis-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            made = sorted(Path(folder).iterdir(), key=lambda file: file == draft)  # the file itself last
            for file in made:
                os.replace(file, path.with_name(file.name))  # noqa: PTH105  (Path.replace says the same)
    except OSError as error:
        raise WorkspaceError("export.cannot_write", file=str(path), reason=str(error.strerror or error)) from error


def _flat(frame: gpd.GeoDataFrame, synthetic: bool) -> gpd.GeoDataFrame:
    rows = frame.reset_index()
    for name in rows.columns:
        column = rows[name]
        if column.dtype == object and column.map(lambda value: isinstance(value, (list, dict))).any():
            rows[name] = column.astype(str)
    if synthetic and "synthetic" not in rows.columns:
        rows.insert(len(rows.columns) - 1, "synthetic", True)
    return rows


def _gdal(path: Path, rows: gpd.GeoDataFrame, suffix: str, layer: str, synthetic: bool) -> None:
    options: dict[str, Any] = {}
    driver = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}[suffix]
    if suffix == ".geojson":
        rows = rows if rows.crs is None else rows.to_crs(WGS84)
        options = {"RFC7946": "YES", "COORDINATE_PRECISION": "11", "WRITE_NAME": "NO"}
    if suffix == ".fgb" and rows.geometry.isna().any():
        options = {"layer_options": {"SPATIAL_INDEX": "NO"}}  # its index cannot hold a row without a place
    if suffix == ".gpkg":
        options = {"layer_options": {"DESCRIPTION": _description(layer, synthetic)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a layer without geometry has no CRS either
        pyogrio.write_dataframe(_typed(rows), path, driver=driver, layer=layer, use_arrow=True, **options)


def _shapefile(path: Path, rows: gpd.GeoDataFrame, *, zipped: bool) -> None:
    named = _typed(rows).rename(columns=short_names([str(name) for name in rows.columns]))
    for name in named.columns:
        if isinstance(named[name].dtype, pd.DatetimeTZDtype):
            named[name] = named[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # dBase has dates, but no times
    target = path.with_suffix(".shp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(named, target, driver="ESRI Shapefile", encoding="UTF-8", use_arrow=True)
    if zipped:
        parts = sorted(file for file in target.parent.iterdir() if file.stem == target.stem and file != path)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in parts:
                archive.write(part, part.name)
        for part in parts:
            part.unlink()


def short_names(columns: list[str]) -> dict[str, str]:
    """Names of at most ten bytes for a shapefile, unique: the documented ones, else cut, else numbered.

    >>> short_names(["occurred_at", "description", "a_very_long_name", "a_very_long_one"])
    {'occurred_at': 'occurred', 'description': 'descriptn', 'a_very_long_name': 'a_very_lon', 'a_very_long_one': 'a_very_l_1'}
    """
    names: dict[str, str] = {}
    for column in columns:
        if column == "geometry":
            continue
        wish = SHORT_NAMES.get(column, column)
        short = wish.encode()[:10].decode(errors="ignore")
        number = 0
        while short in names.values():
            number += 1
            short = wish.encode()[: 9 - len(str(number))].decode(errors="ignore") + f"_{number}"
        names[column] = short
    return names


def _typed(rows: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Columns Arrow can type: one without any value is text."""
    empty = {name: rows[name].astype("string") for name in rows.columns if name != rows.geometry.name and rows[name].isna().all()}
    return rows.assign(**empty)


def _table(rows: gpd.GeoDataFrame, layer: str, headings: Lang) -> pd.DataFrame:
    """Columns for people: instants and dates as ISO text, the centre's degrees, geometry of no point as WKT."""
    table = pd.DataFrame(rows.drop(columns=rows.geometry.name))
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            table[name] = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").str.replace(r"\.0+Z$", "Z", regex=True)
    shapes = rows.geometry
    if shapes.crs is not None and shapes.notna().any():
        values = shapes.to_numpy()
        points = shapely.get_type_id(values) == 0
        centre = np.where(points, values, shapely.point_on_surface(values))
        degrees = gpd.GeoSeries(centre, crs=shapes.crs).to_crs(WGS84)
        own = points[~shapely.is_missing(values)].all()
        lon, lat = ("lon", "lat") if own else ("centroid_lon", "centroid_lat")
        table[lon], table[lat] = degrees.x.round(11), degrees.y.round(11)
        if not own:
            table["wkt"] = shapely.to_wkt(shapes.to_crs(WGS84).to_numpy(), rounding_precision=11)
    if headings == "zh":
        table = table.rename(columns=chinese_headings(layer, [str(name) for name in table.columns]))
    return table


def chinese_headings(layer: str, columns: list[str]) -> dict[str, str]:
    """The Chinese heading of each column that has one: the first of `Column.also`, which an import recognises.

    >>> chinese_headings("grids", ["code", "officer", "lon"])
    {'code': '网格编码', 'officer': '网格员', 'lon': '经度'}
    """
    own = {"lon": "经度", "lat": "纬度", "centroid_lon": "中心经度", "centroid_lat": "中心纬度", "synthetic": "示例数据"}
    for column in LAYERS[layer].columns if layer in LAYERS else ():
        if column.also:
            own[column.name] = column.also[0]
    return {name: own[name] for name in columns if name in own}


def _csv(path: Path, table: pd.DataFrame) -> None:
    safe = table.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = safe[name].map(lambda value: escape(str(value)), na_action="ignore")
    safe.columns = pd.Index([escape(str(name)) for name in safe.columns])
    safe.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")


def _xlsx(path: Path, table: pd.DataFrame, layer: str, synthetic: bool, lang: Lang) -> None:
    if len(table) >= _SHEET_ROWS:
        raise DataError("export.too_many_rows", file=path.name, rows=len(table), limit=_SHEET_ROWS - 1)
    table = _wkt_in_cells(table)
    quiet = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": False}
    with xlsxwriter.Workbook(path, {**quiet, "constant_memory": True}) as book:
        sheet = book.add_worksheet(layer[:31])
        bold, day = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.freeze_panes(1, 0)
        for at, name in enumerate(table.columns):
            longest = table[name].head(500).map(lambda value: len(str(value).encode("gbk", "replace")), na_action="ignore").max()
            width = max(len(str(name).encode("gbk", "replace")), 0 if pd.isna(longest) else int(longest))
            sheet.set_column(at, at, min(max(width + 2, _SHEET_WIDTHS[0]), _SHEET_WIDTHS[1]))
            sheet.write_string(0, at, escape(str(name)), bold)
        for row, values in enumerate(table.itertuples(index=False, name=None), start=1):
            for at, value in enumerate(values):
                _cell(sheet, row, at, value, day)
        note = book.add_worksheet(t("export.note_sheet", lang))
        note.set_column(0, 0, 100)
        note.write_string(0, 0, _description(layer, synthetic, lang))


def _wkt_in_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Outlines longer than a cell holds go on in `wkt_2`, `wkt_3`, …; an import puts them together again."""
    if "wkt" not in table.columns:
        return table
    text = table["wkt"].astype("string")
    longest = int(text.str.len().max()) if text.notna().any() else 0
    pieces = {
        "wkt" if start == 0 else f"wkt_{start // _CELL + 1}": text.str.slice(start, start + _CELL).replace({"": pd.NA})
        for start in range(0, max(longest, 1), _CELL)
    }
    return pd.concat([table.drop(columns="wkt"), pd.DataFrame(pieces)], axis=1)


def _cell(sheet: Any, row: int, at: int, value: Any, day: Any) -> None:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return
    if isinstance(value, (bool, np.bool_)):
        sheet.write_boolean(row, at, bool(value))
    elif isinstance(value, (int, float, np.integer, np.floating)):
        sheet.write_number(row, at, float(value))
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime) and value.year >= 1900:
        sheet.write_datetime(row, at, value, day)
    else:
        text = escape(str(value))
        sheet.write_string(row, at, text if len(text) <= _CELL else text[: _CELL - 1] + "…")


def _description(layer: str, synthetic: bool, lang: Lang | None = None) -> str:
    def say(key: str) -> str:
        return t(key, lang, layer=layer) if lang else f"{t(key, 'zh', layer=layer)} {t(key, 'en', layer=layer)}"

    return f"{say('export.made_by')} {say('general.synthetic')}" if synthetic else say("export.made_by")
