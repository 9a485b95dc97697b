"""What pages are made with, and what they lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headwater.table import ZONES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Link", "Site"]

_DATASET = re.compile(r"superset:(\d+)")


@dataclass(frozen=True)
class Link:
    """A place outside the catalog.

    Args:
        title: What is there.
        url: Where.
    """

    title: str
    url: str


@dataclass(frozen=True)
class Site:
    """The box around the pages.

    Args:
        libraries: The runtime with what runs in the browser.
        dagster: Address of Dagster's pages.
        superset: Address of Superset's pages.
    """

    libraries: Path
    dagster: str
    superset: str

    def dagster_run(self, run: Mapping[str, Any]) -> Link | None:
        """Return where the Dagster run is shown that a run is part of; None when it is part of none."""
        if not run["of_dagster"] or run["parent_known"]:
            return None
        return Link("Dagster's run", f"{self.dagster}/runs/{quote(str(run['parent']), safe='')}")

    def links(self, table: Mapping[str, Any]) -> list[Link]:
        """Return where else a table is shown: as Dagster's asset, as Superset's dataset, or on its own page there."""
        found = []
        zone, _, name = str(table["name"]).partition(".")
        if table["defined"] and zone in ZONES:
            found.append(Link("Asset in Dagster", f"{self.dagster}/assets/{quote(zone)}/{quote(name, safe='')}"))
        if table["url"]:
            found.append(Link("Superset", str(table["url"])))
        datasets = (_DATASET.fullmatch(one["text"]) for one in table["aliases"])
        found += [
            Link(
                f"Dataset {one[1]} in Superset",
                f"{self.superset}/explore/?datasource_type=table&datasource_id={one[1]}",
            )
            for one in datasets
            if one
        ]
        return found
