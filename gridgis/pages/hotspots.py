"""The analysts' page: where, when and how surely incidents concentrate, what changed, and files to take away."""

from __future__ import annotations

import functools
import html
import zoneinfo
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gridgis.hotspots.emergence import FEWEST_PERIODS
from gridgis.maps import MapLayer
from gridgis.maps.basemap import from_settings
from gridgis.pages import chrome, drawing, hotspot_answers, hotspot_files, hotspot_layers, hotspot_panel, shared, welcome
from gridgis.pages import hotspot_state as state
from gridgis.pages import hotspot_words as words
from gridgis.pages.answers import Stamp
from gridgis.tasks.hotspot_incidents import Archive
from gridgis.tasks.hotspot_views import UNITS, Against, HotSpots
from gridgis.text import Lang, t
from gridgis.web.component import Selection, grid_map

_MAP_HEIGHT: Final = 690
_FRAME_S: Final = 1.6
_PLAYING: Final = "hs_playing"
_TURNED: Final = "hs_turned"
_PICKED: Final = "hs_picked"


def show() -> None:
    """Draw the page."""
    if not welcome.ready():
        return
    if not shared.workspace().count("incidents"):
        _empty()
        return
    stamp, lang = shared.stamp(), shared.lang()
    with st.spinner(shared.say("hotspage.computing")):
        incidents = hotspot_answers.incidents(stamp)
    zone = hotspot_answers.zone(stamp)
    if not state.is_open():
        st.session_state.pop(_PLAYING, None)
    state.restore(incidents, zone)
    chrome.title("hotspage.title", "hotspage.hint")
    reasons = _filters(incidents, lang)
    state.keep(incidents, zone)
    spots = hotspot_answers.hot_spots(stamp, state.request())
    if spots is None:
        return
    state.remember({name: int(choice.value) for name, choice in spots.choices.items()})
    with reasons:
        st.html(words.reasons(spots, lang))
    before = hotspot_answers.earlier(stamp, spots, state.get("vs"))
    if state.get("vs") != "none" and before is None:
        st.info(shared.say("hotspage.nothing_earlier"), icon=":material/info:")
    st.html(words.headline(spots, before, lang))
    st.html(words.figures(spots, before, lang))
    if not len(spots.territory):
        st.info(shared.say("hotspage.no_areas"), icon=":material/info:")
    _explorer(stamp, incidents, spots, before, zone)
    _spots(spots, lang)
    _explain(spots, lang)


def _empty() -> None:
    chrome.title("hotspage.title", "hotspage.hint")
    st.html(f'<p class="gp-lead">{html.escape(shared.say("hotspage.empty_hint"))}</p>')
    lines = "".join(
        f"<li><b>{number}</b><span>{html.escape(shared.say(f'hotspage.empty_{number}'))}</span></li>" for number in (1, 2, 3)
    )
    st.html(f'<ol class="gp-steps">{lines}</ol>')
    if st.button(shared.say("pages.empty_go"), type="primary", key="go_import", icon=":material/upload_file:"):
        shared.go("data")


def _filters(incidents: Archive, lang: Lang) -> DeltaGenerator:
    """The filters; returns the place under the parameters where their reasons go once they are known."""
    first, last = incidents.days(state.get("tz"))
    with st.container(border=True, key="gp_hs_filters"):
        with st.container(key="gp_pair_hs_first"):
            one, two, three, four, five = st.columns([1, 1, 1.7, 1.5, 1.3], gap="small", vertical_alignment="bottom")
        for column, name in ((one, "from"), (two, "to")):
            column.date_input(
                shared.say(f"hotspage.filter_{name}"), key=state.key(name), min_value=first, max_value=last, format="YYYY-MM-DD"
            )
        counts = incidents.categories
        three.multiselect(
            shared.say("hotspage.filter_kind"),
            list(counts),
            key=state.key("cat"),
            format_func=lambda kind: f"{kind} ({shared.number(counts.get(kind, 0))})",
            placeholder=shared.say("hotspage.filter_kind_all"),
        )
        four.selectbox(
            shared.say("hotspage.filter_area"),
            ["", *incidents.areas.sort_index().index],
            key=state.key("area"),
            format_func=lambda code: _area_name(incidents, code, lang),
        )
        five.selectbox(
            shared.say("hotspage.filter_earlier"),
            state.EARLIER,
            key=state.key("vs"),
            format_func=lambda name: t(f"hotspage.earlier_{name}", lang),
        )
        with st.expander(shared.say("hotspage.more"), icon=":material/tune:"):
            _when(incidents)
            _parameters(lang)
            return st.container(key="gp_hs_reasons")


def _area_name(incidents: Archive, code: str, lang: Lang) -> str:
    if code:
        return incidents.name_of(code)
    return t("hotspage.area_all" if incidents.place else "hotspage.area_whole", lang, place=incidents.place)


def _when(incidents: Archive) -> None:
    with st.container(key="gp_pair_hs_when"):
        one, two, three, four = st.columns([1, 1, 2.6, 1.9], gap="small", vertical_alignment="bottom")
    hours = incidents.has_hours(state.get("tz"))
    for column, name, options in ((one, "h0", range(24)), (two, "h1", range(1, 25))):
        column.selectbox(
            shared.say(f"hotspage.filter_{name}"), list(options), key=state.key(name), format_func=_hour, disabled=not hours
        )
    with three:
        st.pills(
            shared.say("hotspage.filter_days"),
            range(7),
            selection_mode="multi",
            key=state.key("wd"),
            format_func=lambda number: shared.say(f"hotspage.day_{number}"),
        )
    four.selectbox(shared.say("hotspage.filter_zone"), _zones(), key=state.key("tz"), help=shared.say("hotspage.help_zone"))


def _hour(hour: int) -> str:
    return f"{hour:02d}:00"


@functools.cache
def _zones() -> list[str]:
    """Time zones of places, and UTC."""
    outside = ("Etc/", "SystemV/")
    return ["UTC", *sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(outside))]


def _parameters(lang: Lang) -> None:
    with st.container(key="gp_pair_hs_numbers"):
        columns = st.columns(5, gap="small", vertical_alignment="bottom")
    for column, name, step in zip(columns, ("cell", "band", "bw"), (50, 100, 100), strict=False):
        column.number_input(
            shared.say(f"hotspage.number_{name}"),
            key=state.key(name),
            value=None,
            min_value=10,
            max_value=20_000 if name == "cell" else 100_000,
            step=step,
            placeholder=_automatic(name),
            help=shared.say(f"hotspage.help_{name}"),
        )
    columns[3].selectbox(
        shared.say("hotspage.filter_period"),
        ("auto", *UNITS),
        key=state.key("per"),
        format_func=lambda name: t("hotspage.auto" if name == "auto" else f"hotspage.unit_{name}", lang),
    )
    columns[4].selectbox(
        shared.say("hotspage.filter_chance"),
        state.PERMUTATIONS,
        key=state.key("perm"),
        format_func=lambda count: t("hotspage.chance_runs" if count else "hotspage.chance_normal", lang, count=count),
        help=shared.say("hotspage.help_chance"),
    )


def _automatic(name: str) -> str:
    """What stands in an empty field: that the rule chooses, and what it chose last."""
    value = state.remembered(name)
    return shared.say("hotspage.auto_value", value=shared.number(value)) if value else shared.say("hotspage.auto")


def _explorer(stamp: Stamp, incidents: Archive, spots: HotSpots, before: Against | None, zone: str) -> None:
    """The map with its panel: a part of the page of its own, so that a click or a step redraws nothing else."""
    playing = bool(st.session_state.get(_PLAYING))
    st.fragment(_guarded, run_every=_FRAME_S if playing else None)(stamp, incidents, spots, before, zone)


def _guarded(stamp: Stamp, incidents: Archive, spots: HotSpots, before: Against | None, zone: str) -> None:
    with shared.guarded():  # a click runs this part alone, outside the page's own door for errors
        _explore(stamp, incidents, spots, before, zone)


def _explore(stamp: Stamp, incidents: Archive, spots: HotSpots, before: Against | None, zone: str) -> None:
    if st.session_state.pop(_TURNED, False):
        st.rerun()  # only a whole run starts or stops the clock of this part
    lang = shared.lang()
    chrome.section("hotspage.map_title", "hotspage.map_hint")
    view = _view(spots, before)
    step = _steps(spots, view, lang)
    shown = spots if step is None else hotspot_answers.one_period(stamp, spots, step)
    found = hotspot_answers.patterns(stamp, spots) if view == "emerging" else None
    if view == "emerging" and found is None:
        return
    with st.container(key="gp_stack_hs_map"):
        left, right = st.columns([1.62, 1], gap="medium")
    with left:
        ws = shared.workspace()
        picked = grid_map(
            hotspot_layers.layers([hotspot_layers.draw(view, shown, found, before, lang)], spots, lang, under=_under(lang)),
            key="hotspots_map",
            lang=lang,
            height=_MAP_HEIGHT,
            bounds=hotspot_layers.opening(spots),
            notice=shared.say("general.synthetic") if ws.info.synthetic else None,
            base=from_settings(ws.settings()),
        )
        _take(picked, spots)
    place = state.place()
    if place is not None and not _is_cell(spots, place):
        place = None
    with right:
        if place is not None and st.button(shared.say("hotspage.panel_back"), key="hs_back", icon=":material/arrow_back:"):
            state.put("at", "")
            st.rerun(scope="fragment")
        hotspot_panel.show(spots, shown, incidents, place=place, before=before, found=found, step=step)
    _downloads(hotspot_files.Taken(spots, shown, before, found, view, step, lang, tuple(_under(lang))))
    state.keep(incidents, zone)


def _view(spots: HotSpots, before: Against | None) -> str:
    """Which map: those that cannot be drawn for the choices are not offered."""
    offered = [name for name in state.VIEWS if name != "change" or before is not None]
    if len(spots.periods) < FEWEST_PERIODS:
        offered.remove("emerging")
    if state.get("view") not in offered:
        state.put("view", "gi")
    chosen = st.segmented_control(
        shared.say("hotspage.map_title"),
        offered,
        format_func=lambda name: shared.say(f"hotspage.view_{name}"),
        required=True,
        key=state.key("view"),
        label_visibility="collapsed",
    )
    return str(chosen or "gi")


def _steps(spots: HotSpots, view: str, lang: Lang) -> int | None:
    """The time slider: number of the period the map shows, None for all of them together."""
    if view in ("emerging", "change") or len(spots.periods) < 2:
        return None
    last = len(spots.periods)
    if int(state.get("step")) > last:
        state.put("step", 0)
    if st.session_state.get(_PLAYING):
        state.put("step", int(state.get("step")) % last + 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="gp_hs_time"):
        playing = bool(st.session_state.get(_PLAYING))
        st.button(
            shared.say("hotspage.stop" if playing else "hotspage.play"),
            key="hs_play",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            on_click=_toggle,
        )
        chosen = st.select_slider(
            shared.say("hotspage.time"),
            range(last + 1),
            key=state.key("step"),
            format_func=lambda number: (
                words.step_text(spots.periods[number - 1], lang) if number else shared.say("hotspage.time_all")
            ),
            label_visibility="collapsed",
        )
    return int(chosen) - 1 if chosen else None


def _toggle() -> None:
    st.session_state[_PLAYING] = not st.session_state.get(_PLAYING)
    st.session_state[_TURNED] = True


def _under(lang: Lang) -> list[MapLayer]:
    ws = shared.workspace()
    return drawing.surroundings(ws.info.url, [name for name in ("water", "roads") if ws.count(name)], ws.revision, lang)


def _take(picked: Selection | None, spots: HotSpots) -> None:
    """A new click moves the panel to its cell; an old one is not taken twice."""
    if picked is None or picked.layer != "hotspots":
        st.session_state[_PICKED] = None
        return
    if picked.key == st.session_state.get(_PICKED):
        return
    st.session_state[_PICKED] = picked.key
    row, _, column = picked.key.partition(",")
    if not (row.isdigit() and column.isdigit()):
        return
    lattice = spots.heat.lattice if state.get("view") == "density" else spots.cells.lattice
    x, y = lattice.centre([int(row)], [int(column)])
    at_row, at_column = spots.cells.lattice.cell_at(x, y)
    if at_row[0] >= 0:
        state.put("at", f"{int(at_row[0])},{int(at_column[0])}")


def _is_cell(spots: HotSpots, place: tuple[int, int]) -> bool:
    rows, columns = spots.cells.mask.shape
    return place[0] < rows and place[1] < columns and bool(spots.cells.mask[place])


def _spots(spots: HotSpots, lang: Lang) -> None:
    chrome.section("hotspage.spots_title", "hotspage.spots_hint")
    if len(spots.spots):
        st.html(words.spot_table(spots, lang))
    else:
        st.html(f'<div class="gp-empty">{html.escape(t("hotspage.no_spots", lang))}</div>')


def _explain(spots: HotSpots, lang: Lang) -> None:
    with st.expander(shared.say("hotspage.explain_title"), icon=":material/calculate:"):
        st.html(words.explanation(spots, lang))
    with st.expander(shared.say("hotspage.patterns_title"), icon=":material/timeline:"):
        st.html(words.pattern_table(lang))


def _downloads(taken: hotspot_files.Taken) -> None:
    chrome.section("hotspage.download_title", "hotspage.download_hint")
    with st.container(horizontal=True, key="gp_downloads", gap="small"):
        for kind, (ending, mime, make) in hotspot_files.MAKERS.items():
            st.download_button(
                shared.say(f"hotspage.download_{kind}"),
                data=functools.partial(make, taken),
                file_name=hotspot_files.file_name(taken.whole, taken.lang, ending),
                mime=mime,
                key=f"hs_download_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
