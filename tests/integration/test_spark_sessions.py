"""Sessions on the box's Spark: they share what was compiled, and end without a word."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from headwater.profile import inherited_env
from headwater.stack import Stack
from spark_jobs import ENDLESS, running_jobs, soon

pytestmark = pytest.mark.box

# Asks by way of a relay that is gone when the process ends.
GONE = """
import os, socket, threading, time
from contextlib import suppress
from headwater.engines.spark import SparkEngine

host, port, token = os.environ["SPARK_HOST"], int(os.environ["SPARK_PORT"]), os.environ["SPARK_TOKEN"]
relay, ends = socket.create_server(("127.0.0.1", 0)), []

def pump(source, target):
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)

def serve():
    while True:
        near, far = relay.accept()[0], socket.create_connection((host, port))
        ends.extend((near, far))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

def serving():
    with suppress(OSError):
        serve()

threading.Thread(target=serving, daemon=True).start()
engine = SparkEngine(host="127.0.0.1", port=relay.getsockname()[1], token=token)
print(engine.arrow("SELECT 25 AS n").to_pylist()[0]["n"])
time.sleep(1)  # the client releases what it has read on a thread of its own
for one in (relay, *ends):
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
"""
# Rows go through generated code; the number makes it a query that no other test asks.
SUMS = """
from pyspark.sql import SparkSession, functions as F
import sys
session = SparkSession.builder.remote(sys.argv[1]).create()
rows = session.range(1000).groupBy(F.expr("id % 7").alias("rest")).agg(F.sum(F.expr("id * 7919 + 3")).alias("s"))
print(rows.count())
"""
# A shell's background jobs ignore SIGINT, and hand that down.
ASKING = f"""
import signal
from headwater.profile import Profile
from headwater.stack import Stack
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = Stack.build(Profile.load()).engine("spark")
engine.arrow("SELECT 1")
print("ready", flush=True)
engine.arrow({ENDLESS!r})
"""


def _run(script, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def _compiled(box):
    with urllib.request.urlopen(f"http://{box.address('spark-ui')}/metrics/json", timeout=10) as answer:
        found = json.load(answer)["histograms"]
    return next(one["count"] for name, one in found.items() if name.endswith("CodeGenerator.compilationTime"))


def test_a_second_session_compiles_nothing_anew(box):
    """Each run of a table is a session of its own; what Spark and Java made of its query is kept."""
    engine = Stack.build(box).engine("spark")
    url = f"sc://localhost:{engine.port}/;token={engine.token}"
    before = _compiled(box)
    assert _run(SUMS, url).stdout == "7\n"
    once = _compiled(box)
    assert _run(SUMS, url).stdout == "7\n"

    assert once > before
    assert _compiled(box) == once


def test_a_process_ends_without_a_word_when_spark_is_gone(box):
    """The session asks the server nothing at exit."""
    engine = Stack.build(box).engine("spark")
    done = _run(GONE, SPARK_HOST=engine.host, SPARK_PORT=str(engine.port), SPARK_TOKEN=engine.token)

    assert (done.stdout, done.stderr) == ("25\n", "")


def test_what_a_cancelled_process_asked_for_is_stopped(box):
    """Spark would compute it to the end, and keep the machine from everybody else."""
    environment = inherited_env(**box.environment())
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKING], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert asking.stdout.readline() == "ready\n"
        soon(lambda: running_jobs(box))
        asking.send_signal(signal.SIGINT)

        soon(lambda: not running_jobs(box))
        assert asking.wait(30) != 0
    finally:
        asking.kill()
        asking.communicate()
