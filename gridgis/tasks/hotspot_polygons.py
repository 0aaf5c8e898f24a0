"""Hot spots on polygons of any shape: management grids, villages, or those of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.apportion import count_points, zonal_sum
from gridgis.crs import crs_name
from gridgis.errors import DataError
from gridgis.files import read_any
from gridgis.files.mapping import recognise
from gridgis.ground import add_up, clip, polygonal
from gridgis.hotspots.auto import Choice, given
from gridgis.hotspots.getis_ord import gi_polygons
from gridgis.hotspots.moran_i import Moran, moran_polygons
from gridgis.hotspots.neighbours import Neighbours, nearest, touching
from gridgis.hotspots.rating import Rates, rates
from gridgis.layers import LAYERS
from gridgis.progress import Progress, silent
from gridgis.tasks.hotspot_bases import Base
from gridgis.tasks.hotspot_points import Incidents
from gridgis.tasks.hotspotting import SEED, rates_json, rates_words
from gridgis.text import Lang, number, t

if TYPE_CHECKING:
    from gridgis.store import Workspace

Floats = NDArray[np.float64]
Method = Literal["gi", "moran"]

# layers of a workspace hot spots can be looked for on, and which of their rows
ON: Final = ("grids", "villages", "towns", "natural_villages")
# polygons that touch at least so many others on the median are a mesh; others are islands, whose nearest are taken
_MESH: Final = 2
_NEAREST: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class PolygonReport:
    """Hot spots of polygons and how they were found."""

    method: Method
    incidents: Incidents
    polygons: gpd.GeoDataFrame
    """Index: their codes; column `name`."""
    found: pd.DataFrame
    """On that index: what `gi_polygons` or `moran_polygons` found."""
    whole: Moran | None
    """Global Moran's I; None for Gi*."""
    counts: pd.Series
    """Incidents in each, or the sum of their weights."""
    used: int
    """Incidents in a polygon."""
    near: Choice
    """Who is whose neighbour, and why."""
    rates: Rates | None
    base: Base | None
    permutations: int
    seed: int
    fdr: bool
    on: str
    """The layer or file."""

    @property
    def hot(self) -> int:
        """Polygons in a hot class, or HH."""
        klass = self.found["class"]
        return int((klass > 0).sum()) if self.method == "gi" else int((klass == "HH").sum())

    @property
    def cold(self) -> int:
        """Polygons in a cold class, or LL."""
        klass = self.found["class"]
        return int((klass < 0).sum()) if self.method == "gi" else int((klass == "LL").sum())

    def frame(self) -> gpd.GeoDataFrame:
        """The layer `hotspots`: index `code`, `name, count, neighbours`, and the columns of the method (and rates)."""
        whole = self.incidents.points.weight is None
        columns = self.polygons[["name"]].assign(count=self.counts.astype(np.int64) if whole else self.counts)
        columns = columns.join(self.found.drop(columns="value"))
        if self.method == "gi":
            columns["class"] = columns["class"].astype(np.int32)
        if self.rates is not None:
            columns["rate"], columns["rate_smoothed"] = self.rates.raw, self.rates.smoothed
            reason = np.full(len(columns), None, dtype=object)
            reason[self.rates.empty], reason[self.rates.suppressed] = "empty", "suppressed"
            columns["no_rate"] = reason
        columns.index.name = "code"
        return gpd.GeoDataFrame(columns, geometry=self.polygons.geometry.to_numpy(), crs=self.polygons.crs)

    def to_json(self) -> dict[str, Any]:
        """As for cells; `polygons` instead of `cells`."""
        told = self.incidents.to_json()
        left_out = dict(told["points_left_out"])
        left_out["outside"] += told["points_used"] - self.used
        global_i = {} if self.whole is None else {
            "i": self.whole.i, "expected": self.whole.expected, "z": self.whole.z, "p_value": self.whole.p,
        }  # fmt: skip
        return {
            "method": self.method, "source": self.incidents.source, "synthetic": self.incidents.synthetic, "on": self.on,
            "polygons": len(self.polygons), **told, "points_used": self.used, "points_left_out": left_out,
            "band_m": self.near.value if self.near.parameter == "band_m" else None,
            "crs": crs_name(self.incidents.points.crs), "hot": self.hot, "cold": self.cold, **global_i,
            "permutations": self.permutations, "seed": self.seed if self.permutations else None, "fdr": self.fdr,
            "rates": rates_json(self.rates, self.base), "reasons": [self.near.to_json()],
        }  # fmt: skip

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        return t(
            f"hotspot_tasks.polygons_{self.method}", lang, hot=number(self.hot), cold=number(self.cold),
            polygons=number(len(self.polygons)), points=number(self.used),
        )  # fmt: skip

    def explanation(self, lang: Lang) -> tuple[str, ...]:
        """Who is whose neighbour, and what the classes mean."""
        sure = {"gi": ("hotspot_tasks.class_by_q", "hotspot_tasks.class_by_p"),
                "moran": ("hotspot_tasks.quadrant_by_q", "hotspot_tasks.quadrant_by_p")}[self.method]  # fmt: skip
        return (self.near.message(lang), t(sure[0 if self.fdr else 1], lang), *rates_words(self.rates, self.base, lang))


def polygons_of_workspace(ws: Workspace, on: str) -> gpd.GeoDataFrame:
    """The polygons of a layer in `ON`, with `name`, index their codes.

    Raises
    ------
    DataError
        If there are none.
    """
    if on in {"villages", "towns"}:
        areas = ws.read("areas")
        frame = areas[areas["level"] == on.removesuffix("s")]
    else:
        frame = ws.read(on)
        if on == "grids" and "state" in frame:
            frame = frame[frame["state"].fillna("valid") == "valid"]
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if len(frame) == 0:
        raise DataError("hotspot_tasks.no_polygons", on=on)
    return frame[["name", frame.geometry.name]]


def polygons_of_file(file: str | Path, incidents: Incidents, *, crs: str | None = None) -> gpd.GeoDataFrame:
    """The polygons of a file in the incidents' system, with `name`; index their codes, else their row numbers.

    Raises
    ------
    DataError
        If it holds none.
    """
    frame = read_any(file, crs=crs, target="areas").to_crs(incidents.points.crs)
    frame = frame[frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"]) & ~frame.geometry.is_empty]
    if len(frame) == 0:
        raise DataError("hotspot_tasks.no_polygon", file=Path(file).name)
    fields = recognise([str(name) for name in frame.columns], LAYERS["areas"]).fields
    names = frame[fields["name"]].astype(object).to_numpy() if "name" in fields else np.full(len(frame), None, dtype=object)
    codes = frame[fields["code"]].astype(str) if "code" in fields and frame[fields["code"]].is_unique else frame.index.astype(str)
    return gpd.GeoDataFrame(
        {"name": names}, index=pd.Index(codes, name="code"), geometry=frame.geometry.to_numpy(), crs=frame.crs
    )


def on_polygons(
    incidents: Incidents,
    polygons: gpd.GeoDataFrame,
    *,
    method: Method = "gi",
    on: str = "",
    band_m: float | None = None,
    permutations: int = 0,
    seed: int = SEED,
    fdr: bool = True,
    base: Base | None = None,
    per: float = 1000.0,
    progress: Progress = silent,
) -> PolygonReport:
    """Gi* or Moran's I of the incidents in polygons.

    1. An incident on a common border counts in the polygon that comes first; one in no polygon is told as outside.
    2. Neighbours are polygons whose centroids lie within `band_m`; without it those that touch, or, where most touch fewer than
       two, the eight nearest.

    Parameters
    ----------
    incidents
        From `from_workspace` or `from_file`.
    polygons
        In the incidents' system: `polygons_of_workspace`, `polygons_of_file`.
    method
        `gi` or `moran`.
    on
        What the polygons are, for the answer.
    band_m, permutations, seed, fdr, base, per
        As for `hotspotting.gi`.
    """
    points = gpd.GeoSeries(gpd.points_from_xy(incidents.points.x, incidents.points.y), crs=incidents.points.crs)
    counts = number_of = count_points(points, polygons)
    if incidents.points.weight is not None:
        counts = count_points(points, polygons, values=pd.Series(incidents.points.weight, index=points.index))
    made, values = None, counts.astype(np.float64)
    if base is not None:
        made = rates(counts.to_numpy(dtype=np.float64), base_per_polygon(base, polygons), per=per)
        values = pd.Series(made.smoothed, index=polygons.index)
    near, choice = _neighbours(polygons, band_m)
    options: dict[str, Any] = {
        "band_m": band_m,
        "neighbours": near,
        "permutations": permutations,
        "fdr": fdr,
        "progress": progress,
    }
    rng = np.random.default_rng(seed)
    whole = None
    if method == "gi":
        found = gi_polygons(polygons, values, rng=rng, **options)
    else:
        whole, found = moran_polygons(polygons, values, rng=rng, **options)
    return PolygonReport(
        method, incidents, polygons, found, whole, counts, int(number_of.sum()), choice, made, base, permutations, seed, fdr, on
    )


def base_per_polygon(base: Base, polygons: gpd.GeoDataFrame) -> Floats:
    """The denominator of every polygon, shape (n,): points by where they lie, polygons and pixels by the share inside."""
    known = base.counts
    total = np.zeros(len(polygons))
    if len(known.points):
        places = gpd.GeoSeries(gpd.points_from_xy(*known.points.T), crs=polygons.crs)
        total += count_points(places, polygons, values=pd.Series(known.point_values, index=places.index)).to_numpy(
            dtype=np.float64
        )
    if len(known.shapes):
        zone, shape, part, _ = clip(known.shapes, polygonal(np.asarray(polygons.geometry.array, dtype=object))[0])
        density = known.shape_values[shape] / shapely.area(known.shapes)[shape]
        total += add_up(zone, density * shapely.area(part), len(polygons))
    if known.raster is not None:
        total += zonal_sum(known.raster, polygons.geometry).to_numpy()
    return total


def _neighbours(polygons: gpd.GeoDataFrame, band_m: float | None) -> tuple[Neighbours | None, Choice]:
    if band_m is not None:
        return None, given("band_m", band_m)
    mesh = touching(polygons)
    if float(np.median(mesh.sizes())) >= _MESH:
        return mesh, Choice(
            "neighbours", float(mesh.sizes().mean()), "hotspot_tasks.near_touching", {"mean": float(mesh.sizes().mean())}
        )
    k = min(_NEAREST, len(polygons) - 1)
    if k < 1:
        raise DataError("hotspots.too_few", units=len(polygons), pairs=0)
    return nearest(polygons, k=k), Choice("neighbours", float(k), "hotspot_tasks.near_nearest", {"k": k})
