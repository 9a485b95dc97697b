"""Where a table's definition and the metastore disagree about its columns, and what would settle it. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.evolve import widens
from headwater.metastores.shapes import LONGEST_COMMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headwater_catalog.model import ColumnFacts

__all__ = ["Difference", "differences", "write_command"]

# Hive's names of a definition's types, where they differ; both Iceberg's clients name the last one differently.
_HIVE = {"long": ("bigint",), "int": ("int", "integer"), "timestamptz": ("timestamp with local time zone", "timestamp")}

_NEXT = "The next write changes it."


@dataclass(frozen=True)
class Difference:
    """One disagreement.

    Args:
        column: Which column.
        what: ``missing`` in the metastore, ``extra`` there, another ``type`` or another ``comment``.
        declared: What the definition says; empty for an extra column.
        there: What the metastore has; empty for a missing column.
        advice: What settles it, in words.
        command: The command that does; empty where only a changed definition will.
    """

    column: str
    what: str
    declared: str
    there: str
    advice: str
    command: str


def differences(
    table: str, place: str, declared: Iterable[ColumnFacts], there: Iterable[ColumnFacts]
) -> tuple[Difference, ...]:
    """Return where a definition and the metastore disagree; the order of columns does not matter.

    Args:
        table: Its name.
        place: File and line of the definition.
        declared: The definition's columns.
        there: The metastore's columns, with Hive's types.
    """
    known = {one.name: one for one in there}
    wanted = {one.name: one for one in declared}
    found = [one for column in wanted.values() for one in _of(table, place, column, known.get(column.name))]
    found += [_extra(table, place, column) for name, column in known.items() if name not in wanted]
    return tuple(found)


def write_command(table: str) -> str:
    """Return the command that writes a table; that of rejects is written with the one that rejects."""
    return f"headwater materialize {shlex.quote(table.removesuffix('__rejected'))} --all-partitions"


def _of(table: str, place: str, declared: ColumnFacts, there: ColumnFacts | None) -> Iterator[Difference]:
    write = write_command(table)
    if there is None:
        yield Difference(declared.name, "missing", declared.type, "", "The next write adds it.", write)
        return
    kind = _declared_type(there.type, declared.type)
    if kind != declared.type:
        raw = table.startswith("raw.")  # its files are only read differently
        fits = raw or widens(kind, declared.type)
        advice = _NEXT if fits else f"It would lose values: declare it {kind} in {_where(place)}."
        yield Difference(declared.name, "type", declared.type, kind, advice, write if fits else "")
    if there.doc not in (declared.doc, declared.doc[:LONGEST_COMMENT]):
        yield Difference(declared.name, "comment", declared.doc, there.doc, _NEXT, write)


def _extra(table: str, place: str, there: ColumnFacts) -> Difference:
    name = there.name.replace('"', '""')
    statement = f'ALTER TABLE {table} DROP COLUMN "{name}"'
    advice = f"Declare it in {_where(place)}; or, if nobody needs its values, drop it:"
    return Difference(
        there.name, "extra", "", _declared_type(there.type, ""), advice, f"headwater sql {shlex.quote(statement)}"
    )


def _declared_type(hive: str, declared: str) -> str:
    """Return a definition's name of one of Hive's types."""
    text = hive.lower().replace(", ", ",")
    if text in _HIVE.get(declared, (declared,)):
        return declared
    return next((name for name, known in _HIVE.items() if text == known[0]), text)


def _where(place: str) -> str:
    return place or "its definition"
