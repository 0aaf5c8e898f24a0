"""`gridgis hotspots`: the answers the issue shows, from files and from a workspace, in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import crime_sim_toolkit
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from gridgis import open_workspace, toy
from gridgis.cli import main
from gridgis.cli.hotspots import hotspots
from gridgis.text import Lang, t

EAST, NORTH = toy.ORIGIN
WEST_YORKSHIRE = Path(crime_sim_toolkit.__file__).parent / "tests" / "testing_data" / "test_policedata"
METHODS = ("density", "gi", "moran", "emerging", "compare", "score", "when")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an area of 1 km in degrees, and incidents of two years in degrees with times and kinds."""
    folder = tmp_path_factory.mktemp("town")
    area = gpd.GeoSeries([shapely.box(EAST, NORTH, EAST + 1000, NORTH + 1000)], crs=toy.CRS).to_crs(4326)
    gpd.GeoDataFrame({"code": ["T"]}, geometry=area.to_numpy(), crs=4326).to_file(folder / "area.geojson")
    for year, centre in ((2022, (250, 250)), (2023, (300, 250))):
        rng = np.random.default_rng(year)
        xy = np.concatenate([rng.uniform(5, 995, (300, 2)), np.clip(rng.normal(centre, 70, (300, 2)), 5, 995)])
        times = pd.Timestamp(f"{year}-01-01") + pd.to_timedelta(rng.integers(0, 364 * 24, 600), unit="h")
        places = gpd.GeoSeries(gpd.points_from_xy(xy[:, 0] + EAST, xy[:, 1] + NORTH), crs=toy.CRS).to_crs(4326)
        table = pd.DataFrame({"Longitude": places.x, "Latitude": places.y, "Date": times, "Type": rng.choice(["a", "b"], 600)})
        outside = pd.DataFrame({"Longitude": [0.0, 113.0], "Latitude": [0.0, 30.0], "Date": times[:2], "Type": "a"})
        pd.concat([table, outside, table.head(1).assign(Longitude=None)]).to_csv(folder / f"{year}.csv", index=False)
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    """The one JSON document a call prints."""
    assert main(["hotspots", *map(str, arguments), "--json", "--lang", "en"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    document: dict[str, Any] = json.loads(shown.out)
    return document


def test_gi_writes_the_layer_and_prints_the_document_of_the_contract(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = town / "hot.gpkg"
    document = said(capsys, "gi", town / "2022.csv", "--within", town / "area.geojson", "--cell-m", "100", "-o", out)
    assert document.keys() >= {"cells", "points_used", "points_left_out", "cell_m", "band_m", "hot", "cold", "reasons"}
    assert document["points_left_out"] == {"no_coordinates": 1, "zero_zero": 1, "outside": 1, "no_time": 0, "bad_time": 0}
    assert (document["points_used"], document["cell_m"], document["crs"], document["file"]) == (600, 100, "EPSG:4547", str(out))
    layer = gpd.read_file(out, layer="hotspots")
    assert list(layer.columns) == ["cell_id", "count", "gi_z", "p_value", "q_value", "class", "geometry"]
    assert (len(layer), int(layer["count"].sum())) == (document["cells"], 600)
    assert layer.crs == toy.CRS
    assert int((layer["class"] > 0).sum()) == document["hot"] > 0
    assert int((layer["class"] < 0).sum()) == document["cold"]
    assert layer.area.round(6).eq(10_000).all()


def overlapped(area: Path, start: int) -> int:
    """How many squares of 100 m with lines through `start` share ground with an area."""
    shape = gpd.read_file(area).to_crs(toy.CRS).geometry.iloc[0]
    lines = np.arange(-300, 1400, 100) + start
    boxes = shapely.box(*(side.ravel() for side in np.meshgrid(lines + EAST, lines + NORTH)),
                        *(side.ravel() for side in np.meshgrid(lines + EAST + 100, lines + NORTH + 100)))  # fmt: skip
    return int((shapely.intersects(shape, boxes) & ~shapely.touches(shape, boxes)).sum())


def test_every_option_of_the_test_is_heard(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("gi", town / "2022.csv", "--within", town / "area.geojson", "--cell-m", "100", "--band-m", "150")
    plain = said(capsys, *call)
    moved = said(capsys, *call, "--lattice-origin", "500050,3366050")
    for document, start in ((plain, 0), (moved, 50)):
        assert document["cells"] == overlapped(town / "area.geojson", start)
    assert (moved["lattice"]["x0"] % 100, moved["lattice"]["y0"] % 100) == (50, 50)
    assert plain["band_m"] == 150
    assert not plain["reasons"][1]["chosen"]
    permuted = said(capsys, *call, "--permutations", "99", "--seed", "7")
    assert (permuted["permutations"], permuted["seed"]) == (99, 7)
    bare = said(capsys, *call, "--no-fdr")
    assert bare["hot"] + bare["cold"] >= plain["hot"] + plain["cold"]
    assert not bare["fdr"]
    utm = said(capsys, *call, "--work-crs", "EPSG:32650")
    assert utm["crs"] == "EPSG:32650"
    named = said(capsys, *call, "--x", "Longitude", "--y", "Latitude", "--crs", "EPSG:4326")
    assert named["hot"] == plain["hot"]


def test_filters_narrow_what_is_looked_at(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("gi", town / "2022.csv", "--within", town / "area.geojson", "--cell-m", "100")
    table = pd.read_csv(town / "2022.csv", parse_dates=["Date"])[:600]
    some = said(
        capsys, *call, "--category", "A", "--from", "2022-03-01", "--to", "2022-06-30", "--hours", "22-5", "--weekdays", "6-7"
    )
    day = table["Date"]
    wanted = table["Type"].eq("a") & day.between("2022-03-01", "2022-06-30 23:59:59")
    wanted &= day.dt.hour.isin([22, 23, 0, 1, 2, 3, 4, 5]) & day.dt.day_of_week.ge(5)
    assert some["points_used"] == int(wanted.sum())
    assert some["points_filtered"] == 600 - int(wanted.sum())
    assert some["time"] == {"from": "2022-03-01", "to": "2022-06-30", "time_zone": "Asia/Shanghai"}


def test_density_is_a_geotiff_in_the_period(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = town / "heat.tif"
    call = ("density", town / "2022.csv", "--within", town / "area.geojson", "--cell-m", "20", "--bandwidth-m", "100")
    document = said(capsys, *call, "--kernel", "gaussian", "-o", out)
    assert (document["kernel"], document["bandwidth_m"]) == ("gaussian", 100)
    with rasterio.open(out) as band:
        assert band.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert band.res == (20, 20)
        assert float(np.nanmax(band.read(1))) == pytest.approx(document["max"], rel=1e-6)


def test_emerging_compare_score_and_when_answer_likewise(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    within = ("--within", town / "area.geojson", "--cell-m", "100", "--band-m", "150")
    emerging = said(capsys, "emerging", town / "2022.csv", *within, "--period", "month", "-o", town / "trend.gpkg")
    layer = gpd.read_file(town / "trend.gpkg", layer="hotspots")
    assert (emerging["periods"], emerging["period"]) == (12, "month")
    assert layer["pattern"].value_counts().to_dict() == {name: count for name, count in emerging["patterns"].items() if count}
    two = (town / "2022.csv", town / "2023.csv")
    compared = said(capsys, "compare", *two, *within, "-o", town / "change.gpkg")
    assert compared["stayed"] > 0
    assert compared["before"]["points_used"] == compared["after"]["points_used"] == 600
    assert gpd.read_file(town / "change.gpkg")["change"].eq("stayed").sum() == compared["stayed"]
    scored = said(capsys, "score", *two, *within, "--share", "5", "--share", "20", "-o", town / "curve.csv")
    assert [row["share"] for row in scored["shares"]] == [0.05, 0.2]
    assert scored["hot"]["pai"] > 1.5
    when = said(capsys, "when", town / "2022.csv", "-o", town / "when.csv")
    # all 602 rows with a place, for no area was given; 0/0 is none
    assert sum(when["by_hour"]) == pytest.approx(when["points_used"]) == pytest.approx(601)


def test_a_map_made_before_is_taken_as_it_is(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    within = ("--within", town / "area.geojson", "--cell-m", "100", "--band-m", "150")
    said(capsys, "gi", town / "2022.csv", *within, "-o", town / "before.gpkg")
    direct = said(capsys, "score", town / "2022.csv", town / "2023.csv", *within)
    kept = said(capsys, "score", town / "before.gpkg", town / "2023.csv", "--within", town / "area.geojson")
    assert kept["shares"] == direct["shares"]
    assert kept["hot"] == direct["hot"]


def test_west_yorkshire_from_start_to_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = WEST_YORKSHIRE / "2017-07" / "2017-07-west-yorkshire-street.csv"
    document = said(capsys, "gi", file, "-o", tmp_path / "wy.csv")
    placed = int(pd.read_csv(file)["Longitude"].notna().sum())
    assert (document["points_total"], document["points_used"]) == (28_537, placed)
    table = pd.read_csv(tmp_path / "wy.csv")
    assert table["count"].sum() == placed
    assert document["hot"] == int((table["class"] > 0).sum()) > 0


def test_a_workspace_is_looked_at_by_every_method(miaoling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for method in ("gi", "moran", "density", "emerging", "when"):
        document = said(capsys, method, "-w", miaoling)
        assert document["method"] == method
        assert document["synthetic"]
        assert document["points_total"] == document["points_used"] + sum(document["points_left_out"].values())
    for method in ("compare", "score"):
        assert said(capsys, method, "-w", miaoling, "--split", "2012-08-01")["synthetic"]
    rates = said(capsys, "gi", "-w", miaoling, "--rates", "residents", "-o", tmp_path / "rates.gpkg")
    assert rates["rates"]["per"] == 1000
    assert "rate_smoothed" in gpd.read_file(tmp_path / "rates.gpkg")
    grids = said(capsys, "gi", "-w", miaoling, "--on", "grids", "-o", tmp_path / "grids.gpkg")
    assert len(gpd.read_file(tmp_path / "grids.gpkg", layer="hotspots")) == grids["polygons"]
    assert said(capsys, "moran", "-w", miaoling, "--on", "villages")["polygons"] == 16
    assert said(capsys, "density", "-w", miaoling, "--against", "residents")["against"]["of"] == "residents"


def test_hours_are_those_of_the_workspace_unless_told_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "town.gpkg"
    assert main(["demo", "-w", str(file)]) == 0
    capsys.readouterr()
    here = said(capsys, "when", "-w", file)
    with open_workspace(str(file)) as opened, opened.write(who="test", why="zone") as write:
        write.set_setting("time_zone", "Asia/Tokyo")
    tokyo, shanghai = said(capsys, "when", "-w", file), said(capsys, "when", "-w", file, "--time-zone", "Asia/Shanghai")
    assert (here["zone"], tokyo["zone"]) == ("Asia/Shanghai", "Asia/Tokyo")
    # the clocks there are an hour ahead
    assert tokyo["by_hour"] == pytest.approx([here["by_hour"][-1], *here["by_hour"][:-1]])
    assert shanghai["by_hour"] == here["by_hour"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_people_get_a_sentence_and_tables(miaoling: Path, capsys: pytest.CaptureFixture[str], method: str, lang: Lang) -> None:
    capsys.readouterr()
    extra = ["--split", "2012-08-01"] if method in {"compare", "score"} else []
    assert main(["hotspots", method, "-w", str(miaoling), "--lang", lang, *extra]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0].endswith("。" if lang == "zh" else ".")
    assert re.search(r"\d", lines[0])
    assert bool(re.search("[\u4e00-\u9fff]", lines[0])) == (lang == "zh")
    assert len(lines) > 5
    assert lines[-1] == t("general.synthetic", lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_method_has_help(capsys: pytest.CaptureFixture[str], lang: str) -> None:
    assert tuple(hotspots.places) == METHODS
    for method in METHODS:
        assert main(["hotspots", method, "--help", "--lang", lang]) == 0
        assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gi", "FILE", "-w", "town.gpkg"], 2, "either a file of points or a workspace"),
        (["gi", "-w", "nowhere.gpkg", "--within", "FILE"], 2, "--within"),
        (["gi", "FILE", "--rates", "residents"], 2, "--base"),
        (["gi", "FILE", "--base", "FILE"], 2, "--rates"),
        (["gi", "FILE", "--lattice-origin", "5"], 2, "two numbers"),
        (["gi", "FILE", "--hours", "25"], 2, "0 to 23"),
        (["compare", "FILE"], 2, "--split"),
        (["gi", "FILE", "--on", "FILE", "--cell-m", "50"], 2, "--cell-m"),
        (["gi", "FILE", "-o", "out.png"], 1, "out.png"),
        (["gi", "missing.csv"], 1, "missing.csv"),
        (["gi", "FILE", "--category", "c"], 1, "There are: a, b"),
        (["gi", "FILE", "--time", "nope", "--from", "2022-01-01"], 1, "nope"),
        (["emerging", "FILE", "--period", "fortnight"], 1, "fortnight"),
        (["gi", "FILE", "--time-zone", "Mars/Base"], 1, "Mars/Base"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    line = [str(town / "2022.csv") if part == "FILE" else part for part in arguments]
    assert main(["hotspots", *line, "--json", "--lang", "en"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert list(tmp_path.iterdir()) == []
