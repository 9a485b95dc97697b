"""The Dockerfile's images, made without a container engine: each step in a chroot, each result a layer of an overlay.

It understands what our Dockerfile says and no more. Run as a script, in a mount namespace of its own, it makes the
stages that it is given and writes each as ``<stage>.json``; steps that are already made are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from compose_file import ROOT, stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What leads this machine to its registries, and what vouches for them, leads a step there.
_WAYS = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_DEFAULT_TIMEOUT")
_TRUST = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as an engine has it before any ENV
_CACHE = "opt/headwater/cache"
_IN_PLACE = ("superset",)  # the runtime that cannot be moved is made in the image or not at all
METADATA = frozenset({"ARG", "CMD", "ENV", "HEALTHCHECK", "STOPSIGNAL", "USER", "WORKDIR", "FROM"})


@dataclass(frozen=True)
class Image:
    """What a container's root is made of, and what its process begins with.

    Args:
        layers: Folders, the topmost first.
        mark: What tells this image from any other.
        env: Its variables.
        user: ``uid:gid``.
        folder: Its working folder.
        command: What runs when nothing else is said.
    """

    layers: tuple[str, ...]
    mark: str
    env: Mapping[str, str]
    user: str = "0:0"
    folder: str = "/"
    command: tuple[str, ...] = ()


def read_image(place: Path, stage: str) -> Image:
    """Return a stage that was made before."""
    found = json.loads((place / f"{stage}.json").read_text(encoding="utf-8"))
    return Image(**{**found, "layers": tuple(found["layers"]), "command": tuple(found["command"])})


class Builder:
    """Makes stages.

    Args:
        place: Folder for layers and results; on a file system that an overlay's upper layer can lie on.
        seed: Cache of this machine, whose runtimes ``headwater fetch`` finds in place; None makes all anew.
    """

    def __init__(self, place: Path, seed: Path | None) -> None:
        self._place, self._seed, self._stages = place.absolute(), seed, stages()
        self._made: dict[str, Image] = {}

    def make(self, stage: str) -> Image:
        """Return a stage, made with all that it is made from."""
        if stage not in self._made:
            image = self._steps(stage)
            (self._place / f"{stage}.json").write_text(json.dumps(asdict(image)), encoding="utf-8")
            self._made[stage] = image
        return self._made[stage]

    def drop_unused(self) -> None:
        """Remove what no stage is made of any more."""
        images = [json.loads(one.read_text(encoding="utf-8")) for one in self._place.glob("*.json")]
        used = {Path(layer).parent.name for image in images for layer in image["layers"]}
        for layer in (self._place / "layers").iterdir():
            if layer.name not in used:
                shutil.rmtree(layer)

    def _steps(self, stage: str) -> Image:
        (_, first), *rest = self._stages[stage]
        parent = first.partition(" AS ")[0]
        image = self._base() if parent == "${BASE}" else self.make(parent)
        given: dict[str, str] = {}
        for instruction, text in rest:
            if instruction == "ARG":
                given |= {text: os.environ[text]} if os.environ.get(text) else {}
            elif instruction == "RUN":
                image = self._run(image, text, given, stage)
            elif instruction == "COPY":
                image = self._copy(image, text.split())
            else:
                image = _told(image, instruction, text)
        return image

    def _base(self) -> Image:
        name = dict(one.split("=", 1) for instruction, one in self._stages[""] if instruction == "ARG")["BASE"]
        release = name.partition(":")[2].removesuffix("-slim")
        bare = Image((), "", {"PATH": _PATH})
        return self._layer(bare, f"debootstrap {release}", lambda into: _debootstrap(release, into), overlaid=False)

    def _run(self, image: Image, text: str, given: Mapping[str, str], stage: str) -> Image:
        def step(root: Path) -> None:
            env = {**_ways(), **image.env, **given}
            argv = [_CHROOT, f"--userspec={image.user}", str(root), "/bin/sh", "-c", f"cd {image.folder} && {text}"]
            with _System(root):
                subprocess.run(argv, env=env, check=True, stdin=subprocess.DEVNULL)

        fetched = text.removeprefix("headwater fetch ") if text.startswith("headwater fetch ") else ""
        made = self._layer(image, f"RUN {text} {sorted(given.items())}", step, seed=fetched)
        if fetched and self._seed:
            self._keep(Path(made.layers[0]) / _CACHE / "runtimes")
        return made

    def _copy(self, image: Image, words: list[str]) -> Image:
        *sources, to = words
        if sources[0].startswith("--from="):
            other = self.make(sources[0].removeprefix("--from="))

            def linked(root: Path) -> None:
                _copy_from(other, sources[1:], root / to.strip("/"))

            # No link leads into an overlay, so this goes beneath it.
            return self._layer(image, f"COPY {words} {other.mark}", linked, overlaid=False)
        what = [(ROOT / one, one) for one in sources]
        target = to if to.startswith("/") else f"{image.folder}/{to}"

        def step(root: Path) -> None:
            for source, _ in what:
                _copy_in(source, root / target.strip("/"), whole=not target.endswith("/"))

        return self._layer(image, f"COPY {words} {_digest(source for source, _ in what)}", step)

    def _layer(self, image, text, step, *, overlaid=True, seed=""):
        mark = hashlib.sha256(f"{image.mark}\n{text}".encode()).hexdigest()[:16]
        done = self._place / "layers" / mark
        if not done.exists():
            print(f"{mark}: {text[:150]}", flush=True)  # noqa: T201 - the log of the build
            fresh = self._place / "layers" / f"{mark}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for name in ("diff", "work", "root"):
                (fresh / name).mkdir(parents=True)
            if seed and self._seed:
                self._sow(seed, fresh / "diff" / _CACHE / "runtimes")
            root = fresh / "root" if overlaid else fresh / "diff"
            if overlaid:
                lower = ":".join(image.layers)
                options = f"lowerdir={lower},upperdir={fresh / 'diff'},workdir={fresh / 'work'}"
                subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], check=True)
            try:
                step(root)
            finally:
                if overlaid:
                    subprocess.run(["umount", str(root)], check=True)
            fresh.rename(done)
        return replace(image, layers=(str(done / "diff"), *image.layers), mark=mark)

    def _sow(self, component: str, to: Path) -> None:
        """Lay this machine's runtimes where the step looks for them; it takes those that the lock file names."""
        to.mkdir(parents=True)
        for cache in (self._place / "kept", self._seed / "runtimes"):
            for folder in cache.iterdir() if cache.is_dir() else ():
                moved = cache != self._place / "kept" and folder.name.startswith(_IN_PLACE)
                if not moved and _wanted(component, folder.name) and not (to / folder.name).exists():
                    subprocess.run(["cp", "-al", str(folder), str(to / folder.name)], check=True)

    def _keep(self, made: Path) -> None:
        kept = self._place / "kept"
        kept.mkdir(exist_ok=True)
        for folder in made.iterdir() if made.is_dir() else ():
            if folder.name.startswith(_IN_PLACE) and not (kept / folder.name).exists():
                subprocess.run(["cp", "-al", str(folder), str(kept / folder.name)], check=True)


class _System:
    """What a step sees besides its files: processes, devices, names of other machines and who vouches for them."""

    def __init__(self, root: Path) -> None:
        self._root, self._mounted = root, []

    def __enter__(self) -> None:
        self._mount("/proc", "proc", "--bind", "/proc")
        self._mount("/dev", "dev", "--bind", "/dev")
        for file in (Path("/etc/resolv.conf"), Path("/etc/hosts")):
            there = self._root / file.relative_to("/")
            there.touch()
            self._mount(str(file), str(file).strip("/"), "--bind", str(file))
        if _AUTHORITIES.is_file():
            (self._root / "run/authorities.crt").touch()
            self._mount(str(_AUTHORITIES), "run/authorities.crt", "--bind", str(_AUTHORITIES))

    def _mount(self, source: str, at: str, *options: str) -> None:
        place = self._root / at
        subprocess.run(["mount", *options[:1], source, str(place)], check=True)
        self._mounted.append(place)

    def __exit__(self, *_: object) -> None:
        for place in reversed(self._mounted):
            subprocess.run(["umount", str(place)], check=True)
        (self._root / "run/authorities.crt").unlink(missing_ok=True)


def _wanted(component: str, folder: str) -> bool:
    from headwater.box.components import all_components
    from headwater.box.lockfile import read_lock, this_platform

    wanted = [read_lock().find(name) for name in all_components()[component].runtimes]
    return folder in {one.folder(this_platform()) for one in wanted}


def _told(image: Image, instruction: str, text: str) -> Image:
    if instruction not in METADATA:
        raise ValueError(f"{instruction} is more than this builder knows")
    if instruction == "ENV":
        return replace(image, env={**image.env, **dict(one.split("=", 1) for one in text.split())})
    if instruction == "USER":
        return replace(image, user=text)
    if instruction == "WORKDIR":
        return replace(image, folder=text)
    return replace(image, command=tuple(json.loads(text))) if instruction == "CMD" else image


def _ways() -> dict[str, str]:
    trust = dict.fromkeys(_TRUST, "/run/authorities.crt") if _AUTHORITIES.is_file() else {}
    return {**{name: os.environ[name] for name in _WAYS if name in os.environ}, **trust, "HOME": "/root"}


def _debootstrap(release: str, into: Path) -> None:
    subprocess.run(["debootstrap", "--variant=minbase", release, str(into)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(into / "var/cache/apt/archives", ignore_errors=True)


def _copy_from(other: Image, sources: Sequence[str], to: Path) -> None:
    for source in sources:
        holding = [layer for layer in other.layers if (Path(layer) / source.strip("/")).exists()]
        to.parent.mkdir(parents=True, exist_ok=True)
        for layer in reversed(holding):  # the topmost last, whose files win
            # By links: what a layer holds is never changed, and some of it is gigabytes.
            subprocess.run(["cp", "-alf", "-T", str(Path(layer) / source.strip("/")), str(to)], check=True)


def _copy_in(source: Path, to: Path, *, whole: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"), dirs_exist_ok=True)
    else:
        target = to if whole else to / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _digest(sources: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def _main(place: str, seed: str, *wanted: str) -> None:
    builder = Builder(Path(place), Path(seed) if seed else None)
    Path(place).mkdir(parents=True, exist_ok=True)
    for stage in wanted:
        builder.make(stage)
    builder.drop_unused()


if __name__ == "__main__":
    _main(*sys.argv[1:])
