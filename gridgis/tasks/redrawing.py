"""Edit a plan: apply an operation, check every rule, reckon the figures of the grids it touched, and append it to the log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from gridgis.errors import ConflictError, DataError
from gridgis.redraw.edits import Edit
from gridgis.redraw.facts import RESIDENTS, Facts
from gridgis.redraw.figures import figures
from gridgis.redraw.operations import Assign, Operation, Retire, apply, to_json
from gridgis.redraw.painting import with_cells_between
from gridgis.redraw.refusal import Refused
from gridgis.redraw.repairing import repair
from gridgis.store import Image, NewEntry, PlanEntry, Workspace, images_of
from gridgis.tasks.edit_report import EditReport, step_report
from gridgis.tasks.plan_state import (
    CODES,
    DEFAULT_PLAN,
    STORED,
    AreaDraft,
    Counted,
    PlanState,
    anchors,
    current,
    drafted,
    gather,
    is_default,
    load,
    moves_since,
    refuse_moved,
    take_up,
    with_registers,
)
from gridgis.tasks.redraw_files import cells_around

__all__ = ["WAIT_S", "EditReport", "append", "edit", "history", "lock", "mend", "redo", "step_report", "undo"]

WAIT_S: Final = 30.0
_TRIES: Final = 200


def edit(
    ws: Workspace,
    op: Operation,
    *,
    area: str | None = None,
    plan: str = DEFAULT_PLAN,
    who: str,
    why: str,
    rev: int | None = None,
    begin: bool = False,
    state: PlanState | None = None,
    facts: Facts | None = None,
    at: dt.datetime | None = None,
) -> EditReport:
    """Apply an operation to a plan's grids; all rules hold afterwards, or nothing happened.

    Parameters
    ----------
    op
        With coordinates in the workspace's CRS.
    area
        Code of the area; None: that of the first grid the operation names.
    plan
        Name of the draft; the one called `default` is made when first used.
    who, why, at
        Author, reason and moment (now by default), for the log.
    rev
        The number of the plan's log the author saw: refused with `ConflictError` if grids it touches were changed since. None:
        applied to the plan as it is.
    begin
        Whether a plan nobody knows yet is made, as `default` always is; the report has a note of it.
    state, facts
        What was loaded before, for speed; both are read anew where they are old or missing.

    Raises
    ------
    DataError
        `redraw.Refused` if a rule would be broken, with the place; also for locked grids and plans that are no draft.
    ConflictError
        If somebody changed the same grids since `rev`.
    """
    _require_draft(ws, plan)
    if area is None:
        state = state or current(ws, plan, begin=begin)
        area = _area_of(ws, op, state)
    known = facts or gather(ws, area)
    taken = ws.used_codes("grids") | ws.drafted_codes()
    for _ in range(_TRIES):
        now = current(ws, plan, state=state, begin=begin)
        opening, draft = _taken_up(ws, now, area)
        locked = _named(op) & now.locked
        if locked:
            raise DataError("redrawing.locked", grids=", ".join(sorted(locked)), plan=plan)
        op, done = _applied(ws, draft, op, taken=taken - {*draft.now.codes}, facts=known)
        _refuse_locked(done, now)
        if rev is not None:
            _refuse_stale(now, done, rev)
        draft = replace(draft, counted=_counted(draft, known))
        report = _report(plan, now, draft, done, known)
        entry = NewEntry("edit", area=area, op=_told(op, done), images=_images(report, draft, done))
        try:
            last = append(ws, plan, [*opening, entry], rev=now.rev, who=who, why=why, begin=begin, at=at)
        except ConflictError as error:
            if error.key != "plans.moved":
                raise
            state = now
            continue
        added = [kept for kept in ws.plan_entries(plan, since=now.rev) if kept.seq <= last]
        begun: tuple[tuple[str, dict[str, object]], ...] = (
            (("redrawing.begun", {"plan": plan}),) if begin and now.rev == 0 and not is_default(plan) else ()
        )
        state = _advanced(now, added, draft, done, report.after)
        return replace(report, rev=last, state=state, notes=(*begun, *report.notes))
    raise ConflictError("redrawing.too_busy", plan=plan, tries=_TRIES)


def undo(
    ws: Workspace, *, plan: str = DEFAULT_PLAN, who: str, why: str = "", rev: int | None = None, at: dt.datetime | None = None
) -> PlanState:
    """Take back the last edit that holds; the log keeps it. Refused with `ConflictError` if the plan moved on since `rev`."""
    return _step(ws, plan, "undo", who=who, why=why, rev=rev, at=at)


def redo(
    ws: Workspace, *, plan: str = DEFAULT_PLAN, who: str, why: str = "", rev: int | None = None, at: dt.datetime | None = None
) -> PlanState:
    """Let the edit taken back last hold again. Refused with `ConflictError` if the plan moved on since `rev`."""
    return _step(ws, plan, "redo", who=who, why=why, rev=rev, at=at)


def lock(
    ws: Workspace,
    grids: Sequence[str],
    *,
    plan: str = DEFAULT_PLAN,
    on: bool = True,
    who: str,
    why: str = "",
    rev: int | None = None,
) -> PlanState:
    """Declare grids finished: no operation of the plan may touch them, until they are unlocked (`on=False`).

    Refused with `ConflictError` if one of them was changed since `rev`, the number of the log the author saw; with `DataError`
    for a code that is neither a grid of the plan nor a live one.
    """
    entry = NewEntry("lock" if on else "unlock", op={"grids": list(grids)})
    for _ in range(_TRIES):
        now = current(ws, plan)
        if rev is not None:
            refuse_moved(now, rev, grids=grids)
        _refuse_unknown(ws, now, grids)
        try:
            append(ws, plan, [entry], rev=now.rev, who=who, why=why)
        except ConflictError as error:
            if error.key != "plans.moved":
                raise
            continue
        return load(ws, plan)
    raise ConflictError("redrawing.too_busy", plan=plan, tries=_TRIES)


def mend(
    ws: Workspace, area: str, *, plan: str = DEFAULT_PLAN, gap_width_m: float, keep: Any, who: str, why: str, begin: bool = False
) -> tuple[PlanState, pd.DataFrame]:
    """Make an area's dirty boundaries a coverage, in a plan: the state afterwards, and the m² every grid won and lost."""
    now = current(ws, plan, begin=begin)
    if area in now.areas:
        raise DataError("redrawing.taken_up", area=area, plan=plan)
    opening, grids, home = take_up(ws, area)
    done = repair(grids, home, gap_width_m=gap_width_m, keep=keep)
    images = images_of(done.partition.frame())
    changed = {code: images[code] for code in done.moved.index}
    told = {"do": "repair", "gap_width_m": gap_width_m, "keep": keep, "moved_m2": float(done.moved["gained_m2"].sum())}
    append(
        ws, plan, [opening, NewEntry("repair", area=area, op=told, images=changed)], rev=now.rev, who=who, why=why, begin=begin
    )
    return load(ws, plan), done.moved


def history(ws: Workspace, *, plan: str = DEFAULT_PLAN, state: PlanState | None = None) -> pd.DataFrame:
    """The log of a plan, oldest first: `seq`, `kind`, `at`, `who`, `why`, `area`, `do`, `grids`, `holds`, `target`.

    `state` is the plan where it was loaded already.
    """
    state = load(ws, plan) if state is None else state
    rows = [_line(entry, state) for entry in state.entries]
    return pd.DataFrame(rows, columns=["seq", "kind", "at", "who", "why", "area", "do", "grids", "holds", "target"])


def append(
    ws: Workspace,
    plan: str,
    entries: Sequence[NewEntry],
    *,
    rev: int,
    who: str,
    why: str,
    begin: bool = False,
    at: dt.datetime | None = None,
) -> int:
    """Append entries to a plan at the number its writer knew; makes a default plan (with `begin`: any) when first used."""
    with ws.write(who=who, why=why, at=at, wait_s=WAIT_S) as write:
        if rev == 0 and (begin or is_default(plan)) and plan not in {row.name for row in ws.plans()}:
            write.add_plan(plan)
        return write.append_plan(plan, entries, rev=rev)


# parts


def _taken_up(ws: Workspace, state: PlanState, area: str) -> tuple[list[NewEntry], AreaDraft]:
    if area in state.areas:
        return [], state.areas[area]
    entry, grids, home = take_up(ws, area)
    return [entry], drafted(area, grids, home)


def _applied(ws: Workspace, draft: AreaDraft, op: Operation, *, taken: Collection[str], facts: Facts) -> tuple[Operation, Edit]:
    """An operation done; ground painted beside a grid whose border is crooked takes the rest of the cells between along."""
    at = anchors(facts, draft.now.attributes)
    try:
        return op, apply(draft.now, op, taken=taken, anchors=at)
    except Refused as error:
        if not isinstance(op, Assign) or error.rule not in ("apart", "corner"):
            raise
        wider = with_cells_between(draft.now, op, cells_around(ws, op.polygons))
        if wider is None:
            raise
        done = apply(draft.now, wider[0], taken=taken, anchors=at)
        return wider[0], replace(done, notes=(wider[1], *done.notes))


def _area_of(ws: Workspace, op: Operation, state: PlanState) -> str:
    names = sorted(_named(op))
    for code in names:
        if (area := state.area_of(code)) is not None:
            return area
    found = ws.table("grids", where={"code": names}) if names else pd.DataFrame()
    if found.empty:
        raise DataError("redrawing.unknown_grid" if names else "redrawing.no_area", grids=", ".join(names))
    return str(found["area_code"].iloc[0])


def _named(op: Operation) -> set[str]:
    """Codes an operation names."""
    found: set[str] = set()
    for name in ("grid", "grids", "to", "source"):
        value = getattr(op, name, None)
        if isinstance(value, str) and not (name == "to" and isinstance(op, Retire)):
            found.add(value)
        elif isinstance(value, tuple):
            found |= {code for code in value if isinstance(code, str) and code}
    return found


def _require_draft(ws: Workspace, plan: str) -> None:
    """A published or discarded plan is refused as such, before anything else is found wrong with the edit."""
    closed = next((row.state for row in ws.plans() if row.name == plan and row.state != "draft"), None)
    if closed is not None:
        raise DataError(f"plans.is_{closed}", plan=plan)


def _refuse_locked(done: Edit, state: PlanState) -> None:
    hit = sorted(code for code, change in done.changes.items() if code in state.locked and change.role != "touched")
    if hit:
        raise DataError("redrawing.locked", grids=", ".join(hit), plan=state.name)


def _refuse_unknown(ws: Workspace, state: PlanState, grids: Sequence[str]) -> None:
    away = [code for code in grids if state.area_of(code) is None and code not in state.locked]
    found = ws.table("grids", columns=["area_code"], where={"code": away})["area_code"] if away else pd.Series(dtype=object)
    lost = [code for code in away if code not in found.index or found[code] in state.areas]
    if lost:
        raise DataError("redrawing.unknown_grid", grids=", ".join(lost))


def _refuse_stale(state: PlanState, done: Edit, rev: int) -> None:
    mine = {code for code, change in done.changes.items() if change.role != "touched"}
    for entry, codes in moves_since(state, rev):
        if common := sorted(mine if codes is None else codes & mine):
            told = {"who": entry.who, "at": f"{entry.at:%Y-%m-%d %H:%M}"}
            raise ConflictError("redrawing.stale", plan=state.name, grids=", ".join(common), **told)


def _report(plan: str, state: PlanState, draft: AreaDraft, done: Edit, facts: Facts) -> EditReport:
    counted = _counted(draft, facts)
    own, before = counted.base, counted.now
    after = figures(done.partition, facts, base=draft.base, known=own)
    return EditReport(
        plan=plan,
        rev=state.rev,
        area=draft.area,
        state=state,
        roles=MappingProxyType({code: change.role for code, change in done.changes.items()}),
        before=before,
        after=after,
        lineage=tuple((item.code, item.kind, item.parent) for item in done.lineage),
        notes=tuple((note.key, note.values) for note in done.notes),  # noqa: PD011 - no frame, the placeholders of a note
    )


def _counted(draft: AreaDraft, facts: Facts) -> Counted:
    """The figures of a draft before an edit: those of the edit before, if it counted from the same facts."""
    if draft.counted is not None and draft.counted.facts is facts:
        return draft.counted
    own = figures(draft.base, facts)
    return Counted(facts, own, own if draft.now is draft.base else figures(draft.now, facts, base=draft.base, known=own))


def _told(op: Operation, done: Edit) -> dict[str, Any]:
    lineage = [[item.code, item.kind, item.parent] for item in done.lineage]
    return to_json(op) | ({"lineage": lineage} if lineage else {})


def _images(report: EditReport, draft: AreaDraft, done: Edit) -> dict[str, Any]:
    """Rows of the grids that changed: registers follow the ground, whole persons, where the base had any."""
    frame = done.partition.frame()
    there = [code for code in done.changes if code in frame.index]
    images = with_registers(images_of(frame.loc[there]), report.after)
    for code, image in images.items():
        if image is not None and code not in draft.taken:
            kept = {name: value for name, value in image.items() if name not in STORED}
            images[code] = {"area_code": draft.area, "state": "valid", **kept}
    return {code: images.get(code) for code in done.changes}


def _advanced(now: PlanState, added: Sequence[PlanEntry], draft: AreaDraft, done: Edit, after: pd.DataFrame) -> PlanState:
    """The state with the edit in it, from the entries as they were kept."""
    rows: dict[str, Image] = dict(draft.rows)
    images = added[-1].images or {}
    for code, image in images.items():
        if image is None:
            rows.pop(code, None)
        else:
            rows[code] = image
    table = done.partition.attributes.copy()
    for name in table.columns.intersection(list(RESIDENTS)):
        kept = {code: image[name] for code, image in images.items() if image is not None and name in image}
        table[name] = [kept.get(str(code), value) for code, value in table[name].items()]
    counted = None if draft.counted is None else replace(draft.counted, now=after)
    edited = replace(draft, rows=rows, now=done.partition.with_attributes(table), counted=counted)
    areas = {**now.areas, draft.area: edited}
    return replace(
        now,
        rev=added[-1].seq,
        areas=MappingProxyType(areas),
        done=(*now.done, added[-1].seq),
        undone=(),
        entries=(*now.entries, *added),
    )


def _step(ws: Workspace, plan: str, kind: Any, *, who: str, why: str, rev: int | None, at: dt.datetime | None) -> PlanState:
    for _ in range(_TRIES):
        now = load(ws, plan)
        if rev is not None:
            refuse_moved(now, rev)
        stack = now.done if kind == "undo" else now.undone
        if not stack:
            raise DataError(f"redrawing.nothing_to_{kind}", plan=plan)
        target = stack[-1]
        area = next(item.area for item in now.entries if item.seq == target)
        try:
            append(ws, plan, [NewEntry(kind, area=area, target=target)], rev=now.rev, who=who, why=why, at=at)
        except ConflictError as error:
            if error.key != "plans.moved":
                raise
            continue
        return load(ws, plan)
    raise ConflictError("redrawing.too_busy", plan=plan, tries=_TRIES)


def _line(item: PlanEntry, state: PlanState) -> dict[str, Any]:
    op = item.op or {}
    holds = None if item.kind not in ("edit", "revert") else item.seq in state.done
    told = {"lock": op.get("grids", ()), "unlock": op.get("grids", ()), "base": (), "rebase": op.get(CODES, {}).values()}
    grids = list(told.get(item.kind, item.images or ()))
    return {
        "seq": item.seq, "kind": item.kind, "at": item.at, "who": item.who, "why": item.why, "area": item.area,
        "do": op.get("do"), "grids": grids, "holds": holds, "target": item.target,
    }  # fmt: skip
