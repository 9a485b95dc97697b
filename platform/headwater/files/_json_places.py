"""Where JSON is wrong, and why: DuckDB says that it is, but counts lines otherwise."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headwater.files._find import Source

__all__ = ["place_of_double", "place_of_other", "said_of_json"]

_LARGE = 200_000_000
# Objects and arrays in one another that DuckDB's JSON takes.
_MOST_LEVELS = 127
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_WHOLE_ESCAPE = re.compile(rb"\\(?:[^u]|u[dD][89aAbB]..\\u[dD][c-fC-F]..|u(?![dD][89a-fA-F]))")
_HALF_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]..")


def said_of_json(files: Sequence[Source], error: Exception, *, lines: bool) -> str:
    """Return one sentence with file and line for what DuckDB said of JSON."""
    message = str(error)
    source = next((one for one in files if str(one.path) in message), files[0])
    if "maximum_object_size" in message:
        return f"{source.shown}: an object is longer than 64 MB; split it."
    if "recursion depth" in message:
        return next(filter(None, map(_said_of_depth, files)), f"{source.shown}: {_TOO_DEEP}")
    if "surrogate" in message and (found := _half_escape(source)):
        return (
            f"{source.shown}, line {found[0]}: {found[1]} is half of a character, with no surrogate that completes it; "
            "correct it."
        )
    try:
        line, why = _bad_line(source) if lines else _bad_place(source)
    except RecursionError:
        return _said_of_depth(source)
    return f"{source.shown}, line {line}: this is no valid JSON ({why}); correct it."


def place_of_other(files: Sequence[Source]) -> str:
    """Return ``file, line n`` of the first value that is no object."""
    return _place_where(files, lambda value: not isinstance(value, dict))


def place_of_double(files: Sequence[Source]) -> str:
    """Return ``file, line n`` of the first object with a key that is there twice, however deep."""
    seen: list[bool] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        seen.append(len({key for key, _ in found}) < len(found))
        return dict(found)

    return _place_where(files, lambda _: any(seen), pairs)


def _place_where(files: Sequence[Source], wrong: Callable[[Any], bool], pairs: Any = None) -> str:
    for source in files:
        with source.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    if line.strip() and wrong(json.loads(line, object_pairs_hook=pairs)):
                        return f"{source.shown}, line {number}"
                except (ValueError, RecursionError):
                    break  # not a file of lines
    return f"{files[0].shown}, line 1"


_TOO_DEEP = f"a value is more than {_MOST_LEVELS} levels deep, more than can be read; flatten it."


def _said_of_depth(source: Source) -> str:
    """Return the sentence for the first line that goes too deep, or nothing."""
    depth = 0
    with source.path.open("rb") as file:
        for number, line in enumerate(file, 1):
            deepest = depth
            for byte in _STRING.sub(b"", line):
                depth += (byte in b"[{") - (byte in b"]}")
                deepest = max(deepest, depth)
            if deepest > _MOST_LEVELS:
                return (
                    f"{source.shown}, line {number}: a value is {deepest} levels deep, more than the {_MOST_LEVELS} "
                    "that can be read; flatten it."
                )
    return ""


def _half_escape(source: Source) -> tuple[int, str] | None:
    with source.path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if match := _HALF_ESCAPE.search(_WHOLE_ESCAPE.sub(b"", line)):
                return number, match[0].decode(errors="replace")
    return None


def _bad_line(source: Source) -> tuple[int, str]:
    with source.path.open("rb") as file:
        number = 0
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    json.loads(line, parse_int=str)
                except ValueError as error:
                    return number, str(error).partition(":")[0]
    return number, "unexpected end"


def _bad_place(source: Source) -> tuple[int, str]:
    """Return where a document breaks off; Python's reader finds it, value by value."""
    if source.path.stat().st_size > _LARGE:
        return 1, "or somewhere below; the file is too large to look for the place"
    text_of = source.path.read_text(encoding="utf-8")
    decoder, at = json.JSONDecoder(parse_int=str), 0
    try:
        while match := re.compile(r"\s*").match(text_of, at):
            if match.end() == len(text_of):
                break
            _, at = decoder.raw_decode(text_of, match.end())
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    return text_of.count("\n") + 1, "unexpected end"
