"""What must change in the metastore for a crawled table. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headwater_aws_api.glue.crawlers._input import DEPRECATED, SCHEMA, is_crawlers_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["changed_partition", "changed_table", "only_input"]

# Members of a TableInput; a Table that is shown has more.
_INPUT = (
    "Name", "Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "StorageDescriptor",
    "PartitionKeys", "ViewOriginalText", "ViewExpandedText", "TableType", "Parameters", "TargetTable",
)  # fmt: skip


def only_input(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table that Glue shows as the input that makes it."""
    return {name: shown[name] for name in _INPUT if name in shown}


def changed_table(
    current: Mapping[str, Any], wanted: Mapping[str, Any], *, only_new_columns: bool
) -> dict[str, Any] | None:
    """Return the input that makes a table what was found, keeping what people have added; None when it is that already.

    Args:
        current: The table's input as it is.
        wanted: As a first crawl would make it.
        only_new_columns: Columns are added, and none changed or removed.
    """
    storage = dict(wanted["StorageDescriptor"])
    parameters = {**_of_others(current.get("Parameters", {})), **wanted["Parameters"]}
    known = current["StorageDescriptor"].get("Columns", [])
    storage["Columns"] = _with_comments(storage["Columns"], known)
    if only_new_columns:
        storage["Columns"] = _added(known, storage["Columns"])
        if SCHEMA in parameters and SCHEMA in current.get("Parameters", {}):
            parameters[SCHEMA] = _added_schema(current, wanted)
    made = {**current, **wanted, "StorageDescriptor": storage, "Parameters": parameters}
    made["Owner"] = current.get("Owner", wanted["Owner"])
    same = _is_within(made, current) and DEPRECATED not in current.get("Parameters", {})
    return None if same else made


def changed_partition(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a partition must change; what people say of columns, the table says alone."""
    return not _is_within(_comparable(wanted), _comparable(current))


def _comparable(partition: Mapping[str, Any]) -> dict[str, Any]:
    storage = partition["StorageDescriptor"]
    columns = [{name: value for name, value in one.items() if name != "Comment"} for one in storage["Columns"]]
    # The metastore takes the slash away when it changes a partition.
    place = storage["Location"].rstrip("/")
    return {**partition, "StorageDescriptor": {**storage, "Columns": columns, "Location": place}}


def _is_within(wanted: Any, found: Any) -> bool:
    """Return whether everything that is wanted is there; more may be."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(name in found and _is_within(value, found[name]) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_is_within, wanted, found))
    return bool(wanted == found)


def _of_others(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if not is_crawlers_own(name)}


def _with_comments(columns: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    comments = {one["Name"]: one["Comment"] for one in known if one.get("Comment")}
    return [{**one, "Comment": comments[one["Name"]]} if one["Name"] in comments else dict(one) for one in columns]


def _added(known: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = {one["Name"] for one in known}
    return [*map(dict, known), *(dict(one) for one in columns if one["Name"] not in names)]


def _added_schema(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return Spark's schema with new columns before those of the partitions."""
    keys = {one["Name"] for one in wanted["PartitionKeys"]}
    ours, theirs = (json.loads(one["Parameters"][SCHEMA])["fields"] for one in (current, wanted))
    names = {one["name"].lower() for one in ours}
    data = [one for one in ours if one["name"] not in keys] + [
        one for one in theirs if one["name"].lower() not in names
    ]
    parts = [one for one in theirs if one["name"] in keys]
    return json.dumps({"type": "struct", "fields": [*data, *parts]})
