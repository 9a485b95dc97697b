"""Templates, and what they say of names, times and amounts. Pure but for reading the templates."""

from __future__ import annotations

import re
import shlex
from contextvars import ContextVar
from datetime import UTC
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.table import ZONES
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from headwater_catalog.model import how_in_words
from headwater_catalog.pages._addresses import ADDRESSES, link, page_of
from headwater_catalog.pages._charts import amount, bars, distinct, share, values
from headwater_catalog.pages._counted import KINDS, counted
from headwater_catalog.pages._kept_addresses import file_name

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["HERE", "VISITOR", "render"]

HERE = Path(__file__).parent
# Who is logged in where a page is made; every page's head shows it.
VISITOR: ContextVar[str] = ContextVar("visitor", default="")
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_MINUTE = 60
# How alike two words are that mean the same, one letter of five wrong or swapped: of 1.
_ALIKE = 0.75


def render(template: str, **context: Any) -> str:
    """Return a page's HTML."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": lambda at: ADDRESSES.get().time(at),
        "size": size,
        "file_name": file_name,
        "marked": marked,
        "took": took,
        "zone": zone,
        "moment": moment,
        "place": place,
        "how": lambda edge: how_in_words(edge["kind"], edge["target_column"]),
        "shell": shlex.quote,
        "amount": amount,
        "bars": bars,
        "counted": counted,
        "distinct": distinct,
        "share": share,
        "values": values,
    }
    made.globals |= {
        "kinds": list(KINDS.items()),  # a list: JSON sorts what is none
        "link": link,
        "page_of": page_of,
        "file": lambda path: ADDRESSES.get().file(path),
        "script": _script,
        "of": lambda: ADDRESSES.get().of,
        "policy": lambda: ADDRESSES.get().policy,
        "visitor": VISITOR.get,
    }
    return made


def _script(path: str) -> Markup:
    """Return the tag of a script of ours, which runs once the page is read."""
    found = ADDRESSES.get()
    return Markup('<script {} src="{}"></script>').format(Markup(found.script), found.file(path))  # noqa: S704 - ours


def zone(name: str) -> str:
    """Return what a name's colour is by: its zone, ``files``, ``chart``, ``dashboard``, ``term``, or ``other``."""
    kind, colon, _ = name.partition(":")
    if colon and kind in ("files", "chart", "dashboard", "term"):
        return kind
    first, dot, _ = name.partition(".")
    return first if dot and first in ZONES else "other"


def marked(text: str, query: str) -> Markup:
    """Return a text in which what was searched for is marked, or, where it is not, the words that are like it."""
    words = sorted({word for word in (query.strip(), *query.split()) if word}, key=len, reverse=True)
    if not any(word.lower() in text.lower() for word in words):
        words = _alike(text, words)
    if not words:
        return escape(text)
    parts = re.split(f"({'|'.join(map(re.escape, words))})", text, flags=re.IGNORECASE)
    return Markup().join(Markup("<mark>{}</mark>").format(part) if at % 2 else part for at, part in enumerate(parts))


def _alike(text: str, words: list[str]) -> list[str]:
    """Return the words of a text that begin almost as something that was typed, which found them although misspelt."""
    return [
        one
        for one in re.findall(r"[^\W_]{3,}", text)
        if any(
            SequenceMatcher(None, word.lower(), part.lower()).ratio() >= _ALIKE
            for word in words
            for part in (one, one[: len(word)])
        )
    ]


def place(text: str) -> str:
    """Return where a definition stands without the folders above its own: file and line are what one looks for."""
    return "/".join(text.split("/")[-2:])


def moment(at: datetime | None) -> str:
    """Return a time to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""


def took(span: timedelta | None) -> str:
    """Return a duration."""
    if span is None:
        return ""
    seconds = span.total_seconds()
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"


def size(amount: int | None) -> str:
    """Return a number of bytes in the unit in which it reads best."""
    if amount is None:
        return ""
    number, unit = float(amount), 0
    while number >= _STEP and unit < len(_SIZES) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.0f} {_SIZES[unit]}" if unit == 0 else f"{number:.1f} {_SIZES[unit]}"
