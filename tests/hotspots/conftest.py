"""The package stands before any of its modules is collected for its examples: pytest would put the module where the function is."""

import gridgis.hotspots  # noqa: F401
