"""New codes follow the pattern of those that are there, and none is given twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgis.redraw.numbering import next_code, next_name

VILLAGE = "420703102201"

CODES = {
    "one more than the largest, gaps stay gaps": (["G1", "G5", "G3"], (), "", "G6"),
    "in as many digits": ([f"{VILLAGE}G01", f"{VILLAGE}G02"], (), VILLAGE, f"{VILLAGE}G03"),
    "or one more when they are used up": (["G08", "G99"], (), "", "G100"),
    "and on from there": (["G08", "G100"], (), "", "G101"),
    "digits after the area's code": ([f"{VILLAGE}001", f"{VILLAGE}002"], (), VILLAGE, f"{VILLAGE}003"),
    "with an ending": (["1号", "2号"], (), "", "3号"),
    "the pattern of most": (["A1", "A2", "B7", "centre"], (), "", "A3"),
    "of equals the first": (["B7", "A2"], (), "", "A3"),
    "void and drafted codes are taken": (["G1", "G2"], ("G3", "G9"), "", "G10"),
    "those of another pattern are not": (["G1", "G2"], ("H3", "G3x", f"{VILLAGE}77"), "", "G3"),
    "nor a number far longer": (["G1", "G2"], ("G20120701",), "", "G3"),
    "without a pattern after the area": (["north", "south"], (), VILLAGE, f"{VILLAGE}G01"),
    "likewise an area without grids": ([], (f"{VILLAGE}G01", f"{VILLAGE}G02"), VILLAGE, f"{VILLAGE}G03"),
    "a code of an area is no number": (["420703102202"], (), VILLAGE, f"{VILLAGE}G01"),
    "without anything": ([], (), "", "G1"),
}


@pytest.mark.parametrize("case", CODES)
def test_the_next_code_is(case: str) -> None:
    codes, taken, area, expected = CODES[case]
    assert next_code(codes, taken=taken, area=area) == expected
    assert next_code(codes[::-1], taken=taken, area=area) == expected


NAMES = {
    "the pattern of most, with the code's number": (["安城01网格", "安城02网格", "老街"], "G13", "安城13网格"),
    "the number goes on when the name is there": (["Grid 1", "Grid 4"], "G4", "Grid 5"),
    "without a pattern the code": (["Li's", "Wang's", None], "G4", "G4"),
    "a code without a number is its own name": (["Grid 1"], "centre", "centre"),
    "as narrow as they come": (["Grid 1", "Grid 12"], "G3", "Grid 3"),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_next_name_is(case: str) -> None:
    names, code, expected = NAMES[case]
    assert next_name(names, code) == expected


codes = st.lists(st.text("GH0123456789号 ", min_size=1, max_size=16), max_size=8)


@given(codes, codes, st.sampled_from(["", VILLAGE]))
def test_a_code_is_never_given_twice(here: list[str], taken: list[str], area: str) -> None:
    given_: list[str] = []
    for _ in range(4):
        code = next_code([*here, *given_], taken=frozenset(taken), area=area)
        assert code
        assert code not in {*here, *taken, *given_}
        assert next_name(here, code) not in {name for name in here if name != code}
        given_.append(code)
