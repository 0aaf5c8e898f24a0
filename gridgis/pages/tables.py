"""Tables as plain HTML: numbers right-aligned in the reader's format, every text escaped, the same on screen and in a file."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from gridgis import text
from gridgis.text import Lang, t

Kind = Literal["text", "name", "code", "int", "number", "km2", "percent", "bar", "date"]
_RIGHT: Final = {"int", "number", "km2", "percent", "bar"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table on screen."""

    field: str
    """Column of the frame."""
    title: str
    """Heading, already in the reader's language."""
    kind: Kind = "text"
    """`km2` takes square metres, `percent` and `bar` a share (0–1); a missing value shows as "–"."""
    digits: int | None = None
    """Decimals, where the kind's own are not wanted."""
    of: str | None = None
    """Column with the denominator, shown behind a slash in the same cell."""


def table(frame: pd.DataFrame, columns: Sequence[Column], lang: Lang, *, height_px: int | None = None, label: str = "") -> str:
    """A frame as an HTML table.

    >>> frame = pd.DataFrame({"name": ["<b>"], "share": [0.4355]})
    >>> print(table(frame, [Column("name", "Name"), Column("share", "Share", "percent")], "en"))
    <div class="gp-table"><table><thead><tr><th scope="col">Name</th><th scope="col" class="r">Share</th></tr></thead>
    <tbody><tr><td>&lt;b&gt;</td><td class="r">43.6 %</td></tr></tbody></table></div>
    """
    head = "".join(f'<th scope="col"{_align(column)}>{html.escape(column.title)}</th>' for column in columns)
    values = _values(frame, [column.field for column in columns])
    wholes = _values(frame, [column.of for column in columns])
    rows = (
        "".join(_cell(value, whole, column, lang) for value, whole, column in zip(row, of, columns, strict=True))
        for row, of in zip(values, wholes, strict=True)
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    style = f' style="max-height:{height_px}px"' if height_px else ""
    name = f' aria-label="{html.escape(label)}"' if label else ""
    return f'<div class="gp-table"{style}><table{name}><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def figures(pairs: Iterable[tuple[str, str]]) -> str:
    """A row of figures, each under its name.

    >>> figures([("People", "14,624")])
    '<div class="gp-cards"><div class="gp-card"><div class="k">People</div><div class="v">14,624</div></div></div>'
    """
    cards = (
        f'<div class="gp-card"><div class="k">{html.escape(name)}</div><div class="v">{html.escape(value)}</div></div>'
        for name, value in pairs
    )
    return f'<div class="gp-cards">{"".join(cards)}</div>'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values under each other.

    >>> pairs([("Store", "GeoPackage")])
    '<div class="gp-table"><table><tbody><tr><th scope="row">Store</th><td>GeoPackage</td></tr></tbody></table></div>'
    """
    lines = (f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>' for name, value in rows)
    return f'<div class="gp-table"><table><tbody>{"".join(lines)}</tbody></table></div>'


def value_text(value: object, kind: Kind, lang: Lang, *, digits: int | None = None) -> str:
    """One value as its reader writes it; "–" where there is none.

    >>> value_text(84_000_000.0, "km2", "en"), value_text(None, "int", "zh"), value_text(True, "text", "zh")
    ('84.0', '–', '是')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return t("general.yes" if value else "general.no", lang)
    if isinstance(value, (int, float)):
        return _number(float(value), kind, digits)
    if isinstance(value, dt.datetime):
        return f"{text.day(value.date(), lang)} {value:%H:%M}"
    if isinstance(value, dt.date):
        return text.day(value, lang)
    return str(value)


def _number(value: float, kind: Kind, digits: int | None) -> str:
    if kind in ("percent", "bar"):
        return text.percent(value, digits=1 if digits is None else digits)
    if kind == "km2":
        return text.number(value / 1e6, digits=1 if digits is None else digits)
    if kind == "code":
        return f"{value:.0f}"
    whole = 0 if kind == "int" or value.is_integer() else 2
    return text.number(value, digits=whole if digits is None else digits)


def _values(frame: pd.DataFrame, fields: Sequence[str | None]) -> list[tuple[object, ...]]:
    """The rows of a frame's columns; nothing for a column that is not there."""
    empty = [None] * len(frame)
    series = [frame[field].tolist() if field is not None and field in frame else empty for field in fields]
    return list(zip(*series, strict=True)) if series else [()] * len(frame)


def _cell(value: object, whole: object, column: Column, lang: Lang) -> str:
    shown = html.escape(value_text(_plain(value), column.kind, lang, digits=column.digits))
    if column.of is not None:
        shown += f" / {html.escape(value_text(_plain(whole), column.kind, lang, digits=column.digits))}"
    if column.kind == "bar" and shown != "–":
        share = min(max(float(str(value)), 0.0), 1.0)
        return f'<td class="r bar"><i style="width:{share * 100:.1f}%"></i><span>{shown}</span></td>'
    return f"<td{_align(column)}>{shown}</td>"


def _plain(value: object) -> object:
    """Numpy's scalars as Python's own."""
    return value.item() if hasattr(value, "item") and not isinstance(value, pd.Timestamp) else value


def _align(column: Column) -> str:
    if column.kind in _RIGHT:
        return ' class="r"'
    return ' class="c"' if column.kind in ("code", "name", "date") else ""
