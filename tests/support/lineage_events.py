"""OpenLineage events as Spark and Trino send them, for tests."""

from __future__ import annotations

import json
import uuid
from typing import Any

PRODUCER = "https://example.org/tests"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def facet(**fields: Any) -> dict[str, Any]:
    """Return a facet."""
    return {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Any.json", **fields}


def spark_table(name: str, *, snapshot: str = "", columns: dict[str, list[Any]] | None = None) -> dict[str, Any]:
    """Return a dataset as Spark names it: by its folder, with the metastore's name as a symlink.

    Args:
        name: ``zone.name``.
        snapshot: The Iceberg snapshot.
        columns: By written column, ``(table, column, subtype)`` of what it is made of.
    """
    zone, _, base = name.partition(".")
    link = {"namespace": "hive://127.0.0.1:7707", "name": name, "type": "TABLE"}
    facets: dict[str, Any] = {"symlinks": facet(identifiers=[link])}
    if snapshot:
        facets["version"] = facet(datasetVersion=snapshot)
    if columns:
        facets["columnLineage"] = facet(fields={name: fields(made) for name, made in columns.items()})
    return {"namespace": "s3://lake", "name": f"{zone}/{base}", "facets": facets}


def fields(made_of: list[Any]) -> dict[str, Any]:
    """Return what one column is made of, as a facet says it."""
    return {
        "inputFields": [
            {
                "namespace": "s3://lake",
                "name": table.replace(".", "/"),
                "field": column,
                "transformations": [
                    {"type": "INDIRECT" if kind in ("JOIN", "FILTER") else "DIRECT", "subtype": kind, "masking": False}
                ],
            }
            for table, column, kind in made_of
        ]
    }


def trino_table(name: str, connector: str = "iceberg") -> dict[str, Any]:
    """Return a dataset as Trino names it."""
    return {"namespace": "trino://127.0.0.1:7702", "name": f"{connector}.{name}", "facets": {}}


def event(
    kind: str,
    run: str,
    *,
    inputs: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    at: str = "2026-01-01T12:00:00Z",
    job: str = "test",
    **run_facets: Any,
) -> dict[str, Any]:
    """Return a run event."""
    return {
        "eventType": kind,
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run, "facets": run_facets},
        "job": {"namespace": "tests", "name": job, "facets": {}},
        "inputs": inputs or [],
        "outputs": outputs or [],
    }


def new_run() -> str:
    """Return a run's id."""
    return str(uuid.uuid4())


def body(one: Any) -> bytes:
    """Return an event as a client sends it."""
    return json.dumps(one).encode()
