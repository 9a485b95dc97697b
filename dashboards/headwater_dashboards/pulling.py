"""A dashboard as Superset has it, as files: what is known keeps its file, what is new gets one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.errors import DashboardError

from headwater_dashboards.documents import Document, Documents, as_yaml
from headwater_dashboards.forms import chart_file, dashboard_file, dataset_file, form_of, stem_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headwater_dashboards.documents import Kind
    from headwater_dashboards.tables import TableFacts, TableReader

__all__ = ["files_of", "write_files"]


def files_of(
    found: Mapping[str, Any], documents: Documents, tables: TableReader, folder: Path, *, lake: str
) -> Mapping[Path, Mapping[str, Any]]:
    """Return what each file of a pulled dashboard shall say; only those that say something else now.

    Args:
        found: Superset's answer.
        documents: The files that are there.
        tables: Gives the tables' columns.
        folder: Where new files go.
        lake: The uuid of the lake's database in Superset.

    Raises:
        DashboardError: The dashboard uses something that files cannot say.
    """
    pulled = _Pulled(documents, folder, lake)
    states: list[tuple[Kind, Mapping[str, Any]]] = [
        *(("datasets", one) for one in found["datasets"]),
        *(("charts", one) for one in found["charts"]),
        ("dashboards", found["dashboard"]),
    ]
    for kind, state in states:
        pulled.take(kind, state)
    made = [Document(kind, pulled.file(state["uuid"]), _content(kind, state, pulled, tables)) for kind, state in states]
    known = {one.file: one for one in documents.every}
    after = Documents(tuple({**known, **{one.file: one for one in made}}.values()))
    facts = _facts(after, tables)
    files: dict[Path, Mapping[str, Any]] = {}
    for one in made:
        old = known.get(one.file)
        if old is None or form_of(old, documents, facts) != form_of(one, after, facts):
            files[one.file] = _in_order(one.data, old.data if old else {})
    return files


def _facts(documents: Documents, tables: TableReader) -> dict[str, TableFacts]:
    names = [str(one.data["table"]) for one in documents.of("datasets")]
    return {name: facts for name in names if (facts := tables(name)) is not None}


def write_files(files: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write files, each replaced whole.

    Raises:
        DashboardError: A folder cannot be written.
    """
    for file, data in files.items():
        partial = file.with_name(f".{file.name}.new")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(as_yaml(data), encoding="utf-8")
            partial.replace(file)
        except OSError as error:
            raise DashboardError(
                f"{file} cannot be written: {error.strerror}. Where the project is read-only, as in a container, "
                "set HEADWATER_PROJECT to a copy of it."
            ) from error


@dataclass
class _Pulled:
    """Which file each uuid has."""

    documents: Documents
    folder: Path
    lake: str
    _files: dict[str, Path] = field(default_factory=dict)

    def take(self, kind: Kind, state: Mapping[str, Any]) -> None:
        uuid = state["uuid"]
        known = self.known(kind, state)
        if known is not None:
            self._files[uuid] = known.file
            return
        taken = {(one.kind, one.name) for one in self.documents.every} | {
            (file.parent.name, file.stem) for file in self._files.values()
        }
        stem = stem_of(state.get("title") or state.get("table", ""))
        numbers = (stem if number == 1 else f"{stem}_{number}" for number in range(1, 1000))
        self._files[uuid] = self.folder / kind / f"{next(one for one in numbers if (kind, one) not in taken)}.yaml"

    def known(self, kind: Kind, state: Mapping[str, Any]) -> Document | None:
        """Return the file that is there; a table has one dataset, whatever its uuid."""
        found = self.documents.numbered(state["uuid"])
        if found is None and kind == "datasets":
            name = f"{state['schema']}.{state['table']}"
            return next((one for one in self.documents.of(kind) if one.data["table"] == name), None)
        return found

    def file(self, uuid: str) -> Path:
        """Return the file of a uuid that was taken."""
        return self._files[uuid]

    def name(self, kind: Kind, uuid: str) -> str:
        if uuid in self._files:
            return self._files[uuid].stem
        known = self.documents.numbered(uuid)
        if known is None:
            raise DashboardError(f"The dashboard uses one of Superset's {kind} that is gone ({uuid}); remove it there.")
        return known.name

    def kept(self, uuid: str) -> Mapping[str, Any]:
        known: Document | None = self.documents.numbered(uuid)
        return known.data if known else {}


def _in_order(new: Any, old: Any) -> Any:
    """Return the new value with the old one's order of keys, so that a difference shows only what changed."""
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        names = [*(name for name in before if name in new), *(name for name in new if name not in before)]
        return {name: _in_order(new[name], before.get(name)) for name in names}
    if isinstance(new, list):
        others = [*(old if isinstance(old, list) else []), *([None] * len(new))][: len(new)]
        return [_in_order(one, other) for one, other in zip(new, others, strict=True)]
    return new


def _content(kind: Kind, state: Mapping[str, Any], pulled: _Pulled, tables: TableReader) -> Mapping[str, Any]:
    if kind == "datasets":
        known = pulled.known(kind, state)
        return _dataset({**state, "uuid": known.uuid if known else state["uuid"]}, tables, pulled.lake)
    if kind == "charts":
        if "dataset" not in state:
            raise DashboardError(f"The chart {state['title']!r} has no dataset any more; remove it in Superset.")
        return chart_file(state, pulled.name("datasets", state["dataset"]))
    file = pulled.file(state["uuid"])
    return dashboard_file(state, file.stem, pulled.name, pulled.kept(state["uuid"]))


def _dataset(state: Mapping[str, Any], tables: TableReader, lake: str) -> Mapping[str, Any]:
    if state.get("sql") or state["database"] != lake:
        raise DashboardError(
            f"The dataset {state['table']!r} is a query or lies outside the lake; dashboards as code read the lake's "
            "tables. Make it a table (README: Add a table) and use that."
        )
    name = f"{state['schema']}.{state['table']}"
    facts = tables(name)
    if facts is None:
        raise DashboardError(f"The dataset {name} has no table in the lake any more; remove its charts in Superset.")
    return dataset_file(state, facts)
