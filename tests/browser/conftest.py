"""A server on the sample workspace and a browser that can reach nothing else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
STARTED_WITHIN_S = 60
PATIENCE_MS = 60_000
_AT_REST = """() => document.querySelectorAll('[data-stale="true"]').length === 0
  && [...document.querySelectorAll('.gg-map')].every(map => map.dataset.state !== 'loading')"""
# what the browser says about itself, not about the page
OWN_TALK = ("WebGL", "GPU stall", "Automatic fallback to software")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Watched:
    """A page and everything that went wrong on it."""

    page: Page
    base: str
    failed: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    runs: int = 0
    """Messages sent to the server over the page's socket: a widget that computes anew sends one."""

    def open(self, path: str, *, lang: str = "zh") -> None:
        self.page.goto(f"{self.base}/{path}?lang={lang}", wait_until="domcontentloaded")
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run, the work behind the page is done and its requests are answered."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE_MS)
        self.page.wait_for_selector(".gp-foot", timeout=PATIENCE_MS, state="attached")
        self.page.wait_for_load_state("networkidle")
        # nothing on the page belongs to the run before, and every map has drawn what it was given
        self.page.wait_for_function(_AT_REST, timeout=PATIENCE_MS)
        self.page.wait_for_timeout(300)

    def shot(self, name: str) -> Path:
        """A picture of the whole page, high as its content, in artifacts/."""
        ARTIFACTS.mkdir(exist_ok=True)
        wide = self.page.viewport_size or {"width": 1280, "height": 900}
        inner = self.page.evaluate("document.querySelector('[data-testid=\"stMainBlockContainer\"]')?.scrollHeight || 900")
        self.page.set_viewport_size({"width": wide["width"], "height": max(int(inner) + 40, 700)})
        self.page.wait_for_timeout(700)
        file = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=file)
        self.page.set_viewport_size(wide)
        return file

    def assert_clean(self) -> None:
        assert self.outside == []
        assert self.failed == []
        assert self.errors == []


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample workspace, built once."""
    file = tmp_path_factory.mktemp("sample") / "sample.gpkg"
    subprocess.run([sys.executable, "-m", "gridgis", "demo", "-w", str(file)], cwd=ROOT, check=True, capture_output=True)
    return file


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(workspace: Path, *, database: str | None = None) -> Iterator[str]:
    """A server on a workspace, or on one in a database with its log beside `workspace`; stopped when the test is done."""
    port = free_port()
    command = [sys.executable, "-m", "gridgis", "serve", "-w", database or str(workspace), "--port", str(port)]
    env = {name: value for name, value in os.environ.items() if name != "GRIDGIS_LANG"}
    with (workspace.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/_stcore/health", process, workspace.parent / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"no answer within {STARTED_WITHIN_S} s: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def base(sample: Path) -> Iterator[str]:
    """The address of a server on the sample, shared by tests that only look."""
    yield from serve(sample)


@pytest.fixture
def own_base(sample: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server on a copy of the sample that a test may change."""
    copy = tmp_path / "own.gpkg"
    shutil.copy(sample, copy)
    yield from serve(copy)


@pytest.fixture
def empty_base(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose workspace does not exist yet."""
    yield from serve(tmp_path / "new.gpkg")


@pytest.fixture
def watch(chromium: Browser) -> Iterator[Any]:
    """Make a watched page of a width on a server: `watch(base, width=1280)`."""
    contexts = []

    def make(base: str, *, width: int = 1280, height: int = 900) -> Watched:
        context = chromium.new_context(viewport={"width": width, "height": height}, accept_downloads=True, locale="zh-CN")
        contexts.append(context)
        watched = Watched(context.new_page(), base)

        def gate(route: Route) -> None:
            address = route.request.url
            if address.startswith((base, "data:", "blob:")):
                route.continue_()
            else:
                watched.outside.append(address)
                route.abort()

        def failed(request: Request) -> None:
            # a download and a page left behind end their requests on purpose
            if "ERR_ABORTED" not in (request.failure or ""):
                watched.failed.append(f"{request.url} {request.failure}")

        context.route("**/*", gate)
        page = watched.page
        page.on("requestfailed", failed)
        page.on(
            "response", lambda answer: watched.failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("console", lambda said: _note(watched, said.type, said.text))
        page.on("websocket", lambda socket_: socket_.on("framesent", lambda _: _count(watched)))
        return watched

    yield make
    for context in contexts:
        context.close()


def _note(watched: Watched, kind: str, text: str) -> None:
    if kind == "error" and not any(own in text for own in OWN_TALK):
        watched.errors.append(text)


def _count(watched: Watched) -> None:
    watched.runs += 1
