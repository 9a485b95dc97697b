"""The catalog's pages in a browser, and the running catalog behind them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from browser import browser_page
from lineage_events import body

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES = Path(__file__).resolve().parents[2] / ".headwater-test" / "pictures"
# A picture of a whole page is for people to look at; what tests claim they measure.
DRAWN = "() => document.querySelectorAll('#graph .node').length > 0 && !document.querySelector('#graph[aria-busy]')"


class Site:
    """The running catalog's pages.

    Args:
        profile: Of the box.
    """

    def __init__(self, profile: Any) -> None:
        self.url = f"http://{profile.address('catalog')}"
        self._token = {"Authorization": f"Bearer {profile.credentials.password('catalog')}"}

    def at(self, page: str, **parameters: str) -> str:
        """Return an address."""
        return f"{self.url}{page}?{urlencode(parameters)}" if parameters else self.url + page

    def get(self, page: str, **parameters: str) -> requests.Response:
        """Ask as a program would."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(self.at(page, **parameters), timeout=30)

    def send(self, *events: dict[str, Any]) -> None:
        """Tell the catalog of runs."""
        with requests.Session() as session:
            session.trust_env = False
            for one in events:
                answer = session.post(f"{self.url}/api/v1/lineage", data=body(one), headers=self._token, timeout=60)
                assert answer.status_code in (200, 201), answer.text


def knowing(profile: Any, table: str) -> Site:
    """Return the running catalog, once it knows a table that the project defines."""
    made, deadline = Site(profile), time.monotonic() + 90
    while made.get("/api/v1/table", name=table).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.3)
    return made


@contextmanager
def looking(
    *, ours: tuple[str, ...] = ("http://127.0.0.1:", "blob:http://127.0.0.1:"), **options: Any
) -> Iterator[Any]:
    """A browser's page on which nothing may go wrong unseen: no error, no refused or outside request, no dialog.

    Args:
        ours: What may be asked for begins so.
        options: Of the browser's context.
    """
    wrong: list[str] = []
    with browser_page(**options) as page:
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(f"said: {said.text}") if said.type in ("error", "warning") else 0)
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda one: None if one.url.startswith(ours) else wrong.append(f"asked: {one.url}"))
        yield page
    assert wrong == []


def keep(page: Any, name: str) -> None:
    """Keep a picture for people."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"catalog_{name}.png"))


def tables(page: Any) -> set[str]:
    """Return the tables that the graph shows."""
    return set(page.eval_on_selector_all("#graph .node", "all => all.map(one => one.dataset.name)"))


def settled(page: Any) -> None:
    """Wait until the graph is drawn."""
    page.wait_for_function(DRAWN)
