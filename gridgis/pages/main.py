"""The entry of the app: language, header, the choice of page, and the page itself inside the one place for errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import streamlit as st

from gridgis.pages import chrome, data, grids, hotspots, overview, redraw, settings, shared

_PAGES: Final[tuple[tuple[str, Callable[[], None]], ...]] = (
    ("overview", overview.show),
    ("data", data.show),
    ("grids", grids.show),
    ("hotspots", hotspots.show),
    ("redraw", redraw.show),
    ("settings", settings.show),
)


def main() -> None:
    """Draw the app: called once per run of the script."""
    chrome.configure()
    pages = {
        name: st.Page(
            functools.partial(_guarded, show),
            title=shared.say(f"pages.{name}"),
            url_path=name,
            default=name == "overview",
        )
        for name, show in _PAGES
    }
    page = st.navigation(list(pages.values()), position="hidden")
    current = next((name for name, candidate in pages.items() if candidate == page), "overview")
    shared.remember_pages(pages)
    # the server sends an address such as /data here, with the page's name (gridgis.web.server)
    wanted = st.query_params.get("page")
    if wanted in pages:
        del st.query_params["page"]
        if wanted != current:
            shared.go(wanted, **st.query_params.to_dict())
    chrome.header(pages, current)
    page.run()
    chrome.footer()


def _guarded(show: Callable[[], None]) -> None:
    with shared.guarded():
        show()


if __name__ == "__main__":
    main()
