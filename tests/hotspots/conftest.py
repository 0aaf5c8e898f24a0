"""The package is imported before its modules are collected for their examples: pytest would set them over its functions."""

import gridgis.hotspots  # noqa: F401
