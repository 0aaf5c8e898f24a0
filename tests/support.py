"""What tests share: the shared data sets, free ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


def shared(relative: str) -> Path:
    """A file of the project's shared data sets; skips the test where that folder is missing."""
    path = REPO.parent / "shared" / "data" / relative
    if not path.exists():
        pytest.skip(f"the shared data set {relative} is not beside the repository")
    return path


def free_port() -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def skip_or_fail(reason: str) -> None:
    """Skip a test whose tools cannot be had; with CI=true a missing one fails the run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
