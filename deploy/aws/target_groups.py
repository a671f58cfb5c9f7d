"""Target groups through the API: settings, target health, registration and deregistration.

Facts from the Application Load Balancer guide decide here: a group keys targets by (id, port);
DeregisterTargets answers success for a target that is not registered; the state stays `draining`
for the whole delay; `unused` after a registration never becomes healthy by waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.api.answers import Answer
from deploy.aws.group_settings import parse, refuse_unfit
from deploy.aws.targets import HIGHEST_PORT, Health, Override, State, Target, TargetGroup
from deploy.errors import ApiError, BadInput, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.aws.api.account import Account


STATES = frozenset(state.value for state in State)
OVERRIDES = frozenset(override.value for override in Override)
LISTED, ANOMALIES = "TargetHealthDescriptions", "AnomalyDetection"
NAMES_OF_A_GROUP = ("TargetGroupName", "TargetGroupArn")
NO_INSTANCE = "i-00000000000000000"
"""An instance id that no instance has, and no address: it can be a target of no group."""
TARGETS_QUOTA, USUAL_TARGETS = "targets-per-application-load-balancer", 1000


class Balancer:
    """The target groups of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def group(self, name: str) -> TargetGroup:
        """A group's settings by its name or ARN; BadInput where it is absent or unused."""
        key = "TargetGroupArns" if name.startswith("arn:") else "Names"
        try:
            found = self._account.call("elbv2", "describe_target_groups", **{key: [name]})
        except ApiError as error:
            if error.code not in {"TargetGroupNotFound", "ValidationError"}:
                raise
            raise BadInput(
                f"target group {name!r} does not exist in region {self._account.region} of this "
                "account; check `target_group:` and the region under `aws:`"
            ) from error
        groups = list(Answer("DescribeTargetGroups", found).parts("TargetGroups"))
        if len(groups) != 1 or name not in {groups[0].text(k) for k in NAMES_OF_A_GROUP}:
            raise UnexpectedAnswer(
                f"AWS was asked for the target group {name!r} and answered with "
                f"{', '.join(group.text('TargetGroupName') for group in groups[:3]) or 'none'}"
            )
        refuse_unfit(name, groups[0])
        return parse(groups[0], self._attributes(groups[0].text("TargetGroupArn")))

    def _attributes(self, arn: str) -> Answer:
        where = "DescribeTargetGroupAttributes"
        given = self._account.call("elbv2", "describe_target_group_attributes", TargetGroupArn=arn)
        listed = Answer(where, given).parts("Attributes")
        return Answer(where, {item.text("Key"): item.text("Value", "") for item in listed})

    def health(self, group: TargetGroup) -> dict[Target, Health]:
        """All targets of a group: one unfiltered call, whatever the number of hosts."""
        # Without `Include` AWS leaves out what anomaly detection found (API reference).
        answer = self._account.call(
            "elbv2", "describe_target_health", TargetGroupArn=group.arn, Include=[ANOMALIES]
        )
        return parse_health(answer.get(LISTED), group.port)

    def most_targets(self) -> int:
        """How many targets a load balancer of this account may have (load balancer quotas)."""
        for item in self._account.items("elbv2", "describe_account_limits", "Limits"):
            limit = Answer("DescribeAccountLimits", item)
            if limit.text("Name", "") == TARGETS_QUOTA:
                return limit.number("Max")
        return USUAL_TARGETS

    def register(self, group: TargetGroup, targets: Iterable[Target]) -> None:
        """Put targets in; returns at once, before the load balancer has checked them."""
        self._write("register_targets", group, targets)

    def deregister(self, group: TargetGroup, targets: Iterable[Target]) -> None:
        """Take targets out; returns at once, before they have drained."""
        self._write("deregister_targets", group, targets)

    def confirm_registration(self, group: TargetGroup) -> None:
        """Raise NotAllowed where targets of a group may not be registered; none is.

        AWS answers AccessDenied before it looks at the targets of a call. Behind that it refuses
        one that does not exist (ELB API reference, InvalidTarget).
        """
        try:
            was_taken = is_taken(self.register, group)
        except (ApiError, UnexpectedAnswer):
            return  # whatever else it was, it was not forbidden
        if was_taken:
            self.deregister(group, impossible(group))

    def _write(self, operation: str, group: TargetGroup, targets: Iterable[Target]) -> None:
        listed = [_described(group, target) for target in sorted(targets)]
        self._account.call("elbv2", operation, TargetGroupArn=group.arn, Targets=listed)


def _described(group: TargetGroup, target: Target) -> dict[str, object]:
    """A target as AWS takes it.

    An address outside the group's VPC has to have its zone, and an instance may have none (API
    reference, TargetDescription).
    """
    has_zone = target.zone and group.target_type == "ip"
    zone = {"AvailabilityZone": target.zone} if has_zone else {}
    return {"Id": target.id, "Port": target.port, **zone}


def parse_health(descriptions: object, group_port: int) -> dict[Target, Health]:
    """DescribeTargetHealth's list by target; a state unknown to us counts as unavailable.

    Raises UnexpectedAnswer for what is none.
    """
    found: dict[Target, Health] = {}
    answer = Answer("DescribeTargetHealth", {LISTED: descriptions})
    for item in answer.parts(LISTED):
        given, target = item.part("TargetHealth"), item.part("Target")
        said = given.text("State")
        state = State(said) if said in STATES else State.UNAVAILABLE
        override = item.part("AdministrativeOverride").text("State", Override.NONE)
        health = Health(
            state,
            given.text("Reason", ""),
            given.text("Description", ""),
            Override(override) if override in OVERRIDES else Override.UNKNOWN,
            item.part("AnomalyDetection").text("Result", "") == "anomalous",
        )
        key = Target(
            target.text("Id"),
            target.number("Port", group_port, most=HIGHEST_PORT),
            target.text("AvailabilityZone", ""),
        )
        if key in found:
            raise UnexpectedAnswer(f"AWS answered with two states of the target {key}")
        found[key] = health
    return found


def impossible(group: TargetGroup) -> tuple[Target, ...]:
    """Return a target that cannot exist, by which is asked whether a write is allowed."""
    return (Target(NO_INSTANCE, group.port),)


def is_taken(
    write: Callable[[TargetGroup, tuple[Target, ...]], object], group: TargetGroup
) -> bool:
    """Whether AWS took a write about a target that cannot exist; an error of its own says no."""
    try:
        write(group, impossible(group))
    except ApiError as error:
        if error.may_pass:
            raise
        return False
    return True
