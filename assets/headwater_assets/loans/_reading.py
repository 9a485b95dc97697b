"""Turns the text of loan files into typed columns, the same way for both files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.table import Column

from headwater_assets.loans.layout import FileKind, LayoutField, fields_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["FIRST_YEAR", "KEY", "YEAR", "every_field", "text_columns", "typed", "typed_columns", "variants"]

FIRST_YEAR = "1999"
KEY = "loan_sequence_number"
YEAR = Column("year", "int", "Year in which the loan was made.", required=True)

# The field counts that the files of each kind were seen with.
_COUNTS: Mapping[FileKind, tuple[int, ...]] = {"origination": (32, 31), "performance": (32, 35)}
_MONTH_LENGTH = 6
_CENTURY_FROM = 99  # the files begin with 1999
_SPARK = {"long": "bigint"}


def every_field(kind: FileKind) -> tuple[LayoutField, ...]:
    """Return the fields of all layouts of a kind of file, each once."""
    return tuple({field.name: field for count in _COUNTS[kind] for field in fields_for(kind, count)}.values())


def text_columns(kind: FileKind, *, pii: Collection[str] = ()) -> tuple[Column, ...]:
    """Return the raw table's columns: every field as the text that arrived."""
    return tuple(Column(field.name, "string", field.doc, tags=_tags(field, pii)) for field in every_field(kind))


def variants(kind: FileKind) -> tuple[tuple[str, ...], ...]:
    """Return the layouts that have fewer fields than the table has columns."""
    layouts = [fields_for(kind, count) for count in _COUNTS[kind]]
    return tuple(tuple(field.name for field in layout) for layout in layouts if len(layout) < len(every_field(kind)))


def typed_columns(kind: FileKind, *, required: Collection[str], pii: Collection[str] = ()) -> tuple[Column, ...]:
    """Return the typed table's columns, the year last."""
    columns = [
        Column(field.name, _type(field), field.doc, required=field.name in required, tags=_tags(field, pii))
        for field in every_field(kind)
    ]
    return (*columns, YEAR)


def typed(frame: Any, kind: FileKind) -> Any:
    """Return a raw DataFrame's rows typed, missing values as null, with the reason why a row is refused, if any."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - definitions load without Spark

    fields = every_field(kind)
    numbers = tuple(field for field in fields if field.type != "string")
    sources = (YEAR.name, *(name for name in frame.columns if name.startswith("source_")))
    # Step by step, so that nothing is computed twice: the texts that are there, their values, what is wrong with them.
    known = frame.select(*(_known(field, F) for field in fields), *sources)
    values = known.select("*", *(_value(field, F).alias(f"{field.name}__value") for field in numbers))
    wrong = (_wrong(field, F) for field in numbers)
    return values.select(
        *(
            F.col(field.name if field.type == "string" else f"{field.name}__value").alias(field.name)
            for field in fields
        ),
        F.coalesce(*wrong, _foreign(F)).alias("reject_reason"),
        *sources,
    )


def _known(field: LayoutField, F: Any) -> Any:  # noqa: N803 - PySpark's own convention
    text = F.trim(F.col(field.name))
    return F.when(~text.isin("", *field.missing), text).alias(field.name)


def _value(field: LayoutField, F: Any) -> Any:  # noqa: N803
    known = F.col(field.name)
    if field.type != "date_yyyymm":
        return known.try_cast(_SPARK.get(field.type, field.type))
    # Casting 2019-03-01 is several times faster than parsing with a pattern.
    day = F.concat(F.substring(known, 1, 4), F.lit("-"), F.substring(known, 5, 2), F.lit("-01"))
    return F.when(F.length(known) == _MONTH_LENGTH, day.try_cast("date"))


def _wrong(field: LayoutField, F: Any) -> Any:  # noqa: N803
    known, value = F.col(field.name), F.col(f"{field.name}__value")
    said = F.concat(F.lit(f"{field.name} is no {_word(field)}: "), known)
    return F.when(known.isNotNull() & value.isNull(), said)


def _foreign(F: Any) -> Any:  # noqa: N803
    """Return why a row does not belong to its file's year, which its key names: F19Q1... is a loan of 2019."""
    short = F.substring(F.col(KEY), 2, 2).try_cast("int")
    year = F.when(short >= _CENTURY_FROM, short + 1900).otherwise(short + 2000)
    said = F.concat(F.lit(f"{KEY} is not of the file's year: "), F.coalesce(F.col(KEY), F.lit("missing")))
    return F.when(year.isNull() | (year != F.col(YEAR.name)), said)


def _type(field: LayoutField) -> str:
    return "date" if field.type == "date_yyyymm" else field.type


def _word(field: LayoutField) -> str:
    return "month (YYYYMM)" if field.type == "date_yyyymm" else "number"


def _tags(field: LayoutField, pii: Collection[str]) -> tuple[str, ...]:
    return ("pii",) if field.name in pii else ()
