"""`changeover init`: target group → machines → host keys → running unit → the first files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.aws import inventory, permissions
from deploy.aws.api.account import Account
from deploy.aws.target_groups import Balancer
from deploy.checkup.refusals import one_each
from deploy.folding import folded, listed
from deploy.foreign_text import visible
from deploy.hosts.ssh import connect
from deploy.run.report import ExitCode
from deploy.screen import question
from deploy.screen.console import Screen
from deploy.session import scratch
from deploy.settings import load, ownership
from deploy.settings.app import App
from deploy.settings.environment import Aws, Environment
from deploy.starter import adoption, draft, files, fleet, host_keys
from deploy.starter.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.session.arguments import CommandOptions
    from deploy.starter.host_keys import HostKeys

MOST_REASON = 400
"""So much of why a host could not be read is shown."""


def init(
    asked: CommandOptions,
    *,
    target_group: str,
    region: str | None,
    profile: str | None,
    ssh_user: str | None,
    key: str | None,
) -> ExitCode:
    """Write the files; BAD_INPUT, with their texts, where one of them exists.

    Raises BadInput for what keeps them from being made.
    """
    screen, file = Screen(), Path(asked.settings or load.NAME)
    with scratch.folder() as workspace:
        look = _Look(Path(workspace), file.name, Account(_asking(region, profile)))
        with screen.busy(f"asking AWS for {visible(target_group)}"):
            first = look.draft(asked, target_group, profile or "")
        first = first.reached_by(ssh_user or "", _path(key))
        with screen.busy(f"asking {len(first.fleet.machines)} hosts for their keys"):
            keys = look.host_keys(first)
        lines = _agreed(keys, screen, asks=not asked.yes)
        with screen.busy("looking for the service that runs now"):
            final, unread = look.adopting(first, lines)
        texts = _texts(final, file.name, lines)
        look.refuse_unloadable(texts, final.environment)
    _summary(final, unread, screen)
    texts = files.missing(file.parent, texts)
    if not texts:
        screen.say(f"All files are there, as they would be written. Next: {_next(asked)}")
        return ExitCode.DONE
    if there := files.existing(file.parent, texts):
        for name, text in texts.items():
            screen.say(f"\n--- {name}\n{text}")
        screen.complain(
            f"Nothing was written: {', '.join(there)} exists, and no file is overwritten. The "
            "texts are above; copy what you need, or run this in an empty folder."
        )
        return ExitCode.BAD_INPUT
    if not asked.yes and not screen.confirm(f"Write {', '.join(texts)}?"):
        screen.say("Nothing was written.")
        return ExitCode.DECLINED
    files.write(file.parent, texts)
    screen.say(f"Written: {', '.join(texts)}.")
    screen.say(f"Next: put a package where `package:` says, and type {_next(asked)}")
    return ExitCode.DONE


def _asking(region: str | None, profile: str | None) -> Environment:
    """Settings by which AWS can be asked, before there is a file."""
    app = App(name="web", package="-", target_group="-", ports=(1,))
    aws = Aws(region=region, profile=profile)
    return Environment(
        name="init", root=ownership.working_folder(), apps=(app,), hosts=("-",), aws=aws
    )


def _path(key: str | None) -> str:
    """A key file as the settings have it: a path that does not depend on where they lie."""
    if not key or key.startswith(("~", "/")):
        return key or ""
    return str(Path(key).absolute())


def _next(asked: CommandOptions) -> str:
    return asked.command("check")


@dataclass
class _Look:
    """What AWS and the hosts are asked, by drafts of the settings in a folder of their own.

    Attributes:
        workspace: The folder.
        settings: The settings file's name.
        account: The account.
    """

    workspace: Path
    settings: str
    account: Account
    _drafts: int = 0

    def draft(self, asked: CommandOptions, target_group: str, profile: str) -> Draft:
        """Ask AWS who we are, and for the group and its machines."""
        self.account.log_in()
        number = self.account.verify().split(":")[4]
        balancer = Balancer(self.account)
        group = balancer.group(target_group)
        machines = fleet.read(self.account, group, balancer.health(group))
        app = asked.app or draft.app_name(group.name, asked.environment)
        region = self.account.region
        return Draft(machines, asked.environment, app, region, number, profile)

    def host_keys(self, made: Draft) -> tuple[HostKeys, ...]:
        """Return the host keys that are known, and the hosts whose keys are not."""
        environment, hosts = self._loaded(made, ())
        return host_keys.look(self.account, environment, hosts)

    def adopting(self, made: Draft, lines: Sequence[str]) -> tuple[Draft, Mapping[str, str]]:
        """The draft with the unit that serves on all hosts now; and why hosts cannot be read."""
        environment, hosts = self._loaded(made, lines)
        (app,) = environment.apps
        serving = adoption.look(environment, app, hosts)
        return made.adopting(serving.previous, serving.front), serving.unread

    def refuse_unloadable(self, texts: Mapping[str, str], environment: str) -> None:
        """Raise BadInput where our own loader does not take what is to be written."""
        load.load(self._written(texts), environment)

    def _loaded(self, made: Draft, lines: Sequence[str]) -> tuple[Environment, tuple[Host, ...]]:
        """The settings of a draft as they are loaded, and the hosts that they mean."""
        file = self._written(_texts(made, self.settings, lines))
        environment = load.load(file, made.environment)
        # An Auto Scaling group is `inv check`'s to name: here nothing is taken out.
        asking = environment.model_copy(update={"auto_scaling": "ignore"})
        resolve = partial(connect.resolve, environment)
        vpc = frozenset({made.fleet.group.vpc})
        return environment, inventory.find(asking, self.account, resolve, lambda: vpc)

    def _written(self, texts: Mapping[str, str]) -> Path:
        self._drafts += 1
        folder = self.workspace / str(self._drafts)
        folder.mkdir()
        files.write(folder, texts)
        return folder / self.settings


def _texts(made: Draft, settings: str, lines: Sequence[str]) -> dict[str, str]:
    """The files by their names."""
    policy = json.dumps(permissions.policy([made.fleet.group.arn]), indent=2)
    return {
        settings: made.text,
        files.KNOWN_HOSTS: "".join(f"{line}\n" for line in lines),
        files.POLICY: f"{policy}\n",
        files.TASKS: files.TASKS_TEXT,
    }


def _agreed(keys: Sequence[HostKeys], screen: Screen, *, asks: bool) -> tuple[str, ...]:
    """The known_hosts lines: those that AWS vouches for, and those that a person has compared."""
    lines = [line for each in keys for line in each.lines]
    vouched = [each.host.name for each in keys if each.lines]
    if vouched:
        screen.say(f"{listed(vouched)}: host keys from their consoles, as EC2 has them.")
    shown = {each.host.name: each.shown for each in keys if each.shown}
    for name, key in shown.items():
        screen.say(f"{visible(name)}: {visible(key.kind)} {visible(key.fingerprint)}")
    for each in (each for each in keys if each.problem):
        screen.complain(each.problem)
    if not shown:
        return tuple(lines)
    screen.say(
        "These keys are what the hosts showed just now; no console has them. Compare each\n"
        "with the host's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )
    is_person = asks and question.is_due(os.environ)
    if is_person and screen.confirm("Did you compare them, and are they the same?"):
        return (*lines, *(key.line for key in shown.values()))
    screen.say("They are left out of known_hosts: each command refuses these hosts until then.")
    return tuple(lines)


def _summary(made: Draft, unread: Mapping[str, str], screen: Screen) -> None:
    """What was found, in a few lines."""
    group, count = made.fleet.group, len(made.fleet.machines)
    selected = ", ".join(f"{key}={value}" for key, value in made.fleet.tags.items())
    how = f"by the tags {visible(selected)}" if selected else "by their ids"
    zones = ", ".join(made.fleet.zones) or "an unknown zone"
    screen.say(f"{count} host{'s' * (count != 1)} of {group.name} in {zones}, {how}")
    where = "all of them" if not unread else f"the {count - len(unread)} that could be read"
    front, unit_name = made.front, visible(made.previous.unit_name)
    if front:
        behind = f"port {front.port}" if front.port else "a port that was not seen"
        screen.say(f"{front.program} listens on {where}, and passes requests on to {behind}")
        if not front.port:
            screen.say("  write it as `ports:`, and the targets' own port as `target_port:`")
    if unit_name:
        screen.say(f"{unit_name} serves on {where}: the first deploy takes its place")
    elif unread and not front:
        screen.say(
            f"Which service runs now is not known, since {len(unread)} of {count} hosts could not "
            "be read:"
        )
    for reason in folded(one_each(unread)):
        screen.say(f"  {visible(reason, MOST_REASON)}")
    if unread:
        screen.say(
            "Run this again in an empty folder once they can be read; --ssh-user NAME and --key "
            "FILE name the login."
        )
