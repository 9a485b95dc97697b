"""The job that maintains the lake, and when Dagster runs it."""

# No postponed annotations here: Dagster looks at the types of an op's function while it builds the op.
from typing import TYPE_CHECKING

from dagster import (
    DefaultScheduleStatus,
    Failure,
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    ScheduleDefinition,
    in_process_executor,
    job,
    op,
)
from dagster._utils.schedules import is_valid_cron_string
from headwater.errors import ConfigError
from headwater.profile import Profile
from headwater.project import load_project

if TYPE_CHECKING:
    from headwater.write import Maintained

__all__ = ["upkeep_job", "upkeep_schedules"]

_SETTING = "HEADWATER_MAINTAIN"
_OFF = "off"


def upkeep_job() -> JobDefinition:
    """Return the job that maintains every table of a project, and all that was ingested."""

    @op(name="maintain", description="Compacts small files, expires old snapshots, removes orphan files.")
    def maintain(context: OpExecutionContext) -> None:
        from headwater.stack import Stack  # noqa: PLC0415 - definitions load without engines

        from headwater_assets.lib.maintenance import maintained  # noqa: PLC0415

        profile = Profile.load()
        failures: list[str] = []
        tables = load_project(profile).tables
        for done in maintained(Stack.build(profile), tables, log=context.log.info, fail=failures.append):
            context.log.info(_sentence(done))
        if failures:
            raise Failure(
                " ".join(failures), metadata={"tables": MetadataValue.int(len(failures))}, allow_retries=False
            )

    @job(name="maintain_lake", description="The lake's daily upkeep.", executor_def=in_process_executor)
    def maintain_lake() -> None:
        maintain()

    return maintain_lake


def upkeep_schedules(profile: Profile, what: JobDefinition) -> list[ScheduleDefinition]:
    """Return the schedule of the upkeep, on from the start, or none where the setting says so.

    Raises:
        ConfigError: The setting is no cron line.
    """
    when = profile.setting(_SETTING).strip()
    if when == _OFF:
        return []
    if not is_valid_cron_string(when):
        raise ConfigError(f"{_SETTING} is {when!r}; give a cron line such as '30 3 * * *', or off.")
    return [
        ScheduleDefinition(
            name="maintain_daily",
            job=what,
            cron_schedule=when,
            execution_timezone="UTC",
            default_status=DefaultScheduleStatus.RUNNING,
            description=f"Maintains the lake; {_SETTING} says when.",
        )
    ]


def _sentence(done: "Maintained") -> str:
    return (
        f"{done.table}: {done.files[0]} files, now {done.files[1]}; {done.expired} snapshots expired; "
        f"{done.removed} objects of {done.removed_bytes} bytes removed. {' '.join(done.notes)}".strip()
    )
