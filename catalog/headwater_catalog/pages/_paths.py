"""A column's path one way, as its page shows it: what its values are made of, what only decides about rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.model import WHOLE_TABLE, decides_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["column_path"]

Row = dict[str, Any]
_End = tuple[str, str]


def column_path(edges: Sequence[Row], start: _End, way: str) -> tuple[list[Row], list[Row]]:
    """Return the edges that values take, and all others, each with its ``step`` from the column, the nearest first.

    Args:
        edges: Of the store's answer about the column.
        start: Table and column.
        way: ``up`` or ``down``.
    """
    steps = _steps(edges, start, way)
    values = [one for one in edges if not decides_rows(one["kind"], one["target_column"])]
    along = _steps(values, start, way)
    return _in_order(values, along), _in_order([one for one in edges if id(one) not in along], steps)


def _steps(edges: Sequence[Row], start: _End, way: str) -> dict[int, int]:
    """Return at which step each edge is walked, by its ``id``; those that are not reached are missing."""
    near, far = ("target", "source") if way == "up" else ("source", "target")
    leaving: dict[_End, list[Row]] = {}
    for one in edges:
        leaving.setdefault((one[near], one[f"{near}_column"]), []).append(one)
    walked: dict[int, int] = {}
    seen, frontier, step = {start}, {start}, 0
    while frontier:
        step += 1
        # What decides about a table's rows decides about each of its columns.
        ends = frontier | {(table, WHOLE_TABLE) for table, column in frontier if column and way == "up"}
        found = [one for end in ends for one in leaving.get(end, ())]
        for one in found:
            walked.setdefault(id(one), step)
        frontier = {(one[far], one[f"{far}_column"]) for one in found} - seen
        seen |= frontier
    return walked


def _in_order(edges: Iterable[Row], steps: dict[int, int]) -> list[Row]:
    rows = [{**one, "step": steps[id(one)]} for one in edges if id(one) in steps]
    return sorted(rows, key=lambda one: (one["step"], one["source"], one["source_column"]))
