"""How layers become maps: colours and classes, tiles, images, pictures and self-contained files."""

from gridgis.maps.layer import Field, LatticeValues, LayerRef, MapLayer
from gridgis.maps.style import Class, Style

__all__ = ["Class", "Field", "LatticeValues", "LayerRef", "MapLayer", "Style"]
