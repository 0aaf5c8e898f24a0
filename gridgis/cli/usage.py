"""What a wrong command line gets to read, in the user's language: the usage, what is wrong, and where help is."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click
from click.exceptions import NoArgsIsHelpError

from gridgis.cli.base import shown_path
from gridgis.text import Lang, t


def usage_lines(error: click.ClickException, lang: Lang) -> list[str]:
    """The lines for stderr; a command called with nothing at all gets its whole help."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and (isinstance(error, NoArgsIsHelpError) or _no_command(error, context)):
        return [context.get_help()]
    lines = [] if context is None else [context.get_usage(), t("cli.usage_hint", lang, command=shown_path(context))]
    return [*lines, t("cli.error", lang, message=_what(error, lang))]


def _no_command(error: click.ClickException, context: click.Context) -> bool:
    return type(error) is click.UsageError and isinstance(context.command, click.Group)


def _what(error: click.ClickException, lang: Lang) -> str:
    """What is wrong; click's English stays for the rare rest (a quote that does not close)."""
    if isinstance(error, click.NoSuchOption):
        return _near(t("cli.usage_no_such_option", lang, name=error.option_name), error.possibilities, lang)
    if isinstance(error, click.MissingParameter):
        return t("cli.usage_missing", lang, name=_name(error))
    if isinstance(error, click.BadParameter):
        return t("cli.usage_bad_value", lang, name=_name(error), reason=error.message)
    if isinstance(error, click.BadOptionUsage):
        return t("cli.usage_option_value", lang, name=error.option_name)
    context, command = getattr(error, "ctx", None), getattr(error, "command_name", None)
    if command is not None:
        names = context.command.list_commands(context) if context and isinstance(context.command, click.Group) else []
        return _near(t("cli.usage_no_such_command", lang, name=command), get_close_matches(command, names), lang)
    return error.format_message()


def _near(message: str, names: Sequence[str] | None, lang: Lang) -> str:
    return message + t("cli.usage_near", lang, names=", ".join(names)) if names else message


def _name(error: click.BadParameter) -> str:
    """The option or argument as written on the command line."""
    if error.param is None:
        return str(error.param_hint or "")
    if isinstance(error.param, click.Option):
        return " / ".join(error.param.opts)
    return error.param.human_readable_name
