"""Patrol rounds: by hand, by trying all walks, by networkx's postman and a flow programme; each is walked street by street."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgis.errors import Cancelled, CrsError, DataError
from gridgis.reach import extra
from gridgis.reach.cuts import broken_cuts
from gridgis.reach.extra import least_extra
from gridgis.reach.network import Network, walk_network
from gridgis.reach.patrol import patrol_rounds
from gridgis.reach.rematching import rematched
from gridgis.reach.rounding import is_round, rounded
from gridgis.reach.surroundings import Surroundings, prepared, surroundings
from gridgis.reach.walks import closed_walk
from tests.reach.judges import by_flow, by_postman, by_trying_all, few_streets, follow, streets, triangles


def grids(*boxes: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
    codes = [f"G{k + 1}" for k in range(len(boxes))]
    return gpd.GeoDataFrame(geometry=[shapely.box(*one) for one in boxes], index=codes, crs=4547)


def lattice(columns: int, rows: int, *, cell: float = 100.0) -> Network:
    across = [[(c * cell, r * cell), ((c + 1) * cell, r * cell)] for r in range(rows + 1) for c in range(columns)]
    along = [[(c * cell, r * cell), (c * cell, (r + 1) * cell)] for c in range(columns + 1) for r in range(rows)]
    return walk_network(streets(*across, *along))


WHOLE = grids((-100, -100, 1000, 1000))
FIGURES = ["streets_m", "round_m", "pieces", "walks", "exact"]


def figures(network: Network, within: gpd.GeoDataFrame) -> list[list[float]]:
    rounds = patrol_rounds(network, within)
    follow(rounds)
    return rounds.frame[FIGURES].round(6).to_numpy().tolist()


def test_a_dead_end_is_walked_there_and_back_and_a_ring_once() -> None:
    assert figures(walk_network(streets([(0, 0), (100, 0)])), WHOLE) == [[100, 200, 1, 1, True]]
    ring = streets([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)])
    assert figures(walk_network(ring), WHOLE) == [[400, 400, 1, 1, True]]


def test_four_blocks_need_two_streets_twice_over() -> None:
    # 12 sides of 100 m; four crossings have three sides, and two ways of 200 m join them
    assert figures(lattice(2, 2), WHOLE) == [[1200, 1600, 1, 1, True]]
    # 3 × 2 blocks: 17 sides; six such crossings: both pairs of 100 m, and the two short sides' middles joined through 300 m
    assert figures(lattice(3, 2), WHOLE) == [[1700, 2200, 1, 1, True]]


def test_loops_and_parallel_streets_are_streets_of_their_own() -> None:
    bow = [(0, 0), (50, 40), (100, 0)]
    loop = [(100, 0), (130, 40), (160, 0), (100, 0)]
    network = walk_network(streets([(0, 0), (100, 0)], bow, loop))
    length = 100 + 2 * np.hypot(50, 40) + 2 * np.hypot(30, 40) + 60
    assert figures(network, WHOLE) == [[round(length, 6), round(length, 6), 1, 1, True]]
    # a third street between the two ends makes both odd: the shortest of the three is walked again
    third = walk_network(streets([(0, 0), (100, 0)], bow, [(0, 0), (50, -40), (100, 0)]))
    length = 100 + 4 * np.hypot(50, 40)
    assert figures(third, WHOLE) == [[round(length, 6), round(length + 100, 6), 1, 1, True]]


def test_pieces_are_joined_through_the_streets_of_the_neighbours() -> None:
    # a comb: two teeth in the north grid, its back in the south grid
    comb = walk_network(streets([(0, 0), (100, 0), (300, 0)], [(100, 0), (100, 150)], [(300, 0), (300, 150)]))
    north, south = figures(comb, grids((-10, 50, 400, 200), (-10, -10, 400, 50)))
    # north: teeth of 100 m, there and back, and 300 m from one to the other, there and back
    assert north == [200, 2 * 200 + 2 * (50 + 200 + 50), 2, 1, True]
    # south: the back and two stumps of 50 m, all dead ends
    assert south == [400, 800, 1, 1, True]


def test_a_shorter_way_through_another_grid_is_taken() -> None:
    # a long bow in the north grid; its ends are 20 m apart through the south grid
    network = walk_network(streets([(0, 100), (0, 300), (20, 300), (20, 100)], [(0, 100), (0, 95), (20, 95), (20, 100)]))
    assert figures(network, grids((-10, 100, 400, 400), (-10, 0, 400, 100)))[0] == [420, 450, 1, 1, True]


def test_what_no_street_joins_has_a_walk_of_its_own_and_a_grid_without_streets_has_none() -> None:
    network = walk_network(streets([(0, 0), (100, 0)], [(0, 200), (100, 200)]))
    apart, empty = figures(network, grids((-10, -10, 400, 300), (500, 0, 600, 100)))
    assert apart == [200, 400, 2, 2, True]
    assert empty == [0, 0, 0, 0, True]
    assert patrol_rounds(network, WHOLE.iloc[:0]).frame.empty


def test_a_street_on_a_border_is_walked_by_one_of_the_two() -> None:
    rounds = patrol_rounds(lattice(2, 2), grids((0, 0, 100, 200), (100, 0, 200, 200)))
    follow(rounds)
    # the border of 200 m belongs to the east grid
    assert rounds.frame["streets_m"].tolist() == [500, 700]
    assert rounds.frame["hours"].tolist() == pytest.approx((rounds.frame["round_m"] / 4800).tolist())


def test_the_round_is_the_shortest_of_all_walks_tried() -> None:
    for seed in range(60):
        network, required = few_streets(seed)
        around = surroundings(prepared(network), required)
        found = least_extra(around)
        assert is_round(around, found.times)
        least = by_trying_all(network, required)
        assert [around.length_m @ found.times, found.bound_m] == pytest.approx([least, least], abs=1e-6), seed


def test_a_flow_programme_agrees_where_whole_numbers_have_to_be_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[float] = []
    branched = extra._branched

    def told(*given: object) -> object:
        found = branched(*given)  # type: ignore[arg-type]
        searched.append(found[1])
        return found

    monkeypatch.setattr(extra, "_branched", told)
    for seed in (6, 28):
        network, required = triangles(seed, corners=40, share=0.12)
        around = surroundings(prepared(network), required)
        found = least_extra(around)
        least = by_flow(network, required)
        assert [around.length_m @ found.times, found.bound_m] == pytest.approx([least, least], rel=1e-4), seed
    assert len(searched) == 2


def test_without_the_effort_the_round_is_still_one_and_its_bound_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    open_gaps, saved = 0, 0
    for seed in range(12):
        network, required = triangles(seed, corners=30, share=0.3)
        around = surroundings(prepared(network), required)
        least = least_extra(around).bound_m
        with monkeypatch.context() as quick:
            quick.setattr(extra, "_ROUNDS", 1)
            found = least_extra(around, exact_up_to=0)
        assert is_round(around, found.times)
        assert found.bound_m <= least + 1e-6
        assert around.length_m @ found.times >= least - 1e-6
        open_gaps += found.bound_m < around.length_m @ found.times - 1
        simple = rounded(around, np.zeros(len(around.ways)))
        shorter = rematched(around, simple)
        assert is_round(around, simple)
        assert is_round(around, shorter)
        metres = [float(around.length_m @ times) for times in (simple, shorter)]
        assert least - 1e-6 <= metres[1] <= metres[0]
        saved += metres[0] - metres[1] > 1
    assert open_gaps > 6
    assert saved > 6


def test_pairing_anew_finds_the_best_pairs_of_eight_ends() -> None:
    # with up to eight odd nodes all pairings are tried, and every piece hangs together: the optimum
    tried = 0
    for seed in range(60):
        network, required = few_streets(seed)
        around = surroundings(prepared(network), required)
        if around.pieces == 1 and np.count_nonzero(around.odd) >= 4:
            times = rematched(around, rounded(around, np.zeros(len(around.ways))))
            assert around.length_m @ times == pytest.approx(by_trying_all(network, required)), seed
            tried += 1
    assert tried > 5


def test_networkx_finds_the_same_postman_tour() -> None:
    for seed in range(6):
        network, _ = triangles(seed, corners=25, share=0.5)
        rounds = patrol_rounds(network, WHOLE)
        follow(rounds)
        assert rounds.frame["repeated_m"].item() == pytest.approx(by_postman(network, np.arange(len(network.u))))
        assert rounds.frame["exact"].item()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_rounds_of_random_grids_are_walks_over_all_their_streets(seed: int) -> None:
    network, _ = triangles(seed, corners=14, share=0.5)
    quarters = grids((0, 0, 300, 300), (300, 0, 600, 300), (0, 300, 300, 600), (300, 300, 600, 600))
    rounds = patrol_rounds(network, quarters)
    follow(rounds)
    assert rounds.frame["streets_m"].sum() == pytest.approx(network.length_m.sum(), abs=0.05)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_no_broken_cut_is_missed(seed: int) -> None:
    network, required = few_streets(seed)
    around = surroundings(prepared(network), required)
    n, m = len(around.nodes), len(around.ways)
    x = np.random.default_rng(seed).choice([0, 1 / 3, 0.5, 1, 2], m)
    broken: list[float] = []
    for code in range(1, 2**n - 1):
        nodes = (code >> np.arange(n)) & 1 > 0
        left = x[nodes[around.ways[:, 0]] != nodes[around.ways[:, 1]]].sum()
        held = {bool(one) for one in nodes[around.piece >= 0]}
        torn = any(len({bool(one) for one in nodes[around.piece == piece]}) > 1 for piece in range(around.pieces))
        least = 2 if held == {True, False} and not torn else (nodes & around.odd).sum() % 2
        broken += [left - least] if left < least - 1e-6 else []
    found = broken_cuts(around, x)
    assert bool(found) == bool(broken)
    for nodes, least in found:
        assert x[nodes[around.ways[:, 0]] != nodes[around.ways[:, 1]]].sum() < least


def test_wrong_walks_wrong_input_and_stopping() -> None:
    network = walk_network(streets([(0, 0), (100, 0)], [(0, 200), (100, 200)]))
    with pytest.raises(ValueError, match="odd"):
        closed_walk(network, np.array([0]))
    with pytest.raises(ValueError, match="pieces"):
        closed_walk(network, np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match="speed"):
        patrol_rounds(network, WHOLE, speed_kmh=-1)
    with pytest.raises(CrsError, match="EPSG:4548"):
        patrol_rounds(network, WHOLE.set_crs(4548, allow_override=True))

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled("general.cancelled")

    with pytest.raises(Cancelled):
        patrol_rounds(network, WHOLE, progress=stop)


def test_a_graph_without_ways_needs_none() -> None:
    nothing = np.empty((0, 2), dtype=np.intp)
    ring = Surroundings(
        np.zeros(1, dtype=np.intp), np.zeros((1, 2), dtype=np.intp), nothing, nothing[:, 0], np.empty(0), np.zeros(1, bool),
        np.zeros(1, dtype=np.intp),
    )  # fmt: skip
    assert least_extra(ring).bound_m == 0


def test_networkx_agrees_on_a_grid_of_futian(futian: gpd.GeoDataFrame) -> None:
    network = walk_network(futian)
    west, south, east, north = futian.total_bounds
    side = 900.0
    xy = [(x, y) for x in np.arange(west, east - side, side) for y in np.arange(south, north - side, side)]
    rounds = patrol_rounds(network, grids(*((x, y, x + side, y + side) for x, y in xy[:6])))
    follow(rounds)
    assert rounds.frame["exact"].all()
    single = rounds.frame[rounds.frame["pieces"] == 1]
    code = single["streets_m"].idxmin()
    mine = np.flatnonzero(rounds.owner == rounds.frame.index.get_loc(code))
    assert by_postman(rounds.streets, mine) == pytest.approx(single["repeated_m"][code], abs=1e-6)
