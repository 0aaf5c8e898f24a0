"""What the documentation says is what the program does: commands, columns, links, both READMEs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from gridgis.cli import COMMANDS
from gridgis.layers import LAYERS
from gridgis.text import LANGS, Lang

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")


def tool(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(f"gridgis_tool_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_pages_are_what_the_program_says_now() -> None:
    for name, text in tool("reference").pages().items():
        kept = ROOT / "docs" / "reference" / name
        assert kept.exists(), "run `make docs`"
        assert kept.read_text(encoding="utf-8") == text, f"{name} is out of date: run `make docs`"


@pytest.mark.parametrize("lang", LANGS)
def test_every_layer_and_column_is_explained(lang: Lang) -> None:
    reference = tool("reference")
    for layer in LAYERS.values():
        assert reference.meanings()[layer.name]["_layer"][lang]
        for column in layer.columns:
            assert reference.meaning_of(layer, column, lang)


def test_no_explanation_is_left_of_a_column_that_went() -> None:
    meanings = tool("reference").meanings()
    everywhere = {column.name for layer in LAYERS.values() for column in layer.columns}
    assert meanings.keys() - {"_all"} == LAYERS.keys()
    assert meanings["_all"].keys() <= everywhere
    for name, layer in LAYERS.items():
        assert meanings[name].keys() - {"_layer"} <= {column.name for column in layer.columns}


@pytest.mark.parametrize("readme", READMES)
def test_a_readme_mentions_every_command_and_none_that_is_not_there(readme: str) -> None:
    # in code only: prose may say "gridgis works with …"
    text = (ROOT / readme).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`(gridgis [^`]+)`", text))
    assert set(re.findall(r"^\s*gridgis ([a-z]+)", code, re.MULTILINE)) <= COMMANDS.keys()
    assert {name for name in COMMANDS if f"gridgis {name}" not in code} == (
        set() if readme == "README.md" else {"demo", "export"}
    )


def test_every_how_to_is_in_the_readme_and_in_the_list_of_pages() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")}
    assert {page for page in pages if f"({page})" not in readme} == set()
    assert pages <= tool("docs_site").NAV.keys()


def test_the_readme_opens_with_picture_sentence_commands_and_what_it_is_not() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ", 1)[0]
    picture, run, limits = (first_screen.find(text) for text in ("![", "make run", "What it is not"))
    assert 0 < picture < run < limits


def test_no_page_leads_nowhere_and_none_loads_anything_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tool("docs_site")
    monkeypatch.setattr(site, "SITE", tmp_path / "site")
    monkeypatch.setattr(site, "ROOT", ROOT)
    code = site.main()
    assert (capsys.readouterr().err, code) == ("", 0)
    pages = list((tmp_path / "site").rglob("*.html"))
    assert (tmp_path / "site" / "index.html") in pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|link|iframe)\b|(src|srcset)=\"(https?:)?//", text), page
        for link in re.findall(r'href="([^"#:]+\.html)', text):
            assert (page.parent / link).resolve().exists(), (page.name, link)


def test_the_documented_json_of_coverage_names_the_keys_of_the_contract() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    for key in ("as_of", "area", "synthetic", "measures", "covered", "total", "unit", "percent", "reason", "by"):
        assert f'"{key}"' in text
