"""`gridgis coverage`: the figures of a workspace, or of two files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import click

from gridgis.cli.base import Front
from gridgis.cli.options import DEFAULT_WORKSPACE, Day, OneOf, command, crs_options, option
from gridgis.cli.output import answer, table, work
from gridgis.text import day, number, percent, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.coverage import Measure
    from gridgis.tasks.coverage_report import CoverageReport, ZoneReport
    from gridgis.zones import By


@command("coverage")
@option("-w", "--workspace", metavar="WORKSPACE", envvar="GRIDGIS_WORKSPACE")
@option("--by", type=OneOf(("area", "town", "village", "station", "batch")))
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
    population: str | None,
    **systems: str | None,
) -> None:
    """Coverage of a workspace, or of the two files `total` and `covered`."""
    from gridgis.tasks import coverage_files, covering

    if total is None and covered is None:
        import gridgis

        refuse(front, "cli.usage_files_only", systems)
        with gridgis.open_workspace(workspace or DEFAULT_WORKSPACE) as opened, work(front) as progress:
            report = covering.coverage(opened, by=cast("By | None", by), as_of=as_of, raster=population, progress=progress)
    else:
        if total is None or covered is None or given("workspace"):
            raise click.UsageError(t("cli.usage_two_ways", front.lang), click.get_current_context())
        refuse(front, "cli.usage_workspace_only", {"by": by, "as_of": as_of})
        with work(front) as progress:
            report = coverage_files.coverage_files(total, covered, population=population, progress=progress, **systems)
    answer(front, report.to_json(), lambda: tables(front, report))


def given(name: str) -> bool:
    """Whether an option stands on the command line itself, not in the environment."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def refuse(front: Front, key: str, options: Mapping[str, object]) -> None:
    """Refuse options that belong to the other way of calling."""
    for name, value in options.items():
        if value is not None:
            message = t(key, front.lang, name=f"--{name.replace('_', '-')}")
            raise click.UsageError(message, click.get_current_context())


def tables(front: Front, report: CoverageReport) -> Sequence[Table | str]:
    """The figures for people: the whole, the parts, and what was noticed."""
    lang = front.lang
    if report.as_of is None:
        title = t("cli.coverage_of_files", lang)
    else:
        title = t("cli.coverage_title", lang, name=report.area.name or "–", date=day(report.as_of, lang))
    parts: list[Table | str] = [whole(front, title, report.measures)]
    if report.by:
        parts.append(by_part(front, report.by))
    parts += [note.message(lang) for note in report.notes]
    if report.synthetic:
        parts.append(t("general.synthetic", lang))
    return parts


def whole(front: Front, title: str, measures: Mapping[str, Measure]) -> Table:
    """One row per measure: how much of how much, the percentage, the source or why there is none."""
    lang = front.lang
    rows = []
    for name, measure in measures.items():
        remarks = [t(key, lang) for key in (measure.source, measure.rule, measure.reason) if key is not None]
        rows.append((t(f"cli.measure_{name}", lang), *numbers(measure), t("cli.join", lang).join(remarks)))
    headings = [t(f"cli.column_{name}", lang) for name in ("measure", "covered", "total", "percent", "source")]
    return table(title, headings, rows, numbers=[1, 2, 3])


def by_part(front: Front, parts: Sequence[ZoneReport]) -> Table:
    """One row per part: its share of area and people, its natural villages and grids."""
    lang = front.lang
    rows = []
    for part in parts:
        shares = [numbers(part.measures[name])[2] for name in ("area", "population")]
        counts = ["/".join(numbers(part.measures[name])[:2]) for name in ("natural_villages", "grids")]
        rows.append((part.code, part.name, *shares, *counts))
    headings = [t(f"cli.column_{name}", lang) for name in ("code", "name")]
    headings += [t(f"cli.measure_{name}", lang) for name in ("area", "population", "natural_villages", "grids")]
    return table("", headings, rows, numbers=[2, 3, 4, 5])


def numbers(measure: Measure) -> tuple[str, str, str]:
    """Covered, total and share as shown; areas in square kilometres."""
    if measure.unit == "m2":
        return square_km(measure.covered), square_km(measure.total), percent(measure.share)
    return number(measure.covered), number(measure.total), percent(measure.share)


def square_km(area_m2: float | None) -> str:
    """An area of a town as people read it."""
    return "–" if area_m2 is None else f"{number(area_m2 / 1e6, digits=3)} km²"
