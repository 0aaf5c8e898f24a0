"""Blocks a person can check with a pencil: streets of a raster, a dual carriageway, a roundabout, a house in the way, a lake."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridgis.blocks import CLASSES, BlockGrids, SizeClass, block_grids, cut_buildings, sheet
from gridgis.blocks.classes import sizes
from gridgis.blocks.network import close_gaps
from gridgis.errors import DataError

CRS = "EPSG:4547"
CODE = "420100001201"
X, Y = 500_000.0, 3_366_000.0


def square(*box: float) -> shapely.Polygon:
    return shapely.box(X + box[0], Y + box[1], X + box[2], Y + box[3])


def community(*box: float, code: str = CODE) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(index=[code], geometry=[square(*box)], crs=CRS)


def streets(*ways: list[tuple[float, float]], kinds: list[str] | None = None) -> gpd.GeoDataFrame:
    lines = [shapely.LineString(np.array(way) + np.array([X, Y])) for way in ways]
    return gpd.GeoDataFrame({"kind": kinds or ["residential"] * len(ways)}, geometry=gpd.GeoSeries(lines, crs=CRS), crs=CRS)


def houses(*boxes: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=gpd.GeoSeries([square(*box) for box in boxes], crs=CRS), crs=CRS)


def boxes(result: BlockGrids) -> list[list[float]]:
    return (result.cells.bounds - [X, Y, X, Y]).round(6).to_numpy().tolist()


def test_streets_of_a_raster_give_their_blocks_numbered_from_the_north_west() -> None:
    roads = streets([(100, -10), (100, 210)], [(-10, 100), (310, 100)], [(200, -10), (200, 210)])
    result = block_grids(community(0, 0, 300, 200), streets=roads)
    assert boxes(result) == [[0, 100, 100, 200], [100, 100, 200, 200], [200, 100, 300, 200],
                             [0, 0, 100, 100], [100, 0, 200, 100], [200, 0, 300, 100]]  # fmt: skip
    assert result.cells.index.tolist() == [f"{CODE}{number:03}" for number in range(1, 7)]
    score = result.sheet["share"]
    # five of the seven borders of 100 m between the six cells … all of them are streets
    assert result.sheet.loc["along_lines", ["kept", "of"]].tolist() == pytest.approx([700, 700])
    assert score["within_tenth"] == score["in_range"] == score["compact"] == 1.0


def test_a_street_that_stops_short_of_the_next_one_reaches_it() -> None:
    roads = streets([(100, 0), (100, 188)])
    result = block_grids(community(0, 0, 200, 200), streets=roads)
    assert len(result.cells) == 4  # two blocks of 2 ha, each halved; without the gap closed it would be one block of 4 ha
    assert sorted(box[2] for box in boxes(result))[:2] == [100.0] * 2


def test_a_street_is_not_carried_on_through_a_house() -> None:
    way = shapely.LineString([(0, 0), (50, 0)])
    other = shapely.LineString([(60, -20), (60, 20)])
    assert len(close_gaps(np.array([way, other]), np.array([]), np.array([shapely.box(53, -3, 57, 3)]))) == 0
    assert len(close_gaps(np.array([way, other]), np.array([]), np.array([shapely.box(53, 5, 57, 9)]))) == 1


def test_two_carriageways_are_one_border() -> None:
    roads = streets([(-10, 95), (310, 95)], [(-10, 107), (310, 107)], [(100, -10), (100, 95)], [(200, 107), (200, 210)],
                    [(150, 107), (150, 210)], [(150, -10), (150, 95)], kinds=["primary"] * 2 + ["residential"] * 4)  # fmt: skip
    result = block_grids(community(0, 0, 300, 200), streets=roads, buildings=houses((20, 20, 80, 80)))
    assert (2 * result.cells.area / result.cells.length > 20).all()  # no strip is left as a cell
    heights = {round(edge, 3) for box in boxes(result) for edge in (box[1], box[3])}
    assert heights <= {0, 95, 107, 200}
    # and it keeps to one carriageway all along
    assert len(heights & {95.0, 107.0}) == 1


def test_a_roundabout_is_no_cell() -> None:
    ring = shapely.get_coordinates(shapely.Point(150, 150).buffer(12)).tolist()
    roads = streets(ring, [(0, 150), (138, 150)], [(162, 150), (300, 150)], [(150, 0), (150, 138)], [(150, 162), (150, 300)])
    result = block_grids(community(0, 0, 300, 300), streets=roads)
    assert result.cells.area.min() > 5_000
    assert result.report.blocks == 4


def test_a_house_on_the_line_goes_whole_to_the_side_that_has_more_of_it() -> None:
    roads = streets([(100, -10), (100, 110)])
    home = houses((90, 40, 96, 60), (95, 70, 115, 80))  # the second one: a quarter in the west, the rest in the east
    dense = (SizeClass("all", 0.0, 1.0, 0.5, 1.5),)
    result = block_grids(community(0, 0, 200, 100), streets=roads, buildings=home, classes=dense)
    west, east = result.cells.geometry
    assert west.area == pytest.approx(10_000 - 5 * 10)
    assert shapely.intersection(east, home.geometry[1]).area == pytest.approx(200)
    assert len(result.cut_buildings) == 0


def test_a_large_block_is_cut_across_its_short_side_between_houses() -> None:
    # three rows of houses: gaps at x = 95–105 and everywhere between y = 40 and 60; the block is 200 m × 100 m
    home = houses(*[(x, y, x + 19, y + 40) for x in (1, 25, 50, 75, 105, 130, 155, 180) for y in (0, 60)])
    result = block_grids(community(0, 0, 200, 100), streets=streets([(-5, 0), (205, 0)]), buildings=home)
    assert len(result.cells) == 2
    assert 94 <= boxes(result)[0][2] <= 105
    assert (
        result.cells.geometry.map(lambda cell: len(shapely.remove_repeated_points(cell.simplify(0)).exterior.coords)).eq(5).all()
    )


def test_a_plot_line_comes_before_a_straight_cut() -> None:
    plots = gpd.GeoDataFrame(geometry=[square(0, 0, 108, 100), square(108, 0, 200, 100)], crs=CRS)
    result = block_grids(community(0, 0, 200, 100), streets=streets([(-5, 0), (205, 0)]), compounds=plots)
    assert sorted(box[2] for box in boxes(result)) == [108, 200]


def test_a_block_allows_the_tenth_where_whole_cells_fill_it() -> None:
    # 2.1 ha are two cells of 10,500 m²; of 1.5 ha neither one cell nor two can be made; the main street parts them
    roads = streets([(210, -10), (210, 110)], kinds=["primary"])
    report = block_grids(community(0, 0, 360, 100), streets=roads).report
    assert (report.allowed, report.allowed_tenth, report.within_tenth, report.first_class) == (2, 2, 2, 4)


def test_two_blocks_over_a_lesser_street_are_parted_anew_where_both_are_off() -> None:
    # 1.35 ha and 0.65 ha are two cells of 1 ha each with a border 35 m from the street; over a main street they are not
    kinds = {"residential": [10_000, 10_000], "primary": [6_500, 13_500]}
    for kind, sizes_m2 in kinds.items():
        result = block_grids(community(0, 0, 200, 100), streets=streets([(135, -10), (135, 110)], kinds=[kind]))
        assert sorted(result.cells.area.round()) == sizes_m2


def test_a_small_block_joins_across_the_lesser_street() -> None:
    roads = streets([(100, -10), (100, 110)], [(130, -10), (130, 110)], kinds=["primary", "residential"])
    result = block_grids(community(0, 0, 230, 100), streets=roads)
    assert sorted(box[2] for box in boxes(result)) == [100, 230]


def test_a_lake_is_kept_whole_however_large() -> None:
    lake = gpd.GeoDataFrame(geometry=[square(100, 100, 700, 700)], crs=CRS)
    result = block_grids(community(0, 0, 800, 800), streets=streets([(0, 50), (800, 50)]), water=lake)
    wet = result.cells[result.cells["klass"] == "water"]
    assert wet.area.tolist() == pytest.approx([360_000])


def test_an_area_of_three_parts_gets_cells_in_each() -> None:
    parts = shapely.MultiPolygon([square(0, 0, 100, 100), square(200, 0, 300, 100), square(400, 400, 420, 420)])
    areas = gpd.GeoDataFrame(index=[CODE], geometry=[parts], crs=CRS)
    result = block_grids(areas, streets=streets([(0, 50), (1, 50)]))
    assert sorted(result.cells.area.round()) == [400, 10_000, 10_000]  # the speck has no neighbour to join


def test_more_than_999_cells_are_refused_with_the_area_and_the_way_out() -> None:
    big = community(0, 0, 4_000, 4_000)
    with pytest.raises(DataError, match=r"420100001201: 1,[0-9]+.*--cell-code long"):
        block_grids(big, streets=streets(*[[(x, -9), (x, 4009)] for x in range(100, 4000, 100)],
                                         *[[(-9, y), (4009, y)] for y in range(100, 4000, 100)]))  # fmt: skip


def test_sizes_come_from_a_table_one_can_replace() -> None:
    rough = (SizeClass("all", 0.0, 4.0, 3.0, 5.0),)
    roads = streets([(100, -10), (100, 210)], [(-10, 100), (210, 100)])
    result = block_grids(community(0, 0, 200, 200), streets=roads, classes=rough)
    assert result.cells.area.tolist() == pytest.approx([40_000])
    assert result.cells["klass"].tolist() == ["all"]


def test_tables_that_do_not_work_are_refused() -> None:
    with pytest.raises(DataError, match="one class for land without buildings"):
        sizes((SizeClass("core", 0.2, 1, 0.5, 2),), 10_000)
    with pytest.raises(DataError, match='class "open"'):
        sizes((SizeClass("open", 0.0, 1, 2, 3),), 10_000)
    with pytest.raises(DataError, match="target area of 0"):
        sizes(CLASSES, 0)


def test_the_sheet_counts_what_one_counts_by_hand() -> None:
    # two cells of 100 m × 100 m and one of 200 m × 20 m under them, all of one community; a house across the first two
    cells = gpd.GeoDataFrame(
        {"area_code": CODE, "klass": "core"}, index=["1", "2", "3"], crs=CRS,
        geometry=[square(0, 20, 100, 120), square(100, 20, 200, 120), square(0, 0, 200, 20)])  # fmt: skip
    area = community(0, 0, 200, 120)
    home = houses((90, 50, 110, 60), (20, 50, 30, 60))
    scores = sheet(cells, area, buildings=home)
    assert scores.loc["seamless", "kept"] == 2  # the long one lacks the vertex at (100, 20)
    assert scores.loc["filled", "share"] == pytest.approx(1)
    assert scores.loc["buildings_whole", ["kept", "of"]].tolist() == [1, 2]
    assert scores.loc["in_range", ["kept", "of"]].tolist() == [2, 3]
    assert scores.loc["within_tenth", ["kept", "of"]].tolist() == [2, 3]
    assert scores.loc["compact", ["kept", "of"]].tolist() == [2, 3]  # 4π · 4000 / 440² = 0.26
    assert np.isnan(scores.loc["along_lines", "share"])
    cut = cut_buildings(cells, home, area, large_m2=15_000)
    assert cut.to_dict("index") == {0: {"cells": 2, "largest_share": pytest.approx(0.5), "reason": "avoidable"}}
    assert cut_buildings(cells, home, area, large_m2=100).loc[0, "reason"] == "large"
