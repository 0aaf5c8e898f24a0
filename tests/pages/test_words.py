"""No page says anything outside the catalogues: what a user reads comes from a message, a table of data, or a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridgis.text import catalogue

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "gridgis" / "pages").glob("*.py"))
# arguments that set how something looks or is found, not what it says
SILENT = {
    "border", "format", "gap", "height", "horizontal_alignment", "icon", "initial_sidebar_state", "key", "label_visibility",
    "layout", "mime", "on_click", "page_icon", "persist_state", "position", "query_params", "run_every", "scope",
    "selection_mode", "step", "type", "url_path", "vertical_alignment", "width",
}  # fmt: skip
METHODS = {"selectbox", "text_input", "number_input", "date_input", "button", "metric", "caption", "markdown", "checkbox"}
# modules whose bits of HTML are markup around messages
MARKUP = re.compile(r"<[^>]*>|&\w+;|[\s·–/:,()*%=\d.;\"'#→]+")
GROUPS = ("pages", "overview", "datapage", "gridpage", "hotspage", "settingspage", "downloads")


def streamlit_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of `st.…`, and of methods on columns and containers that show text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if (isinstance(owner, ast.Name) and owner.id == "st") or node.func.attr in METHODS:
                yield node


def literals(node: ast.AST) -> Iterator[str]:
    """Texts written out in an expression, except those handed to a call that looks a message up or reads data."""
    if isinstance(node, ast.Call):
        return
    if isinstance(node, (ast.Subscript, ast.Compare, ast.Lambda)):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def spoken(text: str) -> str:
    return MARKUP.sub("", text)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_no_text_is_written_into_a_widget(file: Path) -> None:
    wrong = []
    for call in streamlit_calls(ast.parse(file.read_text(encoding="utf-8"))):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in {"cache_data", "cache_resource", "fragment", "container", "columns", "get_option", "switch_page"}:
            continue
        shown = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg not in SILENT)]
        if name in {"segmented_control", "selectbox"}:  # the second argument is data, told by format_func
            shown = [call.args[0], *(keyword.value for keyword in call.keywords if keyword.arg in {"help", "placeholder"})]
        wrong += [f"{file.name}:{call.lineno} {text!r}" for node in shown for text in literals(node) if spoken(text)]
    assert wrong == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_no_chinese_is_written_into_code(file: Path) -> None:
    """Chinese outside docstrings is only the name of the language itself and punctuation that joins data."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and node.body and isinstance(node.body[0], ast.Expr)
    }
    fields = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docs | fields
        and re.search(r"[\u4e00-\u9fff]", node.value)
    ]
    assert [text for text in found if text != "中文"] == []


def test_the_lint_finds_a_planted_text() -> None:
    """The lint itself can fail: a label written out is found, a message looked up is not."""
    bad, good = ast.parse('st.button("Save", key="x")'), ast.parse('st.button(say("a.b"), key="x")')
    assert [text for call in streamlit_calls(bad) for arg in call.args for text in literals(arg)] == ["Save"]
    assert [text for call in streamlit_calls(good) for arg in call.args for text in literals(arg)] == []


@pytest.mark.parametrize("group", GROUPS)
def test_both_languages_hold_the_same_messages_of_the_pages(group: str) -> None:
    zh = {key: set(re.findall(r"(?<!\{)\{(\w+)\}", text)) for key, text in catalogue("zh").items() if key.startswith(f"{group}.")}
    en = {key: set(re.findall(r"(?<!\{)\{(\w+)\}", text)) for key, text in catalogue("en").items() if key.startswith(f"{group}.")}
    assert zh
    assert zh == en


@pytest.mark.parametrize("group", GROUPS)
def test_english_messages_of_the_pages_hold_no_chinese(group: str) -> None:
    own = {key: text for key, text in catalogue("en").items() if key.startswith(f"{group}.")}
    wrong = {key: text for key, text in own.items() if re.search(r"[\u3000-\u9fff]", text)}
    assert wrong == {}
