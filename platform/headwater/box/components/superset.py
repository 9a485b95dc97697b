"""Superset: dashboards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint, Schema
from headwater.box.components import superset_api, superset_setup
from headwater.box.components.databases import database_url, ensure_database, stored
from headwater.box.components.java import FRUGAL_ENV
from headwater.box.components.revisions import alembic_schema
from headwater.errors import ComponentError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole
    from headwater.engines.connection import Connection
    from headwater.profile import Profile

__all__ = ["SupersetComponent", "database_of"]

# What the last migration brought about; while it still holds there is nothing to do.
_MARKER = "migrated.json"
_REVISIONS = "lib/python3*/site-packages/superset/migrations/versions"

_CONFIG = '''\
"""Rendered by Headwater at every start; changes here are lost."""

SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = {database!r}
SQLALCHEMY_ENGINE_OPTIONS = {{"pool_size": 5, "max_overflow": 5, "pool_pre_ping": True}}

WTF_CSRF_ENABLED = True
SESSION_COOKIE_NAME = {cookie!r}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Without TLS on the loopback address a secure cookie would never be sent.
SESSION_COOKIE_SECURE = False
TALISMAN_ENABLED = True
# Pages load from here only, which also keeps the built-in usage pixel from calling home.
TALISMAN_CONFIG = {{
    "content_security_policy": {{
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
    }},
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}}
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
RATELIMIT_APPLICATION = "500 per second"
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "10 per second"
PUBLIC_ROLE_LIKE = None

# Tables change under the charts, so results are not kept; what a table looks like is, for a short time.
CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 60, "CACHE_THRESHOLD": 200}}
DATA_CACHE_CONFIG = {{"CACHE_TYPE": "NullCache"}}
RESULTS_BACKEND = None

FEATURE_FLAGS = {{"ALERT_REPORTS": False, "DASHBOARD_RBAC": True, "DRILL_TO_DETAIL": True, "DRILL_BY": True}}
ENABLE_TEMPLATE_REMOVE_FILTERS = False
SUPERSET_WEBSERVER_TIMEOUT = 120
SQLLAB_TIMEOUT = 100
LOG_LEVEL = "WARNING"
ENABLE_TIME_ROTATE = False
STATS_LOGGER_INTERVAL = 0


def _headwater():
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("headwater_superset_api", {api!r})
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_api = _headwater()
EVENT_LOGGER = _api.deeds_logger()
DB_CONNECTION_MUTATOR = _api.kept_connections()
# Adds the endpoint that `headwater dashboards` uses.
FLASK_APP_MUTATOR = _api.install
'''


class SupersetComponent(Component):
    """Superset in an environment of its own, with the lake as its one database."""

    name = "superset"
    # It starts without Trino; only its charts need it.
    needs = ("postgres",)
    runtimes = ("superset",)
    logins: ClassVar[ByRole] = {
        "": ("superset", "superset-db", "superset-secret"),
        MIGRATE: ("postgres", "superset", "superset-db", "superset-secret", "trino-superset"),
    }
    calls: ClassVar[ByRole] = {"": ("postgres", "trino-tls"), MIGRATE: ("postgres",)}
    listens: ClassVar[ByRole] = {"": ("superset",)}
    database = "superset-db"
    hints = (
        Hint(
            r"Connection in use|Address already in use",
            "another program listens on Superset's port; `headwater doctor` names it.",
        ),
        Hint(
            r"Invalid decryption key|InvalidToken",
            "credentials.json is not the one this data was made with; restore both together.",
        ),
        Hint(
            r"[Cc]onnection refused|could not connect to server",
            "PostgreSQL does not answer; see `headwater logs postgres`.",
        ),
        Hint(r"was sent SIGKILL! Perhaps out of memory|MemoryError", "the machine has too little free memory."),
    )

    def migrate(self, box: Box) -> None:
        """Bring the database, roles, admin user and the connection to the lake to this version, in one process."""
        ensure_database(box.profile, "superset-db")
        task = _task(box)
        mark = {"digest": _digest(box, task), "revision": self.schema(box).found}
        marker = box.conf("superset") / _MARKER
        if mark["revision"] and marker.exists() and json.loads(marker.read_text(encoding="utf-8")) == mark:
            return
        marker.unlink(missing_ok=True)
        _set_up(box, task)
        box.write_conf("superset", _MARKER, json.dumps({**mark, "revision": self.schema(box).found}))

    def schema(self, box: Box) -> Schema:
        """Return the revision that Alembic notes in the database."""
        rows = stored(box.profile, "superset-db", "alembic_version", "SELECT version_num FROM alembic_version")
        folder = next(box.runtimes.path("superset").glob(_REVISIONS), box.runtimes.path("superset"))
        return alembic_schema(folder, (str(row[0]) for row in rows), whose="Superset")

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Render the configuration and return the web server's process."""
        env = _environment(box)
        argv = [
            str(box.runtimes.path("superset") / "bin" / "python"),
            "-m",
            "gunicorn",
            "--workers=1",
            "--worker-class=gthread",
            "--threads=8",
            f"--bind={box.profile.listening('superset')}",
            "--timeout=120",
            "--graceful-timeout=10",
            "--no-control-socket",
            f"--worker-tmp-dir={_scratch(box)}",
            "--error-logfile=-",
            "--log-level=warning",
            "superset.app:create_app()",
        ]
        return Command(argv, env, cwd=box.data("superset"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """Log in as the admin and look for the lake's connection."""
        from requests import RequestException, Session  # noqa: PLC0415 - slow to import

        where = f"Superset at {box.profile.address('superset')}"
        try:
            with Session() as session:
                session.trust_env = False  # no proxy leads to this machine itself
                names = _database_names(session, box.profile)
        except RequestException as error:
            raise ComponentError(
                f"{where} did not answer: {str(error)[:300]}; see `headwater logs superset`."
            ) from error
        lake = _lake(box.profile).name
        if lake not in names:
            raise ComponentError(f"{where} does not know the database {lake}; run `headwater migrate superset`.")

    def version(self, box: Box) -> str:
        """Return the version in the lock file."""
        return box.runtimes.version("superset")


def _database_names(session: Any, profile: Profile) -> list[str]:
    api, logins = f"http://{profile.address('superset')}/api/v1", profile.credentials
    body = {"username": logins.user("superset"), "password": logins.password("superset"), "provider": "db"}
    login = session.post(f"{api}/security/login", json=body, timeout=10)
    login.raise_for_status()
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    answer = session.get(f"{api}/database/", headers=headers, timeout=10)
    answer.raise_for_status()
    return [one["database_name"] for one in answer.json()["result"]]


def _environment(box: Box) -> dict[str, str]:
    config = box.write_conf("superset", "superset_config.py", _config(box.profile))
    return {
        **FRUGAL_ENV,
        "SUPERSET_CONFIG_PATH": str(config),
        "SUPERSET_HOME": str(box.data("superset")),
        "FLASK_APP": "superset.app:create_app()",
        "SCARF_ANALYTICS": "false",
        "TMPDIR": str(_scratch(box)),
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _config(profile: Profile) -> str:
    return _CONFIG.format(
        secret=profile.credentials.password("superset-secret"),
        database=database_url(profile, "superset-db", "postgresql+psycopg2"),
        # Cookies are not told apart by port: two boxes on one machine would log each other out.
        cookie=f"superset-{profile.port('superset')}",
        api=superset_api.__file__,
    )


def _task(box: Box) -> dict[str, Any]:
    """Return what the setup script shall bring about; it holds passwords and travels over a pipe."""
    logins = box.profile.credentials
    return {
        "admin": {"username": logins.user("superset"), "password": logins.password("superset")},
        "database": database_of(_lake(box.profile)),
    }


def database_of(lake: Connection) -> dict[str, Any]:
    """Return what Superset is told of the lake."""
    return {
        "uuid": lake.uuid,
        "name": lake.name,
        "uri": lake.address(),
        "extra": {
            "engine_params": {"connect_args": dict(lake.arguments)},
            "metadata_params": {},
            "metadata_cache_timeout": {},
            "allows_virtual_table_explore": True,
            "disable_data_preview": False,
            "schemas_allowed_for_file_upload": [],
        },
    }


def _lake(profile: Profile) -> Connection:
    from headwater.stack import Stack  # noqa: PLC0415 - slow to import

    return Stack.connection(profile)


def _digest(box: Box, task: dict[str, Any]) -> str:
    scripts = (Path(superset_setup.__file__), Path(superset_api.__file__).with_name("_database.py"))
    parts = (
        str(box.runtimes.path("superset")),
        box.runtimes.version("superset"),
        _config(box.profile),
        json.dumps(task),
        *(script.read_text(encoding="utf-8") for script in scripts),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _set_up(box: Box, task: dict[str, Any]) -> None:
    # -P: the script's own folder holds modules named like the libraries that it imports.
    argv = [str(box.runtimes.path("superset") / "bin" / "python"), "-P", superset_setup.__file__]
    done = subprocess.run(
        argv,
        env=inherited_env(**_environment(box)),
        cwd=box.data("superset"),
        input=json.dumps(task),
        text=True,
        check=False,
    )
    if done.returncode:
        raise ComponentError(f"Superset's setup ended with exit code {done.returncode}; what it said is above.")


def _scratch(box: Box) -> Path:
    folder = box.data("superset") / "tmp"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
