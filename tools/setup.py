"""Set up a working copy: `.venv` with pinned packages, gridgis itself, web assets and, for tests, system programs.

Runs on any Python from 3.11 on with the standard library alone. Every step leaves a stamp made of what it depends on, so
that a second run does nothing. `python3 tools/setup.py run` is enough to serve; `… test` adds the test tools.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / "stamps"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)

# what the browser and PostGIS tests and some exports' judges need: Debian package -> a path that shows it is there
DEBIAN = {
    "chromium": ("/usr/bin/chromium",),
    "fonts-noto-cjk": ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",),
    "gdal-bin": ("/usr/bin/ogrinfo",),
    "postgresql-15": ("/usr/lib/postgresql/15/bin/postgres",),
    "postgresql-15-postgis-3": ("/usr/share/postgresql/15/extension/postgis.control",),
}


def main(arguments: Sequence[str]) -> int:
    """Set up for `run` or `test`; the exit code."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        return fail(f"gridgis needs Python 3.11 or newer, this is {found}. Name another one: make run PYTHON=python3.12")
    if list(arguments) not in (["run"], ["test"]):
        return fail("usage: setup.py run|test")
    testing = arguments[0] == "test"
    try:
        make_environment()
        install_packages(testing=testing)
        install_gridgis()
        fetch_assets()
    except subprocess.CalledProcessError as error:
        return fail(f"this step failed: {' '.join(map(str, error.cmd))}")
    return install_debian() if testing else 0


def make_environment() -> None:
    """Make `.venv` where there is none, or anew when its Python no longer starts."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0:
        return
    say("making .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], check=False, capture_output=True, text=True)
    if made.returncode:
        # Debian keeps `ensurepip` in a package of its own and says which
        say((made.stdout + made.stderr).strip())
        raise subprocess.CalledProcessError(made.returncode, made.args)


def install_packages(*, testing: bool) -> None:
    """Install the pinned packages; the test lock holds the other one whole, so either stamp serves `run`."""
    run_lock, test_lock = ROOT / "locks" / "run.txt", ROOT / "locks" / "dev.txt"
    if testing:
        once("packages-test", [test_lock, run_lock], lambda: install_lock(test_lock))
        stamp("packages-run", [run_lock])
    else:
        once("packages-run", [run_lock], lambda: install_lock(run_lock))


def install_lock(lock: Path) -> None:
    """Install a lock file with pip, every file checked against its hash."""
    say(f"installing {lock.relative_to(ROOT)} (the first time takes a few minutes)")
    pip("install", "--require-hashes", "--requirement", lock)


def install_gridgis() -> None:
    """Install this working copy, so that `gridgis` is a command and changes to the code count at once."""

    def install() -> None:
        say("installing gridgis from this folder")
        pip("install", "--no-deps", "--no-build-isolation", "--editable", ROOT)

    once("gridgis", [ROOT / "pyproject.toml", *sorted(ROOT.glob("hatch_build.py"))], install)


def fetch_assets() -> None:
    """Fetch the third-party scripts and styles the pages load, by name and pinned version, into an ignored folder."""
    tool = ROOT / "tools" / "fetch_assets.py"
    vendor = ROOT / "gridgis" / "web" / "static" / "vendor"
    if not tool.exists():
        return

    def fetch() -> None:
        if shutil.which("npm") is None:
            once("node", [ROOT / "locks" / "node.txt"], lambda: install_lock(ROOT / "locks" / "node.txt"))
        say("fetching web assets")
        path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", "")])
        subprocess.run([PYTHON, tool], check=True, cwd=ROOT, env={**os.environ, "PATH": path})

    inputs = [tool, *sorted((ROOT / "tools").glob("*assets*.json")), *sorted((ROOT / "tools").glob("*assets*.toml"))]
    if not vendor.exists():
        unstamp("assets")
    once("assets", inputs, fetch)


def install_debian() -> int:
    """Install what Debian has for the tests where it is missing; without it those tests skip, in CI the run fails."""
    missing = missing_debian()
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        say(f"installing {', '.join(missing)} by apt-get")
        apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]):
            subprocess.run(command, check=False, env=apt, stdout=subprocess.DEVNULL)
        missing = missing_debian()
    if not missing:
        return 0
    if os.environ.get("CI", "").lower() == "true":
        return fail(f"CI must run every test, but these are missing: {', '.join(missing)}")
    say(f"missing: {', '.join(missing)}; the tests that need them will skip and say so")
    return 0


def missing_debian() -> list[str]:
    """The Debian packages of `DEBIAN` of which no trace is found."""
    return [name for name, traces in DEBIAN.items() if not any(Path(trace).exists() for trace in traces)]


def once(name: str, inputs: Sequence[Path], action: Callable[[], None]) -> None:
    """Do `action` unless it was done for the same content of `inputs`; the stamp is written only when it succeeded."""
    if (STAMPS / name).exists() and (STAMPS / name).read_text() == digest(inputs):
        return
    action()
    stamp(name, inputs)


def stamp(name: str, inputs: Sequence[Path]) -> None:
    """Note that a step is done for this content of `inputs`."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(digest(inputs))


def unstamp(name: str) -> None:
    """Forget that a step was done."""
    (STAMPS / name).unlink(missing_ok=True)


def digest(inputs: Sequence[Path]) -> str:
    """A fingerprint of the contents of files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in inputs)).hexdigest()


def pip(*arguments: str | Path) -> None:
    """Run the environment's pip, quiet unless something fails."""
    subprocess.run([PYTHON, "-m", "pip", *arguments, "-qq", "--disable-pip-version-check", "--no-input"], check=True, cwd=ROOT)


def say(text: str) -> None:
    """Tell what is going on, on stderr."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> int:
    """Tell what is wrong; the exit code for it."""
    say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
