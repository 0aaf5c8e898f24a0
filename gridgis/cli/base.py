"""The classes commands are made of: help in the user's language, commands loaded when called, a file or a verb in one place."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import click

from gridgis.text import LANGS, Lang, t


@dataclass(frozen=True, slots=True)
class Front:
    """How one call talks to whoever made it."""

    lang: Lang
    """Language of help, tables and messages; JSON is always in English."""
    json: bool = False
    """Whether the answer is one JSON document instead of tables."""


def lang_of(context: click.Context) -> Lang:
    """The language of a call; English where a command is looked at without one, as the documentation does."""
    front = context.find_root().obj
    return front.lang if isinstance(front, Front) else "en"


class Option(click.Option):
    """An option whose `help` is a message key."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        lang = lang_of(ctx)
        text = t(self.help or "", lang)
        if self.show_default and self.default is not None:
            value = f"{self.default:g}" if isinstance(self.default, float) else self.default
            text += t("cli.help_default", lang, value=value)
        if self.required:
            text += t("cli.help_required", lang)
        return record[0], text


def lang_option() -> Option:
    """`--lang`, which the whole program and every command take; `cli.wished_lang` has read it when this checks it."""
    return Option(["--lang"], metavar="|".join(LANGS), expose_value=False, callback=_check_lang, help="cli.opt_lang")


class Command(click.Command):
    """A command whose help is the message `cli.<key>`, the first sentence being the short one."""

    def __init__(self, name: str | None, *, key: str = "", **attributes: Any) -> None:
        # click's own --help speaks English only
        show_help = Option(["--help"], is_flag=True, expose_value=False, is_eager=True, callback=_show_help, help="cli.opt_help")
        super().__init__(name, params=[*attributes.pop("params", []), show_help], add_help_option=False, **attributes)
        self.key = key or f"help_{name}"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # click refuses what is too much in English only
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not isinstance(self, click.Group):
            raise click.UsageError(t("cli.usage_extra", lang_of(ctx), name=" ".join(rest)), ctx)
        return rest

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        extra.setdefault("max_content_width", 100)
        return super().make_context(info_name, args, parent, **extra)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        prefix = t("cli.help_usage", lang_of(ctx)) + " "
        formatter.write_usage(shown_path(ctx), " ".join(self.collect_usage_pieces(ctx)), prefix)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        # options last: that is how people write them, and how the contract does
        options = t("cli.help_options_metavar", lang_of(ctx))
        return [*[piece for piece in pieces if piece != self.options_metavar], options]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(t(f"cli.{self.key}", lang_of(ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, kind in (("cli.help_arguments", click.Argument), ("cli.help_options", Option)):
            if records := self.records(ctx, kind):
                with formatter.section(t(heading, lang_of(ctx))):
                    formatter.write_dl(records)

    def records(self, ctx: click.Context, kind: type[click.Parameter]) -> list[tuple[str, str]]:
        """How each parameter of a kind is written and what it means."""
        params = [param for param in self.get_params(ctx) if isinstance(param, kind)]
        if kind is click.Argument:
            return [(param.make_metavar(ctx), t(f"cli.arg_{param.name}", lang_of(ctx))) for param in params]
        return [record for param in params if (record := param.get_help_record(ctx)) is not None]


class Group(click.Group, Command):
    """Commands by name, each `"module:attribute"` and imported only when it is called."""

    def __init__(self, name: str, *, commands: Mapping[str, str], key: str = "", prefix: str = "", **attributes: Any) -> None:
        super().__init__(name, key=key, **attributes)
        self.places = commands
        self.prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, attribute = self.places[cmd_name].split(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        lang = lang_of(ctx)
        return [t("cli.help_command_metavar", lang), t("cli.help_options_metavar", lang)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        Command.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lang = lang_of(ctx)
        with formatter.section(t("cli.help_commands", lang)):
            formatter.write_dl([(name, first_sentence(t(f"cli.help_{self.prefix}{name}", lang))) for name in self.places])


class Root(Group):
    """The command `gridgis` itself."""

    def __init__(self, name: str, *, commands: Mapping[str, str]) -> None:
        version = Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="cli.opt_version"
        )
        super().__init__(name, commands=commands, params=[lang_option(), version], no_args_is_help=True)


class FileOrVerb(Group):
    """`gridgis NAME build …` works on a workspace, `gridgis NAME FILE …` from file to file: a verb, else a file."""

    FILE = "FILE"

    def __init__(self, name: str, *, verbs: Mapping[str, str], file: str) -> None:
        super().__init__(name, commands={**verbs, self.FILE: file}, no_args_is_help=True)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.places:
            args = ["--help"] if "--help" in args else [self.FILE, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        prefix = t("cli.help_usage", lang_of(ctx)) + " "
        for context in self.forms(ctx):
            formatter.write_usage(shown_path(context), " ".join(context.command.collect_usage_pieces(context)), prefix)
            prefix = " " * len(prefix)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        file_form, *verbs = self.forms(ctx)
        file_form.command.format_options(file_form, formatter)
        with formatter.section(t("cli.help_commands", lang_of(ctx))):
            formatter.write_dl([(str(verb.info_name), self.short(verb)) for verb in verbs])

    def short(self, form: click.Context) -> str:
        """What a form does, in a sentence."""
        return first_sentence(t(f"cli.{cast('Command', form.command).key}", lang_of(form)))

    def forms(self, ctx: click.Context) -> list[click.Context]:
        """The ways to call it, each as a context: the file form first."""
        names = [self.FILE, *(name for name in self.places if name != self.FILE)]
        found = [(name, self.get_command(ctx, name)) for name in names]
        return [click.Context(command, parent=ctx, info_name=name) for name, command in found if command is not None]


def shown_path(context: click.Context) -> str:
    """A command as the user writes it: the file form of a `FileOrVerb` has no verb."""
    if context.info_name == FileOrVerb.FILE and context.parent is not None:
        return context.parent.command_path
    return context.command_path


def first_sentence(text: str) -> str:
    """The short form of a help text.

    >>> first_sentence("Checks a workspace. Exit 1 if a rule is broken."), first_sentence("检查工作区。不合规则时退出码为 1。")
    ('Checks a workspace.', '检查工作区。')
    """
    first = text.split("\n", 1)[0]
    for stop in ("。", ". "):
        first = first.split(stop, 1)[0] + stop.strip() if stop in first else first
    return first


def _check_lang(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None and value not in LANGS:
        message = t("cli.value_one_of", lang_of(context), value=value, words=", ".join(LANGS))
        raise click.BadParameter(message, context, option)


def _show_help(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(context.get_help())
        context.exit()


def _show_version(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"gridgis {version('gridgis')}")
        context.exit()
