"""What cannot be balanced: each bound that fails is named with its units, and the nearest bounds offered have a plan."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridgis.balance import InfeasibleError, Units, balance, units_from
from gridgis.errors import DataError
from tests.balance.towns import CRS


def row(loads: Sequence[float], *, villages: str | None = None, gaps: Sequence[int] = ()) -> Units:
    """Squares in a row from west to east, with a gap before some places."""
    x = [100.0 * (i + sum(gap <= i for gap in gaps)) for i in range(len(loads))]
    frame = gpd.GeoDataFrame(
        {"households": loads, "village": list(villages or "v" * len(loads))},
        geometry=[shapely.box(left, 0, left + 100, 100) for left in x],
        index=[f"u{i}" for i in range(len(loads))],
        crs=CRS,
    )
    return units_from(frame, weights=["households"], groups=frame["village"])


def refusal(units: Units, **options: object) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as caught:
        balance(units, rng=np.random.default_rng(1), **options)  # type: ignore[arg-type]
    error = caught.value
    assert isinstance(error, DataError)
    for lang in ("zh", "en"):
        assert "{" not in error.message(lang)  # type: ignore[arg-type]
    low, high = error.values["nearest_low"], error.values["nearest_high"]
    plans = balance(units, rng=np.random.default_rng(1), **{**options, "low": low, "high": high})  # type: ignore[arg-type]
    assert plans.best.sheet.keeps_hard_rules
    return error


def near(error: InfeasibleError) -> tuple[object, object]:
    return error.values["nearest_low"], error.values["nearest_high"]


def test_one_unit_above_the_upper_bound() -> None:
    error = refusal(row([300, 620, 350]), low=200, high=500)
    assert error.key == "balance.unit_over"
    assert (error.values["unit"], error.values["load"]) == ("u1", 620.0)
    assert near(error) == (200, 620)


def test_a_village_whose_total_no_number_of_grids_fits() -> None:
    # 550 households: one grid would have 550 > 500, two 275 < 300
    error = refusal(row([275, 275, 400], villages="aab"), low=300, high=500)
    assert error.key == "balance.unsplittable"
    assert (error.values["place"], error.values["total"], error.values["fewer"], error.values["more"]) == ("a", 550.0, 1, 2)
    assert near(error) == (275, 500)  # 25/300 is a smaller change than 50/500 … 8.3 % against 10 %


def test_an_island_too_small_for_a_grid() -> None:
    error = refusal(row([200, 200, 90], gaps=[2]), low=150, high=400)
    assert error.key == "balance.too_small"
    assert error.values["total"] == 90.0
    assert "more place" not in error.message("en")
    assert near(error) == (90, 400)


def test_more_stations_than_grids() -> None:
    error = refusal(row([100, 100, 100, 100]), low=150, high=400, seeds=["u0", "u1", "u2"])
    assert error.key == "balance.few_grids"
    assert error.values["seeds"] == 3
    assert near(error)[0] == pytest.approx(400 / 3) or near(error)[0] == 100


def test_a_number_of_grids_outside_what_the_bounds_allow() -> None:
    error = refusal(row([100] * 12), k=9, low=200, high=400)
    assert error.key == "balance.k_range"
    assert (error.values["fewest"], error.values["most"]) == (3, 6)


def test_fewer_grids_than_pieces_of_ground_without_any_bounds() -> None:
    with pytest.raises(InfeasibleError) as caught:
        balance(row([100, 100, 100], gaps=[1, 2]), k=2, rng=np.random.default_rng(1))
    error = caught.value
    assert error.key == "balance.k_pieces"
    assert (error.values["fewest"], error.values["most"]) == (3, 3)
    assert "inf" not in error.message("en") + error.message("zh")


def test_totals_that_fit_while_no_cut_does_are_proved_impossible() -> None:
    # 3 × 100 = 300 fits two grids of 140 to 160 by its total; cut anywhere it is 100 and 200
    error = refusal(row([100, 100, 100]), low=140, high=160)
    assert error.key == "balance.impossible"
    assert near(error)[0] == 100


def test_several_things_that_fail_are_counted() -> None:
    error = refusal(row([50, 60, 300], villages="abc"), low=200, high=400)
    assert (error.key, error.values["others"]) == ("balance.too_small", 1)
    assert "(1 more place fails)" in error.message("en")
    assert "另有 1 处" in error.message("zh")
    assert near(error) == (50, 400)


def test_a_place_without_work_needs_a_lower_bound_of_nothing() -> None:
    units = row([0, 0, 300], villages="aac")
    error = refusal(units, low=200, high=400)
    assert error.key == "balance.too_small"
    assert near(error) == (0, 400)
    assert balance(units, k=2, rng=np.random.default_rng(1)).best.sheet.contiguous
