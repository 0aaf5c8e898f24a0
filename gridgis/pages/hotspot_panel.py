"""What stands beside the map: the clicked cell with its class and why, or the whole area, each with its series and its week."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from gridgis import text
from gridgis.hotspots.emergence import EmergingResult
from gridgis.hotspots.moran_i import QUADRANTS
from gridgis.hotspots.patterns import PATTERNS
from gridgis.hotspots.significance import CLASSES
from gridgis.pages import charts, hotspot_charts, shared, tables
from gridgis.pages import hotspot_words as words
from gridgis.tasks.hotspot_incidents import Archive
from gridgis.tasks.hotspot_places import place_names
from gridgis.tasks.hotspot_views import Against, HotSpots
from gridgis.text import Lang, t

_SPOTS_SHOWN = 6


def show(
    whole: HotSpots,
    shown: HotSpots,
    incidents: Archive,
    *,
    place: tuple[int, int] | None,
    before: Against | None,
    found: EmergingResult | None,
    step: int | None,
) -> None:
    """Draw the panel.

    `whole` holds all periods, `shown` what the map shows; `place` is the clicked cell, None for the whole area.
    """
    lang = shared.lang()
    if place is None:
        st.html(f'<div class="gp-section"><h2>{html.escape(t("hotspage.panel_all", lang))}</h2></div>')
        if len(shown.spots):
            st.html(words.spot_table(shown, lang, short=True, most=_SPOTS_SHOWN))
        else:
            st.html(f'<div class="gp-empty">{html.escape(t("hotspage.no_spots", lang))}</div>')
    else:
        st.html(cell(shown, incidents, place, found, lang))
    earlier = before.series.tolist() if before is not None and place is None else None
    st.html(_heading("hotspage.series_title", lang, unit=t(f"hotspage.unit_{whole.unit}", lang)))
    st.html(
        charts.as_picture(
            series(whole, lang, place=place, earlier=earlier, before=before, step=step),
            t("hotspage.series_label", lang),
            small=True,
        )
    )
    if incidents.has_hours(whole.request.filters.time_zone):
        st.html(_heading("hotspage.week_title", lang))
        st.html(charts.as_picture(week(shown, lang, place=place), t("hotspage.week_label", lang), small=True))
    else:
        st.html(f'<p class="gp-lead">{html.escape(t("hotspage.no_hours", lang))}</p>')


def series(
    whole: HotSpots,
    lang: Lang,
    *,
    place: tuple[int, int] | None = None,
    earlier: list[int] | None = None,
    before: Against | None = None,
    step: int | None = None,
) -> str:
    """Incidents per period as SVG, of a cell or of all."""
    labels = [words.step_label(period) for period in whole.periods]
    names = ("", "")
    if before is not None:
        names = (
            words.period_text(whole.chosen.first, whole.chosen.last, lang),
            words.period_text(before.first, before.last, lang),
        )
    return hotspot_charts.bars(
        labels, whole.series(place).tolist(), label=t("hotspage.series_label", lang), earlier=earlier, names=names, mark=step
    )


def week(spots: HotSpots, lang: Lang, *, place: tuple[int, int] | None = None) -> str:
    """Incidents by weekday and hour as SVG."""
    days = [t(f"hotspage.day_{number}", lang) for number in range(7)]
    return hotspot_charts.week(spots.week(place), days=days, label=t("hotspage.week_label", lang), hour=t("hotspage.hour", lang))


def cell(spots: HotSpots, incidents: Archive, place: tuple[int, int], found: EmergingResult | None, lang: Lang) -> str:
    """A cell's figures, its classes and why it has them, as HTML."""
    row, column = place
    x, y = spots.cells.lattice.centre([row], [column])
    name = place_names(incidents.areas, x, y)[0]
    title = t("hotspage.cell_title", lang, cell=t("hotspage.cell_name", lang, row=row, column=column), place=name or "–")
    number, near, expected = spots.around(place)
    z, p, q = (float(array[row, column]) for array in (spots.gi.z, spots.gi.p, spots.gi.q))
    level = int(spots.gi.klass[row, column])
    label = next(t(step.label, lang) for step in CLASSES if step.value == level)
    why = t(
        "hotspage.cell_why_hot" if level > 0 else "hotspage.cell_why_cold" if level < 0 else "hotspage.cell_why_none",
        lang,
        cells=text.number(number),
        band=text.number(spots.choices["band_m"].value),
        near=text.number(near),
        expected=text.number(expected, digits=1),
        q=words.chance(q),
    )
    density = _density(spots, float(x[0]), float(y[0]))
    rows = [
        (t("hotspage.col_count", lang), text.number(float(spots.counts[row, column]))),
        (t("hotspage.popup_density", lang), text.number(density, digits=1)),
        (t("hotspage.cell_class", lang), label),
        ("z · p · q", f"{text.number(z, digits=2)} · {words.chance(p)} · {words.chance(q)}"),
        (
            t("hotspage.cell_quadrant", lang),
            t(f"hotspage.quadrant_{QUADRANTS[int(spots.moran.klass[row, column])].lower()}", lang),
        ),
    ]
    if found is not None:
        pattern = PATTERNS[int(found.pattern[row, column])]
        rows.append((t("hotspage.cell_pattern", lang), pattern.name(lang)))
        rows.append((t("hotspage.cell_trend", lang), _trend(found, place, lang)))
        why += " " + pattern.definition(lang) if pattern.code else ""
    return (
        f'<div class="gp-section"><h2>{html.escape(title)}</h2></div>{tables.pairs(rows)}<p class="gp-why">{html.escape(why)}</p>'
    )


def _trend(found: EmergingResult, place: tuple[int, int], lang: Lang) -> str:
    z, p = float(found.trend_z[place]), float(found.trend_p[place])
    hot = int((found.significant[:, place[0], place[1]] == 1).sum())
    way = "up" if z > 0 and p < found.alpha else "down" if z < 0 and p < found.alpha else "flat"
    words_ = t(f"hotspage.trend_{way}", lang)
    return t("hotspage.trend_line", lang, way=words_, p=words.chance(p), hot=hot, all=len(found.significant))


def _density(spots: HotSpots, x: float, y: float) -> float | None:
    row, column = spots.heat.lattice.cell_at([x], [y])
    value = float(spots.heat.values[row[0], column[0]]) if row[0] >= 0 else np.nan
    return None if np.isnan(value) else value


def _heading(key: str, lang: Lang, **values: object) -> str:
    return f'<div class="gp-section gp-minor"><h2>{html.escape(t(key, lang, **values))}</h2></div>'
