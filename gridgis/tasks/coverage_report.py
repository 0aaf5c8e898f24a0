"""What coverage answers: the figures of the whole and of its parts, notes for the reader, and both as JSON and as a layer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from gridgis.coverage import Measure
from gridgis.ground import Ground, polygonal
from gridgis.text import Lang, number, t

MEASURES: Final = ("area", "population", "households", "natural_villages", "grids", "stations", "officers")
NoteKind = Literal[
    "overlap", "outside", "repaired", "without_ground", "unknown_station", "uncounted_population", "uncounted_households"
]
# how many records a sentence names; `items` has them all
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class CoverageNote:
    """Something found on the way that the reader of the figures should know."""

    kind: NoteKind
    """What was found; `coverage.note_<kind>` says it in words."""
    items: tuple[Mapping[str, Any], ...]
    """The records: codes, square metres, reasons."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What else fills the message."""

    def message(self, lang: Lang) -> str:
        """The note in a language, naming the first records."""
        between = "、" if lang == "zh" else ", "
        named = [_name(item) for item in self.items[:_NAMED]]
        examples = between.join(named) + (" …" if len(self.items) > _NAMED else "")
        area = number(sum(item.get("area_m2", 0.0) for item in self.items))
        values = {"count": number(len(self.items)), "area_m2": area, "examples": examples} | dict(self.values)
        return t(f"coverage.note_{self.kind}", lang, **values)

    def to_json(self) -> dict[str, Any]:
        """Kind, message and all records."""
        return {"kind": self.kind, "message": self.message("en"), "items": [dict(item) for item in self.items]}


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """The figures of one zone."""

    code: str | None
    """Code of the area, station or batch; None: of none."""
    name: str
    """Its name."""
    measures: Mapping[str, Measure]
    """By name: `area`, `population`, `households`, `natural_villages`, `grids`, `stations`, `officers`."""

    def to_json(self, town: Mapping[str, Measure] | None = None) -> dict[str, Any]:
        """Code, name and measures; in a breakdown every measure says what share of the town's total it covers."""
        told = {name: one.to_json() for name, one in self.measures.items()}
        for name, one in told.items():
            covered, total = self.measures[name].covered, town[name].total if town else None
            if covered is not None and total:
                one["share_of_total"] = covered / total
        return {"code": self.code, "name": self.name, "measures": told}


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Coverage of a town and of its parts, with everything a reader needs to check it."""

    as_of: dt.date | None
    """The date the figures hold for; None for files, which know no date."""
    area: ZoneReport
    """The whole."""
    synthetic: bool
    """Whether the geometry is made up."""
    by: tuple[ZoneReport, ...]
    """The parts, if a breakdown was asked."""
    notes: tuple[CoverageNote, ...]
    """Overlaps, excesses, repairs and doubts found on the way."""
    zones: gpd.GeoDataFrame
    """The shapes of the parts, or of the whole without a breakdown; index: code."""

    @property
    def measures(self) -> Mapping[str, Measure]:
        """The figures of the whole."""
        return self.area.measures

    def frame(self) -> gpd.GeoDataFrame:
        """Parts (or the whole) as a layer: `name`, and `<measure>_covered`, `_total`, `_share` for every measure."""
        rows = self.by or (self.area,)
        columns: dict[str, list[object]] = {"name": [row.name for row in rows]}
        for name in MEASURES:
            some = [row.measures[name] for row in rows]
            columns[f"{name}_covered"] = [one.covered for one in some]
            columns[f"{name}_total"] = [one.total for one in some]
            columns[f"{name}_share"] = [one.share for one in some]
        table = pd.DataFrame(columns, index=self.zones.index)
        table = table.astype({column: float for column in columns if column != "name"})
        return gpd.GeoDataFrame(table, geometry=self.zones.geometry)

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON."""
        told = self.area.to_json()
        return {
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "area": {"code": told["code"], "name": told["name"]},
            "synthetic": self.synthetic,
            "measures": told["measures"],
            "by": [part.to_json(self.measures) for part in self.by],
            "notes": [note.to_json() for note in self.notes],
        }


def notes_of(ground: Ground, areas: gpd.GeoDataFrame) -> Iterator[CoverageNote]:
    """Notes on grids that overlap, reach outside, were broken or have no ground, and on areas that were broken."""
    found: dict[NoteKind, list[dict[str, Any]]] = {
        "overlap": [
            {"grids": [str(one), str(other)], "area_m2": float(area)}
            for one, other, area in zip(*(ground.overlaps[name] for name in ("first", "second", "area_m2")), strict=True)
        ],
        "outside": [{"grids": [str(code)], "area_m2": float(area)} for code, area in ground.outside.items()],
        "repaired": [{"grids": [str(code)], "reason": str(why)} for code, why in ground.repaired.items()],
        "without_ground": [{"grids": [str(code)]} for code in ground.without_ground],
    }
    _, reasons = polygonal(np.asarray(areas.geometry.array, dtype=object))
    broken = np.flatnonzero(reasons != "")
    found["repaired"] += [{"areas": [str(areas.index[at])], "reason": str(reasons[at])} for at in broken.tolist()]
    for kind, items in found.items():
        if items:
            yield CoverageNote(kind, tuple(items))


def _name(item: Mapping[str, Any]) -> str:
    codes = item.get("grids") or item.get("areas") or []
    return "–".join(codes)
