"""Headwater's part of an AWS account: one CloudFormation stack, planned, deployed and destroyed.

Buckets and databases outlive their stack: what is in them cannot be made anew. A later stack takes them over.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater._aws import aws_client, aws_errors, error_code
from headwater.aws.template import Template
from headwater.errors import ComponentError, ConfigError
from headwater.table import ZONES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Account", "Plan"]

_NOT_THERE = "ValidationError"
# A stack whose first deploy failed; AWS lets it only be deleted.
_NEVER_MADE = "ROLLBACK_COMPLETE"
_POLL_SECONDS = 5
_POLLS = 720  # an hour: PostgreSQL and Kafka take their time
_KEYS_AT_ONCE = 1000
_FORBIDDEN = ("403", "AccessDenied", "Forbidden")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deploy would do.

    Args:
        stack: The stack's name.
        parameters: Every parameter.
        made: Type of what would be made, by its name in the template.
        changed: The same of what would be changed.
        gone: The same of what would be removed; buckets and databases stay.
        costs: What costs, in sentences.
    """

    stack: str
    parameters: Mapping[str, str]
    made: Mapping[str, str]
    changed: Mapping[str, str]
    gone: Mapping[str, str]
    costs: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Deployed:
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account and region that the AWS clients' own configuration leads to.

    Args:
        region: Where; empty where that configuration says.
        stack: The stack's name, which begins the names of what it makes.
    """

    region: str
    stack: str

    def plan(self, given: Mapping[str, str]) -> Plan:
        """Return what a deploy with some parameters would do; nothing is changed.

        Raises:
            ConfigError: A parameter is not usable, or a bucket belongs to somebody else.
            ComponentError: AWS refused or failed.
        """
        template, before = Template.ours(), self._deployed()
        parameters = self._parameters(template, given, before)
        wanted = template.shapes(parameters)
        there = self._template().shapes(before.parameters) if before else {}
        return Plan(
            stack=self.stack,
            parameters=parameters,
            made={name: one.type for name, one in wanted.items() if name not in there},
            changed={name: one.type for name, one in wanted.items() if name in there and there[name] != one},
            gone={name: one.type for name, one in there.items() if name not in wanted},
            costs=template.costs(parameters),
        )

    def deploy(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """Make the stack, or bring it to this version, and return its outputs.

        Raises:
            ConfigError: A parameter is not usable, or a bucket belongs to somebody else.
            ComponentError: AWS refused or failed; the sentence has its reason.
        """
        template, before = Template.ours(), self._deployed()
        if before is not None and before.status == _NEVER_MADE:
            self._delete()
            before = None
        parameters = self._parameters(template, given, before)
        asked: dict[str, Any] = {
            "StackName": self.stack,
            "TemplateBody": template.text,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        with self._said("was not deployed"):
            if before is None:
                self._stacks.create_stack(**asked)
                self._wait("stack_create_complete")
            elif self._updated(asked):
                self._wait("stack_update_complete")
        deployed = self._deployed()
        return {} if deployed is None else deployed.outputs

    def outputs(self) -> Mapping[str, str]:
        """Return what the stack gave when it was deployed.

        Raises:
            ConfigError: There is no such stack.
            ComponentError: AWS refused or failed.
        """
        found = self._deployed()
        if found is None:
            raise ConfigError(
                f"There is no stack {self.stack} in this account and region; `headwater aws deploy` makes it."
            )
        return found.outputs

    def destroy(self, named: Sequence[str], log: Callable[[str], None]) -> None:
        """Delete the stack and what is empty of what outlives it.

        Args:
            named: Buckets to delete although they hold data.
            log: Told what is deleted and what is kept.

        Raises:
            ConfigError: There is no such stack, or a bucket that is named is none of its.
            ComponentError: AWS refused or failed.
        """
        before = self._deployed()
        if before is None:
            raise ConfigError(f"There is no stack {self.stack} in this account and region; give its name by --stack.")
        buckets = [before.parameters["LakeBucket"], before.parameters["WorkBucket"]]
        for name in named:
            if name not in buckets:
                raise ConfigError(f"{name} is no bucket of {self.stack}; its buckets are {' and '.join(buckets)}.")
        self._delete()
        log(f"deleted the stack {self.stack}")
        for bucket in buckets:
            self._remove_bucket(bucket, with_data=bucket in named, log=log)
        for zone in ZONES:
            self._remove_database(zone, with_tables=buckets[0] in named, log=log)

    @property
    def _stacks(self) -> Any:
        return aws_client("cloudformation", self.region)

    @property
    def _buckets(self) -> Any:
        return aws_client("s3", self.region)

    @property
    def _databases(self) -> Any:
        return aws_client("glue", self.region)

    @contextmanager
    def _said(self, failure: str) -> Iterator[None]:
        from botocore.exceptions import WaiterError  # noqa: PLC0415 - slow to import

        try:
            with aws_errors(f"The stack {self.stack} {failure}", ComponentError):
                yield
        except ComponentError as error:
            if isinstance(error.__cause__, WaiterError):
                raise ComponentError(f"The stack {self.stack} {failure}: {self._reason()}") from error
            raise

    def _delete(self) -> None:
        with self._said("was not deleted"):
            self._stacks.delete_stack(StackName=self.stack)
            self._wait("stack_delete_complete")

    def _wait(self, waiter: str) -> None:
        patience = {"Delay": _POLL_SECONDS, "MaxAttempts": _POLLS}
        self._stacks.get_waiter(waiter).wait(StackName=self.stack, WaiterConfig=patience)

    def _reason(self) -> str:
        """Return the first failure of the last attempt, in AWS's words."""
        with aws_errors(f"The stack {self.stack} failed, and why is not known", ComponentError):
            events = self._stacks.describe_stack_events(StackName=self.stack)["StackEvents"]
        for event in reversed(events):
            if event["ResourceStatus"].endswith("_FAILED"):
                said = event.get("ResourceStatusReason", "no reason given").rstrip(".")
                return f"{event['LogicalResourceId']}: {said}. Correct that and deploy again."
        return "AWS gives no reason. See its events in the console."

    def _updated(self, asked: Mapping[str, Any]) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        try:
            self._stacks.update_stack(**asked)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        return True

    def _deployed(self) -> _Deployed | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        with aws_errors(f"The stack {self.stack} cannot be looked at", ComponentError):
            try:
                [found] = self._stacks.describe_stacks(StackName=self.stack)["Stacks"]
            except ClientError as error:
                if error_code(error) == _NOT_THERE:
                    return None
                raise
        return _Deployed(
            status=found["StackStatus"],
            parameters={one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", ())},
            outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        )

    def _template(self) -> Template:
        with aws_errors(f"The stack {self.stack} cannot be looked at", ComponentError):
            return Template(self._stacks.get_template(StackName=self.stack)["TemplateBody"])

    def _parameters(self, template: Template, given: Mapping[str, str], before: _Deployed | None) -> dict[str, str]:
        if before is not None:
            kept = {key: value for key, value in before.parameters.items() if key in template.body["Parameters"]}
            return template.parameters({**kept, **given})
        place = self._place()
        names = {"LakeBucket": f"{self.stack}-lake-{place}", "WorkBucket": f"{self.stack}-work-{place}"}
        wanted = {"Name": self.stack, **names, **given}
        found = {
            "MakeLake": _no_if(self._has_bucket(wanted["LakeBucket"])),
            "MakeWork": _no_if(self._has_bucket(wanted["WorkBucket"])),
            "MakeDatabases": _no_if(any(self._tables(zone) is not None for zone in ZONES)),
        }
        return template.parameters({**found, **wanted})

    def _place(self) -> str:
        """Return account and region, which make a bucket's name the only one of the world."""
        with aws_errors("This account is not known", ComponentError):
            account = aws_client("sts", self.region).get_caller_identity()["Account"]
        return f"{account}-{self._stacks.meta.region_name}"

    def _has_bucket(self, name: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        with aws_errors(f"The bucket {name} cannot be looked at", ComponentError):
            try:
                self._buckets.head_bucket(Bucket=name)
            except ClientError as error:
                if error_code(error) in _FORBIDDEN:
                    raise ConfigError(f"The bucket {name} belongs to somebody else; choose another name.") from error
                if error_code(error) in ("404", "NoSuchBucket"):
                    return False
                raise
        return True

    def _tables(self, zone: str) -> Sequence[str] | None:
        """Return the tables of a database; None where there is no such database."""
        with aws_errors(f"The database {zone} cannot be looked at", ComponentError):
            try:
                pages = self._databases.get_paginator("get_tables").paginate(DatabaseName=zone)
                return [table["Name"] for page in pages for table in page["TableList"]]
            except self._databases.exceptions.EntityNotFoundException:
                return None

    def _remove_bucket(self, bucket: str, *, with_data: bool, log: Callable[[str], None]) -> None:
        if not self._has_bucket(bucket):
            return
        with aws_errors(f"The bucket {bucket} was not deleted", ComponentError):
            held = self._buckets.list_object_versions(Bucket=bucket, MaxKeys=1)
            if (held.get("Versions") or held.get("DeleteMarkers")) and not with_data:
                log(f"kept the bucket {bucket}: it holds data. `--delete-bucket {bucket}` deletes it.")
                return
            self._empty(bucket)
            self._buckets.delete_bucket(Bucket=bucket)
        log(f"deleted the bucket {bucket}")

    def _empty(self, bucket: str) -> None:
        for page in self._buckets.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                doomed = {"Objects": keys[start : start + _KEYS_AT_ONCE], "Quiet": True}
                for problem in self._buckets.delete_objects(Bucket=bucket, Delete=doomed).get("Errors", ()):
                    raise ComponentError(f"s3://{bucket}/{problem['Key']} was not deleted: {problem['Message']}.")

    def _remove_database(self, zone: str, *, with_tables: bool, log: Callable[[str], None]) -> None:
        tables = self._tables(zone)
        if tables is None:
            return
        if tables and not with_tables:
            log(f"kept the database {zone}: it has {len(tables)} tables, whose bucket was not named")
            return
        with aws_errors(f"The database {zone} was not deleted", ComponentError):
            self._databases.delete_database(Name=zone)
        log(f"deleted the database {zone}")


def _no_if(there: bool) -> str:  # noqa: FBT001 - the whole of what it is asked
    return "no" if there else "yes"
