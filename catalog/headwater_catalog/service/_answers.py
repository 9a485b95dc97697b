"""The shape of each answer; where values are of many kinds, that is said and no more."""

from __future__ import annotations

from headwater_catalog.service.shapes import Shape, many, nothing_or, one

__all__ = [
    "AUDIT",
    "EXPLAIN",
    "GLOSSARY",
    "HEALTH",
    "HISTORY",
    "IMPACT",
    "LINEAGE",
    "RUN",
    "SAMPLE",
    "SEARCH",
    "TABLE",
    "TERM",
    "USERS",
]

_SAID = one("from, who, at:time?")
_SAID_BY_FACT: Shape = {"type": "object", "additionalProperties": _SAID}
_LABEL = one("tag, from, who, at:time?, table*, column*")
_TERM_SAID = one("term, who, at:time")
_EDIT = one("at:time, who, table, column, what, before, after, said")
_RUN_OF = (
    "run, state, job, engine, partition, direction, snapshot, rows:count?, bytes:count?, began_at:time, "
    "ended_at:time?, error"
)
_COLUMN = one("name, type, doc, tags:[text], origin", said=_SAID_BY_FACT, labels=many(_LABEL), terms=many(_TERM_SAID))
_RESULT = (
    "name, columns:[text], promise, passed:yes, blocking:yes, broken:count?, total:count?, partition, at:time, run"
)
_CHECK = one(
    "name, columns:[text], promise, blocking:yes, passed:yes, broken:count?, total:count?, failing:[text], "
    "current:yes, at:time, run",
    history=many(one("at:time, run, passed:yes, broken:count?, partition")),
)
_SIZE = "rows:count?, bytes:count?, files:count?"
_CHANGED = many(one("name, type"))

SEARCH = one(query="text", results=many(one("name, kind, title, doc, owner, tags:[text], score:number, matched, in")))

TABLE = one(
    "name, kind, title, url, doc, owner, domain, tags:[text], place, code, problem, defined:yes, made_at:time?, "
    "dropped_at:time?, fresh_within_hours:number?, revision, revised_at:time?, uncommitted:yes, upstreams:[text], "
    "downstreams:[text], cut:yes",
    titles={"type": "object", "additionalProperties": {"type": "string"}},
    columns=many(_COLUMN),
    said=_SAID_BY_FACT,
    labels=many(_LABEL),
    terms=many(_TERM_SAID),
    aliases=many(one("text, kind")),
    runs=many(one(_RUN_OF)),
    drift=one(
        "compared:yes, only_declared:[text]",
        only_observed=many(one("table, seen:time")),
        columns=many(one("source, source_column, target_column, origin")),
    ),
    there=one("compared:yes, command", columns=many(one("column, what, declared, there, advice, command"))),
    dashboards=many(one("name, title, url")),
    size=nothing_or(one(f"{_SIZE}, snapshot, at:time, run, partitions:count, written_since:time?")),
    partitions=many(one(f"key, at:time, {_SIZE}, run")),
    snapshots=many(one(f"snapshot, at:time, operation, {_SIZE}, run, gone_at:time?")),
    checks=many(_CHECK),
    profile=nothing_or(one("rows:count?, partitions:count, columns:object")),
    readers=many(one("reader, source, last_7_days:count, last_30_days:count, last_at:time")),
    reads=one("last_7_days:count, last_30_days:count, last_at:time?"),
)

HISTORY = one(
    "table",
    runs=many(one(f"{_RUN_OF}, readable:yes?")),
    changes=many(one("at:time, what, detail")),
    edits=many(_EDIT),
    columns=many(one("name, type, origin, since:time, until:time?")),
    checks=many(one(_RESULT)),
    sizes=many(one(f"at:time, run, snapshot, operation, {_SIZE}, gone_at:time?")),
    schema=many(one("at:time, origin", added=_CHANGED, dropped=_CHANGED, retyped=many(one("name, before, after")))),
)

LINEAGE = one(
    "table, as_of:time?, depth:count, column, cut:yes",
    nodes=many(
        one(
            "name, kind, title, owner, dropped:yes, snapshot:text?, run:text?, steps:count, upstreams*:count, "
            "downstreams*:count, readable*:yes?"
        )
    ),
    edges=many(one("source, target", origins={"type": "object", "additionalProperties": one("since:time, seen:time")})),
    columns=many(one("source, source_column, target, target_column, kind, origins:[text]")),
)

IMPACT = one(
    "table, owners:[text], cut:yes",
    breaks=many(
        one("table, kind, title, url, owner, steps:count, columns:[text], charts:[text], all_rows:yes, certain:yes")
    ),
    checks=many(one("table, owner, name, columns:[text], promise, blocking:yes, certain:yes")),
)

EXPLAIN = one(
    "table, partition, column, cut:yes",
    writes=many(
        one(
            "table, run, part_of, job, engine, began_at:time, at:time, snapshot, rows:count?, bytes:count?, how, "
            "steps:count, partitions:[text], certain:yes, readable:yes?"
        )
    ),
    files=many(one("table, partition, name, size:any, lines:any, sha256:any, location, run, readable:yes?")),
)

_PART = one("table, direction, snapshot, rows:count?, bytes:count?, readable:yes?")
RUN = one(
    "run, state, job_namespace, job, engine, parent, partition, sql, error, began_at:time, ended_at:time?, took:text?, "
    "parent_known:yes, of_dagster:yes",
    inputs=many(_PART),
    outputs=many(_PART),
    children=many(one("run, state, job, engine, began_at:time, ended_at:time?")),
)

HEALTH = one(
    "tables:count, cut:yes",
    wants={"type": "object", "additionalProperties": {"type": "integer"}},
    results=many(
        one(
            "name, owner, written_at:time?, state:text?, run:text?, fresh_within_hours:number?, newer_upstream:text?, "
            "problem, wants:[text]"
        )
    ),
)

GLOSSARY = one("cut:yes", terms=many(one("term, definition, owner, synonyms:[text], tables:count, columns:count")))

TERM = one(
    "term, definition, owner, synonyms:[text], tags:[text], cut:yes",
    said=_SAID_BY_FACT,
    carriers=many(one("table, kind, title, column, owner, who, at:time")),
    edits=many(_EDIT),
)

AUDIT = one(edits=many(_EDIT))
USERS = one(users=many(one("name, made_at:time, made_by")))
SAMPLE = one("table, columns:[text], hidden:[text]", rows=many(many(nothing_or({"type": "string"}))))
