"""What a project's definitions say: tables, columns, docs, owners, checks, and what is made of what. Pure.

That a table reads another is ``declared``. Which column becomes which is ``parsed`` from a SQL body; a function's
columns are seen only when an engine runs it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from headwater.checks import every_check, reading_others
from headwater.ddl import hive_partition_keys, rejects_columns

from headwater_catalog.model import ColumnFacts, Lineage, Origin, Promise, TableFacts
from headwater_catalog.parsed import query_lineage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.project import Project, Source
    from headwater.table import Check, Column, Table

__all__ = ["declared_facts", "files_name"]


def declared_facts(project: Project) -> tuple[TableFacts, ...]:
    """Return every table of a project, and every folder that files are taken from, upstreams first."""
    found: dict[str, TableFacts] = {}
    for table in project.tables:
        if table.files is not None:
            folder = files_name(table.files.folder)
            found.setdefault(
                folder, TableFacts(name=folder, kind="files", doc=f"Files that arrive in {table.files.folder}.")
            )
        found[table.name] = _facts(table, project.sources)
        if table.rejects:
            found[str(table.id.rejected)] = _rejects(table, project.sources)
    return tuple(found.values())


def files_name(folder: str) -> str:
    """Return the name of a folder that raw tables are loaded from."""
    return f"files:{folder}"


def _facts(table: Table, sources: Mapping[str, Source]) -> TableFacts:
    source = sources.get(table.name)
    columns = [ColumnFacts(one.name, one.type, one.doc, one.tags) for one in table.columns]
    if table.zone == "raw":
        columns += [ColumnFacts(one.name, table.types[one.name], one.comment) for one in hive_partition_keys(table)]
    return TableFacts(
        name=table.name,
        doc=table.doc,
        owner=table.owner,
        domain=source.domain if source else "",
        tags=table.tags,
        columns=tuple(columns),
        lineage=tuple(_lineage(table)),
        promises=tuple(_promise(table, one) for one in every_check(table)),
        place=str(source) if source else "",
        code=_code(table),
        fresh_within_hours=table.fresh_within_hours,
    )


def _lineage(table: Table) -> list[tuple[Origin, Lineage]]:
    if table.files is not None:
        return [(Origin.DECLARED, Lineage(target=table.name, sources=(files_name(table.files.folder),)))]
    said = [(Origin.DECLARED, Lineage(target=table.name, sources=tuple(one.name for one in table.upstreams)))]
    if isinstance(table.body, str):
        known = {one.name: tuple(one.types) for one in table.upstreams}
        said.append((Origin.PARSED, query_lineage(table.body, "trino", known, table.name)))
    return said


def _promise(table: Table, check: Check) -> Promise:
    return Promise(
        name=check.name,
        columns=check.columns,
        promise=check.promise,
        blocking=check.blocking,
        reads=tuple(sorted({(table.name, column) for column in check.columns} | _read_by(check, table))),
    )


def _read_by(check: Check, table: Table) -> set[tuple[str, str]]:
    """Return what a check that reads other tables reads of each; where its SQL hides that, the tables alone."""
    sql, others = reading_others(check, table)
    if not others:
        return set()
    read = query_lineage(sql, "trino", {one.name: tuple(one.types) for one in (table, *others)}, "")
    if read.problem or any(one.source_column == "*" for one in read.columns):
        return {(one.name, "") for one in (table, *others)}
    return {(one.source, one.source_column) for one in read.columns}


def _rejects(table: Table, sources: Mapping[str, Source]) -> TableFacts:
    source = sources.get(table.name)
    name = str(table.id.rejected)
    raw = tuple(one.name for one in table.upstreams if one.zone == "raw")
    return TableFacts(
        name=name,
        doc=f"Rows that {table} refused, with the reason, their file, line and text.",
        owner=table.owner,
        domain=source.domain if source else "",
        columns=tuple(
            ColumnFacts(one.name, one.type, one.doc, _rejects_tags(table, one)) for one in rejects_columns(table)
        ),
        lineage=((Origin.DECLARED, Lineage(target=name, sources=raw)),),
        place=str(source) if source else "",
    )


def _rejects_tags(table: Table, column: Column) -> tuple[str, ...]:
    """Return a column's tags: a line as it arrived holds whatever personal data the table has."""
    personal = column.name == "source_text" and any("pii" in one.tags for one in table.columns)
    return (*column.tags, "pii") if personal else column.tags


def _code(table: Table) -> str:
    if isinstance(table.body, str):
        return inspect.cleandoc(table.body)
    try:
        return inspect.getsource(table.body) if table.body is not None else ""
    except (OSError, TypeError):
        return ""  # made at run time, so there is no text
