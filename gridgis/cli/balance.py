"""`gridgis redraw balance`: an area divided into grids of equal work, put into a draft plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front
from gridgis.cli.options import OneOf, Whole, command, option, workspace_option
from gridgis.cli.output import answer, table, work
from gridgis.cli.redraw import named, reason_options
from gridgis.text import number, percent, t

if TYPE_CHECKING:
    from rich.table import Table

_LAYERS = ("unit_cells", "natural_villages", "grids", "areas")
_BARRIERS = ("water", "roads")
_TASTES = ("both", "even", "compact", "stay")


class Range(click.ParamType[tuple[float, float]]):
    """`300:500`: the smallest and the largest load of a grid."""

    name = "LOW:HIGH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition(":")
        try:
            return float(low or 0), float(high or "inf")
        except ValueError:
            self.fail(t("cli.value_range", _lang(ctx), value=value), param, ctx)


class Weight(click.ParamType[tuple[str, float]]):
    """`households`, or with a factor `incidents=20`."""

    name = "NAME[=FACTOR]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, factor = str(value).partition("=")
        try:
            return name, float(factor or 1)
        except ValueError:
            self.fail(t("cli.value_weight", _lang(ctx), value=value), param, ctx)


def _lang(ctx: click.Context | None) -> Any:
    from gridgis.cli.base import lang_of

    return "en" if ctx is None else lang_of(ctx)


@command("balance", key="help_redraw_balance")
@workspace_option
@option("--area", metavar="CODE", required=True, help="cli.opt_redraw_area")
@option("--k", type=Whole(least=1), help="cli.opt_balance_k")
@option("--range", "bounds", type=Range(), help="cli.opt_balance_range")
@option("--weight", "weights", type=Weight(), multiple=True, default=[("households", 1.0)], help="cli.opt_balance_weight")
@option("--units", type=OneOf(_LAYERS), default="unit_cells", show_default=True, help="cli.opt_balance_units")
@option("--stations", is_flag=True, help="cli.opt_balance_stations")
@option("--barrier", "barriers", type=OneOf(_BARRIERS), multiple=True, help="cli.opt_balance_barrier")
@option("--mix-villages", is_flag=True)
@option("--exclaves", is_flag=True)
@option("--prefer", type=OneOf(_TASTES), help="cli.opt_balance_prefer")
@option("--seed", type=Whole(least=0), default=1, show_default=True)
@option("--take", type=Whole(least=1), default=1, show_default=True, help="cli.opt_balance_take")
@option("--dry-run", is_flag=True, help="cli.opt_balance_dry_run")
@reason_options
def balance(front: Front, *, workspace: str, plan: str | None, take: int, dry_run: bool, **options: Any) -> None:
    """Divide an area into grids of equal work."""
    import gridgis
    from gridgis.tasks import balancing

    who, why = options.pop("who"), options.pop("why")
    low, high = options.pop("bounds") or (None, None)
    weights = dict(options.pop("weights"))
    with gridgis.open_workspace(workspace) as ws:
        name = named(ws, plan)
        with work(front) as progress:
            found = balancing.draw(ws, low=low, high=high, weights=weights, plan=name, progress=progress, **options)
        document: dict[str, Any] = {"plan": name, "rev": None, **found.to_json(take)}
        if not dry_run:
            state = balancing.accept(ws, found, which=take, who=who, why=why)
            codes = (state.entries[-1].op or {})["codes"]
            document |= {"rev": state.rev, "grids": [{**row, "code": codes[row["code"]]} for row in document["grids"]]}
    answer(front, document, lambda: [*_plans(front, document), _rules(front, document), _grids(front, document)])


def _plans(front: Front, document: Mapping[str, Any]) -> Sequence[Table | str]:
    """All plans side by side, the one taken marked, and where it went."""
    names = ("plan_number", "taste", "deviation", "compactness", "cut_km", "stay")
    rows = [
        [
            f"{at} *" if at == document["chosen"] else str(at), t(f"balancing.taste_{plan['taste']}", front.lang),
            percent(plan["deviation"]), f"{plan['compactness']:.2f}", f"{plan['cut_m'] / 1000:,.1f}",
            percent(plan["change"]["kept_share"]),
        ]
        for at, plan in enumerate(document["plans"], 1)
    ]  # fmt: skip
    title = t("cli.balance_title", front.lang, area=document["area"], k=document["k"], units=document["units"]["count"])
    said = "cli.balance_dry" if document["rev"] is None else "cli.balance_kept"
    line = t(said, front.lang, plan=document["plan"], rev=document["rev"] or 0, number=document["chosen"])
    return [table(title, [t(f"cli.balance_{name}", front.lang) for name in names], rows, numbers=(2, 3, 4, 5)), line]


def _rules(front: Front, document: Mapping[str, Any]) -> Table:
    """Rule by rule how the plan taken keeps the principles of division."""
    headings = [t(f"cli.column_{name}", front.lang) for name in ("rule", "kept", "total", "percent")]
    rows = [
        [t(f"balancing.rule_{row['rule']}", front.lang), f"{row['kept']:,.3g}" if row["of"] == 1 else f"{row['kept']:,.0f}",
         f"{row['of']:,.0f}", percent(row["share"])]
        for row in document["rules"]
    ]  # fmt: skip
    return table("", headings, rows, numbers=(1, 2, 3))


def _grids(front: Front, document: Mapping[str, Any]) -> Table:
    """Every grid with its load and figures."""
    names = ("load", "households", "population", "incidents", "area_m2")
    headings = [t("cli.redraw_code", front.lang), t("cli.balance_load", front.lang)]
    headings += [t(f"cli.redraw_{name}", front.lang) for name in names[1:]]
    rows = [[row["code"], *(number(row[name]) for name in names)] for row in document["grids"]]
    return table("", headings, rows, numbers=(1, 2, 3, 4, 5))
