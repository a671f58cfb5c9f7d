"""Faults in the middle of a deploy: connections, hosts, the API, other people, signals."""

from __future__ import annotations

import math
import os
import pty
import signal
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from faults.ground import DELAY_SECONDS, RATE, SETTINGS, SLOW_SECONDS
from lab.load import Load
from lab.project import ROOT, called, group_arn, set_delay, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.ground import Ground, Trial
    from lab.fleet import LabHost
    from lab.project import Ran, Running

CONTROLS = 3
CUT = "pkill -KILL -f '[s]shd: ec2-user' || true"  # and not the shell that says so
STEPS = {
    "at connect": "look",
    "in an upload": "upload",
    "in a command": "daemon-reload",
    "in a drain": "drain",
    "in a proof": "prove",
}
KINDS = (
    "prepare",
    "upload",
    "verify",
    "deregister",
    "drain",
    "stop",
    "switch",
    "daemon-reload",
    "prove",
    "register",
    "wait",
    "record",
)


def connections(ground: Ground) -> None:
    """A connection that breaks is made again, and the step finds out how far it came."""
    for where, step in STEPS.items():
        version = ground.build(size_mb=5)
        with ground.trial(f"SSH cut {where}", on=version) as trial:
            running = ground.deploy(version)
            running.until(f"@ {called(ground.first)}: {step}" if step != "look" else "@ look")
            ground.lab.shell(ground.first, CUT)
            trial.ended(running.wait(), 0)
            trial.said = "made again"
    version = ground.build()
    with ground.trial("sshd restarted on every host", on=version) as trial:
        running = ground.deploy(version)
        running.until("@ batch 1")
        for host in ground.lab.hosts:
            ground.lab.shell(host, "systemctl restart ssh")
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("sshd away for 8 s, connections cut", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.shell(ground.first, f"systemctl stop ssh.service ssh.socket; {CUT}")
        _later(8, lambda: ground.lab.shell(ground.first, "systemctl start ssh"))
        trial.ended(running.wait(), 0)
        trial.said = "waited for, made again"


def hosts(ground: Ground) -> None:
    """A host that freezes, dies or boots while it is out costs nothing.

    One that serves costs no more than without a deploy.
    """
    version = ground.build()
    with ground.trial("a host frozen for 6 s in its drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        # A freeze cuts what is in flight, deploy or not: so that is answered first.
        threading.Event().wait(1.5 * SLOW_SECONDS)
        ground.lab.pause(ground.first)
        _later(6, lambda: ground.lab.unpause(ground.first))
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("a host rebooted in its drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: stop")
        ground.lab.restart(ground.first)
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("a host dead from its drain on", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: stop")
        ground.lab.kill(ground.first)
        trial.ended(running.wait(), 5)
        ground.lab.restart(ground.first)
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        trial.said = "out and named; back by repair and deploy"
    last = max(ground.lab.hosts, key=lambda host: host.name)
    rates = [_death(ground, last) for _ in range(CONTROLS)]
    version = ground.build()
    with ground.trial("a serving host dies during a deploy", on=version) as trial:
        running = ground.deploy(version)
        running.until("@ batch 1")
        seconds = _kill(ground, last)
        # The controls' deaths cost so much a second, and differ by so much.
        trial.may_fail = math.ceil((max(rates) + max(rates) - min(rates)) * seconds)
        ran = running.wait()
        trial.expect(ran.code in {4, 5}, f"exit code {ran.code}")
        ground.lab.restart(last)
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        told = ", ".join(f"{rate:.0f}" for rate in rates)
        trial.said = (
            f"seen after {seconds:.1f} s; the same without a deploy, as many targets out, "
            f"lost {told} a second"
        )
    _disk(ground)
    _sudo(ground)
    version = ground.build()
    with ground.trial("a workstation whose clock is an hour behind", on=ground.good) as trial:
        trial.ended(ground.deploy(version, clock_hours=-1).wait(), 0)
        trial.ended(ground.project.inv("rollback", "--env", "lab"), 0)
        trial.said = "deployed, rolled back to the right release"


def _kill(ground: Ground, host: LabHost) -> float:
    """Kill a host that serves; the seconds until the load balancer saw that it does not.

    They differ by where in its interval the check was, which is no deploy's doing.
    """
    seen = max((event["seq"] for event in ground.lab.events()), default=0)
    ground.lab.kill(host)
    killed = time.time()

    def noticed() -> list[float]:
        return [
            event["at"]
            for event in ground.lab.events(seen)
            if event["id"] == host.instance_id and event["from"] == "healthy"
        ]

    until("the load balancer sees that it is dead", lambda: bool(noticed()))
    return noticed()[0] - killed


def _death(ground: Ground, last: LabHost) -> float:
    """The control: a host dies without a deploy, while as many targets are out as in a batch.

    Where it dies with fewer beside it, it takes more requests with it; the deploy's part in that
    is the batch, which the policy allows. The requests that were lost for each second until it
    was seen.
    """
    elb = ground.lab.client("elbv2")
    arn = group_arn(ground.lab, "web-lab")
    batch = sorted(ground.lab.hosts, key=lambda host: host.name)[: SETTINGS["rollout"]["batch"]]
    targets = [{"Id": host.instance_id, "Port": 5000} for host in batch]
    elb.deregister_targets(TargetGroupArn=arn, Targets=targets)
    threading.Event().wait(DELAY_SECONDS + 1)
    with Load(
        ground.lab.url("web"), rate=RATE, slow_share=0.01, slow_seconds=SLOW_SECONDS
    ) as control:
        seconds = _kill(ground, last)
        threading.Event().wait(2)  # what was sent to it meanwhile has failed by then
    elb.register_targets(TargetGroupArn=arn, Targets=targets)
    ground.lab.restart(last)
    ground.until_healthy()
    return control.result.failed / seconds


def _disk(ground: Ground) -> None:
    """The space that the survey found is gone when the upload begins.

    The service is started anew on the small disk, and on the old one afterwards: what runs is read
    from the folder that its process has mounted.
    """
    host = ground.first
    mount = "mount -t tmpfs -o size=160m,mode=755 tmpfs /srv/web/releases"
    keep = "cp -a /srv/web/releases /tmp/kept"
    ground.lab.shell(host, f"{keep}; {mount}; cp -a /tmp/kept/. /srv/web/releases/")
    _start_anew(ground, host)
    version = ground.build(size_mb=20)
    try:
        with ground.trial("a disk that is full while staging") as trial:
            running = ground.deploy(version)
            running.until("@ looked")
            ground.lab.shell(host, "fallocate -l 150m /srv/web/releases/full", check=False)
            trial.ended(running.wait(), 1)
            ground.lab.shell(host, "rm -f /srv/web/releases/full")
            left = ground.lab.shell(host, "ls -A /srv/web/releases")
            trial.expect(".part" not in left, "half a release is left")
            trial.said = "nothing left the load balancer, nothing half-written is left"
    finally:
        back = "umount -l /srv/web/releases; cp -an /tmp/kept/. /srv/web/releases/"
        ground.lab.shell(host, f"{back}; rm -rf /tmp/kept")
        _start_anew(ground, host)


def _start_anew(ground: Ground, host: LabHost) -> None:
    """Start a host's service anew, until it has passed a health check since and all are healthy."""
    ground.lab.shell(host, "systemctl restart web@5000.service")
    started = time.time()

    def has_passed() -> bool:
        checks = (one for one in ground.lab.checks() if one["id"] == host.instance_id)
        return any(one["began"] > started and one["status"] == HTTPStatus.OK for one in checks)

    until("it passes a check again", has_passed)
    ground.until_healthy()


def _sudo(ground: Ground) -> None:
    version = ground.build()
    host = ground.first
    with ground.trial("sudo revoked in a drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(host)}: drain")
        ground.lab.shell(host, "mv /etc/sudoers.d/ec2-user /root/")
        trial.ended(running.wait(), 5)
        ground.lab.shell(host, "mv /root/ec2-user /etc/sudoers.d/")
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        trial.said = "out and named; back by repair and deploy"


def balancer(ground: Ground) -> None:
    """Somebody else at the target group; an API that is slow, down, or refuses."""
    elb = ground.lab.client("elbv2")
    arn = group_arn(ground.lab, "web-lab")
    last = max(ground.lab.hosts, key=lambda host: host.name)

    def target(host_id: str) -> list[dict[str, object]]:
        return [{"Id": host_id, "Port": 5000}]

    version = ground.build()
    with ground.trial("another target deregistered by somebody else", on=version) as trial:
        # One host at a time: the last one's target is no part of the next batch, which waits.
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        running = ground.start(*words, "--batch", "1")
        running.until("@ batch 1")
        seen = max((event["seq"] for event in ground.lab.events()), default=0)
        elb.deregister_targets(TargetGroupArn=arn, Targets=target(last.instance_id))
        _later(
            10, lambda: elb.register_targets(TargetGroupArn=arn, Targets=target(last.instance_id))
        )
        trial.ended(running.wait(), 0)
        moved = [(event["id"], event["to"]) for event in ground.lab.events(seen)]
        second = sorted(ground.lab.hosts, key=lambda host: host.name)[1]
        back, next_out = (last.instance_id, "healthy"), (second.instance_id, "draining")
        trial.expect(moved.index(back) < moved.index(next_out), f"it did not wait: {moved}")
        trial.said = "the next batch waited for it"
    version = ground.build()
    with ground.trial("the draining target enrolled by somebody else") as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        elb.register_targets(TargetGroupArn=arn, Targets=target(ground.first.instance_id))
        trial.ended(running.wait(), 1, 4)
        trial.ended(ground.project.deploy(ground.good), 0)
        trial.said = "not stopped under its requests"
    _settings_and_api(ground)


def _settings_and_api(ground: Ground) -> None:
    for name, seconds in (("longer", 8), ("shorter", 1)):
        version = ground.build()
        with ground.trial(f"the group's delay made {name} in the middle", on=version) as trial:
            running = ground.deploy(version)
            running.until("@ batch 1")
            set_delay(ground.lab, "web-lab", seconds)
            trial.ended(running.wait(), 0)
        set_delay(ground.lab, "web-lab", DELAY_SECONDS)
    version = ground.build()
    with ground.trial("the API throttled at AWS's rates", on=version) as trial:
        ground.lab.knobs(throttle=True)
        trial.ended(ground.deploy(version).wait(), 0)
        ground.lab.knobs(throttle=False)
    version = ground.build()
    with ground.trial("the API down for 30 s", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.knobs(api_down=True)
        _later(30, lambda: ground.lab.knobs(api_down=False))
        trial.ended(running.wait(), 0)
        trial.said = "waited for"
    version = ground.build()
    with ground.trial("credentials that expire half way and are renewed", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.knobs(api_error="ExpiredToken")
        _later(12, lambda: ground.lab.knobs(api_error=None))
        trial.ended(running.wait(), 0)
        trial.said = "waited for"


def signals(ground: Ground) -> None:
    """At every kind of step: Ctrl-C, SIGTERM, and a CI's cancel to the letter."""
    for kind in KINDS:
        for name, sequence, codes in (
            ("SIGINT", (signal.SIGINT,), (130, 0)),
            ("SIGTERM", (signal.SIGTERM,), (143, 0)),
            ("SIGINT, SIGTERM, SIGKILL", (signal.SIGINT, signal.SIGTERM, signal.SIGKILL), None),
        ):
            version = ground.build()
            with ground.trial(f"{name} in {kind!r}", on=version) as trial:
                running = ground.deploy(version)
                running.until(f"@ {called(ground.first)}: {kind}")
                ran = _cancelled(running, sequence)
                if codes:
                    trial.ended(ran, *codes)
                    _see_nobody_out(ground, trial)
                    trial.said = f"ended with {ran.code}, nobody out"
                else:
                    trial.said = f"ended with {ran.code}"
                trial.ended(ground.project.deploy(version), 0)
    _terminal(ground)


def _cancelled(running: Running, sequence: tuple[signal.Signals, ...]) -> Ran:
    """SIGINT; 7.5 s later SIGTERM; 2.5 s later the end."""
    pauses = {signal.SIGINT: 7.5, signal.SIGTERM: 2.5}
    for number in sequence:
        if running.process.poll() is None:
            running.send(number)
        end = time.monotonic() + pauses.get(number, 0) * (number != sequence[-1])
        while running.process.poll() is None and time.monotonic() < end:
            threading.Event().wait(0.05)
    return running.wait()


def _see_nobody_out(ground: Ground, trial: Trial) -> None:
    rows = ground.project.status()["hosts"]
    out = [row["host"] for row in rows if row["state"] != "healthy"]
    trial.expect(not out, f"{out} left out of the load balancer")


def _terminal(ground: Ground) -> None:
    """The terminal window is closed: SIGHUP, and every write fails with EIO."""
    version = ground.build()
    with ground.trial("the terminal closed in a drain", on=version) as trial:
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        command = ground.project.command(*words)
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execv(command[0], command)  # noqa: S606 - the terminal is what is tried
        until_draining(ground)
        os.close(master)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        trial.expect(code in {129, -signal.SIGHUP}, f"exit code {code}")
        trial.expect(code == 129, "it did not end by its own hand")
        _see_nobody_out(ground, trial)
        trial.ended(ground.project.deploy(version), 0)


def until_draining(ground: Ground) -> None:
    """Wait until a target drains."""
    end = time.monotonic() + 60
    while "draining" not in ground.lab.health("web-lab").values():
        if time.monotonic() > end:
            raise TimeoutError("no target drains")
        threading.Event().wait(0.1)


def _later(seconds: float, act: Callable[[], object]) -> None:
    threading.Timer(seconds, act).start()
