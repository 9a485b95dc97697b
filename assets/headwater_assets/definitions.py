"""What Dagster loads: the project of the profile it runs under."""

from headwater.profile import Profile
from headwater.project import load_project

from headwater_assets.lib.adapter import definitions_of

_PROFILE = Profile.load()

defs = definitions_of(load_project(_PROFILE), _PROFILE)
