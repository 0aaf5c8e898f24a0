"""The workspace store: one API over a GeoPackage file or a PostGIS schema, with history, log and migrations."""

from gridgis.store.backend import WorkspaceInfo
from gridgis.store.history import Counts
from gridgis.store.images import Image, Images, images_of, rows_of
from gridgis.store.plans import NewEntry, PlanEntry, PlanRow
from gridgis.store.workspace import Workspace, create_workspace, open_workspace
from gridgis.store.write import Write

__all__ = [
    "Counts",
    "Image",
    "Images",
    "NewEntry",
    "PlanEntry",
    "PlanRow",
    "Workspace",
    "WorkspaceInfo",
    "Write",
    "create_workspace",
    "images_of",
    "open_workspace",
    "rows_of",
]
