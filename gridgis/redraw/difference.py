"""Two partitions of an area compared: what happened to each grid, what moved from whom to whom, whose work changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.errors import DataError
from gridgis.redraw.carrying import COUNTED, FREE, Carried, carry, ground_m2, parts
from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.figures import figures, figures_of_carried
from gridgis.redraw.fitting import mean_width
from gridgis.redraw.partition import SNAP_M, Partition, frozen_shapes

Happened = Literal["new", "retired", "changed", "border", "attributes"]
FIGURES: Final = ("area_m2", *RESIDENTS, *COUNTED)

_OFFICER: Final = "officer"
# columns that say when a row was written and from when it holds, and nothing of the grid
_KEPT: Final = ("version", "valid_from", "valid_to")
# ground that two shapes share by the rounding of an overlay
_NOTHING_M2: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two states of one area or several."""

    areas: tuple[str, ...]
    """Codes of the areas compared."""
    crs: pyproj.CRS
    """Of the geometry."""
    grids: gpd.GeoDataFrame
    """One row for every grid that is not the same, index = code: `happened` (`new`, `retired`, `changed`: it won or lost ground,
    `border`: vertices were put into its border and no ground changed hands, `attributes`), `attributes` (names of the columns
    that differ), every figure as `…_before` and `…_after` (NaN: not there, or not known), geometry (its ground afterwards, of
    a retired one its last)."""
    moved: gpd.GeoDataFrame
    """From whom to whom, one row a pair: `source`, `target` (codes; `""`: ground no grid holds), `area_m2` (ellipsoid),
    `households`, `population`, `buildings`, `incidents`, `natural_villages`, `rounding` (no wider than the precision of
    drawing), geometry. A figure afterwards is the figure before, less what went, plus what came: to the person, and to 10⁻⁸
    of the grid's area."""
    before: pd.DataFrame
    """`figures` of all grids before, with the row `""`."""
    after: pd.DataFrame
    """Likewise afterwards."""
    posts: pd.DataFrame
    """Which officer has which grid: `officer`, `code`, `side` (`before`, `after`), `touched` (whether ground or officer of that
    grid changed), `area_m2`, `households`, `population`; empty where no officers are known."""

    @property
    def totals(self) -> pd.DataFrame:
        """Sums of all grids and uncovered ground, index = figure: `before`, `after`; NaN where nothing is known."""
        sides = {"before": self.before, "after": self.after}
        return pd.DataFrame({side: table[list(FIGURES)].sum(min_count=1) for side, table in sides.items()})

    @property
    def officers(self) -> pd.DataFrame:
        """Officers whose work changes, index = name: `happened` (`new`, `gone`, `changed`), `grids_before`, `grids_after`
        (tuples of codes), `area_m2`, `households` and `population` as `…_before` and `…_after`.
        """
        rows = []
        for officer, posts in self.posts.groupby("officer", sort=True):
            if not posts["touched"].any():
                continue
            row: dict[str, object] = {"officer": officer}
            sides = {side: posts[posts["side"] == side] for side in ("before", "after")}
            there = {side: len(some) > 0 for side, some in sides.items()}
            row["happened"] = "changed" if all(there.values()) else "new" if there["after"] else "gone"
            row |= {f"grids_{side}": tuple(sorted(some["code"])) for side, some in sides.items()}
            for name in ("area_m2", *RESIDENTS):
                row |= {f"{name}_{side}": some[name].sum(min_count=1) if len(some) else 0.0 for side, some in sides.items()}
            rows.append(row)
        pairs = [f"{name}_{side}" for name in ("area_m2", *RESIDENTS) for side in ("before", "after")]
        return pd.DataFrame(rows, columns=["officer", "happened", "grids_before", "grids_after", *pairs]).set_index("officer")


def difference(before: Partition, after: Partition, facts: Facts, *, base: Partition | None = None) -> Difference:
    """What differs between two partitions of one area.

    Parameters
    ----------
    before, after
        Of the same area, in the CRS of the facts.
    facts
        What is known at points.
    base
        The partition the registered counts speak of, where that is not `before`: `before` then has the figures that follow
        from it, and hands them on.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> merged = town.with_ground({"G2": None, "G1": shapely.box(500000, 3366000, 500250, 3366300)})
    >>> found = difference(town, merged, Facts.of(town.crs, buildings=toy.buildings()))
    >>> found.moved[["source", "target", "households"]].to_numpy().tolist(), found.grids["happened"].to_dict()
    ([['G2', 'G1', 2.0]], {'G1': 'changed', 'G2': 'retired'})
    >>> found.officers["happened"].to_dict()
    {'Li': 'changed', 'Wang': 'gone'}
    """
    if before.area != after.area:
        raise DataError("redraw_figures.two_areas", first=before.area, second=after.area)
    if base is not None and base is not before:
        before = _registered(before, figures(before, facts, base=base))
    old = figures(before, facts)
    carried = carry(before, after, facts)
    new = figures_of_carried(carried, after, facts, old)
    moved = _moved(carried, after, facts)
    grids = _grids(before, after, carried, moved, (old, new))
    posts = pd.concat([_posts(before, old, "before", grids), _posts(after, new, "after", grids)], ignore_index=True)
    return Difference((before.area,), before.crs, grids, moved, old, new, posts)


def together(differences: Sequence[Difference]) -> Difference:
    """Differences of several areas as one; an officer may have grids in several of them.

    Parameters
    ----------
    differences
        One at least, of different areas in one CRS.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> west, east = partition_of(toy.grids().iloc[:2], area=toy.WEST), partition_of(toy.grids().iloc[2:], area=toy.EAST)
    >>> facts = Facts.of(west.crs, buildings=toy.buildings())
    >>> both = together([difference(area, area, facts) for area in (west, east)])
    >>> both.areas == (toy.WEST, toy.EAST), both.totals.loc["population"].tolist(), len(both.moved)
    (True, [36.0, 36.0], 0)
    """
    sides = []
    for side in ("before", "after"):
        tables = [getattr(one, side) for one in differences]
        free = pd.concat([table.loc[[FREE]] for table in tables])
        row = free.iloc[[0]].copy()
        row[list(FIGURES)] = [free[list(FIGURES)].sum(min_count=1).to_numpy()]
        sides.append(pd.concat([*(table.drop(index=FREE) for table in tables), row]))
    first = differences[0]
    return Difference(
        areas=tuple(area for one in differences for area in one.areas),
        crs=first.crs,
        grids=_stacked([one.grids for one in differences]),
        moved=_stacked([one.moved for one in differences]).reset_index(drop=True),
        before=sides[0],
        after=sides[1],
        posts=pd.concat([one.posts for one in differences], ignore_index=True),
    )


def nothing_differs(crs: pyproj.CRS) -> Difference:
    """The difference of two states that are the same: no area, no grid, no ground.

    >>> from gridgis import toy
    >>> found = nothing_differs(toy.grids().crs)
    >>> found.areas, len(found.grids), len(found.moved), len(found.officers)
    ((), 0, 0, 0)
    """
    none = Partition(
        "", crs, shapely.Polygon(), (), frozen_shapes([]), frozen_shapes([]), pd.DataFrame(index=pd.Index([], name="code"))
    )
    nobody = Facts.of(crs)
    return replace(difference(none, none, nobody), areas=())


def _registered(partition: Partition, known: pd.DataFrame) -> Partition:
    """A partition whose grids have the figures given as their registers."""
    rows = known.loc[list(partition.codes), list(RESIDENTS)]
    return partition.with_attributes(partition.attributes.assign(**{name: rows[name] for name in RESIDENTS}))


def _moved(carried: Carried, after: Partition, facts: Facts) -> gpd.GeoDataFrame:
    gone, come = carried.before, carried.after
    source, target, ground = parts(gone, come)
    names = {"source": np.array(gone.names, dtype=object)[gone.owner[source]],
             "target": np.array(come.names, dtype=object)[come.owner[target]]}  # fmt: skip
    pieces = pd.DataFrame({**names, "area_m2": ground_m2(ground, after), "geometry": ground})
    pieces = pieces[(pieces["source"] != pieces["target"]) & (shapely.area(ground) > _NOTHING_M2)]
    by_pair = pieces.groupby(["source", "target"], sort=True)
    table = pd.DataFrame({"area_m2": by_pair["area_m2"].sum(), "geometry": by_pair["geometry"].agg(_united)})
    flows = carried.flows[carried.flows["source"] != carried.flows["target"]].set_index(["source", "target"])
    flows = flows[(flows.fillna(0) != 0).any(axis=1)]
    table = table.join(flows, how="outer")
    layers = {"buildings": facts.buildings, "incidents": facts.incidents, "natural_villages": facts.natural_villages}
    for name, layer in layers.items():
        table[name] = table[name].fillna(0.0) if layer is not None else np.nan
    for name in RESIDENTS:
        # a pair without points hands on nobody, unless nobody knows
        table[name] = table[name].fillna(0.0) if carried.known[name] else table[name]
    table["area_m2"] = table["area_m2"].fillna(0.0)
    places = table["geometry"].to_numpy(dtype=object)
    places = np.array([place if isinstance(place, BaseGeometry) else shapely.Polygon() for place in places], dtype=object)
    table["rounding"] = (mean_width(places) < SNAP_M) & (table[[*RESIDENTS, *COUNTED]].fillna(0) == 0).all(axis=1)
    columns = ["source", "target", *FIGURES, "rounding"]
    return gpd.GeoDataFrame(table.reset_index()[columns], geometry=places, crs=after.crs)


def _united(some: pd.Series[Any]) -> object:
    return some.iloc[0] if len(some) == 1 else shapely.union_all(some.to_numpy())


def _grids(
    before: Partition, after: Partition, carried: Carried, moved: gpd.GeoDataFrame, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> gpd.GeoDataFrame:
    old, new = set(before.codes), set(after.codes)
    real = moved[~moved["rounding"]]
    traded = {*real["source"], *real["target"]}
    drawn = {*carried.before.names, *carried.after.names} - {FREE}
    differ = _attributes(before, after, drawn)
    codes = [code for code in dict.fromkeys([*before.codes, *after.codes]) if code in drawn or code in differ]

    def happened(code: str) -> Happened:
        if code not in old or code not in new:
            return "new" if code in new else "retired"
        if code in drawn:
            return "changed" if code in traded else "border"
        return "attributes"

    table = pd.DataFrame(index=pd.Index(codes, name="code", dtype=object))
    table["happened"] = [happened(code) for code in codes]
    table["attributes"] = [differ.get(code, ()) for code in codes]
    for name in FIGURES:
        for side, figures_ in zip(("before", "after"), tables, strict=True):
            table[f"{name}_{side}"] = figures_[name].reindex(codes)
    shape = {**dict(zip(before.codes, before.shapes, strict=True)), **dict(zip(after.codes, after.shapes, strict=True))}
    return gpd.GeoDataFrame(table, geometry=[shape[code] for code in codes], crs=after.crs)


def _attributes(before: Partition, after: Partition, drawn: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Columns that differ, by grids that are in both; counts of residents follow the ground where that changed."""
    names = [name for name in dict.fromkeys([*before.attributes, *after.attributes]) if name not in _KEPT]
    both = [code for code in before.codes if code in set(after.codes)]
    old, new = (side.attributes.reindex(index=both, columns=names).astype(object) for side in (before, after))
    differ = ~((old == new) | (old.isna() & new.isna())).to_numpy(dtype=bool)
    differ[np.ix_([code in drawn for code in both], [name in RESIDENTS for name in names])] = False
    rows = np.flatnonzero(differ.any(axis=1)).tolist()
    return {both[at]: tuple(str(names[i]) for i in np.flatnonzero(differ[at])) for at in rows}


def _posts(partition: Partition, known: pd.DataFrame, side: str, grids: gpd.GeoDataFrame) -> pd.DataFrame:
    columns = ["officer", "code", "side", "touched", "area_m2", *RESIDENTS]
    if _OFFICER not in partition.attributes:
        return pd.DataFrame(columns=columns)
    officer = partition.attributes[_OFFICER]
    officer = officer[officer.notna()]
    handed = np.array([_OFFICER in some for some in grids["attributes"]], dtype=bool)
    fresh = grids.index[grids["happened"].isin(["new", "retired", "changed"]).to_numpy() | handed]
    table = known.loc[officer.index, ["area_m2", *RESIDENTS]].reset_index(names="code")
    table.insert(0, "officer", officer.to_numpy())
    table.insert(2, "side", side)
    table.insert(3, "touched", officer.index.isin(fresh))
    return table[columns]


def _stacked(frames: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    full = [frame for frame in frames if len(frame)]
    return gpd.GeoDataFrame(pd.concat(full), crs=frames[0].crs) if full else frames[0]
