"""Writes what a project declares into Superset's tables; the caller commits."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from ._database import lake_of
from ._models import COLUMN, METRIC, RefusedError, child_mark, find, model_of, session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["document", "holder_of", "on_its_table", "plain_sql", "write"]


def write(task: Mapping[str, Any], mark: str) -> None:
    """Write datasets, then charts and dashboards through Superset's own import.

    Raises:
        RefusedError: A name is taken by something of another's.
    """
    uuids = {one["uuid"]: _write_dataset(one, mark) for one in task["datasets"]}
    session().flush()
    for one in task["charts"]:
        one["dataset"] = uuids[one["dataset"]]
    for target in (target for one in task["dashboards"] for held in one["filters"] for target in held["targets"]):
        if "datasetUuid" in target:
            target["datasetUuid"] = uuids[target["datasetUuid"]]
    config = {"metadata.yaml": {"version": "1.0.0", "type": "assets"}}
    config |= {f"charts/{one['uuid']}.yaml": _chart_config(one, mark) for one in task["charts"]}
    config |= {f"dashboards/{one['uuid']}.yaml": _dashboard_config(one, mark) for one in task["dashboards"]}
    command = import_module("superset.commands.importers.v1.assets").ImportAssetsCommand
    # Sparse: what charts and dashboards refer to is looked up, the connection is not part of it.
    command({name: document(one) for name, one in config.items()}, sparse=True).run()


def document(config: Mapping[str, Any]) -> str:
    """Return what Superset reads, as YAML: of JSON's escapes for an emoji its reader makes two halves."""
    return yaml.safe_dump(config, sort_keys=False)


def holder_of(wanted: Mapping[str, Any]) -> Any:
    """Return the dataset of the wanted one's table, whoever made it; Superset takes one per table."""
    return find("datasets", wanted["uuid"]) or on_its_table(wanted)


def on_its_table(wanted: Mapping[str, Any]) -> Any:
    """Return the dataset that the wanted one's lake has of its table; None when it has none."""
    models = session().query(model_of("datasets")).filter_by(schema=wanted["schema"], table_name=wanted["table"])
    return next((one for one in models if str(one.database.uuid) == wanted["database"] and not one.sql), None)


def _write_dataset(wanted: Mapping[str, Any], mark: str) -> str:
    """Write one dataset and return its uuid.

    Superset's importer would overwrite a user's dataset of the same table. Here it is shared: it gets what it lacks and
    keeps all that it has, as another project's does.
    """
    models, model = import_module("superset.connectors.sqla.models"), holder_of(wanted)
    if model is None:
        model = _new_dataset(models.SqlaTable, wanted, mark)
    own = model.external_url == mark or str(model.uuid) == wanted["uuid"]
    if own:
        if model.database is not (lake := lake_of(wanted)):
            model.database, model.catalog = lake, None
        named = {"uuid": UUID(wanted["uuid"]), "schema": wanted["schema"], "table_name": wanted["table"], "sql": None}
        told = {"main_dttm_col": wanted.get("time"), "description": wanted.get("description"), "external_url": mark}
        for attribute, value in {**named, **told}.items():
            setattr(model, attribute, value)
    children = _Children(wanted["table"], mark, own=own)
    columns, metrics = wanted.get("columns", {}), wanted.get("metrics", {})
    model.columns = children.of(model.columns, models.TableColumn, "column_name", COLUMN, columns)
    model.metrics = children.of(model.metrics, models.SqlMetric, "metric_name", METRIC, metrics)
    return str(model.uuid)


def _new_dataset(model: Any, wanted: Mapping[str, Any], mark: str) -> Any:
    user = import_module("superset.utils.core").get_user()
    made = model(
        uuid=UUID(wanted["uuid"]),
        database=lake_of(wanted),
        schema=wanted["schema"],
        table_name=wanted["table"],
        external_url=mark,
        owners=[user] if user else [],
    )
    session().add(made)
    session().flush()
    return made


def plain_sql(sql: str | None) -> str:
    """Return an expression without what makes no difference, as Superset writes COUNT(*) where others write count( * ).

    >>> plain_sql("COUNT( * )"), plain_sql("Max(name = 'A b')")
    ('count(*)', "max(name='A b')")
    """
    parts = (sql or "").split("'")  # every second one is a literal
    return "'".join(part if index % 2 else "".join(part.split()).lower() for index, part in enumerate(parts))


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
            if one is None or self._own or child_mark(one) == self._mark:
                one = one or model(**{key: name})
                self._write(one, fields, facts)
            elif plain_sql(one.expression) != plain_sql(facts.get("sql")):
                raise RefusedError(
                    f"Superset's dataset of {self._table}, which this project did not make, has another {name!r}; "
                    "rename one of the two."
                )
            found.append(one)
        return found + [one for one in known.values() if child_mark(one) != self._mark]

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
