"""What an edit of a plan did: the grids it touched before and after, the sums that are conserved, lineage and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.figures import FREE, figures
from gridgis.tasks.plan_state import PlanState
from gridgis.text import Lang, t

FIGURES: Final = ("area_m2", "households", "population", "buildings", "incidents", "natural_villages")
_WHOLE: Final = FIGURES[1:]


@dataclass(frozen=True, slots=True)
class EditReport:
    """An edit that entered a plan."""

    plan: str
    rev: int
    """Number of the plan's last entry."""
    area: str
    state: PlanState
    """The plan with the edit in it."""
    roles: Mapping[str, str]
    """What became of each grid that is not the same: `created`, `retired`, `gained`, `lost`, `reshaped`, `touched`."""
    before: pd.DataFrame
    """`redraw.figures` of the area's grids before, with the row `""` for ground nobody holds."""
    after: pd.DataFrame
    """Likewise afterwards."""
    lineage: tuple[tuple[str, str, str], ...]
    """Code, kind, parent."""
    notes: tuple[tuple[str, Mapping[str, object]], ...]
    """Message keys and values: what was done that was not asked for."""

    def to_json(self) -> dict[str, Any]:
        """The difference the edit makes, for `--json`."""
        changed = [{"code": code, "op": role, **self._figures(code)} for code, role in self.roles.items()]
        conserved = {
            name: {side: _number(name, table[name].sum(min_count=1)) for side, table in self._sides().items()}
            for name in ("area_m2", *RESIDENTS, "incidents")
        }
        return {
            "plan": self.plan,
            "rev": self.rev,
            "area": self.area,
            "changed": changed,
            "conserved": conserved,
            "uncovered_m2": {side: _figure(table, FREE, "area_m2") for side, table in self._sides().items()},
            "lineage": [{"code": code, "kind": kind, "parent": parent} for code, kind, parent in self.lineage],
            "notes": [t(key, "en", **values) for key, values in self.notes],
        }

    def messages(self, lang: Lang) -> list[str]:
        """The notes in a language."""
        return [t(key, lang, **values) for key, values in self.notes]

    def _sides(self) -> dict[str, pd.DataFrame]:
        return {"before": self.before, "after": self.after}

    def _figures(self, code: str) -> dict[str, Any]:
        return {name: {side: _figure(table, code, name) for side, table in self._sides().items()} for name in FIGURES}


def step_report(before: PlanState, after: PlanState, facts: Facts) -> EditReport:
    """What a step of undo or redo changed, as an edit reports it."""
    area = str(after.entries[-1].area)
    old, new = before.areas[area], after.areas[area]
    roles = {}
    for code in dict.fromkeys([*old.rows, *new.rows]):
        if old.rows.get(code) != new.rows.get(code):
            roles[code] = "created" if code not in old.rows else "retired" if code not in new.rows else "reshaped"
    own = figures(new.base, facts)
    was, now = (figures(draft.now, facts, base=draft.base, known=own) for draft in (old, new))
    return EditReport(after.name, after.rev, area, after, MappingProxyType(roles), was, now, (), ())


def _figure(table: pd.DataFrame, code: str, name: str) -> float | int | None:
    return _number(name, table.loc[code, name]) if code in table.index else None


def _number(name: str, value: Any) -> float | int | None:
    if pd.isna(value):
        return None
    return round(value) if name in _WHOLE and float(value).is_integer() else float(value)
