"""Settings of the unit tests."""

from hypothesis import settings

# A busy machine must not fail a test for the time that one example took.
settings.register_profile("headwater", deadline=None)
settings.load_profile("headwater")
