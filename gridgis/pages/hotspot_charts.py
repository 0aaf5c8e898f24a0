"""Charts of the hot-spot page as plain SVG: a series beside an earlier one, and the week by hours."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis import text
from gridgis.pages.charts import AMBER, BLUE

_INK: Final = "#5B6B78"
_LINE: Final = "#E3E9ED"
_EARLIER: Final = "#C3CDD5"
_WIDTH: Final = 480.0
_LEFT: Final = 44.0
_FONTS: Final = "system-ui, -apple-system, Segoe UI, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"
_SHADES: Final = ("#F7F9FA", "#E4EEF4", "#C4DCE9", "#97C2D9", "#63A2C3", "#357FA9", "#1B5F8A", "#0B3F5E")


def bars(
    labels: Sequence[str],
    values: Sequence[int],
    *,
    label: str,
    earlier: Sequence[int] | None = None,
    names: tuple[str, str] = ("", ""),
    mark: int | None = None,
    height: float = 196.0,
) -> str:
    """Counts per period, an earlier time in grey behind them, one period marked.

    Parameters
    ----------
    labels
        What stands under the bars, as far as there is room.
    values
        One per label.
    earlier
        The counts of an earlier time, the first under the first bar; missing ones are not drawn.
    names
        What the two colours mean, where there is an earlier time.
    mark
        Number of a period drawn in another colour.
    """
    top, bottom, right = (30.0 if earlier is not None else 12.0), height - 26.0, _WIDTH - 6.0
    if not len(values):
        return _svg("", height, label)
    before = list(earlier or [])[: len(values)]
    most = _ceiling(max([*values, *before, 1]))
    left = max(_LEFT, len(text.number(most)) * 7 + 14.0)
    step = (right - left) / len(values)
    parts = []
    for tick in range(5):
        y = bottom - (bottom - top) * tick / 4
        if (most * tick) % 4 == 0:
            parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
            parts.append(_text(left - 7, y + 4, text.number(most * tick / 4), "end"))
    gap = min(step * 0.16, 6)
    for at, count in enumerate(before):
        parts.append(_bar(left + step * at + gap / 2, step - gap, count, most, (top, bottom), _EARLIER, ""))
    inner = gap if earlier is None else gap + (step - gap) * 0.3
    for at, count in enumerate(values):
        colour = AMBER if at == mark else BLUE
        tip = f"{labels[at]}: {text.number(count)}"
        parts.append(_bar(left + step * at + inner / 2, step - inner, count, most, (top, bottom), colour, tip))
    wide = max(len(one) for one in labels) * 7 + 12
    every = max(1, int(np.ceil(wide / step)))
    for at in range(0, len(labels), every):
        x = left + step * (at + 0.5)
        if x + wide / 2 - 6 <= _WIDTH:
            parts.append(_text(x, bottom + 17, labels[at], "middle"))
    if earlier is not None:
        parts += _legend(names)
    return _svg("".join(parts), height, label)


def week(counts: NDArray[np.int64], *, days: Sequence[str], label: str, hour: str, height: float = 206.0) -> str:
    """Incidents by weekday and hour, shape (7, 24), darker for more; the busiest hour has a frame.

    `days` are the names of the weekdays from Monday; `hour` is what stands behind the numbers of hours.
    """
    left, top, right = _LEFT, 8.0, _WIDTH - 10.0
    wide, high = (right - left) / 24, (height - 58.0) / 7
    most = int(counts.max())
    parts = []
    for day in range(7):
        parts.append(_text(left - 7, top + high * (day + 0.5) + 4, days[day], "end"))
        for at in range(24):
            count = int(counts[day, at])
            shade = _SHADES[0] if not most else _SHADES[min(int(np.ceil(count / most * (len(_SHADES) - 1))), len(_SHADES) - 1)]
            tip = html.escape(f"{days[day]} {at}–{at + 1} {hour}: {text.number(count)}")
            x, y = left + wide * at, top + high * day
            parts.append(
                f'<rect x="{x + 0.6:.1f}" y="{y + 0.6:.1f}" width="{wide - 1.2:.1f}" height="{high - 1.2:.1f}" rx="1.5" '
                f'fill="{shade}"><title>{tip}</title></rect>'
            )
    if most:
        day, at = divmod(int(counts.argmax()), 24)
        parts.append(
            f'<rect x="{left + wide * at:.1f}" y="{top + high * day:.1f}" width="{wide:.1f}" height="{high:.1f}" '
            f'rx="2" fill="none" stroke="{AMBER}" stroke-width="2"/>'
        )
    bottom = top + high * 7
    parts += [_text(left + wide * at, bottom + 16, str(at), "middle") for at in range(0, 25, 3)]
    parts.append(_text(right, height - 6, hour, "end"))
    parts += _scale(most, left, height - 18)
    return _svg("".join(parts), height, label)


def _scale(most: int, left: float, y: float) -> list[str]:
    parts = [_text(left, y + 11, "0", "start")]
    x = left + 14
    for shade in _SHADES:
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="16" height="12" fill="{shade}" stroke="{_LINE}"/>')
        x += 16
    return [*parts, _text(x + 6, y + 11, text.number(most), "start")]


def _bar(x: float, wide: float, count: int, most: int, between: tuple[float, float], colour: str, tip: str) -> str:
    tall = (between[1] - between[0]) * count / most
    title = f"<title>{html.escape(tip)}</title>" if tip else ""
    return (
        f'<rect x="{x:.1f}" y="{between[1] - tall:.1f}" width="{max(wide, 0.8):.1f}" height="{tall:.1f}" fill="{colour}">'
        f"{title}</rect>"
    )


def _legend(names: tuple[str, str]) -> list[str]:
    parts, x = [], _LEFT
    for name, colour in zip(names, (BLUE, _EARLIER), strict=True):
        parts.append(f'<rect x="{x:.1f}" y="4" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, 15, name, "start"))
        x += 18 + sum(13 if ord(letter) > 0x2E7F else 7 for letter in name) + 22
    return parts


def _ceiling(most: int) -> int:
    """A round number of four equal parts, not below the largest count.

    >>> _ceiling(3), _ceiling(521), _ceiling(4000)
    (4, 600, 4000)
    """
    power = int(10 ** max(len(str(most)) - 2, 0))
    return next(int(step * power) for step in (*range(4, 40, 4), 40, 48, 60, 80, 100) if step * power >= most)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{_INK}">{html.escape(words)}</text>'


def _svg(body: str, height: float, label: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="gp-chart small" font-family="{_FONTS}" width="100%"'
    return f'{head} viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{html.escape(label)}">{body}</svg>'
