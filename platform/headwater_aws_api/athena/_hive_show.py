"""A table in words: SHOW CREATE TABLE and DESCRIBE, as Hive writes them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["create_statement", "description"]

_WIDTHS = (20, 20, 20)


def create_statement(table: Mapping[str, Any]) -> list[str]:
    """Return the lines of the statement that would make a table of Glue's."""
    if table.get("TableType") == "VIRTUAL_VIEW":
        return (table.get("ViewExpandedText") or table.get("ViewOriginalText") or "").splitlines()
    storage = table["StorageDescriptor"]
    lines = [f"CREATE EXTERNAL TABLE `{table['DatabaseName']}.{table['Name']}`("]
    lines += _listed([_column(one) for one in storage["Columns"]])
    if table.get("Description"):
        lines.append(f"COMMENT {_text(table['Description'])}")
    if keys := table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_listed([_column(one) for one in keys])]
    return [*lines, *_storage(storage), *_properties(table.get("Parameters", {}))]


def description(table: Mapping[str, Any], *, formatted: bool) -> list[str]:
    """Return the lines that describe a table of Glue's; each has three parts, with tabs between them."""
    storage, keys = table["StorageDescriptor"], table.get("PartitionKeys", ())
    rows = [_described(one) for one in [*storage["Columns"], *keys]]
    head = _line(("# col_name", "data_type", "comment"))
    if keys:
        rows += [_line(), _line(("# Partition Information",)), head, _line(), *map(_described, keys)]
    if not formatted:
        return rows
    facts = [
        ("Database:", table["DatabaseName"]),
        ("Owner:", table.get("Owner", "")),
        ("Location:", storage.get("Location", "")),
        ("Table Type:", table.get("TableType", "")),
        ("SerDe Library:", storage.get("SerdeInfo", {}).get("SerializationLibrary", "")),
        ("InputFormat:", storage.get("InputFormat", "")),
        ("OutputFormat:", storage.get("OutputFormat", "")),
    ]
    more = [_line(fact) for fact in facts]
    parameters = [_line(("", name, value)) for name, value in sorted(table.get("Parameters", {}).items())]
    return [head, _line(), *rows, _line(), _line(("# Detailed Table Information",)), *more,
            _line(("Table Parameters:",)), *parameters]  # fmt: skip


def _described(column: Mapping[str, Any]) -> str:
    return _line((column["Name"], column["Type"], column.get("Comment", "")))


def _line(parts: Sequence[str] = ()) -> str:
    given = [*parts, *[""] * (len(_WIDTHS) - len(parts))]
    return "\t".join(f"{part:<{width}}" for part, width in zip(given, _WIDTHS, strict=True))


def _column(column: Mapping[str, Any]) -> str:
    comment = f" COMMENT {_text(column['Comment'])}" if column.get("Comment") else ""
    return f"`{column['Name']}` {column['Type']}{comment}"


def _listed(parts: Sequence[str]) -> list[str]:
    return [f"  {part}{', ' if at < len(parts) - 1 else ')'}" for at, part in enumerate(parts)]


def _storage(storage: Mapping[str, Any]) -> Iterator[str]:
    serde = storage.get("SerdeInfo", {})
    yield from ("ROW FORMAT SERDE ", f"  {_text(serde.get('SerializationLibrary', ''))} ")
    if parameters := serde.get("Parameters"):
        yield "WITH SERDEPROPERTIES ( "
        yield from _pairs(parameters)
    yield from ("STORED AS INPUTFORMAT ", f"  {_text(storage.get('InputFormat', ''))} ")
    yield from ("OUTPUTFORMAT ", f"  {_text(storage.get('OutputFormat', ''))}")
    yield from ("LOCATION", f"  {_text(storage.get('Location', ''))}")


def _properties(parameters: Mapping[str, str]) -> Iterable[str]:
    shown = {name: value for name, value in parameters.items() if name != "EXTERNAL"}
    return ["TBLPROPERTIES (", *_pairs(shown)] if shown else []


def _pairs(pairs: Mapping[str, str]) -> list[str]:
    return _listed([f"{_text(name)}={_text(value)}" for name, value in sorted(pairs.items())])


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
