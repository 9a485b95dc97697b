"""Keeps the catalog at what the project's definitions say.

Definitions are the user's Python: they are imported by a process of its own, which writes what it finds to the
database and ends. So a changed file is read anew, whatever a definition imports takes no memory here, and one that
fails or hangs stops nothing.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.metadata import entry_points

from headwater.box.components.databases import database_url
from headwater.errors import ConfigError, DashboardError, DefinitionError, HeadwaterError
from headwater.profile import PROJECT_FILE, Profile, inherited_env, read_project
from headwater.project import definition_states, load_project

from headwater_catalog.model import Alias
from headwater_catalog.revisions import repository_state, revised
from headwater_catalog.service.background import Background
from headwater_catalog.store import Store

__all__ = ["Watch", "main"]

_LOG = logging.getLogger("headwater.catalog")
_LOOK_SECONDS = 2.0
_LONGEST_LOAD = 300
_AGAIN_SECONDS = 30.0


class Watch(Background):
    """Publishes the definitions at once and whenever their files change.

    Args:
        profile: Whose.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__("watch-definitions")
        self._profile = profile

    def _work(self) -> None:
        published: object = None
        # Packages above may watch more than files. Looked for once: that reads all that is installed.
        added = [point.load() for point in entry_points(group="headwater.changes")]
        while not self._stop.is_set():
            # A commit changes no file, but what is said of their revisions.
            more = [changes(self._profile) for changes in added]
            states = (definition_states(self._profile), repository_state(self._profile.project), more)
            settled = states == published or self._load()
            published = states if settled else None
            self._stop.wait(_LOOK_SECONDS if settled else _AGAIN_SECONDS)

    def _load(self) -> bool:
        """Run the loader; a wrong definition is said once and waits for its file to change."""
        argv = [sys.executable, "-m", "headwater_catalog.service.definitions"]
        with subprocess.Popen(argv, env=inherited_env(**self._profile.environment())) as loader:
            for _ in range(_LONGEST_LOAD * 5):
                if self._stop.wait(0.2) or loader.poll() is not None:
                    break
            if loader.poll() is None:
                loader.kill()
                _LOG.warning("the definitions were not loaded within %s s", _LONGEST_LOAD)
            return loader.wait() in (0, _WRONG)


_WRONG = 3


def main() -> int:
    """Load the definitions into the catalog and return the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    profile = Profile.load()
    try:
        from headwater_catalog.declared import declared_facts  # noqa: PLC0415 - sqlglot only where it is used

        project = load_project(profile)
        # Packages above this one tell of what stands behind tables.
        added = [one for point in entry_points(group="headwater.facts") for one in point.load()(project, profile)]
        aliases = [one for one in added if isinstance(one, Alias)]
        facts = (
            *revised(declared_facts(project), project),
            *(one for one in added if not isinstance(one, Alias)),
        )
        with Store(database_url(profile, "catalog-db"), profile.bucket) as store:
            changed = store.publish(facts, project.name, _inherited_tags(profile), aliases)
    except HeadwaterError as error:
        _LOG.error("%s: %s", type(error).__name__, error)
        return _WRONG if isinstance(error, ConfigError | DashboardError | DefinitionError) else 1
    _LOG.info("%s tables, charts and dashboards are defined%s", len(facts), "" if changed else "; nothing has changed")
    return 0


def _inherited_tags(profile: Profile) -> tuple[str, ...]:
    """Return what ``[catalog] inherited_tags`` in the project's file names."""
    section = read_project(profile.project).get("catalog", {})
    found = section.get("inherited_tags", []) if isinstance(section, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigError(
            f"[catalog] in {profile.project / PROJECT_FILE}: inherited_tags is {found!r}; "
            'give a list such as ["secret"].'
        )
    return tuple(found)


if __name__ == "__main__":
    sys.exit(main())
