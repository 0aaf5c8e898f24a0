"""Where, when and how surely incidents concentrate: hot spots on a lattice and on any polygons."""

from gridgis.hotspots.band import Band, neighbour_count, window_sum
from gridgis.hotspots.cells import CellSet, cells_around, cells_within, count
from gridgis.hotspots.points import Points, PointsReport, inside, read_points
from gridgis.hotspots.significance import CLASSES, Step, classify, false_discovery, two_sided_p

__all__ = [
    "CLASSES",
    "Band",
    "CellSet",
    "Points",
    "PointsReport",
    "Step",
    "cells_around",
    "cells_within",
    "classify",
    "count",
    "false_discovery",
    "inside",
    "neighbour_count",
    "read_points",
    "two_sided_p",
    "window_sum",
]
