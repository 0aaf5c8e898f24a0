"""Make a workspace with the sample: Miaoling 2012, every layer of it, and its unit grid."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import geopandas as gpd
import pandas as pd

from gridgis.errors import WorkspaceError
from gridgis.grids import unit_grid
from gridgis.progress import Progress, silent
from gridgis.sample import miaoling
from gridgis.sample.plan import CRS, TOWN_NAME
from gridgis.store import Workspace, create_workspace, open_workspace
from gridgis.store.workspace import is_postgres

NAME: Final = f"{TOWN_NAME}（示例）"
AS_OF: Final = dt.date(2012, 12, 31)
"""The date reports on the sample are for; a setting of the workspace, and so anybody's to change."""


def build_demo(
    url: str | Path,
    *,
    who: str = "gridgis demo",
    at: dt.datetime | None = None,
    seed: int = 2012,
    progress: Progress = silent,
) -> Workspace:
    """Make a new workspace with the sample, marked synthetic, and open it.

    A file is made under another name and put in place when it is whole. In PostGIS all layers are written in one
    transaction after the empty workspace was made.

    Parameters
    ----------
    url
        As for `create_workspace`; there must be none yet.
    who, at
        For the change log, and the `initial_time` of unit cells; None: now.
    seed
        Of the sample's generator: another seed, another landscape.
    progress
        Told at every stage and can stop the work; then nothing is left behind in a folder.

    Returns
    -------
    Workspace
        Open; its setting `as_of` is the last day of 2012.

    Raises
    ------
    WorkspaceError
        If there is a workspace, or none can be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, build_demo(f"{folder}/town.gpkg") as workspace:
    ...     workspace.info.name, workspace.info.synthetic, workspace.count("grids")
    ('庙岭镇（示例）', True, 170)
    """
    moment = at or dt.datetime.now(dt.UTC)
    path = Path(url)
    if is_postgres(url) or path.exists() or not path.parent.is_dir():
        # refused at once, or made where it stays
        workspace = create_workspace(url, name=NAME, crs=CRS, synthetic=True)
        try:
            _fill(workspace, who, moment, seed, progress)
        except BaseException:
            workspace.close()
            raise
        return workspace
    with TemporaryDirectory(prefix=".gridgis-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with create_workspace(draft, name=NAME, crs=CRS, synthetic=True) as workspace:
            _fill(workspace, who, moment, seed, progress)
        _publish(draft, path)
    return open_workspace(path)


def _fill(workspace: Workspace, who: str, moment: dt.datetime, seed: int, progress: Progress) -> None:
    progress("sample.stage_make", 0, 3)
    layers = miaoling(seed=seed)
    progress("sample.stage_cells", 1, 3)
    areas = layers["areas"]
    cells = unit_grid(areas[areas["level"] == "village"]).cells
    cells = cells.assign(initial_time=pd.Timestamp(moment).tz_convert("UTC"), state="valid")
    progress("sample.stage_write", 2, 3)
    with workspace.write(who=who, why="sample", at=moment) as write:
        for name, frame in _in_order(layers).items():
            write.upsert(name, frame)
        write.replace("unit_cells", cells)
        write.set_setting("as_of", AS_OF.isoformat())
    progress("sample.stage_write", 3, 3)


def _in_order(layers: Mapping[str, gpd.GeoDataFrame]) -> dict[str, gpd.GeoDataFrame]:
    # what others refer to comes first
    first = ("areas", "stations", "grids")
    return {name: layers[name] for name in (*first, *(name for name in layers if name not in first))}


def _publish(draft: Path, path: Path) -> None:
    # a link never replaces what somebody else put there meanwhile, as a move might
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise WorkspaceError("store.exists", place=str(path)) from error
    except OSError:  # a disk without links
        if path.exists():
            raise WorkspaceError("store.exists", place=str(path)) from None
        draft.rename(path)
