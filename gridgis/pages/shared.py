"""What every page uses: the language, the workspace, and the one place where an error becomes a sentence."""

from __future__ import annotations

import datetime as dt
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import streamlit as st

from gridgis import text
from gridgis.errors import GridgisError
from gridgis.store import Workspace
from gridgis.text import LANGS, Lang, t
from gridgis.web import cache

_DEFAULT_WORKSPACE: Final = "gridgis.gpkg"
_LOG: Final = logging.getLogger("gridgis.pages")


def lang() -> Lang:
    """The language of this session: chosen at the top, else in the address (`?lang=en`), else Chinese."""
    for wish in (st.session_state.get("lang"), st.query_params.get("lang"), os.environ.get("GRIDGIS_LANG")):
        for known in LANGS:
            if wish == known:
                return known
    return "zh"


def say(key: str, /, **values: object) -> str:
    """A message of the catalogues in this session's language."""
    return t(key, lang(), **values)


def workspace_url() -> str:
    """The workspace the app was started with."""
    return os.environ.get("GRIDGIS_WORKSPACE", _DEFAULT_WORKSPACE)


def is_file(url: str) -> bool:
    """Whether a workspace address names a file rather than a database."""
    return "://" not in url


def workspace_exists() -> bool:
    """Whether there is something to open; a database is asked only when it is opened."""
    url = workspace_url()
    return not is_file(url) or Path(url).exists()


def workspace() -> Workspace:
    """The workspace, opened once for pages and map routes alike, and again when its file was replaced."""
    return cache.workspace(workspace_url())


def _identity(url: str) -> int:
    return Path(url).stat().st_ino if is_file(url) else 0


def stamp() -> tuple[str, int, int]:
    """What a cached answer depends on: the workspace, its file, and the last committed write."""
    url = workspace_url()
    return url, _identity(url), workspace().revision


def author() -> str:
    """Whom the change log names for what is done in the app."""
    return str(st.session_state.get("author") or say("pages.author_default"))


def number(value: float | None, *, digits: int = 0) -> str:
    """A number as a report writes it."""
    return text.number(value, digits=digits)


def remember_pages(pages: Mapping[str, st.Page]) -> None:
    """Keep the pages of this run, so that a button can lead to one by name."""
    st.session_state["gp_pages"] = dict(pages)


def go(page: str, **query: str) -> None:
    """Leave for another page; `query` is what else its address holds, such as the choices of a shared link."""
    st.switch_page(st.session_state["gp_pages"][page], query_params={**query, "lang": lang()})


def is_local() -> bool:
    """Whether the app serves this machine alone, so that its user may name files on it."""
    return st.get_option("server.address") in ("127.0.0.1", "localhost", "::1")


def today() -> dt.date:
    """The date where the server stands."""
    return dt.datetime.now().astimezone().date()


@contextmanager
def guarded() -> Iterator[None]:
    """The one place where an error becomes a sentence on the page; what nobody foresaw gets a number for the log."""
    try:
        yield
    except GridgisError as error:
        tell(error)
    except Exception as error:  # the outermost door: a trace belongs in the log, never on the page
        tell(error)


def tell(error: BaseException) -> None:
    """Show an error in the user's language."""
    st.error(sentence(error), icon=":material/error:")


def sentence(error: BaseException) -> str:
    """An error as a sentence: its own message, or for the unforeseen a short number that the log repeats."""
    if isinstance(error, GridgisError):
        return plain(error.message(lang()))
    number = secrets.token_hex(3)
    _LOG.error("unforeseen error %s", number, exc_info=error)
    return say("pages.unforeseen", number=number)


def plain(text: str) -> str:
    r"""Text for a Streamlit call that reads Markdown, with nothing in it acting as markup.

    >>> plain("**a** [x](y) <b>")
    '\\*\\*a\\*\\* \\[x\\]\\(y\\) \\<b\\>'
    """
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-.!|~$:" else letter for letter in text)
