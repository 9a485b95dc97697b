"""How a Table becomes a Dagster asset, and a project's tables become Definitions."""

# No postponed annotations here: Dagster looks at the types of an asset's function while it builds the asset.
from collections.abc import Iterator
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    BackfillPolicy,
    Definitions,
    in_process_executor,
    multi_asset,
)
from headwater_catalog.links import table_page
from headwater_catalog.telling import telling

from headwater_assets.lib.compute import Write, materialize, write_to_lake
from headwater_assets.lib.schedules import schedules_of
from headwater_assets.lib.sensors import sensors_of
from headwater_assets.lib.specs import Page, asset_specs, check_specs
from headwater_assets.lib.upkeep_job import upkeep_job, upkeep_schedules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater.profile import Profile
    from headwater.project import Project, Source
    from headwater.table import Table

__all__ = ["assets_of", "definitions_of"]


def assets_of(
    tables: "Iterable[Table]",
    sources: "Mapping[str, Source] | None" = None,
    *,
    write: Write = write_to_lake,
    page: Page | None = None,
) -> list[AssetsDefinition]:
    """Return one asset per table, with a second output for rejected rows where a table has any.

    Args:
        tables: The tables.
        sources: Where each is declared; gives the group and the link to its file.
        write: How a step writes.
        page: Where the catalog shows a table.
    """
    return [_asset(table, (sources or {}).get(table.name), write, page) for table in tables]


def definitions_of(project: "Project", profile: "Profile") -> Definitions:
    """Return everything Dagster serves for a project: assets, sensors, schedules and alerts.

    Packages above this one add assets, such as dashboards, through the entry point group ``headwater.assets``: a
    function of the project and the profile that returns asset specs.
    """
    added = [spec for point in entry_points(group="headwater.assets") for spec in point.load()(project, profile)]
    upkeep = upkeep_job()
    return Definitions(
        jobs=[upkeep],
        assets=[
            *assets_of(
                project.tables,
                project.sources,
                write=telling(profile, write_to_lake),
                page=partial(table_page, profile),
            ),
            *added,
        ],
        sensors=sensors_of(project, profile),
        schedules=[*schedules_of(project.tables), *upkeep_schedules(profile, upkeep)],
        # The run's own process executes the steps one by one: the engines do the work in parallel.
        executor=in_process_executor,
    )


def _asset(table: "Table", source: "Source | None", write: Write, page: Page | None) -> AssetsDefinition:
    @multi_asset(
        name=f"{table.zone}__{table.id.name}",
        specs=asset_specs(table, source, page),
        check_specs=check_specs(table),
        backfill_policy=BackfillPolicy.single_run() if table.partitioning else None,
    )
    def compute(context: AssetExecutionContext) -> Iterator[Any]:
        yield from materialize(table, context, write)

    return compute
