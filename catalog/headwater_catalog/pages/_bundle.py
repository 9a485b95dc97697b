"""Modules of ours as one script: from a disk, browsers load scripts and no modules. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bundled"]

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)


def bundled(modules: Mapping[str, str], entry: str) -> str:
    """Return a script that does what a module does, with all that it imports.

    Args:
        modules: Texts by name. They import each other by name alone, without a circle, and export what they declare.
        entry: The module to run.

    Raises:
        ValueError: A module is written otherwise.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        for _, other in _IMPORT.findall(modules[name]):
            add(other)
        done[name] = _as_function(name, modules[name])

    add(entry)
    return '(() => {\n"use strict";\n' + "\n".join(done.values()) + "\n})();\n"


def _as_function(name: str, text: str) -> str:
    exported = _EXPORT.findall(text)
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = module_\2;", text))
    if re.search(r"^(import|export)\b", body, re.MULTILINE):
        raise ValueError(f"Module {name} imports or exports in another form than the others.")
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"
