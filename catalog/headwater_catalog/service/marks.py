"""Answers from the catalog's memory, with what of them can still be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater_catalog.service.lake import Lake

__all__ = ["explained_marked", "history_marked", "lineage_marked", "run_marked"]


def lineage_marked(lake: Lake, answer: dict[str, Any]) -> dict[str, Any]:
    """Mark the tables of a graph as it was; of the present one nobody asks whether it is there."""
    if answer["as_of"] is not None:
        lake.mark(answer["nodes"])
    return answer


def history_marked(lake: Lake, answer: dict[str, Any]) -> dict[str, Any]:
    """Mark a table's runs."""
    lake.mark(answer["runs"], name=answer["table"])
    return answer


def run_marked(lake: Lake, answer: dict[str, Any]) -> dict[str, Any]:
    """Mark what a run read and wrote."""
    lake.mark([*answer["inputs"], *answer["outputs"]])
    return answer


def explained_marked(lake: Lake, answer: dict[str, Any]) -> dict[str, Any]:
    """Mark the writes that a table was made by, and the files that they were loaded from."""
    lake.mark(answer["writes"])
    there = lake.loads(one["location"] for one in answer["files"])
    for one in answer["files"]:
        one["readable"] = there.get(one["location"])
    return answer
