"""What a page asks to be drawn: a layer's data, look, legend and popup as one frozen value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd

from gridgis.lattice import Floats, Lattice
from gridgis.maps.style import PLAIN, Style

Where = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class LayerRef:
    """A layer of a workspace at one revision: read when it is drawn, and only where it is looked at."""

    url: str
    """The workspace."""
    layer: str
    """Name in `gridgis.layers`."""
    revision: int
    """`Workspace.revision` when the page was drawn: an older picture is never shown for a newer state."""
    as_of: dt.date | None = None
    """Date at which history layers are read; none for today's rows."""
    where: Where = ()
    """Pairs of column and value (or tuple of values) the rows must have."""


@dataclass(frozen=True, slots=True)
class LatticeValues:
    """One number per cell of a lattice: hot-spot scores, densities, counts."""

    lattice: Lattice
    """Where the cells are."""
    numbers: Floats
    """Shape (rows, columns), row 0 in the north; NaN where there is no value."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a popup."""

    column: str
    """Column whose value is shown; the index's name for the key."""
    heading: str
    """What stands before it, in the reader's language."""
    digits: int | None = None
    """Decimals of a number; none: whole numbers as they are, others with two."""
    unit: str = ""
    """What stands behind it, with its blank: `" m²"`."""
    share: bool = False
    """Whether the value is a share (0–1) shown as a percentage."""


@dataclass(frozen=True, slots=True, eq=False)
class MapLayer:
    """One layer of a map."""

    name: str
    """Identifies the layer within its map; stays the same between runs of a page."""
    title: str
    """What the legend calls it; plain text in the reader's language."""
    data: gpd.GeoDataFrame | LayerRef | LatticeValues
    """What is drawn; frames in any CRS, indexed by their key."""
    style: Style = PLAIN
    """The look, classes and legend."""
    popup: tuple[Field, ...] = ()
    """Lines of the popup a click opens; none: the layer does not answer to clicks."""
    label: str | None = None
    """Column shown beside the pointer; none for no label."""
    visible: bool = True
    """Whether it is on when the map opens; the reader can switch it."""


def matches(where: Where) -> Mapping[str, object]:
    """The `where` of a reference as `Workspace.read` takes it.

    >>> matches((("level", "village"), ("state", ("valid", "draft"))))
    {'level': 'village', 'state': ['valid', 'draft']}
    """
    return {column: list(value) if isinstance(value, tuple) else value for column, value in where}
