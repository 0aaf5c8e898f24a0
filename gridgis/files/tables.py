"""CSV and Excel as they come: GBK or UTF-8, title rows above the header, merged cells, dates and numbers as typed."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException

from gridgis.errors import DataError
from gridgis.files.limits import DEFAULT, Limits, check_archive
from gridgis.files.raw import Note, Raw
from gridgis.layers import LAYERS
from gridgis.progress import Progress, silent

_DELIMITERS: Final = (",", "\t", ";", "|")
_CHUNK_ROWS: Final = 200_000
_HEADER_ROWS: Final = 25
# Takes what stands beyond the last heading, so that a row too long is seen and not cut.
_EXTRA: Final = "\x00extra"
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Merged cells are known only when the whole sheet is in memory; beyond this size it is streamed instead.
_WHOLE_SHEET_BYTES: Final = 30 << 20


def fold(heading: object) -> str:
    """A heading without case, full-width forms, blanks, underscores, hyphens and units in brackets.

    >>> fold("Area_Code"), fold("户 数（户）"), fold("ＬＮＧ")
    ('areacode', '户数', 'lng')
    """
    text = unicodedata.normalize("NFKC", str(heading)).casefold()
    text = re.sub(r"(?<=\S)\([^()]*\)\s*$", "", text.strip())
    return re.sub(r"[\s_\-*:：]+", "", text)


PLACE_HEADINGS: Final = ("经度", "纬度", "lon", "lat", "lng", "longitude", "latitude", "x", "y", "wkt", "geometry")
_KNOWN: Final = frozenset(
    fold(name) for layer in LAYERS.values() for column in layer.columns for name in (column.name, *column.also)
) | frozenset(fold(name) for name in PLACE_HEADINGS)


def read_csv(path: Path, *, encoding: str | None = None, progress: Progress = silent) -> Raw:
    """The rows of a delimited text file, every value as text; blank fields are null, blank rows left out.

    The encoding is `encoding`, else that of the byte-order mark, else UTF-8 if the whole file is, else GB18030 (which
    contains GBK and GB 2312). The delimiter is the one of comma, tab, semicolon and bar that the header has most of.

    Raises
    ------
    DataError
        If the bytes are text in neither encoding, a row has more fields than the header, or a quote is never closed.
    """
    found = encoding or _encoding(path)
    try:
        with path.open(encoding=found, newline="") as file:
            head = file.read(1 << 16)
    except (UnicodeError, LookupError) as error:
        raise DataError("files.encoding", file=path.name, encoding=found) from error
    if "\x00" in head:
        raise DataError("files.unreadable", file=path.name)
    delimiter = _delimiter(head)
    skip, header = _csv_header(head, delimiter)
    names = _unique_names(header)
    if not names:
        raise DataError("files.no_rows", file=path.name)
    frame = _csv_rows(path, found, delimiter, skip, names, progress)
    frame.index = pd.RangeIndex(skip + 2, skip + 2 + len(frame), name="row")
    frame = frame[frame.notna().any(axis=1)]
    _check_last_row(path, found, delimiter, len(names), skip + 1 + len(frame))
    if frame.empty:
        raise DataError("files.no_rows", file=path.name)
    notes = [] if found in {"utf-8", "utf-8-sig"} else [Note("files.note_encoding", {"file": path.name, "encoding": found})]
    if skip:
        notes.append(Note("files.note_header", {"file": path.name, "row": skip + 1}))
    return Raw(frame, None, path.name, None, "row", tuple(notes), escaped=True)


def read_excel(path: Path, *, layer: str | None = None, limits: Limits = DEFAULT) -> Raw:
    """The rows of one sheet of an .xlsx workbook: numbers, dates and texts as Excel holds them; formulas by last result.

    The header is, of the first 25 rows, the one with the most known headings, else the first with two filled cells.
    A value in a merged cell counts for each of its rows. Without `layer` the sheet is the only visible one with
    rows, else the one whose header is best known; a tie is a `DataError` that names the sheets.
    """
    check_archive(path, limits=limits)
    stream = path.stat().st_size > _WHOLE_SHEET_BYTES
    try:
        book = openpyxl.load_workbook(path, read_only=stream, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise DataError("files.broken_workbook", file=path.name) from error
    try:
        names = [sheet.title for sheet in book.worksheets]
        if layer is not None and layer not in names:
            raise DataError("files.no_such_layer", file=path.name, layer=layer, layers=", ".join(names))
        wanted = [s for s in book.worksheets if (s.title == layer if layer else s.sheet_state == "visible")]
        sheets = {sheet.title: _sheet_rows(sheet, merged=not stream) for sheet in wanted}
    finally:
        book.close()
    scored = {name: (_header_at(rows), rows) for name, rows in sheets.items() if sum(map(_filled, rows)) > 1}
    if not scored:
        raise DataError("files.no_rows", file=path.name)
    best = max(score for (_, score), _ in scored.values())
    good = [name for name, ((_, score), _) in scored.items() if score == best]
    if len(good) > 1:
        raise DataError("files.which_layer", file=path.name, layers=", ".join(good))
    (at, _), rows = scored[good[0]]
    notes = [Note("files.note_header", {"file": path.name, "row": at + 1})] if at else []
    if len(scored) > 1:
        notes.append(Note("files.note_layer", {"file": path.name, "layer": good[0], "layers": ", ".join(names)}))
    frame = _sheet_frame(rows, at)
    if frame.empty:
        raise DataError("files.no_rows", file=path.name)
    if not stream:
        _check_formulas(path, good[0], rows)
    return Raw(frame, None, path.name, good[0] if len(names) > 1 else None, "row", tuple(notes), escaped=True)


def _check_formulas(path: Path, sheet: str, rows: Sequence[Sequence[Any]]) -> None:
    # a program that only writes workbooks leaves formulas without results; they would be read as empty cells
    book = openpyxl.load_workbook(path, read_only=True, data_only=False)
    try:
        for number, (cells, values) in enumerate(zip(book[sheet].iter_rows(), rows, strict=False), start=1):
            for cell, value in zip(cells, values, strict=False):
                if value is None and cell.data_type == "f":
                    raise DataError("files.formula", file=path.name, row=number, formula=str(cell.value)[:40])
    finally:
        book.close()


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
        for mark, name in _BOMS:
            if start.startswith(mark):
                return name
        decoders = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
        chunk: bytes = start
        while decoders:
            following = file.read(1 << 20)
            for name, decoder in list(decoders.items()):
                try:
                    decoder.decode(chunk, final=not following)
                except UnicodeDecodeError:
                    del decoders[name]
            if not following:
                break
            chunk = following
    if not decoders:
        raise DataError("files.encoding", file=path.name, encoding="UTF-8, GB18030")
    return next(iter(decoders))


def _delimiter(head: str) -> str:
    lines = [line for line in head.splitlines()[:_HEADER_ROWS] if line.strip()]
    counts = {mark: max((re.sub(r'"[^"]*"', "", line).count(mark) for line in lines), default=0) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: counts[mark])


def _csv_header(head: str, delimiter: str) -> tuple[int, list[str]]:
    rows: list[list[Any]] = []
    for row in csv.reader(io.StringIO(head), delimiter=delimiter):
        rows.append([value.strip() or None for value in row])
        if len(rows) >= _HEADER_ROWS:
            break
    if not any(map(_filled, rows)):
        return 0, []
    at, _ = _header_at(rows)
    return at, [str(value or "") for value in rows[at]]


def _csv_rows(
    path: Path, encoding: str, delimiter: str, skip: int, names: Sequence[str], progress: Progress
) -> pd.DataFrame:  # fmt: skip
    parts: list[pd.DataFrame] = []
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            reader = pd.read_csv(
                file, encoding=encoding, sep=delimiter, dtype=str, header=None, names=[*names, _EXTRA], skiprows=skip + 1,
                index_col=False, keep_default_na=False, na_values=[""], skip_blank_lines=False, chunksize=_CHUNK_ROWS,
                on_bad_lines="error", skipinitialspace=True,
            )  # fmt: skip
            with reader:
                for part in reader:
                    extra = part.pop(_EXTRA).notna()
                    if extra.any():
                        row = int(part.index[int(np.argmax(extra))]) + skip + 2
                        raise DataError("files.fields", file=path.name, row=row, wanted=len(names))
                    parts.append(part)
                    progress("files.stage_read", min(file.tell(), size), size)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=list(names))
    except pd.errors.ParserError as error:
        raise _parser_error(path, str(error)) from error
    except UnicodeError as error:
        raise DataError("files.encoding", file=path.name, encoding=encoding) from error
    return pd.concat(parts, ignore_index=True) if len(parts) != 1 else parts[0]


def _parser_error(path: Path, text: str) -> DataError:
    found = re.search(r"Expected (\d+) fields in line (\d+)", text)
    if found:
        return DataError("files.fields", file=path.name, row=found[2], wanted=int(found[1]) - 1)
    return DataError("files.quote", file=path.name)


def _check_last_row(path: Path, encoding: str, delimiter: str, width: int, row: int) -> None:
    # A file cut off in transit ends inside its last row: no line end and fewer fields than the header.
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16), 0))
        tail = file.read().decode("utf-8" if encoding == "utf-8-sig" else encoding, errors="replace")
    last = tail.rsplit("\n", 1)[-1]
    if not last.strip() or '"' in last:
        return
    fields = last.count(delimiter) + 1
    if 1 < fields < width - 1 or (fields < width and width <= 2):
        raise DataError("files.truncated_row", file=path.name, row=row, seen=fields, wanted=width)


def _sheet_rows(sheet: Any, *, merged: bool) -> list[list[Any]]:
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    if merged:
        for block in sheet.merged_cells.ranges:
            value = sheet.cell(block.min_row, block.min_col).value
            for row in range(block.min_row, min(block.max_row, len(rows))):
                rows[row][block.min_col - 1] = value
    return [[value.strip() or None if isinstance(value, str) else value for value in row] for row in rows]


def _header_at(rows: Sequence[Sequence[Any]]) -> tuple[int, int]:
    best, best_score = None, 0
    for at, row in enumerate(rows[:_HEADER_ROWS]):
        score = len({fold(value) for value in row if isinstance(value, str)} & _KNOWN)
        if score > best_score:
            best, best_score = at, score
    if best is None or best_score < 2:
        wide = [at for at, row in enumerate(rows[:_HEADER_ROWS]) if sum(value is not None for value in row) > 1]
        first = next((at for at, row in enumerate(rows) if any(value is not None for value in row)), 0)
        best = best if best is not None and (not wide or best <= wide[0]) else (wide[0] if wide else first)
    return best, best_score


def _sheet_frame(rows: Sequence[Sequence[Any]], at: int) -> pd.DataFrame:
    header = rows[at]
    kept = [i for i, value in enumerate(header) if value is not None or any(row[i] is not None for row in rows[at + 1 :])]
    names = _unique_names(["" if header[i] is None else str(header[i]) for i in kept])
    body = [[row[i] for i in kept] for row in rows[at + 1 :]]
    frame = pd.DataFrame(body, columns=names, index=pd.RangeIndex(at + 2, at + 2 + len(body), name="row"), dtype=object)
    return frame[frame.notna().any(axis=1)]


def _unique_names(header: Sequence[str]) -> list[str]:
    names: list[str] = []
    for place, heading in enumerate(header, start=1):
        name = " ".join(heading.split()) or f"column_{place}"
        while name in names:
            name += "_2"
        names.append(name)
    return names


def _filled(row: Sequence[Any]) -> bool:
    return any(value is not None for value in row)
