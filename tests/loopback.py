"""A project and its fleet on this machine: SSH, scripts, API calls and files are real.

Each host is an SSH server at an address of its own (127.0.0.x) and a folder that stands for `/`.
Its `sudo` runs scripts as this user, with that folder before the paths that are root's. What would
need root is a program that prints what a host prints (`systemctl`) or fails (`useradd`).
"""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import paramiko
from sshd import Sshd

from deploy.commands import pipeline
from deploy.hosts.lock.holder import Holder
from deploy.session.arguments import CommandOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paper_account import Account

    from deploy.commands.change import Change
    from deploy.run.report import ExitCode

ADDRESSES = {"host-1": "127.0.0.11", "host-2": "127.0.0.12", "host-3": "127.0.0.13"}
SUBNET = "127.0.0.0/24"
TTL_SECONDS = 2.0
# A machine that runs tests is busy: a deploy that must not seem dead may pause for so long.
LIVING_TTL_SECONDS = 8.0

SUDO = """\
#!/bin/sh
# A script comes by stdin, as its length and its bytes; `sudo -l` allows nothing.
[ "$4" = sh ] || exit 1
read -r n && eval "$(head -c "$n" | sed \
  -e 's#/srv/#{root}/srv/#g' -e 's#/var/lib/#{root}/var/lib/#g' -e 's#/run/#{root}/run/#g' \
  -e 's#/etc/systemd/#{root}/etc/systemd/#g' -e 's#/proc/1/comm#{root}/comm#g')"
"""
SYSTEMCTL = """\
#!/bin/sh
case $1 in
  --version) echo 'systemd 252 (252.39-1~deb12u1)' ;;
  is-system-running) echo running ;;
  show) printf '%s\\n' LoadState=not-found ActiveState=inactive SubState=dead MainPID=0 ;;
  *) exit 1 ;;
esac
"""
PROGRAMS = {
    "systemctl": SYSTEMCTL,
    "ss": "#!/bin/sh\n",
    "systemd-analyze": "#!/bin/sh\nexit 1\n",
    "useradd": "#!/bin/sh\necho 'useradd: cannot lock /etc/passwd' >&2; exit 1\n",
}
SETTINGS = """\
load_ssh_configs: false
connect_kwargs: {{allow_agent: false}}
deploy:
  apps:
    web:
      package: packages/web.*.zip
      command: ./web --port {{port}}
      ports: [5000]
      target_group: web-lab
      longest_request_seconds: 5
      user: changeover-test
  environments:
    lab:
      aws: {{region: eu-west-1, endpoint_url: "{url}"}}
      hosts: {{tags: {{Environment: lab}}}}
      ssh:
        user: deploy
        port: {port}
        key_files: [key]
        known_hosts: [known_hosts]
        connect_timeout_seconds: 20
      poll_seconds: 0.1
      lock_ttl_seconds: {ttl:g}
"""


def instances() -> list[dict[str, str]]:
    """The hosts as lab.aws makes instances of them."""
    return [
        {"name": f"changeover-test-{name}", "address": address}
        for name, address in ADDRESSES.items()
    ]


class Host:
    """One host: its SSH server, and the folder that stands for its root."""

    def __init__(self, root: Path, address: str, port: int) -> None:
        self.root = root
        for name in ("srv", "var/lib/changeover", "run", "etc/systemd/system"):
            (root / name).mkdir(parents=True)
        (root / "comm").write_text("systemd\n")
        self.sshd = Sshd(root, address, port)
        for name, text in {"sudo": SUDO.format(root=root), **PROGRAMS}.items():
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        """Put a program before the machine's own."""
        file = self.root / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    @property
    def lock(self) -> Path:
        """The lock of the environment `lab`."""
        return self.root / "var/lib/changeover/lab.lock"

    @property
    def notes(self) -> str:
        """What was written down about locks that were broken."""
        file = self.root / "var/lib/changeover/lab.broken"
        return file.read_text() if file.exists() else ""


class Project:
    """A team's project whose environment `lab` is this fleet; a `with` block."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder, self.account = folder, account
        self.hosts: dict[str, Host] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        port = 0
        for name, address in ADDRESSES.items():
            host = self.hosts[name] = Host(self.folder / name, address, port)
            self._stack.callback(host.sshd.stop)
            port = host.sshd.port
        paramiko.ECDSAKey.generate().write_private_key_file(str(self.folder / "key"))
        known = "".join(host.sshd.known_hosts() for host in self.hosts.values())
        (self.folder / "known_hosts").write_text(known)
        self.settings = self.folder / "fabric.yaml"
        url = self.account.api.url
        self.settings.write_text(SETTINGS.format(url=url, port=port, ttl=TTL_SECONDS))
        (self.folder / "packages").mkdir()
        self.build("1.0.0")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def build(self, version: str) -> None:
        """Put a package of the app where the settings look for it."""
        with zipfile.ZipFile(self.folder / "packages" / f"web.{version}.zip", "w") as package:
            package.writestr("web", f"#!/bin/sh\n# {version}\n")

    def rewrite(self, before: str, after: str) -> None:
        """Change a piece of the settings."""
        text = self.settings.read_text()
        assert before in text
        self.settings.write_text(text.replace(before, after))

    def outlast_pauses(self) -> None:
        """From now on a lock's holder is not dead for a pause that a busy machine makes."""
        self.rewrite(f"ttl_seconds: {TTL_SECONDS:g}", f"ttl_seconds: {LIVING_TTL_SECONDS:g}")

    def asked(self, **options: Any) -> CommandOptions:
        """What is typed: `--env lab --settings <the project's>` and these options."""
        return CommandOptions("lab", str(self.settings), **options)

    def writes(self) -> dict[str, int]:
        """The calls of the API that change something, and how many."""
        calls = self.account.calls.counts()
        return {name: n for name, n in calls.items() if not name.startswith(("Describe", "Get"))}

    def locks(self) -> dict[str, str]:
        """What the lock file of each host holds, where there is one."""
        hosts = self.hosts.items()
        return {name: host.lock.read_text() for name, host in hosts if host.lock.exists()}

    def leave_lock(self, *names: str) -> Holder:
        """Lock hosts, or all of them, as a deploy that was killed leaves them."""
        holder = Holder.of_this_process("eve@ci", "deploy", TTL_SECONDS)
        for name in names or self.hosts:
            self.hosts[name].lock.write_text(f"{holder.as_line()}\n")
        return holder


def run(command: Callable[..., Change], asked: CommandOptions, *more: Any) -> ExitCode:
    """What a command that changes the fleet ends with."""
    return pipeline.run(command(asked, *more))
