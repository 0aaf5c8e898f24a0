"""The figures of a partition's grids: area, households, residents, buildings, incidents, natural villages; and their balance."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd

from gridgis.redraw.carrying import COUNTED, FREE, Carried, all_cells, carry, counts_of, ground_m2, registers
from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.partition import Partition
from gridgis.text import Lang, t

__all__ = ["COLUMNS", "FREE", "Facts", "balance", "figures", "word"]

COLUMNS: Final = ("area_m2", *RESIDENTS, *COUNTED, *(f"{column}_from" for column in RESIDENTS))
"""Of `figures`, in order."""


def figures(
    partition: Partition, facts: Facts, *, base: Partition | None = None, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What every grid of a partition holds, with totals conserved to the person whatever was redrawn.

    Registered residents (households) are a column of the base's grids; they are carried to the grids that hold the ground
    now in one step (`carrying.carry`), so that the order of edits has no influence. Grids that are the same in both keep their
    register. What has none is counted from buildings.

    Parameters
    ----------
    partition
        The grids.
    facts
        What is known at points.
    base
        The partition the registers speak of, of the same area; None: this one.
    known
        `figures(base, facts)`, for speed: only grids that differ from the base are reckoned.

    Returns
    -------
    DataFrame
        Index = the codes and, last, `""` for ground no grid holds: `area_m2` (ellipsoid), `households`, `population`,
        `buildings`, `incidents`, `natural_villages` (NaN where nothing is known), `households_from`, `population_from`:
        `registered`, `counted` (from buildings), `shared_by_buildings` or `shared_by_area` (a register divided), or empty.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> figures(town, Facts.of(town.crs, buildings=toy.buildings()))[["households", "population", "buildings"]].to_dict("list")
    {'households': [4.0, 2.0, 6.0, 0.0], 'population': [12.0, 6.0, 18.0, 0.0], 'buildings': [4.0, 2.0, 6.0, 0.0]}
    """
    if base is None or base is partition:
        return _own(partition, facts)
    before = _own(base, facts) if known is None else known
    return figures_of_carried(carry(base, partition, facts), partition, facts, before)


def balance(figures: pd.DataFrame, low: float, high: float, *, column: str = "households") -> pd.Series[str]:
    """Whether each grid holds as much as it should: `under`, `within` (ends included), `over`, or `unknown`.

    Parameters
    ----------
    figures
        Of `figures`; the row of uncovered ground is left out.
    low, high
        The range, such as 300 and 500 households.
    column
        Which figure is held against it.

    Examples
    --------
    >>> table = pd.DataFrame({"households": [299, 300, 501, None, 7]}, index=["A", "B", "C", "D", ""])
    >>> balance(table, 300, 500).tolist()
    ['under', 'within', 'over', 'unknown']
    """
    values = figures.drop(index=FREE, errors="ignore")[column].astype("float64")
    words = np.select([values.isna(), values < low, values > high], ["unknown", "under", "over"], "within")
    return pd.Series(words.astype(object), index=values.index, name="balance")


def word(kind: Literal["from", "balance", "happened"], value: str, lang: Lang) -> str:
    """The word for a value of the columns `…_from` and `happened`, and of `balance`.

    >>> word("from", "shared_by_area", "en"), word("balance", "over", "zh")
    ('registered, shared out by area', '高于范围')
    """
    return t(f"redraw_figures.{kind}_{value}", lang)


def figures_of_carried(carried: Carried, partition: Partition, facts: Facts, known: pd.DataFrame) -> pd.DataFrame:
    """The figures of a partition when what its base handed on is known already, and so are the base's figures.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> facts = Facts.of(town.crs)
    >>> figures_of_carried(carry(town, town, facts), town, facts, figures(town, facts)).loc["G1", "area_m2"].round(3)
    np.float64(45000.0)
    """
    result = known.reindex(pd.Index([*partition.codes, FREE], name="code"))
    fresh = _of_carried(carried, partition, facts)
    if FREE in carried.before.names and FREE not in carried.after.names:
        fresh = pd.concat([fresh, _nothing(facts)])
    result.loc[fresh.index] = fresh
    return result


def _of_carried(carried: Carried, partition: Partition, facts: Facts) -> pd.DataFrame:
    """The figures of the cells that changed."""
    names = list(carried.after.names)
    size = pd.Series(ground_m2(carried.after.shapes, partition)).groupby(carried.after.owner).sum()
    table = carried.flows.groupby("target")[[*RESIDENTS, *COUNTED]].sum().reindex(names, fill_value=0.0)
    table.insert(0, "area_m2", size.to_numpy())
    for name, layer in zip(COUNTED, (facts.buildings, facts.incidents, facts.natural_villages), strict=True):
        if layer is None:
            table[name] = np.nan
    for column in RESIDENTS:
        table[f"{column}_from"] = carried.how[f"{column}_from"]
        table.loc[table[f"{column}_from"] == "", column] = np.nan
    return table


def _own(partition: Partition, facts: Facts) -> pd.DataFrame:
    """The figures of a partition by its own registers."""
    cells = all_cells(partition)
    many = len(cells.names)
    table = pd.DataFrame(index=pd.Index(cells.names, name="code"))
    table["area_m2"] = np.bincount(cells.owner, ground_m2(cells.shapes, partition), many)
    at = counts_of(facts.buildings, cells, partition)
    there = at >= 0
    for column in RESIDENTS:
        register = registers(cells, partition, column)
        counted = np.full(many, np.nan)
        if facts.buildings is not None and column in facts.buildings.counts:
            counted = np.bincount(at[there], facts.buildings.counts[column][there], many)
        counted[(table["area_m2"] == 0).to_numpy() & np.isnan(counted)] = 0.0
        table[column] = np.where(np.isnan(register), counted, register)
        table[f"{column}_from"] = np.where(np.isnan(register), np.where(np.isnan(counted), "", "counted"), "registered")
    layers = (facts.buildings, facts.incidents, facts.natural_villages)
    for name, layer in zip(COUNTED, layers, strict=True):
        found = counts_of(layer, cells, partition) if name != "buildings" else at
        table[name] = np.nan if layer is None else np.bincount(found[found >= 0], minlength=many).astype(float)
    return table.reindex([*partition.codes, FREE])[list(COLUMNS)]


def _nothing(facts: Facts) -> pd.DataFrame:
    """The row of no ground at all."""
    layers = (facts.buildings, facts.incidents, facts.natural_villages)
    row = [0.0, 0.0, 0.0, *(np.nan if layer is None else 0.0 for layer in layers), "counted", "counted"]
    return pd.DataFrame([row], index=pd.Index([FREE], name="code"), columns=list(COLUMNS))
