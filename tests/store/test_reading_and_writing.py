"""Rows go in and come out the same, in both stores; what is wrong is refused with nothing written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st

import gridgis
from gridgis import toy
from gridgis.errors import Cancelled, CrsError, DataError, GridgisError, WorkspaceError
from gridgis.store import Counts, Workspace
from tests.store.frames import X0, Y0, brute_force, cells, same_frames


@pytest.fixture
def workspace(workspace_url: str) -> Iterator[Workspace]:
    with gridgis.create_workspace(workspace_url, crs=toy.CRS) as made:
        yield made


def put(workspace: Workspace, layer: str, frame: pd.DataFrame, **options: Any) -> Counts:
    with workspace.write(who="Li", why="test") as write:
        return write.upsert(layer, frame, **options)


def test_the_toy_town_comes_back_as_it_went_in(workspace: Workspace) -> None:
    frames = {"areas": toy.areas(), "grids": toy.grids(), "stations": toy.stations(), "buildings": toy.buildings()}
    for layer, frame in frames.items():
        assert put(workspace, layer, frame) == Counts(inserted=len(frame))
        same_frames(workspace.read(layer), frame)
        assert workspace.count(layer) == len(frame)
        assert workspace.bounds(layer) == tuple(frame.total_bounds)


def test_boxes_hold_their_shapes_in_the_order_of_reading(workspace: Workspace) -> None:
    frame = toy.stations()
    frame.loc["S1", "geometry"] = None  # a row without geometry has no box
    put(workspace, "stations", frame)
    put(workspace, "buildings", toy.buildings())
    for layer in ("stations", "buildings"):
        exact = workspace.read(layer).geometry.dropna().bounds.to_numpy()
        boxes = workspace.boxes(layer)
        assert boxes.shape == exact.shape
        assert (boxes[:, :2] <= exact[:, :2]).all()
        assert (boxes[:, 2:] >= exact[:, 2:]).all()
        np.testing.assert_allclose(boxes, exact, rtol=0, atol=0.5)
    assert workspace.boxes("grids").shape == (0, 4)


def test_every_kind_of_value_comes_back_with_its_type(workspace: Workspace) -> None:
    frame = gpd.GeoDataFrame(
        {
            "id": ["a", "b", "c"],
            "occurred_at": pd.to_datetime(
                ["2012-03-01T08:30:15.123+08:00", None, "1999-12-31T23:59:59.999+00:00"], utc=True, format="ISO8601"
            ),
            "category": ["矛盾纠纷", None, "<b>x</b> 'quoted' \"double\""],
            "priority": [1, 2, None],
            "tags": [["a", "b"], None, {"k": 1}],
        },
        geometry=[shapely.Point(X0, Y0), None, shapely.Point()],
        crs=toy.CRS,
    )
    put(workspace, "incidents", frame)
    read = workspace.read("incidents")
    assert read["occurred_at"].tolist()[0] == pd.Timestamp("2012-03-01T00:30:15.123Z")
    assert read["occurred_at"].isna().tolist() == [False, True, False]
    assert read["category"].tolist()[::2] == frame["category"].tolist()[::2]
    assert read["priority"].tolist()[:2] == [1, 2]
    assert read["tags"].tolist() == [["a", "b"], None, {"k": 1}]
    assert [shape is None for shape in read.geometry] == [False, True, True]  # an empty shape is none
    villages = cells(2, 1)[["geometry"]].assign(name="n", buildings=[3, 4], population=[1.5, None])
    put(workspace, "natural_villages", villages)
    again = workspace.read("natural_villages")
    assert (again["buildings"].dtype, again["population"].dtype) == (np.dtype("int64"), np.dtype("float64"))
    put(workspace, "stations", toy.stations())
    assert workspace.read("stations")["opened_on"].tolist() == [dt.date(2012, 3, 1), None]


def test_multi_part_and_third_dimension_are_kept_and_dropped(workspace: Workspace) -> None:
    two = shapely.union_all([shapely.box(X0, Y0, X0 + 1, Y0 + 1), shapely.box(X0 + 5, Y0, X0 + 6, Y0 + 1)])
    one = shapely.MultiPolygon([shapely.box(X0, Y0, X0 + 1, Y0 + 1)])
    high = shapely.force_3d(shapely.box(X0, Y0, X0 + 2, Y0 + 2), 7.0)
    frame = gpd.GeoDataFrame({"id": ["two", "one", "high"]}, geometry=[two, one, high], crs=toy.CRS)
    put(workspace, "buildings", frame)
    read = workspace.read("buildings").geometry
    assert shapely.equals_identical(read["two"], two)
    assert shapely.equals_identical(read["one"], one.geoms[0])
    assert shapely.equals_identical(read["high"], shapely.force_2d(high))
    points = gpd.GeoDataFrame({"id": ["p"], "name": ["x"]}, geometry=[shapely.MultiPoint([(X0, Y0), (X0 + 1, Y0)])], crs=toy.CRS)
    put(workspace, "places", points)
    assert workspace.read("places").geometry["p"].equals(points.geometry[0])
    lines = gpd.GeoDataFrame({"id": ["r"]}, geometry=[shapely.LineString([(X0, Y0), (X0 + 1, Y0)])], crs=toy.CRS)
    put(workspace, "roads", lines)
    assert shapely.equals_identical(workspace.read("roads").geometry["r"], lines.geometry[0])
    water = gpd.GeoDataFrame({"id": ["l", "s"]}, geometry=[lines.geometry[0], two], crs=toy.CRS)
    put(workspace, "water", water)
    assert workspace.read("water").geom_type.tolist() == ["LineString", "MultiPolygon"]


def test_an_upsert_updates_by_key_and_leaves_what_it_does_not_name(workspace: Workspace) -> None:
    put(workspace, "buildings", toy.buildings().assign(colour="red"))
    revision = workspace.revision
    part = pd.DataFrame({"id": ["B01", "B02", "B99"], "population": [9, 3, 5]})
    with pytest.raises(DataError, match="B99"):  # a new building needs a shape
        put(workspace, "buildings", part)
    assert workspace.revision == revision
    assert put(workspace, "buildings", part[:2]) == Counts(updated=1, unchanged=1)
    read = workspace.read("buildings")
    assert read.loc["B01", ["population", "households", "colour"]].tolist() == [9, 1, "red"]
    assert shapely.equals_identical(read.geometry["B01"], toy.buildings().geometry["B01"])
    assert workspace.revision == revision + 1


def test_writing_the_same_again_changes_nothing(workspace: Workspace) -> None:
    for layer, frame in {"grids": toy.grids(), "buildings": toy.buildings()}.items():
        put(workspace, layer, frame)
        revision, entries = workspace.revision, len(workspace.log())
        assert put(workspace, layer, frame) == Counts(unchanged=len(frame))
        assert put(workspace, layer, workspace.read(layer)) == Counts(unchanged=len(frame))
        assert (workspace.revision, len(workspace.log())) == (revision, entries)


def test_replace_makes_all_rows_or_the_matching_ones_give_way(workspace: Workspace) -> None:
    west, east = cells(30, 20), cells(30, 20, area=toy.EAST, mark=2.0)
    with workspace.write(who="Li", why="build") as write:
        assert write.replace("unit_cells", pd.concat([west, east])) == Counts(inserted=1200)
    with workspace.write(who="Li", why="rebuild") as write:
        counts = write.replace("unit_cells", cells(10, 5, area=toy.EAST, mark=3.0), where={"area_code": toy.EAST})
    assert counts == Counts(inserted=50, deleted=600)
    read = workspace.read("unit_cells")
    same_frames(read[read["area_code"] == toy.WEST], west)
    same_frames(read[read["area_code"] == toy.EAST], cells(10, 5, area=toy.EAST, mark=3.0))
    with pytest.raises(DataError) as refused, workspace.write(who="Li", why="wrong") as write:
        write.replace("unit_cells", west, where={"area_code": toy.EAST})
    assert refused.value.key == "store.key_taken"
    with workspace.write(who="Li", why="empty") as write:
        assert write.replace("unit_cells", west[:0]) == Counts(deleted=650)
    assert workspace.count("unit_cells") == 0
    assert workspace.bounds("unit_cells") is None
    assert workspace.log(layer="unit_cells")["after"].iloc[-1]["deleted"] == 650


def test_columns_and_conditions_choose(workspace: Workspace) -> None:
    put(workspace, "grids", toy.grids().assign(colour=["red", None, "blue"]))
    assert workspace.read("grids", columns=["officer", "colour"]).columns.tolist() == ["officer", "colour", "geometry"]
    assert workspace.read("grids", where={"area_code": toy.WEST}).index.tolist() == ["G1", "G2"]
    assert workspace.read("grids", where={"code": ["G3", "G1"], "station": "S2"}).index.tolist() == ["G3"]
    assert workspace.read("grids", where={"batch": None}).index.tolist() == ["G1", "G2", "G3"]
    assert workspace.read("grids", where={"officer": []}).empty
    assert workspace.count("grids", where={"officer": ["Li", None]}) == 1
    assert workspace.count("grids", where={"code": [f"X{n}" for n in range(3000)] + ["G2"]}) == 1
    table = workspace.table("grids", columns=["name"])
    assert (table.columns.tolist(), table.loc["G2", "name"]) == (["name"], "Grid 2")
    for wrong in ({"columns": ["nope"]}, {"where": {"nope": 1}}):
        with pytest.raises(DataError) as refused:
            workspace.read("grids", **wrong)  # type: ignore[arg-type]
        assert refused.value.key == "store.unknown_column"
    with pytest.raises(DataError, match="no layer nope"):
        workspace.read("nope")


def test_a_box_gives_the_rows_whose_boxes_meet_it(workspace: Workspace) -> None:
    rng = np.random.default_rng(7)
    low = rng.uniform(0, 10_000, (3000, 2)) + toy.ORIGIN
    high = low + rng.uniform(0, 300, (3000, 2))
    frame = gpd.GeoDataFrame(
        {"id": [f"b{n}" for n in range(3000)]}, geometry=shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]), crs=toy.CRS
    )
    with workspace.write(who="t", why="t") as write:
        write.replace("buildings", frame)
    frame = frame.set_index("id")
    boxes = [(X0 + x, Y0 + y, X0 + x + size, Y0 + y + size) for x, y, size in rng.uniform(0, 5000, (20, 3))]
    boxes += [tuple(frame.geometry["b7"].bounds), (0, 0, 1, 1), tuple(frame.total_bounds)]
    for box in boxes:
        assert sorted(workspace.read("buildings", bbox=box).index) == brute_force(frame, box)


def test_boxes_touch_exactly_at_their_edges(workspace: Workspace) -> None:
    put(workspace, "grids", toy.grids())
    edge = X0 + 150  # the border of G1 and G2
    sliver = (edge + 0.001, Y0 + 10, edge + 0.002, Y0 + 11)
    assert workspace.read("grids", bbox=(edge, Y0, edge, Y0)).index.tolist() == ["G1", "G2"]
    assert workspace.read("grids", bbox=sliver).index.tolist() == ["G2"]


def test_settings_and_information_are_kept_and_logged(workspace: Workspace) -> None:
    with workspace.write(who="Li", why="set up") as write:
        write.set_setting("basemap", "none")
        write.set_info(name="庙岭镇", synthetic=True)
    with workspace.write(who="Li", why="again") as write:
        write.set_setting("basemap", "none")
        write.set_setting("basemap", "roads")
    assert dict(workspace.settings()) == {"basemap": "roads"}
    assert (workspace.info.name, workspace.info.synthetic, workspace.revision) == ("庙岭镇", True, 2)
    log = workspace.log(layer="settings", key="basemap")
    assert log["before"].tolist() == [None, {"value": "none"}]
    assert log["after"].tolist() == [{"value": "none"}, {"value": "roads"}]
    assert log["who"].tolist() == ["Li", "Li"]


def test_the_system_is_fixed_by_the_first_geometry(workspace_url: str) -> None:
    with gridgis.create_workspace(workspace_url) as workspace:
        assert workspace.info.crs is None
        with pytest.raises(CrsError) as refused:
            put(workspace, "grids", toy.grids())
        assert refused.value.key == "store.crs_unset"
        with workspace.write(who="t", why="t") as write:
            write.set_crs("EPSG:4548")
            write.set_crs("EPSG:4547")  # nothing is stored yet
            write.upsert("grids", toy.grids())
            assert write.info.crs == toy.grids().crs
        assert workspace.read("grids").crs == toy.grids().crs
        assert workspace.read("grids", bbox=tuple(toy.grids().geometry["G3"].buffer(-1).bounds)).index.tolist() == ["G3"]
        with pytest.raises(CrsError) as refused, workspace.write(who="t", why="t") as write:
            write.set_crs("EPSG:4548")
        assert refused.value.key == "store.crs_fixed"
        with pytest.raises(CrsError) as refused:
            put(workspace, "areas", toy.areas().to_crs(4548))
        assert refused.value.key == "store.crs_differs"


BAD = {
    "store.key_doubled": lambda f: pd.concat([f, f[:1]]),
    "store.key_missing": lambda f: f.reset_index().assign(code=["G1", None, "G3"]),
    "store.no_key": lambda f: f.rename_axis("number"),
    "store.no_geometry": lambda f: f.set_geometry([None, *f.geometry[1:]], crs=f.crs),
    "store.wrong_shape": lambda f: f.set_geometry(f.centroid),
    "store.bad_value": lambda f: f.assign(population=[1, "many", 3]),
    "store.unlisted": lambda f: f.assign(state="open"),
    "store.closed_row": lambda f: f.assign(valid_to=dt.date(2012, 1, 1)),
    "crs.missing": lambda f: f.set_crs(None, allow_override=True),
}


@pytest.mark.parametrize("key", BAD)
def test_a_wrong_row_refuses_the_frame_and_the_message_names_it(workspace: Workspace, key: str) -> None:
    with pytest.raises(GridgisError) as refused:
        put(workspace, "grids", BAD[key](toy.grids()))
    assert refused.value.key == key
    assert refused.value.message("zh") != refused.value.message("en")
    assert (workspace.count("grids"), workspace.revision) == (0, 0)


def test_values_that_do_not_exist_are_refused() -> None:
    from gridgis.layers import Column
    from gridgis.store.values import column_values

    for column, value in [
        (Column("opened_on", "date"), "2012-02-30"),
        (Column("buildings", "int"), 1.5),
        (Column("buildings", "int"), "3"),
        (Column("population", "float"), float("inf")),
        (Column("population", "float"), "3"),
        (Column("occurred_at", "time"), dt.datetime(2012, 1, 1)),  # noqa: DTZ001 - a time without zone is the point
        (Column("occurred_at", "time"), "yesterday"),
        (Column("occurred_at", "time"), 5),
    ]:
        with pytest.raises(DataError, match="k1"):
            column_values("x", column, pd.Series([value], dtype=object), ["k1"])


def write_much_and_fail(workspace: Workspace) -> None:
    with workspace.write(who="t", why="t") as write:
        write.upsert("areas", toy.areas())
        write.retire("grids", ["G1"], valid_to=dt.date(2012, 1, 1))
        write.replace("unit_cells", cells(60, 50))
        assert (write.count("areas"), write.count("grids"), len(write.read("unit_cells"))) == (3, 2, 3000)
        _ = 1 / 0


def test_a_block_that_raises_leaves_no_trace(workspace: Workspace) -> None:
    put(workspace, "grids", toy.grids())
    before = workspace.read("grids"), workspace.revision, len(workspace.log())
    with pytest.raises(ZeroDivisionError):
        write_much_and_fail(workspace)
    same_frames(workspace.read("grids"), before[0])
    assert (workspace.revision, len(workspace.log())) == before[1:]
    assert (workspace.count("areas"), workspace.count("unit_cells")) == (0, 0)
    with workspace.write(who="t", why="t") as write:  # and the next writer is not hindered
        write.replace("unit_cells", cells(60, 50))
    assert workspace.count("unit_cells") == 3000


def test_a_cancelled_replace_cannot_be_committed_by_halves(workspace: Workspace) -> None:
    def stop(*_: object) -> None:
        raise Cancelled

    with workspace.write(who="t", why="t") as write:
        write.replace("unit_cells", cells(60, 50))
    with pytest.raises(WorkspaceError) as refused, workspace.write(who="t", why="t") as write, pytest.raises(Cancelled):
        write.replace("unit_cells", cells(5, 5, mark=2.0), progress=stop)
    assert refused.value.key == "store.broken"
    assert workspace.count("unit_cells") == 3000


def test_deleting_removes_by_key_and_history_layers_refuse_it(workspace: Workspace) -> None:
    put(workspace, "buildings", toy.buildings())
    with workspace.write(who="t", why="t") as write:
        assert write.delete("buildings", ["B01", "B12", "nobody"]) == 2
    assert workspace.count("buildings") == 10
    assert "B12" not in workspace.read("buildings", bbox=tuple(toy.buildings().geometry["B12"].bounds)).index
    with workspace.write(who="t", why="t") as write:
        for attempt in (lambda: write.delete("grids", ["G1"]), lambda: write.replace("grids", toy.grids())):
            with pytest.raises(DataError) as refused:
                attempt()
            assert refused.value.key == "store.keeps_history"
        with pytest.raises(DataError) as refused:
            write.retire("buildings", ["B02"], valid_to=dt.date(2012, 1, 1))
        assert refused.value.key == "store.no_history"


def test_progress_counts_the_rows_of_a_bulk_write(workspace: Workspace) -> None:
    heard: list[tuple[str, int, int]] = []
    with workspace.write(who="t", why="t") as write:
        write.replace("unit_cells", cells(60, 50), progress=lambda *step: heard.append(step))
    assert ("store.stage_rows", 3000, 3000) in heard
    assert all(0 <= done <= total for _, done, total in heard)


def test_both_stores_read_the_same(geopackage_url: str, postgis_url: str) -> None:
    frames = []
    for url in (geopackage_url, postgis_url):
        with gridgis.create_workspace(url, crs=toy.CRS) as workspace:
            put(workspace, "grids", toy.grids().assign(colour=[1, None, 3]), valid_from=dt.date(2011, 1, 1))
            put(workspace, "grids", toy.grids().assign(officer="Sun"), valid_from=dt.date(2012, 1, 1))
            put(workspace, "stations", toy.stations())
            frames.append(
                [workspace.read("grids"), workspace.read("grids", as_of=dt.date(2011, 6, 1)), workspace.read("stations")]
            )
    for left, right in zip(*frames, strict=True):
        assert_geodataframe_equal(left, right)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))), min_size=1))
def test_any_text_comes_back(texts: list[str | None]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, gridgis.create_workspace(f"{folder}/t.gpkg", crs=toy.CRS) as workspace:
        frame = pd.DataFrame({"id": [f"{n}" for n in range(len(texts))], "description": texts, "more": texts})
        put(workspace, "incidents", frame)
        read = workspace.read("incidents")
        kept = [None if value != value else value for value in read["description"].tolist()]
        assert kept == texts
