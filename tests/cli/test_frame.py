"""The frame of the command line: help and errors in both languages, exit codes, streams, speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import click
import pytest

from gridgis.cli import COMMANDS, main, root
from gridgis.cli.base import FileOrVerb, Front, first_sentence
from gridgis.cli.output import answer, plain, table, work
from gridgis.errors import Cancelled
from gridgis.text import LANGS, Lang, t

CONTRACT = {
    "init", "demo", "import", "export", "grid", "villages", "coverage", "hotspots", "redraw", "reach", "patrol", "check", "serve",
}  # fmt: skip


def gridgis(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "gridgis", *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )


def every_command() -> list[Sequence[str]]:
    lines: list[Sequence[str]] = []
    with click.Context(root, info_name="gridgis", obj=Front("en")) as context:
        for name in root.list_commands(context):
            command = root.get_command(context, name)
            verbs = [verb for verb in command.places if verb != FileOrVerb.FILE] if isinstance(command, FileOrVerb) else []
            lines += [[name], *([name, verb] for verb in verbs)]
    return lines


def test_every_command_of_the_contract_is_there() -> None:
    assert set(COMMANDS) == CONTRACT


@pytest.mark.parametrize("line", every_command(), ids=" ".join)
@pytest.mark.parametrize("lang", LANGS)
def test_every_command_explains_itself_in_the_users_language(
    line: Sequence[str], lang: Lang, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*line, "--help", "--lang", lang]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(t("cli.help_usage", lang))
    assert ("选项" in said.out) == (lang == "zh")
    assert "cli." not in said.out


def test_every_option_has_its_message() -> None:
    with click.Context(root, info_name="gridgis", obj=Front("zh")) as top:
        for line in every_command():
            command: click.Command = root
            context = top
            for name in line:
                assert isinstance(command, click.Group)
                found = command.get_command(context, name)
                assert found is not None
                command, context = found, click.Context(found, parent=context, info_name=name)
            for param in command.get_params(context):
                if isinstance(param, click.Option):
                    assert t(str(param.help), "zh"), param.opts


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (["chekc"], "check"),
        (["check", "--jsn"], "--json"),
        (["coverage", "--as-of", "2012-02-30"], "2012-02-30"),
        (["coverage", "--by", "colour"], "station, batch"),
        (["coverage", "--total", "a.geojson"], "--covered"),
        (["coverage", "--work-crs", "EPSG:4547"], "--work-crs"),
        (["coverage", "--total", "a", "--covered", "b", "--by", "area"], "--by"),
        (["grid", "a.geojson"], "--output"),
        (["grid", "build", "--cell-m", "0"], "0"),
        (["grid", "build", "--cell-m", "nan"], "nan"),
        (["grid", "build", "--cell-code", "16"], "15, long"),
        (["villages", "build", "--min-buildings", "0"], "0"),
        (["init", "--crs", "EPSG:1"], "EPSG:1"),
        (["init", "too", "much"], "too much"),
        (["init", "-w"], "-w"),
        (["import", "areas"], "FILE"),
        (["import", "areas", "f.csv", "--map", "name"], "field=column"),
        (["export"], "LAYER"),
        (["serve", "--port", "70000"], "65535"),
        (["check", "--lang", "fr"], "--lang"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_says_what_and_prints_nothing_on_stdout(
    line: Sequence[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", "en", *line]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert hint in said.err
    assert said.err.splitlines()[-1].startswith("Error: ")
    assert main(["--lang", "zh", *line]) == 2
    assert any("\u4e00" <= letter <= "\u9fff" for letter in capsys.readouterr().err.splitlines()[-1])


def test_nothing_at_all_gets_the_help_and_counts_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en"]) == 2
    said = capsys.readouterr()
    assert (said.out, "Commands" in said.err) == ("", True)


def test_the_language_follows_the_option_then_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GRIDGIS_LANG", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    main(["--help"])
    assert "用法" in capsys.readouterr().out
    main(["--help", "--lang=en"])
    assert "Usage" in capsys.readouterr().out


def test_help_and_version_are_there_in_half_a_second() -> None:
    for arguments in (["--help"], ["--version"], ["coverage", "--help"], ["grid", "--help"]):
        best = min(timed(arguments) for _ in range(3))
        assert best < 0.5, arguments


def timed(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    assert gridgis(*arguments).returncode == 0
    return time.perf_counter() - start


def test_help_loads_no_heavy_package() -> None:
    code = "import sys; from gridgis.cli import main; main(['grid', 'build', '--help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert {"geopandas", "pandas", "numpy", "streamlit", "rich", "shapely"} & set(loaded) == set()


def test_a_workspace_that_is_not_there_is_1_with_one_message(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["coverage"], ["check"], ["grid", "build"], ["villages", "build"]):
        assert main([*command, "-w", str(tmp_path / "none.gpkg"), "--json", "--lang", "zh"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("错误：")
        assert "none.gpkg" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_1_with_its_reason(tmp_path) -> None:
    line = f"{sys.executable} -m gridgis init -w {tmp_path / 'town.gpkg'} --lang en > /dev/full"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "Error: No space left on device\n")


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -m gridgis --help | head -1"
    ended = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


# --- answers ---------------------------------------------------------------------------------------------------------


def test_json_is_one_utf8_document_and_tables_are_not_even_made(capfd: pytest.CaptureFixture[str]) -> None:
    def never() -> list[str]:
        raise AssertionError

    answer(Front("zh", json=True), {"名": "庙岭", "share": float("nan")}, never)
    assert json.loads(capfd.readouterr().out) == {"名": "庙岭", "share": None}


def test_a_table_shows_what_it_was_given_and_interprets_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    row = ("[red]湾[/red]", ":smile:", None, 14624)
    answer(Front("en"), {}, lambda: [table("[b]T[/b]", ["a", "b", "c", "d"], [row], numbers=[3])])
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[red]湾[/red]", ":smile:", "–", "[b]T[/b]"))
    assert "\x1b" not in shown


def test_a_long_name_is_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    name = "很长的名称" * 20
    answer(Front("zh"), {}, lambda: [table("", ["名称"], [(name,)])])
    assert name in capsys.readouterr().out


def test_plain_turns_numpy_and_dates_into_json() -> None:
    import datetime as dt

    import numpy as np

    given = {"n": np.int64(3), "x": np.float64("inf"), "on": dt.datetime(2012, 12, 31, tzinfo=dt.UTC), "b": np.bool_(True)}
    assert json.loads(json.dumps(plain(given), allow_nan=False)) == {
        "n": 3,
        "x": None,
        "on": "2012-12-31T00:00:00+00:00",
        "b": True,
    }


def test_the_first_ctrl_c_stops_at_the_next_step_and_the_second_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    def once() -> None:
        with work(Front("en")) as progress:
            progress("general.yes", 1, 2)
            signal.raise_signal(signal.SIGINT)
            progress("general.yes", 2, 2)

    def twice() -> None:
        with work(Front("en")):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Cancelled):
        once()
    assert "Ctrl-C" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_first_sentence_keeps_decimal_points() -> None:
    assert first_sentence("Cells of 0.5 ha. More.") == "Cells of 0.5 ha."
