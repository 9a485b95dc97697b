"""Follows columns through one resolved query, from the tables it reads to its output. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from headwater_catalog._writes import Either
from headwater_catalog.model import VALUE_KINDS, Kind, strongest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Flow", "Item", "flow_of"]

# Table, column, and what happened to it.
Item = tuple[str, str, Kind]
_STAR = "*"
_AGAIN = "\0"


@dataclass
class Flow:
    """Where a query's columns come from.

    Args:
        outputs: By output column, in order.
        rows: What decides which rows there are.
        problems: Why something is missing.
    """

    outputs: dict[str, set[Item]] = field(default_factory=dict)
    rows: set[Item] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def flow_of(query: exp.Query) -> Flow:
    """Return where the columns of a query come from.

    Args:
        query: Its tables have names of one part, and its columns are qualified.
    """
    scope = build_scope(query)
    return _Walk(scope).scope(scope) if scope else Flow(problems=["it cannot be read."])


class _Walk:
    def __init__(self, root: Scope) -> None:
        # The scope that a recursive query sees of itself is another one without sources.
        self._real = {id(one.expression): one for one in root.traverse()}
        self._done: dict[int, Flow] = {}
        self._open: set[int] = set()

    def scope(self, scope: Scope) -> Flow:
        """Return a scope's flow, once."""
        scope = self._real.get(id(scope.expression), scope)
        known = self._done.get(id(scope))
        if known is not None:
            return known
        if id(scope) in self._open:
            return Flow()  # a recursive query has come round to itself
        self._open.add(id(scope))
        made = self._made(scope)
        self._open.discard(id(scope))
        self._done[id(scope)] = made
        return made

    def _made(self, scope: Scope) -> Flow:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            return self._set_operation(scope)
        if isinstance(expression, exp.Select):
            return self._select(scope, expression)
        if isinstance(expression, exp.Subquery | exp.Paren) and scope.subquery_scopes:
            return self.scope(scope.subquery_scopes[0])
        return self._table_function(scope)

    def _set_operation(self, scope: Scope) -> Flow:
        left, right = (self.scope(one) for one in scope.set_operation_scopes)
        made = Flow(rows=left.rows | right.rows, problems=[*left.problems, *right.problems])
        chosen = isinstance(scope.expression, exp.Union)
        # An INTERSECT or EXCEPT shows rows of its left side; its right side decides which.
        more = list(right.outputs.values()) if chosen else []
        for at, (name, items) in enumerate(left.outputs.items()):
            made.outputs[name] = items | (more[at] if at < len(more) else set())
        if not chosen:
            made.rows |= {
                (table, column, Kind.FILTER) for items in right.outputs.values() for table, column, _ in items
            }
        return made

    def _select(self, scope: Scope, select: exp.Select) -> Flow:
        made = Flow()
        for projection in select.selects:
            name = projection.alias_or_name
            if projection.is_star:
                self._star(scope, projection, made)
                continue
            # Two outputs of one name are two by their place; nobody can ask for the second by its name.
            while name in made.outputs:
                name += _AGAIN
            made.outputs[name] = self._items(projection, scope, Kind.COPIED, made)
        for source in self._from(scope).values():
            if isinstance(source, Scope):
                below = self.scope(source)
                made.rows |= below.rows
                made.problems += below.problems
        self._rows(scope, select, made)
        return made

    def _rows(self, scope: Scope, select: exp.Select, made: Flow) -> None:
        for key in ("where", "having", "qualify"):
            made.rows |= self._as(Kind.FILTER, select.args.get(key), scope, made)
        for join in select.find_all(exp.Join):
            if join.parent_select is select:  # in parentheses, too, as Trino writes those of a view
                made.rows |= self._as(Kind.JOIN, join.args.get("on"), scope, made)
        made.rows |= self._as(Kind.AGGREGATED, select.args.get("group"), scope, made)

    def _as(self, kind: Kind, node: exp.Expr | None, scope: Scope, made: Flow) -> set[Item]:
        if node is None:
            return set()
        return {(table, column, kind) for table, column, _ in self._items(node, scope, Kind.COPIED, made)}

    def _star(self, scope: Scope, projection: exp.Expr, made: Flow) -> None:
        wanted = projection.table if isinstance(projection, exp.Column) else ""
        for alias, source in self._from(scope).items():
            if wanted and alias != wanted:
                continue
            if isinstance(source, exp.Table):
                made.outputs.setdefault(_STAR, set()).add((source.name, _STAR, Kind.COPIED))
            else:
                for name, items in self.scope(source).outputs.items():
                    made.outputs[name] = made.outputs.get(name, set()) | items
        made.problems.append("it selects * from a table whose columns are not known.")

    def _items(self, node: exp.Expr, scope: Scope, kind: Kind, made: Flow) -> set[Item]:
        if isinstance(node, exp.Column):
            return {(table, column, _chain(kind, one)) for table, column, one in self._column(node, scope, made)}
        if isinstance(node, exp.Query):
            return self._subquery(node, scope, kind, made)
        if isinstance(node, exp.Window):
            return self._window(node, scope, kind, made)
        inner = _deeper(node, kind)
        found: set[Item] = set()
        for child in node.iter_expressions():
            found |= self._items(child, scope, inner, made)
        return found

    def _window(self, node: exp.Window, scope: Scope, kind: Kind, made: Flow) -> set[Item]:
        """Return what a window's value is made of, and what its rows are cut and ordered by."""
        keys: set[Item] = set()
        for one in (*node.args.get("partition_by", ()), *filter(None, [node.args.get("order")])):
            keys |= self._as(Kind.WINDOW, one, scope, made)
        return keys | self._items(node.this, scope, _deeper(node, kind), made)

    def _subquery(self, node: exp.Query, scope: Scope, kind: Kind, made: Flow) -> set[Item]:
        inside = next((one for one in scope.subquery_scopes if one.expression is node.unnest()), None)
        if inside is None:
            made.problems.append("a subquery in it cannot be followed.")
            return set()
        below = self.scope(inside)
        made.rows |= below.rows
        made.problems += below.problems
        return {(table, column, _chain(kind, one)) for items in below.outputs.values() for table, column, one in items}

    def _column(self, column: exp.Column, scope: Scope, made: Flow) -> set[Item]:
        source = self._source(column, scope)
        if isinstance(source, exp.Table):
            return {(source.name, column.name, Kind.COPIED)}
        if source is None:
            made.problems.append(f"it is not known which table has column {column.name}.")
            return set()
        below = self.scope(source).outputs
        if column.name in below:
            return below[column.name]
        return {(table, column.name, kind) for table, name, kind in below.get(_STAR, set()) if name == _STAR}

    def _source(self, column: exp.Column, scope: Scope) -> exp.Table | Scope | None:
        here: Scope | None = scope
        while here is not None:
            sources = self._from(here)
            if column.table in sources:
                return sources[column.table]
            if not column.table and len(sources) == 1:
                return next(iter(sources.values()))
            here = here.parent  # a correlated subquery, or the arguments of UNNEST
        return None

    @staticmethod
    def _from(scope: Scope) -> dict[str, exp.Table | Scope]:
        return {alias: source for alias, (_, source) in scope.selected_sources.items()} | {
            alias: source
            for alias, source in scope.sources.items()
            if isinstance(source, Scope) and source.is_udtf and alias not in scope.cte_sources
        }

    def _table_function(self, scope: Scope) -> Flow:
        """Return the columns of UNNEST, LATERAL VIEW and the like: each comes from all arguments, or from its own."""
        made, outside = Flow(), scope.parent or scope
        expression = scope.expression
        names = [one.name for one in expression.args["alias"].columns] if expression.args.get("alias") else []
        arguments = [one for one in _arguments(expression) if isinstance(one, exp.Expr)]
        found = [self._items(one, outside, Kind.TRANSFORMED, made) for one in arguments]
        for at, name in enumerate(names):
            own = len(found) == len(names)
            made.outputs[name] = found[at] if own else {item for items in found for item in items}
        return made


def _arguments(expression: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(expression, exp.Lateral):
        yield expression.this
    elif not isinstance(expression, exp.Values):
        yield from expression.expressions


def _deeper(node: exp.Expr, kind: Kind) -> Kind:
    if isinstance(node, exp.Alias | exp.Paren | exp.Where | exp.Group | Either):
        return kind
    return strongest(kind, Kind.AGGREGATED if isinstance(node, exp.AggFunc) else Kind.TRANSFORMED)


def _chain(kind: Kind, below: Kind) -> Kind:
    return strongest(kind, below) if below in VALUE_KINDS else below
