"""The tables of a comparison in a reader's language, sheet by sheet."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd

from gridgis.redraw.difference import Difference
from gridgis.tasks.coverage_report import MEASURES
from gridgis.tasks.redraw_coverage import SideCoverage, pairs
from gridgis.text import Lang, catalogue, t


def sheets(
    found: Difference, moved: gpd.GeoDataFrame, coverage: tuple[SideCoverage, SideCoverage], lang: Lang
) -> dict[str, pd.DataFrame]:
    """The tables by the title of their sheet, with headings and words in a language; figures are numbers, not text.

    `moved` is the ground that changed hands, without what is rounding.
    """
    grids = pd.DataFrame(found.grids.drop(columns="geometry")).reset_index()
    frames = {
        "grids": grids[[*grids.columns.drop("attributes"), "attributes"]],
        "moved": pd.DataFrame(moved.drop(columns=["geometry", "rounding"])),
        "officers": found.officers.reset_index(),
        "totals": found.totals.reset_index(names="figure"),
        "coverage": _coverage(coverage),
    }
    return {t(f"redraw_diff.sheet_{name}", lang): _said(frame, lang) for name, frame in frames.items()}


def _coverage(sides: tuple[SideCoverage, SideCoverage]) -> pd.DataFrame:
    """Every measure of the whole and of each area: covered, total and percent, before and after."""
    rows: list[dict[str, Any]] = []
    for before, after in ((sides[0].town, sides[1].town), *pairs(*sides)):
        for name in MEASURES:
            row: dict[str, Any] = {"area": after.code or "", "area_name": after.name, "figure": f"measure_{name}"}
            for side, one in (("before", before.measures[name]), ("after", after.measures[name])):
                percent = None if one.share is None else one.share * 100
                row |= {f"covered_{side}": one.covered, f"total_{side}": one.total, f"percent_{side}": percent}
            rows.append(row)
    return pd.DataFrame(rows)


def _said(frame: pd.DataFrame, lang: Lang) -> pd.DataFrame:
    """Headings and words in a language."""
    said = frame.copy()
    if "happened" in said:
        said["happened"] = [t(f"redraw_figures.happened_{word}", lang) for word in said["happened"]]
    if "figure" in said:
        keys = [f"cli.{word}" if word.startswith("measure_") else f"redraw_diff.column_{word}" for word in said["figure"]]
        said["figure"] = [t(key, lang) for key in keys]
    if "attributes" in said:
        said["attributes"] = [", ".join(_column(name, lang) for name in names) for names in said["attributes"]]
    for side in ("source", "target"):
        if side in said:
            said[side] = [code or t("redraw_diff.nobody", lang) for code in said[side]]
    said = said.map(lambda value: ", ".join(value) if isinstance(value, tuple) else value)
    return said.set_axis([_heading(str(column), lang) for column in said.columns], axis=1)


def _column(name: str, lang: Lang) -> str:
    """A column of grids in words; one the user brought keeps its name."""
    key = f"datapage.column_{name}"
    return t(key, lang) if key in catalogue(lang) else name


def _heading(column: str, lang: Lang) -> str:
    for side in ("before", "after"):
        if column.endswith(f"_{side}"):
            word = t(f"redraw_diff.column_{column.removesuffix(f'_{side}')}", lang)
            return t(f"redraw_diff.{side}", lang, column=word)
    return t(f"redraw_diff.column_{column}", lang)
