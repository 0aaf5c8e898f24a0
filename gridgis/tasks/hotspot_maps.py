"""Two hot-spot maps beside each other: what changed, and how well the earlier one foresaw the later incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from gridgis.crs import crs_name
from gridgis.errors import CrsError, DataError
from gridgis.files import read_any
from gridgis.files.live import is_workspace
from gridgis.hotspots.auto import Choice
from gridgis.hotspots.cells import CellSet, count
from gridgis.hotspots.comparing import Comparison, compare, similarity_map
from gridgis.hotspots.scoring import SHARES, Score, score
from gridgis.lattice import Lattice
from gridgis.tasks.hotspot_points import Incidents
from gridgis.tasks.hotspotting import LAYER, GiReport
from gridgis.text import Lang, number, percent, t

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

# corners of cells are whole metres; files keep them to the last bit, text formats to less
_GRACE_M: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class HotSpotMap:
    """Hot spots on a lattice, wherever they come from."""

    cells: CellSet
    klass: Steps
    """−3 … 3, shape (rows, columns); 0 where there is no cell."""
    z: Floats
    """Gi*, same shape; NaN where there is none."""
    counts: Floats
    """Incidents, same shape; 0 where there is no cell."""
    source: str
    report: GiReport | None = None
    """How it was made; None: read from a file."""
    synthetic: bool = False
    """Whether the data is marked as synthetic."""

    @classmethod
    def of(cls, report: GiReport) -> HotSpotMap:
        """The map of a report."""
        found = report.result
        classes = found.klass.astype(np.int64)
        read = report.laid.incidents
        return cls(report.laid.cells, classes, found.z, report.laid.counts, read.source, report, read.synthetic)

    def to_json(self) -> dict[str, Any]:
        """What it is made of: points and what was left out, where it was made here."""
        hot, cold = int((self.klass > 0).sum()), int((self.klass < 0).sum())
        told = {} if self.report is None else self.report.laid.to_json()
        names = ("points_total", "points_used", "points_left_out", "points_filtered", "time")
        return {"source": self.source, "hot": hot, "cold": cold, **{name: told[name] for name in names if name in told}}


@dataclass(frozen=True, slots=True, eq=False)
class CompareReport:
    """What changed from one map to another."""

    before: HotSpotMap
    after: HotSpotMap
    cells: CellSet
    """Cells both maps have."""
    comparison: Comparison
    similarity: Floats
    """With the surroundings: see `hotspots.similarity_map`; shape (rows, columns)."""

    @property
    def synthetic(self) -> bool:
        """Whether either map is of synthetic data."""
        return self.before.synthetic or self.after.synthetic

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: cells both maps have, `before, after, change, similarity, similarity_nearby` and both counts."""
        places = self.comparison.places
        squares = self.cells.frame({"similarity_nearby": self.similarity})
        first, second = (np.asarray(_moved(one.counts, one.cells, self.cells, 0.0)) for one in (self.before, self.after))
        found = places.assign(
            similarity_nearby=squares["similarity_nearby"],
            count_before=self.cells.take(first),
            count_after=self.cells.take(second),
        )
        return gpd.GeoDataFrame(found, geometry=squares.geometry, crs=squares.crs)

    def to_json(self) -> dict[str, Any]:
        """Every figure, for `--json`."""
        told = self.comparison.to_json()
        return {
            "method": "compare", "synthetic": self.synthetic, "before": self.before.to_json(), "after": self.after.to_json(),
            "cells": told.pop("places"),
            **{name: told["changes"][name] for name in ("appeared", "vanished", "stayed")}, **told,
            "similarity_nearby": float(np.nanmean(self.similarity)), "cell_m": self.cells.lattice.cell_m,
            "crs": crs_name(self.cells.lattice.crs), "reasons": _reasons(self.before, self.after),
        }  # fmt: skip

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        told = self.to_json()
        counts = {name: number(told[name]) for name in ("appeared", "vanished", "stayed")}
        return t("hotspot_tasks.compared", lang, **counts, agreement=percent(told["agreement"]),
                 kappa=number(told["kappa_quadratic"], digits=2))  # fmt: skip

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Why the parameters are what they are, and what the figures mean."""
        return (
            *_words(lang, self.before, self.after),
            t("hotspot_tasks.kappa_means", lang),
            t("hotspot_tasks.similarity_means", lang),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ScoreReport:
    """How well a map foresaw the incidents that came later."""

    train: HotSpotMap
    counts: Floats
    """The later incidents, shape (rows, columns) of the map's lattice."""
    test: str
    """Where they come from."""
    outside: int
    """Later incidents outside every cell of the map: no map of these cells could have foreseen them."""
    score: Score
    synthetic: bool = False
    """Whether the map or the incidents are synthetic."""

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: the map's cells, `count` (later), `gi_z, class` (earlier), `rank` by z from 1."""
        z = self.train.cells.take(self.train.z)
        rank = pd.Series(z).rank(ascending=False, method="min", na_option="bottom").to_numpy()
        columns: dict[str, NDArray[Any]] = {
            "count": self.counts,
            "gi_z": self.train.z,
            "class": self.train.klass.astype(np.int32),
        }
        found = self.train.cells.frame(columns)
        found.insert(3, "rank", rank.astype(np.int64))
        return found

    def to_json(self) -> dict[str, Any]:
        """Every figure, for `--json`."""
        return {
            "method": "score", "synthetic": self.synthetic, "train": self.train.to_json(),
            "test": {"source": self.test, "points_outside": self.outside},
            **self.score.to_json(), "cell_m": self.train.cells.lattice.cell_m, "crs": crs_name(self.train.cells.lattice.crs),
            "reasons": _reasons(self.train),
        }  # fmt: skip

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        row = self.score.hot or self.score.rows[-1]
        key = "hotspot_tasks.scored_hot" if self.score.hot is not None else "hotspot_tasks.scored_share"
        return t(key, lang, area=percent(row.share), hits=percent(row.hit_rate), pai=number(row.pai, digits=2),
                 pei=number(row.pei, digits=2), incidents=number(self.score.incidents))  # fmt: skip

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Why the parameters are what they are, and what the figures mean."""
        return (*_words(lang, self.train), t("hotspot_tasks.pai_means", lang), t("hotspot_tasks.pei_means", lang))


def compare_maps(before: HotSpotMap, after: HotSpotMap) -> CompareReport:
    """What appeared, vanished and stayed from one map to another, and how far they agree.

    Maps made at different times over different extents are matched by where their cells lie.

    Raises
    ------
    DataError
        If the maps have different systems, cell sizes or lattice lines, or share no cell.
    """
    cells = _shared(before, after)
    ids = cells.ids()
    first, second = (_moved(one.klass, one.cells, cells, 0) for one in (before, after))
    found = compare(pd.Series(cells.take(first), index=ids), pd.Series(cells.take(second), index=ids))
    alone = {"only_before": before.cells.size - cells.size, "only_after": after.cells.size - cells.size}
    found = Comparison(found.places, found.table, **alone)
    return CompareReport(before, after, cells, found, similarity_map(first, second, cells.mask))


def score_map(train: HotSpotMap, test: Incidents | HotSpotMap, *, shares: Sequence[float] = SHARES) -> ScoreReport:
    """PAI, PEI and hit rate of a map against later incidents: cells by falling z, and its hot cells.

    Parameters
    ----------
    train
        The earlier map.
    test
        Later incidents in the same system, or a map whose counts are taken.
    shares
        Shares of the area to report.
    """
    mask = train.cells.mask
    if isinstance(test, HotSpotMap):
        shared = _shared(train, test)
        later = np.where(shared.mask, _moved(test.counts, test.cells, shared, 0.0), 0.0)
        later = _moved(later, shared, train.cells, 0.0)
        outside, name = round(float(test.counts.sum() - later[mask].sum())), test.source
    else:
        points = test.points
        _demand_same_crs(train.cells.lattice, points.crs)
        later = count(train.cells, points.x, points.y, weights=points.weight)
        row, column = train.cells.lattice.cell_at(points.x, points.y)
        outside, name = int((~((row >= 0) & mask[row, column])).sum()), test.source
    found = score(train.z[mask], later[mask], shares=shares, hot=train.klass[mask] > 0)
    return ScoreReport(train, later, name, outside, found, train.synthetic or test.synthetic)


def is_map_file(file: str | Path) -> bool:
    """Whether a file holds hot spots already: a layer `hotspots` of a GeoPackage, or columns `gi_z` and `class`.

    >>> is_map_file("points.csv")
    False
    """
    path = Path(file)
    if path.suffix.lower() not in {".gpkg", ".geojson", ".json", ".fgb"} or not path.exists():
        return False
    if is_workspace(path):
        return False
    try:
        fields = [str(name) for name in pyogrio.read_info(path, layer=_layer(path))["fields"]]
    except (DataSourceError, DataLayerError):
        return False  # whatever it is, reading it as points will say so
    return {"gi_z", "class"} <= set(fields)


def read_map(file: str | Path) -> HotSpotMap:
    """The hot spots of a file `gridgis hotspots gi` wrote, as a GeoPackage or FlatGeobuf.

    Raises
    ------
    DataError
        If its shapes are not the squares of one lattice, or a column is missing.
    """
    path = Path(file)
    frame = read_any(path, layer=_layer(path))
    missing = {"count", "gi_z", "class"} - set(map(str, frame.columns))
    if missing or frame.crs is None:
        raise DataError("hotspot_tasks.no_map", file=path.name, missing=", ".join(sorted(missing)))
    box = shapely.bounds(np.asarray(frame.geometry.array, dtype=object))
    side = np.round(box[:, 2] - box[:, 0])
    cell = int(side[0]) if len(side) and np.isfinite(side[0]) else 0
    corners = np.round(box[:, :2])
    square = np.abs(box - np.column_stack([corners, corners + cell])).max(initial=np.inf if not len(box) else 0.0) <= _GRACE_M
    if cell < 1 or not square or ((corners - corners[0]) % cell).any():
        raise DataError("hotspot_tasks.no_squares", file=path.name)
    x0, y0 = (int(value) for value in corners.min(axis=0))
    columns, rows = ((corners.max(axis=0) - (x0, y0)) // cell + 1).astype(int).tolist()
    lattice = _lattice(frame.crs, x0, y0, cell, rows, columns)
    column = ((corners[:, 0] - x0) // cell).astype(np.int64)
    row = rows - 1 - ((corners[:, 1] - y0) // cell).astype(np.int64)
    mask = np.zeros((rows, columns), dtype=bool)
    mask[row, column] = True
    klass, z, counts = np.zeros((rows, columns), np.int64), np.full((rows, columns), np.nan), np.zeros((rows, columns))
    klass[row, column] = frame["class"].fillna(0).to_numpy(dtype=np.int64)
    z[row, column] = frame["gi_z"].to_numpy(dtype=np.float64)
    counts[row, column] = frame["count"].fillna(0).to_numpy(dtype=np.float64)
    synthetic = "synthetic" in frame.columns and bool(frame["synthetic"].astype(bool).any())
    return HotSpotMap(CellSet(lattice, mask), klass, z, counts, path.name, synthetic=synthetic)


def _choices(*maps: HotSpotMap) -> tuple[Choice, ...]:
    """Why the parameters are what they are, of the first map that was made here."""
    report = next((one.report for one in maps if one.report is not None), None)
    return () if report is None else report.reasons


def _reasons(*maps: HotSpotMap) -> list[dict[str, Any]]:
    return [choice.to_json() for choice in _choices(*maps)]


def _words(lang: Lang, *maps: HotSpotMap) -> tuple[str, ...]:
    return tuple(choice.message(lang) for choice in _choices(*maps))


def _layer(path: Path) -> str | None:
    """`hotspots` where a file has it, else whatever layer it has."""
    return LAYER if LAYER in [str(name) for name, _ in pyogrio.list_layers(path)] else None


def _lattice(crs: pyproj.CRS, x0: int, y0: int, cell: int, rows: int, columns: int) -> Lattice:
    return Lattice(crs, x0, y0, cell, rows, columns, origin=(x0 % cell, y0 % cell))


def _shared(before: HotSpotMap, after: HotSpotMap) -> CellSet:
    """The cells of the first map that the second has too."""
    one, two = before.cells.lattice, after.cells.lattice
    _demand_same_crs(one, two.crs)
    if one.cell_m != two.cell_m or (one.x0 - two.x0) % one.cell_m or (one.y0 - two.y0) % one.cell_m:
        raise DataError(
            "hotspot_tasks.other_lattice", before=before.source, after=after.source, first_m=one.cell_m, second_m=two.cell_m
        )
    mask = before.cells.mask & _moved(after.cells.mask, after.cells, before.cells, fill=False)
    if not mask.any():
        raise DataError("hotspot_auto.compare_nothing_shared", before=before.cells.size, after=after.cells.size)
    return CellSet(one, mask)


def _moved(values: NDArray[Any], source: CellSet, target: CellSet, fill: float) -> NDArray[Any]:
    """An array of one lattice's shape in another of the same lines: what lies beyond is lost, what is missing `fill`."""
    one, two = source.lattice, target.lattice
    if one == two:
        return values
    moved = np.full(two.shape, fill, dtype=values.dtype)
    right = (one.x0 - two.x0) // two.cell_m
    down = (two.y0 + two.rows * two.cell_m - one.y0 - one.rows * one.cell_m) // two.cell_m
    first_row, last_row = max(down, 0), min(down + one.rows, two.rows)
    first, last = max(right, 0), min(right + one.columns, two.columns)
    if first_row < last_row and first < last:
        part = values[first_row - down : last_row - down, first - right : last - right]
        moved[first_row:last_row, first:last] = part
    return moved


def _demand_same_crs(lattice: Lattice, crs: pyproj.CRS) -> None:
    if lattice.crs != crs:
        raise CrsError("crs.mixed", first=crs_name(lattice.crs), second=crs_name(crs))
