"""The box's generated logins."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater.credentials import LOGINS, ensure_credentials, read_credentials
from headwater.errors import ConfigError


def test_every_login_gets_its_own_random_password(tmp_path):
    """No default and no password used twice."""
    logins = ensure_credentials(tmp_path / "home")

    passwords = {logins.password(login) for login in LOGINS}
    assert len(passwords) == len(LOGINS)
    assert min(map(len, passwords)) >= 32


def test_the_file_is_readable_by_its_owner_only(tmp_path):
    """Mode 0600, in a folder of mode 0700."""
    ensure_credentials(tmp_path / "home")

    assert stat.S_IMODE((tmp_path / "home" / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_second_start_keeps_the_logins(tmp_path):
    """Existing passwords stay; a login that a new version brings is added."""
    first = ensure_credentials(tmp_path)
    path = tmp_path / "credentials.json"
    kept = {login: entry for login, entry in json.loads(path.read_text()).items() if login != "trino"}
    path.write_text(json.dumps(kept))

    second = ensure_credentials(tmp_path)

    assert second.password("minio") == first.password("minio")
    assert len(second.password("trino")) >= 32


def test_many_first_starts_at_once_agree(tmp_path):
    """Whoever is first makes the logins; all others read them."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ensure_credentials(tmp_path / "home").password("trino"), range(32)))

    assert len(set(found)) == 1


def test_reading_before_the_first_start_says_what_to_do(tmp_path):
    """The sentence names the folder and the command."""
    with pytest.raises(ConfigError, match="start one with `headwater up`"):
        read_credentials(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    """Half a file is not silently replaced: that would lock people out of their data."""
    (tmp_path / "credentials.json").write_text('{"minio": ["h')
    with pytest.raises(ConfigError, match=r"credentials\.json cannot be read"):
        ensure_credentials(tmp_path)


def test_passwords_do_not_show_in_representations(tmp_path):
    """A logged Credentials value gives nothing away."""
    logins = ensure_credentials(tmp_path)

    assert logins.password("minio") not in repr(logins)
