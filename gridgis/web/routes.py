"""The routes of our own beside Streamlit's: assets, tiles, whole layers, pictures, popups and downloads."""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import math
import re
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Final

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gridgis.errors import GridgisError
from gridgis.layers import LAYERS
from gridgis.maps import opening
from gridgis.maps.source import FrameSource
from gridgis.maps.spec import shapes
from gridgis.maps.tiles import MAX_ZOOM, tile
from gridgis.text import LANGS, Lang, t
from gridgis.web import cache
from gridgis.web.answers import identify
from gridgis.web.cache import Published

STATIC: Final = Path(__file__).parent / "static"
PLACE: Final = "/gridgis"
"""First part of every address of ours."""
FORMATS: Final = ("gpkg", "geojson", "parquet", "fgb", "shp", "csv", "xlsx")

_LOG: Final = logging.getLogger("gridgis.web")
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_SHAPES: Final = "application/x-gridgis-shapes"
# a token names its content for ever, so that a browser need not ask again
_FOR_EVER: Final = "private, max-age=31536000, immutable"
_SAFE: Final = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

Endpoint = Callable[[Request], Response]


class Refused(Exception):
    """A request that is answered with a status and nothing else."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(status, key)
        self.status = status
        self.key = key


def routes(url: str, *, prefix: str = "", hosts: frozenset[str] | None = None) -> list[BaseRoute]:
    """The routes for one workspace.

    Parameters
    ----------
    url
        The workspace, for downloads; layers on maps name theirs.
    prefix
        What stands before every address of the app: Streamlit's `server.baseUrlPath` with a slash in front, or nothing.
    hosts
        Host names requests may ask for; none for any.
    """
    place = prefix + PLACE

    def guarded(endpoint: Endpoint) -> Endpoint:
        return guard(endpoint, hosts)

    return [
        Route(f"{place}/tiles/{{token}}/{{z}}/{{x}}/{{y}}", guarded(_tile), methods=["GET"]),
        Route(f"{place}/shapes/{{token}}", guarded(_shapes), methods=["GET"]),
        Route(f"{place}/image/{{token}}", guarded(_image), methods=["GET"]),
        Route(f"{place}/identify/{{token}}", guarded(_identify), methods=["GET"]),
        Route(f"{place}/editor/{{token}}", guarded(_editor), methods=["GET"]),
        Route(f"{place}/download/{{layer}}", guarded(_downloads(url)), methods=["GET"]),
        Mount(f"{place}/static", app=StaticFiles(directory=STATIC), name="gridgis-static"),
        Route(f"{place}/{{rest:path}}", guarded(_nothing), methods=["GET"]),
    ]


def guard(endpoint: Endpoint, hosts: frozenset[str] | None) -> Endpoint:
    """An endpoint whose every failure is a short answer with a status: no trace, no path, no file name."""

    @wraps(endpoint)
    def safe(request: Request) -> Response:
        lang = _lang(request)
        try:
            _ours(request, hosts)
            response = endpoint(request)
        except Refused as refusal:
            response = _said(refusal.status, t(refusal.key, lang))
        except GridgisError as error:
            response = _said(409, error.message(lang))
        except Exception:  # the outermost door: the trace goes to the log, the browser gets a status and a sentence
            _LOG.exception("a map request failed: %s", request.url.path)
            response = _said(500, t("maps.failed", lang))
        response.headers.update(_SAFE)
        return response

    return safe


def _tile(request: Request) -> Response:
    layer = _layer(request)
    z, x, y = (_whole_number(request.path_params[name]) for name in ("z", "x", "y"))
    if z > MAX_ZOOM or x >= 1 << z or y >= 1 << z:
        raise Refused(400, "maps.bad_request")
    source = layer.source
    if source is None:
        raise Refused(404, "maps.not_found")

    def make() -> bytes:
        made = tile(source, z, x, y)
        # one byte in front says what follows, so that bytes and kind are kept together
        return b"P" + made.content if made.media == "image/png" else b"S" + gzip.compress(made.content, 4, mtime=0)

    content = cache.plain(("tile", layer.token, z, x, y), make)
    if content[:1] == b"P":
        return _kept(request, layer, content[1:], "image/png")
    return _kept(request, layer, content[1:], _SHAPES, packed=True)


def _shapes(request: Request) -> Response:
    layer = _layer(request)
    source = layer.source
    if layer.road != "folium" or not isinstance(source, FrameSource):
        raise Refused(404, "maps.not_found")
    content = cache.packed(("shapes", layer.token), lambda: shapes(source, layer.layer, layer.lang))
    return _kept(request, layer, content, _SHAPES, packed=True)


def _image(request: Request) -> Response:
    layer = _layer(request)
    if layer.source is not None:
        raise Refused(404, "maps.not_found")
    return _kept(request, layer, cache.picture(layer).png, "image/png")


def _identify(request: Request) -> Response:
    layer = _layer(request)
    lon, lat, zoom = (_number(request.query_params.get(name)) for name in ("lon", "lat", "zoom"))
    if not (-180 <= lon <= 180 and -90 <= lat <= 90 and 0 <= zoom <= MAX_ZOOM + 2):
        raise Refused(400, "maps.bad_request")
    return JSONResponse(identify(layer, lon, lat, zoom), headers={"Cache-Control": "no-store"})


def _editor(request: Request) -> Response:
    """A document of the planners' editor; its token is made of its content, so that a browser may keep it."""
    token = request.path_params["token"]
    content = cache.document(token) if _TOKEN.fullmatch(token) else None
    if content is None:
        raise Refused(404, "maps.not_found")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(content, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(content), media_type="application/json", headers=headers)


def _downloads(url: str) -> Endpoint:
    def download(request: Request) -> Response:
        layer, ending = request.path_params["layer"], request.query_params.get("format", "gpkg")
        if layer not in LAYERS or ending not in FORMATS:
            raise Refused(404 if layer not in LAYERS else 400, "maps.bad_request")
        as_of = _date(request.query_params.get("as_of"))
        from gridgis.tasks.exporting import export_layer  # only downloads need the tasks

        folder = tempfile.TemporaryDirectory(prefix="gridgis-download-")
        name = f"{layer}.zip" if ending == "shp" else f"{layer}.{ending}"
        try:
            export_layer(opening.workspace(url), layer, Path(folder.name) / (f"{layer}.{ending}"), as_of=as_of)
            made = max(Path(folder.name).iterdir(), key=lambda file: file.stat().st_size)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(made, filename=name, headers={"Cache-Control": "no-store"}, background=BackgroundTask(folder.cleanup))

    return download


def _nothing(request: Request) -> Response:
    raise Refused(404, "maps.not_found")


def _ours(request: Request, hosts: frozenset[str] | None) -> None:
    """Another site's page has no business with this machine's data, whatever name it found for it."""
    foreign = request.headers.get("sec-fetch-site") == "cross-site"
    if foreign or (hosts is not None and request.url.hostname not in hosts):
        raise Refused(403, "maps.bad_request")


def _layer(request: Request) -> Published:
    token = request.path_params["token"]
    layer = cache.find(token) if _TOKEN.fullmatch(token) else None
    if layer is None:
        raise Refused(404, "maps.not_found")
    return layer


def _kept(request: Request, layer: Published, content: bytes, media: str, *, packed: bool = False) -> Response:
    """An answer the browser keeps: its tag is the token, and it is kept only while the workspace is as the page knew it."""
    tag = f'"{layer.token}"'
    lasting = cache.is_current(layer)
    headers = {"Cache-Control": _FOR_EVER if lasting else "no-store", "ETag": tag, "Vary": "Accept-Encoding"}
    if lasting and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not packed:
        return Response(content, media_type=media, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(content, media_type=media, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(content), media_type=media, headers=headers)


def _said(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status, headers={"Cache-Control": "no-store"})


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text):
        raise Refused(400, "maps.bad_request")
    return int(text)


def _number(text: str | None) -> float:
    if text is None or not re.fullmatch(r"-?[0-9]{1,4}(\.[0-9]{1,20})?", text):
        raise Refused(400, "maps.bad_request")
    value = float(text)
    if not math.isfinite(value):
        raise Refused(400, "maps.bad_request")
    return value


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, "maps.bad_request") from error


def _lang(request: Request) -> Lang:
    wish = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return next((lang for lang in LANGS if wish[:2].lower() == lang), "zh")
