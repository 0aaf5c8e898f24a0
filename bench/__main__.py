"""`python -m bench [--quick] [MODULE …]`: run the benchmarks, print one table, keep the rows in artifacts/bench.json.

A module of this folder with `run(quick: bool) -> list[dict]` is a benchmark. Each runs in a process of its own, so that one's
memory is not another's. The exit code is 1 if a result differed from its peer's, missed its bar, or a benchmark broke.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.table import checked, growth, plot, table

FOLDER: Final = Path(__file__).resolve().parent
ARTIFACTS: Final = FOLDER.parent / "artifacts"
HARNESS: Final = frozenset({"__init__", "__main__", "table"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, or all; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(modules())}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="smaller inputs, for a look")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := set(options.modules) - set(modules()):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if options.rows:
        rows = importlib.import_module(f"bench.{options.modules[0]}").run(options.quick)
        options.rows.write_text(json.dumps(checked(rows, options.modules[0]), default=float), encoding="utf-8")
        return 0
    console = Console(width=None if sys.stdout.isatty() else 180)
    rows, broken = run_all(options.modules or modules(), quick=options.quick)
    console.print(table(rows))
    for made in (growth(rows), plot(rows)):
        if made is not None:
            console.print(made)
    ARTIFACTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "quick": options.quick}
    (ARTIFACTS / "bench.json").write_text(json.dumps({**machine, "rows": rows}, ensure_ascii=False, indent=1), encoding="utf-8")
    for name in broken:
        console.print(f"bench.{name} broke off", style="bold red")
    return 1 if broken or any(row["ok"] is False for row in rows) else 0


def run_all(names: Sequence[str], *, quick: bool) -> tuple[list[dict[str, object]], list[str]]:
    """The rows of every benchmark, and the names of those that broke off."""
    rows: list[dict[str, object]] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            file = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", "bench", name, "--rows", str(file), *(["--quick"] if quick else [])]
            if subprocess.run(command, check=False, cwd=FOLDER.parent).returncode or not file.exists():
                broken.append(name)
                continue
            rows += json.loads(file.read_text(encoding="utf-8"))
    return rows, broken


def modules() -> list[str]:
    """Every benchmark there is."""
    names = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in HARNESS)
    return [name for name in names if "def run(" in (FOLDER / f"{name}.py").read_text(encoding="utf-8")]


if __name__ == "__main__":
    sys.exit(main())
