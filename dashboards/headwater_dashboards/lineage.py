"""What the catalog is told about charts and dashboards: which columns each metric, dimension and filter is made of.

A chart is written as the query that it asks, and read by what reads every other SQL. So a metric is ``aggregated``, a
calculated column ``transformed``, and a filter decides about the chart's rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headwater.dialects import TRINO
from headwater_catalog.model import WHOLE_TABLE, Alias, ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from headwater_catalog.parsed import lineages, query_lineage

from headwater_dashboards._layout import charts_in
from headwater_dashboards._references import Reference, references
from headwater_dashboards.documents import Document, Documents, folders, load
from headwater_dashboards.drawn import drawn, number_of
from headwater_dashboards.forms import COUNT, COUNT_SQL, slug_of
from headwater_dashboards.superset import dashboard_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headwater.profile import Profile
    from headwater.project import Project

__all__ = ["aliases_of", "facts", "facts_of"]

_FILTERS = ("adhoc_filters", "adhoc_filters_b")


def facts(project: Project, profile: Profile) -> tuple[TableFacts | Alias, ...]:
    """Return every chart and dashboard of a project and of Superset's own, and what Superset calls tables.

    Raises:
        ConfigError: ``headwater.toml`` names a folder that is none.
        DashboardError: A file is wrong; the sentences name file and line.
    """
    written = load(folders(profile))
    by_hand = drawn(profile, written)
    return (*facts_of(written, by_hand, project, profile), *aliases_of(by_hand))


def aliases_of(by_hand: Documents) -> tuple[Alias, ...]:
    """Return what Superset calls the tables of its datasets."""
    return tuple(
        Alias(str(one.data["table"]), f"superset:{number_of(one)}")
        for one in by_hand.of("datasets")
        if "sql" not in one.data
    )


def facts_of(written: Documents, by_hand: Documents, project: Project, profile: Profile) -> tuple[TableFacts, ...]:
    """Return what is told of the charts and dashboards of files and of those drawn in Superset.

    Args:
        written: The project's files.
        by_hand: Superset's datasets, and what was drawn on them.
        project: Whose tables they are made of.
        profile: Where Superset is.
    """
    documents = Documents((*written.every, *by_hand.every))
    tables = {str(one.data["table"]): one.data["listed"] for one in by_hand.of("datasets")}
    tables |= {table.name: tuple(table.types) for table in project.tables}
    domains = {name: source.domain for name, source in project.sources.items()}
    shown = _shown(documents, profile)
    return (
        *(_virtual(one, tables, profile) for one in by_hand.of("datasets") if "sql" in one.data),
        *(_chart(one, documents, tables, domains, shown.get(one.name, "")) for one in documents.of("charts")),
        *(_dashboard(one, documents, tables, profile) for one in documents.of("dashboards")),
    )


def _virtual(one: Document, tables: Mapping[str, Sequence[str]], profile: Profile) -> TableFacts:
    """Return a query that is saved in Superset, which is a table to its charts."""
    name, sql = str(one.data["table"]), str(one.data["sql"])
    found = lineages(sql, "trino", tables, str(one.data["schema"]))
    read = found[0] if len(found) == 1 else Lineage(target=name, sources=(), problem="it is not one query.")
    return TableFacts(
        name=name,
        kind="dataset",
        title=str(one.data["title"]),
        url=f"{profile.url('superset')}/explore/?datasource_type=table&datasource_id={number_of(one)}",
        columns=tuple(ColumnFacts(column.lower()) for column in one.data["listed"]),
        lineage=((Origin.PARSED, replace(read, target=name)),),
        code=sql,
    )


def _shown(documents: Documents, profile: Profile) -> dict[str, str]:
    """Return where charts are shown: their own page in Superset, or the first dashboard that has them."""
    page = f"{profile.url('superset')}/explore/?slice_id="
    shown = {one.name: f"{page}{number}" for one in documents.of("charts") if (number := number_of(one))}
    for one in documents.of("dashboards"):
        for _, name in charts_in(one.data):
            if found := documents.find("charts", name):
                shown.setdefault(found.name, dashboard_url(profile, slug_of(one)))
    return shown


def _chart(
    one: Document,
    documents: Documents,
    tables: Mapping[str, Sequence[str]],
    domains: Mapping[str, str],
    url: str,
) -> TableFacts:
    dataset = documents.find("datasets", one.data["dataset"])
    table = str(dataset.data["table"]) if dataset else ""
    outputs, filters = _expressions(one, dataset)
    return TableFacts(
        name=_name(one),
        kind="chart",
        title=str(one.data["title"]),
        url=url,
        doc=str(one.data.get("description", "")),
        domain=domains.get(table, ""),
        columns=tuple(ColumnFacts(name, kind, sql) for name, (kind, sql) in outputs.items()),
        lineage=tuple(_said(_name(one), table, _query(table, outputs, filters), tables)) if table else (),
        place="" if number_of(one) else one.at(),
        code=_query(table, outputs, filters),
    )


def _dashboard(
    one: Document, documents: Documents, tables: Mapping[str, Sequence[str]], profile: Profile
) -> TableFacts:
    charts = [found for _, name in charts_in(one.data) if (found := documents.find("charts", name))]
    edges = {
        ColumnEdge(_name(chart), column, chart.name.lower(), Kind.COPIED)
        for chart in charts
        for column in _expressions(chart, documents.find("datasets", chart.data["dataset"]))[0]
    }
    chosen = [found for held in one.data.get("filters", []) for found in _filter(held, documents, tables)]
    return TableFacts(
        name=_name(one),
        kind="dashboard",
        title=str(one.data["title"]),
        url=dashboard_url(profile, slug_of(one)),
        doc=str(one.data.get("description", "")),
        owner=str(one.data.get("owner", "")),
        columns=tuple(ColumnFacts(chart.name.lower(), "chart", str(chart.data["title"])) for chart in charts),
        lineage=(
            (
                Origin.DECLARED,
                Lineage(
                    target=_name(one),
                    sources=tuple(dict.fromkeys((*map(_name, charts), *(edge.source for edge in chosen)))),
                    columns=frozenset((*edges, *chosen)),
                ),
            ),
        ),
        place="" if number_of(one) else one.at(),
    )


def _name(one: Document) -> str:
    """Return what the catalog calls a chart or dashboard; people see its title."""
    return f"{one.kind.removesuffix('s')}:{one.name}"


def _said(name: str, table: str, query: str, tables: Mapping[str, Sequence[str]]) -> Iterator[tuple[Origin, Lineage]]:
    yield Origin.DECLARED, Lineage(target=name, sources=(table,))
    yield Origin.PARSED, _read(query, tables, name, table)


def _read(query: str, tables: Mapping[str, Sequence[str]], target: str, table: str) -> Lineage:
    """Return the lineage of a query of one table, which may be a virtual dataset: its name is no name of SQL."""
    quoted = f'"{table}"' if ":" in table else table
    read = query_lineage(query, "trino", {**tables, quoted: tables.get(table, ())}, target)
    edges = frozenset(replace(one, source=table) if one.source == quoted else one for one in read.columns)
    return replace(read, columns=edges, sources=tuple(table if one == quoted else one for one in read.sources))


def _filter(held: object, documents: Documents, tables: Mapping[str, Sequence[str]]) -> Iterator[ColumnEdge]:
    """Yield what of a table a dashboard's own filter looks at."""
    if not isinstance(held, dict) or not held.get("column"):
        return
    dataset = documents.find("datasets", held.get("dataset"))
    if dataset is None:
        return
    table, column = str(dataset.data["table"]), _column(str(held["column"]), dataset)
    read = _read(_query(table, {}, [column]), tables, "", table)
    yield from (ColumnEdge(edge.source, edge.source_column, WHOLE_TABLE, Kind.FILTER) for edge in read.columns)


def _expressions(one: Document, dataset: Document | None) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Return what a chart shows, by name with ``metric`` or ``dimension`` and its SQL, and the SQL of its filters."""
    shown: dict[str, tuple[str, str]] = {}
    filters: list[str] = []
    for found in references(one.data.get("params", {})):
        kind, sql = _resolved(found, dataset)
        if found.place[0] in _FILTERS:
            filters.append(sql)
        else:
            shown.setdefault(_shown_name(found, one.data["params"]), (kind, sql))
    return shown, filters


def _shown_name(found: Reference, params: Mapping[str, Any]) -> str:
    """Return what people see something as: the label of an expression that has one, else what it says."""
    holder: Any = params
    for step in found.place[:-1]:
        holder = holder[step]
    label = holder.get("label") if found.kind == "sql" and isinstance(holder, dict) else None
    return " ".join(str(label or found.text).split()).lower()


def _resolved(found: Reference, dataset: Document | None) -> tuple[str, str]:
    if found.kind == "sql":
        return _kind_of(found.place), found.text
    metrics = {COUNT: {"sql": COUNT_SQL}, **(dataset.data.get("metrics", {}) if dataset else {})}
    if found.kind != "column" and found.text in metrics:
        return "metric", str(metrics[found.text].get("sql", COUNT_SQL))
    column = _column(found.text, dataset)
    # A metric that was put together of a column and an aggregate; which one does not matter to lineage.
    return ("metric", f"max({column})") if found.place[-1] == "column_name" else ("dimension", column)


def _kind_of(place: Sequence[object]) -> str:
    return "metric" if "metric" in str(place[0]) or place[0] in ("size", "x", "y") else "dimension"


def _column(name: str, dataset: Document | None) -> str:
    calculated = (dataset.data.get("columns", {}) if dataset else {}).get(name) or {}
    return str(calculated.get("sql") or TRINO.quoted(name))


def _query(table: str, shown: Mapping[str, tuple[str, str]], filters: Iterable[str]) -> str:
    """Return the query that a chart asks, without its order and bounds."""
    values = [f"{sql} AS {TRINO.quoted(name)}" for name, (_, sql) in shown.items()]
    parts = [table] if ":" in table else table.split(".", 1)
    chosen = " AND ".join(f"({sql}) IS NOT NULL" for sql in filters)
    where = f"\nWHERE {chosen}" if chosen else ""
    listed = ",\n  ".join(values) or "1 AS one"
    return f"SELECT\n  {listed}\nFROM {'.'.join(map(TRINO.quoted, parts))}{where}"
