"""One push: everything that a project declares, and the removal of what it declares no more, in one transaction."""

from __future__ import annotations

import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._database import database_state, write_database
from ._models import KINDS, RefusedError, child_mark, find, model_of, session
from ._states import state_of
from ._writing import holder_of, on_its_table, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["push"]

_MARK = "headwater:"
# Two pushes go one after the other: the number of the lock is arbitrary and this module's own.
_LOCK = "SELECT pg_advisory_xact_lock(7700770017)"


class _UnchangedError(Exception):
    """A push after which Superset is as before: it is rolled back, so that not even a time of change moves."""


def push(task: Mapping[str, Any]) -> list[dict[str, str]]:
    """Make Superset hold what a project declares and return what that changed; nothing when it refuses.

    Raises:
        RefusedError: It cannot be; the text is for the user.
    """
    transaction = import_module("superset.utils.decorators").transaction
    changes: list[dict[str, str]] = []

    @transaction(on_error=None)  # type: ignore[untyped-decorator]  # a module of Superset
    def work() -> None:
        session().execute(import_module("sqlalchemy").text(_LOCK))
        mark = _MARK + task["project"]
        concerned = {kind: _concerned(kind, mark, task[kind]) for kind in KINDS}
        concerned["datasets"] |= {str(held.uuid) for one in task["datasets"] if (held := holder_of(one)) is not None}
        before = {**_lake(task), **_states(concerned)}
        if "database" in task:
            write_database(task["database"])
        _refuse_other_lakes(task["datasets"], move=task.get("move", False))
        _remove(task, mark, ["dashboards"])  # another one may get its address
        _refuse_taken_slugs(task["dashboards"])
        write(task, mark)
        _remove(task, mark, reversed(KINDS))
        session().flush()
        session().expire_all()
        after = {**_lake(task), **_states(concerned)}
        if before == after:
            raise _UnchangedError
        if _is_gone(import_module("flask").request.environ.get("gunicorn.socket")):
            raise RefusedError("Whoever pushed is gone; nothing was changed.")
        changes.extend(_compare(before, after))

    try:
        work()
    except _UnchangedError:
        return []
    return changes


def _is_gone(connection: socket.socket | None) -> bool:
    """Return whether the other side has hung up: a pusher that was killed must not change anything any more."""
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _concerned(kind: str, mark: str, wanted: Iterable[Mapping[str, Any]]) -> set[str]:
    marked = session().query(model_of(kind)).filter_by(external_url=mark)
    return {str(one.uuid) for one in marked} | {one["uuid"] for one in wanted}


def _states(uuids: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], tuple[object, dict[str, Any]]]:
    """Return what there is, with whose it is."""
    return {
        (kind, uuid): ((model.external_url, _child_marks(kind, model)), state_of(kind, model))
        for kind in KINDS
        for uuid in uuids[kind]
        if (model := find(kind, uuid)) is not None
    }


def _lake(task: Mapping[str, Any]) -> dict[tuple[str, str], tuple[object, dict[str, Any]]]:
    """Return what there is of the database that a push brings along; the box's own is not among them."""
    uuid = task.get("database", {}).get("uuid")
    state = database_state(uuid) if uuid else {}
    return {("databases", uuid): (None, state)} if state else {}


def _compare(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[dict[str, str]]:
    for key in sorted({**before, **after}):
        old, new = before.get(key, (None, {}))[1], after.get(key, (None, {}))[1]
        if old != new:
            state = new or old
            change = "removed" if not new else "changed" if old else "created"
            yield {"kind": key[0].removesuffix("s"), "title": state.get("title") or state["table"], "change": change}


def _refuse_taken_slugs(dashboards: Iterable[Mapping[str, Any]]) -> None:
    for one in dashboards:
        holder = session().query(model_of("dashboards")).filter_by(slug=one["slug"]).one_or_none()
        if holder is not None and str(holder.uuid) != one["uuid"]:
            raise RefusedError(
                f"Superset has another dashboard ({holder.dashboard_title!r}) at the address {one['slug']!r}; "
                "give one of the two another slug."
            )


def _refuse_other_lakes(datasets: Iterable[Mapping[str, Any]], *, move: bool) -> None:
    """Two lakes may have the same project's dashboards; in one Superset these read one of them, and not in turns."""
    for one in datasets:
        holder, name = find("datasets", one["uuid"]), f"{one['schema']}.{one['table']}"
        if holder is None or str(holder.database.uuid) == one["database"]:
            continue
        if not move:
            raise RefusedError(
                f"Superset's dataset {name} reads another lake, {holder.database.database_name!r}; `headwater "
                "dashboards push --move` has this project's dashboards read yours instead, or push to another Superset."
            )
        if on_its_table(one) is not None:
            raise RefusedError(
                f"Superset has another dataset {name} on your lake already, and takes one per table; remove it there."
            )


def _child_marks(kind: str, model: Any) -> list[str]:
    if kind != "datasets":
        return []
    return sorted(f"{one} {child_mark(one)}" for one in (*model.columns, *model.metrics))


def _remove(task: Mapping[str, Any], mark: str, kinds: Iterable[str]) -> None:
    """Delete what was pushed before and is declared no more, unless something of a user's own needs it."""
    current = session()
    for kind in kinds:
        kept = {one["uuid"] for one in task[kind]}
        for model in current.query(model_of(kind)).filter_by(external_url=mark).all():
            if str(model.uuid) not in kept and not _needed(kind, model):
                current.delete(model)
        current.flush()
        current.expire_all()


def _needed(kind: str, model: Any) -> bool:
    if kind == "charts":
        return bool(model.dashboards)
    if kind == "datasets":
        chart = model_of("charts")
        return bool(session().query(chart).filter_by(datasource_id=model.id, datasource_type="table").count())
    return False
