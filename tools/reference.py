"""Write the reference pages from the program itself: every command, every layer and column, in both languages.

`python tools/reference.py` rewrites `docs/reference/`; a test fails when a page is out of date or a column unexplained.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import click

from gridgis.cli import root
from gridgis.cli.base import Command, FileOrVerb, Front, Group, Option, shown_path
from gridgis.hotspots.patterns import PATTERNS, Pattern
from gridgis.layers import LAYERS, Column, Layer
from gridgis.text import LANGS, Lang, t

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "reference"
NOTE: Final = "<!-- written by tools/reference.py from the program: change the program, then run `make docs` -->\n\n"

WORDS: Final[Mapping[Lang, Mapping[str, str]]] = {
    "en": {
        "commands": "Commands",
        "commands_intro": "Results go to stdout, with `--json` as exactly one JSON document; messages and progress go to stderr. "
        "Exit codes: 0 done; 1 the data or the workspace does not allow it (one message, nothing changed, stdout empty); "
        "2 wrong usage; 130 stopped by Ctrl-C, nothing changed.\n\n"
        "`GRIDGIS_WORKSPACE` names the workspace where `-w` does not, `GRIDGIS_LANG` the language where `--lang` does not. "
        'Completion in the shell: `eval "$(_GRIDGIS_COMPLETE=bash_source gridgis)"` (or `zsh_source`).',
        "option": "option",
        "meaning": "meaning",
        "columns": "Layers and columns",
        "columns_intro": "The same names in the store, in files, in JSON and in Python. A column marked * must be in an import. "
        "`recognised as` lists headings an import knows by itself; others are named with `--map`. "
        "Further columns of a file are kept as they are.",
        "column": "column",
        "kind": "kind",
        "also": "recognised as",
        "history": "Keeps history: `valid_from`, `valid_to`, `version` and a change log.",
        "made": "Made by gridgis, can also be imported.",
        "no_geometry": "Rows without a place are allowed.",
        "geometry": "geometry",
        "stop": ": ",
        "patterns": "Patterns of emerging hot spots",
        "patterns_intro": "`gridgis hotspots emerging` gives each cell the first pattern of this table that fits its periods, "
        "or `none`. A period is hot or cold where its Gi* is significant; the trend is the Mann-Kendall test over the Gi* of "
        "each period alone. The definitions follow those of Esri's Emerging Hot Spot Analysis; where its text leaves a choice, "
        "the columns say how it was made. Hot patterns count hot periods, cold patterns cold ones; – means that it does not "
        "matter. Final run: how many periods without a break are hot (cold) up to the final one.",
        "pattern_columns": "pattern | name | meaning | in the final period | final run | before that run | in at least 90 % "
        "| ever the opposite | trend",
        "yes": "yes",
        "no": "no",
        "at_least": "≥ {number}",
        "trend_1": "stronger",
        "trend_0": "none",
        "trend_-1": "weaker",
    },
    "zh": {
        "commands": "命令",
        "commands_intro": "结果写到标准输出，加 `--json` 时为一个 JSON 文档；消息和进度写到标准错误。"
        "退出码：0 完成；1 数据或工作区不允许（给出一条消息，不改动任何内容，标准输出为空）；"
        "2 用法错误；130 被 Ctrl-C 停止，不改动任何内容。\n\n"
        "未给 `-w` 时由 `GRIDGIS_WORKSPACE` 指定工作区，未给 `--lang` 时由 `GRIDGIS_LANG` 指定语言。"
        '命令行补全：`eval "$(_GRIDGIS_COMPLETE=bash_source gridgis)"`（或 `zsh_source`）。',
        "option": "选项",
        "meaning": "含义",
        "columns": "图层与字段",
        "columns_intro": "字段名在工作区、文件、JSON 和 Python 中一致。带 * 的字段导入时必须有。"
        "“可识别的列名”由导入自动识别，其他列名用 `--map` 指定。文件中的其余列原样保留。",
        "column": "字段",
        "kind": "类型",
        "also": "可识别的列名",
        "history": "保留历史：`valid_from`、`valid_to`、`version` 和变更日志。",
        "made": "由 gridgis 计算得到，也可导入。",
        "no_geometry": "允许没有位置的记录。",
        "geometry": "图形",
        "stop": "：",
        "patterns": "新兴热点的模式",
        "patterns_intro": "`gridgis hotspots emerging` 为每个格子取本表中第一个符合的模式；都不符合时为 `none`。"
        "Gi* 显著的时期为热（冷）期；趋势由各期单独的 Gi* 经 Mann-Kendall 检验得出。"
        "定义依据 Esri 新兴时空热点分析的公开说明，原文留有余地之处以各列为准。"
        "热点模式数热期，冷点模式数冷期；– 表示不作要求。末段：截至最后一期连续为热（冷）的期数。",
        "pattern_columns": "模式 | 名称 | 含义 | 最后一期 | 末段 | 末段之前 | 不少于 90 % | 曾为相反 | 趋势",
        "yes": "是",
        "no": "否",
        "at_least": "≥ {number}",
        "trend_1": "增强",
        "trend_0": "无",
        "trend_-1": "减弱",
    },
}


def main() -> int:
    """Write every page; the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """File name -> text of every generated page."""
    suffix: dict[Lang, str] = {"en": ".md", "zh": ".zh.md"}
    made = {f"commands{suffix[lang]}": commands(lang) for lang in LANGS}
    made |= {f"columns{suffix[lang]}": columns(lang) for lang in LANGS}
    return made | {f"patterns{suffix[lang]}": patterns(lang) for lang in LANGS}


def commands(lang: Lang) -> str:
    """The page of commands."""
    words = WORDS[lang]
    parts = [f"# {words['commands']}\n\n{words['commands_intro']}\n"]
    with click.Context(root, info_name="gridgis", obj=Front(lang)) as top:
        parts.extend(command_section(context, lang) for context in walk(top))
    return NOTE + "\n".join(parts)


def walk(parent: click.Context) -> Iterator[click.Context]:
    """A context for every command below a group, in the order help lists them."""
    group = cast("Group", parent.command)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            continue
        context = click.Context(command, parent=parent, info_name=name)
        if isinstance(command, Group):
            yield from walk(context)
        else:
            yield context


def command_section(context: click.Context, lang: Lang) -> str:
    """One command: how it is written, what it does, its options."""
    command = cast("Command", context.command)
    words = WORDS[lang]
    usage = " ".join(command.collect_usage_pieces(context))
    title = " ".join([shown_path(context), *(["FILE"] if context.info_name == FileOrVerb.FILE else [])])
    records = [*command.records(context, click.Argument), *command.records(context, Option)]
    rows = [f"| `{cell(names)}` | {cell(meaning)} |" for names, meaning in records]
    lines = [
        f"## {title}\n",
        f"`{shown_path(context)} {usage}`\n",
        t(f"cli.{command.key}", lang) + "\n",
        f"| {words['option']} | {words['meaning']} |\n|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def columns(lang: Lang) -> str:
    """The page of layers and their columns."""
    words = WORDS[lang]
    return NOTE + "\n".join(
        [f"# {words['columns']}\n\n{words['columns_intro']}\n", *(layer_section(layer, lang) for layer in LAYERS.values())]
    )


def layer_section(layer: Layer, lang: Lang) -> str:
    """One layer: what it is and its columns."""
    words, meaning = WORDS[lang], meanings()
    about = meaning[layer.name]["_layer"][lang]
    notes = [
        *([words["history"]] if layer.history else []),
        *([words["made"]] if layer.made else []),
        *([words["no_geometry"]] if not layer.geometry_required else []),
    ]
    space = " " if lang == "en" else ""
    rows = [column_row(column, meaning_of(layer, column, lang)) for column in layer.columns]
    return "\n".join(
        [
            f"## {layer.name}\n",
            f"{space.join([about, *notes])}\n",
            f"| {words['column']} | {words['kind']} | {words['meaning']} | {words['also']} |\n|---|---|---|---|",
            *rows,
            f"| geometry{'*' if layer.geometry_required else ''} | {layer.shape} | {words['geometry']} | |\n",
        ]
    )


def patterns(lang: Lang) -> str:
    """The page of the patterns of emerging hot spots."""
    words = WORDS[lang]
    heading = f"| {words['pattern_columns']} |"
    rule = "|" + "---|" * (heading.count("|") - 1)
    rows = [pattern_row(pattern, lang) for pattern in PATTERNS]
    return NOTE + "\n".join([f"# {words['patterns']}\n\n{words['patterns_intro']}\n", heading, rule, *rows]) + "\n"


def pattern_row(pattern: Pattern, lang: Lang) -> str:
    """One pattern as a row of the table."""
    words = WORDS[lang]
    answer = {None: "–", True: words["yes"], False: words["no"]}
    run = "–"
    if pattern.run is not None:
        fewest, most = pattern.run
        run = str(fewest) if fewest == most else words["at_least"].format(number=fewest)
    cells = [
        f"`{pattern.key}`",
        pattern.name(lang),
        pattern.definition(lang),
        answer[pattern.final],
        run,
        answer[pattern.before],
        answer[pattern.mostly],
        answer[pattern.opposite],
        "–" if pattern.trend is None else words[f"trend_{pattern.trend}"],
    ]
    return "| " + " | ".join(map(cell, cells)) + " |"


def column_row(column: Column, meaning: str) -> str:
    """One column as a row of the table."""
    kind = " / ".join(column.values) if column.values else column.kind
    return f"| {column.name}{'*' if column.required else ''} | {kind} | {cell(meaning)} | {'、'.join(column.also)} |"


def meaning_of(layer: Layer, column: Column, lang: Lang) -> str:
    """What a column means: as said for its layer, else as said for all layers. `KeyError` if nowhere."""
    meaning = meanings()
    own = meaning[layer.name].get(column.name)
    return (own or meaning["_all"][column.name])[lang]


def meanings() -> dict[str, dict[str, dict[Lang, str]]]:
    """What layers and columns mean, from `docs/reference/meaning.toml`."""
    return tomllib.loads((FOLDER / "meaning.toml").read_text(encoding="utf-8"))


def cell(text: str) -> str:
    """A text fit for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
