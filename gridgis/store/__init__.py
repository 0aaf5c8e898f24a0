"""The workspace store: one API over a GeoPackage file or a PostGIS schema, with history, log and migrations."""

from gridgis.store.backend import WorkspaceInfo
from gridgis.store.history import Counts
from gridgis.store.workspace import Workspace, create_workspace, open_workspace
from gridgis.store.write import Write

__all__ = ["Counts", "Workspace", "WorkspaceInfo", "Write", "create_workspace", "open_workspace"]
