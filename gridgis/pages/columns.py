"""Which columns the overview's tables have, in which order and format: one list for the screen, one for the workbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from gridgis.pages.tables import Column, Kind
from gridgis.text import Lang, t


@dataclass(frozen=True, slots=True)
class _Part:
    """One column before it has a heading."""

    field: str
    kind: Kind
    of: str | None = None
    """Column of the denominator, where numerator and denominator share a cell."""


_HEAD: Final = (_Part("code", "code"), _Part("name", "name"), _Part("batch", "name"), _Part("opened_on", "date"))
# on screen numerator and denominator stand in one cell, which a narrow screen has room for
_SCREEN: Final = (
    _Part("area_share", "bar"),
    _Part("area_covered", "km2", "area_total"),
    _Part("population_share", "bar"),
    _Part("population_covered", "int", "population_total"),
    _Part("households_covered", "int", "households_total"),
    _Part("natural_villages_covered", "int", "natural_villages_total"),
    _Part("grids_covered", "int", "grids_total"),
)
_COUNTED: Final[tuple[tuple[str, Kind], ...]] = (
    ("area", "km2"),
    ("population", "int"),
    ("households", "int"),
    ("natural_villages", "int"),
    ("grids", "int"),
)
# in a workbook every number has its own cell
_BOOK: Final = tuple(
    part
    for name, kind in _COUNTED
    for part in (_Part(f"{name}_share", "percent"), _Part(f"{name}_covered", kind), _Part(f"{name}_total", kind))
)
_TREND: Final = (
    _Part("date", "date"),
    _Part("grids_covered", "int"),
    _Part("area_covered", "km2"),
    _Part("area_share", "percent"),
    _Part("population_covered", "int"),
    _Part("population_share", "percent"),
    _Part("natural_villages_covered", "int"),
)
_ALWAYS: Final = ("code", "name", "date")


def screen_columns(by: str, frame: pd.DataFrame, lang: Lang) -> list[Column]:
    """Columns of a table by village, station or batch on screen; what no row knows is left out."""
    return _columns((*_head(by), *_SCREEN), by, frame, lang)


def book_columns(by: str, frame: pd.DataFrame, lang: Lang) -> list[Column]:
    """Columns of a sheet by village, station or batch, or of the trend."""
    return _columns(_TREND if by == "trend" else (*_head(by), *_BOOK), by, frame, lang)


def _head(by: str) -> tuple[_Part, ...]:
    """A batch has a number and no other name."""
    return (_Part("name", "name"),) if by == "batch" else _HEAD


def _columns(wanted: Sequence[_Part], by: str, frame: pd.DataFrame, lang: Lang) -> list[Column]:
    return [
        Column(part.field, _heading(part, by, lang), part.kind, of=part.of)
        for part in wanted
        if part.field in frame and (part.field in _ALWAYS or frame[part.field].notna().any())
    ]


def _heading(part: _Part, by: str, lang: Lang) -> str:
    if by == "batch" and part.field == "name":
        return t("overview.col_batch", lang)
    if part.of is not None:
        return t(f"overview.both_{part.field.removesuffix('_covered')}", lang)
    return t(f"overview.col_{part.field}", lang)
