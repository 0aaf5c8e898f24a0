"""Build unit grids along streets for the communities of a workspace, from its roads, water and buildings."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import pandas as pd

from gridgis.blocks import BlockGrids, as_grids, block_grids
from gridgis.codes import CellCode
from gridgis.crs import crs_name
from gridgis.errors import DataError
from gridgis.layers import LEVELS
from gridgis.progress import Progress, silent
from gridgis.tasks import proposing
from gridgis.tasks.plan_state import PlanState

if TYPE_CHECKING:
    from gridgis.store import Workspace

LAYER: Final = "unit_cells"
_QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# streets outside an area still say where its blocks end
_MARGIN_M: Final = 100.0
# kept and wanted figures of a hard rule differ by less than this share where rounding alone is left
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class BlockResult:
    """Unit grids along streets that have been built and kept."""

    grid: BlockGrids
    """The cells, the sheet of rules, buildings cut, and the report."""
    names: Mapping[str, str]
    """Area code → name, for areas that have one."""
    code: CellCode
    """How the cells are numbered."""
    target_m2: float
    """Size of a cell wished for in dense places."""
    seconds: float
    """Time of all, seconds."""

    def to_json(self) -> dict[str, Any]:
        """Counts, distribution of ellipsoidal areas, rule by rule what is kept, and every area's cells, for `--json`."""
        report, cells = self.grid.report, self.grid.cells
        area = cells["area_m2"]
        quantiles = area.quantile(list(_QUANTILES))
        reasons = self.grid.cut_buildings["reason"].value_counts()
        return {
            "layer": LAYER,
            "method": "block",
            "crs": None if cells.crs is None else crs_name(cells.crs),
            "target_m2": self.target_m2,
            "code": self.code,
            "cells": report.cells,
            "areas": len(report.by_area),
            "blocks": report.blocks,
            "divided": report.divided,
            "area_m2": {
                "total": float(area.sum()),
                "min": float(area.min()),
                "median": float(area.median()),
                "max": float(area.max()),
                "quantiles": {f"{q:g}": float(value) for q, value in quantiles.items()},
            },
            "in_range": {"cells": report.in_range, "share": report.in_range / report.cells},
            "within_tenth": {"cells": report.within_tenth, "of": report.first_class},
            "within_tenth_allowed": {"cells": report.allowed_tenth, "of": report.allowed},
            "classes": [{"name": name, **row} for name, row in report.by_class.to_dict("index").items()],
            "rules": [{"rule": rule, **row} for rule, row in self.grid.sheet.to_dict("index").items()],
            "cut_buildings": {
                "avoidable": int(reasons.get("avoidable", 0)),
                "on_area_lines": int(reasons.get("area", 0)),
                "larger_than_a_cell": int(reasons.get("large", 0)),
                "ids": [str(key) for key in self.grid.cut_buildings.index[:50]],
            },
            "overlap_m2": report.overlap_m2,
            "moved": [{"code": code, **row} for code, row in report.moved.to_dict("index").items()],
            "by_area": [
                {"code": code, "name": self.names.get(str(code)), **row} for code, row in report.by_area.to_dict("index").items()
            ],
            "seconds": {"total": self.seconds},
        }


def draw(
    ws: Workspace,
    *,
    areas: gpd.GeoDataFrame,
    target_m2: float = 10_000.0,
    code: CellCode = "15",
    progress: Progress = silent,
) -> BlockGrids:
    """The unit grids of areas of a workspace along its streets; nothing is written.

    Raises
    ------
    DataError
        If the workspace has no roads near the areas, or the areas cannot be filled (`blocks.block_grids`).
    """
    if not len(areas):
        raise DataError("grids.no_areas")
    left, bottom, right, top = areas.total_bounds
    box = (left - _MARGIN_M, bottom - _MARGIN_M, right + _MARGIN_M, top + _MARGIN_M)
    streets = ws.read("roads", bbox=box, columns=["kind"])
    if not len(streets):
        raise DataError("blocks.no_streets")
    water = ws.read("water", bbox=box, columns=["kind"])
    buildings = ws.read("buildings", bbox=box, columns=["kind"])
    drawn = block_grids(
        areas, streets=streets, water=water, buildings=buildings, target_m2=target_m2, code=code, progress=progress
    )
    hard = drawn.sheet[drawn.sheet["hard"]]
    failed = hard[(hard["of"] - hard["kept"]).abs() > _ROUNDING * hard["of"].clip(lower=1.0)]
    if len(failed):  # better no cells than cells that leave or share ground
        rules = ", ".join(str(rule) for rule in failed["rule"])
        raise DataError("blocks.not_kept", rules=rules)
    return drawn


def build_block_grids(
    ws: Workspace,
    *,
    target_m2: float = 10_000.0,
    code: CellCode = "15",
    at: dt.datetime | None = None,
    who: str = "",
    why: str = "",
    progress: Progress = silent,
) -> BlockResult:
    """Build the unit grid of every community of a workspace along streets and water, in place of the layer `unit_cells`.

    Areas of level `village` that are valid on the day of `at` are filled; without any, those of the lowest level there is. The
    class of a cell stands in its `note`.

    Parameters
    ----------
    ws
        An open workspace with areas and roads; water and buildings make the cells better.
    target_m2, code
        As for `blocks.block_grids`.
    at
        The cells' `initial_time`, aware; None: now.
    who, why
        For the change log.
    progress
        Told at every stage and can stop the work; then nothing is changed.

    Raises
    ------
    DataError
        If there are no areas or no roads, or the areas cannot be filled.
    """
    began = time.perf_counter()
    progress("grids.stage_read", 0, 1)
    moment = at or dt.datetime.now(dt.UTC).astimezone()
    areas = lowest_areas(ws, on=moment.date())
    grid = draw(ws, areas=areas, target_m2=target_m2, code=code, progress=progress)
    rows = grid.cells[["area_code", "area_m2", "planar_m2", "geometry"]].assign(
        initial_time=pd.Timestamp(moment).tz_convert("UTC"), state="valid", note=grid.cells["klass"]
    )
    progress("grids.stage_write", 0, len(rows))
    with ws.write(who=who, why=why, at=moment) as write:
        write.replace(LAYER, rows, progress=progress)
    return BlockResult(grid, names_of(areas), code, target_m2, round(time.perf_counter() - began, 3))


def propose(
    ws: Workspace,
    area: str,
    *,
    plan: str = "default",
    target_m2: float = 10_000.0,
    who: str,
    why: str = "",
    at: dt.datetime | None = None,
    progress: Progress = silent,
) -> tuple[PlanState, BlockGrids]:
    """Draw an area's blocks and put them into a draft plan in place of its grids; nothing is live until it is published.

    Parameters
    ----------
    ws
        An open workspace.
    area
        Code of the area.
    plan
        Name of the draft.
    target_m2
        As for `blocks.block_grids`.
    who, why, at
        For the plan's log.
    progress
        Told at every stage and can stop the work; then nothing is changed.

    Returns
    -------
    tuple
        The plan with the proposal in it, as one step that can be undone; and what was drawn, with its sheet.

    Raises
    ------
    DataError
        If the area is unknown, there are no roads, a grid of the area is locked, or the area cannot be filled.
    """
    home = ws.read("areas", where={"code": area})
    if home.empty:
        raise DataError("redrawing.unknown_area", area=area)
    drawn = draw(ws, areas=home, target_m2=target_m2, code="plain", progress=progress)
    return proposing.put(ws, as_grids(drawn.cells), area=area, method="block", plan=plan, who=who, why=why, at=at), drawn


def lowest_areas(ws: Workspace, *, on: dt.date) -> gpd.GeoDataFrame:
    """The areas of the lowest level there is that are valid on a day.

    Raises
    ------
    DataError
        If there are none.
    """
    areas = ws.read("areas", as_of=on)
    present = [level for level in reversed(LEVELS) if (areas["level"] == level).any()]
    if not present:
        raise DataError("grids.no_areas")
    return areas[areas["level"] == present[0]]


def names_of(areas: gpd.GeoDataFrame) -> dict[str, str]:
    """Area code → name, for areas that have one."""
    if "name" not in areas:
        return {}
    return {str(code): name for code, name in zip(areas.index, areas["name"], strict=True) if isinstance(name, str) and name}
