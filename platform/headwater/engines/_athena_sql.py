"""Athena's two languages: Hive's for most of DDL, Trino's for everything else. Pure."""

from __future__ import annotations

import re

__all__ = ["for_athena"]

_FIRST_WORD = re.compile(r"\s*(?:--[^\n]*\n\s*)*([A-Za-z]+)")
_HIVE = frozenset({"ALTER", "CREATE", "DESC", "DESCRIBE", "DROP", "MSCK", "SHOW"})


def for_athena(sql: str) -> str:
    """Return a statement with its names in the quotes that Athena takes there; the rest, and each place, stays.

    >>> for_athena('DROP TABLE "curated"."loan"')
    'DROP TABLE `curated`.`loan`'
    >>> for_athena('CREATE TABLE curated.a AS SELECT "b" FROM raw.c')
    'CREATE TABLE curated.a AS SELECT "b" FROM raw.c'
    """
    first = _FIRST_WORD.match(sql)
    if first is None or first[1].upper() not in _HIVE or '"' not in sql:
        return sql
    import sqlglot  # noqa: PLC0415 - slow to import
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        tokens = sqlglot.tokenize(sql, read="trino")
    except SqlglotError:
        return sql  # Athena says better what is wrong with it
    words = [token.text.upper() for token in tokens]
    # A view and a table made by a query are Trino's.
    if "VIEW" in words[:4] or (words[0] == "CREATE" and "SELECT" in words):
        return sql
    letters = list(sql)
    for token in tokens:
        if letters[token.start] == '"':
            letters[token.start] = letters[token.end] = "`"
    return "".join(letters)
