"""Charts as plain SVG: the same drawing on screen, in the exported page and on paper, with no script to load."""

from __future__ import annotations

import base64
import datetime as dt
import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gridgis import text
from gridgis.text import Lang

BLUE: Final = "#1F5F8B"
AMBER: Final = "#B4630A"
_INK: Final = "#5B6B78"
_LINE: Final = "#E3E9ED"
_WIDTH: Final = 720.0
_NARROW: Final = 480.0
_LEFT: Final = 52.0
_RIGHT: Final = 700.0
_TOP: Final = 40.0
_DATE_WIDE: Final = 76.0
_VALUE_WIDE: Final = 58.0
_FONTS: Final = "system-ui, -apple-system, Segoe UI, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"


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
    above: bool = True
    """Whether values stand above the line or below it."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where dates and shares lie in a drawing."""

    first: int
    last: int
    ceiling: float
    height: float

    @property
    def bottom(self) -> float:
        return self.height - 30.0

    def x(self, date: dt.date) -> float:
        wide = _RIGHT - _LEFT
        return _LEFT + wide * ((date.toordinal() - self.first) / (self.last - self.first) if self.last > self.first else 0.5)

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - _TOP) * share / self.ceiling


def steps(
    dates: Sequence[dt.date],
    lines: Sequence[Line],
    lang: Lang,
    *,
    label: str,
    mark: dt.date | None = None,
    height: float = 270.0,
) -> str:
    """Shares over time as steps, one line per measure, 0 % at the bottom, with the values written at the points.

    `mark` draws a line at a date, if it lies between the first and the last. No dates give an empty drawing.
    """
    if not dates:
        return _svg("", height, label)
    known = [value for line in lines for value in line.values if value is not None]
    frame = _Frame(dates[0].toordinal(), dates[-1].toordinal(), _ceiling(max(known, default=1.0)), height)
    parts = []
    for tick in range(6):
        share = frame.ceiling * tick / 5
        parts.append(_rule(frame.y(share)))
        parts.append(_text(_LEFT - 8, frame.y(share) + 4, text.percent(share, digits=0), "end"))
    shown = _spread(dates, frame, _DATE_WIDE)
    parts += [_text(frame.x(date), frame.bottom + 20, f"{date:%Y-%m-%d}", _anchor(date, dates)) for date in shown]
    if mark is not None and dates[0] < mark < dates[-1]:
        x = frame.x(mark)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{frame.bottom}" stroke="{_INK}" stroke-dasharray="2 3"/>')
    for line in lines:
        parts += _line(line, dates, frame, lang)
    parts.append(_legend(lines))
    return _svg("".join(parts), height, label)


def histogram(edges: Sequence[float], counts: Sequence[int], *, label: str, unit: str, height: float = 230.0) -> str:
    """Counts per class; `edges` has one more entry than `counts`, in `unit`."""
    left, right, top, bottom = 52.0, _NARROW - 36.0, 14.0, height - 38.0
    if not counts or max(counts) == 0:
        return _svg("", height, label, width=_NARROW)
    most = _round_up(max(counts))
    step = (right - left) / len(counts)
    parts = [f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="#9AA8B3"/>']
    for tick in range(5):
        y = bottom - (bottom - top) * tick / 4
        parts.append(_rule(y, right=right))
        parts.append(_text(left - 8, y + 4, text.number(most * tick / 4), "end"))
    for i, count in enumerate(counts):
        tall = (bottom - top) * count / most
        tip = f"{text.number(edges[i])}–{text.number(edges[i + 1])} {unit}: {text.number(count)}"
        parts.append(
            f'<rect x="{left + step * i + 1:.1f}" y="{bottom - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}" '
            f'fill="{BLUE}"><title>{html.escape(tip)}</title></rect>'
        )
    every = max(1, -(-len(edges) // 6))
    parts += [_text(left + step * i, bottom + 17, text.number(edges[i]), "middle") for i in range(0, len(edges), every)]
    parts.append(_text(right, height - 4, unit, "end"))
    return _svg("".join(parts), height, label, width=_NARROW)


def as_picture(svg: str, label: str, *, small: bool = False) -> str:
    """A drawing as a picture element, for places that let no SVG through.

    >>> as_picture("<svg/>", "nothing")
    '<img class="gp-chart" alt="nothing" src="data:image/svg+xml;base64,PHN2Zy8+">'
    """
    packed = base64.b64encode(svg.encode()).decode()
    look = "gp-chart small" if small else "gp-chart"
    return f'<img class="{look}" alt="{html.escape(label)}" src="data:image/svg+xml;base64,{packed}">'


def _line(line: Line, dates: Sequence[dt.date], frame: _Frame, lang: Lang) -> list[str]:
    points = [(date, value) for date, value in zip(dates, line.values, strict=True) if value is not None]
    if not points:
        return []
    path = f"M{frame.x(points[0][0]):.1f},{frame.y(points[0][1]):.1f}"
    for date, value in points[1:]:
        path += f"H{frame.x(date):.1f}V{frame.y(value):.1f}"
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    parts = [f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="2.2"{dash}/>']
    shown = _labelled(dates, frame)
    for date, value in points:
        x, y = frame.x(date), frame.y(value)
        tip = html.escape(f"{text.day(date, lang)} · {line.name} {text.percent(value)}")
        ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#fff" stroke="{line.colour}" stroke-width="2">'
        parts.append(f"{ring}<title>{tip}</title></circle>")
        if date in shown:
            # beside its point, over or under the step that begins there, where no line runs
            last = date == dates[-1]
            parts.append(
                _text(x + (2 if last else 7), y + (-9 if line.above else 18), text.percent(value), "end" if last else "start",
                      colour=line.colour)
            )  # fmt: skip
    return parts


def _rule(y: float, *, right: float = _RIGHT) -> str:
    return f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>'


def _legend(lines: Sequence[Line]) -> str:
    parts, at = [], _LEFT
    for line in lines:
        dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
        parts.append(f'<line x1="{at}" x2="{at + 22}" y1="12" y2="12" stroke="{line.colour}" stroke-width="2.4"{dash}/>')
        parts.append(_text(at + 28, 16, line.name, "start"))
        # a Chinese letter is about as wide as high, a Latin one half of that
        at += 28 + sum(13 if ord(letter) > 0x2E7F else 7 for letter in line.name) + 26
    return "".join(parts)


def _spread(dates: Sequence[dt.date], frame: _Frame, wide: float) -> list[dt.date]:
    """The dates whose labels of a width do not touch; the last one always, then from the first on."""
    kept: list[tuple[float, float]] = []
    shown = []
    for date in [dates[-1], *dates[:-1]]:
        middle = frame.x(date)
        start = {"middle": middle - wide / 2, "end": middle - wide, "start": middle}[_anchor(date, dates)]
        if all(start + wide + 6 < left or right + 6 < start for left, right in kept):
            kept.append((start, start + wide))
            shown.append(date)
    return shown


def _labelled(dates: Sequence[dt.date], frame: _Frame) -> list[dt.date]:
    """The dates beside whose points there is room for a value before the next step; the last one always."""
    pairs = itertools.pairwise(dates)
    return [*(date for date, after in pairs if frame.x(after) - frame.x(date) > _VALUE_WIDE), dates[-1]]


def _anchor(date: dt.date, dates: Sequence[dt.date]) -> str:
    """The last label ends at its point and the first begins there, so that none leaves the drawing."""
    if len(dates) == 1:
        return "middle"
    return "end" if date == dates[-1] else "start" if date == dates[0] else "middle"


def _ceiling(most: float) -> float:
    return next((step for step in (0.05, 0.1, 0.25, 0.5, 0.75) if most <= step), 1.0)


def _text(x: float, y: float, words: str, anchor: str, *, colour: str = _INK) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13"'
    # a white rim keeps letters readable where a line passes
    rim = 'stroke="#fff" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
    return f'<text {place} fill="{colour}" {rim}>{html.escape(words)}</text>'


def _round_up(most: int) -> int:
    """The next number a scale of four parts reads well with."""
    step = 1
    while step * 4 < most:
        step = step * 2 if str(step)[0] in "15" else step // 2 * 5
    return step * 4


def _svg(body: str, height: float, label: str, *, width: float = _WIDTH) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="gp-chart" font-family="{_FONTS}" width="100%"'
    return f'{head} viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(label)}">{body}</svg>'
