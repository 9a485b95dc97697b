"""``python -m bench``: measure and print one JSON."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psutil

from bench.box import BenchBox
from bench.launch import launch
from bench.memory import memory
from bench.start import box_start

_NAMES = ("start", "launch", "memory")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(_NAMES))
@click.option(
    "--rounds", default=3, show_default=True, help="Cold starts each way; ten launches each way for every one."
)
@click.option("--loans", default=1_000_000, show_default=True, help="Loans of the load that memory is measured over.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the JSON to this file, too.")
def main(names: tuple[str, ...], rounds: int, loans: int, out: Path | None) -> None:
    """Measure NAMES (start, launch, memory; all of them without any) and print one JSON of ratios."""
    chosen, box = names or _NAMES, BenchBox()
    result: dict[str, Any] = {"machine": _machine(), "pairs": []}
    if "start" in chosen:
        result["pairs"].append(box_start(box, rounds, _say).as_json())
    if "launch" in chosen:
        result["pairs"].append(launch(box, 10 * rounds, _say).as_json())
    if "memory" in chosen:
        result["memory"] = memory(box, loans, _say)
    box.remove()
    text = json.dumps(result, indent=1)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0]
    return {
        "when": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "load_before": round(load, 2),
        "python": platform.python_version(),
        "headwater": version("headwater"),
    }


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
