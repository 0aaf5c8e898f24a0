"""The one place that decides how a layer is drawn, by its size."""

from __future__ import annotations

from typing import Final, Literal

Road = Literal["folium", "image", "tiles"]

SHAPES_LIVE: Final = 6_000
"""Up to so many shapes a page sends whole: the browser hovers and selects without asking back."""
SHAPES_EXPORTED: Final = 20_000
"""Up to so many shapes an exported file carries as shapes (some 6 MB); beyond, as a picture of them."""
CELLS_AS_SHAPES: Final = 2_000
"""Up to so many cells of a lattice are worth drawing as shapes; beyond, one pixel per cell is smaller and sharper."""


def road(n_shapes: int, *, on_lattice: bool, exported: bool = False) -> Road:
    """How a layer of `n_shapes` shapes is drawn.

    Parameters
    ----------
    n_shapes
        Number of shapes, or of cells that have a value.
    on_lattice
        Whether they are values on a square lattice rather than shapes of their own.
    exported
        Whether the map goes into a file, where no server answers.

    Returns
    -------
    str
        `"folium"`: every shape is sent whole (Folium in files and notebooks, our own component on a page);
        `"tiles"`: our server sends what the view shows;
        `"image"`: one reprojected picture.

    Examples
    --------
    >>> road(170, on_lattice=False), road(200_000, on_lattice=False), road(1_600_000, on_lattice=True)
    ('folium', 'tiles', 'image')
    >>> road(200_000, on_lattice=False, exported=True)
    'image'
    """
    if on_lattice and n_shapes > CELLS_AS_SHAPES:
        return "image"
    if n_shapes <= (SHAPES_EXPORTED if exported else SHAPES_LIVE):
        return "folium"
    return "image" if exported else "tiles"
