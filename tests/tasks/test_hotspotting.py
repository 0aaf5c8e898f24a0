"""Hot spots of files and workspaces: every row accounted for, and every figure found again by another way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import crime_sim_toolkit
import esda
import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from gridgis import sample, toy
from gridgis.errors import CrsError, DataError
from gridgis.hotspots import false_discovery, two_sided_p
from gridgis.store import Workspace
from gridgis.tasks import (
    hotspot_bases,
    hotspot_heat,
    hotspot_maps,
    hotspot_pairs,
    hotspot_polygons,
    hotspot_results,
    hotspot_series,
)
from gridgis.tasks.hotspotting import FileColumns, Filters, from_file, from_workspace, gi, lay, moran
from tests.support import shared

NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
EAST, NORTH = toy.ORIGIN
WEST_YORKSHIRE = Path(crime_sim_toolkit.__file__).parent / "tests" / "testing_data" / "test_policedata"


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """A square of 1 km on whole kilometres."""
    file = tmp_path / "area.gpkg"
    box = shapely.box(EAST, NORTH, EAST + 1000, NORTH + 1000)
    gpd.GeoDataFrame({"code": ["A"], "name": ["square"]}, geometry=[box], crs=toy.CRS).to_file(file)
    return file


def points_file(folder: Path, rows: list[tuple[Any, Any, Any]], name: str = "points.csv") -> Path:
    """x, y (metres from the toy town's origin; text as it is) and a time."""

    def moved(value: Any, origin: float) -> Any:
        return value if isinstance(value, str) else value + origin

    table = pd.DataFrame([(moved(x, EAST), moved(y, NORTH), when) for x, y, when in rows], columns=["x", "y", "occurred_at"])
    file = folder / name
    table.to_csv(file, index=False)
    return file


METRES = FileColumns(crs=toy.CRS)


# --- which points count ----------------------------------------------------------------------------------------------


def test_every_row_that_is_not_used_is_counted_under_its_reason(tmp_path: Path, area: Path) -> None:
    file = points_file(
        tmp_path,
        [
            (50, 50, "2024-03-01 10:00"), (50, 50, "2024-03-01 10:00"), (950, 950, "2024-03-02"),
            ("", 50, "2024-03-01"), ("unknown", 50, "2024-03-01"), (-EAST, -NORTH, "2024-03-01"), (1500, 50, "2024-03-01"),
            (60, 60, ""), (70, 70, "2024-02-30"), (80, 80, "2031-01-01"), (90, 90, "1830-01-01"),
        ],
    )  # fmt: skip
    read = from_file(file, within=area, columns=METRES, times=True, now=NOW)
    told = lay(read, cell_m=100).to_json()
    assert told["points_left_out"] == {"no_coordinates": 2, "zero_zero": 1, "outside": 1, "no_time": 1, "bad_time": 3}
    assert (told["points_total"], told["points_used"], told["duplicates"]) == (11, 3, 1)
    # a method that needs no time uses what has none
    untimed = lay(from_file(file, within=area, columns=METRES, now=NOW), cell_m=100).to_json()
    assert untimed["points_used"] == 7
    assert untimed["points_left_out"]["no_time"] == untimed["points_left_out"]["bad_time"] == 0


def test_points_on_an_edge_count_once_and_those_on_the_outer_edge_are_told(tmp_path: Path, area: Path) -> None:
    inner = [(x, y, "2024-01-01") for x in range(0, 1000, 100) for y in range(0, 1000, 100)]
    laid = lay(from_file(points_file(tmp_path, [*inner, (1000, 500, "2024-01-01")]), within=area, columns=METRES), cell_m=100)
    assert (laid.counts == 1).all()
    told = laid.to_json()
    assert (told["cells"], told["points_used"], told["points_left_out"]["outside"], told["points_total"]) == (100, 100, 1, 101)


def test_filters_choose_and_say_how_many_they_passed_over(tmp_path: Path, area: Path) -> None:
    hours = [(50, 50, f"2024-03-0{day} {hour:02d}:30") for day in (1, 2, 3) for hour in (3, 12, 23)]
    file = points_file(tmp_path, hours)

    def chosen(**filters: Any) -> tuple[int, int]:
        found = from_file(file, within=area, columns=METRES, filters=Filters(**filters), now=NOW)
        return len(found.points), found.filtered

    assert chosen() == (9, 0)
    assert chosen(since=dt.date(2024, 3, 2)) == (6, 3)
    assert chosen(until=dt.date(2024, 3, 2)) == (6, 3)
    assert chosen(hours=(23, 3)) == (6, 3)
    assert chosen(weekdays=(5,)) == (3, 6)  # 1 March 2024 is a Friday
    assert chosen(since=dt.date(2024, 3, 2), until=dt.date(2024, 3, 2), hours=(12,)) == (1, 8)
    with pytest.raises(DataError, match="No incident is left"):
        chosen(since=dt.date(2024, 5, 1))


def test_when_nothing_is_left_the_error_says_why(tmp_path: Path, area: Path) -> None:
    file = points_file(tmp_path, [(5000, 50, ""), ("", 50, ""), (6000, 50, "")])
    with pytest.raises(DataError, match=r"of 3 rows 3 could not be used \(no_coordinates: 1, outside: 2\)"):
        from_file(file, within=area, columns=METRES)


def test_days_and_hours_are_those_of_the_time_zone(tmp_path: Path, area: Path) -> None:
    file = points_file(tmp_path, [(50, 50, "2024-03-01T20:00:00Z"), (50, 50, "2024-03-02 04:00")])
    filters = Filters(since=dt.date(2024, 3, 2), hours=(4,), time_zone="Asia/Shanghai")
    assert len(from_file(file, within=area, columns=METRES, filters=filters, now=NOW).points) == 2


def test_weights_are_added_up(tmp_path: Path, area: Path) -> None:
    file = tmp_path / "weighted.csv"
    pd.DataFrame({"x": [EAST + 50, EAST + 60], "y": [NORTH + 50] * 2, "n": [2.5, 4]}).to_csv(file, index=False)
    laid = lay(from_file(file, within=area, columns=FileColumns(crs=toy.CRS, weight="n")), cell_m=100)
    assert laid.counts.sum() == 6.5
    assert laid.used == 2


def test_without_an_area_cells_lie_around_the_points(tmp_path: Path) -> None:
    laid = lay(from_file(points_file(tmp_path, [(50, 50, ""), (450, 250, "")]), columns=METRES), cell_m=100)
    assert laid.cells.lattice.shape == (3, 5)
    assert laid.counts.sum() == 2


def test_lattice_lines_run_through_the_origin(tmp_path: Path, area: Path) -> None:
    read = from_file(points_file(tmp_path, [(50, 50, "")]), within=area, columns=METRES)
    assert lay(read, cell_m=100).cells.size == 100
    moved = lay(read, cell_m=100, origin=(EAST + 30, NORTH + 40))
    assert moved.cells.size == 121
    assert (moved.cells.lattice.x0 - EAST) % 100 == 30


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (FileColumns(crs=toy.CRS, time="when"), "when"),
        (FileColumns(crs=toy.CRS, category="kind"), "kind"),
        (FileColumns(crs=toy.CRS, x="lon", y="lat"), "lon"),
        (FileColumns(), "--crs"),
    ],
)
def test_a_column_or_a_system_that_is_not_there_is_named(tmp_path: Path, area: Path, columns: FileColumns, words: str) -> None:
    file = points_file(tmp_path, [(50, 50, "2024-01-01")])
    with pytest.raises((DataError, CrsError), match=words):
        from_file(file, within=area, columns=columns)


def test_degrees_are_recognised_and_computed_in_the_areas_system(tmp_path: Path, area: Path) -> None:
    metres = from_file(points_file(tmp_path, [(50, 50, ""), (950, 250, "")]), within=area, columns=METRES)
    degrees = gpd.GeoSeries(gpd.points_from_xy(metres.points.x, metres.points.y), crs=toy.CRS).to_crs(4490)
    file = tmp_path / "degrees.csv"
    pd.DataFrame({"经度": degrees.x, "纬度": degrees.y}).to_csv(file, index=False)
    found = from_file(file, within=area)
    assert found.points.crs == metres.points.crs
    assert np.allclose(found.points.x, metres.points.x, atol=1e-3)


# --- Gi* and Moran ---------------------------------------------------------------------------------------------------


def again(file: Path, band_m: float) -> gpd.GeoDataFrame:
    """Gi* of a written layer, found again by PySAL from the squares and counts in the file."""
    layer = gpd.read_file(file, layer="hotspots")
    centres = np.column_stack([layer.geometry.centroid.x, layer.geometry.centroid.y])
    near = libpysal.weights.DistanceBand(centres, band_m * (1 + 1e-9), binary=True, silence_warnings=True)
    judge = esda.G_Local(layer["count"].astype(float), near, transform="B", star=True, permutations=0)
    return layer.assign(judge_z=judge.Zs)


def test_a_written_layer_is_what_pysal_finds_in_it(tmp_path: Path) -> None:
    read = from_file(WEST_YORKSHIRE / "2018-07" / "2018-07-west-yorkshire-street.csv", filters=Filters(categories=("burglary",)))
    report = gi(read, cell_m=2000, band_m=4500)
    out = hotspot_results.write_result(report, tmp_path / "out.gpkg")
    layer = again(out, 4500)
    assert list(layer.columns[:6]) == ["cell_id", "count", "gi_z", "p_value", "q_value", "class"]
    np.testing.assert_allclose(layer["gi_z"], layer["judge_z"], atol=1e-9)
    np.testing.assert_allclose(layer["p_value"], two_sided_p(layer["judge_z"].to_numpy()), atol=1e-9)
    np.testing.assert_allclose(layer["q_value"], false_discovery(layer["p_value"].to_numpy()), atol=1e-12)
    hot = (layer["q_value"] < 0.1) & (layer["gi_z"] > 0)
    assert ((layer["class"] > 0) == hot).all()
    assert report.to_json()["hot"] == int(hot.sum()) > 0
    # the counts are those of a spatial join
    points = gpd.GeoSeries(gpd.points_from_xy(read.points.x, read.points.y), crs=layer.crs).to_frame("geometry")
    joined = gpd.sjoin(points, layer[["cell_id", "geometry"]], predicate="within")["cell_id"].value_counts()
    assert joined.reindex(layer["cell_id"], fill_value=0).tolist() == layer["count"].tolist()


def test_west_yorkshire_has_its_ties_and_its_rows_without_a_place() -> None:
    found = gi(from_file(WEST_YORKSHIRE / "2018-07" / "2018-07-west-yorkshire-street.csv")).to_json()
    assert found["points_total"] == 31_635
    assert found["points_left_out"]["no_coordinates"] == 883
    assert found["points_used"] == 31_635 - 883
    assert found["stacked"] > 20_000
    assert found["hot"] > 0
    assert [reason["parameter"] for reason in found["reasons"]] == ["cell_m", "band_m"]
    assert all(reason["chosen"] for reason in found["reasons"])


def test_permutations_with_the_same_seed_give_the_same_p(tmp_path: Path, area: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [(x, y, "") for x, y in np.concatenate([rng.uniform(0, 1000, (200, 2)), rng.normal(250, 40, (100, 2))]).tolist()]
    read = from_file(points_file(tmp_path, rows), within=area, columns=METRES)
    one, same, other = (gi(read, cell_m=100, band_m=150, permutations=99, seed=seed).result.p for seed in (4, 4, 5))
    assert np.array_equal(one, same, equal_nan=True)
    assert not np.array_equal(one, other, equal_nan=True)


def test_too_few_permutations_for_so_many_cells_are_told(tmp_path: Path, area: Path) -> None:
    read = from_file(points_file(tmp_path, [(10 * x, 500, "") for x in range(1, 90)]), within=area, columns=METRES)
    few, enough, none = (gi(read, cell_m=100, band_m=150, permutations=number) for number in (99, 1999, 0))
    # 100 cells, p at least 0.01: a single cell has q = 1, and ten of them 0.1
    assert "at least 10 of them" in few.to_json()["notes"][0]
    assert few.to_json()["notes"][0] in few.explanation("en")
    assert enough.to_json()["notes"] == none.to_json()["notes"] == []


def test_moran_of_a_file_is_pysals(tmp_path: Path, area: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [(x, y, "") for x, y in np.clip(rng.normal(500, 200, (500, 2)), 1, 999).tolist()]
    report = moran(from_file(points_file(tmp_path, rows), within=area, columns=METRES), cell_m=100, band_m=150)
    near = libpysal.weights.lat2W(10, 10, rook=False)
    judge = esda.Moran(report.laid.counts.ravel(), near, transformation="r", permutations=0)
    told = report.to_json()
    assert (told["i"], told["expected"], told["z"]) == pytest.approx((judge.I, judge.EI, judge.z_rand), abs=1e-9)
    assert told["quadrants"]["HH"] == int((report.frame()["class"] == "HH").sum()) > 0
    assert "cluster" in report.message("en")


# --- rates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def miaoling(ws: Workspace) -> Workspace:
    layers = sample.miaoling()
    with ws.write(who="test", why="sample") as write:
        write.set_crs(layers["areas"].crs)
        write.set_info(name="Miaoling", synthetic=True)
        for name in ("areas", "grids", "stations", "buildings", "incidents"):
            write.upsert(name, layers[name])
    return ws


def test_a_workspace_gives_its_incidents_areas_and_residents(miaoling: Workspace) -> None:
    read = from_workspace(miaoling)
    assert read.synthetic
    base = hotspot_bases.base_of_workspace(miaoling, "residents", read)
    laid = lay(read, cell_m=500)
    report = gi(laid, band_m=1000, base=base)
    told = report.to_json()
    people = hotspot_bases.base_per_cell(base, laid.cells)
    buildings = miaoling.read("buildings")
    assert people.sum() == pytest.approx(buildings["population"].sum())
    frame = report.frame()
    shown = laid.cells.take(people) >= 5
    assert frame["rate"].notna().tolist() == shown.tolist()
    counts = frame["count"].to_numpy()
    assert frame["rate"][shown].tolist() == pytest.approx(
        (1000 * counts / np.maximum(laid.cells.take(people), 1))[shown].tolist()
    )
    assert set(frame["no_rate"].dropna()) <= {"empty", "suppressed"}
    assert told["rates"]["of"] == "residents"
    assert told["rates"]["suppressed_cells"] == int((frame["no_rate"] == "suppressed").sum())
    # a cell without a rate is not judged
    assert frame["gi_z"].notna().tolist() == shown.tolist()


def test_one_area_of_a_workspace(miaoling: Workspace) -> None:
    village = miaoling.read("areas").query("level == 'village'").index[0]
    some, every = from_workspace(miaoling, filters=Filters(area=village)), from_workspace(miaoling)
    assert 0 < len(some.points) < len(every.points)
    assert some.report.left_out["outside"] == every.report.used - some.report.used
    with pytest.raises(DataError, match="999"):
        from_workspace(miaoling, filters=Filters(area="999"))
    with pytest.raises(DataError, match="There are: "):
        from_workspace(miaoling, filters=Filters(categories=("no such thing",)))


def test_an_empty_workspace_says_what_to_do(ws: Workspace) -> None:
    with pytest.raises(DataError, match="gridgis import incidents"):
        from_workspace(ws)


def test_polygons_with_counts_are_spread_by_area_and_rasters_by_share(tmp_path: Path, area: Path) -> None:
    read = from_file(points_file(tmp_path, [(50, 50, "")]), within=area, columns=METRES)
    laid = lay(read, cell_m=100)
    halves = [shapely.box(EAST, NORTH, EAST + 500, NORTH + 1000), shapely.box(EAST + 500, NORTH, EAST + 1000, NORTH + 1000)]
    file = tmp_path / "people.gpkg"
    gpd.GeoDataFrame({"population": [500, 1000]}, geometry=halves, crs=toy.CRS).to_file(file)
    people = hotspot_bases.base_per_cell(hotspot_bases.base_of_file(file, "residents", read), laid.cells)
    assert np.allclose(people, np.repeat([[10.0] * 5 + [20.0] * 5], 10, axis=0))
    tif = tmp_path / "people.tif"
    place = rasterio.Affine(500.0, 0.0, EAST, 0.0, -500.0, NORTH + 1000)
    form = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "float32", "crs": toy.CRS, "transform": place}
    with rasterio.open(tif, "w", **form) as out:
        out.write(np.full((2, 2), 250.0, dtype=np.float32), 1)
    assert np.allclose(hotspot_bases.base_per_cell(hotspot_bases.base_of_file(tif, "residents", read), laid.cells), 10.0)
    with pytest.raises(DataError, match="raster"):
        hotspot_bases.base_of_file(tif, "households", read)


def test_hot_spots_of_management_grids_are_pysals(miaoling: Workspace) -> None:
    grids = hotspot_polygons.polygons_of_workspace(miaoling, "grids")
    report = hotspot_polygons.on_polygons(from_workspace(miaoling), grids, on="grids")
    frame = report.frame()
    near = libpysal.weights.Queen.from_dataframe(grids.reset_index(), use_index=False, silence_warnings=True)
    judge = esda.G_Local(frame["count"].to_numpy(float), near, transform="B", star=True, permutations=0)
    np.testing.assert_allclose(frame["gi_z"], judge.Zs, atol=1e-9)
    assert frame["count"].sum() == report.used > 0
    told = report.to_json()
    assert told["points_used"] + sum(told["points_left_out"].values()) == told["points_total"]
    assert told["reasons"][0]["parameter"] == "neighbours"


def test_rates_of_villages_divide_by_what_their_buildings_hold(miaoling: Workspace) -> None:
    read = from_workspace(miaoling)
    villages = hotspot_polygons.polygons_of_workspace(miaoling, "villages")
    base = hotspot_bases.base_of_workspace(miaoling, "buildings", read)
    report = hotspot_polygons.on_polygons(read, villages, method="moran", base=base, on="villages")
    houses = gpd.sjoin(miaoling.read("buildings").set_geometry(miaoling.read("buildings").representative_point()), villages)
    number = houses.groupby(houses.columns[houses.columns.str.startswith("index_") | (houses.columns == "code")][0]).size()
    frame = report.frame()
    assert frame["rate"].to_numpy() == pytest.approx((1000 * frame["count"] / number.reindex(frame.index)).to_numpy(), rel=0.01)
    assert report.whole is not None
    assert report.to_json()["i"] == report.whole.i


def test_polygons_of_a_file_count_a_point_on_their_border_once(tmp_path: Path, area: Path) -> None:
    file = tmp_path / "strips.gpkg"
    strips = [shapely.box(EAST + x, NORTH, EAST + x + 200, NORTH + 1000) for x in range(0, 1000, 200)]
    gpd.GeoDataFrame({"code": list("abcde"), "name": list("ABCDE")}, geometry=strips, crs=toy.CRS).to_file(file)
    rows = [(200, 500, ""), (400, 500, ""), *[(450, 10 * y, "") for y in range(1, 9)]]
    read = from_file(points_file(tmp_path, rows), within=area, columns=METRES)
    report = hotspot_polygons.on_polygons(read, hotspot_polygons.polygons_of_file(file, read), band_m=250)
    assert report.counts.to_dict() == {"a": 1, "b": 1, "c": 8, "d": 0, "e": 0}
    assert report.frame().index.tolist() == list("abcde")


# --- density, time, pairs --------------------------------------------------------------------------------------------


def test_a_density_map_adds_up_to_its_points_and_is_a_tiled_geotiff(tmp_path: Path, area: Path) -> None:
    rng = np.random.default_rng(2)
    rows = [(x, y, "") for x, y in rng.uniform(300, 700, (50, 2)).tolist()]
    report = hotspot_heat.heat(from_file(points_file(tmp_path, rows), within=area, columns=METRES), cell_m=10, bandwidth_m=200)
    # all kernels lie inside the square, so nothing is corrected and nothing lost
    assert np.nansum(report.values) * 1e-4 == pytest.approx(50, rel=1e-3)
    out = hotspot_results.write_result(report, tmp_path / "heat.tif")
    with rasterio.open(out) as band:
        assert band.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_allclose(band.read(1), report.values, rtol=1e-6)
        assert band.units == ("km-2",)


def test_adaptive_kernels_are_quartic(tmp_path: Path, area: Path) -> None:
    read = from_file(points_file(tmp_path, [(50, 50, ""), (400, 500, "")]), within=area, columns=METRES)
    assert hotspot_heat.heat(read, cell_m=50, adaptive=True).to_json()["adaptive"]
    with pytest.raises(DataError, match="quartic"):
        hotspot_heat.heat(read, cell_m=50, adaptive=True, kernel="gaussian")


def test_emerging_counts_whole_months_and_says_what_it_dropped(tmp_path: Path, area: Path) -> None:
    rng = np.random.default_rng(9)
    days = pd.date_range("2023-01-01", "2023-12-31 23:00", freq="h").to_numpy()
    picked = rng.choice(days, 4000)
    rows = [(x, y, str(day)[:16]) for (x, y), day in zip(rng.uniform(0, 1000, (4000, 2)).tolist(), picked, strict=True)]
    file = points_file(tmp_path, [*rows, (10, 10, "2024-01-01 00:30")])
    read = from_file(file, within=area, columns=METRES, times=True, now=NOW)
    told = hotspot_series.emerging(read, cell_m=100, band_m=150).to_json()
    assert (told["periods"], told["first_period"], told["last_period"]) == (12, "2023-01", "2023-12")
    assert told["points_left_out"]["incomplete_period"] == 1
    assert told["points_used"] + sum(told["points_left_out"].values()) == told["points_total"]
    assert sum(told["patterns"].values()) == told["cells"] == 100
    # noise: hardly any pattern
    assert told["hot"] + told["cold"] <= 1


def test_when_needs_times(tmp_path: Path, area: Path) -> None:
    file = points_file(tmp_path, [(50, 50, "2024-03-01 08:15"), (50, 50, "2024-03-02 22:00")])
    with pytest.raises(DataError):
        hotspot_series.when(from_file(file, within=area, columns=METRES))
    report = hotspot_series.when(from_file(file, within=area, columns=METRES, times=True))
    assert [report.found.by_hour["count"][hour] for hour in (8, 22)] == [1, 1]
    table = report.frame()
    assert table.groupby("table")["count"].sum().tolist() == [2, 2, 2, 2]
    assert hotspot_results.write_result(report, tmp_path / "when.xlsx").exists()


def clustered(seed: int, centre: tuple[float, float], number: int = 300) -> list[tuple[float, float, str]]:
    rng = np.random.default_rng(seed)
    both = np.concatenate([rng.uniform(0, 999, (200, 2)), np.clip(rng.normal(centre, 60, (number, 2)), 0, 999)])
    return [(x, y, "") for x, y in both.tolist()]


def test_a_hot_spot_that_moves_appears_and_vanishes(tmp_path: Path, area: Path) -> None:
    old = points_file(tmp_path, clustered(1, (250, 250)), "old.csv")
    new = points_file(tmp_path, clustered(2, (750, 750)), "new.csv")
    pair = hotspot_pairs.read_pair(old, new, within=area, columns=METRES)
    report = hotspot_maps.compare_maps(*hotspot_pairs.maps_of(*pair, cell_m=100, band_m=150))
    told = report.to_json()
    assert told["appeared"] > 3
    assert told["vanished"] > 3
    assert told["stayed"] == 0
    frame = report.frame()
    south_west = frame.cx[EAST : EAST + 400, NORTH : NORTH + 400]
    assert "appeared" not in set(south_west["change"])
    assert frame["change"].value_counts()["appeared"] == told["appeared"]
    # the same from files of hot spots
    files = []
    for name, read in zip(("old", "new"), pair, strict=True):
        assert not isinstance(read, hotspot_maps.HotSpotMap)
        files.append(hotspot_results.write_result(gi(read, cell_m=100, band_m=150), tmp_path / f"{name}.gpkg"))
    again = hotspot_maps.compare_maps(*hotspot_pairs.maps_of(*hotspot_pairs.read_pair(*files))).to_json()
    assert [again[name] for name in ("changes", "kappa", "similarity_nearby")] == [
        told[name] for name in ("changes", "kappa", "similarity_nearby")
    ]


def test_maps_of_different_extents_are_matched_by_where_their_cells_lie(tmp_path: Path) -> None:
    one = gi(from_file(points_file(tmp_path, clustered(1, (250, 250)), "a.csv"), columns=METRES), cell_m=100, band_m=150)
    shifted = [(x + 300, y - 200, when) for x, y, when in clustered(1, (250, 250))]
    two = gi(from_file(points_file(tmp_path, shifted, "b.csv"), columns=METRES), cell_m=100, band_m=150)
    report = hotspot_maps.compare_maps(hotspot_maps.HotSpotMap.of(one), hotspot_maps.HotSpotMap.of(two))
    first, second = one.frame(), two.frame()
    key = [frame.geometry.bounds[["minx", "miny"]].apply(tuple, axis=1) for frame in (first, second)]
    theirs = dict(zip(key[1], second["class"], strict=True))
    expected = {place: (klass, theirs[place]) for place, klass in zip(key[0], first["class"], strict=True) if place in theirs}
    found = report.frame()
    corners = found.geometry.bounds[["minx", "miny"]].apply(tuple, axis=1)
    assert dict(zip(corners, zip(found["before"], found["after"], strict=True), strict=True)) == expected


def test_maps_on_other_lattices_are_refused(tmp_path: Path, area: Path) -> None:
    read = from_file(points_file(tmp_path, clustered(1, (250, 250))), within=area, columns=METRES)
    maps = [hotspot_maps.HotSpotMap.of(gi(read, cell_m=cell, band_m=300, origin=origin))
            for cell, origin in ((100, None), (50, None), (100, (EAST + 30, NORTH)))]  # fmt: skip
    for other in maps[1:]:
        with pytest.raises(DataError, match="different lattices"):
            hotspot_maps.compare_maps(maps[0], other)


def test_a_period_split_in_two_is_scored_on_what_came_later(tmp_path: Path, area: Path) -> None:
    old = [(x, y, "2024-01-15") for x, y, _ in clustered(1, (250, 250))]
    new = [(x, y, "2024-02-15") for x, y, _ in clustered(2, (250, 250))]
    read = from_file(points_file(tmp_path, old + new), within=area, columns=METRES, times=True, now=NOW)
    before, after = hotspot_pairs.split(read, dt.date(2024, 2, 1))
    assert (len(before.points), len(after.points)) == (len(old), len(new))
    earlier, _ = hotspot_pairs.maps_of(before, after, cell_m=100, band_m=150)
    report = hotspot_maps.score_map(earlier, after)
    told = report.to_json()
    hot = earlier.klass > 0
    inside = lay(after, cells=earlier.cells).counts
    assert told["incidents"] == len(new)
    assert told["hot"]["hits"] == inside[hot].sum()
    assert told["hot"]["pai"] == pytest.approx((inside[hot].sum() / len(new)) / (hot.sum() / 100))
    assert told["hot"]["pei"] > 0.9
    curve = pd.read_csv(hotspot_results.write_result(report, tmp_path / "curve.csv"))
    assert curve.columns.tolist() == ["area_share", "hit_rate", "best"]
    with pytest.raises(DataError, match="--split"):
        hotspot_pairs.split(read, dt.date(2030, 1, 1))


# --- files and real runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".parquet", ".fgb", ".csv", ".xlsx", ".tif"])
def test_gi_is_written_in_every_format_its_ending_names(tmp_path: Path, area: Path, ending: str) -> None:
    report = gi(from_file(points_file(tmp_path, clustered(1, (250, 250))), within=area, columns=METRES), cell_m=100, band_m=150)
    out = tmp_path / f"out{ending}"
    hotspot_results.check_output(out, "gi")
    hotspot_results.write_result(report, out)
    assert out.stat().st_size > 500


def test_what_cannot_be_written_is_refused_beforehand(tmp_path: Path, ws: Workspace) -> None:
    with pytest.raises(DataError, match=r"out\.png"):
        hotspot_results.check_output(tmp_path / "out.png", "gi")
    with pytest.raises(DataError, match=r"heat\.gpkg"):
        hotspot_results.check_output("heat.gpkg", "density")
    with pytest.raises(DataError, match="workspace"):
        hotspot_results.check_output(ws.info.url, "gi")


def test_nyc_thefts_hold_their_hot_spots_in_the_following_years() -> None:
    read = from_file(
        shared("nyc_vehicle_thefts/nycvehiclethefts.parquet"), within=shared("nyc_vehicle_thefts/borough.geojson"), times=True,
        columns=FileColumns(time="date_start", time_end="date_end"), filters=Filters(time_zone="America/New_York"),
    )  # fmt: skip
    assert len(read.points) == 35_746
    before, after = hotspot_pairs.split(read, dt.date(2016, 1, 1))
    earlier, _ = hotspot_pairs.maps_of(before, after, cell_m=500)
    told = hotspot_maps.score_map(earlier, after).to_json()
    assert told["hot"]["pai"] > 2
    assert told["area_under_curve"] > 0.7


def test_chicago_homicides_are_read_as_the_city_writes_them() -> None:
    read = from_file(
        shared("chicago_homicides/chicago-homicides-2001-2018.csv"), times=True,
        within=shared("chicago_homicides/chicago-community-areas.geojson"), filters=Filters(time_zone="America/Chicago"),
    )  # fmt: skip
    told = gi(read, cell_m=500).to_json()
    assert told["points_total"] == 9265
    assert told["points_used"] + sum(told["points_left_out"].values()) == 9265
    assert told["hot"] > 50
    raw = pd.read_csv(shared("chicago_homicides/chicago-homicides-2001-2018.csv"))
    assert read.points.start is not None
    hours = read.points.start.tz_convert("America/Chicago").hour
    first = pd.to_datetime(raw["Date"], format="%m/%d/%Y %I:%M:%S %p").dt.hour.to_numpy()
    # the index is the row of the file, its header being 1
    assert (first[np.asarray(read.points.index) - 2] == np.asarray(hours)).all()


@pytest.mark.parametrize("heading", ["发生时间", "Date", "timestamp", "date_single", "Incident Date"])
def test_times_are_found_by_their_heading(tmp_path: Path, area: Path, heading: str) -> None:
    file = points_file(tmp_path, [(50, 50, "2024-03-01 08:15")])
    pd.read_csv(file).rename(columns={"occurred_at": heading}).to_csv(file, index=False)
    read = from_file(file, within=area, columns=METRES, times=True, now=NOW)
    assert read.points.start is not None
    assert str(read.points.start[0]) == "2024-03-01 00:15:00+00:00"


def test_a_file_without_times_says_which_columns_it_has(tmp_path: Path, area: Path) -> None:
    file = points_file(tmp_path, [(50, 50, "2024-03-01 08:15")])
    pd.read_csv(file).rename(columns={"occurred_at": "remark"}).to_csv(file, index=False)
    with pytest.raises(DataError, match=r"--time.*remark"):
        from_file(file, within=area, columns=METRES, times=True)
