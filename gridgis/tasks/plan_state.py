"""The state of a plan: its log folded into partitions, area by area, with what can be undone, redone and is locked."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.errors import ConflictError, DataError
from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.invariants import broken
from gridgis.redraw.opening import open_partition
from gridgis.redraw.partition import Partition
from gridgis.store import Image, NewEntry, PlanEntry, Workspace, images_of, rows_of
from gridgis.text import Phrase

DEFAULT_PLAN: Final = "default"
"""The draft worked on where none is named; once it is closed, the next one is `default-2`, and so on."""
_OUTLINE: Final = "outline"
CODES: Final = "codes"
"""In a `rebase` entry: new codes of the plan's own grids, by the old ones."""
NAMES: Final = "names"
"""Likewise: names that go with new codes."""
# how a figure came about that rests on a register (`redraw.figures`)
_REGISTERS: Final = ("registered", "shared_by_buildings", "shared_by_area")

STORED: Final = ("version", "valid_from", "valid_to")
"""Columns the store keeps itself: a row that is new does not have them."""

Rows = Mapping[str, Image]


@dataclass(frozen=True, slots=True)
class Counted:
    """Figures of an area already reckoned, for speed."""

    facts: Facts
    """What they were counted from: for other facts they are reckoned anew."""
    base: pd.DataFrame
    """`redraw.figures` of the base."""
    now: pd.DataFrame
    """Likewise of the grids as they are."""


@dataclass(frozen=True, slots=True)
class AreaDraft:
    """One area in a plan."""

    area: str
    """Its code."""
    taken: Rows
    """The live rows as the plan took them up, by code."""
    rows: Rows
    """The rows as the plan has them now."""
    base: Partition
    """What was taken up, repaired where the plan repaired it: the registers speak of it."""
    now: Partition
    """The plan's grids."""
    counted: Counted | None = None
    """Figures known from the edit before; None: not reckoned yet."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Codes whose row is not the one taken up, new and gone ones among them, in the order of the plan."""
        codes = dict.fromkeys([*self.taken, *self.rows])
        return tuple(code for code in codes if self.taken.get(code) != self.rows.get(code))


@dataclass(frozen=True, slots=True)
class PlanState:
    """A plan at one number of its log."""

    name: str
    rev: int
    """Number of the last entry it knows; 0: the plan is empty or does not exist yet."""
    areas: Mapping[str, AreaDraft]
    """By code."""
    done: tuple[int, ...]
    """Numbers of the edits that hold, oldest first: the last one is undone next."""
    undone: tuple[int, ...]
    """Numbers of the edits that can be redone: the last one first."""
    locked: frozenset[str]
    """Grids no operation may touch."""
    entries: tuple[PlanEntry, ...]
    """The log."""

    def area_of(self, code: str) -> str | None:
        """The area in whose draft a grid is."""
        return next((area for area, draft in self.areas.items() if code in draft.rows), None)


def load(ws: Workspace, plan: str) -> PlanState:
    """The state of a plan; `DataError` for a name nobody gave.

    >>> import tempfile
    >>> from gridgis import toy
    >>> from gridgis.store import create_workspace
    >>> with tempfile.TemporaryDirectory() as folder, create_workspace(f"{folder}/toy.gpkg", crs=toy.CRS) as ws:
    ...     with ws.write(who="Li", why="a plan") as write:
    ...         made = write.add_plan("spring")
    ...     load(ws, "spring").rev
    0
    """
    return fold(plan, ws.plan_entries(plan), crs=ws.info.crs)


def is_default(plan: str) -> bool:
    """Whether a plan is one that is made when first used.

    >>> is_default("default"), is_default("default-2"), is_default("spring")
    (True, True, False)
    """
    return re.fullmatch(rf"{DEFAULT_PLAN}(-\d+)?", plan) is not None


def default_plan(ws: Workspace) -> str:
    """The draft worked on where none is named: the open one, or the name of the next."""
    known = [row for row in ws.plans() if is_default(row.name)]
    draft = next((row.name for row in known if row.state == "draft"), None)
    return draft or (DEFAULT_PLAN if not known else f"{DEFAULT_PLAN}-{len(known) + 1}")


def fold(
    plan: str, entries: Sequence[PlanEntry], *, crs: pyproj.CRS | None, known: Mapping[str, AreaDraft] | None = None
) -> PlanState:
    """The state a log amounts to; no edit is computed again, so old plans read the same under a newer program.

    `known` are drafts of an earlier state: what is the same in them is taken over instead of opened again.
    """
    taken: dict[str, dict[str, Image]] = {}
    outlines: dict[str, BaseGeometry] = {}
    images: dict[int, dict[str, Image | None]] = {entry.seq: dict(entry.images or {}) for entry in entries}
    repairs: dict[str, int] = {}
    done: list[int] = []
    undone: list[int] = []
    locked: set[str] = set()
    home = {entry.seq: entry.area for entry in entries}
    for entry in entries:
        match entry.kind:
            case "base" | "rebase":
                area, op = str(entry.area), entry.op or {}
                rows = {code: image for code, image in images[entry.seq].items() if image is not None}
                for seq in (seq for seq in images if seq < entry.seq and home[seq] == area and entry.kind == "rebase"):
                    images[seq] = _onto(images[seq], taken.get(area, {}), rows, op)
                locked = {op.get(CODES, {}).get(code, code) for code in locked}
                taken[area], outlines[area] = rows, shapely.from_wkb(op[_OUTLINE])
            case "repair":
                repairs[str(entry.area)] = entry.seq
            case "edit" | "revert":
                done.append(entry.seq)
                undone.clear()
            case "undo" if entry.target is not None:
                done.remove(entry.target)
                undone.append(entry.target)
            case "redo" if entry.target is not None:
                undone.remove(entry.target)
                done.append(entry.target)
            case "lock":
                locked |= set((entry.op or {}).get("grids", ()))
            case "unlock":
                locked -= set((entry.op or {}).get("grids", ()))
            case _:
                pass
    areas = {}
    for area, rows in taken.items():
        mended = _overlaid(rows, [images[repairs[area]]] if area in repairs else [])
        now = _overlaid(mended, [images[seq] for seq in done if home[seq] == area])
        old = None if known is None or area in repairs else known.get(area)
        if old is not None and old.taken == rows and old.rows == now:
            areas[area] = old
            continue
        base = old.base if old is not None and old.taken == rows else _partition(mended, area, outlines[area], crs)
        areas[area] = AreaDraft(area, rows, now, base, base if now == mended else _partition(now, area, outlines[area], crs))
    rev = entries[-1].seq if entries else 0
    return PlanState(plan, rev, MappingProxyType(areas), tuple(done), tuple(undone), frozenset(locked), tuple(entries))


def current(ws: Workspace, plan: str, *, state: PlanState | None = None, begin: bool = False) -> PlanState:
    """A plan as it is now: empty for a default plan (with `begin`: for any plan) nobody used yet.

    A state loaded before is only brought up to date.
    """
    if (begin or is_default(plan)) and plan not in {row.name for row in ws.plans()}:
        return PlanState(plan, 0, MappingProxyType({}), (), (), frozenset(), ())
    if state is not None and state.name == plan:
        later = ws.plan_entries(plan, since=state.rev)
        return state if not later else fold(plan, [*state.entries, *later], crs=ws.info.crs, known=state.areas)
    return load(ws, plan)


def moves_since(state: PlanState, rev: int) -> Iterator[tuple[PlanEntry, frozenset[str] | None]]:
    """Entries after a number that changed a plan's grids, the latest first, and the codes they changed; None: maybe all."""
    images = {entry.seq: entry.images or {} for entry in state.entries}
    for entry in reversed(state.entries):
        if entry.seq <= rev:
            return
        if entry.kind in ("edit", "revert", "repair"):
            yield entry, frozenset(entry.images or ())
        elif entry.kind in ("undo", "redo"):
            yield entry, frozenset(images.get(entry.target or 0, ()))
        elif entry.kind == "rebase":
            yield entry, None


def refuse_moved(state: PlanState, rev: int, *, grids: Collection[str] | None = None) -> None:
    """Raise `ConflictError` if a plan moved on since a number of its log; with `grids`, if one of those did."""
    for entry, codes in moves_since(state, rev):
        if grids is None or codes is None or codes & set(grids):
            at = f"{entry.at:%Y-%m-%d %H:%M}"
            raise ConflictError("plans.moved", plan=state.name, expected=rev, found=state.rev, who=entry.who, at=at)


def with_registers(images: Mapping[str, Image | None], counted: pd.DataFrame) -> dict[str, Image | None]:
    """Row images with the registered people and households that `redraw.figures` carried to them, in whole persons.

    Figures counted from buildings alone are no register and are not written.
    """
    figures = counted.to_dict("index")

    def filled(code: str, image: Image) -> Image:
        row = figures[code]
        return {**image, **{name: float(row[name]) for name in RESIDENTS if row[f"{name}_from"] in _REGISTERS}}

    return {code: None if image is None else filled(code, image) for code, image in images.items()}


def take_up(ws: Workspace, area: str, *, kind: str = "base") -> tuple[NewEntry, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """The entry by which a plan takes up an area, with the area's live grids and its own row."""
    home, grids = live(ws, area)
    op = {_OUTLINE: shapely.to_wkb(home.geometry.iloc[0], hex=True)}
    entry = NewEntry("base" if kind == "base" else "rebase", area=area, op=op, images=images_of(grids))
    return entry, grids, home


def live(ws: Workspace, area: str, *, as_of: dt.date | None = None) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """An area's own row and its grids that are not void: the latest ones, or those of a day."""
    home = ws.read("areas", as_of=as_of, where={"code": area})
    if home.empty:
        raise DataError("redrawing.unknown_area", area=area)
    grids = ws.read("grids", as_of=as_of, where={"area_code": area})
    return home, grids[~grids["state"].eq("void").fillna(False)]


def drafted(area: str, grids: gpd.GeoDataFrame, home: gpd.GeoDataFrame) -> AreaDraft:
    """An area just taken up: nothing is changed yet."""
    rows = {code: image for code, image in images_of(grids).items() if image is not None}
    base = open_partition(grids, home)
    return AreaDraft(area, rows, rows, base, base)


def gather(ws: Workspace, area: str) -> Facts:
    """What is known at points in and around an area: buildings, incidents, natural villages, stations."""
    crs = ws.info.crs
    if crs is None:
        raise DataError("redrawing.unknown_area", area=area)
    home, _ = live(ws, area)
    west, south, east, north = (float(side) for side in home.total_bounds)
    box = (west, south, east, north)
    found = {name: ws.read(name, bbox=box) if ws.count(name) else None for name in ("buildings", "incidents", "natural_villages")}
    return Facts.of(crs, stations=ws.read("stations") if ws.count("stations") else None, **found)


def problems(draft: AreaDraft) -> list[Phrase]:
    """What is wrong with a draft's grids; empty, as it should be, when every rule holds."""
    return [found.phrase for found in broken(draft.now, before=draft.base)]


def anchors(facts: Facts, attributes: pd.DataFrame) -> dict[str, shapely.Point]:
    """Of grids, the point of their station: the part of a grid that holds it keeps the code."""
    if facts.stations is None or "station" not in attributes.columns:
        return {}
    places = {code: shapely.Point(xy) for code, xy in zip(facts.station_codes, facts.stations.xy, strict=True)}
    return {str(code): places[station] for code, station in attributes["station"].items() if station in places}


def merged(image: Image, old: Image, new: Image) -> Image:
    """A row the plan changed, on a newer live row: a column the plan left as it was follows the live row.

    >>> merged({"code": "G1", "name": "one", "officer": "Li"}, {"code": "G1", "officer": "Li"}, {"code": "G1", "officer": "Chen"})
    {'code': 'G1', 'name': 'one', 'officer': 'Chen'}
    """
    names = dict.fromkeys([*image, *new])
    told = {name: (new if image.get(name) == old.get(name) else image).get(name) for name in names}
    return {name: value for name, value in told.items() if value is not None}


def _onto(images: Mapping[str, Image | None], old: Rows, new: Rows, op: Mapping[str, Any]) -> dict[str, Image | None]:
    """Images of an entry before a rebase as they are after it: on the newer rows, under the new codes."""
    told: dict[str, Image | None] = {}
    for code, image in images.items():
        now = op.get(CODES, {}).get(code, code)
        if image is not None and now != code:
            image = {**image, "code": now, **({"name": op[NAMES][now]} if now in op.get(NAMES, {}) else {})}
        elif image is not None and code in old and code in new:
            image = merged(image, old[code], new[code])
        told[now] = image
    return told


def _overlaid(rows: Rows, changes: Sequence[Mapping[str, Image | None]]) -> dict[str, Image]:
    now: dict[str, Image] = dict(rows)
    for images in changes:
        for code, image in images.items():
            if image is None:
                now.pop(code, None)
            else:
                now[code] = image
    return now


def _partition(rows: Rows, area: str, outline: BaseGeometry, crs: pyproj.CRS | None) -> Partition:
    home = gpd.GeoDataFrame(geometry=[outline], index=pd.Index([area], name="code"), crs=crs)
    return open_partition(rows_of(rows, crs=crs), home)
