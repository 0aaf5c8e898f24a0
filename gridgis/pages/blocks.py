"""The parts of the overview as HTML, the same on screen and in the exported page; every text from data is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd

from gridgis import text
from gridgis.coverage import Measure
from gridgis.pages import charts
from gridgis.tasks.overview import Overview
from gridgis.text import Lang, t


def headline(answer: Overview, lang: Lang) -> str:
    """The sentence leaders quote, its figures in bold; a clause appears only where its figure is there."""
    area, people = _share(answer.measures, "area"), _share(answer.measures, "population")
    kind = "both" if area and people else "area" if area else "people" if people else "none"
    clauses = []
    for name, key in (("grids", "grids"), ("natural_villages", "villages"), ("population", "residents")):
        measure = answer.measures.get(name)
        if measure is not None and measure.covered is not None:
            covered, total = fraction(measure)
            clauses.append(t(f"overview.head_{key}", lang, covered=_bold(covered), total=_bold(total)))
    start = t("overview.head_lead", lang, date=html.escape(text.day(answer.as_of, lang)))
    start += t(f"overview.head_{kind}", lang, place=html.escape(answer.place), area=_bold(area), people=_bold(people))
    rest = t("overview.head_comma", lang).join(clauses)
    between = t("overview.head_break", lang) if rest else ""
    return f'<div class="gp-headline">{start}{between}{rest}{t("overview.head_stop", lang)}</div>'


def sentence(answer: Overview, lang: Lang) -> str:
    """The headline as plain text, for files and captions."""
    bare = headline(answer, lang)
    for tag in ('<div class="gp-headline">', "</div>", "<b>", "</b>"):
        bare = bare.replace(tag, "")
    return html.unescape(bare)


def cards(answer: Overview, lang: Lang) -> str:
    """One card per measure: percentage, numerator over denominator, source."""
    return f'<div class="gp-cards">{"".join(_card(name, one, lang) for name, one in answer.measures.items())}</div>'


def how(answer: Overview, lang: Lang) -> str:
    """The arithmetic behind every figure, line by line."""
    lines = [t("overview.how_area", lang), *(" · ".join(parts) for parts in arithmetic(answer, lang))]
    return _list(lines)


def arithmetic(answer: Overview, lang: Lang) -> list[list[str]]:
    """Per measure: the division, then its source and rule; or why there is none."""
    lines = []
    for name, measure in answer.measures.items():
        title = t(f"overview.measure_{name}", lang)
        if measure.share is None:
            lines.append([t("overview.how_missing", lang, measure=title, reason=phrase(measure.reason, lang))])
            continue
        covered, total = fraction(measure)
        total = f"{total} {t(f'overview.unit_{measure.unit}', lang)}"
        share = text.percent(measure.share, digits=2)
        line = [t("overview.how_line", lang, measure=title, covered=covered, total=total, share=share)]
        line += [t("overview.source", lang, source=phrase(measure.source, lang))] if measure.source else []
        line += [phrase(measure.rule, lang)] if measure.rule else []
        lines.append(line)
    return lines


def notes(answer: Overview, lang: Lang) -> str:
    """What a reader has to know about the figures: overlaps, repairs, doubtful rows."""
    return _list([note.message(lang) for note in answer.notes] or [t("overview.notes_none", lang)])


def trend(answer: Overview, lang: Lang) -> str:
    """The share of area and people over time, the report's date marked, as SVG."""
    frame = answer.trend
    dates = [pd.Timestamp(date).date() for date in frame["date"]]
    lines = []
    for name, colour, dash, above in (("area", charts.BLUE, "", False), ("population", charts.AMBER, "7 4", True)):
        column = f"{name}_share"
        if column in frame and frame[column].notna().any():
            values = [None if pd.isna(value) else float(value) for value in frame[column]]
            lines.append(charts.Line(t(f"overview.line_{name}", lang), colour, values, dash, above))
    return charts.steps(dates, lines, lang, label=t("overview.trend_label", lang), mark=answer.as_of)


def fraction(measure: Measure) -> tuple[str, str]:
    """Numerator and denominator as a report writes them: km² with one decimal, else whole numbers.

    >>> fraction(Measure("m2", 36_624_000.0, 84_000_000.0)), fraction(Measure("grids", 81, 170))
    (('36.6', '84.0'), ('81', '170'))
    """
    if measure.unit == "m2":
        return _km2(measure.covered), _km2(measure.total)
    return text.number(measure.covered), text.number(measure.total)


def phrase(key: str | None, lang: Lang) -> str:
    """A message by its key without its closing stop, to stand inside a line; nothing for no key."""
    return t(key, lang).rstrip("。.") if key else ""


def _card(name: str, measure: Measure, lang: Lang) -> str:
    title = html.escape(t(f"overview.measure_{name}", lang))
    if measure.share is None:
        why = html.escape(phrase(measure.reason, lang))
        body = f'<div class="v">–</div><div class="s">{why}</div>'
        return f'<div class="gp-card"><div class="k">{title}</div>{body}</div>'
    covered, total = fraction(measure)
    unit = t(f"overview.unit_{measure.unit}", lang)
    line = html.escape(t("overview.fraction", lang, covered=covered, total=total, unit=unit))
    source = html.escape(phrase(measure.source, lang))
    bar = f'<div class="m"><i style="width:{min(measure.share, 1.0) * 100:.1f}%"></i></div>'
    return (
        f'<div class="gp-card"><div class="k">{title}</div><div class="v">{text.percent(measure.share)}</div>{bar}'
        f'<div class="f">{line}</div><div class="s">{source}</div></div>'
    )


def _share(measures: Mapping[str, Measure], name: str) -> str:
    measure = measures.get(name)
    return "" if measure is None or measure.share is None else text.percent(measure.share)


def _km2(m2: float | None) -> str:
    return text.number(None if m2 is None else m2 / 1e6, digits=1 if (m2 or 0) >= 1e5 else 3)


def _bold(words: str) -> str:
    return f"<b>{html.escape(words)}</b>"


def _list(lines: list[str]) -> str:
    return f'<ul class="gp-notes">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>'
