"""`gridgis serve`: the web app in this process."""

from __future__ import annotations

import ipaddress
import socket

from gridgis.cli.base import Front
from gridgis.cli.options import Whole, command, option, workspace_option
from gridgis.cli.output import answer
from gridgis.errors import GridgisError
from gridgis.text import t


@command("serve")
@workspace_option
@option("--port", type=Whole(least=1, most=65535), default=8501, show_default=True)
@option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True)
def serve(front: Front, *, workspace: str, port: int, host: str) -> None:
    """The web app, until Ctrl-C; the address is told as soon as the port is known to be free."""
    refuse_taken(host, port)
    # an address that stands for all of this machine's is none a browser can open
    shown = "127.0.0.1" if stands_for_all(host) else host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    answer(front, {"address": address, "workspace": workspace}, lambda: [t("cli.serving", front.lang, address=address)])
    from gridgis.web.server import serve as serve_app

    serve_app(workspace, host=host, port=port)


def stands_for_all(host: str) -> bool:
    """Whether a host name means every address of this machine.

    >>> stands_for_all("::"), stands_for_all("127.0.0.1"), stands_for_all("localhost")
    (True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def refuse_taken(host: str, port: int) -> None:
    """Raise `GridgisError` if the port cannot be had, before anything heavy is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise GridgisError("cli.no_port", host=host, port=port, reason=error.strerror or str(error)) from error
