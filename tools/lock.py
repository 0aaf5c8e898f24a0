"""Resolve the dependencies of pyproject.toml into `locks/`: for every platform, with hashes, naming no host.

Pins already in a lock stay unless the limits changed; `python tools/lock.py --upgrade` takes the newest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = (
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--quiet",
)
LOCKS: dict[str, tuple[str, ...]] = {
    "locks/run.txt": ("pyproject.toml", "locks/build.in"),
    "locks/dev.txt": (
        *("pyproject.toml", "locks/build.in", "locks/dev.in"),
        *("--extra", "test", "--extra", "bench", "--constraint", "locks/run.txt"),
    ),
    "locks/node.txt": ("locks/node.in",),
}


def main(options: Sequence[str]) -> int:
    """Write every lock; the exit code."""
    for lock, sources in LOCKS.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", *COMMON, *options, *sources, "--output-file", lock]
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
