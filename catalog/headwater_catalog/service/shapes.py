"""What answers look like, as JSON schemas: programs are told so, and tests hold answers against it."""

from __future__ import annotations

from typing import Any

__all__ = ["ERROR", "Shape", "either", "many", "nothing_or", "one", "shape"]

Shape = dict[str, Any]

_KINDS: dict[str, Shape] = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "number": {"type": "number"},
    "yes": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
    "any": {},
}


def shape(said: str) -> Shape:
    """Return a kind of value: ``text``, ``count``, ``number``, ``yes``, ``time``, ``object`` or ``any``.

    A ``?`` behind it says that it may be null, brackets around it that there are many.

    >>> shape("[count?]")
    {'type': 'array', 'items': {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}}
    """
    if said.startswith("["):
        return many(shape(said[1:-1]))
    return nothing_or(shape(said[:-1])) if said.endswith("?") else dict(_KINDS[said])


def one(said: str = "", /, **more: str | Shape) -> Shape:
    """Return an object with exactly these fields: ``"name, doc:text, at:time?"``; texts need no kind.

    A field with a star may be missing.

    >>> sorted(one("name, rows:count?")["properties"])
    ['name', 'rows']
    """
    fields: dict[str, str | Shape] = {}
    for field in filter(None, (part.strip() for part in said.split(","))):
        name, _, kind = field.partition(":")
        fields[name] = kind or "text"
    fields.update(more)
    return {
        "type": "object",
        "properties": {
            name.rstrip("*"): shape(kind) if isinstance(kind, str) else kind for name, kind in fields.items()
        },
        "required": [name for name in fields if not name.endswith("*")],
        "additionalProperties": False,
    }


def many(items: Shape) -> Shape:
    """Return a list."""
    return {"type": "array", "items": items}


def nothing_or(value: Shape) -> Shape:
    """Return what may be null."""
    return either(value, {"type": "null"})


def either(*shapes: Shape) -> Shape:
    """Return one of several."""
    return {"anyOf": list(shapes)}


ERROR = one("error")
