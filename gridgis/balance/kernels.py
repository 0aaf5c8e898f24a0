"""Loops over units and borders, compiled by numba when first called: cuts of random spanning trees, and annealing by flips."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gridgis.compiling import compiled

Array = np.ndarray[Any, Any]

# columns of `unit` and of `stats` (one row for each part)
LOAD: Final = 0
AREA: Final = 1
PERIMETER: Final = 2
SEEDS: Final = 3
COUNT: Final = 4
# places in `wish`
LOW: Final = 0
HIGH: Final = 1
MEAN: Final = 2
W_BOUNDS: Final = 3
W_BALANCE: Final = 4
W_COMPACT: Final = 5
W_CUT: Final = 6
W_CHANGE: Final = 7

# units looked at to see whether a part holds together without one of them
AROUND: Final = 100

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_A: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B: Final = np.uint64(0x94D049BB133111EB)
_30: Final = np.uint64(30)
_27: Final = np.uint64(27)
_31: Final = np.uint64(31)
_11: Final = np.uint64(11)
_UNIT: Final = 1.0 / 9007199254740992.0


@compiled
def _draw(state: Array) -> float:
    """The next number of [0, 1) of a splitmix64 sequence: its own, so that a plan is the same under any numba."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _30)) * _MIX_A
    z = (z ^ (z >> _27)) * _MIX_B
    z = z ^ (z >> _31)
    return float((z >> _11) * _UNIT)


@compiled
def _root(leader: Array, at: int) -> int:
    while leader[at] != at:
        leader[at] = leader[leader[at]]
        at = leader[at]
    return at


@compiled
def _random_tree(edges: Array, edge: Array, n: int, order: Array, parent: Array, state: Array) -> int:
    """A random spanning tree over n nodes (Kruskal on a shuffled list); nodes in `order`, parents before children."""
    m = len(edges)
    for i in range(m - 1, 0, -1):
        j = int(_draw(state) * (i + 1))
        edge[i], edge[j] = edge[j], edge[i]
    leader = np.arange(n)
    head, following, target = np.full(n, -1), np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    used = 0
    for i in range(m):
        a, b = edges[edge[i], 0], edges[edge[i], 1]
        x, y = _root(leader, a), _root(leader, b)
        if x == y:
            continue
        leader[x] = y
        target[used], following[used], head[a] = b, head[a], used
        target[used + 1], following[used + 1], head[b] = a, head[b], used + 1
        used += 2
        if used == 2 * n - 2:
            break
    start = int(_draw(state) * n)
    order[0], parent[start] = start, -1
    done, there = 0, 1
    while done < there:
        node = order[done]
        done += 1
        at = head[node]
        while at >= 0:
            if target[at] != parent[node]:
                parent[target[at]] = node
                order[there] = target[at]
                there += 1
            at = following[at]
    return there


@compiled
def _inner_edges(members: Array, ptr: Array, nbr: Array, usable: Array, where: Array) -> Array:
    """Open borders inside a region, shape (m, 2), by place among its members."""
    n, m = len(members), 0
    for i in range(n):
        where[members[i]] = i
    for i in range(n):
        for e in range(ptr[members[i]], ptr[members[i] + 1]):
            m += usable[e] and where[nbr[e]] > i
    edges = np.empty((m, 2), np.int64)
    m = 0
    for i in range(n):
        for e in range(ptr[members[i]], ptr[members[i] + 1]):
            if usable[e] and where[nbr[e]] > i:
                edges[m, 0], edges[m, 1] = i, where[nbr[e]]
                m += 1
    for i in range(n):
        where[members[i]] = -1
    return edges


@compiled
def _split_score(below: Array, whole: Array, parts: int, wish: Array) -> tuple[float, int]:
    """How bad it is to cut below a node (load, seeds, units below it, and of the whole), and for how many parts."""
    share = whole[0] / parts
    first = int(np.floor(below[0] / share)) if share > 0 else int(below[2] * parts / whole[2])
    # each side needs a unit for every part and a part for every seed
    fewest = max(1, int(below[1]), parts - int(whole[2] - below[2]))
    most = min(parts - 1, int(below[2]), parts - int(whole[1] - below[1]))
    bad, best = np.inf, 0
    for step in range(2):
        j = min(max(first + step, fewest), most)
        if j < fewest:
            continue
        rest = parts - j
        above = whole[0] - below[0]
        out = max(wish[0] * j - below[0], below[0] - wish[1] * j, wish[0] * rest - above, above - wish[1] * rest, 0.0)
        score = abs(below[0] - j * share) / (share * min(j, rest)) if share > 0 else 0.0
        score = min(score, 1.0) * 0.5 + 0.45 * abs(2.0 * j / parts - 1.0)
        if out > 1e-9 * (1.0 + abs(whole[0])):
            score += 1.0 + out / wish[2]
        if score < bad:
            bad, best = score, j
    return bad, best


@compiled
def best_cut(
    members: Array,
    ptr: Array,
    nbr: Array,
    usable: Array,
    unit: Array,
    where: Array,
    parts: int,
    wish: Array,
    tries: int,
    state: Array,
) -> tuple[Array, int, float]:
    """The best cut of a connected region into two connected ones, over random trees: which members are on the one side, the
    number of parts it is for, and how bad it is (below 1: both sides can be within bounds).

    >>> path = (np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), np.ones(4, bool))
    >>> unit, wish = np.array([[2.0, 1, 4, 0, 1], [1.0, 1, 4, 0, 1], [1.0, 1, 4, 0, 1]]), np.array([2.0, 2.0, 2.0, 0, 0, 0, 0, 0])
    >>> side, number, bad = best_cut(np.arange(3), *path, unit, np.full(3, -1), 2, wish, 1, np.array([7], np.uint64))
    >>> bool(side[0] != side[1] and side[1] == side[2]), number, bad
    (True, 1, 0.0)
    """
    n = len(members)
    edges = _inner_edges(members, ptr, nbr, usable, where)
    shuffled, order, parent = np.arange(len(edges)), np.empty(n, np.int64), np.empty(n, np.int64)
    own, whole = np.empty((n, 3)), np.zeros(3)
    for i in range(n):
        own[i, 0], own[i, 1], own[i, 2] = unit[members[i], 0], unit[members[i], 3], 1.0
        whole += own[i]
    side, number, bad = np.zeros(n, np.bool_), 0, np.inf
    for _ in range(tries):
        there = _random_tree(edges, shuffled, n, order, parent, state)
        below = own.copy()
        best = -1
        for at in range(there - 1, 0, -1):
            node = order[at]
            below[parent[node]] += below[node]
            score, j = _split_score(below[node], whole, parts, wish)
            if score < bad:
                bad, best, number = score, node, j
        if best >= 0:
            side[:] = False
            side[best] = True
            for at in range(1, there):
                side[order[at]] = side[order[at]] or side[parent[order[at]]]
        if bad < 0.02:
            break
    return side, number, bad


@compiled
def part_cost(load: float, area: float, perimeter: float, wish: Array) -> float:
    """What one part costs: out of bounds, off the mean, and not compact.

    >>> part_cost(3.0, 1.0, 4.0, np.array([0.0, 2.5, 2.0, 4.0, 1.0, 0.0, 0.0, 0.0]))
    1.33
    """
    mean = wish[2]
    off = load / mean - 1.0
    out = max(wish[0] - load, load - wish[1], 0.0) / mean
    round_ = 12.566370614359172 * area / (perimeter * perimeter) if perimeter > 0.0 else 1.0
    return float(wish[3] * (out + (0.02 if out > 1e-9 else 0.0)) + wish[4] * off * off + wish[5] * (1.0 - round_))


@compiled
def _holds_together(u: int, ptr: Array, nbr: Array, usable: Array, part: Array, mark: Array, stamp: int, queue: Array) -> bool:
    """Whether the part of u stays connected without it: all its neighbours in the part reach each other, and not by a long way
    around, which is not looked for.
    """
    own = part[u]
    wanted = 0
    start = -1
    for e in range(ptr[u], ptr[u + 1]):
        if usable[e] and part[nbr[e]] == own:
            wanted += 1
            start = nbr[e]
            mark[nbr[e]] = stamp + 1
    if wanted < 2:
        return wanted == 1
    mark[u] = stamp + 2
    mark[start] = stamp + 2
    queue[0] = start
    there, done = 1, 0
    wanted -= 1
    while done < there and done < AROUND:
        at = queue[done]
        done += 1
        for e in range(ptr[at], ptr[at + 1]):
            v = nbr[e]
            if usable[e] and part[v] == own and mark[v] != stamp + 2:
                if mark[v] == stamp + 1:
                    wanted -= 1
                    if wanted == 0:
                        return True
                mark[v] = stamp + 2
                queue[there] = v
                there += 1
    return False


@compiled
def anneal(
    ptr: Array,
    nbr: Array,
    length: Array,
    cut: Array,
    usable: Array,
    source: Array,
    unit: Array,
    now: Array,
    part: Array,
    home: Array,
    stats: Array,
    wish: Array,
    mark: Array,
    state: Array,
    steps: int,
    hot: float,
    cold: float,
) -> int:
    """Try `steps` flips of a border unit to the part across the border, the temperature falling from `hot` to `cold`.

    `part` and `stats` are changed; no flip tears a part, empties it, or brings two seeds together. The number of flips made.

    >>> path = (np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), np.ones(4), np.zeros(4), np.ones(4, bool), np.array([0, 1, 1, 2]))
    >>> unit, part = np.tile([1.0, 1.0, 4.0, 0.0, 1.0], (3, 1)), np.array([0, 0, 0])
    >>> unit[0, 0], part[2] = 2.0, 1
    >>> stats = np.array([[3.0, 2, 6, 0, 2], [1.0, 1, 4, 0, 1]])
    >>> wish, mark = np.array([2.0, 2.0, 2.0, 9, 1, 0, 0, 0]), np.zeros(3, np.int64)
    >>> state = np.array([7], np.uint64)
    >>> anneal(*path, unit, np.full(3, -1), part, np.full(2, -1), stats, wish, mark, state, 99, 1e-9, 1e-9), part.tolist()
    (1, [0, 1, 1])
    """
    entries = len(nbr)
    if entries == 0 or steps == 0:
        return 0
    queue = np.empty(len(part), np.int64)
    made = 0
    stamp = 3
    for i in range(len(mark)):
        mark[i] = 0
    cooling = (cold / hot) ** (1.0 / steps)
    heat = hot
    for _ in range(steps):
        heat *= cooling
        entry = int(_draw(state) * entries)
        u = source[entry]
        a, b = part[u], part[nbr[entry]]
        if a == b or not usable[entry] or stats[a, 4] < 2.0 or (unit[u, 3] > 0.0 and stats[b, 3] > 0.0):
            continue
        with_a, with_b, saved = 0.0, 0.0, 0.0
        for e in range(ptr[u], ptr[u + 1]):
            other = part[nbr[e]]
            if other == a:
                with_a += length[e]
                saved -= cut[e]
            elif other == b:
                with_b += length[e]
                saved += cut[e]
        load_a, load_b = stats[a, 0] - unit[u, 0], stats[b, 0] + unit[u, 0]
        area_a, area_b = stats[a, 1] - unit[u, 1], stats[b, 1] + unit[u, 1]
        edge_a, edge_b = stats[a, 2] - unit[u, 2] + 2.0 * with_a, stats[b, 2] + unit[u, 2] - 2.0 * with_b
        rise = part_cost(load_a, area_a, edge_a, wish) + part_cost(load_b, area_b, edge_b, wish) - wish[6] * saved
        rise -= part_cost(stats[a, 0], stats[a, 1], stats[a, 2], wish) + part_cost(stats[b, 0], stats[b, 1], stats[b, 2], wish)
        if now[u] >= 0:
            rise += wish[7] * ((home[a] == now[u]) - (home[b] == now[u]))
        if rise > 0.0 and _draw(state) >= np.exp(-rise / heat):
            continue
        stamp += 3
        if not _holds_together(u, ptr, nbr, usable, part, mark, stamp, queue):
            continue
        part[u] = b
        stats[a, 0], stats[a, 1], stats[a, 2], stats[a, 4] = load_a, area_a, edge_a, stats[a, 4] - 1.0
        stats[b, 0], stats[b, 1], stats[b, 2], stats[b, 4] = load_b, area_b, edge_b, stats[b, 4] + 1.0
        stats[a, 3] -= unit[u, 3]
        stats[b, 3] += unit[u, 3]
        made += 1
    return made
