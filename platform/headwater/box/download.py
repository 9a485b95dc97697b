"""The one downloader: resumes within a file, checks the whole, and only then gives it its name."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import requests

from headwater.box.transport import TRANSIENT, TransferError, failed
from headwater.errors import FetchError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from headwater.box.lockfile import LockedFile
    from headwater.box.progress import Progress, Step

__all__ = ["Downloader", "Source", "Stopped", "disk_errors", "free_bytes", "sha256_of"]

_BLOCK = 1 << 16
_TIMEOUT = (15, 60)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Source(Protocol):
    """A registry, as the downloader sees it."""

    setting: str
    session: requests.Session

    def url(self, file: LockedFile) -> str:
        """Return where a file lies."""
        ...


class Stopped(Exception):  # noqa: N818 - not a failure: another one is being reported
    """The fetch is ending early."""


class _Again(Exception):  # noqa: N818 - the reason to try once more, never seen outside
    def __init__(self, cause: Exception | int) -> None:
        super().__init__(cause)
        self.cause = cause


class Downloader:
    """Downloads files into ``<folder>/<sha256>/<name>``.

    Args:
        folder: Where downloads lie.
        progress: Where they are shown.
        stop: Ends every transfer when set.
        retries: How often a transfer that makes no headway is tried again.
        pause: Seconds before the first such try, doubled for each.
    """

    def __init__(
        self, folder: Path, progress: Progress, stop: threading.Event, *, retries: int = 4, pause: float = 0.5
    ) -> None:
        self._folder, self._progress = folder, progress
        self.stop, self.retries, self.pause = stop, retries, pause

    def path(self, file: LockedFile) -> Path:
        """Return where a file lies once it is there; nothing unchecked ever lies there."""
        return self._folder / file.sha256 / file.name

    def missing(self, file: LockedFile) -> int:
        """Return how many bytes of a file are still to come."""
        part = self.path(file).with_name(f"{file.name}.part")
        if self.path(file).is_file() or file.size is None:
            return 0
        return max(file.size - part.stat().st_size, 0) if part.is_file() else file.size

    def fetch(self, file: LockedFile, source: Source) -> Path:
        """Return a file's path, downloaded if need be.

        Raises:
            FetchError: It cannot be had, or is not what the lock describes.
            Stopped: The fetch is ending early.
        """
        target = self.path(file)
        if target.is_file():
            return target
        if self.stop.is_set():
            raise Stopped
        part = target.with_name(f"{file.name}.part")
        with disk_errors(target), self._progress.step(file.name, file.size or 0) as step:
            target.parent.mkdir(parents=True, exist_ok=True)
            resumed = part.is_file()
            transfer = _Transfer(self, file.name, source.url(file), source, part, file.size, step)
            found = transfer.run()
            if found != file.sha256 and resumed:  # what an earlier run left may be at fault
                part.unlink()
                found = transfer.run()
            if found != file.sha256:
                part.unlink()
                raise FetchError(
                    f"{file.name} is not what the lock file describes: its sha256 is {found}, not {file.sha256}; "
                    f"it was deleted. Check {source.setting}, or see whether an update of Headwater describes it anew."
                )
            part.replace(target)
        return target

    def fetch_unknown(self, name: str, url: str, source: Source) -> tuple[str, int]:
        """Download a file whose hash is not known yet; return its sha256 and size."""
        part = self._folder / "unknown" / hashlib.sha256(url.encode()).hexdigest()[:16] / f"{name}.part"
        size = _length(url, source)
        with disk_errors(part), self._progress.step(name, size or 0) as step:
            part.parent.mkdir(parents=True, exist_ok=True)
            found = _Transfer(self, name, url, source, part, size, step).run()
            size = part.stat().st_size
            target = self._folder / found / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            part.parent.rmdir()
        return found, size


@dataclass(frozen=True)
class _Transfer:
    """One file on its way into its ``.part``."""

    owner: Downloader
    name: str
    url: str
    source: Source
    part: Path
    size: int | None
    step: Step

    def run(self) -> str:
        """Bring all bytes, trying again while that makes headway; return the sha256 of the whole."""
        tries = furthest = 0
        while True:
            try:
                self._receive()
                return sha256_of(self.part)
            except _Again as again:
                tries = 0 if self.step.at > furthest else tries + 1
                furthest = max(furthest, self.step.at)
                if tries > self.owner.retries or isinstance(again.cause, requests.exceptions.SSLError):
                    raise self._failed(again.cause) from again.__cause__
                if self.owner.stop.wait(self.owner.pause * 2**tries):
                    raise Stopped from None

    def _receive(self) -> None:
        have = self.part.stat().st_size if self.part.is_file() else 0
        if have == self.size:
            self.step.start_at(have)
            return
        if self.size is not None and have > self.size:
            have = 0
        try:
            with self._asked(have) as response:
                self._check(response, have)
                # A server without range support answers 200 with the whole file.
                have = have if response.status_code == requests.codes.partial_content else 0
                self.step.size = self.size or have + int(response.headers.get("Content-Length", 0))
                self.step.start_at(have)
                self._store(response, "ab" if have else "wb")
        except (requests.RequestException, TransferError) as error:
            raise _Again(error) from error
        if self.size is not None and self.part.stat().st_size < self.size:
            raise _Again(TransferError("the body was cut short"))

    def _asked(self, have: int) -> requests.Response:
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        return self.source.session.get(self.url, headers=headers, stream=True, timeout=_TIMEOUT)

    def _check(self, response: requests.Response, have: int) -> None:
        if _useless(response, have):
            self.part.unlink(missing_ok=True)
            raise _Again(response.status_code)
        if response.status_code in TRANSIENT:
            raise _Again(response.status_code)
        if response.status_code >= requests.codes.bad_request:
            raise self._failed(response.status_code)

    def _store(self, response: requests.Response, mode: str) -> None:
        with self.part.open(mode) as out:
            for block in response.raw.stream(_BLOCK, decode_content=False):
                out.write(block)
                self.step.advance(len(block))
                if self.owner.stop.is_set():
                    raise Stopped
                if self.size is not None and self.step.at > self.size:
                    return  # the hash will tell: it cannot be the file that is wanted

    def _failed(self, cause: Exception | int) -> FetchError:
        return failed(self.name, self.url, cause, setting=self.source.setting)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into sentences."""
    try:
        yield
    except OSError as error:
        if isinstance(error, requests.RequestException) or error.errno is None:
            raise
        if error.errno in _FULL:
            raise FetchError(
                f"The disk is full: {path.name} does not fit into {path.parent}. Free some space, or set "
                "HEADWATER_CACHE to a folder on a larger disk, and run the command again; it goes on where it stopped."
            ) from error
        raise FetchError(
            f"{error.filename or path} cannot be written ({error.strerror}); "
            "make it writable or set HEADWATER_CACHE to another folder."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds a folder, which need not exist yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir())).free


def _useless(response: requests.Response, have: int) -> bool:
    # Not the range that was asked for: what lies here cannot be continued.
    if response.status_code == requests.codes.partial_content:
        given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        return given is None or int(given[1]) != have
    return response.status_code == int(requests.codes.requested_range_not_satisfiable)


def _length(url: str, source: Source) -> int | None:
    try:
        with source.session.head(url, timeout=_TIMEOUT, allow_redirects=True) as response:
            return int(response.headers["Content-Length"]) if response.ok else None
    except (requests.RequestException, KeyError):
        return None
