"""Who may write: programs show a token, people log in on a page; both are slowed when they guess.

A session is a signed cookie. Its key is made of the box's token, so another token ends all sessions.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool

from headwater_catalog.store import digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from headwater_catalog.store import Store

__all__ = ["Access", "Denied", "Person", "read_body"]

_COOKIE = "headwater_catalog"
_SESSION_SECONDS = 12 * 3600
_WRONG_SECONDS = 0.5
_MOST_WAITING = 50
_NAME = re.compile(r"[\w][\w.@ -]{0,63}")


class Denied(Exception):  # noqa: N818 - reads as the outcome it is
    """Somebody may not do what they want.

    Args:
        status: HTTP's word for it.
        sentence: What people read.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def read_body(request: Request, what: str = "That", most: int = 256 * 1024) -> bytes:
    """Return a request's body.

    Args:
        request: Whose.
        what: What the body is, where it is refused.
        most: Its bytes at most; nothing that people write has more than the default.

    Raises:
        Denied: It is larger.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Denied(413, f"{what} has more than {most} bytes.")
    return bytes(body)


@dataclass(frozen=True)
class Person:
    """Who writes.

    Args:
        name: As they say, or their login's.
        proven: The login is their own; without, they have the box's token and say who they are.
    """

    name: str
    proven: bool

    def __str__(self) -> str:
        """Return how the audit names them."""
        if self.proven:
            return self.name
        return f"{self.name} (with the box's token)" if self.name else "the box's token"


class Access:
    """Knows who may write.

    Args:
        store: Where logins are.
        token: The box's.
    """

    def __init__(self, store: Store, token: str) -> None:
        self._store, self._token = store, token.encode()
        self._key = hmac.digest(self._token, b"sessions of the catalog", hashlib.sha256)
        self._one_by_one, self._waiting = asyncio.Lock(), 0

    async def program(self, request: Request, *, box: bool = False) -> Person:
        """Return whose token a request shows; with ``box`` only the box's own will do.

        Raises:
            Denied: None, or a wrong one.
            ComponentError: PostgreSQL does not answer.
        """
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        async with self._guarded() as wrong:
            if kind.lower() == "bearer" and self._is_box(shown.strip()):
                return Person("", proven=False)
            found = await self._login(digest=digest(shown.strip())) if kind.lower() == "bearer" and not box else None
            if found:
                return Person(found[0], proven=True)
            if shown:
                await wrong()
        who = "Logins are made with" if box else "Writing to the catalog needs"
        raise Denied(401, f"{who} the box's token; `headwater credentials` shows it as the login `catalog`.")

    async def enter(self, name: str, password: str) -> str:
        """Return a new session's cookie for who logs in.

        Raises:
            Denied: The name or the password will not do.
            ComponentError: PostgreSQL does not answer.
        """
        who = name.strip()
        if not _NAME.fullmatch(who):
            raise Denied(400, "Say who you are: letters, digits, spaces and . _ @ -, at most 64.")
        async with self._guarded() as wrong:
            found = await self._login(name=who)
            if found and hmac.compare_digest(found[1], digest(password)):
                return self._session(who, digest(password).hex()[:16])
            if self._is_box(password):
                return self._session(who, "")
            await wrong()
        raise Denied(401, "That password is not right; give your login's token, or the one of `headwater credentials`.")

    def visitor(self, request: Request) -> Person | None:
        """Return whose session a request has; whether their login still stands is asked before they write."""
        return self._read(request.cookies.get(_COOKIE, ""))[0]

    async def person(self, request: Request) -> Person | None:
        """Return who sends a form, or None who must log in first.

        Raises:
            Denied: The form comes from another site.
            ComponentError: PostgreSQL does not answer.
        """
        self.require_own(request)
        person, mark = self._read(request.cookies.get(_COOKIE, ""))
        if person is not None and person.proven:
            found = await self._login(name=person.name)
            if not found or found[1].hex()[:16] != mark:
                return None
        return person

    def require_own(self, request: Request) -> None:
        """Refuse a form that another site's page sends; cookies alone do not tell other ports of this machine apart.

        Raises:
            Denied: It does not come from the catalog's own pages.
        """
        if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host", ""):
            raise Denied(403, "This form was not sent from the catalog's own page; open that and try again.")

    def keep(self, response: Response, request: Request, cookie: str) -> None:
        """Let the browser keep a session; with an empty one it forgets its own."""
        secure = request.url.scheme == "https"
        age = _SESSION_SECONDS if cookie else 0
        response.set_cookie(_COOKIE, cookie, max_age=age, path="/", secure=secure, httponly=True, samesite="strict")

    def _is_box(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(errors="replace"), self._token)

    async def _login(self, *, name: str = "", digest: bytes = b"") -> tuple[str, bytes] | None:
        def ask() -> tuple[str, bytes] | None:
            with self._store.reading() as reader:
                return reader.login(name=name, digest=digest)

        return await run_in_threadpool(ask)

    def _session(self, name: str, mark: str) -> str:
        said = json.dumps([name, mark, int(time.time()) + _SESSION_SECONDS]).encode()
        signed = hmac.digest(self._key, said, hashlib.sha256)
        return base64.urlsafe_b64encode(signed + said).decode().rstrip("=")

    def _read(self, cookie: str) -> tuple[Person | None, str]:
        try:
            held = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
        except ValueError:
            return None, ""
        signed, said = held[:32], held[32:]
        if not hmac.compare_digest(signed, hmac.digest(self._key, said, hashlib.sha256)):
            return None, ""
        name, mark, until = json.loads(said)
        return (Person(name, proven=bool(mark)), mark) if time.time() < until else (None, "")

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Let wrong guesses wait one after the other, so that there are two a second however many ask at once.

        Who is right never waits. Only while very many wrong ones wait is nobody looked at.
        """
        if self._waiting >= _MOST_WAITING:
            raise Denied(429, "Too many wrong passwords just now; try again in a minute.")
        self._waiting += 1
        try:
            yield self._wait
        finally:
            self._waiting -= 1

    async def _wait(self) -> None:
        async with self._one_by_one:
            await asyncio.sleep(_WRONG_SECONDS)
