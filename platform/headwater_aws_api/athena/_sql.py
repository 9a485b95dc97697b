"""A statement's words, each with its place, so that pieces of it can be replaced and the rest stays as typed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Word", "refused", "replaced", "split_at_commas", "words_of"]


@dataclass(frozen=True)
class Word:
    """One word, sign or literal.

    Args:
        text: Without its quotes.
        kind: sqlglot's name of its kind, such as ``STRING`` or ``IDENTIFIER``.
        begin: Its first character's place.
        end: The place after its last.
    """

    text: str
    kind: str
    begin: int
    end: int

    @property
    def upper(self) -> str:
        """The text in capitals; empty for what stands in quotes, which is no word of the language."""
        return "" if self.kind in ("STRING", "IDENTIFIER") else self.text.upper()

    @property
    def name(self) -> bool:
        """Whether it can be a name."""
        return self.kind == "IDENTIFIER" or self.text.replace("_", "a").isalnum()


def words_of(sql: str, dialect: str = "trino") -> list[Word]:
    """Return the words of a statement; comments are none.

    Args:
        sql: The statement.
        dialect: ``trino``, or ``hive`` where names stand in backticks.

    Raises:
        AwsError: It cannot be read, as when a quote is missing.
    """
    from sqlglot import Dialect  # noqa: PLC0415 - slow to import
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        # Behind a bracket sqlglot takes no word for a command, of which it would leave the rest unread.
        tokens: list[Any] = Dialect.get_or_raise(dialect).tokenize("(" + sql)[1:]
    except SqlglotError as error:
        raise refused(str(error).splitlines()[0]) from error
    return [Word(one.text, one.token_type.name, one.start - 1, one.end) for one in tokens]


def replaced(sql: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """Return a statement with some places (begin, end, text) replaced."""
    for begin, end, text in sorted(changes, reverse=True):
        sql = sql[:begin] + text + sql[end:]
    return sql


def split_at_commas(sql: str) -> list[str]:
    """Return the expressions of a list."""
    depth, begin, parts = 0, 0, []
    for word in words_of(sql):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word.upper, 0)
        if word.upper == "," and not depth:
            parts.append(sql[begin : word.begin].strip())
            begin = word.end
    return [*parts, sql[begin:].strip()]


def refused(why: str) -> AwsError:
    """Return the refusal of a statement."""
    return AwsError("InvalidRequestException", why, AthenaErrorCode="MALFORMED_QUERY")
