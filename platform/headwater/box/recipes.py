"""How each runtime's folder is made of its files."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.box import unpack
from headwater.box.golang import Go
from headwater.box.lockfile import HERE
from headwater.box.tether import run_tethered
from headwater.errors import FetchError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from headwater.box.lockfile import FetchSettings, LockedRuntime
    from headwater.box.progress import Step

__all__ = ["IN_PLACE", "Kitchen", "make"]

# Recipes whose folder cannot be moved once made.
IN_PLACE = frozenset({"venv"})


@dataclass(frozen=True)
class Kitchen:
    """What a recipe works with.

    Args:
        settings: The fetch's settings.
        files: The runtime's downloads.
        into: The empty folder to fill.
        scratch: A folder that survives a killed fetch and goes when the runtime is done.
        needs: Folders of the runtimes it needs.
        step: Told that the work goes on.
        stop: Ends helpers when set.
    """

    settings: FetchSettings
    files: Sequence[Path]
    into: Path
    scratch: Path
    needs: Mapping[str, Path]
    step: Step
    stop: threading.Event

    def run(self, command: Sequence[str], doing: str, **env: str) -> str:
        """Run a helper program in the scratch folder."""
        environment = inherited_env(**env)
        return run_tethered(command, cwd=self.scratch, env=environment, step=self.step, stop=self.stop, doing=doing)


def make(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    """Fill a runtime's folder.

    Raises:
        FetchError: It cannot be made.
    """
    _RECIPES[runtime.recipe](runtime, kitchen)


def _unpacked(
    unpacker: Callable[[LockedRuntime, Sequence[Path], Path], None],
) -> Callable[[LockedRuntime, Kitchen], None]:
    return lambda runtime, kitchen: unpacker(runtime, kitchen.files, kitchen.into)


def _jars(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    del runtime
    for file in kitchen.files:
        unpack.link(file, kitchen.into / file.name)


def _minio(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    if runtime.module is None:
        raise FetchError("The lock file names no Go module for minio; run `headwater lock`.")
    go = Go(unpack.only(kitchen.files, ".whl"), kitchen.scratch, kitchen.settings.go_mirror)
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
    flags = ("-tags=kqueue", f"-ldflags=-s -w {stamps}")
    go.build(runtime.module, kitchen.into / "minio", flags, kitchen.step, kitchen.stop)


def _metastore(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    lib = kitchen.into / "lib"
    unpack.untar(unpack.only(kitchen.files, ".tar.gz"), kitchen.into, lambda name: name.partition("/")[2] or None)
    for name in runtime.options["drop"]:
        (lib / name).unlink()
    compiler = next(file for file in kitchen.files if file.name.startswith("ecj-"))
    for file in kitchen.files:
        if file.suffix == ".jar" and file != compiler:
            unpack.link(file, lib / file.name)
    _compile(kitchen, compiler, lib)


def _compile(kitchen: Kitchen, compiler: Path, lib: Path) -> None:
    classes = kitchen.scratch / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    java = str(kitchen.needs["java21"] / "bin" / "java")
    jars = ":".join(str(jar) for jar in sorted(lib.glob("*.jar")))
    options = ("-proc:none", "-nowarn", "-17", "-cp", jars, "-d", str(classes))
    kitchen.run((java, "-jar", str(compiler), *options, str(HERE / "java")), "Compiling the metastore's main class")
    shutil.make_archive(str(kitchen.scratch / "headwater-metastore"), "zip", classes)
    shutil.move(kitchen.scratch / "headwater-metastore.zip", lib / "headwater-metastore.jar")


def _venv(runtime: LockedRuntime, kitchen: Kitchen) -> None:
    python = str(kitchen.into / "bin" / "python")
    kitchen.run((sys.executable, "-m", "venv", str(kitchen.into)), f"Making the Python environment of {runtime.name}")
    mirror = kitchen.settings.pypi_mirror
    # A cache of its own: it survives a killed fetch, and goes afterwards.
    env = {
        "PIP_CACHE_DIR": str(kitchen.scratch / "pip"),
        "PIP_USER": "0",
        "PYTHONPATH": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    requirements = str(HERE / runtime.sources[0])
    kitchen.run(
        (python, "-m", "pip", "install", "--no-input", "--quiet", "--require-hashes", "--no-deps", "-r", requirements),
        f"Installing {runtime.name} with pip",
        **env,
        **({"PIP_INDEX_URL": mirror} if mirror else {}),
    )


_RECIPES: Mapping[str, Callable[[LockedRuntime, Kitchen], None]] = {
    "jars": _jars,
    "java": _unpacked(unpack.java),
    "metastore": _metastore,
    "minio": _minio,
    "postgres": _unpacked(unpack.postgres),
    "spark": _unpacked(unpack.spark),
    "trino": _unpacked(unpack.trino),
    "venv": _venv,
}
