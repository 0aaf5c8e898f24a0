"""Who is whose neighbour among polygons: within a distance, touching, or the nearest few; the index is the identity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import sparse, spatial

from gridgis.crs import require_metric
from gridgis.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# as for the band of a lattice: a distance computed a hair too long still counts
_GRACE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The neighbours of every unit, itself not among them."""

    index: pd.Index
    """The units, unique."""
    starts: Ints
    """Shape (n + 1,): where each unit's neighbours begin in `others`, and the end."""
    others: Ints
    """Positions in `index`, ascending within a unit."""

    def sizes(self) -> Ints:
        """Number of neighbours of each unit, shape (n,)."""
        return np.diff(self.starts)

    def sums(self, values: Floats) -> Floats:
        """Sum of the neighbours' values for each unit, shape (n,); 0 for a unit without neighbours."""
        return np.asarray(self.matrix() @ values, dtype=np.float64)

    def matrix(self) -> sparse.csr_array:
        """The same as a sparse matrix of ones, shape (n, n)."""
        n = len(self.index)
        return sparse.csr_array((np.ones(len(self.others)), self.others, self.starts), shape=(n, n))

    def only(self, chosen: Mask) -> Neighbours:
        """The neighbours among the units for which a mask of shape (n,) is true."""
        kept = self.matrix()[chosen][:, chosen].tocsr()
        kept.sort_indices()
        return Neighbours(self.index[chosen], kept.indptr.astype(np.int64), kept.indices.astype(np.int64))

    def pairs(self) -> pd.DataFrame:
        """Every pair as a row, `unit` and `neighbour`, by index value."""
        first = np.repeat(np.arange(len(self.index)), self.sizes())
        return pd.DataFrame({"unit": self.index[first], "neighbour": self.index[self.others]})


def within_distance(frame: gpd.GeoDataFrame, *, band_m: float) -> Neighbours:
    """Units whose centroids lie within a distance of each other, metres, the limit included.

    >>> from gridgis import toy
    >>> within_distance(toy.grids(), band_m=130).pairs().to_numpy().tolist()
    [['G1', 'G2'], ['G2', 'G1'], ['G2', 'G3'], ['G3', 'G2']]
    """
    if not (math.isfinite(band_m) and band_m > 0):
        raise DataError("hotspots.band", band_m=band_m)
    pairs = spatial.cKDTree(_centroids(frame)).query_pairs(band_m * (1 + _GRACE), output_type="ndarray")
    return _made(frame.index, np.concatenate([pairs, pairs[:, ::-1]]))


def touching(frame: gpd.GeoDataFrame) -> Neighbours:
    """Units that share a point at least: a border, a corner, or ground where they overlap.

    >>> from gridgis import toy
    >>> touching(toy.grids()).sizes().tolist()
    [1, 2, 1]
    """
    _demand(frame)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    apart = first != second
    return _made(frame.index, np.column_stack([first[apart], second[apart]]))


def nearest(frame: gpd.GeoDataFrame, *, k: int) -> Neighbours:
    """The k units whose centroids are nearest to each unit's; of units equally far, those that stand first in the tree.

    A unit may be the neighbour of one that is not its own.

    >>> from gridgis import toy
    >>> nearest(toy.grids(), k=1).pairs().to_numpy().tolist()
    [['G1', 'G2'], ['G2', 'G1'], ['G3', 'G2']]
    """
    points = _centroids(frame)
    n = len(points)
    if not 1 <= k < n:
        raise DataError("hotspots.nearest", k=k, units=n)
    _, found = spatial.cKDTree(points).query(points, k=k + 1)
    own = np.arange(n)[:, None]
    others = found != own
    # where many centroids coincide a unit may not be among its own nearest: then the farthest found makes way
    others[others.all(axis=1), -1] = False
    return _made(frame.index, np.column_stack([np.repeat(np.arange(n), k), found[others]]))


def aligned(frame: gpd.GeoDataFrame, values: pd.Series, near: Neighbours) -> tuple[Neighbours, Floats, Mask]:
    """The neighbours among units that have a value, those values, and which units of the frame they are.

    >>> from gridgis import toy
    >>> near, x, there = aligned(toy.grids(), pd.Series({"G1": 1, "G3": 2}), touching(toy.grids()))
    >>> near.sizes().tolist(), x.tolist(), there.tolist()
    ([0, 0], [1.0, 2.0], [True, False, True])
    """
    if not near.index.equals(frame.index):
        raise DataError("hotspots.other_index")
    if not values.index.is_unique or len(unknown := values.index.difference(frame.index)):
        name = unknown[0] if values.index.is_unique else values.index[values.index.duplicated()][0]
        raise DataError("hotspots.values_index", unit=name)
    x = values.reindex(frame.index).to_numpy(dtype=np.float64)
    there = np.isfinite(x)
    return (near if there.all() else near.only(there)), x[there], there


def _made(index: pd.Index, pairs: NDArray[np.int64]) -> Neighbours:
    n = len(index)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    starts = np.concatenate([[0], np.cumsum(np.bincount(pairs[:, 0], minlength=n))])
    return Neighbours(index, starts.astype(np.int64), pairs[order, 1].astype(np.int64))


def _centroids(frame: gpd.GeoDataFrame) -> Floats:
    _demand(frame)
    middle = shapely.centroid(np.asarray(frame.geometry.array, dtype=object))
    return np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])


def _demand(frame: gpd.GeoDataFrame) -> None:
    require_metric(frame)
    shapes = frame.geometry
    empty = (shapes.isna() | shapes.is_empty).to_numpy()
    if empty.any():
        raise DataError("hotspots.no_shape", unit=frame.index[empty][0])
    if not frame.index.is_unique:
        raise DataError("hotspots.values_index", unit=frame.index[frame.index.duplicated()][0])
