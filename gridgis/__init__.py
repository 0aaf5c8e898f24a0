"""gridgis: spatial analytics for grid management (网格化管理).

`import gridgis` gives the modules of the spatial core, loaded when first used (`gridgis.grids`, `gridgis.coverage`, …),
and the workspace: `gridgis.open_workspace(url)`, `gridgis.create_workspace(url)`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gridgis.store import Workspace, create_workspace, open_workspace

# names of the store that stand at the top
_STORE: Final = ("Workspace", "create_workspace", "open_workspace")

__all__ = ["Workspace", "create_workspace", "open_workspace"]


def __getattr__(name: str) -> Any:
    if name in _STORE:
        return getattr(importlib.import_module("gridgis.store"), name)
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"gridgis.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"gridgis.{name}":  # the module is there, something it needs is not
                raise
    raise AttributeError(f"module 'gridgis' has no attribute {name!r}")
