"""The life of a plan: made, approved, published as one write, rebased on newer grids, taken back, or given up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import shapely

from gridgis.errors import ConflictError, DataError
from gridgis.redraw.facts import RESIDENTS
from gridgis.redraw.numbering import next_code, next_name
from gridgis.store import Image, NewEntry, PlanEntry, PlanRow, Workspace, Write, images_of, rows_of
from gridgis.tasks.plan_state import CODES, NAMES, STORED, AreaDraft, PlanState, fold, load, problems, take_up
from gridgis.tasks.redrawing import WAIT_S, append

APPROVAL: Final = "redraw_approval"
"""The workspace's setting: `required` asks for a second person."""
_INTO: Final = "merged into"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """A plan that became the live grids."""

    plan: str
    on: dt.date
    """The day from which its grids hold."""
    rev: int
    changed: tuple[str, ...]
    """Grids with a new version."""
    created: tuple[str, ...]
    """New grids."""
    retired: tuple[str, ...]
    """Grids that end; their codes are void."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        lists = {name: list(getattr(self, name)) for name in ("changed", "created", "retired")}
        return {"plan": self.plan, "on": self.on.isoformat(), "rev": self.rev, **lists}


def create(ws: Workspace, plan: str, *, who: str, note: str = "") -> PlanRow:
    """A new, empty draft."""
    with ws.write(who=who, why=note, wait_s=WAIT_S) as write:
        return write.add_plan(plan, note=note)


def discard(ws: Workspace, plan: str, *, who: str, why: str = "") -> PlanRow:
    """Give a draft up; its log stays readable."""
    with ws.write(who=who, why=why, wait_s=WAIT_S) as write:
        write.append_plan(plan, [NewEntry("discard")], rev=write.plan(plan).rev)
        write.close_plan(plan, state="discarded")
    return ws.plan(plan)


def approve(ws: Workspace, plan: str, *, who: str, why: str = "") -> PlanState:
    """Agree to a draft as it is now; by somebody who did not edit it. A later edit voids it."""
    state = load(ws, plan)
    if who in editors(state):
        raise DataError("redrawing.own_approval", who=who, plan=plan)
    append(ws, plan, [NewEntry("approve")], rev=state.rev, who=who, why=why)
    return load(ws, plan)


def editors(state: PlanState) -> frozenset[str]:
    """Who changed what the plan holds."""
    return frozenset(entry.who for entry in state.entries if entry.kind in ("edit", "undo", "redo", "repair", "revert"))


def approved(state: PlanState) -> bool:
    """Whether somebody who did not edit the plan agreed to what it holds now."""
    for entry in reversed(state.entries):
        if entry.kind == "approve":
            return entry.who not in editors(state)
        if entry.kind not in ("lock", "unlock"):
            return False
    return False


def publish(ws: Workspace, plan: str, *, on: dt.date, who: str, why: str = "", at: dt.datetime | None = None) -> PublishReport:
    """Make a draft's grids the live ones from a day on, in one write: all of it, or nothing.

    Only what differs from the grids the plan took up is written: changed grids get their next version, new ones begin, grids
    that are gone end and are void.

    Raises
    ------
    DataError
        If the plan is no draft, changes nothing, or lacks an approval the workspace asks for.
    ConflictError
        If grids it changes, or the boundary of their area, were changed since it took them up.
    """
    state = load(ws, plan)
    if ws.settings().get(APPROVAL) == "required" and not approved(state):
        raise DataError("redrawing.not_approved", plan=plan, rev=state.rev)
    if not any(draft.changed for draft in state.areas.values()):
        raise DataError("redrawing.nothing_to_publish", plan=plan)
    changed: list[str] = []
    created: list[str] = []
    retired: list[str] = []
    reason = why or ws.plan(plan).note or plan
    with ws.write(who=who, why=reason, at=at, wait_s=WAIT_S) as write:
        # first: of a plan that is no draft any more this says so, before its own grids look like somebody else's
        write.append_plan(plan, [NewEntry("publish", op={"on": on.isoformat()})], rev=state.rev)
        for draft in state.areas.values():
            _refuse_conflicts(write, draft, plan)
            news = [code for code in draft.changed if code not in draft.taken]
            ends = [code for code in draft.changed if code not in draft.rows]
            stay = [code for code in draft.changed if code in draft.taken and code in draft.rows]
            if stay:
                write.change("grids", _frame(ws, draft, stay, keep=("version",)), valid_from=on)
            if news:
                write.upsert("grids", _frame(ws, draft, news), valid_from=on)
            if ends:
                # the code is void from that day on; what the grid was before stays as it was
                write.retire("grids", ends, valid_to=on)
            changed, created, retired = changed + stay, created + news, retired + ends
        write.add_lineage(_lineage(state, on))
        write.close_plan(plan, state="published", on=on)
    return PublishReport(plan, on, state.rev + 1, tuple(changed), tuple(created), tuple(retired))


def conflicts(ws: Workspace, state: PlanState) -> tuple[str, ...]:
    """Grids a plan changes that were changed meanwhile."""
    return tuple(code for draft in state.areas.values() for code in _conflicts(_now(ws, draft.area), draft))


def rebase(ws: Workspace, plan: str, *, who: str, why: str = "") -> PlanState:
    """Put a draft on the grids as they are now: possible where it changes the ground of none that was changed meanwhile.

    1. Where the ground and the registered people of a grid are what they were, its other columns follow the live row, but for
       those the plan changed itself.
    2. A code the plan gave to a new grid and somebody else gave to another one meanwhile becomes the next free one; `renumbered`
       tells which. The log stays as it was: the entry `rebase` holds the new rows and codes.

    Raises `ConflictError` with the grids that stand in the way, or with the rule that would be broken.
    """
    state = load(ws, plan)
    entries: list[NewEntry] = []
    used = ws.used_codes("grids")
    taken = used | ws.drafted_codes()
    for draft in state.areas.values():
        now = _now(ws, draft.area)
        hit = [code for code in _conflicts(now, draft) if code in draft.taken and not _mergeable(now.get(code), draft, code)]
        if hit:
            raise ConflictError("redrawing.rebase_touched", plan=plan, grids=", ".join(hit))
        entry, _, _ = take_up(ws, draft.area, kind="rebase")
        codes, names = _renumber(draft, now, used=used, taken=taken)
        if codes or _plain(entry.images or {}) != _plain(draft.taken):
            taken |= {*codes.values()}
            # a code that is there without a row keeps others from giving it
            images = {**(entry.images or {}), **dict.fromkeys(codes.values())}
            told = {CODES: codes, NAMES: names} if codes else {}
            entries.append(replace(entry, op={**(entry.op or {}), **told}, images=images))
    if not entries:
        return state
    with ws.write(who=who, why=why, wait_s=WAIT_S) as write:
        write.append_plan(plan, entries, rev=state.rev)
        try:
            after = fold(plan, write.plan_entries(plan), crs=ws.info.crs)
        except DataError as error:
            raise ConflictError("redrawing.rebase_broken", plan=plan, problem=error.phrase) from error
        for draft in after.areas.values():
            for problem in problems(draft):
                raise ConflictError("redrawing.rebase_broken", plan=plan, problem=problem)
    return after


def renumbered(state: PlanState, *, since: int = 0) -> dict[str, str]:
    """New codes of a plan's grids by the old ones, as rebases after a number of its log gave them."""
    found: dict[str, str] = {}
    for entry in state.entries:
        if entry.kind == "rebase" and entry.seq > since:
            codes: dict[str, str] = (entry.op or {}).get(CODES, {})
            found = {old: codes.get(new, new) for old, new in found.items()} | codes
    return found


def revert(ws: Workspace, plan: str, *, into: str, who: str, why: str = "") -> PlanState:
    """A new draft that restores what a published plan changed; void codes stay void, so retired ground gets a new code.

    Raises `ConflictError` if a grid the plan changed was changed again since.
    """
    row = ws.plan(plan)
    if row.state != "published":
        raise DataError("redrawing.not_published", plan=plan)
    state = load(ws, plan)
    taken = ws.used_codes("grids") | ws.drafted_codes()
    entries = []
    for draft in state.areas.values():
        now = _now(ws, draft.area)
        lost = [code for code in draft.changed if code in draft.rows and not _same_ground(now, draft.rows[code], code)]
        if lost:
            raise ConflictError("redrawing.revert_touched", plan=plan, grids=", ".join(lost))
        entry, _, _ = take_up(ws, draft.area)
        images: dict[str, Image | None] = {}
        lineage = []
        for code in draft.changed:
            if code not in draft.taken:
                images[code] = None
            elif code in draft.rows:
                images[code] = {**now[code], **{k: v for k, v in draft.taken[code].items() if k not in STORED}}
            else:
                new = next_code([*now, *images], taken=taken, area=draft.area)
                images[new] = {k: v for k, v in draft.taken[code].items() if k not in STORED} | {"code": new}
                lineage.append([new, "restored from", code])
        op = {"do": "revert", "plan": plan, "lineage": lineage}
        entries += [entry, NewEntry("revert", area=draft.area, op=op, images=images)]
    with ws.write(who=who, why=why, wait_s=WAIT_S) as write:
        write.add_plan(into, note=why)
        write.append_plan(into, entries, rev=0)
    return load(ws, into)


# parts


def _now(ws: Workspace | Write, area: str) -> dict[str, dict[str, Any]]:
    frame = ws.read("grids", where={"area_code": area})
    return {code: dict(image) for code, image in images_of(frame).items() if image is not None}


def _conflicts(now: Mapping[str, Mapping[str, Any]], draft: AreaDraft) -> list[str]:
    hit = []
    for code in draft.changed:
        mine, theirs = draft.taken.get(code), now.get(code)
        if (mine is None and theirs is not None) or (mine is not None and (theirs or {}).get("version") != mine.get("version")):
            hit.append(code)
    return hit


def _mergeable(theirs: Mapping[str, Any] | None, draft: AreaDraft, code: str) -> bool:
    """Whether a grid the plan changed can stand on its newer live row: same ground and registers, no column both changed."""
    if theirs is None:
        return False
    old, mine = draft.taken[code], draft.rows.get(code)
    changed = {name for name in {*old, *theirs} if old.get(name) != theirs.get(name) and name not in STORED}
    if mine is None or not changed.isdisjoint({"geometry", "state", "area_code", *RESIDENTS}):
        return False
    return all(mine.get(name) in (old.get(name), theirs.get(name)) for name in changed)


def _renumber(
    draft: AreaDraft, now: Mapping[str, Mapping[str, Any]], *, used: Collection[str], taken: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """New codes for the draft's own grids whose code is a live one's by now, and names where those are live ones' too."""
    codes: dict[str, str] = {}
    names: dict[str, str] = {}
    live_names = [image.get("name") for image in now.values()]
    for code in (code for code in draft.rows if code not in draft.taken and code in used):
        new = next_code([*now, *draft.rows, *codes.values()], taken=taken, area=draft.area)
        codes[code] = new
        if draft.rows[code].get("name") in live_names:
            others = [image.get("name") for image in draft.rows.values()]
            names[new] = next_name([*live_names, *others, *names.values()], new, area=draft.area)
    return codes, names


def _refuse_conflicts(write: Write, draft: AreaDraft, plan: str) -> None:
    hit = _conflicts(_now(write, draft.area), draft)
    fresh = [code for code in draft.rows if code not in draft.taken and code not in hit]
    hit += list(write.read("grids", where={"code": fresh}).index) if fresh else []
    if hit:
        raise ConflictError("redrawing.conflict", plan=plan, grids=", ".join(hit))
    home = write.read("areas", where={"code": draft.area})
    moved = 0.0 if home.empty else float(shapely.symmetric_difference(home.geometry.iloc[0], draft.base.outline).area)
    # the outline in a draft may have more vertices, a nanometre off
    if home.empty or moved > 1e-6 * draft.base.outline.length:
        raise ConflictError("redrawing.outline_moved", plan=plan, area=draft.area)


def _frame(ws: Workspace, draft: AreaDraft, codes: Iterable[str], *, keep: Iterable[str] = ()) -> gpd.GeoDataFrame:
    frame = rows_of({code: draft.rows[code] for code in codes}, crs=ws.info.crs)
    if "version" in keep:  # of the row the plan took up: an edited image carries the same one
        frame["version"] = [int(draft.taken[code]["version"]) for code in codes]
    gone = [name for name in STORED if name not in keep and name in frame.columns]
    return frame.drop(columns=gone)


def _lineage(state: PlanState, on: dt.date) -> pd.DataFrame:
    """Where the plan's grids come from and went to; through codes that came and went within the plan, which nobody had."""
    done = set(state.done)
    told: list[tuple[str, str, str]] = []
    for entry in state.entries:
        if entry.seq in done:
            later = renumbered(state, since=entry.seq)
            told += [(later.get(code, code), kind, later.get(parent, parent)) for code, kind, parent in _told(entry)]
    stay = {code for draft in state.areas.values() for code in (*draft.taken, *draft.rows)}
    gone = {code for code, kind, _ in told if kind != _INTO} - stay
    rows = dict.fromkeys(
        (code, end, kind)
        for at, (code, kind, parent) in enumerate(told)
        for end in _ends(parent, told, gone, into=kind == _INTO, at=at)
        if code not in gone and end != code
    )
    frame = pd.DataFrame(list(rows), columns=["code", "parent", "kind"])
    return frame.assign(on=on, plan=state.name)


def _told(entry: PlanEntry) -> list[tuple[str, str, str]]:
    return [(code, kind, parent) for code, kind, parent in (entry.op or {}).get("lineage", ())]


def _ends(code: str, told: list[tuple[str, str, str]], gone: Collection[str], *, into: bool, at: int) -> list[str]:
    """The grids a code stands for: itself, or, of one nobody had, those it was cut from before or went into afterwards."""
    if code not in gone:
        return [code]
    steps = [
        (place, parent)
        for place, (child, kind, parent) in enumerate(told)
        if child == code and (kind == _INTO) == into and (place > at) == into and place != at
    ]
    return [end for place, parent in steps for end in _ends(parent, told, gone, into=into, at=place)]


def _same_ground(now: Mapping[str, Mapping[str, Any]], image: Mapping[str, Any], code: str) -> bool:
    if code not in now:
        return False
    mine, theirs = shapely.from_wkb(image["geometry"]), shapely.from_wkb(now[code]["geometry"])
    return bool(shapely.equals(mine, theirs))


def _plain(images: Mapping[str, Image | None]) -> dict[str, Any]:
    return {code: dict(image) for code, image in images.items() if image is not None}
