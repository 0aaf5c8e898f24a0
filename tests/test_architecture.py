"""The rules the code base is built by, read from the code itself: the order of rooms, sizes, docstrings, words, addresses."""

from __future__ import annotations

import ast
import re
import string
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gridgis.text import LANGS, catalogue

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gridgis"
MODULES = sorted(PACKAGE.rglob("*.py"))
WHOLE = ("__init__", "__main__")  # the package itself and its command stand outside the rooms

MAX_LINES = 400
MAX_BODY = 60
# file -> why it may be longer
LONG_MODULES: dict[str, str] = {}
# file:function -> why it may be longer
LONG_FUNCTIONS: dict[str, str] = {}
# rooms whose public functions all carry an example that runs
WITH_EXAMPLES = ("words", "coordinates", "core")
# module.function -> why it has none
NO_EXAMPLE: dict[str, str] = {}
# file -> why it may take any error: the outermost doors, where the unforeseen must reach the user or the log
OUTERMOST_DOORS = {
    "gridgis/pages/shared.py": "a page shows an unforeseen error as a sentence with a number; the trace goes to the log",
    "gridgis/web/routes.py": "a map request answers a failure with a status; the trace goes to the log",
    "gridgis/pages/jobs.py": "a thread hands whatever ended it to the page that started it",
}
# addresses in the package that name something and are never fetched
NAMES_NOT_ADDRESSES = (
    r"http://127\.0\.0\.1",
    r"http://localhost",
    r"http://\{",  # the address this program itself serves on
    r"https?://[\w.-]+\.example[/:]",  # kept for examples by the naming authority
    r"http://www\.opengis\.net/",
    r"http://www\.geopackage\.org/",
    r"http://www\.w3\.org/",
)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def module_names() -> frozenset[str]:
    return frozenset(module_name(file) for file in MODULES)


def imports(file: Path) -> Iterator[str]:
    """Modules of gridgis a file imports, at the top or inside a function, named below `gridgis.`."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("gridgis.") for alias in node.names if alias.name.startswith("gridgis."))
        elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("gridgis."):
            for alias in node.names:
                # a name imported from a package is one of its modules, or something the package itself offers
                inner = f"{node.module}.{alias.name}".removeprefix("gridgis.")
                outer = str(node.module).removeprefix("gridgis").removeprefix(".")
                yield inner if inner in module_names() or not outer else outer


@cache
def rooms() -> dict[str, tuple[int, str]]:
    """Top-level module -> number and name of its room, as the table in docs/design.md has it."""
    found: dict[str, tuple[int, str]] = {}
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = text.split("| room | modules |", 1)[1].split("\n\n", 1)[0]
    for number, line in enumerate(table.splitlines()[2:]):
        room, modules = (cell.strip() for cell in line.split("|")[1:3])
        for name in re.findall(r"`(\w+)/?`", modules):
            found[name] = (number, room)
    return found


def test_every_module_stands_in_a_room_of_the_design_and_every_room_is_there() -> None:
    there = {module_name(file).split(".")[0] for file in MODULES} - set(WHOLE)
    assert there - rooms().keys() == set(), "add them to the map of modules in docs/design.md"
    folders = {entry.name for entry in PACKAGE.iterdir() if entry.is_dir()}
    assert rooms().keys() - there - folders == set(), "the map of modules names what does not exist"


def test_a_module_imports_only_from_its_own_room_and_those_above() -> None:
    wrong = []
    for file in MODULES:
        own = module_name(file).split(".")[0]
        if own in WHOLE:
            continue
        for name in imports(file):
            other = name.split(".")[0]
            if other in rooms() and rooms()[other][0] > rooms()[own][0]:
                wrong.append(f"{module_name(file)} ({rooms()[own][1]}) imports {name} ({rooms()[other][1]})")
    assert wrong == []


def test_front_modules_do_not_import_each_other() -> None:
    """The command line and the pages are two fronts of the same tasks."""
    wrong = [
        f"{module_name(file)} imports {name}"
        for file in MODULES
        for name in imports(file)
        if {module_name(file).split(".")[0], name.split(".")[0]} == {"cli", "pages"}
    ]
    assert wrong == []


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    names = {module_name(file): file for file in MODULES}
    graph = {
        name: {other for other in imports(file) if other in names and other != name and is_top_level(file, other)}
        for name, file in names.items()
        if name not in WHOLE
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph.get(name, set())):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def is_top_level(file: Path, name: str) -> bool:
    """Whether a module is imported when the file is, not only when one of its functions runs."""
    wanted = f"gridgis.{name}"
    for node in tree(file).body:
        if isinstance(node, ast.Import) and any(alias.name == wanted for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom):
            if node.module == wanted:
                return True
            if node.module and any(f"{node.module}.{alias.name}" == wanted for alias in node.names):
                return True
    return False


def test_modules_are_short() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES and name not in LONG_MODULES} == {}
    assert [name for name in LONG_MODULES if lengths.get(name, 0) <= MAX_LINES] == [], "no longer an exception"


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_functions_are_short() -> None:
    long = {
        f"{file.relative_to(ROOT)}:{node.name}": body_length(node)
        for file in MODULES
        for node in ast.walk(tree(file))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and body_length(node) > MAX_BODY
    }
    assert {name: length for name, length in long.items() if name not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() <= long.keys(), "no longer an exception"


def test_every_module_opens_with_a_sentence() -> None:
    silent = [module_name(file) for file in MODULES if not (ast.get_docstring(tree(file)) or "").strip()]
    assert silent == []


def public_functions(file: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree(file).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node


def test_every_public_function_and_class_says_what_it_is() -> None:
    silent = [
        f"{module_name(file)}.{node.name}" for file in MODULES for node in public_functions(file) if not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_public_function_of_the_core_carries_an_example() -> None:
    lacking = {
        f"{module_name(file)}.{node.name}"
        for file in MODULES
        if rooms().get(module_name(file).split(".")[0], (0, ""))[1] in WITH_EXAMPLES
        for node in public_functions(file)
        if isinstance(node, ast.FunctionDef) and ">>>" not in (ast.get_docstring(node) or "")
    }
    assert lacking - NO_EXAMPLE.keys() == set()
    assert NO_EXAMPLE.keys() <= lacking, "no longer an exception"


def test_options_of_public_functions_in_the_core_are_keyword_only() -> None:
    """Whatever has a default is an option, and named where it is given; data that may be left out defaults to None."""
    positional = [
        f"{module_name(file)}.{node.name}"
        for file in MODULES
        if rooms().get(module_name(file).split(".")[0], (0, ""))[1] in ("coordinates", "core", "tasks")
        for node in public_functions(file)
        if isinstance(node, ast.FunctionDef) and any(not is_none(value) for value in node.args.defaults)
    ]
    assert positional == []


def test_the_package_neither_prints_nor_asserts_nor_swallows_everything() -> None:
    wrong = []
    for file in MODULES:
        for node in ast.walk(tree(file)):
            place = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Assert):
                wrong.append(f"{place} assert")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                wrong.append(f"{place} print")
            if isinstance(node, ast.ExceptHandler) and catches_everything(node) and not passes_on(node):
                wrong += [f"{place} except"] * (place.split(":")[0] not in OUTERMOST_DOORS)
            if isinstance(node, ast.Raise) and raised(node) in ("Exception", "BaseException"):
                wrong.append(f"{place} raise Exception")
    assert wrong == []


def is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds)


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a handler that cleans up after anything lets it go on its way."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None and "Exception" not in ast.dump(handler.type or last).split("'")


def raised(node: ast.Raise) -> str:
    target = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return target.id if isinstance(target, ast.Name) else ""


# --- words -----------------------------------------------------------------------------------------------------------


def placeholders(message: str) -> set[str]:
    return {field.split(".")[0].split("[")[0] for _, field, _, _ in string.Formatter().parse(message) if field is not None}


def test_both_languages_hold_the_same_messages_with_the_same_placeholders() -> None:
    zh, en = catalogue("zh"), catalogue("en")
    assert zh.keys() ^ en.keys() == set()
    assert [key for key in en if placeholders(en[key]) != placeholders(zh[key])] == []


def test_chinese_messages_are_chinese() -> None:
    """A message of English words has Chinese ones in the other catalogue; names such as "GeoPackage" may stay."""
    zh, en = catalogue("zh"), catalogue("en")
    words = {key: re.findall(r"\b[a-z]{4,}\b", re.sub(r"\{[^}]*\}|--[\w-]+|\S*[./_]\S*", "", en[key])) for key in en}
    assert [key for key in en if len(words[key]) > 1 and not re.search(r"[\u4e00-\u9fff]", zh[key])] == []


def test_english_messages_are_english() -> None:
    """Chinese in an English message is an example of what a file may hold: far less than the words around it."""
    latin, han = re.compile(r"[A-Za-z]"), re.compile(r"[\u4e00-\u9fff]")
    assert [key for key, text in catalogue("en").items() if 3 * len(han.findall(text)) > len(latin.findall(text))] == []


def strings(file: Path) -> Iterator[str]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_message_asked_for_exists() -> None:
    groups = "|".join(sorted({key.split(".")[0] for key in catalogue("en")}))
    asked = re.compile(rf"(?:{groups})\.[a-z][a-z0-9_]+")
    files = [*MODULES, *(file for file in [ROOT / "app.py"] if file.exists())]
    missing = {
        (file.name, text)
        for file in files
        for text in strings(file)
        if asked.fullmatch(text)
        and not text.endswith("_")
        and text not in catalogue("en")
        and text.rsplit(".", 1)[1] not in FILE_ENDINGS
    }
    assert missing == set()


FILE_ENDINGS = {"csv", "gpkg", "json", "toml", "png", "html", "py", "css", "js", "xlsx", "zip"}


def test_every_message_is_asked_for() -> None:
    """A message nobody asks for is dead text; keys put together from parts count by their beginning."""
    texts = {text for file in MODULES for text in strings(file)}
    beginnings = tuple({text for text in texts if re.fullmatch(r"[a-z_]+\.[a-z0-9_]*", text)})
    dead = [key for key in catalogue("en") if key not in texts and not key.startswith(dynamic(beginnings))]
    assert dead == []


def dynamic(beginnings: tuple[str, ...]) -> tuple[str, ...]:
    """Beginnings of keys that code completes, such as `cli.help_`: they end where a value is put in."""
    return tuple(text for text in beginnings if text.endswith(("_", ".")))


@pytest.mark.parametrize("lang", LANGS)
def test_no_message_is_empty(lang: str) -> None:
    assert [key for key, message in catalogue(lang).items() if not message.strip()] == []


# --- addresses and places --------------------------------------------------------------------------------------------


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the project's own files")
    return tuple(ROOT / name for name in listed.stdout.split("\0") if name)


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.exists() else ""
    except UnicodeDecodeError:
        return ""


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    # put together from pieces, or this file would find itself
    folders = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")]
    hosts = [("py", "pi.org"), ("pythonho", "sted.org"), ("npm", "js.org"), ("npm", "mirror"), ("debian", ".org"),
             ("conda.ana", "conda.org")]  # fmt: skip
    patterns = [*(f"{''.join(pieces)}\\w" for pieces in folders), *(re.escape("".join(pieces)) for pieces in hosts)]
    banned = re.compile("|".join(patterns))
    found = {str(file.relative_to(ROOT)): banned.findall(text_of(file)) for file in tracked()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_the_package_fetches_nothing_from_outside() -> None:
    """Every address in code, styles and scripts of the package names something or is our own machine."""
    allowed = re.compile("|".join(NAMES_NOT_ADDRESSES))
    own = [file for file in tracked() if (file.is_relative_to(PACKAGE) and file.suffix != ".toml") or file.name == "app.py"]
    found = [
        f"{file.relative_to(ROOT)}: {address}"
        for file in own
        for address in re.findall(r"https?://[^\s\"'<>)\]]*|(?<=[\"'(])//[\w.-]+\.\w+/", text_of(file))
        if not allowed.match(address)
    ]
    assert found == []


def test_no_third_party_web_asset_is_committed() -> None:
    assert [file for file in tracked() if re.search(r"(\.min\.(js|css)|/vendor/|node_modules)", str(file))] == []
