"""What a popup says: values as the reader's language writes them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from gridgis import text
from gridgis.maps.layer import Field
from gridgis.text import Lang


def rows_of(frame: gpd.GeoDataFrame | pd.DataFrame, fields: Sequence[Field], lang: Lang) -> list[list[list[str]]]:
    """Popup lines of every row: pairs of heading and value.

    >>> from gridgis import toy
    >>> rows_of(toy.grids(), (Field("code", "Code"), Field("officer", "Officer")), "en")[0]
    [['Code', 'G1'], ['Officer', 'Li']]
    """
    columns = []
    for field in fields:
        values: Sequence[object]
        if field.column in frame.columns:
            values = frame[field.column].astype(object).tolist()
        elif field.column == frame.index.name:
            values = frame.index.tolist()
        else:
            values = [None] * len(frame)
        columns.append([shown(value, field, lang) for value in values])
    headings = [field.heading for field in fields]
    return [[[heading, column[row]] for heading, column in zip(headings, columns, strict=True)] for row in range(len(frame))]


def shown(value: object, field: Field, lang: Lang) -> str:
    """A value as a popup writes it: numbers, dates and yes/no in the reader's language, "–" for nothing.

    >>> shown(12345.678, Field("area_m2", "Area", 1, " m²"), "en"), shown(None, Field("x", "X"), "zh")
    ('12,345.7 m²', '–')
    >>> shown(0.436, Field("share", "Covered", share=True), "en"), shown(True, Field("open", "Open"), "zh")
    ('43.6 %', '是')
    """
    if is_nothing(value):
        return "–"
    if isinstance(value, bool | np.bool_):
        return text.t("general.yes" if value else "general.no", lang)
    if isinstance(value, dt.datetime):
        return f"{text.day(value.date(), lang)} {value:%H:%M}"
    if isinstance(value, dt.date):
        return text.day(value, lang)
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if field.share:
            return text.percent(number)
        digits = field.digits if field.digits is not None else (0 if number.is_integer() else 2)
        return text.number(number, digits=digits) + field.unit
    return str(value) + field.unit


def is_nothing(value: object) -> bool:
    """Whether a cell of a table is empty: none, NaN, not a time, or a missing value of pandas.

    >>> [is_nothing(value) for value in (None, float("nan"), pd.NaT, pd.NA, "", 0)]
    [True, True, True, True, False, False]
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float) and math.isnan(value)
