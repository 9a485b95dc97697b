"""Whether the files fit each other and the tables' columns; the sentences name file and line. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from headwater.errors import DashboardError

from headwater_dashboards._chart_kinds import CHART_KINDS
from headwater_dashboards._layout import GRID_COLUMNS, charts_in, parts_in
from headwater_dashboards._references import Reference, columns_of_sql, references
from headwater_dashboards.forms import COUNT, slug_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from headwater_dashboards.documents import Document, Documents, Place
    from headwater_dashboards.tables import TableFacts, TableReader

__all__ = ["validate"]


def validate(documents: Documents, tables: TableReader) -> Mapping[str, TableFacts]:
    """Hold every file against the others and against the tables.

    Returns:
        What is known of each table that a dataset names.

    Raises:
        DashboardError: Something names what is not there; one sentence each, with file and line.
    """
    found: dict[str, TableFacts] = {}
    problems: list[str] = []
    for one in documents.of("datasets"):
        name = str(one.data["table"])
        facts = tables(name)
        if facts is None:
            problems.append(f"{one.at('table')}: there is no table {name}; ingest it, or correct the name.")
        else:
            found[name] = facts
            problems += _dataset_problems(one, facts)
    for one in documents.of("charts"):
        problems += _chart_problems(one, documents, found)
    for one in documents.of("dashboards"):
        problems += _dashboard_problems(one, documents, found)
    problems += [*_tables_twice(documents), *_slugs_twice(documents)]
    if problems:
        raise DashboardError("\n".join(problems))
    return found


def _columns(dataset: Document, facts: TableFacts) -> list[str]:
    return [*facts.column_names, *(name for name, one in dataset.data.get("columns", {}).items() if "sql" in one)]


def _dataset_problems(one: Document, facts: TableFacts) -> Iterator[str]:
    for section in ("columns", "metrics"):
        for name, value in one.data.get(section, {}).items():
            if not isinstance(value, dict):
                yield f"{one.at(section, name)}: {name} must be a mapping, such as {{sql: sum(amount)}}."
                return
            if section == "metrics" and "sql" not in value:
                yield f"{one.at(section, name)}: the metric {name} has no sql."
            if section == "columns" and "sql" not in value and name not in facts.column_names:
                yield f"{one.at(section, name)}: {_unknown('column', name, facts.name, facts.column_names)}"
            if "sql" in value:
                known = facts.column_names if section == "columns" else _columns(one, facts)
                yield from _sql_problems(one, (section, name, "sql"), str(value["sql"]), facts.name, known)
    time = one.data.get("time")
    if time is not None and time not in _columns(one, facts):
        yield f"{one.at('time')}: {_unknown('column', time, facts.name, _columns(one, facts))}"


def _chart_problems(one: Document, documents: Documents, tables: Mapping[str, TableFacts]) -> Iterator[str]:
    if one.data["kind"] not in CHART_KINDS:
        yield f"{one.at('kind')}: {_unknown('kind of chart', one.data['kind'], 'Superset', sorted(CHART_KINDS))}"
    dataset = documents.find("datasets", one.data["dataset"])
    if dataset is None:
        yield f"{one.at('dataset')}: {_no_file('dataset', one.data['dataset'], documents)}"
        return
    facts = tables.get(str(dataset.data["table"]))
    if facts is None:
        return  # said already, of the dataset
    for reference in references(one.data.get("params", {})):
        yield from _reference_problems(one, reference, dataset, facts)


def _reference_problems(one: Document, reference: Reference, dataset: Document, facts: TableFacts) -> Iterator[str]:
    place, columns = ("params", *reference.place), _columns(dataset, facts)
    metrics = [*dataset.data.get("metrics", {}), COUNT]
    if reference.kind == "sql":
        yield from _sql_problems(one, place, reference.text, facts.name, columns)
    elif reference.kind == "metric" and reference.text not in metrics:
        yield f"{one.at(*place)}: {_unknown('metric', reference.text, f'dataset {dataset.name}', metrics)}"
    elif (reference.kind == "column" and reference.text not in columns) or (
        reference.kind == "either" and reference.text not in (*columns, *metrics, *_labels(one))
    ):
        yield f"{one.at(*place)}: {_unknown('column', reference.text, facts.name, columns)}"


def _labels(one: Document) -> set[str]:
    """Return the names that a chart itself gives to its expressions."""
    params = one.data.get("params", {}).values()
    values = [value for held in params for value in (held if isinstance(held, list) else [held])]
    return {str(value["label"]) for value in values if isinstance(value, dict) and "label" in value}


def _sql_problems(one: Document, place: Place, sql: str, table: str, known: Collection[str]) -> Iterator[str]:
    try:
        names = columns_of_sql(sql)
    except ValueError as error:
        yield f"{one.at(*place)}: {sql!r} is no SQL expression: {error}."
        return
    lower = {name.lower() for name in known}
    for name in sorted(names):
        if name.lower() not in lower:
            yield f"{one.at(*place)}: {_unknown('column', name, table, known)}"


def _dashboard_problems(one: Document, documents: Documents, tables: Mapping[str, TableFacts]) -> Iterator[str]:
    if ("layout" in one.data) == ("tabs" in one.data):
        yield f"{one.at()}: give a layout, or tabs, and not both."
        return
    for place, word, part in parts_in(one.data):
        yield from (f"{one.at(*place)}: {problem}" for problem in _part_problems(place, word, part))
    for place, name in charts_in(one.data):
        if documents.find("charts", name) is None:
            yield f"{one.at(*place)}: {_no_file('chart', name, documents)}"
    if not charts_in(one.data):
        yield f"{one.at()}: the dashboard has no chart; put one into its layout."
    for index, filter_ in enumerate(one.data.get("filters", [])):
        yield from _filter_problems(one, index, filter_, documents, tables)


def _part_problems(place: Place, word: str, part: Any) -> Iterator[str]:
    if not word:
        yield "this is no part of a layout; write row, column, tabs, chart, text, header or divider, one of them."
        return
    if (place[-2] == "tabs") != (word == "tab"):
        yield "tabs hold parts such as {tab: Title, layout: [...]}, and nothing else does."
    inner = part.get("layout" if word == "tab" else word)
    if word in ("row", "column", "tabs", "tab") and not isinstance(inner, list):
        yield f"{word} must hold a list of parts."
    if word == "row" and isinstance(inner, list):
        widths = [one.get("width", 4) for one in inner if isinstance(one, dict)]
        wide = sum(width for width in widths if isinstance(width, int))
        if wide > GRID_COLUMNS:
            yield f"the row is {wide} columns wide; a dashboard has {GRID_COLUMNS}."


def _filter_problems(
    one: Document, index: int, held: Any, documents: Documents, tables: Mapping[str, TableFacts]
) -> Iterator[str]:
    place = ("filters", index)
    if not isinstance(held, dict) or not isinstance(held.get("title"), str):
        yield f"{one.at(*place)}: a filter is a mapping with title, dataset and column."
        return
    for name in held.get("exclude", []):
        if documents.find("charts", name) is None:
            yield f"{one.at(*place, 'exclude')}: {_no_file('chart', name, documents)}"
    if "dataset" not in held:
        return  # a filter of time ranges has none
    dataset = documents.find("datasets", held["dataset"])
    if dataset is None:
        yield f"{one.at(*place, 'dataset')}: {_no_file('dataset', held['dataset'], documents)}"
        return
    facts = tables.get(str(dataset.data["table"]))
    if facts is not None and "column" in held and held["column"] not in _columns(dataset, facts):
        yield f"{one.at(*place, 'column')}: {_unknown('column', held['column'], facts.name, _columns(dataset, facts))}"


def _tables_twice(documents: Documents) -> Iterator[str]:
    seen: dict[str, Document] = {}
    for one in documents.of("datasets"):
        if (other := seen.setdefault(str(one.data["table"]), one)) is not one:
            yield f"{one.at('table')}: {other.file} is of the same table, and Superset takes one; use that."


def _slugs_twice(documents: Documents) -> Iterator[str]:
    seen: dict[str, Document] = {}
    for one in documents.of("dashboards"):
        if (other := seen.setdefault(slug_of(one), one)) is not one:
            yield f"{one.at('slug')}: {other.file} has the same slug; give one of them another."


def _unknown(what: str, name: object, holder: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
    return f"{holder} has no {what} {name!r}; {hint}"


def _no_file(what: str, name: object, documents: Documents) -> str:
    kind: Any = f"{what}s"
    known = ", ".join(one.name for one in documents.of(kind)) or "none"
    return f"there is no {what} {name!r}; there are {known}."
