"""HTTP as this machine is set up for it, and its failures as sentences."""

from __future__ import annotations

import functools
import ssl
import subprocess
import sys
from ast import literal_eval
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import truststore
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as TransferError
from urllib3.util import Retry

from headwater.errors import ConfigError, FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TRANSIENT", "TransferError", "failed", "new_session", "pip_settings"]

# What may be different a moment later.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONNECTIONS = 32
_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (
        requests.exceptions.SSLError,
        "its certificate is not trusted; set REQUESTS_CA_BUNDLE to your organisation's CA file",
    ),
    (requests.exceptions.ProxyError, "the proxy cannot be reached; check HTTPS_PROXY"),
    (requests.exceptions.Timeout, "no answer in time; try again, or set {setting} to a nearer source"),
    (
        requests.exceptions.ConnectionError,
        "no connection; check the network and HTTPS_PROXY, or set {setting} to a reachable source",
    ),
)


class _SystemTrust(HTTPAdapter):
    """Trusts what the operating system trusts, as pip and Go do; requests alone knows only the list it brings."""

    def __init__(self, trust: ssl.SSLContext, **options: Any) -> None:
        self._trust = trust
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the connections' pool."""
        super().init_poolmanager(*arguments, ssl_context=self._trust, **options)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of the connections that go through a proxy."""
        return super().proxy_manager_for(*arguments, ssl_context=self._trust, **options)


def _trust(certificates: str | None) -> ssl.SSLContext:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if certificates:
            context.load_verify_locations(certificates)
    except OSError as error:  # SSLError is one
        raise ConfigError(
            f"The CA file {certificates}, pip's setting 'cert', cannot be read ({error}); correct the setting."
        ) from error
    return context


def new_session(*, certificates: str | None = None, proxy: str | None = None, retries: int = 0) -> requests.Session:
    """Return an HTTP session that honours this machine's proxy and certificate settings.

    Args:
        certificates: CA file to trust besides what the system and REQUESTS_CA_BUNDLE name.
        proxy: Proxy of this session; HTTP_PROXY and HTTPS_PROXY when None.
        retries: How often a request that fails in passing is repeated.

    Raises:
        ConfigError: The CA file cannot be read.
    """
    session, trust = requests.Session(), _trust(certificates)
    again = Retry(retries, backoff_factor=0.5, status_forcelist=TRANSIENT, raise_on_status=False)
    for scheme in ("https://", "http://"):
        session.mount(scheme, _SystemTrust(trust, pool_maxsize=_CONNECTIONS, max_retries=again))
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    return session


@functools.cache
def pip_settings() -> Mapping[str, str]:
    """Return pip's settings as pip itself merges its files and variables, such as ``index-url``."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, tuple[int, str]] = {}
    for line in asked.stdout.splitlines():
        key, _, text = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = ("global", "install", ":env:").index(section) if section in ("global", "install", ":env:") else -1
        if rank >= found.get(name, (0, ""))[0]:
            found[name] = (rank, str(literal_eval(text)))
    return {name: text for name, (_, text) in found.items()}


def failed(what: str, url: str, error: Exception | int, *, setting: str) -> FetchError:
    """Return the error that says why something could not be downloaded.

    Args:
        what: What was wanted.
        url: From where; only its host is named.
        error: The failure, or the HTTP status.
        setting: The variable that names another source.
    """
    place = urlsplit(url).hostname or "its registry"
    return FetchError(f"{what} could not be downloaded from {place}: {_reason(error, setting)}.")


def _reason(error: Exception | int, setting: str) -> str:
    if isinstance(error, int):
        if error in (401, 403, 407):
            return f"access was refused (HTTP {error}); check the credentials of your mirror or proxy"
        return f"the server answered HTTP {error}; try again later or set {setting} to another source"
    for kind, sentence in _SENTENCES:  # the most particular first
        if isinstance(error, kind):
            return sentence.format(setting=setting)
    return f"the transfer broke off ({type(error).__name__}); run the command again, it goes on where it stopped"
