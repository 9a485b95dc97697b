"""The loans that queries and dashboards are measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.box import BenchBox

__all__ = ["fill"]

_LOANS = 50_000
_YEARS = "2019-2020"


def fill(box: BenchBox) -> None:
    """Load loans through every table of the demo; curated tables are hardly larger with more of them."""
    box.headwater("demo-data", "loans", "--rows", str(_LOANS), "--years", _YEARS)
    box.headwater("materialize", "--all")
