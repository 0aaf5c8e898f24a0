"""Gi* by hand, from published examples, beside PySAL on random fields, and by permutation beside every possible draw."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import esda
import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gridgis import hotspots
from gridgis.errors import Cancelled, CrsError, DataError
from gridgis.hotspots.band import Band
from tests.hotspots.judges import CRS, band_weights, cell_set, fields

# nine incidents in a block of 3 × 3 in the middle of 5 × 5 cells
BLOCK = np.pad(np.ones((3, 3)), 1)


def test_gi_of_a_block_in_25_cells_is_what_one_computes_by_hand() -> None:
    """n = 25, mean 9/25 = 0.36, S = √(0.36 − 0.36²) = 0.48; rook and bishop neighbours.

    Middle: 9 cells hold 9: (9 − 3.24) / (0.48·√((25·9 − 81)/24)) = 5.76 / (0.48·√6).
    Corner: 4 cells hold 1: (1 − 1.44) / (0.48·√((25·4 − 16)/24)) = −0.44 / (0.48·√3.5).
    Middle of an edge: 6 cells hold 3: (3 − 2.16) / (0.48·√((25·6 − 36)/24)) = 0.84 / (0.48·√4.75).
    """
    result = hotspots.gi(cell_set((5, 5)), BLOCK, band_m=142)
    assert result.z[2, 2] == pytest.approx(5.76 / (0.48 * math.sqrt(6)), abs=1e-12)
    assert result.z[0, 0] == pytest.approx(-0.44 / (0.48 * math.sqrt(3.5)), abs=1e-12)
    assert result.z[0, 2] == pytest.approx(0.84 / (0.48 * math.sqrt(4.75)), abs=1e-12)
    assert result.p[2, 2] == pytest.approx(math.erfc(result.z[2, 2] / math.sqrt(2)), rel=1e-12)
    assert result.klass[2, 2] == 3
    # beside the middle 9 cells hold 6: z = 2.76 / (0.48·√6) = 2.35, p = 0.019; five of 25 are that sure, q = 25/5 · p = 0.095
    assert result.z[1, 2] == pytest.approx(2.76 / (0.48 * math.sqrt(6)), abs=1e-12)
    assert result.klass[1, 2] == 1
    assert result.q[1, 2] == pytest.approx(5 * result.p[1, 2], rel=1e-12)
    assert (result.hot, result.cold) == (5, 0)


def test_a_hole_in_the_lattice_is_nobodys_neighbour() -> None:
    """A corner of the block is missing: n = 24, mean 8/24 = 1/3, S² = 2/9; the corner of the lattice keeps 3 cells, all empty."""
    mask = np.ones((5, 5), dtype=bool)
    mask[1, 1] = False
    values = BLOCK.copy()
    values[1, 1] = 1e9  # what stands outside the mask is not read
    z = hotspots.gi(cell_set(mask), values, band_m=142).z
    assert math.isnan(z[1, 1])
    expected = (0 - 3 / 3) / (math.sqrt(2) / 3 * math.sqrt((24 * 3 - 9) / 23))
    assert z[0, 0] == pytest.approx(expected, abs=1e-12)


def test_a_published_line_of_ten_gives_the_published_z() -> None:
    """The documented example of gonum's stat/spatial (GetisOrdGStar, after Ord and Getis 1995), printed to four digits."""
    counts = np.array([[0, 0, 0, 1, 1, 1, 0, 1, 0, 0]])
    published = [-1.225, -1.604, -0.2673, 1.069, 2.405, 1.069, 1.069, -0.2673, -0.2673, -1.225]
    z = hotspots.gi(cell_set((1, 10)), counts, band_m=100).z[0]
    assert [float(f"{value:.4g}") for value in z] == published


@settings(max_examples=60, deadline=None)
@given(fields())
def test_gi_equals_pysal_on_any_field_with_any_holes(case: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
    values, mask, band_m = case
    assume(mask.sum() >= 3 and np.ptp(values[mask]) > 0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        judge = esda.G_Local(values[mask], band_weights(mask, band_m, star=True), transform="B", star=True, permutations=0)
    assume(np.isfinite(judge.Zs).all())  # PySAL divides 0 by 0 where a band holds every cell
    result = hotspots.gi(cell_set(mask), values, band_m=band_m)
    # PySAL takes the variance as a difference of squares: it has lost digits where values are far from 0
    lost = float((values[mask] ** 2).mean() / values[mask].var())
    np.testing.assert_allclose(result.z[mask], judge.Zs, rtol=1e-9 + 1e-15 * lost, atol=1e-9 + 1e-15 * lost)
    assert np.isnan(result.z[~mask]).all()
    frame = cell_set(mask).frame({"value": values})
    apart = hotspots.gi_polygons(frame, frame["value"], band_m=band_m)
    np.testing.assert_allclose(apart["gi_z"], result.z[mask], atol=1e-9)
    np.testing.assert_allclose(apart["q_value"], result.q[mask], atol=1e-9)


def test_where_nothing_differs_nothing_is_hot() -> None:
    for values in (np.full((4, 4), 7.0), np.full((4, 4), 0.1), np.zeros((4, 4))):
        for permutations in (0, 99):
            result = hotspots.gi(cell_set((4, 4)), values, band_m=150, permutations=permutations)
            assert result.z.tolist() == np.zeros((4, 4)).tolist()
            assert result.p.tolist() == np.ones((4, 4)).tolist()
            assert not result.klass.any()


def test_a_band_that_holds_every_cell_tells_nothing() -> None:
    result = hotspots.gi(cell_set((3, 3)), np.arange(9).reshape(3, 3), band_m=1000)
    assert not result.z.any()
    assert (result.p == 1).all()


def test_no_cells_give_no_hot_spots() -> None:
    result = hotspots.gi(cell_set(np.zeros((2, 3), dtype=bool)), np.zeros((2, 3)), band_m=150)
    assert np.isnan(result.z).all()
    assert len(result.frame()) == 0


def test_a_cell_without_a_rate_is_treated_as_no_cell() -> None:
    rates = np.random.default_rng(1).random((6, 6))
    mask = np.ones((6, 6), dtype=bool)
    mask[2, 3] = mask[5, 0] = False
    unknown = np.where(mask, rates, np.nan)
    with_nan, without = (hotspots.gi(cell_set(m), v, band_m=150) for m, v in ((np.ones_like(mask), unknown), (mask, rates)))
    np.testing.assert_array_equal(with_nan.z, without.z)
    assert with_nan.klass[2, 3] == 0
    assert len(with_nan.frame()) == 36


def test_the_frame_is_what_the_contract_says() -> None:
    frame = hotspots.gi(cell_set((5, 5)), BLOCK, band_m=142).frame()
    assert [*frame.columns] == ["count", "gi_z", "p_value", "q_value", "class", "geometry"]
    assert frame.index.name == "cell_id"
    assert frame.index[[0, 1, 24]].tolist() == ["r0c0", "r0c1", "r4c4"]
    assert frame["count"].dtype == np.int64
    assert frame.loc["r0c0"].geometry.bounds == (0, 400, 100, 500)  # row 0 is the north


def test_without_fdr_the_class_is_by_p() -> None:
    by_q, by_p = (hotspots.gi(cell_set((5, 5)), BLOCK, band_m=142, fdr=fdr) for fdr in (True, False))
    assert by_q.klass[1, 2] == 1  # q 0.095
    assert by_p.klass[1, 2] == 2  # p 0.019
    np.testing.assert_array_equal(by_q.q, by_p.q)


def test_blocks_of_rows_and_float32_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    values, mask = rng.poisson(1.0, (400, 300)).astype(np.float64), rng.random((400, 300)) < 0.9
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("gridgis.hotspots.band.processors", lambda threads=threads: threads)
        results.append(hotspots.gi_star(values, mask, Band(100, 430.0)))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    single = np.zeros(mask.shape, dtype=np.float32)
    assert hotspots.gi_star(values.astype(np.float32), mask, Band(100, 430.0), out=single) is single
    np.testing.assert_allclose(single, results[0], atol=1e-6)


def test_long_work_tells_how_far_it_is_and_can_be_stopped() -> None:
    told: list[tuple[str, int, int]] = []
    cells, values = cell_set((400, 400)), np.random.default_rng(3).random((400, 400))
    hotspots.gi(cells, values, band_m=150, progress=lambda *step: told.append(step))
    assert told[-1][1] == told[-1][2] == 400

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        hotspots.gi(cells, values, band_m=150, progress=stop)


# --- permutation -----------------------------------------------------------------------------------------------------


def every_draw(values: NDArray[Any], near: dict[int, list[int]]) -> list[float]:
    """The share of all choices of as many other units whose sum lies as far from expected as the neighbours' does."""
    shares = []
    for unit, neighbours in near.items():
        others = np.delete(values, unit)
        expected = len(neighbours) * others.mean()
        sums = np.array([sum(chosen) for chosen in itertools.combinations(others, len(neighbours))])
        shares.append(float((abs(sums - expected) >= abs(values[neighbours].sum() - expected) - 1e-9).mean()))
    return shares


def test_permutation_approaches_the_share_of_all_possible_draws() -> None:
    counts = np.array([[5.0, 4, 0, 1, 0, 2, 0, 9, 1]])
    near = {i: [j for j in (i - 1, i + 1) if 0 <= j < 9] for i in range(9)}
    exact = every_draw(counts[0], near)
    permutations = 20_000
    result = hotspots.gi(cell_set((1, 9)), counts, band_m=100, permutations=permutations, rng=np.random.default_rng(4))
    error = 4.5 * np.sqrt(0.25 / permutations)
    np.testing.assert_allclose(result.p[0], exact, atol=error)


def test_permutation_depends_on_the_seed_and_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(5).poisson(2.0, (12, 12))
    found = []
    for threads, seed in ((1, 1), (2, 1), (3, 1), (1, 2)):
        monkeypatch.setattr("gridgis.hotspots.permutation.processors", lambda threads=threads: threads)
        rng = np.random.default_rng(seed)
        found.append(hotspots.gi(cell_set((12, 12)), counts, band_m=150, permutations=199, rng=rng).p)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert (found[0] != found[3]).any()
    assert found[0].min() >= 1 / 200


def test_permutation_agrees_with_shuffling_the_others_around_each_cell() -> None:
    counts, cells = np.random.default_rng(6).poisson(2.0, (12, 12)), cell_set((12, 12))
    ours = hotspots.gi(cells, counts, band_m=150, permutations=1999, rng=np.random.default_rng(1)).p.ravel()
    values = counts.ravel().astype(float)
    rng = np.random.default_rng(2)
    row, column = np.indices((12, 12)).reshape(2, -1)
    theirs = []
    for cell in range(144):
        near = (abs(row - row[cell]) <= 1) & (abs(column - column[cell]) <= 1)
        near[cell] = False
        others = np.delete(values, cell)
        sums = np.array([rng.choice(others, near.sum(), replace=False).sum() for _ in range(499)])
        expected = near.sum() * others.mean()
        theirs.append((np.count_nonzero(abs(sums - expected) >= abs(values[near].sum() - expected) - 1e-9) + 1) / 500)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert abs(ours - np.array(theirs)).max() < 0.12


def test_an_outlier_among_empty_cells_is_not_called_hot_by_permutation() -> None:
    """Its own 500 make z large; its neighbours, which permutation judges, are as empty as they can be."""
    counts = np.random.default_rng(7).poisson(3.0, (20, 20))
    counts[8:13, 8:13] = 0
    counts[10, 10] = 500
    by_normal = hotspots.gi(cell_set((20, 20)), counts, band_m=150, fdr=False)
    by_chance = hotspots.gi(cell_set((20, 20)), counts, band_m=150, permutations=999, fdr=False)
    assert by_normal.klass[10, 10] == 3
    assert by_chance.p[10, 10] < 0.05
    assert by_chance.klass[10, 10] == 0


# --- polygons --------------------------------------------------------------------------------------------------------


def towns(seed: int, number: int = 60) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(seed)
    points = rng.random((number, 2)) * 5000
    shapes = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=shapely.box(0, 0, 5000, 5000)))
    return gpd.GeoDataFrame(geometry=shapes, index=pd.Index([f"G{i:03d}" for i in range(len(shapes))], name="code"), crs=CRS)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["touching", "within", "nearest"]))
def test_polygons_equal_pysal_with_its_own_weights(seed: int, kind: str) -> None:
    frame = towns(seed)
    values = pd.Series(np.random.default_rng(seed).poisson(3.0, len(frame)).astype(float), index=frame.index)
    centres = np.column_stack([frame.centroid.x, frame.centroid.y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "touching":
            near, weights = hotspots.touching(frame), libpysal.weights.Queen.from_dataframe(frame, use_index=False)
        elif kind == "within":
            near = hotspots.within_distance(frame, band_m=900)
            weights = libpysal.weights.DistanceBand(centres, 900, binary=True, silence_warnings=True)
        else:
            near, weights = hotspots.nearest(frame, k=5), libpysal.weights.KNN(centres, k=5)
        star = libpysal.weights.fill_diagonal(weights, 1.0)
        judge = esda.G_Local(values.to_numpy(), star, transform="B", star=True, permutations=0)
    assert near.sizes().tolist() == [weights.cardinalities[i] for i in range(len(frame))]
    found = hotspots.gi_polygons(frame, values, neighbours=near)
    np.testing.assert_allclose(found["gi_z"], judge.Zs, atol=1e-9)


def test_polygons_link_by_index_and_not_by_row() -> None:
    frame = towns(1)
    values = pd.Series(np.arange(len(frame), dtype=float), index=frame.index)
    straight = hotspots.gi_polygons(frame, values, band_m=900)
    mixed = hotspots.gi_polygons(frame.iloc[::-1], values.sample(frac=1, random_state=1), band_m=900)
    pd.testing.assert_frame_equal(straight, mixed.loc[straight.index])


def test_a_polygon_without_a_value_has_no_result_and_is_nobodys_neighbour() -> None:
    frame = towns(2)
    values = pd.Series(np.random.default_rng(2).random(len(frame)), index=frame.index)
    gone = frame.index[7]
    found = hotspots.gi_polygons(frame, values.drop(gone), band_m=900)
    expected = hotspots.gi_polygons(frame.drop(gone), values.drop(gone), band_m=900)
    pd.testing.assert_frame_equal(found.drop(gone), expected)
    assert found.loc[gone, ["gi_z", "p_value", "q_value"]].isna().all()
    assert found.loc[gone, "class"] == 0


def test_who_is_whose_neighbour_is_told_by_index_value() -> None:
    squares = gpd.GeoDataFrame(
        geometry=[shapely.box(x, 0, x + 100, 100) for x in (0, 100, 200, 900)], index=["a", "b", "c", "far"], crs=CRS
    )
    pairs = hotspots.touching(squares).pairs()
    assert pairs.to_numpy().tolist() == [["a", "b"], ["b", "a"], ["b", "c"], ["c", "b"]]
    assert hotspots.within_distance(squares, band_m=200).sizes().tolist() == [2, 2, 2, 0]
    assert hotspots.nearest(squares, k=1).pairs().query("unit == 'far'")["neighbour"].tolist() == ["c"]


def test_nearest_passes_over_itself_where_centroids_coincide() -> None:
    same = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)] * 6, index=list("abcdef"), crs=CRS)
    near = hotspots.nearest(same, k=3)
    pairs = near.pairs()
    assert near.sizes().tolist() == [3] * 6
    assert (pairs["unit"] != pairs["neighbour"]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "not both"),
        ({"band_m": 100.0, "neighbours": "touching"}, "not both"),
        ({"band_m": -1.0}, "over 0"),
        ({"band_m": math.nan}, "over 0"),
        ({"neighbours": "others"}, "same layer"),
    ],
)
def test_wrong_neighbourhoods_are_refused_in_words(options: dict[str, Any], words: str) -> None:
    frame = towns(3)
    made = {"touching": lambda: hotspots.touching(frame), "others": lambda: hotspots.touching(frame.iloc[:5])}
    if "neighbours" in options:
        options = {**options, "neighbours": made[options["neighbours"]]()}
    with pytest.raises(DataError, match=words):
        hotspots.gi_polygons(frame, pd.Series(1.0, index=frame.index), **options)


def test_values_of_unknown_or_doubled_units_are_refused() -> None:
    frame = towns(4)
    with pytest.raises(DataError, match="X9"):
        hotspots.gi_polygons(frame, pd.Series({"X9": 1.0}), band_m=500)
    with pytest.raises(DataError, match="G001"):
        hotspots.gi_polygons(frame, pd.Series([1.0, 2.0], index=["G001", "G001"]), band_m=500)


def test_degrees_are_refused() -> None:
    frame = towns(5).to_crs(4326)
    with pytest.raises(CrsError):
        hotspots.gi_polygons(frame, pd.Series(1.0, index=frame.index), band_m=500)


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="2 × 3"):
        hotspots.gi(cell_set((3, 3)), np.zeros((2, 3)), band_m=150)
