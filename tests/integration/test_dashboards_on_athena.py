"""The default dashboards under `aws`: the same files, drawn by the box's Superset through PyAthena and the AWS APIs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml
from aws_site import AwsSite, account_on
from browser import look_at, superset_page
from command_line import headwater
from free_ports import free_ports
from headwater.credentials import password_variable
from headwater.profile import Profile, inherited_env
from headwater.stack import Stack
from headwater_dashboards.superset import Superset, dashboard_url
from served import served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.box

PICTURES = Path(__file__).resolve().parents[2] / ".headwater-test" / "pictures"
PROJECT = '[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n'
SLUGS = {"loan-portfolio": 10, "loan-delinquency": 10}
LOGINS = ("superset", "superset-db", "superset-secret")


@dataclass(frozen=True)
class Site:
    """A Superset process with AWS's variables beside the box's, on the box's database of Superset.

    Args:
        seen: A profile that leads browsers and scripts to it.
        local: The box, with the project.
        account: The variables of the profile `aws`, with this Superset.
        aws: The box's AWS APIs.
    """

    seen: Profile
    local: Profile
    account: dict[str, str]
    aws: AwsSite

    @property
    def folder(self) -> Path:
        """Where the project's dashboards are."""
        return self.local.project / "dashboards"

    def push(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Push under `aws`."""
        return self.run("dashboards", "push", *more)

    def push_here(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Push under `local`."""
        return headwater(self.local, "dashboards", "push", *more, check=False)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command under `aws`."""
        command, env = [sys.executable, "-m", "headwater", *arguments], inherited_env(**self.account)
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)

    def api(self, method: str, path: str, **content: Any) -> Any:
        """Ask Superset as a script would."""
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {Superset(self.seen)._token}"
            base = f"{self.seen.superset}/api/v1"
            session.headers["X-CSRFToken"] = session.get(f"{base}/security/csrf_token/", timeout=60).json()["result"]
            answer = session.request(method, base + path, timeout=60, **content)
        assert answer.ok, answer.text
        return answer.json()

    def queries(self) -> list[dict[str, Any]]:
        """Every query of the readers' work group, the last one first."""
        athena, group = self.aws.client("athena"), f"{self.account['HEADWATER_ATHENA_WORKGROUP']}-reader"
        keys = athena.list_query_executions(WorkGroup=group)["QueryExecutionIds"]
        return [athena.get_query_execution(QueryExecutionId=key)["QueryExecution"] for key in keys]


@pytest.fixture(scope="module")
def site(box, tmp_path_factory):
    """The site with the loans of test_dashboards.py, whose dashboards `local` has pushed; nothing of it stays."""
    made = tmp_path_factory.mktemp("project")
    (made / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    shutil.copytree(str(files("headwater_dashboards") / "loans"), made / "dashboards")
    loans = ("--rows", "20000", "--years", "2019-2020", "--out", str(box.project / "data" / "loans"))
    headwater(box, "demo-data", "loans", *loans)
    headwater(box, "materialize", "--all", "--stale", timeout=900)
    local = Profile.load({**box.environment(), "HEADWATER_PROJECT": str(made)})
    aws = AwsSite(box)  # it has the box serve its own project again
    with account_on(box, made) as account, _readers(aws, account), served(local), _superset(box, account) as seen:
        password = {password_variable("superset"): box.credentials.password("superset")}
        site = Site(seen, local, {**account, **password, "HEADWATER_SUPERSET": seen.superset}, aws)
        pushed = site.push_here()
        assert pushed.returncode == 0, pushed.stderr
        try:
            yield site
        finally:
            shutil.rmtree(site.folder)
            assert site.push_here().returncode == 0
            for one in site.api("GET", "/database/")["result"]:
                if one["database_name"] == f"Lake {box.bucket}":
                    site.api("DELETE", f"/database/{one['id']}")


@contextmanager
def _readers(aws: AwsSite, account: dict[str, str]) -> Iterator[None]:
    """Have a work group for readers, as the template makes one."""
    athena, name = aws.client("athena"), account["HEADWATER_ATHENA_WORKGROUP"]
    place = {"OutputLocation": f"s3://{aws.profile.bucket}/athena-results/{name}-reader/"}
    athena.create_work_group(Name=f"{name}-reader", Configuration={"ResultConfiguration": place})
    try:
        yield
    finally:
        athena.delete_work_group(WorkGroup=f"{name}-reader", RecursiveDeleteOption=True)


@contextmanager
def _superset(box: Profile, account: dict[str, str]) -> Iterator[Profile]:
    """Run Superset under `aws` as its own command, on a port of its own."""
    first = free_ports(2)  # Superset has the second of a box
    env = {
        **account,
        **{password_variable(login): box.credentials.password(login) for login in LOGINS},
        "HEADWATER_HOME": str(Path(account["HEADWATER_HOME"]) / "superset"),
        "HEADWATER_CACHE": str(box.cache),
        "HEADWATER_PORT": str(first),
        "HEADWATER_POSTGRES": box.address("postgres"),
    }
    process = subprocess.Popen([sys.executable, "-m", "headwater", "run", "superset"], env=inherited_env(**env))
    seen = Profile.load({**box.environment(), "HEADWATER_PORT": str(first)})
    try:
        _wait(process, f"{seen.superset}/health")
        yield seen
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 300
    with requests.Session() as session:
        session.trust_env = False
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if session.get(url, timeout=10).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def moved(site):
    """What pushes said: under `aws`, when told to move, once more, and under `local` after that."""
    return [site.push(), site.push("--move"), site.push(), site.push_here()]


def test_one_superset_shows_one_lake_and_changes_it_only_when_told(moved, site):
    """So a push under one profile never undoes what was pushed under another; once told it stays."""
    refused, told, again, back = moved

    assert (refused.returncode, back.returncode) == (1, 1)
    assert "reads another lake, 'Lake'; `headwater dashboards push --move`" in refused.stderr
    assert f"reads another lake, 'Lake {site.local.bucket}'" in back.stderr
    assert told.returncode == 0, told.stderr
    changes = [line.split(maxsplit=2) for line in told.stdout.splitlines() if "http" not in line]
    assert ["created", "database", f"Lake {site.local.bucket}"] in changes
    assert sorted(one[2] for one in changes if one[:2] == ["changed", "dataset"]) == [
        "loan_origination", "loan_seller_risk", "loan_state", "loan_vintage",
    ]  # fmt: skip
    assert len(changes) == 5
    assert again.stdout.startswith("Nothing changed.\n")
    assert f"{site.seen.superset}/superset/dashboard/loan-portfolio/" in again.stdout


def test_every_chart_is_drawn_with_rows_of_athena(moved, site):
    """What the browser asks for has rows, no chart shows trouble, and each question is a query of the readers'."""
    before = len(site.queries())
    drawn, answers = _seen(site, SLUGS)
    queries = site.queries()
    asked = queries[: len(queries) - before]

    assert len(drawn) == sum(SLUGS.values())
    assert [one for one in drawn if one.trouble or one.content < 300] == []
    assert len(answers) >= len(drawn)
    assert [one for one in answers if not one["rowcount"]] == []
    assert len(asked) >= len(drawn)
    assert {one["Status"]["State"] for one in asked} == {"SUCCEEDED"}


def test_sql_lab_lists_what_there_is(moved, site):
    """Schemas, tables and columns, as Athena tells them: what somebody chooses from who writes a query."""
    lakes = {one["database_name"]: one["id"] for one in site.api("GET", "/database/")["result"]}
    lake = f"/database/{lakes[f'Lake {site.local.bucket}']}"
    tables = {one["value"] for one in site.api("GET", f"{lake}/tables/?q=(schema_name:curated)")["result"]}
    columns = site.api("GET", f"{lake}/table_metadata/?schema=curated&name=loan_state")["columns"]

    assert {"raw", "partitioned", "curated"} <= set(site.api("GET", f"{lake}/schemas/")["result"])
    assert {"loan_state", "loan_vintage", "loan_seller_risk"} <= tables
    assert {one["name"]: one["type"] for one in columns}["loans"] == "BIGINT"


def _seen(site: Site, slugs: Mapping[str, int]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Look at dashboards with so many charts; return what is drawn, and what Superset answered to the charts."""
    answers: list[dict[str, Any]] = []

    def keep(response: Any) -> None:
        if "/api/v1/chart/data" in response.url:
            answers.extend(json.loads(response.text())["result"])

    drawn: list[Any] = []
    with superset_page(site.seen) as page:
        page.on("response", keep)
        for slug, charts in slugs.items():
            drawn += look_at(page, dashboard_url(site.seen, slug), charts, PICTURES / f"athena-{slug}.png")
    return drawn, answers


@pytest.fixture(scope="module")
def odd(site):
    """A table that no definition knows; names that SQL keeps for itself among its columns."""
    trino = Stack.build(site.local).engine("trino")
    trino.arrow("DROP TABLE IF EXISTS curated.odd_on_athena")
    trino.arrow("""
        CREATE TABLE curated.odd_on_athena AS
        SELECT n AS id, CAST(n % 7 AS integer) AS "select", CAST(sqrt(n) AS double) AS root,
            CAST(n AS decimal(20,2)) / 3 AS amount, CAST(n AS real) AS small, n % 3 = 0 AS "order",
            CASE WHEN n % 5 > 0 THEN 'kind ' || CAST(n % 5 AS varchar) END AS kind,
            date_add('day', CAST(n AS integer), date '2020-02-28') AS "day",
            CAST(date_add('minute', n, timestamp '2024-01-01 00:00:00') AS timestamp(6)) AS moment
        FROM UNNEST(sequence(1, 500)) AS t(n)
    """)
    trino.arrow("COMMENT ON COLUMN curated.odd_on_athena.root IS 'What it grew from.'")
    yield "curated.odd_on_athena"
    trino.arrow("DROP TABLE curated.odd_on_athena")


def test_a_draft_of_any_table_is_drawn(moved, site, odd):
    """Athena describes and surveys a table that no definition knows, and answers its charts."""
    drafted, pushed = site.run("dashboards", "draft", odd), site.push()
    drawn, _ = _seen(site, {"curated-odd-on-athena": 6})

    assert (drafted.returncode, pushed.returncode) == (0, 0), drafted.stderr + pushed.stderr
    assert [one for one in drawn if one.trouble or one.content < 300] == []
    assert {"Rows", "Rows by day", "Rows by kind", "Some rows"} <= {one.title for one in drawn}
    number = next(one["id"] for one in site.api("GET", "/dataset/")["result"] if one["table_name"] == "odd_on_athena")
    columns = {one["column_name"]: one for one in site.api("GET", f"/dataset/{number}")["result"]["columns"]}
    assert (columns["moment"]["type"], columns["moment"]["is_dttm"]) == ("TIMESTAMP(6)", True)
    assert columns["root"]["description"] == "What it grew from."


def test_an_unknown_table_stops_the_push(moved, site):
    """Athena is asked for one that has no definition."""
    file = site.folder / "datasets" / "gone.yaml"
    file.write_text('{uuid: "1b2c7c7e-0a7e-4e0b-9f43-0d8d1a5f5c11", table: curated.never_there}')
    try:
        done = site.push()
    finally:
        file.unlink()

    assert done.returncode == 1
    assert (
        done.stderr
        == f"error: {file}, line 1: there is no table curated.never_there; ingest it, or correct the name.\n"
    )


def test_an_edit_in_superset_comes_back_as_yaml(moved, site):
    """As under `local`: into the same files, which say nothing of where the lake is."""
    charts = {one["slice_name"]: one["id"] for one in site.api("GET", "/chart/?q=(page_size:500)")["result"]}
    site.api("PUT", f"/chart/{charts['Loans made']}", json={"slice_name": "Loans, all of them"})

    pulled = site.run("dashboards", "pull", "loan-portfolio")

    file = site.folder / "charts" / "loans_made.yaml"
    assert pulled.stdout == f"wrote {file}\n", pulled.stderr
    assert yaml.safe_load(file.read_text())["title"] == "Loans, all of them"
    assert site.push().stdout.startswith("Nothing changed.")


def test_the_box_takes_its_dashboards_back(moved, site):
    """By the same option, under `local`: charts and addresses stay, and so does what nobody pushed."""
    charts = {one["id"] for one in site.api("GET", "/chart/?q=(page_size:500)")["result"]}

    back = site.push_here("--move")

    assert back.returncode == 0, back.stderr
    assert "changed  dataset    loan_state" in back.stdout
    assert {one["id"] for one in site.api("GET", "/chart/?q=(page_size:500)")["result"]} == charts
    databases = {one["database"]["database_name"] for one in site.api("GET", "/dataset/")["result"]}
    assert databases == {"Lake"}
