"""Files a reader takes away from the hot-spot page."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

import pandas as pd
import xlsxwriter

from gridgis.hotspots.emergence import EmergingResult
from gridgis.maps import MapLayer, folium_map, picture
from gridgis.pages import hotspot_layers, hotspot_panel
from gridgis.pages import hotspot_words as words
from gridgis.pages.downloads import safe, write_table
from gridgis.tasks import hotspot_files
from gridgis.tasks.hotspot_views import Against, HotSpots
from gridgis.text import Lang, t

_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CELLS_IN_BOOK: Final = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What the page shows when a file is asked for."""

    whole: HotSpots
    shown: HotSpots
    """One period of it, or the same."""
    before: Against | None
    found: EmergingResult | None
    view: str
    step: int | None
    lang: Lang
    under: tuple[MapLayer, ...]

    @property
    def title(self) -> str:
        """Title of the file."""
        parts = [t("hotspage.title", self.lang), self.whole.place, t(f"hotspage.view_{self.view}", self.lang)]
        if self.step is not None:
            parts.append(words.step_text(self.whole.periods[self.step], self.lang))
        return " · ".join(part for part in parts if part)


def geopackage(taken: Taken) -> bytes:
    """Cells, spots and area for QGIS."""
    return hotspot_files.geopackage(taken.whole, about(taken), found=taken.found, before=taken.before)


def geotiff(taken: Taken) -> bytes:
    """The heat map for QGIS."""
    return hotspot_files.geotiff(taken.shown, about(taken))


def csv(taken: Taken) -> bytes:
    """The cells as a table."""
    return hotspot_files.csv(taken.whole, found=taken.found, before=taken.before)


def workbook(taken: Taken) -> bytes:
    """An Excel workbook: the sentence with the parameters, the hot spots, the series, the week, the cells."""
    stream, lang, spots = io.BytesIO(), taken.lang, taken.whole
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        base = {"font_name": "Microsoft YaHei", "font_size": 10}
        styles = {
            "text": book.add_format(base),
            "wrap": book.add_format({**base, "text_wrap": True, "valign": "top"}),
            "title": book.add_format({**base, "bold": True, "font_size": 14, "font_color": "#1F5F8B"}),
            "head": book.add_format({**base, "bold": True, "bg_color": "#E6EFF6", "bottom": 1}),
        }
        first = book.add_worksheet(t("hotspage.sheet_about", lang))
        first.write_string(0, 0, safe(taken.title), styles["title"])
        for row, (name, value) in enumerate(about(taken).items(), start=2):
            first.write_string(row, 0, name, styles["text"])
            first.write_string(row, 1, safe(value), styles["wrap"])
        first.set_column(0, 0, 16)
        first.set_column(1, 1, 110)
        series = pd.DataFrame(
            {
                t("hotspage.col_period", lang): [words.step_label(one) for one in spots.periods],
                t("hotspage.col_count", lang): spots.series(),
            }
        )
        days = [t(f"hotspage.day_{number}", lang) for number in range(7)]
        week = pd.DataFrame(spots.week(), columns=[str(hour) for hour in range(24)])
        week.insert(0, t("hotspage.col_day", lang), days)
        cells = hotspot_files.cell_frame(spots, found=taken.found, before=taken.before)
        table = pd.DataFrame(cells.drop(columns=cells.geometry.name)).reset_index().head(_CELLS_IN_BOOK)
        titles = {column.field: column.title for column in words.spot_columns(lang)}
        places = spots.spots.reset_index()[list(titles)].rename(columns=titles)
        for name, frame in (("spots", places), ("series", series), ("week", week), ("cells", table)):
            write_table(book.add_worksheet(t(f"hotspage.sheet_{name}", lang)), frame, styles, width=_width)
    return stream.getvalue()


def png(taken: Taken) -> bytes:
    """The map as the page shows it, under its title and sentence."""
    drawn = hotspot_layers.draw(taken.view, taken.shown, taken.found, taken.before, taken.lang)
    shapes = hotspot_layers.layers([drawn], taken.whole, taken.lang, under=_light(taken))
    lines = [words.sentence(taken.whole, taken.before, taken.lang)]
    return picture.png(shapes, lang=taken.lang, title=taken.title, lines=lines, notice=_notice(taken))


def page(taken: Taken) -> bytes:
    """One HTML file that asks no machine for anything: sentence, figures, a map whose views can be switched, charts, reasons."""
    lang, spots = taken.lang, taken.whole
    views = [name for name in ("density", "moran", "gi") if name != taken.view]
    if taken.found is not None and taken.view != "emerging":
        views.insert(0, "emerging")
    drawn = [hotspot_layers.draw(name, spots, taken.found, taken.before, lang) for name in views]
    drawn.append(hotspot_layers.draw(taken.view, taken.shown, taken.found, taken.before, lang))
    shapes = hotspot_layers.layers(drawn, spots, lang, under=_light(taken))
    drawn_map = folium_map.self_contained_html(shapes, lang=lang, notice=_notice(taken))
    parts = [f"<h1>{html.escape(taken.title)}</h1>"]
    if spots.synthetic:
        parts.append(f'<div class="gp-synthetic">{html.escape(t("general.synthetic", lang))}</div>')
    parts += [words.headline(spots, taken.before, lang), words.figures(spots, taken.before, lang)]
    parts.append(_heading("hotspage.map_title", lang))
    parts.append(f'<iframe title="{html.escape(t("hotspage.map_title", lang))}" srcdoc="{html.escape(drawn_map)}"></iframe>')
    earlier = taken.before.series.tolist() if taken.before is not None else None
    series = hotspot_panel.series(spots, lang, earlier=earlier, before=taken.before)
    for key, chart in (("series_label", series), ("week_title", hotspot_panel.week(spots, lang))):
        parts += [_heading(f"hotspage.{key}", lang), f'<div style="max-width:560px">{chart}</div>']
    parts += [_heading("hotspage.spots_title", lang), words.spot_table(spots, lang, whole=True)]
    parts += [_heading("hotspage.explain_title", lang), words.explanation(spots, lang)]
    sheet = (resources.files("gridgis.pages") / "style.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(taken.title)}</title>'
    tag = "zh-CN" if lang == "zh" else "en"
    body = "\n".join(parts)
    whole = f'<html lang="{tag}"><head>{head}<style>{sheet}</style></head><body class="gp-file">{body}</body></html>'
    return f"<!DOCTYPE html>{whole}".encode()


MAKERS: Final[Mapping[str, tuple[str, str, Callable[[Taken], bytes]]]] = {
    "gpkg": (".gpkg", "application/geopackage+sqlite3", geopackage),
    "tif": (".tif", "image/tiff", geotiff),
    "csv": (".csv", "text/csv", csv),
    "xlsx": (".xlsx", _XLSX, workbook),
    "png": (".png", "image/png", png),
    "html": (".html", "text/html", page),
}
"""Ending, media type and maker of every kind of file."""


def about(taken: Taken) -> dict[str, str]:
    """What a file says of itself: the sentence, the parameters with their reasons, what was left out."""
    spots, lang = taken.whole, taken.lang
    told = {"headline": words.sentence(spots, taken.before, lang)}
    told |= {name: choice.message(lang) for name, choice in spots.choices.items()}
    told["time_zone"] = spots.request.filters.time_zone
    told |= {f"left_out_{name}": str(count) for name, count in spots.chosen.left_out.items()}
    if spots.synthetic:
        told["synthetic"] = t("general.synthetic", lang)
    return told


def file_name(spots: HotSpots, lang: Lang, ending: str) -> str:
    """Name of a file to save: what, where, when."""
    place = "".join(letter for letter in spots.place if letter.isalnum() or letter in " -").strip() or "gridgis"
    return (
        t("hotspage.file_stem", lang, place=place, first=spots.chosen.first.isoformat(), last=spots.chosen.last.isoformat())
        + ending
    )


def _light(taken: Taken) -> list[MapLayer]:
    return [layer for layer in taken.under if layer.visible]


def _notice(taken: Taken) -> str | None:
    return t("general.synthetic", taken.lang) if taken.whole.synthetic else None


def _heading(key: str, lang: Lang) -> str:
    return f'<div class="gp-section"><h2>{html.escape(t(key, lang))}</h2></div>'


def _width(heading: str) -> int:
    return max(9, min(30, len(heading) + 4))
