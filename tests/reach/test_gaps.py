"""Shares within reach and service gaps: by hand on the toy town, and nobody's figure can be found by subtracting."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.errors import CrsError
from gridgis.reach.gaps import beyond, gap_ground, shares
from gridgis.reach.network import walk_network
from gridgis.reach.times import Times, times

GRID = pd.Series(["G1"] * 4 + ["G2"] * 2 + ["G3"] * 6, index=toy.buildings().index)


def walked(seconds: list[float]) -> Times:
    known = np.array(seconds, dtype=float)
    return Times(known, np.zeros(len(known), int), np.flatnonzero(np.isnan(known)), np.empty(0, int))


def test_shares_of_the_toy_town_on_foot() -> None:
    # one street along the south border, the station at its west end, a metre a second: a house is x + y seconds away
    x, y = toy.ORIGIN
    street = gpd.GeoDataFrame(geometry=[shapely.LineString([(x, y), (x + 400, y)])], crs=toy.CRS)
    houses = toy.buildings()
    centres = np.column_stack([houses.geometry.centroid.x, houses.geometry.centroid.y])
    found = times(walk_network(street), np.array([[x, y]]), centres, speed_kmh=3.6)
    corners = [
        (20, 20),
        (40, 20),
        (20, 40),
        (40, 40),
        (170, 150),
        (190, 150),
        (270, 20),
        (290, 20),
        (310, 20),
        (270, 40),
        (290, 40),
    ]
    assert found.seconds.tolist() == pytest.approx([a + 5 + b + 5 for a, b in [*corners, (380, 280)]])
    table = shares(found, houses, within_s=330, by=GRID, suppress_below=0)
    assert table["buildings_within"].to_dict() == {"G1": 4, "G2": 1, "G3": 3}
    assert table["residents_share"].to_dict() == {"G1": 1, "G2": 0.5, "G3": 0.5}
    assert shares(found, houses, within_s=330)["residents_within"].tolist() == [24]


def test_few_people_are_withheld_and_so_is_what_would_betray_them() -> None:
    # G2: 3 of 6 people are within reach, too few to show; G1 with 6 of 12 is the smallest of the others
    found = walked([60, 60, 2000, 2000, 60, 2000] + [60] * 6)
    table = shares(found, toy.buildings(), within_s=900, by=GRID)
    assert table["suppressed"].to_dict() == {"G1": True, "G2": True, "G3": False}
    assert table["residents_within"].isna().tolist() == [True, True, False]
    assert table["buildings_within"].tolist() == [2, 1, 6]
    # inside villages, G1 must not betray G2, and G3 is alone in its own
    inside = pd.Series({"G1": toy.WEST, "G2": toy.WEST, "G3": toy.EAST})
    assert shares(found, toy.buildings(), within_s=900, by=GRID, inside=inside)["suppressed"].tolist() == [True, True, False]
    assert not shares(found, toy.buildings(), within_s=900, by=GRID, suppress_below=3)["suppressed"].any()
    # where the whole is withheld itself there is nothing to subtract from
    nearly = shares(walked([60] * 5 + [2000] + [60] * 6), toy.buildings(), within_s=900, by=GRID)
    assert nearly["suppressed"].to_dict() == {"G1": False, "G2": True, "G3": False}


def test_unknown_people_are_no_zero_and_buildings_in_no_zone_have_their_row() -> None:
    found = walked([60] * 12)
    nobody = shares(found, toy.buildings().drop(columns="population"), within_s=900, by=GRID)
    assert nobody["residents"].isna().all()
    assert not nobody["suppressed"].any()
    outside = shares(found, toy.buildings(), within_s=900, by=GRID.where(GRID != "G2"))
    assert outside.index.tolist() == ["G1", "G3", ""]
    assert outside["residents"].tolist() == [12, 18, 6]
    assert shares(walked([]), toy.buildings().iloc[:0], within_s=900).empty


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_nobody_is_found_by_subtracting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"population": rng.integers(0, 5, 40)})
    seconds = rng.choice([60.0, 2000.0, np.nan], 40, p=[0.8, 0.15, 0.05])
    by = pd.Series(rng.integers(0, 6, 40)).astype(str)
    table = shares(walked(seconds.tolist()), people, within_s=900, by=by, suppress_below=5)
    whole = shares(walked(seconds.tolist()), people, within_s=900, suppress_below=5).iloc[0]
    shown = table[~table["suppressed"]]
    for row in [*shown.itertuples(), *([] if whole["suppressed"] else [whole])]:
        for count in (row.residents, row.residents_within, row.residents - row.residents_within):
            assert count == 0 or count >= 5
    if table["suppressed"].any() and not whole["suppressed"]:
        left = whole["residents"] - shown["residents"].sum()
        within = whole["residents_within"] - shown["residents_within"].sum()
        assert table["suppressed"].sum() > 1 or len(shown) == 0
        assert all(count == 0 or count >= 5 for count in (left, within, left - within))


def test_gaps_are_points_with_minutes_and_ground_inside_the_zone() -> None:
    found = walked([60] * 4 + [np.inf, np.nan] + [60] * 5 + [1200])
    gaps = beyond(found, toy.buildings(), within_s=900)
    assert gaps["why"].tolist() == ["no way", "off", "far"]
    assert gaps["minutes"].isna().tolist() == [True, True, False]
    ground = gap_ground(gaps, toy.grids(), GRID, around_m=30)
    assert ground["buildings"].to_dict() == {"G2": 2, "G3": 1}
    assert ground["farthest_min"].iloc[1] == 20
    # the last house is 15 m from the east border and 15 m from the north border: the disc is cut there
    corner = shapely.box(*toy.grids().geometry["G3"].bounds)
    whole = gaps.geometry.iloc[2].buffer(30, quad_segs=4)
    assert ground.geometry["G3"].area == pytest.approx(whole.intersection(corner).area)
    assert ground.geometry["G3"].area < whole.area
    assert gap_ground(gaps.iloc[:0], toy.grids(), GRID).empty
    with pytest.raises(CrsError):
        beyond(found, toy.buildings().to_crs(4326), within_s=900)
