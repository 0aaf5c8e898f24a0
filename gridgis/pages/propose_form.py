"""What a planner asks for before grids are drawn: the common choices in view, the rest under "More"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from gridgis.pages import propose_state as kept
from gridgis.pages import redraw_state, shared
from gridgis.pages.answers import Stamp
from gridgis.pages.propose_drawing import Asked
from gridgis.store import Workspace
from gridgis.tasks.balance_units import BARRIERS, UNIT_LAYERS, WEIGHTS

_TASTES: Final = ("", "even", "compact", "stay", "both")
_SIZES: Final = ("range", "number")
_LOCAL: Final = ("units", "size", "k", "low", "high")
_MOST: Final = 1e9


@dataclass(frozen=True, slots=True)
class There:
    """What the workspace has for an area."""

    cells: int
    """Unit grids."""
    stations: int
    below: bool
    """Whether there are areas below it."""
    layers: frozenset[str]
    """Layers with rows, of those that matter here."""

    @property
    def units(self) -> list[str]:
        """What grids can be put together from."""
        wanted = {
            "unit_cells": self.cells > 0,
            "natural_villages": self.cells > 0 and "natural_villages" in self.layers,
            "grids": True,
            "areas": self.below,
        }
        return [name for name in UNIT_LAYERS if wanted[name]]

    @property
    def weights(self) -> list[str]:
        """What work can be measured by."""
        need = {"incidents": "incidents", "street_m": "roads"}
        return [name for name in WEIGHTS if need.get(name) is None or need[name] in self.layers]


@st.cache_resource(show_spinner=False, max_entries=32)
def there(stamp: Stamp, area: str) -> There:
    """What the workspace has for an area."""
    ws = shared.workspace()
    layers = frozenset(name for name in ("roads", "water", "incidents", "natural_villages") if ws.count(name))
    parents = ws.read("areas", columns=["parent"])["parent"]
    inside = [area]
    for code in inside:  # grows while it is gone through: the areas below those below
        inside += [str(child) for child in parents.index[parents == code] if child not in inside]
    return There(
        ws.count("unit_cells", where={"area_code": inside}), ws.count("stations", where={"area_code": area}),
        len(inside) > 1, layers,
    )  # fmt: skip


def block(desk: redraw_state.Desk) -> tuple[Asked, bool]:
    """The choices for street-block unit grids, and whether the button was pressed; locked grids have to be unlocked first."""
    with st.container(key="gp_pair_pp_block"):
        one, two, _ = st.columns([1, 1, 2], gap="small", vertical_alignment="bottom")
    one.number_input(
        shared.say("proposepage.target_m2"), min_value=1_000, max_value=1_000_000, step=1_000, key=kept.key("target_m2"),
        help=shared.say("proposepage.help_target_m2"),
    )  # fmt: skip
    locked = any(code in desk.state.locked for code in desk.now.codes)
    return Asked("block", target_m2=float(kept.get("target_m2"))), _button(two, disabled=locked)


def balance(ws: Workspace, desk: redraw_state.Desk) -> tuple[Asked, bool]:
    """The choices for grids of equal work, and whether the button was pressed."""
    found = there(shared.stamp(), desk.now.area)
    _still_there(found)
    with st.container(key="gp_pair_pp_main"):
        one, two, three, four = st.columns([1.1, 1.4, 1.25, 1.1], gap="small")
    one.selectbox(
        shared.say("proposepage.units"), found.units, key=kept.key("units"), help=shared.say("proposepage.help_units"),
        format_func=lambda name: shared.say(f"proposepage.units_{name}", count=shared.number(found.cells)),
    )  # fmt: skip
    two.multiselect(
        shared.say("proposepage.weights"), found.weights, key=kept.key("weights"),
        format_func=lambda name: shared.say(f"proposepage.weight_{name}"), help=shared.say("proposepage.help_weights"),
        placeholder=shared.say("proposepage.weights_none"),
    )  # fmt: skip
    three.selectbox(
        shared.say("proposepage.size"), _SIZES, key=kept.key("size"), help=shared.say("proposepage.help_size"),
        format_func=lambda name: shared.say(f"proposepage.size_{name}"),
    )  # fmt: skip
    _size(four)
    with st.expander(shared.say("proposepage.more")):
        _more(found)
    with st.container(horizontal=True, key="gp_pp_go", vertical_alignment="bottom"):
        st.selectbox(
            shared.say("proposepage.prefer"), _TASTES, key=kept.key("prefer"), width=260,
            help=shared.say("proposepage.help_prefer"),
            format_func=lambda name: shared.say(f"balancing.taste_{name}" if name else "proposepage.prefer_none"),
        )  # fmt: skip
        pressed = _button(st, disabled=not kept.get("weights"))
    return _asked(found), pressed


def usual(ws: Workspace, desk: redraw_state.Desk) -> dict[str, Any]:
    """What is chosen in an area before anybody chooses: as many grids as today, or the page's range where today's fit it."""
    found = there(shared.stamp(), desk.now.area)
    low = float(st.session_state.get(redraw_state.LOW, 300))
    high = float(st.session_state.get(redraw_state.HIGH, 500))
    count = len(desk.now.codes)
    total = float(desk.figures["households"].sum())
    fits = not count or low <= total / count <= high
    return {"units": found.units[0], "size": "range" if fits else "number", "k": max(count, 1), "low": low, "high": high}


def local() -> tuple[str, ...]:
    """Choices that begin anew in another area."""
    return _LOCAL


def take_over(low: float, high: float) -> None:
    """Ask for a range from now on."""
    kept.put("size", "range")
    kept.put("low", low)
    kept.put("high", high)


def _still_there(found: There) -> None:
    """Drop choices the workspace no longer has, such as after another import."""
    if kept.get("units") not in found.units:
        kept.put("units", found.units[0])
    for name, known in (("weights", found.weights), ("barriers", [one for one in BARRIERS if one in found.layers])):
        chosen = list(kept.get(name))
        if any(one not in known for one in chosen):
            kept.put(name, [one for one in chosen if one in known])


def _button(place: Any, *, disabled: bool = False) -> bool:
    busy = kept.under_way() is not None
    label = shared.say("proposepage.draw")
    return bool(
        place.button(label, type="primary", key="propose_draw", disabled=busy or disabled, icon=":material/auto_awesome:")
    )


def _size(place: Any) -> None:
    """A number of grids, or a range for each."""
    if kept.get("size") == "number":
        place.number_input(shared.say("proposepage.k"), min_value=1, max_value=100_000, step=1, key=kept.key("k"))
        return
    names = [shared.say(f"proposepage.weight_{name}") for name in kept.get("weights")]
    unit = names[0] if len(names) == 1 else shared.say("proposepage.load")
    with place:
        low, high = st.columns(2, gap="small")
    low.number_input(
        shared.say("proposepage.low", unit=unit), min_value=0.0, max_value=_MOST, step=50.0, format="%g", key=kept.key("low")
    )
    high.number_input(
        shared.say("proposepage.high"), min_value=0.0, max_value=_MOST, step=50.0, format="%g", key=kept.key("high")
    )


def _more(found: There) -> None:
    weights = list(kept.get("weights"))
    if len(weights) > 1:
        st.caption(shared.say("proposepage.factors"))
        with st.container(key="gp_pair_pp_factors"):
            columns = st.columns(max(len(weights), 4), gap="small")
        for place, name in zip(columns, weights, strict=False):
            st.session_state.setdefault(kept.key(f"factor_{name}"), kept.saved(f"factor_{name}", 1.0))
            place.number_input(
                shared.say(f"proposepage.weight_{name}"), min_value=0.0, max_value=1e6, step=1.0, format="%g",
                key=kept.key(f"factor_{name}"),
            )  # fmt: skip
    with st.container(key="gp_pair_pp_more"):
        left, right = st.columns(2, gap="medium")
    barriers = [name for name in BARRIERS if name in found.layers]
    if barriers:
        left.multiselect(
            shared.say("proposepage.barriers"), barriers, key=kept.key("barriers"),
            format_func=lambda name: shared.say(f"proposepage.barrier_{name}"), help=shared.say("proposepage.help_barriers"),
            placeholder=shared.say("proposepage.barriers_none"),
        )  # fmt: skip
    left.number_input(
        shared.say("proposepage.seed"), min_value=0, max_value=1_000_000, step=1, key=kept.key("seed"),
        help=shared.say("proposepage.help_seed"),
    )  # fmt: skip
    ticks = [("stations", found.stations > 0), ("mix_villages", found.below), ("exclaves", True)]
    for name, wanted in ticks:
        if wanted:
            right.checkbox(shared.say(f"proposepage.{name}"), key=kept.key(name), help=shared.say(f"proposepage.help_{name}"))


def _factor(name: str) -> float:
    value = kept.get(f"factor_{name}")
    return float(kept.saved(f"factor_{name}", 1.0) if value is None else value)


def _asked(found: There) -> Asked:
    weights = tuple((name, _factor(name) if len(kept.get("weights")) > 1 else 1.0) for name in kept.get("weights"))
    number = kept.get("size") == "number"
    return Asked(
        "balance",
        units=str(kept.get("units")),
        weights=weights,
        k=int(kept.get("k")) if number else None,
        low=None if number else float(kept.get("low")),
        high=None if number else float(kept.get("high")),
        stations=bool(kept.get("stations")) and found.stations > 0,
        barriers=tuple(name for name in kept.get("barriers") if name in found.layers),
        mix_villages=bool(kept.get("mix_villages")) and found.below,
        exclaves=bool(kept.get("exclaves")),
        prefer=kept.get("prefer") or None,
        seed=int(kept.get("seed")),
    )
