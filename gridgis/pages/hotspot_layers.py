"""The maps of the hot-spot page: one lattice as a picture between the water below and the borders above."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis import text
from gridgis.hotspots.emergence import EmergingResult
from gridgis.hotspots.moran_i import QUADRANTS
from gridgis.hotspots.patterns import PATTERNS
from gridgis.hotspots.significance import CLASSES
from gridgis.maps import Class, Field, LatticeValues, MapLayer, Style
from gridgis.maps.image import world_box
from gridgis.maps.spec import Bounds, degrees
from gridgis.maps.style import BOUNDARY
from gridgis.tasks.hotspot_views import CHANGES, Against, HotSpots
from gridgis.text import Lang, t

Floats = NDArray[np.float64]

# blue to red over near white: told apart with any kind of colour blindness, and light in the middle
_DIVERGING: Final = ("#2166AC", "#67A9CF", "#BFDCEB", "#E1E5E8", "#FBCDB5", "#EF8A62", "#B2182B")
_HEAT: Final = ("#FFF3C4", "#FEDB8A", "#FDB863", "#F58B45", "#DE5B2F", "#B2302C", "#74102A")
_QUADRANTS: Final = (("HH", "#B2182B"), ("LL", "#2166AC"), ("HL", "#F4A582"), ("LH", "#92C5DE"))
_CHANGE_COLOURS: Final = ("#8C6BB1", "#D55E00", "#1B9E9A")
_NEUTRAL: Final = "#E1E5E8"
# hot patterns warm, cold ones cool; by the key before `_hot` and `_cold`
_PATTERN_COLOURS: Final = {
    "new": ("#FF5A36", "#35C4E8"), "consecutive": ("#D7301F", "#1C9BD1"), "intensifying": ("#7F0000", "#08306B"),
    "persistent": ("#B2182B", "#2166AC"), "diminishing": ("#E08A79", "#7FA8D1"), "sporadic": ("#FDAE61", "#A6D5E8"),
    "oscillating": ("#F2D46B", "#B8DCCB"), "historical": ("#C7A58F", "#A9B8C6"),
}  # fmt: skip
_LEGEND: Final = 0.36
_OPACITY: Final = 0.78
_TOP: Final = 99.8


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a view lays on the map."""

    values: LatticeValues
    style: Style
    title: str
    popup: tuple[Field, ...]


def draw(view: str, spots: HotSpots, found: EmergingResult | None, before: Against | None, lang: Lang) -> Drawn:
    """What a view lays on the map; significance where a view has nothing to show."""
    if view == "density":
        return heat(spots, lang)
    if view == "moran":
        return quadrants(spots, lang)
    if view == "emerging" and found is not None:
        return over_time(spots, found, lang)
    if view == "change" and before is not None:
        return changes(spots, before, lang)
    return significance(spots, lang)


def layers(drawn: Sequence[Drawn], spots: HotSpots, lang: Lang, *, under: Sequence[MapLayer] = ()) -> list[MapLayer]:
    """A map from the ground up: what is under it, one or more views of which the last is shown, the area's borders."""
    shown = list(under)
    for number, one in enumerate(drawn, start=1):
        name = "hotspots" if len(drawn) == 1 else f"hotspots_{number}"
        shown.append(MapLayer(name, one.title, one.values, one.style, one.popup, visible=number == len(drawn)))
    if len(spots.territory):
        shown.append(MapLayer("borders", t("hotspage.layer_borders", lang), spots.territory, BOUNDARY, (), None))
    return shown


def opening(spots: HotSpots) -> Bounds | None:
    """West, south, east, north in degrees a map opens with: the cells, and beside them room for the legend."""
    whole = degrees(world_box(LatticeValues(spots.cells.lattice, spots.counts)))
    if whole is None:
        return None
    west, south, east, north = whole
    return west, south, east + _LEGEND * (east - west), north


def heat(spots: HotSpots, lang: Lang) -> Drawn:
    """Density in rounded steps; what is next to nothing stays transparent."""
    values = spots.heat.values
    breaks = steps(values)
    shown = np.where(values >= breaks[0], values, np.nan)
    labels = [_range(low, high) for low, high in itertools.pairwise(breaks)] + [f"≥ {_short(breaks[-1])}"]
    limits = [*breaks[1:], float("inf")]
    colours = _HEAT[-len(labels) :]
    classes = tuple(Class(label, colour, None, upper) for label, colour, upper in zip(labels, colours, limits, strict=True))
    style = Style(opacity=_OPACITY, width=0, column="density", kind="steps", classes=classes)
    title = t("hotspage.legend_density", lang)
    return Drawn(
        LatticeValues(spots.heat.lattice, shown), style, title, (Field("density", t("hotspage.popup_density", lang), 1),)
    )


def significance(spots: HotSpots, lang: Lang) -> Drawn:
    """The seven classes of Gi*."""
    labels = [(step.value, t(step.label, lang)) for step in reversed(CLASSES)]
    colours = dict(zip((step.value for step in CLASSES), _DIVERGING, strict=True))
    values = np.where(spots.cells.mask, spots.gi.klass.astype(float), np.nan)
    classes = tuple(Class(label, colours[value], float(value)) for value, label in labels)
    return _classes(spots, values, classes, "class", t("hotspage.legend_gi", lang), lang)


def quadrants(spots: HotSpots, lang: Lang) -> Drawn:
    """The quadrants of local Moran's I, where they are significant."""
    values = np.where(spots.cells.mask, spots.moran.klass.astype(float), np.nan)
    classes = [
        Class(t(f"hotspage.quadrant_{name.lower()}", lang), colour, float(QUADRANTS.index(name))) for name, colour in _QUADRANTS
    ]
    classes.append(Class(t("hotspage.quadrant_none", lang), _NEUTRAL, 0.0))
    return _classes(spots, values, tuple(classes), "quadrant", t("hotspage.legend_moran", lang), lang)


def over_time(spots: HotSpots, found: EmergingResult, lang: Lang) -> Drawn:
    """The patterns that occur, hot before cold, and the cells without one."""
    codes = np.where(spots.cells.mask, found.pattern.astype(float), np.nan)
    there = set(np.unique(codes[spots.cells.mask]).astype(int).tolist())
    order = sorted((pattern for pattern in PATTERNS if pattern.sign), key=lambda pattern: (-pattern.sign, pattern.code))
    classes = [
        Class(_capital(pattern.name(lang)), pattern_colour(pattern.key), float(pattern.code))
        for pattern in order
        if pattern.code in there
    ]
    classes.append(Class(_capital(PATTERNS[0].name(lang)), _NEUTRAL, 0.0))
    return _classes(spots, codes, tuple(classes), "pattern", t("hotspage.legend_emerging", lang), lang)


def changes(spots: HotSpots, before: Against, lang: Lang) -> Drawn:
    """What became of the hot spots since an earlier period."""
    values = np.where(spots.cells.mask, np.where(np.isnan(before.change), -1.0, before.change), np.nan)
    classes = [
        Class(t(f"hotspage.change_{name}", lang), colour, float(number))
        for number, (name, colour) in enumerate(zip(CHANGES, _CHANGE_COLOURS, strict=True))
    ]
    classes.append(Class(t("hotspage.change_none", lang), _NEUTRAL, -1.0))
    return _classes(spots, values, tuple(classes), "change", t("hotspage.legend_change", lang), lang)


def pattern_colour(key: str) -> str:
    """Colour of a pattern by its key.

    >>> pattern_colour("new_hot"), pattern_colour("none")
    ('#FF5A36', '#E1E5E8')
    """
    kind, _, side = key.rpartition("_")
    return _PATTERN_COLOURS[kind][0 if side == "hot" else 1] if kind in _PATTERN_COLOURS else _NEUTRAL


def steps(values: Floats, *, count: int = 7) -> list[float]:
    """Rising limits for a map of densities, each 1, 2 or 5 times a power of ten, up to near the densest.

    Each is about twice the one before, as densities are skewed; below the first the map shows nothing.

    >>> steps(np.array([0.0, 1.0, 50.0, 128.0]), count=4)
    [10.0, 20.0, 50.0, 100.0]
    """
    known = values[np.isfinite(values) & (values > 0)]
    top = 0.85 * float(np.percentile(known, _TOP)) if len(known) else 1.0
    power = int(np.floor(np.log10(top)))
    rising = [times * 10.0**exponent for exponent in range(power - count, power + 1) for times in (1, 2, 5)]
    return [float(f"{limit:.6g}") for limit in rising if limit <= top][-count:]


def _classes(spots: HotSpots, values: Floats, classes: tuple[Class, ...], column: str, title: str, lang: Lang) -> Drawn:
    style = Style(opacity=_OPACITY, width=0, column=column, kind="values", classes=classes)
    return Drawn(LatticeValues(spots.cells.lattice, values), style, title, (Field(column, t("hotspage.popup_class", lang)),))


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _range(low: float, high: float) -> str:
    return f"{_short(low)} – {_short(high)}"


def _short(value: float) -> str:
    """A rounded limit without needless decimals."""
    digits = 0 if value >= 1 else max(0, -int(np.floor(np.log10(value))))
    return text.number(value, digits=digits)
