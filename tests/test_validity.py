"""Why a polygon is none, in both languages: every known reason of the geometry library, and what is not known yet."""

from __future__ import annotations

import pickle

import pytest
import shapely

from gridgis.text import LANGS, Phrase, t
from gridgis.validity import why_invalid, why_no_polygon

SQUARE = [(0, 0), (100, 0), (100, 100), (0, 100)]


def ring(west: float, south: float, size: float) -> list[tuple[float, float]]:
    return [(west, south), (west + size, south), (west + size, south + size), (west, south + size)]


BROKEN = {
    "crosses": shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)]),
    "touches": shapely.Polygon([(0, 0), (100, 0), (100, 100), (50, 0.0), (0, 100)]),
    "hole_outside": shapely.Polygon(SQUARE, [ring(200, 0, 10)]),
    "holes_nested": shapely.Polygon(SQUARE, [ring(10, 10, 50), ring(20, 20, 10)]),
    "cut_apart": shapely.Polygon(SQUARE, [[(0, 50), (50, 40), (100, 50), (50, 60)]]),
    "parts_nested": shapely.MultiPolygon([shapely.Polygon(SQUARE), shapely.Polygon(ring(10, 10, 5))]),
    "no_number": shapely.Polygon([(0, 0), (float("inf"), 0), (1, 1)]),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_known_reason_is_said_in_both_languages_and_never_in_the_librarys_words(reason: str) -> None:
    found = why_invalid(BROKEN[reason])
    raw = shapely.is_valid_reason(BROKEN[reason]).split("[")[0]
    assert found.key == f"validity.{reason}", raw
    for lang in LANGS:
        assert raw not in found.said(lang)
        assert found.said(lang)


def test_the_place_is_told_to_the_millimetre() -> None:
    bow_tie = shapely.Polygon([(500000.1234567, 0), (500001, 1), (500001, 0), (500000.1234567, 1)])
    assert str(why_invalid(bow_tie)) == "the line crosses itself at 500000.562, 0.5"


def test_an_unknown_reason_keeps_the_librarys_words() -> None:
    assert why_no_polygon(ValueError("something new")).said("zh") == "something new"


def test_rings_of_too_few_points_are_told_as_such() -> None:
    with pytest.raises(ValueError, match="at least 4") as error:
        shapely.Polygon([(0, 0), (1, 1)])
    assert why_no_polygon(error.value).said("zh") == "有环的点数不足四个（含与起点相同的终点）"


def test_a_phrase_in_a_message_follows_the_messages_language_and_survives_a_process_border() -> None:
    why = pickle.loads(pickle.dumps(Phrase("validity.too_few", {})))
    assert "fewer than four" in t("redraw.polygon_broken", "en", reason=why)
    assert "不足四个" in t("redraw.polygon_broken", "zh", reason=why)
