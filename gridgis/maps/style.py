"""How a layer looks: colours that colour-blind readers tell apart, classes of a column, and their legend."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridgis.errors import DataError

Kind = Literal["values", "steps"]

# Okabe and Ito's eight, without black and in an order whose neighbours differ most; safe for all three kinds of colour blindness
CATEGORIES: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800")
# Light to dark in lightness too, so that they survive grey print; even steps of viridis-like blue-green and of orange
SEQUENTIAL: Final[Mapping[str, tuple[str, ...]]] = {
    "blue": ("#D9E8EF", "#AFD1DF", "#7BB2C9", "#418FB0", "#16658A", "#0B3F5E"),
    "orange": ("#FCE6CB", "#F9CD9B", "#F2A862", "#DB7A30", "#AD5213", "#74330A"),
    "diverging": ("#8C510A", "#D8B365", "#F6E8C3", "#C7EAE5", "#5AB4AC", "#01665E"),
}
NO_DATA: Final = "#D5D9DC"
INK: Final = "#33434E"
NONE: Final = 255
"""The class of a row that fits none."""

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_MAX_CLASSES: Final = 64


def check_colour(colour: str) -> None:
    """Raise `DataError` unless `colour` is written `#RRGGBB`: colours go into files and style sheets as they are."""
    if not _COLOUR.fullmatch(colour):
        raise DataError("maps.bad_colour", colour=colour)


@dataclass(frozen=True, slots=True)
class Class:
    """One line of a legend: the rows it takes in and their colour."""

    label: str
    """What the legend says; plain text in the reader's language."""
    colour: str
    """`#RRGGBB`."""
    value: object = None
    """The value of a category; unused in steps."""
    upper: float = float("inf")
    """Upper end of a step, excluded; the last step takes everything above."""

    def __post_init__(self) -> None:
        check_colour(self.colour)


@dataclass(frozen=True, slots=True)
class Style:
    """The look of one layer; without `column`, all rows look alike."""

    fill: str = "#418FB0"
    """Colour of areas and points, `#RRGGBB`."""
    opacity: float = 0.55
    """Opacity of fills, 0 (outline only) to 1."""
    line: str = INK
    """Colour of outlines and lines."""
    width: float = 1.0
    """Width of outlines and lines, screen pixels; 0 for none."""
    radius: float = 4.0
    """Radius of points, screen pixels."""
    column: str | None = None
    """Column whose value picks the class."""
    kind: Kind = "values"
    """Whether classes are categories of `column` or steps of a number."""
    classes: tuple[Class, ...] = ()
    """Classes in the order of the legend; a row that fits none is drawn as no data."""
    no_data: str | None = None
    """Legend text for rows without a class; none when there cannot be any."""

    def __post_init__(self) -> None:
        for colour in (self.fill, self.line):
            check_colour(colour)
        if len(self.classes) > _MAX_CLASSES:
            raise DataError("maps.too_many_classes", count=len(self.classes), limit=_MAX_CLASSES)

    @property
    def colours(self) -> tuple[str, ...]:
        """Fill colour of every class; of the one look where there are no classes."""
        return tuple(entry.colour for entry in self.classes) or (self.fill,)

    def colour_of(self, number: int) -> str:
        """Fill colour of a class number as `classify` gives it.

        >>> Style(fill="#112233").colour_of(0), Style().colour_of(255)
        ('#112233', '#D5D9DC')
        """
        return self.colours[number] if number < len(self.colours) else NO_DATA


PLAIN: Final = Style()
BOUNDARY: Final = Style(fill="#FFFFFF", opacity=0.0, line="#5B6B75", width=1.6)
ROADS: Final = Style(line="#B9AE9C", width=1.4, opacity=0.9)
WATER: Final = Style(fill="#A9CBE0", line="#8DB6D0", width=1.0, opacity=0.75)
BUILDINGS: Final = Style(fill="#A79F96", line="#8C857D", width=0.5, opacity=0.7)
BLIND: Final = Style(fill="#D55E00", line="#A34700", width=1.0, opacity=0.6)


def categories(
    column: str,
    labels: Mapping[object, str],
    *,
    colours: Sequence[str] = CATEGORIES,
    base: Style | None = None,
    no_data: str | None = None,
) -> Style:
    """A style by category: one colour per value of `column`, in the order of `labels` (value → legend text).

    More values than colours repeat them. Raises `DataError` for a colour that is none.

    >>> style = categories("state", {"valid": "Valid", "draft": "Draft"})
    >>> [(entry.label, entry.colour) for entry in style.classes]
    [('Valid', '#0072B2'), ('Draft', '#E69F00')]
    """
    classes = tuple(
        Class(label=label, colour=colours[number % len(colours)], value=value)
        for number, (value, label) in enumerate(labels.items())
    )
    return replace(base or Style(), column=column, kind="values", classes=classes, no_data=no_data)


def steps(
    column: str,
    breaks: Sequence[float],
    labels: Sequence[str],
    *,
    palette: Literal["blue", "orange", "diverging"] = "blue",
    base: Style | None = None,
    no_data: str | None = None,
) -> Style:
    """A style by steps of a number: below the first break, between breaks (lower end included), from the last on.

    Parameters
    ----------
    column
        A number column.
    breaks
        Rising limits, one fewer than `labels`.
    labels
        Legend text of every step, at most six.

    Raises
    ------
    DataError
        If breaks do not rise or do not fit the labels.

    Examples
    --------
    >>> style = steps("share", [0.25, 0.5], ["low", "middle", "high"])
    >>> import pandas as pd
    >>> classify(pd.Series([0.1, 0.25, 0.9, None], name="share").to_frame(), style).tolist()
    [0, 1, 2, 255]
    """
    colours = SEQUENTIAL[palette]
    rising = all(low < high for low, high in itertools.pairwise(breaks))
    if len(labels) != len(breaks) + 1 or not rising or not 1 <= len(labels) <= len(colours):
        raise DataError("maps.bad_steps", breaks=", ".join(f"{value:g}" for value in breaks), labels=len(labels))
    picked = [colours[round(place)] for place in np.linspace(0, len(colours) - 1, max(len(labels), 2))][: len(labels)]
    limits = [*map(float, breaks), float("inf")]
    classes = tuple(Class(label, colour, None, upper) for label, colour, upper in zip(labels, picked, limits, strict=True))
    return replace(base or Style(opacity=0.75), column=column, kind="steps", classes=classes, no_data=no_data)


def classify(frame: gpd.GeoDataFrame | pd.DataFrame, style: Style) -> NDArray[np.uint8]:
    """Class number of every row, shape (rows,); 255 for none (a null, an unknown category, a column that is not there).

    >>> from gridgis import toy
    >>> classify(toy.grids(), categories("station", {"S1": "West"})).tolist()
    [0, 0, 255]
    """
    if not style.classes or style.column is None:
        return np.zeros(len(frame), dtype=np.uint8)
    if style.column not in frame.columns:
        return np.full(len(frame), NONE, dtype=np.uint8)
    column = frame[style.column]
    numbers = np.full(len(frame), NONE, dtype=np.uint8)
    if style.kind == "steps":
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(values)
        limits = np.array([entry.upper for entry in style.classes[:-1]])
        numbers[known] = np.searchsorted(limits, values[known], side="right")
        return numbers
    for number, entry in enumerate(style.classes):
        numbers[(column == entry.value).fillna(False).to_numpy(dtype=bool)] = number
    return numbers


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green, blue, 0–255 each.

    >>> rgb("#0072B2")
    (0, 114, 178)
    """
    check_colour(colour)
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
