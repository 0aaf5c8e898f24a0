"""Which files are live workspaces: GDAL never opens one, and no output takes its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gridgis.errors import DataError, WorkspaceError

# tables that together are found in a workspace and hardly anywhere else
_MARKS = ("workspace", "change_log")


def is_workspace(path: Path) -> bool:
    """Whether a file is a gridgis workspace; a file that is no SQLite database, or none at all, is not.

    >>> is_workspace(Path("missing.gpkg"))
    False
    """
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            found = file.execute("SELECT count(*) FROM sqlite_master WHERE name IN (?, ?)", _MARKS).fetchone()
    except sqlite3.OperationalError as error:
        # it is a database, but cannot be looked into: better refuse than guess
        raise WorkspaceError("files.unreadable", file=path.name) from error
    except sqlite3.DatabaseError:
        return False
    return bool(found[0] == len(_MARKS))


def check_target(source: Path, target: Path) -> None:
    """Refuse to write a result over its own input, a folder or a workspace, or to anything but a GeoPackage.

    Raises
    ------
    DataError
        Naming the file and what to give instead.
    """
    if target.suffix.lower() != ".gpkg":
        raise DataError("files.target_not_gpkg", file=str(target))
    if target.is_dir() or (target.exists() and source.exists() and target.samefile(source)):
        raise DataError("files.target_is_input", file=str(target))
    refuse_workspace(target)


def refuse_workspace(target: Path) -> None:
    """Raise `DataError` if a file about to be replaced is a workspace."""
    if is_workspace(target):
        raise DataError("files.target_is_workspace", file=str(target))
