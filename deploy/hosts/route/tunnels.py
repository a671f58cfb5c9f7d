"""Tunnels to an instance by AWS's own programs: Session Manager, EC2 Instance Connect.

Sources: AWS Systems Manager user guide, "Allow and control permissions for SSH connections through
Session Manager"; AWS CLI reference, `ec2-instance-connect open-tunnel` (version 2 of the CLI).
"""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

from deploy.errors import BadInput

if TYPE_CHECKING:
    from deploy.settings.environment import Environment

GUIDES = {
    "aws": "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "session-manager-plugin": "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html",
}
PROGRAMS = {"ssm": ("aws", "session-manager-plugin"), "instance-connect": ("aws",)}
"""What a setting of `ssh: via:` needs on the workstation."""


class Tunnel(str):
    """A ProxyCommand that is complete: nothing in it is to be filled in.

    Attributes:
        via: The setting that it is of; by each, few logins are under way at once.
    """

    __slots__ = ("via",)
    via: str


def check(environment: Environment) -> None:
    """Raise BadInput, with a line for each program that `ssh: via:` needs and PATH lacks."""
    via = environment.ssh.via
    if via is None:
        return
    where = f"{environment.name}: ssh: via: {via}"
    if environment.fabric.get("gateway"):
        raise BadInput(f"{where}: excludes the top-level key `gateway`; remove one of them")
    missing = [name for name in PROGRAMS[via] if shutil.which(name) is None]
    if missing:
        lines = (
            f"{where}: needs the program `{name}`, which PATH does not have; install it: "
            f"{GUIDES[name]}"
            for name in missing
        )
        raise BadInput(*lines)


def command(environment: Environment, instance_id: str, port: int) -> Tunnel | None:
    """The program that leads to a port of an instance; None where SSH goes there by itself.

    It gets the profile, the region and the credentials file of the environment.
    """
    via, aws = environment.ssh.via, environment.aws
    if via is None:
        return None
    words = ["aws"]
    if aws.credentials_file:
        file = environment.path(aws.credentials_file)
        words = ["env", f"AWS_SHARED_CREDENTIALS_FILE={file}", "aws"]
    if via == "ssm":
        words += ["ssm", "start-session", "--target", instance_id]
        words += ["--document-name", "AWS-StartSSHSession"]
        words += ["--parameters", f"portNumber={port}"]
    else:
        words += ["ec2-instance-connect", "open-tunnel", "--instance-id", instance_id]
        words += ["--remote-port", str(port)]
    for option, value in (("--region", aws.region), ("--profile", aws.profile)):
        words += [option, value] if value else []
    made = Tunnel(shlex.join(words))
    made.via = via
    return made
