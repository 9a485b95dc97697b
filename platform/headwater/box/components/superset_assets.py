"""One more endpoint of Superset's API, run by Superset's own Python: dashboards as code, in one transaction.

Superset's own import of assets is one transaction, but it deletes nothing, does not say what it changed, and takes over
a user's dataset that has the same table. ``POST /api/v1/headwater/push`` makes Superset hold exactly what a project
declares, or changes nothing; ``GET /api/v1/headwater/dashboard`` gives a dashboard back in the same form. What was
pushed is marked with the project's name in ``external_url``; nothing else is ever removed.
"""

from __future__ import annotations

import json
import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["install"]

_KINDS = ("datasets", "charts", "dashboards")
_MARK = "headwater:"
# Two pushes go one after the other: the number of the lock is arbitrary and this module's own.
_LOCK = "SELECT pg_advisory_xact_lock(7700770017)"
# What a chart's form data repeats from elsewhere, with numbers that hold in one Superset only.
_OWN_PARAMS = frozenset(("datasource", "slice_id", "dashboards", "dashboardId", "url_params", "viz_type"))
# What the browser works out again from the rest, with such numbers too.
_OWN_METADATA = frozenset(
    (
        *("chart_configuration", "global_chart_configuration", "map_label_colors", "shared_label_colors"),
        *("color_scheme_domain", "filter_scopes", "expanded_slices", "timed_refresh_immune_slices", "positions"),
        *("remote_id", "import_time", "native_filter_configuration"),
    )
)
_EMPTY: tuple[object, ...] = (None, "", "{}", [], {})
_COLUMN = {
    "type": "type",
    "time": "is_dttm",
    "sql": "expression",
    "title": "verbose_name",
    "description": "description",
    "date_format": "python_date_format",
}
_METRIC = {
    "sql": "expression",
    "title": "verbose_name",
    "description": "description",
    "format": "d3format",
    "currency": "currency",
}


class _RefusedError(Exception):
    """A push that cannot be; its text is for the user."""


class _UnchangedError(Exception):
    """A push after which Superset is as before: it is rolled back, so that not even a time of change moves."""


def install(app: Any) -> None:
    """Add the endpoint; Superset calls this once when it has set itself up."""
    import_module("superset.extensions").appbuilder.add_api(_api())
    app.config["HEADWATER_API"] = True


def _api() -> type:
    request = import_module("flask").request
    fab = import_module("flask_appbuilder.api")
    protect = import_module("flask_appbuilder.security.decorators").protect

    def push(self: Any) -> Any:
        return _answer(self, lambda: {"changes": _push(request.get_json())})

    def dashboard(self: Any) -> Any:
        return _answer(self, lambda: _dashboard(request.args.get("name", "")))

    members = {
        "resource_name": "headwater",
        # Who may import and export everything may use it; no permission is added.
        "class_permission_name": "ImportExportRestApi",
        "method_permission_name": {"push": "import_", "dashboard": "export"},
        # Only a token opens it, which no browser sends by itself.
        "allow_browser_login": False,
        "csrf_exempt": True,
        "push": fab.expose("/push", methods=("POST",))(protect()(push)),
        "dashboard": fab.expose("/dashboard", methods=("GET",))(protect()(dashboard)),
    }
    return type("HeadwaterRestApi", (import_module("superset.views.base_api").BaseSupersetApi,), members)


def _answer(api: Any, work: Callable[[], Mapping[str, Any]]) -> Any:
    invalid = import_module("superset.commands.exceptions").CommandException
    try:
        return api.response(200, result=work())
    except _RefusedError as error:
        return api.response(422, message=str(error))
    except invalid as error:
        said: Mapping[str, Any] = getattr(error, "normalized_messages", dict)()
        return api.response(422, message=f"{error} {json.dumps(said, default=str) if said else ''}".strip())


def _push(task: Mapping[str, Any]) -> list[dict[str, str]]:
    transaction = import_module("superset.utils.decorators").transaction
    changes: list[dict[str, str]] = []

    @transaction(on_error=None)  # type: ignore[untyped-decorator]  # a module of Superset
    def work() -> None:
        session = _session()
        session.execute(import_module("sqlalchemy").text(_LOCK))
        mark = _MARK + task["project"]
        concerned = {kind: _concerned(kind, mark, task[kind]) for kind in _KINDS}
        concerned["datasets"] |= {str(held.uuid) for one in task["datasets"] if (held := _holder(one)) is not None}
        before = _states(concerned)
        _remove(task, mark, ["dashboards"])  # another one may get its address
        _refuse_taken_slugs(task["dashboards"])
        _write(task, mark)
        _remove(task, mark, reversed(_KINDS))
        session.flush()
        session.expire_all()
        after = _states(concerned)
        if before == after:
            raise _UnchangedError
        if _is_gone(import_module("flask").request.environ.get("gunicorn.socket")):
            raise _RefusedError("Whoever pushed is gone; nothing was changed.")
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
    marked = _session().query(_model(kind)).filter_by(external_url=mark)
    return {str(one.uuid) for one in marked} | {one["uuid"] for one in wanted}


def _states(uuids: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], tuple[object, dict[str, Any]]]:
    """Return what there is, with whose it is."""
    return {
        (kind, uuid): ((model.external_url, _child_marks(kind, model)), _state(kind, model))
        for kind in _KINDS
        for uuid in uuids[kind]
        if (model := _find(kind, uuid)) is not None
    }


def _compare(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[dict[str, str]]:
    for key in sorted({**before, **after}):
        old, new = before.get(key, (None, {}))[1], after.get(key, (None, {}))[1]
        if old != new:
            state = new or old
            change = "removed" if not new else "changed" if old else "created"
            yield {"kind": key[0].removesuffix("s"), "title": state.get("title") or state["table"], "change": change}


def _refuse_taken_slugs(dashboards: Iterable[Mapping[str, Any]]) -> None:
    for one in dashboards:
        holder = _session().query(_model("dashboards")).filter_by(slug=one["slug"]).one_or_none()
        if holder is not None and str(holder.uuid) != one["uuid"]:
            raise _RefusedError(
                f"Superset has another dashboard ({holder.dashboard_title!r}) at the address {one['slug']!r}; "
                "give one of the two another slug."
            )


def _child_marks(kind: str, model: Any) -> list[str]:
    if kind != "datasets":
        return []
    return sorted(f"{one} {_child_mark(one)}" for one in (*model.columns, *model.metrics))


def _child_mark(one: Any) -> str:
    return str(json.loads(one.extra or "{}").get("headwater", ""))


def _write(task: Mapping[str, Any], mark: str) -> None:
    uuids = {one["uuid"]: _write_dataset(one, mark) for one in task["datasets"]}
    _session().flush()
    for one in task["charts"]:
        one["dataset"] = uuids[one["dataset"]]
    for target in (target for one in task["dashboards"] for held in one["filters"] for target in held["targets"]):
        if "datasetUuid" in target:
            target["datasetUuid"] = uuids[target["datasetUuid"]]
    config = {"metadata.yaml": {"version": "1.0.0", "type": "assets"}}
    config |= {f"charts/{one['uuid']}.yaml": _chart_config(one, mark) for one in task["charts"]}
    config |= {f"dashboards/{one['uuid']}.yaml": _dashboard_config(one, mark) for one in task["dashboards"]}
    command = import_module("superset.commands.importers.v1.assets").ImportAssetsCommand
    # JSON is YAML. Sparse: what charts and dashboards refer to is looked up, the connection is not part of it.
    command({name: json.dumps(one) for name, one in config.items()}, sparse=True).run()


def _holder(wanted: Mapping[str, Any]) -> Any:
    """Return the dataset of the wanted one's table, whoever made it; Superset takes one per table."""
    found = _find("datasets", wanted["uuid"])
    if found is not None:
        return found
    models = _session().query(_model("datasets")).filter_by(schema=wanted["schema"], table_name=wanted["table"])
    return next((one for one in models if str(one.database.uuid) == wanted["database"] and not one.sql), None)


def _write_dataset(wanted: Mapping[str, Any], mark: str) -> str:
    """Write one dataset and return its uuid.

    Superset's importer would overwrite a user's dataset of the same table. Here it is shared: it gets what it lacks and
    keeps all that it has, as another project's does.
    """
    models, model = import_module("superset.connectors.sqla.models"), _holder(wanted)
    if model is None:
        model = _new_dataset(models.SqlaTable, wanted, mark)
    own = model.external_url == mark or str(model.uuid) == wanted["uuid"]
    if own:
        named = {"uuid": UUID(wanted["uuid"]), "schema": wanted["schema"], "table_name": wanted["table"], "sql": None}
        told = {"main_dttm_col": wanted.get("time"), "description": wanted.get("description"), "external_url": mark}
        for attribute, value in {**named, **told}.items():
            setattr(model, attribute, value)
    children = _Children(wanted["table"], mark, own=own)
    columns, metrics = wanted.get("columns", {}), wanted.get("metrics", {})
    model.columns = children.of(model.columns, models.TableColumn, "column_name", _COLUMN, columns)
    model.metrics = children.of(model.metrics, models.SqlMetric, "metric_name", _METRIC, metrics)
    return str(model.uuid)


def _new_dataset(model: Any, wanted: Mapping[str, Any], mark: str) -> Any:
    user = import_module("superset.utils.core").get_user()
    database = _session().query(import_module("superset.models.core").Database)
    made = model(
        uuid=UUID(wanted["uuid"]),
        database=database.filter_by(uuid=UUID(wanted["database"])).one(),
        schema=wanted["schema"],
        table_name=wanted["table"],
        external_url=mark,
        owners=[user] if user else [],
    )
    _session().add(made)
    _session().flush()
    return made


class _Children:
    """Writes the columns and metrics of one dataset; what this project did not push stays."""

    def __init__(self, table: str, mark: str, *, own: bool) -> None:
        self._table, self._mark, self._own = table, mark, own

    def of(
        self, existing: Iterable[Any], model: Any, key: str, fields: Mapping[str, str], wanted: Mapping[str, Any]
    ) -> list[Any]:
        """Return what the dataset shall have."""
        known = {getattr(one, key): one for one in existing}
        found = []
        for name, facts in wanted.items():
            one = known.pop(name, None)
            if one is None or self._own or _child_mark(one) == self._mark:
                one = one or model(**{key: name})
                self._write(one, fields, facts)
            elif (one.expression or None) != facts.get("sql"):
                raise _RefusedError(
                    f"Superset's dataset of {self._table}, which this project did not make, has another {name!r}; "
                    "rename one of the two."
                )
            found.append(one)
        return found + [one for one in known.values() if _child_mark(one) != self._mark]

    def _write(self, one: Any, fields: Mapping[str, str], facts: Mapping[str, Any]) -> None:
        for field, attribute in fields.items():
            setattr(one, attribute, facts.get(field, False if field == "time" else None))
        one.extra = json.dumps({**json.loads(one.extra or "{}"), "headwater": self._mark})


def _chart_config(one: Mapping[str, Any], mark: str) -> dict[str, Any]:
    return {
        "slice_name": one["title"],
        "viz_type": one["kind"],
        "params": {**one.get("params", {}), "viz_type": one["kind"]},
        "query_context": None,  # the browser makes it from the form data
        "dataset_uuid": one["dataset"],
        **_described(one, mark),
    }


def _dashboard_config(one: Mapping[str, Any], mark: str) -> dict[str, Any]:
    # The importer replaces these numbers, by the charts' uuids, with those they have in this Superset.
    charts = [part for part in one["position"].values() if part["type"] == "CHART"]
    numbers = {part["meta"]["uuid"]: number for number, part in enumerate(charts, 1)}
    position = {"DASHBOARD_VERSION_KEY": "v2", **one["position"]}
    position["HEADER_ID"] = {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": one["title"]}}
    for part in charts:
        part["meta"]["chartId"] = numbers[part["meta"]["uuid"]]
    for each in one.get("filters", []):
        each["scope"]["excluded"] = [numbers[uuid] for uuid in each["scope"].get("excluded", []) if uuid in numbers]
    return {
        "dashboard_title": one["title"],
        "slug": one["slug"],
        "css": one.get("css"),
        "published": one.get("published", True),
        "position": position,
        "metadata": {**one.get("settings", {}), "native_filter_configuration": one.get("filters", [])},
        **_described(one, mark),
    }


def _described(one: Mapping[str, Any], mark: str) -> dict[str, Any]:
    told = {key: one.get(key) for key in ("description", "certified_by", "certification_details")}
    return {**told, "uuid": one["uuid"], "version": "1.0.0", "external_url": mark}


def _remove(task: Mapping[str, Any], mark: str, kinds: Iterable[str]) -> None:
    """Delete what was pushed before and is declared no more, unless something of a user's own needs it."""
    session = _session()
    for kind in kinds:
        kept = {one["uuid"] for one in task[kind]}
        for model in session.query(_model(kind)).filter_by(external_url=mark).all():
            if str(model.uuid) not in kept and not _needed(kind, model):
                session.delete(model)
        session.flush()
        session.expire_all()


def _needed(kind: str, model: Any) -> bool:
    if kind == "charts":
        return bool(model.dashboards)
    if kind == "datasets":
        chart = _model("charts")
        return bool(_session().query(chart).filter_by(datasource_id=model.id, datasource_type="table").count())
    return False


def _dashboard(name: str) -> dict[str, Any]:
    model = _model("dashboards")
    every = _session().query(model).all()
    found = [one for one in every if name in {str(one.uuid), str(one.id), one.slug, one.dashboard_title}]
    if len(found) != 1:
        known = ", ".join(sorted(one.slug or str(one.id) for one in every)) or "none"
        raise _RefusedError(f"Superset has {'more than one' if found else 'no'} dashboard {name!r}; it has {known}.")
    state = _state("dashboards", found[0])
    uuids = [part["meta"].get("uuid") for part in state["position"].values() if part["type"] == "CHART"]
    charts = [model for uuid in dict.fromkeys(uuids) if uuid and (model := _find("charts", uuid)) is not None]
    datasets = {one.table.uuid: one.table for one in charts if one.table is not None}
    for each in state["filters"]:
        for target in each["targets"]:
            if uuid := target.get("datasetUuid"):
                datasets.setdefault(UUID(uuid), _find("datasets", uuid))
    return {
        "dashboard": state,
        "charts": [_state("charts", one) for one in charts],
        "datasets": [_state("datasets", one) for one in datasets.values()],
    }


def _state(kind: str, model: Any) -> dict[str, Any]:
    made = {"datasets": _dataset_state, "charts": _chart_state, "dashboards": _dashboard_state}[kind](model)
    return {key: value for key, value in made.items() if key in ("position", "filters") or value not in _EMPTY}


def _dataset_state(model: Any) -> dict[str, Any]:
    return {
        "uuid": str(model.uuid),
        "database": str(model.database.uuid),
        "schema": model.schema,
        "table": model.table_name,
        "sql": model.sql,
        "time": model.main_dttm_col,
        "description": model.description,
        "columns": {one.column_name: _facts(one, _COLUMN) for one in model.columns},
        "metrics": {one.metric_name: _facts(one, _METRIC) for one in model.metrics},
    }


def _facts(model: Any, fields: Mapping[str, str]) -> dict[str, Any]:
    found = {field: getattr(model, attribute) for field, attribute in fields.items()}
    return {field: value for field, value in found.items() if value not in (*_EMPTY, False)}


def _chart_state(model: Any) -> dict[str, Any]:
    params = json.loads(model.params or "{}")
    return {
        "uuid": str(model.uuid),
        "title": model.slice_name,
        "kind": model.viz_type,
        "dataset": str(model.table.uuid) if model.table is not None else None,
        "description": model.description,
        "certified_by": model.certified_by,
        "certification_details": model.certification_details,
        "params": {key: value for key, value in params.items() if key not in _OWN_PARAMS and value not in (None, [])},
    }


def _dashboard_state(model: Any) -> dict[str, Any]:
    metadata = json.loads(model.json_metadata or "{}")
    uuids = {one.id: str(one.uuid) for one in model.slices}
    return {
        "uuid": str(model.uuid),
        "title": model.dashboard_title,
        "slug": model.slug,
        "css": model.css,
        "published": bool(model.published),
        "description": model.description,
        "certified_by": model.certified_by,
        "certification_details": model.certification_details,
        "position": _position(model, uuids),
        "filters": [_filter(one, uuids) for one in metadata.get("native_filter_configuration") or []],
        "settings": {
            key: value
            for key, value in metadata.items()
            if key not in _OWN_METADATA
            and value not in _EMPTY
            and (key, value) not in (("refresh_frequency", 0), ("cross_filters_enabled", True))
        },
    }


def _position(model: Any, uuids: Mapping[int, str]) -> dict[str, Any]:
    position = json.loads(model.position_json or "{}")
    placed = {part["meta"].get("chartId") for part in position.values() if _is_chart(part)}
    loose = [one for one in model.slices if one.id not in placed]
    if loose:  # charts that the browser shows below the others, because nobody has placed them yet
        position = import_module("superset.commands.dashboard.export").append_charts(position, loose)
    found = {}
    for name, part in position.items():
        if not isinstance(part, dict) or name == "HEADER_ID":
            continue
        meta = {key: value for key, value in part.get("meta", {}).items() if key not in ("chartId", "sliceName")}
        if _is_chart(part):
            meta["uuid"] = uuids.get(part["meta"].get("chartId"), meta.get("uuid"))
        found[name] = {"type": part["type"], "id": name, "children": part.get("children", []), "meta": meta}
    return found


def _is_chart(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "CHART"


def _filter(one: Mapping[str, Any], uuids: Mapping[int, str]) -> dict[str, Any]:
    kept = {key: value for key, value in one.items() if key not in ("chartsInScope", "tabsInScope")}
    kept["targets"] = [_target(target) for target in one.get("targets", [])]
    scope = one.get("scope", {})
    kept["scope"] = {**scope, "excluded": [uuids[number] for number in scope.get("excluded", []) if number in uuids]}
    return kept


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in target.items() if key != "datasetId"}
    dataset = _session().get(_model("datasets"), target["datasetId"]) if target.get("datasetId") else None
    return {**kept, "datasetUuid": str(dataset.uuid)} if dataset is not None else kept


def _find(kind: str, uuid: str) -> Any:
    return _session().query(_model(kind)).filter_by(uuid=UUID(uuid)).one_or_none()


def _model(kind: str) -> Any:
    module, name = {
        "datasets": ("superset.connectors.sqla.models", "SqlaTable"),
        "charts": ("superset.models.slice", "Slice"),
        "dashboards": ("superset.models.dashboard", "Dashboard"),
    }[kind]
    return getattr(import_module(module), name)


def _session() -> Any:
    return import_module("superset.extensions").db.session
