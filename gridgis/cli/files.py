"""`gridgis import` and `export`: files into layers and layers into files."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from gridgis.cli.base import Front
from gridgis.cli.options import Crs, Day, OneOf, Pair, author_options, command, option, workspace_option
from gridgis.cli.output import answer, facts, work
from gridgis.layers import LAYERS


@command("import")
@click.argument("layer", metavar="LAYER", type=OneOf(tuple(LAYERS)))
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@workspace_option
@option("--layer", "file_layer", metavar="NAME")
@option("--crs", type=Crs())
@option("--datum", type=OneOf(("wgs84", "cgcs2000", "gcj02", "bd09")))
@option("--x", metavar="COLUMN")
@option("--y", metavar="COLUMN")
@option("--map", "mapping", type=Pair(), multiple=True)
@option("--time-zone", metavar="NAME", default="Asia/Shanghai", show_default=True)
@option("--on-error", type=OneOf(("abort", "skip")), default="abort", show_default=True)
@option("--repair", is_flag=True)
@option("--dry-run", is_flag=True)
@author_options
def import_(front: Front, *, layer: str, files: tuple[str, ...], workspace: str, **options: Any) -> None:
    """Files into a layer."""


@command("export")
@click.argument("layer", metavar="LAYER", type=OneOf(tuple(LAYERS)))
@click.argument("file", metavar="FILE")
@workspace_option
@option("--as-of", type=Day(), help="cli.opt_export_as_of")
def export(front: Front, *, layer: str, file: str, workspace: str, as_of: dt.date | None) -> None:
    """A layer into a file."""
    import gridgis
    from gridgis.tasks import exporting

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = exporting.export_layer(opened, layer, file, as_of=as_of, progress=progress)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])
