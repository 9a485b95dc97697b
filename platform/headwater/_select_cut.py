"""Which tables a SELECT reads in step with one of its columns: a row is made of their rows with that value alone. Pure.

A partition's rows then come from the same partition of such a table, whatever the engine reads besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["in_step"]

# A column by the name that its table has in one SELECT.
_Ours = tuple[str, str]


def in_step(query: exp.Query, column: str) -> frozenset[tuple[str, str]]:
    """Return the tables, with the column of each, of which an output row is made of rows with its own value alone.

    Told only of what is certain: the column is passed on as it is, or is equal to such a one by a join or a condition.

    Args:
        query: Resolved: every column names its table.
        column: Of the output; null in no row.
    """
    root = build_scope(query)
    uses: dict[str, set[str]] = {}
    for table, columns in _uses(root, {column}) if root else ():
        uses[table] = uses[table] & columns if table in uses else columns
    return frozenset((table, name) for table, columns in uses.items() for name in columns)


def _uses(scope: Scope, names: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield each use of a table below a scope, with those of its columns that equal the scope's named columns."""
    if isinstance(scope.expression, exp.SetOperation):
        output = scope.expression.named_selects
        places = {at for at, name in enumerate(output) if name in names}
        for one in scope.set_operation_scopes:
            given = one.expression.named_selects if isinstance(one.expression, exp.Query) else ()
            yield from _uses(one, {name for at, name in enumerate(given) if at in places})
        return
    equal = _equal(scope, names)
    for alias, (_, source) in scope.selected_sources.items():
        columns = {name for table, name in equal if table == alias}
        if isinstance(source, Scope):
            yield from _uses(source, columns)
        elif isinstance(source, exp.Table):
            yield f"{source.db}.{source.name}", columns
    for one in (*scope.subquery_scopes, *scope.udtf_scopes):
        yield from _uses(one, set())


def _equal(scope: Scope, names: set[str]) -> set[_Ours]:
    """Return the columns that equal the named outputs of one SELECT, in all rows that those are made of."""
    select = scope.expression
    # A window, and a limit, look at rows that have other values.
    if not isinstance(select, exp.Select) or select.args.get("limit") or select.args.get("offset"):
        return set()
    if any(window.parent_select is select for window in select.find_all(exp.Window)):
        return set()
    passed = (one.unalias() for one in select.selects if one.alias_or_name in names)
    found = {(one.table, one.name) for one in passed if isinstance(one, exp.Column)}
    pairs = [*_pairs(select)]
    while more := {b for pair in pairs for a, b in (pair, pair[::-1]) if a in found} - found:
        found |= more
    return found


def _pairs(select: exp.Select) -> Iterator[tuple[_Ours, _Ours]]:
    """Yield what is equal wherever both have a value: by WHERE, or by the condition of the join that brings one in."""
    where = select.args.get("where")
    yield from _equations(where.this if where else None)
    for join in select.args.get("joins") or ():
        for one, other in _equations(join.args.get("on")):
            # An outer join keeps rows for which its condition does not hold, but none of them with the joined table's.
            if not join.side or join.alias_or_name in {one[0], other[0]} - ({one[0]} & {other[0]}):
                yield one, other


def _equations(condition: exp.Expr | None) -> Iterable[tuple[_Ours, _Ours]]:
    if condition is None:
        return
    for one in condition.flatten() if isinstance(condition, exp.And) else (condition,):
        plain = one.unnest()
        if isinstance(plain, exp.And):
            yield from _equations(plain)
        elif isinstance(plain, exp.EQ) and isinstance(plain.left, exp.Column) and isinstance(plain.right, exp.Column):
            yield (plain.left.table, plain.left.name), (plain.right.table, plain.right.name)
