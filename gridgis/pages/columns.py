"""Which columns the overview's tables have, in which order and format: one list for the screen and for the workbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from gridgis.pages.tables import Column, Kind
from gridgis.text import Lang, t

_BY: Final[tuple[tuple[str, Kind], ...]] = (
    ("code", "code"),
    ("name", "text"),
    ("batch", "text"),
    ("opened_on", "date"),
    ("area_share", "bar"),
    ("area_covered", "km2"),
    ("area_total", "km2"),
    ("population_share", "bar"),
    ("population_covered", "int"),
    ("population_total", "int"),
    ("households_covered", "int"),
    ("households_total", "int"),
    ("natural_villages_covered", "int"),
    ("natural_villages_total", "int"),
    ("grids_covered", "int"),
    ("grids_total", "int"),
)
_TREND: Final[tuple[tuple[str, Kind], ...]] = (
    ("date", "date"),
    ("grids_covered", "int"),
    ("area_covered", "km2"),
    ("area_share", "percent"),
    ("population_covered", "int"),
    ("population_share", "percent"),
    ("natural_villages_covered", "int"),
)


def by_columns(by: str, frame: pd.DataFrame, lang: Lang) -> list[Column]:
    """Columns of a table by village, station or batch; what no row knows is left out."""
    if by == "batch":  # a batch has a number and no other name
        return _known((("name", "text"), *_BY[4:]), frame, lang, name="batch")
    return _known(_BY, frame, lang)


def trend_columns(frame: pd.DataFrame, lang: Lang) -> list[Column]:
    """Columns of the trend."""
    return _known(_TREND, frame, lang)


def _known(wanted: Sequence[tuple[str, Kind]], frame: pd.DataFrame, lang: Lang, *, name: str = "name") -> list[Column]:
    headings = {"name": t(f"overview.col_{name}", lang)}
    return [
        Column(field, headings.get(field) or t(f"overview.col_{field}", lang), kind)
        for field, kind in wanted
        if field in frame and (frame[field].notna().any() or field in ("code", "name", "date"))
    ]
