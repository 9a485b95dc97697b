"""Reads one SELECT in Trino's dialect, resolves it against known columns, and writes it for an engine. Pure.

Knows nothing of ``Table``: relations are ``zone.name`` texts, columns are mappings of name to Headwater's types.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, OptimizeError, ParseError, TokenError, UnsupportedError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from headwater._casts import cast_problem
from headwater.dialects import DIALECTS, Dialect

__all__ = [
    "Relations",
    "Resolved",
    "SelectError",
    "missing_from",
    "parse",
    "relations_read",
    "render",
    "resolve",
    "resolve_staged",
    "validate",
    "with_source",
]

# Columns by relation: {"curated.loan": {"loan_id": "string"}}.
Relations = Mapping[str, Mapping[str, str]]
Resolved = exp.Query

_ONE_SELECT = "it must be one SELECT and nothing else."
_PLACE = re.compile(r"\.?\s*\(?Line: \d+, Col: \d+\)?")
_NAMED = re.compile(r"'([^']+)'|: (\S+)$")


class SelectError(Exception):
    """What is wrong with a SELECT, and where; callers turn it into a DefinitionError that names the table.

    Args:
        reason: Why, and what to do, without the place.
        line: Line in the SQL text, from 1.
        column: Character in that line, from 1.
    """

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        super().__init__(reason, line, column)

    def sentence(self, place: str = "") -> str:
        """Return the reason with its place in the SQL text and, if known, in a file."""
        where = f"line {self.line}, column {self.column} of its SQL"
        return f"{where} ({place}): {self.reason}" if place else f"{where}: {self.reason}"


def parse(sql: str) -> exp.Query:
    """Return the one SELECT of a text.

    Raises:
        SelectError: It is not exactly one SELECT of Trino's grammar.
    """
    try:
        found = [statement for statement in sqlglot.parse(sql, dialect="trino") if statement is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        said = str(first.get("description") or error).partition(" but got")[0].rstrip(".")
        line, end = first.get("line") or 1, first.get("col") or 1
        text = first.get("highlight") or ""
        raise SelectError(f"{said}, near {text!r}.", line, max(1, end - len(text) + 1)) from error
    except TokenError as error:
        raise SelectError("a quote or comment is not closed.") from error
    if len(found) != 1 or not isinstance(found[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise SelectError(_ONE_SELECT)
    return found[0]


def relations_read(sql: str, tree: exp.Query) -> dict[str, exp.Table]:
    """Return the tables that a SELECT reads, by ``zone.name``, each at its first mention; CTEs are none.

    Raises:
        SelectError: A table is not written as ``zone.name``.
    """
    found: dict[str, exp.Table] = {}
    for node in sorted(_real_tables(tree), key=_start):
        if not isinstance(node.this, exp.Identifier):
            raise _at(sql, node, f"{node.sql('trino')} cannot be read from; use tables, CTEs and UNNEST.")
        if not node.db or node.catalog:
            raise _at(sql, node, f"{exp.table_name(node)!r} is neither a CTE nor written as zone.name.")
        found.setdefault(f"{node.db}.{node.name}".lower(), node)
    return found


def _real_tables(tree: exp.Query) -> list[exp.Table]:
    try:
        sources = [source for scope in traverse_scope(tree) for source in scope.selected_sources.values()]
    except OptimizeError as error:
        raise SelectError(f"{error}; give every table of a FROM its own alias.") from error
    ctes = {id(node) for node, source in sources if isinstance(source, Scope)}
    return [node for node in tree.find_all(exp.Table) if id(node) not in ctes]


def resolve(sql: str, tree: exp.Query, relations: Relations) -> exp.Query:
    """Return a copy in which every star is spelled out, every column is qualified and every expression has its type.

    Raises:
        SelectError: A column is unknown or ambiguous.
    """
    schema = _schema(relations)

    def attempt(candidate: exp.Query) -> exp.Query:
        # Trino knows no alias of its own SELECT list in WHERE or GROUP BY, so none is let through here.
        named = qualify(candidate, schema=schema, dialect="trino", expand_alias_refs=False)
        return annotate_types(named, schema=schema, dialect="trino")

    try:
        return attempt(tree.copy())
    except OptimizeError as error:
        known = {column for columns in relations.values() for column in columns}
        raise _blame(sql, tree, error, attempt, known) from error


def resolve_staged(sql: str, staged: str, types: Mapping[str, str], relations: Relations) -> exp.Query:
    """Resolve a SELECT over rows being written, which it names by one word, and over further relations.

    Raises:
        SelectError: It reads another table, or a column is unknown or ambiguous.
    """
    tree = parse(sql)
    for node in tree.find_all(exp.Table):
        if node.name == staged and not node.db:
            node.set("db", exp.to_identifier(staged))
    known = {f"{staged}.{staged}": types, **relations}
    for name, node in relations_read(sql, tree).items():
        if name not in known:
            raise _at(sql, node, f"it reads {name}, which is not among the table's upstreams; declare it there.")
    return resolve(sql, tree, known)


def _schema(relations: Relations) -> MappingSchema:
    types = DIALECTS["trino"]
    nested: dict[str, dict[str, object]] = {}
    for relation, columns in relations.items():
        zone, _, name = relation.partition(".")
        nested.setdefault(zone, {})[name] = {column: types.type_name(kind) for column, kind in columns.items()}
    return MappingSchema({**nested}, dialect="trino")


def validate(sql: str, *, upstreams: Relations, output: Mapping[str, str], engine: str) -> exp.Query:
    """Check a body and return it resolved.

    Args:
        sql: One SELECT in Trino's dialect.
        upstreams: The declared upstreams with their columns.
        output: The declared columns with their types, in order.
        engine: The dialect that it must be possible to write it in.

    Raises:
        SelectError: It reads other tables than the declared ones, does not resolve, or gives other columns.
    """
    tree = parse(sql)
    _compare_upstreams(sql, relations_read(sql, tree), upstreams)
    resolved = resolve(sql, tree, upstreams)
    _compare_output(sql, resolved, output)
    for problem in missing_from(sql, tree, DIALECTS[engine]):
        raise problem
    render(resolved, DIALECTS[engine])
    return resolved


def _compare_upstreams(sql: str, found: Mapping[str, exp.Table], upstreams: Relations) -> None:
    for name, node in found.items():
        if name not in upstreams:
            raise _at(sql, node, f"it reads {name}, which is not among its upstreams; declare it there.")
    for name in upstreams:
        if name not in found:
            raise SelectError(f"it does not read {name}, which is declared as an upstream; read it or take it out.")


def _compare_output(sql: str, resolved: exp.Query, output: Mapping[str, str]) -> None:
    given = [(select.alias_or_name, select) for select in resolved.selects]
    for (name, select), (declared, kind) in zip(given, output.items(), strict=False):
        if name != declared:
            raise _at(sql, select, f"column {name!r} of its SELECT stands where {declared!r} is declared.")
        problem = cast_problem(select.type, kind)
        if problem:
            raise _at(sql, select, f"column {name!r} does not fit: {problem}.")
    if len(given) > len(output):
        name, select = given[len(output)]
        raise _at(sql, select, f"its SELECT gives {name!r}, which is not among the declared columns.")
    if len(given) < len(output):
        raise _at(sql, resolved, f"its SELECT lacks the declared column {list(output)[len(given)]!r}.")


def missing_from(sql: str, tree: exp.Query, dialect: Dialect) -> Iterator[SelectError]:
    """Yield what a SELECT uses that an engine lacks."""
    for node in tree.walk():
        construct = dialect.missing_constructs.get(type(node).__name__)
        if construct:
            yield _at(sql, node, f"{dialect.name} has no {construct}.")
        if isinstance(node, exp.Func):
            name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
            instead = dialect.missing_functions.get(name)
            if instead:
                yield _at(sql, node, f"{dialect.name} has no function {name}; use {instead}.")


def with_source(outer: exp.Query, name: str, source: exp.Query) -> exp.Query:
    """Return a SELECT in which a one-part table name is replaced by another SELECT."""
    copy = outer.copy()
    for node in list(copy.find_all(exp.Table)):
        if node.name == name and not node.db:
            node.replace(source.copy().subquery(exp.to_identifier(node.alias_or_name, quoted=True)))
    return copy


def render(tree: exp.Query, dialect: Dialect, relations: Mapping[str, str] | None = None) -> str:
    """Return a resolved SELECT as an engine's SQL.

    Args:
        tree: From ``resolve``; types must be known where engines divide differently.
        dialect: The engine's.
        relations: What to read instead of each ``zone.name``, in the engine's own quoting.

    Raises:
        SelectError: The engine has no equivalent.
    """
    copy: exp.Expr = tree.copy()
    for node in list(copy.find_all(exp.Table)):
        relation = (relations or {}).get(f"{node.db}.{node.name}") if node.db else None
        if relation is not None:
            _redirect(node, exp.to_table(relation, dialect=dialect.name))
    rewrite = _REWRITES.get(dialect.name)
    if rewrite is not None:
        copy = copy.transform(rewrite, copy=False)
    try:
        return copy.sql(dialect=dialect.name, unsupported_level=ErrorLevel.RAISE, comments=False)
    except UnsupportedError as error:
        raise SelectError(f"it cannot be written for {dialect.name}: {error}.") from error


def _redirect(node: exp.Table, target: exp.Table) -> None:
    alias = node.alias_or_name
    node.set("catalog", target.args.get("catalog"))
    node.set("db", target.args.get("db"))
    node.set("this", target.this)
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _spark_meaning(node: exp.Expr) -> exp.Expr:
    """Spell out for Spark what the same words mean in Trino."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TIMESTAMP:
        return exp.DataType(this=exp.DataType.Type.TIMESTAMPNTZ)
    if isinstance(node, exp.Div) and all(part.is_type(*exp.DataType.INTEGER_TYPES) for part in (node.left, node.right)):
        return exp.IntDiv(this=node.this, expression=node.expression)
    return node


_REWRITES = {"spark": _spark_meaning}


def _blame(
    sql: str,
    tree: exp.Query,
    error: OptimizeError,
    attempt: Callable[[exp.Query], object],
    known: Collection[str],
) -> SelectError:
    """Find the column that an error of sqlglot is about, which does not always say where it stands."""
    reason = _PLACE.sub("", str(error)).rstrip(".")
    match = _NAMED.search(reason)
    name = (match[1] or match[2]).lower() if match else ""
    columns = list(tree.find_all(exp.Column))
    places = [index for index, node in enumerate(columns) if node.name.lower() == name]
    for index, culprit in enumerate(places):
        if not _same_error(tree, places[: index + 1], attempt, str(error)):
            return _at(sql, columns[culprit], _unresolved(columns[culprit], known))
    return SelectError(f"{reason}.")


def _unresolved(column: exp.Column, known: Collection[str]) -> str:
    name = column.sql("trino")
    if not column.table and column.name in known:
        return f"column {name} is ambiguous or out of reach here; write it with the alias of its table."
    close = difflib.get_close_matches(column.name, known, n=1)
    return f"there is no column {name} here" + (f"; did you mean {close[0]}?" if close else ".")


def _same_error(tree: exp.Query, without: Sequence[int], attempt: Callable[[exp.Query], object], said: str) -> bool:
    copy = tree.copy()
    columns = list(copy.find_all(exp.Column))
    for index in without:
        columns[index].replace(exp.null())
    try:
        attempt(copy)
    except OptimizeError as error:
        return str(error) == said
    return False


def _start(node: exp.Expr) -> int:
    """Return where a node begins in the SQL text."""
    starts = [part.meta["start"] for part in node.find_all(exp.Expr) if "start" in part.meta]
    return min(starts, default=0)


def _at(sql: str, node: exp.Expr, reason: str) -> SelectError:
    before = sql[: _start(node)]
    return SelectError(reason, before.count("\n") + 1, len(before) - before.rfind("\n"))
