"""Build the documentation into `site/`: plain pages that open from a disk, with nothing fetched from anywhere.

The pages are README.md, CHANGELOG.md and `docs/**/*.md`, plus one page of the Python API read from the docstrings.
"""

from __future__ import annotations

import ast
import html
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).resolve().parent.parent
SITE: Final = ROOT / "site"
# page -> its name in the list at the side; a page that is not here is found by links only
NAV: Final = {
    "README.md": "gridgis",
    "README.zh.md": "中文说明",
    "docs/import.md": "Import your town",
    "docs/coverage.md": "Read the coverage",
    "docs/hotspots.md": "Hot spots",
    "docs/redraw.md": "Redraw",
    "docs/propose.md": "Let grids draw themselves",
    "docs/reach.md": "Reach and patrol rounds",
    "docs/qgis-postgis.md": "QGIS and PostGIS",
    "docs/offline.md": "Go offline",
    "docs/maps.md": "Maps",
    "docs/figures.md": "How each figure is made",
    "docs/reference/commands.md": "Commands",
    "docs/reference/columns.md": "Layers and columns",
    "docs/reference/patterns.md": "Emerging hot spots",
    "docs/reference/commands.zh.md": "命令",
    "docs/reference/columns.zh.md": "图层与字段",
    "docs/reference/patterns.zh.md": "新兴热点的模式",
    "docs/reference/python.md": "Python",
    "docs/design.md": "Design",
    "CHANGELOG.md": "Changes",
}
STYLE: Final = """
body { margin: 0; display: flex; font: 16px/1.6 system-ui, "Noto Sans CJK SC", sans-serif; color: #1c2a33; }
nav { flex: 0 0 14rem; padding: 2rem 1.5rem; min-height: 100vh; background: #f2f5f6; box-sizing: border-box; }
nav a { display: block; padding: .2rem 0; color: #1d5a70; text-decoration: none; }
nav a.here { font-weight: 600; color: #1c2a33; }
main { flex: 1; min-width: 0; max-width: 56rem; padding: 2rem 3rem; }
main a { color: #1d5a70; }
img { max-width: 100%; border: 1px solid #d8e0e3; border-radius: 4px; }
pre { padding: .8rem 1rem; overflow-x: auto; background: #f2f5f6; border-radius: 4px; line-height: 1.45; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d8e0e3; text-align: left; vertical-align: top; }
@media (max-width: 50rem) { body { display: block; } nav { min-height: 0; padding: 1rem; } main { padding: 1rem; } }
"""


def main() -> int:
    """Build the site; exit code 1 if a page links to a file that is not there."""
    shutil.rmtree(SITE, ignore_errors=True)
    sources = {name: (ROOT / name).read_text(encoding="utf-8") for name in page_names()}
    sources["docs/reference/python.md"] = python_page()
    broken = [f"{name}: {link}" for name, text in sources.items() for link in broken_links(name, text, set(sources))]
    for name, text in sources.items():
        target = SITE / html_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(name, text, set(sources)), encoding="utf-8")
    if (ROOT / "docs" / "images").exists():
        shutil.copytree(ROOT / "docs" / "images", SITE / "docs" / "images")
    for line in broken:
        print(f"no such page: {line}", file=sys.stderr)
    print(f"{len(sources)} pages in {SITE.name}/, open {SITE.name}/index.html")
    return 1 if broken else 0


def page_names() -> list[str]:
    """Every page kept as a file, relative to the project."""
    files = [*ROOT.glob("README*.md"), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(file.relative_to(ROOT)) for file in files]


def html_name(name: str) -> str:
    """Where a page of Markdown goes; the README is the first page."""
    return "index.html" if name == "README.md" else name.removesuffix(".md") + ".html"


def page(name: str, text: str, names: set[str]) -> str:
    """One page with the list of pages at its side."""
    up = "../" * name.count("/")
    body = anchored(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    body = re.sub(r'href="([^":#]+)\.md(#[^"]*)?"', lambda link: f'href="{local(link[1])}.html{link[2] or ""}"', body)
    links = "".join(
        f'<a href="{up}{html_name(target)}"{" class=here" if target == name else ""}>{html.escape(title)}</a>'
        for target, title in NAV.items()
        if target in names
    )
    title = html.escape(next(iter(re.findall(r"^# (.+)", text, re.MULTILINE)), name))
    lang = "zh" if ".zh." in name else "en"
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style><nav>{links}</nav><main>{body}</main></html>\n"
    )


def local(path: str) -> str:
    """A link's path without ending, the README being `index`."""
    return re.sub(r"(^|/)README$", r"\1index", path)


def anchored(body: str) -> str:
    """Headings with the ids that links within the documentation use."""
    return re.sub(r"<h([2-4])>(.*?)</h\1>", lambda found: f'<h{found[1]} id="{slug(found[2])}">{found[2]}</h{found[1]}>', body)


def slug(heading: str) -> str:
    """A heading as an id, the way GitHub makes it."""
    plain = re.sub(r"<[^>]+>", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def broken_links(name: str, text: str, names: set[str]) -> Iterator[str]:
    """Links and pictures of a page that lead to no file of the project."""
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        target = (folder / link).resolve()
        inside = target.is_relative_to(ROOT) and str(target.relative_to(ROOT)) in names
        if not (target.exists() or inside):
            yield link


def python_page() -> str:
    """The Python API: public functions and classes by module, as their docstrings explain them."""
    parts = ["# Python\n\nRead from the docstrings. Examples run as tests.\n"]
    for file in sorted((ROOT / "gridgis").rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if name.split(".")[-1].startswith("_") or name.split(".")[1:2] in (["cli"], ["pages"]):
            continue
        parts.append(f"## {name}\n\n{(ast.get_docstring(tree) or '').strip()}\n")
        parts.extend(
            f"### {node.name}\n\n```text\n{signature(node)}\n\n{ast.get_docstring(node) or ''}\n```\n"
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        )
    return "\n".join(parts)


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """A function as it is called, or a class with its bases."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}({', '.join(map(ast.unparse, node.bases))})".replace("()", "")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


if __name__ == "__main__":
    sys.exit(main())
