"""What is asked of the catalog: the same questions whatever its size."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headwater_catalog.model import TableFacts

__all__ = ["Question", "questions"]

_READ_MS = 100
_LINEAGE_MS = 300
_DEPTH = "10"
_MOST = "10000"


@dataclass(frozen=True)
class Question:
    """One request.

    Args:
        kind: What is asked.
        path: Where.
        given: Its parameters.
        goal_ms: What 95 of 100 are to stay below.
        same: A catalog of more tables must give the same answer.
    """

    kind: str
    path: str
    given: Mapping[str, str] = field(default_factory=dict)
    goal_ms: int = _READ_MS
    same: bool = False

    @classmethod
    def search(cls, text: str, kind: str = "search for one table", **more: str) -> Question:
        """Return a search; for one table, by all the words of its name, the answer is the same in any catalog."""
        return cls(kind, "/api/v1/search", {"q": text, **more}, same=kind == "search for one table")

    @classmethod
    def table(cls, name: str) -> Question:
        """Return the question for all that is known of a table."""
        return cls("table", "/api/v1/table", {"name": name}, same=True)

    @classmethod
    def lineage(cls, name: str, way: str, *, columns: bool = False) -> Question:
        """Return the question for all tables, or columns, at most ten steps away."""
        given = {"name": name, "direction": way, "depth": _DEPTH, "limit": _MOST, "columns": str(columns).lower()}
        return cls(f"{'column ' if columns else ''}lineage {way}", "/api/v1/lineage", given, _LINEAGE_MS, same=True)

    @classmethod
    def impact(cls, name: str, column: str = "") -> Question:
        """Return the question for what breaks, however far it is."""
        kind = f"impact of a {'column' if column else 'table'}"
        return cls(kind, "/api/v1/impact", {"name": name, "column": column, "limit": _MOST}, same=True)


def questions(facts: Sequence[TableFacts], count: int) -> Mapping[str, list[Question]]:
    """Return so many questions of each kind, about tables drawn from one realm."""
    draw = random.Random(2)  # noqa: S311 - nothing secret
    tables = draw.sample([one for one in facts if one.kind == "table"], count)
    made: dict[str, list[Question]] = {}
    for one in tables:
        for question in _about(one, draw):
            made.setdefault(question.kind, []).append(question)
    return made


def _about(table: TableFacts, draw: random.Random) -> Iterator[Question]:
    words = table.name.partition(".")[2].split("_")
    column = draw.choice(table.columns).name
    phrase = " ".join(draw.choice((words, words[1:3], words[2:3], [column.partition("_")[0]])))
    typed = phrase[: draw.randint(2, len(phrase))]
    yield Question.search(typed, "search as one types")
    yield Question.search(_misspelt(draw.choice(words[1:3]), draw), "search with a typo")
    zone, owner = table.name.partition(".")[0], table.owner
    narrowed = draw.choice(({"zone": zone}, {"owner": owner}, {"zone": zone, "owner": owner}, {"tag": "pii"}))
    yield Question.search(typed, "search with filters", **narrowed)
    yield Question.search(" ".join(words))
    yield Question("search page", "/", {"q": typed, **narrowed})
    yield Question.table(table.name)
    yield Question("table page", "/table", {"name": table.name})
    for way in ("up", "down"):
        yield Question.lineage(table.name, way)
        yield Question.lineage(table.name, way, columns=True)
    yield Question.impact(table.name)
    yield Question.impact(table.name, column)


def _misspelt(word: str, draw: random.Random) -> str:
    """Return a word with a letter missing, doubled, wrong or swapped with the next; its first letter stays."""
    at = draw.randint(1, len(word) - 2) if len(word) > 3 else 1  # noqa: PLR2004
    return draw.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + "x" + word[at + 1 :],
            word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
        )
    )
