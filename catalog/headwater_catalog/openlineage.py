"""OpenLineage: reads events, and what all events of one run together say. Pure.

The events of a run add up: whatever their order, and however often each comes, ``run_facts`` gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headwater.layout import is_of_stage

from headwater_catalog._event import DatasetEvent, Event, InvalidEvent, JobEvent, RunEvent, read_event
from headwater_catalog._facets import facet as _facet
from headwater_catalog._facets import listed as _listed
from headwater_catalog._facets import number as _number
from headwater_catalog._facets import text as _text
from headwater_catalog._names import describes, parts_of
from headwater_catalog.knowledge import knowledge_of
from headwater_catalog.model import WHOLE_TABLE, ColumnEdge, ColumnFacts, Kind, Partaking, RunFacts, first_mentions

if TYPE_CHECKING:
    from datetime import datetime

    from headwater_catalog._event import Dataset

__all__ = [
    "DatasetEvent",
    "Event",
    "InvalidEvent",
    "JobEvent",
    "RunEvent",
    "column_edges",
    "dataset_text",
    "partaking",
    "read_event",
    "run_facts",
]

_OVER = frozenset({"COMPLETE", "ABORT", "FAIL"})
_CHANGES = {"CREATE": "created", "DROP": "dropped", "RENAME": "renamed"}
_DIRECT = {"IDENTITY": Kind.COPIED, "TRANSFORMATION": Kind.TRANSFORMED, "AGGREGATION": Kind.AGGREGATED}
_INDIRECT = {"JOIN": Kind.JOIN, "FILTER": Kind.FILTER, "GROUP_BY": Kind.AGGREGATED}
# These are about one column: a condition chooses its value, a window's keys the rows that count for it. What rows are
# sorted by does neither.
_INDIRECT_ONE = {"CONDITIONAL": Kind.TRANSFORMED, "WINDOW": Kind.WINDOW}
# What Iceberg adds to a table's columns for those who change rows in place.
_HIDDEN = frozenset({"_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id", "_last_updated_sequence_number"})
_PARTITION_TAGS = ("partition", "dagster/partition")


def run_facts(events: Sequence[RunEvent]) -> RunFacts:
    """Return what the events of one run say together; there must be at least one."""
    ordered = sorted(events, key=lambda one: (one.event_time, one.event_type, one.model_dump_json()))
    last = _last_state(ordered)
    effective = any(_has_written(one) for one in ordered)
    inputs = _merged([dataset for one in ordered for dataset in one.inputs])
    written = [dataset for one in ordered for dataset in one.outputs if _change(dataset) != "DROP"]
    return RunFacts(
        run=str(ordered[0].run.run_id),
        job=(ordered[-1].job.namespace, ordered[-1].job.name),
        state=last.event_type,
        began=ordered[0].event_time,
        last=ordered[-1].event_time,
        ended=last.event_time if last.event_type in _OVER else None,
        engine=" ".join(_told(ordered, "run", "processing_engine", key) for key in ("name", "version")).strip(),
        parent=_parent(ordered),
        partition=_partition(ordered),
        sql=_told(ordered, "job", "sql", "query"),
        error=_told(ordered, "run", "errorMessage", "message"),
        inputs=inputs,
        outputs=_merged(written),
        edges=_all_edges(written, _described(inputs)) if effective else {},
        changes=tuple(_changes_of(ordered)) if effective else (),
        effective=effective,
    )


def _has_written(event: RunEvent) -> bool:
    """Return whether a run has written by then: a batch when it is complete, a stream while it runs."""
    stream = _text(_facet(event.job.facets, "jobType").get("processingType")).upper() == "STREAMING"
    return event.event_type == "COMPLETE" or (stream and event.event_type == "RUNNING")


def _last_state(ordered: Sequence[RunEvent]) -> RunEvent:
    """Return the event that says how the run stands: its end, if told, wherever later reports come from."""
    over = [one for one in ordered if one.event_type in _OVER]
    known = over or [one for one in ordered if one.event_type != "OTHER"] or ordered
    return known[-1]


def dataset_text(namespace: str, name: str) -> str:
    """Return a dataset's namespace and name as one text that identity reads."""
    if "://" in namespace or namespace.startswith("arn:"):
        return f"{namespace.rstrip('/')}/{name.lstrip('/')}"
    return f"file:///{name.lstrip('/')}" if namespace == "file" else f"{namespace}:{name}"


def partaking(dataset: Dataset) -> Partaking:
    """Return what an event says of one dataset."""
    links = _listed(_facet(dataset.facets, "symlinks").get("identifiers"))
    named = [dataset_text(str(one.get("namespace", "")), str(one["name"])) for one in links if one.get("name")]
    statistics = _facet(dataset.output_facets, "outputStatistics")
    report = _facet(dataset.output_facets, "icebergCommitReport")
    snapshot = report.get("snapshotId") or _facet(dataset.facets, "version").get("datasetVersion") or ""
    aliases = tuple(first_mentions((*named, dataset_text(dataset.namespace, dataset.name))))
    return Partaking(
        aliases=aliases,
        # A stage's own snapshot passes with it; the table never has it.
        snapshot="" if any(map(is_of_stage, aliases)) else _text(snapshot),
        rows=_number(statistics.get("rowCount")),
        bytes=_number(statistics.get("size")),
        columns=tuple(
            ColumnFacts(_text(one["name"]).lower(), _text(one.get("type")), _text(one.get("description")))
            for one in _listed(_facet(dataset.facets, "schema").get("fields"))
            if one.get("name") and one["name"] not in _HIDDEN and not any(map(_describes, named))
        ),
        knowledge=knowledge_of(dataset),
    )


def column_edges(dataset: Dataset) -> Iterator[ColumnEdge]:
    """Yield the column lineage that an event states of one written dataset."""
    facet = _facet(dataset.facets, "columnLineage")
    fields = facet.get("fields")
    for column, stated in fields.items() if isinstance(fields, Mapping) else ():
        for one in _listed(stated.get("inputFields") if isinstance(stated, Mapping) else None):
            yield from _edges(one, _text(column).lower(), stated.get("transformationType"))
    for one in _listed(facet.get("dataset")):
        yield from _edges(one, WHOLE_TABLE, None)


def _edges(stated: Mapping[str, Any], column: str, former: object) -> Iterator[ColumnEdge]:
    source = dataset_text(_text(stated.get("namespace")), _text(stated.get("name")))
    field = _text(stated.get("field")).lower()
    if not field or field in _HIDDEN or _describes(source):
        return
    done = _listed(stated.get("transformations"))
    if not done and column != WHOLE_TABLE:
        yield ColumnEdge(source, field, column, _DIRECT.get(_text(former), Kind.TRANSFORMED))
    for one in done:
        kind, subtype = one.get("type"), _text(one.get("subtype"))
        if kind == "DIRECT" and column != WHOLE_TABLE:
            yield ColumnEdge(source, field, column, _DIRECT.get(subtype, Kind.TRANSFORMED))
        elif kind == "INDIRECT" and subtype in _INDIRECT_ONE and column != WHOLE_TABLE:
            yield ColumnEdge(source, field, column, _INDIRECT_ONE[subtype])
        elif kind == "INDIRECT" and subtype in _INDIRECT:
            yield ColumnEdge(source, field, WHOLE_TABLE, _INDIRECT[subtype])


def _all_edges(written: Sequence[Dataset], described: frozenset[str]) -> dict[str, frozenset[ColumnEdge]]:
    made: dict[str, set[ColumnEdge]] = {}
    for dataset in written:
        stated = (one for one in column_edges(dataset) if one.source not in described)
        made.setdefault(dataset_text(dataset.namespace, dataset.name), set()).update(stated)
    return {name: frozenset(edges) for name, edges in made.items()}


def _described(inputs: Mapping[str, Partaking]) -> frozenset[str]:
    """Return what was read of a table's metadata tables: its columns are none of the table's."""
    return frozenset(name for name, part in inputs.items() if any(map(_describes, part.aliases)))


def _describes(alias: str) -> bool:
    return describes(parts_of(alias.rpartition("/")[2]))


def _merged(datasets: Sequence[Dataset]) -> dict[str, Partaking]:
    """Add up what several events say of each dataset; what is said later counts."""
    found: dict[str, Partaking] = {}
    for dataset in datasets:
        name, new = dataset_text(dataset.namespace, dataset.name), partaking(dataset)
        old = found.get(name, new)
        found[name] = Partaking(
            aliases=tuple(first_mentions((*old.aliases, *new.aliases))),
            snapshot=new.snapshot or old.snapshot,
            rows=old.rows if new.rows is None else new.rows,
            bytes=old.bytes if new.bytes is None else new.bytes,
            columns=new.columns or old.columns,
            knowledge=new.knowledge.over(old.knowledge),
        )
    return found


def _changes_of(ordered: Sequence[RunEvent]) -> Iterator[tuple[str, Partaking, str, datetime]]:
    """Yield the tables that a run created, dropped or renamed, each once."""
    seen = set()
    for event in ordered:
        for dataset in event.outputs:
            what = _CHANGES.get(_change(dataset))
            former = _facet(dataset.facets, "lifecycleStateChange").get("previousIdentifier")
            old = former if isinstance(former, Mapping) else {}
            before = dataset_text(_text(old.get("namespace")), _text(old.get("name"))) if old.get("name") else ""
            mark = (what, dataset.namespace, dataset.name)
            if what and mark not in seen and (what != "renamed" or before):
                seen.add(mark)
                yield what, partaking(dataset), before, event.event_time


def _change(dataset: Dataset) -> str:
    return _text(_facet(dataset.facets, "lifecycleStateChange").get("lifecycleStateChange"))


def _parent(ordered: Sequence[RunEvent]) -> str:
    for event in reversed(ordered):
        run = _facet(event.run.facets, "parent").get("run")
        if isinstance(run, Mapping) and run.get("runId"):
            return _text(run["runId"])
    return ""


def _partition(ordered: Sequence[RunEvent]) -> str:
    for event in reversed(ordered):
        for tag in _listed(_facet(event.run.facets, "tags").get("tags")):
            if tag.get("key") in _PARTITION_TAGS:
                return _text(tag.get("value"))
    return ""


def _told(ordered: Sequence[RunEvent], part: str, facet: str, key: str) -> str:
    """Return the last thing that is said in one place of a run's or a job's facets."""
    said = (_text(_facet(getattr(one, part).facets, facet).get(key)) for one in reversed(ordered))
    return next((text for text in said if text), "")
