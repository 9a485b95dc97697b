"""What people may speak of, and in which words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.table import is_owner

from headwater_catalog.store._found import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

    from headwater_catalog.store._hand import Change

__all__ = ["Invalid", "SaidByCode", "Subject", "name_of", "refuse_others", "said_by_code", "stripped", "text_of"]

# What may be said of a table, of a column and of a term of the glossary: facts of which there is one, and lists.
_TEXTS = {"table": ("owner", "doc", "domain"), "column": ("doc",), "term": ("owner", "doc")}
_LISTS = {"table": ("tag", "term"), "column": ("tag", "term"), "term": ("tag", "synonym")}
_TAG = re.compile(r"\w[\w.:/-]{0,63}")
_TERM = re.compile(r"[^\s,][^,]{0,99}")
_LONGEST = {"doc": 10_000}
_LONG = 200


class Invalid(ValueError):  # noqa: N818 - reads as the outcome it is
    """A change that makes no sense; its text says what to give instead."""


class SaidByCode(Exception):  # noqa: N818 - reads as the outcome it is
    """A change of what a definition says; its text names the definition's file."""


@dataclass(frozen=True)
class Subject:
    """What is spoken of, and what code says of it.

    Args:
        node: Its node; None of what is none, such as a login.
        name: The table's or term's name.
        kind: ``table``, ``column``, ``term`` or ``login``.
        column: Empty for a table.
        title: What people call it.
        place: File and line of its definition.
        code: What its definition says, by ``doc``, ``owner`` and ``domain``.
        tags: What its definition, or the metastore, tags it with.
    """

    node: int | None
    name: str
    kind: str
    column: str = ""
    title: str = ""
    place: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return its name as people write it."""
        return f"{self.name}.{self.column}" if self.column else self.name

    @classmethod
    def of(cls, connection: Connection[Any], node: int, column: str) -> Subject:
        """Return it as the audit names it."""
        row = connection.execute("SELECT name FROM node WHERE id = %s", (node,)).fetchone()
        return cls(node, row[0] if row else "", "column" if column else "table", column)

    @classmethod
    def locked(cls, connection: Connection[Any], node: int, column: str) -> Subject:
        """Return it; nobody else changes it before the transaction ends.

        Raises:
            NotFound: The table has no such column.
        """
        name, kind, title, place, defined, doc, owner, domain, tags = connection.execute(
            """SELECT name, kind, title, place, defined, code_doc, code_owner, code_domain, code_tags FROM node
               WHERE id = %s FOR UPDATE""",
            (node,),
        ).fetchone() or ("", "", "", "", False, "", "", "", [])
        if not column:
            code = {"doc": doc, "owner": owner, "domain": domain} if defined else {}
            return cls(node, name, "term" if kind == "term" else "table", "", title, place, code, tuple(tags))
        fact = connection.execute(
            "SELECT doc, tags, origin = 'declared' FROM column_fact WHERE node_id = %s AND name = %s AND until IS NULL",
            (node, column),
        ).fetchone()
        if fact is None:
            raise NotFound(f"Table {name} has no column {column!r} that the catalog knows.")
        code = {"doc": fact[0]} if defined and fact[2] else {}
        return cls(node, name, "column", column, "", place, code, tuple(fact[1]))


def refuse_others(subject: Subject, change: Change) -> None:
    """Refuse to say what cannot be said of a subject.

    Raises:
        Invalid: It names what there is.
    """
    texts, lists = _TEXTS[subject.kind], _LISTS[subject.kind]
    for given, known in ((change.texts, texts), (change.add, lists), (change.remove, lists)):
        other = sorted(set(given) - set(known))
        if other:
            raise Invalid(f"A {subject.kind} has no {other[0]} to edit; there are {', '.join((*texts, *lists))}.")


def said_by_code(subject: Subject, what: str) -> str:
    """Return the sentence that says where to change it."""
    where = f"change it in {subject.place}" if subject.place else "change it in its definition"
    return f"The {what} of {subject} is said by its definition; {where}."


def stripped(text: str) -> str:
    """Return a text without white space around it.

    Raises:
        Invalid: No database, or no page, can hold it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"The text {ascii(text)[:100]} holds half a character; give whole ones.") from error
    if any(ord(one) < ord(" ") and one not in "\n\r\t" for one in text):
        raise Invalid(f"The text {text[:100]!r} holds a control character; take it out.")
    return text.strip()


def text_of(what: str, text: str) -> str:
    """Return an owner, a doc or a domain in the form in which it is kept.

    Raises:
        Invalid: It will not do.
    """
    found = stripped(text).replace("\r\n", "\n")
    longest = _LONGEST.get(what, _LONG)
    if len(found) > longest:
        raise Invalid(f"The {what} has {len(found)} characters; give at most {longest}.")
    if what == "owner" and found and not is_owner(found):
        raise Invalid(f"The owner is {found!r}; give an e-mail address or team:name.")
    if what != "doc" and "\n" in found:
        raise Invalid(f"The {what} has more than one line; give one.")
    return found


def name_of(what: str, text: str) -> str:
    """Return the name of a tag, a term or a synonym in the form in which it is kept.

    Raises:
        Invalid: It will not do.
    """
    found = " ".join(stripped(text).split())
    if not (_TAG if what == "tag" else _TERM).fullmatch(found):
        shape = "letters, digits and _ . : / -, at most 64" if what == "tag" else "1 to 100 characters without a comma"
        raise Invalid(f"The {what} {found[:100]!r} will not do; give {shape}.")
    return found
