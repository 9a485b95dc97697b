"""Sets Superset up: run by Superset's own Python, with the task as JSON on standard input.

One process does what ``superset db upgrade``, ``fab create-admin``, ``init`` and an import of the connection would do in
four, and takes the admin's password over a pipe instead of an argument.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Read the task and carry it out; a second time changes nothing."""
    task = json.load(sys.stdin)
    from superset.app import create_app  # noqa: PLC0415 - only in Superset's environment

    with create_app().app_context():
        _upgrade()
        _roles()
        _admin(**task["admin"])
        _database(**task["database"])


def _upgrade() -> None:
    from flask_migrate import upgrade  # noqa: PLC0415

    upgrade()


def _roles() -> None:
    from superset import appbuilder, security_manager  # noqa: PLC0415
    from superset.extensions import db  # noqa: PLC0415

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    db.session.commit()


def _admin(username: str, password: str) -> None:
    from superset import security_manager  # noqa: PLC0415

    user = security_manager.find_user(username)
    if user is None:
        role = security_manager.find_role("Admin")
        added = security_manager.add_user(username, "Box", "Admin", f"{username}@localhost", role, password)
        if not added:
            raise SystemExit("The admin user could not be added.")
    else:
        security_manager.reset_password(user.id, password)


def _database(uuid: str, name: str, uri: str, extra: dict[str, Any]) -> None:
    from uuid import UUID  # noqa: PLC0415

    from superset import security_manager  # noqa: PLC0415
    from superset.extensions import db  # noqa: PLC0415
    from superset.models.core import Database  # noqa: PLC0415

    found = db.session.query(Database).filter_by(uuid=UUID(uuid)).one_or_none()
    database = found or Database(uuid=UUID(uuid), database_name=name)
    database.database_name = name
    database.set_sqlalchemy_uri(uri)
    database.extra = json.dumps(extra)
    database.expose_in_sqllab = True
    database.allow_dml = database.allow_ctas = database.allow_cvas = database.allow_file_upload = False
    if found is None:
        db.session.add(database)
    db.session.flush()
    security_manager.add_permission_view_menu("database_access", database.perm)
    db.session.commit()


if __name__ == "__main__":
    main()
