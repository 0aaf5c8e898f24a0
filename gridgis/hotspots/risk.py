"""Relative risk: where incidents are more, or fewer, than people or all incidents there let expect."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridgis.errors import DataError
from gridgis.hotspots.kernel_density import M2_PER_KM2, Kernel, density, weighted
from gridgis.hotspots.kernel_mass import Area
from gridgis.hotspots.kernels_density import Floats
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

# A kernel's height at 0 is 1 / (this · h²): it smooths as a flat disc of this area would.
_EFFECTIVE: Final = {"quartic": math.pi / 3, "gaussian": 2 * math.pi}


def relative_risk(
    incidents_xy: ArrayLike,
    population_xy: ArrayLike,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    kernel: Kernel = "quartic",
    weights: ArrayLike | None = None,
    population_weights: ArrayLike | None = None,
    scale: Literal["log", "ratio"] = "log",
    least: float = 5.0,
    area: Area | None = None,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
) -> Floats:
    """The density of incidents over that of a population, each as a share of its total; 0 (log) or 1 (ratio) is the average.

    1. risk = (f / Σ weights) / (g / Σ population weights), f and g by `density` with one bandwidth; the sums are over all
       points given. Log: its natural logarithm. J. F. Bithell, Statistics in Medicine 9 (1990), 691–701; J. E. Kelsall and
       P. J. Diggle, Statistics in Medicine 14 (1995), 2335–2342.
    2. The correction at an area's boundary is the same for f and g and cancels out.
    3. A cell has no value where g rests on too few: fewer than `least` of the population under the kernel, that is
       g / K(0) < `least`, the number that would give the same g all in the cell's centre.

    Parameters
    ----------
    incidents_xy, population_xy
        x and y in the lattice's CRS, shape (n, 2) and (m, 2): incidents, and people, households or all incidents.
    lattice, bandwidth_m, kernel, mask, progress
        As for `density`.
    weights, population_weights
        What each point counts for; None: 1 each. Residents of a building are its population weight.
    scale
        `log` or `ratio`.
    least
        For rule 3, in units of the population weights.
    area
        Polygons; cells with less than 1 % of the kernel inside have no value.

    Returns
    -------
    ndarray
        Shape (rows, columns). NaN outside the mask and where rule 3 forbids a value; where people are and no incident is
        within reach the ratio is 0 and its logarithm −inf.

    Raises
    ------
    DataError
        As for `density`; if there is no population at all.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> people = [(50, 50)] * 10 + [(150, 50)] * 30
    >>> burgled = [(50, 50), (50, 50), (150, 50), (150, 50)]
    >>> relative_risk(burgled, people, lattice=lattice, bandwidth_m=50, scale="ratio").round(3).tolist()
    [[2.0, 0.667, nan]]
    """
    incidents, population = weighted(incidents_xy, weights), weighted(population_xy, population_weights)
    total = float(population.weight.sum())
    if total == 0:
        raise DataError("density.no_population")
    above = density(
        incidents_xy,
        lattice=lattice, bandwidth_m=bandwidth_m, kernel=kernel, weights=weights, mask=mask,
        area=area, edge=False, progress=progress,
    )  # fmt: skip
    below = density(
        population_xy,
        lattice=lattice, bandwidth_m=bandwidth_m, kernel=kernel, weights=population_weights, mask=mask, progress=progress,
    )  # fmt: skip
    number = below * (_EFFECTIVE[kernel] * bandwidth_m**2 / M2_PER_KM2)
    enough = (number >= least * (1 - 1e-9)) & (below > 0)
    share = float(incidents.weight.sum()) / total
    risk = np.full(lattice.shape, np.nan)
    if share > 0:
        np.divide(above, below * share, out=risk, where=enough)
    if scale == "ratio":
        return risk
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(risk))
