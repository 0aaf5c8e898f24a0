"""Management grids of equal work: units with weights become contiguous groups within bounds."""

from gridgis.balance.balancing import balance
from gridgis.balance.feasibility import InfeasibleError
from gridgis.balance.improving import TASTES, Taste
from gridgis.balance.pareto import Plan, Plans
from gridgis.balance.sheet import Sheet, sheet
from gridgis.balance.units import Units, units_from, units_of

__all__ = ["TASTES", "InfeasibleError", "Plan", "Plans", "Sheet", "Taste", "Units", "balance", "sheet", "units_from", "units_of"]
