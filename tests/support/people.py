"""What somebody outside does with a browser or an SQL client; a script, since it runs at another host than the test.

Each command prints JSON and ends with 0 only when it was answered.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from importlib import import_module
from typing import Any

import requests

_SECONDS = 60
_DONE = "SUCCEEDED"
_RELEASE, _ROLE = "emr-spark-8.0.0", "arn:aws:iam::000000000000:role/spark"


def main(what: str, *given: str) -> None:
    """Do one thing and print what came of it."""
    print(json.dumps(_DOES[what](*given)))  # noqa: T201


def page(url: str) -> Any:
    """Return a page, or what a JSON answer holds."""
    with _session() as session:
        answer = session.get(url, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text[:200]


def graphql(url: str, text: str) -> Any:
    """Return the answer to a GraphQL query."""
    with _session() as session:
        answer = session.post(url, json={"query": text}, timeout=_SECONDS)
        answer.raise_for_status()
        found = answer.json()
        if found.get("errors"):
            raise SystemExit(str(found["errors"])[:500])
        return found["data"]


def query(port: str, authority: str, password: str, statement: str) -> Any:
    """Return the rows of a statement, over TLS, as Trino's owner."""
    auth: Any = import_module("trino.auth").BasicAuthentication("headwater", password)
    connect: Any = import_module("trino.dbapi").connect
    with _session() as session:
        session.verify = authority
        with connect(
            host="127.0.0.1", port=int(port), user="headwater", auth=auth, http_scheme="https", http_session=session,
            catalog="iceberg", request_timeout=_SECONDS, max_attempts=1,
        ) as connection:  # fmt: skip
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall()


def chart(url: str, password: str, table: str, column: str) -> Any:
    """Return the rows that Superset draws of a table's column, after a login."""
    with _session() as session:
        login = {"username": "admin", "password": password, "provider": "db"}
        answer = session.post(f"{url}/api/v1/security/login", json=login, timeout=_SECONDS)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        known = session.get(f"{url}/api/v1/dataset/", timeout=_SECONDS).json()["result"]
        dataset = next((one["id"] for one in known if one["table_name"] == table), None)
        session.headers["X-CSRFToken"] = session.get(f"{url}/api/v1/security/csrf_token/").json()["result"]
        session.headers["Referer"] = url
        asked = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"columns": [column], "row_limit": 10}],
            "force": True,
        }
        answer = session.post(f"{url}/api/v1/chart/data", json=asked, timeout=2 * _SECONDS)
        if not answer.ok:
            raise SystemExit(answer.text[:500])
        rows = answer.json()["result"][0]["data"]
        if not rows:
            raise SystemExit("the chart has no rows")
        return rows


def glue(url: str, key: str, password: str, database: str) -> Any:
    """Return the names of the tables that Glue lists, as an AWS client asks for them."""
    with _aws("glue", url, key, password) as client:
        return [one["Name"] for one in client.get_tables(DatabaseName=database)["TableList"]]


def athena(url: str, key: str, password: str, statement: str) -> Any:
    """Return the rows of a statement by Athena, names first, as an AWS client asks for them."""
    with _aws("athena", url, key, password) as client:
        run = client.start_query_execution(QueryString=statement)["QueryExecutionId"]
        until = time.monotonic() + _SECONDS
        while (said := client.get_query_execution(QueryExecutionId=run)["QueryExecution"])["Status"]["State"] != _DONE:
            if said["Status"]["State"] == "FAILED" or time.monotonic() > until:
                raise SystemExit(str(said["Status"])[:500])
            time.sleep(0.2)
        rows = client.get_query_results(QueryExecutionId=run)["ResultSet"]["Rows"]
        return [[one.get("VarCharValue") for one in row["Data"]] for row in rows]


def session(url: str, key: str, password: str, statement: str) -> Any:
    """Return the first value of a statement in a Spark session of EMR Serverless, as a client of Spark Connect asks."""
    with _aws("emr-serverless", url, key, password) as client:
        open_to_sessions = {"interactiveConfiguration": {"sessionEnabled": True}}
        made = client.create_application(name="wired", releaseLabel=_RELEASE, type="SPARK", **open_to_sessions)
        application = {"applicationId": made["applicationId"]}
        asked = {**application, "sessionId": client.start_session(**application, executionRoleArn=_ROLE)["sessionId"]}
        try:
            until = time.monotonic() + _SECONDS
            while (state := client.get_session(**asked)["session"]["state"]) in ("SUBMITTED", "STARTING"):
                if time.monotonic() > until:
                    raise SystemExit(f"the session is still {state}")
                time.sleep(0.2)
            told = client.get_session_endpoint(**asked)
            remote = told["endpoint"].replace("http://", "sc://") + f"/;x-aws-proxy-auth={told['authToken']}"
            spark: Any = import_module("pyspark.sql").SparkSession.builder.remote(remote).getOrCreate()
            return spark.sql(statement).collect()[0][0]
        finally:
            client.terminate_session(**asked)
            client.stop_application(**application)
            client.delete_application(**application)


def _aws(service: str, url: str, key: str, password: str) -> Any:
    import boto3  # slow to import
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1}, read_timeout=_SECONDS, proxies={})
    keys = {"aws_access_key_id": key, "aws_secret_access_key": password, "region_name": "us-east-1"}
    return closing(boto3.client(service, endpoint_url=url, config=once, **keys))


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


_DOES = {one.__name__: one for one in (athena, chart, glue, graphql, page, query, session)}


if __name__ == "__main__":
    main(*sys.argv[1:])
