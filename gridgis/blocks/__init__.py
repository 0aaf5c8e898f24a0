"""Unit grids from street blocks: a community's outline, streets, water and buildings become cells a planner would draw."""

from gridgis.blocks.classes import CLASSES, SizeClass
from gridgis.blocks.drawing import BlockGrids, BlockReport, as_grids, block_grids
from gridgis.blocks.sheet import cut_buildings, sheet

__all__ = ["CLASSES", "BlockGrids", "BlockReport", "SizeClass", "as_grids", "block_grids", "cut_buildings", "sheet"]
