"""A project's dashboards as they are written: YAML files, each value with the line it stands on.

A folder of dashboards holds ``datasets/``, ``charts/`` and ``dashboards/``, each with one YAML file per thing; others
refer to it by the file's name. ``dashboards/`` beside ``headwater.toml`` is such a folder, and ``headwater.toml`` may
name further ones, or packages::

    [project]
    dashboards = ["headwater_dashboards.loans"]
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import yaml
from headwater.errors import ConfigError, DashboardError
from headwater.profile import read_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from headwater.profile import Profile

__all__ = ["KINDS", "Document", "Documents", "Kind", "Place", "as_yaml", "folders", "load", "own_folder"]

Kind = Literal["datasets", "charts", "dashboards"]
KINDS: tuple[Kind, ...] = ("datasets", "charts", "dashboards")
# A place in a document: keys and indexes from the top.
Place = tuple[str | int, ...]

# What a file may say, and of which type; a mark of exclamation: must.
_FIELDS: Mapping[Kind, Mapping[str, type]] = {
    "datasets": {"uuid!": str, "table!": str, "time": str, "description": str, "metrics": dict, "columns": dict},
    "charts": {
        "uuid!": str,
        "title!": str,
        "dataset!": str,
        "kind!": str,
        "description": str,
        "params": dict,
        "certified_by": str,
        "certification_details": str,
    },
    "dashboards": {
        "uuid!": str,
        "title!": str,
        "slug": str,
        "description": str,
        "owner": str,
        "published": bool,
        "css": str,
        "layout": list,
        "tabs": list,
        "filters": list,
        "settings": dict,
        "certified_by": str,
        "certification_details": str,
    },
}
# Of values within values; no chart has nearly as many.
_MOST_LEVELS = 100
_CALLED = {str: "a text", list: "a list", dict: "a mapping", bool: "true or false"}


@dataclass(frozen=True, eq=False)
class Document:
    """One file.

    Args:
        kind: ``datasets``, ``charts`` or ``dashboards``.
        file: The file; its name without ``.yaml`` is what others call the thing.
        data: What it says.
        lines: The line of every value, by its place.
    """

    kind: Kind
    file: Path
    data: Mapping[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The name that other files call it by."""
        return self.file.stem

    @property
    def uuid(self) -> str:
        """The number that it has in every Superset."""
        return str(self.data["uuid"])

    def at(self, *place: str | int) -> str:
        """Return ``file, line n`` of a place, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.file}, line {self.lines.get(place, 1)}"


@dataclass(frozen=True)
class Documents:
    """All files of a project.

    Args:
        every: Every file, in the order of the folders.
    """

    every: tuple[Document, ...]

    def of(self, kind: Kind) -> tuple[Document, ...]:
        """Return the files of one kind."""
        return tuple(one for one in self.every if one.kind == kind)

    @cached_property
    def _by_name(self) -> Mapping[tuple[Kind, str], Document]:
        return {(one.kind, one.name): one for one in self.every}

    def find(self, kind: Kind, name: object) -> Document | None:
        """Return a file by its kind and name."""
        return self._by_name.get((kind, str(name)))

    def numbered(self, uuid: str) -> Document | None:
        """Return the file with a uuid."""
        return next((one for one in self.every if one.uuid == uuid), None)


def own_folder(profile: Profile) -> Path:
    """Return the folder beside ``headwater.toml``, where new files go."""
    return profile.project / "dashboards"


def folders(profile: Profile) -> tuple[Path, ...]:
    """Return the folders that dashboards are read from.

    Raises:
        ConfigError: ``headwater.toml`` names something that is neither a folder nor a package.
    """
    section = read_project(profile.project).get("project", {})
    entries = section.get("dashboards", []) if isinstance(section, dict) else []
    if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
        raise ConfigError(
            f"[project] in {profile.project / 'headwater.toml'}: dashboards is {entries!r}; give a list of folders."
        )
    return tuple(dict.fromkeys((own_folder(profile), *(_folder(profile.project, entry) for entry in entries))))


def load(places: Iterable[Path]) -> Documents:
    """Read every file below some folders.

    Raises:
        DashboardError: A file is no YAML, says something that is not known, or two have one name or uuid; the sentences
            name file and line.
    """
    found = [_read(kind, file) for place in places for kind in KINDS for file in sorted((place / kind).glob("*.yaml"))]
    problems = [problem for one in found for problem in _problems(one)] or list(_twice(found))
    if problems:
        raise DashboardError("\n".join(problems))
    return Documents(tuple(found))


def as_yaml(data: Mapping[str, Any]) -> str:
    """Return a document's text: keys in their order, short lists of plain values on one line."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _folder(project: Path, entry: str) -> Path:
    if (project / entry).is_dir():
        return project / entry
    try:
        spec = importlib.util.find_spec(entry) if entry.replace(".", "").isidentifier() else None
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"{project / 'headwater.toml'}: dashboards names {entry!r}, which is neither a folder next to it nor an "
            "installed package."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _read(kind: Kind, file: Path) -> Document:
    try:
        text = file.read_text(encoding="utf-8")
        _require_flat(file, text)
        node = yaml.compose(text, Loader=_Loader)
        lines = dict(_lines(file, node)) if node is not None else {}
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        line = min(error.problem_mark.line + 1, len(text.splitlines())) if error.problem_mark else 1
        raise DashboardError(f"{file}, line {line}: this is no YAML: {error.problem}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DashboardError(f"{file} cannot be read: {error}.") from error
    if not isinstance(data, dict):
        raise DashboardError(f"{file}, line 1: a file of {kind} holds names and values, such as `uuid: ...`.")
    return Document(kind, file, data, lines)


class _Loader(yaml.CSafeLoader):
    """Dates stay texts: Superset wants JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """What people read: no aliases, long texts as blocks, short lists in one line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Write everything out."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Indent lists within mappings."""
        super().increase_indent(flow, False)  # noqa: FBT003 - the library's signature


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _list_node(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.SequenceNode:
    plain = all(not isinstance(value, list | dict) and "\n" not in str(value) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain or None)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(list, _list_node)


def _require_flat(file: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS and event.start_mark:
            line = event.start_mark.line + 1
            raise DashboardError(
                f"{file}, line {line}: values are nested deeper than {_MOST_LEVELS} levels; flatten them."
            )


def _lines(
    file: Path, node: yaml.Node, place: Place = (), above: tuple[yaml.Node, ...] = ()
) -> Iterator[tuple[Place, int]]:
    """Yield the line of every place; what YAML's loader would drop or follow without an end is refused."""
    line = node.start_mark.line + 1
    if any(node is one for one in above):
        raise DashboardError(f"{file}, line {line}: a value leads back into itself through its alias; write it out.")
    yield place, line
    if isinstance(node, yaml.MappingNode):
        _require_single(file, node)
        for key, value in node.value:
            yield from _lines(file, value, (*place, str(key.value)), (*above, node))
            yield (*place, str(key.value)), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(file, value, (*place, index), (*above, node))


def _require_single(file: Path, node: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        mark, line = (key.tag, key.value), key.start_mark.line + 1
        if mark in first:
            raise DashboardError(
                f"{file}, line {line}: {key.value!r} is there twice, on line {first[mark]} already; keep one of them."
            )
        first[mark] = line


def _problems(one: Document) -> Iterator[str]:
    known = {key.rstrip("!"): wanted for key, wanted in _FIELDS[one.kind].items()}
    for key, value in one.data.items():
        if key not in known:
            yield f"{one.at(str(key))}: {key!r} is not known; a file of {one.kind} has {', '.join(known)}."
        elif not isinstance(value, known[key]):
            yield f"{one.at(key)}: {key} must be {_CALLED[known[key]]}."
    for key in _FIELDS[one.kind]:
        if key.endswith("!") and key[:-1] not in one.data:
            yield f"{one.at()}: {key[:-1]} is missing."
    try:
        if str(UUID(str(one.data.get("uuid", "")))) != one.data["uuid"]:
            raise ValueError  # noqa: TRY301 - one sentence for both
    except ValueError:
        yield f'{one.at("uuid")}: uuid is no UUID; make one with `python -c "import uuid; print(uuid.uuid4())"`.'


def _twice(found: Iterable[Document]) -> Iterator[str]:
    names: dict[tuple[Kind, str], Document] = {}
    uuids: dict[str, Document] = {}
    for one in found:
        if (other := names.setdefault((one.kind, one.name), one)) is not one:
            yield f"{one.file} has the same name as {other.file}; rename one."
        if (other := uuids.setdefault(one.uuid, one)) is not one:
            yield f"{one.at('uuid')}: {other.file} has the same uuid; give one of them another."
