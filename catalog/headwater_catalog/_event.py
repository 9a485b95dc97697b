"""What an OpenLineage event must look like: the public specification 2-0-2, in the terms of a validator."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID  # noqa: TC003 - pydantic looks it up

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = ["DatasetEvent", "Event", "InvalidEvent", "JobEvent", "RunEvent", "read_event"]


class InvalidEvent(ValueError):  # noqa: N818 - reads as the outcome it is
    """An event that breaks the specification; its text says where and how."""


def _in_utc(when: datetime) -> datetime:
    """Refuse the hours at both ends of the calendar that UTC puts into a year that there is none of."""
    try:
        return when.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside of the years 1 to 9999 in UTC") from error


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which no table name can have")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return text


Name = Annotated[str, AfterValidator(_storable)]
Uri = Annotated[Name, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:")]


class _Open(BaseModel):
    """Everything may carry more than the specification names."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Facet(_Open):
    """Any facet; what is read of it is looked up by name."""

    producer: Uri = Field(alias="_producer")
    schema_url: Uri = Field(alias="_schemaURL")


Facets = dict[Name, Facet]


class Run(_Open):
    """Which run."""

    run_id: UUID = Field(alias="runId")
    facets: Facets = {}


class Job(_Open):
    """Which job."""

    namespace: Name
    name: Name
    facets: Facets = {}


class Dataset(_Open):
    """A table, a file or another thing that is read or written."""

    namespace: Name
    name: Name
    facets: Facets = {}
    input_facets: Facets = Field({}, alias="inputFacets")
    output_facets: Facets = Field({}, alias="outputFacets")


class _Event(_Open):
    event_time: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(alias="eventTime")
    producer: Uri
    schema_url: Uri = Field(alias="schemaURL")


class RunEvent(_Event):
    """What happened to a run."""

    event_type: Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"] = Field("OTHER", alias="eventType")
    run: Run
    job: Job
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()


class JobEvent(_Event):
    """What a job is, without a run."""

    job: Job
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()


class DatasetEvent(_Event):
    """What a dataset is, without a job."""

    dataset: Dataset


Event = RunEvent | JobEvent | DatasetEvent
_READERS: dict[str, TypeAdapter[Any]] = {
    key: TypeAdapter(kind) for key, kind in (("run", RunEvent), ("job", JobEvent), ("dataset", DatasetEvent))
}


def read_event(body: bytes | str) -> tuple[Event, Any]:
    """Return an event and its JSON.

    Raises:
        InvalidEvent: It is not JSON, or breaks the specification.
    """
    try:
        found = json.loads(body, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"The event is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidEvent("The event is no JSON object; send one event, not a list or a value.")
    kind = next((key for key in _READERS if key in found), None)
    if kind is None:
        raise InvalidEvent("The event names neither a run, nor a job, nor a dataset.")
    try:
        event: Event = _READERS[kind].validate_python(found)
    except ValidationError as error:
        raise InvalidEvent(f"The event breaks the OpenLineage specification: {_said(error)}.") from error
    return event, found


def _said(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in problems[:3]]
    return "; ".join(said) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")  # noqa: PLR2004


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number
