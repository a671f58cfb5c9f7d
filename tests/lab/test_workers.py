"""Workers: apps that no load balancer sends requests to, on hosts that serve others."""

from __future__ import annotations

import re

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, called

pytestmark = pytest.mark.hosts(2)

OLD = "[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
LOG = "/var/lib/jobs/log"
JOBS = """#!/bin/sh
version={version}
if [ "$1" = --check ]; then
  [ "$(cat /tmp/heartbeat)" = "$version" ] || exit 8
  [ "$(pwd)" = /srv/jobs/current ] && [ "$MODE" = fast ] && [ "$TOKEN" = s3cret ] || exit 9
  {check}
fi
echo "began $version" >> {log}
echo "$version" > /tmp/heartbeat
{work}
trap 'sleep 1; echo "ended $version" >> {log}; exit' TERM
while :; do sleep 1 & wait $!; done
"""


def build(project: Project, version: str, *, work: str = "", check: str = "exit 0") -> None:
    """A worker as a folder, which writes down when it begins and when it ends."""
    folder = project.folder / "packages" / f"jobs.{version}"
    folder.mkdir(parents=True)
    script = JOBS.format(version=version, log=LOG, work=work, check=check)
    (folder / "jobs").write_text(script)


@pytest.fixture
def jobs(project: Project, lab: Lab) -> Project:
    """A project with the worker beside the web app, before it in the order of the settings."""
    for host in lab.hosts:
        lab.shell(host, "install -m 600 /dev/null /etc/jobs.env; echo TOKEN=s3cret > /etc/jobs.env")
    apps = project.settings["deploy"]["apps"]
    apps["jobs"] = {
        "package": "packages/jobs.*",
        "command": "jobs",
        "target_group": "none",
        "ports": [],
        "prove_seconds": 1.5,
        "start_timeout_seconds": 4,
        "environment": {"MODE": "fast"},
        "environment_file": "/etc/jobs.env",
        "health": {"command": "jobs --check", "timeout_seconds": 3},
    }
    project.environment["apps"] = {"jobs": {}, "web": {}}
    project.configure()
    return project


def deploy(project: Project, *more: str) -> tuple[int, str]:
    ran = project.inv("deploy", "--env", "lab", "--yes", *more)
    return ran.code, ran.output


def state(project: Project) -> dict[str, set[tuple[str, str]]]:
    """By app, each state and version that a host shows."""
    found: dict[str, set[tuple[str, str]]] = {}
    for row in project.status()["hosts"]:
        shown = (row["state"], row["release"].partition("-")[0])
        found.setdefault(row["app"], set()).add(shown)
    return found


def test_a_worker_is_deployed_with_the_app_on_its_hosts_and_ends_what_it_does(
    jobs: Project, lab: Lab
) -> None:
    jobs.build("1.0.0")
    build(jobs, "1.5.0")
    code, said = deploy(jobs, "--batch", "100%")
    assert code == 0, said
    jobs.build("2.0.0")
    build(jobs, "2.5.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = jobs.inv("deploy", "--env", "lab", "--yes")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert state(jobs) == {"jobs": {("running", "2.5.0")}, "web": {("healthy", "2.0.0")}}
    for host in lab.hosts:
        log = lab.shell(host, f"cat {LOG}").splitlines()
        assert log == ["began 1.5.0", "ended 1.5.0", "began 2.5.0"], "SIGTERM, and time to end"
        own = [step for step in ran.steps() if step.startswith(f"{called(host)}: switch")]
        assert ["slot 0" in each for each in own] == [True, False], "in the settings' order"
        shown = lab.shell(host, "systemctl show jobs@0.service -p Environment --value")
        assert "PORT=" not in shown
        assert "ASPNETCORE_URLS=" not in shown


def test_p10_a_worker_that_is_killed_at_its_stop_is_in_the_log_and_in_the_report(
    jobs: Project,
) -> None:
    jobs.settings["deploy"]["apps"]["jobs"]["stop_timeout_seconds"] = 2
    jobs.configure()
    build(jobs, "1.0.0", work="trap '' TERM; while :; do sleep 1; done")
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 0, output
    build(jobs, "2.0.0")
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 0, output
    killed = re.findall(
        r"jobs@0\.service was killed after [23] s \(result: timeout\)", " ".join(output.split())
    )
    assert len(killed) == 4, output
    assert state(jobs)["jobs"] == {("running", "2.0.0")}


@pytest.mark.parametrize("command", ["sh -c './jobs; :'", "jobs"])
def test_p10_a_worker_behind_a_shell_is_a_warning_in_the_plan(jobs: Project, command: str) -> None:
    jobs.settings["deploy"]["apps"]["jobs"] |= {"command": command, "executables": ["jobs"]}
    jobs.configure()
    build(jobs, "1.0.0")
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 0, output
    build(jobs, "2.0.0")
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 0, output
    warned = "jobs: SIGTERM goes to a shell" in " ".join(output.split())
    assert warned is command.startswith("sh"), output


@pytest.mark.parametrize(
    ("work", "check", "said"),
    [
        ("exit 1", "exit 0", "jobs@0.service ended"),
        ("", "echo the queue is down; exit 3", "exit code 3, not 0, of `jobs --check` (the queue"),
        ("", "trap '' TERM; while :; do echo busy; done", "no end of `jobs --check` within 3 s"),
    ],
    ids=["ends", "fails its check", "its check has no end"],
)
def test_a_worker_that_fails_gives_way_to_its_old_release(
    jobs: Project, work: str, check: str, said: str
) -> None:
    build(jobs, "1.0.0")
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 0, output
    build(jobs, "2.0.0", work=work, check=check)
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 1, output
    assert said in output, output
    assert "mark 2.0.0-" in output
    assert state(jobs)["jobs"] == {("running", "1.0.0")}
    code, output = deploy(jobs, "--app", "jobs")
    assert code == 2, output
    assert "failed there before" in output


@pytest.mark.parametrize("step", ["stop jobs@0", "switch slot 0", "prove 2.0.0"])
def test_a_killed_deploy_of_workers_alone_is_repaired(jobs: Project, lab: Lab, step: str) -> None:
    jobs.environment["apps"] = {"jobs": {}}
    jobs.shorten_lock()
    build(jobs, "1.0.0")
    code, output = deploy(jobs)
    assert code == 0, output
    build(jobs, "2.0.0")
    first = called(lab.hosts[0])
    victim = jobs.hooked(kill=f"{first}: {step}", after=0.02)
    assert victim.inv("deploy", "--env", "lab", "--yes").code == -9
    ran = jobs.inv("repair", "--env", "lab", "--yes", "--wait-lock", "60")
    assert ran.code == 0, ran.output
    found = jobs.status()
    assert found["well"], found
    assert state(jobs) == {"jobs": {("running", "1.0.0")}}
    code, output = deploy(jobs)
    assert code == 0, output
    assert state(jobs) == {"jobs": {("running", "2.0.0")}}


def test_a_worker_takes_the_place_of_a_unit_and_gives_it_back(jobs: Project, lab: Lab) -> None:
    for host in lab.hosts:
        lab.shell(host, f"printf '{OLD}' > /etc/systemd/system/old-jobs.service")
        lab.shell(host, "systemctl daemon-reload; systemctl enable --now old-jobs.service")
    jobs.settings["deploy"]["apps"]["jobs"]["replaces"] = "old-jobs.service"
    jobs.environment["apps"] = {"jobs": {}}
    jobs.configure()
    build(jobs, "1.0.0", work="exit 1")
    code, output = deploy(jobs)
    assert code == 1, output
    shown = lab.shell(lab.hosts[0], "systemctl is-enabled jobs@0.service || true")
    assert "disabled" in shown
    for host in lab.hosts:
        assert lab.shell(host, "systemctl is-active old-jobs.service").strip() == "active"
    build(jobs, "1.1.0")
    code, output = deploy(jobs)
    assert code == 0, output
    for host in lab.hosts:
        assert "inactive" in lab.shell(host, "systemctl is-active old-jobs.service || true")
    assert state(jobs) == {"jobs": {("running", "1.1.0")}}


def test_a_first_release_that_fails_takes_no_more_work(jobs: Project, lab: Lab) -> None:
    jobs.environment["apps"] = {"jobs": {}}
    jobs.configure()
    build(jobs, "1.0.0", check="exit 3")
    code, output = deploy(jobs)
    assert code == 5, output
    assert "stop and disable jobs@0.service" in output
    shown = lab.shell(lab.hosts[0], "systemctl is-active jobs@0.service || true")
    assert "inactive" in shown
