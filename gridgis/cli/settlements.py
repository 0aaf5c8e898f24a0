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

villages = FileOrVerb("villages", verbs={"build": "gridgis.cli.settlements:build"}, file="gridgis.cli.settlements:from_file")

distance_option = option("--distance-m", type=Number(above=True), default=50.0, show_default=True)
fewest_option = option("--min-buildings", type=Whole(least=1), default=5, show_default=True)


@command("build", key="help_villages_build")
@workspace_option
@distance_option
@fewest_option
@author_options
def build(front: Front, *, workspace: str, distance_m: float, min_buildings: int, who: str, why: str) -> None:
    """The natural villages of a workspace's buildings."""
    import gridgis
    from gridgis.tasks import settlements

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        report = settlements.build_natural_villages(
            opened, distance_m=distance_m, min_buildings=min_buildings, who=who, why=why, progress=progress
        )
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])


@command(FileOrVerb.FILE, key="help_villages_file")
@click.argument("buildings_file", metavar="BUILDINGS_FILE")
@output_option
@distance_option
@fewest_option
@crs_options
def from_file(front: Front, *, buildings_file: str, output: str, **options: Any) -> None:
    """The natural villages of a file of buildings."""
    from gridgis.tasks import settlements

    with work(front) as progress:
        report = settlements.villages_file(buildings_file, output, progress=progress, **options)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])
