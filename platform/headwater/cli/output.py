"""Rows as a table, JSON or shell variables."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["as_env", "as_json", "as_table", "objects_as_table", "output_option", "terminal_width"]

_UNKNOWN_TERMINAL = (140, 24)


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


def as_table(names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None) -> str:
    """Return rows as aligned columns under a header; with a width, in characters, long cells go on below.

    No word is broken: lines are wider than asked where names are.
    """
    cells = [list(names), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    if width is not None:
        widths = _narrowed(cells, widths, width)
        cells = [part for line in cells for part in _wrapped(line, widths)]
    padded = ("  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in padded)


def _narrowed(cells: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> list[int]:
    """Return widths that fit, taken from the widest columns first; none below its longest word."""
    least = [max(len(word) for line in cells for word in (line[at].split() or [""])) for at in range(len(widths))]
    found = list(widths)
    while sum(found) + 2 * (len(found) - 1) > width:
        spare = [at for at in range(len(found)) if found[at] > max(least[at], 1)]
        if not spare:
            break
        found[max(spare, key=lambda at: found[at])] -= 1
    return found


def _wrapped(line: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    parts = [
        textwrap.wrap(cell, max(wide, 1), break_long_words=False, break_on_hyphens=False)
        if len(cell) > wide
        else [cell]
        for cell, wide in zip(line, widths, strict=True)
    ]
    return [list(one) for one in zip_longest(*parts, fillvalue="")]


def terminal_width() -> int:
    """Return how many characters a line may have: the terminal's, or usual ones where there is none."""
    return shutil.get_terminal_size(_UNKNOWN_TERMINAL).columns


def objects_as_table(objects: Sequence[Mapping[str, Any]], *, width: int | None = None) -> str:
    """Return objects with the same keys as aligned columns, as :func:`as_table` does; empty text for none."""
    return as_table(list(objects[0]), [list(one.values()) for one in objects], width=width) if objects else ""


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
