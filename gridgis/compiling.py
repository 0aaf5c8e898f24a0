"""Loops that numpy cannot say, compiled by numba when first called; the packages that have such loops share this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compile a loop and keep the machine code on disk; where no folder can be written, compile it anew in each process.

    >>> compiled(lambda a: a + 1)(1)
    2
    """
    try:
        return cast("Loop", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba found no folder it may keep code in
        return cast("Loop", numba.njit(nogil=True)(function))
