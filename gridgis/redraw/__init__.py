"""Redraw grids: partitions whose neighbours share their borders, and operations that keep them so."""
