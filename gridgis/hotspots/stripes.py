"""Work on a lattice's rows by plain threads, a stripe of rows each, told about and stoppable between stripes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent


def cores() -> int:
    """How many threads may run side by side: the cores this process may use.

    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_stripes(work: Callable[[int, int], None], rows: int, *, stage: str, progress: Progress = silent) -> None:
    """Call `work(first, end)` for stripes that together are all rows; `work` must give up the interpreter's lock to gain.

    A listener that raises stops the work after the stripes that are running.

    >>> seen = []
    >>> in_stripes(lambda first, end: seen.append((first, end)), 3, stage="progress.read")
    >>> sorted(seen)
    [(0, 1), (1, 2), (2, 3)]
    """
    threads = cores()
    size = max(1, rows // (16 * threads))
    stripes = [(first, min(first + size, rows)) for first in range(0, rows, size)]
    progress(stage, 0, len(stripes))
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, first, end) for first, end in stripes]
        try:
            for done, future in enumerate(futures, start=1):
                future.result()
                progress(stage, done, len(stripes))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def centres(lattice: Lattice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where cells' centres are: x of every column and y of every row, metres: multiples of half a metre, without rounding.

    >>> x, y = centres(Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547"))
    >>> x.tolist(), y.tolist()
    ([50.0, 150.0], [250.0, 150.0, 50.0])
    """
    x, _ = lattice.centre(np.zeros(lattice.columns, dtype=np.int64), np.arange(lattice.columns))
    _, y = lattice.centre(np.arange(lattice.rows), np.zeros(lattice.rows, dtype=np.int64))
    return x, y
