"""Processes for the store's tests: started from a clean server process, killed for sure afterwards."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["gridgis.store.workspace", "gridgis.store.postgis", "gridgis.tasks.plans", "gridgis.toy", "alembic.command"]
)
_START_S = 60.0


@contextmanager
def running(work: Callable[..., None], url: str, *arguments: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process doing `work(url, connection, *arguments)`; killed when the block ends, if not before."""
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=work, args=(url, there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        kill(process)
        here.close()


def started(connection: Connection) -> None:
    """Wait for a worker's first word."""
    assert connection.poll(_START_S), "the worker did not start"
    assert connection.recv() == "ready"


def kill(process: BaseProcess) -> None:
    """End a process as a power cut would, without a chance to clean up."""
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join(20)
