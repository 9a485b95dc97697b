"""Crawls under way, one at a time: begun, ended, and remembered with what they changed."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue.crawlers._crawl import Crawl, Stopped
from headwater_aws_api.glue.crawlers._register import Register
from headwater_aws_api.glue.crawlers._settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

    from headwater.storage import Storage

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Document, Store

__all__ = ["CRAWLER", "Runs"]

CRAWLER = "crawler"
"""The kind under which the store keeps crawlers: what they are told, and their tables."""
_CRAWL = "crawl"
_LOG = logging.getLogger("headwater.aws-api.crawler")
_ALL = 10_000
_KEPT_DAYS = 365
_FAULT = "The box's AWS API failed; see `headwater logs aws-api`."


class Runs:
    """The crawls of all crawlers; those that cannot begin yet count as running.

    Args:
        store: Remembers crawlers and crawls.
        storage: Where objects lie.
        glue: The catalog's operations.
        lists: Folder in the store for lists of files, with a closing slash.
        folder: For files that are looked at.
    """

    def __init__(self, store: Store, storage: Storage, glue: Operations, *, lists: str, folder: Path) -> None:
        self._store, self._storage, self._glue = store, storage, glue
        self._lists, self._folder = lists, folder
        self._pool = ThreadPoolExecutor(1, "crawler")
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """End what a former process has left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        said = "The box's AWS API was started anew; start the crawler again."
        for one in self._store.newest(_CRAWL, {"State": "RUNNING"}, limit=_ALL):
            self._end(one.name, "FAILED", {}, said)
        self._store.forget_older(_CRAWL, _KEPT_DAYS)
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        with self._lock:
            running = list(self._running.values())
        for stop in running:
            stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, name: str) -> None:
        """Begin a crawl.

        Raises:
            AwsError: The crawler runs already.
        """
        stop = threading.Event()
        with self._lock:
            if name in self._running:
                raise AwsError("CrawlerRunningException", f"Crawler with name {name} has already started")
            self._running[name] = stop
        key = str(uuid.uuid4())
        self._store.add(_CRAWL, key, {"CrawlerName": name, "State": "RUNNING", "StartTime": time.time()})
        self._pool.submit(self._run, name, key, stop)

    def stop(self, name: str) -> None:
        """Have a crawl end before it is done.

        Raises:
            AwsError: None runs, or it is ending already.
        """
        with self._lock:
            stop = self._running.get(name)
            if stop is None:
                raise AwsError("CrawlerNotRunningException", f"Crawler with name {name} isn't running")
            if stop.is_set():
                raise AwsError("CrawlerStoppingException", f"Crawler with name {name} is stopping already")
            stop.set()

    def state(self, name: str) -> str:
        """Return whether a crawler is ``READY``, ``RUNNING`` or ``STOPPING``."""
        with self._lock:
            stop = self._running.get(name)
        return "READY" if stop is None else "STOPPING" if stop.is_set() else "RUNNING"

    def crawls(self, name: str, *, before: int | None = None, limit: int = _ALL) -> list[Document]:
        """Return a crawler's crawls, the youngest first."""
        return self._store.newest(_CRAWL, {"CrawlerName": name}, before=before, limit=limit)

    def forget(self, name: str) -> None:
        """Forget a crawler's crawls."""
        for one in self.crawls(name):
            self._store.remove(_CRAWL, one.name)

    def _run(self, name: str, key: str, stop: threading.Event) -> None:
        def say(line: str) -> None:
            _LOG.info("%s [%s] %s", name, key, line)

        summary: dict[str, Any] = {}
        try:
            say("INFO: Crawl started")
            self._crawl(name, key, stop, say, summary)
            self._end(key, "COMPLETED", summary)
        except Stopped:
            self._end(key, "STOPPED", summary)
        except HeadwaterError as error:
            say(f"ERROR: {error}")
            self._end(key, "FAILED", summary, str(error))
        except Exception:  # noqa: BLE001 - whatever happens, the crawl must end
            _LOG.exception("%s [%s] The crawl failed", name, key)
            self._end(key, "FAILED", summary, _FAULT)
        finally:
            shutil.rmtree(self._folder / key, ignore_errors=True)
            with self._lock:
                self._running.pop(name, None)
            say("INFO: Crawler is now READY")

    def _crawl(
        self, name: str, key: str, stop: threading.Event, say: Callable[[str], None], summary: dict[str, Any]
    ) -> None:
        found = self._store.get(CRAWLER, name)
        if found is None:
            raise AwsError("EntityNotFoundException", f"Crawler with name {name} does not exist")
        settings, scratch = settings_of(name, found.body["said"]), self._folder / key
        scratch.mkdir(parents=True, mode=0o700)
        register = Register(settings, self._glue, self._storage, self._lists, say, summary)
        tables = Crawl(settings, register, self._storage, scratch, say, stop.is_set).run(found.body["tables"])
        self._store.change(CRAWLER, name, lambda now: {**now, "tables": tables})

    def _end(self, key: str, state: str, summary: Mapping[str, Any], error: str = "") -> None:
        told = {"State": state, "EndTime": time.time(), "Summary": summary, "ErrorMessage": error}
        self._store.change(_CRAWL, key, lambda body: {**body, **told})
