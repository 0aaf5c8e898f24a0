"""`gridgis hotspots`: where, when and how surely incidents concentrate, of a workspace or of a file of points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gridgis.cli.base import Front, Group, Option
from gridgis.cli.hotspot_options import (
    cells_options,
    columns_of,
    filters_of,
    on_option,
    points_options,
    rates_options,
    read_incidents,
    read_polygons,
    result_option,
    test_options,
)
from gridgis.cli.options import Day, Number, OneOf, Whole, command, option
from gridgis.cli.output import answer, facts, table, work
from gridgis.progress import Progress
from gridgis.text import number, percent, t

if TYPE_CHECKING:
    from rich.table import Table

    from gridgis.tasks.hotspot_bases import Base
    from gridgis.tasks.hotspot_pairs import Either
    from gridgis.tasks.hotspot_points import Incidents
    from gridgis.tasks.hotspot_polygons import Method
    from gridgis.tasks.hotspot_results import Report

hotspots = Group(
    "hotspots",
    commands={
        "density": "gridgis.cli.hotspots:density",
        "gi": "gridgis.cli.hotspots:gi",
        "moran": "gridgis.cli.hotspots:moran",
        "emerging": "gridgis.cli.hotspots:emerging",
        "compare": "gridgis.cli.hotspots:compare",
        "score": "gridgis.cli.hotspots:score",
        "when": "gridgis.cli.hotspots:when",
    },
    params=[Option(["--lang"], metavar="zh|en", expose_value=False, help="cli.opt_lang")],
    no_args_is_help=True,
)

points_argument = click.argument("points_file", metavar="[POINTS_FILE]", required=False)


@command("gi")
@points_argument
@points_options
@cells_options
@on_option
@test_options
@rates_options
@result_option
def gi(front: Front, *, points_file: str | None, output: str | None, **options: Any) -> None:
    """Getis-Ord Gi* of cells."""
    from gridgis.tasks import hotspotting

    _tested_cells(front, "gi", hotspotting.gi, points_file, output, options)


@command("moran")
@points_argument
@points_options
@cells_options
@on_option
@test_options
@rates_options
@result_option
def moran(front: Front, *, points_file: str | None, output: str | None, **options: Any) -> None:
    """Moran's I, global and of cells."""
    from gridgis.tasks import hotspotting

    _tested_cells(front, "moran", hotspotting.moran, points_file, output, options)


def _tested_cells(
    front: Front,
    method: Method,
    judge: Callable[..., Report],
    points_file: str | None,
    output: str | None,
    options: dict[str, Any],
) -> None:
    """A method of every cell of a lattice, or of every polygon where some are given."""
    from gridgis.tasks import hotspot_results

    hotspot_results.check_output(output, method)
    with work(front) as progress:
        incidents, base = read_incidents(front, points_file, options, progress)
        if options["on"] is None:
            report = judge(incidents, base=base, progress=progress, **tested(options), per=options["per"])
        else:
            report = polygons(front, method, points_file, options, incidents, base, progress)
        show(front, report, output, progress)


@command("density")
@points_argument
@points_options
@cells_options
@option("--bandwidth-m", type=Number(above=True))
@option("--kernel", type=OneOf(("quartic", "gaussian")), default="quartic", show_default=True)
@option("--adaptive", is_flag=True)
@option("--no-edge", is_flag=True)
@option("--against", "rates", type=OneOf(("residents", "households", "buildings")))
@option("--base", metavar="FILE", type=click.Path())
@result_option
def density(front: Front, *, points_file: str | None, output: str | None, **options: Any) -> None:
    """Kernel density, or the risk relative to residents, households or buildings."""
    from gridgis.tasks import hotspot_heat, hotspot_results

    hotspot_results.check_output(output, "density")
    with work(front) as progress:
        incidents, base = read_incidents(front, points_file, options, progress)
        report = hotspot_heat.heat(
            incidents, cell_m=options["cell_m"], origin=options["origin"], bandwidth_m=options["bandwidth_m"],
            kernel=options["kernel"], adaptive=options["adaptive"], edge=not options["no_edge"], against=base, progress=progress,
        )  # fmt: skip
        show(front, report, output, progress)


@command("emerging")
@points_argument
@points_options
@cells_options
@option("--period", metavar="PERIOD", default="month", show_default=True)
@option("--periods-back", type=Whole(least=0, most=1000), default=1, show_default=True)
@test_options
@rates_options
@result_option
def emerging(front: Front, *, points_file: str | None, output: str | None, **options: Any) -> None:
    """Patterns of hot spots over time."""
    from gridgis.tasks import hotspot_results, hotspot_series

    hotspot_results.check_output(output, "emerging")
    with work(front) as progress:
        incidents, base = read_incidents(front, points_file, options, progress, times=True)
        report = hotspot_series.emerging(
            incidents, period=options["period"], periods_back=options["periods_back"], base=base, per=options["per"],
            progress=progress, **tested(options),
        )  # fmt: skip
        show(front, report, output, progress)


@command("when")
@points_argument
@points_options
@result_option
def when(front: Front, *, points_file: str | None, output: str | None, **options: Any) -> None:
    """Incidents by hour, weekday and month."""
    from gridgis.tasks import hotspot_results, hotspot_series

    hotspot_results.check_output(output, "when")
    with work(front) as progress:
        incidents, _ = read_incidents(front, points_file, options, progress, times=True)
        report = hotspot_series.when(incidents)
        show(front, report, output, progress)


@command("compare")
@click.argument("before", metavar="[BEFORE]", required=False)
@click.argument("after", metavar="[AFTER]", required=False)
@option("--split", type=Day())
@points_options
@cells_options
@test_options
@result_option
def compare(
    front: Front, *, before: str | None, after: str | None, split: dt.date | None, output: str | None, **options: Any
) -> None:
    """What changed between two hot-spot maps."""
    from gridgis.tasks import hotspot_maps, hotspot_pairs, hotspot_results

    hotspot_results.check_output(output, "compare")
    with work(front) as progress:
        pair = read_two(front, before, after, split, options, progress)
        report = hotspot_maps.compare_maps(*hotspot_pairs.maps_of(*pair, progress=progress, **tested(options)))
        show(front, report, output, progress)


@command("score")
@click.argument("train", metavar="[TRAIN]", required=False)
@click.argument("test", metavar="[TEST]", required=False)
@option("--split", type=Day())
@option("--share", "shares", type=Number(above=True, most=100.0), multiple=True)
@points_options
@cells_options
@test_options
@result_option
def score(
    front: Front, *, train: str | None, test: str | None, split: dt.date | None, shares: tuple[float, ...], output: str | None,
    **options: Any,
) -> None:  # fmt: skip
    """How well earlier hot spots caught later incidents."""
    from gridgis.hotspots.scoring import SHARES
    from gridgis.tasks import hotspot_maps, hotspot_pairs, hotspot_results

    hotspot_results.check_output(output, "score")
    with work(front) as progress:
        pair = read_two(front, train, test, split, options, progress)
        earlier, _ = hotspot_pairs.maps_of(*pair, progress=progress, **tested(options))
        wish = tuple(share / 100 for share in shares) or SHARES
        report = hotspot_maps.score_map(earlier, pair[1], shares=wish)
        show(front, report, output, progress)


def polygons(
    front: Front, method: Method, points_file: str | None, options: dict[str, Any], incidents: Incidents, base: Base | None,
    progress: Progress,
) -> Report:  # fmt: skip
    """The method on the polygons `--on` names instead of cells."""
    from gridgis.tasks import hotspot_polygons

    frame, on = read_polygons(front, points_file, options, incidents)
    names = ("band_m", "permutations", "seed", "per")
    return hotspot_polygons.on_polygons(
        incidents, frame, method=method, on=on, fdr=not options["no_fdr"], base=base, progress=progress,
        **{name: options[name] for name in names},
    )  # fmt: skip


def tested(options: dict[str, Any]) -> dict[str, Any]:
    """The options of cells and tests, as the tasks name them."""
    names = ("cell_m", "origin", "band_m", "permutations", "seed")
    return {**{name: options[name] for name in names}, "fdr": not options["no_fdr"]}


def read_two(
    front: Front, first: str | None, second: str | None, day: dt.date | None, options: dict[str, Any], progress: Progress
) -> tuple[Either, Either]:
    """Two files, or one (or the workspace) split on a day."""
    from gridgis.tasks import hotspot_pairs

    if first is not None and second is not None and day is None:
        return hotspot_pairs.read_pair(
            first, second, within=options["within"], filters=filters_of(options), columns=columns_of(options),
            work_crs=options["work_crs"], progress=progress,
        )  # fmt: skip
    if second is not None or day is None:
        raise click.UsageError(t("cli.usage_two_maps", front.lang), click.get_current_context())
    incidents, _ = read_incidents(front, first, options, progress, times=True)
    return hotspot_pairs.split(incidents, day)


def show(front: Front, report: Report, output: str | None, progress: Progress) -> None:
    """Write the file, if one was asked for, and print the answer."""
    from gridgis.tasks.hotspot_results import write_result

    file = None if output is None else write_result(report, output, progress=progress)
    document = {**report.to_json(), "file": None if file is None else str(file)}
    answer(front, document, lambda: tables(front, report, document))


def tables(front: Front, report: Report, document: dict[str, Any]) -> Sequence[Table | str]:
    """The outcome in a sentence, its figures, and why and what they mean."""
    from gridgis.tasks.hotspot_heat import HeatReport
    from gridgis.tasks.hotspot_maps import CompareReport, ScoreReport
    from gridgis.tasks.hotspot_series import EmergingReport, WhenReport

    parts: list[Table | str] = [report.message(front.lang)]
    names = ("points_used", "points_filtered", "duplicates", "cell_m", "band_m", "bandwidth_m", "crs", "file")
    shown = {
        "lattice_cells": document.get("cells"),
        "polygons": document.get("polygons"),
        **{name: document.get(name) for name in names},
    }
    # whole metres are whole
    plain = {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in shown.items()}
    parts.append(facts(front, {name: value for name, value in plain.items() if value is not None}))
    if left_out := {reason: count for reason, count in document.get("points_left_out", {}).items() if count}:
        rows = [(t(f"hotspot_tasks.left_{reason}", front.lang), number(count)) for reason, count in left_out.items()]
        parts.append(
            table(t("hotspot_tasks.left_out", front.lang), ["", t("hotspot_tasks.points", front.lang)], rows, numbers=[1])
        )
    if isinstance(report, EmergingReport):
        parts.append(pattern_table(front, report.patterns()))
    elif isinstance(report, CompareReport):
        rows = [
            (t(f"hotspot_tasks.change_{name}", front.lang), number(count)) for name, count in report.comparison.counts.items()
        ]
        parts.append(table("", ["", t("hotspot_tasks.cells", front.lang)], rows, numbers=[1]))
    elif isinstance(report, ScoreReport):
        parts.append(score_table(front, report))
    elif isinstance(report, WhenReport):
        rows = [(f"{hour:02d}", number(count, digits=1)) for hour, count in report.found.by_hour["count"].items()]
        headings = [t("hotspot_tasks.hour", front.lang), t("hotspot_tasks.points", front.lang)]
        parts.append(table("", headings, rows, numbers=[1]))
    if not isinstance(report, WhenReport):
        parts += report.explanation(front.lang)
    if isinstance(report, HeatReport) and report.edge:
        parts.append(t("hotspot_tasks.edge_corrected", front.lang))
    if document.get("synthetic"):
        parts.append(t("general.synthetic", front.lang))
    return parts


def pattern_table(front: Front, counts: dict[str, int]) -> Table:
    """Cells of each pattern that occurs."""
    from gridgis.hotspots.patterns import PATTERNS

    rows = [(one.name(front.lang), number(counts[one.key]), one.definition(front.lang)) for one in PATTERNS if counts[one.key]]
    headings = [t(f"hotspot_tasks.{name}", front.lang) for name in ("pattern", "cells", "meaning")]
    return table("", headings, rows, numbers=[1])


def score_table(front: Front, report: Any) -> Table:
    """Hit rate, PAI and PEI by share of the area."""
    rows = [
        (
            percent(row.share),
            number(row.hits, digits=1),
            percent(row.hit_rate),
            number(row.pai, digits=2),
            number(row.pei, digits=2),
        )
        for row in report.score.rows
    ]
    headings = [t(f"hotspot_tasks.{name}", front.lang) for name in ("area_share", "points", "hit_rate")]
    return table("", [*headings, "PAI", "PEI"], rows, numbers=[0, 1, 2, 3, 4])
