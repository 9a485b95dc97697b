"""``headwater fetch``: from the lock file to runtimes, in parallel, each whole or not there at all."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING

from headwater.box.lockfile import FetchSettings, read_lock, this_platform
from headwater.box.runtimes import MARK, Runtimes
from headwater.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rich.console import Console

    from headwater.box.lockfile import Lock, LockedFile, LockedRuntime
    from headwater.box.progress import Progress, Step
    from headwater.box.wheelhouse import Pin

__all__ = ["FetchSettings", "alone_in", "fetch"]

_MB = 10**6
_GB = 10**9


def fetch(
    settings: FetchSettings,
    names: Iterable[str] | None = None,
    console: Console | None = None,
    *,
    lock: Lock | None = None,
) -> None:
    """Bring runtimes into the cache; those that are there cost nothing, not even a look at the network.

    Args:
        settings: Where to and where from.
        names: Runtimes to fetch, with those that they need; all when None.
        console: Where progress is shown; the terminal when None.
        lock: What to fetch; the lock file's content when None.

    Raises:
        FetchError: A runtime cannot be fetched; what has been finished stays.
    """
    lock = lock or read_lock()
    wanted = lock.with_needs(names)
    runtimes = Runtimes(settings.cache, lock)
    missing = _missing(runtimes, wanted)
    if not missing:
        _say(f"All {len(wanted)} runtimes are in {settings.cache}; there is nothing to fetch.", console)
        return
    if console is None:
        from rich.console import Console as RichConsole  # noqa: PLC0415 - not paid for when there is nothing to do

        console = RichConsole()
    from headwater.box.progress import megabytes, progress_on  # noqa: PLC0415

    began = time.monotonic()
    with alone_in(settings, console), progress_on(console) as progress:
        missing = _missing(runtimes, wanted)  # another fetch may have brought them meanwhile
        _Fetch(settings, lock, progress).run(missing)
    seconds = max(time.monotonic() - began, 0.001)
    _say(
        f"Made {len(missing)} of {len(wanted)} runtimes in {seconds:.0f} s, {megabytes(progress.received)} downloaded "
        f"({megabytes(progress.received / seconds)}/s); they are in {settings.cache}.",
        console,
    )


class _Fetch:
    def __init__(self, settings: FetchSettings, lock: Lock, progress: Progress) -> None:
        from headwater.box.download import Downloader  # noqa: PLC0415
        from headwater.box.registries import Registries  # noqa: PLC0415

        self._settings, self._lock, self._progress = settings, lock, progress
        self._runtimes = Runtimes(settings.cache, lock)
        self._stop = threading.Event()
        self._downloader = Downloader(settings.cache / "downloads", progress, self._stop)
        self._registries = Registries(settings)
        self._downloads = ThreadPoolExecutor(settings.jobs)

    def run(self, missing: Sequence[LockedRuntime]) -> None:
        """Make runtimes, each as soon as its files and needs are there; the first failure ends all."""
        if not missing:
            return
        self._tidy(missing)
        self._check_space(missing)
        with self._downloads, ThreadPoolExecutor(len(missing)) as makers:
            try:
                self._see_through(self._begin(missing, makers))
            except BaseException:
                self._stop.set()
                self._downloads.shutdown(cancel_futures=True)
                raise

    def _begin(self, missing: Sequence[LockedRuntime], makers: ThreadPoolExecutor) -> Mapping[str, Future[Path]]:
        coming: dict[str, Future[Path]] = {}
        for file in (file for runtime in missing for file in runtime.files_for(this_platform())):
            if file.sha256 not in coming:
                coming[file.sha256] = self._downloads.submit(self._download, file)
        made: dict[str, Future[Path]] = {}
        for runtime in missing:  # in an order in which what a runtime needs comes before it
            needs = {name: made[name] for name in runtime.needs if name in made}
            made[runtime.name] = makers.submit(self._make, runtime, coming, needs)
        return made

    def _see_through(self, made: Mapping[str, Future[Path]]) -> None:
        from headwater.box.download import Stopped  # noqa: PLC0415

        wait(made.values(), return_when=FIRST_EXCEPTION)
        self._stop.set()  # ends the others after a failure, and nothing otherwise
        failures = [error for future in made.values() if (error := future.exception())]
        for error in sorted(failures, key=lambda error: isinstance(error, (Stopped, CancelledError))):
            raise error

    def _download(self, file: LockedFile) -> Path:
        return self._downloader.fetch(file, self._registries.named(file.registry))

    def _bring(self, pins: Sequence[Pin], folder: Path, step: Step) -> Sequence[Path]:
        from headwater.box.download import Downloader  # noqa: PLC0415
        from headwater.box.wheelhouse import best_file  # noqa: PLC0415

        downloader, pypi = Downloader(folder, self._progress, self._stop), self._registries.pypi
        coming = [self._downloads.submit(lambda pin: downloader.fetch(best_file(pin, pypi), pypi), pin) for pin in pins]
        while wait(coming, timeout=1, return_when=FIRST_EXCEPTION).not_done and not any(map(_has_failed, coming)):
            step.advance()
        return [future.result() for future in coming]

    def _make(
        self, runtime: LockedRuntime, coming: Mapping[str, Future[Path]], needs: Mapping[str, Future[Path]]
    ) -> Path:
        from headwater.box.download import disk_errors  # noqa: PLC0415
        from headwater.box.kitchen import Kitchen  # noqa: PLC0415
        from headwater.box.recipes import IN_PLACE, doing, make  # noqa: PLC0415

        files = [coming[file.sha256].result() for file in runtime.files_for(this_platform())]
        needed = {name: needs[name].result() if name in needs else self._runtimes.path(name) for name in runtime.needs}
        folder = self._runtimes.folder(runtime)
        into = folder if runtime.recipe in IN_PLACE else self._settings.cache / "partial" / folder.name
        scratch = self._scratch(runtime)
        with disk_errors(folder), self._progress.step(f"{runtime.name} {runtime.version}: {doing(runtime)}") as step:
            for place in (folder, into):
                _remove(place)
            for place in (folder.parent, into, scratch):
                place.mkdir(parents=True, exist_ok=True, mode=0o755)
            make(runtime, Kitchen(self._settings, files, into, scratch, needed, self._bring, step, self._stop))
            _finish(runtime, into, folder)
        shutil.rmtree(scratch)
        self._drop_downloads(runtime)
        return folder

    def _scratch(self, runtime: LockedRuntime) -> Path:
        return self._settings.cache / "scratch" / self._runtimes.folder(runtime).name

    def _tidy(self, missing: Sequence[LockedRuntime]) -> None:
        # What a killed fetch left: half-made folders go, what a builder can go on from stays.
        kept = {self._scratch(runtime) for runtime in missing}
        for area in ("partial", "scratch"):
            for place in _children(self._settings.cache / area):
                if place not in kept:
                    shutil.rmtree(place)

    def _check_space(self, missing: Sequence[LockedRuntime]) -> None:
        from headwater.box.download import free_bytes  # noqa: PLC0415

        files = {file.sha256: file for runtime in missing for file in runtime.files_for(this_platform())}
        needed = sum(map(self._downloader.missing, files.values())) + sum(runtime.disk for runtime in missing) * _MB
        free = free_bytes(self._settings.cache)
        if free < needed:
            raise FetchError(
                f"{self._settings.cache} has {free / _GB:.1f} GB free, but fetching takes {needed / _GB:.1f} GB: "
                "free some space, or set HEADWATER_CACHE to a folder on a larger disk."
            )

    def _drop_downloads(self, runtime: LockedRuntime) -> None:
        # A file that is hard-linked into a runtime costs nothing to keep; an archive is of no more use once unpacked.
        if self._settings.keep_downloads:
            return
        others = (one for one in self._lock.runtimes.values() if not self._runtimes.complete(one))
        wanted = {file.sha256 for one in others for file in one.files_for(this_platform())}
        for file in runtime.files_for(this_platform()):
            path = self._downloader.path(file)
            if file.sha256 not in wanted and path.is_file() and path.stat().st_nlink == 1:
                path.unlink()
                path.parent.rmdir()


def _missing(runtimes: Runtimes, wanted: Iterable[LockedRuntime]) -> list[LockedRuntime]:
    return [runtime for runtime in wanted if not runtimes.complete(runtime)]


def alone_in(settings: FetchSettings, console: Console) -> AbstractContextManager[object]:
    """Wait until no other fetch changes the cache, telling so."""
    from filelock import FileLock, Timeout  # noqa: PLC0415

    from headwater.box.download import disk_errors  # noqa: PLC0415

    with disk_errors(settings.cache):
        settings.cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.cache / "fetch.lock")
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            _say(f"Another fetch is filling {settings.cache}; waiting for it.", console)
            return lock.acquire()


def _finish(runtime: LockedRuntime, into: Path, folder: Path) -> None:
    if not (into / runtime.main).exists():
        raise FetchError(
            f"{runtime.name} {runtime.version} was made without {runtime.main}; "
            "its recipe and runtimes.toml do not fit each other, please report this."
        )
    from headwater.box.unpack import open_up  # noqa: PLC0415

    open_up(into)
    for place in (folder.parent, folder.parent.parent):
        place.chmod(place.stat().st_mode | 0o755)
    (into / MARK).write_text(json.dumps({"name": runtime.name, "version": runtime.version}) + "\n", encoding="utf-8")
    if into != folder:
        into.rename(folder)


def _remove(folder: Path) -> None:
    if folder.exists():
        (folder / MARK).unlink(missing_ok=True)
        shutil.rmtree(folder)


def _children(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from folder.iterdir()


def _has_failed(future: Future[Path]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _say(text: str, console: Console | None) -> None:
    if console is not None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    with suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
