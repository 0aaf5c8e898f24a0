"""Codes and names of new grids, after the pattern of those that are there; a code once given is never given again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

_NUMBERED: Final = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)
_PLAIN_DIGITS: Final = 12


def next_code(codes: Iterable[str], *, taken: Collection[str] = frozenset(), area: str = "") -> str:
    """The next free code of an area.

    1. The pattern is that of most codes of the area (void and drafted ones count when there are no others): a beginning, a
       number, an ending; codes of digits alone that begin with the area's code are numbered after it.
    2. The next code has one more than the largest number of that pattern, among `codes` and `taken`, in as many digits.
    3. Without a pattern it is the area's code with G01, G02, …

    Parameters
    ----------
    codes
        Of the area's grids.
    taken
        All other codes that were ever given or are drafted.
    area
        Code of the area.

    Examples
    --------
    >>> next_code(["420703102201G01", "420703102201G02"], taken={"420703102201G12"}), next_code(["G1", "G2", "G3"])
    ('420703102201G13', 'G4')
    >>> next_code([], area="420703102201")
    '420703102201G01'
    """
    own = list(codes)
    used = {*own, *taken}
    split = [_parts(code, area) for code in own]
    patterns = Counter((part[0], part[2]) for part in split if part)
    if not patterns:
        beginning, ending, width = f"{area}G" if area else "G", "", 2 if area else 1
    else:
        (beginning, ending), _ = min(patterns.items(), key=lambda item: (-item[1], item[0]))
        width = max(len(part[1]) for part in split if part and (part[0], part[2]) == (beginning, ending))
    numbers = [
        int(code[len(beginning) : len(code) - len(ending)])
        for code in used
        if code.startswith(beginning) and code.endswith(ending)
        and code[len(beginning) : len(code) - len(ending)].isdecimal()
        and len(code) - len(beginning) - len(ending) <= width + 1
    ]  # fmt: skip
    number = max(numbers, default=0) + 1
    while (code := f"{beginning}{number:0{width}d}{ending}") in used:
        number += 1
    return code


def next_name(names: Iterable[object], code: str, *, area: str = "") -> str:
    """A name for a new grid: the pattern of most names, with the number of its code; else the code itself.

    >>> next_name(["安城01网格", "安城02网格"], "420703102201G13"), next_name(["Li's", "Wang's"], "G4")
    ('安城13网格', 'G4')
    """
    given = [str(name) for name in names if isinstance(name, str) and name]
    split = [match.groups() for name in given if (match := _NUMBERED.match(name))]
    number = _parts(code, area)
    if not split or number is None:
        return code
    patterns = Counter((part[0], part[2]) for part in split)
    (beginning, ending), _ = min(patterns.items(), key=lambda item: (-item[1], item[0]))
    width = min(len(part[1]) for part in split if (part[0], part[2]) == (beginning, ending))
    value = int(number[1])
    while (name := f"{beginning}{value:0{width}d}{ending}") in given:
        value += 1
    return name


def _parts(code: str, area: str) -> tuple[str, str, str] | None:
    if area and code.startswith(area) and code != area and code[len(area) :].isdecimal():
        return area, code[len(area) :], ""
    # the number is the last one; a long run of digits is no number of a grid but a code of an area
    match = re.match(r"^(.*\D|)(\d+)(\D*)$", code, re.DOTALL)
    if match is None or len(match[2]) >= _PLAIN_DIGITS:
        return None
    return match[1], match[2], match[3]
