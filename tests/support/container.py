"""The first process of a container, run as a script by ``wiring.py`` in fresh namespaces.

It does what a container engine and its ``init: true`` do: it mounts a root and makes devices, starts the service
without any capability, passes signals on and takes leave of orphans.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}


def main(place: Path) -> int:
    """Become the container that ``place/spec.json`` describes; return the service's exit code."""
    spec = json.loads((place / "spec.json").read_text(encoding="utf-8"))
    for group in spec["groups"]:
        Path(group, "cgroup.procs").write_text("0", encoding="ascii")
    root = place / "root"
    _make_root(root, place, spec)
    subprocess.run(["hostname", spec["hostname"]], check=True)
    os.chroot(root)
    os.chdir(spec["folder"])
    return _see_through(spec)


def _make_root(root: Path, place: Path, spec: dict) -> None:
    options = f"lowerdir={':'.join(spec['layers'])},upperdir={place / 'upper'},workdir={place / 'work'}"
    _mount("overlay", root, "-t", "overlay", "-o", options)
    _mount("proc", root / "proc", "-t", "proc", "-o", "nosuid,nodev,noexec")
    _mount("sysfs", root / "sys", "-t", "sysfs", "-o", "ro,nosuid,nodev,noexec")
    _make_devices(root / "dev")
    for folder, how in spec["tmpfs"].items():
        _mount("tmpfs", _within(root, folder), "-t", "tmpfs", "-o", f"nosuid,nodev,{how}")
    for one in sorted(spec["mounts"], key=lambda one: one["target"]):
        target = _within(root, one["target"])
        target.mkdir(parents=True, exist_ok=True)
        _mount(one["source"], target, "--bind")
        if one["read_only"]:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(target)], check=True)
    for name in ("hosts", "hostname", "resolv.conf"):
        (root / "etc" / name).touch()
        _mount(str(place / name), root / "etc" / name, "--bind")
    if spec["read_only"]:
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)


def _within(root: Path, target: str) -> Path:
    """Return where a path leads to for whoever has this root: links such as /var/run are followed inside of it."""
    found = root
    for part in target.strip("/").split("/"):
        found /= part
        if found.is_symlink():
            to = str(found.readlink())
            found = _within(root, to if to.startswith("/") else str(found.parent.relative_to(root) / to))
    return found


def _make_devices(folder: Path) -> None:
    _mount("tmpfs", folder, "-t", "tmpfs", "-o", "nosuid,mode=755,size=64k")
    for name, numbers in _DEVICES.items():
        os.mknod(folder / name, 0o666 | stat.S_IFCHR, os.makedev(*numbers))
        (folder / name).chmod(0o666)
    for name, to in _LINKS.items():
        (folder / name).symlink_to(to)
    (folder / "shm").mkdir()
    _mount("tmpfs", folder / "shm", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=1777,size=64m")


def _mount(source: str, target: Path, *options: str) -> None:
    subprocess.run(["mount", *options, source, str(target)], check=True)


def _see_through(spec: dict) -> int:
    waited = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        os.setsid()
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - no shell is wanted
    while True:
        told = signal.sigwait(waited)
        if told != signal.SIGCHLD:
            os.kill(child, told)
            continue
        while (found := _gone()) is not None:
            if found[0] == child:
                return os.waitstatus_to_exitcode(found[1]) % 256


def _gone() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
