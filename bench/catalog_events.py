"""OpenLineage events as Spark sends them, of runs that write tables of the made-up catalog."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import Origin

if TYPE_CHECKING:
    from headwater_catalog.model import TableFacts

__all__ = ["run_events"]

_PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/1.50.0/integration/spark"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_SUBTYPES = {"copied": "IDENTITY", "transformed": "TRANSFORMATION", "aggregated": "AGGREGATION"}


def run_events(table: TableFacts) -> list[bytes]:
    """Return the events of one run that writes a table as its definition says: its start, and its end with lineage."""
    run, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
    lineage = dict(table.lineage)[Origin.PARSED]
    inputs = [_dataset(source) for source in lineage.sources]
    fields: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for edge in lineage.columns:
        if edge.target_column:
            fields[edge.target_column].append(_field(edge.source, edge.source_column, _SUBTYPES[edge.kind.value]))
    output = _dataset(
        table.name,
        schema=_facet(fields=[{"name": one.name, "type": one.type} for one in table.columns]),
        columnLineage=_facet(fields={name: {"inputFields": made} for name, made in fields.items()}),
        version=_facet(datasetVersion=str(uuid.uuid4().int % 10**18)),
    )
    output["outputFacets"] = {"outputStatistics": _facet(rowCount=1000, size=100_000)}
    return [
        _event("START", run, now, table.name, inputs=inputs, outputs=[]),
        _event("COMPLETE", run, now, table.name, inputs=inputs, outputs=[output]),
    ]


def _facet(**fields: Any) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Any.json", **fields}


def _dataset(name: str, **facets: Any) -> dict[str, Any]:
    link = {"namespace": "hive://127.0.0.1:7707", "name": name, "type": "TABLE"}
    return {**_named(name), "facets": {"symlinks": _facet(identifiers=[link]), **facets}}


def _named(name: str) -> dict[str, str]:
    return {"namespace": "s3://lake", "name": name.replace(".", "/")}


def _field(source: str, column: str, subtype: str) -> dict[str, Any]:
    done = [{"type": "DIRECT", "subtype": subtype, "masking": False}]
    return {**_named(source), "field": column, "transformations": done}


def _event(kind: str, run: str, at: str, name: str, **parts: list[Any]) -> bytes:
    engine = {"processing_engine": _facet(name="spark", version="4.1.3")}
    body = {
        "eventType": kind,
        "eventTime": at,
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
        "run": {"runId": run, "facets": engine},
        "job": {"namespace": "bench", "name": f"write {name}", "facets": {}},
        **parts,
    }
    return json.dumps(body).encode()
