"""How a table's columns changed: what was added, dropped or got another type, when, and who said so. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["schema_changes"]

# What definitions, Spark and Trino call one type; a table did not change because somebody else described it.
_SAME = {
    "integer": "int",
    "bigint": "long",
    "real": "float",
    "varchar": "string",
    "varbinary": "binary",
    "timestamp_ntz": "timestamp",
    "timestamp(6)": "timestamp",
    "timestamp(6) with time zone": "timestamptz",
    "timestamp with time zone": "timestamptz",
}


def schema_changes(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return how columns changed, the newest change first; what a table began with is none.

    Args:
        facts: Every column that a table has or had: ``name``, ``type``, ``origin``, ``since`` and ``until``.
    """
    moments = sorted({one[end] for one in facts for end in ("since", "until") if one[end] is not None})
    changes = [_change(facts, at) for at in moments[1:]]
    return [one for one in reversed(changes) if one["added"] or one["dropped"] or one["retyped"]]


def _change(facts: Sequence[Mapping[str, Any]], at: datetime) -> dict[str, Any]:
    before = {one["name"]: one for one in facts if one["until"] == at and one["since"] < at}
    after = {one["name"]: one for one in facts if one["since"] == at and (one["until"] is None or one["until"] > at)}
    both = before.keys() & after.keys()
    who = {one["origin"] for one in (after or before).values()}
    return {
        "at": at,
        "origin": min(who, default=""),
        "added": [_shown(after[name]) for name in sorted(after.keys() - before.keys())],
        "dropped": [_shown(before[name]) for name in sorted(before.keys() - after.keys())],
        "retyped": [
            {"name": name, "before": before[name]["type"], "after": after[name]["type"]}
            for name in sorted(both)
            if _differ(str(before[name]["type"]), str(after[name]["type"]))
        ],
    }


def _shown(one: Mapping[str, Any]) -> dict[str, str]:
    return {"name": str(one["name"]), "type": str(one["type"])}


def _differ(before: str, after: str) -> bool:
    """Return whether two types are not one; who does not tell a type says nothing."""
    return bool(before and after) and _plain(before) != _plain(after)


def _plain(kind: str) -> str:
    text = re.sub(r"\s*,\s*", ",", kind.strip().lower())
    return _SAME.get(text, text)
