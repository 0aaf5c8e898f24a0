"""Charts as plain SVG: the same drawing on screen, in the exported page and on paper, with no script to load."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gridgis import text
from gridgis.text import Lang

BLUE: Final = "#1F5F8B"
ORANGE: Final = "#D98E04"
_INK: Final = "#5B6B78"
_LINE: Final = "#E3E9ED"
_WIDTH: Final = 720.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a step chart."""

    name: str
    """Label, already in the reader's language."""
    colour: str
    values: Sequence[float | None]
    """A share (0–1) per date; None where it is not known."""
    dash: str = ""
    """SVG dash pattern, so that lines differ without colour too."""


def steps(dates: Sequence[dt.date], lines: Sequence[Line], lang: Lang, *, label: str, height: float = 260.0) -> str:
    """Shares over time as steps, one line per measure, 0 % at the bottom.

    A point's value shows when the pointer rests on it. No dates give an empty drawing.
    """
    left, right, top, bottom = 48.0, _WIDTH - 20.0, 34.0, height - 30.0
    if not dates:
        return _svg("", height, label)
    known = [value for line in lines for value in line.values if value is not None]
    ceiling = _ceiling(max(known, default=1.0))
    first, last = dates[0].toordinal(), dates[-1].toordinal()

    def x(date: dt.date) -> float:
        return left + (right - left) * ((date.toordinal() - first) / (last - first) if last > first else 0.5)

    def y(share: float) -> float:
        return bottom - (bottom - top) * share / ceiling

    parts = []
    for tick in range(6):
        share = ceiling * tick / 5
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="{_LINE}"/>')
        parts.append(_text(left - 8, y(share) + 4, text.percent(share, digits=0), "end"))
    parts += [_text(x(date), bottom + 20, _month(date), "middle") for date in _spread(dates, x)]
    parts += [part for line in lines for part in _line(line, dates, x, y, lang)]
    parts.append(_legend(lines, left))
    return _svg("".join(parts), height, label)


def histogram(edges: Sequence[float], counts: Sequence[int], *, label: str, unit: str, height: float = 230.0) -> str:
    """Counts per class; `edges` has one more entry than `counts`, in `unit`."""
    left, right, top, bottom = 56.0, _WIDTH - 16.0, 14.0, height - 36.0
    if not counts or max(counts) == 0:
        return _svg("", height, label)
    most = max(counts)
    step = (right - left) / len(counts)
    parts = [f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="#9AA8B3"/>']
    for tick in range(5):
        y = bottom - (bottom - top) * tick / 4
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        parts.append(_text(left - 8, y + 4, text.number(most * tick / 4), "end"))
    for i, count in enumerate(counts):
        tall = (bottom - top) * count / most
        tip = f"{text.number(edges[i])}–{text.number(edges[i + 1])} {unit}: {text.number(count)}"
        parts.append(
            f'<rect x="{left + step * i + 1:.1f}" y="{bottom - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}" '
            f'fill="{BLUE}"><title>{html.escape(tip)}</title></rect>'
        )
    every = max(1, -(-len(edges) // 10))
    parts += [_text(left + step * i, bottom + 17, text.number(edges[i]), "middle") for i in range(0, len(edges), every)]
    parts.append(_text(right, height - 4, unit, "end"))
    return _svg("".join(parts), height, label)


def _line(line: Line, dates: Sequence[dt.date], x, y, lang: Lang) -> list[str]:  # type: ignore[no-untyped-def]
    points = [(date, value) for date, value in zip(dates, line.values, strict=True) if value is not None]
    if not points:
        return []
    path = f"M{x(points[0][0]):.1f},{y(points[0][1]):.1f}"
    for date, value in points[1:]:
        path += f"H{x(date):.1f}V{y(value):.1f}"
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    parts = [f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="2.2"{dash}/>']
    for date, value in points:
        tip = f"{text.day(date, lang)} · {line.name} {text.percent(value)}"
        parts.append(
            f'<circle cx="{x(date):.1f}" cy="{y(value):.1f}" r="4" fill="#fff" stroke="{line.colour}" stroke-width="2">'
            f"<title>{html.escape(tip)}</title></circle>"
        )
    return parts


def _legend(lines: Sequence[Line], left: float) -> str:
    parts, at = [], left
    for line in lines:
        dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
        parts.append(f'<line x1="{at}" x2="{at + 22}" y1="12" y2="12" stroke="{line.colour}" stroke-width="2.4"{dash}/>')
        parts.append(_text(at + 28, 16, line.name, "start"))
        # a Chinese letter is about as wide as high, a Latin one half of that
        at += 28 + sum(13 if ord(letter) > 0x2E7F else 7 for letter in line.name) + 26
    return "".join(parts)


def _spread(dates: Sequence[dt.date], x) -> list[dt.date]:  # type: ignore[no-untyped-def]
    """The dates that can be labelled without touching; the last one always."""
    shown: list[dt.date] = []
    for date in reversed(dates):
        if not shown or x(shown[-1]) - x(date) > 62:
            shown.append(date)
    return shown


def _month(date: dt.date) -> str:
    return f"{date.year}-{date.month:02d}"


def _ceiling(most: float) -> float:
    return next((step for step in (0.05, 0.1, 0.25, 0.5, 0.75) if most <= step), 1.0)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13" fill="{_INK}">{html.escape(words)}</text>'


def _svg(body: str, height: float, label: str) -> str:
    return (
        f'<svg class="gg-chart" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" width="100%" role="img" '
        f'aria-label="{html.escape(label)}">{body}</svg>'
    )
