"""`gridgis init`, `demo` and `check`: a workspace begins, begins with the sample, and is examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gridgis.cli.base import Front
from gridgis.cli.options import Crs, command, option, workspace_option
from gridgis.cli.output import answer, table, work
from gridgis.text import number, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.store import Workspace
    from gridgis.tasks.checking import CheckReport


@command("init")
@workspace_option
@option("--name", default="")
@option("--crs", type=Crs(auto=True), default="auto", show_default=True, help="cli.opt_init_crs")
def init(front: Front, *, workspace: str, name: str, crs: str) -> None:
    """A new, empty workspace."""
    import gridgis

    with gridgis.create_workspace(workspace, name=name, crs=crs) as made:
        document = described(made)
    answer(front, document, lambda: [t("cli.made", front.lang, workspace=document["workspace"])])


@command("demo")
@workspace_option
def demo(front: Front, *, workspace: str) -> None:
    """A new workspace with the Miaoling sample."""
    from gridgis.layers import LAYERS
    from gridgis.tasks.demo import build_demo

    with work(front) as progress, build_demo(workspace, progress=progress) as made:
        counts = {name: made.count(name) for name in LAYERS}
        document = {**described(made), "layers": counts}

    def tables() -> Sequence[Table | str]:
        rows = [(name, number(count)) for name, count in counts.items() if count]
        headings = [t("cli.column_layer", front.lang), t("cli.column_rows", front.lang)]
        return [
            t("cli.made", front.lang, workspace=document["workspace"]),
            table("", headings, rows, numbers=[1]),
            t("general.synthetic", front.lang),
        ]

    answer(front, document, tables)


@command("check")
@workspace_option
def check(front: Front, *, workspace: str) -> None:
    """Every rule of the workspace; exit code 1 if one is broken."""
    import gridgis
    from gridgis.tasks import checking

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = checking.check(opened, progress=progress)
    answer(front, report.to_json(), lambda: check_tables(front, report))
    if not report.ok:
        click.get_current_context().exit(1)


def check_tables(front: Front, report: CheckReport) -> Sequence[Table | str]:
    """What is broken and what to do; or that nothing is, and what was looked at."""
    lang = front.lang
    looked = t("cli.check_looked", lang, rules=len(report.counts), rows=number(sum(report.rows.values())))
    if report.ok:
        return [t("cli.check_ok", lang), looked]
    headings = [t(f"cli.column_{name}", lang) for name in ("finding", "place", "remedy")]
    rows = [(found.message(lang), place_of(found.place), found.remedy(lang)) for found in report.findings]
    return [table(t("cli.check_broken", lang, count=sum(report.counts.values())), headings, rows), looked]


def place_of(place: tuple[float, float] | None) -> str | None:
    """Longitude and latitude, fit to be pasted into a map's search."""
    return None if place is None else f"{place[0]:.6f}, {place[1]:.6f}"


def described(workspace: Workspace) -> dict[str, object]:
    """A workspace in a few words, as JSON."""
    from gridgis.crs import crs_name

    info = workspace.info
    return {
        "workspace": info.url,
        "kind": info.kind,
        "name": info.name,
        "crs": crs_name(info.crs) if info.crs is not None else None,
        "synthetic": info.synthetic,
        "schema": info.schema,
        "revision": workspace.revision,
    }
