"""Coverage against independent judges: a plain count of square metres, GeographicLib, and the toy town by hand."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis import toy
from gridgis.blindspots import blind_spots
from gridgis.counts import from_buildings
from gridgis.coverage import Measure, coverage, villages_covered
from gridgis.errors import CrsError
from gridgis.ground import ground
from gridgis.operation import in_operation, opening_dates
from tests.support import shared

X, Y = toy.ORIGIN


def box(left: float, bottom: float, right: float, top: float) -> shapely.Polygon:
    return shapely.box(X + left, Y + bottom, X + right, Y + top)


def frame(*shapes: shapely.Geometry | None) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(index=[f"g{i}" for i in range(len(shapes))], geometry=list(shapes), crs=toy.CRS)


TOWN = toy.areas().iloc[:1]
spans = st.tuples(st.integers(-5, 40), st.integers(1, 20)).map(lambda span: (span[0], span[0] + span[1]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(spans, spans), max_size=8))
def test_area_equals_a_count_of_squares_whatever_overlaps_or_sticks_out(
    boxes: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    seen = np.zeros((30, 40), dtype=bool)
    shapes = []
    for (left, right), (bottom, top) in boxes:
        seen[max(bottom, 0) : max(top, 0), max(left, 0) : max(right, 0)] = True
        shapes.append(box(10 * left, 10 * bottom, 10 * right, 10 * top))
    answer = coverage(TOWN, frame(*shapes)).figures[toy.TOWN]["area"]
    assert answer.covered == pytest.approx(100 * seen.sum(), rel=1e-7)
    assert answer.total == pytest.approx(120_000, rel=1e-7)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_grids_does_not_matter_and_a_repeated_grid_adds_nothing(boxes, random) -> None:  # type: ignore[no-untyped-def]
    shapes = [box(10 * left, 10 * bottom, 10 * right, 10 * top) for (left, right), (bottom, top) in boxes]
    people = from_buildings(toy.buildings(), "population")
    first = coverage(TOWN, frame(*shapes), population=people).figures[toy.TOWN]
    twice = shapes * 2
    random.shuffle(twice)
    second = coverage(TOWN, frame(*twice), population=people).figures[toy.TOWN]
    assert second["area"].covered == pytest.approx(first["area"].covered, rel=1e-9)
    assert second["population"] == first["population"]


def test_covered_area_is_geodesic_as_geographiclib_measures_it() -> None:
    areas = gpd.read_file(shared("beijing_subdistricts/haidian-all.geojson")).to_crs(4548)
    some = areas.iloc[:9]
    total = gpd.GeoDataFrame({"name": ["all"]}, index=["all"], geometry=[areas.union_all()], crs=areas.crs)
    answer = coverage(total, some).figures["all"]["area"]
    ellipsoid = Geodesic(6378137, 1 / 298.257222101)

    def geodesic(shape: shapely.Geometry) -> float:
        flat = gpd.GeoSeries([shape], crs=4548).to_crs(4490)
        found = 0.0
        for part in shapely.get_parts(flat.to_numpy()):
            for sign, ring in [(1, part.exterior), *((-1, hole) for hole in part.interiors)]:
                polygon = ellipsoid.Polygon()
                for lon, lat in list(ring.coords)[:-1]:
                    polygon.AddPoint(lat, lon)
                found += sign * abs(polygon.Compute()[2])
        return found

    assert answer.covered == pytest.approx(geodesic(some.union_all().intersection(total.geometry.iloc[0])), rel=1e-9)
    assert answer.total == pytest.approx(geodesic(total.geometry.iloc[0]), rel=1e-9)


def test_a_bow_tie_counts_both_its_wings() -> None:
    bow = shapely.Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)])
    answer = coverage(TOWN, frame(bow))
    assert answer.figures[toy.TOWN]["area"].covered == pytest.approx(5_000, rel=1e-7)
    assert answer.ground.repaired.index.tolist() == ["g0"]


def test_null_empty_and_flat_grids_cover_nothing_and_are_named() -> None:
    flat = shapely.Polygon([(X, Y), (X + 10, Y), (X + 20, Y)])
    answer = coverage(TOWN, frame(None, shapely.Polygon(), flat, box(0, 0, 10, 10)))
    assert answer.ground.without_ground == ("g0", "g1", "g2")
    assert answer.figures[toy.TOWN]["area"].covered == pytest.approx(100, rel=1e-7)


def test_overlaps_and_excess_are_reported_by_grid_and_square_metres() -> None:
    found = ground(frame(box(0, 0, 100, 100), box(60, 0, 160, 100), box(350, 0, 450, 100)), within=TOWN)
    assert found.overlaps[["first", "second"]].to_numpy().tolist() == [["g0", "g1"]]
    assert found.overlaps["area_m2"].iloc[0] == pytest.approx(4_000, rel=1e-6)
    assert found.outside.round(2).to_dict() == {"g2": 5_000}


def test_grids_that_cover_everything_cover_exactly_all() -> None:
    people = from_buildings(toy.buildings(), "population")
    for measure in coverage(toy.areas(), toy.grids(), population=people).table().query("covered.notna()").itertuples():
        assert measure.share == 1


def test_a_point_on_a_common_border_is_in_one_village_and_not_lost() -> None:
    edge = gpd.GeoDataFrame({"population": [7]}, geometry=[shapely.Point(X + 250, Y + 100)], crs=toy.CRS)
    figures = coverage(toy.areas(), toy.grids(), population=from_buildings(edge, "population")).figures
    assert [figures[code]["population"].total for code in toy.areas().index] == [7, 7, 0]


@pytest.mark.parametrize(("covered_houses", "is_covered"), [(2, False), (3, True)])
def test_a_natural_village_is_covered_from_more_than_half_of_its_houses(covered_houses: int, is_covered: bool) -> None:
    houses = frame(*[box(20 * i, 0, 20 * i + 10, 10) for i in range(4)])
    village = frame(box(0, 0, 80, 10))
    opened = ground(frame(box(0, 0, 20 * covered_houses - 5, 10)))
    status = villages_covered(village, opened, buildings=houses)
    assert status["covered"].tolist() == [is_covered]
    assert status["rule"].tolist() == ["buildings"]


def test_a_natural_village_without_houses_is_judged_by_its_ground() -> None:
    village = frame(box(0, 0, 100, 100))
    assert not villages_covered(village, ground(frame(box(0, 0, 50, 100))))["covered"].iloc[0]
    assert villages_covered(village, ground(frame(box(0, 0, 51, 100))))["covered"].iloc[0]


def test_percent_is_half_up_and_share_unrounded() -> None:
    told = Measure("people", 6429, 40000).to_json()
    assert (told["percent"], told["share"]) == (16.1, 0.160725)
    assert Measure("people", 1, 2000).to_json()["percent"] == 0.1
    assert Measure("people", 0, 0, reason="coverage.nothing_to_cover").to_json()["percent"] is None


def test_degrees_are_refused() -> None:
    with pytest.raises(CrsError):
        coverage(TOWN.to_crs(4490), toy.grids().to_crs(4490))


# --- in operation ----------------------------------------------------------------------------------------------------

DAY = dt.date(2012, 6, 1)
BEFORE, AFTER = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("row", "running"),
    [
        ({}, True),  # neither date nor station: open while valid
        ({"state": "draft"}, False),
        ({"state": "void"}, False),
        ({"state": "valid", "opened_on": DAY}, True),
        ({"opened_on": AFTER}, False),
        ({"station": "open"}, True),
        ({"station": "planned"}, False),
        ({"station": "nobody knows"}, False),
        ({"station": "planned", "opened_on": BEFORE}, True),  # its own date counts before its station's
        ({"station": "open", "opened_on": AFTER}, False),
        ({"valid_from": DAY}, True),
        ({"valid_from": AFTER}, False),
        ({"valid_to": DAY}, False),  # half-open
        ({"valid_to": AFTER}, True),
    ],
)
def test_a_grid_is_in_operation_by_state_validity_and_opening(row: dict[str, object], running: bool) -> None:
    columns = ("state", "opened_on", "station", "valid_from", "valid_to")
    grids = pd.DataFrame([{name: row.get(name) for name in columns}], index=["g"], dtype=object)
    stations = pd.DataFrame({"opened_on": [DAY, None]}, index=["open", "planned"], dtype=object)
    assert in_operation(grids, stations, as_of=DAY).tolist() == [running]
    bare = grids.dropna(axis="columns")
    assert in_operation(bare, stations, as_of=DAY).tolist() == [running], "columns that are missing say nothing"


def test_opening_dates_are_those_of_grids_and_stations_each_once() -> None:
    grids = pd.DataFrame({"station": ["a", "b", None], "opened_on": [None, None, AFTER], "state": ["valid", "valid", "valid"]})
    stations = pd.DataFrame({"opened_on": [DAY, DAY, BEFORE]}, index=["a", "b", "c"])
    assert opening_dates(grids, stations) == [BEFORE, DAY, AFTER]


# --- blind spots -----------------------------------------------------------------------------------------------------


def test_blind_ground_is_what_lies_outside_and_keeps_its_people() -> None:
    villages = frame(box(0, 0, 100, 100), box(200, 0, 300, 100)).assign(name=["A", "B"], area_code=[toy.WEST, toy.EAST])
    opened = ground(frame(box(0, 0, 60, 300)))
    people = from_buildings(toy.buildings(), "population")
    blind = blind_spots(
        opened, toy.areas().iloc[1:], natural_villages=villages, buildings=toy.buildings(), population=people
    )  # fmt: skip
    ground_m2 = blind[blind["kind"] == "natural_village"].set_index("code")["area_m2"]
    assert ground_m2.round(1).to_dict() == {"g0": 4_000, "g1": 10_000}
    assert blind["population"].sum() == 36 - 12
    assert shapely.area(shapely.intersection(blind.union_all(), opened.pieces.union_all())) == 0


def test_without_built_up_ground_the_areas_themselves_are_blind() -> None:
    blind = blind_spots(ground(toy.grids().iloc[:2]), toy.areas().iloc[1:])
    assert blind[["kind", "code"]].to_numpy().tolist() == [["area", toy.EAST]]
    assert blind["area_m2"].round(1).tolist() == [45_000]
    assert blind["population"].isna().all()
