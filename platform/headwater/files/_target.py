"""The table that rows go to: whether it may be written, and what its columns are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._plan import refuse_other_columns
from headwater.project import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.table import Table as IcebergTable

    from headwater.files._options import Options
    from headwater.profile import Profile
    from headwater.table import TableName

__all__ = ["cut_of", "existing_types", "refuse_declared", "refuse_existing", "refuse_misfit"]


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


def refuse_existing(table: IcebergTable | None, name: TableName, options: Options) -> None:
    """Refuse a table that is there already when the caller did not say what to do with it.

    Raises:
        InputError: It is there.
    """
    if table is None:
        return
    if options.if_exists == "fail":
        raise InputError(f"{name} exists; say --if-exists append or --if-exists replace, or choose another name.")
    cut = cut_of(table)
    if options.partition_by and cut != options.partition_by:
        now = f"partitioned by {cut}" if cut else "not partitioned"
        raise InputError(f"{name} is {now}, which stays; leave --partition-by out, or drop the table first.")


def cut_of(table: IcebergTable | None) -> str:
    """Return the column that cuts a table into partitions, or nothing."""
    if table is None or not table.spec().fields:
        return ""
    return table.schema().find_field(table.spec().fields[0].source_id).name


def refuse_misfit(connection: Any, table: IcebergTable, *, schema: Any, cut: str) -> None:
    """Refuse rows that were made for another state of the table than this one.

    Args:
        connection: DuckDB.
        table: The state that they are to be appended to.
        schema: Their Arrow schema.
        cut: The column that their files are cut by.

    Raises:
        InputError: Their columns, types or partitions are others.
    """
    there, made = existing_types(connection, table), _types(connection, schema)
    refuse_other_columns(made, there)
    for name, kind in made.items():
        if there[name] != kind:
            raise InputError(
                f"Column {name!r} is {there[name].lower()} in the table, but {kind.lower()} in the new rows; another "
                "load made it so meanwhile. Ingest them again."
            )
    if cut_of(table) != cut:
        raise InputError(f"{'.'.join(table.name())} got other partitions meanwhile; ingest the files again.")


def existing_types(connection: Any, table: IcebergTable) -> Mapping[str, str]:
    """Return DuckDB's types of a table's columns."""
    return _types(connection, table.schema().as_arrow())


def _types(connection: Any, schema: Any) -> Mapping[str, str]:
    connection.register("shape", schema.empty_table())
    found = connection.sql("SELECT * FROM shape LIMIT 0")
    return {column: str(kind) for column, kind in zip(found.columns, found.types, strict=True)}
