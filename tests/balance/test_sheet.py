"""The sheet of an assignment, worked out again with shapely from dissolved polygons, and by hand."""

from __future__ import annotations

import json
import math

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.balance import balance, sheet, units_from
from gridgis.errors import DataError
from tests.balance.towns import CRS, graph, town


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 8), st.integers(0, 10_000), st.integers(1, 5))
def test_figures_are_those_of_the_dissolved_polygons(side: int, seed: int, k: int) -> None:
    frame = town(side, seed=seed, gone=0.1, villages=2)
    units = units_from(frame, weights=["households"], groups=frame["village"])
    # any assignment will do, connected or not
    assignment = pd.Series(np.random.default_rng(seed).integers(0, k, len(frame)), index=frame.index)
    made = sheet(units, assignment, low=5, high=20)
    shapes = frame.assign(grid=assignment.astype(str)).dissolve("grid", aggfunc={"households": "sum"})
    assert made.grids["load"].to_dict() == pytest.approx(shapes["households"].to_dict())
    assert made.grids["area_m2"].to_dict() == pytest.approx(shapes.area.to_dict())
    assert made.grids["perimeter_m"].to_dict() == pytest.approx(shapes.length.to_dict())
    score = 4 * math.pi * shapes.area / shapes.length**2
    assert made.compactness == pytest.approx(score.mean())
    mean = shapes["households"].mean()
    assert made.deviation == pytest.approx(shapes["households"].std(ddof=0) / mean if mean else 0)
    # every border of the town is seen once from outside; every border between grids from both sides
    outer = shapely.union_all(shapes.geometry.to_numpy()).length
    assert made.cut_m == pytest.approx((shapes.length.sum() - outer) / 2)
    links = graph(units)
    together = {name: nx.is_connected(links.subgraph(members)) for name, members in assignment.groupby(assignment).groups.items()}
    assert made.grids["contiguous"].tolist() == [together[int(name)] for name in made.grids.index]
    assert made.in_bounds == bool(shapes["households"].between(5, 20).all())


def test_change_is_counted_against_today_s_grids() -> None:
    frame = toy.grids().assign(households=[4, 2, 6])
    units = units_from(frame, weights=["households"])
    made = sheet(units, pd.Series(["a", "b", "b"], index=frame.index), current={"G1": "a", "G2": "a", "G3": "b"})
    assert (made.kept_share, made.moved_load) == (2 / 3, 2.0)
    assert made.grids["kept"].to_dict() == {"a": 1, "b": 1}
    nothing = sheet(units, pd.Series(["a", "b", "b"], index=frame.index))
    assert math.isnan(nothing.kept_share)
    assert json.loads(json.dumps(nothing.to_json(), allow_nan=False))["change"] == {"kept_share": None, "moved_load": None}


def test_units_left_out_and_villages_mixed_are_seen() -> None:
    frame = toy.grids().assign(households=[4, 2, 6])
    units = units_from(frame, weights=["households"], groups=frame["area_code"])
    made = sheet(units, pd.Series(["a", None, "a"], index=frame.index))
    assert (made.unassigned, made.mixed, made.contiguous) == (1, 1, False)
    assert not made.keeps_hard_rules
    # G2 and G3 share a border that is a village's: they hang together only where villages may mix
    pair = pd.Series(["a", "b", "b"], index=frame.index)
    assert not sheet(units, pair).contiguous
    assert sheet(units, pair, mix_groups=True).contiguous


def test_streets_and_things_that_stay_whole_are_counted() -> None:
    frame = toy.grids().assign(households=[4, 2, 6])
    street = gpd.GeoDataFrame(geometry=[shapely.LineString([(500150, 3365990), (500150, 3366310)])], crs=CRS)
    hamlet = pd.Series(["x", "x", None], index=frame.index)
    units = units_from(frame, weights=["households"], whole=hamlet, streets=street)
    assert units.pairs["street_m"].tolist() == [300.0, 0.0]
    torn = sheet(units, pd.Series(["a", "b", "b"], index=frame.index))
    assert (torn.street_share, torn.whole_kept, torn.whole_total) == (1.0, 0, 1)
    kept = sheet(units, pd.Series(["a", "a", "b"], index=frame.index))
    assert (kept.street_share, kept.whole_kept) == (0.0, 1)
    # the street draws the border to itself, the hamlet away from it
    plain = units_from(frame.assign(households=1.0), weights=["households"], streets=street)
    assert balance(plain, k=2, rng=np.random.default_rng(1)).best.assignment.tolist() == ["1", "2", "2"]


def test_an_assignment_of_other_units_is_refused() -> None:
    units = units_from(toy.grids().assign(households=1), weights=["households"])
    with pytest.raises(DataError, match="no unit G2"):
        sheet(units, pd.Series(["a"], index=["G1"]))
