"""Hive's statements, done on the box's Glue: databases, tables, partitions, SHOW and DESCRIBE."""

from __future__ import annotations

import fnmatch
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater_aws_api.athena._execution import Table
from headwater_aws_api.athena._hive_repair import partition_folders
from headwater_aws_api.athena._hive_show import create_statement, description
from headwater_aws_api.athena._hive_table import columns_of, read_create_table, trino_type
from headwater_aws_api.athena._hive_words import Reader
from headwater_aws_api.athena._sql import refused
from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from headwater_aws_api.protocol import Operations

__all__ = ["Hive"]

_NOTHING = Table()
_ICEBERG = "ICEBERG"


class Hive:
    """What does them.

    Args:
        glue: Glue's operations.
        trino: Runs a statement of Trino's, for what only it can do.
        files: Lists the objects below a place.
    """

    def __init__(self, glue: Operations, trino: Callable[[str], None], files: Callable[[str], Iterable[str]]) -> None:
        self._glue = glue
        self._trino = trino
        self._files = files
        self._handlers: Mapping[str, Callable[[Reader], Table]] = {
            "CREATE EXTERNAL TABLE": self._create_table,
            "CREATE TABLE": self._create_table,
            "CREATE DATABASE": self._create_database,
            "CREATE SCHEMA": self._create_database,
            "DROP DATABASE": self._drop_database,
            "DROP SCHEMA": self._drop_database,
            "DROP TABLE": self._drop_table,
            "ALTER TABLE": self._alter_table,
            "MSCK REPAIR TABLE": self._repair,
            "SHOW DATABASES": self._show_databases,
            "SHOW SCHEMAS": self._show_databases,
            "SHOW TABLES": self._show_tables,
            "SHOW VIEWS": self._show_views,
            "SHOW COLUMNS": self._show_columns,
            "SHOW PARTITIONS": self._show_partitions,
            "SHOW CREATE TABLE": self._show_create,
            "SHOW TBLPROPERTIES": self._show_properties,
            "DESCRIBE": self._describe,
            "DESC": self._describe,
        }
        self._changes: Mapping[str, Callable[[Reader, dict[str, str]], Table]] = {
            "ADD IF NOT EXISTS": partial(self._add_partitions, optional=True),
            "ADD COLUMNS": partial(self._change_columns, add=True),
            "REPLACE COLUMNS": partial(self._change_columns, add=False),
            "ADD": partial(self._add_partitions, optional=False),
            "DROP COLUMN": self._drop_column,
            "DROP": self._drop_partitions,
            "SET TBLPROPERTIES": self._set_properties,
            "SET LOCATION": self._set_location,
            "PARTITION": self._change_partition,
        }

    def __call__(self, sql: str, database: str) -> Table:
        """Do a statement and return what it tells.

        Raises:
            AwsError: It is not understood, or Glue refused what it asks for.
        """
        reader = Reader(sql, database)
        for words, handle in self._handlers.items():
            if reader.maybe(words):
                return handle(reader)
        raise refused(f"Queries of this type are not supported: {sql.strip()[:80]}.")

    def _create_table(self, reader: Reader) -> Table:
        new = read_create_table(reader.sql, reader.database)
        if new.input is None:
            optional = "IF NOT EXISTS " if new.optional else ""
            self._trino(f'CREATE TABLE {optional}iceberg."{new.database}"."{new.name}" {new.iceberg}')
            return _NOTHING
        with _unless(new.optional, "AlreadyExistsException"):
            self._glue["CreateTable"]({"DatabaseName": new.database, "TableInput": new.input})
        return _NOTHING

    def _create_database(self, reader: Reader) -> Table:
        optional = reader.maybe("IF NOT EXISTS")
        given: dict[str, Any] = {"Name": reader.name()}
        if reader.maybe("COMMENT"):
            given["Description"] = reader.text()
        if reader.maybe("LOCATION"):
            given["LocationUri"] = reader.text().rstrip("/")
        if reader.maybe("WITH DBPROPERTIES"):
            given["Parameters"] = reader.pairs()
        reader.end()
        with _unless(optional, "AlreadyExistsException"):
            self._glue["CreateDatabase"]({"DatabaseInput": given})
        return _NOTHING

    def _drop_database(self, reader: Reader) -> Table:
        optional, name = reader.maybe("IF EXISTS"), reader.name()
        cascade = reader.maybe("CASCADE") or (reader.maybe("RESTRICT") and False)
        reader.end()
        with _unless(optional, "EntityNotFoundException"):
            held = self._glue["GetTables"]({"DatabaseName": name, "MaxResults": 1})["TableList"]
            if held and not cascade:
                raise AwsError("InvalidRequestException", f"Database {name} is not empty. One or more tables exist.")
            self._glue["DeleteDatabase"]({"Name": name})
        return _NOTHING

    def _drop_table(self, reader: Reader) -> Table:
        optional, (database, name) = reader.maybe("IF EXISTS"), reader.table()
        reader.end()
        with _unless(optional, "EntityNotFoundException"):
            where = {"DatabaseName": database, "Name": name}
            found = self._glue["GetTable"](where)["Table"]
            if _is_iceberg(found):
                self._trino(f'DROP TABLE iceberg."{database}"."{name}"')
            else:
                self._glue["DeleteTable"](where)
        return _NOTHING

    def _alter_table(self, reader: Reader) -> Table:
        database, name = reader.table()
        where = {"DatabaseName": database, "TableName": name}
        for words, change in self._changes.items():
            if reader.maybe(words):
                change(reader, where)
                return _NOTHING
        raise refused(f"FAILED: ParseException: ALTER TABLE cannot do this: {reader.sql.strip()[:200]}")

    def _change_partition(self, reader: Reader, where: dict[str, str]) -> Table:
        values = self._values(where, reader.pairs())
        if reader.maybe("RENAME TO PARTITION"):
            return self._rename_partition(where, values, self._values(where, reader.pairs()))
        reader.must("SET LOCATION")
        return self._set_location(reader, where, values)

    def _add_partitions(self, reader: Reader, where: dict[str, str], *, optional: bool) -> Table:
        table = self._table(where)
        wanted = []
        while not reader.ended:
            reader.must("PARTITION")
            pairs = reader.pairs()
            values = self._values(where, pairs)
            default = "/".join([table["StorageDescriptor"]["Location"].rstrip("/"), *map("=".join, pairs.items())])
            place = reader.text() if reader.maybe("LOCATION") else default
            wanted.append({"Values": values, "StorageDescriptor": {**table["StorageDescriptor"], "Location": place}})
        for one in wanted:
            with _unless(optional, "AlreadyExistsException"):
                self._glue["CreatePartition"]({**where, "PartitionInput": one})
        return _NOTHING

    def _drop_partitions(self, reader: Reader, where: dict[str, str]) -> Table:
        optional = reader.maybe("IF EXISTS")
        while not reader.ended:
            reader.must("PARTITION")
            values = self._values(where, reader.pairs())
            reader.maybe(",")
            with _unless(optional, "EntityNotFoundException"):
                self._glue["DeletePartition"]({**where, "PartitionValues": values})
        return _NOTHING

    def _rename_partition(self, where: dict[str, str], former: list[str], values: list[str]) -> Table:
        found = self._glue["GetPartition"]({**where, "PartitionValues": former})["Partition"]
        given = {"Values": values, **{name: found[name] for name in ("StorageDescriptor", "Parameters")}}
        self._glue["UpdatePartition"]({**where, "PartitionValueList": former, "PartitionInput": given})
        return _NOTHING

    def _set_location(self, reader: Reader, where: dict[str, str], values: list[str] | None = None) -> Table:
        place = reader.text().rstrip("/")
        reader.end()
        if values is None:
            table = self._table(where)
            self._update(where, StorageDescriptor={**table["StorageDescriptor"], "Location": place})
            return _NOTHING
        found = self._glue["GetPartition"]({**where, "PartitionValues": values})["Partition"]
        storage = {**found["StorageDescriptor"], "Location": place}
        given = {"Values": values, "StorageDescriptor": storage, "Parameters": found["Parameters"]}
        self._glue["UpdatePartition"]({**where, "PartitionValueList": values, "PartitionInput": given})
        return _NOTHING

    def _set_properties(self, reader: Reader, where: dict[str, str]) -> Table:
        given = reader.pairs()
        reader.end()
        table = self._table(where)
        if _is_iceberg(table):
            raise refused(
                f"{where['TableName']} is an Iceberg table; its properties are changed with Spark or PyIceberg."
            )
        self._update(where, Parameters={**table.get("Parameters", {}), **given})
        return _NOTHING

    def _change_columns(self, reader: Reader, where: dict[str, str], *, add: bool) -> Table:
        table, definitions = self._table(where), reader.bracket()
        reader.end()
        wanted = _definitions(definitions)
        if _is_iceberg(table):
            return self._add_iceberg_columns(where, wanted, add=add)
        new, storage = columns_of(wanted), table["StorageDescriptor"]
        columns = [*storage["Columns"], *new] if add else new
        self._update(where, StorageDescriptor={**storage, "Columns": columns})
        return _NOTHING

    def _add_iceberg_columns(self, where: Mapping[str, str], wanted: Sequence[Any], *, add: bool) -> Table:
        if not add:
            raise refused(f"{where['TableName']} is an Iceberg table, whose columns cannot be replaced.")
        for one in wanted:
            self._trino(f'ALTER TABLE {_iceberg_name(where)} ADD COLUMN "{one.name}" {trino_type(one.args["kind"])}')
        return _NOTHING

    def _drop_column(self, reader: Reader, where: Mapping[str, str]) -> Table:
        column = reader.name()
        reader.end()
        if not _is_iceberg(self._table(where)):
            raise refused(f"{where['TableName']} is no Iceberg table; a column of its files cannot be dropped.")
        self._trino(f'ALTER TABLE {_iceberg_name(where)} DROP COLUMN "{column}"')
        return _NOTHING

    def _repair(self, reader: Reader) -> Table:
        database, name = reader.table()
        reader.end()
        where = {"DatabaseName": database, "TableName": name}
        table = self._table(where)
        keys, place = [one["Name"] for one in table.get("PartitionKeys", ())], table["StorageDescriptor"]["Location"]
        known = {tuple(one["Values"]) for one in self._all("GetPartitions", "Partitions", **where)}
        there = partition_folders(place.rstrip("/"), keys, self._files(place.rstrip("/") + "/")) if keys else {}
        added = []
        for values, folder in sorted(there.items()):
            if values not in known:
                wanted = {"Values": [*values], "StorageDescriptor": {**table["StorageDescriptor"], "Location": folder}}
                with _unless(True, "AlreadyExistsException"):  # noqa: FBT003 - somebody else may repair it, too
                    self._glue["CreatePartition"]({**where, "PartitionInput": wanted})
                added.append(f"Repair: Added partition to metastore {name}:{folder.removeprefix(place).strip('/')}")
        return Table([("result", "string")], [[line] for line in added])

    def _show_databases(self, reader: Reader) -> Table:
        pattern = self._like(reader)
        found = [one["Name"] for one in self._all("GetDatabases", "DatabaseList")]
        return Table([("database_name", "string")], [[name] for name in found if pattern(name)])

    def _show_tables(self, reader: Reader) -> Table:
        return self._listed(reader, "tab_name", lambda _: True)

    def _show_views(self, reader: Reader) -> Table:
        return self._listed(reader, "views", lambda one: one.get("TableType") == "VIRTUAL_VIEW")

    def _listed(self, reader: Reader, title: str, wanted: Callable[[Mapping[str, Any]], bool]) -> Table:
        database = reader.name() if reader.maybe("IN") or reader.maybe("FROM") else reader.database
        pattern = self._like(reader)
        found = [one for one in self._all("GetTables", "TableList", DatabaseName=database) if wanted(one)]
        return Table([(title, "string")], [[one["Name"]] for one in found if pattern(one["Name"])])

    def _show_columns(self, reader: Reader) -> Table:
        if not reader.maybe("IN"):
            reader.must("FROM")
        database, name = reader.table()
        if reader.maybe("IN") or reader.maybe("FROM"):
            database = reader.name()
        reader.end()
        table = self._table({"DatabaseName": database, "TableName": name})
        columns = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", ())]
        return Table([("field", "string")], [[one["Name"]] for one in columns])

    def _show_partitions(self, reader: Reader) -> Table:
        database, name = reader.table()
        reader.end()
        where = {"DatabaseName": database, "TableName": name}
        keys = [one["Name"] for one in self._table(where).get("PartitionKeys", ())]
        if not keys:
            raise refused(f"FAILED: SemanticException: Table {name} is not a partitioned table")
        found = self._all("GetPartitions", "Partitions", **where)
        said = ["/".join(f"{key}={value}" for key, value in zip(keys, one["Values"], strict=True)) for one in found]
        return Table([("partition", "string")], [[text] for text in said])

    def _show_create(self, reader: Reader) -> Table:
        database, name = reader.table()
        reader.end()
        table = self._table({"DatabaseName": database, "TableName": name})
        return Table([("createtab_stmt", "string")], [[line] for line in create_statement(table)])

    def _show_properties(self, reader: Reader) -> Table:
        database, name = reader.table()
        wanted = reader.bracket().strip().strip("'\"") if not reader.ended else None
        found = self._table({"DatabaseName": database, "TableName": name}).get("Parameters", {})
        rows = [[f"{key}\t{value}"] for key, value in sorted(found.items()) if wanted in (None, key)]
        return Table([("prpt_name", "string"), ("prpt_value", "string")], rows)

    def _describe(self, reader: Reader) -> Table:
        formatted = reader.maybe("FORMATTED") or reader.maybe("EXTENDED")
        database, name = reader.table()
        reader.end()
        table = self._table({"DatabaseName": database, "TableName": name})
        columns = [("col_name", "string"), ("data_type", "string"), ("comment", "string")]
        return Table(columns, [[line] for line in description(table, formatted=formatted)])

    def _table(self, where: Mapping[str, str]) -> dict[str, Any]:
        given = {"DatabaseName": where["DatabaseName"], "Name": where["TableName"]}
        found: dict[str, Any] = self._glue["GetTable"](given)["Table"]
        return found

    def _update(self, where: Mapping[str, str], **changes: Any) -> None:
        table = self._table(where)
        kept = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType",
                "ViewOriginalText", "ViewExpandedText", "Parameters")  # fmt: skip
        given = {name: table[name] for name in kept if name in table} | changes
        change = {"DatabaseName": where["DatabaseName"], "TableInput": given, "VersionId": table["VersionId"]}
        self._glue["UpdateTable"](change)

    def _values(self, where: Mapping[str, str], pairs: Mapping[str, str]) -> list[str]:
        """Return a partition's values in the order of the table's keys."""
        keys = [one["Name"] for one in self._table(where).get("PartitionKeys", ())]
        given = {name.lower(): value for name, value in pairs.items()}
        if set(keys) != set(given):
            raise refused(
                f"FAILED: SemanticException: {where['TableName']} is partitioned by {', '.join(keys) or 'nothing'}, "
                f"not by {', '.join(given)}"
            )
        return [given[key] for key in keys]

    def _all(self, operation: str, key: str, **given: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = self._glue[operation]({**given, **({"NextToken": token} if token else {})})
            found += page[key]
            token = page.get("NextToken")
            if token is None:
                return found

    @staticmethod
    def _like(reader: Reader) -> Callable[[str], bool]:
        if reader.ended:
            return lambda _: True
        reader.maybe("LIKE")
        patterns = reader.text().lower().split("|")
        reader.end()
        return lambda name: any(fnmatch.fnmatchcase(name, one) for one in patterns)


def _is_iceberg(table: Mapping[str, Any]) -> bool:
    return str(table.get("Parameters", {}).get("table_type", "")).upper() == _ICEBERG


def _iceberg_name(where: Mapping[str, str]) -> str:
    return f'iceberg."{where["DatabaseName"]}"."{where["TableName"]}"'


def _definitions(text: str) -> list[Any]:
    from sqlglot import parse_one  # noqa: PLC0415 - slow to import
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        tree: Any = parse_one(f"CREATE EXTERNAL TABLE t ({text})", dialect="athena")
    except SqlglotError as error:
        raise refused(f"FAILED: ParseException: {str(error).splitlines()[0]}") from error
    found: list[Any] = tree.this.expressions
    return found


@contextmanager
def _unless(optional: bool, code: str) -> Iterator[None]:  # noqa: FBT001 - what IF EXISTS says
    """Let one kind of refusal pass, where the statement says so."""
    try:
        yield
    except AwsError as error:
        if not optional or error.code != code:
            raise
