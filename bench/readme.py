"""``python -m bench.readme RESULT.json``: write the README's table from what was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from bench.box import ROOT

_BLOCK = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


@click.command()
@click.argument("result", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(result: Path) -> None:
    """Replace the README's figures with those of RESULT."""
    measured = json.loads(result.read_text(encoding="utf-8"))
    readme = ROOT / "README.md"
    text, count = _BLOCK.subn(lambda found: found[1] + table(measured) + found[2], readme.read_text(encoding="utf-8"))
    if count != 1:
        raise click.ClickException("README.md needs exactly one <!-- bench --> ... <!-- /bench --> block.")
    readme.write_text(text, encoding="utf-8")


def table(measured: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    machine, lines = measured["machine"], []
    lines.append(
        f"Measured {machine['when']} on {machine['cores']} cores and {machine['memory_gib']} GiB, Python"
        f" {machine['python']}; medians, both sides in turns in the same run.\n"
    )
    lines += ["| what | Headwater | against | ratio | goal |", "|---|---|---|---|---|"]
    for pair in measured["pairs"]:
        goal = f"{pair['goal']}{'' if pair['met'] else ' (missed)'}"
        against = f"{pair['their_median']:.1f} s: {pair['theirs']}"
        lines.append(f"| {pair['name']} | {pair['our_median']:.1f} s | {against} | {pair['ratio']:.2f} | {goal} |")
    missed = [f'What limits "{pair["name"]}": {pair["limit"]}.' for pair in measured["pairs"] if not pair["met"]]
    lines += ["", *missed] if missed else []
    return "\n".join([*lines, "", *_memory(measured["memory"]), ""])


def _memory(measured: dict[str, Any]) -> list[str]:
    box = measured["box"]
    rows = [f"| {one['name']} | {one['idle_mib']} | {one['peak_mib']} |" for one in measured["components"]]
    goals = f"goals: {box['idle_goal_mib']} and {box['peak_goal_mib']}"
    load = f"Loading {measured['loans']:,} loans with every check took {measured['load_seconds']:.0f} s."
    return [
        f"{load} Resident memory in MiB, shared pages counted once:\n",
        "| component | at rest | most while loading |",
        "|---|---|---|",
        *rows,
        f"| **the box** ({goals}) | **{box['idle_mib']}** | **{box['peak_mib']}** |",
    ]


if __name__ == "__main__":
    main()
