"""Walking times and patrol rounds of a workspace: who is within reach of a station or officer, and how long a daily round is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from gridgis.errors import DataError
from gridgis.operation import planned, station_open
from gridgis.progress import Progress, silent
from gridgis.reach.gaps import OUTSIDE, beyond, gap_ground, shares
from gridgis.reach.network import Network, walk_network
from gridgis.reach.patrol import Rounds, patrol_rounds
from gridgis.reach.streets import BORDER_M, street_metres
from gridgis.reach.times import SPEED_KMH, Times, metres_per_second, times
from gridgis.tasks.blocking import names_of
from gridgis.tasks.covering import report_date
from gridgis.tasks.reach_ground import Scope, labels, middles, points_of, scope_of
from gridgis.text import Phrase

if TYPE_CHECKING:
    from gridgis.store import Workspace

Sources = Literal["stations", "officers"]
SOURCES: Final = ("stations", "officers")
# officers may walk through streets this far outside the area, and stations this far away count
_AROUND_M: Final = 2_000.0
# after an area's code: what none of its grids holds
_NO_GRID: Final = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """What reach is measured by."""

    sources: Sources
    minutes: float
    """What counts as within reach."""
    speed_kmh: float
    suppress_below: int
    """Fewer people than this are not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class ReachReport:
    """How far stations or officers reach on foot."""

    scope: Scope
    """The area, its communities and grids, and the day they are of."""
    asked: Asked
    synthetic: bool
    streets_m: float
    """Metres of street in the area that can be walked."""
    total: pd.DataFrame
    """One row, columns as from `reach.gaps.shares`."""
    by_area: pd.DataFrame
    """Index = code of the lowest areas; `name` and the same columns; `""`: in none."""
    by_grid: pd.DataFrame
    """Index = code of the grids, or of an area and `-` for what none of its grids holds; `name`, `area_code`, the same."""
    by_source: pd.DataFrame
    """Index = code of the stations, or of the officers' grids: buildings that are nearest to each; `""`: none leads there."""
    places: gpd.GeoDataFrame
    """Every building as a point: `minutes`, `source`, `grid`, `area`."""
    gaps: gpd.GeoDataFrame
    """Buildings beyond reach as points: `minutes`, `why` (far, no way, off), `grid`, `area`."""
    ground: gpd.GeoDataFrame
    """The ground around them by grid: `buildings`, `farthest_min`, `residents` (null where withheld), polygons."""
    unused: Mapping[str, tuple[str, ...]]
    """Sources that reach nobody: `not_open` on the day, `no_place`, `off` every street."""
    sources_at: gpd.GeoDataFrame
    """The others: `name` and a point."""

    def to_json(self) -> dict[str, Any]:
        """Figures of all, of every area, grid and source, for `--json`; people who are not shown are null with a reason."""
        why = self.gaps["why"].value_counts()
        return {
            **self.scope.to_json(),
            "synthetic": self.synthetic,
            "from": self.asked.sources,
            "minutes": self.asked.minutes,
            "speed_kmh": self.asked.speed_kmh,
            "suppress_below": self.asked.suppress_below,
            "streets_m": self.streets_m,
            "total": {key: value for key, value in _rows(self.total)[0].items() if key not in ("code", "name")},
            "sources": {"used": len(self.sources_at), **{key: list(codes) for key, codes in self.unused.items()}},
            "gaps": {
                "buildings": len(self.gaps),
                **{name.replace(" ", "_"): int(why.get(name, 0)) for name in ("far", "no way", "off")},
                "grids": len(self.ground),
            },
            "by_area": _rows(self.by_area),
            "by_grid": _rows(self.by_grid),
            "by_source": _rows(self.by_source),
        }


@dataclass(frozen=True, slots=True, eq=False)
class PatrolReport:
    """The daily patrol round of every grid."""

    scope: Scope
    """The area, its grids, and the day they are of."""
    speed_kmh: float
    synthetic: bool
    rounds: Rounds
    """What was found: figures, lines, walks."""
    frame: gpd.GeoDataFrame
    """Index = code: `name`, `area_code`, the figures of `rounds.frame`, and the round as a line."""

    def to_json(self) -> dict[str, Any]:
        """Sums and every grid's figures, for `--json`."""
        frame = self.frame
        sums = {name: float(frame[name].sum()) for name in ("streets_m", "round_m", "repeated_m", "bound_m", "hours")}
        total, bound = sums["round_m"], sums["bound_m"]
        rows = pd.DataFrame(frame.drop(columns=frame.geometry.name))
        return {
            **self.scope.to_json(),
            "synthetic": self.synthetic,
            "speed_kmh": self.speed_kmh,
            "total": {
                "grids": len(frame),
                "without_streets": int((frame["streets_m"] == 0).sum()),
                **sums,
                "exact": int(frame["exact"].sum()),
                "gap": (total - bound) / total if total else 0.0,
                "worst_gap": float(frame["gap"].max()),
                "hours_median": float(frame["hours"].median()),
                "hours_max": float(frame["hours"].max()),
            },
            "grids": [{"code": str(code), **row} for code, row in rows.to_dict("index").items()],
        }


def reach(
    ws: Workspace,
    *,
    area: str | None = None,
    sources: Sources = "stations",
    minutes: float = 15.0,
    speed_kmh: float = SPEED_KMH,
    on: dt.date | None = None,
    suppress_below: int = 5,
    progress: Progress = silent,
) -> ReachReport:
    """How many buildings and residents stations or officers reach on foot, and who is beyond reach.

    1. Stations are those open on the day, at their point; officers those of the grids there are on the day, at the
       building in the middle of their grid. The nearest one on foot counts, also one outside the area.
    2. Buildings are in the area, the community and the grid their middle lies in.

    Parameters
    ----------
    ws
        An open workspace with areas, roads and buildings. Nothing is written.
    area
        Code of an area of any level; None: all.
    sources
        `stations` or `officers`.
    minutes
        What counts as within reach.
    speed_kmh
        Walking speed.
    on
        The day; None: the workspace's own, else today.
    suppress_below
        Fewer people than this are not shown, nor what would betray them.
    progress
        Told of the stages.

    Raises
    ------
    DataError
        If the area is unknown; there are no roads, buildings or sources; or none of them is near a street.
    """
    if not (np.isfinite(minutes) and minutes > 0):
        raise DataError("reach.minutes", minutes=minutes)
    margin = max(_AROUND_M, 2 * minutes * 60 * metres_per_second(speed_kmh))
    date = report_date(ws, as_of=on)
    progress("reach.stage_read", 0, 1)
    scope = scope_of(ws, area, date=date, margin_m=margin)
    buildings = scope.buildings(ws)
    at, unused = _sources(ws, scope, sources, date)
    network = _network(ws, scope)
    progress("reach.stage_times", 0, 1)
    found = times(network, points_of(at), points_of(buildings), speed_kmh=speed_kmh)
    off = at.index[found.sources_off]
    if len(off) == len(at):
        raise DataError("reach.sources_off", what=Phrase(f"reach.what_{sources}", {}), n=len(at))
    if len(found.off) == len(buildings):
        raise DataError("reach.buildings_off", n=len(buildings))
    progress("reach.stage_times", 1, 1)
    unused |= {"off": tuple(map(str, off))}
    used = at.drop(index=off)
    streets_m = float(street_metres(network, scope.ground).sum())
    nearest = pd.Series(None, index=buildings.index, dtype="object")
    known = np.flatnonzero(found.source >= 0)
    nearest.iloc[known] = at.index.to_numpy()[found.source[known]]
    asked = Asked(sources, minutes, speed_kmh, suppress_below)
    return ReachReport(
        scope, asked, ws.info.synthetic, streets_m, unused=unused, sources_at=used,
        **_found(scope, buildings, found, nearest, used, asked),
    )  # fmt: skip


def patrol(
    ws: Workspace,
    *,
    area: str | None = None,
    speed_kmh: float = SPEED_KMH,
    exact_up_to: int = 200,
    border_m: float = BORDER_M,
    on: dt.date | None = None,
    progress: Progress = silent,
) -> PatrolReport:
    """The shortest daily round over all streets of each grid: `reach.patrol.patrol_rounds`.

    Parameters
    ----------
    ws
        An open workspace with areas, grids and roads. Nothing is written.
    area
        Code of an area of any level; None: all. Officers may also walk streets around it.
    speed_kmh
        Walking speed, for the hours.
    exact_up_to, border_m
        As for `patrol_rounds`.
    on
        The day the grids are of, open or not; None: the workspace's own, else today.
    progress
        Told of grids done; can stop the work.

    Raises
    ------
    DataError
        If the area is unknown, or there are no grids, no roads or no street in any of the grids.
    """
    metres_per_second(speed_kmh)
    date = report_date(ws, as_of=on)
    progress("reach.stage_read", 0, 1)
    scope = scope_of(ws, area, date=date, margin_m=_AROUND_M)
    grids = scope.grids
    if grids.empty:
        raise DataError("reach.no_grids", date=date.isoformat())
    rounds = patrol_rounds(
        _network(ws, scope), grids, exact_up_to=exact_up_to, speed_kmh=speed_kmh, border_m=border_m, progress=progress
    )
    if not rounds.frame["streets_m"].any():
        raise DataError("reach.no_streets_in_grids", n=len(grids))
    frame = gpd.GeoDataFrame(grids[["name", "area_code"]].join(rounds.frame), geometry=rounds.routes)
    return PatrolReport(scope, speed_kmh, ws.info.synthetic, rounds, frame)


def _network(ws: Workspace, scope: Scope) -> Network:
    roads = ws.read("roads", bbox=scope.around, columns=["kind"]) if ws.count("roads") else None
    if roads is None or roads.empty:
        raise DataError("reach.no_streets")
    return walk_network(roads)


def _sources(ws: Workspace, scope: Scope, sources: Sources, date: dt.date) -> tuple[gpd.GeoDataFrame, dict[str, tuple[str, ...]]]:
    """Points one walks from (rule 1), with `name`, and the codes of those left out, by reason."""
    if sources == "officers":
        grids = ws.read("grids", as_of=date, bbox=scope.around)
        there = planned(grids, as_of=date) & grids["officer"].notna() & grids.geometry.notna()
        if not there.any():
            raise DataError("reach.no_officers", date=date.isoformat())
        grids = grids[there]
        houses = ws.read("buildings", bbox=scope.around, columns=[])
        return gpd.GeoDataFrame(grids[["name"]], geometry=gpd.points_from_xy(*middles(grids, houses).T), crs=grids.crs), {}
    stations = ws.read("stations", as_of=date) if ws.count("stations") else None
    if stations is None or stations.empty:
        raise DataError("reach.no_stations")
    opened = station_open(stations, as_of=date)
    placed = stations.geometry.notna() & ~stations.geometry.is_empty
    if not opened.any():
        raise DataError("reach.none_open", n=len(stations), date=date.isoformat())
    if not (opened & placed).any():
        raise DataError("reach.none_placed", n=int(opened.sum()))
    left = {"not_open": stations.index[~opened], "no_place": stations.index[opened & ~placed]}
    return stations.loc[opened & placed, ["name", "geometry"]], {key: tuple(map(str, some)) for key, some in left.items()}


def _found(
    scope: Scope, buildings: gpd.GeoDataFrame, found: Times, nearest: pd.Series, used: gpd.GeoDataFrame, asked: Asked
) -> dict[str, Any]:
    """Tables and layers of a report: shares of all, by area, grid and source; every building, the gaps and their ground."""
    within_s = asked.minutes * 60
    xy = points_of(buildings)
    community = labels(xy, scope.lowest, buildings.index)
    grid = labels(xy, scope.grids, buildings.index)
    # what no grid holds of an area is a zone of its own, lest it be found by subtracting
    zone = grid.where(grid.notna(), community.fillna(OUTSIDE) + _NO_GRID)
    home = pd.DataFrame({"zone": zone, "area": community}).drop_duplicates("zone").set_index("zone")["area"]

    def share(by: pd.Series | None, names: Mapping[Any, Any], inside: pd.Series | None = None) -> pd.DataFrame:
        table = shares(found, buildings, within_s=within_s, by=by, inside=inside, suppress_below=asked.suppress_below)
        table.insert(0, "name", [names.get(code) for code in table.index])
        return table

    by_grid = share(zone, scope.grids["name"].to_dict(), home)
    by_grid.insert(1, "area_code", scope.grids["area_code"].reindex(by_grid.index).fillna(home))
    minutes = np.where(np.isfinite(found.seconds), found.seconds / 60, np.nan)
    table = pd.DataFrame({"minutes": minutes, "source": nearest, "grid": grid, "area": community}, index=buildings.index)
    places = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(*xy.T), crs=buildings.crs)
    gaps = beyond(found, buildings, within_s=within_s).join(places[["grid", "area"]])
    ground = gap_ground(gaps, scope.grids, grid)
    ground.insert(2, "residents", (by_grid["residents"] - by_grid["residents_within"]).reindex(ground.index))
    return {
        "total": share(None, {}),
        "by_area": share(community, names_of(scope.lowest)),
        "by_grid": by_grid,
        "by_source": share(nearest, used["name"].to_dict()),
        "places": places,
        "gaps": gaps,
        "ground": ground,
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: codes of no zone as null, people that are not shown as null with the reason."""
    rows = []
    for code, row in frame.to_dict("index").items():
        nobodys = code == OUTSIDE or code == f"{row.get('area_code') or OUTSIDE}{_NO_GRID}"
        told: dict[str, Any] = {"code": None if nobodys else str(code)}
        told |= {str(name): value for name, value in row.items()}
        shown = pd.notna(row["residents"])
        told["reason"] = None if shown else "suppressed" if row["suppressed"] else "no_population"
        rows.append({key: None if isinstance(value, float) and np.isnan(value) else value for key, value in told.items()})
    return rows
