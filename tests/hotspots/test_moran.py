"""Moran's I by hand, on published data with published results, and beside PySAL on random fields."""

from __future__ import annotations

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
from gridgis.errors import DataError
from gridgis.hotspots.moran_i import QUADRANTS
from tests.hotspots.judges import CRS, band_weights, cell_set, fields


def test_three_by_three_by_hand() -> None:
    """Values 0 … 8 in reading order, rook neighbours, weights 1: z = −4 … 4, Σz² = 60, n = 9, S₀ = 24.

    Products along the 6 horizontal pairs: 12 + 6 + 2 | (−4·−3 = 12, −3·−2 = 6), (−1·0, 0·1), (2·3 = 6, 3·4 = 12): 36;
    along the 6 vertical pairs z·(z + 3): 4, 0, −2, −2, 0, 4: 4. I = 9/24 · 2·(36 + 4)/60 = 0.5.
    """
    values = np.arange(9).reshape(3, 3)
    assert hotspots.moran(cell_set((3, 3)), values, band_m=100, weights="binary").i == pytest.approx(0.5, abs=1e-12)


def test_a_chessboard_is_as_far_from_clustered_as_can_be() -> None:
    board = np.indices((6, 6)).sum(axis=0) % 2
    result = hotspots.moran(cell_set((6, 6)), board, band_m=100)
    assert result.i == pytest.approx(-1.0, abs=1e-12)
    assert {QUADRANTS[number] for number in result.quadrant.ravel()} == {"HL", "LH"}


def test_a_line_of_ten_by_hand() -> None:
    """Mean 0.4, Σz² = 2.4; of 9 pairs two are 1–1 (0.36), four 0–1 (−0.24), three 0–0 (0.16): sum 0.24; I = 10/18 · 2·0.24/2.4.

    gonum documents the same line with I = 0.1111 (stat/spatial, GlobalMoransI).
    """
    line = np.array([[0, 0, 0, 1, 1, 1, 0, 1, 0, 0]])
    assert hotspots.moran(cell_set((1, 10)), line, band_m=100, weights="binary").i == pytest.approx(1 / 9, abs=1e-12)


def test_crime_in_columbus_is_as_published() -> None:
    """Anselin 1988, Spatial Econometrics, table 12.1: 49 neighbourhoods; results as R's spdep documents them (`moran.test`,
    queen neighbours, row weights): I 0.500188557, expectation −0.020833333, variance 0.008689289, deviate 5.5894."""
    frame = gpd.read_file(libpysal.examples.get_path("columbus.shp")).set_index("POLYID").set_crs(CRS, allow_override=True)
    whole, local = hotspots.moran_polygons(frame, frame["CRIME"], neighbours=hotspots.touching(frame))
    assert whole.n == 49
    assert (round(whole.i, 9), round(whole.expected, 9), round(whole.variance, 9)) == (0.500188557, -0.020833333, 0.008689289)
    assert round(whole.z, 4) == 5.5894
    # the local statistics add up to the global one, scaled as PySAL does
    assert local["moran_i"].sum() == pytest.approx(48 * whole.i, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(fields(least=3))
def test_moran_equals_pysal_on_any_field_with_any_holes(case: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
    values, mask, band_m = case
    n = int(mask.sum())
    assume(n >= 4 and np.ptp(values[mask]) > 0)
    weights = band_weights(mask, band_m)
    assume(weights.s0 > 0)
    result = hotspots.moran(cell_set(mask), values, band_m=band_m)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        whole = esda.Moran(values[mask], weights, permutations=0)
        local = esda.Moran_Local(values[mask], weights, permutations=0)
        judged_z = (local.Is * n / (n - 1) - local.EIc) / np.sqrt(local.VIc)
    np.testing.assert_allclose([result.i, result.expected, result.whole.variance], [whole.I, whole.EI, whole.VI_rand], atol=1e-9)
    if whole.VI_rand > 1e-9:
        np.testing.assert_allclose([result.z, result.p], [whole.z_rand, whole.p_rand], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(result.local_i[mask], local.Is, atol=1e-9)
    meant = np.isfinite(judged_z) & (local.VIc > 1e-9) & (abs(local.z) > 1e-9)  # at the mean rounding decides
    np.testing.assert_allclose(result.local_z[mask][meant], judged_z[meant], rtol=1e-7, atol=1e-8)
    lag = libpysal.weights.lag_spatial(local.w, local.z)
    clear = (abs(lag) > 1e-9) & (abs(local.z) > 1e-9)  # on the line between quadrants rounding decides
    assert (result.quadrant[mask] == local.q)[clear].all()
    assert result.whole.islands == len(weights.islands)
    frame = cell_set(mask).frame({"value": values})
    again, apart = hotspots.moran_polygons(frame, frame["value"], band_m=band_m)
    np.testing.assert_allclose([again.i, again.variance], [result.i, result.whole.variance], atol=1e-9)
    np.testing.assert_allclose(apart["moran_z"], result.local_z[mask], rtol=1e-7, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_one_sided_neighbours_equal_pysal(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    places = gpd.GeoSeries(shapely.points(rng.random((40, 2)) * 1000).tolist(), crs=CRS).buffer(1)
    frame, values = gpd.GeoDataFrame(geometry=places), pd.Series(rng.poisson(4.0, 40).astype(float))
    centres = np.column_stack([frame.centroid.x, frame.centroid.y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = esda.Moran(values.to_numpy(), libpysal.weights.KNN(centres, k=k), permutations=0)
    whole, _ = hotspots.moran_polygons(frame, values, neighbours=hotspots.nearest(frame, k=k))
    np.testing.assert_allclose([whole.i, whole.variance, whole.z], [judge.I, judge.VI_rand, judge.z_rand], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(fields(least=3, most=8))
def test_weights_of_one_equal_pysal(case: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
    values, mask, band_m = case
    assume(mask.sum() >= 6 and np.ptp(values[mask]) > 0)
    weights = band_weights(mask, band_m)
    assume(weights.s0 > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = esda.Moran(values[mask], weights, permutations=0, transformation="B")
        local = esda.Moran_Local(values[mask], weights, permutations=0, transformation="B")
    binary = hotspots.moran(cell_set(mask), values, band_m=band_m, weights="binary")
    np.testing.assert_allclose([binary.i, binary.whole.variance], [whole.I, whole.VI_rand], atol=1e-9)
    np.testing.assert_allclose(binary.local_i[mask], local.Is, atol=1e-9)


def test_a_planted_cluster_and_an_outlier_get_their_names() -> None:
    rng = np.random.default_rng(1)
    values = rng.poisson(2.0, (20, 20)).astype(float)
    values[3:8, 3:8] += 15
    values[14:19, 14:19] = 3.0
    values[5, 5] = 0.0
    for permutations in (0, 999):
        frame = hotspots.moran(cell_set((20, 20)), values, band_m=150, permutations=permutations, fdr=permutations == 0).frame()
        assert frame.loc["r4c4", "class"] == "HH"
        assert frame.loc["r5c5", "class"] == "LH"
        assert frame.loc["r12c3", "class"] == "none"


def test_the_frame_names_its_columns_and_quadrants() -> None:
    frame = hotspots.moran(cell_set((4, 4)), np.arange(16).reshape(4, 4), band_m=100).frame()
    assert [*frame.columns] == ["count", "moran_i", "moran_z", "p_value", "q_value", "quadrant", "class", "geometry"]
    assert frame.loc[["r0c0", "r3c3"], "quadrant"].tolist() == ["LL", "HH"]


def test_permutation_of_the_map_and_of_neighbours_agree_with_theory() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20, 20))
    theory = hotspots.moran(cell_set((20, 20)), values, band_m=150)
    chance = hotspots.moran(cell_set((20, 20)), values, band_m=150, permutations=1999, rng=rng)
    assert chance.p == pytest.approx(theory.p, abs=0.04)
    assert abs(chance.local_p - theory.local_p).max() < 0.08
    again = hotspots.moran(cell_set((20, 20)), values, band_m=150, permutations=99)
    np.testing.assert_array_equal(again.local_p, hotspots.moran(cell_set((20, 20)), values, band_m=150, permutations=99).local_p)


def test_a_value_at_the_mean_is_on_neither_side_however_it_rounds() -> None:
    """0.1, 0.2, 0.3 in turn: the mean is 0.2 but for rounding; such a cell has I = 0 and p = 1 whatever lies around it."""
    values = (np.arange(36).reshape(6, 6) % 3 + 1) / 10 + 1000
    result = hotspots.moran(cell_set((6, 6)), values, band_m=142)
    middle = values == 1000.2
    assert middle.any()
    assert not result.local_i[middle].any()
    assert (result.local_p[middle] == 1).all()


def test_equal_values_and_lonely_cells_are_no_pattern() -> None:
    flat = hotspots.moran(cell_set((5, 5)), np.full((5, 5), 0.1), band_m=100, permutations=19)
    assert (flat.i, flat.z, flat.p) == (0.0, 0.0, 1.0)
    assert (flat.local_p == 1).all()
    assert not flat.klass.any()
    mask = np.zeros((5, 5), dtype=bool)
    mask[:2, :2] = mask[4, 4] = True
    lonely = hotspots.moran(cell_set(mask), np.arange(25).reshape(5, 5), band_m=100, permutations=19)
    assert lonely.whole.islands == 1
    assert (lonely.local_i[4, 4], lonely.local_p[4, 4], lonely.quadrant[4, 4]) == (0.0, 1.0, 0)


def test_too_few_cells_or_no_pair_of_neighbours_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="3 units"):
        hotspots.moran(cell_set((1, 3)), np.arange(3).reshape(1, 3), band_m=100)
    with pytest.raises(DataError, match="wider band"):
        hotspots.moran(cell_set((5, 5)), np.arange(25).reshape(5, 5), band_m=50)


def test_a_polygon_without_a_value_has_no_part() -> None:
    frame = cell_set((4, 4)).frame({"value": np.random.default_rng(3).random((4, 4))})
    values = frame["value"].drop("r1c1")
    whole, local = hotspots.moran_polygons(frame, values, band_m=100)
    rest, without = hotspots.moran_polygons(frame.drop("r1c1"), values, band_m=100)
    assert whole == rest
    assert pd.isna(local.loc["r1c1", "moran_i"])
    assert local.loc["r1c1", "quadrant"] == "none"
    pd.testing.assert_frame_equal(local.drop("r1c1"), without)
