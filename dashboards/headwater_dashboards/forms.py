"""What the files become for Superset, and what Superset's answer becomes in files. Pure.

Both directions stand side by side here, because each must undo the other: what was pulled and is pushed again changes
nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from headwater_dashboards._layout import layout_of, position_of
from headwater_dashboards.documents import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater_dashboards.documents import Document, Documents
    from headwater_dashboards.tables import TableFacts

__all__ = [
    "COUNT",
    "COUNT_SQL",
    "chart_file",
    "dashboard_file",
    "dataset_file",
    "form_of",
    "slug_of",
    "stem_of",
    "task_of",
]

# The metric that every dataset has.
COUNT = "count"
COUNT_SQL = "count(*)"
_COUNT_METRIC = {"sql": COUNT_SQL, "title": "Rows", "format": ",d"}
_CONTROLS = {
    "enableEmptyFilter": False,
    "defaultToFirstItem": False,
    "multiSelect": True,
    "searchAllOptions": False,
    "inverseSelection": False,
}
_FILTER: Mapping[str, Any] = {
    "type": "NATIVE_FILTER",
    "description": "",
    "controlValues": _CONTROLS,
    "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
    "cascadeParentIds": [],
}
# How a dataset's description leads to its table in the catalog.
_PAGE = re.compile(r"\s*In the catalog: \S+\s*\Z")
_COMMON = ("description", "certified_by", "certification_details")


def slug_of(dashboard: Document) -> str:
    """Return the last part of a dashboard's address."""
    return str(dashboard.data.get("slug") or _slug(dashboard.name))


def _slug(name: str) -> str:
    return re.sub(r"_+", "-", name)


def stem_of(title: str) -> str:
    """Return the file name that a title gives.

    >>> stem_of("Loans, by State (2019)")
    'loans_by_state_2019'
    """
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60] or "untitled"


def task_of(
    project: str,
    documents: Documents,
    tables: Mapping[str, TableFacts],
    *,
    lake: str,
    page: Callable[[str], str] | None = None,
) -> dict[str, Any]:
    """Return what Superset shall hold for a project; the documents must be valid.

    Args:
        project: Its name.
        documents: Its files.
        tables: What datasets are made of.
        lake: The uuid of the lake's database in Superset.
        page: Gives the address of a table's page in the catalog; each dataset's description ends with it.
    """
    made: dict[str, Any] = {kind: [form_of(one, documents, tables) for one in documents.of(kind)] for kind in KINDS}
    for one in made["datasets"]:
        one["database"] = lake
        if page is not None:
            one["description"] = _leading_to(one["description"], page(f"{one['schema']}.{one['table']}"))
    return {**made, "project": project}


def _leading_to(description: str, page: str) -> str:
    return f"{description}\n\nIn the catalog: {page}".strip()


def form_of(one: Document, documents: Documents, tables: Mapping[str, TableFacts]) -> dict[str, Any]:
    """Return what Superset shall hold for one file."""
    if one.kind == "datasets":
        return _dataset(one, tables[one.data["table"]])
    return _chart(one, documents) if one.kind == "charts" else _dashboard(one, documents)


def _dataset(one: Document, facts: TableFacts) -> dict[str, Any]:
    schema, _, table = facts.name.partition(".")
    columns = _table_columns(facts)
    for name, extra in one.data.get("columns", {}).items():
        columns[name] = {**columns.get(name, {}), **extra}
    return {
        "uuid": one.uuid,
        "schema": schema,
        "table": table,
        "time": one.data.get("time") or _first_time(facts),
        "description": one.data.get("description") or facts.doc,
        "columns": columns,
        "metrics": {COUNT: _COUNT_METRIC, **one.data.get("metrics", {})},
    }


def dataset_file(state: Mapping[str, Any], facts: TableFacts) -> dict[str, Any]:
    """Return the file of a dataset as Superset has it: what differs from the table alone."""
    told = _table_columns(facts)
    description = _PAGE.sub("", state.get("description") or "")
    columns = {
        name: extra
        for name, held in state.get("columns", {}).items()
        if (extra := {key: value for key, value in held.items() if told.get(name, {}).get(key) != value})
    }
    metrics = {name: one for name, one in state.get("metrics", {}).items() if (name, one) != (COUNT, _COUNT_METRIC)}
    made = {
        "uuid": state["uuid"],
        "table": facts.name,
        "description": description if description != facts.doc else None,
        "time": state.get("time") if state.get("time") != _first_time(facts) else None,
        "columns": columns,
        "metrics": metrics,
    }
    return {key: value for key, value in made.items() if value}


def _table_columns(facts: TableFacts) -> dict[str, dict[str, Any]]:
    return {
        column.name: {
            "type": column.type,
            **({"description": column.doc} if column.doc else {}),
            **({"time": True} if column.is_time else {}),
        }
        for column in facts.columns
    }


def _first_time(facts: TableFacts) -> str | None:
    return next((column.name for column in facts.columns if column.is_time), None)


def _chart(one: Document, documents: Documents) -> dict[str, Any]:
    dataset = documents.find("datasets", one.data["dataset"])
    return {**one.data, "dataset": dataset.uuid if dataset else ""}


def chart_file(state: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Return the file of a chart as Superset has it."""
    keys = ("uuid", "title", *_COMMON, "dataset", "kind", "params")
    held = {**state, "dataset": dataset}
    return {key: held[key] for key in keys if held.get(key)}


def _dashboard(one: Document, documents: Documents) -> dict[str, Any]:
    def uuid(kind: Any, name: object) -> str:
        found = documents.find(kind, name)
        return found.uuid if found else ""

    keys = ("uuid", "title", "css", "published", "settings", *_COMMON)
    return {
        **{key: one.data[key] for key in keys if key in one.data},
        "slug": slug_of(one),
        "position": position_of(one.data, lambda name: uuid("charts", name)),
        "filters": [_filter(held, uuid) for held in one.data.get("filters", [])],
    }


def dashboard_file(
    state: Mapping[str, Any], name: str, called: Callable[[Any, str], str], kept: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the file of a dashboard as Superset has it.

    Args:
        state: Superset's.
        name: The file's name.
        called: Gives the name of a dataset or chart by its kind and uuid.
        kept: What the file says that Superset does not know, such as the owner.
    """
    slug = state.get("slug")
    made = {
        "uuid": state["uuid"],
        "title": state["title"],
        "slug": slug if slug != _slug(name) or "slug" in kept else None,
        **{key: state.get(key) for key in _COMMON},
        "owner": kept.get("owner"),
        "css": state.get("css"),
        "settings": state.get("settings"),
        "filters": [_filter_file(held, called) for held in state.get("filters", [])],
        **layout_of(state["position"], lambda uuid: called("charts", uuid)),
    }
    found = {key: value for key, value in made.items() if value}
    return found if state.get("published", True) else {**found, "published": False}


def _filter_id(title: str) -> str:
    return f"NATIVE_FILTER-{hashlib.sha256(title.encode()).hexdigest()[:12]}"


def _filter(held: Mapping[str, Any], uuid: Callable[[Any, object], str]) -> dict[str, Any]:
    target: dict[str, Any] = {}
    if "dataset" in held:
        target = {"datasetUuid": uuid("datasets", held["dataset"])}
    if "column" in held:
        target["column"] = {"name": held["column"]}
    return {
        **_FILTER,
        "id": held.get("id", _filter_id(held["title"])),
        "name": held["title"],
        "filterType": f"filter_{held.get('kind', 'select')}",
        "targets": [target],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": [uuid("charts", name) for name in held.get("exclude", [])]},
        **held.get("settings", {}),
    }


def _filter_file(state: Mapping[str, Any], called: Callable[[Any, str], str]) -> dict[str, Any]:
    target = (state.get("targets") or [{}])[0]
    excluded = state.get("scope", {}).get("excluded", [])
    title, kind = state["name"], state["filterType"].removeprefix("filter_")
    made = {
        "title": title,
        "kind": kind if kind != "select" else None,
        "dataset": called("datasets", target["datasetUuid"]) if target.get("datasetUuid") else None,
        "column": target.get("column", {}).get("name"),
        "id": state["id"] if state["id"] != _filter_id(title) else None,
        "exclude": [called("charts", uuid) for uuid in excluded],
    }
    settings = _filter_settings(state, {key: value for key, value in made.items() if value})
    return {key: value for key, value in {**made, "settings": settings}.items() if value}


def _filter_settings(state: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a filter is not as a file without settings would make it."""
    built = _filter(made, lambda _kind, name: str(name))
    scope, excluded = dict(state.get("scope", {})), {"excluded": built["scope"]["excluded"]}
    held = {**state, "scope": {**scope, **excluded}}
    own = ("id", "name", "filterType", "targets")
    found = {key: value for key, value in held.items() if key not in own and built.get(key) != value}
    return {**found, "scope": scope} if "scope" in found else found
