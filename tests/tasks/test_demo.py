"""The sample as a workspace: the published figures come out of it, and move when a grid moves."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

import gridgis
from gridgis.errors import Cancelled, WorkspaceError
from gridgis.layers import LAYERS
from gridgis.store import Workspace
from gridgis.tasks import checking, covering, settlements
from gridgis.tasks.demo import build_demo


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "town.gpkg"
    build_demo(path, who="tester", at=dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)).close()
    return path


@pytest.fixture
def town(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    with gridgis.open_workspace(shutil.copy(made, tmp_path / "town.gpkg")) as workspace:
        yield workspace


def figures(workspace: Workspace, **options: object) -> dict[str, tuple[float, float, float]]:
    told = covering.coverage(workspace, **options).to_json()  # type: ignore[arg-type]
    return {name: (m["covered"], m["total"], m["percent"]) for name, m in told["measures"].items()}


def test_published_figures_come_out(town: Workspace) -> None:
    told = covering.coverage(town).to_json()
    assert (told["as_of"], told["synthetic"], told["area"]["code"]) == ("2012-12-31", True, "420703102")
    found = figures(town)
    assert found["area"][2] == 43.6
    assert found["population"] == (14_624, 30_340, 48.2)
    assert found["grids"][:2] == (81, 170)
    assert found["natural_villages"][0] == 67
    assert found["stations"][:2] == (7, 16)


def test_figures_move_when_a_grid_moves(town: Workspace) -> None:
    before = figures(town)
    grids = town.read("grids")
    opened = town.read("stations")["opened_on"].dropna()
    code = grids[grids["station"].isin(opened.index)].area.idxmax()
    people = town.read("buildings").within(grids.geometry[code])
    moved = grids.loc[[code]].set_geometry(grids.loc[[code]].translate(20_000, 0))
    with town.write(who="tester", why="move") as write:
        write.correct("grids", moved)
    after = figures(town)
    assert after["area"][0] == pytest.approx(before["area"][0] - grids.geometry[code].area, rel=1e-4)
    assert after["population"][0] == 14_624 - town.read("buildings").loc[people, "population"].sum() < 14_624
    assert after["grids"] == before["grids"]


def test_figures_follow_the_date(town: Workspace) -> None:
    assert figures(town, as_of=dt.date(2012, 3, 27))["area"][0] == 0
    first = figures(town, as_of=dt.date(2012, 3, 28))
    assert first["stations"][0] == 1
    assert first["grids"][0] == 16
    trend = covering.trend(town)
    assert len(trend) >= 7


def test_check_finds_nothing(town: Workspace) -> None:
    report = checking.check(town)
    assert report.ok, [finding.message("en") for finding in report.findings]


def test_every_layer_is_filled_and_cells_fill_the_villages(town: Workspace) -> None:
    assert all(town.count(name) > 0 for name in LAYERS)
    cells, areas = town.read("unit_cells"), town.read("areas")
    sums = cells.area.groupby(cells["area_code"]).sum()
    villages = areas[areas["level"] == "village"]
    assert sums.to_dict() == pytest.approx(villages.area.to_dict(), rel=1e-9)
    assert cells.index.str.fullmatch(r"420703102\d{6}").all()
    assert shapely.is_valid(cells.geometry.to_numpy()).all()


def test_incidents_keep_their_moment_and_own_columns(town: Workspace) -> None:
    incidents = town.read("incidents")
    assert incidents["served"].sum() == 117
    local = incidents["occurred_at"].dt.tz_convert("Asia/Shanghai")
    assert set(local.dt.year) == {2012}


def test_natural_villages_built_anew_are_the_same(town: Workspace) -> None:
    before = town.read("natural_villages")
    settlements.build_natural_villages(town, who="tester", why="again")
    after = town.read("natural_villages")
    assert after["name"].to_dict() == before["name"].to_dict()
    assert shapely.equals_exact(after.geometry.to_numpy(), before.geometry.loc[after.index].to_numpy(), 1e-6).all()


def test_log_says_who_and_when(town: Workspace) -> None:
    log = town.log(layer="stations")
    assert set(log["who"]) == {"tester"}
    assert log["at"].iloc[0] == dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def test_what_is_there_is_refused_untouched(made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(WorkspaceError):
        build_demo(made)
    assert made.read_bytes() == before


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="nowhere"):
        build_demo(tmp_path / "nowhere" / "town.gpkg")


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        build_demo(tmp_path / "town.gpkg", progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgis
def test_published_figures_come_out_of_postgis_too(postgis_url: str) -> None:
    with build_demo(postgis_url) as workspace:
        found = figures(workspace)
    assert (found["area"][2], found["population"]) == (43.6, (14_624, 30_340, 48.2))
    assert (found["grids"][:2], found["natural_villages"][0]) == ((81, 170), 67)
