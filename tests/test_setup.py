"""What a newcomer types works as written: the locks, the conda environment and the make targets agree with pyproject.toml."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = ("run", "dev", "node")
# pip name -> conda names, where they differ
CONDA = {"psycopg": ("psycopg", "psycopg-pool"), "ortools": ("ortools-python",)}
# what conda users need and pip users get elsewhere
ONLY_CONDA = {"python", "pip", "nodejs"}


def lock_text(name: str) -> str:
    return (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, set[str]]:
    """Package -> its pinned versions (more than one where markers choose)."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock_text(name), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def required(*extras: str) -> list[Requirement]:
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


def conda() -> dict[str, str]:
    """Package -> limit in environment.yml's conda part."""
    lines = re.findall(
        r"^  - ([a-z][\w.-]*?)((?:[<>=~!].*)?)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: limit for name, limit in lines if name not in {"conda-forge", "nodefaults"}}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_no_path(name: str) -> None:
    assert not re.search(r"https?:|file:|--index|--find-links|--extra-index|--trusted|@ ", lock_text(name))


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    entries = re.split(r"^(?=[A-Za-z0-9_.-]+==)", lock_text(name), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_run_lock_satisfies_every_dependency() -> None:
    pinned = pins("run")
    for need in required():
        versions = pinned.get(canonicalize_name(need.name), set())
        assert versions, need
        assert all(need.specifier.contains(version) for version in versions), (need, versions)


def test_the_test_lock_holds_the_run_lock_whole_and_the_extras() -> None:
    run, dev = pins("run"), pins("dev")
    assert {name: dev.get(name) for name in run} == run
    for need in required("test", "bench"):
        versions = dev.get(canonicalize_name(need.name), set())
        assert versions, need
        assert all(need.specifier.contains(version) for version in versions), (need, versions)


def test_conda_and_pip_ask_for_the_same_packages_and_versions() -> None:
    wanted: dict[str, str] = {}
    for need in required():
        for name in CONDA.get(need.name, (need.name,)):
            wanted[name] = str(need.specifier)
    found = {name: limit for name, limit in conda().items() if name not in ONLY_CONDA}
    assert found == wanted
    assert conda()["python"] == PROJECT["requires-python"]


def test_make_help_lists_the_targets_of_the_readme() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = set(re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE))
    assert names >= {"help", "run", "test", "lint", "bench", "docs", "lock", "clean"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"run", "test"} <= set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE)) <= names


def test_ci_only_runs_make_test() -> None:
    commands = [
        line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert commands[-1] == "exec make test"
    assert all(line.split()[0] in {"set", "cd", "exec"} for line in commands)


def test_an_old_python_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    setup = load_setup()
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 2))
    assert setup.main(["run"]) == 1
    assert "3.9.2" in (said := capsys.readouterr().err)
    assert "PYTHON=python3.12" in said


def test_a_step_is_done_once_for_the_same_input_and_again_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = load_setup()
    monkeypatch.setattr(setup, "STAMPS", tmp_path / "stamps")
    source, runs = tmp_path / "lock", []
    source.write_text("a==1")

    def fails() -> None:
        raise subprocess.CalledProcessError(1, ["pip"])

    with pytest.raises(subprocess.CalledProcessError):
        setup.once("step", [source], fails)
    for content in ("a==1", "a==1", "a==2"):
        source.write_text(content)
        setup.once("step", [source], lambda: runs.append(source.read_text()))
    assert runs == ["a==1", "a==2"]


def test_in_ci_a_missing_program_fails_the_run_and_elsewhere_only_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = load_setup()
    monkeypatch.setattr(setup, "DEBIAN", {"no-such-package": ("/nowhere/at/all",)})
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", "true")
    assert setup.install_debian() == 1
    monkeypatch.setenv("CI", "")
    assert setup.install_debian() == 0
    assert "no-such-package" in capsys.readouterr().err


def load_setup() -> ModuleType:
    """tools/setup.py as a module: it is a script outside the package."""
    spec = importlib.util.spec_from_file_location("gridgis_setup_script", ROOT / "tools" / "setup.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
