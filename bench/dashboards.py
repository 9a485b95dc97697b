"""A dashboard of twelve charts, as a browser asks for it, against the slowest of its queries alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests
from headwater_dashboards.documents import as_yaml, folders, load
from requests.adapters import HTTPAdapter

from bench.demo import fill
from bench.pairs import Pair, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headwater.profile import Profile

    from bench.box import BenchBox

__all__ = ["dashboards", "question"]

# The demo's dashboard of the portfolio, and two charts more.
_CHARTS = (
    "loans_made",
    "original_balance",
    "average_credit_score",
    "ever_90_days_behind",
    "balance_by_month",
    "loans_by_purpose",
    "rate_by_month",
    "credit_score_spread",
    "balance_by_state",
    "largest_sellers",
    "states_heatmap",
    "default_curves",
)
_DASHBOARD: dict[str, Any] = {
    "uuid": "7d1e2a64-93d5-5b0e-8d0c-1f7a5c1d0012",
    "title": "Twelve charts",
    "layout": [
        {"row": [{"chart": one, "width": 4, "height": 40} for one in _CHARTS[at : at + 3]]} for at in (0, 3, 6, 9)
    ],
}
# What browsers open to one host.
_CONNECTIONS = 6
_UNTIMED = 2
_TIMEOUT_SECONDS = 120
_LIMIT = (
    "two cores: twelve queries and twelve requests to Superset share them, while the slowest alone has both to itself"
)


def dashboards(box: BenchBox, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask for all charts at once and for each alone, in turns, so many times; nothing comes from a cache of results."""
    with box.up():
        fill(box)
        _declare(box)
        browser = _Browser(box.profile)
        asked = browser.questions(box)
        done = [_round(browser, asked, number, say) for number in range(-_UNTIMED, rounds)][_UNTIMED:]
    return {
        "pairs": [
            Pair(
                name="A dashboard of 12 charts, warm, every query run anew",
                ours=f"all 12 at once over {_CONNECTIONS} connections, as a browser asks",
                theirs="the slowest of its queries, asked alone",
                goal=1.5,
                our_seconds=[whole for whole, _ in done],
                their_seconds=[max(alone) for _, alone in done],
                limit=_LIMIT,
            )
        ],
        "sum_of_each_alone": [round(sum(alone), 3) for _, alone in done],
    }


def _declare(box: BenchBox) -> None:
    folder = box.profile.project / "dashboards" / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.yaml").write_text(as_yaml(_DASHBOARD), encoding="utf-8")
    box.headwater("dashboards", "push")


def _round(
    browser: _Browser, asked: Mapping[str, Any], number: int, say: Callable[[str], None]
) -> tuple[float, list[float]]:
    """Return the seconds of all charts at once, and of each alone; both ways must show the same figures."""
    whole, together = browser.all_at_once(asked.values())
    alone = [browser.one(question) for question in asked.values()]
    for name, at_once, (_, by_itself) in zip(asked, together, alone, strict=True):
        same(f"the chart {name} alone", _ordered(at_once), _ordered(by_itself), within=1e-9)
    slowest = max(zip((seconds for seconds, _ in alone), asked, strict=True))
    kind = "" if number >= 0 else ", warming up"
    say(f"dashboards: {whole:.2f} s at once, slowest alone {slowest[0]:.2f} s ({slowest[1]}){kind}")
    return whole, [seconds for seconds, _ in alone]


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Where a chart's query has no order, or equal figures, rows come as they come. Fractions may differ in their last
    # digits, so rows are not told apart by them; times come as whole milliseconds in a float.
    return sorted(rows, key=lambda row: [str(value) for value in row.values() if not _is_fraction(value)])


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()


class _Browser:
    """Superset's login, and a browser's connections to it."""

    def __init__(self, profile: Profile) -> None:
        self._api = f"http://{profile.address('superset')}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to this machine itself
        self._session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS, pool_block=True))
        logins = profile.credentials
        body = {"username": logins.user("superset"), "password": logins.password("superset"), "provider": "db"}
        token = self._ask("POST", "/security/login", json=body)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["X-CSRFToken"] = self._ask("GET", "/security/csrf_token/")["result"]

    def questions(self, box: BenchBox) -> dict[str, Any]:
        """Return what a browser asks for each chart."""
        documents = load(folders(box.profile))
        every = self._ask("GET", "/dataset/?q=(page_size:500)")["result"]
        numbers = {f"{one['schema']}.{one['table_name']}": one["id"] for one in every}
        found = {}
        for name in _CHARTS:
            chart = documents.find("charts", name)
            dataset = documents.find("datasets", chart.data["dataset"]) if chart else None
            if chart is None or dataset is None:
                raise AssertionError(f"The demo's dashboards no longer have the chart {name}.")
            found[name] = question(chart.data, numbers[dataset.data["table"]])
        return found

    def one(self, asked: Mapping[str, Any]) -> tuple[float, list[dict[str, Any]]]:
        """Ask for one chart's figures; return seconds and rows."""
        began = time.perf_counter()
        answer = self._ask("POST", "/chart/data", json=asked)["result"][0]
        seconds = time.perf_counter() - began
        if answer["is_cached"] or not answer["data"]:
            raise AssertionError(f"A chart's figures must come from a query, and there must be some: {answer}")
        return seconds, answer["data"]

    def all_at_once(self, asked: Sequence[Mapping[str, Any]] | Any) -> tuple[float, list[list[dict[str, Any]]]]:
        """Ask for every chart over as many connections as a browser has; return seconds and rows."""
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            began = time.perf_counter()
            answers = list(threads.map(self.one, asked))
            return time.perf_counter() - began, [rows for _, rows in answers]

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        answer = self._session.request(method, self._api + path, timeout=_TIMEOUT_SECONDS, **content)
        if not answer.ok:
            raise AssertionError(f"Superset refused {path}: {answer.text[:500]}")
        return answer.json()


def question(chart: Mapping[str, Any], dataset: int) -> dict[str, Any]:
    """Return the request for a chart's figures, as Superset's page makes it of the chart's settings."""
    params = chart["params"]
    groups = params.get("groupby", [])
    groups = [groups] if isinstance(groups, str) else groups
    metrics = params.get("metrics") or [params["metric"]]
    query: dict[str, Any] = {
        "columns": [*([_axis(params)] if "x_axis" in params else []), *groups],
        "metrics": metrics,
        "orderby": [[metrics[0], False]],
        "row_limit": params.get("row_limit", 10_000),
        "extras": {"where": " AND ".join(f"({one['sqlExpression']})" for one in params.get("adhoc_filters", []))},
    }
    return {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [query],
        "force": True,
        "result_format": "json",
        "result_type": "full",
    }


def _axis(params: Mapping[str, Any]) -> Any:
    name = params["x_axis"]
    if "time_grain_sqla" not in params:
        return name
    grain = {"timeGrain": params["time_grain_sqla"], "columnType": "BASE_AXIS"}
    return {**grain, "sqlExpression": name, "label": name, "expressionType": "SQL"}
