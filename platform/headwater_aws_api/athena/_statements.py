"""What a statement is and what it becomes on the box's Trino. Pure.

Athena speaks two languages: Hive's for most of DDL, Trino's for the rest. What is Hive's is done on the Glue side
(``_ddl.py``); what is Trino's goes to Trino, with names and properties as it calls them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from headwater_aws_api.athena._sql import refused, replaced, split_at_commas, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headwater_aws_api.athena._sql import Word

__all__ = ["Context", "Kind", "Steps", "classified", "for_trino", "with_parameters"]

# What a client calls the box's catalog, in any case; Trino's connector of that role is "iceberg", which redirects to
# "hive" and is redirected to by it, so that one name serves both kinds of tables.
_CATALOG, _CONNECTOR, _HIVE = "awsdatacatalog", "iceberg", "hive"
_FORMATS = ("PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE")
_COMPRESSIONS = ("write_compression", "parquet_compression", "orc_compression", "compression")


@dataclass(frozen=True)
class Kind:
    """What sort of statement one is.

    Args:
        type: ``DML``, ``DDL`` or ``UTILITY``.
        sub: Athena's finer name.
        hive: Whether it is Hive's DDL.
    """

    type: str
    sub: str
    hive: bool = False


@dataclass(frozen=True)
class Context:
    """What a statement's names and places mean.

    Args:
        database: Of names that give none.
        place: Folder for what the statement writes, with a closing slash.
        id: The query's.
    """

    database: str
    place: str
    id: str

    @property
    def output(self) -> str:
        """Where its result goes, without an ending."""
        return f"{self.place}{self.id}"


@dataclass(frozen=True)
class Steps:
    """What Trino is asked.

    Args:
        sql: The statement.
        rows: Whether its rows are the result.
        written: Folder of new files, which a manifest tells of; empty where there is none.
        after: A statement that tidies up, whether or not the first one failed.
        session: Properties of the session.
    """

    sql: str
    rows: bool = False
    written: str = ""
    after: str = ""
    session: Mapping[str, str] = field(default_factory=dict)


_SELECT = Kind("DML", "SELECT")
# What is left of PREPARE and DEALLOCATE, which are done when they come.
_NOTHING = Kind("UTILITY", "PREPARE")
_BY_FIRST = {
    "SELECT": _SELECT,
    "WITH": _SELECT,
    "VALUES": _SELECT,
    "TABLE": _SELECT,
    "(": _SELECT,
    "INSERT": Kind("DML", "INSERT"),
    "UPDATE": Kind("DML", "UPDATE"),
    "DELETE": Kind("DML", "DELETE"),
    "MERGE": Kind("DML", "MERGE"),
    "UNLOAD": Kind("DML", "UNLOAD"),
    "EXPLAIN": Kind("UTILITY", "EXPLAIN"),
    "OPTIMIZE": Kind("DML", "OPTIMIZE"),
    "VACUUM": Kind("DML", "VACUUM"),
    "ANALYZE": Kind("DML", "ANALYZE"),
    "DESCRIBE": Kind("UTILITY", "DESCRIBE", hive=True),
    "DESC": Kind("UTILITY", "DESCRIBE", hive=True),
    "SHOW": Kind("UTILITY", "SHOW", hive=True),
    "MSCK": Kind("DDL", "MSCK_REPAIR", hive=True),
    "ALTER": Kind("DDL", "ALTER", hive=True),
    "DROP": Kind("DDL", "DROP", hive=True),
}
_OBJECTS = ("DATABASE", "SCHEMA", "TABLE", "VIEW")


def classified(sql: str) -> Kind:
    """Return what a statement is.

    >>> classified("select 1")
    Kind(type='DML', sub='SELECT', hive=False)
    >>> classified("CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS x").sub
    'CREATE_TABLE_AS_SELECT'
    >>> classified("CREATE EXTERNAL TABLE `t` (a int) LOCATION 's3://b/t/'").hive
    True

    Raises:
        AwsError: Athena has no such statement.
    """
    words = words_of(sql, "hive" if "`" in sql else "trino")
    if not words:
        return _NOTHING
    first = words[0].upper.partition(" ")[0]  # a word of sqlglot's may be two
    if first == "CREATE":
        return _created(words)
    if first not in _BY_FIRST:
        raise refused(f"Queries of this type are not supported: {words[0].text}.")
    kind = _BY_FIRST[first]
    if kind.sub in ("DROP", "ALTER"):
        what = _object(words)
        return Kind(kind.type, f"{kind.sub}_{what}", hive=what != "VIEW")
    return kind


def for_trino(sql: str, kind: Kind, context: Context) -> Steps:
    """Return what Trino is asked for a statement that is not Hive's.

    Raises:
        AwsError: It cannot be read.
    """
    sql = sql.strip().rstrip(";").strip()
    if kind.sub == "CREATE_TABLE_AS_SELECT":
        return _create_as(sql, context)
    if kind.sub == "UNLOAD":
        return _unload(sql, context)
    if kind.sub in ("OPTIMIZE", "VACUUM"):
        return _maintained(sql, kind, context)
    return Steps(_renamed(sql), rows=kind.type != "DDL" and kind.sub in ("SELECT", "EXPLAIN"))


def with_parameters(sql: str, parameters: Sequence[str]) -> str:
    """Return a statement with every question mark replaced by a literal.

    >>> with_parameters("select ? || '?' where x = ?", ["'a'", "1"])
    "select 'a' || '?' where x = 1"

    Raises:
        AwsError: There are more or fewer of them.
    """
    marks = [word for word in words_of(sql) if word.kind == "PLACEHOLDER"]
    if len(marks) != len(parameters):
        raise refused(f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}.")
    return replaced(sql, [(word.begin, word.end, text) for word, text in zip(marks, parameters, strict=True)])


def _created(words: Sequence[Word]) -> Kind:
    what = _object(words)
    if what == "VIEW":
        return Kind("DDL", "CREATE_VIEW")
    if what in ("DATABASE", "SCHEMA"):
        return Kind("DDL", "CREATE_DATABASE", hive=True)
    if any(word.upper == "EXTERNAL" for word in words[:3]) or _as(words) is None:
        return Kind("DDL", "CREATE_TABLE", hive=True)
    return Kind("DDL", "CREATE_TABLE_AS_SELECT")


def _object(words: Sequence[Word]) -> str:
    found = next((word.upper for word in words[1:5] if word.upper in _OBJECTS), None)
    if found is None:
        raise refused(f"Queries of this type are not supported: {' '.join(word.text for word in words[:3])}.")
    return found


def _as(words: Sequence[Word]) -> int | None:
    """Return the place of the AS before a query."""
    depth = 0
    for place, word in enumerate(words):
        depth += {"(": 1, ")": -1}.get(word.upper, 0)
        if word.upper in ("AS", "ALIAS") and not depth:
            return place
    return None


def _renamed(sql: str) -> str:
    """Return a statement with the box's catalog under the name that Trino has for it."""
    words = words_of(sql)
    return replaced(
        sql,
        [
            (word.begin, word.end, _CONNECTOR)
            for word, dot in pairwise(words)
            if word.text.lower() == _CATALOG and word.kind != "STRING" and dot.upper == "."
        ],
    )


def _name(words: Sequence[Word], place: int, context: Context) -> tuple[str, str, int]:
    """Return database and table at a place, and the place after them."""
    parts = [words[place].text]
    while place + 2 < len(words) and words[place + 1].upper == ".":
        place += 2
        parts.append(words[place].text)
    database = parts[-2] if len(parts) > 1 else context.database
    return database.lower(), parts[-1].lower(), place + 1


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def _full(connector: str, database: str, table: str) -> str:
    return f"{connector}.{_quoted(database)}.{_quoted(table)}"


def _create_as(sql: str, context: Context) -> Steps:
    words = words_of(sql)
    place = next(at for at, word in enumerate(words) if word.upper == "TABLE") + 1
    exists = " ".join(word.upper for word in words[place : place + 3]) == "IF NOT EXISTS"
    database, table, place = _name(words, place + 3 * exists, context)
    as_ = _as(words)
    if as_ is None:
        raise refused("CREATE TABLE needs a list of columns or AS and a query.")
    given = _properties(sql, words[place:as_])
    query = _renamed(sql[words[as_].end :].strip())
    optional = "IF NOT EXISTS " if exists else ""
    if given.pop("table_type", "'HIVE'").strip("'").upper() == "ICEBERG":
        name, properties = _full(_CONNECTOR, database, table), _iceberg(given)
        session, written = dict[str, str](), ""
    else:
        name = _full(_HIVE, database, table)
        properties, session, written = _hive(given, f"{context.place}tables/{context.id}/")
    said = ", ".join(f"{key} = {value}" for key, value in properties.items())
    return Steps(
        f"CREATE TABLE {optional}{name}{f' WITH ({said})' if said else ''} AS {query}",
        written=written,
        session=session,
    )


def _unload(sql: str, context: Context) -> Steps:
    """Write a query's rows as a table that is forgotten at once; an external table's files stay."""
    words = words_of(sql)
    closing = _closing(words, 1)
    after = words[closing + 1 :]
    if len(after) < 2 or after[0].upper != "TO" or after[1].kind != "STRING":  # noqa: PLR2004 - TO and a place
        raise refused("UNLOAD wants (query) TO 's3://...' WITH (format = '...').")
    query, given = _renamed(sql[words[1].end : words[closing].begin].strip()), _properties(sql, after[2:])
    place = after[1].text.rstrip("/") + "/"
    given["external_location"] = _text(place)
    properties, session, written = _hive(given, place)
    name = _full(_HIVE, context.database, f"unload_{context.id.replace('-', '_')}")
    said = ", ".join(f"{key} = {value}" for key, value in properties.items())
    return Steps(
        f"CREATE TABLE {name} WITH ({said}) AS {query}",
        written=written,
        after=f"DROP TABLE IF EXISTS {name}",
        session=session,
    )


def _maintained(sql: str, kind: Kind, context: Context) -> Steps:
    words = words_of(sql)
    database, table, place = _name(words, 1, context)
    name = _full(_CONNECTOR, database, table)
    if kind.sub == "VACUUM":
        return Steps(f"ALTER TABLE {name} EXECUTE expire_snapshots(retention_threshold => '7d')")
    if " ".join(word.upper for word in words[place : place + 4]) != "REWRITE DATA USING BIN_PACK":
        raise refused("OPTIMIZE wants: OPTIMIZE table REWRITE DATA USING BIN_PACK [WHERE predicate].")
    rest = sql[words[place + 3].end :].strip()
    return Steps(f"ALTER TABLE {name} EXECUTE optimize {rest}".rstrip())


def _closing(words: Sequence[Word], place: int) -> int:
    """Return the place of the bracket that closes the one at a place."""
    depth = 0
    for at in range(place, len(words)):
        depth += {"(": 1, ")": -1}.get(words[at].upper, 0)
        if not depth:
            return at
    raise refused("A bracket is not closed.")


def _properties(sql: str, words: Sequence[Word]) -> dict[str, str]:
    """Return the properties of WITH (...), names in lower case, values as written; none without."""
    place = next((at for at, word in enumerate(words) if word.upper == "WITH"), None)
    if place is None:
        return {}
    inside = sql[words[place + 1].end : words[_closing(words, place + 1)].begin]
    found = {}
    for one in split_at_commas(inside):
        name, equals, value = one.partition("=")
        if not equals:
            raise refused(f"A property is name = value, not {one!r}.")
        found[name.strip().lower()] = value.strip()
    return found


def _hive(given: Mapping[str, str], place: str) -> tuple[dict[str, str], dict[str, str], str]:
    """Return Trino's properties of a Hive table, of the session, and where its files lie."""
    wanted = dict(given)
    kind = wanted.pop("format", "'PARQUET'").strip("'").upper()
    if kind not in _FORMATS:
        raise refused(f"format is {kind!r}; there are {', '.join(_FORMATS)}.")
    located = wanted.pop("external_location", _text(place)).strip("'").rstrip("/") + "/"
    found = {"format": _text(kind), "external_location": _text(located)}
    codec = [wanted.pop(name) for name in _COMPRESSIONS if name in wanted]
    for name in ("partitioned_by", "bucketed_by", "bucket_count"):
        if name in wanted:
            found[name] = wanted.pop(name)
    if "field_delimiter" in wanted:
        found["textfile_field_separator"] = wanted.pop("field_delimiter")
    if wanted:
        raise refused(f"Unsupported table properties: {', '.join(sorted(wanted))}.")
    session = {"hive.compression_codec": codec[0].strip("'").upper()} if codec else {}
    return found, session, located


def _iceberg(given: Mapping[str, str]) -> dict[str, str]:
    """Return Trino's properties of an Iceberg table."""
    passed = {name: given[name] for name in ("format", "location", "partitioning") if name in given}
    if "location" in passed:
        passed["location"] = _text(passed["location"].strip("'").rstrip("/"))
    # What Athena wants said, and what it does at other times.
    silent = {"is_external", *_COMPRESSIONS}
    unknown = [name for name in given if name not in {*passed, *silent} and not re.match("(vacuum|optimize)_", name)]
    if unknown:
        raise refused(f"Unsupported table properties: {', '.join(sorted(unknown))}.")
    return passed


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
