"""What can go wrong, said so that a user knows what, which record, and what to do next.

An error names a message of the catalogues and the values in it, so that the same exception reads in the log's English
and in the user's language: `str(error)` is English, `error.message("zh")` Chinese.
"""

from __future__ import annotations

from gridgis.text import Lang, Phrase, t


class GridgisError(Exception):
    """Base of every error a user can meet.

    Parameters
    ----------
    key
        Name of the message in the catalogues, such as `"crs.missing"`.
    **values
        What fills the message's placeholders: the offending values, names and places.

    Examples
    --------
    >>> CrsError("crs.missing", layer="areas").message("zh")
    '图层 areas 没有坐标参考系，无法确定位置。请用 --crs 指定，例如 --crs EPSG:4490。'
    """

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values

    def message(self, lang: Lang) -> str:
        """The message in a language."""
        return t(self.key, lang, **self.values)

    @property
    def phrase(self) -> Phrase:
        """The message as a value that fills a placeholder of another one."""
        return Phrase(self.key, self.values)

    def __str__(self) -> str:
        return self.message("en")

    def __reduce__(self) -> tuple[object, ...]:
        # keyword values do not survive the default pickling, and errors cross process and cluster borders
        return (_rebuild, (type(self), self.key, self.values))


def _rebuild(kind: type[GridgisError], key: str, values: dict[str, object]) -> GridgisError:
    return kind(key, **values)


class CrsError(GridgisError, ValueError):
    """A coordinate reference system is missing, unknown, mixed, or cannot measure."""


class DataError(GridgisError, ValueError):
    """Input data breaks a rule: the message names the file or layer, the record and the remedy."""


class WorkspaceError(GridgisError, OSError):
    """A workspace cannot be opened, read or written as asked; it was left as it was."""

    # OSError formats its own arguments; ours speak through the catalogues
    __str__ = GridgisError.__str__


class ConflictError(WorkspaceError):
    """Somebody else is writing, or has changed the rows since they were read."""


class Cancelled(GridgisError):
    """The user stopped the work; nothing was changed."""

    def __init__(self, key: str = "general.cancelled", /, **values: object) -> None:
        super().__init__(key, **values)
