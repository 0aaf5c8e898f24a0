"""Proposals side by side as plain SVG: loads against compactness against change, one numbered dot each."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis import text
from gridgis.pages.propose_drawing import Score
from gridgis.text import Lang, t

Floats = NDArray[np.float64]

_INK: Final = "#5B6B78"
_DARK: Final = "#1D2A35"
_LINE: Final = "#E3E9ED"
_BEATEN: Final = "#B9C4CC"
_CHOSEN: Final = "#B4630A"
_TODAY: Final = "#7A2E6B"
# light: all units change their grid; dark: all stay
_SHADES: Final = ("#D7E9F2", "#A9CFE2", "#74AFCD", "#3F8BB3", "#1F6592", "#0B3F5E")
_PLAIN: Final = "#1F6592"
_WIDTH: Final = 560.0
_LEFT: Final = 58.0
_RIGHT: Final = 542.0
_TOP: Final = 34.0
_RADIUS: Final = 11.0
_TICKS: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_FONTS: Final = "system-ui, -apple-system, Segoe UI, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"


def pareto(
    scores: Sequence[Score],
    lang: Lang,
    *,
    chosen: int,
    beaten: Sequence[Score] = (),
    today: Score | None = None,
    height: float = 350.0,
) -> str:
    """Every proposal as a numbered dot that answers to clicks (`data-plan`); best is low on the left scale's far left and high.

    Across: standard deviation of the loads, on a root scale, for good ones lie close together near 0. Upwards: mean
    compactness. Shade: share of the units that stay, where there are grids today.

    Parameters
    ----------
    scores
        In the order of the list, numbered from 1.
    lang
        Language of the words.
    chosen
        Number of the proposal looked at.
    beaten
        Small grey dots without a number.
    today
        The grids there are, a diamond.
    height
        Of the drawing, in its own units (560 wide).
    """
    shown = [*scores, *beaten, *([today] if today is not None else [])]
    bottom = height - 46.0
    most = max([score.deviation for score in shown] + [0.02]) * 1.08
    levels = [score.compactness for score in shown]
    low, high = math.floor(min(levels) * 20 - 0.3) / 20, math.ceil(max(levels) * 20 + 0.3) / 20
    staying = any(score.stay is not None for score in scores)

    def at(score: Score) -> tuple[float, float]:
        x = _LEFT + (_RIGHT - _LEFT) * math.sqrt(max(score.deviation, 0.0) / most)
        return x, bottom - (bottom - _TOP) * (score.compactness - low) / (high - low)

    parts = _axes(most, (low, high), bottom, lang)
    parts += [_ring(*at(score)) for score in beaten]
    if today is not None:
        parts += _diamond(*at(today), lang)
    places = np.array([at(score) for score in scores])
    badges = apart(places, _RADIUS * 2 + 1, box=(_LEFT + 8, _TOP + 4, _RIGHT - 8, bottom - 8))
    order = sorted(range(len(scores)), key=lambda number: number + 1 == chosen)
    for number in order:
        parts += _badge(number + 1, scores[number], places[number], badges[number], lang, chosen=number + 1 == chosen)
    if staying:
        parts += _scale(lang)
    return _svg("".join(parts), height, t("proposepage.chart_label", lang))


def shade(stay: float | None) -> str:
    """Colour of a share of units that stay.

    >>> shade(0.0), shade(1.0), shade(None)
    ('#D7E9F2', '#0B3F5E', '#1F6592')
    """
    if stay is None:
        return _PLAIN
    return _SHADES[min(int(stay * len(_SHADES)), len(_SHADES) - 1)]


def apart(places: Floats, gap: float, *, box: tuple[float, float, float, float]) -> Floats:
    """Places moved as little as it takes to be `gap` apart and in a box (left, top, right, bottom), shape (n, 2).

    >>> moved = apart(np.array([[10.0, 10.0], [10.0, 10.0]]), 4.0, box=(0.0, 0.0, 20.0, 20.0))
    >>> bool(np.hypot(*(moved[0] - moved[1])) > 3.9)
    True
    """
    moved = places.astype(np.float64).copy()
    count = len(moved)
    for _ in range(200):
        still = True
        for i in range(count):
            for j in range(i + 1, count):
                off = moved[j] - moved[i]
                far = float(np.hypot(*off))
                if far >= gap:
                    continue
                # two in one place part along a direction of their own, so that many fan out
                way = off / far if far > 1e-6 else np.array([math.cos(2.4 * j), math.sin(2.4 * j)])
                moved[i] -= way * (gap - far) / 2
                moved[j] += way * (gap - far) / 2
                still = False
        moved[:, 0] = np.clip(moved[:, 0], box[0], box[2])
        moved[:, 1] = np.clip(moved[:, 1], box[1], box[3])
        if still:
            break
    return moved


def said(number: int, score: Score, lang: Lang) -> str:
    """One proposal in a line: what it is good at."""
    stay = "" if score.stay is None else t("proposepage.dot_stay", lang, share=text.percent(score.stay, digits=0))
    taste = t(f"balancing.taste_{score.taste}", lang)
    deviation, compactness = text.percent(score.deviation), f"{score.compactness:.2f}"
    return t("proposepage.dot", lang, number=number, taste=taste, deviation=deviation, compactness=compactness) + stay


def _axes(most: float, levels: tuple[float, float], bottom: float, lang: Lang) -> list[str]:
    parts, last = [], -1e9
    for tick in _TICKS:
        x = _LEFT + (_RIGHT - _LEFT) * math.sqrt(tick / most)
        if tick > most or x - last < 38:
            continue
        last = x
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom:.1f}" stroke="{_LINE}"/>')
        parts.append(_text(x, bottom + 17, text.percent(tick, digits=0), "middle"))
    low, high = levels
    step = 0.05 if high - low <= 0.3 else 0.1
    for number in range(round((high - low) / step) + 1):
        level = low + step * number
        y = bottom - (bottom - _TOP) * (level - low) / (high - low)
        parts.append(f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{level:.2f}", "end"))
    parts.append(_text((_LEFT + _RIGHT) / 2, bottom + 37, t("proposepage.axis_deviation", lang), "middle", colour=_DARK))
    parts.append(_text(6, 13, t("proposepage.axis_compactness", lang), "start", colour=_DARK))
    return parts


def _badge(number: int, score: Score, place: Floats, badge: Floats, lang: Lang, *, chosen: bool) -> list[str]:
    x, y = float(badge[0]), float(badge[1])
    fill = shade(score.stay)
    dark = fill in _SHADES[2:] or fill == _PLAIN
    edge = f'stroke="{_CHOSEN}" stroke-width="3.5"' if chosen else 'stroke="#fff" stroke-width="1.5"'
    tip = html.escape(said(number, score, lang))
    pressed = "true" if chosen else "false"
    parts = [f'<g class="gp-dot" data-plan="{number}" role="button" tabindex="0" aria-pressed="{pressed}" aria-label="{tip}">']
    if math.hypot(x - place[0], y - place[1]) > 3:
        parts.append(f'<line x1="{place[0]:.1f}" y1="{place[1]:.1f}" x2="{x:.1f}" y2="{y:.1f}" stroke="{_INK}"/>')
        parts.append(f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="2.5" fill="{_INK}"/>')
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill="{fill}" {edge}/>')
    colour = "#fff" if dark else _DARK
    label = (
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="12" font-weight="650" fill="{colour}">{number}</text>'
    )
    return [*parts, label, f"<title>{tip}</title></g>"]


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_BEATEN}"/>'


def _diamond(x: float, y: float, lang: Lang) -> list[str]:
    d = f"M{x:.1f},{y - 8:.1f}l8,8l-8,8l-8,-8z"
    word = t("proposepage.today", lang)
    left = x > _RIGHT - 60
    return [
        f'<path d="{d}" fill="#fff" stroke="{_TODAY}" stroke-width="2.2"><title>{html.escape(word)}</title></path>',
        _text(x - 13 if left else x + 13, y + 4, word, "end" if left else "start", colour=_TODAY),
    ]


def _scale(lang: Lang) -> list[str]:
    """What the shades mean, at the top on the right."""
    wide = 15.0
    x = _RIGHT - wide * len(_SHADES) - 40
    parts = [_text(x - 36, 13, t("proposepage.scale_stay", lang), "end"), _text(x - 6, 13, text.percent(0.0, digits=0), "end")]
    for colour in _SHADES:
        parts.append(f'<rect x="{x:.1f}" y="3" width="{wide}" height="12" fill="{colour}"/>')
        x += wide
    return [*parts, _text(x + 5, 13, text.percent(1.0, digits=0), "start")]


def _text(x: float, y: float, words: str, anchor: str, *, colour: str = _INK) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12"'
    rim = 'stroke="#fff" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
    return f'<text {place} fill="{colour}" {rim}>{html.escape(words)}</text>'


def _svg(body: str, height: float, label: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="gp-chart small" font-family="{_FONTS}" width="100%"'
    return f'{head} viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="group" aria-label="{html.escape(label)}">{body}</svg>'
