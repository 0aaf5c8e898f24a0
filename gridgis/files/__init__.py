"""Files in and out: any vector or table file to a checked frame with English columns, and back."""

from gridgis.files.limits import Limits
from gridgis.files.raw import Note, Raw
from gridgis.files.reading import read_any, read_raw

__all__ = ["Limits", "Note", "Raw", "read_any", "read_raw"]
