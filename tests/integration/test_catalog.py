"""The running catalog: its REST interface, the OpenLineage endpoint with the stock client, and the commands."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
import uuid

import pytest
import requests
from command_line import headwater
from headwater.box.components.databases import connect
from headwater.profile import inherited_env
from headwater.stack import Stack
from lineage_events import body, event, new_run, spark_table, trino_table

pytestmark = pytest.mark.box

MIB = 1024**2


class Api:
    """The catalog's REST interface."""

    def __init__(self, profile) -> None:
        self.profile = profile
        self.url = f"http://{profile.address('catalog')}/api/v1/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = {"Authorization": f"Bearer {profile.credentials.password('catalog')}"}

    def get(self, question: str, **parameters: object) -> requests.Response:
        """Ask."""
        return self.session.get(self.url + question, params=parameters, timeout=30)

    def send(self, data: bytes, **headers: str) -> requests.Response:
        """Send an event with the token."""
        return self.session.post(self.url + "lineage", data=data, headers={**self.token, **headers}, timeout=60)

    def eventually(self, question: str, **parameters: object) -> dict:
        """Ask until there is an answer; the definitions are loaded beside the start."""
        deadline = time.monotonic() + 60
        while (answer := self.get(question, **parameters)).status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.3)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def api(box):
    """The test box's catalog."""
    with Api(box).session:
        yield Api(box)


@pytest.fixture
def names() -> tuple[str, str]:
    """Two tables that no other test uses."""
    mark = uuid.uuid4().hex[:8]
    return f"raw.in_{mark}", f"curated.out_{mark}"


def test_the_projects_definitions_are_there(api):
    """Columns, docs, owner, domain, upstreams and parsed column lineage of the default project."""
    table = api.eventually("table", name="curated.loan_vintage")
    lineage = api.eventually("lineage", name="curated.loan_state", columns="true", direction="up", depth=1)

    assert table["owner"] == "team:loans"
    assert table["domain"] == "loans"
    assert table["upstreams"] == ["partitioned.loan_origination", "partitioned.loan_performance"]
    assert {"name": "loan_age", "type": "int"}.items() <= table["columns"][1].items()
    edges = {(one["source"], one["source_column"], one["target_column"], one["kind"]) for one in lineage["columns"]}
    assert ("partitioned.loan_origination", "credit_score", "average_credit_score", "aggregated") in edges
    assert {one["origins"][0] for one in lineage["columns"]} == {"parsed"}


def test_the_stock_client_is_understood(box, api, names):
    """OpenLineage's own Python client, unchanged: its events become a run, columns and an edge."""
    token = api.profile.credentials.password("catalog")
    program = f"""
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset, output_statistics_output_dataset, schema_dataset
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

client = OpenLineageClient(transport=HttpTransport(HttpConfig(
    url="http://{box.address("catalog")}", auth=ApiKeyTokenProvider({{"apiKey": "{token}"}}))))
given = InputDataset("s3://lake", "{names[0].replace(".", "/")}")
field = column_lineage_dataset.InputField("s3://lake", given.name, "x", [
    column_lineage_dataset.Transformation("DIRECT", "AGGREGATION")])
made = OutputDataset("trino://anywhere:1", "iceberg.{names[1]}", facets={{
    "schema": schema_dataset.SchemaDatasetFacet([schema_dataset.SchemaDatasetFacetFields("s", "bigint")]),
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet({{
        "s": column_lineage_dataset.Fields([field], "", "")}}),
}}, outputFacets={{"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(3, 9)}})
run, job = Run("{new_run()}"), Job("tests", "stock client")
for state in (RunState.START, RunState.COMPLETE):
    client.emit(RunEvent(eventType=state, eventTime="2026-01-01T12:00:00Z", run=run, job=job,
                         producer="https://example.org", inputs=[given], outputs=[made]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=inherited_env(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr

    lineage = api.get("lineage", name=names[1], columns="true").json()
    assert [(one["source"], one["source_column"], one["kind"]) for one in lineage["columns"]] == [
        (names[0], "x", "aggregated")
    ]
    run = api.get("history", name=names[1]).json()["runs"][0]
    assert (run["state"], run["rows"], run["bytes"]) == ("COMPLETE", 3, 9)


def test_an_event_is_found_at_once_and_counted_once(api, names):
    """After the answer it shows in search and lineage; sent again, plain or packed, it changes nothing."""
    data = body(event("COMPLETE", new_run(), inputs=[spark_table(names[0])], outputs=[trino_table(names[1])]))

    assert api.send(data).status_code == 201
    assert api.get("search", q=names[1]).json()["results"][0]["name"] == names[1]
    assert api.send(data).status_code == 200
    assert api.send(gzip.compress(data), **{"Content-Encoding": "gzip"}).status_code == 200
    assert len(api.get("history", name=names[1]).json()["runs"]) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "neither a run"),
        (body(event("START", "x")), "run.runId"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"run": NaN}', "no JSON number"),
        (body(event("NEVER", new_run())), "eventType"),
        (body({**event("START", new_run()), "eventTime": "yesterday"}), "eventTime"),
        (body({**event("START", new_run()), "eventTime": "2026-01-01T12:00:00"}), "eventTime"),
        (body(event("START", new_run(), bad={"no": "producer"})), "_producer"),
        (body(event("START", new_run(), outputs=[{"namespace": "a\x00", "name": "b"}])), "NUL"),
        (body(event("START", new_run(), outputs=[{"namespace": "a", "name": "\ud800"}])), "surrogate"),
    ],
)
def test_a_bad_event_is_refused_with_a_reason_and_kept(box, api, data, reason):
    """Never a failure of the server; what was sent lies aside with why."""
    answer = api.send(data)

    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    with connect(box, "catalog-db") as connection:
        kept = connection.execute("SELECT reason FROM refused WHERE body = %s", (data[:1_000_000],)).fetchall()
    assert len(kept) == 1
    assert reason in kept[0][0]


def test_names_with_anything_in_them_are_kept(api):
    """Quotes, spaces, emoji and SQL in a name are a name."""
    mark = uuid.uuid4().hex[:6]
    nasty = f"x; DROP TABLE node; -- \"' 😀 {mark}"
    output = {
        "namespace": "trino://h:1",
        "name": f'iceberg.curated."{nasty.replace(chr(34), chr(34) * 2)}"',
        "facets": {},
    }
    given = {"namespace": "weird place", "name": "a/b c\\d%", "facets": {}}

    assert api.send(body(event("COMPLETE", new_run(), inputs=[given], outputs=[output]))).status_code == 201
    (found, *_) = api.get("search", q=mark).json()["results"]
    assert nasty.lower().replace('"', '""') in found["name"]
    assert api.get("table", name=found["name"]).json()["upstreams"] == ["weird place:a/b c\\d%"]


def test_a_facet_of_ten_megabytes_is_taken_and_more_refused(api, names):
    """Size alone is no error, up to a bound that is said."""
    large = {"_producer": "https://x", "_schemaURL": "https://x", "plan": "x" * 10 * MIB}

    assert api.send(body(event("COMPLETE", new_run(), outputs=[trino_table(names[1])], plan=large))).status_code == 201
    assert api.send(b" " * (33 * MIB)).status_code == 413
    packed = gzip.compress(b" " * (40 * MIB))
    assert api.send(packed, **{"Content-Encoding": "gzip"}).status_code == 422


def test_writing_needs_the_token(api, names):
    """Without it, or with another, nothing is recorded; reading is open on the box's own address only."""
    data = body(event("COMPLETE", new_run(), outputs=[trino_table(names[1])]))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}, {"Authorization": "Bearer "}):
        answer = api.session.post(api.url + "lineage", data=data, headers=headers, timeout=30)
        assert answer.status_code == 401
        assert "headwater credentials" in answer.json()["error"]

    assert api.get("table", name=names[1]).status_code == 404
    foreign = api.session.get(api.url + "search?q=a", headers={"Host": "evil.example"}, timeout=30)
    assert foreign.status_code == 400


def test_a_database_that_goes_away_in_mid_write_loses_nothing(box, api, names):
    """Every connection is cut again and again; what was answered with 201 is there, once."""
    runs, stop = [new_run() for _ in range(40)], threading.Event()

    def cut() -> None:
        with connect(box, "postgres", database="postgres") as connection:
            while not stop.wait(1.5):
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'catalog'")

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        codes = [
            api.send(
                body(event("COMPLETE", run, inputs=[spark_table(names[0])], outputs=[spark_table(names[1])]))
            ).status_code
            for run in runs
        ]
    finally:
        stop.set()
        cutter.join()

    assert set(codes) <= {200, 201, 503}  # 200: it was written, and the answer about that was lost
    written = {run for run, code in zip(runs, codes, strict=True) if code != 503}
    history = api.get("history", name=names[1], limit=1000).json()["runs"]
    told = [one["run"] for one in history]
    assert len(told) == len(set(told))
    assert written <= set(told)
    assert len(written) >= len(runs) // 2


@pytest.mark.parametrize(
    ("question", "parameters", "status", "said"),
    [
        ("search", {}, 400, "q is missing"),
        ("search", {"q": "a", "limit": "0"}, 400, "limit"),
        ("search", {"q": "a", "limit": "²"}, 400, "limit"),
        ("search", {"q": "a", "wrong": "1"}, 400, "no parameter 'wrong'"),
        ("search", {"q": "\x00"}, 400, "NUL"),
        ("lineage", {"name": "curated.loan_state", "direction": "sideways"}, 400, "direction"),
        ("lineage", {"name": "curated.loan_state", "as_of": "nothing"}, 404, "no run, snapshot or time"),
        ("table", {"name": "curated.nothing"}, 404, "headwater search"),
        ("impact", {"name": "curated.loan_state", "column": "nothing"}, 404, "no column"),
        ("nothing", {}, 404, "/api/v1/nothing"),
    ],
)
def test_a_wrong_question_is_one_sentence(api, question, parameters, status, said):
    """What is wrong with it, by name."""
    api.eventually("table", name="curated.loan_state")
    answer = api.get(question, **parameters)

    assert answer.status_code == status
    assert said in answer.json()["error"]


def edge_seen(api, source: str, target: str) -> dict:
    """Wait at most five seconds for an edge, and return the graph that has it."""
    deadline = time.monotonic() + 5
    while True:
        answer = api.get("lineage", name=target, direction="up", columns="true", depth=1).json()
        found = {one["source"] for one in answer.get("columns", ())}
        if source in found or time.monotonic() > deadline:
            assert source in found, answer
            return answer
        time.sleep(0.1)


def flows(answer: dict) -> set[tuple[str, str, str]]:
    """Return the value edges of an answer, with what they are said by."""
    return {
        (f"{one['source']}.{one['source_column']}", one["target_column"], *one["origins"]) for one in answer["columns"]
    }


def test_sql_typed_into_trino_is_an_edge_within_seconds(box, api):
    """CREATE TABLE AS, INSERT and MERGE outside Dagster: one node per table, columns, no loop; a DELETE adds none."""
    mark = uuid.uuid4().hex[:8]
    source, made, merged = (f"curated.{word}_{mark}" for word in ("given", "made", "merged"))
    trino = Stack.build(box).engine("trino")

    trino.rows(f"CREATE TABLE {source} AS SELECT 1 AS id, 2 AS x")
    trino.rows(f"CREATE TABLE {made} AS SELECT id, x + 1 AS y FROM {source}")
    assert flows(edge_seen(api, source, made)) == {(f"{source}.id", "id", "observed"), (f"{source}.x", "y", "observed")}

    trino.rows(f"CREATE TABLE {merged} (id integer, z integer)")
    trino.rows(f"INSERT INTO {merged} SELECT id, y FROM hive.curated.made_{mark}")
    assert flows(edge_seen(api, made, merged)) == {(f"{made}.id", "id", "observed"), (f"{made}.y", "z", "observed")}
    trino.rows(
        f"MERGE INTO {merged} AS t USING {source} AS s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET z = s.x WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.x)"
    )
    trino.rows(f"DELETE FROM {merged} WHERE id = 7")
    time.sleep(2)
    answer = api.get("lineage", name=merged, direction="up", depth=5).json()

    assert {(one["source"], one["target"]) for one in answer["edges"]} == {
        (source, made),
        (made, merged),
        (source, merged),
    }
    assert {one["name"] for one in answer["nodes"]} == {source, made, merged}
    found = {one["name"] for one in api.get("search", q=mark).json()["results"]}
    assert found == {source, made, merged}


def test_a_spark_session_is_an_edge_within_seconds(box, api):
    """SQL and DataFrames through Spark Connect: the same nodes as Trino's, with the kind of each column edge."""
    mark = uuid.uuid4().hex[:8]
    source, made = (f"curated.{word}_{mark}" for word in ("given", "made"))
    stack = Stack.build(box)
    stack.engine("trino").rows(f"CREATE TABLE {source} AS SELECT 1 AS id, 2 AS x")
    spark = stack.engine("spark")
    spark.rows(f"CREATE TABLE {made} (id int, total bigint) USING iceberg")
    spark.rows(f"INSERT INTO {made} SELECT id, sum(x) FROM {source} WHERE x > 0 GROUP BY id")
    answer = edge_seen(api, source, made)

    kinds = {(one["source_column"], one["target_column"], one["kind"]) for one in answer["columns"]}
    assert kinds == {("id", "id", "copied"), ("x", "total", "aggregated")}
    assert {one["name"] for one in answer["nodes"]} == {source, made}
    table = api.get("table", name=made).json()
    assert {"location", "symlink"} <= {one["kind"] for one in table["aliases"]}
    assert table["runs"][0]["snapshot"] or table["runs"][0]["state"]
    found = {one["name"] for one in api.get("search", q=mark).json()["results"]}
    assert found == {source, made}


def test_it_is_small(box, api):
    """Idle, with the project loaded, the process takes at most 300 MiB."""
    api.eventually("table", name="curated.loan_vintage")
    rows = json.loads(headwater(box, "status", "-o", "json").stdout)
    row = next(one for one in rows if one["name"] == "catalog")

    assert row["rss_bytes"] <= 300 * MIB
    assert row["ready"] is True


def test_commands_answer_as_tables_and_json(box, api, names):
    """Search, table, lineage, impact and history, each in both formats; mistakes are one sentence."""
    api.eventually("table", name="curated.loan_vintage")
    moved = {"s": [(names[0], "x", "IDENTITY")]}
    made = spark_table(names[1], snapshot="41", columns=moved)
    api.send(body(event("COMPLETE", new_run(), inputs=[spark_table(names[0])], outputs=[made])))

    def told(*arguments: str) -> str:
        return headwater(box, *arguments).stdout

    assert "curated.loan_vintage" in told("search", "loan vintge")
    assert json.loads(told("search", "loan vintge", "-o", "json"))["results"][0]["name"] == "curated.loan_vintage"
    assert "team:loans" in told("table", "s3a://lake/curated/loan_vintage/year=2019/")
    assert json.loads(told("table", "curated.loan_vintage", "-o", "json"))["columns"]
    assert names[0] in told("lineage", names[1], "--direction", "up")
    assert f"{names[0]}.x" in told("lineage", f"{names[1]}.s")
    assert json.loads(told("lineage", names[1], "-o", "json"))["edges"]
    bare = f"{names[1]}_bare"
    api.send(body(event("COMPLETE", new_run(), inputs=[spark_table(names[1])], outputs=[spark_table(bare)])))
    unknown = told("lineage", bare, "--columns")
    assert f"The catalog knows of no column that {bare} is made of or goes into" in unknown
    assert f"`headwater lineage {bare}` shows its tables" in unknown
    assert names[1] in told("impact", f"{names[0]}.x")
    impact = json.loads(told("impact", "partitioned.loan_origination.credit_score", "-o", "json"))
    assert {"curated.loan_state", "curated.loan_seller_risk"} <= {one["table"] for one in impact["breaks"]}
    shown = {one["table"]: one for one in impact["breaks"] if one["kind"] in ("chart", "dashboard")}
    assert shown["chart:average_credit_score"]["columns"] == ["credit_score"]
    assert shown["dashboard:loan_portfolio"]["title"] == "Loan portfolio"
    assert "Average credit score" in shown["dashboard:loan_portfolio"]["charts"]
    checks = {(one["table"], one["name"]): one["certain"] for one in impact["checks"]}
    assert checks["partitioned.loan_origination", "in_range_credit_score"] is True
    assert ("partitioned.loan_origination", "in_set_channel") not in checks
    checked = told("impact", "partitioned.loan_origination.loan_sequence_number")
    assert all(one in checked for one in ("unique_loan_sequence_number", "foreign_key_loan_sequence_number"))
    state = json.loads(told("impact", "partitioned.loan_origination.property_state", "-o", "json"))["checks"]
    assert ("curated.loan_state", "matches_state") in {(one["table"], one["name"]) for one in state}
    assert headwater(box, "impact", f"{names[0]}.x", "--fail", check=False).returncode == 1
    assert headwater(box, "impact", bare, "--fail").returncode == 0
    assert "41" in told("history", names[1])
    wrong = headwater(box, "lineage", "curated.nothing", check=False)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: The catalog knows no table 'curated.nothing'")


def load(box, project) -> subprocess.CompletedProcess[str]:
    """Load a project's definitions as the service does when a file has changed."""
    environment = {**box.environment(), "HEADWATER_PROJECT": str(project)}
    return subprocess.run(
        [sys.executable, "-m", "headwater_catalog.service.definitions"],
        env=inherited_env(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_definitions_are_loaded_and_a_wrong_one_takes_nothing_away(box, api, tmp_path):
    """A project's tables are in the catalog; one that is wrong is named and changes nothing; what is gone says so.

    What another project says stays: its tables are there while the box serves this one.
    """
    api.eventually("table", name="curated.loan_vintage")
    made = f"made_{uuid.uuid4().hex[:6]}"
    (tmp_path / made).mkdir()
    (tmp_path / "headwater.toml").write_text(f'[project]\nname = "own"\ndefinitions = ["{made}"]\n')
    (tmp_path / made / "one.py").write_text(
        "from headwater import Column, Table\n"
        f"one = Table(name='curated.{made}', doc='Made.', owner='team:t',\n"
        "    columns=(Column('id', 'int', 'Key.'),), body='SELECT 1 AS id')\n"
    )
    try:
        assert load(box, tmp_path).returncode == 0
        assert api.get("table", name=f"curated.{made}").json()["owner"] == "team:t"
        (tmp_path / made / "wrong.py").write_text("this is no Python\n")
        wrong = load(box, tmp_path)
        assert wrong.returncode != 0
        assert "wrong.py, line 1" in wrong.stderr
        assert api.get("table", name=f"curated.{made}").json()["defined"] is True
        impact = api.get("impact", name="partitioned.loan_origination", column="credit_score").json()
        assert "dashboard:loan_portfolio" in {one["table"] for one in impact["breaks"]}
        (tmp_path / made / "wrong.py").unlink()
        (tmp_path / made / "one.py").unlink()
        assert load(box, tmp_path).returncode == 0
        assert api.get("table", name=f"curated.{made}").json()["defined"] is False
    finally:
        assert load(box, box.project).returncode == 0
    assert api.get("table", name="curated.loan_vintage").json()["defined"] is True
