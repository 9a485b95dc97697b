"""The supervisor of the box: supervisord, configured here and spoken to over its socket.

It keeps processes running (restart with back-off) and rotates their logs; order and readiness are in ``lifecycle``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.box.component import Box
    from headwater.box.programs import Program

__all__ = ["MARK", "ProcessState", "Supervisor", "served_profile", "served_project"]

# Every process of a box carries this variable with the box's home, so that none is ever lost.
MARK = "HEADWATER_BOX"

# The file that names the project. It is not in the environment, which cannot be changed once the supervisor runs.
_SERVED = "project"
# The file that names its profile.
_PROFILE = "profile"
_START_SECONDS = 15.0
_CONFIG = """\
[supervisord]
logfile={home}/logs/supervisor.log
logfile_maxbytes=5MB
logfile_backups=2
pidfile={home}/run/supervisor.pid
childlogdir={home}/logs
nodaemon=false
minfds={open_files}
{user}
[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
_PROGRAM = """
[program:{name}]
command={python} -m headwater run {program}
directory={home}
autostart=false
autorestart=true
startsecs=3
startretries=30
stopsignal={stop_signal}
stopwaitsecs=25
killasgroup=true
redirect_stderr=true
stdout_logfile={home}/logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


@dataclass(frozen=True)
class ProcessState:
    """What the supervisor says of one program.

    Args:
        state: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN.
        pid: 0 when it does not run.
        started: Seconds since the epoch; 0 when it does not run.
        why: The supervisor's own word on a failure.
    """

    state: str
    pid: int
    started: float
    why: str

    @property
    def alive(self) -> bool:
        """There is a process; the supervisor calls its first seconds STARTING, whatever it can do already."""
        return self.state in {"RUNNING", "STARTING"}

    @property
    def kept(self) -> bool:
        """The supervisor keeps it running, or is about to try again."""
        return self.alive or self.state == "BACKOFF"


class Supervisor:
    """One box's supervisord.

    Args:
        box: The box.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._home = box.profile.home
        self._socket = box.socket("supervisor")

    def running(self) -> bool:
        """Tell whether the supervisor answers."""
        try:
            self._call("getState")
        except ComponentError:
            return False
        return True

    def start(self, programs: Iterable[Program]) -> None:
        """Start the supervisor, knowing these programs but running none; nothing happens when it runs already.

        Raises:
            ComponentError: It does not come up.
        """
        if self.running():
            return
        self._socket.unlink(missing_ok=True)
        config = self._write_config(programs)
        self.serve_project()
        env = inherited_env(**self._box.profile.environment(), **{MARK: str(self._home)})
        argv = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]
        done = subprocess.run(argv, env=env, cwd=self._home, capture_output=True, text=True, check=False)
        deadline = time.monotonic() + _START_SECONDS
        while not self.running():
            if done.returncode or time.monotonic() > deadline:
                said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
                raise ComponentError(f"The supervisor did not start: {said[0]}. See {self._home}/logs/supervisor.log.")
            time.sleep(0.05)

    def serve_project(self) -> None:
        """Have programs that start from now on serve the project of this box's profile."""
        (self._home / "run" / _SERVED).write_text(str(self._box.profile.project), encoding="utf-8")
        (self._home / "run" / _PROFILE).write_text(self._box.profile.name, encoding="utf-8")

    def start_program(self, program: Program) -> None:
        """Start one program without waiting; a running one is left alone."""
        if self.state(program).kept:
            return
        self._call("startProcess", program.file_name, False)  # noqa: FBT003 - XML-RPC has no keywords

    def stop_program(self, program: Program) -> None:
        """Ask one program to stop without waiting; a stopped one is left alone, by whomever it was stopped."""
        if not self.state(program).kept:
            return
        try:
            self._call("stopProcess", program.file_name, False)  # noqa: FBT003
        except ComponentError:
            if self.state(program).kept:
                raise

    def state(self, program: Program) -> ProcessState:
        """Return what the supervisor says of one program."""
        return self.states().get(program.file_name, ProcessState("STOPPED", 0, 0.0, ""))

    def states(self) -> dict[str, ProcessState]:
        """Return every program's state by file name; empty when the supervisor does not run."""
        try:
            found = self._call("getAllProcessInfo")
        except ComponentError:
            return {}
        return {
            one["name"]: ProcessState(
                state=one["statename"],
                pid=one["pid"],
                started=float(one["start"]) if one["pid"] else 0.0,
                why=one["spawnerr"] or (one["description"] if one["statename"] in {"FATAL", "BACKOFF"} else ""),
            )
            for one in found
        }

    def shutdown(self) -> None:
        """Stop everything and the supervisor itself; another command may do the same at this moment."""
        if not self.running():
            return
        try:
            self._call("shutdown")
        except ComponentError:
            if self.running():
                raise

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415 - only the box's commands need it

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise ComponentError(
                f"The supervisor refused {method} {' '.join(map(str, arguments))}: {fault.faultString}."
            ) from fault
        except (OSError, xmlrpc.client.ProtocolError, ConnectionError) as error:
            raise ComponentError(
                f"The supervisor of {self._home} does not answer; start the box with `headwater up`."
            ) from error
        finally:
            transport.close()

    def _write_config(self, programs: Iterable[Program]) -> Path:
        for folder in ("logs", "run"):
            (self._home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        user = "user=root\n" if os.getuid() == 0 else ""
        text = _CONFIG.format(
            home=_escape(self._home), user=user, socket=_escape(self._socket), open_files=_open_files()
        )
        for one in programs:
            text += _PROGRAM.format(
                name=one.file_name,
                program=one.name,
                python=_escape(sys.executable),
                home=_escape(self._home),
                stop_signal=one.component.stop_signal,
            )
        return self._box.write_conf("supervisor", "supervisord.conf", text)


def served_project(home: Path) -> Path | None:
    """Return the project that a box serves; None when it was never started."""
    try:
        return Path((home / "run" / _SERVED).read_text(encoding="utf-8"))
    except OSError:
        return None


def served_profile(home: Path) -> str | None:
    """Return the profile of a box; None when it was never started."""
    try:
        return (home / "run" / _PROFILE).read_text(encoding="utf-8")
    except OSError:
        # Releases that noted none had boxes of one profile.
        return "local" if served_project(home) is not None else None


def _escape(path: object) -> str:
    """Return a path as supervisord reads it: % begins an expansion there."""
    return str(path).replace("%", "%%")


def _open_files() -> int:
    import resource  # noqa: PLC0415

    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
