"""Codes of areas and cells: the table of rules, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgis.codes import RULES, cell_codes, level_of, malformed, parent_code
from gridgis.errors import DataError


def column(*codes: str | None) -> pd.Series[str]:
    return pd.Series(list(codes), dtype="object", index=[f"r{i}" for i in range(len(codes))])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.level)
def test_every_level_takes_digits_of_its_length_only(rule: object) -> None:
    digits, level = rule.digits, rule.level  # type: ignore[attr-defined]
    good = "420703102201007"[:digits]
    codes = column(good, good[:-1], good[:-1] + "x", good + " ", "０" * digits, "0" * digits, "", None)
    assert malformed(codes, level=level).tolist() == [False, True, True, True, True, True, True, True]
    assert level_of(column(good)).tolist() == [level]
    parent = parent_code(column(good)).iloc[0]
    assert parent == (good[: rule.parent_digits] or None)  # type: ignore[attr-defined]


def test_long_cell_codes_are_cells_of_the_village_they_start_with() -> None:
    codes = column("1101080270000001", "110108027000")
    assert level_of(codes).tolist() == ["cell", "village"]
    assert parent_code(codes).tolist() == ["110108027000", "110108027"]
    assert malformed(codes, level="village").tolist() == [True, False]
    assert malformed(codes).index.tolist() == ["r0", "r1"]


def test_cells_are_numbered_inside_their_area_in_the_order_given() -> None:
    villages = np.array(["420703102202", "420703102201"], dtype=object)
    codes = cell_codes(villages, np.array([0, 1, 1, 0, 0]))
    assert codes.tolist() == [
        "420703102202001", "420703102201001", "420703102201002", "420703102202002", "420703102202003",
    ]  # fmt: skip


def test_999_cells_fit_a_15_digit_code_and_1000_do_not() -> None:
    village = np.array(["420703102201", "420703102202"], dtype=object)
    assert cell_codes(village, np.zeros(999, dtype=np.int64))[-1] == "420703102201999"
    with pytest.raises(DataError) as error:
        cell_codes(village, np.repeat([0, 1], [1000, 1001]), names=np.array(["安城", "长林朱"], dtype=object))
    for message in (error.value.message("en"), error.value.message("zh")):
        assert "安城: 1,000" in message
        assert "长林朱: 1,001" in message
        assert "--cell-code long" in message
        assert "--cell-m" in message


def test_the_long_scheme_takes_the_digits_the_largest_village_needs() -> None:
    villages = np.array(["420703102201", "420703102202"], dtype=object)
    codes = cell_codes(villages, np.repeat([0, 1], [1000, 2]), scheme="long")
    assert codes[[0, 999, 1000]].tolist() == ["4207031022010001", "4207031022011000", "4207031022020001"]
    assert cell_codes(villages, np.array([0, 1]), scheme="long").tolist() == ["420703102201001", "420703102202001"]


def test_towns_are_filled_with_zeros_and_must_stay_apart() -> None:
    town = np.array(["420703102"], dtype=object)
    assert cell_codes(town, np.array([0])).tolist() == ["420703102000001"]
    both = np.array(["420703102", "420703102000"], dtype=object)
    with pytest.raises(DataError, match="420703102000 is used by 2"):
        cell_codes(both, np.array([0, 1]))


@pytest.mark.parametrize("scheme", ["15", "long"])
def test_codes_that_are_no_statistical_codes_are_named(scheme: str) -> None:
    with pytest.raises(DataError, match="63000010-002"):
        cell_codes(np.array(["420703102201", "63000010-002"], dtype=object), np.array([0, 1]), scheme=scheme)  # type: ignore[arg-type]


@given(st.lists(st.text("AB01-", max_size=4), min_size=1, max_size=6, unique=True), st.data())
def test_plain_codes_are_unique_and_lead_back_to_their_area(areas: list[str], data: st.DataObject) -> None:
    owner = data.draw(st.lists(st.integers(0, len(areas) - 1), max_size=40))
    codes = cell_codes(np.array(areas, dtype=object), np.array(owner, dtype=np.int64), scheme="plain")
    assert len(set(codes)) == len(owner)
    assert [code[:-6] for code in codes] == [areas[i] for i in owner]
