"""The leaders' page: the sentence they quote, the figures behind it, the map, the trend, the tables, the files."""

from __future__ import annotations

import datetime as dt
import functools
import html

import pandas as pd
import streamlit as st

from gridgis import text
from gridgis.maps import MapLayer, folium_map, picture
from gridgis.pages import answers, blocks, charts, chrome, downloads, drawing, shared, tables, welcome
from gridgis.pages.columns import screen_columns
from gridgis.tasks.overview import Overview
from gridgis.text import Lang, t

_MAP_HEIGHT = 560


def show() -> None:
    """Draw the page."""
    if not welcome.ready(("areas",)):
        return
    lang = shared.lang()
    top, control = st.columns([1.35, 1], gap="medium", vertical_alignment="bottom")
    with top:
        chrome.title("overview.title", "overview.hint")
    with control:
        as_of = _as_of(lang)
    answer = answers.gather(shared.stamp(), as_of)
    st.html(blocks.headline(answer, lang))
    st.html(blocks.cards(answer, lang))
    chrome.section("overview.map_title", "overview.map_hint")
    chrome.plot(_layers(answer, lang), key="overview_map", height=_MAP_HEIGHT)
    _trend(answer, lang)
    _tables(answer, lang)
    _explain(answer, lang)
    _downloads(answer, lang)


def _as_of(lang: Lang) -> dt.date:
    """The as-of control: a date, and a jump to the days on which something opened."""
    openings = answers.openings(shared.stamp())
    if "as_of" not in st.session_state:
        st.session_state["as_of"] = answers.default_as_of()
    with st.container(horizontal=True, vertical_alignment="bottom", key="gp_as_of", gap="small"):
        chosen = st.date_input(
            shared.say("overview.as_of"),
            key="as_of",
            min_value=dt.date(1949, 10, 1),
            max_value=dt.date(2100, 12, 31),
            format="YYYY-MM-DD",
        )
        st.selectbox(
            shared.say("overview.jump"),
            list(openings),
            index=None,
            key="jump",
            format_func=lambda date: t(
                "overview.jump_option", lang, date=text.day(date, lang), count=text.number(openings.get(date))
            ),
            placeholder=shared.say("overview.jump_none"),
            on_change=_jump,
            disabled=not openings,
        )
    return chosen if isinstance(chosen, dt.date) else answers.default_as_of()


def _jump() -> None:
    if st.session_state["jump"] is not None:
        st.session_state["as_of"] = st.session_state["jump"]
        st.session_state["jump"] = None


def _trend(answer: Overview, lang: Lang) -> None:
    chrome.section("overview.trend_title", "overview.trend_hint")
    if answer.trend.empty:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("overview.trend_none"))}</div>')
        return
    with st.container(key="gp_stack_trend"):
        left, right = st.columns([1.35, 1], gap="medium")
    with left:
        st.html(charts.as_picture(blocks.trend(answer, lang), shared.say("overview.trend_label")))
    with right:
        if (batches := answer.tables.get("batch")) is not None:
            st.html(
                tables.table(batches, _short(screen_columns("batch", batches, lang)), lang, label=shared.say("overview.by_batch"))
            )


def _short(columns: list[tables.Column]) -> list[tables.Column]:
    """The columns that fit beside the chart."""
    wanted = ("name", "area_share", "population_share", "grids_covered")
    return [column for column in columns if column.field in wanted]


def _tables(answer: Overview, lang: Lang) -> None:
    chrome.section("overview.tables_title", "overview.tables_hint")
    kinds = list(answer.tables)
    if not kinds:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("overview.no_rows"))}</div>')
        return
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        by = st.segmented_control(
            shared.say("overview.tables_title"),
            kinds,
            format_func=lambda kind: shared.say(f"overview.by_{kind}"),
            default=kinds[0],
            required=True,
            key="table_by",
            label_visibility="collapsed",
        )
        order = st.segmented_control(
            shared.say("overview.sort"),
            ("code", "low", "high"),
            format_func=lambda kind: shared.say(f"overview.sort_{kind}"),
            default="code",
            required=True,
            key="table_order",
            label_visibility="collapsed",
        )
    frame = _ordered(answer.tables[by or kinds[0]], order or "code")
    st.html(
        tables.table(
            frame, screen_columns(by or kinds[0], frame, lang), lang, height_px=620, label=shared.say(f"overview.by_{by}")
        )
    )


def _ordered(frame: pd.DataFrame, order: str) -> pd.DataFrame:
    if order == "code" or "area_share" not in frame:
        return frame
    return frame.sort_values("area_share", ascending=order == "low", kind="stable")


def _explain(answer: Overview, lang: Lang) -> None:
    with st.expander(shared.say("overview.how_title"), icon=":material/calculate:"):
        st.html(blocks.how(answer, lang))
    with st.expander(shared.say("overview.notes_title"), icon=":material/info:", expanded=bool(answer.notes)):
        st.html(blocks.notes(answer, lang))


def _downloads(answer: Overview, lang: Lang) -> None:
    chrome.section("overview.download_title", "overview.download_hint")
    makers = (
        ("xlsx", ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", downloads.workbook),
        ("gpkg", ".gpkg", "application/geopackage+sqlite3", downloads.geopackage),
        ("png", ".png", "image/png", _picture),
        ("html", ".html", "text/html", _page),
    )
    with st.container(horizontal=True, key="gp_downloads", gap="small"):
        for kind, ending, mime, make in makers:
            st.download_button(
                shared.say(f"overview.download_{kind}"),
                data=functools.partial(make, answer, lang),
                file_name=downloads.file_name(answer, lang, ending),
                mime=mime,
                key=f"download_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )


def _layers(answer: Overview, lang: Lang) -> list[MapLayer]:
    ws = shared.workspace()
    under = drawing.surroundings(ws.url, [name for name in ("water", "roads") if ws.count(name)], ws.revision, lang)
    return drawing.overview(answer, lang, under=under)


def _picture(answer: Overview, lang: Lang) -> bytes:
    notice = t("general.synthetic", lang) if answer.synthetic else None
    title = t("overview.title", lang)
    return picture.png(_layers(answer, lang), lang=lang, title=title, lines=[blocks.sentence(answer, lang)], notice=notice)


def _page(answer: Overview, lang: Lang) -> bytes:
    notice = t("general.synthetic", lang) if answer.synthetic else None
    drawn = folium_map.self_contained_html(_layers(answer, lang), lang=lang, notice=notice)
    return downloads.page(answer, drawn, lang).encode()
