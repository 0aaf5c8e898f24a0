"""What the analyst chose: kept in the session, written into the address, and read back from a shared link."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import streamlit as st

from gridgis.tasks.hotspot_incidents import Archive
from gridgis.tasks.hotspot_points import Filters, hours_between
from gridgis.tasks.hotspot_views import UNITS, Earlier, Request, Unit

VIEWS: Final = ("density", "gi", "moran", "emerging", "change")
EARLIER: Final[tuple[Earlier, ...]] = ("none", "previous", "year")
PERMUTATIONS: Final = (0, 99, 999)
_SAVED: Final = "hs_saved"
_CHOSEN: Final = "hs_chosen"
_PARAMETERS: Final = {"cell": "cell_m", "band": "band_m", "bw": "bandwidth_m"}


@dataclass(frozen=True, slots=True)
class _Wish:
    """One choice: how it is written in the address and read from it."""

    default: Any
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _pick(options: Sequence[Any], kind: Callable[[str], Any] = str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if value not in options:
            raise ValueError(text)
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _digits(text: str) -> list[int]:
    return sorted({int(letter) for letter in text if letter in "0123456"})


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError(text)
    return text


_WISHES: Final[Mapping[str, _Wish]] = {
    "from": _Wish(None, dt.date.isoformat, dt.date.fromisoformat),
    "to": _Wish(None, dt.date.isoformat, dt.date.fromisoformat),
    "cat": _Wish([], "\u001f".join, lambda text: text.split("\u001f")),
    "area": _Wish("", str, str),
    "h0": _Wish(0, str, _whole(0, 23)),
    "h1": _Wish(24, str, _whole(1, 24)),
    "wd": _Wish([], lambda days: "".join(map(str, sorted(days))), _digits),
    "tz": _Wish(None, str, _zone),
    "cell": _Wish(None, str, _whole(10, 20_000)),
    "band": _Wish(None, str, _whole(10, 100_000)),
    "bw": _Wish(None, str, _whole(10, 100_000)),
    "per": _Wish("auto", str, _pick(("auto", *UNITS))),
    "perm": _Wish(0, str, _pick(PERMUTATIONS, int)),
    "vs": _Wish("none", str, _pick(EARLIER)),
    "view": _Wish("gi", str, _pick(VIEWS)),
    "step": _Wish(0, str, _whole(0, 400)),
    "at": _Wish("", str, str),
}


def key(name: str) -> str:
    """The session key of a choice's widget."""
    return f"hs_{name}"


def get(name: str) -> Any:
    """A choice as it stands."""
    return st.session_state.get(key(name), _WISHES[name].default)


def put(name: str, value: Any) -> None:
    """Set a choice from code, before its widget is drawn."""
    st.session_state[key(name)] = value


def restore(incidents: Archive, zone: str) -> None:
    """Fill what is not set yet: from the address, else from what was chosen before, else with the default.

    What the address says and the workspace does not know (a kind, an area, a day far away) is passed over.
    """
    saved: dict[str, Any] = st.session_state.setdefault(_SAVED, {})
    put("tz", st.session_state.get(key("tz")) or _told("tz", saved) or zone)
    first, last = incidents.days(get("tz"))
    for name, wish in _WISHES.items():
        if key(name) not in st.session_state:
            value = _told(name, saved)
            put(name, wish.default if value is None else value)
    put("from", _within(get("from") or first, first, last, first))
    put("to", _within(get("to") or last, first, last, last))
    if get("from") > get("to"):
        put("from", first)
    put("cat", [kind for kind in get("cat") if kind in incidents.categories])
    put("area", get("area") if get("area") in incidents.areas.index else "")


def keep(incidents: Archive, zone: str) -> None:
    """Write the choices that differ from the default into the address and the session."""
    first, last = incidents.days(get("tz"))
    usual = {"from": first, "to": last, "tz": zone}
    told = {}
    saved = {}
    for name, wish in _WISHES.items():
        value = get(name)
        saved[name] = value
        if value not in (None, usual.get(name, wish.default)):
            told[name] = wish.write(value)
    st.session_state[_SAVED] = saved
    others = {name: value for name, value in st.query_params.to_dict().items() if name not in _WISHES}
    if {**others, **told} != st.query_params.to_dict():
        st.query_params.from_dict({**others, **told})


def is_open() -> bool:
    """Whether the page was drawn before and never left."""
    return key("view") in st.session_state


def remember(chosen: Mapping[str, int]) -> None:
    """Keep what the rules chose last, by the parameter's name."""
    st.session_state[_CHOSEN] = dict(chosen)


def remembered(name: str) -> int | None:
    """What the rule chose last for a field of the page, metres."""
    value = st.session_state.get(_CHOSEN, {}).get(_PARAMETERS[name])
    return None if value is None else int(value)


def request() -> Request:
    """The choices as a question."""
    area, unit = str(get("area")), str(get("per"))
    return Request(
        Filters(
            since=get("from"),
            until=get("to"),
            categories=tuple(get("cat")),
            area=area or None,
            hours=hours_between(int(get("h0")), int(get("h1"))),
            weekdays=tuple(day + 1 for day in get("wd")),
            time_zone=str(get("tz")),
        ),
        cell_m=_number(get("cell")),
        band_m=_number(get("band")),
        bandwidth_m=_number(get("bw")),
        unit=None if unit == "auto" else cast("Unit", unit),
        permutations=int(get("perm")),
    )


def place() -> tuple[int, int] | None:
    """Row and column of the cell last clicked; None for none."""
    row, _, column = str(get("at")).partition(",")
    return (int(row), int(column)) if row.isdigit() and column.isdigit() else None


def _told(name: str, saved: Mapping[str, Any]) -> Any:
    text = st.query_params.get(name)
    if text is None:
        return saved.get(name)
    try:
        return _WISHES[name].read(text)
    except ValueError:
        return None


def _within(day: dt.date, first: dt.date, last: dt.date, otherwise: dt.date) -> dt.date:
    return day if first <= day <= last else otherwise


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
