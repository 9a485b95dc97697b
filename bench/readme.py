"""``python -m bench.readme RESULT.json``: write the figures of the README and docs/scale.md from what was measured.

``bench/figures.json`` keeps each part as it was measured last, with its day and machine: all of it takes hours, so a
run may measure some parts. The pages are written from that file alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.box import ROOT
from bench.scale import scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEPT = ROOT / "bench" / "figures.json"
_BLOCK = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


@click.command()
@click.argument("result", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(result: Path) -> None:
    """Keep the parts that RESULT has, and write the figures of the README and docs/scale.md from all that are kept."""
    measured = merged(*(json.loads(one.read_text(encoding="utf-8")) for one in (_KEPT, result)))
    _KEPT.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    _replace(ROOT / "README.md", table(measured))
    if measured.get("memory", {}).get("tables"):
        _replace(ROOT / "docs" / "scale.md", scale(measured))


def merged(kept: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kept parts, in their order, with the fresh ones in their places."""
    return {**kept, **fresh}


def _replace(page: Path, figures: str) -> None:
    text, count = _BLOCK.subn(lambda found: found[1] + figures + found[2], page.read_text(encoding="utf-8"))
    if count != 1:
        raise click.ClickException(f"{page.name} needs exactly one <!-- bench --> ... <!-- /bench --> block.")
    page.write_text(text, encoding="utf-8")


def table(measured: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    parts = (_peaks(measured.get("load-large")), _memory(measured.get("memory")), _catalog(measured.get("catalog")))
    return "\n".join([*_pairs(measured), *(line for part in parts for line in part)])


def _pairs(measured: Mapping[str, Any]) -> Iterator[str]:
    machines = [part["machine"] for part in measured.values()]
    days = sorted({machine["when"] for machine in machines})
    yield (
        f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))} on {machines[0]['cores']} cores and"
        f" {machines[0]['memory_gib']} GiB, Python {machines[0]['python']}; medians, both sides in turns in the same"
        " run, answers compared.\n"
    )
    yield from ("| what | Headwater | against | ratio | goal |", "|---|---|---|---|---|")
    pairs = [pair for part in measured.values() for pair in part["pairs"]]
    for pair in pairs:
        goal = f"{pair['goal']}{'' if pair['met'] else ' (missed)'}"
        against = f"{_seconds(pair['their_median'])}: {pair['theirs']}"
        yield f"| {pair['name']} | {_seconds(pair['our_median'])} | {against} | {pair['ratio']:.2f} | {goal} |"
    yield ""
    limits: dict[str, list[str]] = {}
    for pair in pairs:
        if not pair["met"]:
            limits.setdefault(pair["limit"], []).append(pair["name"])
    for limit, names in limits.items():
        said = ", ".join(f'"{name}"' for name in dict.fromkeys(names))
        yield f"What limits {said}: {limit}.\n"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _peaks(part: Mapping[str, Any] | None) -> Iterator[str]:
    if part:
        said = ", ".join(f"{mib} MiB with {loans} loans" for loans, mib in part["peak_mib"].items())
        yield f"Spark's resident memory while it loads, at most: {said}.\n"


def _memory(part: Mapping[str, Any] | None) -> Iterator[str]:
    if not part:
        return
    box, goals = part["box"], f"goals: {part['box']['idle_goal_mib']} and {part['box']['peak_goal_mib']}"
    yield f"Loading {part['loans']:,} loans with every check took {part['load_seconds']:.0f} s."
    yield "Resident memory in MiB, shared pages counted once:\n"
    yield from ("| component | at rest | most while loading |", "|---|---|---|")
    for one in part["components"]:
        yield f"| {one['name']} | {one['idle_mib']} | {one['peak_mib']} |"
    yield f"| **the box** ({goals}) | **{box['idle_mib']}** | **{box['peak_mib']}** |\n"


def _catalog(part: Mapping[str, Any] | None) -> Iterator[str]:
    """Say how long the large catalog's answers take, and what the same ones cost elsewhere."""
    if not part:
        return
    rows, resident = part["rows"], part["resident_mib"]
    yield (
        f"The catalog over HTTP with {rows['node']:,} tables, charts and folders, {rows['column_fact']:,} columns and"
        f" {rows['column_edge']:,} column edges. Goals are for p95, *growth* is what the same answer costs against a"
        " tenth of them (goal 1.5); plain SQL asks tables without an index, networkx a graph in memory:\n"
    )
    yield from ("| question | median | p95 | goal | growth | plain SQL | networkx |", "|---|---|---|---|---|---|---|")
    for one in part["figures"]:
        goal = f"{one['goal_ms']} ms{'' if one['met'] else ' (missed)'}"
        growth = "" if one["growth"] is None else f"{one['growth']:.2f}"
        others = " | ".join(f"{one[key]:.3g} ms" if key in one else "" for key in ("plain_ms", "memory_ms"))
        yield f"| {one['name']} | {one['p50_ms']:.0f} ms | {one['p95_ms']:.0f} ms | {goal} | {growth} | {others} |"
    if not all(one["met"] for one in part["figures"]):
        yield f"\nWhat limits those that missed: {part['limit']}."
    yield (
        f"\nIt takes in {part['events_per_second']:.0f} OpenLineage events a second, and a new table is found"
        f" {part['searchable_p95_ms']:.0f} ms (p95) after its event was sent. Its process has {resident['idle']} MiB at"
        f" rest and {resident['after']} MiB after all this (goal: {resident['goal']}).\n"
    )


if __name__ == "__main__":
    main()
