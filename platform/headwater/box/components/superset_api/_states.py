"""What Superset holds, in the form in which it is pushed: without numbers that hold in one Superset only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ._models import COLUMN, METRIC, RefusedError, find, model_of, session

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["dashboard", "state_of"]

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


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard with its charts and datasets.

    Raises:
        RefusedError: There is none of that slug, title, number or uuid, or more than one.
    """
    every = session().query(model_of("dashboards")).all()
    found = [one for one in every if name in {str(one.uuid), str(one.id), one.slug, one.dashboard_title}]
    if len(found) != 1:
        known = ", ".join(sorted(one.slug or str(one.id) for one in every)) or "none"
        raise RefusedError(f"Superset has {'more than one' if found else 'no'} dashboard {name!r}; it has {known}.")
    state = state_of("dashboards", found[0])
    uuids = [part["meta"].get("uuid") for part in state["position"].values() if part["type"] == "CHART"]
    charts = [model for uuid in dict.fromkeys(uuids) if uuid and (model := find("charts", uuid)) is not None]
    datasets = {one.table.uuid: one.table for one in charts if one.table is not None}
    for each in state["filters"]:
        for target in each["targets"]:
            if uuid := target.get("datasetUuid"):
                datasets.setdefault(UUID(uuid), find("datasets", uuid))
    return {
        "dashboard": state,
        "charts": [state_of("charts", one) for one in charts],
        "datasets": [state_of("datasets", one) for one in datasets.values()],
    }


def state_of(kind: str, model: Any) -> dict[str, Any]:
    """Return what one thing says, without what is empty."""
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
        "columns": {one.column_name: _facts(one, COLUMN) for one in model.columns},
        "metrics": {one.metric_name: _facts(one, METRIC) for one in model.metrics},
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
    loose = sorted((one for one in model.slices if one.id not in placed), key=lambda one: int(one.id))
    if loose:
        _place(position, loose)
    found = {}
    for name, part in position.items():
        if not isinstance(part, dict) or name == "HEADER_ID":
            continue
        meta = {key: value for key, value in part.get("meta", {}).items() if key not in ("chartId", "sliceName")}
        if _is_chart(part):
            meta["uuid"] = uuids.get(part["meta"].get("chartId"), meta.get("uuid"))
        found[name] = {"type": part["type"], "id": name, "children": part.get("children", []), "meta": meta}
    return found


def _place(position: dict[str, Any], charts: list[Any]) -> None:
    """Put charts that nobody has placed yet into a row below the others, where the browser shows them.

    Superset's own export does so too, but with ids that are others every time.
    """
    root = position.setdefault("ROOT_ID", {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]})
    position.setdefault("GRID_ID", {"type": "GRID", "id": "GRID_ID", "children": []})
    below = "GRID_ID" if "GRID_ID" in root["children"] else position[root["children"][0]]["children"][0]
    row = f"ROW-{charts[0].uuid}"
    names = {f"CHART-{one.uuid}": one for one in charts}
    position[below]["children"].append(row)
    settings = {"background": "BACKGROUND_TRANSPARENT"}
    position[row] = {"type": "ROW", "id": row, "children": list(names), "meta": settings}
    for name, one in names.items():
        meta = {"chartId": one.id, "width": 4, "height": 50}
        position[name] = {"type": "CHART", "id": name, "children": [], "meta": meta}


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
    dataset = session().get(model_of("datasets"), target["datasetId"]) if target.get("datasetId") else None
    return {**kept, "datasetUuid": str(dataset.uuid)} if dataset is not None else kept
