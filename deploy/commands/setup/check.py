"""`inv check`: account → target groups → hosts → a deploy's own plan; every finding in one run."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.aws.target_groups import Balancer
from deploy.checkup import aws, machines, packages
from deploy.checkup.doctor import (
    group_advice,
    host_findings,
    host_look,
    listeners,
    permissions,
)
from deploy.checkup.doctor.finding import Findings
from deploy.checkup.refusals import Part, Refusals, one_each
from deploy.commands.setup import trial
from deploy.errors import NotAllowed
from deploy.foreign_text import visible
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.screen.doctor import findings as view
from deploy.session import scratch
from deploy.session.arguments import as_typed, read_settings
from deploy.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from deploy.aws.api.account import Account
    from deploy.aws.targets import Health, Target
    from deploy.checkup.aws import InAws
    from deploy.plan.plan import Groups
    from deploy.session.arguments import CommandOptions
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope

HOUR_SECONDS = 3600.0
"""Credentials that end within it are named."""


def check(asked: CommandOptions, package: str | None) -> ExitCode:
    """Look for all that could keep a deploy from starting, and change nothing.

    package: as `--package` gives it. BAD_INPUT where there is a problem.
    """
    screen = Screen()
    environment = read_settings(asked, screen)
    scope = asked.scope("deploy", *as_typed("--package", package))
    look = _Look(environment, scope, package, screen, is_json=asked.json)
    look.run()
    found = look.findings.each
    code = ExitCode.BAD_INPUT if look.findings.has_problem else ExitCode.DONE
    if asked.json:
        screen.say(view.as_json(environment.name, found, code))
    else:
        screen.say(*view.verdict(environment.name, found))
    return code


@dataclass
class _Look:
    """The looks of one command, which all add to one list.

    Attributes:
        environment: Its settings.
        scope: The deploy that would be typed.
        package: As `--package` gives it.
        screen: Where findings are shown as soon as their part was looked at.
        is_json: Whether they are for a script.
        findings: What was found so far.
        can_read: Whether all that a deploy reads of AWS may be read.
    """

    environment: Environment
    scope: Scope
    package: str | None
    screen: Screen
    is_json: bool
    findings: Findings = field(default_factory=Findings)
    can_read: bool = False

    def run(self) -> None:
        """Look at everything; what is wrong with one thing hides no other."""
        refusals = Refusals()
        with self._busy("asking AWS who this is and what it allows"):
            opened = aws.look(self.environment, refusals)
            self._of_account(opened, refusals)
        self._show(Part.AWS)
        count = len(opened.found.hosts) + len(opened.found.places)
        hosts = f"{count} host{'s' * (count != 1)}" if count else "the hosts"
        with self._busy(f"looking at {hosts} of {self.environment.name}"):
            for part, error in refusals.each:
                self.findings.refused(part, error)
            self.findings.of_hosts(one_each(opened.found.problems))
            if opened.account and self.can_read and not (refusals or opened.found.problems):
                self._as_a_deploy(opened.account)
            else:
                self._one_by_one(opened)
        self._show(Part.BALANCER, Part.HOSTS, Part.DEPLOY)

    def _busy(self, text: str) -> AbstractContextManager[None]:
        return nullcontext() if self.is_json else self.screen.busy(text)

    def _show(self, *parts: Part) -> None:
        if self.is_json:
            return
        columns = shutil.get_terminal_size().columns if self.screen.is_terminal else None
        for part in parts:
            for text, style in view.lines(self.findings.of(part), columns):
                self.screen.say(text, style)

    def _of_account(self, opened: InAws, refusals: Refusals) -> None:
        """Who we are, for how long, and what we may do."""
        account, findings = opened.account, self.findings
        if account and opened.caller:
            number = opened.caller.split(":")[4:5]
            findings.ok(
                Part.AWS,
                f"{visible(opened.caller)}, account {visible(''.join(number))}, region "
                f"{visible(account.region)}",
            )
            with findings.noted(Part.AWS):
                self._of_lifetime(account)
            groups = [group for each in opened.groups.values() for group in each]
            names = {host.scaling_group for host in opened.found.hosts if host.scaling_group}
            surges = self.environment.rollout.strategy == "surge"
            self.can_read = permissions.look(
                account, groups, findings, surges=surges, scaling_groups=names
            )
            permissions.writes(Balancer(account), groups, findings)
        for part, error in refusals.each:
            if part is Part.AWS or isinstance(error, NotAllowed):
                findings.refused(part, error)

    def _of_lifetime(self, account: Account) -> None:
        lifetime, findings = account.lifetime, self.findings
        left = lifetime.seconds_left(datetime.now(UTC))
        if lifetime.is_unknown:
            findings.warn(
                Part.AWS,
                "it is not known when the AWS session token ends, so nothing checks that it lasts",
                "set AWS_CREDENTIAL_EXPIRATION beside it, or x_security_token_expires in",
                "the credentials file",
            )
        elif left is None:
            findings.ok(Part.AWS, "the credentials do not end, or renew themselves")
        elif left < HOUR_SECONDS:
            findings.warn(
                Part.AWS,
                f"the credentials end in {left / 60:.0f} min",
                "renew them before a deploy that takes longer: `aws sso login`",
            )
        else:
            findings.ok(Part.AWS, f"the credentials end in {left / HOUR_SECONDS:.1f} h")

    def _of_groups(
        self, account: Account, groups: Groups, health: Mapping[str, Mapping[Target, Health]]
    ) -> None:
        """What the apps' target groups are, and what their settings mean for a deploy."""
        listeners.look(account, (group for own in groups.values() for group in own), self.findings)
        for app in self.environment.apps:
            own = groups.get(app.name, ())
            group_advice.look(self.environment, app, own, health, self.findings)

    def _one_by_one(self, opened: InAws) -> None:
        """Look at what there is, where a deploy would end before it looked at its hosts."""
        findings = self.findings
        if opened.account and opened.groups:
            balancer = Balancer(opened.account)
            health: dict[str, dict[Target, Health]] = {}
            for group in (group for each in opened.groups.values() for group in each):
                with findings.noted(Part.BALANCER):
                    health[group.arn] = balancer.health(group)
            self._of_groups(opened.account, opened.groups, health)
        if opened.can_connect:
            hosts = (*opened.found.hosts, *machines.at(opened.found.places))
            with machines.connected(self.environment, hosts) as (remotes, refused):
                looks, unread = host_look.look(self.environment, remotes)
            host_findings.note(self.environment, looks, refused | unread, findings)
        with findings.noted(Part.DEPLOY), scratch.folder() as workspace:
            for each in packages.opened(self.environment, self.package, Path(workspace)):
                trial.note_package(each, findings)

    def _as_a_deploy(self, account: Account) -> None:
        """Open the session that a deploy would have, and look through it."""
        findings, environment = self.findings, self.environment
        with findings.noted(Part.DEPLOY), Session(environment, scope=self.scope) as session:
            looks, refused = host_look.look(environment, session.remotes)
            host_findings.note(environment, looks, refused, findings)
            seen = session.survey()
            self._of_groups(account, session.groups, seen.health)
            trial.run(session, seen, self.package, findings)
