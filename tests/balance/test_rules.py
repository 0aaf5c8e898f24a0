"""The hard rules of balanced grids on random towns, judged by networkx and plain sums."""

from __future__ import annotations

import os
import subprocess
import sys

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridgis.balance import TASTES, InfeasibleError, Plans, Units, balance, units_from
from gridgis.errors import Cancelled, DataError
from tests.balance.towns import CRS, graph, holds_together, town
from tests.support import REPO

FAST = settings(max_examples=25, deadline=None)


def drawn(side: int, seed: int, **options: object) -> Units:
    frame = town(side, seed=seed, **options)  # type: ignore[arg-type]
    return units_from(frame, weights=["households"], groups=frame["village"])


def plans(units: Units, **options: object) -> Plans:
    """Plans of one taste, the one or the other by the number of units: hard rules hold for all of them."""
    taste = TASTES[len(units) % (len(TASTES) - (options.get("current") is None))]
    return balance(units, **{"starts": 1, "tastes": [taste], "rng": np.random.default_rng(5), **options})  # type: ignore[arg-type]


def line_frame(lines: list[list[tuple[float, float]]]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=CRS)


def sums(units: Units, assignment: pd.Series) -> pd.Series:
    return units.weights["households"].groupby(assignment).sum()


@FAST
@given(st.integers(3, 8), st.integers(0, 10_000), st.integers(1, 9))
def test_every_unit_is_in_one_of_k_connected_grids(side: int, seed: int, k: int) -> None:
    units = drawn(side, seed)
    assume(len(units) >= k)
    for plan in plans(units, k=k).plans:
        assert list(plan.assignment.index) == list(units.index)
        assert plan.assignment.notna().all()
        assert plan.assignment.nunique() == k
        assert holds_together(units, plan.assignment)


@FAST
@given(st.integers(4, 8), st.integers(0, 10_000), st.floats(4, 40), st.floats(1.3, 3))
def test_bounds_are_kept_or_the_error_names_bounds_that_can_be(side: int, seed: int, low: float, ratio: float) -> None:
    units = drawn(side, seed, gone=0.1, villages=2)
    low, high = round(low), round(low * ratio)
    try:
        made = plans(units, low=low, high=high)
    except InfeasibleError as error:
        low, high = error.values["nearest_low"], error.values["nearest_high"]  # type: ignore[assignment]
        made = plans(units, low=low, high=high)
    for plan in made.plans:
        load = sums(units, plan.assignment)
        assert load.min() >= low - 1e-9
        assert load.max() <= high + 1e-9
        assert holds_together(units, plan.assignment)
        assert plan.sheet.keeps_hard_rules


@FAST
@given(st.integers(4, 8), st.integers(0, 10_000), st.integers(2, 3))
def test_villages_are_not_mixed_unless_they_may(side: int, seed: int, villages: int) -> None:
    units = drawn(side, seed, villages=villages)
    village = pd.Series(units.groups, index=units.index)
    for plan in plans(units, k=villages + 2).plans:
        assert village.groupby(plan.assignment).nunique().max() == 1
    mixed = plans(units, k=villages, mix_groups=True)
    for plan in mixed.plans:
        assert holds_together(units, plan.assignment, mix=True)


@FAST
@given(st.integers(4, 8), st.integers(0, 10_000), st.integers(2, 6), st.randoms(use_true_random=False))
def test_every_seed_has_a_grid_of_its_own(side: int, seed: int, stations: int, chance: object) -> None:
    units = drawn(side, seed)
    seeds = chance.sample(list(units.index), stations)  # type: ignore[attr-defined]
    for k in (stations, stations + 1):
        assume(k <= len(units))
        for plan in plans(units, k=k, seeds=seeds).plans:
            assert plan.assignment[seeds].nunique() == stations
            assert holds_together(units, plan.assignment)


@FAST
@given(st.integers(5, 8), st.integers(0, 10_000), st.integers(3, 6))
def test_locked_grids_stay_as_they_are(side: int, seed: int, k: int) -> None:
    units = drawn(side, seed)
    today = plans(units, k=k).best.assignment
    locked = sorted(today.unique())[:1]
    links = graph(units).subgraph(today.index[~today.isin(locked)])
    assume(nx.number_connected_components(links) <= k)
    for plan in plans(units, k=k + 1, current=today, locked=locked).plans:
        same = today.isin(locked)
        assert (plan.assignment[same] == today[same]).all()
        assert not plan.assignment[~same].isin(locked).any()
        assert plan.assignment.nunique() == k + 1
        assert holds_together(units, plan.assignment)


@FAST
@given(st.integers(4, 8), st.integers(0, 10_000), st.floats(0.1, 0.5))
def test_no_grid_hangs_together_across_a_barrier(side: int, seed: int, share: float) -> None:
    from dataclasses import replace

    units = drawn(side, seed)
    barred = np.random.default_rng(seed).random(len(units.pairs)) < share
    units = replace(units, barriers=barred)
    pieces = nx.number_connected_components(graph(units))
    for plan in plans(units, k=min(pieces + 2, len(units))).plans:
        assert holds_together(units, plan.assignment)


PLANS = """
import numpy as np
from gridgis.balance import balance, units_from
from tests.balance.towns import town
frame = town(10, seed=3)
today = frame["households"].mod(4).map("g{:g}".format)
units = units_from(frame, weights=["households"], groups=frame["village"])
for seed in (1, 2):
    made = balance(units, k=7, seeds={"u001", "u050"}, current=today, starts=1, rng=np.random.default_rng(seed))
    print([(plan.taste, plan.assignment.tolist()) for plan in made.plans])
"""


def test_a_seed_gives_the_same_plans_in_every_process_and_another_one_others() -> None:
    first, again = (
        subprocess.run(
            [sys.executable, "-c", PLANS], check=True, capture_output=True, text=True, cwd=REPO,
            env={**os.environ, "PYTHONHASHSEED": hashing},
        ).stdout.splitlines()
        for hashing in ("1", "77")
    )  # fmt: skip
    assert len(first) == 2
    assert first[0].startswith("[(")
    assert first == again
    assert first[0] != first[1]


def test_the_input_is_left_as_it_was() -> None:
    units = drawn(8, 3)
    weights, pairs = units.weights.copy(), units.pairs.copy()
    plans(units, k=5)
    pd.testing.assert_frame_equal(units.weights, weights)
    pd.testing.assert_frame_equal(units.pairs, pairs)


@FAST
@given(st.integers(4, 8), st.integers(0, 10_000), st.sets(st.integers(0, 7), max_size=3))
def test_grids_cross_a_river_on_bridges_only(side: int, seed: int, rows: set[int]) -> None:
    frame = town(side, seed=seed, villages=2)
    river_x = frame.loc[frame["village"] == "v0"].total_bounds[2]
    river = line_frame([[(river_x, -50), (river_x, side * 100 + 50)]])
    middles = [100.0 * (row % side) + 50 for row in sorted(rows)]
    bridges = line_frame([[(river_x - 20, y), (river_x + 20, y)] for y in middles]) if middles else None
    units = units_from(frame, weights=["households"], barriers=river, bridges=bridges)
    # banks hang together as shapely has it, and over a bridge what lies at its two ends
    links = nx.Graph()
    links.add_nodes_from(frame.index)
    for _, bank in frame.groupby("village"):
        shapes = bank.geometry.to_numpy()
        left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        beside = shapely.length(shapely.intersection(shapes[left], shapes[right])) > 0
        links.add_edges_from(zip(bank.index[left[beside]], bank.index[right[beside]], strict=True))
    for y in middles:
        ends = [frame.index[frame.contains(shapely.Point(x, y))][0] for x in (river_x - 20, river_x + 20)]
        links.add_edge(*ends)
    links.remove_edges_from(nx.selfloop_edges(links))
    pieces = nx.number_connected_components(links)
    for plan in plans(units, k=min(pieces + 2, len(units))).plans:
        for members in plan.assignment.groupby(plan.assignment).groups.values():
            assert nx.is_connected(links.subgraph(members))


def test_progress_rises_to_the_end_and_can_stop_the_work() -> None:
    units = drawn(8, 3)
    told: list[tuple[str, int, int]] = []
    plans(units, k=5, progress=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert all(0 <= done <= total for _, done, total in told)

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        plans(units, k=5, progress=stop)


def test_grids_are_numbered_from_west_to_east_and_today_s_keep_their_names() -> None:
    frame = town(6, seed=1, merged=0.0)
    units = units_from(frame.assign(households=1.0), weights=["households"])
    best = plans(units, k=4).best.assignment
    x = pd.Series(units.xy[:, 0], index=units.index).groupby(best).mean()
    assert list(x.sort_values(kind="stable").index) == sorted(x.index) or x.round(6).duplicated().any()
    today = pd.Series(np.where(units.xy[:, 0] < 300, "west", "east"), index=units.index)
    again = plans(units, k=3, current=today).best.assignment
    assert set(again.unique()) == {"west", "east", "+1"}
    same = plans(units, k=2, low=18, high=18, current=today, prefer="stay").best
    assert same.assignment.tolist() == today.tolist()
    assert same.sheet.kept_share == 1.0


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "balance.no_size"),
        ({"low": 3}, "balance.no_size"),
        ({"k": 0}, "balance.number"),
        ({"low": 5, "high": 3}, "balance.bounds"),
        ({"k": 2, "seeds": ["nowhere"]}, "balance.no_unit"),
        ({"k": 2, "locked": ["G9"]}, "balance.no_grid"),
        ({"k": 2, "weights": {"people": 1.0}}, "balance.no_weight"),
        ({"k": 2, "weights": {"households": -1.0}}, "balance.factor"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, object], key: str) -> None:
    with pytest.raises(DataError) as caught:
        plans(drawn(4, 1), **options)
    assert caught.value.key == key
    assert "{" not in caught.value.message("zh") + caught.value.message("en")
