"""`gridgis redraw balance`: what it prints, what it leaves in the draft, and what it says when there is no plan."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gridgis
from gridgis import toy
from gridgis.cli import main
from gridgis.tasks.gridding import build_unit_grids
from gridgis.tasks.plan_state import load

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the toy town with unit grids of 50 m and give its JSON, or what it said; the exit code is checked."""
    path = str(tmp_path / "town.gpkg")
    monkeypatch.setenv("GRIDGIS_WORKSPACE", path)
    with gridgis.create_workspace(path, crs=toy.CRS) as ws:
        with ws.write(who="t", why="t") as write:
            for name in ("areas", "stations", "grids", "buildings"):
                write.upsert(name, getattr(toy, name)())
        build_unit_grids(ws, cell_m=50, who="t")

    def call(*arguments: object, code: int = 0, lang: str = "en", as_json: bool = True) -> Any:
        capsys.readouterr()
        told = ["redraw", "balance", "--area", toy.WEST, *map(str, arguments), "--lang", lang, *(["--json"] if as_json else [])]
        assert main(told) == code, capsys.readouterr().err
        said = capsys.readouterr()
        if code:
            return said.err
        return json.loads(said.out) if as_json else said.out

    return call


def test_the_draft_has_what_the_answer_says(run: Run) -> None:
    told = run("--k", 3, "--weight", "households", "--seed", 1, "--who", "Li", "--reason", "alike")
    assert (told["plan"], told["rev"], told["k"], told["bounds"]["kept"], told["contiguous"]) == ("default", 2, 3, True, True)
    assert sum(row["load"] for row in told["grids"]) == 6
    with gridgis.open_workspace(_path()) as ws:
        entry = ws.plan_entries("default")[-1]
        drawn = load(ws, "default").areas[toy.WEST].rows
    assert {row["code"] for row in told["grids"]} == set(drawn)
    assert (entry.who, entry.why) == ("Li", "alike")
    assert (entry.op or {})["asked"] == {"weights": {"households": 1.0}, "k": 3, "low": None, "high": None, "seed": 1, "which": 1}


def test_a_dry_run_writes_nothing_and_another_proposal_can_be_taken(run: Run) -> None:
    told = run("--k", 2, "--dry-run")
    assert told["rev"] is None
    assert told["chosen"] == 1
    with gridgis.open_workspace(_path()) as ws:
        assert ws.plans() == ()
    assert "1 to" in run("--k", 2, "--take", 99, code=1)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", ("In one piece", "is in plan default now")), ("zh", ("连成一片", "已写入方案 default"))]
)
def test_tables_speak_the_users_language(run: Run, lang: str, words: tuple[str, ...]) -> None:
    said = run("--range", "2:4", lang=lang, as_json=False)
    for word in words:
        assert word in said


def test_bounds_that_fail_are_named_with_the_nearest_that_do_not(run: Run) -> None:
    said = run(code=1)
    assert "300" in said
    said = run("--range", "3:3", code=1)
    assert "bounds of 2 to 4" in said
    assert run("--range", "2:4")["load"] == {"min": 2.0, "mean": 3.0, "max": 4.0}


@pytest.mark.parametrize("wrong", [("--range", "a:b"), ("--weight", "households=x"), ("--k", "0"), ("--units", "roads")])
def test_options_that_mean_nothing_are_refused_before_anything_is_read(run: Run, wrong: tuple[str, str]) -> None:
    assert wrong[1] in run(*wrong, code=2)


def _path() -> str:
    return os.environ["GRIDGIS_WORKSPACE"]
