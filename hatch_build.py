"""A wheel carries the web assets: fetch them before it is packed, so that it can be built from a fresh clone."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebAssets(BuildHookInterface):  # type: ignore[type-arg]
    """Runs tools/fetch_assets.py; a source archive without the tool must carry the assets already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch what is missing; an editable install fetches at set-up instead."""
        if version == "editable":
            return
        tool = Path(self.root) / "tools" / "fetch_assets.py"
        spec = importlib.util.spec_from_file_location("gridgis_fetch_assets", tool)
        if spec is None or spec.loader is None or not tool.exists():
            return
        module = importlib.util.module_from_spec(spec)
        # a dataclass looks itself up by its module's name
        import sys

        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        if module.main():
            message = "the web assets could not be fetched (see above); a wheel without them shows no maps"
            raise RuntimeError(message)
