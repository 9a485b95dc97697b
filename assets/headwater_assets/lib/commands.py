"""The command that writes tables: it submits runs to the box's Dagster and shows what happens."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from headwater.arrivals import WHOLE, arrivals, fingerprint
from headwater.box.serving import require_running, was_stopped
from headwater.errors import ComponentError, ConfigError, WriteError
from headwater.profile import Profile
from headwater.project import load_project
from headwater.words import amount

from headwater_assets.lib.outdated import outdated, without_files
from headwater_assets.lib.plan import batches, every_key, keys_between, keys_with_files, select
from headwater_assets.lib.webserver import Webserver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from headwater.table import Table

    from headwater_assets.lib.outdated import Writing
    from headwater_assets.lib.plan import Batch
    from headwater_assets.lib.webserver import Event, RunState

__all__ = ["materialize"]

_LOOK_SECONDS = 0.3
_STILL_SECONDS = 20.0
# In which the supervisor has brought back whatever was killed.
_PATIENCE_SECONDS = 60.0


@click.command()
@click.argument("selection", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every table, in every partition that has files.")
@click.option("--partition", metavar="KEY", help="One partition, e.g. 2019.")
@click.option("--partitions", "span", metavar="FIRST..LAST", help="Partitions from one to another, e.g. 2019..2021.")
@click.option("--all-partitions", is_flag=True, help="Every partition that has files.")
@click.option("--stale", is_flag=True, help="Of these, what has newer files or upstreams, or was changed by hand.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Return when the tables are written.")
def materialize(
    selection: tuple[str, ...],
    *,
    everything: bool,
    partition: str | None,
    span: str | None,
    all_partitions: bool,
    stale: bool,
    wait: bool,
) -> None:
    """Write tables: names, domains or patterns such as 'curated.*', upstreams first."""
    profile = Profile.load()
    if everything == bool(selection):
        raise ConfigError("Say which tables: names such as curated.loan_state, or --all.")
    if sum(map(bool, (partition, span, all_partitions))) > 1:
        raise ConfigError("Give one of --partition, --partitions and --all-partitions.")
    require_running(profile)
    tables = select(load_project(profile), selection or ("*",))
    today = datetime.now(UTC).date()
    wanted = _Wanted(partition or span or "", every=everything or all_partitions or stale, profile=profile, today=today)
    keys: Mapping[str, Sequence[str]] = {table.name: wanted.keys(table) for table in tables}
    _require(tables, batches(tables, keys, today))
    dagster = Webserver(f"http://{profile.address('dagster')}")
    if stale:
        keys = _outdated(dagster, tables, keys, profile)
        tables = tuple(table for table in tables if table.name in keys)
    runs = batches(tables, keys, today)
    _write(dagster, runs, profile, wait=wait)
    if not runs:
        click.echo("Every table is up to date; nothing was written.")


def _outdated(
    dagster: Webserver, tables: Sequence[Table], keys: Mapping[str, Sequence[str]], profile: Profile
) -> dict[str, tuple[str, ...]]:
    written = {(table.name, key): one for table in tables for key, one in dagster.writings(table.name).items()}
    here = {table.name: arrivals(table, profile.project) for table in tables}
    marks = {(name, key): fingerprint(files) for name, found in here.items() for key, files in found.items()}
    reasons = _disturbed(tables, keys, written, profile)
    for line in (*dict.fromkeys(f"{reason}." for reason in reasons.values()), *without_files(tables, here, written)):
        click.echo(line)
    return outdated(tables, keys, written, marks, reasons)


def _disturbed(
    tables: Sequence[Table],
    keys: Mapping[str, Sequence[str]],
    written: Mapping[tuple[str, str], Writing],
    profile: Profile,
) -> dict[tuple[str, str], str]:
    """Return why tables and partitions do not hold any more what Dagster says was written."""
    from headwater.stack import Stack  # noqa: PLC0415 - only --stale asks the lake
    from headwater.write import disturbed  # noqa: PLC0415

    stack = Stack.build(profile)
    found: dict[tuple[str, str], str] = {}
    for table in tables:
        wanted = keys.get(table.name, ()) if table.partitioning else (WHOLE,)
        snapshots = {key: written[table.name, key].snapshot for key in wanted if (table.name, key) in written}
        found |= {(table.name, key): reason for key, reason in disturbed(table, stack, snapshots).items()}
    return found


class _Wanted:
    """The partitions that the options ask for, of any table."""

    def __init__(self, text: str, *, every: bool, profile: Profile, today: date) -> None:
        first, dots, last = text.partition("..")
        self._span = (first, last if dots else first)
        self._every, self._profile, self._today = every, profile, today

    def keys(self, table: Table) -> Sequence[str]:
        if table.partitioning is None:
            return ()
        if self._span[0]:
            return keys_between(table.partitioning, *self._span, self._today)
        if not self._every:
            known = every_key(table.partitioning, self._today)
            raise ConfigError(
                f"{table.name} has partitions; add --partition {known[-1]}, --partitions FIRST..LAST "
                "or --all-partitions."
            )
        return keys_with_files(table, lambda raw: arrivals(raw, self._profile.project), self._today)


def _require(tables: Sequence[Table], runs: Sequence[Batch]) -> None:
    if runs:
        return
    folders = sorted({table.files.folder for table in tables if table.files})
    where = f" Put files into {', '.join(folders)}, or run `headwater demo-data loans`." if folders else ""
    raise ConfigError(f"There is nothing to write: no partition has files.{where}")


def _write(dagster: Webserver, runs: Sequence[Batch], profile: Profile, *, wait: bool) -> None:
    if not wait and len(runs) > 1:
        raise ConfigError(f"This takes {len(runs)} runs, one after the other; leave out --no-wait.")
    began = time.monotonic()
    for run in runs:
        span = f" {run.first}..{run.last}" if run.first != run.last else f" {run.first}".rstrip()
        run_id = dagster.launch(run.assets, run.tags)
        click.echo(f"{_clock(began)} run {run_id}: {amount(len(run.tables), 'table')}{span}")
        if wait:
            _follow(dagster, profile, run_id, began, len(run.tables))
    if wait and runs:
        written = {table.name for run in runs for table in run.tables}
        click.echo(f"{_clock(began)} done: {amount(len(written), 'table')} written")


def _follow(dagster: Webserver, profile: Profile, run_id: str, began: float, steps: int) -> None:
    cursor, progress = "", _Progress(steps)
    while True:
        state = _patiently(dagster, profile, run_id, cursor)
        cursor = state.cursor
        for line in filter(None, map(progress.tell, state.events)):
            click.echo(f"{_clock(began)} {line}")
        if line := progress.still():
            click.echo(f"{_clock(began)} {line}")
        if state.ended:
            break
        time.sleep(_LOOK_SECONDS)
    if state.status != "SUCCESS":
        _refuse_stopped(profile, run_id)
        said = " ".join(dict.fromkeys(progress.failures)) or f"Its end was {state.status.lower()}."
        raise WriteError(f"Run {run_id} did not write everything. {said}")


def _patiently(dagster: Webserver, profile: Profile, run_id: str, cursor: str) -> RunState:
    """Ask how a run goes; while a part of Dagster is started anew, the run goes on without an answer."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return dagster.follow(run_id, cursor)
        except ComponentError:
            _refuse_stopped(profile, run_id)
            if time.monotonic() > until:
                raise
            time.sleep(1)


def _refuse_stopped(profile: Profile, run_id: str) -> None:
    if was_stopped(profile, "dagster"):
        raise WriteError(
            f"The box was stopped; run {run_id} was cut off. Start it with `headwater up` and run this again."
        )


class _Progress:
    """Turns a run's events into lines for people.

    Args:
        steps: How many tables the run writes.
    """

    def __init__(self, steps: int) -> None:
        self.failures: list[str] = []
        self._steps, self._step, self._under_way = steps, 0, ""
        self._told = time.monotonic()
        self._began: dict[str, float] = {}
        self._numbers: dict[str, Event] = {}
        self._warned: set[str] = set()

    def tell(self, event: Event) -> str:
        table = event.step.replace("__", ".", 1)
        if event.kind == "ExecutionStepFailureEvent" or (event.kind == "RunFailureEvent" and not self.failures):
            self.failures.append(event.error or event.message)
        if event.kind == "MaterializationEvent":
            self._numbers[event.asset] = event
            if event.warnings and event.warnings not in self._warned:  # every partition of a run has the same
                self._warned.add(event.warnings)
                return f"warning: {event.warnings}"
        elif event.kind == "ExecutionStepStartEvent":
            self._began[table] = event.seconds
            self._step, self._under_way, self._told = self._step + 1, table, time.monotonic()
            return f"{table:<34} begins, {self._step} of {self._steps}"
        elif event.kind == "ExecutionStepFailureEvent":
            self._under_way = ""
            return f"{table:<34} failed"
        elif event.kind == "ExecutionStepSuccessEvent" and table in self._numbers:
            self._under_way = ""
            return f"{table:<34} {self._rows(table)} in {event.seconds - self._began[table]:.1f} s"
        return ""

    def still(self) -> str:
        """Return a line for a table that has been under way for a while without one."""
        if not self._under_way or time.monotonic() - self._told < _STILL_SECONDS:
            return ""
        self._told = time.monotonic()
        return f"{self._under_way:<34} still writing, {time.time() - self._began[self._under_way]:.0f} s so far"

    def _rows(self, table: str) -> str:
        numbers = self._numbers[table].metadata
        rejected = numbers.get("rejected", 0)
        count = numbers.get("dagster/row_count", 0)
        said = f"{count:,.0f} {'row' if count == 1 else 'rows'}"
        return f"{said}, {rejected:,.0f} rejected," if rejected else said


def _clock(began: float) -> str:
    return f"[{time.monotonic() - began:7.1f} s]"
