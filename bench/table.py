"""The rows of a benchmark, checked and set as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

# key of a row -> heading; `work`, `us_s` and `ok` are always there, the others where they mean something
COLUMNS: Final[Mapping[str, str]] = {
    "work": "work",
    "size": "size",
    "us_s": "gridgis s",
    "peer": "beside",
    "peer_s": "its s",
    "ratio": "times as fast",
    "memory_mb": "peak MB",
    "bar": "bar",
    "ok": "ok",
}
NUMBERS: Final = frozenset({"size", "us_s", "peer_s", "ratio", "memory_mb"})

Row = Mapping[str, object]


def checked(rows: Sequence[Row], module: str) -> list[dict[str, object]]:
    """Rows as they came, or `ValueError` naming what a row lacks or has too much."""
    for row in rows:
        missing, unknown = {"work", "us_s", "ok"} - row.keys(), row.keys() - COLUMNS.keys() - {"note", "module"}
        if missing or unknown:
            raise ValueError(f"bench.{module}: a row lacks {sorted(missing)} or has unknown {sorted(unknown)}: {dict(row)}")
    return [{"module": module, **row} for row in rows]


def table(rows: Sequence[Row]) -> Table:
    """The rows as a table, a section for each module."""
    made = Table(
        box=box.SIMPLE_HEAD, title="gridgis beside others: results compared first, best run of each", title_justify="left"
    )
    for key, heading in COLUMNS.items():
        made.add_column(heading, justify="right" if key in NUMBERS else "left", overflow="fold")
    last = None
    for row in rows:
        if last is not None and row["module"] != last:
            made.add_section()
        last = row["module"]
        made.add_row(*(_cell(key, row.get(key)) for key in COLUMNS))
    return made


def growth(rows: Sequence[Row]) -> Table | None:
    """How time grows with size: the exponent between the smallest and the largest run of the same work (1 = linear)."""
    import math

    made = Table(box=box.SIMPLE_HEAD, title="growth with size: time ∝ size^exponent", title_justify="left")
    for heading in ("work", "from", "to", "exponent"):
        made.add_column(heading, justify="left" if heading == "work" else "right")
    for work, runs in _grown(rows).items():
        (small, fast), (large, slow) = runs[0], runs[-1]
        made.add_row(work, f"{small:,.0f}", f"{large:,.0f}", f"{math.log(slow / fast) / math.log(large / small):.2f}")
    return made if made.row_count else None


def plot(rows: Sequence[Row]) -> Table | None:
    """Time against size as bars, both by powers of ten: work that grows linearly has bars that end on one slanting line."""
    import math

    grown = _grown(rows)
    if not grown:
        return None
    fastest = math.log10(min(seconds for runs in grown.values() for _, seconds in runs))
    made = Table(box=box.SIMPLE_HEAD, title="time against size: ten times the time is a bar longer by 8", title_justify="left")
    for heading in ("work", "size", "gridgis s", "time"):
        made.add_column(heading, justify="left" if heading in {"work", "time"} else "right")
    for work, runs in grown.items():
        for at, (size, seconds) in enumerate(runs):
            bar = "█" * (1 + round(8 * (math.log10(seconds) - fastest)))
            made.add_row(work if at == 0 else "", f"{size:,.0f}", f"{seconds:,.3f}", bar)
    return made


def _grown(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Work that was run at several sizes -> (size, seconds), smallest first."""
    found = {}
    for work in dict.fromkeys(str(row["work"]) for row in rows):
        runs = sorted(
            (float(str(row["size"])), float(str(row["us_s"])))
            for row in rows
            if row["work"] == work and row.get("size") and row.get("us_s")
        )
        if len(runs) > 1 and runs[0][0] < runs[-1][0]:
            found[work] = runs
    return found


def _cell(key: str, value: object) -> Text:
    if key == "ok":
        return Text("–") if value is None else Text("yes" if value else "NO", style="green" if value else "bold red")
    if value is None:
        return Text("–")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        digits = {"us_s": 3, "peer_s": 3, "ratio": 1}.get(key, 0)
        return Text(f"{value:,.{digits}f}")
    return Text(str(value))
