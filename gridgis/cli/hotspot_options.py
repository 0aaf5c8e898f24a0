"""Options the hot-spot commands share: which points, where, which of them, on what cells; and how they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from gridgis.cli.base import Front, lang_of
from gridgis.cli.options import DEFAULT_WORKSPACE, Crs, Day, Number, OneOf, Place, Whole, option
from gridgis.progress import Progress
from gridgis.text import t

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from gridgis.tasks.hotspot_bases import Base
    from gridgis.tasks.hotspot_points import FileColumns, Filters, Incidents

Function = Callable[..., None]

# options of files only, and of neither
_FILE_ONLY: Final = ("within", "layer", "x", "y", "time", "time_end", "category_column", "weight", "crs", "work_crs")


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers and ranges, such as `22-23,0-5`, from `least` to `most`; a range that falls goes on past the end."""

    name = "N-N,…"

    def __init__(self, *, least: int, most: int) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        found: list[int] = []
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
            ends = [int(end) for end in match.groups() if end is not None] if match else []
            if not ends or min(ends) < self.least or max(ends) > self.most:
                words = t("cli.value_numbers", lang_of(ctx) if ctx else "en", value=value, least=self.least, most=self.most)
                self.fail(words, param, ctx)
            first, last = ends[0], ends[-1]
            found += range(first, last + 1) if first <= last else [*range(first, self.most + 1), *range(self.least, last + 1)]
        return tuple(sorted(set(found)))


def chain(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options as one, in the order help shows them."""

    def add(function: Function) -> Function:
        for one in reversed(options):
            function = one(function)
        return function

    return add


points_options = chain(
    option("-w", "--workspace", metavar="WORKSPACE", envvar="GRIDGIS_WORKSPACE", help="cli.opt_hotspots_workspace"),
    option("--within", metavar="AREA_FILE", type=click.Path()),
    option("--area", metavar="CODE", help="cli.opt_hotspots_area"),
    option("--from", "since", type=Day()),
    option("--to", "until", type=Day()),
    option("--category", "categories", metavar="NAME", multiple=True),
    option("--hours", type=Numbers(least=0, most=23)),
    option("--weekdays", type=Numbers(least=1, most=7)),
    option("--time-zone", metavar="NAME", help="cli.opt_hotspots_time_zone"),
    option("--x", metavar="COLUMN"),
    option("--y", metavar="COLUMN"),
    option("--time", metavar="COLUMN"),
    option("--time-end", metavar="COLUMN"),
    option("--category-column", metavar="COLUMN"),
    option("--weight", metavar="COLUMN"),
    option("--layer", metavar="NAME"),
    option("--datum", type=OneOf(("wgs84", "cgcs2000", "gcj02", "bd09")), default="wgs84", show_default=True),
    option("--crs", type=Crs()),
    option("--work-crs", type=Crs()),
)
cells_options = chain(
    option("--cell-m", type=Whole(least=1, most=1_000_000), help="cli.opt_hotspots_cell_m"),
    option("--lattice-origin", "origin", type=Place()),
)
test_options = chain(
    option("--band-m", type=Number(above=True)),
    option("--permutations", type=Whole(least=0, most=1_000_000), default=0, show_default=True),
    option("--seed", type=Whole(least=0), default=0, show_default=True),
    option("--no-fdr", is_flag=True),
)
rates_options = chain(
    option("--rates", type=OneOf(("residents", "households", "buildings"))),
    option("--base", metavar="FILE", type=click.Path()),
    option("--per", type=Number(above=True), default=1000.0, show_default=True),
)
on_option = option("--on", metavar="LAYER|FILE")
result_option = option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False))


def filters_of(options: Mapping[str, Any], *, zone: str | None = None) -> Filters:
    """The filters among the options of a command; `zone` where `--time-zone` names none."""
    from gridgis.tasks.hotspot_points import TIME_ZONE, Filters

    return Filters(
        since=options["since"], until=options["until"], categories=options["categories"], area=options["area"],
        hours=options["hours"] or (), weekdays=options["weekdays"] or (), time_zone=options["time_zone"] or zone or TIME_ZONE,
    )  # fmt: skip


def columns_of(options: Mapping[str, Any]) -> FileColumns:
    """Which columns of a file are meant, among the options of a command."""
    from gridgis.tasks.hotspot_points import FileColumns

    return FileColumns(
        x=options["x"], y=options["y"], time=options["time"], time_end=options["time_end"],
        category=options["category_column"], weight=options["weight"], layer=options["layer"], crs=options["crs"],
        datum=options["datum"],
    )  # fmt: skip


def read_incidents(
    front: Front, points_file: str | None, options: Mapping[str, Any], progress: Progress, *, times: bool = False
) -> tuple[Incidents, Base | None]:
    """The incidents a command line asks for, and what rates divide by; a file, or else the workspace."""
    from gridgis.tasks import hotspot_bases, hotspot_points

    kind, base_file = options.get("rates"), options.get("base")
    if base_file is not None and kind is None:
        raise click.UsageError(t("cli.usage_base", front.lang), click.get_current_context())
    base = None
    if points_file is None:
        import gridgis

        refuse_file_options(front, options)
        with gridgis.open_workspace(options["workspace"] or DEFAULT_WORKSPACE) as opened:
            filters = filters_of(options, zone=opened.settings().get("time_zone"))
            incidents = hotspot_points.from_workspace(opened, filters=filters, times=times, progress=progress)
            if kind is not None and base_file is None:
                base = hotspot_bases.base_of_workspace(opened, kind, incidents)
    else:
        source = click.get_current_context().get_parameter_source("workspace")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(t("cli.usage_points_or_workspace", front.lang), click.get_current_context())
        if kind is not None and base_file is None:
            raise click.UsageError(t("cli.usage_rates_of_file", front.lang), click.get_current_context())
        incidents = hotspot_points.from_file(
            points_file, within=options["within"], filters=filters_of(options), columns=columns_of(options),
            work_crs=options["work_crs"], times=times, progress=progress,
        )  # fmt: skip
    if kind is not None and base_file is not None:
        base = hotspot_bases.base_of_file(base_file, kind, incidents)
    return incidents, base


def read_polygons(
    front: Front, points_file: str | None, options: Mapping[str, Any], incidents: Incidents
) -> tuple[GeoDataFrame, str]:
    """The polygons `--on` names: a layer of the workspace, or a file."""
    from gridgis.tasks import hotspot_polygons

    on = str(options["on"])
    for name in ("cell_m", "origin"):
        if options[name] is not None:
            raise click.UsageError(t("cli.usage_on", front.lang), click.get_current_context())
    if points_file is not None:
        return hotspot_polygons.polygons_of_file(on, incidents), on
    if on not in hotspot_polygons.ON:
        message = t("cli.value_one_of", front.lang, value=on, words=", ".join(hotspot_polygons.ON))
        raise click.BadParameter(message, click.get_current_context(), param_hint="--on")
    import gridgis

    with gridgis.open_workspace(options["workspace"] or DEFAULT_WORKSPACE) as opened:
        return hotspot_polygons.polygons_of_workspace(opened, on), on


def refuse_file_options(front: Front, options: Mapping[str, Any]) -> None:
    """Refuse options that say how a file is read, where a workspace is."""
    for name in _FILE_ONLY:
        if options[name] is not None:
            message = t("cli.usage_points_only", front.lang, name=f"--{name.replace('_', '-')}")
            raise click.UsageError(message, click.get_current_context())
