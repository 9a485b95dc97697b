"""Whether two engines see the same in two tables: counts and column statistics, as SQL and as answers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.dialects import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Compared", "Statistics", "compare"]

_HEAD = re.compile(r"[a-z]+( precision)?")
# How a type's values are read as text or numbers, and as bytes, the same by every engine.
_AS_TEXT = {"varchar": "{0}", "double": "{0}", "real": "{0}", "varbinary": "to_hex({0})"}
_AS_BYTES = {"double": "to_ieee754_64({0})", "real": "to_ieee754_32({0})", "varbinary": "{0}"}
# Of these there is no least value that every engine finds.
_SEVERAL = frozenset({"array", "map"})
_NESTED = frozenset({"row", "json", "variant", "geometry"})

_WORDS = {
    "count": "the number of values",
    "low": "the least value",
    "high": "the greatest value",
    "sum": "the sum of all values' checksums",
    "size": "the number of entries",
}


@dataclass(frozen=True)
class Compared:
    """What a comparison found.

    Args:
        rows: Of the source.
        columns: How many were compared.
        differences: One phrase each, e.g. ``column id: the least value``.
    """

    rows: int
    columns: int
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Statistics:
    """The statistics of one table.

    Args:
        columns: Type of each column, by its name, in Trino's words.
    """

    columns: Mapping[str, str]

    def sql(self, relation: str, dialect: str) -> str:
        """Return the statement that computes them.

        Args:
            relation: The table in the dialect's quotes.
            dialect: Whose quotes columns get.
        """
        asked = ["count(*) AS rows_in_all"]
        for at, (name, kind) in enumerate(self.columns.items()):
            asked += [f"{sql} AS {what}_{at}" for what, sql in _asked(quoted(name, dialect), kind).items()]
        return f"SELECT {', '.join(asked)} FROM {relation}"  # noqa: S608 - names in quotes

    def differences(self, source: Mapping[str, Any], target: Mapping[str, Any]) -> Sequence[str]:
        """Return in what two answers differ."""
        found = []
        if source["rows_in_all"] != target["rows_in_all"]:
            found.append(f"{source['rows_in_all']} rows here, {target['rows_in_all']} there")
        for at, name in enumerate(self.columns):
            found += [
                f"column {name}: {words}"
                for what, words in _WORDS.items()
                if f"{what}_{at}" in source and not _same(source[f"{what}_{at}"], target.get(f"{what}_{at}"))
            ]
        return found


def compare(statistics: Statistics, source: Mapping[str, Any], target: Mapping[str, Any]) -> Compared:
    """Return what two answers to the statement say of the tables."""
    differences = tuple(statistics.differences(source, target))
    return Compared(source["rows_in_all"], len(statistics.columns), differences)


def _asked(column: str, kind: str) -> dict[str, str]:
    """Return what is asked of a column; nothing depends on the order of rows, nor on how an engine writes numbers."""
    head = _HEAD.match(kind.lower())
    family = head.group(0) if head else kind
    asked = {"count": f"count({column})"}
    if family in _SEVERAL:
        return {**asked, "size": f"sum(cardinality({column}))"}
    if family in _NESTED:
        return asked
    text = _AS_TEXT.get(family, "CAST({0} AS VARCHAR)")
    bits = _AS_BYTES.get(family, "to_utf8(CAST({0} AS VARCHAR))").format(column)
    return {
        **asked,
        "low": text.format(f"min({column})"),
        "high": text.format(f"max({column})"),
        "sum": f"sum(CAST(crc32({bits}) AS DECIMAL(38, 0)))",
    }


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - not-a-number is no number's equal
