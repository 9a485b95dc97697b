"""What people drew in Superset by hand, from its own database, as documents like those of a project's files.

So whatever follows a chart of a file to its columns follows one of Superset's as well. A virtual dataset, a query that
somebody saved under a name, is a thing of its own between its tables and its charts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.box.components.databases import connect
from headwater.errors import ComponentError, HeadwaterError

from headwater_dashboards.documents import Document, Documents

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from headwater.profile import Profile

__all__ = ["Rows", "changes", "documents_of", "drawn", "number_of"]

# What stands in ``external_url`` of everything that a project pushed.
_PUSHED = "headwater:%"


def number_of(one: Document) -> str:
    """Return the number that something drawn by hand has in Superset; empty for what a file says."""
    return "" if one.lines else one.name.removeprefix("superset-")


def changes(profile: Profile) -> Hashable:
    """Return what differs once something was drawn, changed or removed in Superset; () while nobody answers."""
    try:
        return tuple(_ask(profile, _CHANGES))
    except HeadwaterError:
        return ()


def drawn(profile: Profile, documents: Documents) -> Documents:
    """Return every dataset of Superset's on the lake, and the charts and dashboards that no project pushed.

    Args:
        profile: Whose Superset; where it has none yet, nothing is drawn.
        documents: The project's files; a dashboard by hand may hold their charts.
    """
    from headwater.stack import Stack  # noqa: PLC0415 - slow to import

    try:
        rows = Rows(
            datasets=_ask(profile, _DATASETS, lake=Stack.connection(profile).uuid),
            charts=_ask(profile, _CHARTS, pushed=_PUSHED),
            dashboards=_ask(profile, _DASHBOARDS, pushed=_PUSHED),
            held=_ask(profile, _HELD),
        )
    except HeadwaterError:
        return Documents(())
    return documents_of(rows, documents)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What stands in Superset's database.

    Args:
        datasets: Number, schema, name, SQL of a virtual one, SQL of each column by name (empty for a plain one), SQL of
            each metric by name.
        charts: Number, title, kind, form data as JSON, number of the dataset, description.
        dashboards: Number, title, slug, settings as JSON, description.
        held: UUID of a chart, number of the dashboard that holds it, number of the chart.
    """

    datasets: Sequence[Any]
    charts: Sequence[Any]
    dashboards: Sequence[Any]
    held: Sequence[Any]


def documents_of(rows: Rows, documents: Documents) -> Documents:
    """Return what stands in Superset's database as documents, in the form of a project's files."""
    numbers, known = {row[0] for row in rows.charts}, {row[0] for row in rows.datasets}
    datasets = [_document("datasets", row[0], _dataset(row)) for row in rows.datasets]
    charts = [_document("charts", row[0], _chart(row)) for row in rows.charts if row[4] in known]
    dashboards = [
        _document("dashboards", row[0], _dashboard(row, [*_charts_on(row[0], rows.held, numbers, documents)]))
        for row in rows.dashboards
    ]
    return Documents((*datasets, *charts, *dashboards))


def _document(kind: Any, number: int, data: Mapping[str, Any]) -> Document:
    return Document(kind, Path(f"superset-{number}"), data)


def _dataset(row: Any) -> dict[str, Any]:
    number, schema, name, sql, columns, metrics = row
    table = f"{schema}.{name}" if schema and not sql else f"superset:{number}"
    return {
        "uuid": "",
        "table": table,
        **({"sql": sql, "title": name, "schema": schema or ""} if sql else {}),
        "listed": list(columns),
        "columns": {column: {"sql": said} for column, said in columns.items() if said},
        "metrics": {metric: {"sql": said} for metric, said in metrics.items()},
    }


def _chart(row: Any) -> dict[str, Any]:
    number, title, kind, params, dataset, said = row
    return {
        "uuid": "",
        "title": title or f"Chart {number}",
        "dataset": f"superset-{dataset}",
        "kind": kind,
        "params": _json(params),
        "description": said or "",
    }


def _dashboard(row: Any, charts: list[str]) -> dict[str, Any]:
    number, title, slug, told, said = row
    return {
        "uuid": "",
        "title": title or f"Dashboard {number}",
        "slug": slug or str(number),
        "description": said or "",
        "layout": [{"chart": name} for name in charts],
        "filters": [*_filters(_json(told))],
    }


def _charts_on(dashboard: int, held: Any, drawn: set[int], documents: Documents) -> Iterator[str]:
    for uuid, holder, number in held:
        if holder != dashboard:
            continue
        pushed = documents.numbered(str(uuid))
        if number in drawn or pushed is not None:
            yield f"superset-{number}" if pushed is None else pushed.name


def _filters(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in told.get("native_filter_configuration") or ():
        for target in one.get("targets") or ():
            if target.get("datasetId") and target.get("column"):
                yield {"dataset": f"superset-{target['datasetId']}", "column": target["column"].get("name")}


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ask(profile: Profile, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Return rows of Superset's database.

    Raises:
        ComponentError: It does not answer, or has not been made yet.
    """
    from psycopg import Error  # noqa: PLC0415 - slow to import

    try:
        with connect(profile, "superset-db") as connection:
            return connection.execute(query.encode(), values).fetchall()
    except Error as error:
        raise ComponentError(f"Superset's database does not answer: {error}.") from error


_CHANGES = """
SELECT count(*), max(changed_on)::text FROM tables UNION ALL SELECT count(*), max(changed_on)::text FROM slices
UNION ALL SELECT count(*), max(changed_on)::text FROM dashboards
"""
_DATASETS = """
SELECT t.id, t.schema, t.table_name, nullif(trim(t.sql), ''),
  coalesce((SELECT json_object_agg(c.column_name, coalesce(c.expression, '')) FROM table_columns AS c
    WHERE c.table_id = t.id), '{}'),
  coalesce((SELECT json_object_agg(m.metric_name, m.expression) FROM sql_metrics AS m WHERE m.table_id = t.id), '{}')
FROM tables t JOIN dbs d ON d.id = t.database_id WHERE d.uuid = %(lake)s ORDER BY t.id
"""
_CHARTS = """
SELECT id, slice_name, viz_type, params, datasource_id, description FROM slices
WHERE datasource_type = 'table' AND coalesce(external_url, '') NOT LIKE %(pushed)s ORDER BY id
"""
_HELD = """
SELECT s.uuid::text, d.dashboard_id, s.id FROM dashboard_slices d JOIN slices s ON s.id = d.slice_id ORDER BY d.id
"""
_DASHBOARDS = """
SELECT id, dashboard_title, slug, json_metadata, description FROM dashboards
WHERE coalesce(external_url, '') NOT LIKE %(pushed)s ORDER BY id
"""
