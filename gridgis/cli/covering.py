"""`gridgis coverage`: the figures of a workspace, or of two files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front
from gridgis.cli.options import DEFAULT_WORKSPACE, Day, OneOf, command, crs_options, option
from gridgis.cli.output import answer, table, work
from gridgis.text import day, number, percent, t

if TYPE_CHECKING:
    from rich.table import Table

MEASURES = ("area", "population", "households", "natural_villages", "grids", "stations", "officers")


@command("coverage")
@option("-w", "--workspace", metavar="WORKSPACE", envvar="GRIDGIS_WORKSPACE")
@option("--by", type=OneOf(("area", "station", "batch")))
@option("--as-of", type=Day())
@option("--total", metavar="FILE", type=click.Path())
@option("--covered", metavar="FILE", type=click.Path())
@option("--population", metavar="FILE", type=click.Path())
@crs_options
def coverage(
    front: Front,
    *,
    workspace: str | None,
    by: str | None,
    as_of: dt.date | None,
    total: str | None,
    covered: str | None,
    **files: str | None,
) -> None:
    """Coverage of a workspace, or of the two files `total` and `covered`."""
    if total is None and covered is None:
        refuse(front, "cli.usage_files_only", files)
        document = of_workspace(front, workspace or DEFAULT_WORKSPACE, by=by, as_of=as_of)
    else:
        if total is None or covered is None or given("workspace"):
            raise click.UsageError(t("cli.usage_two_ways", front.lang), click.get_current_context())
        refuse(front, "cli.usage_workspace_only", {"by": by, "as_of": as_of})
        document = of_files(front, total, covered, **files)
    answer(front, document, lambda: tables(front, document))


def of_workspace(front: Front, workspace: str, *, by: str | None, as_of: dt.date | None) -> Mapping[str, Any]:
    """The contract's JSON for a workspace."""
    import gridgis
    from gridgis.tasks import covering

    with gridgis.open_workspace(workspace) as opened, work(front) as progress:
        return covering.coverage(opened, by=by, as_of=as_of, progress=progress).to_json()


def of_files(front: Front, total: str, covered: str, **options: str | None) -> Mapping[str, Any]:
    """The contract's JSON for two files."""
    from gridgis.tasks import covering

    with work(front):
        return covering.coverage_files(total, covered, **options).to_json()


def given(name: str) -> bool:
    """Whether an option stands on the command line itself, not in the environment."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def refuse(front: Front, key: str, options: Mapping[str, object]) -> None:
    """Refuse options that belong to the other way of calling."""
    for name, value in options.items():
        if value is not None:
            message = t(key, front.lang, name=f"--{name.replace('_', '-')}")
            raise click.UsageError(message, click.get_current_context())


def tables(front: Front, document: Mapping[str, Any]) -> Sequence[Table | str]:
    """The figures for people: the whole, then the parts."""
    lang = front.lang
    as_of = dt.date.fromisoformat(document["as_of"]) if document.get("as_of") else None
    title = t("cli.coverage_title", lang, name=document["area"]["name"] or "–", date=day(as_of, lang))
    parts: list[Table | str] = [whole(front, title, document["measures"])]
    if document.get("by"):
        parts.append(by_part(front, document["by"]))
    if document.get("synthetic"):
        parts.append(t("general.synthetic", lang))
    return parts


def whole(front: Front, title: str, measures: Mapping[str, Any]) -> Table:
    """One row per measure: how much of how much, the percentage, the source or why there is none."""
    lang = front.lang
    rows = []
    for name in MEASURES:
        measure = measures.get(name) or {}
        remarks = [t(measure[key], lang) for key in ("source_key", "reason_key") if measure.get(key)]
        rows.append((t(f"cli.measure_{name}", lang), *numbers(measure), t("cli.join", lang).join(remarks)))
    headings = [t(f"cli.column_{name}", lang) for name in ("measure", "covered", "total", "percent", "source")]
    return table(title, headings, rows, numbers=[1, 2, 3])


def by_part(front: Front, parts: Sequence[Mapping[str, Any]]) -> Table:
    """One row per part: its percentage of area and people, its grids."""
    lang = front.lang
    rows = []
    for part in parts:
        measures = part["measures"]
        shares = [numbers(measures.get(name) or {})[2] for name in ("area", "population")]
        counts = ["/".join(numbers(measures.get(name) or {})[:2]) for name in ("natural_villages", "grids")]
        rows.append((part["code"], part["name"], *shares, *counts))
    headings = [t(f"cli.column_{name}", lang) for name in ("code", "name")]
    headings += [t(f"cli.measure_{name}", lang) for name in ("area", "population", "natural_villages", "grids")]
    return table("", headings, rows, numbers=[2, 3, 4, 5])


def numbers(measure: Mapping[str, Any]) -> tuple[str, str, str]:
    """Covered, total and percentage as shown; square kilometres where square metres are too many to read."""
    covered, total = measure.get("covered"), measure.get("total")
    share = measure.get("share")
    if share is None and measure.get("percent") is not None:
        share = measure["percent"] / 100
    if measure.get("unit") == "m2":
        return square_km(covered), square_km(total), percent(share)
    return number(covered), number(total), percent(share)


def square_km(area_m2: float | None) -> str:
    """An area of a town as people read it."""
    return "–" if area_m2 is None else f"{number(area_m2 / 1e6, digits=3)} km²"
