"""Lineage from SQL text: what a statement reads and writes, table by table and column by column. Pure.

Reads what people and tools write on Trino and Spark: queries, views, CREATE TABLE AS, INSERT, MERGE, UPDATE and DELETE,
with CTEs, subqueries, set operations, windows, UNNEST and stars. Temporary views are seen through. A statement that
cannot be read, or only in part, says so in its ``problem``; no text raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from headwater_catalog._flow import Flow, flow_of
from headwater_catalog._names import describes, joined
from headwater_catalog._writes import Write, write_of
from headwater_catalog.model import WHOLE_TABLE, ColumnEdge, Kind, Lineage, first_mentions

__all__ = ["Columns", "lineages", "query_lineage"]

# Columns by table, in the tables' normal names.
Columns = Mapping[str, Sequence[str]]
_LONGEST = 1_000_000


def lineages(sql: str, dialect: str, columns: Columns, database: str = "") -> tuple[Lineage, ...]:
    """Return the lineage of every statement of a text that reads or writes rows.

    Args:
        sql: One statement, or several with semicolons between.
        dialect: ``trino`` or ``spark``.
        columns: The columns that are known; others are followed as far as their names go.
        database: Where names of one part live.
    """
    if len(sql) > _LONGEST:
        return (Lineage(target="", sources=(), problem=f"the SQL has more than {_LONGEST} characters."),)
    try:
        statements = [one for one in sqlglot.parse(sql, dialect=dialect) if one is not None]
    except (SqlglotError, RecursionError) as error:
        return (Lineage(target="", sources=(), problem=_said(error)),)
    reader = _Reader(dialect, columns, database)
    return tuple(made for statement in statements for made in reader.read(statement))


def query_lineage(sql: str, dialect: str, columns: Columns, target: str) -> Lineage:
    """Return the lineage of the one query behind a table, a view or a dataset."""
    found = lineages(sql, dialect, columns)
    if len(found) != 1 or found[0].target:
        return Lineage(target=target, sources=(), problem="it is not one query.")
    one = found[0]
    return Lineage(target=target, sources=one.sources, columns=one.columns, outputs=one.outputs, problem=one.problem)


class _Reader:
    """Reads the statements of one session, which may have temporary views."""

    def __init__(self, dialect: str, columns: Columns, database: str) -> None:
        self._dialect, self._database = dialect, database
        self._columns = dict(columns)
        self._views: dict[str, exp.Query] = {}

    def read(self, statement: exp.Expr) -> Iterable[Lineage]:
        try:
            write = write_of(_lowered(statement), lambda table: self._columns.get(self._name(table), ()))
            if write is None:
                return
            if write.temporary:
                self._views[write.target.name] = self._seen_through(write.query)
                return
            yield self._lineage(write)
        except (SqlglotError, RecursionError, ValueError) as error:
            yield Lineage(target="", sources=(), problem=_said(error))

    def _lineage(self, write: Write) -> Lineage:
        query = _without_using(self._seen_through(write.query))
        described = {self._name(node) for node in _real_tables(query) if describes([part.name for part in node.parts])}
        tables = self._rename_tables(query)
        named = qualify(
            query,
            schema=MappingSchema(
                {name: dict.fromkeys(known, "unknown") for name in tables if (known := self._columns.get(name))}
            ),
            dialect=self._dialect,
            expand_alias_refs=self._dialect != "trino",  # Trino knows no alias of its own SELECT list
            validate_qualify_columns=False,
        )
        flow = flow_of(named)
        target = self._name(write.target) if write.target.name else ""
        edges = frozenset(edge for edge in _edges(flow, write, target) if edge.source not in described)
        return Lineage(
            target=target,
            sources=tuple(name for name in tables if not _only_target(name, target, write, edges)),
            columns=edges,
            outputs=tuple(write.columns if write.changes else _output_names(flow, write)),
            problem=" ".join(first_mentions(flow.problems)),
            view=write.view,
        )

    def _name(self, table: exp.Table) -> str:
        parts = [part.name for part in table.parts]
        return joined([self._database, *parts] if len(parts) == 1 and self._database else parts)

    def _seen_through(self, query: exp.Query) -> exp.Query:
        if not self._views:
            return query
        for node in _real_tables(query):
            view = self._views.get(node.name) if not node.db else None
            if view is not None:
                node.replace(view.copy().subquery(exp.to_identifier(node.alias_or_name, quoted=True)))
        return query

    def _rename_tables(self, query: exp.Query) -> tuple[str, ...]:
        """Give every table its normal name as one part, so that tables of any depth stand side by side."""
        nodes = _real_tables(query)
        written = {(node.db, node.name) for node in nodes if node.db}
        for column in query.find_all(exp.Column):
            if (column.text("db"), column.table) in written:
                column.set("db", None)
                column.set("catalog", None)
        names = []
        for node in nodes:
            alias, name = node.alias_or_name, self._name(node)
            names.append(name)
            node.set("this", exp.to_identifier(name, quoted=True))
            node.set("db", None)
            node.set("catalog", None)
            if not node.alias:
                node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        return tuple(first_mentions(names))


def _without_using(query: exp.Query) -> exp.Query:
    """Say whose the columns of a JOIN USING are: the left side has every value, but in RIGHT and FULL joins."""
    for select in query.find_all(exp.Select):
        joins, begin = select.args.get("joins") or [], select.args.get("from_")
        if len(joins) != 1 or joins[0].side in ("RIGHT", "FULL") or begin is None:
            continue
        shared = {one.name for one in joins[0].args.get("using") or ()}
        for column in [*select.find_all(exp.Column)]:
            if column.name in shared and not column.table and column.parent_select is select:
                column.set("table", exp.to_identifier(begin.this.alias_or_name, quoted=True))
    return query


def _real_tables(query: exp.Query) -> list[exp.Table]:
    sources = [source for scope in traverse_scope(query) for source in scope.selected_sources.values()]
    ctes = {id(node) for node, source in sources if isinstance(source, Scope)}
    found = [node for node in query.find_all(exp.Table) if id(node) not in ctes]
    return [node for node in found if isinstance(node.this, exp.Identifier | exp.Dot)]


def _edges(flow: Flow, write: Write, target: str) -> Iterable[ColumnEdge]:
    names = _output_names(flow, write)
    for name, items in zip(names, flow.outputs.values(), strict=False):
        for table, column, kind in items:
            unchanged = write.changes and (table, column, kind) == (target, name, Kind.COPIED)
            if not unchanged:
                yield ColumnEdge(table, column, name, kind)
    for table, column, kind in flow.rows:
        if not (write.changes and table == target):
            yield ColumnEdge(table, column, WHOLE_TABLE, kind)


def _output_names(flow: Flow, write: Write) -> Sequence[str]:
    """Return the target's columns by position, where a star does not hide the positions."""
    given = [name.rstrip("\0") for name in flow.outputs]
    if "*" in given:
        return [] if write.columns else given
    return [*write.columns, *given[len(write.columns) :]]


def _only_target(name: str, target: str, write: Write, edges: frozenset[ColumnEdge]) -> bool:
    """Return whether a statement names its target only to find the rows that it changes."""
    return write.changes and name == target and not any(edge.source == target for edge in edges)


def _lowered(statement: exp.Expr) -> exp.Expr:
    for node in statement.find_all(exp.Identifier):
        node.set("this", node.name.lower())
        node.set("quoted", True)  # noqa: FBT003 - sqlglot's signature
    return statement


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the SQL is nested too deeply to be read."
    return f"the SQL cannot be read: {str(error).splitlines()[0].rstrip('.')}."
