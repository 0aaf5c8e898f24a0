"""Work and reach on foot: the walking network, times from place to place, service gaps, streets by zone, daily patrol rounds."""

from gridgis.reach.gaps import beyond, gap_ground, shares
from gridgis.reach.network import Network, attach, walk_network
from gridgis.reach.patrol import Rounds, patrol_rounds
from gridgis.reach.streets import divide, street_metres
from gridgis.reach.times import Times, time_matrix

__all__ = [
    "Network",
    "Rounds",
    "Times",
    "attach",
    "beyond",
    "divide",
    "gap_ground",
    "patrol_rounds",
    "shares",
    "street_metres",
    "time_matrix",
    "walk_network",
]
