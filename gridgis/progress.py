"""How long work tells how far it is, and learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A caller's listener: called now and then with the stage, what is done and how much there is.

    `stage` is a message key (`"progress.cut_cells"`); `done` ≤ `total`. To cancel, the listener raises
    `gridgis.errors.Cancelled`: it travels up through the work, whose transaction then leaves no trace.
    """

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """The listener that does not listen: the default everywhere.

    >>> silent("progress.read", 1, 2)
    """
