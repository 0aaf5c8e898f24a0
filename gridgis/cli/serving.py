"""`gridgis serve`: the web app in this process."""

from __future__ import annotations

from gridgis.cli.base import Front
from gridgis.cli.options import Whole, command, option, workspace_option


@command("serve")
@workspace_option
@option("--port", type=Whole(least=1, most=65535), default=8501, show_default=True)
@option("--host", default="127.0.0.1", show_default=True)
def serve(front: Front, *, workspace: str, port: int, host: str) -> None:
    """The web app, until Ctrl-C."""
