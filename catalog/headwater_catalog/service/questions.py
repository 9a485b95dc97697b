"""The questions that programs may ask: what each takes, how it is answered, and what its answer looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import FRESHNESS
from headwater_catalog.service import _answers
from headwater_catalog.service._kinds import Choice, Flag, Number, Parameter, Text
from headwater_catalog.store import WANTS, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater_catalog.service.shapes import Shape

__all__ = ["QUESTIONS", "SAMPLE", "Question"]

_LARGEST_ANSWER = 10_000
_DEEPEST = 100

_TABLE = Text("name", "A table, chart or dashboard by any of its names.", must=True)
_DEPTH = Number("depth", "Steps away.", _DEEPEST, _DEEPEST)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question.

    Args:
        path: Below ``/api/v1``.
        about: What it tells, in one sentence.
        parameters: What it takes.
        ask: Answers it; parameters are passed by name.
        answer: What the answer looks like.
    """

    path: str
    about: str
    parameters: tuple[Parameter, ...] = ()
    ask: Callable[..., dict[str, Any]]
    answer: Shape


def _column(about: str) -> Text:
    return Text("column", about, lower=True)


def _limit(about: str, default: int, most: int = _LARGEST_ANSWER) -> Number:
    return Number("limit", f"{about}; `cut` says that there are more.", default, most)


def _search(reader: Reader, *, q: str, **narrowed: Any) -> dict[str, Any]:
    return reader.search(q, **narrowed)


QUESTIONS = (
    Question(
        path="search",
        about="Tables, charts, dashboards and terms that are like a text, the best first, and why each matches.",
        parameters=(
            Text(
                "q",
                "Words of names, columns, docs, owners, domains or tags; a letter may be wrong.",
                must=True,
                longest=200,
            ),
            Text("zone", "Only tables of this zone."),
            Text("owner", "Only tables of this owner."),
            Text("tag", "Only tables with this tag, on themselves or a column, inherited ones included."),
            Text("domain", "Only tables of this domain."),
            Choice("freshness", "Only fresh or stale tables.", ("", *FRESHNESS)),
            Number("limit", "At most so many.", 20, 200),
        ),
        ask=_search,
        answer=_answers.SEARCH,
    ),
    Question(
        path="table",
        about="All that is known of a table.",
        parameters=(_TABLE,),
        ask=Reader.table,
        answer=_answers.TABLE,
    ),
    Question(
        path="history",
        about="What happened to a table: runs, checks, sizes, changes of its columns, edits.",
        parameters=(_TABLE, Number("limit", "At most so many of each.", 50, 1000)),
        ask=Reader.history,
        answer=_answers.HISTORY,
    ),
    Question(
        path="lineage",
        about="The graph around a table or column, as it is or as it was.",
        parameters=(
            _TABLE,
            _column("One of its columns; its path is told column by column."),
            Flag("columns", "Column by column, of all its columns."),
            Choice("direction", "To what it is made of, to what is made of it, or both.", ("both", "up", "down")),
            Number("depth", "Steps away.", 3, _DEEPEST),
            Text("as_of", "As it was: a run's id, a snapshot's id or a time."),
            _limit("At most so many tables, or columns", 1000),
            Flag("neighbours", "Each table says how many tables are beside it."),
        ),
        ask=Reader.lineage,
        answer=_answers.LINEAGE,
    ),
    Question(
        path="impact",
        about="Every table, column, check, chart, dashboard and owner that breaks when a table or column goes.",
        parameters=(_TABLE, _column("One of its columns."), _DEPTH, _limit("At most so many tables and checks", 1000)),
        ask=Reader.impact,
        answer=_answers.IMPACT,
    ),
    Question(
        path="explain",
        about="The very runs, snapshots and files that made a table's rows, or those that a chart shows.",
        parameters=(
            Text("name", "A table by any of its names; a chart or dashboard also by its title.", must=True),
            Text("partition", "Only this partition's rows."),
            _column("Only what this column is made of."),
            _DEPTH,
            _limit("At most so many writes", 200),
        ),
        ask=Reader.explain,
        answer=_answers.EXPLAIN,
    ),
    Question(
        path="run",
        about="All that is known of a run.",
        parameters=(Text("run", "Its id.", must=True),),
        ask=Reader.run,
        answer=_answers.RUN,
    ),
    Question(
        path="health",
        about="How many tables are failing, stale, unowned and so on, and which, the worst first.",
        parameters=(Choice("want", "Only tables that want this.", ("", *WANTS)), _limit("At most so many", 500)),
        ask=Reader.health,
        answer=_answers.HEALTH,
    ),
    Question(
        path="glossary",
        about="The glossary's terms, with how many tables and columns carry each.",
        parameters=(_limit("At most so many", 1000),),
        ask=Reader.glossary,
        answer=_answers.GLOSSARY,
    ),
    Question(
        path="term",
        about="A term of the glossary, and what carries it.",
        parameters=(Text("name", "Its name.", must=True), _limit("At most so many that carry it", 500)),
        ask=Reader.term,
        answer=_answers.TERM,
    ),
    Question(
        path="audit",
        about="What people changed by hand, the newest first.",
        parameters=(Number("limit", "At most so many.", 100, _LARGEST_ANSWER),),
        ask=lambda reader, limit: {"edits": reader.audit(limit)},
        answer=_answers.AUDIT,
    ),
    Question(
        path="user",
        about="Who has a login of their own.",
        ask=lambda reader: {"users": reader.logins()},
        answer=_answers.USERS,
    ),
)

# Asked of Trino and not of the catalog's memory.
SAMPLE = Question(
    path="sample",
    about="Some rows of a table, without its columns of personal data; nothing of them is kept.",
    parameters=(_TABLE,),
    ask=lambda samples, name: samples.rows(name),
    answer=_answers.SAMPLE,
)
