"""The facets of a write's event that say what it found and left: checks, size and shape, profile. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.profiles import column_metrics, profile_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.write import Published, WrittenPartition

__all__ = ["PRODUCER", "check_facets", "made_facet", "own_facet", "profile_facets", "shape_facets"]

PRODUCER = "urn:headwater"
_FACETS = "https://openlineage.io/spec/facets"


def made_facet(schema: str, **fields: Any) -> dict[str, Any]:
    """Return a facet of the specification; its schema as version and name."""
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}/{schema}.json", **fields}


def check_facets(results: Sequence[Any]) -> dict[str, Any]:
    """Return how checks came out (``headwater.checks.CheckResult``); nothing without checks."""
    if not results:
        return {}
    assertions = [_assertion(one) for one in results]
    return {"dataQualityAssertions": made_facet("1-1-0/DataQualityAssertionsDatasetFacet", assertions=assertions)}


def _assertion(one: Any) -> dict[str, Any]:
    said = {
        "assertion": str(one.check),
        "success": one.passed,
        "severity": "error" if one.blocking else "warn",
        "description": str(one.promise),
        "expected": "0",
        "actual": str(one.broken),  # rows that broke it
        "params": {"columns": list(one.columns), "rows": one.total},
    }
    return {**said, "column": one.columns[0]} if len(one.columns) == 1 else said


def shape_facets(published: Published) -> dict[str, Any]:
    """Return how large the table is since, and what was written of it."""
    if not published.written:
        return {}
    shape: dict[str, Any] = {"partitions": [_shown(one) for one in published.written]}
    state = published.state
    if state is None:
        return {"headwater_shape": own_facet("shape", **shape)}
    shape |= {
        "operation": state.operation,
        "snapshots": [str(one) for one in state.snapshots],
        "oldestSnapshot": state.oldest.isoformat(),
    }
    counts = {"rowCount": state.rows, "bytes": state.bytes, "fileCount": state.files}
    now = datetime.now(UTC).isoformat()
    metrics = made_facet(
        "1-0-1/DataQualityMetricsDatasetFacet",
        lastUpdated=now,
        captureDate=now,
        columnMetrics=_metrics(published),
        **{name: count for name, count in counts.items() if count is not None},
    )
    return {"headwater_shape": own_facet("shape", **shape), "dataQualityMetrics": metrics}


def _metrics(published: Published) -> dict[str, Any]:
    """Return what the columns of the whole table hold, where this write wrote the whole of it."""
    whole = published.written[0] if len(published.written) == 1 and not published.partitions else None
    return column_metrics(whole.profile) if whole is not None and whole.profile else {}


def _shown(one: WrittenPartition) -> dict[str, Any]:
    return {"key": one.key, "rows": one.rows, "bytes": one.bytes, "files": one.files}


def profile_facets(published: Published) -> dict[str, Any]:
    """Return what the columns of each written partition hold; nothing when nobody looked."""
    told = [{"key": one.key, "columns": profile_json(one.profile)} for one in published.written if one.profile]
    return {"headwater_profile": own_facet("profile", partitions=told)} if told else {}


def own_facet(name: str, **fields: Any) -> dict[str, Any]:
    """Return a facet that the specification does not have."""
    return {"_producer": PRODUCER, "_schemaURL": f"urn:headwater:facet:{name}:1", **fields}
