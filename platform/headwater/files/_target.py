"""The table that rows go to: whether it may be written, and what its columns are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.project import load_project
from headwater.write import ingested_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.files._options import Options
    from headwater.profile import Profile
    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["existing_types", "refuse_declared", "refuse_existing"]


def refuse_declared(name: TableName, profile: Profile) -> None:
    """Refuse a table that a definition of the project declares.

    Raises:
        InputError: One does.
    """
    project = load_project(profile)
    for table in project.tables:
        if name in (table.id, table.id.rejected):
            raise InputError(
                f"{name} belongs to its definition ({project.sources.get(table.name, project.name)}); load it with "
                f"`headwater materialize {table.name}`, or ingest into another name.",
            )


def refuse_existing(stack: Stack, name: TableName, options: Options) -> None:
    """Refuse a table that is there already when the caller did not say what to do with it.

    Raises:
        InputError: It is there.
        WriteError: Its name is taken by something that was not ingested.
    """
    table = ingested_table(stack, name)
    if table is None:
        return
    if options.if_exists == "fail":
        raise InputError(f"{name} exists; say --if-exists append or --if-exists replace, or choose another name.")
    cut = [table.schema().find_field(one.source_id).name for one in table.spec().fields]
    if options.partition_by and cut != [options.partition_by]:
        now = f"partitioned by {cut[0]}" if cut else "not partitioned"
        raise InputError(f"{name} is {now}, which stays; leave --partition-by out, or drop the table first.")


def existing_types(connection: Any, stack: Stack, name: TableName) -> Mapping[str, str] | None:
    """Return DuckDB's types of a table's columns, or None when there is no table."""
    table = ingested_table(stack, name)
    if table is None:
        return None
    connection.register("there", table.schema().as_arrow().empty_table())
    found = connection.sql("SELECT * FROM there LIMIT 0")
    return {column: str(kind) for column, kind in zip(found.columns, found.types, strict=True)}
