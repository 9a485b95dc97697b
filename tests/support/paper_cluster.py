"""A stand-in for a cluster's API, as there is no cluster where tests run: it keeps objects and says that pods do well.

What speaks to it is real: Helm, Dagster's launcher, Spark's driver. It shows what these ask for, in which order, and
gives back what they put. Whoever makes one may run the pods that are asked for, and say how they fare.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from paper_forms import chosen, discovery, kind_of, patched, place_of, secret

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Place = tuple[str, str, str]
    Object = dict[str, Any]

__all__ = ["PaperCluster", "paper_cluster", "serving"]

_DONE: dict[str, dict[str, Any]] = {
    "Job": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
    "Pod": {"phase": "Succeeded"},
}
_WATCH_SECONDS = 30


class PaperCluster:
    """What the cluster holds and was asked for.

    Args:
        started: Told of every job and pod as it is made; it may change how that fares.
        removed: Told of every object that somebody deleted.
        may: Says whether a token may do something: token, verb, and plural with ``group/`` before it if there is one.
        fresh: The status of jobs and pods as they are made.
    """

    def __init__(
        self,
        started: Callable[[Object], object] = bool,
        removed: Callable[[Object], object] = bool,
        may: Callable[[str, str, str], bool] = lambda *_: True,
        fresh: Mapping[str, Any] = _DONE,
    ) -> None:
        self.started, self.removed, self.may, self._fresh = started, removed, may, fresh
        # (namespace, plural, name) -> object
        self.objects: dict[Place, Object] = {}
        # (verb, kind, name) of every change, in order.
        self.changes: list[tuple[str, str, str]] = []
        # (verb, what) of all that was refused.
        self.refused: list[tuple[str, str]] = []
        self._events: list[tuple[Place, str, Object]] = []
        self._changed = threading.Condition()

    def of_kind(self, kind: str) -> dict[str, Object]:
        """Return the objects of a kind by name."""
        return {name: one for (_, plural, name), one in list(self.objects.items()) if kind_of(plural) == kind}

    def change(self, verb: str, place: Place, one: Object | None) -> Object | None:
        """Put or remove an object and return it."""
        with self._changed:
            there = self.objects.get(place)
            if verb == "change" and there is None:
                return None
            self.changes.append((verb, kind_of(place[1]), place[2]))
            if one is None:
                self._tell("DELETED", place, self.objects.pop(place, {}))
                return there
            fresh = {"uid": str(uuid.uuid4()), "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
            known = (there or {}).get("metadata", {})
            kept = {name: known.get(name, text) for name, text in fresh.items()}
            one["metadata"] |= {**kept, "namespace": place[0], "resourceVersion": str(len(self.changes))}
            one.setdefault("status", copy.deepcopy(self._fresh.get(one["kind"], {})))
            self.objects[place] = one
            self._tell("MODIFIED" if there else "ADDED", place, one)
            return one

    def listed(self, namespace: str, plural: str, asked: dict[str, str]) -> tuple[list[Object], int]:
        """Return the objects that a question is about, and how much had happened by then."""
        with self._changed:
            items = [one for place, one in sorted(self.objects.items()) if place[:2] == (namespace, plural)]
            return [copy.deepcopy(one) for one in items if chosen(one, asked)], len(self._events)

    def happened(self, since: int, seconds: float) -> list[tuple[Place, str, Object]]:
        """Return what has happened since; wait for something for a while."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) > since, seconds)
            return self._events[since:]

    def _tell(self, what: str, place: Place, one: Object) -> None:
        self._events.append((place, what, copy.deepcopy(one)))
        self._changed.notify_all()


@contextmanager
def serving(
    cluster: PaperCluster, listening: socket.socket | None = None, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve a stand-in and give the port; at a free one of the loopback address unless a socket listens already."""
    handler = type("Handler", (_Handler,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=listening is None)
    if listening is not None:
        server.socket.close()
        server.socket = listening
        server.server_address = listening.getsockname()
    if context is not None:
        # The handshake is each connection's own, else one that is slow would keep the others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def paper_cluster(folder: Path, **more: Any) -> Iterator[tuple[PaperCluster, Path]]:
    """Serve a stand-in; give it and the file that clients find it by."""
    cluster = PaperCluster(**more)
    with serving(cluster) as port:
        named = [{"name": "paper", "cluster": {"server": f"http://127.0.0.1:{port}"}}]
        context = [{"name": "paper", "context": {"cluster": "paper", "user": "paper", "namespace": "data"}}]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": named,
            "contexts": context,
            "users": [{"name": "paper", "user": {}}],
            "current-context": "paper",
        }
        (folder / "kubeconfig").write_text(json.dumps(config), encoding="utf-8")
        yield cluster, folder / "kubeconfig"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: PaperCluster

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, asked = self._asked()
        known = discovery(path)
        if known is not None:
            self._say(known)
            return
        version, namespace, plural, name = place_of(path)
        watched = asked.get("watch") in ("true", "1")
        if not plural:
            self._refuse(404, "NotFound")
        elif self.headers.get("Upgrade"):
            self._refuse(503, "ServiceUnavailable")  # clients then watch without a web socket
        elif not self._may("watch" if watched else "get" if name else "list"):
            return
        elif watched:
            self._watch(version, namespace, plural, asked)
        elif name:
            found = self.cluster.objects.get((namespace, plural, name))
            self._say(found) if found else self._refuse(404, "NotFound")
        else:
            items, so_far = self.cluster.listed(namespace, plural, asked)
            told = {"apiVersion": version, "kind": f"{kind_of(plural)}List", "items": items}
            self._say({**told, "metadata": {"resourceVersion": str(so_far)}})

    def _watch(self, version: str, namespace: str, plural: str, asked: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        since = int(asked.get("resourceVersion") or 0)
        if not since:
            items, since = self.cluster.listed(namespace, plural, asked)
            self._tell(("ADDED", one) for one in items)
        if asked.get("allowWatchBookmarks") == "true":
            whole = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": str(since)}
            self._tell([("BOOKMARK", {"apiVersion": version, "kind": kind_of(plural), "metadata": whole})])
        until = time.monotonic() + float(asked.get("timeoutSeconds") or _WATCH_SECONDS)
        while (left := until - time.monotonic()) > 0:
            events = self.cluster.happened(since, left)
            since += len(events)
            mine = [(what, one) for place, what, one in events if place[:2] == (namespace, plural) and one]
            try:
                self._tell((what, one) for what, one in mine if chosen(one, asked))
            except OSError:
                return  # nobody looks any more

    def _tell(self, events: Any) -> None:
        for what, one in events:
            self.wfile.write(json.dumps({"type": what, "object": one}).encode() + b"\n")
        self.wfile.flush()

    def do_POST(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, _ = place_of(path)
        one = self._body()
        one["metadata"].setdefault("name", f"{one['metadata'].get('generateName', '')}{uuid.uuid4().hex[:5]}")
        place = (namespace, plural, one["metadata"]["name"])
        if not self._may("create"):
            return
        if place in self.cluster.objects:
            self._refuse(409, "AlreadyExists")
            return
        made = self.cluster.change("create", place, one)
        if one["kind"] in _DONE:
            self.cluster.started(one)
        self._say(made, 201)

    def do_PATCH(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, name = place_of(path)
        found = self.cluster.objects.get((namespace, plural, name))
        patch = self._body()
        if not self._may("patch"):
            return
        if not found:
            self._refuse(404, "NotFound")
            return
        self._say(self.cluster.change("change", (namespace, plural, name), patched(found, patch)))

    def do_PUT(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, name = place_of(path)
        one = self._body()
        if self._may("update"):
            self._say(self.cluster.change("change", (namespace, plural, name), one))

    def do_DELETE(self) -> None:
        path, asked = self._asked()
        _, namespace, plural, name = place_of(path)
        self._content()  # how it shall be deleted
        if not self._may("delete" if name else "deletecollection"):
            return
        items = [] if name else self.cluster.listed(namespace, plural, asked)[0]
        names = [name] if name else [one["metadata"]["name"] for one in items]
        gone = [self.cluster.change("delete", (namespace, plural, one), None) for one in names
                if (namespace, plural, one) in self.cluster.objects]  # fmt: skip
        for one in gone:
            self.cluster.removed(one)
        if name and not gone:
            self._refuse(404, "NotFound")
        else:
            self._say(gone[0] if name else {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _may(self, verb: str) -> bool:
        """Answer with a refusal unless whoever asks may."""
        version, _, plural, _ = place_of(self._asked()[0])
        what = f"{version.partition('/')[0]}/{plural}" if "/" in version else plural
        # Whatever the case of the word before it: Python's client says "bearer".
        token = (self.headers.get("Authorization") or "").partition(" ")[2]
        if self.cluster.may(token, verb, what):
            return True
        self.cluster.refused.append((verb, what))
        self._refuse(403, "Forbidden")
        return False

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path.strip("/"), {name: texts[-1] for name, texts in parse_qs(parts.query).items()}

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _body(self) -> Any:
        content = self._content()
        return secret(content[4:]) if content.startswith(b"k8s\0") else json.loads(content or b"{}")

    def _say(self, what: Any, status: int = 200) -> None:
        content = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: int, reason: str) -> None:
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
        self._say({**said, "message": reason}, status)
