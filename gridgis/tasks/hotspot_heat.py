"""Density maps of incidents: per square kilometre in the period, or against residents, written as a GeoTIFF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.files.rasters_out import write_raster
from gridgis.hotspots.auto import Choice, Kernel, choose_bandwidth, choose_cell, given
from gridgis.hotspots.kernel_density import adaptive_density, density
from gridgis.hotspots.risk import relative_risk
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_bases import Base, population_points
from gridgis.tasks.hotspot_points import Incidents
from gridgis.tasks.hotspotting import Laid, area_m2, lay
from gridgis.text import Lang, number, t

Floats = NDArray[np.float64]

# cells of a density map may be finer than those of counts: a kernel is smooth
_FINER: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class HeatReport:
    """A density map and how it was made."""

    laid: Laid
    values: Floats
    """Shape (rows, columns); NaN: no value."""
    bandwidth: Choice
    kernel: Kernel
    adaptive: bool
    edge: bool
    """Whether values near the area's boundary are corrected."""
    base: Base | None
    """None: incidents per km²; else the logarithm of the risk relative to that base."""
    file: Path | None = None

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return "km-2" if self.base is None else "1"

    @property
    def reasons(self) -> tuple[Choice, ...]:
        """Why each parameter has its value."""
        return self.laid.cell, self.bandwidth

    def to_json(self) -> dict[str, Any]:
        """Cells, parameters, and the range of the values."""
        known = self.values[np.isfinite(self.values)]
        return {
            "method": "density",
            **self.laid.to_json(),
            "bandwidth_m": self.bandwidth.value,
            "kernel": self.kernel,
            "adaptive": self.adaptive,
            "edge_corrected": self.edge,
            "against": None if self.base is None else {"of": self.base.kind, "source": self.base.source, "scale": "log"},
            "unit": "incidents per km2 in the period" if self.base is None else "log of relative risk",
            "min": float(known.min()) if len(known) else None,
            "max": float(known.max()) if len(known) else None,
            "mean": float(known.mean()) if len(known) else None,
            "reasons": [choice.to_json() for choice in self.reasons],
            "file": None if self.file is None else str(self.file),
        }

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        told = self.to_json()
        key = "hotspot_tasks.heat_found" if self.base is None else "hotspot_tasks.risk_found"
        return t(
            key, lang, **{name: number(told[name], digits=2) for name in ("min", "max", "mean")}, points=number(self.laid.used)
        )

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Each parameter's reason."""
        return tuple(choice.message(lang) for choice in self.reasons)

    def write(self, file: str | Path, *, progress: Progress = silent) -> HeatReport:
        """The map as a Cloud-Optimised GeoTIFF with its parameters as tags; the report names the file.

        Raises
        ------
        DataError
            If the ending is not .tif.
        """
        path = Path(file)
        tags = {
            "bandwidth_m": f"{self.bandwidth.value:g}", "kernel": self.kernel, "adaptive": str(self.adaptive).lower(),
            "source": self.laid.incidents.source, "points_used": str(self.laid.used),
        }  # fmt: skip
        what = "incidents per km2" if self.base is None else "log relative risk"
        write_raster(
            path, self.values, lattice=self.laid.cells.lattice, description=what, unit=self.unit,
            synthetic=self.laid.incidents.synthetic, tags=tags, progress=progress,
        )  # fmt: skip
        return HeatReport(self.laid, self.values, self.bandwidth, self.kernel, self.adaptive, self.edge, self.base, path)


def heat(
    incidents: Incidents,
    *,
    cell_m: int | None = None,
    origin: tuple[float, float] | None = None,
    bandwidth_m: float | None = None,
    kernel: Literal["quartic", "gaussian"] = "quartic",
    adaptive: bool = False,
    edge: bool = True,
    against: Base | None = None,
    progress: Progress = silent,
) -> HeatReport:
    """Incidents per square kilometre in the period, at the centre of every cell (`gridgis.hotspots.density`).

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`; the period is theirs.
    cell_m
        Side of a cell; None: a tenth of the bandwidth, as a round number, but no more cells than `hotspots.choose_cell` allows.
    origin
        A point the lattice lines run through, whole metres.
    bandwidth_m
        Radius of the quartic kernel, σ of the Gaussian; None: `hotspots.choose_bandwidth` chooses.
    kernel, adaptive, edge
        As for `density` and `adaptive_density` (quartic only).
    against
        A base from `hotspot_bases`: the map is then the logarithm of the risk relative to it; 0 is the average.

    Raises
    ------
    DataError
        If adaptive kernels are asked for with a Gaussian or against a base.
    """
    if adaptive and (kernel != "quartic" or against is not None):
        raise DataError("hotspot_tasks.adaptive")
    points = incidents.points
    width = given("bandwidth_m", bandwidth_m) if bandwidth_m is not None else choose_bandwidth(points.x, points.y, kernel=kernel)
    cell = None if cell_m is not None else choose_cell(
        points.x, points.y, area_m2=area_m2(incidents), smooth_m=width.value * _FINER
    )  # fmt: skip
    laid = lay(incidents, cell_m=cell_m, origin=origin, choice=cell)
    xy = np.column_stack([points.x, points.y])
    lattice, mask = laid.cells.lattice, laid.cells.mask
    corrected = edge and incidents.area is not None
    if against is not None:
        people, number_of = population_points(against, laid.cells)
        values = relative_risk(
            xy, people, lattice=lattice, bandwidth_m=width.value, kernel=kernel, weights=points.weight,
            population_weights=number_of, area=incidents.area, mask=mask, progress=progress,
        )  # fmt: skip
    elif adaptive:
        values = adaptive_density(
            xy, lattice=lattice, bandwidth_m=width.value, weights=points.weight, area=incidents.area, edge=edge, mask=mask,
            progress=progress,
        )  # fmt: skip
    else:
        values = density(
            xy, lattice=lattice, bandwidth_m=width.value, kernel=kernel, weights=points.weight, area=incidents.area, edge=edge,
            mask=mask, progress=progress,
        )  # fmt: skip
    return HeatReport(laid, values, width, kernel, adaptive, corrected, against)
