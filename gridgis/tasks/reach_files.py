"""Reach and patrol rounds as files: layers for QGIS, one layer in other formats, tables as a workbook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from gridgis.files.writing import in_place_of, write_csv, write_frame
from gridgis.tasks.reaching import PatrolReport, ReachReport
from gridgis.text import Lang, t


def write_reach(report: ReachReport, file: str | Path, *, lang: Lang = "en") -> Path:
    """Write a report of reach to a file; an old one makes way once the new one is whole.

    Parameters
    ----------
    report
        From `reaching.reach`.
    file
        `.gpkg`: layers `service_gaps` (buildings beyond reach), `gap_ground`, `grids` and `areas` (shares), `buildings`
        (minutes of each, and its source), `sources`. `.xlsx`:
        shares by area, grid and source, and what lies beyond. Other endings of `files.writing`: the buildings beyond reach.
    lang
        Language of the headings and sheets of a workbook; layers and other files have English column names.

    Raises
    ------
    DataError, WorkspaceError
        If the ending is no format, or the file cannot be written.
    """
    path = Path(file)
    match path.suffix.lower():
        case ".gpkg":
            _geopackage(path, _layers(report), report.synthetic)
        case ".xlsx":
            gaps = pd.DataFrame(report.ground.drop(columns=report.ground.geometry.name))
            source = report.asked.sources
            tables = {
                "total": report.total,
                "area": report.by_area,
                "grid": report.by_grid,
                source: report.by_source,
                "gaps": gaps,
            }
            _workbook(path, tables, report.synthetic, lang)
        case _:
            write_frame(path, report.gaps, layer="service_gaps", synthetic=report.synthetic, headings=lang)
    return path


def write_patrol(report: PatrolReport, file: str | Path, *, lang: Lang = "en") -> Path:
    """Write patrol rounds to a file; an old one makes way once the new one is whole.

    Parameters
    ----------
    report
        From `reaching.patrol`.
    file
        `.xlsx`, `.csv`: the figures of every grid. Other endings of `files.writing`: the rounds as lines with their figures.
    lang
        Language of the headings and sheets of a workbook.

    Raises
    ------
    DataError, WorkspaceError
        If the ending is no format, or the file cannot be written.
    """
    path = Path(file)
    table = pd.DataFrame(report.frame.drop(columns=report.frame.geometry.name))
    match path.suffix.lower():
        case ".xlsx":
            _workbook(path, {"patrol": table}, report.synthetic, lang)
        case ".csv":
            write_csv(path, _marked(table, report.synthetic))
        case _:
            write_frame(path, report.frame, layer="patrol_rounds", synthetic=report.synthetic)
    return path


def _layers(report: ReachReport) -> dict[str, gpd.GeoDataFrame]:
    grids = report.by_grid[report.by_grid.index.isin(report.scope.grids.index)]
    areas = report.by_area[report.by_area.index.isin(report.scope.lowest.index)]
    return {
        "service_gaps": report.gaps,
        "gap_ground": report.ground,
        "grids": gpd.GeoDataFrame(grids, geometry=report.scope.grids.geometry.reindex(grids.index), crs=report.gaps.crs),
        "areas": gpd.GeoDataFrame(areas, geometry=report.scope.lowest.geometry.reindex(areas.index), crs=report.gaps.crs),
        "buildings": report.places,
        "sources": report.sources_at,
    }


def _geopackage(path: Path, layers: Mapping[str, gpd.GeoDataFrame], synthetic: bool) -> None:
    with in_place_of(path) as draft:
        for name, frame in layers.items():
            rows = gpd.GeoDataFrame(_marked(frame, synthetic), geometry="geometry", crs=frame.crs)
            points = name in ("service_gaps", "buildings", "sources")
            kind = "Point" if points else "MultiPolygon"
            pyogrio.write_dataframe(rows, draft, layer=name, driver="GPKG", geometry_type=kind, promote_to_multi=not points)


def _workbook(path: Path, tables: Mapping[str, pd.DataFrame], synthetic: bool, lang: Lang) -> None:
    quiet = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with in_place_of(path) as draft, pd.ExcelWriter(draft, engine="xlsxwriter", engine_kwargs=quiet) as book:
        head = book.book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        share, number = book.book.add_format({"num_format": "0.0%"}), book.book.add_format({"num_format": "#,##0.##"})
        for name, table in tables.items():
            rows = _marked(table, synthetic)
            title = t(f"reach.sheet_{name}", lang)
            rows.to_excel(book, sheet_name=title, index=False)
            sheet = book.sheets[title]
            for at, column in enumerate(rows.columns):
                sheet.write_string(0, at, t(f"reach.column_{column}", lang), head)
                shares = str(column).endswith(("_share", "gap"))
                sheet.set_column(at, at, 18, share if shares else number)
            sheet.freeze_panes(1, 1)


def _marked(table: pd.DataFrame, synthetic: bool) -> pd.DataFrame:
    """The key as a column `code`, and a column that says so where the data is synthetic."""
    rows = pd.DataFrame(table).reset_index(names="code")
    return rows.assign(synthetic=True) if synthetic else rows
