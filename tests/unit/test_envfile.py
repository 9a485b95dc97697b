"""The file that containers get their passwords from."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater.box.envfile import ensure_env
from headwater.credentials import LOGINS, password_variable
from headwater.errors import ConfigError
from headwater.profile import Profile


def read(path):
    """Return the file's variables."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_password_is_random_and_for_the_owner_only(tmp_path):
    """Each login has one of its own, which needs no quoting anywhere, and the profile reads them."""
    written = ensure_env(tmp_path / ".env")
    found = read(tmp_path / ".env")

    assert set(written) == set(found) == {"COMPOSE_PROFILES", *map(password_variable, LOGINS)}
    assert len(set(found.values())) == len(found)
    assert all(
        len(text) >= 32 and text.replace("-", "").replace("_", "").isalnum() for text in list(found.values())[1:]
    )
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    profile = Profile.load({**found, "HEADWATER_PROFILE": "compose", "HEADWATER_PROJECT": str(tmp_path)})
    assert profile.credentials.password("trino") == found["HEADWATER_PASSWORD_TRINO"]


def test_what_is_there_stays(tmp_path):
    """A second time nothing is written; a login that a new version brings is added behind what people wrote."""
    path = tmp_path / ".env"
    ensure_env(path)
    before = path.read_text()
    assert ensure_env(path) == ()
    assert path.read_text() == before

    kept = "".join(line for line in before.splitlines(keepends=True) if "_TRINO=" not in line) + "MINE=1"
    path.write_text(kept)

    assert ensure_env(path) == ("HEADWATER_PASSWORD_TRINO",)
    assert path.read_text().startswith(kept + "\nHEADWATER_PASSWORD_TRINO=")


def test_two_at_once_agree(tmp_path):
    """The file is there whole or not at all."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_env(tmp_path / ".env"), range(16)))

    assert len(read(tmp_path / ".env")) == len(LOGINS) + 1
    assert [one.name for one in tmp_path.iterdir()] == [".env"]


def test_a_file_that_others_can_read_gets_no_password(tmp_path):
    """The sentence says how to close it."""
    (tmp_path / ".env").write_text("MINE=1\n")
    (tmp_path / ".env").chmod(0o644)

    with pytest.raises(ConfigError, match="others may read it; say `chmod 600 .*env` first"):
        ensure_env(tmp_path / ".env")
    assert (tmp_path / ".env").read_text() == "MINE=1\n"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """One sentence, no traceback."""
    with pytest.raises(ConfigError, match="cannot be kept in .*nowhere"):
        ensure_env(tmp_path / "nowhere" / ".env")
