"""Boundaries that do not fit: what is wrong and where, what a repair would move, and the repair as a step of the plan."""

from __future__ import annotations

import html
from typing import Final

import geopandas as gpd
import pandas as pd
import shapely
import streamlit as st

from gridgis.errors import GridgisError
from gridgis.maps import Field, MapLayer, Style
from gridgis.maps.style import categories
from gridgis.pages import chrome, redraw_state, redraw_words, shared, tables
from gridgis.pages.answers import Stamp
from gridgis.pages.tables import Column
from gridgis.redraw.defects import CRACK_WIDTH_M, KINDS, Defect
from gridgis.redraw.opening import Repaired, defects, repair
from gridgis.store import Workspace
from gridgis.tasks import plan_state, redrawing
from gridgis.text import Lang, t
from gridgis.topology import Keep

NEEDED: Final = "redraw_opening.dirty"
"""The error an area whose boundaries do not fit is refused with."""
_KEEP: Final[tuple[Keep, ...]] = ("longest_border", "largest", "smallest", "first")
_SHOWN: Final = 200


def offer(ws: Workspace, plan: str, area: str, *, refused: GridgisError, editable: bool) -> None:
    """Draw what is wrong with an area, what a repair would do, and the button that does it."""
    lang, stamp = shared.lang(), shared.stamp()
    st.warning(shared.plain(redraw_words.sentence(refused, lang)), icon=":material/healing:")
    with st.container(key="gp_pair_rd_repair"):
        one, two, three = st.columns([0.8, 1.6, 1.6], gap="small", vertical_alignment="bottom")
    width = one.number_input(
        t("redrawpage.gap_width", lang), min_value=0.01, max_value=100.0, value=CRACK_WIDTH_M, step=0.5, key="rd_gap_width"
    )
    keep = two.selectbox(
        t("redrawpage.keep", lang),
        _KEEP,
        format_func=lambda name: t(f"redraw_opening.keep_{name}", lang),
        key="rd_keep",
        help=t("redrawpage.keep_help", lang),
    )
    with st.spinner(t("redrawpage.repair_working", lang)):
        found = _defects(stamp, area, float(width))
        try:
            done: Repaired | None = _repaired(stamp, area, float(width), keep)
        except GridgisError as error:
            done = None
            redraw_words.tell(error)
    if done is not None:
        with three.popover(t("redrawpage.repair", lang), disabled=not editable, width="stretch", type="primary"):
            _confirm(ws, plan, area, done, width_m=float(width), keep=keep, editable=editable)
    left, right = st.columns([1.5, 1], gap="medium")
    with left:
        chrome.plot(_layers(ws, area, found, lang), key="rd_defects", height=460)
    with right:
        _lists(found, done, lang)


def _confirm(ws: Workspace, plan: str, area: str, done: Repaired, *, width_m: float, keep: Keep, editable: bool) -> None:
    lang = shared.lang()
    st.markdown(shared.plain(t("redrawpage.repair_sure", lang, plan=plan, **_sums(done.moved))))
    if st.button(t("redrawpage.repair_do", lang), type="primary", key="rd_repair", disabled=not editable):
        with shared.guarded():
            who, why = shared.author(), redraw_state.reason()
            after, moved = redrawing.mend(ws, area, plan=plan, gap_width_m=width_m, keep=keep, who=who, why=why)
            redraw_state.keep(after)
            redraw_state.tell(t("redrawpage.repaired", lang, **_sums(moved)))
            st.rerun()


def _sums(moved: pd.DataFrame) -> dict[str, object]:
    gained, lost = (shared.number(float(moved[f"{way}_m2"].sum()), digits=2) for way in ("gained", "lost"))
    return {"count": len(moved), "gained": gained, "lost": lost}


def _lists(found: tuple[Defect, ...], done: Repaired | None, lang: Lang) -> None:
    chrome.section("redrawpage.defects")
    rows = pd.DataFrame(
        {
            "kind": [t(f"redrawpage.defect_{one.kind}", lang) for one in found],
            "grids": [", ".join(one.codes) for one in found],
            "m2": [one.area_m2 for one in found],
        }
    )
    columns = [
        Column("kind", t("redrawpage.col_defect", lang), "name"),
        Column("grids", t("redrawpage.col_grids", lang)),
        Column("m2", t("redrawpage.figure_area_m2", lang), "number", digits=2),
    ]
    st.html(tables.table(rows.head(_SHOWN), columns, lang, height_px=180, label=t("redrawpage.defects", lang)))
    if done is None:
        return
    chrome.section("redrawpage.repair_would")
    notes = "".join(f"<li>{html.escape(note.message(lang))}</li>" for note in done.notes)
    st.html(f'<ul class="gp-why">{notes}</ul>')
    columns = [
        Column("code", t("redrawpage.col_code", lang), "code"),
        *(Column(f"{way}_m2", t(f"redrawpage.col_{way}", lang), "number", digits=2) for way in ("gained", "lost")),
    ]
    moved = done.moved.assign(code=done.moved.index).sort_values("gained_m2", ascending=False, kind="stable")
    st.html(tables.table(moved.head(_SHOWN), columns, lang, height_px=180, label=t("redrawpage.repair_would", lang)))


@st.cache_resource(show_spinner=False, max_entries=8)
def _defects(stamp: Stamp, area: str, width_m: float) -> tuple[Defect, ...]:
    home, grids = plan_state.live(shared.workspace(), area)
    return defects(grids, home, crack_width_m=width_m)


@st.cache_resource(show_spinner=False, max_entries=8)
def _repaired(stamp: Stamp, area: str, width_m: float, keep: Keep) -> Repaired:
    home, grids = plan_state.live(shared.workspace(), area)
    return repair(grids, home, gap_width_m=width_m, keep=keep)


def _layers(ws: Workspace, area: str, found: tuple[Defect, ...], lang: Lang) -> list[MapLayer]:
    """The grids as they are stored, and a dot at each defect: most are too thin to be seen themselves."""
    _, grids = plan_state.live(ws, area)
    grids = grids.assign(code=grids.index)
    code = (Field("code", t("redrawpage.col_code", lang)),)
    shown = gpd.GeoDataFrame(grids[["code"]], geometry=shapely.make_valid(grids.geometry.to_numpy()), crs=grids.crs)
    ground = MapLayer("ground", t("redrawpage.col_grids", lang), shown, Style(fill="#B9D8E3", opacity=0.5), code, "code")
    spots = gpd.GeoDataFrame(
        {
            "kind": [one.kind for one in found],
            "said": [t(f"redrawpage.defect_{one.kind}", lang) for one in found],
            "grids": [", ".join(one.codes) for one in found],
        },
        geometry=[shapely.point_on_surface(one.place) for one in found],
        crs=grids.crs,
    )
    there: dict[object, str] = {kind: t(f"redrawpage.defect_{kind}", lang) for kind in KINDS if (spots["kind"] == kind).any()}
    look = categories("kind", there, base=Style(radius=7.0, opacity=0.9))
    lines = (Field("said", t("redrawpage.col_defect", lang)), Field("grids", t("redrawpage.col_grids", lang)))
    return [ground, MapLayer("defects", t("redrawpage.defects", lang), spots, look, lines, "said")]
