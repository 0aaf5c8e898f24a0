"""How a proposal is shown: the list beside the chart, the sheet rule by rule, the map, the tables."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd

from gridgis import text
from gridgis.maps import Field, MapLayer, Style
from gridgis.maps.spec import Bounds
from gridgis.maps.style import Class, categories
from gridgis.pages import propose_chart, tables
from gridgis.pages.propose_drawing import Drawn, Option, Score
from gridgis.pages.tables import Column
from gridgis.text import Lang, t

_TODAY: Final = Style(fill="#FFFFFF", opacity=0.0, line="#7A2E6B", width=1.0)
_GRID: Final = Style(opacity=0.75, line="#1D2A35", width=2.2)
_CELL: Final = Style(opacity=0.75, line="#33434E", width=1.0)
# light to heavy, told apart with any kind of colour blindness
_LOADS: Final = ("#2C7BB6", "#ABD9E9", "#F5F1C4", "#FDAE61", "#C64A1E")
_KLASSES: Final = {"core": "#D55E00", "town": "#E6AB5C", "open": "#B7D7A8", "water": "#9CC7E4"}
_STEPS: Final = (-0.2, -0.05, 0.05, 0.2)
_CUT: Final = ("avoidable", "large", "area")
_SHOWN: Final = 300
_LEGEND: Final = 0.6
# a load is within its range up to rounding
_SAME: Final = 1e-9


def chooser(drawn: Drawn, which: int, lang: Lang) -> str:
    """Chart and list of the proposals side by side; both answer to clicks."""
    scores = _scores(drawn)
    chart = propose_chart.pareto(scores, lang, chosen=which, beaten=drawn.beaten, today=drawn.today)
    return f'<div class="gp-proposals"><div>{chart}</div>{listed(scores, drawn.today, which, lang)}</div>'


def listed(scores: Sequence[Score], today: Score | None, which: int, lang: Lang) -> str:
    """The proposals as a table, numbered like the dots; today's grids last.

    >>> rows = listed([Score("even", 0.02, 0.4, 0.5, 10, 48.0, 52.0)], None, 1, "en")
    >>> 'data-plan="1"' in rows and "2.0 %" in rows
    True
    """
    names = ["number", "taste", "deviation", "loads", "compactness", "stay"]
    if len({score.grids for score in scores}) > 1:
        names.append("grids")
    heads = "".join(f'<th scope="col"{_right(name)}>{html.escape(t(f"proposepage.col_{name}", lang))}</th>' for name in names)
    rows = []
    for number, score in enumerate(scores, start=1):
        mark = ' class="chosen" aria-selected="true"' if number == which else ""
        tip = html.escape(propose_chart.said(number, score, lang))
        taste = t(f"balancing.taste_{score.taste}", lang)
        rows.append(
            f'<tr data-plan="{number}" tabindex="0" aria-label="{tip}"{mark}>{_cells(str(number), taste, score, names)}</tr>'
        )
    if today is not None:
        rows.append(f'<tr class="today">{_cells("◇", t("proposepage.today", lang), today, names)}</tr>')
    return _html_table(t("proposepage.list", lang), heads, rows)


def figures(drawn: Drawn, option: Option, lang: Lang) -> str:
    """The option looked at in a row of figures."""
    pairs = [(t("proposepage.figure_grids", lang), text.number(len(option.grids)))]
    score = option.score
    if score is not None:
        pairs += [
            (t("proposepage.figure_loads", lang, load=load_name(drawn, lang)), _range(score)),
            (t("proposepage.figure_deviation", lang), f"±{text.percent(score.deviation)}"),
            (t("proposepage.figure_compactness", lang), f"{score.compactness:.2f}"),
        ]
        if score.stay is not None:
            pairs.append((t("proposepage.figure_stay", lang), text.percent(score.stay)))
    else:
        area = option.grids["area_m2"]
        inside = option.rules["share"].get("in_range", math.nan)
        pairs += [
            (t("proposepage.figure_median", lang), f"{text.number(float(area.median()))} m²"),
            (t("proposepage.figure_in_range", lang), tables.value_text(float(inside), "percent", lang)),
            (t("proposepage.figure_cut", lang), text.number(sum(drawn.cut.values()))),
        ]
    return tables.figures(pairs).replace("gp-cards", "gp-cards gp-fit", 1)


def rules(drawn: Drawn, option: Option, lang: Lang) -> str:
    """The sheet: rule by rule what is kept, of how much, hard rules first and marked."""
    group = "balancing" if drawn.asked.kind == "balance" else "blocks"
    heads = "".join(
        f'<th scope="col"{" class=r" if at else ""}>{html.escape(t(f"proposepage.col_{name}", lang))}</th>'
        for at, name in enumerate(("rule", "kept", "of", "share"))
    )
    rows = []
    shown = option.rules[option.rules["of"] > 0]
    for rule, row in shown.sort_values("hard", ascending=False, kind="stable").iterrows():
        word = html.escape(t(f"{group}.rule_{rule}", lang))
        mark = f' <em class="gp-hard">{html.escape(t("proposepage.hard", lang))}</em>' if row["hard"] else ""
        scored = row["of"] == 1.0 and drawn.asked.kind == "balance"
        kept, of = ("–", "–") if scored else (text.number(float(row["kept"])), text.number(float(row["of"])))
        share = f"{row['kept']:.2f}" if scored else text.percent(float(row["share"]))
        rows.append(f'<tr><td>{word}{mark}</td><td class="r">{kept}</td><td class="r">{of}</td><td class="r">{share}</td></tr>')
    return _html_table(t("proposepage.sheet", lang), heads, rows)


def changes(drawn: Drawn, option: Option, lang: Lang) -> str:
    """What an option changes of today's grids, in a few sentences."""
    names = drawn.before["name"] if "name" in drawn.before else pd.Series(dtype=object)
    gone = t("proposepage.and", lang).join(str(names.get(code) or code) for code in option.gone[:12]) + (
        " …" if len(option.gone) > 12 else ""
    )
    lines = [t("proposepage.change_new", lang, kept=len(option.kept), new=option.new, gone=len(option.gone))]
    if option.gone and len(option.gone) <= 60 and drawn.asked.kind == "balance":
        lines.append(t("proposepage.change_gone", lang, grids=gone))
    if option.new:
        lines.append(t("proposepage.change_codes", lang))
    if drawn.cut:
        told = [t(f"proposepage.cut_{reason}", lang, count=drawn.cut[reason]) for reason in _CUT if drawn.cut.get(reason)]
        lines.append(t("proposepage.cut", lang, told=t("proposepage.and", lang).join(told)))
    return f'<ul class="gp-notes">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>'


def load_name(drawn: Drawn, lang: Lang) -> str:
    """What a load counts: the one weight there is, else the load as such."""
    weights = drawn.asked.weights
    return t("proposepage.load", lang) if len(weights) > 1 else t(f"proposepage.weight_{weights[0][0]}", lang)


def shown(drawn: Drawn, option: Option, lang: Lang) -> gpd.GeoDataFrame:
    """The grids as table and map show them: `title`, and words instead of names of columns."""
    grids = option.grids
    titles = [
        t("proposepage.new_grid", lang, number=str(code).removeprefix("+"))
        if fresh and drawn.asked.kind == "balance"
        else name or code
        for code, name, fresh in zip(grids.index, grids["name"], grids["is_new"], strict=True)
    ]
    frame = grids.assign(title=titles, code=grids.index.astype(str))
    if "klass" not in grids:
        return frame
    return frame.assign(ground=[t(f"proposepage.ground_{klass}", lang) for klass in grids["klass"]])


def columns(drawn: Drawn, lang: Lang) -> list[Column]:
    """Columns of the table of grids, what nothing is known of left out."""
    balance = drawn.asked.kind == "balance"
    made = [Column("title", t("proposepage.col_grid", lang), "name")]
    if not balance:
        made.append(Column("ground", t("proposepage.col_ground", lang), "name"))
    elif [name for name, _ in drawn.asked.weights] != ["households"]:
        made.append(Column("load", load_name(drawn, lang), "number", digits=_digits(drawn)))
    counted = ("households", "population", "buildings", "incidents")
    grids = drawn.options[0].grids
    made += [Column(name, t(f"proposepage.weight_{name}", lang), "int") for name in counted if grids[name].notna().any()]
    made.append(Column("area_m2", t("proposepage.weight_area_m2", lang), "number", digits=0))
    if balance:
        made.append(Column("units", t("proposepage.col_units", lang), "int"))
        if "kept" in grids:
            made.append(Column("kept", t("proposepage.col_units_stay", lang), "int"))
    return [*made, Column("compactness", t("proposepage.col_compactness", lang), "number", digits=2)]


def table(drawn: Drawn, frame: gpd.GeoDataFrame, lang: Lang) -> str:
    """The grids of an option as a table."""
    label = t("proposepage.table", lang)
    return tables.table(frame.head(_SHOWN), columns(drawn, lang), lang, height_px=340, label=label)


def table_note(frame: gpd.GeoDataFrame, lang: Lang) -> str | None:
    """What is said where the table is cut short."""
    if len(frame) <= _SHOWN:
        return None
    return t("proposepage.table_more", lang, shown=text.number(_SHOWN), count=text.number(len(frame)))


def classes(drawn: Drawn, lang: Lang) -> str:
    """By class of ground: how many cells, what they should measure, how many do."""
    if drawn.classes is None:
        return ""
    rows = drawn.classes[drawn.classes["cells"] > 0]
    rows = rows.assign(
        ground=[t(f"proposepage.ground_{name}", lang) for name in rows.index],
        wanted=[_between(low, high) for low, high in zip(rows["low_m2"], rows["high_m2"], strict=True)],
    )
    wanted = [
        Column("ground", t("proposepage.col_ground", lang), "name"),
        Column("cells", t("proposepage.col_cells", lang), "int"),
        Column("wanted", t("proposepage.col_wanted", lang), "code"),
        Column("in_range", t("proposepage.col_in_range", lang), "int"),
        Column("median_m2", t("proposepage.col_median", lang), "number", digits=0),
    ]
    return tables.table(rows, wanted, lang, label=t("proposepage.classes", lang))


def layers(drawn: Drawn, frame: gpd.GeoDataFrame, lang: Lang, *, under: Sequence[MapLayer] = ()) -> list[MapLayer]:
    """The proposed grids over water and streets, today's borders thin on top."""
    popup = tuple(_fields(drawn, lang))
    title = t("proposepage.map_loads", lang, load=load_name(drawn, lang)) if drawn.asked.kind == "balance" else ""
    if drawn.asked.kind == "balance":
        style = _by_load(drawn, frame, lang)
    else:
        title = t("proposepage.col_ground", lang)
        kinds = [name for name in _KLASSES if (frame["klass"] == name).any()]
        labels: dict[object, str] = {name: t(f"proposepage.ground_{name}", lang) for name in kinds}
        style = categories("klass", labels, colours=[_KLASSES[name] for name in kinds], base=_CELL)
    drawn_grids = MapLayer("proposed", title, frame, style, popup, "title")
    if drawn.before.empty:
        return [*under, drawn_grids]
    return [*under, drawn_grids, MapLayer("today", t("proposepage.map_today", lang), drawn.before[["geometry"]], _TODAY)]


def opening(drawn: Drawn) -> Bounds:
    """West, south, east, north in degrees a map opens with: the grids, and beside them room for the legend."""
    west, south, east, north = (float(side) for side in drawn.options[0].grids.to_crs(4326).total_bounds)
    return west, south, east + _LEGEND * (east - west), north


def _fields(drawn: Drawn, lang: Lang) -> Iterator[Field]:
    for column in columns(drawn, lang):
        yield Field(column.field, column.title, column.digits)
        if column.field == "title" and drawn.asked.kind == "balance":
            yield Field("code", t("proposepage.col_code", lang))


def _by_load(drawn: Drawn, frame: gpd.GeoDataFrame, lang: Lang) -> Style:
    """Five steps: below the range, its thirds, above it; without a range by the distance from the mean."""
    low, high = drawn.asked.low, drawn.asked.high
    if low is not None and high is not None and low < high:
        breaks = [low * (1 - _SAME), low + (high - low) / 3, high - (high - low) / 3, high * (1 + _SAME)]
        ends = [text.number(value, digits=_digits(drawn)) for value in breaks]
        labels = [f"< {ends[0]}", *(f"{ends[at]} – {ends[at + 1]}" for at in range(3)), f"> {ends[3]}"]
    else:
        mean = float(frame["load"].mean())
        breaks = [mean * (1 + step) for step in _STEPS]
        near, far = (text.percent(share, digits=0) for share in (_STEPS[2], _STEPS[3]))
        names = ("less", "little_less", "mean", "little_more", "more")
        labels = [t(f"proposepage.load_{name}", lang, near=near, far=far) for name in names]
    if not np.all(np.diff(breaks) > 0):
        return _GRID
    limits = [*breaks, math.inf]
    made = tuple(Class(label, colour, None, upper) for label, colour, upper in zip(labels, _LOADS, limits, strict=True))
    return Style(opacity=_GRID.opacity, line=_GRID.line, width=_GRID.width, column="load", kind="steps", classes=made)


def _scores(drawn: Drawn) -> list[Score]:
    return [option.score for option in drawn.options if option.score is not None]


def _cells(number: str, taste: str, score: Score, names: Sequence[str]) -> str:
    stay = "–" if score.stay is None or not score.taste else text.percent(score.stay, digits=0)
    values = (
        number,
        taste,
        text.percent(score.deviation),
        _range(score),
        f"{score.compactness:.2f}",
        stay,
        text.number(score.grids),
    )
    return "".join(f"<td{_right(name)}>{html.escape(value)}</td>" for name, value in zip(names, values, strict=False))


def _html_table(label: str, heads: str, rows: Sequence[str]) -> str:
    head = f'<table aria-label="{html.escape(label)}"><thead><tr>{heads}</tr></thead>'
    return f'<div class="gp-table">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _right(name: str) -> str:
    return ' class="c"' if name in ("number", "taste") else ' class="r"'


def _range(score: Score) -> str:
    digits = 0 if score.most >= 10 else 2
    return f"{text.number(score.least, digits=digits)} – {text.number(score.most, digits=digits)}"


def _digits(drawn: Drawn) -> int:
    score = drawn.options[0].score
    return 0 if score is None or score.most >= 10 else 2


def _between(low: float, high: float) -> str:
    return f"≥ {text.number(low)}" if math.isinf(high) else f"{text.number(low)} – {text.number(high)}"
