"""How each runtime's folder is made of its files."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from headwater.box import unpack
from headwater.box.golang import Go
from headwater.box.lockfile import HERE
from headwater.box.wheelhouse import read_pins
from headwater.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from headwater.box.kitchen import Kitchen
    from headwater.box.lockfile import LockedRuntime

__all__ = ["IN_PLACE", "doing", "make"]

# Recipes whose folder cannot be moved once made.
IN_PLACE = frozenset({"venv"})

_LONG = {
    "go": "building from source, which takes minutes",
    "minio": "building from source, which takes minutes",
    "venv": "installing its Python packages",
}


def make(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Fill a runtime's folder.

    Raises:
        FetchError: It cannot be made.
    """
    _RECIPES[runtime.recipe](runtime, kitchen)


def doing(runtime: LockedRuntime) -> str:
    """Return what making a runtime's folder is, for people."""
    return _LONG.get(runtime.recipe, "unpacking")


def _jars(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    _link_jars(kitchen, kitchen.into)
    if runtime.sources:
        _compile(runtime, kitchen, kitchen.into, kitchen.needs["spark"] / "jars")


def _go(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    _build(runtime, kitchen, "-ldflags=-s -w")


def _build(runtime: LockedRuntime, kitchen: Kitchen, *flags: str) -> None:
    if runtime.module is None:
        raise FetchError(f"The lock file names no Go module for {runtime.name}; run `headwater lock`.")
    go = Go(unpack.only(kitchen.files, ".whl"), kitchen.scratch, kitchen.settings.go_mirror)
    package = runtime.options.get("package", ".")
    go.build(runtime.module, kitchen.into / runtime.main, flags, kitchen.step, kitchen.stop, package=package)


def _minio(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    if runtime.module is None:
        raise FetchError("The lock file names no Go module for minio; run `headwater lock`.")
    stamp = "github.com/minio/minio/cmd"
    commit = runtime.module.version.rpartition("-")[2]
    at = runtime.module.version.split("-")[-2].rpartition(".")[2]
    tag = f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[8:10]}-{at[10:12]}-{at[12:14]}Z"
    values = {
        "Version": f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[8:10]}:{at[10:12]}:{at[12:14]}Z",
        "ReleaseTag": f"DEVELOPMENT.{tag}",
        "CommitID": commit,
        "ShortCommitID": commit,
        "CopyrightYear": at[:4],
    }
    stamps = " ".join(f"-X {stamp}.{name}={value}" for name, value in values.items())
    _build(runtime, kitchen, "-tags=kqueue", f"-ldflags=-s -w {stamps}")


def _metastore(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    lib = kitchen.into / "lib"
    unpack.untar(kitchen, ".tar.gz", unpack.without_top)
    for name in runtime.options["drop"]:
        (lib / name).unlink()
    _link_jars(kitchen, lib)
    _compile(runtime, kitchen, lib)


def _link_jars(kitchen: Kitchen, lib: Path) -> None:
    for file in kitchen.files:
        if file.suffix == ".jar" and not _is_compiler(file):
            unpack.link(file, lib / file.name)


def _is_compiler(file: Path) -> bool:
    return file.name.startswith("ecj-")


def _compile(runtime: LockedRuntime, kitchen: Kitchen, lib: Path, *more: Path) -> None:
    """Make ``headwater-NAME.jar`` of the runtime's Java sources, beside the jars that they use."""
    classes = _empty(kitchen.scratch / "classes")
    compiler = next(filter(_is_compiler, kitchen.files))
    jars = ":".join(str(jar) for folder in (lib, *more) for jar in sorted(folder.glob("*.jar")))
    options = ("-proc:none", "-nowarn", "-17", "-cp", jars, "-d", str(classes))
    sources = [str(HERE / source) for source in runtime.sources]
    java = str(kitchen.needs["java21"] / "bin" / "java")
    kitchen.run((java, "-jar", str(compiler), *options, *sources), f"Compiling what {runtime.name} has of our own")
    jar = shutil.make_archive(str(kitchen.scratch / f"headwater-{runtime.name}"), "zip", classes)
    shutil.move(jar, lib / f"headwater-{runtime.name}.jar")


def _venv(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    requirements = HERE / runtime.sources[0]
    wheels = _empty(kitchen.scratch / "wheels")
    for file in kitchen.bring(read_pins(requirements), kitchen.scratch / "downloads", kitchen.step):
        unpack.link(file, wheels / file.name)
    kitchen.run((sys.executable, "-m", "venv", str(kitchen.into)), f"Making the Python environment of {runtime.name}")
    # Every file is here and checked: no index is asked again. What has no wheel is built with the setuptools that the
    # requirements pin, not with whatever is newest.
    _pip(kitchen, "--find-links", str(wheels), "--upgrade", "setuptools")
    _pip(kitchen, "--find-links", str(wheels), "--require-hashes", "-r", str(requirements))


def _pip(kitchen: Kitchen, *arguments: str) -> None:
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir")
    strict = ("--no-index", "--no-deps", "--no-build-isolation")
    kitchen.run(
        (str(kitchen.into / "bin" / "python"), "-m", "pip", "install", *quiet, *strict, *arguments),
        "Installing Python packages with pip",
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
        PIP_USER="0",
        PYTHONPATH="",
    )


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


_RECIPES: Mapping[str, Callable[[LockedRuntime, Kitchen], None]] = {
    "go": _go,
    "jars": _jars,
    "java": unpack.java,
    "metastore": _metastore,
    "minio": _minio,
    "npm": unpack.packages,
    "postgres": unpack.postgres,
    "spark": unpack.spark,
    "trino": unpack.trino,
    "venv": _venv,
}
