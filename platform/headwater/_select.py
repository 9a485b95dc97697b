"""Reads one SELECT in Trino's dialect, resolves it against known columns, and writes it for an engine. Pure.

Knows nothing of ``Table``: relations are ``zone.name`` texts, columns are mappings of name to Headwater's types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, OptimizeError, ParseError, TokenError, UnsupportedError
from sqlglot.optimizer.annotate_types import TypeAnnotator, annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from headwater import _spark
from headwater._casts import cast_problem
from headwater._select_error import SelectError, at, blame, start
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


def _annotate_literal(annotator: TypeAnnotator, node: exp.Literal) -> exp.Literal:
    """Type a literal as Trino does: 1.5 is a decimal, 15e-1 a double."""
    made = annotator._annotate_literal(node)  # noqa: SLF001 - the annotator that this one replaces
    if not node.is_string and not node.is_int and "e" not in node.name.lower():
        made.type = exp.DataType(this=exp.DType.DECIMAL)
    return made


_METADATA = {**sqlglot.Dialect.get_or_raise("trino").EXPRESSION_METADATA, exp.Literal: {"annotator": _annotate_literal}}


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
    for node in sorted(_real_tables(tree), key=start):
        if not isinstance(node.this, exp.Identifier):
            raise at(sql, node, f"{node.sql('trino')} cannot be read from; use tables, CTEs and UNNEST.")
        if not node.db or node.catalog:
            raise at(sql, node, f"{exp.table_name(node)!r} is neither a CTE nor written as zone.name.")
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
        return annotate_types(named, schema=schema, dialect="trino", expression_metadata=_METADATA)

    try:
        return attempt(tree.copy())
    except OptimizeError as error:
        known = {column for columns in relations.values() for column in columns}
        raise blame(sql, tree, error, attempt, known) from error


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
            raise at(sql, node, f"it reads {name}, which is not among the table's upstreams; declare it there.")
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
    for problem in missing_from(sql, resolved, DIALECTS[engine]):
        raise problem
    render(resolved, DIALECTS[engine])
    return resolved


def _compare_upstreams(sql: str, found: Mapping[str, exp.Table], upstreams: Relations) -> None:
    for name, node in found.items():
        if name not in upstreams:
            raise at(sql, node, f"it reads {name}, which is not among its upstreams; declare it there.")
    for name in upstreams:
        if name not in found:
            raise SelectError(f"it does not read {name}, which is declared as an upstream; read it or take it out.")


def _compare_output(sql: str, resolved: exp.Query, output: Mapping[str, str]) -> None:
    given = [(select.alias_or_name, select) for select in resolved.selects]
    for (name, select), (declared, kind) in zip(given, output.items(), strict=False):
        if name != declared:
            raise at(sql, select, f"column {name!r} of its SELECT stands where {declared!r} is declared.")
        problem = cast_problem(select.type, kind)
        if problem:
            raise at(sql, select, f"column {name!r} does not fit: {problem}.")
    if len(given) > len(output):
        name, select = given[len(output)]
        raise at(sql, select, f"its SELECT gives {name!r}, which is not among the declared columns.")
    if len(given) < len(output):
        raise at(sql, resolved, f"its SELECT lacks the declared column {list(output)[len(given)]!r}.")


def missing_from(sql: str, tree: exp.Query, dialect: Dialect) -> Iterator[SelectError]:
    """Yield what a resolved SELECT uses that an engine lacks, or means something else by."""
    for node, reason in _DIFFERENCES.get(dialect.name, _none)(tree):
        yield at(sql, node, f"in {dialect.name} {reason}.")
    for node in tree.walk():
        construct = dialect.missing_constructs.get(type(node).__name__)
        if construct:
            yield at(sql, node, f"{dialect.name} has no {construct}.")
        if isinstance(node, exp.Func):
            name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
            instead = dialect.missing_functions.get(name)
            if instead:
                written = node.sql("trino").partition("(")[0].lower()
                yield at(sql, node, f"{dialect.name} has no function {written} like Trino's; use {instead}.")


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
    copy = tree.copy()
    for node in list(copy.find_all(exp.Table)):
        relation = (relations or {}).get(f"{node.db}.{node.name}") if node.db else None
        if relation is not None:
            _redirect(node, exp.to_table(relation, dialect=dialect.name))
    _REWRITES.get(dialect.name, _as_it_is)(copy)
    try:
        sql = copy.sql(dialect=dialect.name, unsupported_level=ErrorLevel.RAISE, comments=False)
    except UnsupportedError as error:
        raise SelectError(f"it cannot be written for {dialect.name}: {error}.") from error
    for text, escaped in dialect.escapes.items():
        sql = sql.replace(text, escaped)
    return sql


def _redirect(node: exp.Table, target: exp.Table) -> None:
    alias = node.alias_or_name
    node.set("catalog", target.args.get("catalog"))
    node.set("db", target.args.get("db"))
    node.set("this", target.this)
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _as_it_is(tree: exp.Query) -> exp.Query:
    return tree


def _none(_: exp.Query) -> Iterator[tuple[exp.Expr, str]]:
    return iter(())


_REWRITES = {"spark": _spark.spell_out}
_DIFFERENCES = {"spark": _spark.differences}
