"""Web assets come by name and pinned version, are checked, and are fetched once."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import REPO


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gridgis_fetch_assets_tested", REPO / "tools" / "fetch_assets.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENDOR", tmp_path / "vendor")
    asset = module.Asset("thing", "1.0.0", integrity(archive("good")), (("dist/thing.js", "thing/thing.js"),))
    monkeypatch.setattr(module, "ASSETS", (asset,))
    return module


def archive(text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in ("package/dist/thing.js", "package/secret.js", "../../escape.js"):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def fake_npm(folder: Path, content: bytes) -> list[str]:
    """A program that packs `content` where npm would, and leaves a mark."""
    (folder / "content").write_bytes(content)
    script = folder / "npm.py"
    script.write_text(
        "import sys, shutil, pathlib\n"
        f"shutil.copy({str(folder / 'content')!r}, pathlib.Path(sys.argv[4]) / 'thing-1.0.0.tgz')\n"
        f"open({str(folder / 'asked')!r}, 'a').write(' '.join(sys.argv[1:3]) + '\\n')\n"
    )
    return [sys.executable, str(script)]


def test_only_the_wanted_files_arrive_and_a_second_run_asks_nobody(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive("good")
    tool.ASSETS = (dataclasses.replace(tool.ASSETS[0], integrity=integrity(content)),)
    command = fake_npm(tmp_path, content)
    monkeypatch.setattr(tool, "npm", lambda: command)
    assert (tool.main(), tool.main()) == (0, 0)
    assert (tmp_path / "asked").read_text() == "pack thing@1.0.0\n"
    assert sorted(path.name for path in (tmp_path / "vendor").rglob("*") if path.is_file()) == ["STAMP", "thing.js"]


def test_another_package_than_the_pinned_one_changes_nothing(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = fake_npm(tmp_path, archive("evil"))
    monkeypatch.setattr(tool, "npm", lambda: command)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "old").write_text("kept")
    assert tool.main() == 1
    assert "not the package that was pinned" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "vendor").iterdir()] == ["old"]


def test_the_tool_and_the_map_mean_the_same_leaflet() -> None:
    from gridgis.web.component import LEAFLET

    text = (REPO / "tools" / "fetch_assets.py").read_text(encoding="utf-8")
    assert f'"leaflet",\n        "{LEAFLET}"' in text


def test_no_host_is_named() -> None:
    assert "://" not in (REPO / "tools" / "fetch_assets.py").read_text(encoding="utf-8")
    assert "://" not in (REPO / "hatch_build.py").read_text(encoding="utf-8")
