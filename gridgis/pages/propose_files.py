"""Files of a proposal: a workbook with its sheet and grids, the grids for a map program."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Final

import geopandas as gpd
import pandas as pd
import xlsxwriter

from gridgis.files.writing import write_frame
from gridgis.pages import propose_views
from gridgis.pages.downloads import write_table
from gridgis.pages.propose_drawing import Drawn
from gridgis.text import Lang, t

_LAYER: Final = "grids"


def workbook(drawn: Drawn, which: int, lang: Lang, *, synthetic: bool) -> bytes:
    """An option as an Excel workbook: the grids, the rules, all proposals side by side."""
    option = drawn.option(which)
    group = "balancing" if drawn.asked.kind == "balance" else "blocks"
    frame = propose_views.shown(drawn, option, lang)
    wanted = propose_views.columns(drawn, lang)
    grids = pd.DataFrame({t("proposepage.col_code", lang): frame["code"]} | {one.title: frame[one.field] for one in wanted})
    heads = {name: t(f"proposepage.col_{name}", lang) for name in ("rule", "hard", "kept", "of", "share")}
    rules = option.rules.reset_index()[list(heads)]
    rules["rule"] = [t(f"{group}.rule_{rule}", lang) for rule in rules["rule"]]
    rules["hard"] = [t("general.yes" if hard else "general.no", lang) for hard in rules["hard"]]
    sheets = {"grids": grids, "rules": rules.rename(columns=heads)}
    if drawn.asked.kind == "balance":
        sheets["proposals"] = _proposals(drawn, lang)
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        base = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
        styles = {
            "text": book.add_format(base),
            "head": book.add_format({**base, "bold": True, "bg_color": "#E6EFF6", "bottom": 1}),
        }
        for name, table in sheets.items():
            write_table(book.add_worksheet(t(f"proposepage.sheet_{name}", lang)), table, styles, width=_width)
        if synthetic:
            note = book.add_worksheet(t("proposepage.sheet_note", lang))
            note.write_string(0, 0, t("general.synthetic", lang), styles["text"])
    return stream.getvalue()


def shapes(drawn: Drawn, which: int, ending: str, *, synthetic: bool) -> bytes:
    """The grids of an option as `.gpkg` or `.geojson`, with the columns of the layer of grids and their figures."""
    grids = drawn.option(which).grids
    rest = [name for name in grids.columns if name not in ("name", "geometry", "is_new")]
    frame = gpd.GeoDataFrame(grids[["name", *rest, "geometry"]].assign(area_code=drawn.target.area), crs=grids.crs)
    with tempfile.TemporaryDirectory(prefix="gridgis-") as folder:
        file = Path(folder) / f"grids{ending}"
        write_frame(file, frame.rename_axis("code"), layer=_LAYER, synthetic=synthetic)
        return file.read_bytes()


def _proposals(drawn: Drawn, lang: Lang) -> pd.DataFrame:
    rows = []
    for number, option in enumerate(drawn.options, start=1):
        score = option.score
        if score is None:
            continue
        taste = t(f"balancing.taste_{score.taste}", lang)
        rows.append((number, taste, score.deviation, score.least, score.most, score.compactness, score.stay, score.grids))
    names = ("number", "taste", "deviation", "least", "most", "compactness", "stay", "grids")
    return pd.DataFrame(rows, columns=[t(f"proposepage.col_{name}", lang) for name in names])


def _width(heading: str) -> int:
    return max(10, min(34, 2 * len(heading) + 2))
