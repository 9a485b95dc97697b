"""The catalog at 100,000 tables over HTTP, against itself at 10,000 and against plain ways to the same answers."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil
import requests
from headwater.box.component import Box
from headwater.box.components.databases import connect
from headwater.box.supervisor import Supervisor

from bench.box import BenchBox
from bench.catalog_data import realm
from bench.catalog_events import run_events
from bench.catalog_load import fill
from bench.catalog_plain import Memory, Plain
from bench.catalog_questions import Question, questions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from headwater_catalog.model import TableFacts

__all__ = ["agree", "catalog", "p95"]

_REALMS = 10
_TENTH_PORT = 28700
_DEPTH = 10
_MIB = 1024**2
_TIMEOUT_SECONDS = 60
_SENDERS = 4
_RUNS = 250
_SEARCHED = 30
_GROWTH_GOAL = 1.5
_RSS_GOAL_MIB = 300
_LIMIT = "of ten times the tables more match a word, and all that match are looked at before the best are told"


def catalog(large: BenchBox, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask a catalog of 100,000 tables, and one of the first 10,000 of them, the same questions in turns.

    Args:
        large: Where the 100,000 go.
        rounds: Times thirty questions of each kind.
        say: Tells how far it is.
    """
    facts, small = list(realm(0)), BenchBox("-tenth", _TENTH_PORT)
    with small.up("postgres", "catalog"), large.up("postgres", "catalog"):
        ours, tenth = _Catalog(large), _Catalog(small)
        idle = ours.resident()
        rows, seconds = _loaded(large, _REALMS)
        say(f"catalog: {rows} loaded in {seconds:.0f} s")
        _loaded(small, 1)
        figures = [_figure(kind, asked, ours, tenth, say) for kind, asked in questions(facts, 30 * rounds).items()]
        plain = _plainly(facts, ours, large, say)
        written = _written(facts, ours, say)
        resident = ours.resident()
    small.remove()
    return {
        "rows": rows,
        "load_seconds": round(seconds, 1),
        "limit": _LIMIT,
        "figures": [{**one, **plain.get(one["name"], {})} for one in figures],
        **written,
        "resident_mib": {"idle": idle, "after": resident, "goal": _RSS_GOAL_MIB, "met": resident <= _RSS_GOAL_MIB},
    }


def p95(seconds: Sequence[float]) -> float:
    """Return what 95 of 100 stay below."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def _loaded(box: BenchBox, realms: int) -> tuple[dict[str, int], float]:
    with connect(box.profile, "postgres", database=box.profile.credentials.user("catalog-db")) as connection:
        began = time.monotonic()
        return fill(connection, realms), time.monotonic() - began


def _figure(
    kind: str, asked: Sequence[Question], ours: _Catalog, tenth: _Catalog, say: Callable[[str], None]
) -> dict[str, Any]:
    """Ask every question of both in turns; where the answer must be the same, it is."""
    for one in asked[:5]:
        ours.ask(one), tenth.ask(one)
    times: list[tuple[float, float]] = []
    sizes = []
    for one in asked:
        (mine, answer), (other, same) = ours.ask(one), tenth.ask(one)
        times.append((mine, other))
        sizes.append(len(answer))
        if one.same and not agree(json.loads(answer), json.loads(same)):
            raise AssertionError(f"Both catalogs must give the same answer: {one}")
    slow = round(1000 * p95([mine for mine, _ in times]), 1)
    growth = round(median(mine / other for mine, other in times), 2) if asked[0].same else None
    found = {
        "name": kind,
        "goal_ms": asked[0].goal_ms,
        "p50_ms": round(1000 * median(mine for mine, _ in times), 1),
        "p95_ms": slow,
        "tenth_p95_ms": round(1000 * p95([other for _, other in times]), 1),
        "growth": growth,
        "questions": len(asked),
        "answer_bytes": round(median(sizes)),
        "largest_bytes": max(sizes),
        "met": slow <= asked[0].goal_ms and (growth or 0) <= _GROWTH_GOAL,
    }
    say(f"catalog: {found}")
    return found


def agree(mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two answers are the same; of what does not fit into its bound each may tell another part."""
    return mine == other or bool(mine.get("cut") and other.get("cut"))


def _plainly(
    facts: Sequence[TableFacts], ours: _Catalog, box: BenchBox, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Answer some of the questions in plain ways, too; both must say the same."""
    memory, draw = Memory(facts), random.Random(3)  # noqa: S311 - nothing secret
    tables = draw.sample([one for one in facts if one.kind == "table"], 12)
    found: dict[str, dict[str, Any]] = {}
    with connect(box.profile, "postgres", database=box.profile.credentials.user("catalog-db")) as connection:
        plain = Plain(connection)
        for how, pairs in _pairs(memory, plain, tables).items():
            seconds = []
            for one, theirs, read in pairs:
                began = time.perf_counter()
                expected = theirs()
                seconds.append(time.perf_counter() - began)
                if read(json.loads(ours.ask(one)[1]), expected) != expected:
                    raise AssertionError(f"The catalog and {how[1]} must give the same answer to {one}.")
            told = {f"{how[1].lower()}_ms": round(1000 * median(seconds), 2)}
            found.setdefault(how[0], {}).update(told)
            say(f"catalog: {how}: {told}")
        connection.execute("DROP SCHEMA plain CASCADE")
    return found


def _pairs(memory: Memory, plain: Plain, tables: Sequence[TableFacts]) -> Mapping[tuple[str, str], list[Any]]:
    """Return, by kind of question and other side, the questions, how the other side answers, and what ours says."""
    made: dict[tuple[str, str], list[Any]] = {}

    def add(kind: str, side: object, one: Question, theirs: Callable[[], Any], read: Callable[[Any, Any], Any]) -> None:
        made.setdefault((kind, type(side).__name__), []).append((one, theirs, read))

    for table in tables:
        name, column = table.name, table.columns[0].name
        for way in ("up", "down"):
            asked = Question.lineage(name, way)
            sides: list[Memory | Plain] = [memory, plain] if table in tables[:4] else [memory]
            for side in sides:
                add(asked.kind, side, asked, partial(side.lineage, name, way, _DEPTH), _nodes)
            asked = Question.lineage(name, way, columns=True)
            columns = [one.name for one in table.columns]
            add(asked.kind, memory, asked, partial(memory.columns, name, columns, way, _DEPTH), _flows)
        asked = Question.impact(name, column)
        add(asked.kind, memory, asked, partial(memory.impact, name, column), _broken)
        asked = Question.table(name)
        add(asked.kind, plain, asked, partial(plain.page, name), _page)
        words = name.partition(".")[2].replace("_", " ")
        asked = Question.search(words)
        add(asked.kind, plain, asked, partial(plain.search, words), _results)
    return made


def _results(said: Mapping[str, Any], expected: Collection[str]) -> set[str]:
    """Return the first of the results: those with similar words come behind."""
    return {one["name"] for one in said["results"][: len(expected)]}


def _nodes(said: Mapping[str, Any], _: object) -> set[str]:
    return {one["name"] for one in said["nodes"]}


def _flows(said: Mapping[str, Any], _: object) -> set[tuple[str, str, str, str]]:
    return {(one["source"], one["source_column"], one["target"], one["target_column"]) for one in said["columns"]}


def _broken(said: Mapping[str, Any], _: object) -> set[str]:
    return {one["table"] for one in said["breaks"]}


def _page(said: Mapping[str, Any], _: object) -> tuple[str, set[str], set[str]]:
    return said["doc"], {one["name"] for one in said["columns"]}, set(said["upstreams"])


def _written(facts: Sequence[TableFacts], ours: _Catalog, say: Callable[[str], None]) -> dict[str, Any]:
    """Send a night's events from several senders at once, then those of new tables, each until search finds it."""
    draw = random.Random(4)  # noqa: S311 - nothing secret
    written = draw.sample([one for one in facts if one.name.startswith("curated.")], _RUNS + _SEARCHED)
    events = [event for one in written[:_RUNS] for event in run_events(one)]
    began = time.perf_counter()
    with ThreadPoolExecutor(_SENDERS) as threads:
        list(threads.map(ours.send, events))
    rate = len(events) / (time.perf_counter() - began)
    seconds = [_until_found(ours, one, number) for number, one in enumerate(written[_RUNS:])]
    told = {"events_per_second": round(rate, 1), "searchable_p95_ms": round(1000 * p95(seconds), 1)}
    say(f"catalog: {told}")
    return told


def _until_found(ours: _Catalog, like: TableFacts, number: int) -> float:
    name = f"curated.newcomer{number}_{int(time.time())}"
    complete = run_events(like)[1].replace(like.name.replace(".", "/").encode(), name.replace(".", "/").encode())
    began = time.perf_counter()
    ours.send(complete.replace(like.name.encode(), name.encode()))
    while _results(json.loads(ours.ask(Question.search(name))[1]), [name]) != {name}:
        pass
    return time.perf_counter() - began


class _Catalog:
    """A running catalog as its clients meet it."""

    def __init__(self, box: BenchBox) -> None:
        self._box, self._url = box, f"http://{box.profile.address('catalog')}"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to this machine itself
        self._token = {"Authorization": f"Bearer {box.profile.credentials.password('catalog')}"}

    def ask(self, question: Question) -> tuple[float, bytes]:
        """Return seconds and the answer."""
        began = time.perf_counter()
        answer = self._session.get(self._url + question.path, params=question.given, timeout=_TIMEOUT_SECONDS)
        seconds = time.perf_counter() - began
        if answer.status_code != requests.codes.ok:
            raise AssertionError(f"The catalog did not answer {question}: {answer.text[:500]}")
        return seconds, answer.content

    def send(self, event: bytes) -> None:
        """Send an event."""
        answer = requests.post(f"{self._url}/api/v1/lineage", event, headers=self._token, timeout=_TIMEOUT_SECONDS)
        if answer.status_code != requests.codes.created:
            raise AssertionError(f"The catalog did not take an event: {answer.text[:500]}")

    def resident(self) -> int:
        """Return the process's resident memory in MiB."""
        pid = Supervisor(Box(self._box.profile)).states()["catalog"].pid
        return round(psutil.Process(pid).memory_info().rss / _MIB)
