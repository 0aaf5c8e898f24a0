"""Check every invariant of a workspace; the rules are a table, and each finding says which rows, where, and what to do.

A rule is a function of a `View` that yields what breaks it. `RULES` is their list: `gridgis check` runs it, the documentation
prints it, tests break each rule once. What a rule means and its remedy are `check.<rule>` and `check.<rule>_fix`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import shapely

from gridgis.crs import WGS84
from gridgis.files.values import Bools
from gridgis.layers import LAYERS, Layer
from gridgis.progress import Progress, silent
from gridgis.tasks import check_rules as judge
from gridgis.text import Lang, t

if TYPE_CHECKING:
    import pandas as pd

    from gridgis.store import Workspace

_MOST_PER_RULE: Final = 100


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One invariant broken in one place."""

    rule: str
    """Name in `RULES`."""
    layer: str
    keys: tuple[str, ...]
    """The rows concerned."""
    place: tuple[float, float] | None
    """Longitude and latitude of a point in the first row or in the broken spot; None without geometry."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the message says."""

    def message(self, lang: Lang) -> str:
        """What is wrong, in a language."""
        return t(f"check.{self.rule}", lang, layer=self.layer, keys=", ".join(self.keys), **self.facts)

    def remedy(self, lang: Lang) -> str:
        """What to do, in a language."""
        return t(f"check.{self.rule}_fix", lang)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; texts in English."""
        return {
            "rule": self.rule, "layer": self.layer, "keys": list(self.keys),
            "place": None if self.place is None else list(self.place), "message": self.message("en"), "remedy": self.remedy("en"),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The state of a workspace."""

    findings: tuple[CheckFinding, ...]
    """At most 100 of a rule."""
    counts: Mapping[str, int]
    """How often each rule that was run is broken; 0 where it holds."""
    rows: Mapping[str, int]
    """Rows looked at, by layer."""

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; texts in English."""
        findings = [finding.to_json() for finding in self.findings]
        return {"ok": self.ok, "rows": dict(self.rows), "rules": dict(self.counts), "findings": findings}


class View:
    """The layers of a workspace, each read once."""

    def __init__(self, ws: Workspace) -> None:
        self.ws = ws
        self._frames: dict[str, gpd.GeoDataFrame] = {}
        self._logs: dict[str, pd.DataFrame] = {}

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        """The latest rows of a layer."""
        if layer not in self._frames:
            self._frames[layer] = self.ws.read(layer)
        return self._frames[layer]

    def log(self, layer: str) -> pd.DataFrame:
        """The change log of a layer."""
        if layer not in self._logs:
            self._logs[layer] = self.ws.log(layer=layer)
        return self._logs[layer]

    def layers(self, column: str | None = None) -> Iterator[tuple[Layer, gpd.GeoDataFrame]]:
        """The layers that have rows, and the column if one is named."""
        for name, layer in LAYERS.items():
            if (column is None or layer.column(column)) and len(self.frame(name)):
                yield layer, self.frame(name)


@dataclass(frozen=True, slots=True)
class Broken:
    """One place where a rule is broken, before it is told (only the first hundred of a rule are)."""

    rule: str
    layer: str
    frame: gpd.GeoDataFrame
    at: tuple[int, ...]
    """Positions in the frame."""
    facts: Mapping[str, Any]
    spot: Any = None
    """Geometry of the broken spot; None: the first row's."""

    def told(self) -> CheckFinding:
        """The finding, with its place in degrees."""
        shape = self.frame.geometry.iloc[self.at[0]] if self.spot is None else self.spot
        place = None
        if shape is not None and not shape.is_empty and self.frame.crs is not None:
            point = gpd.GeoSeries([shapely.point_on_surface(shape)], crs=self.frame.crs).to_crs(WGS84).iloc[0]
            if not point.is_empty:
                place = (round(float(shapely.get_x(point)), 6), round(float(shapely.get_y(point)), 6))
        keys = tuple(str(self.frame.index[i]) for i in self.at)
        return CheckFinding(self.rule, self.layer, keys, place, self.facts)


Rule = Callable[[View], Iterator[Broken]]


def check(ws: Workspace, *, progress: Progress = silent) -> CheckReport:
    """Run every rule on the latest rows of a workspace; nothing is changed.

    Parameters
    ----------
    ws
        The workspace.
    progress
        Told after every rule.

    Returns
    -------
    CheckReport
        Without findings if every invariant holds.
    """
    view = View(ws)
    found: list[CheckFinding] = []
    counts: Counter[str] = Counter()
    for done, (name, rule) in enumerate(RULES.items()):
        progress("check.stage", done, len(RULES))
        counts[name] = 0
        for broken in rule(view):
            counts[name] += 1
            if counts[name] <= _MOST_PER_RULE:
                found.append(broken.told())
    progress("check.stage", len(RULES), len(RULES))
    rows = {name: len(view.frame(name)) for name in LAYERS}
    return CheckReport(tuple(found), dict(counts), rows)


def _geometry(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        for at, reason in judge.bad_geometry(frame, layer).items():
            yield _at("geometry", layer.name, frame, [at], reason=reason)


def _code_form(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        yield from _rows("code_form", layer.name, frame, judge.bad_codes(frame, layer))


def _code_unique(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        yield from _rows("code_unique", layer.name, frame, np.asarray(frame.index.duplicated(), dtype=bool))


def _cell_code(view: View) -> Iterator[Broken]:
    frame = view.frame("unit_cells")
    for at in np.flatnonzero(judge.foreign_cell_codes(frame)).tolist():
        yield _at("cell_code", "unit_cells", frame, [at], area=frame["area_code"].iloc[at])


def _reference(rule: str, column: str, to: str) -> Rule:
    def run(view: View) -> Iterator[Broken]:
        known = view.frame(to).index
        for layer, frame in view.layers(column):
            lost = frame[column].notna() & ~frame[column].isin(known)
            for at in np.flatnonzero(lost).tolist():
                yield _at(rule, layer.name, frame, [at], value=frame[column].iloc[at])

    return run


def _required(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        for column in layer.columns:
            if column.required and column.name in frame.columns and column.kind in {"code", "time"}:
                for at in np.flatnonzero(frame[column.name].isna()).tolist():
                    yield _at("required", layer.name, frame, [at], column=column.name)


def _known_word(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        for column in layer.columns:
            allowed = column.values  # noqa: PD011 (no frame, a column of the table of layers)
            if allowed and column.name in frame.columns:
                bad = frame[column.name].notna() & ~frame[column.name].isin(allowed)
                for at in np.flatnonzero(bad).tolist():
                    yield _at("word", layer.name, frame, [at], column=column.name, value=frame[column.name].iloc[at])


def _inside(view: View) -> Iterator[Broken]:
    areas = view.frame("areas")
    for name in ("grids", "unit_cells"):
        frame = judge.in_force(view.frame(name))
        for at, outside in judge.outside_m2(frame, areas, exact=name == "unit_cells").items():
            yield _at("inside_area", name, frame, [at], m2=f"{outside:,.1f}", area=frame["area_code"].iloc[at])


def _grid_overlap(view: View) -> Iterator[Broken]:
    frame = judge.in_force(view.frame("grids"))
    for left, right, m2, spot in judge.overlaps(frame):
        yield _at("grid_overlap", "grids", frame, [left, right], spot=spot, m2=f"{m2:,.1f}")


def _area_overlap(view: View) -> Iterator[Broken]:
    areas = view.frame("areas")
    for left, right, m2, spot in judge.level_overlaps(areas):
        yield _at("area_overlap", "areas", areas, [left, right], spot=spot, m2=f"{m2:,.1f}")


def _cells_seamless(view: View) -> Iterator[Broken]:
    frame = judge.in_force(view.frame("unit_cells"))
    for at in judge.torn_cells(frame):
        yield _at("cell_border", "unit_cells", frame, [at])


def _cells_fill(view: View) -> Iterator[Broken]:
    frame, areas = judge.in_force(view.frame("unit_cells")), view.frame("areas")
    for at, difference in judge.unfilled(frame, areas).items():
        yield _at("cell_fill", "areas", areas, [at], m2=f"{difference:,.2f}")


def _cell_area(view: View) -> Iterator[Broken]:
    frame = view.frame("unit_cells")
    for at, (stated, real) in judge.wrong_areas(frame).items():
        yield _at("cell_area", "unit_cells", frame, [at], stated=f"{stated:,.2f}", real=f"{real:,.2f}")


def _days(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        if layer.history:
            yield from _rows("days", layer.name, frame, judge.empty_periods(frame))


def _log(view: View) -> Iterator[Broken]:
    for layer, frame in view.layers():
        if layer.history:
            for at, column in judge.unlogged(frame, view.log(layer.name)):
                yield _at("log", layer.name, frame, [at], column=column)


def _log_deleted(view: View) -> Iterator[Broken]:
    for name, layer in LAYERS.items():
        if layer.history:
            gone = judge.deleted(view.frame(name), view.log(name))
            for at in range(len(gone)):
                yield _at("log_deleted", name, gone, [at])


def _plans(view: View) -> Iterator[Broken]:
    for plan, problem, spot in judge.broken_plans(view.ws):
        yield Broken("plan", "plans", view.frame("grids"), (), {"plan": plan, "problem": problem}, spot)


def _lineage(view: View) -> Iterator[Broken]:
    for code, kind, parent, missing in judge.lost_lineage(view.ws):
        facts = {"code": code, "kind": kind, "parent": parent, "missing": missing}
        yield Broken("lineage", "lineage", view.frame("grids"), (), facts, shapely.Point())


RULES: Final[Mapping[str, Rule]] = {
    "geometry": _geometry,
    "code_form": _code_form,
    "code_unique": _code_unique,
    "cell_code": _cell_code,
    "required": _required,
    "word": _known_word,
    "area_known": _reference("area_known", "area_code", "areas"),
    "station_known": _reference("station_known", "station", "stations"),
    "parent_known": _reference("parent_known", "parent", "areas"),
    "inside_area": _inside,
    "grid_overlap": _grid_overlap,
    "area_overlap": _area_overlap,
    "cell_border": _cells_seamless,
    "cell_fill": _cells_fill,
    "cell_area": _cell_area,
    "days": _days,
    "log": _log,
    "log_deleted": _log_deleted,
    "plan": _plans,
    "lineage": _lineage,
}


def _rows(rule: str, layer: str, frame: gpd.GeoDataFrame, broken: Bools) -> Iterator[Broken]:
    for at in np.flatnonzero(broken).tolist():
        yield _at(rule, layer, frame, [at])


def _at(rule: str, layer: str, frame: gpd.GeoDataFrame, at: list[int], *, spot: Any = None, **facts: Any) -> Broken:
    return Broken(rule, layer, frame, tuple(at), facts, spot)
