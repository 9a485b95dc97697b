"""A full disk under the object store, answered over HTTP as MinIO does."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from headwater.errors import MetastoreError, StorageError
from headwater.storage import S3Storage
from headwater.write._iceberg import iceberg_errors
from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

ANSWER = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold. Please
delete a few objects to proceed.</Message><Resource>/lake/a</Resource></Error>"""
SAID = r"the disk of HEADWATER_HOME \(.*home, [0-9,]+ MiB free\) is full\. Free some and run it again\.$"


class _Full(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(507)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def do_POST(self) -> None:
        self.do_PUT()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Where a full object store answers."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    with HTTPServer(("127.0.0.1", 0), _Full) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_full_object_store_is_a_full_disk(address):
    """The sentence says which disk, and not to delete objects."""
    storage = S3Storage(endpoint=f"http://{address}", region="us-east-1", access_key="a", secret_key="b")

    with pytest.raises(StorageError, match=SAID):
        storage.put("s3://lake/a", b"a")


def test_iceberg_files_meet_the_same_full_disk(address):
    """PyIceberg writes through PyArrow, whose error has only the number."""
    once = AwsStandardS3RetryStrategy(max_attempts=1)
    files = S3FileSystem(
        endpoint_override=address, scheme="http", access_key="a", secret_key="b", retry_strategy=once, region="r"
    )

    with (
        pytest.raises(MetastoreError, match=SAID),
        iceberg_errors("x was not published"),
        files.open_output_stream("lake/a") as stream,
    ):
        stream.write(b"a")


def test_other_errors_keep_their_own_sentence(address):
    """Only a full disk is one."""
    with pytest.raises(MetastoreError, match=r"refused\. See that the metastore"), iceberg_errors("x failed"):
        raise OSError("refused")
