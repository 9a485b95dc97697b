"""Rows as a table, JSON or shell variables."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["as_env", "as_json", "as_table", "objects_as_table", "output_option"]


def output_option(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the ``-o`` option with these formats, the first being the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Format of the answer.",
    )


def as_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as aligned columns under a header."""
    cells = [list(names), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in padded)


def objects_as_table(objects: Sequence[Mapping[str, Any]]) -> str:
    """Return objects with the same keys as aligned columns; empty text for none."""
    return as_table(list(objects[0]), [list(one.values()) for one in objects]) if objects else ""


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a JSON list of objects; types JSON lacks become text."""
    return json.dumps(list(rows), indent=2, default=str, ensure_ascii=False)


def as_env(values: Mapping[str, str]) -> str:
    """Return variables as ``export`` lines for a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
