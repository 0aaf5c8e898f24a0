"""The one error of redrawing: which rule an operation would break, for which grids, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from shapely.geometry.base import BaseGeometry

from gridgis.errors import DataError


class Refused(DataError):
    """An operation was refused and nothing changed.

    Parameters
    ----------
    key
        Name of the message, `redraw.` and the rule.
    codes
        The grids concerned.
    place
        Where, in the workspace's CRS, to zoom to; None where there is no such place.
    **values
        What fills the message's placeholders.

    Examples
    --------
    >>> error = Refused("redraw.unknown_grid", codes=("G9",), code="G9", area="420000100")
    >>> error.rule, error.codes
    ('unknown_grid', ('G9',))
    """

    def __init__(self, key: str, /, *, codes: Iterable[str] = (), place: BaseGeometry | None = None, **values: object) -> None:
        super().__init__(key, **values)
        self.codes = tuple(codes)
        self.place = place

    @property
    def rule(self) -> str:
        """Name of the rule, the same in every language."""
        return self.key.split(".", 1)[1]

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north of the place in the workspace's CRS; None where there is none."""
        if self.place is None or self.place.is_empty:
            return None
        west, south, east, north = self.place.bounds
        return west, south, east, north

    def __reduce__(self) -> tuple[object, ...]:
        # see GridgisError: keyword values do not survive the default pickling
        return (_rebuild, (self.key, self.codes, self.place, self.values))


def _rebuild(key: str, codes: tuple[str, ...], place: BaseGeometry | None, values: dict[str, object]) -> Refused:
    return Refused(key, codes=codes, place=place, **values)
