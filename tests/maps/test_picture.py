"""Pictures for reports: what is painted where, by pixels one can count."""

from __future__ import annotations

import io

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image

from gridgis import toy
from gridgis.errors import DataError
from gridgis.lattice import Lattice
from gridgis.maps import LatticeValues, MapLayer, fonts, picture
from gridgis.maps.paint import paint_shapes, paint_source
from gridgis.maps.source import FrameSource
from gridgis.maps.style import Style, categories, steps


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def share(image: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((image == colour).all(axis=2).mean())


def solid(fill: str) -> Style:
    return Style(fill=fill, opacity=1.0, width=0)


def test_areas_have_the_shares_of_the_picture_they_have_of_the_town() -> None:
    style = categories("code", {"G1": "one", "G2": "two", "G3": "three"}, base=Style(opacity=1.0, width=0))
    frame = toy.grids().assign(code=toy.grids().index)
    image = pixels(picture.png([MapLayer("grids", "Grids", frame, style)], lang="en", size=(1000, 1000)))
    one, two = share(image, (0x00, 0x72, 0xB2)), share(image, (0xE6, 0x9F, 0x00))
    assert one / two == pytest.approx(1.5, rel=0.03)  # 150 m against 100 m wide


def test_a_hole_shows_what_lies_below() -> None:
    outer = shapely.box(0, 0, 1, 1).difference(shapely.box(0.25, 0.25, 0.75, 0.75))
    frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1), outer], crs=4326)
    below, above = FrameSource(frame.iloc[[0]], solid("#00FF00")), FrameSource(frame.iloc[[1]], solid("#FF0000"))
    image = paint_shapes(below.whole(), below.style, below.bounds, (200, 200))
    image.alpha_composite(paint_shapes(above.whole(), above.style, above.bounds, (200, 200)))
    assert image.getpixel((100, 100))[:3] == (0, 255, 0)
    assert image.getpixel((20, 100))[:3] == (255, 0, 0)


@pytest.mark.parametrize("size", [150, 300, 700, 3000])  # dots, boxes of two and five pixels, shapes
def test_small_shapes_cover_what_they_cover_without_gaps(size: int) -> None:
    side = 180
    row, column = np.divmod(np.arange(side * side), side)
    x, y = 500_000 + 100 * column, 4_400_000 + 100 * row
    source = FrameSource(gpd.GeoDataFrame(geometry=shapely.box(x, y, x + 100, y + 100), crs=4548), solid("#FF0000"))
    image = np.asarray(paint_source(source, source.bounds, (size, size)))
    middle = image[size // 20 : -size // 20, size // 20 : -size // 20, 3]
    assert (middle > 200).mean() > 0.995


def test_words_that_need_chinese_letters_say_so_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_found", lambda: None)
    with pytest.raises(DataError, match="Chinese"):
        picture.png([MapLayer("g", "网格", toy.grids())], lang="zh", size=(400, 400))
    assert picture.png([MapLayer("g", "Grids", toy.grids())], lang="en", title="Toy", size=(400, 400))


def test_layers_that_are_off_are_not_drawn_and_nothing_is_an_error() -> None:
    hidden = MapLayer("g", "Grids", toy.grids(), solid("#FF0000"), visible=False)
    image = pixels(picture.png([MapLayer("a", "Areas", toy.areas(), solid("#00FF00")), hidden], lang="en"))
    assert share(image, (255, 0, 0)) == 0
    assert share(image, (0, 255, 0)) > 0.3
    with pytest.raises(DataError):
        picture.png([hidden], lang="en")


@pytest.mark.parametrize("size", [(10, 10), (400, 9000)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError):
        picture.png([MapLayer("g", "G", toy.grids())], lang="en", size=size)


def test_values_of_a_lattice_stand_on_their_cells() -> None:
    lattice = Lattice.covering((500_000, 3_366_000, 500_400, 3_366_400), 100, toy.CRS)
    values = np.full((4, 4), np.nan)
    values[0, 0] = 9.0  # north-west
    style = steps("value", [5], ["low", "high"], base=Style(opacity=1.0))
    image = pixels(picture.png([MapLayer("hot", "Hot", LatticeValues(lattice, values), style)], lang="en", size=(800, 800)))
    rows, columns = np.nonzero((image == (0x0B, 0x3F, 0x5E)).all(axis=2))
    inside = columns < 500  # the legend's swatch stands on the right
    assert rows[inside].max() < 400
    assert columns[inside].max() < 400
    assert inside.sum() / (lattice.rows * lattice.columns) > 500
