"""P12 on real hosts: one host, or a process on it, neither blocks, ends nor takes over a deploy."""

from __future__ import annotations

import json
import threading

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, called

DEPLOY = (
    *("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes"),
    *("--batch", "2"),
)
LOCK = "/var/lib/changeover/lab.lock"
GROWING = """
systemd-run --quiet --collect --unit lies sh -c 'n=0; while sleep 0.2; do n=$((n + 1)); echo \
"{\\"token\\": \\"%s\\", \\"author\\": \\"eve\\", \\"since\\": \\"2026-11-28T00:00:00+00:00\\", \
\\"what\\": \\"deploy\\", \\"run\\": \\"\\", \\"ttl_seconds\\": 4.0, \\"beat\\": $n}" > FILE.lie; \
mv FILE.lie FILE; done'
""".replace("FILE", LOCK)


def test_no_process_of_a_service_can_lock_what_a_deploy_locks(project: Project, lab: Lab) -> None:
    """And the control: a file as it was before, 0644 in /run, any process may lock."""
    project.install("1.0.0")
    project.build("2.0.0")
    for host in lab.hosts:
        before = "/run/changeover-web.lock"
        lab.shell(host, f"install -m 0644 /dev/null {before}")
        as_service = "runuser -u nobody -- flock -n"
        assert lab.shell(host, f"{as_service} {before} echo locked").strip() == "locked"
        for path in ("/run/changeover/web.lock", "/run/changeover/locks"):
            said = lab.shell(host, f"{as_service} {path} echo locked 2>&1; true")
            assert "Permission denied" in said, said
        assert lab.shell(host, "stat -c '%U %a' /run/changeover").strip() == "root 700"
        lab.shell(host, f"systemd-run --quiet --collect -p User=nobody flock {before} sleep 60")
    ran = project.inv(*DEPLOY)
    assert ran.code == 0, ran.output


def test_a_lock_file_removed_on_one_host_ends_no_deploy(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        first = project.start(*DEPLOY)
        first.until("batch 1 of")
        lab.shell(lab.hosts[-1], f"rm {LOCK}")
        ended = first.wait()
    assert ended.code == 0, ended.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.parametrize("lie", ["garbage", "growing"])
def test_what_one_host_shows_blocks_no_deploy_of_the_others(
    project: Project, lab: Lab, lie: str
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    liar = min(lab.hosts, key=called)
    if lie == "garbage":
        lab.shell(liar, f"install -d /var/lib/changeover; echo who knows > {LOCK}")
    else:
        lab.shell(liar, "install -d /var/lib/changeover;" + GROWING % ("f" * 32))
    try:
        words = ("--skip-host", called(liar), "--batch", "100%", "--allow-downtime")
        ran = project.deploy("2.0.0", *words)
        assert ran.code == 0, ran.output
        assert f"{called(liar)}: {LOCK}" in ran.output
        shown = project.inv("lock.status", "--env", "lab", "--json")
        assert shown.code == 0, shown.output
        assert json.loads(shown.stdout)["locked"] is False
    finally:
        lab.shell(liar, "systemctl stop lies 2>/dev/null; true")
    broken = project.inv("lock.break", "--env", "lab", "--reason", "it holds nothing")
    assert broken.code == 0, broken.output
    assert "it holds nothing" in lab.shell(liar, f"cat {LOCK[:-5]}.broken")
    assert lab.shell(liar, f"ls {LOCK} 2>/dev/null; true") == ""


def test_a_pattern_in_place_of_a_token_takes_no_living_deploys_lock(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    project.build("3.0.0")
    first = project.start(*DEPLOY)
    first.until("batch 1 of")
    liar = min(lab.hosts, key=called)
    held = lab.shell(liar, f"cat {LOCK}")
    lab.shell(liar, "rm -f FILE;".replace("FILE", LOCK) + GROWING % ".*")
    try:
        second = project.deploy("3.0.0")
        assert second.code == 3, second.output
        assert json.loads(held)["author"] in second.output
    finally:
        lab.shell(liar, f"systemctl stop lies 2>/dev/null; rm -f {LOCK}; true")
        threading.Event().wait(0.1)
    ended = first.wait()
    assert ended.code == 0, ended.output
    assert set(project.releases().values()) == {"2.0.0"}
