"""Build natural villages: into a workspace's layer, or from a file into a GeoPackage."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from gridgis.crs import crs_name, require_metric
from gridgis.crs import work_crs as crs_to_work_in
from gridgis.errors import DataError
from gridgis.files import read_any
from gridgis.files.live import check_target
from gridgis.files.mapping import recognise
from gridgis.files.writing import in_place_of
from gridgis.layers import LAYERS, LEVELS
from gridgis.progress import Progress, silent
from gridgis.tasks.rasters import read_raster
from gridgis.text import Lang, number, t
from gridgis.village_names import keep_names
from gridgis.villages import NaturalVillages, from_landuse, from_raster, natural_villages

if TYPE_CHECKING:
    from gridgis.store import Workspace

LAYER: Final = "natural_villages"
SCATTERED: Final = "scattered_houses"
# a settled pixel has this value or more: one person
_SETTLED: Final = 1.0


@dataclass(frozen=True, slots=True)
class VillagesReport:
    """Natural villages that have been built and kept."""

    found: NaturalVillages
    """The villages, who belongs to them, and the scattered houses."""
    kept_names: int
    """How many names were kept because somebody had given them in the layer before."""
    file: Path | None
    """The file written; None when the villages are in a workspace."""

    def message(self, lang: Lang) -> str:
        """The outcome in a sentence."""
        told = self.to_json()
        return t("villages.done", lang, **{name: number(told[name]) for name in ("villages", "buildings", "scattered")})

    def to_json(self) -> dict[str, Any]:
        """Counts, sizes, and every area's villages, for `--json`."""
        villages = self.found.villages
        sizes = villages["buildings"].dropna().astype(int)
        areas = villages["area_m2"]
        homes = villages["area_code"].fillna("").astype(str)
        return {
            "file": None if self.file is None else str(self.file),
            "layer": LAYER,
            "crs": crs_name(require_metric(villages)),
            "villages": len(villages),
            "buildings": int(self.found.membership.notna().sum()),
            "scattered": len(self.found.scattered),
            "area_m2": float(areas.sum()),
            "largest_m2": float(areas.max()) if len(areas) else None,
            "most_buildings": int(sizes.max()) if len(sizes) else None,
            "kept_names": self.kept_names,
            "by_area": [{"code": code or None, "villages": int(count)} for code, count in homes.value_counts(sort=False).items()],
        }


def build_natural_villages(
    ws: Workspace,
    *,
    distance_m: float = 50.0,
    min_buildings: int = 5,
    landuse: str | Path | None = None,
    raster: str | Path | None = None,
    threshold: float = _SETTLED,
    min_area_m2: float = 20_000.0,
    split_at_areas: bool = False,
    at: dt.datetime | None = None,
    who: str = "",
    why: str = "",
    progress: Progress = silent,
) -> VillagesReport:
    """Build the natural villages of a workspace and put them in place of the layer `natural_villages`.

    Names somebody has given to villages of the layer before stay with the villages that took their ground.

    Parameters
    ----------
    ws
        An open workspace with buildings (or a source file); its areas number and name the villages, its places name them.
    distance_m, min_buildings, split_at_areas
        As for `villages.natural_villages`.
    landuse
        A file of residential land-use polygons to take instead of the buildings.
    raster
        A file of people per pixel to take instead of the buildings.
    threshold, min_area_m2
        For those two, as in `villages.from_raster`.
    at, who, why
        For the change log.
    progress
        Told at every stage and can stop the work; then nothing is changed.

    Raises
    ------
    DataError
        If there is nothing to find villages from, or an option makes no sense.
    """
    areas, places = _finest(ws.read("areas")), ws.read("places")
    if raster is not None:
        if len(areas) == 0:
            raise DataError("coverage.no_areas")
        pixels = read_raster(raster, within=areas)
        found = from_raster(
            pixels, areas, threshold=threshold, min_area_m2=min_area_m2, distance_m=distance_m,
            places=places if len(places) else None, progress=progress,
        )  # fmt: skip
    elif landuse is not None:
        land = read_any(landuse, progress=progress)
        ground = land.to_crs(ws.info.crs or crs_to_work_in(land))
        found = from_landuse(
            ground, distance_m=distance_m, min_area_m2=min_area_m2, areas=_some(areas), places=_some(places), progress=progress
        )  # fmt: skip
    else:
        buildings = ws.read("buildings")
        if len(buildings) == 0:
            raise DataError("villages.no_buildings")
        found = natural_villages(
            buildings, distance_m=distance_m, min_buildings=min_buildings, split_at_areas=split_at_areas,
            areas=_some(areas), places=_some(places), progress=progress,
        )  # fmt: skip
    previous = ws.read(LAYER)
    names = keep_names(found.villages, previous) if len(previous) else found.villages["name"]
    kept = int((names != found.villages["name"]).sum())
    found = NaturalVillages(found.villages.assign(name=names), found.membership, found.scattered)
    said = why or t("villages.why", "en", distance_m=f"{distance_m:g}", min_buildings=min_buildings)
    with ws.write(who=who, why=said, at=at) as write:
        write.replace(LAYER, _layer_rows(found.villages), progress=progress)
    return VillagesReport(found, kept, None)


def villages_file(
    source: str | Path,
    out: str | Path,
    *,
    distance_m: float = 50.0,
    min_buildings: int = 5,
    areas: str | Path | None = None,
    places: str | Path | None = None,
    layer: str | None = None,
    crs: str | None = None,
    work_crs: str | None = None,
    progress: Progress = silent,
) -> VillagesReport:
    """Natural villages of a file of buildings, written to a GeoPackage: `natural_villages` and `scattered_houses`.

    Parameters
    ----------
    source
        Building footprints in any file gridgis reads; of an OpenStreetMap extract the buildings.
    out
        The file to write, ending in `.gpkg`; an old one makes way once the new one is whole.
    distance_m, min_buildings
        As for `villages.natural_villages`.
    areas, places
        Files of villages (with codes and names) and of named places.
    layer
        Layer inside the source; needed where several would do.
    crs
        What the coordinates are in where the file does not say.
    work_crs
        What to compute and write in; None: the file's own if it is projected in metres and no Mercator, else chosen.
    progress
        Told at every stage and can stop the work.

    Raises
    ------
    DataError, CrsError, WorkspaceError
        If the source cannot be read or holds no shape, or `out` cannot be written.
    """
    source, out = Path(source), Path(out)
    check_target(source, out)
    buildings = read_any(source, layer=layer, crs=crs, target="buildings", progress=progress)
    placed = ~(buildings.geometry.isna() | buildings.geometry.is_empty)
    if not placed.any():
        raise DataError("villages.no_shapes", file=source.name)
    work = crs_to_work_in(buildings, wish=work_crs)
    columns = recognise([str(name) for name in buildings.columns], LAYERS["buildings"]).fields
    counts = {
        name: pd.to_numeric(buildings[columns[name]], errors="coerce") for name in ("population", "households") if name in columns
    }
    shapes = gpd.GeoDataFrame(counts, index=buildings.index, geometry=buildings.geometry).to_crs(work)
    found = natural_villages(
        shapes, distance_m=distance_m, min_buildings=min_buildings, progress=progress,
        areas=None if areas is None else _named(areas, crs, "areas").to_crs(work),
        places=None if places is None else _named(places, crs, "places").to_crs(work),
    )  # fmt: skip
    with in_place_of(out) as draft:
        _write(draft, LAYER, found.villages.reset_index())
        if len(found.scattered):
            rows = found.scattered.reset_index(names="row")
            _write(draft, SCATTERED, rows)
    return VillagesReport(found, 0, out)


def _finest(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    for level in reversed(LEVELS):
        some = areas[areas["level"] == level]
        if len(some):
            return some
    return areas


def _some(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame | None:
    return frame if len(frame) else None


def _layer_rows(villages: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    columns = [column.name for column in LAYERS[LAYER].columns if column.name in villages]
    return villages[[*columns, "geometry"]]


def _named(file: str | Path, crs: str | None, layer: str) -> gpd.GeoDataFrame:
    """Rows with `name`, indexed by code where there is one."""
    frame = read_any(file, crs=crs, target=layer)
    fields = recognise([str(name) for name in frame.columns], LAYERS[layer]).fields
    names = frame[fields["name"]].to_numpy() if "name" in fields else np.full(len(frame), None, dtype=object)
    key = fields.get(LAYERS[layer].key)
    index = frame.index.astype(str) if key is None else pd.Index(frame[key].astype(str), name=LAYERS[layer].key)
    return gpd.GeoDataFrame({"name": names}, index=index, geometry=frame.geometry.to_numpy(), crs=frame.crs)


def _write(file: Path, layer: str, rows: gpd.GeoDataFrame) -> None:
    pyogrio.write_dataframe(rows, file, layer=layer, driver="GPKG", append=file.exists())
