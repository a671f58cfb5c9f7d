"""The AWS API of the lab: moto, with the load balancer's targets replaced.

moto keeps instances, tags, groups, listeners, buckets. Its targets are keyed by id alone, healthy
at once and gone at once, so three of its functions are replaced by the lab's own state machine;
a fourth, since its quota of targets is under a thirtieth of AWS's; a fifth, which it lacks:
instance refreshes, of which the lab has none; a sixth, since its consoles print no host keys.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.responses.general import General
from moto.elbv2.exceptions import (
    InvalidTargetError,
    TargetGroupNotFoundError,
    TargetNotRunning,
    ValidationError,
)
from moto.elbv2.models import (
    ELBv2Backend,
    FakeHealthStatus,
    FakeTargetGroup,
    elbv2_backends,
)
from moto.elbv2.responses import ELBV2Response
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from lab.gate import Gate
from lab.targets import DESCRIPTIONS, Checks, Key, Reason, State, StillDraining, Target
from lab.world import Group, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.knobs import Calls, Knobs
    from lab.reconciler import Reconciler

REGION = "eu-west-1"
OVERRIDES = {
    False: ("no_override", "NoOverride"),
    True: ("zonal_shift_active", "ZonalShiftActive"),
}
"""The state and the reason of an administrative override, by whether the zone is shifted away."""
TARGETS_QUOTA = 1000  # for a load balancer, as an account begins with (load balancer quotas)


class Moto:
    """What the reconciler sees of moto's state (reconciler.World), read afresh each time."""

    def groups(self) -> Mapping[str, Group]:
        """All target groups; one is in use when a listener or rule of any kind names it."""
        backend = elbv2_backends[DEFAULT_ACCOUNT_ID][REGION]
        in_use = {
            arn
            for balancer in list(backend.load_balancers.values())
            for listener in list(balancer.listeners.values())
            for rule in list(listener.rules.values())
            for action in rule.actions
            for arn in _forwards_to(action.data)
        }
        return {
            group.name: Group(
                name=group.name,
                port=int(group.port or 0),
                target_type=group.target_type,
                in_use=group.arn in in_use,
                delay_seconds=float(str(group.attributes["deregistration_delay.timeout_seconds"])),
                checks=_checks(group),
                is_tls=group.protocol == "HTTPS",
                is_cross_zone=group.attributes.get("load_balancing.cross_zone.enabled") != "false",
            )
            for group in list(backend.target_groups.values())
        }

    def machines(self) -> Mapping[str, Machine]:
        """All instances by id."""
        return {
            instance.id: Machine(
                instance.private_ip or "",
                instance.state == "running",
                str(instance.placement.zone or ""),
            )
            for reservation in list(ec2_backends[DEFAULT_ACCOUNT_ID][REGION].reservations.values())
            for instance in reservation.instances
        }


def _forwards_to(action: dict[str, Any]) -> list[str]:
    named = [action["TargetGroupArn"]] if action.get("TargetGroupArn") else []
    weighted = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    return named + [one["TargetGroupArn"] for one in weighted]


def _checks(group: Any) -> Checks:
    port, version = group.health_check_port, group.protocol_version or "HTTP1"
    kind, usual = ("GrpcCode", "12") if version == "GRPC" else ("HttpCode", "200")
    return Checks(
        path=group.health_check_path or "/",
        port=int(port) if str(port or "").isdigit() else None,
        interval_seconds=float(group.health_check_interval_seconds),
        timeout_seconds=float(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
        matcher=(getattr(group, "matcher", None) or {}).get(kind, usual),
        is_tls=group.health_check_protocol == "HTTPS",
        version=version,
    )


def _limits(self: Any) -> ActionResult:
    del self
    quotas = {"targets-per-application-load-balancer": TARGETS_QUOTA}
    return ActionResult({"Limits": [{"Name": k, "Max": str(v)} for k, v in quotas.items()]})


def _refreshes(self: Any) -> ActionResult:
    del self
    return ActionResult({"InstanceRefreshes": []})


@contextmanager
def replaced(
    reconciler: Reconciler, console: Callable[[str], str] = lambda _: ""
) -> Iterator[None]:
    """Give moto's target groups our state machine until the block ends.

    console: what an instance of this id printed when it first started.
    """

    def register(self: Any, targets: Sequence[dict[str, Any]]) -> None:
        ids = [target["Id"] for target in targets]
        if self.target_type == "ip":
            _refuse_unless_addresses(ids)
        else:
            _refuse_unless_running(ids)
        try:
            reconciler.register(_key(self, target) for target in targets)
        except StillDraining as error:
            raise InvalidTargetError from error

    def deregister(self: Any, targets: Sequence[dict[str, Any]]) -> None:
        reconciler.deregister(_key(self, target) for target in targets)

    def describe(self: Any, target_group_arn: str, targets: Sequence[dict[str, Any]]) -> list[Any]:
        group = self.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError
        known = {target.key: target for target in reconciler.targets(group.name)}
        return [
            _health(group, key, known.get(key), is_shifted=reconciler.is_shifted(key))
            for key in ([_key(group, target) for target in targets] or known)
        ]

    def console_output(self: Any) -> ActionResult:
        instance_id = self._get_param("InstanceId")
        printed = base64.b64encode(console(instance_id).encode()).decode()
        answer = {"InstanceId": instance_id, "Output": printed, "Timestamp": utcnow()}
        return ActionResult(answer)

    ours = {
        (General, "get_console_output"): console_output,
        (AutoScalingResponse, "describe_instance_refreshes"): _refreshes,
        (ELBV2Response, "describe_account_limits"): _limits,
        (FakeTargetGroup, "register"): register,
        (FakeTargetGroup, "deregister"): deregister,
        (ELBv2Backend, "describe_target_health"): describe,
    }
    with ExitStack() as stack:
        for (owner, name), function in ours.items():
            stack.enter_context(patch.object(owner, name, function, create=True))
        yield


def _refuse_unless_running(ids: Sequence[str]) -> None:
    machines = Moto().machines()
    for one in ids:
        if one not in machines:
            raise InvalidTargetError
        if not machines[one].running:
            raise TargetNotRunning(instance_id=one)


def _refuse_unless_addresses(ids: Sequence[str]) -> None:
    """Refuse what is no address, in AWS's own words."""
    for one in ids:
        try:
            ipaddress.IPv4Address(one)
        except ValueError:
            raise ValidationError(f"The IP address '{one}' is not a valid IPv4 address") from None


def _key(group: Any, target: dict[str, Any]) -> Key:
    return Key(group.name, target["Id"], int(target.get("Port") or group.port))


def _health(group: Any, key: Key, target: Target | None, *, is_shifted: bool) -> Any:
    state, reason = State.UNUSED, Reason.NOT_REGISTERED
    description = DESCRIPTIONS[reason]
    if target is not None:
        state, reason, description = target.state, target.reason, target.description
    checked_on = str(_checks(group).port or key.port)
    found: Any = FakeHealthStatus(
        key.id, str(key.port), checked_on, state.value, reason.value or None, description or None
    )
    override, why = OVERRIDES[is_shifted]
    found.administrative_override = {"State": override, "Reason": f"AdministrativeOverride.{why}"}
    return found


class Api:
    """moto behind the gate, on a free port of 127.0.0.1, on threads of its own."""

    def __init__(
        self, knobs: Knobs, calls: Calls, clock: Callable[[], float] = time.monotonic
    ) -> None:
        class Handler(MotoRequestHandler):
            def handle(self) -> None:
                if not knobs.api_down:
                    super().handle()

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        application = Gate(DomainDispatcherApplication(create_backend_app), knobs, calls, clock)
        self._server = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=Handler
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def client(self, service: str) -> Any:
        """Make a boto3 client of this API with the lab's dummy keys."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="lab",
            aws_secret_access_key="lab",  # noqa: S106 - no secret: moto takes anything
            config=Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=5),
        )
