"""Kernel density against direct sums, other libraries, closed forms and what it must conserve."""

from __future__ import annotations

import math
from importlib import resources

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity

from gridgis.errors import Cancelled, CrsError, DataError
from gridgis.hotspots import adaptive_density, density, gaussian, kernel_density, relative_risk, stripes
from gridgis.hotspots.kernel_density import adaptive_bandwidths, weighted
from gridgis.hotspots.kernel_mass import mass_inside
from gridgis.lattice import Lattice

Floats = NDArray[np.float64]
WEST, SOUTH = 500_000, 3_366_000
ROADS = ("direct", "columns", "nodes", "cheapest")


def lattice(rows: int = 12, columns: int = 15, cell_m: int = 100) -> Lattice:
    west, south = WEST // cell_m * cell_m, SOUTH // cell_m * cell_m
    return Lattice.covering((west, south, west + columns * cell_m, south + rows * cell_m), cell_m, "EPSG:4547")


def distances2(xy: Floats, grid: Lattice) -> Floats:
    """Squared distance of every cell's centre from every point, shape (rows, columns, n)."""
    row, column = np.mgrid[: grid.rows, : grid.columns]
    cx, cy = grid.centre(row, column)
    return (cx[..., None] - xy[:, 0]) ** 2 + (cy[..., None] - xy[:, 1]) ** 2


def direct(xy: Floats, grid: Lattice, h: float, kernel: str = "quartic", weights: Floats | None = None) -> Floats:
    weight = np.ones(len(xy)) if weights is None else weights
    r2 = distances2(xy, grid)
    if kernel == "gaussian":
        return 1e6 * (np.exp(-r2 / (2 * h * h)) / (2 * math.pi * h * h)) @ weight
    return 1e6 * (3 / (math.pi * h * h) * np.where(r2 < h * h, (h * h - r2) / (h * h), 0.0) ** 2) @ weight


def force(monkeypatch: pytest.MonkeyPatch, road: str) -> None:
    """Make one of the ways of the Gaussian sum look the cheapest."""
    if road in ("columns", "nodes"):
        monkeypatch.setattr(gaussian, "_EXP_S", 1e3)
        monkeypatch.setattr(gaussian, "_STEP_S", 1e3 if road == "nodes" else 0.0)
        monkeypatch.setattr(gaussian, "_NODE_S", 1e-9 if road == "nodes" else 1.0)
    elif road == "direct":
        monkeypatch.setattr(gaussian, "_EXP_S", 0.0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Floats, Floats, Lattice, float]:
    """Points in heaps, in and far out of a lattice, with weights; bandwidths from a fifth of a cell to many lattices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid = lattice(draw(st.integers(1, 14)), draw(st.integers(1, 14)), draw(st.sampled_from([1, 7, 100, 1000])))
    west, south, east, north = grid.total_bounds
    h = grid.cell_m * 10 ** draw(st.floats(-0.7, 2.5))
    heaps = draw(st.integers(1, 4))
    out = h * draw(st.sampled_from([0.0, 0.9, 5.0, 25.0]))
    centre = np.column_stack(
        [rng.uniform(west - out, east + out, heaps), rng.uniform(south - out, north + out, heaps)]
    )  # fmt: skip
    number = draw(st.integers(1, 60))
    spread = draw(st.sampled_from([0.0, 0.1, 1.0, 10.0])) * grid.cell_m
    xy = centre[rng.integers(0, heaps, number)] + spread * rng.standard_normal((number, 2))
    if draw(st.booleans()):
        xy = np.round(xy / grid.cell_m * 2) * grid.cell_m / 2  # on corners, edges and centres
    weights = rng.choice([0.0, 0.5, 1.0, 1000.0], number) if draw(st.booleans()) else np.ones(number)
    return xy, weights, grid, h


@pytest.mark.parametrize("side", [0, 2, 8])
@given(case=cases())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_quartic_density_is_the_direct_sum_on_any_input(
    side: int, monkeypatch: pytest.MonkeyPatch, case: tuple[Floats, Floats, Lattice, float]
) -> None:
    """Point by point, and by blocks of two and of eight cells."""
    xy, weights, grid, h = case
    with monkeypatch.context() as patch:
        patch.setattr(kernel_density, "block_side", lambda *_: side)
        found = density(xy, lattice=grid, bandwidth_m=h, weights=weights)
    # a point within rounding of the kernel's rim may be on either side: there the kernel is below 1e-20 of its peak
    rim = 1e-18 * 1e6 * 3 / (math.pi * h * h) * weights.sum()
    np.testing.assert_allclose(found, direct(xy, grid, h, weights=weights), rtol=1e-9, atol=rim)


@pytest.mark.parametrize("road", ROADS)
@given(case=cases())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gaussian_density_is_the_direct_sum_on_any_input(
    road: str, monkeypatch: pytest.MonkeyPatch, case: tuple[Floats, Floats, Lattice, float]
) -> None:
    xy, weights, grid, h = case
    with monkeypatch.context() as patch:
        force(patch, road)
        found = density(xy, lattice=grid, bandwidth_m=h, weights=weights, kernel="gaussian")
    expected = direct(xy, grid, h, "gaussian", weights)
    peak = 1e6 / (2 * math.pi * h * h) * max(weights.sum(), 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-270 * peak)


def test_the_gaussian_of_one_far_heap_is_right_to_the_last_corner() -> None:
    """A heap of thousands in one corner: the far corner's value is 1e-200 of the peak, and still right to 1e-6."""
    grid = lattice(60, 60, 100)
    rng = np.random.default_rng(3)
    xy = np.column_stack([WEST + rng.uniform(0, 50, 5000), SOUTH + rng.uniform(0, 50, 5000)])
    found = density(xy, lattice=grid, bandwidth_m=280, kernel="gaussian")
    expected = direct(xy, grid, 280, "gaussian")
    assert expected.min() < 1e-190 * expected.max()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_one_incident_by_hand() -> None:
    """3 / (π · 0.2² km²) at the point; (1 − 0.25)² of it at half the bandwidth; nothing at the bandwidth."""
    peak = 3 / (math.pi * 0.04)
    found = density([(WEST + 50, SOUTH + 50)], lattice=lattice(1, 3), bandwidth_m=200)
    np.testing.assert_allclose(found, [[peak, peak * 0.5625, 0.0]], rtol=1e-12)


def test_thousands_of_incidents_on_one_spot_count_each() -> None:
    spot = np.tile([[WEST + 512.5, SOUTH + 377.25]], (4000, 1))
    for kernel in ("quartic", "gaussian"):
        one = density(spot[:1], lattice=lattice(), bandwidth_m=450, kernel=kernel)
        np.testing.assert_allclose(density(spot, lattice=lattice(), bandwidth_m=450, kernel=kernel), 4000 * one, rtol=1e-9)
        heavy = density(spot[:1], lattice=lattice(), bandwidth_m=450, kernel=kernel, weights=[4000.0])
        np.testing.assert_allclose(heavy, 4000 * one, rtol=1e-9)


def test_gaussian_density_is_scipys_estimate_times_the_number_of_points() -> None:
    rng = np.random.default_rng(5)
    raw = rng.standard_normal((300, 2))
    white = (raw - raw.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T  # sample covariance = 1
    xy = 400 * white + (WEST + 700, SOUTH + 600)
    grid = lattice()
    cx, cy = grid.centre(*np.mgrid[: grid.rows, : grid.columns])
    theirs = gaussian_kde(xy.T, bw_method=150 / 400)(np.vstack([cx.ravel(), cy.ravel()])).reshape(grid.shape)
    np.testing.assert_allclose(
        density(xy, lattice=grid, bandwidth_m=150, kernel="gaussian"), theirs * 300 * 1e6, rtol=1e-8
    )  # fmt: skip


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
def test_density_over_all_the_plane_integrates_to_the_number_of_incidents(kernel: str) -> None:
    grid = lattice(80, 80, 50)
    rng = np.random.default_rng(1)
    xy = rng.uniform((WEST + 1800, SOUTH + 1800), (WEST + 2200, SOUTH + 2200), (50, 2))
    total = density(xy, lattice=grid, bandwidth_m=250, kernel=kernel).sum() * 0.05**2  # type: ignore[arg-type]
    assert total == pytest.approx(50, rel=1e-4)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    xy = rng.uniform((WEST, SOUTH), (WEST + 1500, SOUTH + 1200), (2000, 2))
    results = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(stripes, "cores", lambda threads=threads: threads)
        results.append(density(xy, lattice=lattice(), bandwidth_m=300))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_a_month_of_west_yorkshire_is_scikit_learns_density_times_the_number_of_incidents() -> None:
    """July 2016 as published, up to 43 incidents on one snap point, with the tree of scikit-learn as judge."""
    file = resources.files("crime_sim_toolkit") / "tests/testing_data/test_policedata/2016-07/2016-07-west-yorkshire-street.csv"
    table = pd.read_csv(str(file), usecols=["Longitude", "Latitude"]).dropna()
    places = gpd.GeoSeries.from_xy(table["Longitude"], table["Latitude"], crs=4326).to_crs(27700)
    xy = np.column_stack([places.x, places.y])
    assert len(xy) > 25_000
    assert np.unique(xy, axis=0, return_counts=True)[1].max() == 43
    grid = Lattice.covering(tuple(places.total_bounds), 500, "EPSG:27700")
    found = density(xy, lattice=grid, bandwidth_m=800, kernel="gaussian")
    row, column = np.mgrid[2 : grid.rows : 25, 3 : grid.columns : 25]
    tree = KernelDensity(bandwidth=800, kernel="gaussian", rtol=1e-9).fit(xy)
    centres = np.column_stack([axis.ravel() for axis in grid.centre(row, column)])
    theirs = np.exp(tree.score_samples(centres)) * len(xy) * 1e6
    near = theirs > 1e-9 * theirs.max()  # far away, where densities are 1e-40, the tree's own sums are not right
    assert near.sum() > 15
    np.testing.assert_allclose(found[row, column].ravel()[near], theirs[near], rtol=1e-6)
    sums = [np.exp(-((xy - centre) ** 2).sum(axis=1) / (2 * 800**2)).sum() for centre in centres]
    np.testing.assert_allclose(found[row, column].ravel(), np.array(sums) * 1e6 / (2 * math.pi * 800**2), rtol=1e-6, atol=1e-270)
    wide = Lattice.covering(
        (grid.x0 - 1000, grid.y0 - 1000, grid.total_bounds[2] + 1000, grid.total_bounds[3] + 1000), 500, "EPSG:27700"
    )
    assert density(xy, lattice=wide, bandwidth_m=1000).sum() * 0.25 == pytest.approx(len(xy), rel=0.01)


# --- the boundary ----------------------------------------------------------------------------------------------------


def blob(rng: np.random.Generator, at: tuple[float, float], radius: float, corners: int) -> shapely.Polygon:
    turn = np.sort(rng.uniform(0, 2 * math.pi, corners))
    r = radius * rng.uniform(0.4, 1.0, corners)
    return shapely.make_valid(shapely.Polygon(np.column_stack([at[0] + r * np.cos(turn), at[1] + r * np.sin(turn)])))


def mass_by_triangles(area: shapely.Geometry, grid: Lattice, h: float, kernel: str) -> Floats:
    """The kernel integrated over the area's triangles, quartered until small, at the middles of their sides."""
    triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(area))
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
    for _ in range(6):
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        corners = np.concatenate(
            [middles, *(np.stack([corners[:, k], middles[:, k], middles[:, k - 1]], axis=1) for k in range(3))]
        )
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    size = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
    assert size.sum() == pytest.approx(area.area)
    middles = ((corners + np.roll(corners, -1, axis=1)) / 2).reshape(-1, 2)
    weights = np.repeat(size / 3, 3) / 1e6
    parts = np.array_split(np.arange(len(middles)), 40)
    return np.sum([direct(middles[part], grid, h, kernel, weights[part]) for part in parts], axis=0)


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
@pytest.mark.parametrize("seed", range(3))
def test_mass_inside_is_the_integral_over_any_polygons(kernel: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = blob(rng, (WEST + 400, SOUTH + 400), 420, 40).difference(blob(rng, (WEST + 420, SOUTH + 380), 130, 9))
    area = shapely.union(whole, blob(rng, (WEST + 900, SOUTH + 600), 150, 5))
    grid, h = lattice(8, 11), 160.0 if kernel == "quartic" else 70.0
    expected = mass_by_triangles(area, grid, h, kernel)
    found = mass_inside(area, lattice=grid, bandwidth_m=h, kernel=kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.max() <= 1


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
def test_mass_at_a_straight_edge_and_a_corner_in_closed_form(kernel: str) -> None:
    """Beside a half plane the mass is an integral of one variable; in the corner of a quarter plane it is a quarter."""
    grid = lattice(1, 9)
    h = 250.0
    edge = WEST + 450.0  # through the centre of column 4
    half = shapely.box(edge, SOUTH - 1e5, WEST + 1e5, SOUTH + 1e5)
    u = (np.arange(9) - 4) * 100 / h
    if kernel == "gaussian":
        expected = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in u])
    else:
        v = np.clip(u, -1, 1)  # the quartic's share along one axis is 16/5π (1 − u²)^(5/2)
        rest = v * (33 - 26 * v**2 + 8 * v**4) * np.sqrt(1 - v**2) / 48 + 15 / 48 * np.arcsin(v)
        expected = 0.5 + 16 / (5 * math.pi) * rest
    found = mass_inside(half, lattice=grid, bandwidth_m=h, kernel=kernel)
    np.testing.assert_allclose(found[0], expected, atol=1e-7)
    quarter = shapely.box(edge, SOUTH + 50.0, WEST + 1e5, SOUTH + 1e5)
    assert mass_inside(quarter, lattice=grid, bandwidth_m=h, kernel=kernel)[0, 4] == pytest.approx(0.25, abs=1e-7)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 30), st.sampled_from(["quartic", "gaussian"]))
@settings(max_examples=40, deadline=None)
def test_masses_of_parts_add_up_to_the_whole(seed: int, cells: float, kernel: str) -> None:
    """Cut by a line of whole half-cells, so that centres lie on the cut and on its corners."""
    rng = np.random.default_rng(seed)
    grid = lattice(8, 9)
    area = blob(rng, (WEST + 450, SOUTH + 400), 500, 17)
    cut = shapely.box(WEST - 1000, SOUTH - 1000, WEST + 50 * rng.integers(2, 16), SOUTH + 2000)
    args = {"lattice": grid, "bandwidth_m": 100 * cells, "kernel": kernel}
    whole = mass_inside(area, **args)  # type: ignore[arg-type]
    parts = [mass_inside(part, **args) for part in (area & cut, area - cut) if part.area > 0]  # type: ignore[arg-type]
    np.testing.assert_allclose(sum(parts), whole, atol=1e-7)


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
def test_an_even_spread_has_one_density_up_to_the_boundary(kernel: str) -> None:
    area = shapely.Polygon([(100, 100), (1400, 0), (1200, 1100), (700, 500), (150, 1000)])
    area = shapely.transform(area, lambda xy: np.add(xy, (WEST, SOUTH)))
    x, y = np.meshgrid(np.arange(2.5, 1500, 5), np.arange(2.5, 1200, 5))
    inside = shapely.contains_xy(area, x.ravel() + WEST, y.ravel() + SOUTH)
    xy = np.column_stack([x.ravel(), y.ravel()])[inside] + (WEST, SOUTH)
    grid = lattice()
    row, column = np.mgrid[: grid.rows, : grid.columns]
    mask = shapely.contains_xy(area, *grid.centre(row, column))
    found = density(xy, lattice=grid, bandwidth_m=180, kernel=kernel, area=area, mask=mask)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[mask], 1e6 / 25, rtol=0.02)
    assert np.isnan(found[~mask]).all()
    raw = density(xy, lattice=grid, bandwidth_m=180, kernel=kernel, area=area, edge=False, mask=mask)  # type: ignore[arg-type]
    assert np.nanmin(raw) < 0.7 * 1e6 / 25


def test_cells_far_from_the_area_have_no_value_and_frames_are_taken_as_areas() -> None:
    grid = lattice()
    box = shapely.box(WEST, SOUTH, WEST + 300, SOUTH + 300)
    found = density([(WEST + 100, SOUTH + 100)], lattice=grid, bandwidth_m=200, area=box)
    assert np.isnan(found[0, -1])
    assert found[-1, 0] > 0
    frame = gpd.GeoSeries(
        [shapely.box(WEST, SOUTH, WEST + 200, SOUTH + 300), shapely.box(WEST + 100, SOUTH, WEST + 300, SOUTH + 300)]
    )
    for same in (frame, frame.set_crs(4547), list(frame)):
        np.testing.assert_allclose(
            density([(WEST + 100, SOUTH + 100)], lattice=grid, bandwidth_m=200, area=same), found, rtol=1e-9
        )
    with pytest.raises(CrsError, match="4548"):
        density([(0, 0)], lattice=grid, bandwidth_m=200, area=frame.set_crs(4548))
    with pytest.raises(DataError, match="no polygon"):
        density([(0, 0)], lattice=grid, bandwidth_m=200, area=shapely.Point(0, 0))


# --- adaptive and relative -------------------------------------------------------------------------------------------


def test_adaptive_density_is_abramsons_written_out() -> None:
    rng = np.random.default_rng(11)
    xy = np.concatenate(
        [rng.normal((WEST + 400, SOUTH + 400), 120, (80, 2)), rng.uniform((WEST, SOUTH), (WEST + 1500, SOUTH + 1200), (30, 2))]
    )
    weights = rng.choice([1.0, 3.0], len(xy))
    grid, h = lattice(), 300.0
    around = lattice(22, 25)
    around = Lattice(around.crs, WEST - 500, SOUTH - 500, 100, 22, 25)
    row, column = around.cell_at(xy[:, 0], xy[:, 1])
    assert (row >= 0).all()
    pilot = direct(xy, around, h, weights=weights)[row, column]
    level = math.exp(np.average(np.log(pilot), weights=weights))
    widths = np.minimum(h * np.sqrt(level / pilot), 5 * h)
    r2 = distances2(xy, grid)
    expected = 1e6 * (weights * 3 / (math.pi * widths**2) * np.clip(1 - r2 / widths**2, 0, None) ** 2).sum(axis=-1)
    np.testing.assert_allclose(adaptive_bandwidths(weighted(xy, weights), lattice=grid, bandwidth_m=h), widths, rtol=1e-9)
    np.testing.assert_allclose(adaptive_density(xy, lattice=grid, bandwidth_m=h, weights=weights), expected, rtol=1e-9)


def test_adaptive_density_over_the_area_integrates_to_the_number_of_incidents() -> None:
    """The kernel mass that would fall outside goes back inside, for every incident."""
    area = shapely.box(WEST, SOUTH, WEST + 1500, SOUTH + 1200)
    rng = np.random.default_rng(4)
    xy = np.concatenate([rng.uniform((WEST, SOUTH), (WEST + 100, SOUTH + 1200), (90, 2)), [(WEST + 1499, SOUTH + 1199)]])
    fine = lattice(120, 150, 10)
    found = adaptive_density(xy, lattice=fine, bandwidth_m=200, area=area)
    assert found.sum() * 0.01**2 == pytest.approx(91, rel=2e-3)
    lost = adaptive_density(xy, lattice=fine, bandwidth_m=200, area=area, edge=False)
    assert lost.sum() * 0.01**2 < 75


def test_incidents_spread_like_the_population_have_no_excess_anywhere() -> None:
    rng = np.random.default_rng(8)
    people = rng.uniform((WEST, SOUTH), (WEST + 700, SOUTH + 1200), (400, 2))
    risk = relative_risk(people, people, lattice=lattice(), bandwidth_m=250, population_weights=np.full(400, 7.0))
    known = ~np.isnan(risk)
    np.testing.assert_allclose(risk[known], 0, atol=1e-9)
    assert known[:, :7].all()
    assert not known[:, -4:].any()


def test_relative_risk_is_the_ratio_of_shares_and_few_people_give_no_value() -> None:
    """40 % of incidents where 20 % of people live: risk 2; nobody near, or fewer than `least`: no value; no incident: 0."""
    spots = [(WEST + 50, SOUTH + 50), (WEST + 550, SOUTH + 50), (WEST + 1050, SOUTH + 50), (WEST + 1450, SOUTH + 50)]
    grid = lattice(1, 15)
    incidents = [spots[0]] * 4 + [spots[1]] * 6
    args = {"lattice": grid, "bandwidth_m": 100.0, "population_weights": [20.0, 46.0, 30.0, 4.0], "least": 5.0}
    ratio = relative_risk(incidents, spots, scale="ratio", **args)[0]  # type: ignore[arg-type]
    np.testing.assert_allclose(ratio[[0, 5, 10]], [0.4 / 0.2, 0.6 / 0.46, 0.0], rtol=1e-9)
    assert np.isnan(ratio[[2, 14]]).all()
    log = relative_risk(incidents, spots, **args)[0]  # type: ignore[arg-type]
    np.testing.assert_allclose(log[[0, 5]], np.log(ratio[[0, 5]]))
    assert log[10] == -np.inf
    with pytest.raises(DataError, match="nothing to compare"):
        relative_risk(incidents, np.empty((0, 2)), lattice=grid, bandwidth_m=100)


# --- what is asked for -----------------------------------------------------------------------------------------------


def test_no_incidents_give_no_density() -> None:
    for kernel in ("quartic", "gaussian"):
        assert (density([], lattice=lattice(), bandwidth_m=100, kernel=kernel) == 0).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bandwidth_m": 0}, "bandwidth"),
        ({"bandwidth_m": math.nan}, "bandwidth"),
        ({"bandwidth_m": math.inf}, "bandwidth"),
        ({"kernel": "epanechnikov"}, "quartic, gaussian"),
        ({"weights": [1.0]}, "1 weights for 2 points"),
        ({"weights": [1.0, -1.0]}, "1 of 2 are not"),
        ({"points_xy": [(0.0, math.nan), (0.0, 0.0)]}, "1 of 2 are not"),
        ({"points_xy": [(0.0, 0.0, 0.0)]}, "two columns"),
        ({"mask": np.ones((2, 2), dtype=bool)}, "2 × 2"),
    ],
)
def test_what_cannot_be_summed_is_refused_by_name(change: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {"points_xy": [(0.0, 0.0), (1.0, 1.0)], "bandwidth_m": 100.0, **change}
    points = asked.pop("points_xy")
    with pytest.raises(DataError, match=says):
        density(points, lattice=lattice(), **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
def test_a_listener_can_stop_the_sum(kernel: str) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done:
            raise Cancelled

    rng = np.random.default_rng(1)
    xy = rng.uniform((WEST, SOUTH), (WEST + 20_000, SOUTH + 20_000), (3000, 2))
    with pytest.raises(Cancelled):
        density(xy, lattice=lattice(200, 200), bandwidth_m=500, kernel=kernel, progress=stop)  # type: ignore[arg-type]
