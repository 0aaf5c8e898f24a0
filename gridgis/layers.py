"""The layers of a workspace and their columns, as one table: store, import, export, check and docs all read it.

Column names are the contract with other programs and stay English; `also` lists the headings people write instead, by
which an import recognises a column (compared after folding case, full-width forms, blanks and underscores).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["code", "text", "int", "float", "date", "time"]
Shape = Literal["polygon", "line", "point", "any"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a layer."""

    name: str
    """English name, the same in the store, in files and in JSON."""
    kind: Kind = "text"
    """`code` is text that identifies; `date` has no time of day; `time` is an instant with a time zone, stored as UTC."""
    required: bool = False
    """Whether an import without it is refused; what it lacks may be null."""
    also: tuple[str, ...] = ()
    """Other headings recognised on import."""
    values: tuple[str, ...] = ()
    """The only values allowed; empty for no limit."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a workspace: its geometry, identity, columns, and whether it keeps history."""

    name: str
    shape: Shape
    """Kind of geometry; multi-part is always allowed."""
    key: str
    """Column that identifies a row: unique among the rows valid at one time."""
    columns: tuple[Column, ...]
    history: bool = False
    """Whether rows have valid-from/valid-to and every change is logged row by row (else: one log entry per write)."""
    geometry_required: bool = True
    made: bool = False
    """Whether gridgis computes the layer itself (it can still be imported)."""

    def column(self, name: str) -> Column | None:
        """The column of that name, if the layer has it."""
        return next((column for column in self.columns if column.name == name), None)


LEVELS: Final = ("county", "town", "village")
GRID_STATES: Final = ("draft", "valid", "void")

_CODE = ("编码", "编号", "代码", "区划代码", "行政区划代码", "统计用区划代码", "gridcode", "序号编码", "id")
_NAME = ("名称", "名字", "title")
_POPULATION = Column(
    "population",
    "float",
    also=("人口", "人口数", "常住人口", "总人口", "人数", "总人数", "居民数", "户籍人口", "pop", "residents"),
)
_HOUSEHOLDS = Column("households", "float", also=("户数", "总户数", "住户", "住户数", "家庭户数", "hh"))
_OPENED = Column(
    "opened_on", "date", also=("启用日期", "开通日期", "运行日期", "启用时间", "开通时间", "成立日期", "opened", "open_date")
)
_BATCH = Column("batch", also=("批次", "batch"))
_AREA_CODE = Column(
    "area_code",
    "code",
    True,
    also=(
        "所属区划",
        "所属编码",
        "所属区划编码",
        "所属区划代码",
        "村编码",
        "社区编码",
        "所属村",
        "所属社区",
        "所属村社区",
        "所属行政村",
        "村代码",
        "社区代码",
        "区域编码",
        "所属区域",
        "行政村",
        "村社区",
        "village_code",
        "区划代码",
    ),
)
_KIND = Column("kind", also=("类型", "类别", "种类", "fclass", "building", "highway", "type"))
_ID = Column("id", "code", also=("编号", "编码", "id", "osm_id", "objectid", "fid"))

_ALL: Final = (
    Layer(
        "areas", "polygon", "code",
        (
            Column("code", "code", True, also=("villcode", "towncode", "countycode", *_CODE)),
            Column(
                "name", "text", True,
                also=(*_NAME, "村名", "社区名称", "行政区", "村委会", "区划名称", "villname", "townname", "countyname"),
            ),
            Column("level", "text", True, also=("级别", "层级", "level"), values=LEVELS),
            Column("parent", "code", also=("上级", "上级编码", "上级代码", "上级区划", "所属乡镇", "乡镇代码", "parentcode")),
            _POPULATION, _HOUSEHOLDS, _KIND,
        ),
        history=True,
    ),
    Layer(
        "grids", "polygon", "code",
        (
            Column("code", "code", True, also=("网格编码", "网格编号", "网格代码", *_CODE)),
            Column("name", "text", True, also=("网格名称", *_NAME)),
            _AREA_CODE,
            Column("station", "code", also=("网格站", "网格管理站", "所属网格站", "站点编码")),
            Column("officer", "text", also=("网格员", "网格员姓名", "网格长", "责任人")),
            _BATCH, _OPENED, _POPULATION, _HOUSEHOLDS,
            Column("state", "text", also=("状态", "state"), values=GRID_STATES),
        ),
        history=True,
    ),
    Layer(
        "stations", "point", "code",
        (
            Column("code", "code", True, also=("站点编码", "站点编号", *_CODE)),
            Column("name", "text", True, also=("站点名称", "网格站", "网格管理站", *_NAME)),
            _AREA_CODE, _OPENED, _BATCH,
        ),
        history=True, geometry_required=False,
    ),
    Layer(
        "unit_cells", "polygon", "code",
        (
            Column("code", "code", True, also=("单元网格编码", "网格编码", *_CODE)),
            Column("area_m2", "float", True, also=("面积", "网格面积")),
            Column("area_code", "code", True, also=_AREA_CODE.also),
            Column("initial_time", "time", True, also=("初始时间", "创建时间")),
            Column("planar_m2", "float", also=("平面面积",)),
            Column("end_time", "time", also=("终止时间", "结束时间")),
            Column("state", "text", also=("状态",), values=GRID_STATES),
            Column("note", "text", also=("备注", "说明")),
        ),
        made=True,
    ),
    Layer(
        "natural_villages", "polygon", "code",
        (
            Column("code", "code", True, also=_CODE),
            Column("name", "text", True, also=("自然湾", "自然村", "湾名", *_NAME)),
            Column("buildings", "int", also=("房屋数", "建筑数")),
            _POPULATION,
            Column("area_code", "code", also=_AREA_CODE.also),
        ),
        made=True,
    ),
    Layer("buildings", "polygon", "id", (_ID, Column("name", also=_NAME), _KIND, _HOUSEHOLDS, _POPULATION)),
    Layer("roads", "line", "id", (_ID, Column("name", also=(*_NAME, "路名", "道路名称")), _KIND)),
    Layer("water", "any", "id", (_ID, Column("name", also=(*_NAME, "水系名称")), _KIND)),
    Layer("places", "point", "id", (_ID, Column("name", "text", True, also=(*_NAME, "地名")), _KIND)),
    Layer(
        "incidents", "point", "id",
        (
            Column("id", "code", True, also=("案件编号", "事件编号", "工单号", *_ID.also)),
            Column(
                "occurred_at", "time", True,
                also=(
                    "发生时间", "案发时间", "上报时间", "受理时间", "立案时间", "报警时间", "时间", "日期",
                    "date", "time", "datetime", "月份", "month",
                ),
            ),
            Column("category", also=("事件类型", "事件类别", "案件类型", "类别", "类型", "type", "crime_type", "primary_type")),
            Column("source", also=("来源", "source")),
            Column("description", also=("描述", "内容", "事件描述", "description")),
        ),
        geometry_required=False,
    ),
)  # fmt: skip

LAYERS: Final[Mapping[str, Layer]] = MappingProxyType({layer.name: layer for layer in _ALL})
