"""Which type a column of text has: rules as SQL over every value. Pure.

A rule never loses anything: the number behind ``00501`` or ``1_000`` is not what was written, so those stay text, and
a fraction becomes a double only where the double gives back its digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "DUCK_TYPES",
    "RULES",
    "Verdict",
    "checked_cast",
    "duck_type",
    "judge",
    "judging_select",
    "lossless",
    "quoted",
    "text",
]

DUCK_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "binary": "BLOB",
}
_WHOLE = r"0|-?[1-9][0-9]{0,37}"
_FRACTION = r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+][0-9]{1,3})?"
_JSON_NUMBER = r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?"
_DECIMAL = r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?"
_NUMBER_LIKE = r"[-+]?[0-9.,_ ]+"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_ZONE = r" ?(Z|[-+][0-9]{2}(:?[0-9]{2})?)"
# A double holds the digits of any number that is so short, unless it is next to nothing.
_SHORT = 15
_TINY = "1e-300"
_MAX_DIGITS = 38


def quoted(name: str) -> str:
    """Return a name in SQL's quotes."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text in SQL's quotes."""
    return "'" + value.replace("'", "''") + "'"


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {text(pattern)})"


def _round_trips(value: str, kind: str) -> str:
    return f"CAST(TRY_CAST({value} AS {kind}) AS VARCHAR) = {value}"


def _is_double(value: str, pattern: str = _FRACTION) -> str:
    made = f"TRY_CAST({value} AS DOUBLE)"
    short = f"(strlen({value}) <= {_SHORT} AND abs({made}) > {_TINY})"
    exact = f"({short} OR {_digits(value)} = {_digits(f'CAST({made} AS VARCHAR)')})"
    return f"({_matches(value, pattern)} AND {exact} AND isfinite({made}))"


def _digits(value: str) -> str:
    """Return the SQL of a number's digits, whatever its sign, its exponent and the zeros at its ends."""
    return f"trim(regexp_replace({value}, '[eE].*|[-.]', '', 'g'), '0')"


def _is_moment(value: str) -> str:
    shaped = f"({_round_trips(value, 'TIMESTAMP')} OR {_matches(value, _MOMENT)})"
    return f"({shaped} AND strlen({value}) > 10 AND TRY_CAST({value} AS TIMESTAMP) IS NOT NULL)"


def _is_decimal(value: str) -> str:
    digits = f"strlen(replace(replace({value}, '-', ''), '.', '')) <= {_MAX_DIGITS}"
    return f"({_matches(value, _DECIMAL)} AND {digits} AND {value} NOT IN ('', '-'))"


# From the narrowest; the first that every value passes is the column's type.
_RULES: Mapping[str, Callable[[str], str]] = {
    "boolean": lambda v: f"(lower({v}) IN ('true', 'false'))",
    "long": lambda v: f"({_round_trips(v, 'BIGINT')})",
    "whole": lambda v: _matches(v, _WHOLE),
    "double": _is_double,
    # As JSON writes a number; there it cannot be anything else.
    "number": lambda v: _is_double(v, _JSON_NUMBER),
    "decimal": _is_decimal,
    "date": lambda v: f"(strlen({v}) = 10 AND {_round_trips(v, 'DATE')})",
    "timestamp": _is_moment,
    "timestamptz": lambda v: f"({_matches(v, _MOMENT + _ZONE)} AND TRY_CAST({v} AS TIMESTAMPTZ) IS NOT NULL)",
}
# Those for text that might be anything.
RULES = tuple(rule for rule in _RULES if rule != "number")


def lossless(value: str, kind: str, rules: Sequence[str] = ()) -> str:
    """Return the SQL condition that a text is written as a type and loses nothing as such.

    Args:
        value: SQL of the text.
        kind: The type.
        rules: Those that the column is judged by; they say whether it holds numbers as JSON writes them.
    """
    head = kind.partition("(")[0]
    if head == "double" and "number" in rules:
        return _RULES["number"](value)
    if head == "string":
        return "TRUE"
    if head == "int":
        return f"({_round_trips(value, 'INTEGER')})"
    if head == "float":
        return f"({_is_double(value)} AND isfinite(TRY_CAST({value} AS FLOAT)))"
    if head == "decimal" and kind != "decimal":
        precision, scale = map(int, re.findall(r"\d+", kind))
        return f"({_is_decimal(value)} AND {_fits(value, precision, scale)})"
    return _RULES[head](value)


def _fits(value: str, precision: int, scale: int) -> str:
    whole = f"strlen(ltrim(split_part(replace({value}, '-', ''), '.', 1), '0')) <= {precision - scale}"
    return f"{whole} AND strlen(rtrim(split_part({value}, '.', 2), '0')) <= {scale}"


def duck_type(kind: str) -> str:
    """Return DuckDB's name of one of our types."""
    return DUCK_TYPES.get(kind, kind.upper())


def checked_cast(value: str, kind: str, mark: str, rules: Sequence[str] = ()) -> str:
    """Return the SQL that makes a text a type, and fails with a mark where the text is not of it."""
    if kind == "string":
        return value
    if kind == "null":
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE error({text(mark)}) END"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN {lossless(value, kind, rules)} "
        f"THEN CAST({value} AS {duck_type(kind)}) ELSE error({text(mark)}) END"
    )


@dataclass(frozen=True)
class Verdict:
    """What a column was found to be.

    Args:
        kind: Its type; ``null`` for one without a value.
        why: In a few words.
        examples: Some of its values.
        alive: The rules that every value passed.
    """

    kind: str
    why: str
    examples: tuple[str, ...]
    alive: tuple[str, ...]


# What is asked of each column besides the rules.
_QUESTIONS = (
    "count({v})",
    "max(strlen(split_part(replace({v}, '-', ''), '.', 1)))",
    "max(strlen(split_part({v}, '.', 2)))",
    "any_value({v}) FILTER (WHERE regexp_full_match({v}, '-?0[0-9]+.*'))",
    "any_value({v}) FILTER (WHERE regexp_full_match({v}, '" + _NUMBER_LIKE + "'))",
    "any_value({v}) FILTER (WHERE NOT regexp_full_match({v}, '" + _NUMBER_LIKE + "'))",
    "min(left({v}, 40))",
    "max(left({v}, 40))",
)


def judging_select(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the aggregates that judge columns.

    Args:
        columns: The rules to try, by the SQL of the column's text.
    """
    asked = []
    for value, rules in columns.items():
        asked += [question.replace("{v}", value) for question in _QUESTIONS]
        passed = (f"{value} IS NULL OR coalesce({_RULES[rule](value)}, FALSE)" for rule in rules)
        asked += [f"coalesce(bool_and({one}), TRUE)" for one in passed]
    return ", ".join(asked)


def judge(columns: Mapping[str, Sequence[str]], row: Sequence[Any]) -> dict[str, Verdict]:
    """Return the verdict on each column from the row that ``judging_select`` gave."""
    found, at = {}, 0
    for value, rules in columns.items():
        facts = row[at : at + len(_QUESTIONS)]
        at += len(_QUESTIONS)
        passed = tuple(rule for rule, ok in zip(rules, row[at : at + len(rules)], strict=True) if ok)
        at += len(rules)
        found[value] = _verdict(passed, facts)
    return found


def _verdict(passed: tuple[str, ...], facts: Sequence[Any]) -> Verdict:
    count, digits, scale, zeros, number, word, low, high = facts
    examples = tuple(dict.fromkeys(value for value in (low, high) if value is not None))
    if not count:
        return Verdict("null", "every row is empty", (), passed)
    for rule in passed:
        kind, why = _named(rule, digits, scale)
        if kind:
            return Verdict(kind, why, examples, passed)
    return Verdict("string", _why_text(zeros, number, word), examples, passed)


def _named(rule: str, digits: int, scale: int) -> tuple[str, str]:
    if rule == "whole":
        return f"decimal({_MAX_DIGITS},0)", "whole numbers beyond 64 bits, exact"
    if rule == "decimal":
        if digits + scale > _MAX_DIGITS:
            return "", ""
        return f"decimal({_MAX_DIGITS},{scale})", "more digits than a double holds, exact"
    return {"number": "double"}.get(rule, rule), _WHY[rule]


_WHY = {
    "boolean": "only true and false",
    "long": "whole numbers",
    "double": "numbers",
    "number": "numbers",
    "date": "ISO dates",
    "timestamp": "ISO dates with time",
    "timestamptz": "ISO dates with time and offset",
}


def _why_text(zeros: str, number: str, word: str) -> str:
    if zeros is not None and word is None:
        return f"leading zeros, as in {zeros[:20]}"
    if number is not None and word is not None:
        return f"numbers and text mixed, as in {number[:20]} and {word[:20]}"
    return "text" if number is None else f"numbers in an ambiguous form, as in {number[:20]}"
