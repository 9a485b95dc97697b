"""Which crawls ListCrawls is asked for. Pure."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["crawl_filter"]

_FIELDS = {
    "CRAWL_ID": "CrawlId",
    "STATE": "State",
    "START_TIME": "StartTime",
    "END_TIME": "EndTime",
    "DPU_HOUR": "DPUHour",
}
_COMPARES = {
    "GT": operator.gt,
    "GE": operator.ge,
    "LT": operator.lt,
    "LE": operator.le,
    "EQ": operator.eq,
    "NE": operator.ne,
}
_TEXTS = ("CRAWL_ID", "STATE")


def crawl_filter(filters: Sequence[Mapping[str, str]]) -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells whether a crawl, as it is shown, is one that every filter lets through.

    Raises:
        AwsError: A filter lacks a part, or compares a time with what is none (milliseconds since 1970).
    """
    tests = [_test(one) for one in filters]
    return lambda crawl: all(test(crawl) for test in tests)


def _test(given: Mapping[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    try:
        field, compare, text = given["FieldName"], _COMPARES[given["FilterOperator"]], given["FieldValue"]
        factor = 1000 if field.endswith("_TIME") else 1
        wanted: Any = text if field in _TEXTS else float(text) / factor
        name = _FIELDS[field]
    except (KeyError, ValueError) as error:
        raise AwsError("InvalidInputException", f"The filter {dict(given)} is not understood.") from error
    return lambda crawl: crawl[name] is not None and bool(compare(crawl[name], wanted))
