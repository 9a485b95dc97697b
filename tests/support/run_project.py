"""Writes every table of a project as Dagster does, under the profile that the environment names; tells what it did.

    python run_project.py OUT PARTITION...

OUT gets ``report.json``, what Dagster keeps of each asset, and every table's rows as Arrow, asked of the profile's own
engine of SQL.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dagster import AssetKey, AssetsDefinition, DagsterInstance, materialize
from headwater.profile import Profile
from headwater.project import load_project
from headwater.stack import Stack
from headwater_assets.lib.adapter import definitions_of
from project_tables import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.project import Project

__all__ = ["read_report", "read_rows"]


def read_report(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what Dagster keeps of each asset, by ``zone.name``."""
    report: dict[str, dict[str, Any]] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def read_rows(folder: Path, table: str) -> pa.Table:
    """Return a table's rows as its engine answered."""
    with pa.memory_map(str(folder / f"{table}.arrow")) as file:
        return pa.ipc.open_file(file).read_all()


def _written(project: Project, profile: Profile, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    assets = {
        key: one
        for one in definitions_of(project, profile).assets or ()
        if isinstance(one, AssetsDefinition)
        for key in one.keys
    }
    with DagsterInstance.ephemeral() as instance:
        for table in project.tables:  # upstreams first
            asset = assets[AssetKey([table.zone, table.id.name])]
            for partition in keys if table.partitioning else [None]:
                done = materialize([asset], partition_key=partition, instance=instance)
                for event in done.get_asset_materialization_events():
                    told = event.step_materialization_data.materialization
                    yield ".".join(told.asset_key.path), {name: one.value for name, one in told.metadata.items()}


def main(out: Path, *keys: str) -> None:
    """Write, ask and tell."""
    profile = Profile.load()
    project = load_project(profile)
    report = dict(_written(project, profile, keys))
    engine = Stack.build(profile).engine("trino")
    for name in names_of(project.tables):
        rows = engine.arrow(f"SELECT * FROM {name}")
        with pa.OSFile(str(out / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)
    (out / "report.json").write_text(json.dumps(report, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
