"""Where answers go: one JSON document or tables on stdout; messages and progress on stderr."""

from __future__ import annotations

import datetime as dt
import json
import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front
from gridgis.errors import Cancelled
from gridgis.progress import Progress
from gridgis.text import catalogue, number, t

if TYPE_CHECKING:
    from rich.table import Table

Cell = str | int | None


def answer(front: Front, document: Mapping[str, Any], tables: Callable[[], Sequence[Table | str]]) -> None:
    """Print the answer: with `--json` the document, else the tables and lines, which are made only then."""
    if front.json:
        text = json.dumps(plain(document), ensure_ascii=False, indent=2, allow_nan=False)
        # JSON is UTF-8 whatever the terminal speaks
        click.echo(text.encode())
        return
    from rich.console import Console

    # a pipe has no width: a table is then as wide as what it holds
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 400, highlight=False, emoji=False, markup=False)
    for part in tables():
        console.print(part)


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, numbers: Sequence[int] = ()) -> Table:
    """A table; the columns named by position in `numbers` are set flush right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title, style="bold") if title else None, title_justify="left", box=box.SIMPLE_HEAD)
    for position, heading in enumerate(headings):
        made.add_column(Text(heading), justify="right" if position in numbers else "left")
    for row in rows:
        # Text, not str: names from files are shown as they are, brackets are no markup
        made.add_row(*(Text("–" if cell is None else str(cell)) for cell in row))
    return made


def facts(front: Front, document: Mapping[str, Any]) -> Table:
    """A document as lines of name and value, for answers that are a handful of numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE, show_header=False)
    for name, value in flattened(plain(document)):
        # details without a name for people are left to --json
        if (key := f"cli.fact_{name}") in catalogue(front.lang):
            made.add_row(Text(t(key, front.lang)), Text(shown(front, value)))
    return made


def flattened(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a document, inner names joined by an underscore; lists of documents are left to `--json`.

    >>> list(flattened({"cells": 12, "area_m2": {"min": 5000, "max": 15000}, "rows": [{"a": 1}]}))
    [('cells', 12), ('area_m2_min', 5000), ('area_m2_max', 15000)]
    """
    for key, value in document.items():
        name = f"{path}_{key}" if path else key
        if isinstance(value, Mapping):
            yield from flattened(value, name)
        elif not (isinstance(value, list) and value and isinstance(value[0], (Mapping, list))):
            yield name, value


def shown(front: Front, value: Any) -> str:
    """A value of a document as people read it."""
    if value is None or value == []:
        return "–"
    if isinstance(value, bool):
        return t("general.yes" if value else "general.no", front.lang)
    if isinstance(value, list):
        return ", ".join(shown(front, inner) for inner in value)
    if isinstance(value, (int, float)):
        return number(value, digits=0 if isinstance(value, int) or abs(value) >= 1000 else 3)
    return str(value)


def note(front: Front, key: str, **values: object) -> None:
    """A message for a person, on stderr."""
    click.echo(t(key, front.lang, **values), err=True)


def plain(value: Any) -> Any:
    """A value as JSON has it: dates in ISO form, numpy scalars as Python's, what is no number as null.

    >>> plain({"on": dt.date(2012, 12, 31), "share": float("nan"), "rows": (1, 2)})
    {'on': '2012-12-31', 'share': None, 'rows': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, dt.date):  # and datetimes
        return value.isoformat()
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def work(front: Front) -> Iterator[Progress]:
    """A listener for long work: a bar where stderr is a terminal, and a Ctrl-C that stops at a safe place.

    The first Ctrl-C makes the listener raise `Cancelled` at the work's next step, so that what is being written is rolled
    back; the second one breaks off at once.
    """
    stopping = _StopOnSignal(front)
    if not sys.stderr.isatty():
        with stopping:
            yield stopping.listener(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stopping, Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def draw(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(t(stage, front.lang), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield stopping.listener(draw)


class _StopOnSignal:
    """Takes Ctrl-C while it is entered: once as a wish, twice as an order."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.wished = False
        self.before: Any = None

    def __enter__(self) -> None:
        try:
            self.before = signal.signal(signal.SIGINT, self.take)
        except ValueError:  # not the main thread: whoever runs us there decides about signals
            self.before = None

    def __exit__(self, *_error: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def take(self, _signal: int, _frame: FrameType | None) -> None:
        if self.wished:
            raise KeyboardInterrupt
        self.wished = True
        note(self.front, "cli.stopping")

    def listener(self, draw: Progress | None) -> Progress:
        def listen(stage: str, done: int, total: int) -> None:
            if self.wished:
                raise Cancelled
            if draw is not None:
                draw(stage, done, total)

        return listen
