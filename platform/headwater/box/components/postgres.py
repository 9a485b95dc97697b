"""PostgreSQL: the databases of the metastore, Dagster, Superset and the catalog."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint, Schema
from headwater.box.components.databases import connect
from headwater.box.unprivileged import chosen_user, hand_over
from headwater.errors import ComponentError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole
    from headwater.box.unprivileged import Identity

__all__ = ["PostgresComponent", "cluster", "server_argv"]

_MAJOR = "17"
_CLUSTER = "cluster"
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "min_wal_size": "32MB",
    # Nothing replicates from a box; its backup is a copy of its folder.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_parallel_workers": "2",
    "jit": "off",
    "huge_pages": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",  # a failed statement may hold a password
    "logging_collector": "off",
    "unix_socket_directories": "",
}


class PostgresComponent(Component):
    """PostgreSQL with scram passwords, over TCP on the box's address only."""

    name = "postgres"
    runtimes = ("postgres",)
    keeps = (_CLUSTER,)
    logins: ClassVar[ByRole] = {"": ("postgres",), MIGRATE: ("postgres",)}
    listens: ClassVar[ByRole] = {"": ("postgres",)}
    # A smart shutdown (TERM) would wait for every client to leave.
    stop_signal = "INT"
    hints = (
        Hint(r"Address already in use", "another program listens on PostgreSQL's port; `headwater doctor` names it."),
        Hint(r"could not map anonymous shared memory|Out of memory", "the machine has too little free memory."),
        Hint(
            r"pre-existing shared memory block|lock file .* already exists",
            "an older PostgreSQL of this box still runs; `headwater down` ends it.",
        ),
        Hint(
            r"has wrong ownership|could not open .*: Permission denied",
            "the data folder belongs to another user; run the box as the user who made it.",
        ),
        Hint(
            r"invalid checkpoint record|invalid page|checksum",
            "the data folder is damaged; restore HEADWATER_HOME from a backup.",
        ),
    )

    def migrate(self, box: Box) -> None:
        """Make the database cluster: whole, or not at all."""
        folder = box.data("postgres")
        if not (folder / _CLUSTER).exists():
            _make_cluster(box, folder)
        hand_over(folder, chosen_user(box.profile), box.profile.home)
        _admit(folder / _CLUSTER / "pg_hba.conf", box.profile.listen)

    def schema(self, box: Box) -> Schema:
        """Return the major version that made the cluster; another one's files cannot be read."""
        version = cluster(box) / "PG_VERSION"
        found = version.read_text(encoding="ascii").strip() if version.exists() else ""
        other = (
            f"{version.parent} was made by PostgreSQL {found}, and this release has {_MAJOR}, which cannot read it. "
            "Nothing was changed; start the release that made it, and export from there what you want to keep."
        )
        return Schema(found, _MAJOR, other if found not in ("", _MAJOR) else "")

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Return the server's process; it has no configuration file of ours."""
        profile = box.profile
        argv = server_argv(box, cluster(box), listen_addresses=profile.listen, port=str(profile.port("postgres")))
        return Command(
            argv,
            cwd=box.data("postgres"),
            become=partial(_become, cluster(box), chosen_user(profile)),
        )

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """Log in and run a statement."""
        with connect(box.profile, "postgres", database="postgres", timeout=3) as connection:
            connection.execute("SELECT count(*) FROM pg_database")

    def version(self, box: Box) -> str:
        """Return what the program says of itself."""
        program = box.runtimes.path("postgres") / "bin" / "postgres"
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        return done.stdout.split()[-1] if done.stdout else "unknown"

    def url(self, box: Box, role: str) -> str | None:
        """Return the address as libpq takes it."""
        return f"postgresql://{box.profile.address('postgres')}" if role == "" else None


def cluster(box: Box) -> Path:
    """Return the folder of the box's databases."""
    return box.data("postgres") / _CLUSTER


def server_argv(box: Box, folder: Path, **settings: str) -> list[str]:
    """Return the server's command line on a cluster; settings are added to those of every server."""
    argv = [str(box.runtimes.path("postgres") / "bin" / "postgres"), "-D", str(folder)]
    return argv + [part for name, value in {**_SETTINGS, **settings}.items() for part in ("-c", f"{name}={value}")]


def _make_cluster(box: Box, folder: Path) -> None:
    identity = chosen_user(box.profile)
    unfinished, password_file = folder / f".{_CLUSTER}.new", folder / ".password"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    _write_new(password_file, box.profile.credentials.password("postgres"))
    hand_over(folder, identity, box.profile.home)
    argv = [
        str(box.runtimes.path("postgres") / "bin" / "initdb"),
        f"--pgdata={unfinished}",
        f"--username={box.profile.credentials.user('postgres')}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
    ]
    try:
        done = subprocess.run(
            identity.wrap(argv), cwd=folder, env=inherited_env(), capture_output=True, text=True, check=False
        )
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode:
        raise ComponentError(f"initdb could not make {folder}: {(done.stderr or done.stdout).strip()}")
    unfinished.rename(folder / _CLUSTER)


def _admit(rules: Path, listen: str) -> None:
    """Let clients in from where the server listens for them, with their passwords; initdb admits this machine alone."""
    if ipaddress.ip_address(listen).is_loopback:
        return
    known, rule = rules.read_text(encoding="utf-8"), "host all all all scram-sha-256\n"
    if rule not in known:
        rules.write_text(known + rule, encoding="utf-8")


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")


def _become(cluster: Path, identity: Identity) -> None:
    """Change the user, then make a lock file that a killed server left behind this process's own.

    PostgreSQL otherwise refuses to start when the number in it meanwhile belongs to any process of this user. It still
    looks whether other processes of the old server use its memory.
    """
    identity.become()
    lock = cluster / "postmaster.pid"
    if lock.exists():
        pid, _, rest = lock.read_text(encoding="utf-8").partition("\n")
        if pid.isdigit() and not _is_postgres(int(pid)):
            lock.write_text(f"{os.getpid()}\n{rest}", encoding="utf-8")


def _is_postgres(pid: int) -> bool:
    # Read by hand: after the change of user nothing more can be imported from a home that is closed to it.
    try:
        state = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return state.startswith("Name:\tpostgres\n") and "State:\tZ" not in state
