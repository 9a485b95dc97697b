"""Which box a command speaks to, with a real supervisor that keeps no programs."""

from __future__ import annotations

import subprocess
import sys
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.doctor import examine
from headwater.box.lifecycle import end_leftovers, switch_project, take_down
from headwater.box.processes import members
from headwater.box.programs import Program
from headwater.box.serving import require_made, require_running, require_supervised
from headwater.box.supervisor import ProcessState, Supervisor, served_project
from headwater.cli import headwater
from headwater.credentials import ensure_credentials
from headwater.engines.base import unreachable
from headwater.errors import ComponentError, ConfigError
from headwater.profile import Profile


def profile_of(folder, home):
    """Return the profile of a project whose box keeps everything in another folder."""
    folder.mkdir(exist_ok=True)
    (folder / "headwater.toml").write_text("[project]\n")
    return Profile.load(HEADWATER_PROJECT=str(folder), HEADWATER_HOME=str(home))


@pytest.fixture
def profile(tmp_path):
    """A project without a box."""
    return profile_of(tmp_path / "first", tmp_path / "home")


@pytest.fixture
def supervisor(profile):
    """Its box, running."""
    ensure_credentials(profile.home)
    found = Supervisor(Box(profile))
    found.start(())
    yield found
    found.shutdown()


def test_a_folder_without_project_or_box_is_named(tmp_path):
    """Somebody in the wrong folder is told so, and nothing is left there."""
    with pytest.raises(ConfigError, match=r"no headwater\.toml in .* or above it, and no box .* HEADWATER_PROJECT"):
        require_running(Profile.load(HEADWATER_PROJECT=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_box_is_of_one_profile(profile, supervisor):
    """Another profile's lake is another one; a box that no release noted the profile of was a local one."""
    supervisor.serve_project()
    other = Profile.load({**profile.environment(), "HEADWATER_PROFILE": "aws", "HEADWATER_BUCKET": "lake-of-tests"})
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"box in .*home is of the profile local, not of aws; set HEADWATER_PROF"):
            require_running(other)
        with pytest.raises(ConfigError, match="is of the profile local, not of aws"):
            require_supervised(other)  # as `up`, `down`, `destroy`, `backup` and `upgrade` ask
        require_running(profile)
        (profile.home / "run" / "profile").unlink(missing_ok=True)


def test_what_another_down_is_stopping_is_waited_for(profile, supervisor, monkeypatch):
    """Before what it needs is stopped; of what never ran nothing is told."""
    seen = []
    left = {"superset": 3}  # looks for which it is still being stopped
    kept = {"postgres": "RUNNING"}

    def state(_, program):
        name = program.component.name
        if left.get(name, 0) > 0:
            left[name] -= 1
            return ProcessState("STOPPING", 1, 0.0, "")
        return ProcessState(kept.get(name, "STOPPED"), 1, 0.0, "")

    def stop(_, program):
        seen.append((program.component.name, left["superset"]))
        kept.pop(program.component.name, None)

    monkeypatch.setattr(Supervisor, "state", state)
    monkeypatch.setattr(Supervisor, "stop_program", stop)
    told = []
    take_down(Box(profile), all_components(), lambda names, _: told.append(names))

    assert [name for name, _ in seen] == ["superset", "postgres"]
    assert seen[-1] == ("postgres", 0)
    assert told == ["superset", "postgres"]


def test_a_project_whose_box_was_never_started_is_told_how(profile):
    """The sentence names the place and the command."""
    with pytest.raises(ConfigError, match=r"no box in .*home yet; start one with `headwater up`"):
        require_made(profile)


def test_a_stopped_box_is_no_running_one(profile):
    """Whatever else listens on its ports is not asked."""
    ensure_credentials(profile.home)

    with pytest.raises(ComponentError, match=r"The box in .*home is stopped; start it with `headwater up`"):
        require_running(profile)


def test_a_box_serves_one_project(profile, supervisor, tmp_path):
    """A command of another project is refused until the box was told to serve it."""
    other = profile_of(tmp_path / "second", profile.home)
    require_running(profile)
    with pytest.raises(ConfigError, match=r"serves the project in .*first, not the one in .*second; `headwater up`"):
        require_running(other)

    switch_project(Box(other), {}, lambda *_: None)

    assert served_project(profile.home) == other.project
    require_running(other)


def test_a_second_up_says_whom_it_waits_for(profile):
    """At once, and it goes on when the first is done."""
    profile.home.mkdir(parents=True)
    hold = (
        "import sys; from pathlib import Path; from headwater.box.alone import alone\n"
        "with alone(Path(sys.argv[1]), print): print('held', flush=True); sys.stdin.read()"
    )
    said = []
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(profile.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "held\n"

        def tell(name, what):
            said.append((name, what))
            first.stdin.close()  # so that it ends

        end_leftovers(Box(profile), tell)

    assert said == [("box", f"another `headwater up` (pid {first.pid}) is at work; waiting for it")]


@pytest.mark.parametrize("arguments", [["up"], ["status"], ["doctor"], ["materialize", "--all"], ["sql", "select 1"]])
def test_a_home_that_is_a_file_is_one_sentence(profile, tmp_path, monkeypatch, arguments):
    """Nothing can be kept in it, whichever command meets it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADWATER_PROJECT", str(profile.project))
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "file"))

    done = CliRunner().invoke(headwater, arguments)

    assert isinstance(done.exception, ConfigError)
    assert f"HEADWATER_HOME is {tmp_path / 'file'}, but {tmp_path / 'file'} is a file" in str(done.exception)


def test_a_home_that_cannot_be_written_fails_the_examination():
    """Not even root writes below /proc."""
    profile = Profile.load(HEADWATER_HOME="/proc/headwater")

    (home,) = [one for one in examine(profile) if one.subject == "home"]

    assert (home.level, "cannot be written" in home.sentence) == ("fail", True)
    with pytest.raises(ConfigError, match="/proc/self cannot be written"):
        end_leftovers(Box(Profile.load(HEADWATER_HOME="/proc/self")), lambda *_: None)


@pytest.mark.parametrize("arguments", [["status"], ["tour"], ["materialize", "--all"]])
def test_commands_without_a_box_say_so(profile, monkeypatch, arguments):
    """They neither list stopped processes nor greet with addresses where nothing is."""
    monkeypatch.setenv("HEADWATER_PROJECT", str(profile.project))
    monkeypatch.setenv("HEADWATER_HOME", str(profile.home))

    done = CliRunner().invoke(headwater, arguments)

    assert isinstance(done.exception, ConfigError)
    assert "start one with `headwater up`" in str(done.exception)


def test_ingest_on_a_stopped_box_is_one_sentence(profile, monkeypatch, tmp_path):
    """It says what the other commands say, and looks for no service."""
    ensure_credentials(profile.home)
    monkeypatch.setenv("HEADWATER_PROJECT", str(profile.project))
    monkeypatch.setenv("HEADWATER_HOME", str(profile.home))
    (tmp_path / "a.csv").write_text("a\n1\n")

    done = CliRunner().invoke(headwater, ["ingest", str(tmp_path / "a.csv"), "--table", "raw.a"])

    assert isinstance(done.exception, ComponentError)
    assert str(done.exception) == f"The box in {profile.home} is stopped; start it with `headwater up`."
    assert done.output == ""


def test_down_without_a_box_has_nothing_to_do(profile, monkeypatch):
    """It does not claim to have stopped one."""
    monkeypatch.setenv("HEADWATER_PROJECT", str(profile.project))
    monkeypatch.setenv("HEADWATER_HOME", str(profile.home))

    done = CliRunner().invoke(headwater, ["down"])

    assert (done.exit_code, done.output) == (0, f"There is no box in {profile.home}; there is nothing to stop.\n")


def test_a_box_that_lost_its_credentials_is_stopped_all_the_same(profile, supervisor, monkeypatch):
    """Whether there is a box is not decided by one file of it."""
    monkeypatch.setenv("HEADWATER_PROJECT", str(profile.project))
    monkeypatch.setenv("HEADWATER_HOME", str(profile.home))
    profile.credentials_path.unlink()

    done = CliRunner().invoke(headwater, ["down"])

    assert done.output.endswith("The box is down.\n")
    assert not supervisor.running()
    assert members(profile.home) == []


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "is not running; start the box with `headwater up`"),
        ("error 500: b'java.lang.IllegalStateException: authenticators were not loaded'", "is still starting"),
        ("502 Bad Gateway", "did not answer: 502 Bad Gateway. See `headwater status`"),
    ],
)
def test_an_engine_that_cannot_be_asked_is_one_sentence(why, said):
    """Stopped, starting and broken are told apart."""
    assert said in str(unreachable("Trino", "127.0.0.1:1", why))


def test_what_another_command_stops_meanwhile_is_stopped(profile, monkeypatch):
    """Two `headwater down` at once: what the first has just stopped is no failure of the second."""
    program, supervisor = Program(all_components()["minio"], ""), Supervisor(Box(profile))
    ensure_credentials(profile.home)
    supervisor.start((program,))
    seen_running, now = ProcessState("RUNNING", 1, 1.0, ""), supervisor.state
    seen = iter([seen_running])
    monkeypatch.setattr(supervisor, "state", lambda one: next(seen, None) or now(one))
    try:
        supervisor.stop_program(program)
    finally:
        supervisor.shutdown()
    monkeypatch.setattr(supervisor, "running", Mock(side_effect=[True, False]))
    supervisor.shutdown()
