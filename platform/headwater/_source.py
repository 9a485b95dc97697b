"""Finds the line of a definition file that a line of its SQL text stands on."""

from __future__ import annotations

import ast
import linecache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["place_of"]


def place_of(text: str, line: int, frame: FrameType) -> str:
    """Return ``file:line`` of a line of a text that is written out in a caller's file, or nothing.

    Args:
        text: A text that some file holds as a string literal.
        line: Line within the text, from 1.
        frame: Where to begin; the files of its callers are searched, the nearest first.
    """
    for name in _files(frame):
        found = _line_in("".join(linecache.getlines(name)), text, line)
        if found:
            return f"{name}:{found}"
    return ""


def _files(frame: FrameType | None) -> Iterator[str]:
    seen: set[str] = set()
    while frame is not None:
        name = frame.f_code.co_filename
        if name not in seen and not name.startswith("<"):
            seen.add(name)
            yield name
        frame = frame.f_back


def _line_in(source: str, text: str, line: int) -> int:
    first = next((part.strip() for part in text.splitlines() if part.strip()), "")
    if not first or first not in source:
        return 0
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return 0
    return next((_line_of(node, text, line) for node in ast.walk(tree) if _holds(node, text)), 0)


def _holds(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _stripped(node.value) == _stripped(text)


def _stripped(text: str) -> list[str]:
    """Return the lines without what textwrap.dedent and strip take away."""
    return [line.strip() for line in text.strip().splitlines()]


def _line_of(node: ast.AST, text: str, line: int) -> int:
    literal = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    start, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    taken_away = _blank_head(literal) - _blank_head(text)
    # Counted from the end, because a literal may begin with a backslash and a line break.
    found = end - literal.count("\n") + taken_away + line - 1
    return int(found) if start <= found <= end else int(start)


def _blank_head(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
