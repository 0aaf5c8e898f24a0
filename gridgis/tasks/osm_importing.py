"""Import streets, water and buildings of an area straight from OpenStreetMap into their layers, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import shapely

from gridgis.errors import DataError
from gridgis.files.overpass import LAYERS_FETCHED, fetch
from gridgis.progress import Progress, silent

if TYPE_CHECKING:
    from gridgis.store import Workspace

# streets around an area say where its blocks end
_MARGIN_M: Final = 100.0


@dataclass(frozen=True, slots=True)
class OsmReport:
    """What an import from OpenStreetMap did."""

    area: str
    """Code of the area."""
    counts: Mapping[str, Mapping[str, int]]
    """Layer → `inserted`, `updated`, `unchanged`, `left_out` (broken outlines)."""
    asked: bool
    """Whether the server was asked; else the answer of an earlier call was used."""

    def to_json(self) -> dict[str, Any]:
        """The same, for `--json`."""
        return {
            "area": self.area,
            "source": "OpenStreetMap",
            "licence": "ODbL 1.0",
            "from_cache": not self.asked,
            "layers": {layer: dict(counts) for layer, counts in self.counts.items()},
        }


def import_osm(
    ws: Workspace,
    *,
    area: str,
    url: str | None = None,
    timeout_s: float = 180.0,
    retries: int = 3,
    cache: Path | None = None,
    refresh: bool = False,
    who: str = "",
    why: str = "",
    at: dt.datetime | None = None,
    progress: Progress = silent,
) -> OsmReport:
    """Bring the roads, water and buildings of an area and 100 m around it from OpenStreetMap into the workspace.

    Rows known from an earlier import, or from an extract, are updated.

    Parameters
    ----------
    ws
        An open workspace with areas.
    area
        Code of the area.
    url, timeout_s, retries, cache, refresh
        As for `files.overpass.fetch`.
    who, why, at
        For the change log.
    progress
        Told at every stage and can stop the work; then nothing is changed.

    Raises
    ------
    DataError
        If the area is unknown, or OpenStreetMap cannot be asked (`files.overpass.fetch`); nothing was changed.
    """
    rows = ws.read("areas", where={"code": area})
    shape = shapely.union_all(np.asarray(rows.geometry.array, dtype=object)) if len(rows) else None
    if shape is None or shape.is_empty or rows.crs is None:
        raise DataError("overpass.unknown_area", code=area)
    around = gpd.GeoSeries([shape.buffer(_MARGIN_M, quad_segs=2).simplify(5.0)], crs=rows.crs).to_crs(4326)
    box: Any = around.iloc[0]  # a buffer is a polygon or several
    found = fetch(box, url=url, timeout_s=timeout_s, retries=retries, cache=cache, refresh=refresh, progress=progress)
    ready: dict[str, gpd.GeoDataFrame] = {}
    for layer in LAYERS_FETCHED:
        frame = found.layers[layer].rename(columns={"osm_id": "id"})
        frame = frame[frame.geometry.is_valid & ~frame.geometry.is_empty]
        ready[layer] = frame.drop_duplicates("id").set_index("id").to_crs(rows.crs)
    counts: dict[str, dict[str, int]] = {}
    with ws.write(who=who, why=why or "OpenStreetMap", at=at) as write:
        for at_layer, (layer, frame) in enumerate(ready.items()):
            progress("overpass.stage_write", at_layer, len(ready))
            done = write.upsert(layer, frame) if len(frame) else None
            left = len(found.layers[layer]) - len(frame)
            counts[layer] = {
                "inserted": done.inserted if done else 0,
                "updated": done.updated if done else 0,
                "unchanged": done.unchanged if done else 0,
                "left_out": left,
            }
    progress("overpass.stage_write", len(ready), len(ready))
    return OsmReport(area, counts, found.asked)
