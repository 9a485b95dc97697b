"""Which columns and metrics a chart's form data names, whatever kind of chart it is. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headwater_dashboards.documents import Place

__all__ = ["Reference", "columns_of_sql", "references"]

# Superset's controls that hold one column or a list of columns.
_COLUMNS = (
    *("x_axis", "groupby", "groupby_b", "columns", "all_columns", "all_columns_x", "all_columns_y"),
    *("groupbyColumns", "groupbyRows", "entity", "series", "series_columns", "dimension", "column", "source", "target"),
    *("source_category", "target_category", "granularity_sqla", "id", "parent", "name", "start_time", "end_time"),
    *("y_axis", "tooltip_columns", "select_country_column"),
)
# Those that hold one metric or a list of metrics.
_METRICS = (
    *("metric", "metrics", "metrics_b", "metric_2", "percent_metrics", "secondary_metric", "size", "x", "y"),
    *("timeseries_limit_metric", "timeseries_limit_metric_b", "series_limit_metric", "tooltip_metrics"),
)
_FILTERS = ("adhoc_filters", "adhoc_filters_b")


@dataclass(frozen=True)
class Reference:
    """Something that a chart needs.

    Args:
        kind: ``column`` or ``metric`` by name, ``sql`` an expression over columns, ``either`` a column or a metric.
        text: The name or expression.
        place: Where in the form data.
    """

    kind: Literal["column", "metric", "sql", "either"]
    text: str
    place: Place


def references(params: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield every column, metric and expression that form data names."""
    for key in _COLUMNS:
        for place, value in _each(params.get(key), (key,)):
            yield from _column(value, place)
    for key in _METRICS:
        for place, value in _each(params.get(key), (key,)):
            yield from _metric(value, place)
    for key in _FILTERS:
        for place, value in _each(params.get(key), (key,)):
            yield from _filter(value, place)
    for place, value in _each(params.get("order_by_cols"), ("order_by_cols",)):
        yield from _ordering(value, place)
    for place, value in _each(params.get("conditional_formatting"), ("conditional_formatting",)):
        if isinstance(value, dict) and isinstance(value.get("column"), str):
            yield Reference("either", value["column"], (*place, "column"))


def columns_of_sql(expression: str) -> set[str]:
    """Return the columns that an expression in the lake's SQL reads.

    Raises:
        ValueError: It is not an expression; the text says why.
    """
    import sqlglot  # noqa: PLC0415 - slow to import
    from sqlglot import exp  # noqa: PLC0415

    try:
        tree = sqlglot.parse_one(f"SELECT {expression}", dialect="trino")
    except sqlglot.errors.SqlglotError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if not isinstance(tree, exp.Select):
        raise ValueError("it is no expression")  # noqa: TRY004 - the text is bad, not its type
    return {column.name for column in tree.find_all(exp.Column)}


def _each(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield (*place, index), one
    elif value not in (None, ""):
        yield place, value


def _column(value: Any, place: Place) -> Iterator[Reference]:
    if isinstance(value, str):
        yield Reference("column", value, place)
    elif isinstance(value, dict) and value.get("sqlExpression"):
        yield Reference("sql", str(value["sqlExpression"]), (*place, "sqlExpression"))


def _metric(value: Any, place: Place) -> Iterator[Reference]:
    if isinstance(value, str):
        yield Reference("metric", value, place)
    elif isinstance(value, dict) and value.get("expressionType") == "SQL":
        yield Reference("sql", str(value.get("sqlExpression", "")), (*place, "sqlExpression"))
    elif isinstance(value, dict) and isinstance(value.get("column"), dict):
        yield Reference("column", str(value["column"].get("column_name")), (*place, "column", "column_name"))


def _filter(value: Any, place: Place) -> Iterator[Reference]:
    if not isinstance(value, dict):
        return
    if value.get("expressionType") == "SQL":
        yield Reference("sql", str(value.get("sqlExpression", "")), (*place, "sqlExpression"))
    elif isinstance(value.get("subject"), str):
        kind: Literal["column", "either"] = "either" if value.get("clause") == "HAVING" else "column"
        yield Reference(kind, value["subject"], (*place, "subject"))


def _ordering(value: Any, place: Place) -> Iterator[Reference]:
    try:
        name = json.loads(value)[0] if isinstance(value, str) else value[0]
    except (ValueError, IndexError, TypeError, KeyError):
        return
    if isinstance(name, str):
        yield Reference("column", name, place)
