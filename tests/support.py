"""What tests share: real data sets that lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(relative: str) -> Path:
    """A file of the project's shared data sets; the test is skipped where they are missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs the shared data set {relative}")
    return path
