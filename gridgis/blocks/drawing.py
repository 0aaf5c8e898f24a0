"""Unit grids from street blocks: blocks between streets and water, divided where too large, joined where too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.areas import called, checked_areas, fit
from gridgis.blocks.classes import CLASSES, SizeClass, Sizes, sizes
from gridgis.blocks.density import Density, density, masses
from gridgis.blocks.dividing import divide
from gridgis.blocks.evening import Ground, even
from gridgis.blocks.faces import borders, components, crossed, whole
from gridgis.blocks.joining import Patches, absorb, settle
from gridgis.blocks.network import Lines, close_gaps, lines_of
from gridgis.blocks.parting import Block
from gridgis.blocks.prices import TENTH
from gridgis.blocks.sheet import cut_buildings, sheet
from gridgis.blocks.strips import share_out, thin
from gridgis.blocks.weaving import fit_together, frame_of, node, owners, polygons, united
from gridgis.codes import CellCode, cell_codes
from gridgis.crs import require_metric
from gridgis.measure import cell_area
from gridgis.progress import Progress, silent

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What was done to get the cells, and how large they are."""

    cells: int
    """Number of cells."""
    blocks: int
    """Number of blocks between streets, water and outlines, strips between carriageways joined."""
    divided: int
    """Number of blocks that were divided."""
    in_range: int
    """Number of cells whose area is in the range of their class."""
    within_tenth: int
    """Number of cells of the first class within ±10 % of the target."""
    first_class: int
    """Number of cells of the first class."""
    allowed: int
    """Number of cells of the first class on blocks that allow the tenth: a whole number of cells of 0.9 to 1.1 targets has the
    block's area. A block is what lies between streets, water and outlines; a cell counts with the one that has most of it."""
    allowed_tenth: int
    """How many of those are within ±10 % of the target."""
    overlap_m2: float
    """Ground of the plane that two areas claimed; the area with the lesser code keeps it."""
    moved: pd.DataFrame
    """Areas whose ground changed by that: index area code, `gained_m2`, `lost_m2` (plane)."""
    by_area: pd.DataFrame
    """Every area: index area code, `cells`, `area_m2` (ellipsoid)."""
    by_class: pd.DataFrame
    """Every class: index name, `cells`, `in_range`, `low_m2`, `target_m2`, `high_m2`, `median_m2`."""


@dataclass(frozen=True, slots=True)
class BlockGrids:
    """The unit grid of areas along streets."""

    cells: gpd.GeoDataFrame
    """Index `code`, ascending; `area_code`, `area_m2` (ellipsoid), `planar_m2`, `klass`, `buildings`, `geometry` (polygons)."""
    sheet: pd.DataFrame
    """How well the rules are kept: `rule`, `hard`, `kept`, `of`, `unit`, `share`."""
    cut_buildings: pd.DataFrame
    """Buildings in more than one cell: index as in `buildings`; `cells`, `largest_share`, `reason`."""
    report: BlockReport
    """Counts and sizes."""


def block_grids(
    areas: gpd.GeoDataFrame,
    *,
    streets: gpd.GeoDataFrame,
    water: gpd.GeoDataFrame | None = None,
    buildings: gpd.GeoDataFrame | None = None,
    compounds: gpd.GeoDataFrame | None = None,
    target_m2: float = 10_000,
    classes: Sequence[SizeClass] = CLASSES,
    code: CellCode = "15",
    progress: Progress = silent,
) -> BlockGrids:
    """Cells along streets and water: every cell in one area, every area filled, none overlapping, no building cut.

    Parameters
    ----------
    areas
        Villages or communities, one level only, indexed by code: polygons in a CRS in metres, no Mercator.
    streets
        Lines with `kind` in OpenStreetMap's words (`network.LINE_CLASSES`).
    water
        Lines and polygons whose edges are borders.
    buildings
        Polygons that stay whole; their density says how large cells should be. None or none: the densest class all over.
    compounds
        Polygons or lines of plots, compounds or land use a large block is parted by.
    target_m2
        Size of a cell in dense places; the classes are multiples of it.
    classes
        Classes of ground and their sizes.
    code
        As for `codes.cell_codes`.
    progress
        Told at every stage and can stop the work.

    Raises
    ------
    CrsError
        If a CRS is missing, in degrees, a Mercator, or not that of the areas.
    DataError
        If the areas cannot be filled (`grids.unit_grid`), or one would have more cells than codes allow.

    Examples
    --------
    >>> from gridgis import toy
    >>> villages = toy.areas().query("level == 'village'")
    >>> street = gpd.GeoDataFrame(geometry=[shapely.LineString([(500100, 3365900), (500100, 3366400)])], crs=toy.CRS)
    >>> drawn = block_grids(villages, streets=street)
    >>> drawn.cells["planar_m2"].round().tolist()[:3]
    [10000.0, 10833.0, 10833.0]
    """
    layers = [layer for layer in (streets, water, buildings, compounds) if layer is not None]
    require_metric(areas, *layers)
    table = sizes(classes, target_m2)
    ordered = checked_areas(areas)
    progress("blocks.stage_fit", 0, 1)
    fitting, moved, overlap_m2 = fit(ordered)
    frame = frame_of(np.asarray(fitting.geometry.array, dtype=object))
    grounds = frame.enter(np.asarray(fitting.geometry.array, dtype=object))
    waters, houses = frame.entered(water), frame.entered(buildings)
    lines = lines_of(streets, water=water, compounds=compounds)
    lines = Lines(frame.enter(lines.shapes), lines.klass)
    solid = masses(houses, most_m2=float(table.high[0]))
    about = density(grounds, houses, waters, first_only=houses is None or len(houses) == 0)
    shapes, owner = _blocks(grounds, lines, solid, table, about, progress)
    blocks = shapes
    divided = 0
    for turn in range(_ROUNDS):
        shapes, owner, more = _divided(shapes, owner, lines, solid, table, about, progress)
        divided += more
        progress("blocks.stage_join", 0, 1)
        # at first a small cell may make its neighbour too large, which is then divided anew
        group = settle(_patches(shapes, owner, about), borders(shapes, lines), table, strict=turn > 0)
        shapes, owner = _united(shapes, owner, group)
    shapes, owner = even(shapes, owner, Ground(lines, solid, table, about), progress=progress)
    progress("blocks.stage_code", 0, 1)
    klass = table.of(about.built(shapes), about.wet(shapes))
    allows = _allowing(shapes, blocks, float(table.target[0]))
    shapes, order = _in_order(frame.leave(shapes), owner, float(np.sqrt(target_m2)))
    owner, klass, allows = owner[order], klass[order], allows[order]
    index = np.asarray(ordered.index, dtype=object)
    names = np.array([called(ordered, at) for at in range(len(ordered))], dtype=object)
    codes = cell_codes(index, owner, scheme=code, names=names)
    cells = gpd.GeoDataFrame(
        {"area_code": index[owner], "planar_m2": shapely.area(shapes), "klass": np.array(table.names, dtype=object)[klass]},
        index=pd.Index(codes, name="code"),
        geometry=shapes,
        crs=areas.crs,
    )
    cells.insert(1, "area_m2", cell_area(cells))
    cut = cut_buildings(cells, buildings, fitting, large_m2=float(table.high[0]))
    lines = Lines(frame.leave(lines.shapes), lines.klass)
    scores = sheet(cells, fitting, lines=lines, buildings=buildings, classes=classes, target_m2=target_m2)
    report = _report(cells, index, table, klass, allows, len(blocks), divided, moved, overlap_m2)
    progress("blocks.stage_code", 1, 1)
    return BlockGrids(cells, scores, cut, report)


def as_grids(cells: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Cells as a proposal of management grids: rows of the grids layer, drafts, named by their number in the area.

    Parameters
    ----------
    cells
        Index code; `area_code`.

    Returns
    -------
    GeoDataFrame
        Index `code`; `name`, `area_code`, `state` (draft), `geometry`.

    Examples
    --------
    >>> from gridgis import toy
    >>> as_grids(toy.grids())["name"].tolist()
    ['1', '2', '1']
    """
    number = cells.groupby("area_code", sort=False).cumcount() + 1
    columns = {"name": number.astype(str), "area_code": cells["area_code"], "state": "draft"}
    index = pd.Index(cells.index, name="code")
    return gpd.GeoDataFrame(columns, index=index, geometry=cells.geometry, crs=cells.crs)


def _blocks(
    grounds: Shapes, lines: Lines, solid: Shapes, table: Sizes, about: Density, progress: Progress
) -> tuple[Shapes, Ints]:
    """The faces between outlining lines and outlines, strips and corners joined to their neighbours."""
    progress("blocks.stage_node", 0, 2)
    ground = shapely.union_all(grounds)
    near = lines.only(lines.outlining & shapely.intersects(lines.shapes, ground))
    noded = node(near.shapes)
    walls = shapely.get_parts(shapely.boundary(grounds))
    gaps = close_gaps(noded, walls, solid)
    struck = solid[crossed(np.concatenate([noded, gaps]), solid)]
    progress("blocks.stage_node", 1, 2)
    noded = node(np.concatenate([walls, noded, gaps, shapely.boundary(struck)]))
    faces = polygons(noded)
    owner = owners(faces, grounds)
    faces, owner = faces[owner >= 0], owner[owner >= 0]
    faces, owner, built = whole(faces, owner, struck)
    # first buildings go where more of them is, then strips and corners
    patches = _patches(faces, owner, about)
    faces, owner = _united(faces, owner, absorb(patches, borders(faces, lines), built))
    strip = thin(faces, solid, least_m2=0.03 * float(table.target.min()))
    return share_out(faces, owner, strip, lines, solid)


def _divided(
    shapes: Shapes, owner: Ints, lines: Lines, solid: Shapes, table: Sizes, about: Density, progress: Progress
) -> tuple[Shapes, Ints, int]:
    """Too large ones divided, and every neighbour with the vertices that brought."""
    klass = table.of(about.built(shapes), about.wet(shapes))
    large = np.flatnonzero(shapely.area(shapes) > table.high[klass])
    if not len(large):
        return shapes, owner, 0
    guides, tree = lines.only(~lines.outlining), shapely.STRtree(solid)
    guide_tree = shapely.STRtree(guides.shapes)
    kept = [np.delete(shapes, large)]
    belongs = [np.delete(owner, large)]
    built, wet = about.built(shapes), about.wet(shapes)
    divided = 0
    for done, at in enumerate(large.tolist()):
        progress("blocks.stage_divide", done, len(large))
        inner = np.zeros(len(guides.shapes), dtype=bool)
        inner[guide_tree.query(shapes[at], predicate="intersects")] = True
        houses = solid[tree.query(shapes[at], predicate="intersects")]
        pieces = divide(Block(shapes[at], houses, guides.only(inner)), table, built=float(built[at]), wet=float(wet[at]))
        kept.append(pieces if len(pieces) > 1 else shapes[at : at + 1])
        belongs.append(np.full(len(pieces), owner[at]))
        divided += len(pieces) > 1
    result, belonging = np.concatenate(kept), np.concatenate(belongs)
    if divided:
        result, belonging = _woven(result, belonging)
    return result, belonging, divided


def _woven(shapes: Shapes, owner: Ints) -> tuple[Shapes, Ints]:
    """The same polygons with all vertices of their neighbours; what a neck a hair wide held together becomes two."""
    faces, of = fit_together(shapes)
    found = borders(faces)
    same = of[found.left] == of[found.right]
    woven, first = united(faces, components(len(faces), found.left[same], found.right[same]))
    return woven, owner[of[first]]


def _patches(shapes: Shapes, owner: Ints, about: Density) -> Patches:
    return Patches(shapely.area(shapes), shapely.length(shapes), about.built(shapes), about.wet(shapes), owner)


def _united(shapes: Shapes, owner: Ints, group: Ints) -> tuple[Shapes, Ints]:
    joined, first = united(shapes, group)
    return joined, owner[first]


def _allowing(shapes: Shapes, blocks: Shapes, target: float) -> NDArray[np.bool_]:
    """Which cells lie on a block whose area is that of a whole number of cells within ±10 % of the target."""
    area = shapely.area(blocks) / target
    many = np.maximum(np.round(area), 1)
    cell, block = shapely.STRtree(blocks).query(shapes, predicate="intersects")
    held = shapely.area(shapely.intersection(shapes[cell], blocks[block]))
    most = np.lexsort((block, -held, cell))
    first = most[np.r_[True, np.diff(cell[most]) > 0]]
    return np.asarray((np.abs(area / many - 1) <= TENTH)[block[first]], dtype=bool)


def _in_order(shapes: Shapes, owner: Ints, row_m: float) -> tuple[Shapes, Ints]:
    """Area by area, rows of cells from north to south, inside a row from west to east; and the order."""
    shapes = np.asarray(shapely.orient_polygons(shapes), dtype=object)
    # to a millimetre: middles on a row's edge stay on their side of it
    x, y = shapely.get_coordinates(shapely.centroid(shapes)).round(3).T
    order = np.lexsort((-y, x, -np.floor(y / row_m), owner))
    return shapes[order], order


def _report(
    cells: gpd.GeoDataFrame,
    index: NDArray[np.object_],
    table: Sizes,
    klass: Ints,
    allows: NDArray[np.bool_],
    blocks: int,
    divided: int,
    moved: pd.DataFrame,
    overlap_m2: float,
) -> BlockReport:
    area = cells["area_m2"].to_numpy()
    fits = (area >= table.low[klass]) & (area <= table.high[klass])
    grouped = cells.groupby("area_code")["area_m2"]
    by_area = pd.DataFrame({"cells": grouped.size(), "area_m2": grouped.sum()}).reindex(pd.Index(index, name="code"))
    rows = [
        {
            "cells": int((klass == at).sum()),
            "in_range": int(fits[klass == at].sum()),
            "low_m2": float(table.low[at]),
            "target_m2": float(table.target[at]),
            "high_m2": float(table.high[at]),
            "median_m2": float(np.median(area[klass == at])) if (klass == at).any() else float("nan"),
        }
        for at in range(len(table.names))
    ]
    near = (klass == 0) & (np.abs(area - table.target[0]) <= TENTH * table.target[0])
    return BlockReport(
        cells=len(cells),
        blocks=blocks,
        divided=divided,
        in_range=int(fits.sum()),
        within_tenth=int(near.sum()),
        first_class=int((klass == 0).sum()),
        allowed=int((allows & (klass == 0)).sum()),
        allowed_tenth=int((allows & near).sum()),
        overlap_m2=overlap_m2,
        moved=moved,
        by_area=by_area,
        by_class=pd.DataFrame(rows, index=pd.Index(table.names, name="klass")),
    )
