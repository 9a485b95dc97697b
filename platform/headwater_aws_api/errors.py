"""What a call is answered with when it is refused: AWS's own code, its HTTP status and a sentence."""

from __future__ import annotations

from headwater.errors import HeadwaterError

__all__ = ["AwsError", "not_served"]


class AwsError(HeadwaterError):
    """A call was refused, in a way that its client knows by the code.

    Args:
        code: AWS's name of the error, such as ``EntityNotFoundException``.
        sentence: What failed and why.
        status: Of the HTTP answer.
        more: Further members of the error's shape.
    """

    def __init__(self, code: str, sentence: str, status: int = 400, **more: str) -> None:
        self.code = code
        self.sentence = sentence
        self.status = status
        self.more = more
        super().__init__(sentence)


def not_served(service: str, operation: str) -> AwsError:
    """Return the refusal of a call that AWS knows and the box does not serve."""
    # 501 and not 500: clients try again what failed, and this will not change.
    return AwsError(
        "NotImplemented", f"{service}:{operation} is not served by the box; docs/aws-api.md lists what is.", 501
    )
