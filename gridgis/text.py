"""Text for users: message catalogues in Chinese and English, and numbers and dates written the way each reads them.

A message lives in `messages/<lang>/<group>.toml` and is asked for as `group.name`; both languages hold the same keys
with the same placeholders (a test compares them). English is the language of exceptions and logs.
"""

from __future__ import annotations

import datetime as dt
import locale
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib import resources
from string import Formatter
from typing import Any, Final, Literal, cast

Lang = Literal["zh", "en"]
LANGS: Final[tuple[Lang, ...]] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A message that fills a placeholder of another one, in that one's language; `str` gives the English.

    >>> t("crs.missing", "zh", layer=Phrase("general.yes", {}))[:4]
    '图层 是'
    """

    key: str
    """Name of the message."""
    values: Mapping[str, object]
    """What fills its placeholders."""

    def said(self, lang: Lang) -> str:
        """The phrase in a language."""
        return t(self.key, lang, **self.values)

    def __str__(self) -> str:
        return self.said("en")


class _Words(Formatter):
    """Placeholders of messages: as `str.format` has them, and `|one|many` to choose a word by a number."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec.startswith("|"):
            return str(super().format_field(value, format_spec))
        one, many = format_spec[1:].split("|")
        return one if str(value) == "1" else many


_WORDS: Final = _Words()


@cache
def catalogue(lang: Lang) -> Mapping[str, str]:
    """Every message of a language, keyed `group.name`.

    >>> catalogue("en").keys() == catalogue("zh").keys()
    True
    """
    messages: dict[str, str] = {}
    folder = resources.files("gridgis") / "messages" / lang
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            group = file.name.removesuffix(".toml")
            for name, message in tomllib.loads(file.read_text(encoding="utf-8")).items():
                messages[f"{group}.{name}"] = message
    return messages


def t(key: str, lang: Lang, /, **values: object) -> str:
    """The message `key` in a language, its placeholders filled from `values`.

    Raises `KeyError` for an unknown key or a missing value: a gap in a catalogue is a defect, not a blank.

    A placeholder `{rows:|row|rows}` is the first word where `rows` is 1 and the second one otherwise, for languages that
    tell them apart. A value that is a `Phrase` is said in the same language.

    >>> t("general.yes", "zh"), t("general.yes", "en")
    ('是', 'yes')
    """
    told = {name: value.said(lang) if isinstance(value, Phrase) else value for name, value in values.items()}
    return _WORDS.vformat(catalogue(lang)[key], (), told)


def pick_lang(wish: str | None = None) -> Lang:
    """The language to speak: `wish` if it is one, else the locale's, else Chinese.

    >>> pick_lang("en-GB")
    'en'
    """
    for candidate in (
        wish,
        os.environ.get("GRIDGIS_LANG"),
        os.environ.get("LC_ALL"),
        os.environ.get("LANG"),
        locale.getlocale()[0],
    ):
        if candidate and candidate[:2].lower() in LANGS:
            return cast("Lang", candidate[:2].lower())
    return "zh"


def number(value: float | None, *, digits: int = 0) -> str:
    """A number with thousands separators, rounded half up as in reports; "–" where there is none.

    >>> number(14624), number(2.675, digits=2), number(None)
    ('14,624', '2.68', '–')
    """
    if value is None or value != value:  # NaN is the one number unequal to itself
        return "–"
    quantum = Decimal(1).scaleb(-digits)
    return f"{Decimal(repr(float(value))).quantize(quantum, ROUND_HALF_UP):,}"


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share (0–1) as a percentage, rounded half up; "–" where there is none (never 0 %).

    >>> percent(0.4355), percent(None)
    ('43.6 %', '–')
    """
    if share is None or share != share:
        return "–"
    return f"{round_percent(share, digits=digits):,.{digits}f} %"


def round_percent(share: float, *, digits: int = 1) -> float:
    """A share (0–1) as percent, rounded half up to `digits`.

    >>> round_percent(0.48205)
    48.2
    """
    exact = Decimal(repr(float(share))) * 100
    return float(exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def day(date: dt.date | None, lang: Lang) -> str:
    """A date as a report in that language writes it.

    >>> day(dt.date(2012, 12, 31), "zh"), day(dt.date(2012, 12, 31), "en")
    ('2012年12月31日', '31 December 2012')
    """
    if date is None:
        return "–"
    if lang == "zh":
        return f"{date.year}年{date.month}月{date.day}日"
    months = ("January", "February", "March", "April", "May", "June",
              "July", "August", "September", "October", "November", "December")  # fmt: skip
    return f"{date.day} {months[date.month - 1]} {date.year}"
