"""Words of messages."""

from headwater.words import amount


def test_one_is_not_many():
    """One of something has no s; none and many have."""
    assert [amount(count, "field") for count in (0, 1, 2)] == ["0 fields", "1 field", "2 fields"]
