"""What the SQL of a run says of its lineage, where the engine's events bear it out. Pure.

Trino tells which columns a value is made of, but not how, nor what decided about rows; of MERGE and UPDATE it tells
tables alone. Spark tells of the plan that it ran: a view is gone from it, IN has become a join, and an UPDATE makes
every column from itself; a table that was dropped or renamed soon after, or a branch of one, is missing. The statement
says it all as it was meant. It is believed where it reads and writes the very tables that the events name, seen through
views, and knows every column that they do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headwater.table import ZONES

from headwater_catalog._names import parts_of
from headwater_catalog.identity import reference
from headwater_catalog.model import Partaking, View
from headwater_catalog.parsed import lineages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headwater_catalog.model import Lineage, RunFacts

__all__ = ["told_by_sql", "wants_sql"]

_DIALECTS = ("spark", "trino")


def wants_sql(facts: RunFacts) -> bool:
    """Return whether a run has a statement that may be read."""
    about_rows = (facts.inputs or facts.outputs) and len(facts.outputs) <= 1
    return bool(facts.effective and facts.sql and about_rows and _dialect(facts))


def told_by_sql(
    facts: RunFacts,
    bucket: str,
    columns: Mapping[str, Sequence[str]],
    view_of: Callable[[str], View | None] = lambda _: None,
) -> RunFacts:
    """Return a run with the lineage of its statement; as it was where the two do not agree.

    Args:
        facts: Of one written table at most.
        bucket: The lake's.
        columns: The columns of what it reads and writes as far as they are known, by the names of ``facts``.
        view_of: Gives a table or view by its normal name; None for what is not known.
    """
    called = {
        alias: name
        for side in (facts.inputs, facts.outputs)
        for name, part in side.items()
        for alias in _names(part, bucket)
    }
    known = {alias: columns.get(name) or _told(facts, name) for alias, name in called.items()}
    for database in sorted({parts[0] for alias in called if len(parts := parts_of(alias)) == 2}):  # noqa: PLR2004
        found = lineages(facts.sql, _dialect(facts), known, database)
        named = (*found[0].sources, found[0].target) if len(found) == 1 else ()
        seen = {name: view for name in named if name and name not in called and (view := view_of(name))}
        if seen:
            more = {name: view.columns for name, view in seen.items()}
            found = lineages(facts.sql, _dialect(facts), known | more, database)
        if len(found) == 1 and _agree(found[0], facts, called, seen):
            return _told_so(found[0], facts, called)
    return facts


def _dialect(facts: RunFacts) -> str:
    engine = facts.engine.partition(" ")[0].lower()
    return engine if engine in _DIALECTS else ""


def _names(part: Partaking, bucket: str) -> Iterator[str]:
    yield from (reference(alias, bucket).name for alias in part.aliases)


def _told(facts: RunFacts, name: str) -> Sequence[str]:
    """Return the columns that the events tell; of what is read they may be those alone that were."""
    parts = [part for side in (facts.outputs, facts.inputs) if (part := side.get(name))]
    return tuple(one.name for part in parts[:1] for one in part.columns)


def _agree(said: Lineage, facts: RunFacts, called: Mapping[str, str], seen: Mapping[str, View]) -> bool:
    """Return whether a statement is about the tables of the events, and has every column edge that they have."""
    output = called.get(said.target, said.target if said.target in seen else "")
    if said.problem or not output or {output} != {*(facts.outputs or [output])}:
        return False
    if not facts.inputs:
        return all(name in seen or called.get(name) == output for name in said.sources)
    beneath = [table for name in said.sources for table in (seen[name].tables if name in seen else (name,))]
    if {called.get(table, "") for table in beneath} - {output} != {*facts.inputs} - {output}:
        return False
    return bool(seen) or _edges_told(facts, output) <= _edges_said(said, called)


def _edges_said(said: Lineage, called: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Return the ends of a statement's edges; what decides about rows may be told of any column."""
    rows = {(one.source, one.source_column) for one in said.columns if not one.target_column}
    ends = {(called.get(one.source, ""), one.source_column, one.target_column) for one in said.columns}
    return ends | {(called.get(source, ""), column, made) for source, column in rows for made in said.outputs}


def _edges_told(facts: RunFacts, output: str) -> set[tuple[str, str, str]]:
    """Return the ends of the events' edges of values; a plan makes a changed table from itself, which says nothing."""
    return {
        (one.source, one.source_column, one.target_column)
        for one in facts.edges.get(output, ())
        if one.target_column and one.source != output
    }


def _told_so(said: Lineage, facts: RunFacts, called: Mapping[str, str]) -> RunFacts:
    output = called.get(said.target, said.target)
    if said.view and parts_of(said.target)[0] in ZONES:
        return replace(facts, edges={}, inputs={})  # the metastore tells what it is made of, and when that changes
    edges = frozenset(replace(one, source=called.get(one.source, one.source)) for one in said.columns)
    names = [called.get(name, name) for name in said.sources]
    inputs = {name: facts.inputs.get(name) or Partaking(aliases=(name,)) for name in names}
    outputs = facts.outputs or {output: Partaking(aliases=(output,))}
    return replace(facts, edges={output: edges}, inputs=inputs, outputs=outputs)
