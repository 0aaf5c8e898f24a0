"""`gridgis villages`: natural villages, in a workspace or from a file of buildings to a GeoPackage."""

from __future__ import annotations

from typing import Any

import click

from gridgis.cli.base import FileOrVerb, Front
from gridgis.cli.options import (
    Number,
    Whole,
    author_options,
    command,
    crs_options,
    option,
    output_option,
    workspace_option,
)
from gridgis.cli.output import answer, facts, work
from gridgis.text import t

villages = FileOrVerb("villages", verbs={"build": "gridgis.cli.settlements:build"}, file="gridgis.cli.settlements:from_file")

distance_option = option("--distance-m", type=Number(above=True), default=50.0, show_default=True)
fewest_option = option("--min-buildings", type=Whole(least=1), default=5, show_default=True)


@command("build", key="help_villages_build")
@workspace_option
@distance_option
@fewest_option
@option("--split-at-areas", is_flag=True)
@option("--landuse", metavar="FILE", type=click.Path())
@option("--raster", metavar="FILE", type=click.Path())
@option("--threshold", type=Number(), default=1.0, show_default=True)
@option("--min-area-m2", type=Number(), default=20_000.0, show_default=True)
@author_options
def build(front: Front, *, workspace: str, **options: Any) -> None:
    """The natural villages of a workspace's buildings, of residential land use or of a settlement raster."""
    import gridgis
    from gridgis.tasks import settlements

    if options["landuse"] is not None and options["raster"] is not None:
        raise click.UsageError(t("cli.usage_one_source", front.lang), click.get_current_context())
    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = settlements.build_natural_villages(opened, progress=progress, **options)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])


@command(FileOrVerb.FILE, key="help_villages_file")
@click.argument("buildings_file", metavar="BUILDINGS_FILE")
@output_option
@distance_option
@fewest_option
@option("--areas", metavar="FILE", type=click.Path())
@option("--places", metavar="FILE", type=click.Path())
@option("--layer", metavar="NAME")
@crs_options
def from_file(front: Front, *, buildings_file: str, output: str, **options: Any) -> None:
    """The natural villages of a file of buildings."""
    from gridgis.tasks import settlements

    with work(front) as progress:
        report = settlements.villages_file(buildings_file, output, progress=progress, **options)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])
