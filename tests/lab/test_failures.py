"""P2, P3, P4 when things go wrong: policies, going back, and deploys that were killed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from lab.count import Count
from lab.fleet import Lab, LabHost
from lab.load import MODEST_RATE, Load
from lab.project import Project, called, set_delay, until


@contextmanager
def broken_on(lab: Lab, host: LabHost, version: str) -> Iterator[None]:
    """On one host alone the release cannot be started, once its unit was found good there."""
    ended = threading.Event()
    staged = f"ls /srv/web/records/units/{version}-*.service >/dev/null 2>&1"
    script = f"{staged} && chmod 0 /srv/web/releases/{version}-*/web && echo done"

    def spoil() -> None:
        while not ended.wait(0.1):
            if "done" in lab.shell(host, script, check=False):
                return

    thread = threading.Thread(target=spoil, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join(10)


def assert_whole(project: Project, version: str) -> None:
    told = project.status()
    assert told["well"], told
    assert told["lock"] == ""
    assert set(project.releases().values()) == {version}


@pytest.mark.hosts(3)
def test_on_failure_stop_leaves_the_finished_hosts_and_rollback_goes_back_from_there(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        with broken_on(lab, lab.hosts[2], "2.0.0"):
            ran = project.deploy("2.0.0")
        assert ran.code == 4, ran.output
        assert sorted(project.releases().values()) == ["1.0.0", "1.0.0", "2.0.0"]
        assert "take all hosts back: inv rollback --env lab" in ran.output
        back = project.inv("rollback", "--env", "lab")
        assert back.code == 0, back.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 1
    assert "upload" not in back.output
    assert_whole(project, "1.0.0")


@pytest.mark.hosts(3)
def test_on_failure_rollback_takes_the_finished_hosts_back_without_losing_a_request(
    project: Project, lab: Lab
) -> None:
    project.environment["rollout"] = {"on_failure": "rollback", "batch": 1}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    spoilt = broken_on(lab, lab.hosts[2], "2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count, spoilt:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert "on_failure: rollback" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 1
    assert_whole(project, "1.0.0")


# By the project's settings: out and in with each step at its limit, once for the new release and
# once for the old one, and the minute that the settings leave out.
LONGEST_BATCH_SECONDS = 2 * (3 + 16 + 8 + 9.5 + 20) + 60
BEGIN_SECONDS = 15.0


def test_where_the_credentials_end_first_finished_hosts_stay_and_the_command_goes_on(
    project: Project, lab: Lab
) -> None:
    """No host failed: a rollback would need AWS for longer than is left."""
    keys = "[lab]\naws_access_key_id = lab\naws_secret_access_key = lab\n"
    file = project.folder / "credentials"
    file.write_text(keys)
    project.environment["aws"] = {"credentials_file": str(file)}
    project.environment["rollout"] = {"on_failure": "rollback", "batch": 1}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    ends = datetime.now(UTC) + timedelta(seconds=LONGEST_BATCH_SECONDS + BEGIN_SECONDS)
    token = f"aws_session_token = lab\nx_security_token_expires = {ends.isoformat()}\n"
    file.write_text(keys + token)
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = project.deploy("2.0.0")
        assert ran.code == 4, ran.output
        assert "the AWS credentials end in" in ran.output
        assert "on_failure: rollback" not in ran.output
        assert set(project.releases().values()) == {"1.0.0", "2.0.0"}
        file.write_text(keys)
        again = project.deploy("2.0.0")
        assert again.code == 0, again.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 1
    assert_whole(project, "2.0.0")


def test_a_budget_of_failures_goes_on_past_a_host_that_cannot(project: Project, lab: Lab) -> None:
    project.environment["rollout"] = {"max_failures": "25%", "batch": 1}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    with broken_on(lab, lab.hosts[1], "2.0.0"):
        ran = project.deploy("2.0.0")
    assert ran.code == 4, ran.output
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0", "2.0.0"]
    assert not [row for row in project.status()["hosts"] if row["state"] != "healthy"]


@pytest.mark.hosts(2)
def test_p3_a_release_that_fell_sick_is_deployed_again_and_gives_way_to_an_older_one(
    project: Project, lab: Lab
) -> None:
    project.web["start_timeout_seconds"] = 3
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    assert project.deploy("2.0.0").code == 0
    sick, other = lab.hosts
    lab.shell(
        sick,
        """for each in /srv/web/releases/2.0.0-*; do
            echo '{"sick": true}' > $each/behaviour.json
        done
        systemctl restart web@5000.service""",
    )
    until("unhealthy", lambda: "unhealthy" in lab.health("web-lab").values())
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0", "--allow-downtime")
    assert ran.code == 4, ran.output
    flat = " ".join(ran.output.split())
    assert "now, which is older than what it ran before" in flat
    assert load.result.failed == 0, load.result.failures
    assert project.releases() == {called(sick): "1.0.0", called(other): "2.0.0"}
    assert set(lab.health("web-lab").values()) == {"healthy"}
    repaired = project.inv("repair", "--env", "lab")
    assert "every host is as it was last deployed" in repaired.output


@pytest.mark.hosts(2)
def test_a_first_install_that_fails_has_nothing_to_go_back_to_and_says_so(
    project: Project,
) -> None:
    project.web["start_timeout_seconds"] = 3
    project.configure()
    project.build("1.0.0", sick=True)
    ran = project.deploy("1.0.0")
    assert ran.code == 5, ran.output
    flat = " ".join(ran.output.split())
    assert "nothing was deployed there before, so there is nothing to go back to" in flat
    assert "inv repair" not in flat
    mended = project.inv("repair", "--env", "lab")
    assert mended.code == 5, mended.output
    assert "was never deployed here, so there is nothing to go back to" in mended.output
    project.build("1.0.1")
    assert project.deploy("1.0.1", "--batch", "100%").code == 0
    assert_whole(project, "1.0.1")


@pytest.mark.hosts(2)
def test_a_release_that_falls_ill_while_it_soaks_is_put_back(project: Project, lab: Lab) -> None:
    """It was in service, so a few requests may be lost: they are bounded, the fleet is whole."""
    project.environment["rollout"] = {"soak_seconds": 20, "batch": 1}
    project.configure()
    install_without_soak(project)
    project.build("2.0.0", crash_after_seconds=5)
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert load.result.failed < MODEST_RATE * 5
    assert_whole(project, "1.0.0")


def install_without_soak(project: Project) -> None:
    soaked = project.environment["rollout"]
    project.environment["rollout"] = {"batch": 1}
    project.configure()
    project.install("1.0.0")
    project.environment["rollout"] = soaked
    project.configure()


@pytest.mark.long(75)
def test_a_fleet_that_is_short_is_not_made_shorter(project: Project, lab: Lab) -> None:
    """In the plan by arithmetic, and before a batch by a fresh reading."""
    project.web["healthy_timeout_seconds"] = 8
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    sick = lab.hosts[3]
    lab.shell(sick, "systemctl stop web@5000.service")
    until("unhealthy", lambda: "unhealthy" in lab.health("web-lab").values())
    ran = project.deploy("2.0.0", "--skip-host", called(sick))
    assert ran.code == 2, ran.output
    assert "and the policy wants 3" in ran.output
    lab.shell(sick, "systemctl start web@5000.service")
    until("all healthy", lambda: set(lab.health("web-lab").values()) == {"healthy"})

    set_delay(lab, "web-lab", 10)  # the first batch is not over before the other host is sick
    running = project.start("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    running.until("batch 1 of 4")
    lab.shell(sick, "systemctl stop web@5000.service")
    ended = running.wait()
    assert ended.code == 5, ended.output  # the sick host is out, though no step touched it
    assert f"{called(sick)}: out of service" in ended.output
    assert "begin batch 2: FAILED" in ended.output
    assert sorted(project.releases().values()).count("2.0.0") == 1
    set_delay(lab, "web-lab", 3)
    lab.shell(sick, "systemctl start web@5000.service")
    until("all healthy", lambda: set(lab.health("web-lab").values()) == {"healthy"})
    assert project.deploy("2.0.0", "--batch", "2").code == 0
    assert_whole(project, "2.0.0")


KILLED = {
    "in an upload": ("bookworm-1: upload", "deploy"),
    "in a drain": ("bookworm-1: drain", "repair"),
    "while it is stopped": ("bookworm-1: switch", "deploy"),
    "while it starts": ("bookworm-1: daemon-reload", "repair"),
    "while it is proven": ("bookworm-1: prove", "deploy"),
    "when it was enrolled": ("bookworm-1: record", "repair"),
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("moment", KILLED)
def test_p4_a_deploy_that_was_killed_is_mended_from_anywhere(
    project: Project, lab: Lab, moment: str
) -> None:
    """`make faults` does so at every step, at its boundary and inside."""
    step, mended_by = KILLED[moment]
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0", size_mb=2)
    victim = project.hooked(kill=step, after=0.02)
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        assert victim.inv(*words).code == -signal.SIGKILL
        if mended_by == "repair":
            ran = project.inv("repair", "--env", "lab")
            assert ran.code == 0, ran.output
            assert not [row for row in project.status()["hosts"] if row["state"] != "healthy"]
        ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert_whole(project, "2.0.0")
    left = lab.shell(lab.hosts[0], "ls -A /srv/web/records /srv/web/releases /var/lib/changeover")
    assert ".out" not in left
    assert ".part" not in left
    assert ".lock" not in left


@pytest.mark.hosts(2)
def test_old_releases_go_and_those_to_go_back_to_stay(project: Project, lab: Lab) -> None:
    project.web["keep_releases"] = 2
    project.configure()
    project.install("1.0.0")
    for version in ("2.0.0", "3.0.0", "4.0.0"):
        project.build(version)
        assert project.deploy(version, "--batch", "100%", "--allow-downtime").code == 0
    kept = lab.shell(lab.hosts[0], "ls /srv/web/releases").split()
    assert [name.partition("-")[0] for name in kept] == ["2.0.0", "3.0.0", "4.0.0"], (
        "what ran when the last one came, and the one before it, are never removed"
    )
    refused = project.inv("rollback", "--env", "lab", "--to", "1.0.0")
    assert refused.code == 2
    assert "is not on" in refused.output
    began = time.monotonic()
    ran = project.inv("rollback", "--env", "lab")
    assert ran.code == 0, ran.output
    assert time.monotonic() - began < 60
    assert_whole(project, "3.0.0")
