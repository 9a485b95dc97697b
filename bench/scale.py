"""What much more data takes: worked out from what was measured, and said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["scale"]

# Every month of every loan that the public data set has had since 1999, and as much data as seventy of it.
_SIZES = (("1.3 billion months, 140 GB", 140e9), ("10 TB", 10e12))
_CORES = (16, 64, 256)
# Of what twice the cores would save, this much arrives: the rest waits for the slowest task, for files and for commits.
_EFFICIENCY = 0.7
_HOUR = 3600


def scale(measured: Mapping[str, Any]) -> str:
    """Return, as Markdown, the rate of each table's write and the hours that larger data take.

    Args:
        measured: The result of ``make bench``, with its part ``memory``.
    """
    machine, load = measured["memory"]["machine"], measured["memory"]
    return "\n".join([*_rates(machine, load), *_hours(machine, load)])


def _rates(machine: Mapping[str, Any], load: Mapping[str, Any]) -> Iterator[str]:
    cores = machine["cores"]
    yield (
        f"Measured {machine['when']} on {cores} cores and {machine['memory_gib']} GiB: {load['loans']:,} loans in"
        f" {load['bytes'] / 1e9:.2f} GB of text, through every table with every check.\n"
    )
    yield from ("| table | rows | seconds | core seconds for a million rows |", "|---|---|---|---|")
    for one in load["tables"]:
        each = one["seconds"] * cores / max(one["rows"], 1) * 1e6
        shown = f"{each:.1f}" if one["rows"] >= load["loans"] else ""  # small results cost what their inputs cost
        yield f"| {one['name']} | {one['rows']:,} | {one['seconds']:.0f} | {shown} |"
    yield ""


def _hours(machine: Mapping[str, Any], load: Mapping[str, Any]) -> Iterator[str]:
    spent = sum(one["seconds"] for one in load["tables"]) * machine["cores"]
    raw = sum(one["seconds"] for one in load["tables"] if one["name"].startswith("raw."))
    engines = (spent - raw * machine["cores"]) / load["bytes"]
    yield (
        f"Extrapolated: {engines * 1e9:,.0f} core seconds of Spark and Trino for each GB of text, of which"
        f" {_EFFICIENCY:.0%} is used on many cores; and one process that stores raw files at"
        f" {load['bytes'] / raw / 1e6:.0f} MB/s, which more cores do not speed up.\n"
    )
    yield "| data | " + " | ".join(f"{cores} cores" for cores in _CORES) + " | storing the files, one process |"
    yield "|---" * (len(_CORES) + 2) + "|"
    for name, size in _SIZES:
        hours = [engines * size / (cores * _EFFICIENCY) / _HOUR for cores in _CORES]
        stored = size / (load["bytes"] / raw) / _HOUR
        yield f"| {name} | " + " | ".join(f"{one:.1f} h" for one in hours) + f" | {stored:.1f} h |"
    yield ""
