"""The lab's hosts: containers that boot systemd and sshd, each with a key and address of its own.

Everything here takes and leaves containers by the lab's label and by names the lab gave.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError
from lab import image, zones
from lab.podman import PodmanError, as_root, inside, podman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LABEL = "changeover.lab"
BOOT_SECONDS = 60
AT_ONCE = 8
"""Containers started together: more only queue for podman's locks."""

RUN_FLAGS = (
    # Lower limits than systemd's wish: a machine without CAP_SYS_RESOURCE cannot raise them.
    "--ulimit=nofile=10000:10000",
    "--ulimit=nproc=10000:10000",
    "--systemd=always",
    # Without these two, systemd ignores a unit's sandboxing, and says nothing.
    "--cap-add=SYS_ADMIN",
    "--cap-add=SYS_PTRACE",  # root of a real machine sees whose socket it is
    "--security-opt=seccomp=unconfined",
)

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
INSTANCES_A_HOST, INSTANCES_OF_OTHERS = 8, 128
"""What a host's systemd takes of inotify (about five), and what is left for the rest of root's."""

RESET = Path(__file__).with_name("host-reset")


class HostError(DeployError):
    """A lab host did not boot, or a command on it failed."""


@dataclass(frozen=True)
class Wanted:
    """A host to be: its container's name, its address on the lab's network, its Debian suite."""

    name: str
    address: str
    suite: str


@dataclass(frozen=True)
class Container:
    """A container of the lab as podman sees it; `state` is podman's word (running, paused …)."""

    name: str
    state: str
    suite: str


def wanted(lab_id: str, subnet: str, count: int, suites: Sequence[str]) -> tuple[Wanted, ...]:
    """Name `count` hosts, the suites taking turns, and the zones."""
    turns = [suites[number % len(suites)] for number in range(count)]
    return tuple(
        Wanted(f"changeover-{lab_id}-{suite}-{number}", zones.host_address(subnet, number), suite)
        for number, suite in enumerate(turns, 1)
    )


def containers(lab_id: str) -> tuple[Container, ...]:
    """Every container of this lab, dead ones too."""
    listed = podman("ps", "--all", f"--filter=label={LABEL}={lab_id}", "--format=json").stdout
    found: list[dict[str, Any]] = json.loads(listed or "[]")
    return tuple(
        Container(each["Names"][0], each["State"], each["Labels"].get("changeover.suite", ""))
        for each in found
    )


def make_network(lab_id: str) -> str:
    """Make the lab's bridge on a free subnet and return it (`10.x.y.0/24`).

    The first guess comes from the lab's id; what podman finds taken is left alone.
    """
    refusal = ""
    for attempt in range(20):
        number = (int(lab_id, 16) + attempt * 7919) % (100 * 256)
        subnet = f"10.{100 + number // 256}.{number % 256}.0/24"
        label = f"--label={LABEL}={lab_id}"
        made = podman(
            "network", "create", "--disable-dns", label, f"--subnet={subnet}", network(lab_id),
            check=False,
        )  # fmt: skip
        if made.returncode == 0:
            return subnet
        refusal = made.stderr.strip()
    raise DeployError(f"no free 10.x.y.0/24 for the lab's network: podman says {refusal!r}")


def network(lab_id: str) -> str:
    """Name of the lab's bridge."""
    return f"changeover-{lab_id}"


def start_all(lab_id: str, state: Path, hosts: Sequence[Wanted]) -> None:
    """Create and boot all hosts side by side; return when every one answers on port 22.

    Raises HostError naming the host that did not, with its last words.
    """
    _make_room(len(hosts))
    _together(lambda host: _start(lab_id, state, host), hosts)


def _make_room(hosts: int) -> None:
    """Raise the kernel's limit of inotify instances where so many systemds would exceed it.

    It is one user's, root's, for all hosts; without room a host boots and never gets ready.
    """
    least = INSTANCES_OF_OTHERS + INSTANCES_A_HOST * hosts
    if int(INSTANCES.read_text()) < least:
        command = [*as_root(), "tee", str(INSTANCES)]
        ended = subprocess.run(
            command, input=f"{least}\n", capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise HostError(
                f"{hosts} hosts need fs.inotify.max_user_instances={least}, and it cannot be set "
                f"here ({ended.stderr.strip()}); set it on the machine, or take fewer hosts"
            )


def _start(lab_id: str, state: Path, host: Wanted) -> None:
    podman(
        "run",
        "--detach",
        f"--name={host.name}",
        f"--hostname={host.name.split('-', 2)[-1]}",
        f"--network={network(lab_id)}",
        f"--ip={host.address}",
        f"--mac-address={mac(host.address)}",
        f"--label={LABEL}={lab_id}",
        f"--label=changeover.suite={host.suite}",
        f"--volume={state / 'hosts' / host.name}:/lab:ro",
        *RUN_FLAGS,
        image.tag(host.suite),
        "/sbin/init",
    )
    await_boot(host.name, host.address)


def mac(address: str) -> str:
    """A hardware address made from the IP address: the same after every boot.

    With podman's random ones, a rebooted host cannot be reached until our kernel's ARP entry has
    aged, which took 40 s while health checks kept it alive.
    """
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def await_boot(name: str, address: str, seconds: float = BOOT_SECONDS) -> None:
    """Wait until systemd has started everything and sshd greets; raises HostError otherwise."""
    deadline = time.monotonic() + seconds
    seen = "nothing"
    while time.monotonic() < deadline:
        if not greets(address):
            seen = f"no SSH server on {address}:22"
        else:
            asked = inside(name, "systemctl", "is-system-running")
            seen = f"systemd says {asked.stdout.strip() or asked.stderr.strip()!r}"
            if asked.stdout.strip() in {"running", "degraded"}:
                return
        time.sleep(0.1)
    last = podman("logs", "--tail=5", name, check=False)
    raise HostError(
        f"{name} did not boot within {seconds:g} s ({seen}); its console: "
        f"{(last.stdout + last.stderr).strip()[-400:] or 'empty'}"
    )


def greets(address: str, port: int = 22) -> bool:
    """Whether an SSH server answers there with its banner."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            return connection.recv(64).startswith(b"SSH-")
    except OSError:
        return False


def shell(name: str, command: str, *, check: bool = True, timeout_seconds: float = 60) -> str:
    """Run a shell command as root on a host and return its stdout.

    Raises HostError with the end of its stderr when it fails and `check` is on.
    """
    done = inside(name, "bash", "-c", command, timeout_seconds=timeout_seconds)
    if check and done.returncode != 0:
        raise HostError(
            f"{name}: {command!r} ended with exit code {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[-400:]}"
        )
    return done.stdout


def revive(name: str, address: str) -> None:
    """Bring a paused, stopped or killed host back, its files as they were."""
    state = podman("inspect", "--format={{.State.Status}}", name).stdout.strip()
    if state == "paused":
        podman("unpause", name)
    elif state != "running":
        podman("start", name)
    await_boot(name, address)


def reset_all(hosts: Iterable[tuple[str, str]]) -> None:
    """Take everything off the hosts (name and address each) that was deployed on them."""
    script = RESET.read_text()

    def reset(host: tuple[str, str]) -> None:
        name, address = host
        done = inside(name, "bash", "-s", stdin=script)
        if done.returncode != 0:
            revive(name, address)
            done = inside(name, "bash", "-s", stdin=script)
        if done.returncode != 0:
            raise HostError(f"{name} could not be reset: {done.stderr.strip()[-400:]}")

    _together(reset, hosts)


def remove_all(lab_id: str) -> int:
    """Remove this lab's containers and its network; return how many containers there were."""
    found = containers(lab_id)
    if found:
        podman("rm", "--force", "--volumes", "--time=0", *(each.name for each in found))
    gone = podman("network", "rm", "--force", network(lab_id), check=False)
    if gone.returncode != 0 and has_network(lab_id):
        raise PodmanError("network rm", gone.stderr)
    return len(found)


def has_network(lab_id: str) -> bool:
    """Whether the lab's bridge is there."""
    return podman("network", "exists", network(lab_id), check=False).returncode == 0


def _together(act: Callable[[Any], None], things: Iterable[Any]) -> None:
    """Act on all at once; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(act, thing) for thing in things]:
            done.result()
