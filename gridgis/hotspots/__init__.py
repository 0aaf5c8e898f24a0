"""Where, when and how surely incidents concentrate: hot spots on a lattice and on any polygons."""

from gridgis.hotspots.band import Band, neighbour_count, window_sum
from gridgis.hotspots.cells import CellSet, cells_around, cells_within, count
from gridgis.hotspots.density import adaptive_density, density
from gridgis.hotspots.gi import LatticeResult, gi, gi_polygons, gi_star
from gridgis.hotspots.moran import QUADRANTS, Moran, MoranResult, moran, moran_polygons
from gridgis.hotspots.neighbours import Neighbours, nearest, touching, within_distance
from gridgis.hotspots.points import Points, PointsReport, inside, read_points
from gridgis.hotspots.relative_risk import relative_risk
from gridgis.hotspots.significance import CLASSES, Step, classify, false_discovery, two_sided_p

__all__ = [
    "CLASSES",
    "QUADRANTS",
    "Band",
    "CellSet",
    "LatticeResult",
    "Moran",
    "MoranResult",
    "Neighbours",
    "Points",
    "PointsReport",
    "Step",
    "adaptive_density",
    "cells_around",
    "cells_within",
    "classify",
    "count",
    "density",
    "false_discovery",
    "gi",
    "gi_polygons",
    "gi_star",
    "inside",
    "moran",
    "moran_polygons",
    "nearest",
    "neighbour_count",
    "read_points",
    "relative_risk",
    "touching",
    "two_sided_p",
    "window_sum",
    "within_distance",
]
