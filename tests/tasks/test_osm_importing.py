"""An area straight from OpenStreetMap, against a server of our own: answers, time-outs, a busy server, no network."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyproj
import pytest

from gridgis import toy
from gridgis.errors import Cancelled, DataError
from gridgis.files import overpass
from gridgis.store import Workspace
from gridgis.tasks.osm_importing import import_osm
from tests.support import free_port

# the south-west corner of the toy town
LON, LAT = pyproj.Transformer.from_crs(toy.CRS, 4326, always_xy=True).transform(*toy.ORIGIN)
SQUARE = [(0.0, 0.0), (0.0003, 0.0), (0.0003, 0.0003), (0.0, 0.0003), (0.0, 0.0)]


def answer() -> dict[str, Any]:
    """Two streets, a house, a pond, a brook, and a shop nobody asked for."""
    elements: list[dict[str, Any]] = []

    def way(number: int, points: list[tuple[float, float]], **tags: str) -> None:
        nodes = [number * 100 + at for at in range(len(points))]
        if points[0] == points[-1]:
            nodes[-1] = nodes[0]
        for node, (x, y) in zip(nodes, points, strict=True):
            elements.append({"type": "node", "id": node, "lat": LAT + y, "lon": LON + x})
        elements.append({"type": "way", "id": number, "nodes": nodes, "tags": tags})

    way(1, [(-0.001, 0.001), (0.004, 0.001)], highway="residential", name="East Street")
    way(2, [(0.001, -0.001), (0.001, 0.003)], highway="footway")
    way(3, SQUARE, building="yes")
    way(4, [(x + 0.001, y + 0.001) for x, y in SQUARE], natural="water", name="Pond")
    way(5, [(0.002, 0.0), (0.002, 0.002)], waterway="stream")
    way(6, [(x + 0.002, y + 0.002) for x, y in SQUARE], building="no", highway="service", area="yes")
    return {"version": 0.6, "elements": elements}


class Server:
    """An Overpass server on this machine whose behaviour a test sets."""

    def __init__(self) -> None:
        self.asked = 0
        self.behave: Callable[[int], tuple[int, bytes, dict[str, str]]] = lambda _: (200, json.dumps(answer()).encode(), {})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                status, body, headers = outer.behave(outer.asked)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/api"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overpass.time, "sleep", lambda _: None)
    monkeypatch.setattr(overpass, "_PAUSES_S", (1.0,))


def filled(ws: Workspace) -> Workspace:
    with ws.write(who="Li", why="areas") as change:
        change.set_crs(toy.CRS)
        change.upsert("areas", toy.areas())
    return ws


def fetch(ws: Workspace, server: Server, cache: Path, **options: Any) -> Any:
    return import_osm(ws, area=toy.TOWN, url=server.url, cache=cache, who="Li", **options)


def test_streets_water_and_buildings_come_into_their_layers(town: Workspace, server: Server, tmp_path: Path) -> None:
    report = fetch(town, server, tmp_path)
    assert town.read("roads")["kind"].to_dict() == {"1": "residential", "2": "footway"}
    assert town.read("roads").loc["1", "name"] == "East Street"
    assert town.read("buildings").index.tolist() == ["w3"]
    assert town.read("water")["kind"].to_dict() == {"w4": "water", "5": "stream"}
    assert report.to_json()["layers"]["roads"] == {"inserted": 2, "updated": 0, "unchanged": 0, "left_out": 0}
    assert report.to_json()["from_cache"] is False


def test_a_second_call_needs_no_network_and_changes_nothing(town: Workspace, server: Server, tmp_path: Path) -> None:
    fetch(town, server, tmp_path)
    server.http.shutdown()
    server.http.server_close()
    report = fetch(town, server, tmp_path)
    assert server.asked == 1
    assert report.to_json()["from_cache"] is True
    assert report.to_json()["layers"]["roads"]["unchanged"] == 2


def test_refresh_asks_again_and_keeps_the_old_answer_if_that_fails(town: Workspace, server: Server, tmp_path: Path) -> None:
    fetch(town, server, tmp_path)
    fetch(town, server, tmp_path, refresh=True)
    assert server.asked == 2
    server.behave = lambda _: (400, b"bad request", {})
    with pytest.raises(DataError):
        fetch(town, server, tmp_path, refresh=True)
    assert fetch(town, server, tmp_path).to_json()["from_cache"] is True


def test_a_busy_server_is_asked_again_after_the_pause_it_names(town: Workspace, server: Server, tmp_path: Path) -> None:
    good = server.behave
    server.behave = lambda asked: good(asked) if asked > 2 else (429, b"", {"Retry-After": "3"})
    heard: list[tuple[str, int, int]] = []
    fetch(town, server, tmp_path, progress=lambda *told: heard.append(told))
    assert server.asked == 3
    assert [told for told in heard if told[0] == "overpass.stage_wait"] == [("overpass.stage_wait", s, 3) for s in (0, 1, 2)] * 2


@pytest.mark.parametrize("status", [429, 504])
def test_a_server_that_stays_busy_is_given_up_and_nothing_changes(
    town: Workspace, server: Server, tmp_path: Path, status: int
) -> None:
    server.behave = lambda _: (status, b"", {})
    revision = town.revision
    with pytest.raises(DataError, match=rf"after 3 tries \(status {status}\)"):
        fetch(town, server, tmp_path, retries=2)
    assert (server.asked, town.revision) == (3, revision)


def test_an_answer_broken_off_is_not_taken_for_the_whole(town: Workspace, server: Server, tmp_path: Path) -> None:
    good = server.behave
    half = json.dumps({**answer(), "elements": [], "remark": "runtime error: Query timed out"}).encode()
    server.behave = lambda asked: good(asked) if asked > 1 else (200, half, {})
    fetch(town, server, tmp_path)
    assert len(town.read("roads")) == 2


def test_a_pause_can_be_stopped(town: Workspace, server: Server, tmp_path: Path) -> None:
    server.behave = lambda _: (504, b"", {})

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "overpass.stage_wait":
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(town, server, tmp_path, progress=stop)


def test_a_server_that_does_not_answer_is_a_time_out(town: Workspace, server: Server, tmp_path: Path) -> None:
    waiting = threading.Event()

    def hang(_: int) -> tuple[int, bytes, dict[str, str]]:
        waiting.wait(5)
        return 200, b"{}", {}

    server.behave = hang
    with pytest.raises(DataError, match=r"within 1 seconds.*--timeout"):
        fetch(town, server, tmp_path, timeout_s=1.0)
    waiting.set()


def test_without_a_network_it_says_so_and_does_not_ask_again(town: Workspace, tmp_path: Path) -> None:
    revision = town.revision
    with pytest.raises(DataError, match=r"127\.0\.0\.1.*cannot be reached.*FILE\.osm\.pbf"):
        import_osm(town, area=toy.TOWN, url=f"http://127.0.0.1:{free_port()}/api", cache=tmp_path)
    assert town.revision == revision


def test_nonsense_is_refused(town: Workspace, server: Server, tmp_path: Path) -> None:
    server.behave = lambda _: (200, b"<html>moved</html>", {})
    with pytest.raises(DataError, match="cannot be read"):
        fetch(town, server, tmp_path)


def test_an_area_without_anything_gives_empty_layers(town: Workspace, server: Server, tmp_path: Path) -> None:
    server.behave = lambda _: (200, b'{"elements": []}', {})
    assert fetch(town, server, tmp_path).to_json()["layers"]["roads"]["inserted"] == 0


def test_an_unknown_area_is_refused_before_anybody_is_asked(town: Workspace, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no area with the code 999999"):
        import_osm(town, area="999999", url=server.url, cache=tmp_path)
    assert server.asked == 0


def test_the_process_looks_names_up_as_before(town: Workspace, server: Server, tmp_path: Path) -> None:
    before = socket.getaddrinfo
    fetch(town, server, tmp_path)
    assert socket.getaddrinfo is before
