"""Below the planners' editor, one part at a time: history, comparison, publication, all plans."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Final, Protocol

import pandas as pd
import streamlit as st

from gridgis.pages import propose, redraw_compare, redraw_plans, redraw_publish, shared
from gridgis.pages import redraw_state as state
from gridgis.store import Workspace
from gridgis.tasks import redrawing
from gridgis.text import Lang, t

_SHOWN: Final = 100
_GRIDS: Final = 4


def show(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    """Draw the chosen part."""
    part = st.segmented_control(
        shared.say("redrawpage.part"),
        list(PARTS),
        format_func=lambda name: shared.say(f"redrawpage.part_{name}"),
        default="history",
        required=True,
        key="rd_part",
        label_visibility="collapsed",
    )
    PARTS[part or "history"](ws, desk, editable=editable)


def _history(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    st.html(history(redrawing.history(ws, plan=desk.state.name, state=desk.state), shared.lang()))


def _plans(ws: Workspace, desk: state.Desk, *, editable: bool) -> None:
    redraw_plans.show(ws, editable=editable)


class Part(Protocol):
    """Something below the editor that speaks of the area on it."""

    def __call__(self, ws: Workspace, desk: state.Desk, *, editable: bool) -> None: ...


PARTS: Final[Mapping[str, Part]] = {
    "history": _history,
    "propose": propose.show,
    "compare": redraw_compare.show,
    "publish": redraw_publish.show,
    "plans": _plans,
}
"""What can be chosen there, by the end of its title's key, `redrawpage.part_…`."""


def history(log: pd.DataFrame, lang: Lang) -> str:
    """The steps of a plan as a table, the last one on top; what was taken back is grey and says so.

    >>> import datetime as dt
    >>> row = {"seq": 1, "kind": "edit", "at": dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC), "who": "Li", "why": "<b>", "area": "A",
    ...        "do": "merge", "grids": ["G1", "G2"], "holds": False, "target": None}
    >>> "taken back" in history(pd.DataFrame([row]), "en")
    True
    """
    if log.empty:
        return f'<div class="gp-empty">{html.escape(t("redrawpage.history_empty", lang))}</div>'
    heads = "".join(
        f'<th scope="col">{html.escape(t(f"redrawpage.{name}", lang))}</th>'
        for name in ("col_step", "col_at", "col_who", "col_what", "col_why")
    )
    rows = "".join(_line(row, lang) for row in _records(log.iloc[::-1].head(_SHOWN)))
    more = f"<p>{html.escape(t('redrawpage.history_more', lang, count=_SHOWN))}</p>" if len(log) > _SHOWN else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="gp-table gp-history" style="max-height:360px">{table}</div>{more}'


def what(row: Mapping[str, Any], lang: Lang) -> str:
    """One step in words: what was done, to which grids.

    >>> what({"kind": "edit", "do": "merge", "grids": ["G1", "G2"], "target": None}, "en")
    'Merged: G1, G2'
    """
    kind, do = str(row["kind"]), row.get("do")
    target = row.get("target")
    number = "" if target is None or target != target else str(int(str(target).split(".")[0]))
    said = t(f"redrawpage.op_{do}", lang) if kind == "edit" and do else t(f"redrawpage.kind_{kind}", lang, target=number)
    grids = row.get("grids")
    codes = [str(code) for code in grids] if isinstance(grids, list) else []
    named = ", ".join(codes[:_GRIDS]) + (" …" if len(codes) > _GRIDS else "")
    return f"{said}: {named}" if named and kind not in ("undo", "redo") else said


def _line(row: Mapping[str, Any], lang: Lang) -> str:
    gone = row["holds"] is False
    at = pd.Timestamp(str(row["at"])).to_pydatetime().astimezone()
    badge = f' <em class="gp-undone">{html.escape(t("redrawpage.undone", lang))}</em>' if gone else ""
    cells = [str(row["seq"]), f"{at:%Y-%m-%d %H:%M}", str(row["who"]), what(row, lang), str(row["why"])]
    body = "".join(f"<td>{html.escape(cell)}{badge if place == 3 else ''}</td>" for place, cell in enumerate(cells))
    return f'<tr class="{"gone" if gone else ""}">{body}</tr>'


def _records(log: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in log.to_dict("records")]
