"""Small values of every kind that the fast tests share: each argument has a harmless default."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.aws.inventory import Host
from deploy.aws.targets import GONE, Health, ProtocolVersion, State, Target, TargetGroup
from deploy.hosts.records import Record
from deploy.hosts.scripts.read import NEEDED_TOOLS
from deploy.package import manifest
from deploy.package.opening import Package
from deploy.package.release import Release
from deploy.plan.candidate import Offer
from deploy.settings.app import App, AppInSlot
from deploy.settings.environment import Environment
from deploy.survey.app_on_host import target_of
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Slot, UnitState
from deploy.unit.rendering import RenderedUnit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLD, NEW = "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"
ALB = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/edge/1"
HEALTHY = Health(State.HEALTHY)
UNHEALTHY = Health(State.UNHEALTHY, "Target.ResponseCodeMismatch", "Health checks failed")
TOOLS = frozenset(NEEDED_TOOLS)
RUNNING = UnitState("loaded", "active", "running", "enabled", 100, "invocation-1")


def app(name: str = "web", *ports: int, **settings: Any) -> App:
    """An app whose group is `<name>-lab`, on port 5000 unless told otherwise."""
    one = {} if "target_groups" in settings else {"target_group": f"{name}-lab"}
    given = {"package": f"{name}.*.zip"} | one | settings
    return App(name=name, ports=ports or (5000,), **given)


def worker(name: str = "jobs", **settings: Any) -> App:
    """An app without a port and a target group."""
    return App(name=name, package=f"{name}.*.zip", target_group="none", ports=(), **settings)


def environment(*apps: App, batch: Any = 1, rollout: Any = None, **settings: Any) -> Environment:
    """The environment `lab` with one listed host; `batch` as in the settings, None for none."""
    given: dict[str, Any] = {"hosts": ("host-1",), "root": Path("/nowhere")} | settings
    given["rollout"] = ({} if batch is None else {"batch": batch}) | (rollout or {})
    return Environment.model_validate({"name": "lab", "apps": list(apps or (app(),)), **given})


def host(number: int = 1, zone: str = "eu-west-1a") -> Host:
    """`host-<number>` with an address and an instance id that tell the number."""
    return Host(f"host-{number}", f"10.0.0.{number}", f"i-{number:017x}", zone)


def group(name: str = "web-lab", **settings: Any) -> TargetGroup:
    """An `instance` group with a delay of 10 s, behind a load balancer."""
    given: dict[str, Any] = {
        "arn": f"arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1",
        "port": 5000,
        "target_type": "instance",
        "protocol_version": "HTTP1",
        "load_balancers": (ALB,),
        "health_path": "/health",
        "health_port": "traffic-port",
        "matcher": "200",
        "interval_seconds": 5.0,
        "timeout_seconds": 2.0,
        "unhealthy_threshold": 2,
        "delay_seconds": 10.0,
        "slow_start_seconds": 0.0,
        "zonal": False,
    }
    given |= settings
    given["protocol_version"] = ProtocolVersion(given["protocol_version"])
    return TargetGroup(name=name, **given)


def unit(name: str = "web@5000.service", text: str = "[Service]\n") -> RenderedUnit:
    """A rendered unit whose digest follows from its text."""
    return RenderedUnit(name, text, hashlib.sha256(text.encode()).hexdigest()[:12])


def slot(release: str = OLD, rendered: RenderedUnit | None = None, **settings: Any) -> Slot:
    """A slot that runs a release, at rest: record, link, unit and process agree."""
    own = rendered or unit()
    given: dict[str, Any] = {
        "unit_state": RUNNING,
        "link": release,
        "unit_sha256": hashlib.sha256(own.text.encode()).hexdigest(),
        "unit_digest": own.digest,
        "running_release": release,
        "running_unit_digest": own.digest,
        "releases": (release,),
        "manifests": {release: manifest_digest(release)},
        "history": (Record(release, own.digest),),
        "kept": frozenset({Record(release, own.digest).kept}),
        "group": "web",
    }
    return Slot(**(given | settings))


def manifest_digest(release: str) -> str:
    """The digest of the manifest that a host stores of `package(release=release)`."""
    made = package(release=release)
    return manifest.digest(made.manifest, made.release.digest)


def facts(
    number: int = 1,
    slots: Mapping[str, Slot] | None = None,
    zone: str = "eu-west-1a",
    **settings: Any,
) -> HostFacts:
    """A fit Debian 12 host with 10 GiB free; nothing is deployed unless `slots` says so."""
    given: dict[str, Any] = {
        "init": "systemd",
        "systemd": 252,
        "selinux": "",
        "free_kb": 10 * 1024 * 1024,
        "tools": TOOLS,
    }
    own = dict(slots) if slots is not None else {"web": Slot()}
    return HostFacts(host=host(number, zone), slots=own, **(given | settings))


def survey(
    hosts: Iterable[HostFacts] = (),
    health: Mapping[str, Health] | None = None,
    apps: Iterable[App] = (),
    **settings: Any,
) -> Survey:
    """A survey of these hosts (default: one) whose targets are healthy but where told otherwise.

    `health` is by host name, for every app; `settings` are the groups'.
    """
    seen, served = tuple(hosts) or (facts(),), tuple(apps) or (app(),)
    told = health or {}
    groups = {
        each.name: tuple(group(name, **settings) for name in each.group_names) for each in served
    }
    found: dict[str, dict[Target, Health]] = {}
    for each in served:
        states = {
            Target(one.host.instance_id, one.at(each).target_port): told.get(one.host.name, HEALTHY)
            for one in seen
        }
        known = {target: state for target, state in states.items() if state != GONE}
        found |= {own.arn: dict(known) for own in groups[each.name]}
    return Survey(seen, groups, found, asked=tuple(each.host for each in seen))


def see(seen: Survey, app: AppInSlot, number: int, health: Health) -> None:
    """Let the groups of a survey show this health of a host's slot; GONE for no target."""
    for group in seen.groups[app.name]:
        target = target_of(group, host(number), app)
        seen.health[group.arn].pop(target, None)
        if health != GONE:
            seen.health[group.arn][target] = health


def package(name: str = "web", release: str = NEW, size_bytes: int = 1_000_000) -> Package:
    """A package whose release has this id; nothing of it is on the disk."""
    version, _, start = release.rpartition("-")
    return Package(
        path=Path(f"/builds/{name}.{version}.zip"),
        release=Release(name, version, start.ljust(64, "0"), 1, size_bytes),
        archive=Path(f"/workspace/{name}.tar.gz"),
        archive_bytes=size_bytes,
        files=frozenset({name}),
        manifest=(),
        links=0,
        spans={},
        skeleton_bytes=0,
    )


def offer(of: App, hosts: Iterable[HostFacts], release: str = NEW, text: str = "") -> Offer:
    """What a deploy of this release offers each host; `text` is the unit's."""
    told = text or f"[Service]\n# {release}\n"
    units = {
        (one.host.name, each.port): unit(each.unit_name, told) for one in hosts for each in of.slots
    }
    checks = {key: rendered.text for key, rendered in units.items()}
    return Offer(of, package(of.name, release), units, checks)
