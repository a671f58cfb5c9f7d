"""Logs, restarts and the history on the lab's hosts, while they serve."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from lab.count import Count
from lab.load import MODEST_RATE, Load
from lab.project import called, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.fleet import Lab
    from lab.project import Project, Running

pytestmark = pytest.mark.hosts(2)

FILE = "/etc/web.env"


def lines(running: Running) -> list[dict[str, Any]]:
    """The lines that were shown so far."""
    return [json.loads(line) for line in running.output.splitlines() if line.startswith("{")]


def hosts_of(shown: Iterable[dict[str, Any]], message: str) -> set[str]:
    return {line["host"] for line in shown if message in line["message"]}


def followers(lab: Lab) -> str:
    """The commands on hosts that follow a journal."""
    script = "pgrep -f -- '[j]ournalctl .*--follow' || true"
    return "".join(lab.shell(host, script) for host in lab.hosts).strip()


def test_the_journals_of_all_hosts_are_followed_while_a_deploy_runs(
    project: Project, lab: Lab
) -> None:
    """Across a broken connection too; what a release writes is found by its version."""
    project.install("1.0.0")
    project.build("2.0.0")
    names = {called(host) for host in lab.hosts}
    following = project.start("logs", "--env", "lab", "--follow", "--lines", "0", "--json")
    until("all are followed", lambda: len(followers(lab).split()) >= len(names), 60)
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    started = "sample 2.0.0: listening on port 5000"
    until("both started", lambda: hosts_of(lines(following), started) == names)
    assert hosts_of(lines(following), "sample 1.0.0: stopped") == names
    first = next(line for line in lines(following) if started in line["message"])
    assert (first["app"], first["unit"]) == ("web", "web@5000.service")
    assert first["release"].startswith("2.0.0-")

    cut = lab.hosts[0]
    lab.shell(cut, "pkill -f 'sshd.*@' || pkill -f 'sshd: [a-z]+' || true", check=False)
    following.until("tried again until it is back")
    following.until(f"{called(cut)}: is back")
    lab.shell(cut, "systemctl kill --signal=SIGKILL web@5000.service")
    until(
        "it shows the restart",
        lambda: (
            sum(
                line["host"] == called(cut) and started in line["message"]
                for line in lines(following)
            )
            == 2
        ),
    )
    following.send(signal.SIGINT)
    ended = following.wait(30)
    assert ended.code == 130, ended.output
    assert "Traceback" not in ended.output
    until("no command is left on a host", lambda: not followers(lab))
    once = [(line["host"], line["at"], line["message"]) for line in lines(following)]
    assert len(once) == len(set(once)), "no line is shown twice"

    of_release = project.inv("logs", "--env", "lab", "--release", "2.0.0", "--since", "10m")
    assert of_release.code == 0, of_release.output
    assert "sample 2.0.0: listening" in of_release.stdout
    assert "sample 1.0.0" not in of_release.stdout
    matching = project.inv("logs", "--env", "lab", "--grep", "listening on port", "-n", "1")
    assert matching.stdout.count("\n") == 1
    assert "listening on port" in matching.stdout
    refused = project.inv("logs", "--env", "lab", "--grep", "(")
    assert refused.code == 2, refused.output


@pytest.fixture
def configured(project: Project, lab: Lab) -> Project:
    """A project whose app reads a file on the host when it starts."""
    write(lab, "GREETING=before")
    project.web["environment_file"] = FILE
    project.web["ports"] = [5000, 5001]
    project.configure()
    return project


def write(lab: Lab, text: str) -> None:
    for host in lab.hosts:
        lab.shell(host, f"umask 077; echo '{text}' > {FILE}")


def greetings(lab: Lab) -> list[str]:
    """What each service that runs was given, by its process."""
    script = (
        "for unit in $(systemctl list-units --plain --no-legend --state=active 'web@*.service' "
        "| cut -d' ' -f1); do tr '\\0' '\\n' < "
        "/proc/$(systemctl show -p MainPID --value $unit)/environ | grep GREETING; done"
    )
    return [lab.shell(host, script).strip() for host in lab.hosts]


@pytest.mark.parametrize("strategy", ["rolling", "surge"])
def test_p1_p2_p6_a_restart_for_a_changed_file_loses_no_request(
    configured: Project, lab: Lab, strategy: str
) -> None:
    configured.environment["rollout"] = {"strategy": strategy}
    configured.configure()
    configured.install("1.0.0")
    history = [lab.shell(host, "cat /srv/web/records/history") for host in lab.hosts]
    write(lab, "GREETING=after")
    words = ("restart", "--env", "lab", "--yes")
    planned = configured.inv(*words, "--dry-run", "--full")
    assert planned.code == 0, planned.output
    assert set(greetings(lab)) == {"GREETING=before"}
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = configured.inv(*words)
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(greetings(lab)) == {"GREETING=after"}
    assert count.least == len(lab.hosts) - (strategy == "rolling")
    printed = sorted(line.strip() for line in planned.stdout.splitlines() if line[:2] == "  ")
    assert sorted(ran.steps()) == printed
    assert configured.status()["well"], str(configured.status())
    assert [lab.shell(host, "cat /srv/web/records/history") for host in lab.hosts] == history

    shown = configured.inv("history", "--env", "lab")
    assert shown.code == 0, shown.output
    newest = shown.stdout.splitlines()[1]
    assert "restart web 1.0.0" in newest
    assert newest.endswith("done")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    again = configured.inv("history", "--env", "lab", "--run", newest.partition(" ")[0])
    assert again.code == 0, again.output
    assert "stop" in again.stdout or "retire" in again.stdout


def test_p3_a_file_that_breaks_the_service_stops_at_the_first_host(
    configured: Project, lab: Lab
) -> None:
    """By surge what serves is not touched; the release gets no mark."""
    configured.environment["rollout"] = {"strategy": "surge"}
    configured.web["start_timeout_seconds"] = 4
    configured.configure()
    configured.install("1.0.0")
    write(lab, "PYTHONHOME=/nowhere")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = configured.inv("restart", "--env", "lab", "--batch", "1", "--yes")
    assert ran.code == 1, ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    assert set(greetings(lab)) == {"GREETING=before"}
    assert "bad" not in lab.shell(lab.hosts[0], "ls /srv/web/records/bad 2>/dev/null || true")
    assert configured.status()["well"], str(configured.status())
    write(lab, "GREETING=after")
    mended = configured.inv("restart", "--env", "lab", "--yes")
    assert mended.code == 0, mended.output
    assert set(greetings(lab)) == {"GREETING=after"}
