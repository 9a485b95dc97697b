"""Says what is wrong with a SELECT and finds the place in its text. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import OptimizeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["SelectError", "at", "blame", "start"]

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


def blame(
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
            return at(sql, columns[culprit], _unresolved(columns[culprit], known))
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


def start(node: exp.Expr) -> int:
    """Return where a node begins in the SQL text."""
    starts = [part.meta["start"] for part in node.find_all(exp.Expr) if "start" in part.meta]
    return min(starts, default=0)


def at(sql: str, node: exp.Expr, reason: str) -> SelectError:
    before = sql[: start(node)]
    return SelectError(reason, before.count("\n") + 1, len(before) - before.rfind("\n"))
