"""What the generator of the sample is told: the villages with their size, people and grids, where they lie, and names.

These are inputs, in the open. Real are the names and codes, and the sums that were published for the end of 2012: how
many grids, natural villages and residents the villages with an open station have, and their part of the town's area.
How the sums are spread over the villages is invented, as is all geometry. No figure of coverage is written anywhere:
it is computed from the layers the generator makes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

CRS: Final = "EPSG:4547"
CENTRE: Final = (572_400, 3_371_100)
"""Middle of the town, metres in `CRS`: about 114.75°E, 30.45°N, where Miaoling lies."""
TOWN: Final = "420703102"
TOWN_NAME: Final = "庙岭镇"
ESTATE: Final = f"{TOWN}900"
"""恒大社区 is missing in the 2022/23 edition of the statistical codes: 900 is ours, outside the ranges that edition uses."""
MARKET: Final = f"{TOWN}210"


@dataclass(frozen=True, slots=True)
class Village:
    """One administrative village or community, as the generator is told to make it."""

    code: str
    """12 digits: town and village."""
    name: str
    short: str
    """Name without 村 or 社区, as in the names of its grids and stations."""
    kind: str
    """`village`, `community`, or `village-like` (a unit with a code from 500 up, which is neither)."""
    km2: float
    """Size to aim at, square kilometres."""
    grids: int
    """Planned management grids."""
    hamlets: int
    """Natural villages."""
    residents: int
    """People living in its buildings, exactly."""
    batch: str
    opened_on: dt.date | None
    """The day its station opened; None: wired, not open."""
    seat: tuple[float, float]
    """Where its committee sits, kilometres east and north of `CENTRE`; moved a little by the seed."""


def _village(
    code: str, name: str, shape: tuple[float, int, int, int], seat: tuple[float, float], opened_on: str = "", batch: str = "3"
) -> Village:
    kind = {"村": "village", "区": "community"}.get(name[-1], "village-like")
    short = name.removesuffix("村").removesuffix("社区")
    km2, grids, hamlets, residents = shape
    day = dt.date.fromisoformat(opened_on) if opened_on else None
    return Village(f"{TOWN}{code}", name, short, kind, km2, grids, hamlets, residents, batch, day, seat)


VILLAGES: Final = (
    _village("201", "安城村", (5.3, 12, 10, 1986), (1.7, -1.4), "2012-09-12", "2"),
    _village("202", "长林朱村", (5.8, 11, 11, 1767), (4.5, -0.6), "2012-09-26", "2"),
    _village("203", "大廖村", (5.2, 11, 10, 1968), (2.7, 1.2), "2012-04-11", "1"),
    _village("204", "大屋村", (5.4, 10, 9, 1720), (-0.7, -3.6)),
    _village("205", "大雄村", (5.6, 11, 11, 1893), (-2.8, -2.1), "2012-05-09", "1"),
    _village("206", "大叶村", (4.9, 10, 9, 1752), (-0.7, -1.3), "2012-08-15", "2"),
    _village("207", "红莲村", (6.3, 11, 9, 1893), (-2.1, 3.9)),
    _village("208", "黄泥畈村", (5.6, 10, 10, 1764), (0.5, 3.6)),
    _village("209", "脉岭村", (5.1, 9, 9, 1588), (-5.0, -2.0)),
    _village("210", "庙岭村", (7.1, 16, 11, 3412), (0.4, 1.0), "2012-03-28", "1"),
    _village("211", "桐岭村", (4.8, 9, 8, 1492), (2.9, 3.4)),
    _village("212", "吴力村", (5.0, 10, 9, 1705), (5.0, 2.1)),
    _village("213", "栈咀村", (6.1, 10, 8, 1716), (-4.8, 2.7)),
    _village("214", "中份村", (5.3, 10, 9, 1802), (2.0, -3.7)),
    _village("501", "扇子湖", (3.776, 10, 5, 2036), (-4.7, 0.2)),
    _village("900", "恒大社区", (2.724, 10, 5, 1846), (-1.4, 1.3), "2012-04-25", "1"),
)

ROAD_LINKS: Final = (
    ("primary", "庙岭大道", ((-7.0, -0.3), "501", "205", "206", "210", "203", "212", (7.2, 2.9))),
    ("secondary", "岭南路", ((0.9, 6.6), "208", "210", "201", "214", (2.5, -6.6))),
    ("secondary", "恒大路", ("210", "900", "207", (-2.6, 6.6))),
    ("tertiary", "环湖路", ("207", "213", "501", "209", (-7.0, -3.4))),
    ("tertiary", "长林路", ("203", "202", "201")),
    ("tertiary", "桐吴路", ("208", "211", "212", "202", (7.2, -1.5))),
    ("tertiary", "大屋路", ("206", "204", "214")),
    ("tertiary", "脉岭路", ("209", "205", "204")),
)
"""Roads by class and name, each through seats (the last three digits of a code) or points in kilometres from `CENTRE`."""

HILLS: Final = (
    ("凤凰山", (3.9, 4.6), 2.3, 105.0),
    ("马鞍山", (1.2, 2.3), 1.2, 52.0),
    ("白雉岭", (3.4, -2.4), 1.9, 88.0),
    ("莲花山", (-2.6, -4.1), 1.9, 92.0),
    ("狮子山", (0.5, -2.4), 1.0, 48.0),
    ("脉岭山", (-5.8, -3.0), 1.7, 75.0),
    ("青龙山", (-0.7, 4.7), 1.4, 64.0),
    ("寨子山", (6.0, 0.6), 1.6, 70.0),
)
"""Hills: name, summit (kilometres from `CENTRE`), radius (kilometres), height over the plain (metres)."""

LAKE_ARMS: Final = (
    ((-3.3, 0.5), (-3.3, 1.2), 0.85),
    ((-3.3, 1.2), (-4.7, 2.2), 0.5),
    ((-3.3, 1.2), (-3.4, 3.0), 0.55),
    ((-3.3, 1.2), (-2.1, 2.2), 0.42),
    ((-3.3, 0.5), (-2.9, -1.2), 0.42),
)
"""扇子湖 (Fan Lake): the ribs of the fan as segments with a half width, kilometres from `CENTRE`."""

SURNAMES: Final = "廖叶熊朱陈吴余胡刘张王李周徐夏方柯汪程万"
VARIETIES: Final = ("家湾", "家大湾", "家小湾", "家畈", "家咀", "家塘", "家垅", "家铺", "家墩", "家榨")
"""Names of natural villages: a surname and what the place is like."""
STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
"""Officers are called 廖某甲, 廖某乙 …: names nobody bears."""

INCIDENTS: Final = {"矛盾纠纷": 62, "民生服务": 23}
"""Disputes handled and services rendered in the year, as published."""
SERVED: Final = 117
"""People the services were for, as published."""
REPORTS: Final = {"estate": 118, "lake": 64, "market": 52, "homes": 168, "elsewhere": 34}
"""Further reports, invented: by the pattern they follow (see `events`)."""
