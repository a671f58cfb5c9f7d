"""The first fabric.yaml of a project, as text with comments. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.hosts.replaced_unit import DEFAULT_USER
from deploy.starter.previous_unit import PreviousUnit

if TYPE_CHECKING:
    from deploy.starter.fleet import FleetOfGroup
    from deploy.starter.front import Front

MOST_ONE_BY_ONE = 4
"""Up to so many hosts a first deploy goes one by one; of more, a quarter at a time."""
LONGEST_SECONDS = 30.0
"""What is taken for the longest request where the group's delay allows for it."""
MOST_NAME = 31
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_KEYWORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True)
class Draft:
    """The facts from which a first fabric.yaml is made.

    Attributes:
        fleet: The target group, and its machines.
        environment: The environment's name.
        app: The app's name.
        region: The region.
        account: The account's number.
        profile: The AWS profile; empty for none.
        user: The login user; empty for that of the ssh configuration.
        key_file: The private key to log in with; empty for those of the ssh configuration.
        previous: The unit that serves on all hosts now, and what it sets.
        front: The program in front of it on each host; None for none.
    """

    fleet: FleetOfGroup
    environment: str
    app: str
    region: str
    account: str
    profile: str = ""
    user: str = ""
    key_file: str = ""
    previous: PreviousUnit = field(default_factory=PreviousUnit)
    front: Front | None = None

    def reached_by(self, user: str, key_file: str) -> Draft:
        """The same with a login; empty for what the ssh configuration says."""
        return replace(self, user=user, key_file=key_file)

    def adopting(self, previous: PreviousUnit, front: Front | None = None) -> Draft:
        """The same for hosts on which this unit serves now, behind this program."""
        return replace(self, previous=previous, front=front)

    @property
    def text(self) -> str:
        """The settings file."""
        group = self.fleet.group
        longest = min(LONGEST_SECONDS, group.delay_seconds / 2)
        check = visible(f"{group.health_protocol} {group.health_path} gives {group.matcher}")
        lines = [
            f"# Written by `changeover init` from the target group {group.name}.",
            "# All settings: docs/configuration.md in Changeover's repository.",
            "deploy:",
            "  apps:",
            f"    {_word(self.app)}:",
            f"      package: {_word(f'packages/{self.app}.*.zip')}   # where your build leaves it",
            f"      # command: ./{visible(self.app)} --port {{port}}   # default: that file",
            *self._ports(),
            f"      target_group: {_word(group.name)}",
            f"      # A release is proven by what the group asks: {check}.",
            f"      longest_request_seconds: {longest:g}   # of the service; the delay is "
            f"{group.delay_seconds:g} s",
        ]
        lines += self._adoption() if self.previous.unit_name else []
        lines += ["  environments:", f"    {_word(self.environment)}:", *self._environment()]
        return "\n".join([*lines, ""])

    def _ports(self) -> list[str]:
        """The app's port, and where a program in front of it has the target's."""
        fleet, front = self.fleet, self.front
        port = fleet.ports[0] if fleet.ports else fleet.group.port
        why = "the service reads it from PORT or ASPNETCORE_URLS"
        if front is None:
            return [f"      ports: [{port}]   # {why}"]
        if front.port:
            return [
                f"      ports: [{front.port}]   # {why}",
                f"      target_port: {port}   # of {front.program}, which passes requests on to it",
            ]
        return [
            f"      # {front.program} listens on port {port}: write `target_port: {port}`, and as",
            "      # `ports:` the port of the service behind it.",
            f"      ports: [{port}]",
        ]

    def _adoption(self) -> list[str]:
        """The unit that serves now, and what of it the release gets too; the rest as comments."""
        unit, old = visible(self.previous.unit_name), self.previous
        why = "it serves now; the first deploy takes its place"
        lines = [f"      replaces: {_word(old.unit_name)}   # {why}"]
        if old.user == DEFAULT_USER:
            lines.append(f"      # {unit} runs as {old.user}; a release gets a system user of its")
            lines.append(f"      # own, {self.app}. To keep {old.user}: `user: {old.user}`.")
        elif old.user:
            lines.append(f"      user: {_word(old.user)}   # as {unit}")
        if old.environment_file:
            lines.append(f"      environment_file: {_word(old.environment_file)}   # as {unit}")
        if old.limits:
            shown = ", ".join(f"{name}: {_word(value)}" for name, value in old.limits.items())
            lines.append(f"      limits: {{{shown}}}   # as {unit}")
        if old.variables:
            lines.append(f"      # {unit} sets these variables; their values stay on the hosts:")
            names = ", ".join(f"{visible(name)}: …" for name in old.variables)
            lines.append(f"      # environment: {{{names}}}")
        return lines

    def _environment(self) -> list[str]:
        aws = {"region": self.region, "profile": self.profile}
        shown = ", ".join(f"{key}: {_word(value)}" for key, value in aws.items() if value)
        ssh = {"user": self.user, "key_files": self.key_file}
        own = [f"{key}: {_listed(key, value)}" for key, value in ssh.items() if value]
        count = len(self.fleet.machines)
        batch = "1" if count <= MOST_ONE_BY_ONE else "25%"
        zones = ", ".join(self.fleet.zones)
        return [
            f'      aws: {{{shown}, account: "{self.account}"}}',
            f"      ssh: {{{', '.join([*own, 'known_hosts: [known_hosts]'])}}}",
            f"      # {count} host{'s' * (count != 1)} in {visible(zones) or 'an unknown zone'}:",
            *(
                f"      #   {_comment(each.name)} {each.id} {visible(each.zone)}"
                for each in self.fleet.machines
            ),
            *self._hosts(),
            f"      rollout: {{batch: {batch}}}",
        ]

    def _hosts(self) -> list[str]:
        """By tags where some select exactly these, so that names and new hosts are theirs."""
        if self.fleet.tags:
            tags = ", ".join(
                f"{_word(key)}: {_word(value)}" for key, value in self.fleet.tags.items()
            )
            return [f"      hosts: {{tags: {{{tags}}}}}"]
        return ["      hosts:", *(f"        - {each.id}" for each in self.fleet.machines)]


def app_name(group: str, environment: str) -> str:
    """A name for the app of a target group: `web` of `web-prod`, for the environment prod."""
    name = re.sub(r"[^a-z0-9-]+", "-", group.lower()).strip("-")
    for ending in (f"-{environment}", "-tg"):
        name = name.removesuffix(ending)
    name = re.sub(r"^[^a-z]+", "", name)[:MOST_NAME].strip("-")
    return name or "web"


def _listed(key: str, value: str) -> str:
    return f"[{_word(value)}]" if key == "key_files" else _word(value)


def _word(text: str) -> str:
    """A text as YAML reads it back, in quotes where it could be read as something else."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _KEYWORDS
    return text if is_plain else json.dumps(text)


def _comment(text: str) -> str:
    """A text that others wrote, in a comment of one line."""
    return json.dumps(visible(text)) if text else "(no Name tag)"
