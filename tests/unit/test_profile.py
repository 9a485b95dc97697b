"""The one reader of the environment."""

import re
from pathlib import Path

import pytest
from headwater.errors import ConfigError
from headwater.profile import PORTS, SETTINGS, Profile, read_project


def test_the_defaults_need_no_variable(tmp_path):
    """Without any variable the box lives in .headwater of the project."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c")})

    assert profile.home == tmp_path / ".headwater"
    assert profile.cache == tmp_path / "c" / "headwater"
    assert profile.host == "127.0.0.1"


def test_ports_are_one_consecutive_block(tmp_path):
    """Another first port moves every port, so that two boxes can run."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "9000"})

    assert [profile.port(name) for name in PORTS] == list(range(9000, 9000 + len(PORTS)))


def test_the_project_is_found_from_a_folder_inside_it(tmp_path):
    """headwater.toml is searched upwards, as git does with its folder."""
    (tmp_path / "headwater.toml").write_text("")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)

    assert Profile.load({"HEADWATER_PROJECT": str(inside)}).project == tmp_path


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("HEADWATER_PORT", "80", "1024 to"),
        ("HEADWATER_PORT", "abc", "whole number"),
        ("HEADWATER_TRINO_HEAP", "lots", "800m or 2g"),
        ("HEADWATER_PROFILE", "moon", "only 'local', 'compose', 'kubernetes', 'aws'"),
        ("HEADWATER_PROJECT", "/does/not/exist", "not a folder"),
    ],
)
def test_an_unusable_setting_is_refused_by_name(tmp_path, name, text, sentence):
    """The sentence names the variable, its text and what to give."""
    with pytest.raises(ConfigError, match=re.escape(name) + ".*" + sentence):
        Profile.load({"HEADWATER_PROJECT": str(tmp_path), name: text})


def test_another_process_loads_the_same_profile(tmp_path):
    """environment() carries everything that load() reads."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "9100", "HEADWATER_SPARK_HEAP": "2g"})

    again = Profile.load(profile.environment())

    assert (again.home, again.cache, again.port("minio")) == (profile.home, profile.cache, profile.port("minio"))
    assert again.setting("HEADWATER_SPARK_HEAP") == "2g"


def test_a_broken_project_file_is_refused_with_its_line(tmp_path):
    """The TOML reader's line is part of the sentence."""
    (tmp_path / "headwater.toml").write_text("[project\n")
    with pytest.raises(ConfigError, match=r"headwater\.toml is not valid TOML.*line 1"):
        read_project(tmp_path)


def test_every_setting_is_in_the_documentation():
    """docs/settings.md lists each setting; a new one without a line there fails here."""
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")

    assert [one.name for one in SETTINGS if one.name not in text] == []
