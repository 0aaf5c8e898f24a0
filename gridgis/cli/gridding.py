"""`gridgis grid`: unit grids, of a workspace's villages or from a file of areas to a GeoPackage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import FileOrVerb, Front
from gridgis.cli.options import (
    OneOf,
    Whole,
    author_options,
    command,
    crs_options,
    option,
    output_option,
    workspace_option,
)
from gridgis.cli.output import answer, facts, table, work
from gridgis.text import percent, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.codes import CellCode

grid = FileOrVerb("grid", verbs={"build": "gridgis.cli.gridding:build"}, file="gridgis.cli.gridding:from_file")

cell_m_option = option("--cell-m", type=Whole(least=1, most=100_000), default=100, show_default=True)
cell_code_option = option("--cell-code", type=OneOf(("15", "long")), default="15", show_default=True)


@command("build", key="help_grid_build")
@workspace_option
@cell_m_option
@option("--method", type=OneOf(("square", "block")), default="square", show_default=True)
@cell_code_option
@author_options
def build(front: Front, *, workspace: str, cell_m: int, method: str, cell_code: CellCode, who: str, why: str) -> None:
    """The unit grid of every village and community of a workspace."""
    import gridgis
    from gridgis.tasks import blocking, gridding

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        if method == "block":
            along = blocking.build_block_grids(
                opened, target_m2=float(cell_m) ** 2, code=cell_code, who=who, why=why, progress=progress
            )
            document = along.to_json()
        else:
            report = gridding.build_unit_grids(opened, cell_m=cell_m, code=cell_code, who=who, why=why, progress=progress)
            document = report.to_json()
    parts = [facts(front, document)]
    if method == "block":
        parts.append(_rules(front, document))
    answer(front, document, lambda: parts)


def _rules(front: Front, document: Mapping[str, Any]) -> Table:
    """Rule by rule what is kept, of what, in percent."""
    headings = [t(f"cli.column_{name}", front.lang) for name in ("rule", "kept", "total", "percent")]
    rows = [
        [
            t(f"blocks.rule_{row['rule']}", front.lang),
            f"{row['kept']:,.0f}",
            f"{row['of']:,.0f}",
            percent(None if row["share"] != row["share"] else row["share"]),
        ]
        for row in document["rules"]
    ]
    return table("", headings, rows, numbers=(1, 2, 3))


@command(FileOrVerb.FILE, key="help_grid_file")
@click.argument("area_file", metavar="AREA_FILE")
@output_option
@cell_m_option
@cell_code_option
@option("--layer", metavar="NAME")
@crs_options
def from_file(front: Front, *, area_file: str, output: str, cell_code: CellCode, **options: Any) -> None:
    """The unit grid of a file of areas."""
    from gridgis.tasks import gridding

    with work(front) as progress:
        report = gridding.grid_file(area_file, output, code=cell_code, progress=progress, **options)
    document = report.to_json()
    answer(front, document, lambda: [facts(front, document)])
