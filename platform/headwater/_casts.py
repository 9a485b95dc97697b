"""Which of a SELECT's output types may become which declared column types without a cast in the SQL. Pure."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["cast_problem"]


_FAMILIES: dict[str, frozenset[exp.DType]] = {
    "boolean": frozenset({exp.DType.BOOLEAN}),
    "whole number": frozenset(exp.DataType.INTEGER_TYPES),
    "fraction": frozenset(exp.DataType.REAL_TYPES),
    "text": frozenset(exp.DataType.TEXT_TYPES),
    "date": frozenset({exp.DType.DATE}),
    "timestamp": frozenset(
        {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ}
    ),
    "binary": frozenset({exp.DType.BINARY, exp.DType.VARBINARY}),
    "nested": frozenset(exp.DataType.NESTED_TYPES),
}

# Declared type -> families that every engine casts to it alike. A fraction is missing from the whole numbers
# because Trino rounds it where Spark cuts it off.
_ACCEPTS: dict[str, frozenset[str]] = {
    "boolean": frozenset({"boolean", "text"}),
    "int": frozenset({"whole number", "text", "boolean"}),
    "long": frozenset({"whole number", "text", "boolean"}),
    "float": frozenset({"whole number", "fraction", "text"}),
    "double": frozenset({"whole number", "fraction", "text"}),
    "decimal": frozenset({"whole number", "fraction", "text"}),
    "string": frozenset({"text", "whole number", "boolean", "date"}),
    "date": frozenset({"date", "timestamp", "text"}),
    "timestamp": frozenset({"timestamp", "date", "text"}),
    "timestamptz": frozenset({"timestamp", "date", "text"}),
    "binary": frozenset({"binary"}),
}


def cast_problem(found: exp.DataType | None, declared: str) -> str:
    """Return why an output of one type cannot become a column of another, or nothing when it can.

    A type that sqlglot cannot tell is let through: the engine judges it.
    """
    family = next((name for name, types in _FAMILIES.items() if found is not None and found.this in types), "")
    if found is None or not family or family in _ACCEPTS[declared.partition("(")[0]]:
        return ""
    return f"it is {found.sql('trino').lower()}, but the column is declared {declared}; write the cast that you mean"
