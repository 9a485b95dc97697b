"""Asks a table's checks in as few statements as possible, and judges the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headwater import _select
from headwater._kinds import BROKEN, STAGED, Kind
from headwater._set_kinds import kinds_of
from headwater.dialects import Dialect, dialect_named
from headwater.errors import DefinitionError
from headwater.layout import RelationFor, relation_name

if TYPE_CHECKING:
    from headwater._literals import Literal
    from headwater.table import Table

__all__ = ["CheckPlan", "CheckResult", "Question", "Rows", "judge", "plan", "run_checks"]

# What a statement returned: one mapping of column name to value per row.
Rows = Sequence[Mapping[str, Any]]

# The statement that all checks share which one scan can answer.
SCAN = "scan"
_HIDDEN = "(hidden)"
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How one check came out.

    Args:
        check: The check's name.
        promise: What holds when it passes, in words.
        passed: Whether no row broke it.
        blocking: Whether a failure stops the publish.
        broken: Rows that broke it (for ``row_count``: rows missing or too many).
        columns: The columns that the check is about; empty when it is about whole rows.
        rows: Some of the rows that broke it, with personal data hidden.
        total: Rows that were checked.
        whole: Whether it is about the number of rows, not about single ones.
    """

    check: str
    promise: str
    passed: bool
    blocking: bool
    broken: int
    columns: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    total: int = 0
    whole: bool = False

    def __str__(self) -> str:
        """Return one sentence, without a full stop."""
        if self.passed:
            return f"{self.check} holds: {self.promise}"
        if self.whole:
            return f"{self.check} is broken: it promises that {self.promise}, but there are {self.total:,}"
        said = f"{self.check} is broken ({self.broken:,} of {self.total:,} rows): it promises that {self.promise}"
        shown = "; ".join(self._told(row) for row in self.rows[:_SHOWN])
        return f"{said}, but there is {shown}" if shown else said

    def _told(self, row: Mapping[str, Any]) -> str:
        wanted = [name for name in self.columns if name in row] or list(row)[:_SHOWN]
        return ", ".join(f"{name}={row[name]!r}" for name in wanted)


@dataclass(frozen=True)
class Question:
    """One check of a plan.

    Args:
        check: The check.
        statement: Key of the statement that counts its broken rows.
        column: The column of that statement's one row that holds the count.
        sample: The statement that shows broken rows.
    """

    check: Kind
    statement: str
    column: str
    sample: str


@dataclass(frozen=True)
class CheckPlan:
    """The statements that answer a table's checks.

    Args:
        table: The table.
        statements: In an engine's dialect, by key; each returns one row. ``scan`` also counts all rows as ``_rows``.
        questions: One per check, in order.
    """

    table: Table
    statements: Mapping[str, str]
    questions: tuple[Question, ...]


def plan(
    table: Table,
    relation: str,
    dialect: str,
    partition_values: Sequence[Literal] = (),
    relation_for: RelationFor | None = None,
) -> CheckPlan:
    """Return the statements that answer all checks of a table.

    Args:
        table: Whose checks.
        relation: The staged rows, in the engine's own quoting.
        dialect: The engine's.
        partition_values: The partitions being written; empty for the whole table.
        relation_for: Names of other tables in the engine; ``sqlbody.relation_name`` when absent.

    Raises:
        DefinitionError: A check cannot be asked on that engine.
    """
    writer = _Writer(table, relation, dialect_named(dialect), relation_for)
    kinds = kinds_of(table, partition_values)
    measures = {kind: kind.measure(table) for kind in kinds}
    asked = ['count(*) AS "_rows"']
    statements: dict[str, str] = {}
    questions = []
    for number, kind in enumerate(kinds):
        statement, column = (SCAN, f"_{number}") if measures[kind] else (kind.name, BROKEN.strip('"'))
        if measures[kind]:
            asked.append(f'{measures[kind]} AS "{column}"')
        else:
            statements[statement] = writer.write(kind.count(table), kind)
        questions.append(Question(kind, statement, column, writer.write(kind.sample(table), kind)))
    scan = writer.write(f"SELECT {', '.join(asked)} FROM {STAGED}")  # noqa: S608 - made of quoted parts
    return CheckPlan(table, MappingProxyType({SCAN: scan, **statements}), tuple(questions))


@dataclass(frozen=True)
class _Writer:
    """Writes the statements of one plan for its engine."""

    table: Table
    relation: str
    dialect: Dialect
    relation_for: RelationFor | None

    def write(self, sql: str, kind: Kind | None = None) -> str:
        others = kind.reads(self.table) if kind else ()
        names = {other.name: self._name(other) for other in others}
        try:
            tree = _select.resolve_staged(sql, STAGED, self.table.types, {other.name: other.types for other in others})
            for problem in _select.missing_from(sql, tree, self.dialect):
                raise problem
            return _select.render(tree, self.dialect, {**names, f"{STAGED}.{STAGED}": self.relation})
        except _select.SelectError as error:
            said = f"check {kind.name!r}, {error.sentence()}" if kind else error.sentence()
            raise DefinitionError(f"Table {self.table}: {said}") from error

    def _name(self, other: Table) -> str:
        return self.relation_for(other) if self.relation_for else relation_name(other.id, self.dialect.name)


def judge(
    plan: CheckPlan,
    answers: Mapping[str, Rows],
    samples: Mapping[str, Rows] = MappingProxyType({}),
) -> tuple[CheckResult, ...]:
    """Return one result per check.

    Args:
        plan: What was asked.
        answers: The one row that each of the plan's statements returned, by the statement's key.
        samples: Rows that a check's sample statement returned, by the check's name.
    """
    total = int(answers[SCAN][0]["_rows"])
    results = []
    for question in plan.questions:
        check = question.check
        broken = int(answers[question.statement][0][question.column] or 0)
        results.append(
            CheckResult(
                check=check.name,
                promise=check.promise,
                passed=broken == 0,
                blocking=check.blocking,
                broken=broken,
                columns=check.columns,
                rows=_shown(plan.table, samples.get(check.name, ())),
                total=total,
                whole=check.whole,
            ),
        )
    return tuple(results)


def run_checks(
    table: Table,
    relation: str,
    dialect: str,
    run: Callable[[str], Rows],
    *,
    partition_values: Sequence[Literal] = (),
    relation_for: RelationFor | None = None,
) -> tuple[CheckResult, ...]:
    """Ask all checks of a table and return one result per check.

    Args:
        table: Whose checks.
        relation: The staged rows, in the engine's own quoting.
        dialect: The engine's.
        run: Runs a statement and returns its rows.
        partition_values: The partitions being written; empty for the whole table.
        relation_for: Names of other tables in the engine; ``sqlbody.relation_name`` when absent.

    Raises:
        DefinitionError: A check cannot be asked on that engine.
    """
    asked = plan(table, relation, dialect, partition_values, relation_for)
    answers = {key: run(statement) for key, statement in asked.statements.items()}
    failed = {result.check for result in judge(asked, answers) if not result.passed}
    samples = {
        question.check.name: run(question.sample) for question in asked.questions if question.check.name in failed
    }
    return judge(asked, answers, samples)


def _shown(table: Table, rows: Rows) -> tuple[Mapping[str, Any], ...]:
    hidden = {column.name for column in table.columns if "pii" in column.tags}
    return tuple({name: _HIDDEN if name in hidden else value for name, value in row.items()} for row in rows)
