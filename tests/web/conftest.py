"""A page with a map of its own and a browser that can reach nothing but its server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import REPO, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SERVED = """
import sys, uvicorn
from pathlib import Path
from gridgis.web.server import make_app
app = make_app(sys.argv[2], entry=Path(sys.argv[1]))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="error")
"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that reaches this machine alone; what it asked others for is in `page.outside`."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.outside, opened.errors, opened.asked = [], [], []

    def gate(route: object) -> None:
        address = route.request.url
        opened.asked.append(address)
        if address.startswith(("http://127.0.0.1", "file:", "data:", "blob:")):
            route.continue_()
        else:
            opened.outside.append(address)
            route.abort()

    context.route("**/*", gate)
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("dialog", lambda dialog: (opened.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
    yield opened
    context.close()


@contextmanager
def server(script: Path, *, workspace: str = "none.gpkg", routes: bool = True) -> Iterator[str]:
    """A server on a page's script, with our routes or, as under plain `streamlit run`, without."""
    port = free_port()
    if routes:
        command = [sys.executable, "-c", SERVED, str(script), workspace, str(port)]
    else:
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.headless", "true",
                   "--browser.gatherUsageStats", "false", "--server.address", "127.0.0.1"]  # fmt: skip
    log = script.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}, stdout=out, stderr=out)
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                    break
            except OSError:
                if process.poll() is not None:
                    break
                time.sleep(0.2)
        else:
            pytest.fail("the server did not start")
        if process.poll() is not None:
            pytest.fail(log.read_text(errors="replace")[-3000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def page_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write a page's script to a folder of its own."""

    def write(text: str) -> Path:
        file = tmp_path_factory.mktemp("page") / "page.py"
        file.write_text(text, encoding="utf-8")
        return file

    return write
