"""What a project says of tags that are inherited."""

import pytest
from headwater.errors import ConfigError
from headwater.profile import Profile
from headwater_catalog.service.definitions import _inherited_tags


def profile(tmp_path, text):
    """Return a profile of a project with that file."""
    (tmp_path / "headwater.toml").write_text(text, encoding="utf-8")
    return Profile.load({"HEADWATER_PROJECT": str(tmp_path)})


def test_a_project_may_name_tags(tmp_path):
    """None when it says nothing."""
    assert _inherited_tags(profile(tmp_path, '[project]\nname = "a"\n')) == ()
    assert _inherited_tags(profile(tmp_path, '[catalog]\ninherited_tags = ["secret"]\n')) == ("secret",)


@pytest.mark.parametrize(
    "text", ['catalog = "x"', "[catalog]\ninherited_tags = 'x'", "[catalog]\ninherited_tags = [1]"]
)
def test_what_is_no_list_is_one_sentence(tmp_path, text):
    """It names the file and shows what to write."""
    with pytest.raises(ConfigError, match=r"headwater\.toml: inherited_tags is .*; give a list such as"):
        _inherited_tags(profile(tmp_path, text))
