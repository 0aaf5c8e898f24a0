"""Hot spots of incidents on a lattice: Gi*, Moran's I and density, with every parameter's reason and a full account.

`gi(from_file("thefts.csv", within="town.geojson"), cell_m=500)` is all a notebook needs; the commands call the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.crs import crs_name
from gridgis.hotspots.auto import Choice, choose_band, choose_cell, given
from gridgis.hotspots.cells import CellSet, cells_around, cells_within, count
from gridgis.hotspots.getis_ord import LatticeResult
from gridgis.hotspots.getis_ord import gi as gi_of_cells
from gridgis.hotspots.moran_i import QUADRANTS, SURE, MoranResult
from gridgis.hotspots.moran_i import moran as moran_of_cells
from gridgis.hotspots.rating import Rates
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_bases import Base, rates_of_cells
from gridgis.tasks.hotspot_points import FileColumns, Filters, Incidents, from_file, from_workspace
from gridgis.text import Lang, number, percent, t

__all__ = ["FileColumns", "Filters", "GiReport", "Incidents", "Laid", "MoranReport", "from_file", "from_workspace", "gi", "lay",
           "moran"]  # fmt: skip

Floats = NDArray[np.float64]
Rate = Literal["residents", "households", "buildings"]

# the same question gets the same answer
SEED: Final = 0
LAYER: Final = "hotspots"
# the q below which the lowest class begins
_WIDEST: Final = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Incidents counted in the cells of a lattice."""

    incidents: Incidents
    cells: CellSet
    counts: Floats
    """Shape (rows, columns): incidents per cell, or the sum of their weights."""
    cell: Choice
    """The side of a cell and why."""
    used: int
    """Incidents that have a cell."""

    def to_json(self) -> dict[str, Any]:
        """Points and cells, for `--json`."""
        told = self.incidents.to_json()
        # on the area's outer edge a half-open cell may be the one beyond it
        beyond = told["points_used"] - self.used
        left_out = {**told["points_left_out"], "outside": told["points_left_out"]["outside"] + beyond}
        lattice, wish = self.cells.lattice, self.incidents.filters
        return {
            "source": self.incidents.source,
            "synthetic": self.incidents.synthetic,
            "cells": self.cells.size,
            **told,
            "points_used": self.used,
            "points_left_out": left_out,
            "cell_m": lattice.cell_m,
            "crs": crs_name(lattice.crs),
            "lattice": {"x0": lattice.x0, "y0": lattice.y0, "rows": lattice.rows, "columns": lattice.columns},
            "time": {"from": _day(wish.since), "to": _day(wish.until), "time_zone": wish.time_zone},
        }

    @property
    def whole(self) -> bool:
        """Whether the counts are whole numbers."""
        return self.incidents.points.weight is None


@dataclass(frozen=True, slots=True, eq=False)
class GiReport:
    """Gi* of incidents: a layer of cells and how it was made."""

    laid: Laid
    result: LatticeResult
    band: Choice
    rates: Rates | None
    base: Base | None
    seed: int

    @property
    def reasons(self) -> tuple[Choice, ...]:
        """Why each parameter has its value."""
        return self.laid.cell, self.band

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: the cells as squares, index `cell_id`, `count, gi_z, p_value, q_value, class` (and rates)."""
        found = self.result
        columns: dict[str, NDArray[Any]] = {"count": _counts(self.laid)}
        columns |= {"gi_z": found.z, "p_value": found.p, "q_value": found.q, "class": found.klass.astype(np.int32)}
        return self.laid.cells.frame(columns | _rate_columns(self.rates, self.base))

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON."""
        return {
            "method": "gi",
            **self.laid.to_json(),
            "band_m": self.band.value,
            "hot": self.result.hot,
            "cold": self.result.cold,
            "permutations": self.result.permutations,
            "seed": self.seed if self.result.permutations else None,
            "fdr": self.result.fdr,
            "rates": rates_json(self.rates, self.base),
            "notes": list(too_few(self.result.permutations, self.laid.cells.size, self.result.fdr, "en")),
            "reasons": [choice.to_json() for choice in self.reasons],
        }

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence: how many cells are hot, and what share of the incidents and of the area they hold."""
        mask = self.laid.cells.mask
        hot = mask & (self.result.klass > 0)
        whole = float(self.laid.counts[mask].sum())
        share = float(self.laid.counts[hot].sum()) / whole if whole else None
        key = "hotspot_tasks.gi_found" if hot.any() or self.result.cold else "hotspot_tasks.gi_nothing"
        return t(
            key, lang, hot=number(self.result.hot), cold=number(self.result.cold), cells=number(self.laid.cells.size),
            share=percent(share), area=percent(hot.sum() / max(int(mask.sum()), 1)), points=number(self.laid.used),
        )  # fmt: skip

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Each parameter's reason, and what p, q and the classes mean."""
        p = "hotspot_tasks.p_permuted" if self.result.permutations else "hotspot_tasks.p_normal"
        q = "hotspot_tasks.class_by_q" if self.result.fdr else "hotspot_tasks.class_by_p"
        said = [choice.message(lang) for choice in self.reasons]
        said.append(t(p, lang, permutations=number(self.result.permutations)))
        said += too_few(self.result.permutations, self.laid.cells.size, self.result.fdr, lang)
        return (*said, t(q, lang), *rates_words(self.rates, self.base, lang))


@dataclass(frozen=True, slots=True, eq=False)
class MoranReport:
    """Global and local Moran's I of incidents: a layer of cells and how it was made."""

    laid: Laid
    result: MoranResult
    band: Choice
    rates: Rates | None
    base: Base | None
    permutations: int
    seed: int
    fdr: bool

    @property
    def reasons(self) -> tuple[Choice, ...]:
        """Why each parameter has its value."""
        return self.laid.cell, self.band

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: index `cell_id`, `count` and the columns of `MoranResult.frame` (and rates)."""
        found = self.result.frame()
        found["count"] = self.laid.cells.take(_counts(self.laid))
        for name, values in _rate_columns(self.rates, self.base).items():
            found.insert(len(found.columns) - 1, name, self.laid.cells.take(values))
        return found

    def to_json(self) -> dict[str, Any]:
        """Global figures, and how many cells of each quadrant are sure."""
        sure = self.result.klass[self.laid.cells.mask]
        return {
            "method": "moran",
            **self.laid.to_json(),
            "band_m": self.band.value,
            "i": self.result.i,
            "expected": self.result.expected,
            "z": self.result.z,
            "p_value": self.result.p,
            "quadrants": {name: int((sure == QUADRANTS.index(name)).sum()) for name in ("HH", "LL", "HL", "LH")},
            "permutations": self.permutations,
            "seed": self.seed if self.permutations else None,
            "fdr": self.fdr,
            "rates": rates_json(self.rates, self.base),
            "reasons": [choice.to_json() for choice in self.reasons],
        }

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        told = self.to_json()
        counts = {name: number(count) for name, count in told["quadrants"].items()}
        key = "hotspot_tasks.moran_clusters" if self.result.p < SURE and self.result.z > 0 else "hotspot_tasks.moran_chance"
        return t(
            key, lang, i=number(self.result.i, digits=3), z=number(self.result.z, digits=1), cells=number(told["cells"]), **counts
        )

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Each parameter's reason, and what p, q and the quadrants mean."""
        q = "hotspot_tasks.quadrant_by_q" if self.fdr else "hotspot_tasks.quadrant_by_p"
        said = [choice.message(lang) for choice in self.reasons]
        said += too_few(self.permutations, self.laid.cells.size, self.fdr, lang)
        return (*said, t("hotspot_tasks.moran_means", lang), t(q, lang), *rates_words(self.rates, self.base, lang))


def lay(
    incidents: Incidents,
    *,
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    cells: CellSet | None = None,
    choice: Choice | None = None,
) -> Laid:
    """Count incidents in the cells of a lattice over their area, or around them where no area is known.

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`.
    cell_m
        Side of a cell, whole metres; None: `hotspots.choose_cell` chooses.
    origin
        A point the lattice lines run through, whole metres.
    cells
        Cells to count in instead, in the incidents' system: those of another map.
    choice
        A choice of the cell made elsewhere.
    """
    points = incidents.points
    if cells is None:
        if cell_m is not None:
            choice = given("cell_m", cell_m)
        choice = choice or choose_cell(points.x, points.y, area_m2=area_m2(incidents))
        side = int(choice.value)
        if incidents.area is None:
            cells = cells_around(points.x, points.y, cell_m=side, crs=points.crs, origin=origin)
        else:
            cells = cells_within(incidents.area, cell_m=side, origin=origin)
    else:
        choice = choice or given("cell_m", cells.lattice.cell_m)
    row, column = cells.lattice.cell_at(points.x, points.y)
    placed = (row >= 0) & cells.mask[row, column]
    return Laid(incidents, cells, count(cells, points.x, points.y, weights=points.weight), choice, int(placed.sum()))


def gi(
    incidents: Incidents | Laid,
    *,
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    band_m: float | None = None,
    permutations: int = 0,
    seed: int = SEED,
    fdr: bool = True,
    base: Base | None = None,
    per: float = 1000.0,
    progress: Progress = silent,
) -> GiReport:
    """Where incidents concentrate beyond chance, and where they stay away: Getis-Ord Gi* (`gridgis.hotspots.gi`).

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`; or already laid on a lattice, whose cells then count.
    cell_m, origin
        As for `lay`.
    band_m
        Distance between centres of cells that are neighbours; None: `hotspots.choose_band` chooses.
    permutations, seed
        Random rearrangements behind p; 0: the normal distribution.
    fdr
        Whether classes control the false discovery rate.
    base
        What to divide by, from `hotspot_bases`; None: counts are judged, not rates.
    per
        Unit of the rates.
    """
    laid = incidents if isinstance(incidents, Laid) else lay(incidents, cell_m=cell_m, origin=origin)
    rates, values = _judged(laid, base, per)
    band = given("band_m", band_m) if band_m is not None else choose_band(laid.cells, values, progress=progress)
    rng = np.random.default_rng(seed)
    found = gi_of_cells(
        laid.cells, values, band_m=band.value, permutations=permutations, rng=rng, fdr=fdr, progress=progress
    )  # fmt: skip
    return GiReport(laid, found, band, rates, base, seed)


def moran(
    incidents: Incidents | Laid,
    *,
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    band_m: float | None = None,
    permutations: int = 0,
    seed: int = SEED,
    fdr: bool = True,
    base: Base | None = None,
    per: float = 1000.0,
    progress: Progress = silent,
) -> MoranReport:
    """Whether incidents cluster at all (global Moran's I), and which cells are alike or unlike their neighbours (local).

    Parameters as for `gi`.
    """
    laid = incidents if isinstance(incidents, Laid) else lay(incidents, cell_m=cell_m, origin=origin)
    rates, values = _judged(laid, base, per)
    band = given("band_m", band_m) if band_m is not None else choose_band(laid.cells, values, progress=progress)
    rng = np.random.default_rng(seed)
    found = moran_of_cells(
        laid.cells, values, band_m=band.value, permutations=permutations, rng=rng, fdr=fdr, progress=progress
    )  # fmt: skip
    return MoranReport(laid, found, band, rates, base, permutations, seed, fdr)


def _judged(laid: Laid, base: Base | None, per: float) -> tuple[Rates | None, Floats]:
    """What is judged: counts, or smoothed rates with NaN where there is none."""
    if base is None:
        return None, laid.counts
    rates = rates_of_cells(laid.counts, laid.cells, base, per=per)
    return rates, rates.smoothed


def area_m2(incidents: Incidents) -> float:
    """Square metres of the area, or of the box around the points where none is known."""
    if incidents.area is not None:
        return float(shapely.area(shapely.union_all(shapely.make_valid(incidents.area.geometry.to_numpy()))))
    x, y = incidents.points.x, incidents.points.y
    # points on one line, or a single one, still have a cell's worth of ground
    return max(float(np.ptp(x)), 100.0) * max(float(np.ptp(y)), 100.0)


def _counts(laid: Laid) -> NDArray[Any]:
    return laid.counts.astype(np.int64) if laid.whole else laid.counts


def _rate_columns(rates: Rates | None, base: Base | None) -> dict[str, NDArray[Any]]:
    if rates is None or base is None:
        return {}
    reason = np.full(rates.raw.shape, None, dtype=object)
    reason[rates.empty], reason[rates.suppressed] = "empty", "suppressed"
    return {"rate": rates.raw, "rate_smoothed": rates.smoothed, "no_rate": reason}


def too_few(permutations: int, places: int, fdr: bool, lang: Lang) -> tuple[str, ...]:
    """A warning where permutations are so few that no place alone can be called; nothing where they are enough."""
    # the smallest p is 1 / (permutations + 1), and k places that have it get q = p · places / k
    needed = math.ceil(places / (permutations + 1) / _WIDEST)
    if not (permutations and fdr) or needed <= 1:
        return ()
    least = f"{1 / (permutations + 1):.2g}"
    return (t("hotspot_tasks.few_permutations", lang, permutations=number(permutations), least=least, needed=number(needed)),)


def rates_json(rates: Rates | None, base: Base | None) -> dict[str, Any] | None:
    """What rates were made of, for `--json`; None for counts."""
    if rates is None or base is None:
        return None
    return {
        "of": base.kind,
        "per": rates.per,
        "mean": rates.mean,
        "source": base.source,
        "smoothed": "empirical Bayes (Marshall 1991)",
        "empty_cells": int(rates.empty.sum()),
        "suppressed_cells": int(rates.suppressed.sum()),
        "incidents_without_base": rates.uncounted,
    }


def rates_words(rates: Rates | None, base: Base | None, lang: Lang) -> tuple[str, ...]:
    """The same in a sentence; nothing for counts."""
    if rates is None or base is None:
        return ()
    return (
        t("hotspot_tasks.rates_used", lang, per=number(rates.per), of=t(f"hotspot_tasks.base_{base.kind}", lang),
          mean=number(rates.mean, digits=2), empty=number(int(rates.empty.sum())),
          suppressed=number(int(rates.suppressed.sum())), uncounted=number(rates.uncounted)),
    )  # fmt: skip


def _day(date: Any) -> str | None:
    return None if date is None else str(date.isoformat())
