"""A workspace on a date, read once: what coverage, its breakdowns, its trend and the blind spots are computed from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd

from gridgis import blindspots
from gridgis.apportion import Raster
from gridgis.counts import Counts, best_counts
from gridgis.coverage import coverage as measure
from gridgis.errors import DataError
from gridgis.ground import Ground, ground
from gridgis.operation import in_operation, planned, station_open
from gridgis.progress import Progress, silent
from gridgis.tasks.coverage_report import MEASURES, CoverageNote, CoverageReport, ZoneReport, notes_of
from gridgis.tasks.rasters import read_raster
from gridgis.text import number, t
from gridgis.zones import By, Zones, parts, tally, tally_officers, whole

if TYPE_CHECKING:
    from gridgis.store import Workspace


@dataclass(frozen=True, slots=True)
class Survey:
    """A workspace on a date, read once for all figures; `Survey.read` makes one."""

    areas: gpd.GeoDataFrame
    grids: gpd.GeoDataFrame
    stations: gpd.GeoDataFrame
    villages: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    total: Zones
    running: pd.Series[bool]
    covered: Ground
    population: Counts | None
    households: Counts | None
    date: dt.date
    synthetic: bool

    @classmethod
    def read(
        cls, ws: Workspace, date: dt.date, *, raster: str | Path | None = None, before: Survey | None = None,
        grids: gpd.GeoDataFrame | None = None, progress: Progress = silent,
    ) -> Survey:  # fmt: skip
        """Read a workspace on a date; `before`, a survey of the same revision, spares what is the same on every date.

        `grids` are taken in the place of the workspace's: what would be covered if they were the ones.

        Raises
        ------
        DataError
            If there is no area.
        """
        areas = _placed(ws.read("areas", as_of=date))
        if len(areas) == 0:
            raise DataError("coverage.no_areas")
        stations = ws.read("stations", as_of=date)
        grids = ws.read("grids", as_of=date) if grids is None else grids
        grids = _placed(grids[planned(grids, as_of=date)], like=areas)
        # layers without history are the same on every date
        villages = before.villages if before else _placed(ws.read("natural_villages"), like=areas)
        buildings = before.buildings if before else _placed(ws.read("buildings"), like=areas)
        total = whole(areas, grids, stations, name=ws.info.name)
        running = in_operation(grids, stations, as_of=date)
        progress("coverage.stage_ground", 0, 1)
        covered = ground(grids[running], within=total.frame)
        pixels: Raster | None = read_raster(raster, within=total.frame) if raster is not None else None
        counted: list[Counts | None] = []
        levels = [areas[areas["level"] == level] for level in ("village", "town", "county")]
        for column, known in zip(("population", "households"), before.counts if before else (None, None), strict=True):
            if known is None or known.source != "buildings":
                known = best_counts(column, total.frame, buildings=buildings, grids=grids, areas=levels, raster=pixels)
            counted.append(known)
        return cls(
            areas, grids, stations, villages, buildings, total, running, covered, counted[0], counted[1], date, ws.info.synthetic
        )  # fmt: skip

    @property
    def counts(self) -> tuple[Counts | None, Counts | None]:
        """Where people and households are."""
        return self.population, self.households

    @property
    def finest(self) -> gpd.GeoDataFrame:
        """Villages, else towns, else whatever there is."""
        for level in ("village", "town"):
            some = self.areas[self.areas["level"] == level]
            if len(some):
                return some
        return self.areas

    def coverage(self, by: By | None = None) -> CoverageReport:
        """The figures of the whole, and of its parts where a breakdown is asked for.

        Raises
        ------
        DataError
            If there is nothing of that breakdown.
        """
        area = self.reports(self.total)[0]
        divided = parts(by, self.areas, self.grids, self.stations, self.total) if by else None
        divisions = tuple(self.reports(divided)) if divided else ()
        frame = (divided or self.total).frame
        return CoverageReport(self.date, area, self.synthetic, divisions, tuple(self.notes()), frame)

    def blind_spots(self) -> gpd.GeoDataFrame:
        """Built-up ground, houses and residents outside every grid in operation: `gridgis.blindspots.blind_spots`."""
        return blindspots.blind_spots(
            self.covered,
            self.finest,
            natural_villages=self.villages,
            buildings=self.buildings,
            population=self.population,
            households=self.households,
        )

    def reports(self, zones: Zones) -> list[ZoneReport]:
        """The figures of zones, in their order."""
        figures = measure(
            zones.frame,
            self.covered,
            population=self.population,
            households=self.households,
            natural_villages=self.villages,
            buildings=self.buildings,
        ).figures
        opened = station_open(self.stations, as_of=self.date)
        officers = self.grids["officer"] if "officer" in self.grids else pd.Series(dtype=object)
        grids = tally(zones, zones.grids, self.running, "grids", missing="coverage.no_grids")
        stations = tally(zones, zones.stations, opened, "stations", missing="coverage.no_stations")
        people = tally_officers(zones, officers, self.running)
        reports = []
        for at, (code, name) in enumerate(zip(zones.frame.index, zones.frame["name"], strict=True)):
            more = {"grids": grids[at], "stations": stations[at], "officers": people[at]}
            known = {**figures[code], **more}
            told = str(name) if code or name else t("coverage.unassigned", "en")
            reports.append(ZoneReport(str(code) or None, told, {name: known[name] for name in MEASURES}))
        return reports

    def notes(self) -> Iterator[CoverageNote]:
        """What the reader of the figures should know."""
        yield from notes_of(self.covered, self.areas)
        if "station" in self.grids:
            lost = self.grids["station"].notna() & ~self.grids["station"].isin(self.stations.index)
            if "opened_on" in self.grids:
                lost &= self.grids["opened_on"].isna()
            if lost.any():
                rows = self.grids.loc[lost, "station"].items()
                items = tuple({"grids": [str(code)], "station": str(station)} for code, station in rows)
                yield CoverageNote("unknown_station", items)
        if unknown := self._uncounted("population", self.population):
            yield CoverageNote("uncounted_population", (), unknown)
        if unknown := self._uncounted("households", self.households):
            yield CoverageNote("uncounted_households", (), unknown)

    def _uncounted(self, column: str, known: Counts | None) -> dict[str, str]:
        """How many buildings lack a count that the others give; empty for none."""
        if known is None or known.source != "buildings":
            return {}
        unknown = int(self.buildings[column].isna().sum())
        return {"count": number(unknown), "of": number(len(self.buildings))} if unknown else {}


def _placed(frame: gpd.GeoDataFrame, *, like: gpd.GeoDataFrame | None = None) -> gpd.GeoDataFrame:
    """A layer in the workspace's CRS, also when it is empty and knows none."""
    if frame.crs is None and like is not None and like.crs is not None:
        return frame.set_crs(like.crs)
    return frame
