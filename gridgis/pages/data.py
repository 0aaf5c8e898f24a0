"""The data page: import, layers, export, workspace check and change log, one part at a time."""

from __future__ import annotations

import datetime as dt
import html
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

import gridgis
from gridgis.layers import LAYERS
from gridgis.pages import chrome, drawing, importing, jobs, shared, tables, welcome
from gridgis.pages.tables import Column
from gridgis.progress import Progress
from gridgis.tasks import checking, exporting
from gridgis.text import catalogue

_FORMATS: Final[Mapping[str, str]] = {
    ".gpkg": "GeoPackage", ".geojson": "GeoJSON", ".xlsx": "Excel", ".csv": "CSV",
    ".shp": "Shapefile (zip)", ".parquet": "GeoParquet", ".fgb": "FlatGeobuf",
}  # fmt: skip
_LOG_ROWS: Final = 200
_LOG_WIDTH: Final = 160
_UNTOLD: Final = ("geometry", "version", "code", "id")
_CHECK: Final = "check"


def show() -> None:
    """Draw the page."""
    if not welcome.ready():
        return
    chrome.title("datapage.title", "datapage.hint")
    parts: Mapping[str, Callable[[], None]] = {
        "import": importing.show, "layers": _layers, "export": _export, "check": _check, "log": _log,
    }  # fmt: skip
    part = st.segmented_control(
        shared.say("datapage.title"),
        list(parts),
        format_func=lambda name: shared.say(f"datapage.part_{name}"),
        default="import",
        required=True,
        key="data_part",
        label_visibility="collapsed",
    )
    parts[part or "import"]()


def counts() -> dict[str, int]:
    """Rows of every layer that has any."""
    ws = shared.workspace()
    found = {layer: ws.count(layer) for layer in LAYERS}
    return {layer: count for layer, count in found.items() if count}


def layer_title(layer: str) -> str:
    """A layer's name in the reader's language with its English one, which files and commands use."""
    return f"{shared.say(f'pages.layer_{layer}')} · {layer}"


def _layers() -> None:
    lang, ws = shared.lang(), shared.workspace()
    rows: list[dict[str, Any]] = [
        {
            "title": shared.say(f"pages.layer_{name}"),
            "layer": name,
            "count": ws.count(name),
            "shape": shared.say(f"datapage.shape_{layer.shape}"),
            "history": shared.say("datapage.kept" if layer.history else "datapage.not_kept"),
        }
        for name, layer in LAYERS.items()
    ]
    columns = [
        Column("title", shared.say("datapage.col_layer")),
        Column("layer", shared.say("datapage.col_english")),
        Column("count", shared.say("datapage.col_count"), "int"),
        Column("shape", shared.say("datapage.col_shape")),
        Column("history", shared.say("datapage.col_history")),
    ]
    st.html(tables.table(pd.DataFrame(rows), columns, lang, label=shared.say("datapage.part_layers")))
    there = [row["layer"] for row in rows if row["count"]]
    drawn = [name for name in _order(there) if ws.bounds(name) is not None]
    chrome.section("datapage.map_title", "datapage.map_hint")
    if not drawn:
        _nothing("datapage.map_none")
        return
    on = {"areas", "grids", "stations"}
    url, revision = ws.url, ws.revision
    layers = [drawing.workspace_layer(url, name, revision, lang, visible=name in on) for name in drawn]
    chrome.plot(layers, key="layers_map", height=520)


def _order(names: list[str]) -> list[str]:
    """From the ground up: surfaces below, points on top."""
    rank = ("water", "areas", "unit_cells", "grids", "natural_villages", "buildings", "roads", "places", "incidents", "stations")
    return sorted(names, key=rank.index)


def _export() -> None:
    chrome.section("datapage.export_title", "datapage.export_hint")
    there = counts()
    if not there:
        _nothing("datapage.export_none")
        return
    one, two, three = st.columns(3, gap="medium")
    layer = one.selectbox(shared.say("datapage.layer"), list(there), format_func=layer_title, key="export_layer")
    ending = two.selectbox(shared.say("datapage.format"), list(_FORMATS), format_func=_FORMATS.__getitem__, key="export_format")
    as_of = three.date_input(
        shared.say("datapage.export_as_of"),
        value=None,
        key="export_as_of",
        format="YYYY-MM-DD",
        disabled=not LAYERS[layer].history,
        help=shared.say("datapage.export_as_of_help"),
    )
    date = as_of if isinstance(as_of, dt.date) and LAYERS[layer].history else None
    name = layer + (f"_{date:%Y-%m-%d}" if date else "") + (".shp.zip" if ending == ".shp" else ending)
    st.download_button(
        shared.say("datapage.export_do"),
        data=lambda: _exported(layer, name, date),
        file_name=name,
        key="export_do",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )


def _exported(layer: str, name: str, as_of: dt.date | None) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / name
        exporting.export_layer(shared.workspace(), layer, file, as_of=as_of)
        return file.read_bytes()


def _check() -> None:
    chrome.section("datapage.check_title", "datapage.check_hint")
    if st.button(shared.say("datapage.check_do"), key="check_do", type="primary", disabled=jobs.running(_CHECK)):
        url = shared.workspace_url()

        def work(progress: Progress) -> checking.CheckReport:
            with gridgis.open_workspace(url) as ws:
                return checking.check(ws, progress=progress)

        jobs.start(_CHECK, work)
        st.rerun()
    job = jobs.finished(_CHECK)
    jobs.watch(_CHECK)
    if job is None:
        return
    if job.error is not None:
        shared.tell(job.error)
    else:
        _findings(job.result)


def _findings(report: checking.CheckReport) -> None:
    if report.ok:
        st.success(shared.say("datapage.check_clean"), icon=":material/check_circle:")
        return
    lang = shared.lang()
    st.warning(shared.say("datapage.check_found", count=shared.number(sum(report.counts.values()))), icon=":material/report:")
    rows = [
        {
            "layer": shared.say(f"pages.layer_{finding.layer}"),
            "keys": ", ".join(finding.keys),
            "message": f"{finding.message(lang)} {finding.remedy(lang)}",
            "place": "" if finding.place is None else f"{finding.place[0]:.6f}, {finding.place[1]:.6f}",
        }
        for finding in report.findings
    ]
    kinds: Mapping[str, tables.Kind] = {"layer": "text", "keys": "text", "message": "text", "place": "code"}
    columns = [Column(name, shared.say(f"datapage.check_{name}"), kind) for name, kind in kinds.items()]
    st.html(tables.table(pd.DataFrame(rows), columns, lang, height_px=520, label=shared.say("datapage.check_title")))


def _log() -> None:
    lang = shared.lang()
    chrome.section("datapage.log_title", "datapage.log_hint", rows=shared.number(_LOG_ROWS))
    log = shared.workspace().log(limit=_LOG_ROWS).iloc[::-1]
    if log.empty:
        _nothing("datapage.log_none")
        return
    here = dt.datetime.now().astimezone().tzinfo
    log = log.assign(
        at=[at.astimezone(here) for at in log["at"]],
        layer=[shared.say(f"pages.layer_{name}") if name in LAYERS else name for name in log["layer"]],
        action=[shared.say(f"datapage.action_{action}") for action in log["action"]],
        change=[_change(before, after) for before, after in zip(log["before"], log["after"], strict=True)],
    )
    kinds: Mapping[str, tables.Kind] = {
        "at": "date", "who": "name", "why": "name", "layer": "name", "key": "code", "action": "name", "change": "text",
    }  # fmt: skip
    columns = [Column(name, shared.say(f"datapage.log_{name}"), kind) for name, kind in kinds.items()]
    st.html(tables.table(log, columns, lang, height_px=560, label=shared.say("datapage.log_title")))


def _change(before: object, after: object) -> str:
    """What a log entry did: the values of a new row, or old and new value of every column that changed."""
    new = after if isinstance(after, Mapping) else {}
    if not isinstance(before, Mapping):
        told = {name: value for name, value in new.items() if name not in _UNTOLD and value not in (None, 0)}
        return _listed(f"{_heading(name)} {_told(value)}" for name, value in told.items())
    changed = [name for name in {**before, **new} if name != "version" and before.get(name) != new.get(name)]
    return _listed(
        shared.say("datapage.log_shape") if name == "geometry" else f"{_heading(name)}: {before.get(name)} → {new.get(name)}"
        for name in changed
    )


def _told(value: object) -> str:
    return shared.number(value) if isinstance(value, (int, float)) else str(value)


def _heading(name: str) -> str:
    """A column's name in the reader's language; one that is nobody's but the file's stays as it is."""
    key = f"datapage.column_{name}"
    return shared.say(key) if key in catalogue(shared.lang()) else name


def _listed(parts: Iterable[str]) -> str:
    words = "; ".join(parts)
    return words if len(words) <= _LOG_WIDTH else f"{words[: _LOG_WIDTH - 1]}…"


def _nothing(key: str) -> None:
    st.html(f'<div class="gp-empty">{html.escape(shared.say(key))}</div>')
