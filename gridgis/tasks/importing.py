"""Import files into a layer: read, map, check and preview without writing, then write everything in one transaction."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from gridgis import files as filing
from gridgis.crs import choose_crs
from gridgis.datum import check_datum
from gridgis.errors import DataError
from gridgis.files import cleaning, places, repair, rules
from gridgis.files.cleaning import Problem
from gridgis.files.mapping import ColumnMapping, recognise
from gridgis.files.raw import Raw
from gridgis.files.tables import fold
from gridgis.files.times import check_zone
from gridgis.files.values import Bools
from gridgis.layers import LAYERS, Layer
from gridgis.progress import Progress, silent
from gridgis.tasks.findings import Rejected, findings_of
from gridgis.tasks.import_plan import ImportOptions, ImportPlan, ImportReport
from gridgis.tasks.rejects import write_rejects

if TYPE_CHECKING:
    from gridgis.store import Workspace

__all__ = ["ImportOptions", "ImportPlan", "ImportReport", "Rejected", "plan_import", "run_import", "saved_mapping"]

_MAPPING_SETTING: Final = "import.mapping."


@dataclass(frozen=True, slots=True)
class _File:
    """One file read and cleaned."""

    raw: Raw
    mapping: ColumnMapping
    cleaned: cleaning.Cleaned
    """Its geometry is checked."""


def plan_import(
    ws: Workspace | None,
    layer: str,
    files: Sequence[str | Path],
    *,
    options: ImportOptions | None = None,
    progress: Progress = silent,
) -> ImportPlan:
    """Read files for a layer, recognise their columns, check every row, and say what an import would do.

    Parameters
    ----------
    ws
        The workspace rows refer to (areas, stations, CRS, saved mappings); None checks the files alone.
    layer
        Name of a layer (`gridgis.layers.LAYERS`).
    files
        One or more.
    options
        How to read them; None: everything as the files say.

    Raises
    ------
    DataError
        If a file cannot be read, or lacks a column the layer needs.
    CrsError
        If nothing says what the coordinates are in, or they cannot be in what is said.
    """
    wish = options or ImportOptions()
    target = _layer(layer)
    check_datum(wish.datum)
    check_zone(wish.time_zone)
    if not files:
        raise DataError("import.no_file")
    saved = {} if ws is None else saved_mapping(ws, layer)
    read = [_read(Path(file), target, wish, saved, progress) for file in files]
    progress("import.stage_check", 0, 1)
    crs, sets_crs = _target_crs(ws, read)
    frame, shapes = _joined(read, crs)
    problems = list(_shifted_rows(read))
    frame, more = _relate(ws, target, frame, shapes, read[0].mapping)
    problems += more
    sources = _sources(read)
    problems += _file_problems(read)
    found, counts = findings_of(problems, **sources)
    progress("import.stage_check", 1, 1)
    bad = cleaning.bad_rows(problems, len(frame))
    rejected = pd.DataFrame({"file": np.array(sources["files"], dtype=object)[bad], "row": np.array(sources["rows"])[bad]})
    original = pd.concat([part.raw.frame for part in read], ignore_index=True)[bad].reset_index(drop=True)
    good = gpd.GeoDataFrame(frame[~bad], geometry=np.asarray(shapes)[~bad], crs=crs).set_index(target.key)
    return ImportPlan(
        layer=layer, files=tuple(Path(file) for file in files), options=wish, frame=good, mapping=read[0].mapping.fields,
        unmapped=tuple(dict.fromkeys(name for part in read for name in part.mapping.unmapped)), findings=found, counts=counts,
        notes=tuple(note for part in read for note in part.raw.notes), rows=len(frame),
        rejected=pd.concat([rejected, original.drop(columns=["file", "row"], errors="ignore")], axis=1), crs=crs,
        sets_crs=sets_crs, synthetic=any(_says_synthetic(part.raw) for part in read),
        revision=None if ws is None else ws.revision,
    )  # fmt: skip


def run_import(
    ws: Workspace, plan: ImportPlan, *, who: str, why: str = "", at: dt.datetime | None = None, progress: Progress = silent
) -> ImportReport:
    """Write a plan's rows in one transaction: new keys are inserted, known ones updated, equal rows left alone.

    If the workspace has changed since the plan was made, the files are read and checked again first. With `on_error="skip"`
    the rejected rows are written to a report file (CSV, UTF-8 with mark).

    Raises
    ------
    Rejected
        A `DataError`: rows break rules and `on_error` is `abort`, or no row is left; nothing was changed.
    ConflictError
        If somebody else is writing for over 5 s.
    """
    if plan.revision != ws.revision:
        plan = plan_import(ws, plan.layer, plan.files, options=plan.options, progress=progress)
    if not plan.ok:
        raise Rejected("import.rejected", first=plan.findings[0], errors=plan.errors)
    report = None
    if len(plan.rejected):
        report = plan.options.report or plan.files[0].with_name(plan.files[0].name + ".rejected.csv")
        write_rejects(report, plan.rejected, plan.findings)
    progress("import.stage_write", 0, 1)
    reason = why or ", ".join(file.name for file in plan.files)
    try:
        with ws.write(who=who, why=reason, at=at) as write:
            if plan.sets_crs and plan.crs is not None:
                write.set_crs(plan.crs)
            if plan.synthetic:
                write.set_info(synthetic=True)
            if plan.options.save_mapping:
                write.set_setting(_MAPPING_SETTING + plan.layer, json.dumps(dict(plan.mapping), ensure_ascii=False))
            if LAYERS[plan.layer].history or write.count(plan.layer):
                counts = write.upsert(plan.layer, plan.frame, valid_from=plan.options.valid_from)
            else:  # nothing to compare with: the bulk road
                counts = write.replace(plan.layer, plan.frame, progress=progress)
    except BaseException:
        if report is not None:
            report.unlink(missing_ok=True)
        raise
    progress("import.stage_write", 1, 1)
    rejected = len(plan.rejected)
    return ImportReport(plan, counts.inserted, counts.updated, counts.unchanged, rejected, report)


def saved_mapping(ws: Workspace, layer: str) -> dict[str, str]:
    """The mapping kept for a layer: column of the layer → column of a file; empty if none is kept."""
    text = ws.settings().get(_MAPPING_SETTING + layer)
    return {} if not text else {str(name): str(column) for name, column in json.loads(text).items()}


def _layer(name: str) -> Layer:
    if name not in LAYERS:
        raise DataError("import.unknown_layer", layer=name, known=", ".join(LAYERS))
    return LAYERS[name]


def _read(path: Path, layer: Layer, wish: ImportOptions, saved: Mapping[str, str], progress: Progress) -> _File:
    raw = filing.read_raw(
        path, layer=wish.layer, target=layer.name, encoding=wish.encoding, limits=wish.limits, progress=progress
    )
    raw = places.place(raw, crs=wish.crs, datum=wish.datum, x=wish.x, y=wish.y, swap_xy=wish.swap_xy, strict=False)
    if raw.shapes is None and layer.geometry_required:
        raise DataError("files.no_coordinates", file=raw.file, columns=", ".join(map(str, raw.frame.columns)))
    if raw.shapes is not None and raw.shapes.crs is None:
        if raw.shapes.notna().any():
            raise places.missing_crs(raw)
        raw = replace(raw, shapes=None)
    # columns that became points are told by the geometry, and exact places are not kept twice
    used = {note.facts[axis] for note in raw.notes if note.key == "files.note_columns" for axis in ("x", "y")}
    columns = [str(name) for name in raw.frame.columns if name not in used]
    mapping = recognise(columns, layer, given=wish.map, saved=saved)
    problems: tuple[Problem, ...] = ()
    if raw.shapes is not None:
        checked = repair.check_shapes(raw.shapes, layer, repair=wish.repair)
        raw, problems = replace(raw, shapes=checked.shapes), checked.problems
    cleaned = cleaning.clean(raw, layer, mapping, time_zone=wish.time_zone)
    return _File(raw, mapping, replace(cleaned, problems=(*cleaned.problems, *problems)))


def _target_crs(ws: Workspace | None, read: Sequence[_File]) -> tuple[pyproj.CRS | None, bool]:
    if ws is not None and ws.info.crs is not None:
        return ws.info.crs, False
    placed = [part.raw.shapes for part in read if part.raw.shapes is not None and part.raw.shapes.notna().any()]
    return (choose_crs(*map(_core, placed)), ws is not None) if placed else (None, False)


def _core(shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    """Geometry without strays: a wrong point far away must not decide the workspace's CRS."""
    known = gpd.GeoSeries(shapes[shapes.notna()], crs=shapes.crs)
    box = np.asarray(known.bounds, dtype=float)
    low, high = np.quantile(box, 0.01, axis=0), np.quantile(box, 0.99, axis=0)
    slack = np.maximum(high - low, 0.0)
    core = ((box >= low - slack) & (box <= high + slack)).all(axis=1)
    return gpd.GeoSeries(known[core], crs=shapes.crs)


def _joined(read: Sequence[_File], crs: pyproj.CRS | None) -> tuple[pd.DataFrame, gpd.GeoSeries]:
    frame = pd.concat([part.cleaned.frame for part in read], ignore_index=True)
    values = []
    for part in read:
        shapes = part.raw.shapes
        if shapes is None or crs is None:
            values.append(np.full(len(part.cleaned.frame), None, dtype=object))
        else:
            values.append(np.asarray(shapes.to_crs(crs), dtype=object))
    return frame, gpd.GeoSeries(np.concatenate(values), index=frame.index, crs=crs)


def _shifted_rows(read: Sequence[_File]) -> list[Problem]:
    """The problems of each file, their rows counted through all files."""
    problems, start = [], 0
    for part in read:
        for found in part.cleaned.problems:
            extra = dict(found.extra) | ({} if len(found.rows) else {"file": part.raw.file})
            problems.append(replace(found, rows=found.rows + start, extra=extra))
        start += len(part.cleaned.frame)
    return problems


def _relate(
    ws: Workspace | None, layer: Layer, frame: pd.DataFrame, shapes: gpd.GeoSeries, mapping: ColumnMapping
) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame with references resolved, and what rows are to each other and to the workspace."""

    def heading(column: str) -> str:
        return mapping.fields.get(column, column)

    problems = rules.duplicates(frame[layer.key], heading(layer.key))
    existing = None if ws is None else ws.read("areas", columns=["name", "level"])
    if layer.name == "areas":
        parent, more = rules.parents(frame, existing, heading("parent"))
        return frame.assign(parent=parent), problems + more + rules.far_away(shapes, existing)
    if ws is None or existing is None:
        return frame, problems
    own = frame["area_code"] if "area_code" in frame.columns else None
    if own is not None:
        own, more = rules.resolve_areas(own, existing, heading("area_code"))
        frame, problems = frame.assign(area_code=own), problems + more
    if layer.name == "grids" and "station" in frame.columns:
        stations = ws.read("stations", columns=["name"])
        station, more = rules.resolve_stations(frame["station"], stations, heading("station"))
        frame, problems = frame.assign(station=station), problems + more
    problems += rules.far_away(shapes, existing) + rules.shifted(shapes, own, existing)
    if layer.shape == "polygon" and own is not None:
        problems += rules.inside_areas(shapes, own, existing)
    if layer.name == "grids":
        good = ~cleaning.bad_rows(problems, len(frame))
        problems += _overlaps(ws, frame, shapes, good)
    return frame, problems


def _overlaps(ws: Workspace, frame: pd.DataFrame, shapes: gpd.GeoSeries, good: Bools) -> list[Problem]:
    state = frame["state"].fillna("valid") if "state" in frame.columns else pd.Series("valid", index=frame.index)
    kept = ws.read("grids", columns=["state"])
    kept = kept[~kept.index.isin(frame["code"].dropna()) & (kept["state"].fillna("valid") == "valid")]
    others = gpd.GeoSeries(kept.geometry[kept.geometry.notna()], crs=shapes.crs)
    return rules.overlapping(shapes, frame["code"], (state == "valid").to_numpy(dtype=bool) & good, others)


def _sources(read: Sequence[_File]) -> dict[str, Any]:
    return {
        "files": [part.raw.file for part in read for _ in range(len(part.raw.frame))],
        "rows": [row for part in read for row in part.raw.frame.index.tolist()],
        "numbered": [part.raw.numbered for part in read for _ in range(len(part.raw.frame))],
    }


def _file_problems(read: Sequence[_File]) -> list[Problem]:
    return [
        Problem("synthetic", np.array([], dtype=np.int64), "", (), {"file": part.raw.file})
        for part in read
        if _says_synthetic(part.raw)
    ]


def _says_synthetic(raw: Raw) -> bool:
    column = next((name for name in raw.frame.columns if fold(name) in {"synthetic", "虚构", "示例数据"}), None)
    if column is None:
        return False
    return bool(raw.frame[column].astype("string").str.casefold().isin(["true", "1", "yes", "是", "1.0"]).any())
