"""Two states of the grids compared: live, a plan, or a day; as JSON, as a workbook, and as a map layer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import pandas as pd
import pyproj

from gridgis.errors import DataError
from gridgis.files.writing import in_place_of
from gridgis.redraw.difference import FIGURES, Difference, difference, nothing_differs, together
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition
from gridgis.tasks.plan_state import PlanState, gather, live, load
from gridgis.tasks.redraw_coverage import Side, SideCoverage, coverage_of, told
from gridgis.tasks.redraw_sheets import sheets
from gridgis.text import Lang, t

if TYPE_CHECKING:
    from gridgis.store import Workspace

LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What differs between two states."""

    from_: str
    to: str
    """`live`, the name of a plan, or a day in ISO form."""
    found: Difference
    """The areas that differ."""
    outlines: gpd.GeoDataFrame
    """The grids that are not the same, on each side where they are: `code`, `name`, `side` (`before`, `after`), `happened`."""
    coverage: tuple[SideCoverage, SideCoverage]
    """What grids in operation cover, before and after."""
    synthetic: bool
    """Whether the workspace says its geometry is made up: JSON and files say so too."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        grids = self.found.grids
        rows = [
            {"code": code, "happened": row["happened"]}
            | {name: {side: row[f"{name}_{side}"] for side in ("before", "after")} for name in FIGURES}
            for code, row in zip(grids.index, grids.to_dict("records"), strict=True)
        ]
        moved = [
            {"from": row["source"], "to": row["target"]} | {name: row[name] for name in FIGURES}
            for row in self.moved.to_dict("records")
        ]
        officers = [{"officer": name, **row} for name, row in self.found.officers.to_dict("index").items()]
        return {
            "from": self.from_,
            "to": self.to,
            "areas": list(self.found.areas),
            "grids": rows,
            "moved": moved,
            "officers": officers,
            "totals": self.found.totals.to_dict("index"),
            "coverage": told(*self.coverage),
            "synthetic": self.synthetic,
        }

    def write_xlsx(self, file: str | Path, lang: Lang) -> Path:
        """The tables as a workbook in a language: grids, moved ground, officers, totals, coverage."""
        target = Path(file)
        frames = sheets(self.found, self.moved, self.coverage, lang)
        options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
        with (
            in_place_of(target) as work,
            pd.ExcelWriter(work, engine="xlsxwriter", engine_kwargs=options) as book,
        ):
            head = book.book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
            whole = book.book.add_format({"num_format": "#,##0"})
            for title, frame in frames.items():
                frame.to_excel(book, sheet_name=title, index=False)
                sheet = book.sheets[title]
                for at, column in enumerate(frame.columns):
                    sheet.write_string(0, at, str(column), head)
                sheet.set_column(0, max(len(frame.columns) - 1, 0), 18, whole)
                sheet.freeze_panes(1, 1)
                if self.synthetic:
                    sheet.write_string(len(frame) + 2, 0, t("general.synthetic", lang))
        return target

    def write_map(self, file: str | Path) -> Path:
        """The ground that changed hands, and the changed grids as they were and as they come to lie, with their labels.

        A `.geojson` is one layer in degrees: `layer` says `moved`, `before` or `after`. A `.gpkg` has a layer for each of them.
        """
        target = Path(file)
        moved = self.moved.drop(columns=["rounding"])
        between = [f"{row['source'] or '–'} → {row['target'] or '–'}" for row in moved[["source", "target"]].to_dict("records")]
        layers = {"moved": moved.assign(label=between)}
        grids = self.found.grids.drop(columns=["geometry", "attributes", "happened"])
        for side in ("before", "after"):
            some = self.outlines[self.outlines["side"] == side].drop(columns="side")
            figures = pd.DataFrame(grids[[f"{name}_{side}" for name in FIGURES]]).set_axis(list(FIGURES), axis=1)
            layers[side] = some.join(figures, on="code")
        if self.synthetic:
            layers = {name: layer.assign(synthetic=True) for name, layer in layers.items()}
        with in_place_of(target) as work:
            if target.suffix.lower() in (".geojson", ".json"):
                parts = [layer.to_crs(4326).assign(layer=name) for name, layer in layers.items()]
                gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=4326).to_file(work, driver="GeoJSON")
            else:
                for name, layer in layers.items():
                    layer.to_file(work, driver="GPKG", layer=name)
        return target

    @property
    def moved(self) -> gpd.GeoDataFrame:
        """Ground that changed hands, without what is no wider than the precision of drawing."""
        return self.found.moved[~self.found.moved["rounding"].astype(bool)]


def diff(ws: Workspace, from_: str, to: str) -> DiffReport:
    """What differs between two states of the grids.

    Parameters
    ----------
    ws
        The workspace.
    from_, to
        `live` (the latest rows), the name of a plan, or a day such as `2026-01-31`.

    Raises
    ------
    DataError
        If a side is none of these, or an area's grids do not fit together.

    Returns
    -------
    DiffReport
        With no area, no grid and no ground where both sides are the same.
    """
    sides = [_side(ws, name) for name in (from_, to)]
    planned = [area for side in sides if isinstance(side, PlanState) for area in side.areas]
    areas = list(dict.fromkeys(planned)) or _differing(ws, sides)
    found = []
    outlines = []
    for area in areas:
        before, after = (_partition(ws, side, area) for side in sides)
        # registers speak of what the plan compared from took up; of live grids and of days they are the rows' own
        draft = sides[0].areas.get(area) if isinstance(sides[0], PlanState) else None
        one = difference(before, after, gather(ws, area), base=None if draft is None else draft.base)
        found.append(one)
        outlines += [_outlines(side, name, one) for side, name in ((before, "before"), (after, "after"))]
    whole = together(found) if found else nothing_differs(_crs(ws))
    before_, after_ = coverage_of(ws, sides, areas=whole.areas)
    drawn = pd.concat([some for some in outlines if len(some)] or [_outlines(None, "before", whole)], ignore_index=True)
    return DiffReport(from_, to, whole, gpd.GeoDataFrame(drawn, crs=whole.crs), (before_, after_), ws.info.synthetic)


def _outlines(partition: Partition | None, side: str, found: Difference) -> gpd.GeoDataFrame:
    """The grids that are not the same as one side has them."""
    codes = [] if partition is None else [code for code in found.grids.index if code in partition.codes]
    names = None if partition is None else partition.attributes.get("name")
    table: dict[str, Any] = {
        "code": codes,
        "name": [None if names is None else names.get(code) for code in codes],
        "side": side,
        "happened": list(found.grids["happened"].reindex(codes)),
    }
    frame = gpd.GeoDataFrame(table, geometry=[] if partition is None else [partition.shape(c) for c in codes], crs=found.crs)
    return frame.assign(
        label=[name if isinstance(name, str) and name else code for code, name in zip(codes, frame["name"], strict=True)]
    )


def _crs(ws: Workspace) -> pyproj.CRS:
    if ws.info.crs is None:
        raise DataError("redrawing.no_ground")
    return ws.info.crs


def _side(ws: Workspace, name: str) -> Side:
    plans = [plan.name for plan in ws.plans()]
    if name in plans:
        return load(ws, name)
    if name == LIVE:
        return None
    try:
        return dt.date.fromisoformat(name)
    except ValueError:
        raise DataError("redrawing.unknown_side", side=name, plans=", ".join(plans) or "–") from None


def _differing(ws: Workspace, sides: list[Side]) -> list[str]:
    """Areas of which the outline, or a grid that is or was theirs, is not the same row on both sides."""
    days = [side if isinstance(side, dt.date) else None for side in sides]
    areas = [ws.table("areas", as_of=day, columns=["version"]) for day in days]
    grids = [ws.table("grids", as_of=day, columns=["area_code", "version"]) for day in days]
    moved = _not_the_same(*grids)
    homes = [table["area_code"].reindex(moved).dropna() for table in grids]
    held = set().union(*(table["area_code"].dropna() for table in grids))
    redrawn = [code for code in _not_the_same(*areas) if code in held and all(code in table.index for table in areas)]
    return list(dict.fromkeys([*map(str, homes[0]), *map(str, homes[1]), *map(str, redrawn)]))


def _not_the_same(before: pd.DataFrame, after: pd.DataFrame) -> pd.Index[str]:
    versions = pd.concat([before["version"], after["version"]], axis=1, keys=["before", "after"])
    return versions.index[versions["before"].ne(versions["after"])]


def _partition(ws: Workspace, side: Side, area: str) -> Partition:
    if isinstance(side, PlanState) and area in side.areas:
        return side.areas[area].now
    home, grids = live(ws, area, as_of=side if isinstance(side, dt.date) else None)
    return open_partition(grids, home)
