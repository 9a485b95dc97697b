"""Judges requests by the policies of the template, as IAM would: what no statement allows is denied."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headwater.aws.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_account import Request

__all__ = ["Policy", "resolved", "role_policy"]


@dataclass(frozen=True)
class Policy:
    """The statements of a role, with names in the place of parameters."""

    statements: tuple[Mapping[str, Any], ...]

    def allows(self, request: Request) -> bool:
        """Return whether a request is allowed on every resource that it needs."""
        return all(any(_matches(one, request, place) for one in self.statements) for place in request.resources)

    def weakened(self) -> Iterator[tuple[str, Policy]]:
        """Yield the policy without each single permission: an action of a statement, on one of its resources."""
        for at, one in enumerate(self.statements):
            for part in ("Action", "Resource"):
                for lost in one[part]:
                    less = {**one, part: [kept for kept in one[part] if kept != lost]}
                    changed = (*self.statements[:at], less, *self.statements[at + 1 :])
                    yield f"{one['Sid']} without {lost}", Policy(changed)
            for prefix in _prefixes(one) or ():
                less = deepcopy(dict(one))
                less["Condition"]["StringLike"]["s3:prefix"].remove(prefix)
                changed = (*self.statements[:at], less, *self.statements[at + 1 :])
                yield f"{one['Sid']} without {prefix}", Policy(changed)


def role_policy(name: str, values: Mapping[str, str]) -> Policy:
    """Return the policy of a role of the template.

    Args:
        name: The role's name in the template.
        values: What stands in the place of parameters and of resources.
    """
    [policy] = Template.ours().body["Resources"][name]["Properties"]["Policies"]
    return Policy(tuple(resolved(one, values) for one in policy["PolicyDocument"]["Statement"]))


def _matches(statement: Mapping[str, Any], request: Request, place: str) -> bool:
    if not any(fnmatchcase(request.action.lower(), one.lower()) for one in statement["Action"]):
        return False
    if not any(fnmatchcase(place, one) for one in statement["Resource"]):
        return False
    prefixes = _prefixes(statement)
    return prefixes is None or any(fnmatchcase(request.prefix, one) for one in prefixes)


def _prefixes(statement: Mapping[str, Any]) -> list[str] | None:
    """Return the prefixes that a statement is bound to; None where it is not."""
    found: list[str] | None = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    return found


def resolved(value: Any, values: Mapping[str, str]) -> Any:
    """Return a part of the template with names in the place of parameters and of resources."""
    if isinstance(value, dict):
        if "Ref" in value:
            return values[value["Ref"]]
        if "Fn::Sub" in value:
            text = value["Fn::Sub"]
            for name, meant in values.items():
                text = text.replace("${" + name + "}", meant)
            assert "${" not in text, text
            return text
        if "Fn::GetAtt" in value:
            return values[".".join(value["Fn::GetAtt"])]
        return {key: resolved(one, values) for key, one in value.items()}
    return [resolved(one, values) for one in value] if isinstance(value, list) else value
