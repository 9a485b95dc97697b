"""Which partitions an expression of GetPartitions means, such as ``year = '2019' AND month IN (1, 2)``. Pure.

Values are compared as the types of the partition keys say; what is NULL matches nothing but ``IS NULL``.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    # Unknown where a value is NULL.
    Truth = bool | None

__all__ = ["NULL", "parse_expression"]

# What Hive writes into a path where the value is NULL.
NULL = "__HIVE_DEFAULT_PARTITION__"
_INVALID = "InvalidInputException"


def parse_expression(text: str, keys: Sequence[tuple[str, str]]) -> Callable[[Sequence[str]], bool]:
    """Return a function that tells whether a partition of these values is meant.

    Args:
        text: The expression.
        keys: Name and type of every partition key.

    Raises:
        AwsError: It is no such expression, or names what is no partition key.
    """
    from sqlglot import condition  # noqa: PLC0415 - slow to import
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        tree = condition(text, dialect="hive")
    except SqlglotError as error:
        raise AwsError(_INVALID, f"Unsupported expression {text!r}: {str(error).splitlines()[0]}") from error
    kinds = {name.lower(): kind.lower() for name, kind in keys}
    wanted = _Evaluation(text, kinds)
    wanted.check(tree)

    def matches(values: Sequence[str]) -> bool:
        row = {name: _typed(value, kind) for (name, kind), value in zip(kinds.items(), values, strict=True)}
        return wanted.truth(tree, row) is True

    return matches


class _Evaluation:
    """Evaluates a tree of sqlglot's; truth is True, False, or None where it is unknown."""

    def __init__(self, text: str, kinds: Mapping[str, str]) -> None:
        self._text = text
        self._kinds = kinds

    def check(self, tree: Any) -> None:
        """Refuse what cannot be evaluated before any partition is looked at."""
        from sqlglot import exp  # noqa: PLC0415

        for column in tree.find_all(exp.Column):
            if column.name.lower() not in self._kinds:
                raise AwsError(_INVALID, f"Unsupported expression {self._text!r}: {column.name} is no partition key.")
        self.truth(tree, dict.fromkeys(self._kinds))

    def truth(self, node: Any, row: Mapping[str, Any]) -> Truth:
        from sqlglot import exp  # noqa: PLC0415

        if isinstance(node, exp.Paren):
            return self.truth(node.this, row)
        if isinstance(node, exp.And):
            return _both(self.truth(node.left, row), self.truth(node.right, row))
        if isinstance(node, exp.Or):
            return _not(_both(_not(self.truth(node.left, row)), _not(self.truth(node.right, row))))
        if isinstance(node, exp.Not):
            return _not(self.truth(node.this, row))
        return self._comparison(node, row)

    def _comparison(self, node: Any, row: Mapping[str, Any]) -> Truth:
        from sqlglot import exp  # noqa: PLC0415

        if isinstance(node, exp.Is):
            return self._value(node.this, row, "string") is None
        kind = self._kind(node)
        if isinstance(node, exp.In):
            mine = self._value(node.this, row, kind)
            return None if mine is None else mine in [self._value(one, row, kind) for one in node.expressions]
        if isinstance(node, exp.Between):
            mine, low, high = (self._value(node.args[name], row, kind) for name in ("this", "low", "high"))
            return None if mine is None else bool(low <= mine <= high)
        compare = _COMPARISONS.get(type(node).__name__)
        if compare is None:
            raise self._refusal(node)
        left, right = self._value(node.left, row, kind), self._value(node.right, row, kind)
        if left is None or right is None:
            return None
        return compare(left, right) is not bool(node.args.get("negate"))

    def _kind(self, node: Any) -> str:
        """Return the type of the partition key that is compared."""
        from sqlglot import exp  # noqa: PLC0415

        column = node.find(exp.Column)
        if column is None:
            raise self._refusal(node)
        return self._kinds[column.name.lower()]

    def _value(self, node: Any, row: Mapping[str, Any], kind: str) -> Any:
        from sqlglot import exp  # noqa: PLC0415

        if isinstance(node, exp.Paren):
            return self._value(node.this, row, kind)
        if isinstance(node, exp.Column):
            return row[node.name.lower()]
        if isinstance(node, exp.Cast):
            return self._value(node.this, row, kind)
        if isinstance(node, exp.Neg):
            return _literal(f"-{node.this.name}", kind, self._text)
        if isinstance(node, exp.Literal):
            return _literal(node.this, kind, self._text)
        raise self._refusal(node)

    def _refusal(self, node: Any) -> AwsError:
        return AwsError(_INVALID, f"Unsupported expression {self._text!r}: {node.sql()} is no comparison of a key.")


def _both(left: Truth, right: Truth) -> Truth:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _not(value: Truth) -> Truth:
    return None if value is None else not value


def _like(value: Any, pattern: Any) -> bool:
    wanted = re.escape(str(pattern)).replace("%", ".*").replace("_", ".")
    return re.fullmatch(wanted, str(value), re.DOTALL) is not None


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda left, right: bool(left == right),
    "NEQ": lambda left, right: bool(left != right),
    "GT": lambda left, right: bool(left > right),
    "GTE": lambda left, right: bool(left >= right),
    "LT": lambda left, right: bool(left < right),
    "LTE": lambda left, right: bool(left <= right),
    "Like": _like,
}


def _literal(text: str, kind: str, expression: str) -> Any:
    value = _typed(text, kind)
    if value is None:
        raise AwsError(_INVALID, f"Unsupported expression {expression!r}: {text!r} is no {kind}.")
    return value


def _typed(text: str, kind: str) -> Any:
    """Return a value as its type says; None for NULL and for what does not fit it."""
    if text == NULL:
        return None
    read = next((read for prefix, read in _READ.items() if kind.startswith(prefix)), str)
    try:
        return read(text)
    except (ValueError, InvalidOperation):
        return None


# By how the name of the type begins; all others are texts.
_READ: dict[str, Callable[[str], Any]] = {
    "decimal": Decimal,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "long"), int),
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
