"""A font with Chinese letters for pictures: the one fetched at set-up, else one this machine has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

from gridgis.errors import DataError

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_OURS: Final = Path(__file__).resolve().parent.parent / "web" / "static" / "vendor" / "fonts"
# file name → (bold companion or none, index of the simplified Chinese face in a collection)
_KNOWN: Final[tuple[tuple[str, str, int], ...]] = (
    ("NotoSansHans-Regular.otf", "NotoSansHans-Bold.otf", 0),
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", 2),
    ("NotoSansCJKsc-Regular.otf", "NotoSansCJKsc-Bold.otf", 0),
    ("NotoSansSC-Regular.otf", "NotoSansSC-Bold.otf", 0),
    ("NotoSansSC-Regular.ttf", "NotoSansSC-Bold.ttf", 0),
    ("SourceHanSansSC-Regular.otf", "SourceHanSansSC-Bold.otf", 0),
    ("SourceHanSansCN-Regular.otf", "SourceHanSansCN-Bold.otf", 0),
    ("msyh.ttc", "msyhbd.ttc", 0),
    ("msyh.ttf", "msyhbd.ttf", 0),
    ("PingFang.ttc", "PingFang.ttc", 0),
    ("Hiragino Sans GB.ttc", "Hiragino Sans GB.ttc", 0),
    ("STHeiti Light.ttc", "STHeiti Medium.ttc", 0),
    ("simhei.ttf", "simhei.ttf", 0),
    ("simsun.ttc", "simsunb.ttf", 0),
    ("wqy-microhei.ttc", "wqy-microhei.ttc", 0),
    ("wqy-zenhei.ttc", "wqy-zenhei.ttc", 0),
    ("DroidSansFallbackFull.ttf", "DroidSansFallbackFull.ttf", 0),
    ("DroidSansFallback.ttf", "DroidSansFallback.ttf", 0),
)


def font(size: int, text: str = "", *, bold: bool = False) -> Font:
    """A font of a size in pixels that can write `text`.

    Raises
    ------
    DataError
        If the text has Chinese letters and no font that knows them is found: a picture full of empty boxes helps nobody.

    Examples
    --------
    >>> font(20).getlength("Coverage") > 40
    True
    """
    found = _found()
    if found is not None:
        regular, heavy, index = found
        return ImageFont.truetype(heavy if bold else regular, size, index=index)
    if any(ord(letter) > 0x2E80 for letter in text):
        raise DataError("maps.no_font")
    return ImageFont.load_default(size)


@cache
def _found() -> tuple[str, str, int] | None:
    """Paths of the first known font: regular, bold (regular again if there is none), face number."""
    ours = {path.name: path for path in _OURS.glob("*.otf")} if _OURS.is_dir() else {}
    for files in (ours, _system_fonts() if not ours else {}):
        for regular, bold, index in _KNOWN:
            if regular in files:
                return str(files[regular]), str(files.get(bold, files[regular])), index
    return None


def _system_fonts() -> dict[str, Path]:
    names = {name for regular, bold, _ in _KNOWN for name in (regular, bold)}
    found: dict[str, Path] = {}
    for folder in _folders():
        for place, _, files in os.walk(folder):
            for name in names.intersection(files):
                found.setdefault(name, Path(place) / name)
    return found


def _folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"
        yield home / "AppData/Local/Microsoft/Windows/Fonts"
    elif sys.platform == "darwin":
        yield from (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    else:
        yield from (home / ".local/share/fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts"))
