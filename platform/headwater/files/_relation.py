"""What every reader makes of its files: something DuckDB selects from, and what its columns are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.files._types import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["BadRow", "Field", "Relation"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column.

    Args:
        name: What the table calls it.
        given: What the file calls it.
        value: SQL of its value.
        type: DuckDB's type of the value; empty for a text whose type is to be found.
        rules: Those that a text may be judged by.
        why: Where a type comes from, in a few words.
    """

    name: str
    given: str
    value: str
    type: str = ""
    rules: tuple[str, ...] = RULES
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """One row that cannot be taken over.

    Args:
        file: What sentences call its file.
        name: The file's name.
        line: Its line, from 1; 0 where lines mean nothing.
        reason: Why.
        text: The row as it arrived.
    """

    file: str
    name: str
    line: int
    reason: str
    text: str

    @property
    def place(self) -> str:
        """File and line, as sentences name them."""
        return f"{self.file}, line {self.line}" if self.line else self.file


class Relation(ABC):
    """The rows of one call's files."""

    fields: Sequence[Field]

    @abstractmethod
    def rows(self, *, number: bool = False) -> str:
        """Return the SQL that follows FROM; with a column ``filename`` when asked for."""

    @abstractmethod
    def expected(self, written: int, rejected: int) -> int:
        """Return how many rows the files hold, counted by other code than that which wrote them."""

    def bad_rows(self, connection: Any) -> list[BadRow]:
        """Return the rows that the last full scan left out."""
        del connection
        return []

    def forget(self, connection: Any) -> None:
        """Forget what earlier scans left out."""
        del connection

    def located(self, rows: Mapping[tuple[str, tuple[str, ...]], str]) -> list[BadRow]:
        """Return rows, given by file and values with a reason each, with their line and text where those are known."""
        return [
            BadRow(file=file, name=file, line=0, reason=why, text=" ".join(row)) for (file, row), why in rows.items()
        ]

    def said(self, error: Exception) -> str:
        """Return a sentence for what DuckDB said while it read, or nothing when it was not about the files."""
        del error
        return ""
