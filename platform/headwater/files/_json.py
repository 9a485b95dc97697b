"""JSON and lines of JSON: the structure of the whole data gives structs and arrays; scalars are judged as text is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._json_numbers import inexact, marked, may_round, unmarked
from headwater.files._json_places import place_of_double, place_of_other, said_of_json
from headwater.files._names import column_names
from headwater.files._relation import Field, Relation
from headwater.files._types import quoted, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headwater.files._find import Source
    from headwater.files._text import Text

__all__ = ["Json", "read_json"]

_NUMBERS = {"UBIGINT", "BIGINT", "DOUBLE", "HUGEINT"}
# What DuckDB hands out as it was written.
_AS_WRITTEN = ("UBIGINT", "BIGINT", "VARCHAR", "BOOLEAN", "NULL")
_NUMBER_RULES = ("long", "whole", "number", "decimal")
_TEXT_RULES = ("date", "timestamp", "timestamptz")
_MOST_FIELDS = 500
_LONGEST_OBJECT = 64 * 1024 * 1024


def read_json(connection: Any, files: Sequence[tuple[Source, Text]], *, lines: bool) -> Json:
    """Return the rows of JSON files: objects one per line, in an array, or one after the other.

    Raises:
        InputError: A file is not JSON, or holds something else than objects.
    """
    import duckdb  # noqa: PLC0415 - slow to import

    scan = _scan([source for source, _ in files], lines=lines)
    try:
        found, doubled, others, long = connection.execute(
            "SELECT json_group_structure(json), bool_or(len(json_keys(json)) <> len(list_distinct(json_keys(json)))), "
            f"any_value(json) FILTER (WHERE json_type(json) <> 'OBJECT'), bool_or({may_round('json')}) FROM {scan}",
        ).fetchall()[0]
    except duckdb.Error as error:
        raise InputError(said_of_json([one for one, _ in files], error, lines=lines)) from error
    where = files[0][0].shown
    if others is None and found is None:
        raise InputError(
            f"{where}: the JSON holds no object, so there is no row to ingest; get the file with its rows."
        )
    sources = [one for one, _ in files]
    if others is not None:
        raise InputError(f"{place_of_other(sources)}: {str(others)[:60]} is no object; each row must be one.")
    structure = json.loads(found)
    if not isinstance(structure, dict):
        raise InputError(
            f"{where}, line 1: the objects have no key, so there is no column; get the file with its values."
        )
    if doubled or _any_doubled(connection, scan, structure):
        raise InputError(f"{place_of_double(sources)}: an object names one key twice; name them differently.")
    if any("\0" in key for key in structure):
        raise InputError(f"{where}: a key holds the character U+0000, which names no column; name it otherwise.")
    if long:
        scan = f"(SELECT json, {marked('json')} AS exact FROM {scan})"
    names = column_names(list(structure), where=where + ", line 1")
    fields = [
        _field(connection, scan, *one, long=long) for one in zip(names, structure, structure.values(), strict=True)
    ]
    return Json(files, scan, fields, structure=structure, lines=lines)


class Json(Relation):
    """Rows of JSON.

    Args:
        files: What holds them.
        scan: What DuckDB selects from.
        fields: The columns.
        structure: What is below each key, as DuckDB tells it: a type, an array of one, or an object.
        lines: One object per line.
    """

    def __init__(
        self,
        files: Sequence[tuple[Source, Text]],
        scan: str,
        fields: Sequence[Field],
        *,
        structure: Mapping[str, Any],
        lines: bool,
    ) -> None:
        self.structure = structure
        self._files = files
        self._scan = scan
        self._lines = lines
        self.fields = fields

    def rows(self, *, number: bool = False) -> str:
        """Return the scan of whole objects."""
        return f"(SELECT *, {text(self._files[0][0].shown)} AS filename FROM {self._scan})" if number else self._scan

    def expected(self, written: int, rejected: int) -> int:
        """Return the lines that hold something; only DuckDB can count an array's objects."""
        if not self._lines:
            return written + rejected
        return sum(found.lines - found.empty for _, found in self._files)

    def said(self, error: Exception) -> str:
        """Return what is wrong with the JSON."""
        return said_of_json([one for one, _ in self._files], error, lines=self._lines) if "JSON" in str(error) else ""


def _scan(files: Sequence[Source], *, lines: bool) -> str:
    paths = ", ".join(text(str(one.path)) for one in files)
    kind = "newline_delimited" if lines else "auto"
    return f"read_json_objects([{paths}], format='{kind}', maximum_object_size={_LONGEST_OBJECT})"


def _field(connection: Any, scan: str, name: str, key: str, structure: Any, *, long: bool) -> Field:
    pointer = text("/" + key.replace("~", "~0").replace("/", "~1"))
    rounds = long and structure not in _AS_WRITTEN
    plain = unmarked(f"json_extract_string(exact, {pointer})") if rounds else f"json_extract_string(json, {pointer})"
    if isinstance(structure, str):
        return Field(name=name, given=key, value=plain, **_scalar(structure))
    why = _why_text(structure)
    if not why and long and _any(connection, scan, inexact(f"json_extract(exact, {pointer})")):
        why = "JSON with numbers that nested fields would round, kept as text"
    if why:
        return Field(name=name, given=key, value=plain, type="VARCHAR", why=why)
    made = f"json_transform(json_extract(json, {pointer}), {text(json.dumps(_asked(structure)))})"
    kind = "struct" if isinstance(structure, dict) else "array"
    return Field(name=name, given=key, value=_renamed(made, structure, 0), type=_type(structure), why=f"JSON {kind}")


def _scalar(structure: str) -> dict[str, Any]:
    if structure in _NUMBERS:
        return {"rules": _NUMBER_RULES}
    if structure == "BOOLEAN":
        return {"rules": ("boolean",)}
    if structure in ("VARCHAR", "NULL"):
        return {"rules": _TEXT_RULES}
    return {"type": "VARCHAR", "why": "JSON of several kinds, kept as text"}


def _why_text(structure: Any) -> str:
    """Return why a nested value stays text, or nothing."""
    if isinstance(structure, list):
        return _why_text(structure[0]) if structure else ""
    if not isinstance(structure, dict):
        return ""
    if not structure:
        return "JSON objects without keys, kept as text"
    if len(structure) > _MOST_FIELDS:
        return "JSON objects with very many keys, kept as text"
    try:
        column_names(["" if "\0" in key else key for key in structure], where="")
    except InputError:
        return "JSON keys that cannot name fields, kept as text"
    return next((why for why in map(_why_text, structure.values()) if why), "")


def _any_doubled(connection: Any, scan: str, structure: Mapping[str, Any]) -> bool:
    """Return whether an object below a row's names one key twice; what stays text has both and counts not."""
    fields = {key: inner for key, inner in structure.items() if not _why_text(inner)}
    asked = [_doubled(path, many=many) for path, many in _inner_objects(fields, "$") if path != "$"]
    if not asked:
        return False
    return (
        connection.execute(f"SELECT any_value(1) FROM {scan} WHERE {' OR '.join(asked)}").fetchall()[0][0] is not None
    )


def _inner_objects(structure: Any, path: str, *, many: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield the JSON path of every object, and whether it leads through an array."""
    if isinstance(structure, list):
        for inner in structure:
            yield from _inner_objects(inner, path + "[*]", many=True)
    if isinstance(structure, dict):
        yield path, many
        for key, inner in structure.items():
            shown = key.replace("\\", r"\\").replace('"', r"\"")
            yield from _inner_objects(inner, f'{path}."{shown}"', many=many)


def _doubled(path: str, *, many: bool) -> str:
    keys = f"json_keys(json, {text(path)})"
    if many:
        return f"len(list_filter({keys}, lambda k: len(k) <> len(list_distinct(k)))) > 0"
    return f"len({keys}) <> len(list_distinct({keys}))"


def _any(connection: Any, scan: str, condition: str) -> bool:
    found: tuple[Any] = connection.execute(f"SELECT any_value(1) FROM {scan} WHERE {condition}").fetchall()[0]
    return found[0] is not None


def _asked(structure: Any) -> Any:
    """Return the structure as DuckDB is to read it."""
    if isinstance(structure, dict):
        return {key: _asked(inner) for key, inner in structure.items()}
    if isinstance(structure, list):
        return [_asked(structure[0])] if structure else ["VARCHAR"]
    return _leaf(structure)


def _leaf(structure: str) -> str:
    if structure in ("UBIGINT", "HUGEINT", "BIGINT"):
        return "BIGINT"
    return structure if structure in ("DOUBLE", "BOOLEAN") else "VARCHAR"


def _type(structure: Any) -> str:
    if isinstance(structure, dict):
        names = column_names(list(structure), where="")
        inner = ", ".join(f"{quoted(n)} {_type(s)}" for n, s in zip(names, structure.values(), strict=True))
        return f"STRUCT({inner})"
    if isinstance(structure, list):
        return (_type(structure[0]) if structure else "VARCHAR") + "[]"
    return _leaf(structure)


def _renamed(value: str, structure: Any, depth: int) -> str:
    """Return the SQL that gives the fields of structs names that both engines take."""
    if isinstance(structure, list) and structure and not isinstance(structure[0], str):
        each = f"e{depth}"
        return f"list_transform({value}, lambda {each}: {_renamed(each, structure[0], depth + 1)})"
    if not isinstance(structure, dict):
        return value
    names = column_names(list(structure), where="")
    parts = (
        f"{quoted(name)} := {_renamed(f'struct_extract({value}, {text(key)})', inner, depth)}"
        for name, (key, inner) in zip(names, structure.items(), strict=True)
    )
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({', '.join(parts)}) END"
