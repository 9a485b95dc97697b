"""Services as local processes, each in a network of its own behind one packet filter: namespaces instead of an engine.

Everything lives in one process, network and mount namespace, the world. It ends with the process that made it, even
when that one is killed, and the kernel takes all that is in it along: processes, networks, mounts. Nothing in it
reaches the machine's network.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
from limits import drop_groups, make_groups
from started import Container, NotReadyError, as_user, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from image_build import Image
    from services import Mount, Service

__all__ = ["Container", "Door", "Link", "NotReadyError", "World", "missing_tools"]

# program -> Debian's package
NEEDED = {
    "unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "ip": "iproute2", "nft": "nftables",
    "debootstrap": "debootstrap",
}  # fmt: skip
_GROUP = "headwater-wiring-"
_HERE = Path(__file__).parent
# `services` are addresses that lead to some of several hosts in turn; the filter sees whom they led to.
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
  chain services { type nat hook prerouting priority -100; }
  chain own { type nat hook postrouting priority 100; }
}
"""
_PUBLISHED = """\
table ip published {{
  chain output {{ type nat hook output priority -100; {rules} }}
  chain leave {{ type nat hook postrouting priority 100; oifname "eth0" masquerade; }}
}}
"""
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, for the kernel's setns


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


@dataclass(frozen=True)
class Door:
    """A port of people's own machine, and where it leads.

    Args:
        host: Address of the machine.
        host_port: Its port.
        address: Where it leads.
        port: And to which port there.
    """

    host: str
    host_port: int
    address: str
    port: int


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


class World:
    """Hosts behind one filter, and the containers on them.

    Args:
        place: Folder for volumes, logs and roots.
        hosts: Names of hosts that are there from the beginning.
        images: The images by name.
    """

    def __init__(self, place: Path, hosts: Collection[str], images: Mapping[str, Image]) -> None:
        self.place, self._images = place, images
        # Names that every container knows, besides those of its peers.
        self.names: dict[str, str] = {}
        self._hosts, self._numbers, self._lock = sorted(hosts), dict[str, int](), threading.Lock()
        self._world: subprocess.Popen | None = None
        self._init = 0
        self._group = f"{_GROUP}{secrets.token_hex(3)}"
        self._started: list[Container] = []

    def __enter__(self) -> Self:
        drop_groups(_GROUP)  # of worlds that were killed: nothing but these folders outlives them
        argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "infinity"]
        self._world = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not (found := psutil.Process(self._world.pid).children()) or found[0].name() != "sleep":
            if time.monotonic() > deadline:
                raise NotReadyError("the namespaces were not made")
            time.sleep(0.02)
        self._init = found[0].pid
        self.call("mount", "-t", "tmpfs", "tmpfs", "/run")
        quiet = "for one in all default; do echo 0 > /proc/sys/net/ipv4/conf/$one/send_redirects; done"
        self.call("sh", "-ec", f"ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward; {quiet}")
        self.call("nft", "-f", "-", given=_FILTER)
        for name in self._hosts:
            self.join(name)
        return self

    def __exit__(self, *_: object) -> None:
        if self._world is not None:
            for one in psutil.Process(self._world.pid).children():
                one.kill()
            self._world.wait()
        for one in self._started:
            one.process.wait()
        drop_groups(self._group)

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
        return run(self._entered(argv, at), timeout)

    def join(self, name: str) -> str:
        """Add a host and return its address."""
        with self._lock:
            number = self._numbers[name] = len(self._numbers) + 1
        mine, router = self.address(name), f"{self._network(name)}.1"
        self.call("sh", "-ec", f"""
            ip netns add {name}
            ip link add to{number} type veth peer name eth0 netns {name}
            ip address add {router}/30 dev to{number}
            ip link set to{number} up
            ip -n {name} link set lo up
            ip -n {name} address add {mine}/30 dev eth0
            ip -n {name} link set eth0 up
            ip -n {name} route add default via {router}
            nft add rule ip wiring own ip saddr {mine} ip daddr {mine} masquerade
        """)  # fmt: skip
        return mine

    def address(self, name: str) -> str:
        """Return a host's address."""
        return f"{self._network(name)}.2"

    def lead(self, number: int, ports: Mapping[int, int], hosts: Sequence[str]) -> str:
        """Return an address at which ports lead to those of some hosts in turn, as a Service of Kubernetes does.

        Args:
            number: Tells it from others, up to 254.
            ports: Port of the address -> port of the hosts.
            hosts: At least one.
        """
        address, places = f"10.76.0.{number}", [self.address(one) for one in hosts]
        turns = ", ".join(f"{turn} : {place}" for turn, place in enumerate(places))
        to = f"numgen inc mod {len(places)} map {{ {turns} }}" if len(places) > 1 else places[0]
        for port, there in ports.items():
            if port != there:
                raise ValueError(f"{address}:{port} would lead to another port, {there}")
            self.call("nft", f"add rule ip wiring services ip daddr {address} tcp dport {port} dnat to {to}")
        return address

    def listen(self, name: str, port: int) -> socket.socket:
        """Return a socket of this process that listens at a host."""
        with ThreadPoolExecutor(1) as apart:  # a thread that ends takes the network that it is in along
            return apart.submit(self._listen, name, port).result()

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
        pairs = (each["concat"] for each in elements)
        return {Link(names.get(one[0], one[0]), names.get(one[1], one[1]), one[2]) for one in pairs}

    def publish(self, people: str, doors: Iterable[Door]) -> None:
        """Lead people's loopback address to what is published."""
        self.call("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet", at=people)
        rules = "".join(
            f"ip daddr {one.host} tcp dport {one.host_port} dnat to {one.address}:{one.port}; " for one in doors
        )
        self.call("nft", "-f", "-", at=people, given=_PUBLISHED.format(rules=rules))

    def start(self, service: Service, peers: Iterable[Service] = ()) -> Container:
        """Start a service and return at once.

        Args:
            service: What.
            peers: Services whose names it knows when they share a network with it.
        """
        image = self._images[service.image]
        place = self.place / "containers" / f"{service.name}-{secrets.token_hex(3)}"
        for name in ("root", "upper", "work"):
            (place / name).mkdir(parents=True)
        hostname, user = service.hostname or secrets.token_hex(6), service.user or image.user
        env = {**image.env, **service.env, "HOME": _home(image, user), "HOSTNAME": hostname}
        env |= dict.fromkeys(service.own_address, self.address(service.at))
        self._write_names(place, service, peers, hostname)
        groups = [str(one) for one in make_groups(self._group, place.name, service)]
        spec = {
            "layers": list(image.layers), "groups": groups, "hostname": hostname, "folder": image.folder,
            "tmpfs": service.tmpfs, "read_only": service.read_only, "env": env,
            "mounts": [self._mount(one, image, user) for one in service.mounts],
            "argv": [*as_user(user), *(service.argv or image.command)],
        }  # fmt: skip
        (place / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        own = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                self._entered([*own, sys.executable, str(_HERE / "container.py"), str(place)], service.at),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        container = Container(service, process, place, groups, env, user)
        self._started.append(container)
        return container

    def once(self, service: Service, peers: Iterable[Service], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a service to its end and return what came of it; one that takes too long is ended."""
        container = self.start(service, peers)
        try:
            code = container.process.wait(timeout)
        except subprocess.TimeoutExpired:
            container.stop()
            code = 124
        return subprocess.CompletedProcess(service.argv, code, container.log, "")

    def _network(self, name: str) -> str:
        number = self._numbers[name]
        return f"10.{77 + number // 256}.{number % 256}"

    def _elements(self, verb: str, links: Iterable[Link]) -> None:
        text = ", ".join(f"{self.address(one.source)} . {self.address(one.target)} . {one.port}" for one in links)
        if text:
            self.call("nft", f"{verb} element ip wiring links {{ {text} }}")

    def _entered(self, argv: Sequence[str], at: str = "") -> list[str]:
        world = ["nsenter", "--target", str(self._init), "--mount", "--pid", "--net"]
        return [*world, *(["nsenter", f"--net=/run/netns/{at}"] if at else []), *argv]

    def _listen(self, name: str, port: int) -> socket.socket:
        with Path(f"/proc/{self._init}/root/run/netns/{name}").open("rb") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), f"the network of {name} cannot be entered")
        return socket.create_server((self.address(name), port))

    def _write_names(self, place: Path, service: Service, peers: Iterable[Service], hostname: str) -> None:
        known = {**self.names, **{one.name: self.address(one.at) for one in peers if one.networks & service.networks}}
        known[service.name] = known[hostname] = self.address(service.at)
        text = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in known.items())
        (place / "hosts").write_text(text, encoding="ascii")
        (place / "hostname").write_text(f"{hostname}\n", encoding="ascii")
        (place / "resolv.conf").write_text("", encoding="ascii")

    def _mount(self, mount: Mount, image: Image, user: str) -> dict[str, object]:
        source = Path(mount.source)
        if not source.is_absolute():
            source = self.place / "volumes" / mount.source
            if not source.exists() and mount.mode:
                source.mkdir(parents=True)
                os.chown(source, 0, int(user.partition(":")[2]))
                source.chmod(mount.mode)
            elif not source.exists():
                _fill(source, mount.target, image)
        return {"source": str(source), "target": mount.target, "read_only": mount.read_only}


def _fill(volume: Path, target: str, image: Image) -> None:
    """Make a new volume as an engine does: what the image has there, with its owners."""
    volume.mkdir(parents=True)
    for layer in reversed(image.layers):
        there = Path(layer) / target.strip("/")
        if there.is_dir():
            subprocess.run(["cp", "-a", "-T", str(there), str(volume)], check=True)


def _home(image: Image, user: str) -> str:
    for layer in image.layers:
        accounts = Path(layer) / "etc/passwd"
        if accounts.is_file():
            rows = [row.split(":") for row in accounts.read_text(encoding="utf-8").splitlines()]
            return next((row[5] for row in rows if row[2] == user.partition(":")[0]), "/")
    return "/"
