"""Options and value types that several commands share; a wrong value is refused in the user's language."""

from __future__ import annotations

import datetime as dt
import functools
import getpass
from collections.abc import Callable, Sequence
from typing import Any

import click

from gridgis.cli.base import Command, Front, Option, lang_of, lang_option
from gridgis.errors import CrsError
from gridgis.text import t

Function = Callable[..., None]
DEFAULT_WORKSPACE = "gridgis.gpkg"


class Day(click.ParamType[dt.date]):
    """A date as `2012-12-31`."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(_say(ctx, "cli.value_date", value=value), param, ctx)


class Number(click.ParamType[float]):
    """A number from `least` (not itself, if `above`) to `most`."""

    name = "NUMBER"

    def __init__(self, *, least: float = 0.0, most: float = float("inf"), above: bool = False) -> None:
        self.least, self.most, self.above = least, most, above

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(_say(ctx, "cli.value_number", value=value), param, ctx)
        if not (self.least <= number <= self.most) or (self.above and number == self.least):
            key = "cli.value_above" if self.above else "cli.value_least"
            self.fail(_say(ctx, key, value=value, least=f"{self.least:g}"), param, ctx)
        return number


class Whole(click.ParamType[int]):
    """A whole number from `least` to `most`."""

    name = "N"

    def __init__(self, *, least: int, most: int = 2**31 - 1) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(_say(ctx, "cli.value_whole", value=value), param, ctx)
        if not self.least <= number <= self.most:
            self.fail(_say(ctx, "cli.value_between", value=value, least=self.least, most=self.most), param, ctx)
        return number


class OneOf(click.ParamType[str]):
    """One of a few words."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.name = "|".join(words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.words:
            self.fail(_say(ctx, "cli.value_one_of", value=value, words=", ".join(self.words)), param, ctx)
        return str(value)


class Pair(click.ParamType[tuple[str, str]]):
    """`field=column`; `field==value` gives every row a value, `field=` leaves the field out."""

    name = "FIELD=COLUMN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        left, equals, right = str(value).partition("=")
        if not (left and equals):
            self.fail(_say(ctx, "cli.value_pair", value=value), param, ctx)
        return left, right


class Place(click.ParamType[tuple[float, float]]):
    """Two numbers of metres, `X,Y`."""

    name = "X,Y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            x, y = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(_say(ctx, "cli.value_place", value=value), param, ctx)
        return x, y


class Crs(click.ParamType[str]):
    """A coordinate reference system PROJ knows; `auto` where that is offered."""

    name = "CRS"

    def __init__(self, *, auto: bool = False) -> None:
        self.auto = auto

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if self.auto and value == "auto":
            return "auto"
        from gridgis.crs import parse_crs

        try:
            parse_crs(value)
        except CrsError as error:
            self.fail(error.message(lang_of(ctx) if ctx else "en"), param, ctx)
        return str(value)


def option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """An option; `help` is a message key, by default `cli.opt_<name>`."""
    longest = max((name for name in names if name.startswith("-")), key=len).lstrip("-").replace("-", "_")
    attributes.setdefault("help", f"cli.opt_{longest}")
    return click.option(*names, cls=Option, **attributes)


def command(name: str, *, key: str = "") -> Callable[[Function], Command]:
    """A command whose function gets a `Front` first; adds `--json` and `--lang`."""

    def make(function: Function) -> Command:
        @click.pass_context
        @functools.wraps(function)
        def run(context: click.Context, /, *, as_json: bool, **values: Any) -> None:
            function(Front(lang_of(context), as_json), **values)

        made = click.command(name, cls=Command, key=key)(run)
        as_json = Option(["--json", "as_json"], is_flag=True, help="cli.opt_json")
        # what all commands have stands last, before --help
        made.params[-1:-1] = [as_json, lang_option()]
        return made

    return make


def workspace_option(function: Function) -> Function:
    """`-w WORKSPACE`: a path ending in .gpkg or a postgresql:// address."""
    return option(
        "-w", "--workspace", metavar="WORKSPACE", envvar="GRIDGIS_WORKSPACE", default=DEFAULT_WORKSPACE, show_default=True
    )(function)


def author_options(function: Function) -> Function:
    """`--who` and `--why`: what the change log says."""
    return option("--who", metavar="NAME", default=operating_system_user)(option("--why", metavar="TEXT", default="")(function))


def output_option(function: Function) -> Function:
    """`-o FILE` of the file-to-file forms."""
    return option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), required=True)(function)


def crs_options(function: Function) -> Function:
    """`--crs` and `--work-crs` of the file-to-file forms."""
    return option("--crs", type=Crs())(option("--work-crs", type=Crs())(function))


def operating_system_user() -> str:
    """Who is logged in, for the change log; "unknown" in a container without a user table."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _say(context: click.Context | None, key: str, **values: object) -> str:
    return t(key, "en" if context is None else lang_of(context), **values)
