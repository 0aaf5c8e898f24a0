"""The settings page: the workspace, its name, the base map, and who is working."""

from __future__ import annotations

import streamlit as st

from gridgis.crs import crs_name
from gridgis.maps.basemap import from_settings
from gridgis.pages import chrome, shared, tables, welcome
from gridgis.pages.data import counts

_DATUMS = ("wgs84", "gcj02", "bd09")


def show() -> None:
    """Draw the page."""
    if not welcome.ready():
        return
    chrome.title("settingspage.title", "settingspage.hint")
    ws = shared.workspace()
    info = ws.info
    rows = (
        ("place", shared.workspace_url() if shared.is_file(info.url) else shared.say("settingspage.postgis")),
        ("kind", shared.say(f"settingspage.kind_{info.kind}")),
        ("crs", "–" if info.crs is None else f"{crs_name(info.crs)} · {info.crs.name}"),
        ("schema", str(info.schema)),
        ("rows", shared.number(sum(counts().values()))),
        ("synthetic", shared.say("general.yes" if info.synthetic else "general.no")),
    )
    left, right = st.columns(2, gap="large")
    with left:
        chrome.section("settingspage.workspace")
        st.html(tables.pairs([(shared.say(f"settingspage.{name}"), value) for name, value in rows]))
        _name(info.name)
        chrome.section("settingspage.person", "settingspage.person_hint")
        st.text_input(
            shared.say("settingspage.author"),
            key="author",
            placeholder=shared.say("pages.author_default"),
            persist_state="session",
        )
    with right:
        _base_map()


def _name(name: str) -> None:
    with st.form(key="name_form", border=False):
        wanted = st.text_input(shared.say("settingspage.name"), value=name, key="ws_name")
        if st.form_submit_button(shared.say("settingspage.save")):
            with shared.workspace().write(who=shared.author(), why=shared.say("settingspage.why")) as write:
                write.set_info(name=wanted.strip())
            st.rerun()


def _base_map() -> None:
    chrome.section("settingspage.base", "settingspage.base_hint")
    settings = shared.workspace().settings()
    datum = settings.get("map.base_datum") or "wgs84"
    with st.form(key="base_form", border=False):
        url = st.text_input(
            shared.say("settingspage.base_url"),
            value=settings.get("map.base_url", ""),
            key="base_url",
            placeholder=shared.say("settingspage.base_url_placeholder"),
        )
        credit = st.text_input(
            shared.say("settingspage.base_attribution"), value=settings.get("map.base_attribution", ""), key="base_attribution"
        )
        kind = st.selectbox(
            shared.say("settingspage.base_datum"),
            _DATUMS,
            index=_DATUMS.index(datum) if datum in _DATUMS else 0,
            format_func=lambda name: shared.say(f"datapage.datum_{name}"),
            key="base_datum",
        )
        if st.form_submit_button(shared.say("settingspage.save")):
            wanted = {"map.base_url": url.strip(), "map.base_attribution": credit.strip(), "map.base_datum": kind}
            from_settings(wanted)  # refuses an address that is none, before anything is written
            with shared.workspace().write(who=shared.author(), why=shared.say("settingspage.why")) as write:
                for key, value in wanted.items():
                    write.set_setting(key, value)
            st.success(shared.say("settingspage.saved"))
