"""The lab as a whole: hosts, AWS API, load balancer, brought up, used and taken down."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInput
from lab import checkout, image, keys, process, zones
from lab import hosts as containers
from lab.podman import podman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FOLDER = checkout.FOLDER
MOST_HOSTS = 100


@dataclass(frozen=True)
class LabHost:
    """A host of the lab: container name, address, EC2 instance id, Debian suite, zone."""

    name: str
    address: str
    instance_id: str
    suite: str
    zone: str


class Lab:
    """A running lab; made by `up` or `attach`."""

    def __init__(self, root: Path, state: dict[str, Any]) -> None:
        self.root = root
        self.folder = root / FOLDER
        self.id: str = state["id"]
        self.hosts = tuple(LabHost(**host) for host in state["hosts"])
        self.api: str = state["api"]
        self.control: str = state["control"]
        self.ports: dict[str, dict[str, int]] = state["ports"]
        self.pid: int = state["pid"]
        self.kept: set[str] = set()  # see lab.snapshot

    @classmethod
    def up(
        cls,
        root: Path,
        hosts: int = 4,
        suites: Sequence[str] = ("bookworm",),
        say: Callable[[str], None] = lambda _: None,
    ) -> Lab:
        """Bring the checkout's lab up; one that runs and has what is asked for stays as it is.

        `suites` take turns over the hosts; `say` gets the progress, a line at a time. Raises
        BadInput for a count or suite that cannot be, SuiteUnavailable, HostError, ServerError.
        """
        root = root.resolve()
        if not 1 <= hosts <= MOST_HOSTS:
            raise BadInput(f"{hosts} hosts: the lab has 1 to {MOST_HOSTS}; try `--hosts 4`")
        for suite in suites:
            image.known_suite(suite)
        with checkout.alone(root):
            running = cls._running(root)
            if running and running.covers(hosts, suites):
                say(f"the lab is running: {running}")
                running.revive()
                return running
            if running:
                say(f"another lab is asked for than the running one ({running}): taking it down")
            cleared = checkout.clear(root)
            if cleared and not running:
                say(f"cleared what a dead lab left: {cleared} containers")
            for suite in dict.fromkeys(suites):
                image.ensure(suite, say)
            try:
                return cls._start(root, hosts, suites, say)
            except BaseException:
                checkout.clear(root)
                raise

    @classmethod
    def attach(cls, root: Path) -> Lab:
        """Return the checkout's running lab; raises BadInput when there is none."""
        lab = cls._running(root.resolve())
        if lab is None:
            raise BadInput("the lab is not running: start it with `inv lab.up`")
        return lab

    @classmethod
    @contextmanager
    def borrowed(
        cls,
        root: Path,
        hosts: int = 4,
        suites: Sequence[str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Lab]:
        """The checkout's lab for a while: one that ran before is left running, a new one goes.

        Without `suites`, a running lab with that many hosts serves, whatever they are.
        """
        before = cls._running(root.resolve())
        fits = before is not None and suites is None and len(before.hosts) == hosts
        try:
            yield before if before and fits else cls.up(root, hosts, suites or ("bookworm",), say)
        finally:
            if before is None:
                checkout.take_down(root)

    def down(self) -> None:
        """Stop and remove all of it; keys and logs stay in the state folder."""
        checkout.take_down(self.root)

    def __str__(self) -> str:
        suites = Counter(host.suite for host in self.hosts)
        kinds = ", ".join(f"{count} {suite}" for suite, count in suites.items())
        return f"{len(self.hosts)} hosts ({kinds}), web at {self.url('web')}"

    def host(self, name: str) -> LabHost:
        """Find a host by name or address; raises BadInput naming those there are."""
        for host in self.hosts:
            if name in {host.name, host.address}:
                return host
        raise BadInput(f"no lab host {name!r}: there are {', '.join(h.name for h in self.hosts)}")

    def port(self, listener: str) -> int:
        """The port on 127.0.0.1 of the first zone's node."""
        return self.ports[zones.ZONES[0]][listener]

    def url(self, listener: str, zone: str = zones.ZONES[0]) -> str:
        """Where the load balancer's node in a zone listens: `web` or `admin`."""
        return f"http://127.0.0.1:{self.ports[zone][listener]}"

    def knobs(self, **values: Any) -> dict[str, Any]:
        """Turn the named knobs (see lab.knobs.Knobs) and return all as they are now."""
        turned: dict[str, Any] = process.ask(f"{self.control}/knobs", values, post=bool(values))
        return turned

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Target transitions after number `since`: seq, at, group, id, port, from, to, reason."""
        found: list[dict[str, Any]] = process.ask(f"{self.control}/events?since={since}")
        return found

    def checks(self) -> list[dict[str, Any]]:
        """The last health checks that ended, oldest first (see lab.checks.Checked)."""
        found: list[dict[str, Any]] = process.ask(f"{self.control}/checks")
        return found

    def calls(self) -> dict[str, int]:
        """How often each API action was called since the lab started or was reset."""
        counts: dict[str, int] = process.ask(f"{self.control}/calls")
        return counts

    def client(self, service: str) -> Any:
        """Make a boto3 client of the lab's API."""
        import boto3  # noqa: PLC0415  # slow to load, and not every user of a lab needs it

        return boto3.client(
            service,
            region_name=checkout.REGION,
            endpoint_url=self.api,
            aws_access_key_id="lab",
            aws_secret_access_key="lab",  # noqa: S106  # the lab's API takes any
        )

    def health(self, group: str) -> dict[str, str]:
        """Ask the API for a target group's states by host name (host:port if on other ports)."""
        elb = self.client("elbv2")
        found = elb.describe_target_groups(Names=[group])["TargetGroups"][0]
        asked = elb.describe_target_health(TargetGroupArn=found["TargetGroupArn"])
        names = {host.instance_id: host.name for host in self.hosts}
        states = {}
        for target in asked["TargetHealthDescriptions"]:
            id_, port = target["Target"]["Id"], target["Target"]["Port"]
            key = names.get(id_, id_) + ("" if port == found["Port"] else f":{port}")
            states[key] = target["TargetHealth"]["State"]
        return states

    def shell(
        self, host: LabHost | str, command: str, *, check: bool = True, timeout_seconds: float = 60
    ) -> str:
        """Run a shell command on a host as root, not by SSH; returns stdout, raises HostError."""
        name = _name(host)
        return containers.shell(name, command, check=check, timeout_seconds=timeout_seconds)

    def pause(self, host: LabHost | str) -> None:
        """Freeze a host: its connections hang."""
        podman("pause", _name(host))

    def unpause(self, host: LabHost | str) -> None:
        """Let a frozen host go on."""
        podman("unpause", _name(host))

    def kill(self, host: LabHost | str) -> None:
        """End a host at once, as a power cut would; `restart` brings it back."""
        podman("kill", _name(host))

    def restart(self, host: LabHost | str) -> None:
        """Reboot a host and wait until it is up: files stay, processes go."""
        name = _name(host)
        podman("restart", "--time=5", name)
        containers.await_boot(name, self.host(name).address)

    def reset(self) -> None:
        """Every host as at the start, registered and with nothing deployed; knobs to defaults."""
        containers.reset_all([(host.name, host.address) for host in self.hosts])
        names = [host.name for host in self.hosts]
        process.ask(f"{self.control}/reset", {"hosts": names}, post=True)

    def first(self, count: int) -> Lab:
        """This lab with its first hosts alone; its `reset` makes them the whole fleet."""
        part = copy(self)
        part.hosts = self.hosts[:count]
        return part

    @classmethod
    def _running(cls, root: Path) -> Lab | None:
        """Return the lab that the state folder names, if its server and containers live."""
        try:
            lab = cls(root, json.loads((root / FOLDER / "state.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not process.is_ours(lab.pid, lab.folder):
            return None
        try:
            process.ask(f"{lab.control}/health")
        except process.ServerError:
            return None
        there = {each.name for each in containers.containers(lab.id)}
        return lab if there == {host.name for host in lab.hosts} else None

    def covers(self, count: int, suites: Sequence[str]) -> bool:
        """Whether the hosts there are include those asked for."""
        asked = Counter(suites[number % len(suites)] for number in range(count))
        return asked <= Counter(host.suite for host in self.hosts)

    def revive(self) -> None:
        """Bring back the hosts that are paused, stopped or killed."""
        for each in containers.containers(self.id):
            if each.state != "running":
                containers.revive(each.name, self.host(each.name).address)

    @classmethod
    def _start(
        cls, root: Path, count: int, suites: Sequence[str], say: Callable[[str], None]
    ) -> Lab:
        folder, lab_id = root / FOLDER, checkout.identity(root)
        subnet = containers.make_network(lab_id)
        wanted = containers.wanted(lab_id, subnet, count, suites)
        keys.make_keys(folder, wanted)
        say(f"booting {count} hosts on {subnet}")
        containers.start_all(lab_id, folder, wanted)
        say("starting the AWS API and the load balancer")
        spec = {"hosts": [asdict(host) for host in wanted], "subnet": subnet}
        server = process.start(folder, spec)
        hosts = [
            LabHost(
                host.name,
                host.address,
                server["instances"][host.name],
                host.suite,
                zones.zone_of(subnet, host.address),
            )
            for host in wanted
        ]
        state = {
            "id": lab_id,
            "hosts": [asdict(host) for host in hosts],
            "api": server["api"],
            "control": server["control"],
            "ports": server["ports"],
            "pid": server["pid"],
        }
        checkout.write_environment(folder, server["api"])
        (folder / "state.json").write_text(json.dumps(state, indent=2))
        lab = cls(root, state)
        say(f"the lab is up: {lab}")
        return lab


def _name(host: LabHost | str) -> str:
    return host if isinstance(host, str) else host.name
