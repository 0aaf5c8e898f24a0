"""Two states of the grids compared: live, a plan, or a day; as JSON, as a workbook, and as a map layer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import pandas as pd

from gridgis.errors import DataError
from gridgis.files.writing import in_place_of
from gridgis.redraw.difference import FIGURES, Difference, difference, together
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition
from gridgis.tasks.plan_state import PlanState, gather, live, load
from gridgis.text import Lang, t

if TYPE_CHECKING:
    from gridgis.store import Workspace

LIVE: Final = "live"
_SHEETS: Final = ("grids", "moved", "officers", "totals")


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What differs between two states."""

    from_: str
    to: str
    """`live`, the name of a plan, or a day in ISO form."""
    found: Difference
    """The areas that differ."""

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
            for row in self._real().to_dict("records")
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
            "coverage": self._coverage(),
        }

    def write_xlsx(self, file: str | Path, lang: Lang) -> Path:
        """The tables as a workbook: grids, moved ground, officers, totals."""
        target = Path(file)
        frames = {
            "grids": pd.DataFrame(self.found.grids.drop(columns=["geometry", "attributes"])).reset_index(),
            "moved": pd.DataFrame(
                self.found.moved[~self.found.moved["rounding"].astype(bool)].drop(columns=["geometry", "rounding"])
            ),
            "officers": self.found.officers.reset_index(),
            "totals": self.found.totals.reset_index(names="figure"),
        }
        options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
        with (
            in_place_of(target) as work,
            pd.ExcelWriter(work, engine="xlsxwriter", engine_kwargs=options) as book,
        ):
            head = book.book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
            whole = book.book.add_format({"num_format": "#,##0"})
            for name in _SHEETS:
                frame = frames[name].map(lambda value: ", ".join(value) if isinstance(value, tuple) else value)
                title = t(f"redraw_diff.sheet_{name}", lang)
                frame.to_excel(book, sheet_name=title, index=False)
                sheet = book.sheets[title]
                for at, column in enumerate(frame.columns):
                    sheet.write_string(0, at, _heading(str(column), lang), head)
                sheet.set_column(0, max(len(frame.columns) - 1, 0), 18, whole)
                sheet.freeze_panes(1, 1)
        return target

    def write_map(self, file: str | Path) -> Path:
        """The ground that changed hands, as `.geojson` (in degrees) or `.gpkg`."""
        target = Path(file)
        moved = self._real().drop(columns=["rounding"])
        layer = gpd.GeoDataFrame(moved, geometry="geometry", crs=self.found.crs)
        degrees = target.suffix.lower() in (".geojson", ".json")
        with in_place_of(target) as work:
            (layer.to_crs(4326) if degrees else layer).to_file(work, driver="GeoJSON" if degrees else "GPKG")
        return target

    def _real(self) -> gpd.GeoDataFrame:
        """Ground that changed hands, without what is no wider than the precision of drawing."""
        return self.found.moved[~self.found.moved["rounding"].astype(bool)]

    def _coverage(self) -> dict[str, Any]:
        """Share of the areas' ground and residents that grids hold, before and after."""
        told: dict[str, Any] = {}
        for name in ("area_m2", "population"):
            told[name] = {}
            for side, table in (("before", self.found.before), ("after", self.found.after)):
                total = table[name].sum(min_count=1)
                free = table.loc[table.index == "", name].sum()
                told[name][side] = {"held": total - free, "total": total, "share": (total - free) / total if total else None}
        return told


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
    """
    sides = [_side(ws, name) for name in (from_, to)]
    planned = [area for side in sides if isinstance(side, PlanState) for area in side.areas]
    areas = list(dict.fromkeys(planned)) or _differing(ws, sides)
    found = []
    for area in areas:
        before, after = (_partition(ws, side, area) for side in sides)
        # registers speak of what the plan compared from took up; of live grids and of days they are the rows' own
        draft = sides[0].areas.get(area) if isinstance(sides[0], PlanState) else None
        found.append(difference(before, after, gather(ws, area), base=None if draft is None else draft.base))
    if not found:
        raise DataError("redraw_diff.same", first=from_, second=to)
    return DiffReport(from_, to, together(found))


Side = PlanState | dt.date | None


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


def _heading(column: str, lang: Lang) -> str:
    for side in ("before", "after"):
        if column.endswith(f"_{side}"):
            word = t(f"redraw_diff.column_{column.removesuffix(f'_{side}')}", lang)
            return t(f"redraw_diff.{side}", lang, column=word)
    return t(f"redraw_diff.column_{column}", lang)
