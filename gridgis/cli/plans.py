"""The life of plans on the command line: their list and log, publication, approval, rebasing, repair of dirty boundaries."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front
from gridgis.cli.options import OneOf, command, option, workspace_option
from gridgis.cli.output import answer, note, plain, table
from gridgis.cli.redraw import day_option, named, plan_option, reason_options, width_option
from gridgis.text import catalogue, number, percent, t

if TYPE_CHECKING:
    from gridgis.store import PlanRow
    from gridgis.tasks.plan_state import PlanState

_SHARES = (("area", "cli.measure_area"), ("population", "cli.measure_population"))


@command("history", key="help_redraw_history")
@workspace_option
@plan_option
def history(front: Front, *, workspace: str, plan: str | None) -> None:
    """The log of a plan."""
    import gridgis
    from gridgis.tasks import redrawing

    with gridgis.open_workspace(workspace) as ws:
        name = named(ws, plan)
        log = redrawing.history(ws, plan=name)
    rows: list[dict[str, Any]] = [
        {str(key): None if value != value else value for key, value in row.items()} for row in log.to_dict("records")
    ]
    words = ("seq", "kind", "at", "who", "why", "grids", "holds")

    def lines() -> list[Any]:
        cells = [
            [row["seq"], _step_said(front, row), f"{row['at']:%Y-%m-%d %H:%M:%S}", row["who"], row["why"],
             ", ".join(row["grids"][:4]) + (" …" if len(row["grids"]) > 4 else ""),
             None if row["holds"] is None else t("general.yes" if row["holds"] else "general.no", front.lang)]
            for row in rows
        ]  # fmt: skip
        return [table(name, [t(f"cli.log_{word}", front.lang) for word in words], cells, numbers=(0,))]

    answer(front, {"plan": name, "entries": rows}, lines)


def _step_said(front: Front, row: dict[str, Any]) -> str:
    """What a step of a plan did, in words."""
    kind, do = row["kind"], row["do"]
    key = f"redrawpage.op_{do}" if kind == "edit" else f"redrawpage.kind_{kind}"
    target = row["target"]
    return t(key, front.lang, target="" if target is None else int(target)) if key in catalogue(front.lang) else str(do or kind)


@command("plans", key="help_redraw_plans")
@workspace_option
def plans(front: Front, *, workspace: str) -> None:
    """The plans of a workspace."""
    import gridgis

    with gridgis.open_workspace(workspace) as ws:
        found = ws.plans()
    names = ("name", "state", "rev", "created_at", "created_by", "published_on", "note")
    rows = [{name: getattr(row, name) for name in names} for row in found]

    def lines() -> list[Any]:
        cells = [
            [row.name, t(f"cli.plan_{row.state}", front.lang), row.rev, f"{row.created_at:%Y-%m-%d %H:%M}", row.created_by,
             row.published_on.isoformat() if row.published_on else None, row.note]
            for row in found
        ]  # fmt: skip
        return [table("", [t(f"cli.plan_{name}", front.lang) for name in names], cells, numbers=(2,))]

    answer(front, {"plans": rows}, lines)


@command("publish", key="help_redraw_publish")
@workspace_option
@day_option
@reason_options
def publish(front: Front, *, workspace: str, on: dt.date, plan: str | None, who: str, why: str) -> None:
    """Make a plan's grids the live ones."""
    import gridgis
    from gridgis.tasks import plans as life

    with gridgis.open_workspace(workspace) as ws:
        report = life.publish(ws, named(ws, plan), on=on, who=who, why=why)
    counts = {name: len(getattr(report, name)) for name in ("changed", "created", "retired")}
    said = t("cli.redraw_published", front.lang, plan=report.plan, on=on.isoformat(), **counts)
    answer(front, report.to_json(), lambda: [said])


@command("rebase", key="help_redraw_rebase")
@workspace_option
@reason_options
def rebase(front: Front, *, workspace: str, **options: Any) -> None:
    """Put a plan on the grids as they are now."""
    import gridgis
    from gridgis.tasks import plans as life

    with gridgis.open_workspace(workspace) as ws:
        name = named(ws, options.pop("plan"))
        before = ws.plan(name).rev
        state = life.rebase(ws, name, **options)
    codes = life.renumbered(state, since=before)
    document = {"plan": state.name, "rev": state.rev, "moved": state.rev > before, "renumbered": codes}

    def lines() -> list[str]:
        key = "cli.redraw_rebased" if state.rev > before else "cli.redraw_not_rebased"
        told = [t("cli.redraw_renumbered", front.lang, old=old, new=new) for old, new in codes.items()]
        return [t(key, front.lang, plan=state.name, rev=number(state.rev)), *told]

    answer(front, document, lines)


@command("approve", key="help_redraw_approve")
@workspace_option
@reason_options
def approve(front: Front, *, workspace: str, **options: Any) -> None:
    """Agree to a plan as it is."""
    from gridgis.tasks import plans as life

    _step(front, workspace, life.approve, **options)


@command("revert", key="help_redraw_revert")
@workspace_option
@option("--into", metavar="NAME", required=True)
@reason_options
def revert(front: Front, *, workspace: str, into: str, plan: str | None, **options: Any) -> None:
    """A new plan that takes a published one back."""
    from gridgis.tasks import plans as life

    if plan is None:
        raise click.UsageError(t("cli.usage_plan", front.lang), click.get_current_context())
    _step(front, workspace, functools.partial(life.revert, into=into), plan=plan, **options)


@command("discard", key="help_redraw_discard")
@workspace_option
@reason_options
def discard(front: Front, *, workspace: str, **options: Any) -> None:
    """Give a plan up."""
    from gridgis.tasks import plans as life

    _step(front, workspace, life.discard, **options)


@command("defects", key="help_redraw_defects")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@width_option
def defects(front: Front, *, workspace: str, area: str, gap_width_m: float) -> None:
    """What is wrong with an area's boundaries."""
    import gridgis
    from gridgis.redraw.opening import defects as find
    from gridgis.tasks.plan_state import live

    with gridgis.open_workspace(workspace) as ws:
        home, grids = live(ws, area)
    found = find(grids, home, crack_width_m=gap_width_m)
    rows = [
        {"kind": one.kind, "codes": list(one.codes), "area_m2": one.area_m2, "blocks": one.blocks,
         "bounds": None if one.place is None else list(one.place.bounds)}
        for one in found
    ]  # fmt: skip
    headings = [t(f"cli.defect_{word}", front.lang) for word in ("kind", "codes", "area_m2")]
    cells = [
        [t(f"redrawpage.defect_{one.kind}", front.lang), ", ".join(one.codes), number(one.area_m2, digits=3)] for one in found
    ]

    def lines() -> list[Any]:
        return [table(area, headings, cells, numbers=(2,))] if cells else [t("cli.no_defects", front.lang, area=area)]

    answer(front, {"area": area, "defects": rows}, lines)


@command("repair", key="help_redraw_repair")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@width_option
@option("--keep", type=OneOf(("first", "longest_border", "largest", "smallest")), default="longest_border", show_default=True)
@reason_options
def repair(front: Front, *, workspace: str, area: str, plan: str | None, **options: Any) -> None:
    """Make an area's dirty boundaries a coverage, in a plan."""
    import gridgis
    from gridgis.tasks import redrawing

    with gridgis.open_workspace(workspace) as ws:
        state, moved = redrawing.mend(ws, area, plan=named(ws, plan), begin=True, **options)
    rows = [{"code": code, **row} for code, row in moved.to_dict("index").items()]
    headings = [t(f"cli.{word}", front.lang) for word in ("redraw_code", "repair_gained", "repair_lost")]
    cells = [[str(row["code"]), number(row["gained_m2"], digits=3), number(row["lost_m2"], digits=3)] for row in rows]
    document = {"plan": state.name, "rev": state.rev, "area": area, "moved": rows}
    said = t("cli.redraw_rev", front.lang, plan=state.name, rev=number(state.rev))

    def lines() -> list[Any]:
        return [table(area, headings, cells, numbers=(1, 2)) if cells else t("cli.nothing_repaired", front.lang, area=area), said]

    answer(front, document, lines)


@command("diff", key="help_redraw_diff")
@workspace_option
@option("--from", "from_", metavar="SIDE", default="live", show_default=True, help="cli.opt_diff_from")
@option("--to", "to", metavar="SIDE", required=True, help="cli.opt_diff_to")
@option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="cli.opt_diff_output")
def diff(front: Front, *, workspace: str, from_: str, to: str, output: str | None) -> None:
    """Compare two states of the grids."""
    import gridgis
    from gridgis.tasks import redraw_diff

    if output is not None and not output.lower().endswith((".xlsx", ".geojson", ".gpkg", ".html")):
        raise click.UsageError(t("cli.value_diff_file", front.lang, file=output), click.get_current_context())
    with gridgis.open_workspace(workspace) as ws:
        report = redraw_diff.diff(ws, from_, to)
    if output is not None:
        if output.lower().endswith(".xlsx"):
            report.write_xlsx(output, front.lang)
        elif output.lower().endswith(".html"):
            from gridgis.files.writing import in_place_of
            from gridgis.maps.changes import changes_map

            with in_place_of(Path(output)) as work:
                work.write_text(changes_map(report, front.lang), encoding="utf-8")
        else:
            report.write_map(output)
        note(front, "cli.diff_written", file=output)
    document = report.to_json()
    names = ("area_m2", "households", "population")
    headings = [t(f"cli.redraw_{name}", front.lang) for name in ("code", "role", *names)]
    cells = [
        [row["code"], t(f"redraw_figures.happened_{row['happened']}", front.lang)]
        + [f"{number(row[name]['before'])} → {number(row[name]['after'])}" for name in names]
        for row in document["grids"]
    ]
    title = t("cli.diff_title", front.lang, first=from_, second=to)

    def lines() -> list[Any]:
        shares = [_coverage(front, name, key, document["coverage"]["town"]["measures"]) for name, key in _SHARES]
        notice = [t("general.synthetic", front.lang)] if report.synthetic else []
        if not cells:
            return [t("redraw_diff.same", front.lang, first=from_, second=to), *shares, *notice]
        return [table(title, headings, cells, numbers=(2, 3, 4)), *_who_moved(front, plain(document)), *shares, *notice]

    answer(front, document, lines)


def _coverage(front: Front, name: str, key: str, measures: dict[str, Any]) -> str:
    """One figure of coverage, before and after."""
    before, after = (percent(measures[name][side]["share"]) for side in ("before", "after"))
    return t("cli.diff_coverage", front.lang, what=t(key, front.lang), before=before, after=after)


def _who_moved(front: Front, document: dict[str, Any]) -> list[str]:
    """Households and residents that change grid, that lose theirs, and that get one; officers whose work changes."""
    sums: dict[str, list[float]] = {}
    for row in document["moved"]:
        kind = "lost" if not row["to"] else "found" if not row["from"] else "moved"
        sums[kind] = [
            have + (row[name] or 0) for have, name in zip(sums.get(kind, [0, 0]), ("households", "population"), strict=True)
        ]
    said = [
        t(f"cli.diff_{kind}", front.lang, households=number(sums[kind][0]), population=number(sums[kind][1]))
        for kind in ("moved", "lost", "found")
        if kind in sums
    ]
    return [*said, t("cli.diff_officers", front.lang, count=len(document["officers"]))]


def _step(front: Front, workspace: str, do: Callable[..., PlanState | PlanRow], *, plan: str | None, who: str, why: str) -> None:
    """A step in the life of a plan, and the number its log then has."""
    import gridgis

    with gridgis.open_workspace(workspace) as ws:
        done = do(ws, named(ws, plan), who=who, why=why)
    said = t("cli.redraw_rev", front.lang, plan=done.name, rev=number(done.rev))
    answer(front, {"plan": done.name, "rev": done.rev}, lambda: [said])
