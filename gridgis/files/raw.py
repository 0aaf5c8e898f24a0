"""What a file holds before anybody asks what it means: rows as they stand, with the number the user sees next to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import geopandas as gpd
import pandas as pd
import pyproj

from gridgis.text import Lang, t


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader did or assumed, which the user should know: a message key and what fills it."""

    key: str
    facts: dict[str, Any] = field(default_factory=dict)

    def message(self, lang: Lang) -> str:
        """The note in a language.

        >>> Note("files.note_encoding", {"file": "a.csv", "encoding": "gb18030"}).message("en")
        'a.csv was read as gb18030.'
        """
        return t(self.key, lang, **self.facts)


@dataclass(frozen=True, slots=True)
class Raw:
    """The rows of one layer of one file."""

    frame: pd.DataFrame
    """Columns with their headings and values as they stand; no geometry. Its index is the row number the user sees: in
    a table program for tables (the first row is 1), the feature id QGIS shows for layers."""
    shapes: gpd.GeoSeries | None
    """Geometry on the same index, with the CRS the file declares (or none); None for a table."""
    file: str
    """The file's name, without its folder."""
    layer: str | None
    """The layer or sheet that was read, where the file has several."""
    numbered: Literal["row", "feature"]
    """What the index counts."""
    notes: tuple[Note, ...] = ()
    escaped: bool = False
    """Whether texts may carry the apostrophe that keeps table programs from running them."""

    @property
    def crs(self) -> pyproj.CRS | None:
        """The CRS the file declares."""
        return None if self.shapes is None else self.shapes.crs

    def noting(self, key: str, /, **values: object) -> Raw:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, Note(key, values)))
