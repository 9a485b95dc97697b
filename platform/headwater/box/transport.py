"""HTTP as this machine is set up for it, and its failures as sentences."""

from __future__ import annotations

import functools
import subprocess
import sys
from ast import literal_eval
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as TransferError
from urllib3.util import Retry

from headwater.errors import FetchError
from headwater.profile import inherited_env

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


def new_session(*, certificates: str | None = None, proxy: str | None = None, retries: int = 0) -> requests.Session:
    """Return an HTTP session that honours this machine's proxy and certificate settings.

    Args:
        certificates: CA file to trust; REQUESTS_CA_BUNDLE, or else SSL_CERT_FILE, when None.
        proxy: Proxy of this session; HTTP_PROXY and HTTPS_PROXY when None.
        retries: How often a request that fails in passing is repeated.
    """
    session = requests.Session()
    again = Retry(retries, backoff_factor=0.5, status_forcelist=TRANSIENT, raise_on_status=False)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=again))
    session.verify = certificates or inherited_env().get("SSL_CERT_FILE") or True
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
