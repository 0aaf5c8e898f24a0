"""The import part of the data page: choose, preview, map columns, run dry, read the findings, then write."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
import streamlit as st

import gridgis
from gridgis import files as filing
from gridgis.errors import GridgisError
from gridgis.files.mapping import recognise
from gridgis.layers import LAYERS, Layer
from gridgis.pages import chrome, jobs, shared, tables
from gridgis.pages.tables import Column
from gridgis.progress import Progress
from gridgis.tasks import importing
from gridgis.tasks.import_plan import ImportOptions, ImportPlan, ImportReport, OnError
from gridgis.text import Lang, t

_PLAN: Final = "plan"
_WRITE: Final = "import"
_DATUMS: Final = ("wgs84", "cgcs2000", "gcj02", "bd09")
_ON_ERROR: Final[tuple[OnError, ...]] = ("abort", "skip")
_SEVERITIES: Final = {"error": "level_error", "warning": "level_warning"}
_ZONE: Final = "Asia/Shanghai"
_PREVIEW_ROWS: Final = 8
_FINDINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """The files chosen, where they lie for as long as the session needs them."""

    signature: tuple[object, ...]
    """Changes when other files are chosen."""
    files: tuple[Path, ...]
    folder: tempfile.TemporaryDirectory[str]
    """Holds uploads and the report of rejected rows; goes away with the last reference to it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a file holds, as it stands, before it is read into a layer."""

    columns: tuple[str, ...]
    rows: int
    head: pd.DataFrame


def show() -> None:
    """Draw the import part."""
    _outcome()
    jobs.watch(_WRITE)
    left, right = st.columns([1, 2], gap="medium")
    with left:
        name = st.selectbox(shared.say("datapage.import_layer"), list(LAYERS), format_func=_title, key="import_layer")
        layer = LAYERS[name]
        st.caption(_required(layer))
    with right:
        upload = _chosen()
    if upload is None:
        st.html(f'<div class="gp-empty">{html.escape(shared.say("datapage.import_wait"))}</div>')
        return
    options = _options(upload)
    sample = _sample(upload, options.layer, layer)
    if sample is None:
        return
    _preview(sample, upload)
    given = _mapping(sample, layer)
    options = _with_map(options, given)
    signature = (upload.signature, name, _signature(options))
    if st.button(
        shared.say("datapage.dry_run"),
        key="dry_run",
        icon=":material/fact_check:",
        disabled=jobs.running(_PLAN) or jobs.running(_WRITE),
    ):
        _start_plan(upload, name, options)
        st.session_state["import_signature"] = signature
        st.rerun()
    job = jobs.finished(_PLAN)
    jobs.watch(_PLAN)
    # a plan made for other files or options is no answer to what stands above it
    if job is None or st.session_state.get("import_signature") != signature:
        return
    if job.error is not None:
        shared.tell(job.error)
        return
    _dry(job.result)


def _title(name: str) -> str:
    return f"{shared.say(f'pages.layer_{name}')} · {name}"


def _required(layer: Layer) -> str:
    columns = [shared.say(f"datapage.column_{column.name}") for column in layer.columns if column.required]
    return shared.say(
        "datapage.import_required", columns="、".join(columns) if shared.lang() == "zh" else ", ".join(columns) or "–"
    )


def _chosen() -> Upload | None:
    """The uploaded files, or the path typed in, kept in a folder of the session."""
    uploads = st.file_uploader(
        shared.say("datapage.import_files"),
        accept_multiple_files=True,
        key=f"upload_{st.session_state.get('import_round', 0)}",
        help=shared.say("datapage.import_files_help"),
    )
    path = ""
    if shared.is_local():
        with st.expander(shared.say("datapage.import_use_path")):
            path = st.text_input(
                shared.say("datapage.import_path"), key="import_path", placeholder=shared.say("datapage.import_path_placeholder")
            ).strip()
    if not uploads and not path:
        return None
    signature = tuple((one.file_id, one.name) for one in uploads) or (path,)
    kept: Upload | None = st.session_state.get("import_upload")
    if kept is not None and kept.signature == signature:
        return kept
    folder = tempfile.TemporaryDirectory(prefix="gridgis-")
    files = []
    for number, one in enumerate(uploads):
        # a folder per file: two uploads may have the same name, and the name is all we take from it
        file = Path(folder.name) / str(number) / (Path(one.name.replace("\\", "/")).name or "upload")
        file.parent.mkdir()
        file.write_bytes(one.getbuffer())
        files.append(file)
    upload = Upload(signature, tuple(files) or (Path(path),), folder)
    st.session_state["import_upload"] = upload
    return upload


def _options(upload: Upload) -> ImportOptions:
    with st.expander(shared.say("datapage.options"), icon=":material/tune:"):
        one, two, three = st.columns(3, gap="medium")
        crs = one.text_input(
            shared.say("datapage.option_crs"), key="import_crs", placeholder=shared.say("datapage.option_crs_placeholder")
        )
        datum = two.selectbox(
            shared.say("datapage.option_datum"),
            _DATUMS,
            key="import_datum",
            format_func=lambda kind: shared.say(f"datapage.datum_{kind}"),
        )
        zone = three.text_input(shared.say("datapage.option_time_zone"), value=_ZONE, key="import_zone")
        on_error = one.selectbox(
            shared.say("datapage.option_on_error"),
            _ON_ERROR,
            key="import_on_error",
            format_func=lambda kind: shared.say(f"datapage.on_error_{kind}"),
        )
        inner = two.text_input(
            shared.say("datapage.option_file_layer"),
            key="import_inner",
            placeholder=shared.say("datapage.option_file_layer_placeholder"),
        )
        st.text_input(shared.say("datapage.option_why"), key="import_why", placeholder=shared.say("datapage.option_why_default"))
        repair = st.checkbox(shared.say("datapage.option_repair"), key="import_repair")
    return ImportOptions(
        layer=inner.strip() or None,
        crs=crs.strip() or None,
        datum=datum,
        time_zone=zone.strip() or _ZONE,
        on_error=on_error,
        repair=repair,
        report=Path(upload.folder.name) / "rejected.csv",
    )


def _sample(upload: Upload, inner: str | None, layer: Layer) -> Sample | None:
    """What the first file holds; an unreadable one is told and gives nothing."""
    key = (upload.signature, inner, layer.name)
    kept = st.session_state.get("import_sample")
    if kept is not None and kept[0] == key:
        sample: Sample = kept[1]
        return sample
    try:
        with st.spinner(shared.say("datapage.dry_running")):
            raw = filing.read_raw(upload.files[0], layer=inner, target=layer.name)
    except GridgisError as error:
        shared.tell(error)
        return None
    sample = Sample(tuple(map(str, raw.frame.columns)), len(raw.frame), raw.frame.head(_PREVIEW_ROWS))
    st.session_state["import_sample"] = (key, sample)
    return sample


def _preview(sample: Sample, upload: Upload) -> None:
    files = ", ".join(file.name for file in upload.files)
    shown, rows = shared.number(len(sample.head)), shared.number(sample.rows)
    chrome.section("datapage.preview_title", "datapage.preview_hint", files=files, rows=rows, shown=shown)
    columns = [Column(str(name), str(name)) for name in sample.head.columns]
    head = sample.head.set_axis([str(name) for name in sample.head.columns], axis=1)
    st.html(tables.table(head, columns, shared.lang(), height_px=300, label=shared.say("datapage.preview_title")))


def _mapping(sample: Sample, layer: Layer) -> dict[str, str]:
    """Per column of the layer the file's column the user wants, empty where a recognised one is to be left out."""
    chrome.section("datapage.mapping_title", "datapage.mapping_hint")
    saved = importing.saved_mapping(shared.workspace(), layer.name)
    found = recognise(sample.columns, layer, saved=saved).fields
    given: dict[str, str] = {}
    slots = st.columns(4, gap="small")
    for number, column in enumerate(layer.columns):
        constants = [f"={value}" for value in column.values]  # noqa: PD011 -- a tuple of ours
        choices = ["", *sample.columns, *constants]
        star = " *" if column.required else ""
        wanted = slots[number % 4].selectbox(
            f"{shared.say(f'datapage.column_{column.name}')}{star}",
            choices,
            index=choices.index(found.get(column.name, "")),
            format_func=_choice,
            key=f"map_{layer.name}_{column.name}_{hash(sample.columns)}",
        )
        if wanted or column.name in found:
            given[column.name] = wanted
    return given


def _choice(name: str) -> str:
    return shared.plain(name) if name else shared.say("datapage.mapping_none")


def _with_map(options: ImportOptions, given: dict[str, str]) -> ImportOptions:
    return replace(options, map=given)


def _signature(options: ImportOptions) -> tuple[object, ...]:
    return (
        options.layer,
        options.crs,
        options.datum,
        options.time_zone,
        options.on_error,
        options.repair,
        tuple(sorted(options.map.items())),
    )


def _start_plan(upload: Upload, layer: str, options: ImportOptions) -> None:
    url = shared.workspace_url()

    def work(progress: Progress) -> ImportPlan:
        with gridgis.open_workspace(url) as ws:
            return importing.plan_import(ws, layer, upload.files, options=options, progress=progress)

    jobs.forget(_WRITE)
    jobs.start(_PLAN, work)


def _dry(plan: ImportPlan) -> None:
    chrome.section("datapage.dry_title", "datapage.dry_hint")
    lang = shared.lang()
    notes = [note.message(lang) for note in plan.notes]
    if notes:
        st.html(f'<ul class="gp-notes">{"".join(f"<li>{html.escape(note)}</li>" for note in notes)}</ul>')
    if plan.findings:
        st.html(findings_table(plan, lang))
    else:
        st.success(shared.say("datapage.findings_none"), icon=":material/check_circle:")
    if not plan.ok:
        st.warning(shared.say("datapage.blocked"), icon=":material/block:")
        return
    label = shared.say("datapage.do_import", rows=shared.number(len(plan.frame)))
    if st.button(label, key="do_import", type="primary", icon=":material/upload:", disabled=jobs.running(_WRITE)):
        url, who = shared.workspace_url(), shared.author()
        why = str(st.session_state.get("import_why") or shared.say("datapage.option_why_default"))

        def work(progress: Progress) -> ImportReport:
            with gridgis.open_workspace(url) as ws:
                return importing.run_import(ws, plan, who=who, why=why, progress=progress)

        jobs.start(_WRITE, work)
        st.rerun()


def findings_table(plan: ImportPlan, lang: Lang) -> str:
    """The findings of a dry run: level, file, row, what is wrong and what to do."""
    rows = [
        {
            "level": shared.say(f"datapage.{_SEVERITIES[finding.severity]}"),
            "place": finding.place(lang),
            "message": finding.message(lang).removeprefix(finding.place(lang) + t("import.colon", lang)),
            "remedy": finding.remedy(lang),
        }
        for finding in plan.findings[:_FINDINGS]
    ]
    names: Sequence[tuple[str, tables.Kind]] = (("level", "name"), ("place", "text"), ("message", "text"), ("remedy", "text"))
    columns = [Column(name, shared.say(f"datapage.finding_{name}"), kind) for name, kind in names]
    return tables.table(pd.DataFrame(rows), columns, lang, height_px=360, label=shared.say("datapage.dry_title"))


def _outcome() -> None:
    """What the last import did, until another begins."""
    job = jobs.finished(_WRITE)
    if job is None:
        return
    if job.error is not None:
        shared.tell(job.error)
        return
    report: ImportReport = job.result
    numbers = {
        "inserted": report.inserted,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped": report.rejected,
    }
    words = {name: shared.number(value) for name, value in numbers.items()}
    st.success(shared.say("datapage.done", **words), icon=":material/check_circle:")
    with st.container(horizontal=True):
        if report.report_file is not None and report.report_file.exists():
            st.download_button(
                shared.say("datapage.report"),
                data=report.report_file.read_bytes(),
                file_name=report.report_file.name,
                key="rejected",
                on_click="ignore",
            )
        if st.button(shared.say("datapage.another"), key="another"):
            jobs.forget(_WRITE)
            jobs.forget(_PLAN)
            st.session_state["import_round"] = st.session_state.get("import_round", 0) + 1
            st.session_state.pop("import_upload", None)
            st.rerun()
