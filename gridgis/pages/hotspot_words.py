"""The hot-spot page in words: the sentence a leader reads, the figures, the parameters with their reasons, what p and q mean."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence

import pandas as pd

from gridgis import text
from gridgis.hotspots.patterns import PATTERNS
from gridgis.pages import tables
from gridgis.pages.tables import Column
from gridgis.tasks.hotspot_views import Against, HotSpots
from gridgis.text import Lang, t


def headline(spots: HotSpots, before: Against | None, lang: Lang) -> str:
    """How many incidents, how many hot spots and where the surest is, in one sentence, its figures in bold."""
    said = t(
        "hotspage.head_count",
        lang,
        period=html.escape(period_text(spots.chosen.first, spots.chosen.last, lang)),
        place=html.escape(spots.place or t("hotspage.place_whole", lang)),
        kinds=html.escape(kinds_text(spots, lang)),
        count=_bold(text.number(spots.used)),
    )
    if len(spots.spots):
        top = spots.spots.iloc[0]
        said += t(
            "hotspage.head_hot_one" if len(spots.spots) == 1 else "hotspage.head_hot",
            lang,
            spots=_bold(text.number(len(spots.spots))),
            share=_bold(text.percent(spots.hot_share)),
            ground=_bold(text.percent(spots.hot_cells / spots.cells.size)),
        )
        where = html.escape(str(top["place"]) or t("hotspage.cell_name", lang, row=top["row"], column=top["column"]))
        said += t("hotspage.head_top", lang, where=f"<b>{where}</b>", count=_bold(text.number(top["count"])))
    else:
        said += t("hotspage.head_none", lang)
    if before is not None:
        earlier = period_text(before.first, before.last, lang)
        said += t(
            "hotspage.head_earlier", lang, earlier=html.escape(earlier), change=_bold(change_text(spots.used, before.count, lang))
        )
    return f'<div class="gp-headline">{said}{t("hotspage.head_stop", lang)}</div>'


def sentence(spots: HotSpots, before: Against | None, lang: Lang) -> str:
    """The headline as plain text, for files and captions."""
    bare = headline(spots, before, lang)
    for tag in ('<div class="gp-headline">', "</div>", "<b>", "</b>"):
        bare = bare.replace(tag, "")
    return html.unescape(bare)


def figures(spots: HotSpots, before: Against | None, lang: Lang) -> str:
    """The cards under the sentence."""
    found = spots.moran
    left = text.number(sum(spots.chosen.left_out.values()))
    ground = text.percent(spots.hot_cells / spots.cells.size)
    hot, cells = text.number(spots.hot_cells), text.number(spots.cells.size)
    z, p = text.number(float(found.z), digits=1), chance(float(found.p))
    pairs = [
        (t("hotspage.card_count", lang), text.number(spots.used), t("hotspage.card_count_note", lang, left=left)),
        (t("hotspage.card_hot", lang), text.number(len(spots.spots)), t("hotspage.card_hot_note", lang, cells=hot, all=cells)),
        (t("hotspage.card_share", lang), text.percent(spots.hot_share), t("hotspage.card_share_note", lang, ground=ground)),
        (t("hotspage.card_cold", lang), text.number(spots.cold_cells), t("hotspage.card_cold_note", lang)),
        (t("hotspage.card_moran", lang), text.number(found.i, digits=3), t("hotspage.card_moran_note", lang, z=z, p=p)),
    ]
    if before is not None:
        kept = before.comparison.kappa()
        note = t("hotspage.card_earlier_note", lang, count=text.number(before.count), kappa=text.number(kept, digits=2))
        pairs.append((t("hotspage.card_earlier", lang), change_text(spots.used, before.count, lang), note))
    cards = (
        f'<div class="gp-card"><div class="k">{html.escape(name)}</div><div class="v">{html.escape(value)}</div>'
        f'<div class="s">{html.escape(note)}</div></div>'
        for name, value, note in pairs
    )
    return f'<div class="gp-cards gp-fit">{"".join(cards)}</div>'


def spot_columns(lang: Lang, *, short: bool = False) -> list[Column]:
    """The columns of the table of hot spots."""
    columns = [
        Column("spot", t("hotspage.col_spot", lang), "int"),
        Column("place", t("hotspage.col_place", lang), "name"),
        Column("count", t("hotspage.col_count", lang), "int"),
        Column("cells", t("hotspage.col_cells", lang), "int"),
        Column("z", t("hotspage.col_z", lang), "number", 1),
        Column("q", t("hotspage.col_q", lang), "text"),
    ]
    return columns[:4] if short else columns


def spot_table(spots: HotSpots, lang: Lang, *, short: bool = False, most: int | None = None, whole: bool = False) -> str:
    """The hot spots, the surest first; `short` with few columns, `whole` without a limit to its height."""
    frame = spots.spots.head(most) if most else spots.spots
    frame = frame.reset_index().assign(q=[chance(float(q)) for q in frame["q"]])
    cells = [
        t("hotspage.cell_name", lang, row=row, column=column) for row, column in zip(frame["row"], frame["column"], strict=True)
    ]
    frame["place"] = frame["place"].where(frame["place"] != "", cells)
    return tables.table(
        frame,
        spot_columns(lang, short=short),
        lang,
        height_px=None if short or whole else 420,
        label=t("hotspage.spots_title", lang),
    )


def explanation(spots: HotSpots, lang: Lang) -> str:
    """The parameters with their reasons, what was left out, and what z, p, q and the classes mean."""
    left = [
        t(f"hotspage.left_{name}", lang, count=text.number(count)) for name, count in spots.chosen.left_out.items() if count
    ] or [t("hotspage.left_none", lang)]
    runs = spots.request.permutations
    means = [
        t("hotspage.means_gi", lang, band=text.number(spots.choices["band_m"].value)),
        t("hotspage.means_p_permuted", lang, count=text.number(runs)) if runs else t("hotspage.means_p", lang),
        t("hotspage.means_q", lang),
        t("hotspage.means_class", lang),
        t("hotspage.means_moran", lang),
        t("hotspage.means_density", lang, band=text.number(spots.choices["bandwidth_m"].value)),
        t("hotspage.means_spot", lang),
    ]
    parts = [("hotspage.why_title", _reasons(spots, lang)), ("hotspage.left_title", left), ("hotspage.means_title", means)]
    told = "".join(f"<h4>{html.escape(t(title, lang))}</h4>{_list(lines)}" for title, lines in parts)
    return f'<div class="gp-terms">{told}</div>'


def reasons(spots: HotSpots, lang: Lang) -> str:
    """Why the parameters are what they are, as a list."""
    return _list(_reasons(spots, lang))


def _reasons(spots: HotSpots, lang: Lang) -> list[str]:
    unit = t(f"hotspage.unit_{spots.unit}", lang)
    chosen = "hotspage.why_period" if spots.unit_chosen else "hotspage.why_period_given"
    told = [choice.message(lang) for choice in spots.choices.values()]
    return [*told, t(chosen, lang, unit=unit, count=text.number(len(spots.periods)))]


def pattern_table(lang: Lang) -> str:
    """The seventeen patterns and what each means."""
    return tables.pairs((pattern.name(lang), pattern.definition(lang)) for pattern in PATTERNS)


def period_text(first: dt.date, last: dt.date, lang: Lang) -> str:
    """A time as a report writes it: whole years and months as such.

    >>> day = dt.date
    >>> period_text(day(2012, 1, 1), day(2012, 12, 31), "zh"), period_text(day(2012, 5, 1), day(2012, 5, 31), "en")
    ('2012年', 'May 2012')
    """
    whole_year = (first.month, first.day, last.month, last.day) == (1, 1, 12, 31)
    if whole_year and first.year == last.year:
        return t("hotspage.year", lang, year=first.year)
    if whole_year:
        return t("hotspage.years", lang, first=first.year, last=last.year)
    if first.day == 1 and (last + dt.timedelta(days=1)).day == 1:
        begin, end = month_text(first.year, first.month, lang), month_text(last.year, last.month, lang)
        return begin if begin == end else t("hotspage.span", lang, first=begin, last=end)
    return t("hotspage.span", lang, first=text.day(first, lang), last=text.day(last, lang))


def month_text(year: int, month: int, lang: Lang) -> str:
    """A month as a report writes it."""
    if lang == "zh":
        return t("hotspage.month", lang, year=year, month=month)
    return t("hotspage.month", lang, year=year, month=text.day(dt.date(year, month, 1), lang).split(" ")[1])


def step_text(period: pd.Period, lang: Lang) -> str:
    """A period of the series as the slider writes it.

    >>> step_text(pd.Period("2012-05", "M"), "en"), step_text(pd.Period("2012Q2", "Q"), "zh")
    ('May 2012', '2012年第2季度')
    """
    kind = period.freqstr[0]
    if kind == "M":
        return month_text(period.year, period.month, lang)
    if kind == "Q":
        return t("hotspage.quarter", lang, year=period.year, quarter=period.quarter)
    if kind in "YA":
        return t("hotspage.year", lang, year=period.year)
    if kind == "W":
        return t("hotspage.week", lang, first=text.day(period.start_time.date(), lang))
    return text.day(period.start_time.date(), lang)


def step_label(period: pd.Period) -> str:
    """A period as a chart writes it, in figures.

    >>> step_label(pd.Period("2012-05", "M")), step_label(pd.Period("2012Q2", "Q"))
    ('2012-05', '2012Q2')
    """
    kind = period.freqstr[0]
    if kind in "MQYA":
        return str(period)
    return f"{period.start_time.date():%m-%d}"


def kinds_text(spots: HotSpots, lang: Lang) -> str:
    """The kinds of incident asked for, in a few words; nothing for all."""
    kinds = spots.request.filters.categories
    if not kinds:
        return ""
    return t("hotspage.kinds", lang, kinds=t("hotspage.comma", lang).join(kinds[:3]) + ("…" if len(kinds) > 3 else ""))


def change_text(now: int, before: int, lang: Lang) -> str:
    """The change against an earlier count as a signed percentage."""
    if not before:
        return "–"
    share = now / before - 1
    return f"{'+' if share > 0 else '−' if share < 0 else '±'}{text.percent(abs(share))}"


def chance(value: float) -> str:
    """A p- or q-value as a report writes it.

    >>> chance(0.0000001), chance(0.0312), chance(0.4)
    ('< 0.001', '0.031', '0.40')
    """
    if value != value:
        return "–"
    return "< 0.001" if value < 0.001 else text.number(value, digits=3 if value < 0.1 else 2)


def _bold(words: str) -> str:
    return f"<b>{html.escape(words)}</b>"


def _list(lines: Sequence[str]) -> str:
    return f'<ul class="gp-notes">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>'
