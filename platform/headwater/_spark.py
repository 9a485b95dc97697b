"""Where Spark means something else by what sqlglot writes for Trino's words: spelled out, or refused. Pure.

Each entry was seen to differ between Trino 476 and Spark 4.1; expressions must carry their types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["differences", "spell_out"]

_WHOLE = exp.DataType.INTEGER_TYPES
_FLOATING = frozenset({exp.DType.FLOAT, exp.DType.DOUBLE})
_FRACTIONS = _FLOATING | {exp.DType.DECIMAL}
_MOMENTS = frozenset({exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ})
_WEEKDAYS = frozenset({"DOW", "DAY_OF_WEEK", "DAYOFWEEK"})
_LONG_UNITS = frozenset({"MONTH", "QUARTER", "YEAR"})


def spell_out(tree: exp.Query) -> exp.Query:
    """Rewrite a typed query, in place, so that Spark gives what Trino gives."""
    for node in reversed(list(tree.walk())):  # what is inside first
        rewrite = next((_REWRITES[kind] for kind in type(node).__mro__ if kind in _REWRITES), None)
        if rewrite is not None:
            rewrite(node)
    return tree


def _swap(node: exp.Expr, other: exp.Expr) -> None:
    other.type = node.type
    node.replace(other)


def _timestamp(node: exp.Expr) -> None:
    # Spark's TIMESTAMP is an instant; Trino's has no zone.
    if node.this == exp.DType.TIMESTAMP:
        node.replace(exp.DataType(this=exp.DType.TIMESTAMPNTZ))


def _division(node: exp.Expr) -> None:
    # Trino divides whole numbers to a whole number.
    if node.this.is_type(*_WHOLE) and node.expression.is_type(*_WHOLE):
        _swap(node, exp.IntDiv(this=node.this, expression=node.expression))


def _rounding(node: exp.Expr) -> None:
    # Trino rounds a fraction that becomes a whole number; Spark cuts it off.
    if node.args["to"].this in _WHOLE and node.this.is_type(*_FRACTIONS):
        node.set("this", exp.Round(this=node.this))


def _extreme(node: exp.Expr) -> None:
    # Trino's greatest and least are null when any argument is; Spark leaves nulls out.
    arguments = [node.this, *node.expressions]
    missing = exp.or_(*(argument.copy().is_(exp.null()) for argument in arguments))
    _swap(node, exp.Case(ifs=[exp.If(this=missing, true=exp.null())], default=node.copy()))


def _weekday(node: exp.Expr) -> None:
    # Trino counts from Monday as 1.
    if isinstance(node, exp.Extract) and node.name.upper() not in _WEEKDAYS:
        return
    day = node.expression if isinstance(node, exp.Extract) else node.this
    _swap(node, exp.paren(exp.Add(this=exp.func("WEEKDAY", day), expression=exp.Literal.number(1)), copy=False))


def _truncation(node: exp.Expr) -> None:
    # Trino keeps the argument's type; Spark gives an instant.
    if node.this.is_type(exp.DType.DATE):
        _swap(node, exp.cast(node.copy(), exp.DType.DATE))
    elif node.this.is_type(exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ):
        _without_zone(node)


def _without_zone(node: exp.Expr) -> None:
    _swap(node, exp.cast(node.copy(), exp.DType.TIMESTAMPNTZ))


_REWRITES: Mapping[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.DataType: _timestamp,
    exp.Div: _division,
    exp.Cast: _rounding,
    exp.Greatest: _extreme,
    exp.Least: _extreme,
    exp.DayOfWeekIso: _weekday,
    exp.Extract: _weekday,
    exp.DateTrunc: _truncation,
    exp.TimestampTrunc: _truncation,
    exp.StrToTime: _without_zone,
}


def differences(tree: exp.Query) -> Iterator[tuple[exp.Expr, str]]:
    """Yield what cannot be spelled out, with what to write instead."""
    for node in tree.walk():
        if isinstance(node, exp.DateDiff | exp.TimestampDiff) and _unit(node) in _LONG_UNITS:
            yield node, "date_diff by months counts the ends of months differently; compare year and month instead"
        elif isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES) and node.this.is_type(*_FLOATING):
            yield node, "a double is written differently as text; cast it to a decimal first"
        elif isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES) and node.this.is_type(*_MOMENTS):
            yield node, "a timestamp is written differently as text; use date_format"
        elif isinstance(node, exp.Div) and _is_decimal_division(node):
            yield node, "decimals are divided to another scale; cast one side to double"
        elif isinstance(node, exp.Avg) and node.this.is_type(exp.DType.DECIMAL):
            yield node, "the average of decimals has another scale; cast them to double"


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return unit.name.upper() if isinstance(unit, exp.Expr) else ""


def _is_decimal_division(node: exp.Div) -> bool:
    sides = (node.left, node.right)
    decimal = any(side.is_type(exp.DType.DECIMAL) for side in sides)
    return decimal and not any(side.is_type(*_FLOATING) for side in sides)
