"""Sets Superset up: run by Superset's own Python, with the task as JSON on standard input.

One process does what ``superset db upgrade``, ``fab create-admin``, ``init`` and an import of the connection would do
in four, and takes the admin's password over a pipe instead of an argument.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Read the task and carry it out; a second time changes nothing."""
    task = json.load(sys.stdin)
    # Imports go by name, here and below: these modules exist only in Superset's own environment.
    with import_module("superset.app").create_app().app_context():
        _upgrade()
        _roles()
        _admin(**task["admin"])
        # Superset's configuration has loaded it.
        import_module("headwater_superset_api").write_database(task["database"])
        _session().commit()


def _upgrade() -> None:
    import_module("flask_migrate").upgrade()


def _roles() -> None:
    import_module("superset").appbuilder.add_permissions(update_perms=True)
    _security().sync_role_definitions()
    _session().commit()


def _admin(username: str, password: str) -> None:
    security_manager = _security()
    user = security_manager.find_user(username)
    if user is None:
        role = security_manager.find_role("Admin")
        added = security_manager.add_user(username, "Box", "Admin", f"{username}@localhost", role, password)
        if not added:
            raise SystemExit("The admin user could not be added.")
    else:
        security_manager.reset_password(user.id, password)


def _security() -> Any:
    return import_module("superset").security_manager


def _session() -> Any:
    return import_module("superset.extensions").db.session


if __name__ == "__main__":
    main()
