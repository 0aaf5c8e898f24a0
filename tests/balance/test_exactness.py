"""Balanced grids beside everything there is: all partitions of small towns, by trying."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridgis.balance import InfeasibleError, Taste, balance, units_from
from gridgis.balance.exact import decided
from gridgis.balance.feasibility import Bounds
from gridgis.balance.problem import prepared
from tests.balance.towns import every_partition, graph, loads, town

BALANCE_ALONE = Taste("alone", balance=1.0, compact=0.0, cut=0.0, change=0.0)
SMALL = settings(max_examples=30, deadline=None)


def small(seed: int):
    frame = town(3, seed=seed, merged=0.2)
    units = units_from(frame, weights=["households"])
    links = graph(units)
    order = {unit: at for at, unit in enumerate(units.index)}
    import networkx as nx

    return units, nx.relabel_nodes(links, order), frame["households"].to_numpy()


@SMALL
@given(st.integers(0, 10_000), st.integers(2, 3))
def test_the_best_balance_of_a_small_town_is_found(seed: int, k: int) -> None:
    units, links, weight = small(seed)
    assume(len(units) >= k)
    mean = weight.sum() / k
    assume(mean > 0)
    best = min(sum((load - mean) ** 2 for load in loads(parts, weight)) for parts in every_partition(links, k))
    made = balance(units, k=k, tastes=[BALANCE_ALONE], rng=np.random.default_rng(1))
    found = min(float(((plan.sheet.grids["load"] - mean) ** 2).sum()) for plan in (*made.plans, *made.beaten))
    assert found == pytest.approx(best)


@SMALL
@given(st.integers(0, 10_000), st.integers(2, 3), st.integers(3, 14), st.integers(0, 8))
def test_a_plan_is_found_where_there_is_one_and_refused_where_there_is_none(seed: int, k: int, low: int, more: int) -> None:
    units, links, weight = small(seed)
    assume(len(units) >= k)
    every = [loads(parts, weight) for parts in every_partition(links, k)]
    there = any(min(load) >= low and max(load) <= low + more for load in every)
    bounds = {"low": low, "high": low + more}
    if there:
        assert balance(units, k=k, **bounds, starts=1, rng=np.random.default_rng(1)).best.sheet.in_bounds
        return
    with pytest.raises(InfeasibleError) as caught:
        balance(units, k=k, **bounds, starts=1, rng=np.random.default_rng(1))
    assert caught.value.key != "balance.not_found"
    near = caught.value.values["nearest_low"], caught.value.values["nearest_high"]
    assert any(min(load) >= near[0] - 1e-6 and max(load) <= near[1] + 1e-6 for load in every)


@SMALL
@given(st.integers(0, 10_000), st.integers(2, 3), st.integers(3, 14), st.integers(0, 8))
def test_the_solver_agrees_with_trying_everything(seed: int, k: int, low: int, more: int) -> None:
    units, links, weight = small(seed)
    assume(len(units) >= k)
    there = any(
        min(load) >= low and max(load) <= low + more for load in (loads(parts, weight) for parts in every_partition(links, k))
    )
    found = decided(prepared(units, units.load()), 0, Bounds(float(low), float(low + more)), [k])
    assert isinstance(found, np.ndarray) == there
    assert isinstance(found, np.ndarray) or found == "impossible"
