"""What an event says of a table besides lineage: its checks, its size and shape, and what its columns hold. Pure.

The specification's facets are read from any client: ``dataQualityAssertions``, ``dataQualityMetrics``, and Spark's
``icebergCommitReport``. Two of Headwater's own say what those have no room for: ``headwater_shape`` (partitions,
snapshots) and ``headwater_profile`` (a profile for each partition that was written).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headwater_catalog._facets import facet, listed, moment, number, text
from headwater_catalog.profiles import ColumnProfile, read_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from headwater_catalog._event import Dataset

__all__ = ["CheckFacts", "Knowledge", "PartitionFacts", "VersionFacts", "knowledge_of"]

# Names under which the write path has an engine fill a stage: what is told of one is not so of the table yet.
_STAGE_MARKS = ("__stage_", "/_stage")


@dataclass(frozen=True, kw_only=True)
class CheckFacts:
    """How one check came out.

    Args:
        name: Its name.
        columns: The columns that it is about; empty when it is about whole rows.
        passed: Whether it holds.
        blocking: Whether a failure stops the publish.
        promise: What holds when it passes, in words.
        broken: Rows that broke it, if told.
        total: Rows that were checked, if told.
    """

    name: str
    columns: tuple[str, ...] = ()
    passed: bool
    blocking: bool = True
    promise: str = ""
    broken: int | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class PartitionFacts:
    """One partition as a write left it.

    Args:
        key: Its key; empty for a table without partitions.
        rows: Its rows, if told.
        bytes: Their size, if told.
        files: Its data files, if told.
        profile: What its columns hold, by column, if told.
    """

    key: str
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    profile: Mapping[str, ColumnProfile] | None = None


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """The whole table as a write left it.

    Args:
        rows: All its rows.
        bytes: Their size.
        files: All its data files.
        operation: What the commit did, in Iceberg's words.
        kept: The newest snapshots whose data are there, this one among them; empty when not told.
        oldest: When the oldest snapshot whose data are there was made.
    """

    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    operation: str = ""
    kept: tuple[str, ...] = ()
    oldest: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What one run says of one table.

    Args:
        checks: How its checks came out.
        version: The table as a whole.
        partitions: The partitions that were written.
    """

    checks: tuple[CheckFacts, ...] = ()
    version: VersionFacts | None = None
    partitions: tuple[PartitionFacts, ...] = ()

    def over(self, former: Knowledge) -> Knowledge:
        """Return what this one and one that was told before say together; what is told later counts."""
        return Knowledge(
            checks=self.checks or former.checks,
            version=self.version or former.version,
            partitions=self.partitions or former.partitions,
        )


def knowledge_of(dataset: Dataset) -> Knowledge:
    """Return what an event says of a dataset besides lineage."""
    if any(mark in dataset.name for mark in _STAGE_MARKS):
        return Knowledge()
    return Knowledge(
        checks=tuple(_checks(dataset)),
        version=_version(dataset),
        partitions=tuple(_partitions(dataset)),
    )


def _checks(dataset: Dataset) -> Iterator[CheckFacts]:
    for facets in (dataset.facets, dataset.input_facets, dataset.output_facets):
        for one in listed(facet(facets, "dataQualityAssertions").get("assertions")):
            name, passed = text(one.get("name")) or text(one.get("assertion")), one.get("success")
            if name and isinstance(passed, bool):
                yield CheckFacts(
                    name=name,
                    columns=_columns(one),
                    passed=passed,
                    blocking=one.get("severity") != "warn",
                    promise=text(one.get("description")),
                    broken=_counted(one.get("actual")),
                    total=_counted(_given(one).get("rows")),
                )


def _columns(assertion: Mapping[str, Any]) -> tuple[str, ...]:
    several = _given(assertion).get("columns")
    names = [text(one).lower() for one in several] if isinstance(several, list) else []
    return tuple(filter(None, names or [text(assertion.get("column")).lower()]))


def _given(assertion: Mapping[str, Any]) -> Mapping[str, Any]:
    found = assertion.get("params")
    return found if isinstance(found, dict) else {}


def _counted(value: object) -> int | None:
    """Return a count; the specification has it as text."""
    return number(int(value)) if isinstance(value, str) and value.isdecimal() else number(value)


def _version(dataset: Dataset) -> VersionFacts | None:
    shape, metrics = facet(dataset.facets, "headwater_shape"), facet(dataset.facets, "dataQualityMetrics")
    report = facet(dataset.output_facets, "icebergCommitReport")
    totals = report.get("commitMetrics")
    totals = totals if isinstance(totals, dict) else {}
    found = VersionFacts(
        rows=_first(metrics.get("rowCount"), totals.get("totalRecords")),
        bytes=_first(metrics.get("bytes"), totals.get("totalFilesSizeInBytes")),
        files=_first(metrics.get("fileCount"), totals.get("totalDataFiles")),
        operation=text(shape.get("operation")) or text(report.get("operation")).lower(),
        kept=tuple(text(one) for one in kept) if isinstance(kept := shape.get("snapshots"), list) else (),
        oldest=moment(shape.get("oldestSnapshot")),
    )
    return None if found == VersionFacts() else found


def _first(*values: object) -> int | None:
    """Return the first count among numbers and Iceberg's counters."""
    plain = (value.get("value") if isinstance(value, dict) else value for value in values)
    return next((found for one in plain if (found := number(one)) is not None), None)


def _partitions(dataset: Dataset) -> Iterator[PartitionFacts]:
    """Yield the partitions that were written; a profile of the whole table is one of its only partition."""
    profiles = {
        text(one.get("key")): read_profile(one.get("columns"))
        for one in listed(facet(dataset.output_facets, "headwater_profile").get("partitions"))
    }
    told = listed(facet(dataset.facets, "headwater_shape").get("partitions"))
    for one in told:
        key = text(one.get("key"))
        yield PartitionFacts(
            key=key,
            rows=number(one.get("rows")),
            bytes=number(one.get("bytes")),
            files=number(one.get("files")),
            profile=profiles.get(key),
        )
    metrics = facet(dataset.facets, "dataQualityMetrics")
    columns = read_profile(metrics.get("columnMetrics"))
    if not told and columns:
        yield replace(PartitionFacts(key="", profile=columns), rows=number(metrics.get("rowCount")))
