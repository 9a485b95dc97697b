"""npm packages without Node: where a tarball lies, with npm's own settings, and what its registry says of it."""

from __future__ import annotations

import re
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import requests

from headwater.box.transport import failed, new_session
from headwater.errors import ConfigError, FetchError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.box.lockfile import LockedFile

__all__ = ["Npm", "package_of"]

_VARIABLE = "npm_config_"


def package_of(coordinate: str) -> tuple[str, str]:
    """Return the package and version of ``package@version``; the package may have a scope.

    >>> package_of("@scope/name@1.0.0")
    ('@scope/name', '1.0.0')
    """
    name, _, version = coordinate.rpartition("@")
    return name, version


class Npm:
    """The npm registry.

    Args:
        mirror: A registry; npm's own setting, or else the default of purl2url, when None.
        user_settings: npm's settings file.
    """

    setting = "HEADWATER_NPM_MIRROR"

    def __init__(self, mirror: str | None, user_settings: Path | None = None) -> None:
        self._mirror, self._given = mirror, _settings(user_settings)
        proxy = self._given.get("https-proxy") or self._given.get("proxy")
        self.session = new_session(certificates=self._given.get("cafile"), proxy=proxy)
        logins = _logins(self._given)
        if logins:
            self.session.auth = _Login(logins)

    def url(self, file: LockedFile) -> str:
        """Return where a package's tarball lies."""
        base, path = self._place(file.coordinate)
        return base + path

    def integrity(self, coordinate: str) -> str:
        """Return the hash that the registry publishes beside a tarball, such as ``sha512-...``; empty without one.

        Raises:
            FetchError: The registry does not answer, or has no such version.
        """
        name, version = package_of(coordinate)
        base, _ = self._place(coordinate)
        url = f"{base}/{quote(name, safe='@')}"
        try:
            answer = self.session.get(url, timeout=60)
            if not answer.ok:
                raise failed(f"The list of {name}'s versions", url, answer.status_code, setting=self.setting)
            return str(answer.json()["versions"][version]["dist"].get("integrity", ""))
        except requests.RequestException as error:
            raise failed(f"The list of {name}'s versions", url, error, setting=self.setting) from error
        except (KeyError, TypeError) as error:
            raise FetchError(
                f"{coordinate} is not in the npm registry; check its version and {self.setting}."
            ) from error

    def _place(self, coordinate: str) -> tuple[str, str]:
        from packageurl import PackageURL  # noqa: PLC0415 - not needed by a second fetch
        from packageurl.contrib.purl2url import get_download_url  # noqa: PLC0415

        package, version = package_of(coordinate)
        scope, _, name = package.rpartition("/")
        purl = PackageURL("npm", scope or None, name, version).to_string()
        usual = urlsplit(str(get_download_url(purl)))  # type: ignore[no-untyped-call]
        of_scope = self._given.get(f"{scope}:registry") if scope else None
        chosen = self._mirror or of_scope or self._given.get("registry")
        return (chosen or f"{usual.scheme}://{usual.netloc}").rstrip("/"), usual.path


class _Login(requests.auth.AuthBase):
    """Sends each registry its own login, and nobody else's."""

    def __init__(self, logins: Mapping[str, str]) -> None:
        self._logins = logins

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the login of the place that a request goes to, the most particular one."""
        place = (request.url or "").partition(":")[2]
        for prefix in sorted(self._logins, key=len, reverse=True):
            if place.startswith(prefix):
                request.headers["Authorization"] = self._logins[prefix]
                break
        return request


class _Ini(ConfigParser):
    """Settings whose names keep their case: scopes and registries' paths have one."""

    def optionxform(self, optionstr: str) -> str:
        """Return a setting's name as it is written."""
        return optionstr


def _settings(user_settings: Path | None) -> dict[str, str]:
    """Return npm's settings: variables before the user's file."""
    env = inherited_env()
    variables = {
        name.lower().removeprefix(_VARIABLE).replace("_", "-"): text
        for name, text in env.items()
        if name.lower().startswith(_VARIABLE) and text
    }
    path = user_settings or Path(variables.get("userconfig") or Path.home() / ".npmrc")
    return {**_read(path, env), **variables}


def _read(path: Path, env: Mapping[str, str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    parser = _Ini(delimiters=("=",), interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(f"[npm]\n{path.read_text(encoding='utf-8')}")
    except (IniError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(f"{path} cannot be read ({said}); correct it or set {Npm.setting}.") from error
    return {key: _filled_in(text.strip().strip("\"'"), env) for key, text in parser["npm"].items() if text}


def _filled_in(text: str, env: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([^}]+)\}", lambda found: env.get(found[1], found[0]), text)


def _logins(given: Mapping[str, str]) -> dict[str, str]:
    """Return the Authorization header by the registry's address without its scheme."""
    kinds = {":_authToken": "Bearer", ":_auth": "Basic"}
    return {
        key.removesuffix(end): f"{kind} {text}"
        for key, text in given.items()
        for end, kind in kinds.items()
        if key.startswith("//") and key.endswith(end)
    }
