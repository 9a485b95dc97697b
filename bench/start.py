"""Cold start: the whole box at once, against its components one after another."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from headwater.box.components import all_components
from headwater.box.programs import by_default, tiers

from bench.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.box import BenchBox

__all__ = ["box_start"]

_BOX_READY = re.compile(r"The box is ready after ([0-9.]+) s")
_ONE_READY = r"\] {name} +ready after ([0-9.]+) s"


def box_start(box: BenchBox, rounds: int, say: Callable[[str], None]) -> Pair:
    """Start an empty box both ways, in turns; both sides do every migration and end with the same ready processes."""
    ours, theirs = [], []
    for number in range(rounds):
        together, ready = _together(box)
        one_by_one, also_ready = _one_by_one(box)
        if ready != also_ready:
            raise AssertionError(f"Both ways must end with the same ready processes: {ready} and {also_ready}.")
        say(f"start {number + 1} of {rounds}: {together:.1f} s together, {one_by_one:.1f} s one by one")
        ours.append(together)
        theirs.append(one_by_one)
    return Pair(
        name="Cold start of the box, from nothing to every probe passed",
        ours="`headwater up`: in dependency order, as parallel as it allows",
        theirs="the sum of each component's own start, one after another",
        goal=0.5,
        our_seconds=ours,
        their_seconds=theirs,
        limit="the processor: every service loads its own classes or modules, and two cores are busy all along",
    )


def _together(box: BenchBox) -> tuple[float, tuple[str, ...]]:
    with box.up() as said:
        return _seconds(_BOX_READY, said), _ready(box)


def _one_by_one(box: BenchBox) -> tuple[float, tuple[str, ...]]:
    components = all_components()
    started = by_default(components)
    names = [name for tier in tiers(components) for name in tier if name in started]
    total = 0.0
    with box.up(names[0]) as said:
        total += _component_seconds(names[0], said)
        for name in names[1:]:
            total += _component_seconds(name, box.headwater("up", name))
        return total, _ready(box)


def _component_seconds(name: str, said: str) -> float:
    return _seconds(re.compile(_ONE_READY.format(name=re.escape(name))), said)


def _seconds(pattern: re.Pattern[str], said: str) -> float:
    found = pattern.search(said)
    if not found:
        raise AssertionError(f"`headwater up` did not say when it was ready:\n{said}")
    return float(found[1])


def _ready(box: BenchBox) -> tuple[str, ...]:
    return tuple(sorted(row["name"] for row in json.loads(box.headwater("status", "-o", "json")) if row["ready"]))
