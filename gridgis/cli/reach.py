"""`gridgis reach` and `gridgis patrol`: who is within walking distance, and how long a daily round of each grid is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from gridgis.cli.base import Front
from gridgis.cli.options import Day, Number, OneOf, Whole, command, option, workspace_option
from gridgis.cli.output import answer, table, work
from gridgis.text import number, percent, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.tasks.reaching import PatrolReport, ReachReport, Sources

_SOURCES = ("stations", "officers")


@command("reach")
@workspace_option
@option("--area", metavar="CODE", help="cli.opt_reach_area")
@option("--minutes", type=Number(above=True), default=15.0, show_default=True)
@option("--from", "sources", type=OneOf(_SOURCES), default="stations", show_default=True, help="cli.opt_reach_from")
@option("--speed", "speed_kmh", type=Number(above=True), default=4.8, show_default=True, help="cli.opt_speed")
@option("--suppress-below", type=Whole(least=0), default=5, show_default=True)
@option("--as-of", type=Day())
@option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="cli.opt_reach_out")
def reach(front: Front, *, workspace: str, sources: str, as_of: dt.date | None, out: str | None, **options: Any) -> None:
    """How many buildings and residents stations or officers reach on foot."""
    import gridgis
    from gridgis.tasks import reach_files, reaching

    with gridgis.open_workspace(workspace) as ws, work(front) as progress:
        report = reaching.reach(ws, sources=cast("Sources", sources), on=as_of, progress=progress, **options)
        file = None if out is None else reach_files.write_reach(report, out, lang=front.lang)
    document = {**report.to_json(), "file": None if file is None else str(file)}
    answer(front, document, lambda: _reach_tables(front, report, document))


@command("patrol")
@workspace_option
@option("--area", metavar="CODE", help="cli.opt_reach_area")
@option("--speed", "speed_kmh", type=Number(above=True), default=4.8, show_default=True, help="cli.opt_speed")
@option("--border-m", type=Number(above=True), default=0.05, show_default=True)
@option("--as-of", type=Day())
@option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="cli.opt_patrol_out")
def patrol(front: Front, *, workspace: str, as_of: dt.date | None, out: str | None, **options: Any) -> None:
    """The shortest daily round over all streets of each grid."""
    import gridgis
    from gridgis.tasks import reach_files, reaching

    with gridgis.open_workspace(workspace) as ws, work(front) as progress:
        report = reaching.patrol(ws, on=as_of, progress=progress, **options)
        file = None if out is None else reach_files.write_patrol(report, out, lang=front.lang)
    document = {**report.to_json(), "file": None if file is None else str(file)}
    answer(front, document, lambda: _patrol_tables(front, report, document))


def _reach_tables(front: Front, report: ReachReport, document: dict[str, Any]) -> Sequence[Table | str]:
    """The communities with their shares, the whole as the last row, and what was noticed."""
    lang = front.lang
    names = ("code", "name", "buildings_within", "buildings_share", "residents_within", "residents_share")
    rows = [_share_row(row) for row in document["by_area"]]
    rows.append(_share_row({**document["total"], "code": None, "name": t("reach.sheet_total", lang)}))
    source = t(f"reach.what_{report.asked.sources}", lang)
    title = t("reach.title", lang, minutes=f"{report.asked.minutes:g}", what=source, date=document["as_of"])
    gaps, unused = document["gaps"], document["sources"]
    lines = [
        t(
            "reach.told_gaps",
            lang,
            n=gaps["buildings"],
            far=gaps["far"],
            no_way=gaps["no_way"],
            off=gaps["off"],
            grids=gaps["grids"],
        )
    ]
    lines += [t(f"reach.told_{key}", lang, n=len(codes), what=source) for key, codes in unused.items() if key != "used" and codes]
    if any(row["reason"] == "suppressed" for row in (*document["by_area"], document["total"])):
        lines.append(t("reach.told_suppressed", lang, least=report.asked.suppress_below))
    headings = [t(f"reach.column_{name}", lang) for name in names]
    return [table(title, headings, rows, numbers=(2, 3, 4, 5)), *lines, *_ends(front, document)]


def _share_row(row: dict[str, Any]) -> list[str | None]:
    within = "–" if row["residents"] is None else f"{number(row['residents_within'])}/{number(row['residents'])}"
    buildings = f"{number(row['buildings_within'])}/{number(row['buildings'])}"
    return [row["code"], row["name"], buildings, percent(row["buildings_share"]), within, percent(row["residents_share"])]


def _patrol_tables(front: Front, report: PatrolReport, document: dict[str, Any]) -> Sequence[Table | str]:
    """Every grid with its round, the longest first, and the sums."""
    lang = front.lang
    names = ("code", "name", "streets_m", "round_m", "repeated_m", "hours", "pieces", "gap")
    rows = [
        [row["code"], row["name"], *(number(row[name]) for name in names[2:5]), number(row["hours"], digits=2),
         str(row["pieces"]), percent(row["gap"])]
        for row in sorted(document["grids"], key=lambda row: -row["round_m"])
    ]  # fmt: skip
    total = document["total"]
    lines = [
        t("reach.told_rounds", lang, n=total["grids"], streets=number(total["streets_m"] / 1000, digits=1),
          km=number(total["round_m"] / 1000, digits=1), hours=number(total["hours"], digits=1)),
        t("reach.told_proved", lang, n=total["exact"]) if total["exact"] == total["grids"]
        else t("reach.told_open", lang, n=total["exact"], gap=percent(total["worst_gap"])),
    ]  # fmt: skip
    if total["without_streets"]:
        lines.append(t("reach.told_without", lang, n=total["without_streets"]))
    headings = [t(f"reach.column_{name}", lang) for name in names]
    title = t("reach.title_patrol", lang, date=document["as_of"], speed=f"{report.speed_kmh:g}")
    return [table(title, headings, rows, numbers=range(2, 8)), *lines, *_ends(front, document)]


def _ends(front: Front, document: dict[str, Any]) -> list[str]:
    lines = [t("reach.told_file", front.lang, file=document["file"])] if document["file"] else []
    return [*lines, *([t("general.synthetic", front.lang)] if document["synthetic"] else [])]
