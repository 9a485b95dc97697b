"""Numbers of JSON with the digits that were written; DuckDB would read long ones as doubles. Pure.

In a text of JSON such numbers become strings with a mark before them, and lose both again where they are taken out.
"""

from __future__ import annotations

from headwater.files._types import lossless, text

__all__ = ["inexact", "marked", "may_round", "unmarked"]

_LONG = r"-?[0-9.]+[eE][-+]?[0-9]+|-?[0-9.]{16,}"
_LONG_VALUE = rf"(?:[:,\[]|\s)({_LONG})"
# Strings are passed over whole, so that digits within them are no numbers.
_STRING_OR_LONG = rf'("(?:[^"\\]|\\.)*")|({_LONG})'
# What no other program puts at the beginning of a text; as such, and as JSON writes it.
_MARK = "chr(1) || chr(2)"
_MARK_IN_JSON = r"\u0001\u0002"
_MARKED = r'"\\u0001\\u0002([^"]*)"'


def may_round(json: str) -> str:
    """Return the SQL condition that DuckDB may read a number in a text of JSON as another than was written.

    A quick question, asked of every row: the numbers that most programs write come back letter by letter.
    """
    return f"len({_unlike(f'regexp_extract_all({json}, {text(_LONG_VALUE)}, 1)')}) > 0"


def _unlike(numbers: str) -> str:
    return f"list_filter({numbers}, lambda n: coalesce(CAST(TRY_CAST(n AS DOUBLE) AS VARCHAR) <> n, TRUE))"


def marked(json: str) -> str:
    """Return the SQL of a text of JSON in which long numbers are marked strings."""
    # chr(1) and chr(2) stand nowhere in JSON as such: here they go around every number, and around nothing after a
    # string.
    around = r"'\1' || chr(1) || '\2' || chr(2)"
    kept = f"regexp_replace(CAST({json} AS VARCHAR), {text(_STRING_OR_LONG)}, {around}, 'g')"
    begun = f"replace(replace({kept}, {_MARK}, ''), chr(1), {text(chr(34) + _MARK_IN_JSON)})"
    return f"CAST(replace({begun}, chr(2), {text(chr(34))}) AS JSON)"


def unmarked(value: str) -> str:
    """Return the SQL of what was taken out of marked JSON, a text or JSON of its own, as it was written."""
    return rf"replace(regexp_replace({value}, {text(_MARKED)}, '\1', 'g'), {_MARK}, '')"


def inexact(value: str) -> str:
    """Return the SQL condition that a value of marked JSON has a number in it that no double gives back."""
    found = f"regexp_extract_all(CAST({value} AS VARCHAR), {text(_MARKED)}, 1)"
    exact = lossless("n", "double", ("number",))
    return f"NOT list_bool_and(list_transform({_unlike(found)}, lambda n: coalesce({exact}, FALSE)))"
