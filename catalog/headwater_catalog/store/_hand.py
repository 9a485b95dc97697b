"""Changes that people make by hand: each is checked against what code says, written and audited in one transaction."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.identity import ALWAYS
from headwater_catalog.store._found import NotFound, found_node
from headwater_catalog.store._nodes import Nodes
from headwater_catalog.store._settle import settle
from headwater_catalog.store._subject import (
    Invalid,
    SaidByCode,
    Subject,
    name_of,
    refuse_others,
    said_by_code,
    stripped,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

__all__ = ["Change", "Editor", "digest"]

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
# What one subject may carry of one list.
_MOST = 200


@dataclass(frozen=True, kw_only=True)
class Change:
    """What somebody wants to say of a table, a column or a term.

    Args:
        texts: ``owner``, ``doc`` and ``domain``; an empty text takes back what was said by hand.
        add: By ``tag``, ``term`` or ``synonym``.
        remove: Likewise; only what was added by hand.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remove: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def digest(token: str) -> bytes:
    """Return what is kept of a login's token; it is long and random, so no slow hash is needed."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


class Editor:
    """Makes one person's changes.

    Args:
        connection: In a transaction of the caller's.
        bucket: The lake's.
        who: As the audit shall name them.
    """

    def __init__(self, connection: Connection[Any], bucket: str, who: str) -> None:
        self._connection, self._bucket, self._who, self._at = connection, bucket, who, datetime.now(UTC)

    def describe(self, name: str, column: str, change: Change) -> int:
        """Say something of a table, one of its columns or a term (``term:NAME``); return how many facts changed.

        Raises:
            NotFound: There is no such table, column or term.
            Invalid: The change makes no sense.
            SaidByCode: Its definition says it already.
        """
        node = found_node(Nodes(self._connection, self._bucket), name)
        subject = Subject.locked(self._connection, node, column)
        refuse_others(subject, change)
        wanted = {what: text_of(what, value) for what, value in change.texts.items()}
        count = sum([self._say(subject, what, value) for what, value in wanted.items()])
        for what, names in change.remove.items():
            count += sum([self._take(subject, what, one) for one in map(stripped, names)])
        for what, names in change.add.items():
            count += sum([self._add(subject, what, name_of(what, one)) for one in names])
        if count:
            settle(self._connection, [node])
        return count

    def define(self, term: str, change: Change) -> str:
        """Make a term of the glossary and return its name.

        Raises:
            Invalid: There is one of that name, or the name will not do.
        """
        title = name_of("term", term)
        name = f"term:{title}"
        row = self._connection.execute(
            """INSERT INTO node (first_name, born, name, kind, title) VALUES (%(name)s, %(born)s, %(name)s, 'term',
               %(title)s) ON CONFLICT DO NOTHING RETURNING id""",
            {"name": name, "born": ALWAYS, "title": title},
        ).fetchone()
        if row is None:
            raise Invalid(f"The glossary has a term {title!r} already; edit that one.")
        subject = Subject(row[0], name, "term")
        self._connection.execute("INSERT INTO word VALUES (%s, 'name', %s) ON CONFLICT DO NOTHING", (row[0], title))
        self._audit(subject, "term", "", title)
        self.describe(name, "", change)
        settle(self._connection, [row[0]])
        return name

    def rename(self, term: str, title: str) -> str:
        """Give a term another name and return what it is called now; an empty one leaves it as it is.

        Raises:
            NotFound: There is no such term.
            Invalid: There is one of that name, or the name will not do.
        """
        subject, node = self._term(term)
        title = name_of("term", title or subject.title)
        name = f"term:{title}"
        if name == subject.name:
            return name
        taken = self._connection.execute(
            "SELECT 1 FROM node WHERE kind = 'term' AND lower(title) = lower(%s) AND id <> %s", (title, subject.node)
        ).fetchone()
        if taken:
            raise Invalid(f"The glossary has a term {title!r} already; give another name.")
        self._connection.execute(
            "UPDATE node SET first_name = %(name)s, name = %(name)s, title = %(title)s WHERE id = %(id)s",
            {"name": name, "title": title, "id": subject.node},
        )
        self._connection.execute("DELETE FROM word WHERE node_id = %s AND what = 'name'", (subject.node,))
        self._connection.execute("INSERT INTO word VALUES (%s, 'name', %s)", (subject.node, title))
        self._audit(subject, "name", subject.title, title)
        settle(self._connection, [node, *self._carriers(node)])
        return name

    def forget(self, term: str) -> None:
        """Take a term out of the glossary, and off all that carries it.

        Raises:
            NotFound: There is no such term.
        """
        subject, node = self._term(term)
        carriers = self._carriers(node)
        for carrier, column in self._connection.execute(
            "SELECT node_id, column_name FROM by_hand WHERE what = 'term' AND key = %s", (str(node),)
        ).fetchall():
            self._audit(Subject.of(self._connection, carrier, column), "term", subject.title, "")
        for what, value in self._said(subject):
            self._audit(subject, what, value, "")
        self._audit(subject, "term", subject.title, "")
        self._connection.execute("DELETE FROM by_hand WHERE what = 'term' AND key = %s", (str(node),))
        for table in ("by_hand", "word", "alias"):
            self._connection.execute(f"DELETE FROM {table} WHERE node_id = %s".encode(), (node,))  # noqa: S608
        self._connection.execute("DELETE FROM node WHERE id = %s", (node,))
        settle(self._connection, carriers)

    def add_login(self, name: str) -> str:
        """Make a login and return its token, which nobody can read again.

        Raises:
            Invalid: There is one of that name, or the name will not do.
        """
        if not _LOGIN.fullmatch(name):
            raise Invalid(
                f"Login {name[:100]!r} will not do; give lower-case letters, digits, '.', '_', '@' and '-', at most 64."
            )
        token = secrets.token_urlsafe(24)
        row = self._connection.execute(
            "INSERT INTO login VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING name",
            (name, digest(token), self._at, self._who),
        ).fetchone()
        if row is None:
            raise Invalid(f"There is a login {name!r} already; remove it first to give it another token.")
        self._audit(Subject(None, f"login:{name}", "login"), "login", "", name)
        return token

    def remove_login(self, name: str) -> None:
        """End a login at once; what its person changed stays in the audit.

        Raises:
            NotFound: There is none.
        """
        if not self._connection.execute("DELETE FROM login WHERE name = %s RETURNING name", (name,)).fetchone():
            raise NotFound(f"There is no login {name!r}; `headwater catalog user list` shows them.")
        self._audit(Subject(None, f"login:{name}", "login"), "login", name, "")

    def _say(self, subject: Subject, what: str, value: str) -> bool:
        code = subject.code.get(what, "")
        before = next((text for one, text in self._said(subject) if one == what), "")
        if value == (code or before):
            return False
        if code and (value or not before):
            raise SaidByCode(said_by_code(subject, what))
        self._connection.execute(
            "DELETE FROM by_hand WHERE node_id = %s AND column_name = %s AND what = %s",
            (subject.node, subject.column, what),
        )
        if value:
            self._keep(subject, what, "", value)
        self._audit(subject, what, before, value)
        return True

    def _add(self, subject: Subject, what: str, name: str) -> bool:
        if what == "tag" and name in subject.tags:
            return False
        name, key = self._named(what, name)
        if not self._keep(subject, what, key, ""):
            return False
        if self._connection.execute(_HOW_MANY, (subject.node, subject.column, what)).fetchone() == (_MOST + 1,):
            raise Invalid(f"{subject} has {_MOST} {what}s by hand already; take one away first.")
        self._audit(subject, what, "", name)
        return True

    def _take(self, subject: Subject, what: str, name: str) -> bool:
        if what == "tag" and name in subject.tags:
            raise SaidByCode(said_by_code(subject, f"tag {name!r}"))
        name, key = self._named(what, name)
        gone = self._connection.execute(
            "DELETE FROM by_hand WHERE node_id = %s AND column_name = %s AND what = %s AND key = %s RETURNING key",
            (subject.node, subject.column, what, key),
        ).fetchone()
        if gone:
            self._audit(subject, what, name, "")
        return gone is not None

    def _named(self, what: str, name: str) -> tuple[str, str]:
        """Return a name as it is spelled, and the key by which it is kept."""
        if what != "term":
            return name, name
        term, node = self._term(name)
        return term.title, str(node)

    def _keep(self, subject: Subject, what: str, key: str, value: str) -> bool:
        row = self._connection.execute(
            "INSERT INTO by_hand VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING node_id",
            (subject.node, subject.column, what, key, value, self._who, self._at),
        ).fetchone()
        return row is not None

    def _said(self, subject: Subject) -> list[tuple[str, str]]:
        return self._connection.execute(
            """SELECT what, CASE WHEN key = '' THEN value ELSE key END FROM by_hand
               WHERE node_id = %s AND column_name = %s ORDER BY 1, 2""",
            (subject.node, subject.column),
        ).fetchall()

    def _term(self, term: str) -> tuple[Subject, int]:
        title = stripped(term.removeprefix("term:"))
        row = self._connection.execute(
            "SELECT id, name, title FROM node WHERE kind = 'term' AND lower(title) = lower(%s) FOR UPDATE", (title,)
        ).fetchone()
        if row is None:
            raise NotFound(f"The glossary has no term {title!r}; make it on the page /glossary first.")
        return Subject(row[0], row[1], "term", title=row[2]), row[0]

    def _carriers(self, term: int) -> list[int]:
        rows = self._connection.execute(
            "SELECT DISTINCT node_id FROM by_hand WHERE what = 'term' AND key = %s ORDER BY 1", (str(term),)
        )
        return [row[0] for row in rows]

    def _audit(self, subject: Subject, what: str, before: str, after: str) -> None:
        self._connection.execute(
            """INSERT INTO audit (at, who, node_id, subject, column_name, what, before, after)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
            (self._at, self._who, subject.node, subject.name, subject.column, what, before, after),
        )


_HOW_MANY = b"SELECT count(*) FROM by_hand WHERE node_id = %s AND column_name = %s AND what = %s"
