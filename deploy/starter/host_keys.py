"""The known_hosts lines of hosts: from their consoles, and those that a person has to compare."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts import shown_key
from deploy.starter import console_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.api.account import Account
    from deploy.aws.inventory import Host
    from deploy.hosts.refusals.unknown_key import ShownKey
    from deploy.settings.environment import Environment


@dataclass(frozen=True)
class HostKeys:
    """The known keys of one host.

    Attributes:
        host: The host.
        lines: Its known_hosts lines, of keys that the console vouches for.
        shown: A key that it shows and that nothing vouches for; None where there is none.
        problem: Why it could not be asked; empty where it was, or did not have to be.
    """

    host: Host
    lines: tuple[str, ...] = ()
    shown: ShownKey | None = None
    problem: str = ""


def look(account: Account, environment: Environment, hosts: Iterable[Host]) -> tuple[HostKeys, ...]:
    """Ask EC2 for each host's console; where that has no key, ask the host itself."""
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        return tuple(pool.map(lambda host: _look(account, environment, host), hosts))


def _look(account: Account, environment: Environment, host: Host) -> HostKeys:
    try:
        printed = console_keys.parse(console(account, host))
        place = shown_key.place(host, environment)
        if printed.keys:
            return HostKeys(host, tuple(f"{place} {kind} {blob}" for kind, blob in printed.keys))
        shown = shown_key.shown(host, environment)
    except DeployError as error:
        return HostKeys(host, problem=str(error))
    if shown is None:  # a known_hosts file of the user or the system has it
        return HostKeys(host)
    is_own = shown.place == place
    if is_own and console_keys.fingerprint(shown.blob) in printed.fingerprints:
        return HostKeys(host, (shown.line,))
    return HostKeys(host, shown=shown)


def console(account: Account, host: Host) -> str:
    """The text of an instance's console; empty where there is none, or it may not be read."""
    try:
        answer = account.call("ec2", "get_console_output", InstanceId=host.instance_id)
    except DeployError:
        return ""
    text = answer.get("Output")
    return text if isinstance(text, str) else ""
