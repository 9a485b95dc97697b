"""Glue's exclude patterns, such as ``tmp/**`` or ``*.{csv,avro}``. Pure."""

from __future__ import annotations

import re

__all__ = ["excluded_by"]

_PARTS = re.compile(r"\*\*|\*|\?|\\.|\[[^\]]+\]|[{},]|.", re.DOTALL)
_PLAIN = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def excluded_by(pattern: str) -> re.Pattern[str]:
    """Return what matches the paths, below a target's own, that a pattern leaves out.

    >>> bool(excluded_by("*.{csv,tsv}").fullmatch("a.tsv")), bool(excluded_by("*").fullmatch("b/a.tsv"))
    (True, False)
    >>> bool(excluded_by("tmp/**").fullmatch("tmp/b/a")), bool(excluded_by("[!a]?").fullmatch("ab"))
    (True, False)
    """
    said: list[str] = []
    depth = 0
    for part in _PARTS.findall(pattern):
        if part == "{":
            said, depth = [*said, "(?:"], depth + 1
        elif part == "}" and depth:
            said, depth = [*said, ")"], depth - 1
        elif part == "," and depth:
            said.append("|")
        elif part.startswith("[") and len(part) > 1:
            inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            said.append(f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]")
        else:
            said.append(_PLAIN.get(part) or re.escape(part[-1:]))
    return re.compile("".join(said) + ")" * depth, re.DOTALL)
