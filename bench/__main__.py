"""``python -m bench``: measure and print one JSON."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import psutil

from bench.box import BenchBox
from bench.catalog import catalog
from bench.dashboards import dashboards
from bench.ingest import ingest
from bench.launch import launch
from bench.load import load
from bench.memory import memory
from bench.query import query
from bench.start import box_start

if TYPE_CHECKING:
    from collections.abc import Callable

# What each part adds to the JSON: pairs of both sides, or figures of its own under its name.
_PARTS: dict[str, Callable[[BenchBox, int], dict[str, Any]]] = {
    "start": lambda box, rounds: {"pairs": [box_start(box, rounds, _say)]},
    "launch": lambda box, rounds: {"pairs": [launch(box, 10 * rounds, _say)]},
    "memory": lambda box, _: memory(box, 1_000_000, _say),
    "load": lambda box, rounds: load(box, {1_000_000: rounds}, _say),
    "load-large": lambda box, _: load(box, {5_000_000: 1, 25_000_000: 1}, _say),
    "ingest": lambda box, rounds: {"pairs": ingest(box, rounds, _say)},
    "query": lambda box, rounds: query(box, rounds, _say),
    "dashboards": lambda box, rounds: dashboards(box, 3 * rounds, _say),
    "catalog": lambda box, rounds: catalog(box, rounds, _say),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(_PARTS)))
@click.option("--rounds", default=3, show_default=True, help="Times that both sides are measured; ten launches each.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Keep the JSON in this file; parts that are not measured now stay in it as they were.",
)
def main(names: tuple[str, ...], rounds: int, out: Path | None) -> None:
    """Measure NAMES, all of them without any, and print one JSON of ratios."""
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out and out.exists() else {}
    box = BenchBox()
    for name in names or _PARTS:
        # What was measured is kept at once: all of it takes an hour.
        machine = _machine()
        measured = _PARTS[name](box, rounds)
        pairs = [pair.as_json() for pair in measured.pop("pairs", ())]
        result[name] = {"machine": machine, "pairs": pairs, **measured}
        if out:
            out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    box.remove()
    click.echo(json.dumps(result, indent=1))


def _machine() -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "headwater": version("headwater"),
    }


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
