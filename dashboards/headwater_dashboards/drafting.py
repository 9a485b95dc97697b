"""A first dashboard of any table: how many rows, when, of which kinds, and how its numbers are spread. Pure."""

from __future__ import annotations

import math
import uuid
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from headwater.dialects import TRINO

from headwater_dashboards.forms import COUNT, stem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headwater_dashboards.documents import Documents
    from headwater_dashboards.surveying import ColumnSurvey, Survey

__all__ = ["draft_of"]

# The same table gives the same uuids, so that a draft written again replaces itself.
_SPACE = uuid.UUID("5b0f6a1e-3c53-5a5e-9d0c-7700a1b2c3d4")
_KINDS_SHOWN, _SPREADS_SHOWN, _AVERAGES_SHOWN, _TABLE_COLUMNS = 4, 4, 3, 12
_FEW, _MANY = 6, 20
# A bar of a spread should stand for several rows: at most about as many bars as the root of the rows, and none of few.
_BARS, _FEWEST_SPREAD = 24, 30
_YEARS = (1800, 2200)
# Days that the rows span, at least -> how long one step of time is.
_GRAINS = ((3650, "P1Y"), (540, "P1M"), (120, "P1W"), (3, "P1D"), (0, "PT1H"))
_WIDTHS = {1: 12, 2: 6, 3: 4, 4: 3}

Chart = tuple[str, "dict[str, Any]"]


def draft_of(seen: Survey, documents: Documents, folder: Path) -> Mapping[Path, Mapping[str, Any]]:
    """Return the files of a table's first dashboard.

    Args:
        seen: The table and what was seen of it.
        documents: The files that are there; a dataset of the table is used again.
        folder: Where the files go.
    """
    name = seen.table.name.replace(".", "_")
    known = next((one for one in documents.of("datasets") if one.data["table"] == seen.table.name), None)
    dataset = known.name if known else name
    parts = (_numbers(seen), _over_time(seen), _kinds(seen), _spreads(seen), _rows(seen))
    rows = _named(name, [row for row in parts if row])
    files: dict[Path, Mapping[str, Any]] = {}
    if known is None:
        files[folder / "datasets" / f"{name}.yaml"] = {"uuid": _uuid("dataset", name), "table": seen.table.name}
    for chart, data in (each for row in rows for each in row):
        told = {"uuid": _uuid("chart", chart), "title": data["title"], "dataset": dataset}
        files[folder / "charts" / f"{chart}.yaml"] = {**told, "kind": data["kind"], "params": data["params"]}
    files[folder / "dashboards" / f"{name}.yaml"] = {
        "uuid": _uuid("dashboard", name),
        "title": _words(seen.table.name.partition(".")[2]).capitalize(),
        **({"description": seen.table.doc} if seen.table.doc else {}),
        "layout": [{"row": _row(row)} for row in rows],
    }
    return files


def _named(table: str, rows: Sequence[Sequence[Chart]]) -> list[list[Chart]]:
    """Return the charts with names that files can have, each its own; a column may be called anything."""
    taken: set[str] = set()
    found: list[list[Chart]] = []
    for row in rows:
        found.append([])
        for chart, data in row:
            stem = f"{table}_{stem_of(chart)}"
            name = next(one for one in chain([stem], (f"{stem}_{number}" for number in count(2))) if one not in taken)
            taken.add(name)
            found[-1].append((name, data))
    return found


def _row(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    tall = {"big_number_total": 20, "table": 76}
    width = _WIDTHS[len(charts)]
    return [{"chart": chart, "width": width, "height": tall.get(data["kind"], 46)} for chart, data in charts]


def _numbers(seen: Survey) -> list[Chart]:
    found: list[Chart] = [("rows", _chart("Rows", "big_number_total", metric=COUNT, y_axis_format=",d"))]
    for column in _measured(seen)[:_AVERAGES_SHOWN]:
        label = f"Average {_words(column.name)}"
        metric = _metric(f"avg({TRINO.quoted(column.name)})", label)
        found.append(
            (f"average_{column.name}", _chart(label, "big_number_total", metric=metric, y_axis_format=",.2~f"))
        )
    return found


def _over_time(seen: Survey) -> list[Chart]:
    for column in seen.columns:
        if column.family == "time" and column.distinct > 1:
            grain = next(grain for days, grain in _GRAINS if (column.days or 0) >= days)
            chart = _chart(
                f"Rows by {_words(column.name)}",
                "echarts_timeseries_bar",
                x_axis=column.name,
                time_grain_sqla=grain,
                metrics=[COUNT],
                row_limit=10000,
                y_axis_format="SMART_NUMBER",
                show_legend=False,
            )
            return [(f"by_{column.name}", chart)]
    years = [column for column in seen.columns if _is_year(column)]
    return [(f"by_{years[0].name}", _bars(years[0], "Rows by {}"))] if years else []


def _kinds(seen: Survey) -> list[Chart]:
    found = [column for column in seen.columns if _is_kind(column, seen.rows)]
    ranked = sorted(found, key=lambda column: (column.filled < seen.rows / 2, column.distinct > _MANY))[:_KINDS_SHOWN]
    return [(f"top_{column.name}", _top(column)) for column in ranked]


def _top(column: ColumnSurvey) -> dict[str, Any]:
    title = f"Rows by {_words(column.name)}"
    if column.distinct <= _FEW:
        # Beside the ring a label is on the page's ground: on a dark slice it could not be read.
        label = {"label_type": "percent", "labels_outside": True, "label_line": True, "legendType": "plain"}
        ring = {"donut": True, "outerRadius": 66, "row_limit": _FEW}
        return _chart(title, "pie", groupby=[column.name], metric=COUNT, sort_by_metric=True, **label, **ring)
    return _chart(
        title if column.distinct <= _MANY else f"Most frequent {_words(column.name)}",
        "echarts_timeseries_bar",
        x_axis=column.name,
        metrics=[COUNT],
        orientation="horizontal",
        x_axis_sort=COUNT,
        x_axis_sort_asc=True,
        order_desc=True,
        row_limit=10,
        y_axis_format="SMART_NUMBER",
        show_legend=False,
    )


def _spreads(seen: Survey) -> list[Chart]:
    spread = [column for column in _measured(seen) if column.filled >= _FEWEST_SPREAD]
    return [(f"spread_{column.name}", _spread(column)) for column in spread[:_SPREADS_SHOWN]]


def _spread(column: ColumnSurvey) -> dict[str, Any]:
    """Return the bars of a column: each a step wide, but the first and the last, which hold all below and above."""
    bars = min(_BARS, math.isqrt(column.filled))
    if column.is_whole and column.distinct <= bars:
        return _bars(column, "Spread of {}")
    low, high = column.low or 0.0, column.high or 0.0
    step = _step(high - low, bars, whole=column.is_whole)
    first, second, last = (_plain(at * step) for at in (low // step, low // step + 1, high // step))
    chart = _bars(column, f"Spread of {{}}, steps of {_plain(step)}, from below {second} to {last} and more")
    name = f"CAST({TRINO.quoted(column.name)} AS DOUBLE)"
    digits = max(0, -math.floor(math.log10(step)))
    below = f"round(floor({name} / {_plain(step)}) * {_plain(step)}, {digits})"
    # A few extreme values would press all others into one bar.
    chart["params"]["x_axis"] = {
        "expressionType": "SQL",
        "label": _words(column.name),
        "sqlExpression": f"least(greatest({below}, {first}), {last})",
    }
    there = f"NOT is_nan({name})"  # nor is an empty one
    chart["params"]["adhoc_filters"] = [{"clause": "WHERE", "expressionType": "SQL", "sqlExpression": there}]
    return chart


def _bars(column: ColumnSurvey, title: str) -> dict[str, Any]:
    return _chart(
        title.format(_words(column.name)),
        "echarts_timeseries_bar",
        x_axis=column.name,
        xAxisForceCategorical=True,
        metrics=[COUNT],
        row_limit=1000,
        y_axis_format="SMART_NUMBER",
        show_legend=False,
    )


def _rows(seen: Survey) -> list[Chart]:
    names = [column.name for column in seen.columns if column.family != "other"][:_TABLE_COLUMNS]
    if not names:
        return []
    params = {"query_mode": "raw", "all_columns": names, "row_limit": 100, "page_length": 10, "show_cell_bars": False}
    return [("sample", _chart("Some rows", "table", **params))]


def _measured(seen: Survey) -> list[ColumnSurvey]:
    """Return the numbers that measure something: not a year, not a key, not always the same."""
    return [
        column
        for column in seen.columns
        if column.family == "number"
        and column.low is not None
        and column.high is not None
        and column.high > column.low
        and not _is_year(column)
        and not _is_key(column)
    ]


def _is_year(column: ColumnSurvey) -> bool:
    inside = column.low is not None and column.high is not None and _YEARS[0] <= column.low <= column.high <= _YEARS[1]
    return column.is_whole and inside and (column.name == "year" or column.name.endswith("_year"))


def _is_key(column: ColumnSurvey) -> bool:
    named = column.name == "id" or column.name.endswith(("_id", "_key"))
    return column.is_whole and (named or (column.filled > _MANY and column.distinct > 0.95 * column.filled))


def _is_kind(column: ColumnSurvey, rows: int) -> bool:
    """Return whether the column sorts rows into kinds: more than one, each with several rows, in rows enough."""
    if column.family not in ("text", "flag") or column.distinct < 2:  # noqa: PLR2004 - a choice needs two
        return False
    return column.filled >= rows / 20 and (column.distinct <= column.filled / 2)


def _step(width: float, bars: int, *, whole: bool) -> float:
    """Return a round number that cuts a range into at most so many steps.

    >>> [_step(width, 24, whole=False) for width in (1, 100, 37000)]
    [0.05, 5, 2000]
    """
    rough = width / bars
    power = math.floor(math.log10(rough))
    found = next(round(base * 10.0**power, max(0, -power)) for base in (1, 2, 5, 10) if base * 10.0**power >= rough)
    step = max(found, 1) if whole else found
    return int(step) if step == int(step) else step


def _plain(number: float) -> str:
    """Return a number as SQL writes it, without an exponent.

    >>> _plain(5.0), _plain(0.00005), _plain(-0.1 * 3)
    ('5', '0.00005', '-0.3')
    """
    text = f"{number:.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _chart(title: str, kind: str, **params: Any) -> dict[str, Any]:
    return {"title": title, "kind": kind, "params": params}


def _metric(sql: str, label: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": sql, "label": label, "hasCustomLabel": True}


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _uuid(kind: str, name: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{kind}/{name}"))
