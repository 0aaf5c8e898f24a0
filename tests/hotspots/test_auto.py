"""Parameters chosen by rule: the rule by hand, ties and outliers that change nothing, the reason in both languages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as holds
from hypothesis import strategies as st
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.hotspots.auto import BANDS, choose_band, choose_bandwidth, choose_cell, given, nice
from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.moran_i import moran
from gridgis.lattice import Lattice
from gridgis.text import LANGS


def grid(side: int) -> CellSet:
    return CellSet(Lattice.covering((0, 0, side * 100, side * 100), 100, "EPSG:4547"), np.ones((side, side), dtype=bool))


@pytest.fixture
def places() -> NDArray[np.float64]:
    return np.random.default_rng(7).uniform(0, 10_000, (800, 2))


def test_a_cell_holds_two_places_on_average(places: NDArray[np.float64]) -> None:
    # 100 km² · 2 / 800 places = 0.25 km²: 500 m
    assert choose_cell(*places.T, area_m2=1e8).value == 500


def test_a_thousand_points_on_one_spot_are_one_place(places: NDArray[np.float64]) -> None:
    stacked = np.concatenate([places, np.repeat(places[:1], 5000, axis=0), [[np.nan, 0.0]]])
    assert choose_cell(*stacked.T, area_m2=1e8) == choose_cell(*places.T, area_m2=1e8)
    bandwidth = choose_bandwidth(*stacked.T)
    assert bandwidth == choose_bandwidth(*places.T)


def test_there_are_never_more_cells_than_are_worth_computing() -> None:
    x, y = np.random.default_rng(1).uniform(0, 1000, (2, 5000))
    assert 1e12 / choose_cell(x, y, area_m2=1e12).value ** 2 <= 250_000
    few = choose_cell(x, y, area_m2=1e8, most_cells=100)
    assert 1e8 / few.value**2 <= 100
    assert "more cells than are worth computing" in few.message("en")
    assert choose_cell(x, y, area_m2=1e4).value == 10


@holds(st.floats(1.0, 1e7))
def test_a_nice_size_is_near_and_round(value: float) -> None:
    size = nice(value)
    assert 1 / 1.26 < size / value < 1.26
    assert f"{size:.1e}"[:3] in {"1.0", "1.5", "2.0", "2.5", "3.0", "4.0", "5.0", "7.5"}


def test_the_band_is_the_first_peak_of_morans_z() -> None:
    # blobs five cells wide among twenty: a band of two to three cells fits them
    rng = np.random.default_rng(3)
    counts = rng.poisson(1.0, (60, 60)).astype(float)
    for row, column in ((10, 10), (30, 40), (45, 15), (15, 45)):
        counts[row : row + 5, column : column + 5] += rng.poisson(8, (5, 5))
    cells = grid(60)
    z = [moran(cells, counts, band_m=band * 100).z for band in BANDS]
    peak = next(at for at in range(len(z) - 1) if z[at + 1] < z[at])
    assert z[peak] > 1.96
    found = choose_band(cells, counts)
    assert found.value == pytest.approx(BANDS[peak] * 100)
    assert "first peak" in found.message("en")


@pytest.mark.parametrize("counts", [np.zeros((9, 9)), np.full((9, 9), np.nan), np.arange(81.0).reshape(9, 9)])
def test_without_a_peak_the_band_is_three_cells(counts: NDArray[np.float64]) -> None:
    found = choose_band(grid(9), counts)
    assert found.value == 300
    assert found.values["neighbours"] == 28


def test_cells_that_have_no_neighbours_still_get_a_band() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[::4, ::4] = True
    cells = CellSet(grid(9).lattice, mask)
    assert choose_band(cells, np.arange(81.0).reshape(9, 9)).value == 300


def test_the_bandwidth_by_hand() -> None:
    # a square of four places: each 100·√2 from the centre, so SD = 141.42 < 141.42·1.2011; 0.9 · 141.42 · 4^(-1/5) = 96.46
    x, y = [0, 200, 0, 200], [0, 0, 200, 200]
    assert choose_bandwidth(x, y).value == pytest.approx(96)
    assert choose_bandwidth(x, y, kernel="gaussian").value == pytest.approx(float(f"{96.46 / math.sqrt(8):.1e}"))


def test_a_few_far_places_hardly_widen_it(places: NDArray[np.float64]) -> None:
    far = np.concatenate([places, [[1e6, 1e6], [-1e6, 1e6]]])
    assert choose_bandwidth(*far.T).value < 1.3 * choose_bandwidth(*places.T).value


def test_one_place_alone_gets_a_bandwidth_too() -> None:
    assert choose_bandwidth([5, 5, 5], [5, 5, 5]).value == 100


@pytest.mark.parametrize("lang", LANGS)
def test_every_reason_is_a_sentence_in_both_languages(lang: str, places: NDArray[np.float64]) -> None:
    x, y = places.T
    choices = [
        choose_cell(x, y, area_m2=1e8), choose_cell(x, y, area_m2=1e8, most_cells=9), choose_cell(x, y, area_m2=1e8, smooth_m=70),
        choose_cell(x, y, area_m2=1e8, smooth_m=70, most_cells=9), choose_band(grid(9), np.zeros((9, 9))), choose_bandwidth(x, y),
        choose_bandwidth(x, y, kernel="gaussian"), choose_bandwidth([1], [1]), given("cell_m", 50), given("band_m", 70.5),
        given("bandwidth_m", 1000),
    ]  # fmt: skip
    for choice in choices:
        said = choice.to_json()
        assert said["value"] == choice.value
        assert said[lang].endswith("。" if lang == "zh" else ".")
        assert "{" not in said[lang]
    assert [choice.chosen for choice in choices][-4:] == [True, False, False, False]


def test_nothing_to_choose_from_is_refused() -> None:
    with pytest.raises(DataError, match="Nothing to choose"):
        choose_cell([], [], area_m2=1e6)
    with pytest.raises(DataError, match="Nothing to choose"):
        choose_cell([1], [1], area_m2=0)
    with pytest.raises(DataError, match="Nothing to choose"):
        choose_bandwidth([], [])
