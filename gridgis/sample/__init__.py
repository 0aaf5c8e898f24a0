"""The sample town: Miaoling 2012, real names and published sums on synthetic geometry made from a seed."""

from gridgis.sample.miaoling import miaoling

__all__ = ["miaoling"]
