"""What happened in 2012: disputes, services and reports, with patterns in place and time worth finding.

Reports follow five patterns. *estate*: at the building site of the estate, more and more from month to month. *lake*:
along the shore, from June to September. *market*: public order around the market street, at night and at weekends.
*homes*: where people live, in working hours. *elsewhere*: calls from villages whose station is not open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.sample import plan
from gridgis.sample.canvas import Floats, Ints

_YEAR_START: Final = dt.date(2012, 1, 1)
_DAYS: Final = 366
ZONE: Final = "Asia/Shanghai"

# weight of the hours 0–23
_OFFICE: Final = (0, 0, 0, 0, 0, 0, 1, 3, 9, 12, 10, 7, 3, 4, 9, 11, 10, 7, 4, 3, 2, 1, 0, 0)
_EVENING: Final = (0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4, 3, 3, 4, 5, 7, 10, 12, 10, 6, 2, 1)
_NIGHT: Final = (7, 5, 3, 2, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 6, 8, 10, 12, 11, 9)
_WORKDAYS: Final = (1.2, 1.1, 1.0, 1.0, 1.1, 0.5, 0.35)
_WEEKENDS: Final = (0.8, 0.7, 0.7, 0.8, 1.1, 1.6, 1.5)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the places of incidents are drawn from."""

    buildings: gpd.GeoDataFrame
    """With `population` and `kind`."""
    grids: gpd.GeoDataFrame
    """With `area_code`."""
    shore: shapely.Polygon
    estate: Floats
    """Centre of the estate's towers."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How a kind of incident is spread."""

    categories: Sequence[tuple[str, float]]
    season: Callable[[Floats], Floats]
    """Weight of each day, given its place in the year (0–1)."""


def _steady(part: Floats) -> Floats:
    return np.ones_like(part)


def _growing(part: Floats) -> Floats:
    return 0.08 + part**3


def _summer(part: Floats) -> Floats:
    return np.maximum(0.0, 1 - ((part - 0.575) / 0.15) ** 2)


_PATTERNS: Final = {
    "estate": _Pattern((("安全隐患", 0.62), ("环境", 0.26), ("治安", 0.12)), _growing),
    "lake": _Pattern((("环境", 0.7), ("安全隐患", 0.3)), _summer),
    "market": _Pattern((("治安", 0.8), ("环境", 0.2)), _steady),
    "homes": _Pattern((("环境", 0.42), ("安全隐患", 0.36), ("治安", 0.22)), _steady),
    "elsewhere": _Pattern((("环境", 0.4), ("安全隐患", 0.35), ("治安", 0.25)), _steady),
    "矛盾纠纷": _Pattern((("矛盾纠纷", 1.0),), _steady),
    "民生服务": _Pattern((("民生服务", 1.0),), _steady),
}
# weights of the hours and of the days from Monday, by category
_RHYTHM: Final = {"治安": (_NIGHT, _WEEKENDS), "矛盾纠纷": (_EVENING, _WEEKENDS)}

_WORDS: Final = {
    "矛盾纠纷": ("宅基地边界纠纷", "邻里排水纠纷", "家庭赡养纠纷", "土地流转租金纠纷", "婚姻家庭纠纷", "施工噪声引起的纠纷"),
    "民生服务": (
        "为孤寡老人上门办证",
        "协助办理新农合报销",
        "代办生育服务证",
        "组织村民体检",
        "帮助联系务工岗位",
        "为困难户送救助物资",
    ),
    "安全隐患": ("电线私拉乱接", "临水路段缺少护栏", "危房墙体开裂", "施工围挡倒伏", "路面塌陷", "易燃物堆放"),
    "环境": ("生活垃圾未清运", "沟渠堵塞", "秸秆焚烧", "水面漂浮垃圾", "扬尘未覆盖", "污水直排"),
    "治安": ("电动车被盗", "入室盗窃", "聚众赌博线索", "酒后滋事", "可疑人员走动", "家禽被盗"),
}
_SOURCES: Final = (("网格员上报", 0.7), ("居民来电", 0.2), ("来访", 0.1))


def incidents(rng: np.random.Generator, ground: Ground) -> gpd.GeoDataFrame:
    """The year's incidents in order of time, indexed by id: place, time (Asia/Shanghai), category, source, words.

    `served` is the number of people a service was for, null for anything else.
    """
    tree = shapely.STRtree(ground.grids.geometry.to_numpy())
    opened = {village.code: village.opened_on for village in plan.VILLAGES}
    grid_opened = [opened[code] for code in ground.grids["area_code"]]
    rows: list[dict[str, object]] = []
    for name, count in {**plan.INCIDENTS, **plan.REPORTS}.items():
        for x, y in _places(rng, name, count, ground):
            point = shapely.Point(x, y)
            grid = int(tree.nearest(point))
            since = grid_opened[grid] if name != "elsewhere" else None
            rows.append(_row(rng, _PATTERNS[name], point, since))
    services = [row for row in rows if row["category"] == "民生服务"]
    for row, people in zip(services, _shares(rng, plan.SERVED, len(services)), strict=True):
        row["served"] = int(people)
    frame = pd.DataFrame(rows).sort_values("occurred_at", kind="stable").reset_index(drop=True)
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"]).dt.tz_localize(ZONE)
    frame["served"] = frame["served"].astype("Int64")
    frame.index = pd.Index([f"SJ2012-{number + 1:04d}" for number in range(len(frame))], name="id")
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=plan.CRS)


def _row(rng: np.random.Generator, pattern: _Pattern, point: shapely.Point, since: dt.date | None) -> dict[str, object]:
    category = pattern.categories[_pick(rng, np.array([part for _, part in pattern.categories]))][0]
    hours, weekdays = _RHYTHM.get(category, (_OFFICE, _WORKDAYS))
    day = np.arange(_DAYS)
    first = (since - _YEAR_START).days if since else 0
    weekday = (day + _YEAR_START.weekday()) % 7
    weight = pattern.season(day / (_DAYS - 1)) * np.array(weekdays)[weekday] * (day >= first)
    chosen = _YEAR_START + dt.timedelta(days=int(_pick(rng, weight)))
    hour, minute = _pick(rng, np.array(hours, dtype=float)), int(rng.random() * 60)
    words = _WORDS[category]
    source = "居民来电" if since is None else _SOURCES[_pick(rng, np.array([part for _, part in _SOURCES]))][0]
    return {
        "occurred_at": dt.datetime.combine(chosen, dt.time(hour, minute)),
        "category": category,
        "source": source,
        "description": words[int(rng.random() * len(words))],
        "served": None,
        "geometry": point,
    }


def _places(rng: np.random.Generator, name: str, count: int, ground: Ground) -> Floats:
    opened = {village.code for village in plan.VILLAGES if village.opened_on}
    is_open = ground.grids["area_code"].isin(opened).to_numpy()
    open_ground = shapely.union_all(ground.grids.geometry.to_numpy()[is_open])
    if name == "estate":
        aim = ground.estate + np.array([-30.0, -60.0])
        return _near(rng, np.tile(aim, (count * 4, 1)), 330.0, count, open_ground.difference(ground.shore))
    if name == "lake":
        edge = shapely.get_coordinates(shapely.segmentize(ground.shore.exterior, 40))
        edge = edge[shapely.intersects_xy(open_ground, edge[:, 0], edge[:, 1])]
        start = edge[(rng.random(count * 8) * len(edge)).astype(int)]
        return _near(rng, start, 70.0, count, open_ground.difference(ground.shore.buffer(3, quad_segs=2)))
    homes = ground.buildings
    middle = shapely.get_coordinates(shapely.centroid(homes.geometry.to_numpy()))
    inside = shapely.intersects_xy(open_ground, middle[:, 0], middle[:, 1])
    weight = homes["population"].to_numpy(dtype=float) * (inside != (name == "elsewhere"))
    if name == "market":
        weight = weight * (homes["kind"].to_numpy() == "shophouse")
    total = np.cumsum(weight)
    start = middle[np.searchsorted(total, rng.random(count * 4) * total[-1], side="right")]
    allowed = open_ground if name != "elsewhere" else shapely.union_all(ground.grids.geometry.to_numpy()).difference(open_ground)
    return _near(rng, start, 25.0, count, allowed.difference(ground.shore))


def _near(rng: np.random.Generator, start: Floats, spread_m: float, count: int, allowed: shapely.Geometry) -> Floats:
    # the first `count` points near the starts that lie on allowed ground; sums of uniforms are bell-shaped enough
    drift = (rng.random((len(start), 2, 3)).sum(axis=2) - 1.5) * 2 * spread_m
    points = np.round(start + drift, 1)
    shapely.prepare(allowed)
    return np.asarray(points[shapely.contains_xy(allowed, points[:, 0], points[:, 1])][:count])


def _pick(rng: np.random.Generator, weight: Floats) -> int:
    total = np.cumsum(weight)
    return int(np.searchsorted(total, rng.random() * total[-1], side="right"))


def _shares(rng: np.random.Generator, total: int, count: int) -> Ints:
    # `total` people over `count` services, one at least each
    own = (rng.random(total - count) * count).astype(np.int64)
    return np.bincount(own, minlength=count) + 1
