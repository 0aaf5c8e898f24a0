"""The command line: parse, call one task, show the answer. `main` is the command `gridgis`.

Answers go to stdout, everything else to stderr. Exit codes: 0 done; 1 the data or the workspace does not allow it (one
message, nothing changed, stdout empty); 2 wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click
from click.exceptions import Exit

from gridgis.cli.base import Front, Root
from gridgis.cli.usage import usage_lines
from gridgis.errors import Cancelled, GridgisError
from gridgis.text import pick_lang, t

# command -> where it is; imported only when called, so that help and completion are instant
COMMANDS: Final = {
    "init": "gridgis.cli.workspaces:init",
    "demo": "gridgis.cli.workspaces:demo",
    "import": "gridgis.cli.files:import_",
    "export": "gridgis.cli.files:export",
    "grid": "gridgis.cli.gridding:grid",
    "villages": "gridgis.cli.settlements:villages",
    "coverage": "gridgis.cli.covering:coverage",
    "hotspots": "gridgis.cli.hotspots:hotspots",
    "redraw": "gridgis.cli.redraw:redraw",
    "reach": "gridgis.cli.reach:reach",
    "patrol": "gridgis.cli.reach:patrol",
    "check": "gridgis.cli.workspaces:check",
    "serve": "gridgis.cli.serving:serve",
}
DONE: Final = 0
REFUSED: Final = 1
STOPPED: Final = 130

root: Final = Root("gridgis", commands=COMMANDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's own) and give its exit code.

    >>> main(["--version"])
    gridgis 0.1.0
    0
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if instruction := os.environ.get("_GRIDGIS_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, "gridgis", "_GRIDGIS_COMPLETE", instruction)
    front = Front(pick_lang(wished_lang(arguments)))
    try:
        with root.make_context("gridgis", arguments, obj=front) as context:
            root.invoke(context)
    except Exit as done:
        return done.exit_code
    except click.ClickException as error:
        click.echo("\n".join(usage_lines(error, front.lang)), err=True)
        return error.exit_code
    except (Cancelled, KeyboardInterrupt) as stop:
        # a second Ctrl-C breaks off between two steps of the work: only the transaction knows which state it left
        key = "general.cancelled" if isinstance(stop, Cancelled) else "cli.interrupted"
        click.echo(t(key, front.lang), err=True)
        return STOPPED
    except GridgisError as error:
        click.echo(t("cli.error", front.lang, message=error.message(front.lang)), err=True)
        return REFUSED
    except BrokenPipeError:
        # the reader (`| head`) has seen enough; without this Python complains when it flushes stdout at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        reason = error.strerror or str(error)
        message = t("cli.system_error", front.lang, place=error.filename, reason=reason) if error.filename else reason
        click.echo(t("cli.error", front.lang, message=message), err=True)
        return REFUSED
    return DONE


def wished_lang(arguments: Sequence[str]) -> str | None:
    """The value of `--lang` wherever it stands: help and usage errors need it before the line is parsed.

    >>> wished_lang(["check", "--lang", "en"]), wished_lang(["check", "--lang=zh"]), wished_lang(["check"])
    ('en', 'zh', None)
    """
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
        if argument == "--lang" and position + 1 < len(arguments):
            return arguments[position + 1]
    return None
