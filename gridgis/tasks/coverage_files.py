"""Coverage of one file by another: the same figures without a workspace."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridgis.apportion import zonal_sum
from gridgis.coverage import Measure, Unit
from gridgis.crs import work_crs as choose_work_crs
from gridgis.errors import DataError
from gridgis.files import read_any
from gridgis.files.mapping import recognise
from gridgis.ground import Ground, Shapes, add_up, areas_m2, clip, ground, polygonal
from gridgis.layers import LAYERS
from gridgis.progress import Progress, silent
from gridgis.tasks.coverage_report import MEASURES, CoverageReport, ZoneReport, notes_of
from gridgis.tasks.rasters import read_raster


def coverage_files(
    total: str | Path,
    covered: str | Path,
    *,
    population: str | Path | None = None,
    crs: str | None = None,
    work_crs: str | None = None,
    progress: Progress = silent,
) -> CoverageReport:
    """How much of the areas in one file the grids in another cover.

    1. Every grid of the second file counts as in operation; the union of the first file's areas is the total.
    2. Overlay happens in the CRS both files share, where their edges are straight (else in the first file's), or in
       `work_crs`; areas are geodesic, as PostGIS's `geography`.
    3. Population comes from the raster, else from a population column of the areas, spread evenly over each; households
       from their column.

    Parameters
    ----------
    total, covered
        Any vector files.
    population
        A raster of people per pixel.
    crs
        What the files are in where they do not say.
    work_crs
        A CRS to overlay in, projected in metres.
    progress
        Told of the stages.

    Raises
    ------
    DataError
        If a file cannot be read, or the first holds no polygon.
    CrsError
        If a file does not say where it lies, or `work_crs` cannot measure.
    """
    areas = read_any(total, crs=crs, target="areas", progress=progress)
    grids = read_any(covered, crs=crs, target="grids", progress=progress)
    own = pyproj.CRS.from_user_input(areas.crs)
    at = choose_work_crs(areas, wish=work_crs) if work_crs and work_crs != "auto" else own
    areas, grids = areas.to_crs(at), grids.to_crs(at)
    named = recognise(list(grids.columns), LAYERS["grids"]).fields.get("code")
    if named is not None and grids[named].is_unique:
        grids = grids.set_index(grids[named].astype(str))
    progress("coverage.stage_ground", 0, 1)
    shapes = polygonal(np.asarray(areas.geometry.array, dtype=object))[0]
    if not (shapely.area(shapes) > 0).any():
        raise DataError("coverage.no_total", file=Path(total).name)
    one = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    whole = gpd.GeoDataFrame(geometry=[one], crs=at)
    found = ground(grids, within=whole)
    progress("coverage.stage_measure", 0, 1)
    measures = _figures(areas, shapes, one, found, population, whole)
    _, meeting, _, _ = clip(polygonal(np.asarray(grids.geometry.array, dtype=object))[0], np.array([one], dtype=object))
    measures["grids"] = Measure("grids", float(len(meeting)), reason="coverage.no_plan")
    code, name = _label(areas, total)
    report = ZoneReport(code, name, {key: measures[key] for key in MEASURES})
    frame = gpd.GeoDataFrame({"name": [name]}, index=[code or ""], geometry=[one], crs=at)
    return CoverageReport(None, report, False, (), tuple(notes_of(found, areas)), frame)


def _figures(
    areas: gpd.GeoDataFrame, shapes: Shapes, one: shapely.Geometry, found: Ground,
    raster: str | Path | None, whole: gpd.GeoDataFrame,
) -> dict[str, Measure]:  # fmt: skip
    crs = found.crs
    pieces = np.asarray(found.pieces.array, dtype=object)
    _, _, inside, _ = clip(pieces, np.array([one], dtype=object))
    covered = float(areas_m2(inside, crs).sum())
    everything = float(areas_m2(np.array([one], dtype=object), crs)[0])
    measures = {
        "area": Measure("m2", min(covered, everything), everything, "coverage.source_geometry"),
        "households": _column(areas, shapes, inside, crs, "households", "households"),
        "natural_villages": Measure("natural_villages", reason="coverage.not_in_files"),
        "stations": Measure("stations", reason="coverage.not_in_files"),
        "officers": Measure("officers", reason="coverage.not_in_files"),
    }
    if raster is None:
        measures["population"] = _column(areas, shapes, inside, crs, "population", "people")
        return measures
    pixels = read_raster(raster, within=whole)
    people = float(zonal_sum(pixels, whole).iloc[0])
    reached = float(zonal_sum(pixels, gpd.GeoSeries(inside, crs=crs)).sum()) if len(inside) else 0.0
    reason = "coverage.nothing_to_cover" if people == 0 else None
    measures["population"] = Measure("people", min(reached, people), people, "coverage.source_raster", reason=reason)
    return measures


def _column(
    areas: gpd.GeoDataFrame, shapes: Shapes, inside: Shapes, crs: pyproj.CRS, column: str, unit: Unit
) -> Measure:  # fmt: skip
    heading = recognise(list(areas.columns), LAYERS["areas"]).fields.get(column)
    counts = pd.to_numeric(areas[heading], errors="coerce") if heading is not None else pd.Series([np.nan] * len(areas))
    if counts.isna().any():
        return Measure(unit, reason=f"coverage.no_{column}")
    size = areas_m2(shapes, crs)
    of, _, part, _ = clip(inside, shapes)
    share = np.divide(add_up(of, areas_m2(part, crs), len(shapes)), size, out=np.zeros(len(shapes)), where=size > 0)
    share = np.where(share > 1 - 1e-9, 1.0, share)
    total = float(counts.sum())
    reason = "coverage.nothing_to_cover" if total == 0 else None
    return Measure(
        unit, float((counts.to_numpy(dtype=float) * share).sum()), total, "coverage.source_areas_by_area", reason=reason
    )


def _label(areas: gpd.GeoDataFrame, file: str | Path) -> tuple[str | None, str]:
    """Code and name of a single area; of several, none and the file's name."""
    if len(areas) > 1:
        return None, Path(file).stem
    known = recognise(list(areas.columns), LAYERS["areas"]).fields
    code, name = (areas[known[key]].iloc[0] if key in known else None for key in ("code", "name"))
    return (None if code is None or pd.isna(code) else str(code)), (
        Path(file).stem if name is None or pd.isna(name) else str(name)
    )
