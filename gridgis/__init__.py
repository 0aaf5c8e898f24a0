"""gridgis: spatial analytics for grid management (网格化管理)."""
