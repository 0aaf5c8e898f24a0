"""Files a reader takes away from the overview: Excel workbook, GeoPackage, picture and single web page."""

from __future__ import annotations

import html
import io
import tempfile
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyogrio
import xlsxwriter

from gridgis import text
from gridgis.pages import blocks, tables
from gridgis.pages.columns import book_columns, screen_columns
from gridgis.pages.tables import Column
from gridgis.tasks.overview import Overview
from gridgis.text import Lang, t

_NUMBER_FORMATS: Final = {"int": "#,##0", "number": "#,##0.00", "km2": "#,##0.000", "percent": "0.0 %", "bar": "0.0 %"}
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def workbook(answer: Overview, lang: Lang) -> bytes:
    """The overview as an Excel workbook: headline with its arithmetic, villages, stations, batches, trend, notes.

    Numbers are numbers (m² as km², shares as percentages of Excel), dates are dates; a text that a spreadsheet could
    take for a formula stands behind an apostrophe. Every sheet's header stays in view.
    """
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": t("overview.title", lang), "subject": answer.place})
        styles = _styles(book)
        _headline_sheet(book.add_worksheet(t("downloads.sheet_headline", lang)), styles, answer, lang)
        for by, frame in answer.tables.items():
            _frame_sheet(book.add_worksheet(t(f"downloads.sheet_{by}", lang)), styles, frame, book_columns(by, frame, lang))
        trend = book.add_worksheet(t("downloads.sheet_trend", lang))
        _frame_sheet(trend, styles, answer.trend, book_columns("trend", answer.trend, lang))
        _notes_sheet(book.add_worksheet(t("downloads.sheet_notes", lang)), styles, answer, lang)
    return stream.getvalue()


def geopackage(answer: Overview, lang: Lang) -> bytes:
    """The layers of the map as a GeoPackage, each row with its figures; layer and column names are English.

    A table `about` says place, date, the headline, every source, and whether the geometry is synthetic.
    """
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / "overview.gpkg"
        for name, frame in answer.layers.items():
            if len(frame):
                pyogrio.write_dataframe(_flat(frame), file, layer=name, driver="GPKG")
        about = pd.DataFrame(_about(answer, lang), columns=["key", "value"])
        pyogrio.write_dataframe(about, file, layer="about", driver="GPKG")
        return file.read_bytes()


def page(answer: Overview, drawn_map: str, lang: Lang) -> str:
    """The overview as one HTML file: sentence, figures, map, trend, tables, arithmetic, notes; it asks no machine for anything.

    `drawn_map` is a whole page of its own (`maps.folium_map.self_contained_html`) and stands in a frame inside this one, so
    that neither's styles touch the other's.
    """
    title = t("downloads.page_title", lang, place=answer.place, date=text.day(answer.as_of, lang))
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if answer.synthetic:
        parts.append(f'<div class="gp-synthetic">{html.escape(t("general.synthetic", lang))}</div>')
    parts += [blocks.headline(answer, lang), blocks.cards(answer, lang), _heading("overview.map_title", lang)]
    parts.append(f'<iframe title="{html.escape(t("overview.map_title", lang))}" srcdoc="{html.escape(drawn_map)}"></iframe>')
    if len(answer.trend):
        parts += [_heading("overview.trend_title", lang), blocks.trend(answer, lang)]
    for by, frame in answer.tables.items():
        parts += [_heading(f"overview.by_{by}", lang), tables.table(frame, screen_columns(by, frame, lang), lang)]
    parts += [_heading("overview.how_title", lang), blocks.how(answer, lang)]
    parts += [_heading("overview.notes_title", lang), blocks.notes(answer, lang)]
    sheet = (resources.files("gridgis.pages") / "style.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    tag = "zh-CN" if lang == "zh" else "en"
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html><html lang="{tag}"><head>{head}<style>{sheet}</style></head><body class="gp-file">{body}</body></html>'
    )


def _heading(key: str, lang: Lang) -> str:
    return f'<div class="gp-section"><h2>{html.escape(t(key, lang))}</h2></div>'


def file_name(answer: Overview, lang: Lang, ending: str) -> str:
    """Name of a file to save: what, where, as of when.

    Characters that no file system likes are left out of the place's name.
    """
    place = "".join(letter for letter in answer.place if letter.isalnum() or letter in " -") or "gridgis"
    return t("overview.file_stem", lang, place=place, date=answer.as_of.isoformat()) + ending


def _about(answer: Overview, lang: Lang) -> list[tuple[str, str]]:
    rows = [("place", answer.place), ("as_of", answer.as_of.isoformat()), ("headline", blocks.sentence(answer, lang))]
    rows += [("synthetic", t("general.synthetic", lang))] if answer.synthetic else []
    rows += [(f"source_{name}", blocks.phrase(one.source or one.reason, lang)) for name, one in answer.measures.items()]
    return rows + [("note", note) for note in [note.message(lang) for note in answer.notes]]


def _flat(frame: pd.DataFrame) -> Any:
    """A layer with its key as a column and dates as text of the calendar, which every reader understands."""
    flat = frame.reset_index()
    for column in flat.columns.drop("geometry"):
        if flat[column].dtype == object and flat[column].map(lambda value: hasattr(value, "isoformat")).any():
            flat[column] = flat[column].map(lambda value: value.isoformat() if hasattr(value, "isoformat") else None)
    return flat


def _styles(book: Any) -> Mapping[str, Any]:
    base = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
    styles = {kind: book.add_format({**base, "num_format": code, "align": "right"}) for kind, code in _NUMBER_FORMATS.items()}
    styles["text"] = book.add_format({**base, "text_wrap": False})
    styles["code"] = book.add_format({**base, "num_format": "@"})
    styles["date"] = book.add_format({**base, "num_format": "yyyy-mm-dd", "align": "left"})
    styles["wrap"] = book.add_format({**base, "text_wrap": True})
    styles["title"] = book.add_format({**base, "bold": True, "font_size": 14, "font_color": "#1F5F8B"})
    styles["head"] = book.add_format({**base, "bold": True, "bg_color": "#E6EFF6", "bottom": 1, "text_wrap": True})
    return styles


def _headline_sheet(sheet: Any, styles: Mapping[str, Any], answer: Overview, lang: Lang) -> None:
    sheet.write_string(0, 0, safe(f"{answer.place} · {t('overview.title', lang)}"), styles["title"])
    sheet.merge_range(1, 0, 1, 6, "", styles["wrap"])
    sheet.write_string(1, 0, safe(blocks.sentence(answer, lang)), styles["wrap"])
    sheet.set_row(1, 48)
    sheet.write_string(2, 0, t("general.synthetic", lang) if answer.synthetic else "", styles["wrap"])
    heads = ("measure", "covered", "total", "unit", "percent", "source", "rule")
    for column, name in enumerate(heads):
        sheet.write_string(3, column, t(f"downloads.head_{name}", lang), styles["head"])
    for row, (name, measure) in enumerate(answer.measures.items(), start=4):
        kind, scale = ("km2", 1e-6) if measure.unit == "m2" else ("int", 1.0)
        sheet.write_string(row, 0, t(f"overview.measure_{name}", lang), styles["text"])
        for column, value in ((1, measure.covered), (2, measure.total)):
            if value is None:
                sheet.write_string(row, column, "–", styles[kind])
            else:
                sheet.write_number(row, column, value * scale, styles[kind])
        sheet.write_string(row, 3, t(f"overview.unit_{measure.unit}", lang), styles["text"])
        if measure.share is None:
            sheet.write_string(row, 4, "–", styles["percent"])
        else:
            # the division itself, so that a reader sees where the percentage comes from
            sheet.write_formula(row, 4, f"=B{row + 1}/C{row + 1}", styles["percent"], measure.share)
        sheet.write_string(row, 5, blocks.phrase(measure.source or measure.reason, lang), styles["text"])
        sheet.write_string(row, 6, blocks.phrase(measure.rule, lang), styles["text"])
    sheet.freeze_panes(4, 1)
    for column, width in enumerate((22, 14, 14, 12, 10, 40, 44)):
        sheet.set_column(column, column, width)


def _frame_sheet(sheet: Any, styles: Mapping[str, Any], frame: pd.DataFrame, columns: list[Column]) -> None:
    for at, column in enumerate(columns):
        sheet.write_string(0, at, column.title, styles["head"])
        wide = max([len(column.title) + 4, *(_width(value) for value in frame[column.field].head(500))])
        sheet.set_column(at, at, min(wide, 44) if column.kind in ("text", "code") else max(13, len(column.title) + 6))
        for row, value in enumerate(frame[column.field], start=1):
            _cell(sheet, row, at, value, column, styles)
    sheet.freeze_panes(1, 2)
    if len(frame):
        sheet.autofilter(0, 0, len(frame), max(len(columns) - 1, 0))


def _notes_sheet(sheet: Any, styles: Mapping[str, Any], answer: Overview, lang: Lang) -> None:
    lines = [t("overview.how_area", lang)]
    lines += [" · ".join(parts) for parts in blocks.arithmetic(answer, lang)]
    lines += [note.message(lang) for note in answer.notes]
    sheet.write_string(0, 0, t("overview.notes_title", lang), styles["head"])
    for row, line in enumerate(lines, start=1):
        sheet.write_string(row, 0, safe(line), styles["wrap"])
    sheet.set_column(0, 0, 120)
    sheet.freeze_panes(1, 0)


def _cell(sheet: Any, row: int, at: int, value: object, column: Column, styles: Mapping[str, Any]) -> None:
    style = styles.get(column.kind, styles["text"])
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        sheet.write_blank(row, at, None, style)
    elif column.kind == "date":
        sheet.write_datetime(row, at, pd.Timestamp(value).to_pydatetime(), style)  # type: ignore[arg-type]
    elif column.kind in _NUMBER_FORMATS:
        sheet.write_number(row, at, float(value) * (1e-6 if column.kind == "km2" else 1.0), style)  # type: ignore[arg-type]
    else:
        sheet.write_string(row, at, safe(str(value)), style)


def safe(words: str) -> str:
    """Text for a spreadsheet cell: what could be read as a formula stands behind an apostrophe.

    >>> safe("=HYPERLINK()"), safe("庙岭村")
    ("'=HYPERLINK()", '庙岭村')
    """
    return f"'{words}" if words.startswith(_FORMULA_STARTS) else words


def _width(value: object) -> int:
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in str(value)) + 2


def write_table(sheet: Any, frame: pd.DataFrame, styles: Mapping[str, Any], *, width: Callable[[str], int]) -> None:
    """A table on a sheet of a workbook: headings that stay in sight and filter, a column's width by its heading."""
    for at, column in enumerate(frame.columns):
        sheet.write_string(0, at, str(column), styles["head"])
        sheet.set_column(at, at, width(str(column)))
        for row, value in enumerate(frame[column].tolist(), start=1):
            if isinstance(value, (int, float)) and value == value:
                sheet.write_number(row, at, value, styles["text"])
            elif isinstance(value, str):
                sheet.write_string(row, at, safe(value), styles["text"])
    sheet.freeze_panes(1, 1)
    if len(frame):
        sheet.autofilter(0, 0, len(frame), max(len(frame.columns) - 1, 0))
