"""A headless Chromium: as a person who is logged in to Superset and looks at a dashboard, or just a page."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headwater.profile import Profile

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Everything a chart can look like when it is not drawn as meant.
SPINNER = '[data-test="loading-indicator"], [aria-label="Loading"]'
TROUBLE = '.ant-alert-error, [data-test="error-alert"], .alert-danger, [data-test-viz-type] [role="alert"]'
EMPTY = ".ant-empty, [class*='EmptyState'], [data-test='empty-state']"
WIDTH, HEIGHT = 1440, 1000


@dataclass(frozen=True)
class Drawn:
    """What one chart of a dashboard looks like.

    Args:
        kind: Superset's name of the kind of chart.
        title: The title above it.
        content: The area of its largest canvas, picture or table in square pixels, or of its text.
        trouble: The text of an error or of "no data" in it, if any.
    """

    kind: str
    title: str
    content: int
    trouble: str


def chromium() -> str:
    """Return the path of a Chromium; without one a test is skipped, but under CI it fails."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        message = f"No browser here: none of {', '.join(PROGRAMS)} is on the PATH, so dashboards cannot be looked at."
        if os.environ.get("TEST_NO_SKIP"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def browser_page(**options: Any) -> Iterator[Any]:
    """A browser's page; options are those of Playwright's context, such as a phone's size or the night's colours."""
    from playwright.sync_api import Error as PlaywrightError
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(**{"viewport": {"width": WIDTH, "height": HEIGHT}, **options})
        page.set_default_timeout(180_000)
        troubles = _listen(page)
        try:
            yield page
        except PlaywrightError as error:
            raise AssertionError(_seen(page, troubles)) from error
        finally:
            browser.close()


def _listen(page: Any) -> list[str]:
    """What goes wrong in a page, as it happens, and what is still under way: without it a time-out says nothing."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(f"script: {error}"))
    page.on("console", lambda line: told.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("requestfailed", lambda one: told.append(f"failed: {one.method} {one.url} ({one.failure})"))
    page.on("response", lambda one: told.append(f"{one.status}: {one.url}") if one.status >= 400 else None)
    return told


def _seen(page: Any, troubles: list[str]) -> str:
    shown = " ".join(page.evaluate("() => document.body.innerText").split())
    return "\n".join([f"The browser stood at {page.url} and showed: {shown[:1500]}", *troubles[-40:]])


@contextmanager
def superset_page(profile: Profile, *, login: bool = True) -> Iterator[Any]:
    """A browser's page, logged in to Superset as a person would be."""
    with browser_page() as page:
        if login:
            _log_in(page, profile)
        yield page


def _log_in(page: Any, profile: Profile) -> None:
    # A form that is filled before its script runs is emptied again, so this waits until the page is at rest.
    page.goto(f"http://{profile.address('superset')}/login/", wait_until="networkidle")
    page.fill("input#username", profile.credentials.user("superset"))
    page.fill("input#password", profile.credentials.password("superset"))
    page.press("input#password", "Enter")
    # What the welcome page shows is no test's business, only that the login led to it.
    page.wait_for_url("**/superset/welcome/**", wait_until="commit")


def look_at(page: Any, url: str, charts: int, picture: Path) -> list[Drawn]:
    """Open a dashboard, wait until every chart is drawn, keep a picture, and say what is there."""
    page.goto(url)
    page.wait_for_function(
        "n => document.querySelectorAll('[data-test-viz-type], .dashboard-chart').length >= n", arg=charts
    )
    page.set_viewport_size({"width": WIDTH, "height": max(HEIGHT, int(page.evaluate(_HEIGHT)) + 120)})
    page.wait_for_function(_SETTLED, arg=[charts, SPINNER])
    page.wait_for_timeout(1500)  # charts fade in
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(picture))
    return [Drawn(**one) for one in page.evaluate(_DRAWN, [TROUBLE, EMPTY])]


_HEIGHT = """() => {
  const grid = document.querySelector('.grid-container, [data-test="grid-container"]');
  return grid ? grid.getBoundingClientRect().bottom + window.scrollY : document.body.scrollHeight;
}"""
_SETTLED = """([n, spinner]) => {
  const charts = [...document.querySelectorAll('.dashboard-component-chart-holder')];
  return charts.length >= n && charts.every(one => !one.querySelector(spinner) && one.querySelector(
    '.slice_container, .chart-container, .ant-alert-error'));
}"""
_DRAWN = """([trouble, empty]) => [...document.querySelectorAll('.dashboard-component-chart-holder')].map(one => {
  const inside = one.querySelector('.slice_container') || one;
  const area = [...inside.querySelectorAll('canvas, svg, table, .header-line')].map(it => {
    const box = it.getBoundingClientRect();
    return Math.round(box.width * box.height);
  });
  const wrong = one.querySelector(trouble) || one.querySelector(empty);
  const typed = one.matches('[data-test-viz-type]') ? one : one.querySelector('[data-test-viz-type]');
  return {
    kind: typed ? typed.getAttribute('data-test-viz-type') : '',
    title: (one.querySelector('.header-title, [data-test="slice-header"]') || one).innerText.split('\\n')[0],
    content: Math.max(0, ...area),
    trouble: wrong ? wrong.innerText : '',
  };
})"""
