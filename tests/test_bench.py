"""The bench's table: rows are checked, growth is computed, a missed bar is seen."""

from __future__ import annotations

import io
import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from rich.console import Console

from bench import __main__ as harness
from bench import blocks
from bench.table import checked, growth, plot, table

ROW = {
    "work": "cut cells",
    "us_s": 0.5,
    "peer": "overlay",
    "peer_s": 3.0,
    "ratio": 6.0,
    "bar": "≥ 5",
    "memory_mb": 90,
    "ok": True,
}


def text(made: object) -> str:
    console = Console(width=180, record=True, file=io.StringIO())
    console.print(made)
    return console.export_text()


def test_a_row_shows_its_numbers_and_a_missed_bar_stands_out() -> None:
    shown = text(table(checked([ROW, {"work": "write", "us_s": 21.0, "ok": False}], "grids")))
    assert "0.500" in shown
    assert "6.0" in shown
    assert "NO" in shown


@pytest.mark.parametrize("row", [{"work": "w", "ok": True}, {**ROW, "colour": "red"}])
def test_a_row_with_a_gap_or_a_word_too_much_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bench\.grids"):
        checked([row], "grids")


def test_growth_is_the_exponent_between_smallest_and_largest() -> None:
    # ten times the size in a hundred times the time is quadratic
    rows = [{"work": "w", "size": size, "us_s": seconds} for size, seconds in ((1000, 1.0), (10, 1e-4), (100, 1e-2))]
    made = growth(rows)
    assert made is not None
    assert "2.00" in text(made)
    assert growth([{"work": "w", "size": 10, "us_s": 1.0}]) is None


def test_one_broken_or_missed_benchmark_fails_the_run_and_the_others_still_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "ARTIFACTS", tmp_path)
    for rows, broken, code in (
        ([ROW], [], 0),
        ([ROW], ["store"], 1),
        ([{**ROW, "ok": False}], [], 1),
        ([{**ROW, "ok": None}], [], 0),
    ):
        monkeypatch.setattr(harness, "run_all", lambda names, *, quick, r=rows, b=broken: (checked(r, "grids"), b))
        assert harness.main([]) == code
        kept = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
        assert kept["rows"][0]["work"] == "cut cells"


def test_blocks_of_a_raster_are_judged_as_one_counts_them() -> None:
    # streets 90 m and 210 m from the west: blocks of 0.9, 1.2 and 0.9 ha, two of three within a tenth of a hectare
    areas = gpd.GeoDataFrame(index=["420100001201"], geometry=[shapely.box(0, 0, 300, 100)], crs=blocks.CRS)
    ways = [shapely.LineString([(x, -1), (x, 101)]) for x in (90, 210)]
    roads = gpd.GeoDataFrame({"kind": ["primary"] * 2}, geometry=ways, crs=blocks.CRS)
    found = {"areas": areas, "roads": roads, "water": roads[:0], "buildings": roads[:0]}
    rules, sizes = checked(blocks.town_rows("raster", found), "blocks")
    assert rules["size"] == 3
    assert rules["ok"]
    assert "100.0% in their class, 67% of dense ones" in str(sizes["work"])
    assert str(sizes["peer"]).endswith("67%")
    assert not sizes["ok"]  # no better than momepy's


def test_ten_times_the_time_is_a_bar_longer_by_eight() -> None:
    made = plot([{"work": "w", "size": size, "us_s": size / 1000} for size in (10, 100, 1000)])
    assert made is not None
    assert [len(str(bar)) for bar in made.columns[3].cells] == [1, 9, 17]
    assert plot([{"work": "w", "size": 10, "us_s": 1.0}]) is None
