"""The routes send what was published, to this machine alone, and answer nonsense shortly."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image
from starlette.applications import Starlette

from gridgis import toy
from gridgis.errors import DataError
from gridgis.lattice import Lattice
from gridgis.maps import Field, LatticeValues, LayerRef, MapLayer
from gridgis.maps.style import Style, categories, steps
from gridgis.maps.world import lonlat, uv
from gridgis.store import Workspace, create_workspace
from gridgis.web.cache import publish
from gridgis.web.routes import routes
from tests.web.asgi import Client

EVIL = "<script>alert('x')</script>"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with create_workspace(str(tmp_path / "toy.gpkg"), crs=toy.CRS) as made:
        with made.write(who="test", why="toy") as write:
            write.upsert("areas", toy.areas())
            write.upsert("grids", toy.grids())
        yield made


@pytest.fixture
def client(workspace: Workspace) -> Client:
    app = Starlette(routes=routes(workspace.url, hosts=frozenset({"127.0.0.1"})))
    return Client(app)


def grids(workspace: Workspace, **options: object) -> MapLayer:
    ref = LayerRef(workspace.url, "grids", workspace.revision)
    popup = (Field("code", "Code"), Field("officer", "Officer"))
    return MapLayer("grids", "Grids", ref, popup=popup, label="name", **options)


def middle(shape: shapely.Geometry) -> tuple[float, float]:
    place = gpd.GeoSeries([shape.centroid], crs=toy.CRS).to_crs(4326).iloc[0]
    return place.x, place.y


def many_cells(side: int = 80) -> gpd.GeoDataFrame:
    row, column = np.divmod(np.arange(side * side), side)
    x, y = toy.ORIGIN[0] + 100 * column, toy.ORIGIN[1] + 100 * row
    codes = [f"C{number:05d}" for number in range(side * side)]
    return gpd.GeoDataFrame({"code": codes}, geometry=shapely.box(x, y, x + 100, y + 100), crs=toy.CRS).set_index("code")


def test_a_small_layer_is_sent_whole_and_kept_by_the_browser(client: Client, workspace: Workspace) -> None:
    token = publish(grids(workspace), "en").token
    first = client.get(f"/gridgis/shapes/{token}")
    assert first.status_code == 200
    assert first.content[:4] == b"GGM1"
    assert first.headers["content-type"] == "application/x-gridgis-shapes"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in first.headers["cache-control"]
    again = client.get(f"/gridgis/shapes/{token}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_write_ends_the_keeping(client: Client, workspace: Workspace) -> None:
    token = publish(grids(workspace), "en").token
    with workspace.write(who="test", why="more") as write:
        write.upsert("stations", toy.stations())
    assert client.get(f"/gridgis/shapes/{token}").headers["cache-control"] == "no-store"
    assert publish(grids(workspace), "en").token != token


def test_those_without_gzip_get_plain_bytes(client: Client, workspace: Workspace) -> None:
    token = publish(grids(workspace), "en").token
    plain = client.get(f"/gridgis/shapes/{token}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == client.get(f"/gridgis/shapes/{token}").content


def test_a_large_layer_is_sent_in_tiles(client: Client) -> None:
    cells = many_cells()
    layer = publish(MapLayer("cells", "Cells", cells), "en")
    assert layer.road == "tiles"
    u, v = uv(*middle(cells.geometry.iloc[3240]))
    far = client.get(f"/gridgis/tiles/{layer.token}/9/{int(u * 2**9)}/{int(v * 2**9)}")
    assert far.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(far.content)).size == (512, 512)
    near = client.get(f"/gridgis/tiles/{layer.token}/17/{int(u * 2**17)}/{int(v * 2**17)}")
    assert near.content[:4] == b"GGM1"
    assert client.get(f"/gridgis/tiles/{layer.token}/17/0/0").content == b""


def test_cells_in_a_picture_tile_stand_where_they_are(client: Client) -> None:
    cells = many_cells()
    style = Style(fill="#FF0000", opacity=1.0, width=0)
    token = publish(MapLayer("cells", "Cells", cells, style), "en").token
    z = 9  # one tile holds them all
    west, south, east, north = gpd.GeoSeries([shapely.box(*cells.total_bounds)], crs=toy.CRS).to_crs(4326).total_bounds
    u, v = uv((west + east) / 2, (south + north) / 2)
    x, y = int(u * 2**z), int(v * 2**z)
    image = Image.open(io.BytesIO(client.get(f"/gridgis/tiles/{token}/{z}/{x}/{y}").content))
    painted = np.asarray(image)[..., 3] > 0
    column, row = (np.arange(512) + 0.5) / 512, (np.arange(512) + 0.5) / 512
    lon = np.array([lonlat((x + part) / 2**z, 0.4)[0] for part in column])
    lat = np.array([lonlat(0.5, (y + part) / 2**z)[1] for part in row])
    inside = gpd.GeoSeries(gpd.points_from_xy(*(side.ravel() for side in np.meshgrid(lon, lat))), crs=4326).to_crs(toy.CRS)
    wanted = inside.within(cells.union_all()).to_numpy().reshape(512, 512)
    assert (painted != wanted).mean() < 0.004  # a pixel's width along the border


def test_a_click_finds_the_topmost_row_and_says_it_as_text(client: Client, workspace: Workspace) -> None:
    frame = toy.grids()
    frame.loc["G2", "officer"] = EVIL
    token = publish(MapLayer("grids", "Grids", frame, popup=(Field("code", "Code"), Field("officer", EVIL))), "en").token
    lon, lat = middle(frame.geometry["G2"])
    answer = client.get(f"/gridgis/identify/{token}?lon={lon}&lat={lat}&zoom=15")
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert (said["key"], said["rows"]) == ("G2", [["Code", "G2"], [EVIL, EVIL]])
    ring = gpd.GeoSeries([shapely.Polygon(said["outline"][0])], crs=4326).to_crs(toy.CRS).iloc[0]
    assert ring.symmetric_difference(frame.geometry["G2"]).area < 100
    assert client.get(f"/gridgis/identify/{token}?lon=0&lat=0&zoom=15").json() is None


def test_a_click_in_a_workspace_layer_reads_only_that_place(client: Client, workspace: Workspace) -> None:
    token = publish(grids(workspace), "zh").token
    lon, lat = middle(toy.grids().geometry["G3"])
    assert client.get(f"/gridgis/identify/{token}?lon={lon}&lat={lat}&zoom=15").json()["rows"] == [
        ["Code", "G3"],
        ["Officer", "Zhao"],
    ]


def test_values_on_a_lattice_are_one_picture(client: Client) -> None:
    lattice = Lattice.covering((500000, 3366000, 500400, 3366200), 100, toy.CRS)
    values = np.array([[1.0, 1, 9, 9], [np.nan, 1, 9, 9]])
    style = steps("value", [5], ["low", "high"], base=Style(opacity=1.0))
    layer = publish(MapLayer("hot", "Hot", LatticeValues(lattice, values), style, popup=(Field("value", "Value", 1),)), "en")
    image = np.asarray(Image.open(io.BytesIO(client.get(f"/gridgis/image/{layer.token}").content)).convert("RGBA"))
    height, width = image.shape[:2]
    low, high = (tuple(image[height // 4, int(width * part), :3]) for part in (0.25, 0.75))
    assert (low, high) == ((0xD9, 0xE8, 0xEF), (0x0B, 0x3F, 0x5E))
    assert image[int(height * 0.75), int(width * 0.12), 3] == 0
    lon, lat = middle(shapely.box(500300, 3366000, 500400, 3366100))
    assert client.get(f"/gridgis/identify/{layer.token}?lon={lon}&lat={lat}&zoom=15").json()["rows"] == [["Value", "9.0"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tiles/{t}/99/0/0", 400), ("tiles/{t}/3/8/0", 400), ("tiles/{t}/3/-1/0", 400), ("tiles/{t}/x/0/0", 400),
        ("tiles/nonsense/0/0/0", 404), (f"tiles/{'0' * 32}/0/0/0", 404), ("image/{t}", 404),
        ("identify/{t}?lon=1e9&lat=0&zoom=3", 400), ("identify/{t}?lon=nan&lat=0&zoom=3", 400),
        ("identify/{t}?lat=0&zoom=3", 400),
        ("download/secrets?format=csv", 404), ("download/grids?format=exe", 400), ("download/grids?as_of=31.12.2012", 400),
        ("download/..%2F..%2Fetc%2Fpasswd", 404), ("static/../routes.py", 404),
        ("static/%2e%2e/routes.py", 404), ("elsewhere", 404),
    ],
)  # fmt: skip
def test_nonsense_gets_a_short_answer_without_a_trace(client: Client, workspace: Workspace, path: str, status: int) -> None:
    answer = client.get(f"/gridgis/{path.format(t=publish(grids(workspace), 'en').token)}")
    assert answer.status_code == status
    assert not any(word in answer.text for word in ("Traceback", "site-packages", ".py", str(Path.home())))


def test_a_failure_inside_is_a_500_without_a_trace(client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    token = publish(grids(workspace), "en").token
    monkeypatch.setattr("gridgis.web.routes.identify", broken)
    answer = client.get(f"/gridgis/identify/{token}?lon=0&lat=0&zoom=3", headers={"Accept-Language": "en"})
    assert answer.status_code == 500
    assert answer.json() == {"message": "The map data could not be read. Reload the page; the log has the reason."}


def test_other_sites_and_other_names_for_this_machine_are_refused(client: Client, workspace: Workspace) -> None:
    place = f"/gridgis/shapes/{publish(grids(workspace), 'en').token}"
    assert client.get(place, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get(place, headers={"Host": "evil.example"}).status_code == 403
    assert client.get(place, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.get(place).headers["cross-origin-resource-policy"] == "same-origin"


def test_a_download_is_the_layer(client: Client, tmp_path: Path) -> None:
    answer = client.get("/gridgis/download/grids?format=geojson")
    assert answer.status_code == 200
    assert 'filename="grids.geojson"' in answer.headers["content-disposition"]
    (tmp_path / "got.geojson").write_bytes(answer.content)
    assert sorted(gpd.read_file(tmp_path / "got.geojson")["code"]) == ["G1", "G2", "G3"]


def test_the_same_content_has_the_same_address(workspace: Workspace) -> None:
    plain = publish(MapLayer("g", "G", toy.grids()), "en").token
    assert publish(MapLayer("g", "G", toy.grids()), "en").token == plain
    moved = toy.grids()
    moved.geometry = moved.translate(1, 0)
    changed = toy.grids().assign(officer="Wu")
    styled = categories("station", {"S1": "one"})
    popup = (Field("officer", "Officer"),)
    others = [
        MapLayer("g", "G", moved), MapLayer("g", "G", toy.grids(), styled), MapLayer("g", "G", toy.grids(), popup=popup),
        MapLayer("g", "G", changed, popup=popup),
    ]  # fmt: skip
    tokens = {publish(layer, "en").token for layer in others} | {plain, publish(MapLayer("g", "G", toy.grids()), "zh").token}
    assert len(tokens) == 6


def test_history_is_drawn_as_of_its_day(client: Client, workspace: Workspace) -> None:
    with workspace.write(who="test", why="retire") as write:
        write.retire("grids", ["G1"], valid_to=dt.date(2020, 1, 1))
    lon, lat = middle(toy.grids().geometry["G1"])
    found = []
    for day in (dt.date(2019, 12, 31), dt.date(2020, 1, 1)):
        ref = LayerRef(workspace.url, "grids", workspace.revision, as_of=day)
        token = publish(MapLayer("grids", "Grids", ref, popup=(Field("code", "Code"),)), "en").token
        found.append(client.get(f"/gridgis/identify/{token}?lon={lon}&lat={lat}&zoom=15").json())
    assert found[0]["key"] == "G1"
    assert found[1] is None


def test_a_name_that_is_no_layer_is_refused(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="no layer"):
        publish(MapLayer("x", "X", LayerRef(workspace.url, "sqlite_master", 1)), "en")


def test_kept_bytes_are_gzip(client: Client, workspace: Workspace) -> None:
    token = publish(grids(workspace), "en").token
    answer = client.get(f"/gridgis/shapes/{token}")
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.raw)[:4] == b"GGM1"
