"""A query's result in pages, read from the object it was put into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.box.components.s3 import s3_client

from headwater_aws_api.athena._rows import read_csv, read_text
from headwater_aws_api.athena._text import ResultColumn
from headwater_aws_api.errors import AwsError
from headwater_aws_api.paging import read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headwater.profile import Profile

__all__ = ["Results"]

_PAGE = 1000
_CHUNK = 256 * 1024
_INVALID = "InvalidRequestException"


class Results:
    """Reads results.

    Args:
        profile: Where the object store is.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._client: Any = None

    def page(self, body: Mapping[str, Any], token: str | None, limit: int | None) -> dict[str, Any]:
        """Return a page of a query's result.

        Args:
            body: What is remembered of the query.
            token: Of the page, None for the first.
            limit: The most rows of the page; a line of names is one.

        Raises:
            AwsError: The token is none, or the result is gone.
        """
        begin = 0 if token is None else read_token(token, int, _INVALID)
        columns = [ResultColumn(**one) for one in body["Columns"]]
        rows: list[list[str | None]] = []
        end, more = begin, False
        if columns:
            read = read_csv if body["Csv"] else read_text
            for values, size in read(self._bytes(body["Output"], begin)):
                if len(rows) >= min(limit or _PAGE, _PAGE):
                    more = True
                    break
                rows.append(values)
                end += size
        return {
            "UpdateCount": body.get("Updated") or 0,
            "ResultSet": {
                "Rows": [{"Data": [_datum(value) for value in values]} for values in rows],
                "ResultSetMetadata": {"ColumnInfo": [one.shown() for one in columns]},
            },
            "NextToken": write_token(end) if more else None,
        }

    def _bytes(self, uri: str, begin: int) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

        if self._client is None:
            self._client = s3_client(self._profile)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            found = self._client.get_object(Bucket=bucket, Key=key, Range=f"bytes={begin}-")
            yield from found["Body"].iter_chunks(_CHUNK)
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRange":
                return  # nothing is left to read
            raise AwsError(_INVALID, f"Could not find results: {uri}: {error}.") from error
        except BotoCoreError as error:
            raise AwsError(_INVALID, f"Could not read results: {uri}: {error}.") from error


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}
