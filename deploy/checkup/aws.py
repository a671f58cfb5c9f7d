"""Account, target groups and hosts, asked in parallel; one problem does not hide the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from deploy.aws import group_settings, inventory, listed
from deploy.aws.api.account import Account
from deploy.aws.inventory import Found
from deploy.aws.target_groups import Balancer
from deploy.checkup.refusals import Part
from deploy.hosts.route import tunnels
from deploy.hosts.ssh import connect, fabric_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from deploy.aws.targets import TargetGroup
    from deploy.checkup.refusals import Refusals
    from deploy.settings.environment import Environment


class InAws(NamedTuple):
    """The part of an environment that AWS knows.

    Attributes:
        account: The account; None where the AWS tools' own settings cannot be read.
        caller: Who we are; empty where AWS does not take the credentials.
        groups: Each app's target groups, by its name; without those of apps that have a problem.
        found: The hosts, and the listed machines that are none.
        can_connect: Whether connections can be made as the settings want them.
    """

    account: Account | None
    caller: str
    groups: dict[str, tuple[TargetGroup, ...]]
    found: Found
    can_connect: bool


def look(environment: Environment, refusals: Refusals) -> InAws:
    """Look at the settings' own files, then at AWS; what is wrong is noted.

    Problems of single listed machines are not: see `Found`.
    """
    with refusals.noted(Part.HOSTS):
        fabric_keys.check(environment)
    with refusals.noted(Part.HOSTS):
        tunnels.check(environment)
    can_connect = not refusals
    with refusals.noted(Part.HOSTS):
        connect.read_own_files(environment)
    account: Account | None = None
    with refusals.noted(Part.AWS):
        account = Account(environment)
        account.log_in()  # a code is asked for here, while nothing else runs
        with ThreadPoolExecutor(max_workers=4) as pool:
            caller, groups, found = _look(environment, account, refusals, pool)
        return InAws(account, caller, groups, found, can_connect)
    return InAws(account, "", {}, _without_aws(environment, refusals), can_connect)


def _look(
    environment: Environment, account: Account, refusals: Refusals, pool: ThreadPoolExecutor
) -> tuple[str, dict[str, tuple[TargetGroup, ...]], Found]:
    """Ask AWS all at once.

    Raises BadInput where AWS does not take the credentials: then nothing else that it says is a
    problem of its own.
    """
    caller = pool.submit(account.verify)
    balancer, resolve = Balancer(account), partial(connect.resolve, environment)
    groups = {
        app.name: [pool.submit(balancer.group, name) for name in app.group_names]
        for app in environment.apps
    }
    find = pool.submit(inventory.look, environment, account, resolve, partial(_vpcs, groups))
    arn, found = caller.result(), Found((), {}, {})
    with refusals.noted(Part.HOSTS):
        found = find.result()
    return arn, _groups(environment, groups, refusals), found


def _without_aws(environment: Environment, refusals: Refusals) -> Found:
    """Return the machines that the settings list, which are known without AWS."""
    places: dict[str, str] = {}
    problems: dict[str, str] = {}
    if not environment.is_by_tags:
        with refusals.noted(Part.HOSTS):
            places, problems = listed.addresses(environment, partial(connect.resolve, environment))
    return Found((), problems, places)


def _groups(
    environment: Environment,
    asked: Mapping[str, Sequence[Future[TargetGroup]]],
    refusals: Refusals,
) -> dict[str, tuple[TargetGroup, ...]]:
    found: dict[str, dict[str, TargetGroup]] = {}
    for app in environment.apps:
        own: dict[str, TargetGroup] = {}
        for name, each in zip(app.group_names, asked[app.name], strict=True):
            with refusals.noted(Part.BALANCER):
                own[name] = each.result()
        if len(own) == len(app.group_names):
            found[app.name] = own
    apps = [app for app in environment.apps if app.name in found]
    groups = {name: tuple(own.values()) for name, own in found.items()}
    with refusals.noted(Part.BALANCER):
        groups = group_settings.distinct(apps, found)
    for app in apps:
        with refusals.noted(Part.BALANCER):
            group_settings.refuse_expect((app,), groups)
        with refusals.noted(Part.BALANCER):
            group_settings.refuse_agent((app,), groups)
    return groups


def _vpcs(groups: Mapping[str, Sequence[Future[TargetGroup]]]) -> frozenset[str]:
    """The VPCs of the target groups, once they are known."""
    return frozenset(group.result().vpc for each in groups.values() for group in each)
