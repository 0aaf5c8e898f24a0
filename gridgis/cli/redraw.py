"""`gridgis redraw`: operations on the grids of a plan, its log, and its life up to publication."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front, Group, Option
from gridgis.cli.options import Crs, Day, Number, OneOf, Place, command, operating_system_user, option, workspace_option
from gridgis.cli.output import answer, table
from gridgis.text import number, t

if TYPE_CHECKING:
    from gridgis.redraw.operations import Operation
    from gridgis.redraw.refusal import Refused
    from gridgis.store import Workspace
    from gridgis.tasks.plan_state import PlanState
    from gridgis.tasks.redrawing import EditReport

_HERE = "gridgis.cli.redraw"
_LIFE = "gridgis.cli.plans"
redraw = Group(
    "redraw",
    prefix="redraw_",
    commands={
        **{name: f"{_HERE}:{name}" for name in ("split", "merge", "reshape", "assign", "create", "retire", "move")},
        **{name: f"{_HERE}:{name}" for name in ("undo", "redo", "lock", "unlock")},
        **{name: f"{_LIFE}:{name}" for name in ("history", "plans", "publish", "rebase", "approve", "revert", "discard", "diff")},
        **{name: f"{_LIFE}:{name}" for name in ("defects", "repair")},
        "balance": "gridgis.cli.balance:balance",
    },
    params=[Option(["--lang"], metavar="zh|en", expose_value=False, help="cli.opt_lang")],
    no_args_is_help=True,
)

plan_option = option("--plan", metavar="NAME")
grid_option = option("--grid", metavar="CODE", required=True)
line_option = option("--line", metavar="FILE", type=click.Path(), required=True)
exclaves_option = option("--exclaves", is_flag=True)
crs_option = option("--crs", type=Crs())


class Codes(click.ParamType[tuple[str, ...]]):
    """Codes with commas between them."""

    name = "CODE,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(code.strip() for code in str(value).split(",") if code.strip())


def edit_options(function: Callable[..., None]) -> Callable[..., None]:
    """`--plan`, `--reason`, `--who` and `--rev`: the number of the plan's log the author saw."""
    return reason_options(option("--rev", type=click.IntRange(min=0), metavar="N")(function))


def reason_options(function: Callable[..., None]) -> Callable[..., None]:
    """`--plan`, `--reason` and `--who`: what the plan's log says."""
    reason = option("--reason", "--why", "why", metavar="TEXT", default="", help="cli.opt_reason")
    return plan_option(reason(option("--who", metavar="NAME", default=operating_system_user)(function)))


@command("split", key="help_redraw_split")
@workspace_option
@grid_option
@line_option
@crs_option
@edit_options
def split(front: Front, *, workspace: str, grid: str, line: str, crs: str | None, **options: Any) -> None:
    """Cut a grid along a line."""
    from gridgis.redraw.operations import Split
    from gridgis.tasks.redraw_files import read_line

    _edit(front, workspace, lambda ws: Split(grid, read_line(ws, line, crs=crs)), **options)


@command("merge", key="help_redraw_merge")
@workspace_option
@option("--grids", type=Codes(), required=True)
@exclaves_option
@edit_options
def merge(front: Front, *, workspace: str, grids: tuple[str, ...], exclaves: bool, **options: Any) -> None:
    """Make grids one; the first keeps its code."""
    from gridgis.redraw.operations import Merge

    _edit(front, workspace, lambda _: Merge(grids, exclaves=exclaves), **options)


@command("reshape", key="help_redraw_reshape")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@line_option
@option("--grids", type=Codes(), help="cli.opt_reshape_grids")
@exclaves_option
@crs_option
@edit_options
def reshape(front: Front, *, workspace: str, line: str, exclaves: bool, crs: str | None, **options: Any) -> None:
    """Move borders onto a line that crosses them."""
    from gridgis.redraw.operations import Reshape
    from gridgis.tasks.redraw_files import read_line

    grids = options.pop("grids")
    _edit(front, workspace, lambda ws: Reshape(read_line(ws, line, crs=crs), grids, exclaves=exclaves), **options)


@command("assign", key="help_redraw_assign")
@workspace_option
@option("--to", metavar="CODE", required=True, help="cli.opt_assign_to")
@option("--polygon", metavar="FILE", type=click.Path())
@option("--cells", type=Codes())
@option("--from", "source", type=Codes(), help="cli.opt_source")
@exclaves_option
@crs_option
@edit_options
def assign(front: Front, *, workspace: str, to: str, exclaves: bool, **options: Any) -> None:
    """Give ground to a grid."""
    from gridgis.redraw.operations import Assign
    from gridgis.tasks.redraw_files import cell_polygons, read_polygons

    polygon, cells, crs, source = (options.pop(name) for name in ("polygon", "cells", "crs", "source"))
    if (polygon is None) == (cells is None):
        raise click.UsageError(t("cli.usage_polygon_or_cells", front.lang), click.get_current_context())

    def make(ws: Workspace) -> Operation:
        ground = cell_polygons(ws, cells) if polygon is None else read_polygons(ws, polygon, crs=crs)
        return Assign(ground, to, source=source, exclaves=exclaves)

    _edit(front, workspace, make, **options)


@command("create", key="help_redraw_create")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@option("--polygon", metavar="FILE", type=click.Path(), required=True)
@option("--code", metavar="CODE")
@option("--name", metavar="NAME", help="cli.opt_grid_name")
@option("--free-only", is_flag=True)
@exclaves_option
@crs_option
@edit_options
def create(front: Front, *, workspace: str, polygon: str, crs: str | None, **options: Any) -> None:
    """Cut a new grid out of the others, or of free ground."""
    from gridgis.redraw.operations import Create
    from gridgis.tasks.redraw_files import read_polygons

    wishes = {name: options.pop(name) for name in ("code", "name", "free_only", "exclaves")}
    _edit(front, workspace, lambda ws: Create(read_polygons(ws, polygon, crs=crs), **wishes), **options)


@command("retire", key="help_redraw_retire")
@workspace_option
@grid_option
@option("--to", "target", type=OneOf(("neighbours", "free")), default="neighbours", show_default=True, help="cli.opt_retire_to")
@exclaves_option
@edit_options
def retire(front: Front, *, workspace: str, grid: str, target: Any, exclaves: bool, **options: Any) -> None:
    """End a grid; its ground goes to a neighbour or stays free."""
    from gridgis.redraw.operations import Retire

    _edit(front, workspace, lambda _: Retire(grid, to=target, exclaves=exclaves), **options)


@command("move", key="help_redraw_move")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@option("--at", type=Place(), required=True, help="cli.opt_vertex_at")
@option("--to", "target", type=Place(), required=True, help="cli.opt_vertex_to")
@edit_options
def move(front: Front, *, workspace: str, at: tuple[float, float], target: tuple[float, float], **options: Any) -> None:
    """Move a vertex in every grid that shares it."""
    from gridgis.redraw.operations import MoveVertex

    _edit(front, workspace, lambda _: MoveVertex(at, target), **options)


@command("undo", key="help_redraw_undo")
@workspace_option
@edit_options
def undo(front: Front, *, workspace: str, **options: Any) -> None:
    """Take back the last edit."""
    from gridgis.tasks import redrawing

    _back(front, workspace, redrawing.undo, **options)


@command("redo", key="help_redraw_redo")
@workspace_option
@edit_options
def redo(front: Front, *, workspace: str, **options: Any) -> None:
    """Let the edit taken back last hold again."""
    from gridgis.tasks import redrawing

    _back(front, workspace, redrawing.redo, **options)


@command("lock", key="help_redraw_lock")
@workspace_option
@option("--grids", type=Codes(), required=True)
@edit_options
def lock(front: Front, *, workspace: str, grids: Sequence[str], **options: Any) -> None:
    """Declare grids finished."""
    from gridgis.tasks import redrawing

    _step(front, workspace, lambda ws, **told: redrawing.lock(ws, grids, **told), **options)


@command("unlock", key="help_redraw_unlock")
@workspace_option
@option("--grids", type=Codes(), required=True)
@edit_options
def unlock(front: Front, *, workspace: str, grids: Sequence[str], **options: Any) -> None:
    """Open finished grids again."""
    from gridgis.tasks import redrawing

    _step(front, workspace, lambda ws, **told: redrawing.lock(ws, grids, on=False, **told), **options)


def named(ws: Workspace, plan: str | None) -> str:
    """The plan meant: the one named, else the default draft."""
    from gridgis.tasks.plan_state import default_plan

    return plan or default_plan(ws)


def _edit(front: Front, workspace: str, make: Callable[[Workspace], Operation], *, plan: str | None, **options: Any) -> None:
    import gridgis
    from gridgis.redraw.refusal import Refused
    from gridgis.tasks import redrawing

    with gridgis.open_workspace(workspace) as ws:
        try:
            report = redrawing.edit(ws, make(ws), plan=named(ws, plan), begin=True, **options)
        except Refused as error:
            _tell_place(front, ws, error)
            raise
    for line in report.messages(front.lang):
        click.echo(line, err=True)
    answer(front, report.to_json(), lambda: [_changes(front, report), *_uncovered(front, report)])


def _back(front: Front, workspace: str, do: Callable[..., PlanState], *, plan: str | None, **options: Any) -> None:
    import gridgis
    from gridgis.tasks import plan_state, redrawing

    with gridgis.open_workspace(workspace) as ws:
        name = named(ws, plan)
        before = plan_state.load(ws, name)
        after = do(ws, plan=name, **options)
        report = redrawing.step_report(before, after, plan_state.gather(ws, str(after.entries[-1].area)))
    document = report.to_json() | {"done": list(after.done), "undone": list(after.undone)}
    said = {"plan": after.name, "rev": number(after.rev), "done": len(after.done), "undone": len(after.undone)}
    answer(
        front, document, lambda: [_changes(front, report), *_uncovered(front, report), t("cli.redraw_state", front.lang, **said)]
    )


def _step(front: Front, workspace: str, do: Callable[..., PlanState], *, plan: str | None, **options: Any) -> None:
    import gridgis

    with gridgis.open_workspace(workspace) as ws:
        state = do(ws, plan=named(ws, plan), **options)
    document: dict[str, Any] = {
        "plan": state.name, "rev": state.rev, "done": list(state.done), "undone": list(state.undone)
    }  # fmt: skip
    document["locked"] = sorted(state.locked)
    said = {"plan": state.name, "rev": number(state.rev), "done": len(state.done), "undone": len(state.undone)}
    locked = t("cli.redraw_locked", front.lang, grids=", ".join(document["locked"]) or "–")
    answer(front, document, lambda: [t("cli.redraw_state", front.lang, **said), locked])


def _tell_place(front: Front, ws: Workspace, error: Refused) -> None:
    """Where the rule would be broken, in the workspace's coordinates."""
    if error.bounds is None or error.rule == "unknown_grid":
        return
    west, south, east, north = error.bounds
    crs = ws.info.crs
    place = {"x": f"{(west + east) / 2:.3f}", "y": f"{(south + north) / 2:.3f}", "crs": "" if crs is None else crs.to_string()}
    click.echo(t("cli.redraw_place", front.lang, **place), err=True)


def _uncovered(front: Front, report: EditReport) -> list[str]:
    """What is said of ground no grid holds, where that changed."""
    held = report.to_json()["uncovered_m2"]
    before, after = (float(held[side] or 0.0) for side in ("before", "after"))
    if abs(after - before) < 1.0:
        return []
    return [t("cli.redraw_uncovered", front.lang, before=number(before), after=number(after))]


def _changes(front: Front, report: EditReport) -> Any:
    """Grids changed, before and after, as a table."""
    document = report.to_json()
    names = ("area_m2", "households", "population", "incidents")
    headings = [t(f"cli.redraw_{name}", front.lang) for name in ("code", "role", *names)]
    rows = []
    for grid in document["changed"]:
        cells = [f"{number(grid[name]['before'])} → {number(grid[name]['after'])}" for name in names]
        rows.append([grid["code"], t(f"cli.redraw_role_{grid['op']}", front.lang), *cells])
    title = t("cli.redraw_title", front.lang, plan=report.plan, rev=number(report.rev))
    return table(title, headings, rows, numbers=(2, 3, 4, 5))


def day_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--on DATE`: the day from which a plan's grids hold; tomorrow's report needs today's figures, so it is required."""
    return option("--on", type=Day(), required=True, help="cli.opt_publish_on")(function)


def width_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--gap-width-m`: below this mean width ground nobody holds is a crack."""
    return option("--gap-width-m", type=Number(above=True), default=1.0, show_default=True)(function)
