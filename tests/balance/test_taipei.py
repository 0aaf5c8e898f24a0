"""Taipei's villages into districts of equal area, and a made-up town alike: rule by rule, judged by shapely and networkx."""

from __future__ import annotations

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

from gridgis.balance import TASTES, balance, units_from
from tests.balance.towns import town
from tests.support import shared

STAY = TASTES[-1]


def bordering(frame: gpd.GeoDataFrame) -> nx.Graph:
    """Units whose boundaries share length, by shapely alone."""
    rings = shapely.boundary(frame.geometry.to_numpy())
    left, right = shapely.STRtree(rings).query(rings, predicate="intersects")
    left, right = left[left < right], right[left < right]
    apart = shapely.length(shapely.intersection(rings[left], rings[right])) > 0
    links = nx.Graph()
    links.add_nodes_from(frame.index)
    links.add_edges_from(zip(frame.index[left[apart]], frame.index[right[apart]], strict=True))
    return links


def ring_of_districts(side: int, seed: int) -> gpd.GeoDataFrame:
    """A town in four districts, one of them with much of the ground."""
    frame = town(side, seed=seed, merged=0.3)
    x, y = frame.centroid.x / 100, frame.centroid.y / 100
    corner = side / 3
    frame["district"] = np.select([(x < corner) & (y < corner), x < corner, y < corner], ["sw", "nw", "se"], "ne")
    return frame.assign(area=frame.area)


def taipei() -> gpd.GeoDataFrame:
    file = shared("taiwan_villages/villages-10t.json")
    frame = gpd.read_file(file, layer="villages", where="COUNTYENG = 'Taipei City'").set_index("VILLCODE")
    frame = frame.set_crs("EPSG:3824", allow_override=True).to_crs("EPSG:3826").rename(columns={"TOWNNAME": "district"})
    assert (len(frame), frame["district"].nunique()) == (456, 12)
    return frame.assign(area=frame.area)


@pytest.mark.parametrize(
    ("drawn", "k", "stay"), [(lambda: ring_of_districts(12, 5), 4, 0.5), (taipei, 12, 0.7)], ids=["made up", "taipei"]
)
def test_districts_become_alike_while_most_villages_stay_where_they_are(drawn, k: int, stay: float) -> None:
    frame = drawn()
    low, high = 0.95 * frame["area"].sum() / k, 1.05 * frame["area"].sum() / k
    links = bordering(frame)
    plans = balance(
        units_from(frame, weights=["area"]), k=k, low=low, high=high, current=frame["district"], tastes=[STAY], starts=2,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    for plan in plans.plans:
        found = plan.assignment
        area = frame["area"].groupby(found).sum()
        assert set(found.index) == set(frame.index)
        assert found.notna().all()
        assert len(area) == k
        assert area.between(low * (1 - 1e-9), high * (1 + 1e-9)).all()
        assert area.sum() == pytest.approx(frame["area"].sum())
        assert all(nx.is_connected(links.subgraph(members)) for members in found.groupby(found).groups.values())
        assert plan.sheet.kept_share == pytest.approx((found == frame["district"]).mean())
        assert all(name in set(frame["district"]) or name.startswith("+") for name in set(found))
    kept = [float((plan.assignment == frame["district"]).mean()) for plan in plans.plans]
    assert kept[0] == max(kept)
    assert kept[0] >= stay


def test_with_bounds_the_plan_that_moves_fewest_comes_first_with_a_number_alone_one_that_answers() -> None:
    frame = ring_of_districts(8, 2)
    units = units_from(frame, weights=["area"])
    today, mean = frame["district"], frame["area"].sum() / 4

    def kept(**options: object) -> list[float]:
        few = {"tastes": [TASTES[0], STAY], "starts": 1, "rng": np.random.default_rng(1)}
        plans = balance(units, k=4, current=today, **few, **options).plans  # type: ignore[arg-type]
        return [float((plan.assignment == today).mean()) for plan in plans]

    bounded = {"low": 0.8 * mean, "high": 1.2 * mean}
    first = kept(**bounded)
    assert len(first) > 1
    assert first == sorted(first, reverse=True)
    assert kept(**bounded, prefer="both")[0] < first[0]
    # a number alone does not say what is even enough, and nothing moved is no answer to it
    alone = kept()
    assert alone[0] < max(alone) == 1.0
    assert kept(prefer="stay") == sorted(alone, reverse=True)


def test_grids_that_keep_the_bounds_are_left_as_they_are() -> None:
    frame = town(6, seed=1, merged=0.0).assign(households=1.0)
    units = units_from(frame, weights=["households"])
    today = pd.Series(np.where(units.xy[:, 0] < 300, "west", "east"), index=frame.index)
    best = balance(units, k=2, low=16, high=20, current=today, starts=1, rng=np.random.default_rng(1)).best
    assert best.assignment.tolist() == today.tolist()
