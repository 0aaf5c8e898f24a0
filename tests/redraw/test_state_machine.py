"""Any sequence of operations on small grounds: every state covers the area once, for a judge of its own, and can be taken back.

The suite runs a short, fixed selection. With `GRIDGIS_REDRAW_RUNS=2000 GRIDGIS_REDRAW_STEPS=60` in the environment this file
searches longer, from another random start each time.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from gridgis import toy
from gridgis.redraw.facts import Facts
from gridgis.redraw.figures import figures
from gridgis.redraw.invariants import broken
from gridgis.redraw.operations import (
    AddVertex,
    Assign,
    Create,
    DeleteVertex,
    Edit,
    Merge,
    MoveVertex,
    Operation,
    Reshape,
    Retire,
    Split,
    apply,
    from_json,
    rings_of,
    to_json,
)
from gridgis.redraw.partition import SNAP_M, Partition
from gridgis.redraw.refusal import Refused
from gridgis.store import PlanEntry, images_of
from gridgis.tasks.plan_state import PlanState, fold
from gridgis.text import LANGS
from tests.redraw.grounds import FIXED, crooked, judge, on_millimetres, same_bits, turned

RUNS, STEPS = int(os.environ.get("GRIDGIS_REDRAW_RUNS", 0)), int(os.environ.get("GRIDGIS_REDRAW_STEPS", 20))
SUITE_RUNS = 30
PLACELESS = {"line_short", "code_taken"}
MOST = 16
AT = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

# --- what a planner points at ----------------------------------------------------------------------------------------

shares = st.integers(0, 64).map(lambda n: n / 64)
numbers = st.integers(0, 999)
# beside a vertex or a border: on it, within the precision, just beyond it, within reach, and well away
near = st.sampled_from([0.0, 0.0, 0.0004, 0.0007, 0.0011, 0.0023, 0.03, 0.3, 4.0])
nudges = st.tuples(near, near, st.sampled_from([1, -1]), st.sampled_from([1, -1])).map(lambda n: (n[0] * n[2], n[1] * n[3]))
spots = st.tuples(st.sampled_from(["ground", "ground", "vertex", "border"]), numbers, shares, shares, nudges)
Spot = tuple[str, int, float, float, tuple[float, float]]
tracks = st.lists(spots, min_size=2, max_size=4)
corners = st.lists(spots, min_size=3, max_size=5)


def members(now: Partition) -> np.ndarray:
    return np.concatenate([now.shapes, now.free])


def resolved(now: Partition, spot: Spot) -> tuple[float, float]:
    """The position a spot means on a partition."""
    kind, number, u, v, (right, up) = spot
    if kind == "ground":
        west, south, east, north = now.outline.buffer(10.0).bounds
        return west + u * (east - west) + right, south + v * (north - south) + up
    xy = shapely.get_coordinates(members(now))
    if number % 4:  # seldom on the outline, where little is allowed
        rim = set(map(tuple, shapely.get_coordinates(now.outline).tolist()))
        inner = np.array([tuple(point) not in rim for point in xy.tolist()])
        xy = np.vstack([xy[inner], xy[:1]])
    a, b = xy[number % len(xy)], xy[(number + 1) % len(xy)]
    x, y = a if kind == "vertex" else a + u * (b - a)
    return float(x) + right, float(y) + up


class Redrawing(RuleBasedStateMachine):
    """A planner who does anything, and a log as a plan keeps it."""

    counted: ClassVar[Counter[str]] = Counter()
    """How often each operation was done, and refused by which rule."""

    @initialize(start=st.one_of(st.sampled_from(sorted(FIXED)), st.integers(0, 40)), stations=st.lists(spots, max_size=3))
    def begin(self, start: str | int, stations: list[Spot]) -> None:
        self.now = crooked(start) if isinstance(start, int) else FIXED[start]()
        self.outline = self.now.outline
        self.given = {*self.now.codes}
        self.parts = Counter(dict(zip(self.now.codes, shapely.get_num_geometries(self.now.shapes).tolist(), strict=True)))
        places = [shapely.Point(resolved(self.now, spot)) for spot in stations]
        self.anchors = dict(zip(self.now.codes, places, strict=False))
        op = {"outline": shapely.to_wkb(self.outline, hex=True)}
        self.log = [self.entry("base", op=op, images=images_of(self.now.frame()))]
        self.states = [self.now]
        self.undone: list[tuple[int, Partition]] = []
        self.held: list[int] = []

    def entry(self, kind: Any, *, op: Any = None, images: Any = None, target: int | None = None) -> PlanEntry:
        return PlanEntry(len(getattr(self, "log", ())) + 1, kind, AT, "Li", "why", self.now.area, op, images, target)

    # --- operations ---

    def grid(self, number: int) -> str:
        return self.now.codes[number % len(self.now.codes)]

    def ground(self, shape: Any) -> tuple[Any, ...]:
        """The rings of a drawn polygon, a grid's or the free ground's own shape, or boxes beside each other."""
        kind, value = shape
        if kind == "drawn":
            xy = [resolved(self.now, spot) for spot in value]
            return (((*xy, xy[0]),),)
        if kind == "hull":
            return rings_of(shapely.MultiPoint([resolved(self.now, spot) for spot in value]).convex_hull)
        if kind == "cells":
            x, y = resolved(self.now, value[0])
            size = 10.0 + 90.0 * value[0][3]
            boxes = shapely.box(x + size * np.arange(2), y, x + size * np.arange(1, 3), y + size)
            return tuple(rings for box in boxes for rings in rings_of(box))
        every = members(self.now)
        return rings_of(every[value % len(every)])

    grounds = st.one_of(
        st.tuples(st.just("drawn"), corners), st.tuples(st.just("hull"), corners),
        st.tuples(st.just("cells"), st.tuples(spots)), st.tuples(st.just("own"), numbers),
    )  # fmt: skip

    @precondition(lambda self: len(self.now.codes) < MOST)
    @rule(number=numbers, at=spots, turn=shares, bend=spots, bent=st.booleans(), keep=st.none() | spots)
    def split_across(self, number: int, at: Spot, turn: float, bend: Spot, bent: bool, keep: Spot | None) -> None:
        """A line all over the area, straight or bent."""
        code = self.grid(number)
        inside = shapely.get_coordinates(shapely.point_on_surface(self.now.shape(code)))[0]
        x, y = inside if at[0] == "ground" else resolved(self.now, at)
        right, up = 900 * float(np.cos(turn * np.pi)), 900 * float(np.sin(turn * np.pi))
        middle = [resolved(self.now, bend)] if bent else []
        line = ((float(x) - right, float(y) - up), *middle, (float(x) + right, float(y) + up))
        self.do(Split(code, line, keep=None if keep is None else resolved(self.now, keep)))

    @precondition(lambda self: len(self.now.codes) < MOST)
    @rule(number=numbers, track=tracks, closed=st.booleans())
    def split_as_drawn(self, number: int, track: list[Spot], closed: bool) -> None:
        line = [resolved(self.now, spot) for spot in track]
        self.do(Split(self.grid(number), (*line, line[0]) if closed else tuple(line)))

    @rule(first=numbers, others=st.lists(numbers, min_size=1, max_size=2), exclaves=st.sampled_from([False] * 5 + [True]))
    def merge(self, first: int, others: list[int], exclaves: bool) -> None:
        code = self.grid(first)
        beside = [c for c, s in zip(self.now.codes, self.now.shapes, strict=True) if s.intersects(self.now.shape(code))]
        self.do(Merge((code, *(beside[number % len(beside)] for number in others)), exclaves=exclaves))

    @rule(track=tracks, only=st.none() | st.lists(numbers, min_size=2, max_size=3), exclaves=st.booleans())
    def reshape(self, track: list[Spot], only: list[int] | None, exclaves: bool) -> None:
        line = tuple(resolved(self.now, spot) for spot in track)
        grids = None if only is None else tuple(dict.fromkeys(self.grid(number) for number in only))
        self.do(Reshape(line, grids=grids, exclaves=exclaves))

    @rule(number=numbers, to=spots, near_it=st.booleans())
    def move_vertex(self, number: int, to: Spot, near_it: bool) -> None:
        at = resolved(self.now, ("vertex", number, 0, 0, (0.0, 0.0)))
        x, y = resolved(self.now, to)
        step = 30.0 / max(30.0, float(np.hypot(x - at[0], y - at[1]))) if near_it else 1.0
        self.do(MoveVertex(at, (at[0] + step * (x - at[0]), at[1] + step * (y - at[1]))))

    @rule(number=numbers, along=shares, nudge=nudges, to=st.none() | nudges)
    def add_vertex(self, number: int, along: float, nudge: tuple[float, float], to: tuple[float, float] | None) -> None:
        at = resolved(self.now, ("border", number, along, 0, nudge))
        self.do(AddVertex(at, None if to is None else (at[0] + 5 * to[0], at[1] + 5 * to[1])))

    @rule(number=numbers)
    def delete_vertex(self, number: int) -> None:
        self.do(DeleteVertex(resolved(self.now, ("vertex", number, 0, 0, (0.0, 0.0)))))

    @rule(shape=grounds, to=numbers, only=st.none() | st.lists(numbers, max_size=2), exclaves=st.booleans())
    def assign(self, shape: Any, to: int, only: list[int] | None, exclaves: bool) -> None:
        source = None if only is None else ("", *(self.grid(number) for number in only))
        self.do(Assign(self.ground(shape), to=self.grid(to), source=source, exclaves=exclaves))

    @precondition(lambda self: len(self.now.codes) < MOST)
    @rule(shape=grounds, free_only=st.booleans(), exclaves=st.booleans(), code=st.sampled_from([None, None, None, "G1", "N7"]))
    def create(self, shape: Any, free_only: bool, exclaves: bool, code: str | None) -> None:
        self.do(Create(self.ground(shape), code=code, free_only=free_only, exclaves=exclaves))

    @precondition(lambda self: len(self.now.codes) > 1)
    @rule(number=numbers, free=st.sampled_from([False, False, True]), exclaves=st.sampled_from([False, False, True]))
    def retire(self, number: int, free: bool, exclaves: bool) -> None:
        self.do(Retire(self.grid(number), to="free" if free else "neighbours", exclaves=exclaves))

    @precondition(lambda self: len(self.held) > 0)
    @rule()
    def undo(self) -> None:
        target = self.held.pop()
        self.undone.append((target, self.states.pop()))
        self.log.append(self.entry("undo", target=target))
        self.now = self.states[-1]
        self.renew_parts()
        self.read_back()

    @precondition(lambda self: len(self.undone) > 0)
    @rule()
    def redo(self) -> None:
        target, state = self.undone.pop()
        self.held.append(target)
        self.states.append(state)
        self.log.append(self.entry("redo", target=target))
        self.now = state
        self.renew_parts()
        self.read_back()

    def renew_parts(self) -> None:
        self.parts = Counter(dict(zip(self.now.codes, shapely.get_num_geometries(self.now.shapes).tolist(), strict=True)))

    def read_back(self) -> PlanState:
        """The log read as after a restart gives the same grids, bit for bit, and the same ground without a grid."""
        state = fold("plan", self.log, crs=self.now.crs)
        read = state.areas[self.now.area].now
        assert same_bits(read, self.now, free=False)
        # vertices on the outline that no grid has are not kept
        was, is_ = shapely.union_all(self.now.free), shapely.union_all(read.free)
        assert shapely.symmetric_difference(was, is_).area <= 1e-9 * self.outline.length
        return state

    # --- what holds whatever is done ---

    def do(self, op: Operation) -> None:
        note(f"{op!r}")
        before, kept = self.now, [shape.wkb for shape in members(self.now)]
        document = json.loads(json.dumps(to_json(op)))
        assert from_json(document) == op
        taken = self.given - {*before.codes}
        try:
            edit = apply(before, op, taken=taken, anchors=self.anchors)
        except Refused as error:
            self.counted[f"refused {op.do}: {error.rule}"] += 1
            assert [shape.wkb for shape in members(before)] == kept
            self.told_why(error)
            with pytest.raises(Refused):
                apply(before, from_json(document), taken=taken, anchors=self.anchors)
            return
        assert [shape.wkb for shape in members(before)] == kept
        self.counted[op.do] += 1
        again = apply(turned(before), from_json(document), taken=taken, anchors=self.anchors)
        assert same_bits(edit.partition, again.partition)  # whatever the order of grids and vertices, and after JSON
        self.told_what(edit, taken)
        self.did_what_was_asked(op, edit)
        if getattr(op, "exclaves", False):
            self.parts = Counter({code: shapely.get_num_geometries(edit.partition.shape(code)) for code in edit.partition.codes})
        self.now = edit.partition
        self.given |= {*self.now.codes}
        frame = self.now.frame()
        there = [code for code in edit.changes if code in frame.index]
        gone = {code: None for code in edit.changes if code not in frame.index}
        self.log.append(self.entry("edit", op=document, images={**images_of(frame.loc[there]), **gone}))
        self.held.append(len(self.log))
        self.states.append(self.now)
        self.undone.clear()
        self.read_back()

    def told_why(self, error: Refused) -> None:
        """A refusal says which rule, which grids, where, and what to do, in both languages."""
        assert error.rule
        assert all(isinstance(code, str) and code for code in error.codes)
        assert error.place is not None or error.rule in PLACELESS, error.rule
        for lang in LANGS:
            assert "{" not in error.message(lang)

    def told_what(self, edit: Edit, taken: set[str]) -> None:
        """Changes are those and no others; codes of new grids are new; vertices are where planners may put them."""
        before, after = self.now, edit.partition
        for code in {*before.codes, *after.codes} - edit.changes.keys():
            assert after.shape(code) is before.shape(code)
        for code, change in edit.changes.items():
            assert (change.before is None) == (code not in before.codes) == (change.role == "created")
            assert (change.after is None) == (code not in after.codes) == (change.role == "retired")
            assert change.after is None or change.after is after.shape(code)
        new, gone = {*after.codes} - {*before.codes}, {*before.codes} - {*after.codes}
        assert not new & (taken | self.given)
        assert {row.code for row in edit.lineage} >= gone - {code for code in gone if not edit.lineage}
        assert {row.code for row in edit.lineage} <= new | gone
        assert broken(after, before=before, exclaves=True, void=taken, freed=gone) == ()
        known = set(map(tuple, shapely.get_coordinates([*members(before), before.outline]).tolist()))
        fresh = [xy for xy in map(tuple, shapely.get_coordinates([*members(after), after.outline]).tolist()) if xy not in known]
        beside = shapely.distance(shapely.boundary(self.outline), shapely.points(np.array(fresh).reshape(-1, 2))) <= 1e-8
        assert all(on or rim for on, rim in zip(on_millimetres(fresh), beside.tolist(), strict=True))

    def did_what_was_asked(self, op: Operation, edit: Edit) -> None:
        """Ground goes where the operation sends it and nowhere else, but for the rounding of borders."""
        before, after = self.now, edit.partition
        slack = 2 * SNAP_M * sum(shape.length for shape in members(before)) + 1e-6
        old, new = ({c: s.area for c, s in zip(p.codes, p.shapes, strict=True)} for p in (before, after))
        won = {code for code in new if new[code] > old.get(code, 0.0) + slack}
        lost = {code for code in old if new.get(code, 0.0) < old[code] - slack}
        free = sum(shape.area for shape in after.free) - sum(shape.area for shape in before.free)
        match op:
            case Split():
                assert lost <= {op.grid}
                assert len(new) > len(old)
                whole = shapely.union_all([after.shape(c) for c in {op.grid, *new} - ({*old} - {op.grid})])
                assert shapely.symmetric_difference(whole, before.shape(op.grid)).area <= slack
            case Merge():
                assert new[op.grids[0]] == pytest.approx(sum(old[code] for code in {*op.grids}), abs=1e-6)
                assert {*old} - {*new} == {*op.grids[1:]} - {op.grids[0]}
            case Reshape():
                assert {*new} == {*old}
                assert op.grids is None or won | lost <= {*op.grids}
            case Assign():
                assert won <= {op.to}
                assert op.source is None or lost <= {*op.source}
                assert {*new} == {*old}
            case Create():
                assert won <= {*new} - {*old}
                assert not op.free_only or not lost
            case Retire():
                assert lost == {op.grid} or old[op.grid] <= slack
                assert free == pytest.approx(old[op.grid] if op.to == "free" else 0.0, abs=slack)
            case AddVertex(to=None) | DeleteVertex() | MoveVertex() | AddVertex():
                assert {*new} == {*old}
                if isinstance(op, AddVertex) and op.to is None:
                    assert not won | lost
        if not isinstance(op, Retire | Assign | Create | Reshape | MoveVertex | AddVertex | DeleteVertex):
            assert abs(free) <= slack

    @invariant()
    def covers_the_area_once(self) -> None:
        if hasattr(self, "now"):
            judge(self.now, self.outline, parts=self.parts.items())

    def teardown(self) -> None:
        """After everything: nobody is lost, whatever was redrawn."""
        if hasattr(self, "now"):
            start = self.states[0]
            start = start.with_attributes(start.attributes.assign(population=range(100, 100 + len(start.codes))))
            facts = Facts.of(self.now.crs, buildings=toy.buildings())
            own, held = figures(start, facts), figures(self.now, facts, base=start)
            for name in ("households", "population", "buildings"):
                assert held[name].sum() == own[name].sum()
                assert (held[name] == held[name].round()).all()
            assert held["area_m2"].sum() == pytest.approx(own["area_m2"].sum(), rel=1e-8)


def test_whatever_a_planner_does_every_state_covers_the_area_once() -> None:
    chosen = settings(
        max_examples=RUNS or SUITE_RUNS,
        stateful_step_count=STEPS,
        derandomize=RUNS == 0,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    Redrawing.counted.clear()
    run_state_machine_as_test(Redrawing, settings=chosen)
    done = {name for name in Redrawing.counted if not name.startswith("refused")}
    assert done >= {"split", "merge", "reshape", "move_vertex", "add_vertex", "delete_vertex", "assign", "create", "retire"}
