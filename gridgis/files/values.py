"""Values as people type them — codes, numbers, words of a list — to what they mean, column-wise, with what cannot be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

_NOTHING: Final = frozenset(
    {"", "-", "--", "—", "——", "–", "/", "\\", "无", "null", "none", "nan", "n/a", "na", "<null>", "nil", "\\n"}
)
_NO_TEXT: Final = frozenset({"", "null", "NULL", "<Null>", "nan", "NaN"})
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_SCIENTIFIC: Final = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}")
_PLAIN_CODE: Final = re.compile(r"[0-9A-Za-z]{1,64}")
_POINT_ZERO: Final = re.compile(r"([0-9]+)\.0+")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"'+[=+\-@\t\r]")
# Floats hold every whole number up to here; of a longer code the last digits are lost.
_EXACT: Final = 2**53
_LONGEST_CODE: Final = 64

# What people write for the values of a list, folded.
_LEVEL_WORDS: Final = {
    "county": "县 区 区县 县区 市辖区 县级 县级市 district county",
    "town": "镇 乡 街道 乡镇 街镇 乡镇街道 乡级 镇级 街道办 街道办事处 township street subdistrict town",
    "village": "村 社区 行政村 村社区 村社 村级 居委会 村委会 community village",
}
_STATE_WORDS: Final = {
    "draft": "草稿 规划 未启用 拟定 draft",
    "valid": "有效 启用 已启用 运行 正常 在用 valid",
    "void": "作废 无效 停用 注销 撤销 void",
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        field: MappingProxyType({word: value for value, words in lists.items() for word in words.split()})
        for field, lists in (("level", _LEVEL_WORDS), ("state", _STATE_WORDS))
    }
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A column read."""

    column: pd.Series
    """On the column's index; null where there was nothing or nothing that could be read."""
    bad: Mapping[str, Bools]
    """Which rows could not be read, by reason; no reason without a row."""


def texts(values: pd.Series, *, escaped: bool = False) -> Parsed:
    """Plain text: outer blanks and control characters removed; `<b>` stays `<b>`.

    `escaped` takes off the apostrophe that keeps table programs from running =, +, - and @ as formulas.

    >>> texts(pd.Series([" <b>庙岭</b> ", None, 7])).column.tolist()
    ['<b>庙岭</b>', None, '7']
    """

    def one(value: Any) -> str | None:
        text = _plain(value)
        if text in _NO_TEXT:
            return None
        text = _CONTROL.sub("", text)
        return text[1:] if escaped and _ESCAPED.match(text) else text

    return Parsed(_each(values, one), {})


def codes(values: pd.Series) -> Parsed:
    """Codes as text: full-width digits folded, `420703.0` and numbers without fraction as digits.

    Reasons: `digits_lost` (a code a table program turned into 4.2E+11, or a number too long to be exact), `malformed`
    (blanks or control characters inside, over 64 characters).

    >>> parsed = codes(pd.Series(["４２０７", 420703102201.0, "4.20703E+11", "a b"], dtype=object))
    >>> parsed.column.tolist(), {reason: rows.tolist() for reason, rows in parsed.bad.items()}
    (['4207', '420703102201', None, None], {'digits_lost': [False, False, True, False], 'malformed': [False, False, False, True]})
    """
    lost: set[Any] = set()
    malformed: set[Any] = set()

    def one(value: Any) -> str | None:
        if isinstance(value, (float, np.floating)) and abs(float(value)) >= _EXACT:
            lost.add(value)
            return None
        text = _plain(value)
        if _SCIENTIFIC.fullmatch(text):
            lost.add(value)
            return None
        if _PLAIN_CODE.fullmatch(text):
            return None if text.casefold() in _NOTHING else text
        text = unicodedata.normalize("NFKC", text).strip().removeprefix("'")
        if text.casefold() in _NOTHING:
            return None
        whole = _POINT_ZERO.fullmatch(text)
        if whole:
            return whole[1]
        if any(sign.isspace() or not sign.isprintable() for sign in text) or len(text) > _LONGEST_CODE:
            malformed.add(value)
            return None
        return text

    read = _each(values, one)
    return Parsed(read, _reasons(values, {"digits_lost": lost, "malformed": malformed}))


def numbers(values: pd.Series, *, whole: bool = False) -> Parsed:
    """Numbers ≥ 0 as floats: `1,234` and full-width digits are read, `约300户` is not.

    Reasons: `no_number`, `negative`, `fraction` (with `whole`).

    >>> parsed = numbers(pd.Series(["1,234", "３５", "约300户", "-4", None]))
    >>> parsed.column.tolist(), sorted(parsed.bad)
    ([1234.0, 35.0, nan, nan, nan], ['negative', 'no_number'])
    """
    if pd.api.types.is_bool_dtype(values):
        return Parsed(pd.Series(np.nan, index=values.index), _some({"no_number": values.notna().to_numpy(dtype=bool)}))
    quick = pd.to_numeric(values, errors="coerce").astype(float)
    open_rows = quick.isna() & values.notna()
    unread: set[Any] = set()

    def one(value: Any) -> float:
        text = unicodedata.normalize("NFKC", str(value)).replace(" ", "").replace("\u2212", "-")
        if text.casefold() in _NOTHING:
            return np.nan
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        try:
            return float(text)
        except ValueError:
            unread.add(value)
            return np.nan

    if open_rows.any():
        quick = quick.copy()
        quick[open_rows] = _each(values[open_rows], one).astype(float)
    found = quick.to_numpy(copy=True)
    bad = {"no_number": _rows(values, unread) | np.isinf(found), "negative": found < 0}
    if whole:
        bad["fraction"] = np.isfinite(found) & (found >= 0) & (found != np.floor(found))
    for rows in bad.values():
        found[rows] = np.nan
    return Parsed(pd.Series(found, index=values.index), _some(bad))


def words(values: pd.Series, field: str, allowed: tuple[str, ...]) -> Parsed:
    """Values of a list, also by the Chinese words for them; reason `unknown_word`.

    >>> words(pd.Series(["街道", "village"]), "level", ("county", "town", "village")).column.tolist()
    ['town', 'village']
    """
    known = {word: word for word in allowed} | dict(WORDS.get(field, {}))
    unread: set[Any] = set()

    def one(value: Any) -> str | None:
        text = unicodedata.normalize("NFKC", str(value)).strip().casefold()
        if text in _NOTHING:
            return None
        if text not in known:
            unread.add(value)
        return known.get(text)

    return Parsed(_each(values, one), _reasons(values, {"unknown_word": unread}))


def _plain(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _each(values: pd.Series, one: Callable[[Any], Any]) -> pd.Series:
    """`one` of every value, computed once for equal ones; null stays null."""
    places, distinct = pd.factorize(values)
    results = np.empty(len(distinct) + 1, dtype=object)
    results[:-1] = [one(value) for value in distinct.tolist()]
    results[-1] = None
    return pd.Series(results[places], index=values.index, dtype=object)


def _rows(values: pd.Series, marked: set[Any]) -> Bools:
    return values.isin(list(marked)).to_numpy(dtype=bool) if marked else np.zeros(len(values), dtype=bool)


def _reasons(values: pd.Series, marked: Mapping[str, set[Any]]) -> dict[str, Bools]:
    return _some({reason: _rows(values, found) for reason, found in marked.items()})


def _some(bad: Mapping[str, Bools]) -> dict[str, Bools]:
    return {reason: rows for reason, rows in bad.items() if rows.any()}
