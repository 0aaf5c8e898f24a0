"""Codes of areas and unit cells: their rules as a table, checked and made for whole columns at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.errors import DataError

Level = Literal["county", "town", "village", "cell"]


@dataclass(frozen=True, slots=True)
class CodeRule:
    """How the code of one level is written: digits only, its parent's code first."""

    level: Level
    digits: int
    """Length of the code."""
    parent_digits: int
    """Length of the parent's code, which the code starts with; 0 where there is none here."""


# Statistical codes: 6 county + 3 town or street + 3 village or community; a unit cell adds 3 of its own.
RULES: Final[tuple[CodeRule, ...]] = (
    CodeRule("county", 6, 0),
    CodeRule("town", 9, 6),
    CodeRule("village", 12, 9),
    CodeRule("cell", 15, 12),
)
VILLAGE_DIGITS: Final = 12
CELL_DIGITS: Final = 15
LARGEST_SEQUENCE: Final = 999
CellCode = Literal["15", "long", "plain"]
_SHORTEST_PLAIN: Final = 6


def rule(level: Level) -> CodeRule:
    """The rule of a level.

    >>> rule("village").digits
    12
    """
    return next(rule for rule in RULES if rule.level == level)


def malformed(codes: pd.Series[str], *, level: Level | None = None) -> pd.Series[bool]:
    """Which codes are not written as the rule wants: digits only, of the level's length, not all zero.

    A 12-digit code ending in 000 (a town or street padded to a village's length) is well-formed. Longer codes of the
    `long` scheme count as cells.

    Parameters
    ----------
    codes
        Text; null is malformed.
    level
        The level all of them are of; None for any of the table's lengths.

    Returns
    -------
    Series
        Of bool, named `malformed`, on the index of `codes`.

    Examples
    --------
    >>> malformed(pd.Series(["420703102201", "42070310220", "4207031022O1", None]), level="village").tolist()
    [False, True, True, True]
    """
    text = codes.astype("object")
    lengths = [r.digits for r in RULES if level is None or r.level == level]
    long_too = level in (None, "cell")
    pattern = re.compile("|".join(f"[0-9]{{{n}}}" for n in lengths) + (r"|[0-9]{16,24}" if long_too else ""))
    well = [isinstance(code, str) and bool(pattern.fullmatch(code)) and code.strip("0") != "" for code in text]
    return pd.Series(~np.array(well, dtype=bool), index=codes.index, name="malformed")


def parent_code(codes: pd.Series[str]) -> pd.Series[str]:
    """The code each code starts with: a cell's village, a village's town, a town's county.

    Parameters
    ----------
    codes
        Well-formed or not.

    Returns
    -------
    Series
        Named `parent_code`, on the same index; null for a county and for a malformed code.

    Examples
    --------
    >>> parent_code(pd.Series(["420703102201007", "420703102201", "420703102", "420703"])).tolist()
    ['420703102201', '420703102', '420703', None]
    """
    bad = malformed(codes)
    cut = {r.digits: r.parent_digits for r in RULES}
    parents = [
        None if wrong or not cut.get(len(code), VILLAGE_DIGITS) else code[: cut.get(len(code), VILLAGE_DIGITS)]
        for code, wrong in zip(codes, bad, strict=True)
    ]
    return pd.Series(parents, index=codes.index, name="parent_code", dtype="object")


def level_of(codes: pd.Series[str]) -> pd.Series[str]:
    """The level a code's length speaks of: county, town, village or cell; null where it is malformed.

    >>> level_of(pd.Series(["420703", "420703102201", "x"])).tolist()
    ['county', 'village', None]
    """
    bad = malformed(codes)
    by_length = {r.digits: r.level for r in RULES}
    levels = [None if wrong else by_length.get(len(code), "cell") for code, wrong in zip(codes, bad, strict=True)]
    return pd.Series(levels, index=codes.index, name="level", dtype="object")


def cell_codes(
    area_codes: NDArray[np.object_],
    area: NDArray[np.int64],
    *,
    scheme: CellCode = "15",
    names: NDArray[np.object_] | None = None,
) -> NDArray[np.object_]:
    """Codes of cells: the code of each cell's area, then its number among that area's cells.

    Parameters
    ----------
    area_codes
        Shape (k,), text, unique. The 9 or 6 digits of a town or county are filled with zeros to 12, as in the statistical
        code, unless the scheme is `"plain"`.
    area
        Shape (n,): position in `area_codes` of every cell's area; cells of an area are numbered 1, 2, … as they stand.
    scheme
        `"15"`: 12 digits and three more, at most 999 cells in an area. `"long"`: 12 digits and as many more as the
        largest area needs, three at least. `"plain"`: the area's code whatever it is, and as many digits as the largest
        area needs, six at least.
    names
        Shape (k,): what messages call the areas; their codes if not given.

    Returns
    -------
    array
        Shape (n,), text, unique.

    Raises
    ------
    DataError
        If a code is not digits as said (`"15"`, `"long"`), or an area has more than 999 cells (`"15"`); it names them.

    Examples
    --------
    >>> codes = np.array(["420703102201", "420703102202"], dtype=object)
    >>> cell_codes(codes, np.array([0, 1, 0])).tolist()
    ['420703102201001', '420703102202001', '420703102201002']
    >>> cell_codes(np.array(["420703102"], dtype=object), np.array([0])).tolist()
    ['420703102000001']
    >>> cell_codes(np.array([""], dtype=object), np.array([0, 0]), scheme="plain").tolist()
    ['000001', '000002']
    """
    called = area_codes if names is None else names
    prefixes = area_codes
    if scheme != "plain":
        levels = level_of(pd.Series(area_codes, dtype="object"))
        bad = ~levels.isin(["county", "town", "village"]).to_numpy()
        if bad.any():
            raise DataError("codes.not_twelve", codes=listed(called[bad]))
        prefixes = np.array([code.ljust(VILLAGE_DIGITS, "0") for code in area_codes], dtype=object)
        values, times = np.unique(prefixes.astype(str), return_counts=True)
        if (times > 1).any():
            raise DataError("codes.duplicate", code=str(values[times > 1][0]), count=int(times.max()))
    counts = np.bincount(area, minlength=len(area_codes))
    largest = int(counts.max(initial=0))
    if scheme == "15" and largest > LARGEST_SEQUENCE:
        many = np.flatnonzero(counts > LARGEST_SEQUENCE)
        many = many[np.argsort(-counts[many], kind="stable")]
        pairs = np.array([f"{called[i]}: {counts[i]:,}" for i in many], dtype=object)
        raise DataError("codes.too_many", areas=listed(pairs), number=len(many), limit=LARGEST_SEQUENCE)
    width = max(_SHORTEST_PLAIN if scheme == "plain" else CELL_DIGITS - VILLAGE_DIGITS, len(str(largest)))
    order = np.argsort(area, kind="stable")
    first = np.cumsum(counts) - counts
    sequence = np.empty(len(area), dtype=np.int64)
    sequence[order] = np.arange(len(area)) - first[area[order]]
    digits = np.array([f"{number:0{width}}" for number in range(1, largest + 1)], dtype=object)
    return np.asarray(prefixes[area] + digits[sequence], dtype=object)


def listed(values: NDArray[np.object_] | NDArray[np.str_], *, most: int = 5) -> str:
    """Values for a message: the first few, and how many more there are.

    >>> listed(np.array(["a", "b", "c"]), most=2)
    'a; b … (+1)'
    """
    shown = "; ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} … (+{len(values) - most})"
