"""A wheel carries the web assets: fetch them before it is packed, so that it can be built from a fresh clone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebAssets(BuildHookInterface):  # type: ignore[type-arg]
    """Runs tools/fetch_assets.py; a source archive without the tool must carry the assets already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch what is missing, and put the pages' looks beside them; an editable install has both at set-up."""
        if version == "editable" or self.target_name != "wheel":
            return
        looks = Path(self.root) / ".streamlit" / "config.toml"
        if looks.is_file():
            build_data["force_include"][str(looks)] = "gridgis/pages/.streamlit/config.toml"
        tool = Path(self.root) / "tools" / "fetch_assets.py"
        spec = importlib.util.spec_from_file_location("gridgis_fetch_assets", tool)
        if spec is None or spec.loader is None or not tool.exists():
            return
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # a dataclass looks itself up by its module's name
        spec.loader.exec_module(module)
        if module.main():
            message = "the web assets could not be fetched (see above); a wheel without them shows no maps"
            raise RuntimeError(message)
