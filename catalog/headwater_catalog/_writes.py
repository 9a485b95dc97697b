"""Turns every statement that writes rows into one target and one query that gives what is written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

__all__ = ["Either", "Write", "write_of"]

ColumnsOf = Callable[[exp.Table], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Write:
    """What a statement writes.

    Args:
        target: The table; without a name for a query.
        query: Gives the rows.
        columns: The target's columns that the query's outputs go to, in order; empty when their names say so.
        temporary: The target is a view of the session only.
        view: The target is a view: no row is written, and another text of it may replace this one.
        changes: Rows of the target are changed in place, so reading it to find them is no lineage.
    """

    target: exp.Table = field(default_factory=exp.Table)
    query: exp.Query
    columns: Sequence[str] = ()
    temporary: bool = False
    view: bool = False
    changes: bool = False


class Either(exp.Tuple):
    """One of several values, by the row; each is taken as it is."""


def write_of(statement: exp.Expr, columns_of: ColumnsOf) -> Write | None:
    """Return what a statement writes, or None when it moves no rows.

    Raises:
        ValueError: It is no statement at all.
    """
    if isinstance(statement, exp.Query):
        return Write(query=statement)
    if isinstance(statement, exp.Condition | exp.Alias):
        raise ValueError("it is no statement")  # noqa: TRY004 - the caller's one kind of error
    for kind, reader in _READERS.items():
        if isinstance(statement, kind):
            return reader(statement, columns_of)
    return None


def _create(statement: exp.Create, columns_of: ColumnsOf) -> Write | None:  # noqa: ARG001 - one signature for all
    query = statement.expression
    if not isinstance(query, exp.Query):
        return None  # CREATE TABLE with columns, or LIKE another: no row moves
    temporary = any(isinstance(one, exp.TemporaryProperty) for one in _properties(statement))
    target, columns = _target(statement.this)
    view = str(statement.args.get("kind", "")).upper() == "VIEW"
    return Write(target=target, query=_with_ctes(query, statement), columns=columns, temporary=temporary, view=view)


def _insert(statement: exp.Insert, columns_of: ColumnsOf) -> Write | None:
    query = statement.expression
    if not isinstance(query, exp.Query):
        return None  # VALUES
    target, columns = _target(statement.this)
    partition = target.args.get("partition")
    fixed = {one.this.name for one in partition.expressions if isinstance(one, exp.EQ)} if partition else set()
    known = columns or [name for name in columns_of(target) if name not in fixed]
    return Write(target=target, query=_with_ctes(query, statement), columns=known)


def _merge(statement: exp.Merge, columns_of: ColumnsOf) -> Write | None:
    target, source = statement.this, statement.args["using"]
    assigned: dict[str, list[exp.Expr]] = {}
    conditions: list[exp.Expr] = []
    for when in statement.args["whens"].expressions:
        if when.args.get("condition") is not None:
            conditions.append(when.args["condition"])
        for name, value in _assignments(when.args.get("then"), target, source, columns_of):
            assigned.setdefault(name, []).append(value)
    query = _given(assigned).from_(target.copy()).join(source.copy(), on=statement.args["on"].copy())
    return _changing(target, query, assigned, conditions)


def _update(statement: exp.Update, columns_of: ColumnsOf) -> Write | None:
    assigned = {name: [value] for name, value in _assignments(statement, statement.this, None, columns_of)}
    where = statement.args.get("where")
    query = _given(assigned).from_(statement.this.copy())
    return _changing(statement.this, query, assigned, [where.this] if where else [])


def _delete(statement: exp.Delete, columns_of: ColumnsOf) -> Write | None:  # noqa: ARG001
    where = statement.args.get("where")
    query = exp.select(exp.Literal.number(1)).from_(statement.this.copy())
    return _changing(statement.this, query, {}, [where.this] if where else [])


_READERS: dict[type[exp.Expr], Callable[..., Write | None]] = {
    exp.Create: _create,
    exp.Insert: _insert,
    exp.Merge: _merge,
    exp.Update: _update,
    exp.Delete: _delete,
}


def _changing(
    target: exp.Table, query: exp.Select, assigned: dict[str, list[exp.Expr]], conditions: list[exp.Expr]
) -> Write:
    for condition in conditions:
        query = query.where(condition.copy())
    named = target.copy()
    named.set("alias", None)
    return Write(target=named, query=query, columns=tuple(assigned), changes=True)


def _given(assigned: dict[str, list[exp.Expr]]) -> exp.Select:
    """Return a SELECT of what each column is set to; several assignments of one column become one expression."""
    values = [
        exp.alias_(
            values[0].copy() if len(values) == 1 or len(set(values)) == 1 else _either(values),
            name,
            quoted=True,
        )
        for name, values in assigned.items()
    ]
    return exp.select(*(values or [exp.Literal.number(1)]))


def _either(values: Sequence[exp.Expr]) -> exp.Expr:
    return Either(expressions=[value.copy() for value in values])


def _assignments(
    then: exp.Expr | None, target: exp.Table, source: exp.Expr | None, columns_of: ColumnsOf
) -> Iterator[tuple[str, exp.Expr]]:
    if isinstance(then, exp.Insert) and isinstance(then.this, exp.Tuple):
        values = then.expression.expressions if then.expression else []
        yield from zip((one.name for one in then.this.expressions), values, strict=False)
    elif isinstance(then, exp.Insert | exp.Update) and _is_star(then) and source is not None:
        for name in columns_of(target):
            yield name, exp.column(name, table=source.alias_or_name, quoted=True)
    elif isinstance(then, exp.Insert) and then.expression:
        yield from zip(columns_of(target), then.expression.expressions, strict=False)
    elif isinstance(then, exp.Update):
        for one in then.expressions:
            yield one.this.name, one.expression


def _is_star(then: exp.Expr) -> bool:
    return isinstance(then.this, exp.Star) or any(isinstance(one, exp.Star) for one in then.expressions)


def _target(node: exp.Expr) -> tuple[exp.Table, tuple[str, ...]]:
    if isinstance(node, exp.Schema):
        return node.this, tuple(one.name for one in node.expressions)
    if not isinstance(node, exp.Table):
        raise ValueError("it writes to something that is no table")  # noqa: TRY004 - the caller's one kind of error
    return node, ()


def _properties(statement: exp.Create) -> Sequence[exp.Expr]:
    properties = statement.args.get("properties")
    return properties.expressions if properties else ()


def _with_ctes(query: exp.Query, statement: exp.Expr) -> exp.Query:
    """Return the query with the CTEs that stand before the statement's own verb."""
    before = statement.args.get("with_")
    if before is None:
        return query
    copy = query.copy()
    inner = copy.args.get("with_")
    copy.set("with_", exp.With(expressions=[*before.copy().expressions, *(inner.expressions if inner else [])]))
    return copy
