"""Balanced grids beside gerrychain's recursive tree partition and spopt's max-p regions, judged by shapely and networkx alone.

Seconds are of the processor: all three work in one thread, so that is what they take where nothing else runs.
"""

from __future__ import annotations

import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.balance import Plans, balance, units_from

VILLAGES: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "taiwan_villages" / "villages-10t.json"
CRS: Final = "EPSG:4547"
LOW, HIGH = 300, 500
MEAN: Final = (LOW + HIGH) / 2
NARROW: Final = 0.05
SMALL_BAR_S, LARGE_BAR_S, TODAY_BAR_S, KEPT_BAR = 2.0, 60.0, 10.0, 0.7
MAXP_S: Final = 15.0
# trees gerrychain may draw for one cut before it has failed
TREES: Final = 2_000
Row = dict[str, Any]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Units with households, which of them share border, as shapely sees it, and how many grids they are to become."""

    name: str
    frame: gpd.GeoDataFrame
    links: nx.Graph
    grids: int


@dataclass(frozen=True, slots=True)
class Judged:
    """An assignment by the judge: from dissolved polygons and a graph of common borders, without code of gridgis."""

    grids: int
    least: float
    most: float
    deviation: float
    compactness: float
    cut_edges: int
    whole: bool

    def within(self, low: float, high: float) -> bool:
        return low - 1e-6 <= self.least and self.most <= high + 1e-6

    def beats(self, other: Judged) -> bool:
        return self.deviation <= other.deviation and self.compactness >= other.compactness


def run(quick: bool) -> list[Row]:
    """All rows; results are compared before times are."""
    warnings.simplefilter("ignore")
    side, grids = (14, 16) if quick else (25, 52)
    even, skewed = partial(_case, draw=_even, grids=grids), partial(_case, draw=_skewed, grids=grids)
    cells, odd = _cells(side), skewed("Voronoi, skewed", _voronoi(side * side, seed=6), seed=6)
    cases = [even(f"cells, draw {seed}", cells, seed=seed) for seed in (1, 2, 3)]
    cases += [skewed(f"cells, skewed, draw {seed}", cells, seed=seed) for seed in (4, 5)]
    _ours(cases[0], LOW, HIGH)  # compiled
    rows = [_beside_trees(case, LOW, HIGH) for case in [*cases, odd]]
    rows += [_beside_trees(case, MEAN * (1 - NARROW), MEAN * (1 + NARROW)) for case in (cases[0], odd)]
    return [*rows, _beside_maxp(cases[0], quick), _large(*((2_000, 160) if quick else (10_000, 800))), _today()]


def judged(case: Case, labels: Iterable[Any], *, load: str = "households") -> Judged:
    """The figures of an assignment: each grid dissolved by shapely, connected as networkx sees it."""
    frame = case.frame.assign(grid=[str(label) for label in labels])
    grids = [members for _, members in frame.groupby("grid")]
    loads = np.array([members[load].sum() for members in grids])
    shapes = np.array([shapely.coverage_union_all(members.geometry.to_numpy()) for members in grids])
    of = frame["grid"].to_dict()
    return Judged(
        grids=len(grids), least=float(loads.min()), most=float(loads.max()), deviation=float(loads.std() / loads.mean()),
        compactness=float((4 * math.pi * shapely.area(shapes) / shapely.length(shapes) ** 2).mean()),
        cut_edges=sum(of[a] != of[b] for a, b in case.links.edges),
        whole=all(nx.is_connected(case.links.subgraph(members.index)) for members in grids),
    )  # fmt: skip


def _beside_trees(case: Case, low: float, high: float) -> Row:
    """In the same time: as many seeds of gerrychain as fit into ours, one at least; ours has to beat each in both respects."""
    plans, seconds = _ours(case, low, high)
    ours = [judged(case, plan.assignment) for plan in plans.plans]
    first = ours[0]
    good = all(one.whole and one.within(low, high) and one.grids == case.grids for one in ours)
    row = {"work": f"{case.grids} grids of {low:g}–{high:g}: {case.name}", "size": len(case.frame), "us_s": seconds}
    told = f"≤ {SMALL_BAR_S:g} s; deviation {first.deviation:.3f}, compactness {first.compactness:.3f}, cut {first.cut_edges}"
    if importlib.util.find_spec("gerrychain") is None:
        return {**row, "bar": f"{told}; gerrychain is not installed", "ok": good and seconds <= SMALL_BAR_S}
    trees, spent, failed = _trees(case, low, high, seconds)
    row |= {"peer": f"gerrychain, {len(trees)} seeds" + f", {failed} failed" * bool(failed), "peer_s": spent}
    if not trees:
        return {**row, "bar": f"{told}; beside none", "ok": good and seconds <= SMALL_BAR_S}
    best = (min(t.deviation for t in trees), max(t.compactness for t in trees), min(t.cut_edges for t in trees))
    beaten = sum(first.beats(tree) for tree in trees)
    ahead = all(any(one.beats(tree) for one in ours) for tree in trees) and first.compactness > best[1]
    told += f"; beside {best[0]:.3f}, {best[1]:.3f}, {best[2]} at their best, {beaten} of {len(trees)} beaten by the first plan"
    return {**row, "bar": told + ", all by one of ours", "ok": good and ahead and seconds <= SMALL_BAR_S}


def _ours(case: Case, low: float, high: float) -> tuple[Plans, float]:
    units = units_from(case.frame, weights=["households"])
    spent = []
    for _ in range(2):
        begun = time.process_time()
        plans = balance(units, k=case.grids, low=low, high=high, rng=np.random.default_rng(1))
        spent.append(time.process_time() - begun)
    return plans, min(spent)


def _trees(case: Case, low: float, high: float, seconds: float) -> tuple[list[Judged], float, int]:
    """Plans of gerrychain until its time is up, the seconds spent, and seeds that found none."""
    from gerrychain import Graph
    from gerrychain.partition.initial_partition_generators import recursive_tree_part
    from gerrychain.tree import bipartition_tree

    graph = case.links.copy()
    nx.set_node_attributes(graph, case.frame["households"].to_dict(), "load")
    made, ideal = Graph.from_networkx(graph), case.frame["households"].sum() / case.grids
    epsilon = min(high / ideal - 1, 1 - low / ideal)
    cut = partial(bipartition_tree, max_attempts=TREES)
    found: list[Judged] = []
    spent, failed, seed = 0.0, 0, 0
    while seed == 0 or spent < seconds:
        seed += 1
        begun = time.process_time()
        try:
            labels = recursive_tree_part(made, range(case.grids), ideal, "load", epsilon, bipartition_tree_fn=cut, rng=seed)
        except RuntimeError:
            failed += 1
            continue
        finally:
            spent += time.process_time() - begun
        plan = judged(case, [labels[unit] for unit in case.frame.index])
        if plan.within(low, high) and plan.whole:
            found.append(plan)
        else:
            failed += 1
    return found, spent, failed


def _beside_maxp(case: Case, quick: bool) -> Row:
    """Max-p regions know a lower bound only and choose the number of grids themselves; the best of as many seeds as fit."""
    plans, seconds = _ours(case, LOW, HIGH)
    ours = judged(case, plans.best.assignment)
    row = {"work": f"{case.grids} grids of {LOW:g}–{HIGH:g}: {case.name}", "size": len(case.frame), "us_s": seconds}
    good = ours.whole and ours.within(LOW, HIGH) and seconds <= SMALL_BAR_S
    if importlib.util.find_spec("spopt") is None or importlib.util.find_spec("libpysal") is None:
        return {**row, "bar": "spopt is not installed", "ok": good}
    from libpysal.weights import Rook
    from spopt.region import MaxPHeuristic

    weights = Rook.from_dataframe(case.frame, use_index=False)
    found: list[Judged] = []
    spent, limit = 0.0, 2.0 if quick else MAXP_S
    while spent < limit:
        np.random.seed(len(found))  # noqa: NPY002
        begun = time.process_time()
        model = MaxPHeuristic(
            case.frame, weights, ["households"], "households", LOW, max_iterations_construction=10, max_iterations_sa=2
        )
        model.solve()
        spent += time.process_time() - begun
        found.append(judged(case, model.labels_))
    best = (min(f.deviation for f in found), max(f.compactness for f in found), min(f.most for f in found))
    bar = (
        f"deviation {ours.deviation:.3f}, compactness {ours.compactness:.3f}; beside {best[0]:.3f}, {best[1]:.3f}, "
        f"fullest {best[2]:g}, at their best"
    )
    ahead = ours.deviation < best[0] and ours.compactness > best[1]
    return {**row, "peer": f"spopt MaxP, {len(found)} seeds", "peer_s": spent, "bar": bar, "ok": good and ahead}


def _large(number: int, grids: int) -> Row:
    case = _case("Voronoi", _voronoi(number, seed=7), draw=_even, grids=grids, seed=7)
    units = units_from(case.frame, weights=["households"])
    begun = time.process_time()
    plans = balance(units, k=grids, low=LOW, high=HIGH, rng=np.random.default_rng(1))
    seconds = time.process_time() - begun
    found = judged(case, plans.best.assignment)
    return {
        "work": f"{found.grids} grids of {LOW}–{HIGH}: {case.name}", "size": number, "us_s": seconds,
        "bar": f"≤ {LARGE_BAR_S:g} s, in bounds; deviation {found.deviation:.3f}, compactness {found.compactness:.3f}",
        "ok": found.whole and found.within(LOW, HIGH) and found.grids == grids and seconds <= LARGE_BAR_S,
    }  # fmt: skip


def _today() -> Row:
    """Taipei's villages, area for population, into 12 districts of ±5 %; the first plan, nothing asked for but the bounds."""
    work = "Taipei's villages into 12 districts, ±5 % area"
    if not VILLAGES.exists():
        return {"work": work, "us_s": None, "bar": "skipped: taiwan_villages is not beside the repository", "ok": None}
    every = gpd.read_file(VILLAGES, layer="villages", where="COUNTYENG = 'Taipei City'")
    frame = every.set_index("VILLCODE").set_crs("EPSG:3824", allow_override=True).to_crs("EPSG:3826")
    frame["area"] = frame.area
    low, high = (frame["area"].sum() / 12 * (1 + sign * NARROW) for sign in (-1, 1))
    units = units_from(frame, weights=["area"])
    begun = time.process_time()
    plans = balance(units, k=12, low=low, high=high, current=frame["TOWNNAME"], rng=np.random.default_rng(1))
    seconds = time.process_time() - begun
    plan, case = plans.best, Case(work, frame, _links(frame), 12)
    found, today = judged(case, plan.assignment, load="area"), judged(case, frame["TOWNNAME"], load="area")
    kept = float((plan.assignment == frame["TOWNNAME"]).mean())
    return {
        "work": work, "size": len(frame), "us_s": seconds,
        "bar": f"≤ {TODAY_BAR_S:g} s; {kept:.1%} stay (≥ {KEPT_BAR:.0%}); deviation {found.deviation:.3f} (today "
               f"{today.deviation:.3f}), compactness {found.compactness:.3f} (today {today.compactness:.3f})",
        "ok": found.whole and found.within(low, high) and found.grids == 12 and kept >= KEPT_BAR and seconds <= TODAY_BAR_S,
    }  # fmt: skip


def _case(name: str, shapes: Array, *, draw: Callable[[int, int], Array], grids: int, seed: int) -> Case:
    """Units with random households, scaled to so many grids of the mean size; none more than a grid may have."""
    drawn = draw(len(shapes), seed)
    households = np.minimum(np.round(drawn * (MEAN * grids / drawn.sum())), LOW)
    index = [f"u{number:05d}" for number in range(len(shapes))]
    frame = gpd.GeoDataFrame({"households": households}, geometry=shapes, index=index, crs=CRS)
    return Case(name, frame, _links(frame), grids)


def _links(frame: gpd.GeoDataFrame) -> nx.Graph:
    """Units that share more than a point, by the length of their boundaries' intersection."""
    rings = shapely.boundary(frame.geometry.to_numpy())
    left, right = shapely.STRtree(rings).query(rings, predicate="intersects")
    left, right = left[left < right], right[left < right]
    shared = shapely.length(shapely.intersection(rings[left], rings[right])) > 1e-6
    links = nx.Graph()
    links.add_nodes_from(frame.index)
    links.add_edges_from(zip(frame.index[left[shared]], frame.index[right[shared]], strict=True))
    return links


def _cells(side: int) -> Array:
    row, column = np.divmod(np.arange(side * side), side)
    return np.asarray(shapely.box(column * 100.0, row * 100.0, column * 100.0 + 100, row * 100.0 + 100))


def _voronoi(number: int, *, seed: int) -> Array:
    side = number**0.5 * 100
    square = shapely.box(0, 0, side, side)
    points = shapely.MultiPoint(np.random.default_rng(seed).random((number, 2)) * side)
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square)), square)
    placed: Array = shapely.set_coordinates(cells, np.round(shapely.get_coordinates(cells), 3))
    return placed


def _even(number: int, seed: int) -> Array:
    """Poisson: all much the same."""
    return np.random.default_rng(seed).poisson(32, number).astype(np.float64)


def _skewed(number: int, seed: int) -> Array:
    """Log-normal: a tenth of the units holds a third of the households."""
    return np.random.default_rng(seed).lognormal(0.0, 0.8, number)
