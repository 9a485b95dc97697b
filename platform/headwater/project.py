"""Whose tables these are: imports what ``headwater.toml`` names and collects the Tables found there.

::

    [project]
    name = "sales"
    definitions = ["tables", "company_tables.shared"]

An entry of ``definitions`` is a folder next to ``headwater.toml`` or an importable package. Every module in it is
imported, folders within folders too; those whose name begins with an underscore only when others import them. Installed
packages add theirs through the entry point group ``headwater.definitions``, whose value is a package.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.checks import tables_needed
from headwater.errors import ConfigError, DefinitionError
from headwater.profile import PROJECT_FILE, read_project
from headwater.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

    from headwater.profile import Profile

__all__ = ["Project", "Source", "definition_folders", "definition_states", "load_project", "load_tables"]

_PACKAGE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")


@dataclass(frozen=True)
class Source:
    """Where a table is declared.

    Args:
        domain: What it belongs to: the folder of its file, the project's name for a file directly in ``definitions``.
        file: The file.
        line: The line of its assignment.
    """

    domain: str
    file: Path
    line: int

    def __str__(self) -> str:
        """Return ``file, line n``."""
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Project:
    """A project's tables.

    Args:
        name: Its name in ``headwater.toml``; the folder's name when absent.
        tables: Upstreams first.
        sources: Where each table is declared, by ``zone.name``.
    """

    name: str
    tables: tuple[Table, ...]
    sources: Mapping[str, Source]

    def table(self, name: str) -> Table:
        """Return a table by ``zone.name``.

        Raises:
            DefinitionError: The project has no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables) or "no tables"
        raise DefinitionError(f"Project {self.name} has no table {name!r}; it has {known}.")


def load_tables(profile: Profile) -> tuple[Table, ...]:
    """Return every table of the project, upstreams first.

    Raises:
        ConfigError: ``headwater.toml`` is not usable.
        DefinitionError: A definition is wrong; the sentence names its file and line.
    """
    return load_project(profile).tables


def load_project(profile: Profile) -> Project:
    """Import the project's definitions and collect its tables.

    Raises:
        ConfigError: ``headwater.toml`` is not usable.
        DefinitionError: A definition is wrong; the sentence names its file and line.
    """
    name, entries = _entries(profile.project)
    modules: dict[str, tuple[ModuleType, str]] = {}
    for entry in entries:
        for module, domain in _modules(profile.project, entry, project_name=name):
            modules.setdefault(module.__name__, (module, domain))
    return _collect(name, modules.values())


def definition_folders(profile: Profile) -> tuple[Path, ...]:
    """Return the folders that definitions are imported from, without importing them.

    Raises:
        ConfigError: ``headwater.toml`` is not usable.
    """
    found: list[Path] = []
    for entry in _entries(profile.project)[1]:
        if (profile.project / entry).is_dir():
            found.append(profile.project / entry)
        elif _PACKAGE.match(entry) and _exists(entry):
            spec = importlib.util.find_spec(entry)
            found += map(Path, (spec.submodule_search_locations if spec else None) or ())
    return tuple(found)


def definition_states(profile: Profile) -> Mapping[Path, int]:
    """Return the time of the last change of every file that a project is made of."""
    return {path: changed for path in _definition_files(profile) if (changed := _changed(path))}


def _definition_files(profile: Profile) -> Iterator[Path]:
    yield profile.project / PROJECT_FILE
    try:
        folders = definition_folders(profile)
        # Packages above this one say where the files of what they add are.
        added = [folder for point in entry_points(group="headwater.folders") for folder in point.load()(profile)]
    except ConfigError:
        return  # whoever loads them says so; a change of the file above shows
    for folder in folders:
        yield from folder.rglob("*.py")
    for folder in added:
        yield from folder.rglob("*.yaml")


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _entries(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return the project's name and what it, and every installed package, adds as definitions."""
    name, entries = _settings(folder)
    return name, (*entries, *sorted(point.value for point in entry_points(group="headwater.definitions")))


def _settings(folder: Path) -> tuple[str, tuple[str, ...]]:
    section = read_project(folder).get("project", {})
    where = f"[project] in {folder / PROJECT_FILE}"
    if not isinstance(section, dict):
        raise ConfigError(f"{where} is not a section; write [project] and below it name and definitions.")
    name, entries = section.get("name", folder.name), section.get("definitions", [])
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: name is {name!r}; give a text.")
    if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
        raise ConfigError(f'{where}: definitions is {entries!r}; give a list such as ["tables"].')
    return name, tuple(entries)


def _modules(project: Path, entry: str, *, project_name: str) -> Iterator[tuple[ModuleType, str]]:
    folder = project / entry
    if folder.is_dir():
        root, top = _adopt_folder(project, folder.resolve()), project_name
    else:
        root, top = _import_package(project, entry), entry.rpartition(".")[2]
    yield root, top
    for base in map(Path, root.__path__):
        for file in sorted(base.rglob("*.py")):
            parts = file.relative_to(base).with_suffix("").parts
            if not any(part.startswith(("_", ".")) for part in parts):
                domain = parts[-2] if len(parts) > 1 else top
                yield _import(".".join((root.__name__, *parts))), domain


def _adopt_folder(project: Path, folder: Path) -> ModuleType:
    """Make a folder importable under its own name, so that its files can import each other."""
    name = folder.name
    if not _PACKAGE.match(name) or "." in name:
        raise ConfigError(f"Folder {folder} cannot hold definitions; its name must be letters, digits and underscores.")
    known = sys.modules.get(name)
    if known is not None and list(getattr(known, "__path__", [])) == [str(folder)]:
        return known
    if (known is not None and not hasattr(known, "__headwater__")) or name in sys.stdlib_module_names:
        raise ConfigError(
            f"Folder {folder} has the name of another Python package; rename it, here and in {PROJECT_FILE}."
        )
    for stale in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[stale]  # another project's folder of the same name
    if str(project) not in sys.path:
        sys.path.append(str(project))
    return _run_package(name, folder)


def _run_package(name: str, folder: Path) -> ModuleType:
    start = folder / "__init__.py"
    spec: ModuleSpec | None = ModuleSpec(name, None, is_package=True)
    if start.is_file():
        spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(folder)])
    elif spec is not None:
        spec.submodule_search_locations = [str(folder)]
    if spec is None:
        raise ConfigError(f"{start} cannot be imported; it is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__headwater__"] = True
    sys.modules[name] = module
    if spec.loader is not None and start.is_file():
        with _Located(name):
            spec.loader.exec_module(module)
    return module


def _import_package(project: Path, entry: str) -> ModuleType:
    module = _import(entry) if _PACKAGE.match(entry) and _exists(entry) else None
    if module is None or not hasattr(module, "__path__"):
        raise ConfigError(
            f"{project / PROJECT_FILE}: definitions names {entry!r}, which is neither a folder next to it nor an "
            "installed package.",
        )
    return module


def _exists(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _import(name: str) -> ModuleType:
    with _Located(name):
        return importlib.import_module(name)


class _Located:
    """Turns whatever an import raises into a sentence with the file and line of the project's code."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __enter__(self) -> None:
        """Begin an import."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Say where the import failed."""
        if error is None or not isinstance(error, Exception) or isinstance(error, ConfigError):
            return
        if isinstance(error, DefinitionError) and error.__cause__ is not None:
            return  # an inner import has already said where
        raise DefinitionError(f"{_where(error) or self._module}: {_what(error)}") from error


def _what(error: Exception) -> str:
    if isinstance(error, DefinitionError):
        return str(error)
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}"


def _where(error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    ours = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.name == "<module>" and not frame.filename.startswith((ours, "<frozen"))
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""


def _collect(name: str, modules: Iterable[tuple[ModuleType, str]]) -> Project:
    found: dict[str, Table] = {}
    sources: dict[str, Source] = {}
    for module, domain in modules:
        for attribute, value in vars(module).items():
            if not isinstance(value, Table) or found.get(value.name) is value:
                continue
            source = _source(module, attribute, domain)
            if source is None:
                continue  # imported from elsewhere: it counts where it is declared
            if value.name in found:
                raise DefinitionError(
                    f"{source}: table {value.name} is already declared in {sources[value.name]}; rename one."
                )
            found[value.name], sources[value.name] = value, source
    ordered: dict[str, Table] = {}
    for key in sorted(found):
        _add_with_upstreams(found[key], ordered)
    return Project(name, tuple(ordered.values()), sources)


def _add_with_upstreams(table: Table, ordered: dict[str, Table]) -> None:
    if table.name in ordered:
        if ordered[table.name] is not table:
            raise DefinitionError(f"There are two tables named {table.name}; rename one.")
        return
    for upstream in (*table.upstreams, *tables_needed(table)):
        _add_with_upstreams(upstream, ordered)
    ordered[table.name] = table


def _source(module: ModuleType, attribute: str, domain: str) -> Source | None:
    file = Path(module.__file__ or "")
    if not file.is_file():
        return None
    assignment = re.compile(rf"^{re.escape(attribute)}\s*(:[^=]*)?=(?!=)")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if assignment.match(line):
            return Source(domain, file, number)
    return None
