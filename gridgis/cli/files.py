"""`gridgis import` and `export`: files into layers and layers into files."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front
from gridgis.cli.options import Crs, Day, OneOf, Pair, Whole, author_options, command, option, workspace_option
from gridgis.cli.output import answer, facts, table, work
from gridgis.layers import LAYERS
from gridgis.text import LANGS, Lang, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.tasks.findings import Finding
    from gridgis.tasks.importing import ImportPlan


# findings shown in a table; all of them are in the JSON, the rejected rows in their report file
MOST_SHOWN = 20
# the word that stands for OpenStreetMap where a layer is named
OSM = "osm"


@command("import")
@click.argument("layer", metavar="LAYER", type=OneOf((*LAYERS, OSM)))
@click.argument("files", metavar="FILE…", nargs=-1)
@workspace_option
@option("--layer", "file_layer", metavar="NAME")
@option("--crs", type=Crs())
@option("--datum", type=OneOf(("wgs84", "cgcs2000", "gcj02", "bd09")), default="wgs84", show_default=True)
@option("--x", metavar="COLUMN")
@option("--y", metavar="COLUMN")
@option("--swap-xy", is_flag=True)
@option("--map", "pairs", type=Pair(), multiple=True)
@option("--save-mapping", is_flag=True)
@option("--time-zone", metavar="NAME", default="Asia/Shanghai", show_default=True)
@option("--encoding", metavar="NAME")
@option("--valid-from", type=Day())
@option("--on-error", type=OneOf(("abort", "skip")), default="abort", show_default=True)
@option("--report", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@option("--repair", is_flag=True)
@option("--dry-run", is_flag=True)
@option("--area", metavar="CODE")
@option("--timeout", metavar="SECONDS", type=Whole(least=1, most=3600), default=180, show_default=True)
@option("--refresh", is_flag=True)
@author_options
def import_(
    front: Front,
    *,
    layer: str,
    files: tuple[str, ...],
    workspace: str,
    file_layer: str | None,
    pairs: tuple[tuple[str, str], ...],
    dry_run: bool,
    area: str | None,
    timeout: int,
    refresh: bool,
    who: str,
    why: str,
    **options: Any,
) -> None:
    """Files into a layer, or an area from OpenStreetMap; exit code 1 if a dry run finds what would keep it out."""
    import gridgis
    from gridgis.tasks import importing

    context = click.get_current_context()
    if layer == OSM:
        if area is None or files or dry_run:
            raise click.UsageError(t("cli.usage_osm", front.lang), context)
        _import_osm(front, workspace, area=area, timeout_s=float(timeout), refresh=refresh, who=who, why=why)
        return
    if area is not None or refresh:
        raise click.UsageError(t("cli.usage_osm_only", front.lang), context)
    if not files:
        raise click.UsageError(t("cli.usage_missing", front.lang, name="FILE"), context)

    wish = importing.ImportOptions(layer=file_layer, map=dict(pairs), **options)
    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        plan = importing.plan_import(opened, layer, files, options=wish, progress=progress)
        if dry_run:
            document = {"dry_run": True, **plan.to_json()}
        else:
            report = importing.run_import(opened, plan, who=who, why=why, progress=progress)
            plan = report.plan
            document = {"dry_run": False, **report.to_json()}
    answer(front, document, lambda: import_tables(front, plan, document))
    if dry_run and not plan.ok:
        click.get_current_context().exit(1)


def _import_osm(front: Front, workspace: str, **options: Any) -> None:
    import gridgis
    from gridgis.tasks import osm_importing

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = osm_importing.import_osm(opened, url=os.environ.get("GRIDGIS_OVERPASS"), progress=progress, **options)
    document = report.to_json()
    headings = [t(f"cli.{key}", front.lang) for key in ("fact_layer", "fact_inserted", "fact_updated", "fact_unchanged")]
    rows = [(layer, row["inserted"], row["updated"], row["unchanged"]) for layer, row in document["layers"].items()]
    answer(front, document, lambda: [table("", headings, rows, numbers=(1, 2, 3)), t("cli.osm_source", front.lang)])


def import_tables(front: Front, plan: ImportPlan, document: Mapping[str, Any]) -> Sequence[Table | str]:
    """What was read and written, which column fills which, and what was found."""
    lang = front.lang
    names = ("layer", "rows", "ready", "inserted", "updated", "unchanged", "rejected", "report_file", "crs", "unmapped")
    parts: list[Table | str] = [facts(front, {name: document[name] for name in names if name in document})]
    headings = [t("cli.column_field", lang), t("cli.column_column", lang)]
    parts.append(table("", headings, list(plan.mapping.items())))
    if plan.findings:
        alike = Counter(_kind(finding) for finding in plan.findings)
        firsts = list({_kind(finding): finding for finding in reversed(plan.findings)}.values())[::-1]
        rows = [(_with_alike(finding, alike[_kind(finding)], lang), finding.remedy(lang)) for finding in firsts[:MOST_SHOWN]]
        parts.append(table("", [t("cli.column_finding", lang), t("cli.column_remedy", lang)], rows))
        hidden = sum(plan.counts.values()) - sum(alike[_kind(finding)] for finding in firsts[:MOST_SHOWN])
        if hidden:
            parts.append(t("cli.more_findings", lang, count=hidden))
    parts += [note.message(lang) for note in plan.notes]
    if document["dry_run"]:
        parts.append(t("cli.dry_run", lang))
    return parts


def _kind(finding: Finding) -> tuple[str, ...]:
    """What makes two findings the same but for their row: a file of 300 villages names one missing parent 300 times."""
    return finding.rule, finding.file, finding.column, finding.value, str(sorted(finding.extra.items()))


def _with_alike(finding: Finding, count: int, lang: Lang) -> str:
    message = finding.message(lang)
    return message if count == 1 else f"{message} {t('cli.alike', lang, count=count - 1)}"


@command("export")
@click.argument("layer", metavar="LAYER", type=OneOf(tuple(LAYERS)))
@click.argument("file", metavar="FILE")
@workspace_option
@option("--as-of", type=Day(), help="cli.opt_export_as_of")
@option("--headings", type=OneOf(LANGS), default="en", help="cli.opt_headings")
def export(front: Front, *, layer: str, file: str, workspace: str, as_of: dt.date | None, headings: Lang) -> None:
    """A layer into a file."""
    import gridgis
    from gridgis.tasks import exporting

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = exporting.export_layer(opened, layer, file, as_of=as_of, headings=headings, progress=progress)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])
