"""How the engines' SQL differs, as data: type names, quoting, what a dialect lacks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ATHENA", "DIALECTS", "SPARK", "TRINO", "Dialect", "dialect_named", "identifier", "quoted"]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One engine's SQL.

    Args:
        name: ``trino``, ``spark`` or ``athena``.
        quote: The character around identifiers in a query.
        escapes: What must not stand in a statement as it is.
        ddl_quote: The same in CREATE TABLE, where it differs.
        ddl_escapes: What characters become within a text of CREATE TABLE.
        types: Type name in a query, by the head of a column's type (``decimal`` keeps its precision and scale).
        ddl_types: The same in CREATE TABLE, where it differs.
        ddl_missing_types: Types that its CREATE TABLE cannot make, though its queries read them.
        missing_functions: Functions of Trino that the engine lacks, with what to write instead.
        missing_constructs: Constructs that it lacks, by sqlglot's class name, with their SQL name.
        columns: Lists a table's columns, each with name, type and comment as its first, second and fourth value;
            ``{0}`` is the zone and ``{1}`` the name. Empty where nobody asks it.
        aggregates: How a profile asks it for what SQL has no common words for, by what is asked; ``{0}`` is a column,
            what follows are numbers. ``frequent`` and ``counts`` give JSON.
    """

    name: str
    types: Mapping[str, str]
    quote: str = '"'
    escapes: Mapping[str, str] = field(default_factory=dict)
    ddl_quote: str = ""
    ddl_escapes: Mapping[str, str] = field(default_factory=lambda: {"'": "''"})
    ddl_types: Mapping[str, str] = field(default_factory=dict)
    ddl_missing_types: frozenset[str] = frozenset()
    missing_functions: Mapping[str, str] = field(default_factory=dict)
    missing_constructs: Mapping[str, str] = field(default_factory=dict)
    columns: str = ""
    aggregates: Mapping[str, str] = field(default_factory=dict)

    def type_name(self, column_type: str, *, ddl: bool = False) -> str:
        """Return the engine's name of a column type, e.g. ``bigint`` for ``long``."""
        head, bracket, rest = column_type.partition("(")
        names = {**self.types, **self.ddl_types} if ddl else self.types
        return f"{names[head]}{bracket}{rest}"

    def quoted(self, name: str, *, ddl: bool = False) -> str:
        """Return an identifier in the engine's quotes."""
        quote = (ddl and self.ddl_quote) or self.quote
        return f"{quote}{name.replace(quote, quote * 2)}{quote}"

    def ddl_text(self, text: str) -> str:
        """Return a text as a literal of CREATE TABLE."""
        return "'" + "".join(self.ddl_escapes.get(character, character) for character in text) + "'"


_TRINO_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP(6)",
    "timestamptz": "TIMESTAMP(6) WITH TIME ZONE",
    "binary": "VARBINARY",
    "decimal": "DECIMAL",
}

_SPARK_TYPES = {
    **_TRINO_TYPES,
    "int": "INT",
    "float": "FLOAT",
    "string": "STRING",
    "timestamp": "TIMESTAMP_NTZ",
    "timestamptz": "TIMESTAMP",
    "binary": "BINARY",
}

# Hive's family escapes within a text where standard SQL doubles the quote.
_BACKSLASHES = {"\\": "\\\\", "'": "\\'"}

# Athena creates tables with Hive's type names and queries them with Trino's.
_ATHENA_DDL_TYPES = {"int": "INT", "float": "FLOAT", "string": "STRING", "timestamp": "TIMESTAMP", "binary": "BINARY"}

# Names that sqlglot passes on as they are, and Spark does not know or means otherwise.
_SPARK_LACKS = {
    "at_timezone": "timestamps in UTC",
    "checksum": "count and sum",
    "codepoint": "a table of codes",
    "format_datetime": "date_format(x, '%Y-%m')",
    "normalize": "a Spark function body",
    "time_to_unix": "date_diff('second', ...)",  # to_unixtime: Spark cuts the fraction off
    "typeof": "the declared types",
    "year_of_week": "year",
}

# Athena's engine version 3 follows Trino at a distance and AWS publishes no list; these are young in Trino, so they are
# refused until somebody has seen them run there.
_ATHENA_LACKS = {
    "json_table": "json_extract and UNNEST",
    "array_first": "element_at(x, 1)",
    "array_last": "element_at(x, -1)",
    "cosine_distance": "1 - cosine_similarity",
    "dot_product": "reduce over zip_with",
    "euclidean_distance": "sqrt over reduce and zip_with",
}

_TRINO_AGGREGATES = MappingProxyType(
    {
        "distinct": "approx_distinct({0})",
        "frequent": "json_format(CAST(approx_most_frequent({1}, {0}, {2}) AS JSON))",
        "counts": "json_format(CAST(histogram({0}) AS JSON))",
        "text": "substr(CAST({0} AS VARCHAR), 1, {1})",
        "whole": "CAST({0} AS BIGINT)",
        "date": "date_diff('day', DATE '1970-01-01', {0})",
        "timestamp": "to_unixtime({0})",
        "timestamptz": "to_unixtime({0})",
    }
)
_SPARK_AGGREGATES = MappingProxyType(
    {
        "distinct": "approx_count_distinct({0}, 0.025)",
        "frequent": "to_json(approx_top_k({0}, {1}, {2}))",
        "counts": "to_json(approx_top_k({0}, {1}, 1024))",  # exact: there are fewer bins than it keeps
        "text": "substr(CAST({0} AS STRING), 1, {1})",
        "whole": "CAST({0} AS BIGINT)",
        "date": "unix_date({0})",
        "timestamp": "unix_micros(CAST({0} AS TIMESTAMP)) / 1000000E0",
        "timestamptz": "unix_micros({0}) / 1000000E0",
    }
)

# Athena's own DESCRIBE is Hive's: lines for people, in Hive's types.
_ATHENA_COLUMNS = (
    "SELECT column_name, data_type, extra_info, comment FROM information_schema.columns "
    "WHERE table_schema = '{0}' AND table_name = '{1}' ORDER BY ordinal_position"
)

TRINO = Dialect(
    name="trino",
    types=MappingProxyType(_TRINO_TYPES),
    columns='DESCRIBE "{0}"."{1}"',
    aggregates=_TRINO_AGGREGATES,
)
SPARK = Dialect(
    name="spark",
    quote="`",
    # Spark puts its own settings in the place of ${...}, even within a text.
    escapes=MappingProxyType({"${": "\\u0024{"}),
    ddl_escapes=MappingProxyType({**_BACKSLASHES, "$": "\\u0024"}),
    types=MappingProxyType(_SPARK_TYPES),
    missing_functions=MappingProxyType(_SPARK_LACKS),
    missing_constructs=MappingProxyType({"AtTimeZone": "AT TIME ZONE of the same meaning"}),
    aggregates=_SPARK_AGGREGATES,
)
ATHENA = Dialect(
    name="athena",
    ddl_quote="`",
    ddl_escapes=MappingProxyType(_BACKSLASHES),
    types=MappingProxyType(_TRINO_TYPES),
    ddl_types=MappingProxyType(_ATHENA_DDL_TYPES),
    ddl_missing_types=frozenset({"timestamptz"}),
    missing_functions=MappingProxyType(_ATHENA_LACKS),
    missing_constructs=MappingProxyType({"JSONTable": "JSON_TABLE"}),
    columns=_ATHENA_COLUMNS,
    aggregates=_TRINO_AGGREGATES,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({entry.name: entry for entry in (TRINO, SPARK, ATHENA)})


def dialect_named(name: str) -> Dialect:
    """Return a dialect by name.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in DIALECTS:
        raise ValueError(f"There is no SQL dialect {name!r}; there are {', '.join(DIALECTS)}.")
    return DIALECTS[name]


def quoted(name: str, dialect: str) -> str:
    """Return a name in a dialect's quotes."""
    return dialect_named(dialect).quoted(name)


def identifier(name: str) -> str:
    """Return a name quoted for Trino, the dialect that all SQL is first written in."""
    return TRINO.quoted(name)
