"""Configuration file formats, from plain mappings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["hadoop_xml", "properties"]

_ASCII = 127


def properties(values: Mapping[str, object]) -> str:
    r"""Return a Java properties file.

    >>> print(properties({"a.b": "c:\\d", "path": "/tmp/é"}), end="")
    a.b=c:\\d
    path=/tmp/\u00e9
    """
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in values.items())


def hadoop_xml(values: Mapping[str, object]) -> str:
    """Return a Hadoop site file."""
    rows = "".join(
        f"  <property><name>{escape(name)}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in values.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<configuration>\n{rows}</configuration>\n'


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    # Some readers take these files as Latin-1, others as UTF-8; escapes are the same in both.
    return "".join(one if ord(one) <= _ASCII else _code_points(one) for one in escaped)


def _code_points(one: str) -> str:
    units = one.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
