"""A client that talks to an ASGI app in this process."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

HEADERS = {"Host": "127.0.0.1", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Answer:
    """What the app sent."""

    status_code: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Asks an app for addresses, as a browser's GET would."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def get(self, address: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        # in a thread of its own: a browser test in the same process keeps a loop running in this one
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._get(address, {**HEADERS, **(headers or {})})).result()

    async def _get(self, address: str, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(address)
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": unquote(parts.path), "raw_path": parts.path.encode(), "query_string": parts.query.encode(), "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()  # the client stays until all is sent
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        got = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:]))
