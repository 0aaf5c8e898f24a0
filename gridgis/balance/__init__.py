"""Management grids of equal work: units with weights become contiguous groups within bounds."""
