"""A packed R-tree as rows of SQLite's shadow tables, built in numpy instead of row by row.

SQLite's R*Tree keeps a tree in three ordinary tables: `_node` (number, blob), `_rowid` (row, its leaf) and `_parent`
(node, its parent). A node's blob is two bytes of tree depth (in the root; big-endian as all else), two bytes of cell
count, then cells of an 8-byte id and four 32-bit floats (minx, maxx, miny, maxy); the root is node 1. The boxes are
packed sort-tile-recursively: slices by x, then runs by y, each run one full leaf. Minima are rounded down and maxima
up, so that a rounded box always contains the true one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_CELLS: Final = 51
_CELL: Final = np.dtype([("id", ">i8"), ("box", ">f4", 4)])
_HEAD: Final = 4

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PackedTree:
    """A finished tree, ready to be inserted."""

    nodes: npt.NDArray[np.uint8]
    """Blobs, one a row; row 0 is node 1, the root."""
    rows: Ids
    """Row numbers, ascending."""
    leaves: Ids
    """Node number of each row's leaf, in the order of `rows`."""
    parents: Ids
    """Parent's node number of the nodes 2, 3, …"""

    def node_rows(self) -> Iterator[tuple[int, bytes]]:
        """(number, blob) of every node."""
        for number, blob in enumerate(self.nodes, start=1):
            yield number, blob.tobytes()

    def rowid_rows(self) -> Iterator[tuple[int, int]]:
        """(row, leaf) of every row."""
        return zip(self.rows.tolist(), self.leaves.tolist(), strict=True)

    def parent_rows(self) -> Iterator[tuple[int, int]]:
        """(node, parent) of every node but the root."""
        return zip(range(2, len(self.nodes) + 1), self.parents.tolist(), strict=True)


def node_size(page_size: int) -> int:
    """Bytes of a node in a database of that page size, as SQLite computes it for two dimensions.

    >>> node_size(4096), node_size(512)
    (1228, 448)
    """
    return min(page_size - 64, _HEAD + _CELL.itemsize * MAX_CELLS)


def outward(boxes: npt.NDArray[np.float64]) -> Floats:
    """Boxes (n x 4: minx, miny, maxx, maxy) as 32-bit floats in the tree's order (minx, maxx, miny, maxy), never smaller.

    >>> outward(np.array([[0.1, 0.1, 0.1, 0.1]]))[0].astype(float) - 0.1 < 0
    array([ True, False,  True, False])
    """
    exact = boxes[:, [0, 2, 1, 3]]
    near = exact.astype(np.float32)
    low = near > exact
    high = near < exact
    low[:, [1, 3]] = False
    high[:, [0, 2]] = False
    near[low] = np.nextafter(near[low], np.float32(-np.inf))
    near[high] = np.nextafter(near[high], np.float32(np.inf))
    return near


def pack(ids: Ids, boxes: Floats, *, page_size: int = 4096) -> PackedTree:
    """A packed tree over boxes in the tree's order (n x 4, minx, maxx, miny, maxy); no box gives an empty root.

    Parameters
    ----------
    ids
        Row numbers, one a box, unique.
    boxes
        32-bit boxes, see `outward`.
    page_size
        The database's page size: it sets the size of a node.

    Examples
    --------
    >>> tree = pack(np.arange(1, 101), outward(np.tile([[0.0, 0.0, 1.0, 1.0]], (100, 1))))
    >>> tree.nodes.shape, tree.parents.tolist()
    ((3, 1228), [1, 1])
    """
    size = node_size(page_size)
    capacity = (size - _HEAD) // _CELL.itemsize
    order = _tile_order(boxes, capacity)
    levels: list[tuple[Ids, Floats]] = [(ids[order], boxes[order])]
    # upper levels keep the order of the leaves: neighbours in the order are neighbours on the ground
    while (count := math.ceil(len(levels[-1][0]) / capacity)) > 1:
        levels.append((np.arange(count, dtype=np.int64), _unions(levels[-1][1], capacity, count)))
    # numbers: the root is 1, each level follows the one above it
    counts = [max(1, math.ceil(len(level[0]) / capacity)) for level in levels]
    first = np.cumsum([1, *counts[::-1]])[:-1][::-1]
    blobs = [
        _blobs(cells if depth == 0 else cells + first[depth - 1], rects, capacity, size)
        for depth, (cells, rects) in enumerate(levels)
    ]
    nodes = np.concatenate(blobs[::-1])
    nodes[0, 0:2] = np.frombuffer((len(levels) - 1).to_bytes(2, "big"), dtype=np.uint8)
    parents = [np.arange(counts[depth]) // capacity + first[depth + 1] for depth in range(len(levels) - 1)]
    leaf = np.arange(len(ids)) // capacity + first[0]
    by_row = np.argsort(ids[order])
    return PackedTree(
        nodes=nodes,
        rows=ids[order][by_row],
        leaves=leaf[by_row],
        parents=np.concatenate(parents[::-1]) if parents else np.empty(0, dtype=np.int64),
    )


def root_box(blob: bytes) -> tuple[float, float, float, float] | None:
    """The box (minx, miny, maxx, maxy) around all cells of a node, None if it has none.

    >>> root_box(bytes(1228)) is None
    True
    """
    count = int.from_bytes(blob[2:4], "big")
    if count == 0:
        return None
    rects = np.frombuffer(blob, dtype=_CELL, count=count, offset=_HEAD)["box"]
    low, high = rects.min(axis=0), rects.max(axis=0)
    return float(low[0]), float(low[2]), float(high[1]), float(high[3])


def leaf_cells(blobs: Sequence[bytes]) -> tuple[Ids, npt.NDArray[np.float64]]:
    """Rows, ascending, and their boxes (n x 4: minx, miny, maxx, maxy) from the blobs of all leaves of a tree.

    >>> tree = pack(np.array([7, 5]), outward(np.array([[0.0, 0, 1, 1], [2, 2, 3, 3]])))
    >>> ids, boxes = leaf_cells([blob for _, blob in tree.node_rows()])
    >>> ids.tolist(), boxes[0].tolist()
    ([5, 7], [2.0, 2.0, 3.0, 3.0])
    """
    if not blobs:
        return np.empty(0, dtype=np.int64), np.empty((0, 4))
    size = len(blobs[0])  # all nodes of a tree are of one size, which the page size decides
    nodes = np.frombuffer(b"".join(blobs), dtype=np.uint8).reshape(-1, size)
    capacity = (size - _HEAD) // _CELL.itemsize
    counts = np.ascontiguousarray(nodes[:, 2:4]).view(">u2").ravel()
    cells = np.ascontiguousarray(nodes[:, _HEAD : _HEAD + capacity * _CELL.itemsize]).view(_CELL).reshape(-1, capacity)
    used = cells[np.arange(capacity) < counts[:, None]]
    order = np.argsort(used["id"], kind="stable")
    return used["id"][order].astype(np.int64), used["box"][order][:, [0, 2, 1, 3]].astype(np.float64)


def _tile_order(boxes: Floats, capacity: int) -> npt.NDArray[np.int64]:
    count = len(boxes)
    x = boxes[:, 0].astype(np.float64) + boxes[:, 1]
    y = boxes[:, 2].astype(np.float64) + boxes[:, 3]
    leaves = max(1, math.ceil(count / capacity))
    per_slice = math.ceil(math.sqrt(leaves)) * capacity
    by_x = np.argsort(x, kind="stable")
    tile = np.empty(count, dtype=np.int64)
    tile[by_x] = np.arange(count) // per_slice
    order: npt.NDArray[np.int64] = np.lexsort((y, tile))
    return order


def _unions(rects: Floats, capacity: int, count: int) -> Floats:
    starts = np.arange(count) * capacity
    low = np.minimum.reduceat(rects, starts, axis=0)
    high = np.maximum.reduceat(rects, starts, axis=0)
    low[:, [1, 3]] = high[:, [1, 3]]
    return low


def _blobs(ids: Ids, rects: Floats, capacity: int, size: int) -> npt.NDArray[np.uint8]:
    count = max(1, math.ceil(len(ids) / capacity))
    cells: npt.NDArray[Any] = np.zeros(count * capacity, dtype=_CELL)
    cells["id"][: len(ids)] = ids
    cells["box"][: len(ids)] = rects
    nodes = np.zeros((count, size), dtype=np.uint8)
    filled = np.full(count, capacity, dtype=">u2")
    filled[-1] = len(ids) - (count - 1) * capacity
    nodes[:, 2:4] = filled.view(np.uint8).reshape(count, 2)
    nodes[:, _HEAD : _HEAD + capacity * _CELL.itemsize] = cells.view(np.uint8).reshape(count, capacity * _CELL.itemsize)
    return nodes
