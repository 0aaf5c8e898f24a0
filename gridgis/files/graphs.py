"""Street networks as OSMnx saves them (GraphML): every street once, as rows of the roads layer."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # only the parser's error is named; OSMnx does the reading
from pathlib import Path

import pandas as pd

from gridgis.errors import DataError
from gridgis.files.raw import Raw


def read_graphml(path: Path) -> Raw:
    """The streets of a GraphML file of OSMnx, both directions of a street as one row; the first row is 1.

    Where a street carries several names, kinds or OpenStreetMap ids (OSMnx joins ways between crossings), they stand in one
    text, parted by `;`. Nothing is asked of the network.

    Raises
    ------
    DataError
        If the file is no GraphML, or none with the geometry OSMnx writes.
    """
    import osmnx  # half a second to import, needed by nobody else

    try:
        streets = osmnx.convert.to_undirected(osmnx.io.load_graphml(path))
        frame = osmnx.convert.graph_to_gdfs(streets, nodes=False)
    except (ET.ParseError, KeyError, ValueError, OSError) as error:
        raise DataError("files.unreadable", file=path.name) from error
    if frame.empty:
        raise DataError("files.no_rows", file=path.name)
    frame = frame.reset_index(drop=True)
    frame.index = pd.RangeIndex(1, 1 + len(frame), name="row")
    shapes = frame.geometry.rename("geometry")
    # a way is cut at every crossing, so its number does not identify a street
    columns = pd.DataFrame(frame.drop(columns=frame.geometry.name)).rename(columns={"osmid": "osm_ways"})
    for name in columns.columns:
        if pd.api.types.is_object_dtype(columns[name]):
            columns[name] = columns[name].map(_joined)
    return Raw(columns, shapes, path.name, None, "row")


def _joined(value: object) -> object:
    return ";".join(map(str, value)) if isinstance(value, list) else value
