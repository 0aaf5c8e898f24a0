"""Incidents over time: emerging hot spots of a space-time cube, and when of day, week and year incidents happen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridgis.errors import DataError
from gridgis.hotspots.auto import Choice, choose_band, given
from gridgis.hotspots.emergence import EmergingResult
from gridgis.hotspots.emergence import emerging as emerging_of_cube
from gridgis.hotspots.patterns import PATTERNS
from gridgis.hotspots.rating import Rates, rates
from gridgis.hotspots.rhythm import When, weekday_name
from gridgis.hotspots.rhythm import when as when_of_times
from gridgis.hotspots.space_time import Cube, cube
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_bases import Base, base_per_cell
from gridgis.tasks.hotspot_points import Incidents
from gridgis.tasks.hotspotting import SEED, Laid, lay, rates_json, rates_words
from gridgis.text import Lang, number, t

_TABLES = ("by_hour", "by_weekday", "by_month")


@dataclass(frozen=True, slots=True, eq=False)
class EmergingReport:
    """Patterns of hot spots over time: a layer of cells and how it was made."""

    laid: Laid
    cube: Cube
    result: EmergingResult
    band: Choice
    rates: Rates | None
    """Of the last period; every period is treated alike."""
    base: Base | None
    seed: int

    @property
    def reasons(self) -> tuple[Choice, ...]:
        """Why each parameter has its value."""
        return self.laid.cell, self.band

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: the cells as squares, index `cell_id`, with the columns of `EmergingResult.frame`."""
        found = self.result.frame()
        found["count"] = self.laid.cells.take(self.cube.counts.sum(axis=0))
        if self.laid.whole:
            found["count"] = found["count"].astype(np.int64)
        squares = self.laid.cells.frame({})
        codes = {name: found[name].astype(np.int32) for name in ("pattern_code", "last_class")}
        return gpd.GeoDataFrame(found.assign(**codes), geometry=squares.geometry, crs=squares.crs)

    def patterns(self) -> dict[str, int]:
        """Cells of each pattern, every pattern named."""
        return self.result.pattern_counts()

    def to_json(self) -> dict[str, Any]:
        """Cells, periods, patterns and what was left out."""
        told, labels, found = self.laid.to_json(), self.cube.labels, self.patterns()
        counted = self.cube.report.counted
        left_out = {**told["points_left_out"], "incomplete_period": told["points_used"] - counted}
        signs = {pattern.key: pattern.sign for pattern in PATTERNS}
        return {
            "method": "emerging",
            **told,
            "points_used": counted,
            "points_left_out": left_out,
            "band_m": self.band.value,
            "period": self.cube.period,
            "periods": len(labels),
            "first_period": labels[0],
            "last_period": labels[-1],
            "incomplete_periods": list(self.cube.report.incomplete),
            "stray": self.cube.report.stray,
            "doubtful_times": self.cube.report.doubtful_times,
            "patterns": found,
            "hot": sum(count for key, count in found.items() if signs[key] > 0),
            "cold": sum(count for key, count in found.items() if signs[key] < 0),
            "periods_back": self.result.periods_back,
            "permutations": self.result.permutations,
            "seed": self.seed if self.result.permutations else None,
            "fdr": self.result.fdr,
            "rates": rates_json(self.rates, self.base),
            "notes": [t(key, "en", **values) for key, values in self.result.notes],
            "reasons": [choice.to_json() for choice in self.reasons],
        }

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        told = self.to_json()
        return t(
            "hotspot_tasks.emerging_found", lang, hot=number(told["hot"]), cold=number(told["cold"]), cells=number(told["cells"]),
            periods=number(told["periods"]), first=told["first_period"], last=told["last_period"],
        )  # fmt: skip

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Each parameter's reason, and what the reader must know."""
        said = [choice.message(lang) for choice in self.reasons]
        said += [t(key, lang, **values) for key, values in self.result.notes]
        if self.cube.report.incomplete:
            said.append(t("hotspot_tasks.incomplete", lang, labels=", ".join(self.cube.report.incomplete)))
        if self.cube.report.stray:
            said.append(t("when.stray", lang, stray=number(self.cube.report.stray)))
        return (*said, *rates_words(self.rates, self.base, lang))


@dataclass(frozen=True, slots=True, eq=False)
class WhenReport:
    """When incidents happen."""

    incidents: Incidents
    found: When

    def frame(self) -> pd.DataFrame:
        """One long table: `table, key, count, share, days, per_day`.

        `table` is `hour`, `weekday`, `month` or `hour_weekday`; the key of the last is weekday and hour, such as `1 08`.
        """
        parts = []
        for name in _TABLES:
            table: pd.DataFrame = getattr(self.found, name)
            parts.append(table.assign(table=name.removeprefix("by_"), key=table.index.astype(str)))
        counts = self.found.by_hour_weekday.to_numpy().ravel()
        keys = [f"{weekday} {hour:02d}" for weekday in range(1, 8) for hour in range(24)]
        parts.append(pd.DataFrame({"table": "hour_weekday", "key": keys, "count": counts, "share": counts / self.found.total}))
        return pd.concat(parts, ignore_index=True)[["table", "key", "count", "share", "days", "per_day"]]

    def to_json(self) -> dict[str, Any]:
        """Every table, for `--json`."""
        told = self.found.to_json()
        read = self.incidents.to_json()
        left_out = {**read["points_left_out"], **told.pop("left_out")}
        # who has no time was left out in reading already
        left_out["no_time"] += read["points_left_out"]["no_time"]
        return {
            "method": "when", "source": self.incidents.source, "synthetic": self.incidents.synthetic, **read,
            "points_used": self.found.used, "points_left_out": left_out, **told,
        }  # fmt: skip

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence: the fullest hour and weekday."""
        hour, weekday = (int(np.argmax(table["count"])) for table in (self.found.by_hour, self.found.by_weekday))
        return t(
            "hotspot_tasks.when_found", lang, points=number(self.found.used), hour=f"{hour:02d}:00–{hour:02d}:59",
            weekday=weekday_name(weekday + 1, lang), zone=self.found.zone, spread=number(self.found.spread),
        )  # fmt: skip


def emerging(
    incidents: Incidents | Laid,
    *,
    period: str | int = "month",
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    band_m: float | None = None,
    periods_back: int = 1,
    permutations: int = 0,
    seed: int = SEED,
    fdr: bool = True,
    base: Base | None = None,
    per: float = 1000.0,
    progress: Progress = silent,
) -> EmergingReport:
    """Which hot spots are new, grow, last, fade or come and go (`gridgis.hotspots.emerging`).

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`, read with times.
    period
        `day`, `week`, `month`, `quarter`, `year`, or a number of days.
    periods_back
        Earlier periods in a bin's neighbourhood.
    cell_m, origin, band_m, permutations, seed, fdr, base, per
        As for `hotspotting.gi`.

    Raises
    ------
    DataError
        If the incidents have no times, or there are fewer than three whole periods.
    """
    laid = incidents if isinstance(incidents, Laid) else lay(incidents, cell_m=cell_m, origin=origin)
    points, wish = laid.incidents.points, laid.incidents.filters
    if points.start is None:
        raise DataError("when.no_times")
    after = None if wish.until is None else wish.until + dt.timedelta(days=1)
    made = cube(
        laid.cells, points.x, points.y, points.start, zone=wish.time_zone, period=period, since=wish.since, until=after,
        weights=points.weight,
    )  # fmt: skip
    values, last = made.counts, None
    if base is not None:
        people = base_per_cell(base, laid.cells)
        layers = [rates(np.where(laid.cells.mask, layer, 0.0), people, per=per) for layer in made.counts]
        values, last = np.stack([layer.smoothed for layer in layers]), layers[-1]
    band = given("band_m", band_m) if band_m is not None else choose_band(laid.cells, values.sum(axis=0), progress=progress)
    found = emerging_of_cube(
        laid.cells, values, band_m=band.value, periods_back=periods_back, permutations=permutations,
        rng=np.random.default_rng(seed), fdr=fdr, progress=progress,
    )  # fmt: skip
    return EmergingReport(laid, made, found, band, last, base, seed)


def when(incidents: Incidents) -> WhenReport:
    """Incidents by hour, weekday and month in their time zone; intervals are spread over their hours (`hotspots.when`).

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`, read with times.

    Raises
    ------
    DataError
        If the incidents have no times.
    """
    points = incidents.points
    if points.start is None:
        raise DataError("when.no_times")
    found = when_of_times(points.start, zone=incidents.filters.time_zone, until=points.end, weights=points.weight)
    return WhenReport(incidents, found)
