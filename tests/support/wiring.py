"""Services as local processes, each in a network of its own behind one packet filter: namespaces instead of an engine.

Everything lives in one process, network and mount namespace, the world. It ends with the process that made it, even
when that one is killed, and the kernel takes all that is in it along: processes, networks, mounts. Nothing in it
reaches the machine's network.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from image_build import Image
    from services import Service

__all__ = ["Container", "Link", "NotReadyError", "World", "missing_tools"]

# program -> Debian's package
NEEDED = {
    "unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "ip": "iproute2", "nft": "nftables",
    "debootstrap": "debootstrap",
}  # fmt: skip
_GROUP = "headwater-wiring-"
_HERE = Path(__file__).parent
_FILTER = """\
table ip wiring {
  set links { type ipv4_addr . ipv4_addr . inet_service; }
  set used { type ipv4_addr . ipv4_addr . inet_service; flags dynamic; size 65535; }
  set refused { type ipv4_addr . ipv4_addr . inet_service; flags dynamic; size 65535; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ip saddr . ip daddr . tcp dport @links tcp flags & (syn | ack) == syn add @used { ip saddr . ip daddr . tcp dport }
    ip saddr . ip daddr . tcp dport @links accept
    ip daddr . ip saddr . tcp sport @links accept
    tcp flags & (syn | ack) == syn add @refused { ip saddr . ip daddr . tcp dport }
    ip protocol tcp reject with tcp reset
    reject
  }
}
"""
_LOOPBACK = """\
table ip published {{
  chain output {{ type nat hook output priority -100; {rules} }}
  chain leave {{ type nat hook postrouting priority 100; oifname "eth0" masquerade; }}
}}
"""


class NotReadyError(Exception):
    """A container did not come up, or ended when it should run."""


@dataclass(frozen=True)
class Link:
    """What the packet filter lets through: one port of one host from another.

    Args:
        source: Who opens the connection.
        target: Who answers.
        port: At which port.
    """

    source: str
    target: str
    port: int

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.source} -> {self.target}:{self.port}"


def missing_tools() -> str:
    """Return why no world can be made here, empty when it can."""
    if os.geteuid():
        return "namespaces and packet filters take root"
    absent = sorted({package for program, package in NEEDED.items() if not shutil.which(program)})
    if absent:
        return f"these are not installed: {', '.join(absent)}"
    trial = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "nft", "list", "ruleset"], capture_output=True, check=False
    )
    return "" if trial.returncode == 0 else "this machine has no namespaces or no nftables in its kernel"


@dataclass
class Container:
    """A started service.

    Args:
        service: What it was started from.
        process: The outermost process, which ends when the service does.
        place: Its folder, with its log.
        groups: Control groups with its limits.
        env: The variables of its processes.
        image: What its root is made of.
    """

    service: Service
    process: subprocess.Popen
    place: Path
    groups: Sequence[str]
    env: Mapping[str, str]
    image: Image

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.place / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def killed_for_memory(self) -> int:
        """How many of its processes the kernel has killed for taking more than the limit."""
        for group in self.groups:
            for file in ("memory.events", "memory.oom_control"):
                if (there := Path(group, file)).exists():
                    told = dict(row.split() for row in there.read_text(encoding="ascii").splitlines())
                    return int(told["oom_kill"])
        return 0

    @property
    def first(self) -> psutil.Process:
        """Its first process, in its own count."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(self.process.pid).children(recursive=True):
                if _own_numbers(one.pid)[-1:] == ["1"]:
                    return one
        raise NotReadyError(f"{self.service.name} has ended: {self.log[-2000:]}")

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` in it, as its user, within its limits."""
        join = " && ".join(f"echo 0 > {group}/cgroup.procs" for group in self.groups) or "true"
        enter = [
            "nsenter",
            "--target",
            str(self.first.pid),
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--root",
            "--wd",
        ]
        env = [f"{name}={text}" for name, text in self.env.items()]
        return ["sh", "-c", f'{join} && exec "$@"', "sh", *enter, "env", "-i", *env, *_as_user(self.image.user), *argv]

    def run(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in it and return what came of it; one that takes too long fails."""
        return _run(self.inside(argv), timeout)

    def stop(self) -> int:
        """Ask it to end, then make it; return its exit code."""
        with contextlib.suppress(NotReadyError, psutil.NoSuchProcess):
            self.first.send_signal(getattr(signal, self.service.stop_signal))
        try:
            self.process.wait(self.service.grace)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(NotReadyError, psutil.NoSuchProcess):
                self.first.kill()
        return self.process.wait()


class World:
    """Hosts behind one filter, and the containers on them.

    Args:
        place: Folder for volumes, logs and roots.
        hosts: Names of all hosts.
        images: The images by name.
    """

    def __init__(self, place: Path, hosts: Collection[str], images: Mapping[str, Image]) -> None:
        self.place, self._images = place, images
        self._numbers = {name: number for number, name in enumerate(sorted(hosts), 1)}
        self._world: subprocess.Popen | None = None
        self._init = 0
        self._group = f"{_GROUP}{secrets.token_hex(3)}"
        self._started: list[Container] = []

    def __enter__(self) -> Self:
        _drop_groups(_GROUP)  # of worlds that were killed: nothing but these folders outlives them
        argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "infinity"]
        self._world = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not (found := psutil.Process(self._world.pid).children()) or found[0].name() != "sleep":
            if time.monotonic() > deadline:
                raise NotReadyError("the namespaces were not made")
            time.sleep(0.02)
        self._init = found[0].pid
        self.call("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.call("sh", "-ec", "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward")
        for name in self._numbers:
            self._connect(name)
        self.call("nft", "-f", "-", given=_FILTER)
        return self

    def __exit__(self, *_: object) -> None:
        if self._world is not None:
            for one in psutil.Process(self._world.pid).children():
                one.kill()
            self._world.wait()
        for one in self._started:
            one.process.wait()
        _drop_groups(self._group)

    def call(self, *argv: str, at: str = "", given: str | None = None, timeout: float = 60) -> str:
        """Run a command of this machine at a host, the filter's own when none is named, and return what it prints."""
        done = subprocess.run(
            self._entered(argv, at), input=given, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise NotReadyError(f"{' '.join(argv)} at {at or 'the filter'}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def attempt(self, *argv: str, at: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command of this machine at a host and return what came of it; one that takes too long fails."""
        return _run(self._entered(argv, at), timeout)

    def address(self, name: str) -> str:
        """Return a host's address."""
        return f"10.77.{self._numbers[name]}.2"

    def allow(self, links: Iterable[Link]) -> None:
        """Let these through from now on."""
        self._elements("add", links)

    def forbid(self, links: Iterable[Link]) -> None:
        """Let these through no longer; open connections break."""
        self._elements("delete", links)

    def seen(self, what: str) -> set[Link]:
        """Return the connections that were ``used`` or ``refused`` so far, each once."""
        listed = json.loads(self.call("nft", "-j", "list", "set", "ip", "wiring", what))
        elements = listed["nftables"][-1]["set"].get("elem", [])
        names = {self.address(name): name for name in self._numbers}
        return {Link(names[one[0]], names[one[1]], one[2]) for one in (each["concat"] for each in elements)}

    def publish(self, people: str, services: Iterable[Service]) -> None:
        """Lead people's loopback address to the ports that services publish."""
        self.call("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet", at=people)
        rules = "".join(
            f"ip daddr {port.host} tcp dport {port.host_port} dnat to {self.address(one.name)}:{port.port}; "
            for one in services
            for port in one.published
        )
        self.call("nft", "-f", "-", at=people, given=_LOOPBACK.format(rules=rules))

    def start(self, service: Service, peers: Iterable[Service], argv: Sequence[str] = ()) -> Container:
        """Start a service, or another command in its place, and return at once.

        Args:
            service: What.
            peers: Services whose names it knows when they share a network with it.
            argv: What to run; the service's own command when empty.
        """
        image = self._images[service.image]
        place = self.place / "containers" / f"{service.name}-{secrets.token_hex(3)}"
        for name in ("root", "upper", "work"):
            (place / name).mkdir(parents=True)
        hostname = secrets.token_hex(6)
        env = {**image.env, **service.env, "HOME": _home(image), "HOSTNAME": hostname}
        self._write_names(place, service, peers, hostname)
        groups = [str(one) for one in self._limits(service, place.name)]
        spec = {
            "layers": list(image.layers), "groups": groups, "hostname": hostname, "folder": image.folder,
            "tmpfs": service.tmpfs, "read_only": service.read_only, "env": env,
            "mounts": [self._mount(one, image) for one in service.mounts],
            "argv": [*_as_user(image.user), *(argv or service.argv or image.command)],
        }  # fmt: skip
        (place / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        own = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                self._entered([*own, sys.executable, str(_HERE / "container.py"), str(place)], service.name),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._started.append(Container(service, process, place, groups, env, image))
        return self._started[-1]

    def once(self, service: Service, peers: Iterable[Service], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a service to its end and return what came of it; one that takes too long is ended."""
        container = self.start(service, peers)
        try:
            code = container.process.wait(timeout)
        except subprocess.TimeoutExpired:
            container.stop()
            code = 124
        return subprocess.CompletedProcess(service.argv, code, container.log, "")

    def _connect(self, name: str) -> None:
        number = self._numbers[name]
        self.call("sh", "-ec", f"""
            ip netns add {name}
            ip link add to{number} type veth peer name eth0 netns {name}
            ip address add 10.77.{number}.1/30 dev to{number}
            ip link set to{number} up
            ip -n {name} link set lo up
            ip -n {name} address add 10.77.{number}.2/30 dev eth0
            ip -n {name} link set eth0 up
            ip -n {name} route add default via 10.77.{number}.1
        """)  # fmt: skip

    def _elements(self, verb: str, links: Iterable[Link]) -> None:
        text = ", ".join(f"{self.address(one.source)} . {self.address(one.target)} . {one.port}" for one in links)
        if text:
            self.call("nft", f"{verb} element ip wiring links {{ {text} }}")

    def _entered(self, argv: Sequence[str], at: str = "") -> list[str]:
        world = ["nsenter", "--target", str(self._init), "--mount", "--pid", "--net"]
        return [*world, *(["nsenter", f"--net=/run/netns/{at}"] if at else []), *argv]

    def _write_names(self, place: Path, service: Service, peers: Iterable[Service], hostname: str) -> None:
        known = {one.name: self.address(one.name) for one in peers if one.networks & service.networks}
        known[service.name] = known[hostname] = self.address(service.name)
        text = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in known.items())
        (place / "hosts").write_text(text, encoding="ascii")
        (place / "hostname").write_text(f"{hostname}\n", encoding="ascii")
        (place / "resolv.conf").write_text("", encoding="ascii")

    def _mount(self, mount: object, image: Image) -> dict[str, object]:
        source = Path(mount.source)
        if not source.is_absolute():
            source = self.place / "volumes" / mount.source
            if not source.exists():
                _fill(source, mount.target, image)
        return {"source": str(source), "target": mount.target, "read_only": mount.read_only}

    def _limits(self, service: Service, name: str) -> Iterable[Path]:
        for controller in _controllers():
            group = controller / self._group / name
            group.mkdir(parents=True)
            for file, text in (
                ("memory.limit_in_bytes", f"{service.memory}M"),
                ("memory.max", f"{service.memory}M"),
                ("pids.max", str(service.pids)),
            ):
                if (group / file).exists():
                    (group / file).write_text(text, encoding="ascii")
            yield group


def _controllers() -> list[Path]:
    base = Path("/sys/fs/cgroup")
    return [base / one for one in ("memory", "pids") if (base / one / "cgroup.procs").exists()]


def _drop_groups(name: str) -> None:
    for folder in [one for controller in _controllers() for one in controller.glob(f"{name}*")]:
        for one in (*(each for each in folder.iterdir() if each.is_dir()), folder):
            with contextlib.suppress(OSError):  # one that is in use stays
                one.rmdir()


def _fill(volume: Path, target: str, image: Image) -> None:
    """Make a new volume as an engine does: what the image has there, with its owners."""
    volume.mkdir(parents=True)
    for layer in reversed(image.layers):
        there = Path(layer) / target.strip("/")
        if there.is_dir():
            subprocess.run(["cp", "-a", "-T", str(there), str(volume)], check=True)


def _as_user(user: str) -> list[str]:
    uid, _, gid = user.partition(":")
    none = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", *none, "--"]


def _home(image: Image) -> str:
    for layer in image.layers:
        accounts = Path(layer) / "etc/passwd"
        if accounts.is_file():
            rows = [row.split(":") for row in accounts.read_text(encoding="utf-8").splitlines()]
            return next((row[5] for row in rows if row[2] == image.user.partition(":")[0]), "/")
    return "/"


def _own_numbers(pid: int) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return []
    return next((row.split()[1:] for row in status.splitlines() if row.startswith("NSpid:")), [])


def _run(argv: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for one in reversed(psutil.Process(process.pid).children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()
            out, err = process.communicate()
            return subprocess.CompletedProcess(argv, 124, out, f"{err}\nno end after {timeout:.0f} s")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)
