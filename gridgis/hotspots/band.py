"""The distance band around a cell, and sums over it: a disc of cells is a stack of runs, each a difference of running sums."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.progress import Progress, silent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# distances are compared with this much grace, so that a band of √2 cells reaches the diagonal neighbour
_GRACE: Final = 1e-9
# below this many cells a second thread costs more than it brings
_SMALL: Final = 60_000
# a block of rows also reads the rows its band reaches: it should be some times taller
_BLOCK_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class Band:
    """The cells whose centres lie within a distance of a cell's centre, itself included."""

    cell_m: int
    """Side of a cell, whole metres."""
    band_m: float
    """Distance between centres, metres, the limit included; more than 0."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.band_m) and self.band_m > 0 and self.cell_m > 0):
            raise DataError("hotspots.band", band_m=self.band_m)

    @property
    def reach(self) -> int:
        """Rows the band reaches above and below.

        >>> Band(100, 250.0).reach
        2
        """
        return int(self.band_m * (1 + _GRACE) // self.cell_m)

    @property
    def halves(self) -> Ints:
        """Columns the band reaches to either side, per row from `-reach` to `reach`: shape (2·reach + 1,).

        >>> Band(100, 250.0).halves.tolist()
        [1, 2, 2, 2, 1]
        """
        steps = np.arange(-self.reach, self.reach + 1, dtype=np.float64) * self.cell_m
        wide = np.sqrt(np.maximum((self.band_m * (1 + _GRACE)) ** 2 - steps**2, 0.0))
        return (wide // self.cell_m).astype(np.int64)

    @property
    def size(self) -> int:
        """Number of cells in the whole band, itself included.

        >>> Band(100, 100.0).size, Band(100, 2**0.5 * 100).size
        (5, 9)
        """
        return int((2 * self.halves + 1).sum())

    def offsets(self) -> tuple[Ints, Ints]:
        """Rows and columns from a cell to the cells of its band, in reading order, itself included.

        >>> rows, columns = Band(100, 100.0).offsets()
        >>> rows.tolist(), columns.tolist()
        ([-1, 0, 0, 0, 1], [0, -1, 0, 1, 0])
        """
        halves = self.halves
        rows = np.repeat(np.arange(-self.reach, self.reach + 1), 2 * halves + 1)
        columns = np.concatenate([np.arange(-half, half + 1) for half in halves])
        return rows.astype(np.int64), columns.astype(np.int64)


def window_sum(values: NDArray[Any], mask: Mask, band: Band, *, progress: Progress = silent) -> Floats:
    """The sum of the values of each cell's neighbours within the band, itself included; shape (rows, columns).

    Exact for whole numbers up to 2⁵³. Cells outside the mask have no value, whatever the array holds there, and get 0.
    Work: cells × rows of the band, whatever its width.

    Parameters
    ----------
    values
        Shape (rows, columns), numbers; finite inside the mask.
    mask
        Which cells there are.
    band
        Who is whose neighbour.

    Examples
    --------
    >>> window_sum(np.array([[1, 2, 4]]), np.array([[True, True, False]]), Band(100, 100.0)).tolist()
    [[3.0, 3.0, 0.0]]
    """
    return window(values, mask, band, progress=progress)[0]


def neighbour_count(mask: Mask, band: Band) -> NDArray[np.int32]:
    """How many cells lie in each cell's band, itself included; 0 outside the mask.

    >>> neighbour_count(np.array([[True, True, False]]), Band(100, 100.0)).tolist()
    [[2, 2, 0]]
    """
    return window(np.broadcast_to(np.float64(0), mask.shape), mask, band)[1]


def window(
    values: NDArray[Any], mask: Mask, band: Band, *, shift: float = 0.0, progress: Progress = silent
) -> tuple[Floats, NDArray[np.int32]]:
    """Sums of (value − shift) over each cell's band, and the numbers of cells in it.

    >>> sums, cells = window(np.array([[1, 2, 4]]), np.ones((1, 3), bool), Band(100, 100.0), shift=1.0)
    >>> sums.tolist(), cells.tolist()
    ([[1.0, 4.0, 4.0]], [[2, 3, 2]])
    """
    from gridgis.hotspots import kernels

    checked, mask = field(values, mask), own(mask)
    sums, cells = np.empty(mask.shape), np.empty(mask.shape, np.int32)
    halves = band.halves

    def work(first: int, last: int) -> None:
        kernels.window_rows(checked, mask, shift, halves, sums, cells, first, last)

    in_blocks(work, mask.shape, reach=band.reach, progress=progress)
    return sums, cells


def field(values: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """Values as an array of floats of the mask's shape; float32 stays, so that a large field is not copied.

    >>> field(np.array([[1, 2]]), np.ones((1, 2), bool)).dtype
    dtype('float64')
    """
    if values.shape != mask.shape:
        raise DataError("hotspots.shape", found=_shape(values.shape), wanted=_shape(mask.shape))
    kept = values.dtype in (np.float32, np.float64)
    return own(values if kept else values.astype(np.float64))


def own(values: NDArray[Any]) -> NDArray[Any]:
    """The array in one piece and open to writing, a copy if need be: for any other kind numba would compile its loops anew.

    >>> own(np.broadcast_to(1.0, (2, 2))).flags.writeable
    True
    """
    return np.require(values, requirements=["C", "W"])


def processors() -> int:
    """How many processors this process may use, 1 at least.

    >>> processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_blocks(work: Callable[[int, int], None], shape: tuple[int, int], *, reach: int = 0, progress: Progress = silent) -> None:
    """Call `work(first, last)` for blocks of rows that together are all rows, on every processor; the order is open.

    >>> done = []
    >>> in_blocks(lambda first, last: done.append((first, last)), (3, 4))
    >>> done
    [(0, 3)]
    """
    rows, columns = shape
    threads = processors()
    if threads == 1 or rows * columns < _SMALL:
        work(0, rows)
        progress("hotspots.stage_sums", rows, rows)
        return
    tall = max(_BLOCK_ROWS, 4 * reach)
    tall = min(tall, max(-(-rows // threads), 1)) if rows < threads * tall else tall
    with ThreadPoolExecutor(threads) as pool:
        futures = {pool.submit(work, first, min(first + tall, rows)): first for first in range(0, rows, tall)}
        done = 0
        try:
            for future in as_completed(futures):
                future.result()
                done += min(tall, rows - futures[future])
                progress("hotspots.stage_sums", done, rows)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
