"""Where, when and how surely incidents concentrate: hot spots on a lattice and on any polygons."""

from gridgis.hotspots.auto import Choice, choose_band, choose_bandwidth, choose_cell
from gridgis.hotspots.band import Band, neighbour_count, window_sum
from gridgis.hotspots.cells import CellSet, cells_around, cells_within, count
from gridgis.hotspots.comparing import Comparison, compare, kappa, similarity_map
from gridgis.hotspots.emergence import EmergingResult, emerging
from gridgis.hotspots.getis_ord import LatticeResult, gi, gi_polygons, gi_star
from gridgis.hotspots.kernel_density import adaptive_density, density
from gridgis.hotspots.moran_i import QUADRANTS, Moran, MoranResult, moran, moran_polygons
from gridgis.hotspots.neighbours import Neighbours, nearest, touching, within_distance
from gridgis.hotspots.patterns import PATTERNS, Pattern
from gridgis.hotspots.points import Points, PointsReport, inside, read_points
from gridgis.hotspots.rating import Rates, rates
from gridgis.hotspots.rhythm import When, month_name, weekday_name, when
from gridgis.hotspots.risk import relative_risk
from gridgis.hotspots.scoring import Caught, Score, score
from gridgis.hotspots.significance import CLASSES, Step, classify, false_discovery, two_sided_p
from gridgis.hotspots.space_time import PERIODS, Cube, CubeReport, cube
from gridgis.hotspots.trend import Trend, mann_kendall, sen_slope

__all__ = [
    "CLASSES",
    "PATTERNS",
    "PERIODS",
    "QUADRANTS",
    "Band",
    "Caught",
    "CellSet",
    "Choice",
    "Comparison",
    "Cube",
    "CubeReport",
    "EmergingResult",
    "LatticeResult",
    "Moran",
    "MoranResult",
    "Neighbours",
    "Pattern",
    "Points",
    "PointsReport",
    "Rates",
    "Score",
    "Step",
    "Trend",
    "When",
    "adaptive_density",
    "cells_around",
    "cells_within",
    "choose_band",
    "choose_bandwidth",
    "choose_cell",
    "classify",
    "compare",
    "count",
    "cube",
    "density",
    "emerging",
    "false_discovery",
    "gi",
    "gi_polygons",
    "gi_star",
    "inside",
    "kappa",
    "mann_kendall",
    "month_name",
    "moran",
    "moran_polygons",
    "nearest",
    "neighbour_count",
    "rates",
    "read_points",
    "relative_risk",
    "score",
    "sen_slope",
    "similarity_map",
    "touching",
    "two_sided_p",
    "weekday_name",
    "when",
    "window_sum",
    "within_distance",
]
