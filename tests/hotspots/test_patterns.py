"""The table of patterns: the shortest series for each row, a plain reading of the definitions beside it, and the words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gridgis.errors import DataError
from gridgis.hotspots.patterns import BY_KEY, PATTERNS, classify
from gridgis.text import LANGS

# key of the kind -> a short series of significant periods of the hot pattern, and the trend of its values
SHORTEST = {
    "new": ("..........H", 0),
    "consecutive": (".........HH", 0),
    "intensifying": (".HHHHHHHHHH", 1),
    "persistent": ("HHHHH.HHHHH", 0),
    "diminishing": ("HHHHHHHHHHH", -1),
    "sporadic": ("..H.......H", 0),
    "oscillating": ("..H.C.....H", 0),
    "historical": ("HHHHHHHHHH.", 0),
}
MARKS = {"H": 1, ".": 0, "C": -1}


def marks(series: str) -> list[int]:
    return [MARKS[letter] for letter in series]


def one(series: list[int], trend: int) -> str:
    return PATTERNS[int(classify(series, trend))].key


@pytest.mark.parametrize("pattern", PATTERNS[1:], ids=lambda pattern: pattern.key)
def test_the_shortest_series_of_each_pattern(pattern: object) -> None:
    kind, side = pattern.key.split("_")  # type: ignore[attr-defined]
    series, trend = SHORTEST[kind]
    sign = 1 if side == "hot" else -1
    assert one([sign * mark for mark in marks(series)], sign * trend) == pattern.key  # type: ignore[attr-defined]


def test_there_are_seventeen_and_each_is_its_place_in_the_table() -> None:
    assert len(PATTERNS) == len(BY_KEY) == 17
    assert [pattern.code for pattern in PATTERNS] == list(range(17))
    assert {key.split("_")[0] for key in BY_KEY} == {*SHORTEST, "none"}
    assert sum(pattern.sign for pattern in PATTERNS) == 0


@pytest.mark.parametrize("lang", LANGS)
def test_every_pattern_has_a_name_and_a_definition_of_its_own(lang: str) -> None:
    for words in ([p.name(lang) for p in PATTERNS], [p.definition(lang) for p in PATTERNS]):  # type: ignore[arg-type]
        assert len(set(words)) == 17


def reading(series: tuple[int, ...], trend: int) -> str:
    """The definitions read one after the other, in plain steps, as a person would."""
    for kind in SHORTEST:
        for name, sign in (("hot", 1), ("cold", -1)):
            own = [mark == sign for mark in series]
            other = any(mark == -sign for mark in series)
            share = sum(own) / len(own)
            run = len(list(itertools.takewhile(bool, reversed(own))))
            earlier = any(own[: len(own) - run])
            now, grows = own[-1], trend * sign
            holds = {
                "new": now and not any(own[:-1]) and share < 0.9 and not other,
                "consecutive": run >= 2 and not earlier and share < 0.9 and not other,
                "intensifying": share >= 0.9 and now and grows > 0,
                "persistent": share >= 0.9 and now and grows == 0,
                "diminishing": share >= 0.9 and now and grows < 0,
                "sporadic": now and share < 0.9 and earlier and not other,
                "oscillating": now and share < 0.9 and other,
                "historical": not now and share >= 0.9,
            }
            if holds[kind]:
                return f"{kind}_{name}"
    return "none"


def test_every_series_of_seven_periods_gets_the_pattern_a_plain_reading_gives() -> None:
    every = np.array(list(itertools.product((-1, 0, 1), repeat=7)), dtype=np.int8)
    for trend in (-1, 0, 1):
        codes = classify(every.T, np.full(len(every), trend))
        assert [PATTERNS[code].key for code in codes] == [reading(tuple(row), trend) for row in every.tolist()]


def test_ninety_percent_is_nine_of_ten_to_the_letter() -> None:
    assert one(marks(".HHHHHHHHH"), 0) == "persistent_hot"  # 9 of 10
    assert one(marks("..HHHHHHHHHHHHHHHHH"), 0) == "consecutive_hot"  # 17 of 19 = 89.5 %
    assert one(marks("HHHHHHHHH."), 0) == "historical_hot"
    assert one(marks("HHHHHHHH.."), 0) == "none"


def test_where_two_definitions_fit_the_one_that_says_more_of_the_end_wins() -> None:
    assert one(marks("..C.......H"), 0) == "oscillating_hot"  # never hot before, as a new spot
    assert one(marks("..CC.....HH"), 0) == "oscillating_hot"  # one run, as a consecutive spot
    assert one(marks("HHHHHHHHHC"), -1) == "oscillating_cold"  # hot nine times of ten and no longer, as a historical spot


def test_a_final_period_without_significance_makes_no_pattern_but_the_historical() -> None:
    for series in itertools.product((-1, 0, 1), repeat=5):
        assert one([*series, 0], 1) in {"none", "historical_hot", "historical_cold"}


def test_shapes_are_kept_and_must_fit() -> None:
    codes = classify(np.zeros((4, 2, 3), dtype=np.int8), np.zeros((2, 3)))
    assert codes.shape == (2, 3)
    assert codes.dtype == np.int8
    with pytest.raises(DataError, match="one trend for every series"):
        classify(np.zeros((4, 2)), np.zeros(3))
    with pytest.raises(DataError, match="no period"):
        classify(np.zeros((0, 2)), np.zeros(2))
